"""All cases."""

from __future__ import annotations

from formats.case import FormatCase
from formats.robonet import RoboNetCase

CASES: list[FormatCase] = [RoboNetCase()]
