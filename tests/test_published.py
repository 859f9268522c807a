"""Weights from other people's files: what is read, and what is refused."""

import pickle
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric.utilities.data import AttributeDict
from safetensors.torch import save_file
from torch import Tensor

from worldmodel.checkpoint import load
from worldmodel.cli import main
from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.predrnn import PredRNN
from worldmodel.models.published.state_dict import read_state_dict
from worldmodel.models.published.translation import FrameSize, frame_shape_of
from worldmodel.models.published.weights import TRANSLATIONS, import_weights
from worldmodel.rollout import predict

SIZE = FrameSize(1, 8, 12)
FIXTURES = [
    ("predrnn_official_layernorm", "predrnn"),
    ("openstl_convlstm", "conv-lstm"),
    ("openstl_mim", "mim"),
    ("openstl_e3dlstm", "e3d-lstm"),
    ("motionrnn_predrnn_official_zeroinit", "motion-rnn"),
    ("motion_details_rnn_official", "motion-details-rnn"),
]


def predrnn_weights(layers: int = 2, hidden: int = 4, patch: int = 2) -> dict[str, Tensor]:
    """What a published PredRNN-V2 with 3x3 kernels stores."""
    weights = {
        "adapter.weight": torch.randn(hidden, hidden, 1, 1),
        "conv_last.weight": torch.randn(patch**2, hidden, 1, 1),
    }
    for layer in range(layers):
        inputs = hidden if layer else patch**2
        for name, outputs, channels in (
            ("x", 7, inputs),
            ("h", 4, hidden),
            ("m", 3, hidden),
            ("o", 1, 2 * hidden),
        ):
            shape = (outputs * hidden, channels, 3, 3)
            weights[f"cell_list.{layer}.conv_{name}.0.weight"] = torch.randn(shape)
        weights[f"cell_list.{layer}.conv_last.weight"] = torch.randn(hidden, 2 * hidden, 1, 1)
    return weights


def stored(fixture: Path) -> dict[str, Tensor]:
    with np.load(fixture) as file:
        return {
            name.removeprefix("w/"): torch.from_numpy(file[name])
            for name in file.files
            if name.startswith("w/")
        }


WRAPPINGS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda weights: weights,
    "thuml": lambda weights: {"net_param": weights},
    "data parallel": lambda weights: {f"module.{name}": value for name, value in weights.items()},
    "lightning": lambda weights: {
        "state_dict": {f"model.{name}": value for name, value in weights.items()},
        "hyper_parameters": AttributeDict(lr=1e-3, args=Namespace(method="PredRNN")),
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-3}]}],
        "epoch": 200,
    },
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_layout_gives_the_same_weights(wrapping: str, tmp_path: Path) -> None:
    weights = predrnn_weights()
    torch.save(WRAPPINGS[wrapping](weights), tmp_path / "weights.ckpt")
    read = read_state_dict(tmp_path / "weights.ckpt")
    assert set(read) == set(weights)
    assert all(torch.equal(read[name], weights[name]) for name in weights)


def test_safetensors_are_read(tmp_path: Path) -> None:
    weights = predrnn_weights()
    save_file(weights, tmp_path / "weights.safetensors")
    assert set(read_state_dict(tmp_path / "weights.safetensors")) == set(weights)


def test_sizes_come_from_the_shapes(tmp_path: Path) -> None:
    torch.save({"net_param": predrnn_weights(3, 6, 4)}, tmp_path / "weights.pth")
    model = import_weights(tmp_path / "weights.pth", "predrnn", FrameSize(1, 16, 8))
    assert isinstance(model, PredRNN)
    config = model.config
    assert (config.layers, config.hidden, config.kernel, config.patch) == (3, 6, 3, 4)
    assert config.memory_decoupling
    assert not config.layer_norm


@pytest.mark.parametrize("wrong", [name for name in TRANSLATIONS if name != "predrnn"])
def test_weights_of_another_architecture_are_recognised(wrong: str, tmp_path: Path) -> None:
    torch.save(predrnn_weights(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match=f"expected weights of {wrong}, these are of predrnn"):
        import_weights(tmp_path / "weights.pth", wrong, SIZE)


@pytest.mark.data
@pytest.mark.parametrize(("fixture", "architecture"), FIXTURES)
def test_the_command_makes_a_checkpoint_that_predicts_as_published(
    fixture: str, architecture: str, fixtures: Path, tmp_path: Path
) -> None:
    weights = stored(fixtures / f"{fixture}.npz")
    torch.save({"net_param": weights}, tmp_path / "weights.pth")
    given = [str(tmp_path / "weights.pth"), f"--architecture={architecture}"]
    size = ["--height=16", "--width=16", f"--output={tmp_path / 'checkpoint'}"]
    assert main(["import", *given, *size]) == 0
    imported = load(tmp_path / "checkpoint").model
    direct = import_weights(tmp_path / "weights.pth", architecture, FrameSize(1, 16, 16))
    assert imported.config == direct.config
    frames = torch.rand(2, 4, 1, 16, 16)
    clip = Clip.checked(frames, torch.zeros(2, 3, 0))
    torch.testing.assert_close(predict(imported, clip, 2), predict(direct, clip, 2))


@pytest.mark.data
@pytest.mark.parametrize(
    ("fixture", "architecture"),
    [(name, kind) for name, kind in FIXTURES if "convlstm" not in name and "motionrnn" not in name],
)
def test_the_weights_tell_the_frame_where_they_can(
    fixture: str, architecture: str, fixtures: Path, tmp_path: Path
) -> None:
    torch.save(stored(fixtures / f"{fixture}.npz"), tmp_path / "weights.pth")
    model = import_weights(tmp_path / "weights.pth", architecture)
    assert model.frame_shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("depth", "given", "expected"),
    [
        (16, FrameSize(), (1, 64, 64)),
        (48, FrameSize(), (3, 64, 64)),
        (48, FrameSize(12, 32), (12, 32, 64)),
        (3, FrameSize(width=24), (3, 64, 24)),
    ],
)
def test_frames_that_the_weights_leave_open(
    depth: int, given: FrameSize, expected: tuple[int, int, int]
) -> None:
    weights = {"cell_list.0.conv_x.0.weight": torch.zeros(28, depth, 3, 3)}
    assert frame_shape_of(TRANSLATIONS["predrnn"], weights, given) == expected


