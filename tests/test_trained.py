"""What a trained model knows of its recordings need not be given again, and is not contradicted."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from worldmodel.checkpoint import ModelCard, load, save_checkpoint
from worldmodel.cli import main
from worldmodel.commands.trained import Trained
from worldmodel.data.clips.config import DataConfig, held_out, open_data
from worldmodel.data.clips.splits import load_split
from worldmodel.data.clips.windows import WindowShape
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.evaluation import evaluate
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.training.train import TrainConfig, train

RECORDINGS, FRAMES, SIZE = 8, 10, 16

Captured = pytest.CaptureFixture[str]


def write_logs(folder: Path) -> Path:
    """Recordings of two cameras, of which the second is dark."""
    folder.mkdir()
    for number in range(RECORDINGS):
        random = np.random.default_rng(number)
        bright = random.integers(100, 256, (FRAMES, SIZE, 2 * SIZE, 3), dtype=np.uint8)
        write_episode(
            folder / f"{number}.hdf5",
            [bright, bright // 10],
            random.normal(size=(FRAMES - 1, 2)),
            random.normal(size=(FRAMES, 2)),
            action_names=("dx", "dy"),
            low_bound=-np.ones(2),
            high_bound=np.ones(2),
            metadata={"laboratory": "ash"},
        )
    return folder


def configured(logs: Path, output: Path) -> TrainConfig:
    window = WindowShape(length=5, image_size=SIZE, fit="crop", color="gray", stride=2)
    data = DataConfig(str(logs), camera=0, window=window, batch_size=2, validation=0.2, test=0.3)
    return TrainConfig(
        data,
        str(output),
        PredRNNConfig(layers=1, hidden=4, kernel=3),
        steps=2,
        validate_every=1,
        accelerator="cpu",
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings in `logs` and a run on their first camera in `run`."""
    folder = tmp_path_factory.mktemp("trained")
    train(configured(write_logs(folder / "logs"), folder / "run"))
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


def refused(capsys: Captured, *arguments: str | Path) -> str:
    """The one sentence with which a command refuses."""
    assert main(list(map(str, arguments))) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


# --- evaluate RUN


def test_a_run_is_scored_as_it_was_trained(trained: Path, run: Path, capsys: Captured) -> None:
    assert main(["evaluate", str(run), "--strips=0"]) == 0
    assert capsys.readouterr().out.startswith(
        f"taken from {run}: data.path {trained / 'logs'}, data.camera 0, data.context 2, "
        "data.batch_size 2, data.window.length 5, data.window.stride 2, "
        f"data.window.image_size {SIZE}, data.window.fit crop, data.window.color gray, "
        f"split {run / 'split.json'}\n"
    )
    data = configured(trained / "logs", run).data
    source = open_data(data)
    clips = held_out(source, load_split(run / "split.json"), "test", data)
    expected = evaluate(load(run).model, clips, data.context)
    written = json.loads((run / "evaluation" / "evaluation.json").read_text())
    assert written["clips"] == expected.clips
    assert written["scores"]["model"]["mse_sum"] == list(expected.scores["model"]["mse_sum"])


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--data.camera=1", "data.camera was 0 and is 1"),
        ("--data.window.image_size=32", f"data.window.image_size was {SIZE} and is 32"),
        ("--data.window.stride=1", "data.window.stride was 2 and is 1"),
        ("--data.window.fit=squash", "data.window.fit was crop and is squash"),
        ("--data.window.color=rgb", "data.window.color was gray and is rgb"),
        ("--data.test=0.5", "data.test was 0.3 and is 0.5"),
        ("--split=other.json", "split.json and is other.json"),
    ],
)
def test_what_contradicts_the_run_is_refused(
    run: Path, option: str, told: str, capsys: Captured
) -> None:
    for name in (run, run / "checkpoint"):
        known = name == run or "window" in option or "camera" in option
        if known:
            output = f"--output={run / 'new'}"
            sentence = refused(capsys, "evaluate", name, option, output, "--data.path=nowhere")
            assert f"{name} was trained with other options: " in sentence
            assert told in sentence
    assert not (run / "new").exists()


def test_all_contradictions_are_told_at_once(run: Path, capsys: Captured) -> None:
    told = refused(capsys, "evaluate", run, "--data.camera=1", "--data.window.stride=1")
    assert "data.camera was 0 and is 1; data.window.stride was 2 and is 1; leave" in told


