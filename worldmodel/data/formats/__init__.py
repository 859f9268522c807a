"""The formats of recordings, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from worldmodel.data.formats.robonet import RoboNet
from worldmodel.data.reader import Reader

FORMATS: Mapping[str, type[Reader]] = MappingProxyType({"robonet": RoboNet})
"""By the name that a user gives; a folder is read by the first that recognises it."""
