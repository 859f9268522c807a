"""The authors' own numbers, through the same code as `bench/parity.py`."""

from pathlib import Path

import numpy as np
import parity
import pytest
import torch

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.layers.patches import depth_to_space, space_to_depth
from worldmodel.models.published.conv_lstm import CONV_LSTM
from worldmodel.models.published.translation import load_published
from worldmodel.models.published.weights import with_options
from worldmodel.rollout import unroll

FIXTURES = [
    "predrnn_official",
    "predrnn_official_layernorm",
    "predrnn_v2_official_rss",
    "predrnn_v2_action_official",
    "patch_orders",
    "sampling_schedules",
    "openstl_convlstm",
    "openstl_mim",
    "openstl_e3dlstm",
    "motionrnn_predrnn_official_zeroinit",
    "motion_details_rnn_official",
    "rim_thesis_cell_k6",
    "slot_attention_thesis",
]


@pytest.mark.data
@pytest.mark.parametrize("name", FIXTURES)
def test_numbers_of_the_published_code(name: str, fixtures: Path) -> None:
    comparisons = parity.compare(fixtures / f"{name}.npz")
    assert comparisons
    assert [c for c in comparisons if not c.holds] == []


@pytest.mark.data
def test_a_changed_weight_is_noticed(fixtures: Path, tmp_path: Path) -> None:
    with np.load(fixtures / "predrnn_official.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["w/cell_list.1.conv_h.0.weight"] = arrays["w/cell_list.1.conv_h.0.weight"] * 1.01
    np.savez(tmp_path / "changed.npz", **arrays)
    assert parity.main([str(tmp_path / "changed.npz")]) == 1


@pytest.mark.data
def test_which_of_two_forwards_it_was_is_told_by_the_numbers(
    fixtures: Path, tmp_path: Path
) -> None:
    with np.load(fixtures / "openstl_convlstm.npz") as file:
        arrays = {n: file[n] for n in file.files if not n.startswith(("out", "gradnorm"))}
    weights = {n[2:]: torch.from_numpy(arrays[n]) for n in arrays if n.startswith("w/")}
    config = with_options(CONV_LSTM.config(weights, 1), {"legacy": True})
    frames = torch.from_numpy(arrays["in/frames"]).movedim(-1, 2)
    whole = depth_to_space(frames.flatten(0, 1), 2).unflatten(0, (2, 7))
    clip = Clip.checked(whole, torch.zeros(2, 6, 0))
    mask = torch.cat([torch.ones(2, 3), torch.from_numpy(arrays["in/mask_bt"])], dim=1)
    with torch.no_grad():
        predictions, _ = unroll(load_published(CONV_LSTM, config, (1, 16, 16), weights), clip, mask)
    patches = space_to_depth(predictions.flatten(0, 1), 2).unflatten(0, (2, 6))
    arrays["out/frames"] = patches.movedim(2, -1).numpy()
    np.savez(tmp_path / "legacy.npz", **arrays)
    [comparison] = parity.compare(tmp_path / "legacy.npz")
    assert comparison.name == "out/frames, legacy forward"
    assert comparison.holds


@pytest.mark.data
def test_missing_and_unknown_weights_are_named(fixtures: Path, tmp_path: Path) -> None:
    with np.load(fixtures / "predrnn_official.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["w/cell_list.7.conv_h.0.weight"] = arrays.pop("w/cell_list.1.conv_h.0.weight")
    np.savez(tmp_path / "renamed.npz", **arrays)
    with pytest.raises(
        InputError, match=r"missing cells\.1\.conv_h.*unknown cell_list\.7\.conv_h.*here cells\.7"
    ):
        parity.compare(tmp_path / "renamed.npz")


def test_unknown_fixture_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([str(tmp_path / "nothing.npz")]) == 2
    assert "no such fixture" in capsys.readouterr().err
