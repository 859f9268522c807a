"""Minari data sets for the contract, written by the library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, final

import h5py
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from formats.hdf5_edits import declared, edited, partly_stored, removed, with_value
from worldmodel.data.files.pictures import encode_jpeg
from worldmodel.data.formats.robots.minari.reader import Minari

ARM, GAME, JPEG = "arm-v1/data", "game-v0/data", "jpeg-v0/data"
ARRAYS = f"{ARM}/main_data.hdf5"


def write_data_set(
    data: Path,
    observation: spaces.Space,
    action: spaces.Space,
    episodes: list[tuple[Any, Any]],
    jpeg_encoding: bool = True,
    **metadata: Any,
) -> None:
    """Write observations (T) and actions (T-1) as `create_dataset_from_buffers` does."""
    data.parent.mkdir(parents=True)
    storage = MinariStorage.new(data, observation, action, jpeg_encoding=jpeg_encoding)
    storage.update_metadata(
        {"dataset_id": data.parent.name, "minari_version": minari.__version__, **metadata}
    )
    storage.update_episodes([_buffer(*episode) for episode in episodes])


def box(*shape: int, dtype: type = np.float64) -> spaces.Box:
    """Of numbers without bounds, or of bytes."""
    low, high = (0, 255) if dtype is np.uint8 else (-np.inf, np.inf)
    return spaces.Box(low, high, shape, dtype)


def _buffer(observed: Any, actions: Any) -> EpisodeBuffer:
    parts = actions.values() if isinstance(actions, dict) else actions
    steps = len(next(iter(parts))) if isinstance(actions, dict | tuple) else len(actions)
    ends = [False] * (steps - 1) + [True]
    return EpisodeBuffer(
        observations=observed,
        actions=actions,
        rewards=[0.0] * steps,
        terminations=[False] * steps,
        truncations=ends,
        infos={"success": np.zeros(steps + 1, bool)},
    )


@final
class MinariCase(FormatCase):
    """An arm with two cameras, a game that is only pictures (C, H, W), and JPEG pictures."""

    reader = Minari

    def write(self, folder: Path) -> list[Truth]:
        """Write three data sets, of three, one and two episodes."""
        return [*_write_arm(folder), *_write_game(folder), *_write_jpeg(folder)]

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second episode of the arm, or to all of it."""
        lost = (f"{ARRAYS}/episode_1",)
        all_of_arm = tuple(f"{ARRAYS}/episode_{number}" for number in range(3))
        episode = "episode_1"
        actions, film = f"{episode}/actions", f"{episode}/observations/cameras/front"
        state = f"{episode}/observations/joints"
        jpeg, jpegs = f"{JPEG}/main_data.hdf5", "episode_1/observations"
        return {
            "nan action": Damage(edited(ARRAYS, actions, with_value(np.nan)), "NaN", lost),
            "infinite state": Damage(edited(ARRAYS, state, with_value(np.inf)), "NaN or inf", lost),
            "no actions": Damage(removed(ARRAYS, actions), "no dataset 'actions'", lost),
            "no pictures": Damage(removed(ARRAYS, film), "no dataset 'observations/c", lost),
            "fewer actions": Damage(
                edited(ARRAYS, actions, lambda values: values[:-2]),
                "expected 8 rows of 'actions', got 6",
                lost,
            ),
            "as many actions as pictures": Damage(
                edited(ARRAYS, actions, lambda values: values[[*range(8), 7]]),
                "expected 8 rows of 'actions', got 9",
                lost,
            ),
            "fewer pictures of one camera": Damage(
                edited(ARRAYS, film, lambda values: values[:-1]), "as many pictures of", lost
            ),
            "fewer states": Damage(
                edited(ARRAYS, state, lambda values: values[1:]), "expected 9 rows", lost
            ),
            "text actions": Damage(
                edited(ARRAYS, actions, lambda values: values.astype("S")), "to be numbers", lost
            ),
            "pictures of another size": Damage(
                edited(ARRAYS, film, lambda values: values[:, 1:]), "as described, or JPEG", lost
            ),
            "pictures in floating point": Damage(
                edited(ARRAYS, film, lambda values: values / 255), "as described, or JPEG", lost
            ),
            "huge pictures": Damage(
                declared(ARRAYS, film, (2**40, 24, 32, 3), np.uint8), "declares .* stores 0", lost
            ),
            "huge actions": Damage(
                declared(ARRAYS, actions, (2**40, 3), np.float64), "declares .* stores 0", lost
            ),
            "a picture never written": Damage(partly_stored(ARRAYS, film), "declares", lost),
            "an episode without steps": Damage(
                _cut_to(jpeg, "episode_1", 0), "got none", (f"{jpeg}/episode_1",)
            ),
            "an episode of one picture": Damage(
                _cut_to(jpeg, "episode_1", 1), "at least 2 usable", (f"{jpeg}/episode_1",)
            ),
            "JPEG of another size": Damage(
                edited(jpeg, jpegs, lambda values: _jpegs(moving_square(1, 5, 40, 56))),
                r"expected pictures \(48, 56, 3\)",
                (f"{jpeg}/episode_1",),
            ),
            "garbage for a JPEG": Damage(
                edited(jpeg, jpegs, _with_garbage), "frame 3", (f"{jpeg}/episode_1",), True
            ),
            "a missing episode": Damage(
                removed(ARRAYS, "episode_2"),
                "3 episodes are listed and 2 are there",
                (f"{ARRAYS}/episode_2",),
            ),
            "no episodes": Damage(_remove_all, "expected episodes, got other", all_of_arm),
            "no spaces": Damage(
                _described(observation_space=None), "'observation_space' to describe", all_of_arm
            ),
            "an unknown space": Damage(
                _described(observation_space='{"type": "Sphere"}'),
                "to describe a space",
                all_of_arm,
            ),
            "a space in which there is no picture": Damage(
                _described(
                    observation_space=json.dumps(
                        {
                            "type": "Dict",
                            "subspaces": {
                                "joints": {
                                    "type": "Box",
                                    "dtype": "float32",
                                    "shape": [2],
                                    "low": [0, 0],
                                    "high": [1, 1],
                                }
                            },
                        }
                    )
                ),
                r"expected an observation that is a picture.*got joints float32 \(2,\)",
                all_of_arm,
            ),
            "a space of a terabyte": Damage(
                _described(
                    action_space=json.dumps(
                        {"type": "Box", "dtype": "float64", "shape": [2**37], "low": 0, "high": 1}
                    )
                ),
                "to describe a space",
                all_of_arm,
            ),
            "another storage": Damage(_described(data_format="arrow"), "got arrow", all_of_arm),
            "a list": Damage(_described_by_a_list, "an object, got list", all_of_arm),
        }


