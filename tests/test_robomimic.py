"""The robomimic reader: what robosuite's and LIBERO's files say, and how little is read of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from formats.case import moving_square, walk
from formats.robomimic import IMAGE, LIBERO, LIFT, RobomimicCase, write_demonstration
from reading import found_in, frames_at

from worldmodel.data.clips.actions import is_delta
from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.robots.robomimic import DELTA_ACTIONS, Robomimic
from worldmodel.data.formats.robots.robonet.reader import RoboNet
from worldmodel.data.recording import Flaw, View
from worldmodel.errors import InputError

OSC = {"type": "OSC_POSE", "output_max": [0.05] * 3 + [0.5] * 3}
GRIPPER = {"gripper": {"type": "GRIP"}}
RIGHT = OSC | GRIPPER
TORSO = {"torso": {"type": "JOINT_POSITION", "input_type": "delta"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "recordings"
    path.mkdir()
    return path


def write(path: Path, width: int = 7, dtype: Any = np.float32, **arguments: Any) -> Path:
    """One demonstration of five steps in a file."""
    observed = {"agentview_image": moving_square(0, 5), "robot0_joint_pos": walk(1, 5, 7)}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        write_demonstration(data, "demo_0", walk(0, 5, width).astype(dtype), observed)
        data.attrs["env_args"] = json.dumps(arguments)
    return path


def controlled(controller: Any, robots: Any = "Panda") -> dict[str, Any]:
    return {"env_kwargs": {"robots": robots, "controller_configs": controller}}


def scan(path: Path) -> list[View | Flaw]:
    reader = Robomimic(Folder(path))
    return found_in(reader)


def one_view(path: Path) -> View:
    (view,) = scan(path)
    assert isinstance(view, View)
    return view


@pytest.mark.parametrize(
    "arguments",
    [
        controlled(OSC | {"control_delta": True}),
        controlled(OSC | {"control_delta": True}, ["Sawyer"]),
        controlled({"type": "BASIC", "body_parts": {"right": RIGHT | {"input_type": "delta"}}}),
        controlled(
            {
                "type": "BASIC",
                "body_parts": {"arms": {"right": RIGHT | {"input_type": "delta"}}} | TORSO,
            }
        ),
    ],
    ids=["before 1.5", "a list of robots", "since 1.5", "since 1.5, by arm"],
)
def test_displacements_are_called_so(folder: Path, arguments: dict[str, Any]) -> None:
    view = one_view(write(folder / "a.hdf5", **arguments))
    assert view.recording.action_names == DELTA_ACTIONS
    assert [is_delta(name) for name in view.recording.action_names] == [True] * 6 + [False]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        controlled(None),
        controlled([OSC | {"control_delta": True}]),
        controlled(OSC),
        controlled(OSC | {"control_delta": False}),
        controlled(OSC | {"type": "JOINT_POSITION", "control_delta": True}),
        controlled(OSC | {"control_delta": True}, ["Panda", "Panda"]),
        controlled({"type": "BASIC", "body_parts": {"right": RIGHT | {"input_type": "absolute"}}}),
        controlled(
            {
                "type": "BASIC",
                "body_parts": {side: RIGHT | {"input_type": "delta"} for side in ("right", "left")},
            }
        ),
    ],
)
def test_actions_are_no_displacements_unless_the_file_says_so(
    folder: Path, arguments: dict[str, Any]
) -> None:
    names = one_view(write(folder / "a.hdf5", **arguments)).recording.action_names
    assert names == tuple(f"action_{number}" for number in range(7))


def test_displacements_of_another_width_are_not_named(folder: Path) -> None:
    path = write(folder / "a.hdf5", 12, **controlled(OSC | {"control_delta": True}))
    assert one_view(path).recording.action_names == tuple(
        f"action_{number}" for number in range(12)
    )


def test_a_file_tells_domain_rate_part_and_task(folder: Path) -> None:
    RobomimicCase().write(folder)
    views = [view for view in scan(folder) if isinstance(view, View)]
    lift = [view for view in views if view.recording.file == IMAGE]
    assert [view.recording.name for view in lift[::2]] == [f"{IMAGE}/demo_{n}" for n in (0, 2, 10)]
    assert [view.recording.part for view in lift[::2]] == ["train", "validation", "train"]
    assert {
        (view.recording.domain, view.camera.fps, view.recording.instruction) for view in lift
    } == {("Panda/Lift", 20.0, "")}
    assert lift[0].recording.state_names == (
        *(f"robot0_eef_pos_{i}" for i in range(3)),
        *(f"robot0_eef_quat_{i}" for i in range(4)),
        *(f"robot0_gripper_qpos_{i}" for i in range(2)),
    )
    (bowl,) = [view for view in views if view.recording.file == LIBERO]
    assert (bowl.recording.domain, bowl.recording.part, bowl.recording.instruction) == (
        "put_the_bowl_demo",
        "",
        "put the bowl away",
    )
    assert bowl.recording.state_names == (
        *(f"ee_pos_{i}" for i in range(3)),
        *(f"gripper_states_{i}" for i in range(2)),
    )


def test_a_demonstration_tells_its_own_task(folder: Path) -> None:
    path = write(folder / "a.hdf5")
    with h5py.File(path, "a") as file:
        file["data/demo_0"].attrs["ep_meta"] = json.dumps({"lang": "open the drawer"})
    assert one_view(path).recording.instruction == "open the drawer"


def test_groups_among_the_observations_are_left_out(folder: Path) -> None:
    path = write(folder / "a.hdf5")
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/datagen_info/eef_pose"] = np.full((5, 4, 4), np.nan)
        file["data/demo_0/obs/segmentation"] = np.zeros((5, 24, 32, 1), np.int32)
    assert one_view(path).recording.state_names == tuple(f"robot0_joint_pos_{i}" for i in range(7))


@pytest.mark.parametrize(
    ("stored", "read"),
    [("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8"), ("f2", "f4"), ("i8", "f8")],
)
def test_numbers_stay_as_exact_as_they_were(folder: Path, stored: str, read: str) -> None:
    path = write(folder / "a.hdf5", dtype=stored)
    actions = Robomimic(Folder(path)).signals(*one_view(path)).actions
    assert actions.dtype == read
    np.testing.assert_array_equal(actions, walk(0, 5, 7).astype(stored)[:-1])


def test_what_there_is_instead_of_pictures_is_listed(folder: Path) -> None:
    path = write(folder / "low_dim.hdf5")
    with h5py.File(path, "a") as file:
        del file["data/demo_0/obs/agentview_image"]
        file["data/demo_0/obs/object"] = walk(0, 5, 10, np.float64)
    (flaw,) = scan(path)
    assert isinstance(flaw, Flaw)
    assert flaw.recording == "low_dim.hdf5/demo_0"
    assert "got object float64 (10,), robot0_joint_pos float32 (7,)" in flaw.reason


def test_only_the_pictures_that_are_asked_for_are_decompressed(folder: Path) -> None:
    path = write(folder / "a.hdf5")
    with h5py.File(path, "a") as file:
        del file["data/demo_0/obs/agentview_image"]
        pictures = file.create_dataset(
            "data/demo_0/obs/agentview_image",
            data=moving_square(0, 5),
            chunks=(1, 24, 32, 3),
            compression="gzip",
        )
        third = pictures.id.get_chunk_info(3)
    with path.open("r+b") as raw:
        raw.seek(third.byte_offset)
        raw.write(bytes(third.size))
    reader, view = Robomimic(Folder(path)), one_view(path)
    for steps in (range(3), range(4, 5)):
        expected = moving_square(0, 5)[steps.start : steps.stop]
        np.testing.assert_array_equal(reader.frames(*view, steps).pixels, expected)
    with pytest.raises(InputError, match=r"a\.hdf5/demo_0: agentview_image: not a readable HDF5"):
        frames_at(reader, view, range(2, 4))


def test_other_hdf5_files_are_not_taken_for_it(folder: Path) -> None:
    with h5py.File(folder / "a.hdf5", "w") as file:
        file["data"] = np.zeros(3)
        file["policy/actions"], file["env/state"] = np.zeros((3, 4)), np.zeros((4, 5))
    (folder / "b.hdf5").write_bytes(b"none")
    assert not Robomimic.recognises(Folder(folder))
    assert RoboNet.recognises(Folder(folder))
    write(folder / "c.hdf5", **LIFT)
    (folder / "a.hdf5").unlink()
    assert Robomimic.recognises(Folder(folder))
    assert not RoboNet.recognises(Folder(folder))


def test_a_folder_without_files_is_told(folder: Path) -> None:
    (folder / "notes.txt").write_text("none")
    with pytest.raises(InputError, match=r"expected files \*\.hdf5 or \*\.h5, found 1 other"):
        list(Robomimic(Folder(folder)).units())
