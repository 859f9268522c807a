"""RLDS: a real data set, published descriptions of actions, shards and splits."""

from __future__ import annotations

import io
import shutil
import sys
import tracemalloc
import zlib
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.records import changed, payloads, write_records
from formats.rlds import (
    ROOT,
    SHARDS,
    RLDSCase,
    image,
    nested,
    tensor,
    write_features,
    write_info,
)
from PIL import Image
from reading import frames_at, parts_of
from tfrecord.reader import tfrecord_loader

from worldmodel.data.clips.actions import is_delta
from worldmodel.data.files.folder import Folder
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.formats.robots.rlds.reader import RLDS
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError

BRIDGE = "1.0.0/bridge_dataset-train.tfrecord-00000-of-00001"
KEY = "steps/observation/state"
TURNS = ("droll", "dpitch", "dyaw")


def scan(folder: Path) -> tuple[RLDS, list[View], list[Flaw]]:
    reader = RLDS(Folder(folder))
    views, flaws = [], []
    for unit in reader.units():
        try:
            for found in chain.from_iterable(map(parts_of, reader.scan(unit))):
                views.append(found) if isinstance(found, View) else flaws.append(found)
        except InputError as error:
            flaws.append(Flaw.of(error, unit.name))
    return reader, views, flaws


def one_episode(
    folder: Path, step: Mapping[str, Any], record: Mapping[str, Any], dataset: str = "toy"
) -> View:
    """The one view of a data set of one camera and one episode of 3 steps."""
    pictures = [encode_jpeg(np.full((8, 8, 3), 50 * t, np.uint8)) for t in range(3)]
    observation = {**step.get("observation", {}), "image": image("uint8", 8, 8, 3)}
    write_features(folder, nested(**{**step, "observation": nested(**observation)}))
    seen = {"steps/observation/image": (pictures, "byte")}
    write_records(folder / f"{dataset}-train.tfrecord-00000-of-00001", [{**seen, **record}])
    _, (view,), flaws = scan(folder)
    assert flaws == []
    return view


@pytest.mark.data
def test_real_episodes_are_what_another_reader_finds(data: Path) -> None:
    reader, views, flaws = scan(data / "bridge_widowx")
    assert flaws == []
    assert [(view.recording.name, view.camera.name) for view in views] == [
        (f"{BRIDGE}/{episode}", f"image_{camera}") for episode in range(25) for camera in range(4)
    ]
    truths: list[Any] = list(tfrecord_loader(str(data / "bridge_widowx" / BRIDGE), None))
    for episode, truth in enumerate(truths):
        for camera, view in enumerate(views[4 * episode : 4 * episode + 4]):
            assert (
                view.camera.length,
                view.camera.height,
                view.camera.width,
                view.camera.channels,
            ) == (10, 64, 64, 3)
            assert view.recording.instruction.encode() == truth["steps/language_instruction"][0]
            stored = truth[f"steps/observation/image_{camera}"][4:7]
            decoded = [np.asarray(Image.open(io.BytesIO(picture))) for picture in stored]
            frames = reader.frames(*view, range(4, 7))
            np.testing.assert_array_equal(frames.pixels, decoded)
            assert frames.pixels.any() == (camera < 3)
        signals = reader.signals(*views[4 * episode])
        np.testing.assert_array_equal(signals.actions, truth["steps/action"].reshape(10, 7)[:9])
        np.testing.assert_array_equal(
            signals.states, truth["steps/observation/state"].reshape(10, 7)
        )
        assert signals.actions.dtype == signals.states.dtype == np.float32


@pytest.mark.data
def test_real_actions_are_deltas_of_the_states_in_their_units(data: Path) -> None:
    reader, views, _ = scan(data / "bridge_widowx")
    signals = [reader.signals(*view) for view in views[::4]]
    moved = np.array([states[-1] - states[0] for _, states in signals])
    summed = np.array([actions.sum(axis=0) for actions, _ in signals])
    names = views[0].recording.action_names
    assert names == ("dx", "dy", "dz", *TURNS, "gripper")
    assert views[0].recording.state_names == tuple(name.removeprefix("d") for name in names)
    assert views[0].recording.action_units == ("m", "m", "m", "rad", "rad", "rad", "")
    for number, name in enumerate(names):
        assert is_delta(name) == (number < 6)
        if name not in ("dpitch", "gripper"):
            assert np.corrcoef(summed[:, number], moved[:, number])[0, 1] > 0.95
            slope = summed[:, number] @ moved[:, number] / (summed[:, number] @ summed[:, number])
            assert 0.85 < slope < 1.15
    assert {view.recording.domain for view in views} == {"bridge_dataset"}
    assert {view.recording.part for view in views} == {""}


