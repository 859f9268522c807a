"""RoboNet."""

from worldmodel.data.format import Format
from worldmodel.data.formats.robots.robonet.reader import RoboNet
from worldmodel.data.formats.robots.robonet.writer import RoboNetWriter

FORMAT = Format("robonet", "RoboNet HDF5", RoboNet, RoboNetWriter)
