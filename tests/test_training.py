"""Training against a loop written out, resumed runs against uninterrupted ones, and refusals."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from reading import opened
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from worldmodel.checkpoint import WEIGHTS, load
from worldmodel.clip import Clip
from worldmodel.data.clips.config import DataConfig
from worldmodel.data.clips.splits import load_split
from worldmodel.data.clips.windows import Windows, WindowShape
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.errors import InputError
from worldmodel.model import ModelConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.output_folder import read_note
from worldmodel.rollout import predict, unroll
from worldmodel.settings import described
from worldmodel.training.curriculum import ReverseScheduledSampling, ScheduledSampling
from worldmodel.training.forecaster import Forecaster, OptimizerConfig
from worldmodel.training.loss import mean_squared_error, training_loss
from worldmodel.training.run_folder import RunFolder
from worldmodel.training.train import TrainConfig, train

RECORDINGS, FRAMES, SIZE, STEPS = 6, 9, 16, 6
PREDRNN = PredRNNConfig(layers=1, hidden=4, kernel=3)
MODE_RNN = ModeRNNConfig(layers=1, hidden=4, slots=2)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    for number in range(RECORDINGS):
        write_log(folder, number)
    return folder


def write_log(folder: Path, number: int) -> None:
    random = np.random.default_rng(number)
    write_episode(
        folder / f"recording{number}.hdf5",
        [random.integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)],
        random.normal(size=(FRAMES - 1, 2)),
        random.normal(size=(FRAMES, 2)),
        action_names=("dx", "gripper"),
        low_bound=-np.ones(2),
        high_bound=np.ones(2),
        metadata={"robot": "left" if number % 2 else "right"},
        encoding="jpeg",
    )


def configured(logs: Path, output: Path, **changes: Any) -> TrainConfig:
    data = DataConfig(
        str(logs),
        batch_size=2,
        validation=0.2,
        test=0.2,
        window=WindowShape(length=5, image_size=SIZE),
    )
    config = TrainConfig(
        data=data,
        output=str(output),
        model=PREDRNN,
        optimizer=OptimizerConfig(learning_rate=1e-2, cosine=True, warmup=3),
        steps=STEPS,
        validate_every=2,
        seed=7,
        accelerator="cpu",
        threads=1,
    )
    return replace(config, **changes)


def weights(config: TrainConfig) -> dict[str, Tensor]:
    return load_file(Path(config.output, "checkpoint", WEIGHTS))


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(map(torch.equal, first.values(), second.values()))


@contextmanager
def before_step(step: int, happens: Callable[[], None]) -> Iterator[list[float]]:
    """Let something happen before a step; the sums of the batches that were trained on."""
    batches: list[float] = []
    original = Forecaster.training_step

    def training_step(self: Forecaster, batch: Clip, batch_idx: int) -> Tensor:
        if self.global_step == step:
            happens()
        batches.append(float(batch.frames.double().sum()))
        return original(self, batch, batch_idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Forecaster, "training_step", training_step)
        yield batches


def nothing() -> None:
    pass


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


def break_down() -> None:
    raise ConnectionError("the disk went away")


# --- Objective


def test_frames_that_were_not_recorded_do_not_count() -> None:
    frames, predictions = torch.rand(2, 4, 3, 5, 5), torch.rand(2, 3, 3, 5, 5)
    valid = torch.tensor([[True, True, True, False], [True, True, False, False]])
    loss = mean_squared_error(predictions, Clip.checked(frames, valid=valid))
    squared = np.square(predictions.double().numpy() - frames[:, 1:].double().numpy())
    expected = (squared[0, 0].mean() + squared[0, 1].mean() + squared[1, 0].mean()) / 3
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    padded = torch.where(valid[:, :, None, None, None], frames, 0.25)
    assert torch.equal(mean_squared_error(predictions, Clip.checked(padded, valid=valid)), loss)


def test_a_batch_without_recorded_frames_has_no_loss() -> None:
    clip = Clip.checked(torch.rand(2, 4, 3, 5, 5), valid=torch.zeros(2, 4, dtype=torch.bool))
    assert mean_squared_error(torch.rand(2, 3, 3, 5, 5), clip) == 0.0


def test_auxiliary_terms_are_weighted() -> None:
    clip = Clip.checked(torch.zeros(1, 3, 1, 2, 2))
    predictions = torch.full((1, 2, 1, 2, 2), 0.5)
    assert training_loss(predictions, clip, {}, 10.0) == 0.25
    terms = {"one": torch.tensor(2.0), "two": torch.tensor(3.0)}
    assert training_loss(predictions, clip, terms, 0.1) == pytest.approx(0.75)


# --- A run


def test_a_run_is_the_loop_written_out(logs: Path, tmp_path: Path) -> None:
    optimizer = OptimizerConfig(1e-2, cosine=True, warmup=3, gradient_clip=0.1)
    config = configured(logs, tmp_path, curriculum=ScheduledSampling(rate=0.0), optimizer=optimizer)
    train(config)

    source = opened(logs)
    spans = load_split(tmp_path / "split.json").spans(source, "train")
    actions = np.concatenate([source.actions(span.view) for span in spans])
    torch.manual_seed(config.seed)
    model = PREDRNN.build((3, SIZE, SIZE), 2)
    model.set_action_statistics(torch.tensor(actions.mean(0)), torch.tensor(actions.std(0)))
    windows = Windows(source, config.data.window, spans)
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(STEPS):
        drawn = np.random.default_rng((config.seed, step)).integers(len(windows), size=2)
        samples = [windows[int(index)] for index in drawn]
        frames = torch.stack([sample.frames for sample in samples]) / 255
        clip = Clip.checked(frames, torch.stack([sample.actions for sample in samples]))
        predictions, terms = unroll(model, clip, torch.ones(2, 4, dtype=torch.bool))
        loss = (predictions - frames[:, 1:]).square().mean() + 0.1 * terms["decoupling"]
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        for group in adam.param_groups:
            group["lr"] = 1e-2 * min(1.0, (step + 1) / 3) * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        adam.step()

    trained = weights(config)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, atol=3e-4, rtol=0.0)


def test_what_a_run_leaves_behind(logs: Path, tmp_path: Path) -> None:
    folder = train(configured(logs, tmp_path, stored="float16"))
    assert folder == tmp_path / "checkpoint"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "checkpoint",
        "recordings.sha256",
        "resume",
        "run.yaml",
        "split.json",
        "strips",
        "tensorboard",
    ]
    strips = sorted(path.name for path in (tmp_path / "strips").iterdir())
    assert strips == [f"step-{step:06d}.png" for step in (2, 4, 6)]
    card = load(folder).card
    assert card.action_names == ("dx", "gripper")
    assert card.domains == ("left", "right")
    assert (card.context, card.length, card.steps, card.seed) == (2, 5, STEPS, 7)
    assert card.data == logs.name
    assert (card.camera, card.fit, card.color) == (0, "squash", "recorded")
    assert load(tmp_path).card == card


def test_validation_scores_are_those_of_the_saved_model(logs: Path, tmp_path: Path) -> None:
    config = configured(logs, tmp_path)
    model = load(train(config)).model
    source = opened(logs)
    spans = load_split(tmp_path / "split.json").spans(source, "validation")
    windows = Windows(source, config.data.window, spans, hop=5)
    frames = torch.stack([windows[index].frames for index in range(len(windows))]) / 255
    actions = torch.stack([windows[index].actions for index in range(len(windows))])
    with torch.no_grad():
        predictions = predict(model, Clip.checked(frames, actions), 2).clamp(0.0, 1.0)
    scores = logged(tmp_path)
    expected = (predictions - frames[:, 2:]).square().sum((2, 3, 4)).mean()
    assert scores["validation/mse"] == pytest.approx(expected.item(), rel=1e-4)
    expected = (frames[:, 1:2] - frames[:, 2:]).square().sum((2, 3, 4)).mean()
    assert scores["validation/mse_copy_last"] == pytest.approx(expected.item(), rel=1e-4)


def logged(folder: Path) -> dict[str, float]:
    """The last value of every curve."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]}


