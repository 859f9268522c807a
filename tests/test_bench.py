"""The measurements of `bench/`: what they compare is the same, and they tell what fell."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import cases
import compare
import numpy as np
import pytest
import speed
import torch
import yaml
from measuring import Measurement, fitted_exponent, side_by_side, table, times_by_size
from moving_square import clips
from parts import NotHereError, Part, Row, run
from plain import PlainPredRNN
from workloads import CONTEXT, built, random_clip

from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.rollout import predict, unroll

CONFIG = PredRNNConfig(layers=2, hidden=8, kernel=3, patch=None, residual=True, bias=True)
TINY = cases.Case(CONFIG, batch=3, length=6, candidates=2, horizon=3, frame=(3, 16, 16))
CPU = torch.device("cpu")


def test_a_power_law_has_its_exponent() -> None:
    sizes = np.array([1.0, 2.0, 4.0, 8.0])
    assert fitted_exponent(list(sizes), list(3 * sizes**1.5)) == pytest.approx(1.5)


def test_works_take_turns() -> None:
    turns: list[str] = []
    side_by_side({name: lambda name=name: turns.append(name) for name in "AB"}, repeats=2)
    assert turns == list("ABABAB")


def test_nothing_follows_what_took_too_long() -> None:
    assert list(times_by_size([1, 2, 4], lambda _: lambda: None, longest=0.0)) == [1]


def test_plain_imagines_what_ours_does() -> None:
    model, clip = built(TINY, CPU).eval(), random_clip(TINY, TINY.batch, TINY.length, CPU)
    model.set_action_statistics(torch.arange(4.0), torch.tensor([0.5, 1.0, 2.0, 3.0]))
    with torch.no_grad():
        ours = predict(model, clip, CONTEXT)
    theirs, _ = PlainPredRNN(CONFIG, model.state_dict()).unroll(
        clip.frames[:, :CONTEXT], clip.actions
    )
    torch.testing.assert_close(theirs[:, CONTEXT - 1 :], ours, rtol=1e-4, atol=1e-5)


def test_plain_trains_as_ours_does() -> None:
    model, clip = built(TINY, CPU).train(), random_clip(TINY, TINY.batch, TINY.length, CPU)
    mask = torch.ones(TINY.batch, TINY.length - 1, dtype=torch.bool)
    ours, terms = unroll(model, clip, mask)
    plain = PlainPredRNN(CONFIG, model.state_dict())
    theirs, term = plain.unroll(clip.frames[:, :-1], clip.actions)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(term, terms["decoupling"], rtol=1e-4, atol=0.0)


def test_a_table_has_a_row_per_subject() -> None:
    shown = table([Measurement("A", "ms", 2.0), Measurement("B", "share", 0.5, ratio=True)])
    assert shown.splitlines()[2:] == ["| A | 2 | n/a |", "| B | n/a | 0.5 |"]


def test_shipped_sizes_are_those_of_the_configurations() -> None:
    for name, config in zip(("predrnn", "mode-rnn"), cases.SHIPPED.values(), strict=True):
        options = yaml.safe_load(Path(f"configs/tabletop-{name}.yaml").read_text())["model"]
        options.pop("name")
        known = {field.name: getattr(config, field.name) for field in fields(config)}  # pyright: ignore
        assert known | options == known


def test_every_architecture_is_measured() -> None:
    measured = {type(case.config) for case in cases.small().values()}
    assert measured == {kind for _, kind in ARCHITECTURES.items()}


def test_a_run_writes_its_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "folder" / "bench.json"
    speed.main(["--quick", "--only", "peak", "--json", str(file)])
    found = json.loads(file.read_text())
    assert found["ratios"]["peak: matrix product, 1024: bf16 over float32"] > 0
    assert found["machine"].keys() == {"cpu", "threads", "torch", "python", "date"}
    assert "| convolution 5x5, 64 to 448 |" in capsys.readouterr().out


def test_ratios_that_fell_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    ratios = {"steady": 2.0, "noisy": 1.0, "fell": 3.0, "gone": 1.0}
    old.write_text(json.dumps({"ratios": ratios}))
    new.write_text(json.dumps({"ratios": {"steady": 3.0, "noisy": 0.81, "fell": 2.0, "new": 1.0}}))
    assert compare.main([str(old), str(new)]) == 1
    assert "| fell | 3 | 2 | 0.6667 |" in capsys.readouterr().out
    assert compare.main([str(old), str(old)]) == 0


def test_parts_end_in_time_and_tell_what_is_missing() -> None:
    def slow() -> Iterator[Row]:
        yield {"n": 1}
        time.sleep(30)

    def wrapping() -> Iterator[Row]:
        try:
            time.sleep(30)
        except Exception as error:
            raise RuntimeError from error
        yield {}

    def elsewhere() -> Iterator[Row]:
        raise NotHereError("There is no GPU.")
        yield {}

    shown: list[str] = []
    parts = [
        Part("Slow", 0.1, slow),
        Part("Wrapping", 0.1, wrapping),
        Part("GPU", 1.0, elsewhere),
    ]
    begun = time.monotonic()
    assert run(parts, 10.0, shown.append)
    assert time.monotonic() - begun < 5
    assert "| 1 |" in shown[0]
    assert "Stopped after" in shown[0]
    assert "Stopped after" in shown[1]
    assert shown[2].endswith("There is no GPU.\n")


def test_a_part_that_fails_leaves_the_others() -> None:
    def broken() -> Iterator[Row]:
        yield {"n": 1}
        raise ValueError("no such kernel\nand more")

    def fine() -> Iterator[Row]:
        yield {"n": 2}

    shown: list[str] = []
    assert not run([Part("Broken", 1.0, broken), Part("Fine", 1.0, fine)], 10.0, shown.append)
    assert shown[0].endswith("It does not work here: ValueError: no such kernel\n")
    assert "| 2 |" in shown[1]


def test_actions_move_the_square() -> None:
    clip = clips(2, 5, 32, 2, torch.Generator().manual_seed(0))
    rows = torch.arange(32.0)[:, None].expand(32, 32)
    weights = clip.frames[:, :, 0] / clip.frames[:, :, 0].sum((2, 3), keepdim=True)
    down = (weights * rows).sum((2, 3)) / 32
    torch.testing.assert_close(down.diff(dim=1), 0.08 * clip.actions[..., 0], rtol=0, atol=1 / 32)


@pytest.mark.slow
def test_the_device_script_needs_no_simulator_and_no_video() -> None:
    program = (
        "import sys; sys.path.insert(0, 'bench'); import device;"
        "print({'mujoco', 'av', 'imageio_ffmpeg', 'torchrl', 'lightning', 'h5py'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, text=True).strip() == "set()"
