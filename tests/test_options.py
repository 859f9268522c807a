"""Options as users write them: names in any case, single values for lists, files and flags."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from worldmodel.commands.collect import CollectConfig
from worldmodel.commands.evaluate import EvaluateConfig
from worldmodel.commands.options import parse
from worldmodel.data.generators import GENERATORS
from worldmodel.errors import InputError
from worldmodel.models.architectures import ARCHITECTURES
from worldmodel.models.mim import MIMConfig
from worldmodel.models.motion_rnn import MotionRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.published.sizes import PUBLISHED
from worldmodel.training.curriculum import BAIR, CURRICULA, KTH, MOVING_MNIST, PREDRNN
from worldmodel.training.train import TrainConfig


def train(*options: str) -> TrainConfig:
    return parse(TrainConfig, "train", ["--data.path=x", "--output=x", *options])


def written(folder: Path, **options: object) -> str:
    path = folder / "options.yaml"
    path.write_text(yaml.safe_dump(options))
    return f"--config={path}"


# --- What is chosen by name


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_model_is_the_published_one_of_that_name(name: str, tmp_path: Path) -> None:
    for spelled in (name, name.upper(), name.replace("-", "_")):
        assert train("--model", spelled).model == PUBLISHED[name]
    assert train(written(tmp_path, model=name)).model == PUBLISHED[name]
    assert train(written(tmp_path, model={"name": name})).model == PUBLISHED[name]


def test_what_follows_a_name_changes_it(tmp_path: Path) -> None:
    expected = PredRNNConfig(hidden=64, memory_decoupling=False)
    assert train("--model=predrnn", "--model.hidden=64").model == expected
    assert train(written(tmp_path, model={"name": "PredRNN", "hidden": 64})).model == expected
    given = written(tmp_path, model={"name": "predrnn", "hidden": 32})
    assert train(given, "--model.hidden=64").model == expected
    assert train(given, "--model=predrnn-v2").model == PUBLISHED["predrnn-v2"]


def test_a_model_in_a_model_is_chosen_by_name_too(tmp_path: Path) -> None:
    expected = MotionRNNConfig(backbone=MIMConfig(hidden=128, layers=3))
    chosen = ["--model=motion-rnn", "--model.backbone=mim", "--model.backbone.layers=3"]
    assert train(*chosen).model == expected
    model = {"name": "motion-rnn", "backbone": {"name": "mim", "layers": 3}}
    assert train(written(tmp_path, model=model)).model == expected


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_the_name_of_a_class_stands_for_its_defaults(name: str) -> None:
    kind = ARCHITECTURES[name]
    assert train(f"--model={kind.__name__}").model == kind()
    assert train(f"--model={kind.__module__}.{kind.__name__}").model == kind()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("predrnn", PREDRNN), ("moving-mnist", MOVING_MNIST), ("BAIR", BAIR), ("kth", KTH)],
)
def test_the_authors_curricula_have_names(name: str, expected: object) -> None:
    assert train(f"--curriculum={name}").curriculum == expected


def test_the_options_of_what_is_named_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        train("--model.help", "Mode_RNN")
    assert done.value.code == 0
    assert "--model.slots" in capsys.readouterr().out


def test_a_curriculum_can_be_changed() -> None:
    changed = train("--curriculum=kth", "--curriculum.stop=60000").curriculum
    assert changed == replace(KTH, stop=60_000)
    assert set(CURRICULA) > {"scheduled-sampling", "reverse-scheduled-sampling"}
    kind = CURRICULA["scheduled-sampling"]
    assert type(train("--curriculum=Scheduled_Sampling").curriculum) is kind


@pytest.mark.parametrize("name", list(GENERATORS))
def test_generators_have_names(name: str) -> None:
    config = parse(TrainConfig, "train", [f"--data.generator={name}", "--output=x"])
    assert type(config.data.generator) is GENERATORS[name]


# --- Lists


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--domains", "ash"], ("ash",)),
        (["--domains=ash"], ("ash",)),
        (["--domains", "ash", "birch"], ("ash", "birch")),
        (["--domains=[ash, birch]"], ("ash", "birch")),
        (["--domains", "ash", "birch", "--seed", "3"], ("ash", "birch")),
    ],
)
def test_one_value_or_several_make_a_list(given: Sequence[str], expected: tuple[str, ...]) -> None:
    config = parse(CollectConfig, "collect", [*given, "--output=x"])
    assert config.domains == expected


def test_one_value_makes_a_list_in_a_file(tmp_path: Path) -> None:
    given = written(tmp_path, domains="ash")
    assert parse(CollectConfig, "collect", [given, "--output=x"]).domains == ("ash",)
    data = {"path": "x", "split": "domain", "test_domains": "ash"}
    assert train(written(tmp_path, data=data)).data.test_domains == ["ash"]


def test_lists_of_numbers_and_of_odd_text() -> None:
    assert train("--data.path", "a, b", "c: d", "--data.weights", "1", "2.5").data.paths == [
        "a, b",
        "c: d",
    ]
    assert train("--data.path", "a", "b", "--data.weights", "1", "2.5").data.weights == [1, 2.5]
    assert train("--data.window.image_size", "16", "24").data.window.size == (16, 24)


def test_what_may_be_one_value_or_a_list_stays_one() -> None:
    assert train().data.path == "x"
    assert train("--data.camera", "wrist").data.camera == "wrist"
    assert train("--data.camera", "1").data.camera == 1
    assert train("--data.camera", "1", "wrist").data.camera == [1, "wrist"]
    assert train("--data.window.image_size", "16").data.window.image_size == 16


def test_metrics() -> None:
    given = ["--model=x", "--data.path=x", "--output=x"]
    config = parse(EvaluateConfig, "evaluate", [*given, "--metrics", "mse_sum", "SSIM-PredRNN"])
    assert config.metrics == ("mse_sum", "SSIM-PredRNN")
    with pytest.raises(InputError, match=r"metric 'mse_sun' is unknown; did you mean mse_sum?"):
        parse(EvaluateConfig, "evaluate", [*given, "--metrics=mse_sun"])


def test_one_value_too_many_is_refused() -> None:
    with pytest.raises(InputError, match="unrecognized arguments: 4"):
        train("--steps", "3", "4")


# --- Files


@pytest.mark.parametrize("content", ["steps: [1\n", "- 1\n", "", "text\n", "\udce4"])
def test_a_file_that_holds_no_options_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match=r"config: expected .*wrong\.yaml"):
        train(f"--config={path}")
