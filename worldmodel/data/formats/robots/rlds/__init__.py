"""RLDS."""

from worldmodel.data.format import Format
from worldmodel.data.formats.robots.rlds.reader import RLDS

FORMAT = Format("rlds", "RLDS", RLDS, extra="worldmodel[logs]")
