"""An architecture of another package: one entry point, and it is trained, saved and loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from worldmodel.checkpoint import load
from worldmodel.data.clips.config import DataConfig
from worldmodel.data.clips.windows import WindowShape
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, State, WorldModel
from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.training.train import TrainConfig, train

START, STEPS = 0.5, 2


@final
@dataclass(frozen=True)
class ToyConfig(ModelConfig):
    """Options of `Toy`."""

    paper: ClassVar[str] = "nowhere"
    year: ClassVar[int] = 2026
    start: float = START

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> "Toy":
        return Toy(frame_shape, action_dim, self)


@final
class Toy(WorldModel[ToyConfig]):
    """An action makes all of the frame brighter or darker."""

    def __init__(
        self, frame_shape: tuple[int, int, int], action_dim: int, config: ToyConfig
    ) -> None:
        super().__init__(frame_shape, action_dim, config)
        self.gain = nn.Parameter(torch.full((action_dim, 1), config.start))

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        return State({"seen": torch.zeros(batch, self.action_dim)}, batch_size=[batch])

    def transition(self, frame: Tensor, action: Tensor, state: State) -> tuple[Tensor, State]:
        brighter = frame + (action @ self.gain)[:, :, None, None]
        return brighter, State({"seen": action}, batch_size=state.batch_size)

    def latent(self, state: State) -> Tensor:
        return state["seen"][:, :, None, None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy, as pip would install it."""
    package = tmp_path / "site" / "toy-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        f"[worldmodel.architectures]\ntoy = {__name__}:{ToyConfig.__name__}\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    forget_what_is_installed(monkeypatch)


def forget_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for remembered in ("_points", "_places", "_names"):
        getattr(ARCHITECTURES, remembered)
        monkeypatch.delitem(vars(ARCHITECTURES), remembered)


def configured(tmp_path: Path, actions: np.ndarray) -> TrainConfig:
    """Two steps on recordings that get brighter at random."""
    (tmp_path / "logs").mkdir()
    for number in range(4):
        frames = np.random.default_rng(number).random((len(actions) + 1, 8, 8, 3), np.float32)
        np.savez(tmp_path / f"logs/{number}.npz", images=frames, actions=actions)
    window = WindowShape(length=4, image_size=8)
    data = DataConfig(str(tmp_path / "logs"), window=window, batch_size=2, validation=0.25)
    output = str(tmp_path / "run")
    return TrainConfig(data, output, ToyConfig(), steps=STEPS, accelerator="cpu", threads=1)


@pytest.mark.usefixtures("installed")
def test_it_is_trained_saved_and_loaded_with_its_action_statistics(tmp_path: Path) -> None:
    actions = np.random.default_rng(9).normal((100, -3), (20, 0.1), (6, 2))
    checkpoint = load(train(configured(tmp_path, actions)))
    model = checkpoint.model
    assert type(model) is Toy
    assert model.config == ToyConfig()
    assert checkpoint.card.steps == STEPS
    assert (model.gain != START).all()
    frame, taken = torch.rand(6, 3, 8, 8), torch.from_numpy(actions).float()
    _, state = model.step(frame, taken, model.initial_state(6))
    normalised = (actions - actions.mean(axis=0)) / actions.std(axis=0)
    np.testing.assert_allclose(model.latent(state)[:, :, 0, 0], normalised, atol=1e-4)


def test_one_without_an_entry_point_is_refused_before_it_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_what_is_installed(monkeypatch)
    with pytest.raises(InputError, match=r"ToyConfig: expected .* entry point"):
        train(configured(tmp_path, np.zeros((6, 2))))
    assert not (tmp_path / "run").exists()
