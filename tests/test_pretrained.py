"""The checkpoints that ship with the package."""

import pytest
import torch
from futures import frames_of

from worldmodel.checkpoint import PRETRAINED, load
from worldmodel.envs.tabletop.simulation import ACTION_NAMES
from worldmodel.rollout import begin, imagine

NAMES = {"mode-rnn-tabletop": "ModeRNN", "predrnn-v2-tabletop": "PredRNN"}
LARGEST = 2 * 2**20


def test_both_models_ship() -> None:
    folders = {path.name for path in PRETRAINED.iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_small_and_imagines(name: str) -> None:
    size = sum(path.stat().st_size for path in (PRETRAINED / name).iterdir())
    assert size <= LARGEST
    checkpoint = load(name)
    assert type(checkpoint.model).__name__ == NAMES[name]
    checkpoint.check_actions(ACTION_NAMES[:2])
    assert checkpoint.card.steps > 0
    state = begin(checkpoint.model, torch.rand(2, 3, 64, 64))
    with torch.inference_mode():
        frames = frames_of(imagine(checkpoint.model, state, torch.rand(2, 4, 2) * 2 - 1))
    assert frames.shape == (2, 4, 3, 64, 64)
    assert frames.isfinite().all()
