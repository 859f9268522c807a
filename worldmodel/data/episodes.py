"""What a robot log is to the rest of the package: recordings with frames and actions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np

from worldmodel.errors import InputError


@final
@dataclass(frozen=True)
class Episode:
    """One camera's view of one recording.

    Attributes:
        name: Recording it comes from; all cameras of a recording share it.
        frames: RGB pixels, uint8. Shape (T, H, W, 3).
        actions: Action t takes frame t to frame t+1, in the units of the log, float32.
            Shape (T-1, A).
        action_names: One name per action dimension; see `worldmodel.data.windows` for what a
            name says about adding actions up.
        domain: Laboratory, robot or season of the recording.
        camera: Index of the camera within the recording.
    """

    name: str
    frames: np.ndarray
    actions: np.ndarray
    action_names: tuple[str, ...]
    domain: str
    camera: int

    def __post_init__(self) -> None:
        frames, actions = self.frames, self.actions
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            raise InputError(
                f"{self.name}: expected frames uint8 (T, H, W, 3), "
                f"got {frames.dtype} {frames.shape}"
            )
        expected = (len(frames) - 1, len(self.action_names))
        if actions.dtype != np.float32 or actions.shape != expected:
            raise InputError(
                f"{self.name}: expected actions float32 (T-1, A) = {expected}, "
                f"got {actions.dtype} {actions.shape}"
            )


class EpisodeSource(ABC):
    """A set of episodes that is read one episode at a time, never as a whole.

    Everything but `episode` is cheap: it was learned when the source was opened.
    """

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Recording of each episode, sorted; cameras of one recording share a name."""

    @property
    @abstractmethod
    def action_names(self) -> tuple[str, ...]:
        """Names of the A action dimensions, the same for all episodes."""

    @abstractmethod
    def domain(self, index: int) -> str:
        """Laboratory, robot or season of an episode."""

    @abstractmethod
    def length(self, index: int) -> int:
        """Number of usable frames T of an episode, at least 2."""

    @abstractmethod
    def actions(self, index: int) -> np.ndarray:
        """Actions of an episode without its frames, float32. Shape (T-1, A)."""

    @abstractmethod
    def episode(self, index: int) -> Episode:
        """Read and decode an episode.

        Raises:
            InputError: The recording is damaged; names the file, what it declares and what came.
        """

    def __len__(self) -> int:
        return len(self.names)

    @property
    def domains(self) -> tuple[str, ...]:
        """All domain names, sorted; a domain's label is its place here."""
        return tuple(sorted({self.domain(index) for index in range(len(self))}))
