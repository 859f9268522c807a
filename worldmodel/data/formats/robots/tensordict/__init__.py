"""Rollouts and replay buffers that were stored with `TensorDict.memmap`."""

from worldmodel.data.format import Format
from worldmodel.data.formats.robots.tensordict.reader import MemmapRollouts

FORMAT = Format("tensordict", "TensorDict memory maps", MemmapRollouts)
