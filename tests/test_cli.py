"""The command line: what it refuses, in one sentence and without a trace, and what it does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import h5py
import numpy as np
import pytest
import torch
import yaml
from reading import frames_of, opened

from worldmodel.checkpoint import CONFIG, WEIGHTS, ModelCard, save_checkpoint
from worldmodel.cli import COMMANDS, main
from worldmodel.commands.data import COMMANDS as DATA_COMMANDS
from worldmodel.commands.demo import DemoConfig
from worldmodel.commands.normal_form import CONFIGS
from worldmodel.commands.options import parse
from worldmodel.commands.plan import PlanConfig
from worldmodel.data.files.video import encode_mp4
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.envs.collect import CollectConfig
from worldmodel.model import ModelConfig
from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.models.motion_rnn import MotionRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.published.sizes import PUBLISHED
from worldmodel.models.traj_gru import TrajGRUConfig
from worldmodel.training.train import TrainConfig

RECORDINGS, FRAMES, SIZE = 6, 9, 16
TINY_CLIPS = ["--data.window.length=5", f"--data.window.image_size={SIZE}", "--data.batch_size=2"]
TINY_PARTS = ["--data.validation=0.2", "--data.test=0.2"]
TINY_MODEL = ["--model=PredRNNConfig", "--model.layers=1", "--model.hidden=4", "--model.kernel=3"]
TINY_PLANNER = [
    *("--episodes=1", "--steps=2", "--planning.cost.scales=[4]"),
    *("--planning.planner.horizon=2", "--planning.planner.candidates=4"),
    *("--planning.planner.iterations=1", "--planning.planner.elites=2"),
    *("--planning.planner.kept=1", "--planning.planner.chunk=1", "--films=1"),
]

_PROGRAM = "import sys; from worldmodel.cli import main; sys.exit(main())"

Refused = Callable[..., None]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(RECORDINGS):
        write_log(folder / f"recording{number}.hdf5", ("dx", "dy"))
    return folder


def write_log(path: Path, action_names: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    write_episode(
        path,
        [random.integers(0, 256, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)],
        random.normal(size=(FRAMES - 1, len(action_names))),
        random.normal(size=(FRAMES, 2)),
        action_names=action_names,
        low_bound=-np.ones(2),
        high_bound=np.ones(2),
        metadata={"laboratory": "ash"},
    )


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint", ("dx", "dy"))


def write_checkpoint(folder: Path, action_names: tuple[str, ...]) -> Path:
    model = PredRNNConfig(layers=1, hidden=4, kernel=3).build((3, SIZE, SIZE), len(action_names))
    width = len(action_names)
    card = ModelCard(
        frame_shape=(3, SIZE, SIZE),
        action_names=action_names,
        action_mean=(0.0,) * width,
        action_std=(1.0,) * width,
        domains=("ash",),
        context=1,
        length=5,
        steps=0,
        seed=0,
        data="none",
    )
    save_checkpoint(folder, model, card)
    return folder


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Asserts status 2, one sentence that holds all of the words, and no file made or changed."""

    def check(arguments: list[str], *words: str) -> None:
        before = contents(tmp_path)
        capsys.readouterr()
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert_one_sentence(printed.err, *words)
        assert printed.out == ""
        assert contents(tmp_path) == before

    return check


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def assert_one_sentence(printed: str, *words: str) -> None:
    assert printed.startswith("worldmodel: ")
    assert printed.endswith("\n")
    assert printed.count("\n") == 1
    for word in words:
        assert word in printed


def train(logs: Path, output: Path, *options: str) -> list[str]:
    data = [f"--data.path={logs}", *TINY_CLIPS, *TINY_PARTS]
    return ["train", *data, f"--output={output}", *TINY_MODEL, *options]


def evaluate(logs: Path, output: Path, *options: str) -> list[str]:
    data = [f"--data.path={logs}", *TINY_CLIPS, *TINY_PARTS, "--data.context=1"]
    return ["evaluate", *data, f"--output={output}", *options]


