"""A checkpoint gives back what was saved, and says what is wrong with one that cannot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from worldmodel import checkpoint as module
from worldmodel.checkpoint import (
    CONFIG,
    WEIGHTS,
    ModelCard,
    load,
    save_checkpoint,
)
from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.gru_cat import GRUCATConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlusConfig
from worldmodel.rollout import predict

PREDRNN = PredRNNConfig(layers=1, hidden=4, kernel=3)
STRIDED = PredRNNConfig(layers=2, hidden=4, kernel=3, bias=True, patch=None, residual=True)
MODE_RNN = ModeRNNConfig(layers=1, hidden=4, slots=2)
TINY_STD = 1e-9
CARD = ModelCard(
    frame_shape=(3, 16, 16),
    action_names=("dx", "gripper"),
    action_mean=(0.5, -1.0),
    action_std=(2.0, TINY_STD),
    domains=("left", "right"),
    context=2,
    length=5,
    steps=10,
    seed=3,
    data="logs",
)


def built(config: ModelConfig, seed: int = 0) -> WorldModel:
    torch.manual_seed(seed)
    model = config.build(CARD.frame_shape, len(CARD.action_names))
    model.set_action_statistics(torch.tensor(CARD.action_mean), torch.tensor(CARD.action_std))
    return model.eval()


def clip() -> Clip:
    torch.manual_seed(1)
    actions = torch.randn(2, 4, 2) * torch.tensor(CARD.action_std) + torch.tensor(CARD.action_mean)
    return Clip.checked(torch.rand(2, 5, 3, 16, 16), actions)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", built(PREDRNN), CARD)
    return tmp_path / "model"


@pytest.mark.parametrize("config", [PREDRNN, STRIDED, MODE_RNN])
def test_the_same_numbers_come_back(tmp_path: Path, config: ModelConfig) -> None:
    model = built(config)
    save_checkpoint(tmp_path / "model", model, CARD)
    loaded = load(tmp_path / "model")
    assert loaded.card == CARD
    assert loaded.model.config == config
    assert not loaded.model.training
    assert loaded.model.state_dict().keys() == model.state_dict().keys()
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    with torch.no_grad():
        torch.testing.assert_close(predict(loaded.model, clip(), 2), predict(model, clip(), 2))


def test_float16_halves_the_parameters_but_not_the_action_statistics(tmp_path: Path) -> None:
    model = built(PREDRNN)
    save_checkpoint(tmp_path / "model", model, CARD, torch.float16)
    stored = load_file(tmp_path / "model" / WEIGHTS)
    parameters = dict(model.named_parameters())
    assert {name for name, value in stored.items() if value.dtype == torch.float16} == {*parameters}
    loaded = load(tmp_path / "model").model
    assert loaded.dtype == torch.float32
    for name, value in loaded.named_parameters():
        assert torch.equal(value, parameters[name].half().float())
    for name, value in loaded.named_buffers():
        assert torch.equal(value, model.get_buffer(name))
    assert TINY_STD in torch.cat([value for _, value in loaded.named_buffers()])
    with torch.no_grad():
        difference = predict(loaded, clip(), 2) - predict(model, clip(), 2)
    assert 0.0 < difference.abs().max() < 0.01


def test_an_older_checkpoint_is_replaced_whole(saved: Path) -> None:
    save_checkpoint(saved, built(MODE_RNN), CARD)
    assert load(saved).model.config == MODE_RNN
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("broken", ["save_file", "_to_yaml", "second replace"])
def test_a_failure_in_the_middle_leaves_the_old_one(
    saved: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    calls, replace = [], module.os.replace

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    def second_fails(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            full()
        replace(source, target)

    if broken == "second replace":
        monkeypatch.setattr(module.os, "replace", second_fails)
    else:
        monkeypatch.setattr(module, broken, full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(saved, built(PREDRNN, seed=1), CARD)
    monkeypatch.undo()
    old = built(PREDRNN).state_dict()
    for name, value in load(saved).model.state_dict().items():
        assert torch.equal(value, old[name])
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"expected a new folder, .* holds something else"):
        save_checkpoint(tmp_path, built(PREDRNN), CARD)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"not a checkpoint, {name} is missing"):
        load(saved)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00damaged", b"a: [", b"text"])
def test_a_damaged_file_is_refused(saved: Path, name: str, content: bytes) -> None:
    (saved / name).write_bytes(content)
    with pytest.raises(InputError, match="damaged checkpoint"):
        load(saved)


def test_a_truncated_file_is_refused(saved: Path) -> None:
    content = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged checkpoint"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": "PredNet"},
            "'PredNet' is unknown; did you mean .* available: conv-lstm, predrnn,",
        ),
        ({"options": {"hiden": 4}}, "predrnn has no option hiden; available: layers, hidden,"),
        ({"options": {"layers": 0}}, "layers: expected at least 1, got 0"),
        ({"options": {"layers": 1, "hidden": 8, "kernel": 3}}, r"has shape .*, expected"),
        ({"options": {"layers": 2, "hidden": 4, "kernel": 3}}, r"missing cells\.1"),
        ({"card": {"frame_shape": [3, 16, 16]}}, "damaged checkpoint .*action_names"),
        ({"card": "none"}, "damaged checkpoint"),
    ],
)
def test_a_config_that_does_not_fit_is_explained(
    saved: Path, change: dict[str, Any], message: str
) -> None:
    content = yaml.safe_load((saved / CONFIG).read_text())
    (saved / CONFIG).write_text(yaml.safe_dump(content | change))
    with pytest.raises(InputError, match=message):
        load(saved)


def test_nothing_in_the_config_is_executed(saved: Path, tmp_path: Path) -> None:
    attack = f"!!python/object/apply:os.mkdir ['{tmp_path}/owned']"
    (saved / CONFIG).write_text(f"architecture: {attack}\n")
    with pytest.raises(InputError, match="damaged checkpoint"):
        load(saved)
    assert not (tmp_path / "owned").exists()


def test_another_action_space_is_refused(saved: Path) -> None:
    loaded = load(saved)
    loaded.check_actions(("dx", "gripper"))
    with pytest.raises(InputError, match="trained with dx, gripper, here they are gripper, dx"):
        loaded.check_actions(("gripper", "dx"))
    with pytest.raises(InputError, match="here they are none"):
        loaded.check_actions(())


def test_pretrained_by_name(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (saved.parent / "__pycache__").mkdir()
    monkeypatch.setattr(module, "PRETRAINED", saved.parent)
    for name in ("model", "Model", "MODEL"):
        assert load(name).card == CARD
    with pytest.raises(InputError, match=r"mode: expected .*, got neither; available: model"):
        load("mode")
    monkeypatch.setattr(module, "PRETRAINED", saved.parent / "nowhere")
    with pytest.raises(InputError, match="available: none"):
        load("model")


def test_a_training_run_is_its_checkpoint(saved: Path) -> None:
    saved.rename(saved.parent / "checkpoint")
    assert load(saved.parent).card == CARD
    assert load(str(saved.parent)).card == CARD


def test_a_card_from_before_the_camera_was_told_has_the_default_one(saved: Path) -> None:
    content = yaml.safe_load((saved / CONFIG).read_text())
    for name in ("camera", "fit", "color"):
        del content["card"][name]
    (saved / CONFIG).write_text(yaml.safe_dump(content))
    assert load(saved).card == CARD


@pytest.mark.parametrize(
    ("config", "name", "before"),
    [
        (PREDRNN, "predrnn", "PredRNN"),
        (MODE_RNN, "mode-rnn", "ModeRNN"),
        (PredRNNPlusPlusConfig(layers=2, hidden=4), "predrnn-plus-plus", "PredRNNPlusPlus"),
        (GRUCATConfig(hidden=8, features=8), "gru-cat", "GRUCAT"),
    ],
)
def test_the_class_name_that_architectures_once_had_still_loads(
    tmp_path: Path, config: ModelConfig, name: str, before: str
) -> None:
    card = replace(CARD, frame_shape=(3, 32, 32))
    save_checkpoint(tmp_path / "model", config.build(card.frame_shape, 2), card)
    content = yaml.safe_load((tmp_path / "model" / CONFIG).read_text())
    assert content["architecture"] == name
    (tmp_path / "model" / CONFIG).write_text(yaml.safe_dump(content | {"architecture": before}))
    assert load(tmp_path / "model").model.config == config


def test_what_training_saw_comes_back(tmp_path: Path) -> None:
    card = replace(CARD, camera=("wrist", 1), fit="crop", color="gray")
    save_checkpoint(tmp_path / "model", built(PREDRNN), card)
    assert load(tmp_path / "model").card == card