@pytest.mark.parametrize(
    ("description", "names"),
    [
        (
            "[6x end effector delta pose, 1x gripper position].",
            ("dx", "dy", "dz", 3, 4, 5, "gripper"),
        ),
        (
            "[3x EEF positional delta, 3x EEF orientation delta in euler angle, 1x close gripper].",
            ("dx", "dy", "dz", *TURNS, "gripper"),
        ),
        (
            "[3x ee relative pos, 3x ee relative rotation, 1x gripper action].",
            ("dx", "dy", "dz", 3, 4, 5, "gripper"),
        ),
        (
            "[3x EEF position, 3x EEF orientation yaw/pitch/roll, 1x gripper open/close position].",
            (*(f"action_{number}" for number in range(6)), "gripper"),
        ),
        (
            "[3x robot end effector delta positions, 3x robot end effector rotations (roll, pitch, "
            "yaw),1x gripper open/close (0-open, 1-closed)].",
            ("dx", "dy", "dz", "action_3", "action_4", "action_5", "gripper"),
        ),
        (
            "[6x joint velocities, 1x gripper position]",
            (*(f"action_{i}" for i in range(6)), "gripper"),
        ),
        ("[6x delta joint position, 1x gripper]", (0, 1, 2, 3, 4, 5, "gripper")),
        ("[7x joint velocities, 2x gripper velocities, 1x terminate episode].", None),
        ("[1x gripper, 5x joint, 1x gripper]", None),
        ("Robot EEF action.", None),
        ("", None),
    ],
)
def test_actions_are_called_what_their_description_says(
    description: str, names: tuple[str | int, ...] | None, tmp_path: Path
) -> None:
    action = {**tensor("float32", 7), "description": f"Robot action, consists of {description}"}
    record = {"steps/action": (np.zeros(21), "float")}
    view = one_episode(tmp_path, {"action": action}, record)
    expected = names or tuple(f"action_{number}" for number in range(7))
    assert view.recording.action_names == tuple(
        f"delta_{name}" if isinstance(name, int) else name for name in expected
    )


def test_commands_of_open_x_embodiment_are_displacements(tmp_path: Path) -> None:
    """The layout that tensorflow_datasets' own test data has for its `bridge`."""
    step = {
        "action": nested(
            terminate_episode=tensor("float32"),
            world_vector=tensor("float32", 3),
            open_gripper=tensor("bool"),
            rotation_delta=tensor("float32", 3),
        ),
        "observation": {
            "natural_language_embedding": tensor("float32", 512),
            "state": tensor("float32", 7),
            "other": tensor("float32", 2),
            "natural_language_instruction": tensor("string"),
        },
    }
    values = np.arange(21.0)
    record = {
        "steps/action/terminate_episode": ([0.0, 0.0, 1.0], "float"),
        "steps/action/world_vector": (values[:9], "float"),
        "steps/action/open_gripper": ([1, 1, 0], "int"),
        "steps/action/rotation_delta": (values[9:18], "float"),
        "steps/observation/natural_language_embedding": (np.zeros(3 * 512), "float"),
        "steps/observation/state": (values, "float"),
        "steps/observation/other": (np.zeros(6), "float"),
        "steps/observation/natural_language_instruction": ([b"pick it up"] * 3, "byte"),
    }
    view = one_episode(tmp_path, step, record, "bridge")
    signals = RLDS(Folder(tmp_path)).signals(*view)
    assert view.recording.action_names == (
        "open_gripper",
        *TURNS,
        "terminate_episode",
        "dx",
        "dy",
        "dz",
    )
    np.testing.assert_array_equal(
        signals.actions, [[1, 9, 10, 11, 0, 0, 1, 2], [1, 12, 13, 14, 0, 3, 4, 5]]
    )
    assert view.recording.state_names == tuple(f"state_{number}" for number in range(7))
    np.testing.assert_array_equal(signals.states, values.reshape(3, 7))
    assert view.recording.instruction == "pick it up"


def test_a_video_without_actions_and_states(tmp_path: Path) -> None:
    record = {"steps/language_instruction": ([b"push \xff", b"", b""], "byte")}
    view = one_episode(tmp_path, {"reward": tensor("float32")}, record)
    signals = RLDS(Folder(tmp_path)).signals(*view)
    assert signals.actions.shape == (2, 0)
    assert signals.states.shape == (3, 0)
    assert (
        view.recording.action_names,
        view.recording.state_names,
        view.recording.instruction,
    ) == ((), (), "push \ufffd")