def plan(output: Path, *options: str) -> list[str]:
    return ["plan", f"--output={output}", *TINY_PLANNER, *options]


# --- Help


def test_help_answers_at_once() -> None:
    program = (
        "import sys; from worldmodel.cli import main; status = main(['--help']); "
        "assert 'torch' not in sys.modules; sys.exit(status)"
    )
    before = getrusage(RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    assert all(command in done.stdout.decode() for command in COMMANDS)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


@pytest.mark.parametrize(("group", "commands"), [([], COMMANDS), (["data"], DATA_COMMANDS)])
def test_no_command_is_an_error_that_shows_the_commands(
    group: list[str], commands: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(group) == 2
    without = capsys.readouterr().out
    assert all(command in without for command in commands)
    assert main([*group, "--help"]) == 0
    assert capsys.readouterr().out == without


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"worldmodel {version('worldmodel')}\n"


WITH_OPTIONS = [name for name in COMMANDS if name != "data"] + [
    f"data {name}" for name in DATA_COMMANDS
]


@pytest.mark.parametrize("command", WITH_OPTIONS)
def test_every_command_explains_its_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main([*command.split(), "--help"])
    assert done.value.code == 0
    help_text = capsys.readouterr().out
    assert help_text.startswith(f"usage: worldmodel {command} ")
    assert "--config" in help_text


SHIPPED = {
    "logs": (CollectConfig, ["--output=x"]),
    "rnn": (TrainConfig, ["--data.path=x", "--output=x"]),
    "predrnn": (TrainConfig, ["--data.path=x", "--output=x"]),
    "reach": (PlanConfig, ["--output=x"]),
    "push": (PlanConfig, ["--output=x"]),
}


@pytest.mark.parametrize("name", [path.stem for path in sorted(CONFIGS.glob("*.yaml"))])
def test_shipped_configurations_are_accepted(name: str) -> None:
    kind, required = SHIPPED[name.rpartition("-")[2]]
    for given in (["--config", name], [f"--config={name}"], [f"--config={name}.yaml"]):
        assert isinstance(parse(kind, "test", [*given, *required]), kind)


@pytest.mark.parametrize("given", [["--quick"], ["--quick", "--seed=3"], ["--quick", "true"]])
def test_a_flag_needs_no_value(given: list[str]) -> None:
    assert parse(DemoConfig, "demo", given).quick
    assert not parse(DemoConfig, "demo", ["--quick", "false"]).quick


# --- Commands and options


def test_an_unknown_command(refused: Refused) -> None:
    refused(
        ["trian"],
        "'trian' is unknown; did you mean train? ",
        "available: collect, data, train, evaluate, train-classifier, plan, serve, "
        "import, models, demo",
    )
    refused(["data", "inspct"], "did you mean inspect? available: inspect, validate, convert")


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [
        ("train", "--stepz=3", ["--stepz", "did you mean steps?"]),
        ("train", "--data.contxt=3", ["--data.contxt", "did you mean data.context?"]),
        ("train", "--data.window.lenght=3", ["did you mean data.window.length?"]),
        ("train", "--model.hiden=3", ["'hiden'", "did you mean model.hidden?"]),
        ("train", "--model.slot=3", ["'slot'", "did you mean model.slots?"]),
        ("plan", "--planning.planner.candiates=3", ["did you mean planning.planner.candidates?"]),
        ("collect", "--recording=3", ["--recording", "did you mean recordings?"]),
        ("demo", "--quik=true", ["--quik", "did you mean quick?"]),
        ("train", "--steps=many", ["steps: expected int, got many"]),
        ("train", "--steps=1.5", ["steps: expected int, got 1.5"]),
        ("train", "--steps=0", ["steps: expected at least 1, got 0"]),
        ("train", "--precision=half", ["precision: expected one of ['32-true', ", ", got half"]),
        ("demo", "--quick=maybe", ["quick: expected bool, got maybe"]),
        ("train", "--resume=nowhere", ["resume: nowhere holds no saved state", "is missing"]),
        (
            "train",
            "--data.generator=MovingMNST",
            ["'MovingMNST' is unknown; did you mean moving-mnist?"],
        ),
        ("train", "--model=Nonsense", ["model 'Nonsense' is unknown; available: conv-lstm, "]),
        ("train", "--model=predrn-v2", ["did you mean predrnn-v2?"]),
        ("train", "--curriculum=kht", ["curriculum 'kht' is unknown; did you mean kth?"]),
        (
            "train",
            "--model={class_path: MotionRNNConfig, init_args: {backbone: SVGConfig}}",
            ["model.backbone 'SVGConfig' is unknown; available: conv-lstm, "],
        ),
        ("train", "--data.context=99", ["context: expected 1 to 4 frames", "got 99"]),
        ("train", "extra", ["unrecognized", "extra"]),
        ("evaluate", "--part=tset", ["part: expected one of ['train', 'validation', 'test']"]),
        ("evaluate", "--strips=-1", ["strips: expected at least 0, got -1"]),
        ("plan", "--task=fly", ["task of tabletop 'fly' is unknown", "available: reach, push"]),
        ("plan", "--domains=[oak]", ["'oak'", "ash, birch, cedar, dune"]),
        ("plan", "--planning.planner.elites=9", ["elites: expected 2 to all 4 candidates, got 9"]),
        ("collect", "--domains=[oak]", ["'oak'", "ash, birch, cedar, dune"]),
        ("collect", "--recordings=0", ["recordings: expected at least 1, got 0"]),
        ("demo", "--seed=-1", ["seed: expected at least 0, got -1"]),
        ("models", "--height=0", ["height: expected at least 1, got 0"]),
        ("models", "--lenght=3", ["did you mean length?"]),
        ("import", "--architecture=PredNet", ["'PredNet' is unknown; available: ", "predrnn"]),
        ("import", "--file=nowhere.pth", ["nowhere.pth: no such file"]),
        ("data inspect", "--formt=x", ["--formt", "did you mean format?"]),
        ("data inspect", "--format=robnet", ["'robnet' is unknown; did you mean robonet?"]),
        ("data inspect", "--recordings=0", ["recordings: expected at least 1, got 0"]),
        ("data validate", "--workers=-1", ["workers: expected at least 0, got -1"]),
        (
            "data convert",
            "--to=hdf5",
            ["to: expected a format that can be written", "available: lerobot-v3, robonet, minari"],
        ),
        ("data convert", "--path=nowhere", ["nowhere: expected a folder or a file"]),
        ("import", "--context=20", ["context: expected 1 to 19 frames of a clip of 20, got 20"]),
        ("train", "--config=nowhere.yaml", ["nowhere.yaml", "available:", "tabletop-predrnn"]),
        ("plan", "--config=tabletop-throw", ["tabletop-throw", "available:", "tabletop-logs"]),
        ("train", "--config=tabletop-logs", ["domains"]),
    ],
)
def test_a_wrong_option(
    refused: Refused, tmp_path: Path, command: str, option: str, words: list[str]
) -> None:
    output = tmp_path / "new"
    whole = {
        "collect": ["collect", f"--output={output}"],
        "train": train(tmp_path, output),
        "evaluate": evaluate(tmp_path, output, "--model=predrnn-v2-tabletop"),
        "plan": plan(output, "--model=none"),
        "demo": ["demo", f"--output={output}"],
        "models": ["models"],
        "data inspect": ["data", "inspect", str(tmp_path)],
        "data validate": ["data", "validate", str(tmp_path)],
        "data convert": ["data", "convert", str(tmp_path), str(output), "--to=robonet"],
        "import": ["import", "none.pth", "--architecture=PredRNN", f"--output={output}"],
    }[command]
    refused([*whole, option], *words)


@pytest.mark.parametrize("command", ["collect", "train", "evaluate"])
def test_what_is_required_is_named(refused: Refused, command: str) -> None:
    refused([command], "required", "out")


def test_planning_needs_a_model(refused: Refused) -> None:
    refused(["plan"], "model: expected a training run, a checkpoint or a name, got none")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("steps: [1\n", ["parsing"]),
        ("stepz: 3\n", ["'stepz'", "did you mean steps?"]),
        ("data:\n  contxt: 3\n", ["contxt", "did you mean data.context?"]),
        ("steps: many\n", ["steps: expected int, got many"]),
        ("model:\n  class_path: Nonsense\n", ["model 'Nonsense' is unknown"]),
        ("model: Nonsense\n", ["model 'Nonsense' is unknown"]),
        ("model:\n  name: mode-rn\n", ["did you mean mode-rnn?"]),
        ("model:\n  name: mode-rnn\n  hiden: 3\n", ["did you mean model.hidden?"]),
        ("- 1\n", ["config"]),
    ],
)
def test_a_wrong_configuration_file(
    refused: Refused, tmp_path: Path, content: str, words: list[str]
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    refused(train(tmp_path, tmp_path / "new", f"--config={file}"), *words)


def test_a_folder_is_no_configuration_file(refused: Refused, tmp_path: Path) -> None:
    refused(train(tmp_path, tmp_path / "new", f"--config={tmp_path}"), str(tmp_path), "available:")


# --- Recordings


def test_a_missing_folder(refused: Refused, tmp_path: Path) -> None:
    refused(train(tmp_path / "nowhere", tmp_path / "new"), f"{tmp_path}/nowhere: expected a folder")


def test_an_empty_folder(refused: Refused, tmp_path: Path) -> None:
    refused(train(tmp_path, tmp_path / "new"), f"{tmp_path}: expected a folder or a file of")


def test_a_truncated_file(refused: Refused, logs: Path) -> None:
    file = logs / "recording3.hdf5"
    file.write_bytes(file.read_bytes()[:1000])
    refused(
        train(logs, logs / "new", "--data.strict"),
        "1 recordings, cameras or files cannot be used",
        "recording3.hdf5: not a readable HDF5 file",
    )


def test_a_video_that_decodes_short(refused: Refused, logs: Path, checkpoint: Path) -> None:
    for file in logs.iterdir():
        with h5py.File(file, "r+") as recording:
            attributes = dict(recording["env/cam0_video/frames"].attrs)
            del recording["env/cam0_video/frames"]
            video = encode_mp4(np.zeros((FRAMES - 2, SIZE, SIZE, 3), np.uint8))
            recording["env/cam0_video/frames"] = np.frombuffer(video, np.uint8)
            recording["env/cam0_video/frames"].attrs.update(attributes)
    refused(
        evaluate(logs, logs / "new", f"--model={checkpoint}"),
        "recording0.hdf5 to recording5.hdf5",
        f"declares {FRAMES} frames and holds {FRAMES - 2}",
    )


def test_actions_that_are_no_numbers(refused: Refused, logs: Path) -> None:
    with h5py.File(logs / "recording2.hdf5", "r+") as recording:
        actions = recording["policy/actions"]
        assert isinstance(actions, h5py.Dataset)
        actions[4] = np.nan
    refused(
        train(logs, logs / "new", "--data.strict"),
        "recording2.hdf5: values of 'policy/actions' hold NaN",
        "first at step 4",
    )


def test_actions_of_another_width(refused: Refused, logs: Path) -> None:
    write_log(logs / "wider.hdf5", ("dx", "dy", "dz", "gripper"))
    refused(
        train(logs, logs / "new", "--data.strict"),
        "wider.hdf5: has 4 actions (dx, dy, dz, gripper), most recordings have 2 (dx, dy)",
    )


# --- Checkpoints


def test_actions_that_the_checkpoint_does_not_know(
    refused: Refused, logs: Path, tmp_path: Path
) -> None:
    checkpoint = write_checkpoint(tmp_path / "other", ("dx", "dz", "gripper"))
    given = f"--model={checkpoint}"
    sentence = "trained with dx, dz, gripper, here they are dx, dy"
    refused(evaluate(logs, tmp_path / "new", f"--model={checkpoint}"), sentence)
    refused(plan(tmp_path / "new", given), sentence)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["model: expected a training run, a checkpoint or a name, got none"]),
        (
            ["--model=none"],
            ["none: expected the folder of a checkpoint", "available: mode-rnn-tabletop"],
        ),
    ],
)
def test_no_such_checkpoint(
    refused: Refused, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    refused(plan(tmp_path / "new", *options), *words)


def test_no_such_model_to_evaluate(refused: Refused, logs: Path, tmp_path: Path) -> None:
    words = ["nowhere: expected the folder of a checkpoint", "available: mode-rnn-tabletop"]
    refused(evaluate(logs, tmp_path / "new", "--model=nowhere"), *words)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_damaged_checkpoint(
    refused: Refused, checkpoint: Path, tmp_path: Path, name: str
) -> None:
    file = checkpoint / name
    file.write_bytes(file.read_bytes()[:60])
    refused(plan(tmp_path / "new", f"--model={checkpoint}"), f"{checkpoint}: damaged")


# --- Architectures


@pytest.mark.parametrize("kind", ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def test_a_chosen_architecture_has_its_own_defaults(kind: type[ModelConfig]) -> None:
    arguments = ["--data.path=x", "--output=x", f"--model={kind.__name__}"]
    assert parse(TrainConfig, "train", arguments).model == kind()


def test_a_chosen_backbone_has_its_own_defaults() -> None:
    wrapped = ["--model=MotionRNNConfig", "--model.backbone=TrajGRUConfig"]
    arguments = ["--data.path=x", "--output=x", *wrapped, "--model.backbone.hidden=32"]
    expected = MotionRNNConfig(backbone=TrajGRUConfig(hidden=32))
    assert parse(TrainConfig, "train", arguments).model == expected


def test_all_architectures_are_listed_with_what_they_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "--height=16", "--width=16", "--length=2", "--batch=1"]) == 0
    table, _, refusals = capsys.readouterr().out.partition("\n\n")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:]}
    assert list(rows) == list(PUBLISHED)
    assert (
        "PredRNNConfig | Wang et al., TPAMI | 2022 | 23.86 | 0.8 | yes | no" in rows["predrnn-v2"]
    )
    assert rows["svg"].endswith("| yes | yes |")
    assert "rims: frames: expected a height and width" in refusals


