"""How the KTH action database calls its videos, and who is tested on.

https://www.csc.kth.se/cvap/actions: 25 persons do 6 actions in 4 scenarios, at 25 frames per
second. For prediction, persons 1 to 16 are trained on and 17 to 25 tested on, as in
https://github.com/thuml/predrnn-pytorch (`kth_action.py`).
"""

from __future__ import annotations

from worldmodel.data.recording import Part

VIDEO = r"person(?P<person>\d{2})_(?P<action>[a-z]+)_d(?P<scenario>\d)"
"""Regular expression of a video's name, without `_uncomp` at its end."""

FRAME_RATE = 25.0
"""Frames per second."""

_LAST_OF_TRAINING = 16


def part_of(person: str) -> Part:
    """Whether a person is trained or tested on."""
    return "train" if int(person) <= _LAST_OF_TRAINING else "test"