def test_a_split_is_a_part_only_beside_others(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    assert {(view.recording.file, view.recording.part) for view in scan(tmp_path)[1]} == {
        (SHARDS[0], "train"),
        (SHARDS[1], "train"),
        (SHARDS[2], "validation"),
    }
    before = next(iter(RLDS(Folder(tmp_path)).units()))
    (tmp_path / SHARDS[2]).unlink()
    assert {view.recording.part for view in scan(tmp_path)[1]} == {""}
    assert next(iter(RLDS(Folder(tmp_path)).units())) != before


def test_a_unit_depends_on_what_describes_it(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    for unit in RLDS(Folder(tmp_path)).units():
        assert {unit.name, f"{ROOT}/features.json", f"{ROOT}/dataset_info.json"} <= {*unit.files}


def test_missing_shards_are_named(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    (tmp_path / SHARDS[0]).unlink()
    _, views, flaws = scan(tmp_path)
    assert [flaw.file for flaw in flaws] == [SHARDS[0]]
    assert {view.recording.file for view in views} == set(SHARDS[1:])


@pytest.mark.parametrize("text", ["{}", "", '{"splits": [{"name": "train", "shardLengths": []}]}'])
def test_damaged_numbers_of_episodes_cost_no_episode(text: str, tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    whole = scan(tmp_path)[1]
    (tmp_path / ROOT / "dataset_info.json").write_text(text)
    _, views, flaws = scan(tmp_path)
    assert views == whole
    assert {flaw.file for flaw in flaws} == {f"{ROOT}/dataset_info.json"}


def test_the_numbers_of_episodes_may_be_unknown(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    whole = scan(tmp_path)[1]
    write_info(tmp_path / ROOT, {"test": [9]})
    assert scan(tmp_path)[1:] == (whole, [])
    (tmp_path / ROOT / "dataset_info.json").unlink()
    assert scan(tmp_path)[1:] == (whole, [])


def test_several_data_sets_and_unnumbered_shards(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path / "one")
    RLDSCase().write(tmp_path / "two")
    for name in SHARDS[1:]:
        (tmp_path / "two" / name).unlink()
    plain = "two/toy_arm/1.0.0/other-train.tfrecord"
    (tmp_path / "two" / SHARDS[0]).rename(tmp_path / plain)
    _, views, flaws = scan(tmp_path)
    assert flaws == []
    assert {view.recording.file for view in views} == {*(f"one/{shard}" for shard in SHARDS), plain}
    assert {view.recording.domain for view in views} == {"toy_arm", "other"}


@pytest.mark.data
def test_a_shard_alone_tells_what_it_lacks(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "bridge_widowx" / BRIDGE, tmp_path)
    _, views, flaws = scan(tmp_path)
    assert views == []
    assert str(flaws[0]) == "features.json: there is no such file"


def test_without_shards(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    folder = Folder(tmp_path)
    assert not RLDS.recognises(folder)
    with pytest.raises(InputError, match=r"NAME-train.tfrecord-00000-of-00005, found 1 other"):
        list(RLDS(folder).units())


def test_a_record_is_read_alone(tmp_path: Path) -> None:
    """What comes before a record and after it may be anything by the time it is read."""
    truths = RLDSCase().write(tmp_path)
    reader, views, _ = scan(tmp_path)
    path = tmp_path / SHARDS[0]
    first, second, third = (16 + len(data) for data in payloads(path))
    stored = path.read_bytes()
    path.write_bytes(bytes(first) + stored[first : first + second] + b"\xff" * third)
    view = views[3]
    assert view.recording.place == {"offset": first}
    pixels = reader.frames(*view, range(2, 5)).pixels
    np.testing.assert_array_equal(pixels, truths[3].pixels[2:5])
    with pytest.raises(InputError, match=rf"{SHARDS[0]}/0: .*length of a record differs"):
        frames_at(reader, views[0], range(1))


def test_an_episode_that_has_become_shorter_is_named(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    reader, views, _ = scan(tmp_path)
    shutil.copy(tmp_path / SHARDS[2], tmp_path / SHARDS[0])
    for view in views[:3]:
        reader.frames(*view, range(3))
        with pytest.raises(InputError, match=rf"{SHARDS[0]}/0: .*at least 4 of .*, got 3"):
            frames_at(reader, view, range(2, 4))


def test_no_more_is_inflated_than_is_declared(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(2**26))
    step = {"observation": {"state": tensor("float16", 2, encoding="zlib")}}
    record = {KEY: ([zlib.compress(b"\0\x3c\0\xc0")] * 3, "byte")}
    view = one_episode(tmp_path, step, record)
    np.testing.assert_array_equal(RLDS(Folder(tmp_path)).signals(*view).states, [[1, -2]] * 3)
    changed(view.recording.file, 0, lambda record: record.update({KEY: ([bomb] * 3, "byte")}))(
        tmp_path
    )
    tracemalloc.start()
    _, views, flaws = scan(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert views == []
    assert "to have 4 bytes per step" in flaws[0].reason
    assert peak < 2**24


def test_a_described_camera_that_is_gone_is_named(tmp_path: Path) -> None:
    RLDSCase().write(tmp_path)
    reader, views, _ = scan(tmp_path)
    step = nested(observation=nested(image=image("uint8", 24, 32, 3)))
    write_features(tmp_path / ROOT, step)
    with pytest.raises(InputError, match=rf"{SHARDS[0]}/0: .*no camera mask"):
        frames_at(reader, views[1], range(1))


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RLDSCase().write(tmp_path)
    monkeypatch.setitem(sys.modules, "tfrecord.example_pb2", None)
    assert RLDS.recognises(Folder(tmp_path))
    reasons = {flaw.reason for flaw in scan(tmp_path)[2]}
    assert len(reasons) == 1
    assert "pip install 'worldmodel[logs]'" in reasons.pop()
