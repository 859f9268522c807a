"""robomimic data sets for the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import h5py
import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from formats.hdf5_edits import declared, edited, partly_stored, removed, with_value
from worldmodel.data.formats.robots.robomimic import Robomimic

LIFT = {
    "env_name": "Lift",
    "type": 1,
    "env_kwargs": {
        "robots": ["Panda"],
        "control_freq": 20,
        "controller_configs": {"type": "OSC_POSE", "control_delta": True},
    },
}
LIBERO_OBSERVED = ("agentview_rgb", "depth", "ee_pos", "gripper_states")
IMAGE, LIBERO = "ph/image.hdf5", "put_the_bowl_demo.hdf5"


def write_demonstration(
    data: h5py.Group,
    name: str,
    actions: np.ndarray,
    observed: Mapping[str, np.ndarray],
    **options: Any,
) -> None:
    """Write one as `dataset_states_to_obs.py` does."""
    group = data.create_group(name)
    group["actions"] = actions
    group["rewards"], group["dones"] = np.zeros(len(actions)), np.zeros(len(actions), np.int64)
    for key, values in observed.items():
        group.create_dataset(f"obs/{key}", data=values, **options)
        group.create_dataset(f"next_obs/{key}", data=np.roll(values, -1, axis=0), **options)
    group.attrs["num_samples"] = len(actions)


@final
class RobomimicCase(FormatCase):
    """A file of robosuite's with two cameras, and a compressed one of LIBERO's with one."""

    reader = Robomimic

    def write(self, folder: Path) -> list[Truth]:
        """Write two files, of three and one demonstrations."""
        (folder / IMAGE).parent.mkdir()
        truths = []
        with h5py.File(folder / IMAGE, "w") as file:
            data = file.create_group("data")
            for number, length in ((10, 6), (2, 9), (0, 7)):
                films = {
                    key: moving_square(number % 5 + camera, length)
                    for camera, key in enumerate(("agentview_image", "robot0_eye_in_hand_image"))
                }
                arm = {
                    "robot0_eef_pos": walk(number, length, 3, np.float64),
                    "robot0_eef_quat": walk(number + 1, length, 4, np.float64),
                    "robot0_gripper_qpos": walk(number + 2, length, 2, np.float64),
                }
                others = {"object": walk(3, length, 10), "robot0_joint_pos": walk(4, length, 7)}
                actions = walk(number + 3, length, 7, np.float64)
                name = f"demo_{number}"
                write_demonstration(data, name, actions, films | arm | others)
                states = np.hstack(list(arm.values()))
                truths = [
                    Truth(f"{IMAGE}/{name}", key, pixels, actions[:-1], states)
                    for key, pixels in films.items()
                ] + truths
            data.attrs["env_args"] = json.dumps(LIFT, indent=4)
            data.attrs["total"] = 22
            file["mask/train"] = np.array(["demo_0", "demo_10"], "S")
            file["mask/valid"] = np.array(["demo_2"], "S")
            file["mask/20_percent"] = np.array(["demo_2", "demo_0"], "S")
        with h5py.File(folder / LIBERO, "w") as file:
            data = file.create_group("data")
            pixels, length = moving_square(4, 5), 5
            low = {"ee_pos": walk(5, length, 3), "gripper_states": walk(6, length, 2)}
            actions = walk(7, length, 7)
            observed = {"agentview_rgb": pixels, "depth": walk(8, length, 1)[..., None], **low}
            write_demonstration(data, "demo_0", actions, observed, compression="gzip")
            data.attrs["problem_info"] = json.dumps({"language_instruction": "put the bowl away"})
            states = np.hstack(list(low.values()))
            truths.append(Truth(f"{LIBERO}/demo_0", "agentview_rgb", pixels, actions[:-1], states))
        return _in_order(truths)

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second demonstration, or to the second file."""
        lost, film = (f"{IMAGE}/demo_2",), "data/demo_2/obs/agentview_image"
        actions, state = "data/demo_2/actions", "data/demo_2/obs/robot0_eef_pos"
        return {
            "nan action": Damage(edited(IMAGE, actions, with_value(np.nan)), "NaN", lost),
            "infinite action": Damage(
                edited(IMAGE, actions, with_value(np.inf)), "NaN or inf", lost
            ),
            "infinite state": Damage(edited(IMAGE, state, with_value(-np.inf)), "NaN or inf", lost),
            "no actions": Damage(removed(IMAGE, actions), "no dataset 'actions'", lost),
            "fewer actions": Damage(
                edited(IMAGE, actions, lambda values: values[:-2]),
                "'num_samples', got 7 and 9",
                lost,
            ),
            "fewer pictures": Damage(
                edited(IMAGE, film, lambda values: values[:-1]), "as many pictures", lost
            ),
            "fewer states": Damage(
                edited(IMAGE, state, lambda values: values[1:]), "expected 9 rows", lost
            ),
            "text actions": Damage(
                edited(IMAGE, actions, lambda values: values.astype("S")), "to be numbers", lost
            ),
            "a single action": Damage(
                edited(IMAGE, actions, lambda values: np.float64(1)), "damaged|numbers|rows", lost
            ),
            "no observations": Damage(removed(IMAGE, "data/demo_2/obs"), "no group 'obs'", lost),
            "huge pictures": Damage(
                declared(IMAGE, film, (9, 2**14, 2**14, 3), np.uint8), "declares .* stores 0", lost
            ),
            "huge actions": Damage(
                declared(IMAGE, actions, (2**40, 7), np.float64), "declares .* stores 0", lost
            ),
            "a picture never written": Damage(partly_stored(IMAGE, film), "declares", lost),
            "two parts": Damage(
                edited(IMAGE, "mask/train", lambda names: np.append(names, b"demo_2")),
                "in one part",
                lost,
            ),
            "broken arguments": Damage(
                _broken_arguments,
                "'env_args' to be JSON",
                _all_of_image(),
            ),
            "one step": Damage(_one_step, "at least 2 usable frames", (f"{LIBERO}/demo_0",)),
            "no pictures": Damage(
                removed(LIBERO, "data/demo_0/obs/agentview_rgb"),
                r"pictures.*got depth float32 \(1, 1\), ee_pos float32 \(3,\)",
                (f"{LIBERO}/demo_0",),
            ),
            "no data": Damage(
                removed(IMAGE, "data"), "no group 'data'; available: mask", _all_of_image()
            ),
        }


def _all_of_image() -> tuple[str, ...]:
    return tuple(f"{IMAGE}/demo_{number}" for number in (0, 2, 10))


def _broken_arguments(folder: Path) -> None:
    with h5py.File(folder / IMAGE, "a") as file:
        file["data"].attrs["env_args"] = '{"env_name": '


def _one_step(folder: Path) -> None:
    with h5py.File(folder / LIBERO, "a") as file:
        file["data/demo_0"].attrs["num_samples"] = 1
    for key in ("actions", *(f"obs/{key}" for key in LIBERO_OBSERVED)):
        edited(LIBERO, f"data/demo_0/{key}", lambda values: values[:1])(folder)


def _in_order(truths: list[Truth]) -> list[Truth]:
    """As files are listed: by name; their demonstrations by number."""
    return sorted(truths, key=lambda truth: (truth.name.rpartition("/")[0], _number(truth.name)))


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])