def test_strided_weights_tell_the_channels() -> None:
    weights = {
        "cell_list.0.conv_x.0.weight": torch.zeros(28, 4, 3, 3),
        "conv_input1.weight": torch.zeros(2, 3, 5, 5),
    }
    assert frame_shape_of(TRANSLATIONS["predrnn"], weights, FrameSize()) == (3, 64, 64)
    with pytest.raises(InputError, match="channels: these weights read 3, got 1"):
        frame_shape_of(TRANSLATIONS["predrnn"], weights, FrameSize(channels=1))


@pytest.mark.parametrize("name", ["predrnn-v2", "predrnn", "PredRNN-V2", "PREDRNN"])
def test_an_architecture_may_be_named_as_listed_in_any_case(name: str, tmp_path: Path) -> None:
    torch.save(predrnn_weights(), tmp_path / "weights.pth")
    assert isinstance(import_weights(tmp_path / "weights.pth", name, SIZE), PredRNN)


def test_legacy_is_computed_only_when_told(tmp_path: Path) -> None:
    weights = {
        name: value
        for name, value in predrnn_weights().items()
        if not name.startswith("adapter") and ".conv_m." not in name
    }
    for layer in range(2):
        name = f"cell_list.{layer}.conv_x.0.weight"
        weights[name] = weights[name][:16].clone()
    torch.save(weights, tmp_path / "weights.pth")
    for told, output in (([], "now"), (["--legacy"], "legacy")):
        folder = f"--output={tmp_path / output}"
        file = str(tmp_path / "weights.pth")
        sizes = ["--height=8", "--width=12"]
        assert main(["import", file, "--architecture=conv-lstm", *sizes, folder, *told]) == 0
        config = load(tmp_path / output).model.config
        assert config == ConvLSTMConfig(
            layers=2, hidden=4, kernel=3, patch=2, legacy=output == "legacy"
        )


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import pathlib; pathlib.Path('executed').touch()",))


def test_nothing_in_a_file_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"net_param": predrnn_weights(), "more": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match=r"loading would run .*exec"):
        read_state_dict(tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match=r"evil\.pkl"):
        read_state_dict(tmp_path / "evil.pkl")
    assert not (tmp_path / "executed").exists()


def damaged(path: Path) -> None:
    torch.save(predrnn_weights(), path)
    path.write_bytes(path.read_bytes()[:-500])


def infinite(path: Path) -> None:
    weights = predrnn_weights()
    weights["conv_last.weight"][0] = torch.nan
    torch.save(weights, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "no such file"),
        (damaged, "damaged"),
        (infinite, r"not a finite number in conv_last\.weight"),
        (lambda path: path.write_bytes(b""), "weights.pth: damaged"),
        (lambda path: path.write_text("hello"), "weights.pth: damaged"),
        (
            lambda path: path.write_bytes(b"\x80\x02garbage"),
            r"damaged, or no file of weights \(UnpicklingError\)$",
        ),
        (lambda path: torch.save([1, 2], path), "expected a state dict, got list"),
        (lambda path: torch.save({}, path), "nothing at all"),
        (lambda path: torch.save({"epoch": 3}, path), "entries that are none: epoch"),
    ],
)
def test_unreadable_files_are_named(
    write: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    write(tmp_path / "weights.pth")
    with pytest.raises(InputError, match=message):
        read_state_dict(tmp_path / "weights.pth")


def changed(**changes: Tensor | None) -> dict[str, Tensor]:
    weights: dict[str, Tensor | None] = {**predrnn_weights()}
    weights.update({name.replace("__", "."): value for name, value in changes.items()})
    return {name: value for name, value in weights.items() if value is not None}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (changed(conv_last__weight=None), r"missing codec\.output\.weight"),
        (changed(surplus__weight=torch.zeros(2)), r"unknown surplus\.weight"),
        (
            changed(conv_last__weight=torch.zeros(4, 5, 1, 1)),
            r"conv_last\.weight .* has shape \(4, 5, 1, 1\), expected \(4, 4, 1, 1\)",
        ),
        (changed(cell_list__0__conv_x__0__weight=None), "missing cell_list.0.conv_x.0.weight"),
        (
            changed(cell_list__0__conv_x__0__weight=torch.zeros(28, 3, 3, 3)),
            "3 channels is no square number of pixels",
        ),
    ],
)
def test_wrong_weights_are_named(weights: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=message):
        import_weights(tmp_path / "weights.pth", "predrnn", SIZE)


def test_an_unknown_architecture_or_option_is_named(tmp_path: Path) -> None:
    torch.save(predrnn_weights(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"'PredNet' is unknown; available: .*predrnn"):
        import_weights(tmp_path / "weights.pth", "PredNet", SIZE)
    with pytest.raises(InputError, match="no option forget_bais; did you mean forget_bias"):
        import_weights(tmp_path / "weights.pth", "predrnn", SIZE, {"forget_bais": 0.0})
    with pytest.raises(InputError, match=r"2 does not divide .* \(7, 12\)"):
        import_weights(tmp_path / "weights.pth", "predrnn", FrameSize(1, 7, 12))
