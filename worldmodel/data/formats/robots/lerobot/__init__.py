"""LeRobotDataset."""

from worldmodel.data.format import Format
from worldmodel.data.formats.robots.lerobot.v2 import LeRobotV2
from worldmodel.data.formats.robots.lerobot.v3 import LeRobotV3
from worldmodel.data.formats.robots.lerobot.writer import LeRobotWriter

V2 = Format("lerobot-v2", "LeRobotDataset v2", LeRobotV2)

V3 = Format("lerobot-v3", "LeRobotDataset v3", LeRobotV3, LeRobotWriter)