def test_what_a_run_leaves_open_may_be_chosen(
    trained: Path, run: Path, tmp_path: Path, capsys: Captured
) -> None:
    moved = shutil.copytree(trained / "logs", tmp_path / "moved")
    chosen = ["--data.window.length=4", "--data.context=1", "--data.batch_size=1", "--hop=1"]
    more = ["--part=train", "--metrics=[MSE-mean, psnr_float]", f"--output={tmp_path / 'scores'}"]
    assert main(["evaluate", str(run), f"--data.path={moved}", *chosen, *more]) == 0
    told = capsys.readouterr().out.splitlines()[0]
    assert "length" not in told
    assert "context" not in told
    assert "logs" not in told
    written = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert written["context"] == 1
    assert len(written["frames"]) == 3
    assert list(written["scores"]["model"]) == ["mse_mean", "psnr_float"]


def test_an_earlier_evaluation_of_the_run_is_kept(run: Path, capsys: Captured) -> None:
    assert main(["evaluate", str(run), "--strips=0"]) == 0
    capsys.readouterr()
    assert "evaluation holds an earlier evaluation" in refused(capsys, "evaluate", run)


def test_an_evaluation_that_was_stopped_is_begun_again(run: Path, capsys: Captured) -> None:
    given = ["evaluate", str(run), "--strips=0"]
    assert main(given) == 0
    (run / "evaluation" / "evaluation.json").unlink()
    capsys.readouterr()
    assert "part was test and is validation" in refused(capsys, *given, "--part=validation")
    assert main(given) == 0


def test_a_run_that_has_not_ended_is_told(run: Path, capsys: Captured) -> None:
    shutil.rmtree(run / "checkpoint")
    told = refused(capsys, "evaluate", run)
    assert f"{run}: this run has not ended yet" in told
    assert f"worldmodel train --resume {run}" in told


def test_a_checkpoint_knows_its_clips_but_not_where_recordings_are(
    trained: Path, run: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert "expected either recordings (--data.path) or a generator" in refused(
        capsys, "evaluate", run / "checkpoint", f"--output={tmp_path / 'scores'}"
    )
    given = [f"--data.path={trained / 'logs'}", f"--output={tmp_path / 'scores'}"]
    split = f"--split={run / 'split.json'}"
    assert main(["evaluate", str(run / "checkpoint"), *given, split]) == 0
    assert main(["evaluate", str(run)]) == 0
    one, other = (
        json.loads((folder / "evaluation.json").read_text())
        for folder in (tmp_path / "scores", run / "evaluation")
    )
    assert one == other


def test_what_a_card_leaves_open_is_not_known(tmp_path: Path) -> None:
    card = ModelCard((3, 16, 24), (), (), (), (), context=2, length=5, steps=0, seed=0, data="x")
    model = PredRNNConfig(layers=1, hidden=4, kernel=3).build((3, 16, 24), 0)
    save_checkpoint(tmp_path / "model", model, card)
    window = {"length": 5, "stride": 1, "image_size": [16, 24]}
    known = {"data": {"window": window, "context": 2}}
    assert Trained.find(str(tmp_path / "model")).known == known
    save_checkpoint(tmp_path / "wrist", model, replace(card, camera="a"))
    assert Trained.find(str(tmp_path / "wrist")).known["data"]["camera"] == "a"


# --- train --resume RUN


def test_a_run_goes_on_without_another_option(
    trained: Path, run: Path, tmp_path: Path, capsys: Captured
) -> None:
    weights = (run / "checkpoint" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "checkpoint")
    assert main(["train", "--resume", str(run)]) == 0
    assert f"checkpoint: {run / 'checkpoint'}" in capsys.readouterr().out
    assert (run / "checkpoint" / "model.safetensors").read_bytes() == weights
    moved = shutil.copytree(trained / "logs", tmp_path / "moved")
    assert main(["train", f"--resume={run}", f"--data.path={moved}", "--threads=1"]) == 0
    assert yaml.safe_load((run / "run.yaml").read_text())["data"]["path"] == str(moved)
    assert (trained / "run" / "resume" / "last.ckpt").is_file()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--steps=3", "steps was 2 and is 3"),
        ("--model.hidden=8", "model.hidden was 4 and is 8"),
        ("--data.camera=1", "data.camera was 0 and is 1"),
        ("--curriculum.alpha=5", "curriculum.alpha was 2500.0 and is 5.0"),
    ],
)
def test_a_run_goes_on_with_no_other_options(
    run: Path, option: str, told: str, capsys: Captured
) -> None:
    assert told in refused(capsys, "train", "--resume", run, option)


def test_the_folder_to_go_on_with_must_hold_a_run(tmp_path: Path, capsys: Captured) -> None:
    assert "holds no saved state" in refused(capsys, "train", "--resume", tmp_path)
    assert "expected a value after --resume" in refused(capsys, "train", "--resume")
    assert "expected a value after --resume" in refused(capsys, "train", "--resume", "--steps=3")
