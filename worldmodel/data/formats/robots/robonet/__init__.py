"""RoboNet."""