def test_the_seed_decides(logs: Path, tmp_path: Path) -> None:
    first, again, other = (
        configured(logs, tmp_path / name, seed=seed, steps=2)
        for name, seed in (("first", 7), ("again", 7), ("other", 8))
    )
    for config in (first, again, other):
        train(config)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


# --- Going on


@pytest.mark.parametrize(
    ("model", "stop"),
    [(PREDRNN, interrupt), (PREDRNN, terminate), (MODE_RNN, interrupt)],
    ids=["predrnn", "predrnn-terminated", "mode-rnn"],
)
def test_a_resumed_run_is_an_uninterrupted_one(
    logs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: ModelConfig,
    stop: Callable[[], None],
) -> None:
    whole = configured(logs, tmp_path / "whole", model=model)
    with before_step(0, nothing) as expected_batches:
        train(whole)
    for step in (1, 2, 3, 5):
        parts = replace(whole, output=str(tmp_path / f"parts{step}"))
        with before_step(step - 1, stop) as batches:
            with pytest.raises(
                KeyboardInterrupt, match=f"step {step} of 6.*--resume .*parts{step}"
            ):
                train(parts)
            assert len(batches) == step
            capsys.readouterr()
            train(parts, resume=True)
        assert batches == expected_batches
        assert same(weights(parts), weights(whole))
        assert f"{STEPS}/{STEPS}" in capsys.readouterr().out


