"""ROS 2 bags."""

from worldmodel.data.format import Format
from worldmodel.data.formats.robots.rosbag.reader import RosBag

FORMAT = Format("rosbag", "ROS 2 bags", RosBag, extra="worldmodel[logs]")
