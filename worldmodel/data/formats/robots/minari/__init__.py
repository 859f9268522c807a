"""Minari."""

from worldmodel.data.format import Format
from worldmodel.data.formats.robots.minari.reader import Minari
from worldmodel.data.formats.robots.minari.writer import MinariWriter

FORMAT = Format("minari", "Minari", Minari, MinariWriter, extra="worldmodel[logs]")