@pytest.mark.parametrize("step", [3, 4])
def test_a_run_that_broke_down_goes_on_from_the_whole_steps_before(
    logs: Path, tmp_path: Path, step: int
) -> None:
    whole, parts = (configured(logs, tmp_path / name) for name in ("whole", "parts"))
    train(whole)
    with before_step(step, break_down), pytest.raises(ConnectionError):
        train(parts)
    with before_step(-1, nothing) as batches:
        train(parts, resume=True)
    assert len(batches) == STEPS - step
    assert same(weights(parts), weights(whole))


def test_a_killed_run_goes_on_from_the_last_regular_state(logs: Path, tmp_path: Path) -> None:
    config = configured(logs, tmp_path)
    folder, kept = RunFolder(tmp_path), []
    with before_step(5, lambda: kept.append(folder.state.read_bytes())):
        train(config)
    whole = weights(config)
    folder.state.write_bytes(kept[0])
    assert folder.saved_step() == 4
    train(config, resume=True)
    assert same(weights(config), whole)


def test_a_finished_run_may_be_resumed(logs: Path, tmp_path: Path) -> None:
    config = configured(logs, tmp_path)
    train(config)
    whole = weights(config)
    with before_step(-1, nothing) as batches:
        train(config, resume=True)
    assert batches == []
    assert same(weights(config), whole)


@pytest.fixture
def stopped(logs: Path, tmp_path: Path) -> TrainConfig:
    """A run on a copy of the recordings, stopped after 3 steps."""
    copy = tmp_path / "logs"
    shutil.copytree(logs, copy)
    config = configured(copy, tmp_path / "run")
    with before_step(2, interrupt), pytest.raises(KeyboardInterrupt):
        train(config)
    return config


def test_a_run_goes_on_elsewhere(stopped: TrainConfig, tmp_path: Path) -> None:
    Path(stopped.data.paths[0]).rename(tmp_path / "moved")
    data = replace(stopped.data, path=str(tmp_path / "moved"), cache=1)
    moved = replace(stopped, data=data, stored="float16", accelerator="auto")
    train(moved, resume=True)
    assert read_note(RunFolder(Path(stopped.output)).options)["data"]["path"] == data.path


def test_other_options_are_refused(stopped: TrainConfig) -> None:
    data = replace(stopped.data, window=replace(stopped.data.window, length=4))
    curriculum = ScheduledSampling(rate=0.5)
    changed = replace(stopped, data=data, model=MODE_RNN, curriculum=curriculum)
    with pytest.raises(InputError) as refusal:
        train(changed, resume=True)
    message = str(refusal.value)
    assert "data.window.length was 5 and is 4" in message
    assert "model.slots was None and is 2" in message
    assert "model.class_path was worldmodel.models.predrnn.PredRNNConfig" in message
    assert "curriculum.rate was None and is 0.5" in message
    assert "seed" not in message


def test_other_recordings_are_refused(stopped: TrainConfig) -> None:
    write_log(Path(stopped.data.paths[0]), RECORDINGS)
    with pytest.raises(InputError, match=r"recordings are not those of .*split\.json"):
        train(stopped, resume=True)


def test_a_damaged_state_is_refused(stopped: TrainConfig) -> None:
    state = RunFolder(Path(stopped.output)).state
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.ckpt is damaged"):
        train(stopped, resume=True)


def test_a_folder_in_use_is_not_overwritten(stopped: TrainConfig) -> None:
    with pytest.raises(InputError, match=r"holds an earlier run; .*worldmodel train --resume"):
        train(stopped)


