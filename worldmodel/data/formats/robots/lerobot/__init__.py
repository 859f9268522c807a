"""LeRobotDataset."""
