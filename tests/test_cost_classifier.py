"""A success classifier: trained on toy pictures, saved, and asked as a cost."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from worldmodel.cli import main
from worldmodel.data.formats.robots.robonet.writer import write_episode
from worldmodel.data.opening import open_source
from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.classifier_pictures import done, not_done
from worldmodel.planners.costs.classifier_training import TrainClassifierConfig, train_classifier
from worldmodel.planners.costs.success_classifier import (
    CARD,
    WEIGHTS,
    SuccessClassifier,
    SuccessClassifierConfig,
    load_classifier,
)

SIDE = 16


def picture(random, on_goal):
    """A bright square on noise: in the lower right corner, or elsewhere."""
    pixels = random.integers(0, 80, (SIDE, SIDE, 3), dtype=np.uint8)
    while True:
        y, x = random.integers(9, 12, 2) if on_goal else random.integers(0, 12, 2)
        if on_goal or max(y, x) < 6 or min(y, x) < 3:
            break
    pixels[y : y + 4, x : x + 4] = random.integers(180, 255, 3)
    return pixels


def write_pictures(folder: Path, count: int, on_goal: bool, seed: int) -> Path:
    random = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        Image.fromarray(picture(random, on_goal)).save(folder / f"{number:03d}.png")
    return folder


def write_recording(path: Path, seed: int, length: int = 9) -> None:
    """A recording whose last frame alone shows success."""
    random = np.random.default_rng(seed)
    frames = np.stack([picture(random, on_goal=t == length - 1) for t in range(length)])
    write_episode(
        path,
        [frames],
        np.zeros((length - 1, 2), np.float32),
        np.zeros((length, 0)),
        action_names=("dx", "dy"),
        low_bound=np.zeros(0),
        high_bound=np.zeros(0),
        metadata={"robot": "toy", "action_space": "dx,dy"},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    goals = write_pictures(folder / "goals", 60, on_goal=True, seed=1)
    others = write_pictures(folder / "others", 120, on_goal=False, seed=2)
    arguments = [str(goals), str(others), "--output", str(folder / "trained")]
    assert main(["train-classifier", *arguments, f"--size={SIDE}", "--shift=1", "--epochs=25"]) == 0
    return folder / "trained"


def step(frame):
    return Imagined(0, frame.new_zeros(len(frame), 1, 2), None, lambda: frame, lambda: frame)


def fresh(count, on_goal, seed):
    random = np.random.default_rng(seed)
    pictures = np.stack([picture(random, on_goal) for _ in range(count)])
    return torch.from_numpy(pictures).movedim(-1, 1) / 255


def test_it_tells_pictures_that_it_has_never_seen(trained: Path):
    network, card = load_classifier(trained)
    assert card.accuracy > 0.95
    assert (card.done, card.not_done, card.held_out) == (60, 120, 36)
    assert (network(fresh(100, True, 8)) > 0).float().mean() > 0.95
    assert (network(fresh(100, False, 9)) < 0).float().mean() > 0.95


def test_as_a_cost_it_is_minus_the_log_of_success(trained: Path):
    start = fresh(2, False, 3)
    cost = SuccessClassifierConfig(str(trained)).build(Scene(start[:, None], start))
    network, _ = load_classifier(trained)
    frame = torch.cat([fresh(3, True, 4), fresh(3, False, 5)])
    values = cost(step(frame))
    torch.testing.assert_close(values, -torch.log(torch.sigmoid(network(frame))))
    assert values[:3].max() < values[3:].min()
    large = torch.zeros(2, 3, SIDE, 32)
    with pytest.raises(InputError, match=r"trained on frames of .*\(3, 16, 16\), these have"):
        SuccessClassifierConfig(str(trained)).build(Scene(large[:, None], large))


def test_any_function_of_frames_can_be_asked():
    frame = torch.rand(4, 3, 8, 8)
    values = SuccessClassifier(lambda frames: frames.sum((1, 2, 3)))(step(frame))
    expected = np.log1p(np.exp(-frame.double().numpy().sum((1, 2, 3))))
    np.testing.assert_allclose(values, expected, rtol=1e-3)
    with pytest.raises(InputError, match=r"logits of shape \(B,\) = \(4,\), got \(4, 1\)"):
        SuccessClassifier(lambda frames: frames.mean((1, 2, 3))[:, None])(step(frame))


def test_the_seed_decides(tmp_path: Path):
    goals = write_pictures(tmp_path / "goals", 10, True, 1)
    others = write_pictures(tmp_path / "others", 10, False, 2)
    cards = []
    for run in ("one", "two"):
        torch.manual_seed(len(cards))  # the global source plays no part
        config = TrainClassifierConfig(
            str(goals), str(others), str(tmp_path / run), size=SIDE, epochs=2
        )
        cards.append(train_classifier(config))
    assert cards[0] == cards[1]
    first, second = (load_classifier(tmp_path / run)[0].state_dict() for run in ("one", "two"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_of_recordings_the_last_frames_are_done_and_those_far_from_the_end_not(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    for number in range(3):
        write_recording(tmp_path / "logs" / f"{number}.hdf5", seed=number)
    source = open_source([str(tmp_path / "logs")])
    recorded = np.stack([source.frames(index, range(9)).pixels for index in range(3)])
    expected = torch.from_numpy(recorded).movedim(-1, 2) / 255
    last = done(str(tmp_path / "logs"), (SIDE, SIDE), 3)
    early = not_done(str(tmp_path / "logs"), (SIDE, SIDE), 3, share=0.5, most=3)
    torch.testing.assert_close(last.frames, expected[:, -1])
    torch.testing.assert_close(early.frames, expected[:, [0, 2, 4]].flatten(0, 1))
    assert last.groups.tolist() == [0, 1, 2]
    assert early.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_it_trains_on_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(4):
        write_recording(logs / f"{number}.hdf5", seed=number)
    output = tmp_path / "trained"
    arguments = [str(logs), str(logs), f"--output={output}", f"--size={SIDE}", "--epochs=2"]
    assert main(["train-classifier", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "held-out pictures right, balanced loss" in printed
    assert "4 pictures of done and 20 of not done" in printed
    assert yaml.safe_load((output / CARD).read_text())["held_out"] == 6


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path):
    goals = write_pictures(tmp_path / "goals", 3, True, 1)
    one = write_pictures(tmp_path / "one", 1, False, 2)
    (tmp_path / "empty").mkdir()

    def train(goals: Path, others: Path, **options) -> None:
        config = {"size": SIDE, "output": str(tmp_path / "output")} | options
        train_classifier(TrainClassifierConfig(str(goals), str(others), **config))

    with pytest.raises(InputError, match="others: expected at least 2 pictures or recordings"):
        train(goals, one)
    with pytest.raises(InputError, match="empty"):
        train(goals, tmp_path / "empty")
    with pytest.raises(InputError, match="empty"):
        train(tmp_path / "empty", goals)
    with pytest.raises(InputError, match=r"000\.png: expected a picture of 64x64, got 16x16"):
        train(goals, goals, size=64)
    with pytest.raises(InputError, match="held_out: expected above 0 and below 1, got 1"):
        train(goals, goals, held_out=1.0)
    with pytest.raises(InputError, match=r"holds 000\.png, .*choose another folder"):
        train(goals, goals, output=str(goals))
    assert not (tmp_path / "output").exists()


def test_damage_is_told(trained: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"no classifier, classifier\.safetensors is missing"):
        load_classifier(tmp_path)
    for name in (WEIGHTS, CARD):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    load_classifier(tmp_path)
    (tmp_path / CARD).write_text("frame_shape: [3, 16]")
    with pytest.raises(InputError, match="damaged classifier"):
        load_classifier(tmp_path)
    (tmp_path / CARD).write_bytes((trained / CARD).read_bytes())
    (tmp_path / WEIGHTS).write_bytes((trained / WEIGHTS).read_bytes()[:100])
    with pytest.raises(InputError, match="damaged classifier"):
        load_classifier(tmp_path)


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty"), str(tmp_path / "empty"), f"--output={tmp_path / 'out'}"]
    assert main(["train-classifier", *arguments]) == 2
    told = capsys.readouterr().err
    assert "expected pictures (.png, .jpg, .jpeg) or recordings, got an empty folder" in told