def _write_arm(folder: Path) -> list[Truth]:
    truths, episodes = [], []
    for number, length in enumerate((6, 9, 7)):
        films = {
            name: moving_square(number + 4 * i, length) for i, name in enumerate(("front", "wrist"))
        }
        joints, pose = walk(number, length, 4, np.float64), walk(number + 4, length, 2)
        actions = walk(number + 8, length - 1, 3, np.float64)
        step = np.arange(length)[:, None]
        episodes.append(({"cameras": films, "joints": joints, "pose": pose, "step": step}, actions))
        truths += [
            Truth(
                f"{ARRAYS}/episode_{number}",
                f"cameras/{name}",
                pixels,
                actions,
                np.hstack([joints, pose]),
            )
            for name, pixels in films.items()
        ]
    picture = box(24, 32, 3, dtype=np.uint8)
    observation = spaces.Dict(
        cameras=spaces.Dict(front=picture, wrist=picture),
        joints=box(4),
        pose=box(2, dtype=np.float32),
        step=spaces.Box(0, 99, (1,), np.int64),
    )
    write_data_set(folder / ARM, observation, box(3), episodes)
    return truths


def _write_game(folder: Path) -> list[Truth]:
    pixels, actions = moving_square(3, 8), np.arange(7) % 4
    episode = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), list(actions)
    write_data_set(folder / GAME, box(3, 24, 32, dtype=np.uint8), spaces.Discrete(4), [episode])
    name = f"{GAME}/main_data.hdf5/episode_0"
    return [Truth(name, "", pixels, actions[:, None].astype(np.float64), np.zeros((8, 0)))]


def _write_jpeg(folder: Path) -> list[Truth]:
    """Pictures as the library itself decodes them."""
    actions = [
        (walk(number, length - 1, 2), np.arange(length - 1)) for number, length in enumerate((4, 5))
    ]
    episodes = [
        (moving_square(i, len(those[0]) + 1, 48, 56), those) for i, those in enumerate(actions)
    ]
    space = spaces.Tuple((box(2, dtype=np.float32), spaces.Discrete(9)))
    write_data_set(folder / JPEG, box(48, 56, 3, dtype=np.uint8), space, episodes)
    decoded = MinariStorage.read(folder / JPEG).get_episodes(range(2))
    return [
        Truth(
            f"{JPEG}/main_data.hdf5/episode_{episode['id']}",
            "",
            episode["observations"],
            np.hstack([those[0], those[1][:, None]]),
            np.zeros((len(those[0]) + 1, 0)),
        )
        for episode, those in zip(decoded, actions, strict=True)
    ]


def _metadata(folder: Path) -> Path:
    return folder / ARM / "metadata.json"


def _described(**changes: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = _metadata(folder)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return apply


def _described_by_a_list(folder: Path) -> None:
    _metadata(folder).write_text("[]")


def _remove_all(folder: Path) -> None:
    with h5py.File(folder / ARRAYS, "w") as file:
        file.create_group("other")


def _cut_to(file: str, episode: str, length: int) -> Callable[[Path], None]:
    """Leave so many pictures."""

    def apply(folder: Path) -> None:
        pictures = edited(
            file, f"{episode}/observations", lambda values: _jpegs_of(values[:length])
        )
        pictures(folder)
        for part in range(2):
            actions = f"{episode}/actions/_index_{part}"
            edited(file, actions, lambda values: values[: max(0, length - 1)])(folder)

    return apply


def _jpegs(frames: np.ndarray) -> np.ndarray:
    return _jpegs_of([np.frombuffer(encode_jpeg(frame), np.uint8) for frame in frames])


def _jpegs_of(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Byte strings of any length, as h5py stores them."""
    rows = list(pictures)
    table = np.empty(len(rows), h5py.vlen_dtype(np.uint8))
    table[:] = rows
    return table


def _with_garbage(pictures: np.ndarray) -> np.ndarray:
    changed = list(pictures)
    changed[3] = np.random.default_rng(0).integers(0, 255, 200, np.uint8)
    return _jpegs_of(changed)