def test_without_a_state_nothing_is_resumed(logs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no saved state .*last\.ckpt is missing"):
        train(configured(logs, tmp_path), resume=True)


# --- Bad input


def in_data(**changes: Any) -> Callable[[TrainConfig], TrainConfig]:
    return lambda config: replace(config, data=replace(config.data, **changes))


def in_run(**changes: Any) -> Callable[[TrainConfig], TrainConfig]:
    return lambda config: replace(config, **changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_data(path="nowhere"), "nowhere"),
        (in_data(validation=0.0), "validation part of the recordings: .* got 0, the longest"),
        (in_data(validation=0.9), "leave recordings to train on, got validation 0.9"),
        (in_data(validation=-0.1), "leave recordings to train on, got validation -0.1"),
        (in_data(window=WindowShape(length=10)), "train part .* the longest of 9 frames"),
        (in_data(context=5), "context: expected 1 to 4 frames of a clip of 5, got 5"),
        (in_data(context=0), "context: expected 1 to 4 frames of a clip of 5, got 0"),
        (in_data(batch_size=0), "DataConfig.batch_size: expected at least 1, got 0"),
        (in_data(workers=-1), "DataConfig.workers: expected at least 0, got -1"),
        (in_run(steps=0), "TrainConfig.steps: expected at least 1, got 0"),
        (in_run(validate_every=0), "TrainConfig.validate_every: expected at least 1, got 0"),
        (in_run(seed=-1), "TrainConfig.seed: expected at least 0, got -1"),
        (in_run(accelerator="abacus"), "accelerator: expected one of auto, cpu, gpu, got abacus"),
        (in_run(accelerator="gpu", devices=99), "devices: expected at most the .* GPUs"),
        (in_run(devices=0), "TrainConfig.devices: expected at least 1, got 0"),
        (in_run(devices=2), "validation part .* expected clips for 2 devices, got 1"),
        (in_run(devices=3), "batch_size: expected a multiple of the 3 devices, got 2"),
        (in_run(model=PredRNNConfig(patch=5)), "5"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    logs: Path,
    tmp_path: Path,
    change: Callable[[TrainConfig], TrainConfig],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        train(change(configured(logs, tmp_path / "run")))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: expected more than 0, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected more than 0, got nan"),
        ({"warmup": -1}, "warmup: expected at least 0, got -1"),
    ],
)
def test_optimizers_that_cannot_learn_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        OptimizerConfig(**options)


# --- Processes


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The command line as a script, which distributed training starts again."""
    script = tmp_path / "worldmodel.py"
    script.write_text(
        "import sys\nsys.path.pop(0)\n"
        "from worldmodel.cli import main\n"
        'if __name__ == "__main__":\n    sys.exit(main())\n'
    )
    return [sys.executable, str(script), "train"]


def written(config: TrainConfig, folder: Path) -> str:
    """A file with the options of a run."""
    path = folder / "options.yaml"
    path.write_text(yaml.safe_dump(described(config)))
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, 0), (signal.SIGINT, 1), (signal.SIGTERM, 0)]
)
def test_a_signal_saves_says_how_to_go_on_and_exits_with_130(
    logs: Path, tmp_path: Path, command: list[str], number: signal.Signals, workers: int
) -> None:
    config = configured(logs, tmp_path / "run", steps=100_000, validate_every=20)
    folder = RunFolder(tmp_path / "run")
    process = subprocess.Popen(
        [*command, "--config", written(in_data(workers=workers)(config), tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    while process.poll() is None and not folder.state.exists():
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    step = folder.saved_step()
    assert errors == (
        f"worldmodel: stopped after step {step} of 100000; "
        f"go on with: worldmodel train --resume {folder.root}\n"
    )
    with before_step(step + 2, interrupt) as batches, pytest.raises(KeyboardInterrupt):
        train(config, resume=True)
    assert len(batches) == 3


@pytest.mark.slow
def test_two_processes_train_like_one(logs: Path, tmp_path: Path, command: list[str]) -> None:
    config = configured(
        logs, tmp_path / "one", curriculum=ReverseScheduledSampling(start=0, stop=10, alpha=5.0)
    )
    config = in_data(batch_size=4, validation=0.5)(config)
    train(config)
    two = replace(config, output=str(tmp_path / "two"), devices=2)
    done = subprocess.run(
        [*command, "--config", written(two, tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name, value in weights(two).items():
        torch.testing.assert_close(value, weights(config)[name], atol=1e-5, rtol=1e-4)
    one, other = logged(tmp_path / "one"), logged(tmp_path / "two")
    assert one.keys() == other.keys()
    for tag in ("loss", "decoupling", "validation/mse", "validation/mse_copy_last"):
        assert other[tag] == pytest.approx(one[tag], rel=1e-4)