# --- Output folders


WITHOUT_OUTPUT = ("models", "serve", "data validate")


@pytest.mark.parametrize("command", [name for name in WITH_OPTIONS if name not in WITHOUT_OUTPUT])
def test_a_file_is_no_output_folder(
    refused: Refused, logs: Path, checkpoint: Path, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    arguments = {
        "collect": ["collect", f"--output={file / 'below'}"],
        "train": train(logs, file),
        "evaluate": evaluate(logs, file, f"--model={checkpoint}"),
        "plan": plan(file, f"--model={checkpoint}"),
        "demo": ["demo", f"--output={file}"],
        "import": ["import", "weights.pth", "--architecture=PredRNN", f"--output={file}"],
        "train-classifier": ["train-classifier", str(logs), str(logs), f"--output={file}"],
        "data inspect": ["data", "inspect", str(logs), f"--sheet={file / 'sheet.png'}"],
        "data convert": ["data", "convert", str(logs), str(file), "--to=robonet"],
    }[command]
    refused(arguments, f"output: expected a folder to write to, {file} is not one")


def test_an_earlier_training_run_is_kept(
    refused: Refused, logs: Path, checkpoint: Path, tmp_path: Path
) -> None:
    shutil.move(checkpoint, tmp_path / "run" / "checkpoint")
    refused(
        train(logs, tmp_path / "run"),
        f"{tmp_path}/run holds an earlier run",
        f"worldmodel train --resume {tmp_path}/run",
    )


def test_an_earlier_import_is_kept(refused: Refused, checkpoint: Path) -> None:
    arguments = ["import", "none.pth", "--architecture=PredRNN", f"--output={checkpoint}"]
    refused(arguments, f"output: {checkpoint} holds config.yaml, model.safetensors; choose")


def test_an_earlier_evaluation_is_kept(
    refused: Refused, logs: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "evaluation.json").write_text("{}")
    arguments = evaluate(logs, tmp_path, f"--model={checkpoint}")
    refused(arguments, f"{tmp_path} holds an earlier evaluation")


def test_an_earlier_benchmark_is_kept(refused: Refused, checkpoint: Path, tmp_path: Path) -> None:
    given = [f"--model={checkpoint}", "--contestants=['null']"]
    assert main(plan(tmp_path / "played", *given)) == 0
    refused(
        plan(tmp_path / "played", *given, "--seed=1"),
        f"{tmp_path}/played was begun with other settings: seed was 0 and is 1",
    )


def test_earlier_recordings_are_kept(refused: Refused, tmp_path: Path) -> None:
    arguments = ["collect", f"--output={tmp_path / 'logs'}", "--recordings=1", "--frames=3"]
    assert main(arguments) == 0
    refused([*arguments, "--seed=1"], "logs was begun with other settings: seed was 0 and is 1;")


def test_an_earlier_demo_is_kept(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(yaml.safe_dump({"quick": True, "seed": 0}))
    words = ["was begun with other settings: quick was True and is False", "another folder"]
    refused(["demo", f"--output={tmp_path}"], *words)


# --- Drawing


def run_collect(output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = ["collect", f"--output={output}", "--recordings=1", "--frames=3"]
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_backend_that_cannot_draw(tmp_path: Path) -> None:
    no_driver = {"__EGL_VENDOR_LIBRARY_FILENAMES": str(tmp_path / "none.json")}
    done = run_collect(tmp_path / "logs", MUJOCO_GL="egl", **no_driver)
    assert done.returncode == 2
    assert_one_sentence(done.stderr, "MUJOCO_GL: 'egl' opens no OpenGL context", "'off'")
    assert not (tmp_path / "logs").exists()


def test_without_opengl_the_raycaster_draws(tmp_path: Path) -> None:
    done = run_collect(tmp_path / "logs", MUJOCO_GL="off")
    assert done.returncode == 0, done.stderr
    frames = frames_of(opened(tmp_path / "logs"), 0)
    assert frames.shape == (3, 64, 64, 3)
    assert len(np.unique(frames)) > 20


# --- From logs to planned motion


def test_every_command_writes_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, run = tmp_path / "logs", tmp_path / "run"
    sizes = [f"--size={SIZE}", f"--frames={FRAMES}", f"--recordings={RECORDINGS}"]
    assert main(["collect", f"--output={logs}", *sizes]) == 0
    assert "6 recordings written, 0 already there" in capsys.readouterr().out
    assert len(opened(logs)) == RECORDINGS

    steps = ["--data.context=1", "--steps=2", "--validate_every=1", "--accelerator=cpu"]
    assert main(train(logs, run, *steps)) == 0
    assert f"checkpoint: {run / 'checkpoint'}" in capsys.readouterr().out
    scored = run / "evaluation"
    assert main(["evaluate", str(run), "--strips=1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"taken from {run}: data.path {logs}, data.camera 0, data.context 1, ")
    assert "| copy last frame |" in out
    assert f"written to {scored}" in out
    metrics = ["mse_sum.png", "psnr_float.png", "ssim_gaussian.png"]
    names = sorted(path.name for path in scored.iterdir())
    assert names == ["evaluate.yaml", "evaluation.json", *metrics, "strip-0.png"]

    played = tmp_path / "played"
    given = f"--model={run}"
    assert main(plan(played, given, "--task=reach")) == 0
    out = capsys.readouterr().out
    contestants = ("model", "null", "oracle", "random")
    assert all(f"| ash | {contestant} |" in out for contestant in contestants)
    assert f"written to {played}" in out
    names = sorted(path.name for path in played.iterdir())
    assert names == [*(f"ash-0-{name}.gif" for name in contestants), "episodes.json", "plan.yaml"]


def test_the_number_of_threads_is_set(checkpoint: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        given = [f"--model={checkpoint}", "--contestants=['null']"]
        assert main(plan(tmp_path / "played", *given, f"--threads={before + 1}")) == 0
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
