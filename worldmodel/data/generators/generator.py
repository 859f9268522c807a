"""What makes clips of moving objects out of numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np

from worldmodel.errors import InputError, check_at_least, check_one_of

GeneratedPart = Literal["train", "test"]


class GeneratedClip(NamedTuple):
    """A clip and where its objects are.

    Attributes:
        frames: uint8. Shape (T, H, W, C).
        masks: Whether a pixel shows object k, which it does of one at most; None if objects do not
            hide each other. Shape (T, K, H, W).
    """

    frames: np.ndarray
    masks: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Generator(ABC):
    """Makes any clip from its number alone: clip i is the same whoever asks for it, and when.

    Attributes:
        title: What the clips are called in a sentence.
        channels: 3 for RGB, 1 for gray levels.
        clips: Number of clips; at least 1.
        part: Clips to "train" on, or other clips to "test" on.
        length: Frames T of a clip; at least 2.
        height: Of a frame, in pixels.
        width: Of a frame, in pixels.
        seed: Clips of another seed are others; at least 0.

    Raises:
        InputError: A number is out of range.
    """

    title: ClassVar[str]
    channels: ClassVar[int]

    clips: int = 10_000
    part: GeneratedPart = "train"
    length: int = 20
    height: int = 64
    width: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(1, self, "clips", "height", "width")
        check_at_least(2, self, "length")
        check_at_least(0, self, "seed")
        check_one_of(self, "part", GeneratedPart)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Height, width and channels (H, W, C) of a frame."""
        return self.height, self.width, self.channels

    @abstractmethod
    def clip(self, index: int) -> GeneratedClip:
        """Make a clip.

        Args:
            index: Of the clip, at least 0.

        Raises:
            InputError: There are no pictures to make it of.
        """

    @abstractmethod
    def domain(self, index: int) -> str:
        """What kind of clip it is, without making it."""

    def random(self, index: int) -> np.random.Generator:
        """Source of all draws of a clip, at its start."""
        part = get_args(GeneratedPart).index(self.part)
        return np.random.default_rng((self.seed, part, index))


def counted(count: int, thing: str) -> str:
    """A number of things in words."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def check_span(options: Generator, low: str, high: str, least: float, most: float) -> None:
    """Refuse two options that are no span within bounds.

    Raises:
        InputError: Names the options, their bounds and what they are.
    """
    start, stop = getattr(options, low), getattr(options, high)
    if not least <= start <= stop <= most:
        raise InputError(
            f"{type(options).__name__}: expected {least:g} <= {low} <= {high} <= {most:g}, "
            f"got {start} and {stop}"
        )
