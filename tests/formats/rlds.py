"""RLDS data sets for the contract."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from writing import encode_png

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from formats.records import Features, changed, flipped, framed, replaced, write_records
from worldmodel.data.formats.robots.rlds.reader import RLDS

ROOT = "toy_arm/1.0.0"
SHARDS = tuple(
    f"{ROOT}/toy_arm-{name}"
    for name in (
        "train.tfrecord-00000-of-00002",
        "train.tfrecord-00001-of-00002",
        "val.tfrecord-00000-of-00001",
    )
)
LENGTHS = ((5, 7, 4), (6,), (3,))
HEIGHT, WIDTH = 24, 32


@final
class RLDSCase(FormatCase):
    """Three shards of a data set whose actions and observations are nested."""

    reader = RLDS

    def write(self, folder: Path) -> list[Truth]:
        """Write the shards and what tells of them."""
        truths = []
        for shard, (file, lengths) in enumerate(zip(SHARDS, LENGTHS, strict=True)):
            records = []
            for number, length in enumerate(lengths):
                seed = 3 * shard + number
                record, views = _episode(f"{file}/{number}", seed, length)
                records.append(record)
                truths += views
            write_records(folder / file, records)
        write_features(
            folder / ROOT,
            nested(
                action=nested(
                    world_vector=tensor("float32", 3),
                    open_gripper=tensor("bool"),
                    comment=tensor("string"),
                    grasp=nested(force=tensor("float32", 2, encoding="zlib")),
                ),
                observation=nested(
                    image=image("uint8", HEIGHT, WIDTH, 3),
                    wrist=nested(raw=tensor("uint8", HEIGHT, WIDTH, 3)),
                    mask=tensor("uint8", HEIGHT, WIDTH, 1, encoding="bytes"),
                    depth=image("uint16", HEIGHT, WIDTH, 1),
                    joints=tensor("float64", 4),
                    force=tensor("float32"),
                    language_embedding=tensor("float32", 8),
                    counter=tensor("int64"),
                ),
                is_last=tensor("bool"),
                language_instruction={"text": {}},
            ),
        )
        write_info(folder / ROOT, {"train": [3, 1], "val": [1], "test": [4]})
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second episode of the first shard, to more, or to one camera only."""
        lost = (f"{SHARDS[0]}/1",)
        rest = (*lost, f"{SHARDS[0]}/2")
        everything = tuple(
            f"{file}/{number}"
            for file, lengths in zip(SHARDS, LENGTHS, strict=True)
            for number in range(len(lengths))
        )
        vector, joints = "action/world_vector", "observation/joints"
        picture, raw = "observation/image", "observation/wrist/raw"
        return {
            "nan action": Damage(_edited(vector, _with(np.nan)), "NaN or infinity", lost),
            "infinite state": Damage(_edited(joints, _with(np.inf)), "NaN or infinity", lost),
            "fewer actions": Damage(_edited(vector, lambda v: v[:-3]), "as many of each", lost),
            "half an action": Damage(_edited(vector, lambda v: v[:-1]), "3 values per st", lost),
            "fewer pictures": Damage(_edited(picture, lambda v: v[1:]), "as many of each", lost),
            "no pictures": Damage(_edited(picture, lambda v: []), "as many of each", lost),
            "half a picture": Damage(_edited(raw, lambda v: v[:-1]), "values per step", lost),
            "no actions": Damage(_without(f"steps/{vector}"), "no feature 'steps/act", lost),
            "text actions": Damage(
                _edited(vector, lambda v: [b"x"] * len(v), "byte"), "to be a float_list", lost
            ),
            "integer actions": Damage(
                _edited(vector, lambda v: [0] * len(v), "int"), "to be a float_list", lost
            ),
            "short force": Damage(
                _edited("action/grasp/force", lambda v: [zlib.compress(b"1234")] * len(v)),
                "8 bytes per step",
                lost,
            ),
            "inflating force": Damage(
                _edited("action/grasp/force", lambda v: [zlib.compress(bytes(2**24))] * len(v)),
                "8 bytes per step",
                lost,
            ),
            "force not deflated": Damage(
                _edited("action/grasp/force", lambda v: [b"12345678"] * len(v)),
                "cannot be inflated",
                lost,
            ),
            "one step": Damage(_shortened(1), "at least 2 usable frames, got 1", lost),
            "no step": Damage(_shortened(0), "at least 2 usable frames, got 0", lost),
            "no picture": Damage(
                _edited(picture, lambda v: [b"nothing", *v[1:]]), "no readable picture", lost
            ),
            "broken picture": Damage(
                _edited(picture, lambda v: [*v[:2], v[2][:60], *v[3:]]),
                "image: frame 2: damaged picture",
                (),
                when_read=True,
            ),
            "other size": Damage(
                _edited(
                    picture, lambda v: [*v[:3], encode_png(np.zeros((9, 9, 3), np.uint8)), *v[4:]]
                ),
                "of 24x32, got 9x9",
                (),
                when_read=True,
            ),
            "bright picture": Damage(
                _edited(raw, lambda v: [*v[:-1], 256]), "from 0 to 255", (), when_read=True
            ),
            "flipped byte": Damage(replaced(SHARDS[0], 1, flipped(400)), "its checksum", lost),
            "no example": Damage(
                replaced(SHARDS[0], 1, lambda _: framed(b"\xff" * 9)), "no tf.train.Example", lost
            ),
            "flipped length": Damage(replaced(SHARDS[0], 1, flipped(9)), "length of a rec", rest),
            "huge length": Damage(
                replaced(SHARDS[0], 1, lambda _: framed(b"", 2**63)), "ends within a rec", rest
            ),
            "cut record": Damage(
                replaced(SHARDS[0], 2, lambda data: data[:-1]), "ends within a rec", rest[1:]
            ),
            "missing record": Damage(
                replaced(SHARDS[0], 2, lambda data: b""), "at least 3 records, got 2", rest[1:]
            ),
            "missing shard": Damage(
                lambda folder: (folder / SHARDS[1]).unlink(),
                f"{SHARDS[1]}: a shard is missing",
                (f"{SHARDS[1]}/0",),
            ),
            "huge tensor": Damage(
                _described('"dimensions": ["3"]', f'"dimensions": ["3{"0" * 30}"]'),
                "to declare its shape",
                everything,
            ),
            **{
                f"{side} wide": Damage(
                    _described('"dimensions": ["3"]', f'"dimensions": ["{side}"]'),
                    "to declare its shape",
                    everything,
                )
                for side in (0, -1)
            },
            "no cameras": Damage(
                _described('"uint8"', '"uint16"'), "expected an observation that is", everything
            ),
            "no steps": Damage(_described('"steps"', '"frames"'), "sequence of steps", everything),
            "list of features": Damage(_overwritten("[]"), "sequence of steps", everything),
            "deep features": Damage(_overwritten("[" * 10**5), "sequence of steps", everything),
            "endless shape": Damage(
                _described('"dimensions": ["3"]', '"dimensions": [Infinity]'),
                "sequence of steps",
                everything,
            ),
        }


def image(dtype: str, *shape: int) -> Mapping[str, Any]:
    """Description of pictures that are compressed one by one."""
    return {"image": {"shape": _dimensions(shape), "dtype": dtype, "encodingFormat": "png"}}


def tensor(dtype: str, *shape: int, encoding: str = "none") -> Mapping[str, Any]:
    """Description of a tensor."""
    return {"tensor": {"shape": _dimensions(shape), "dtype": dtype, "encoding": encoding}}


def nested(**features: Mapping[str, Any]) -> Mapping[str, Any]:
    """Description of a dictionary."""
    return {"featuresDict": {"features": features}}


def write_features(folder: Path, step: Mapping[str, Any]) -> None:
    """The file that describes a step, as tensorflow_datasets writes it."""
    steps = {"sequence": {"feature": step, "length": "-1"}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "features.json").write_text(json.dumps(nested(steps=steps)))


def write_info(folder: Path, splits: Mapping[str, list[int]]) -> None:
    """The file that says how many episodes there are in each shard of a split."""
    listed = [
        {"name": name, "shardLengths": [str(length) for length in lengths]}
        for name, lengths in splits.items()
    ]
    (folder / "dataset_info.json").write_text(json.dumps({"name": "toy_arm", "splits": listed}))


def _dimensions(shape: tuple[int, ...]) -> Mapping[str, Any]:
    return {"dimensions": [str(side) for side in shape]} if shape else {}


def _episode(name: str, seed: int, length: int) -> tuple[Features, list[Truth]]:
    """A record, and its three views."""
    pictures, raw = moving_square(seed, length), moving_square(seed + 4, length)
    mask = moving_square(seed + 2, length)[..., :1]
    vector, force = walk(seed, length, 3), walk(seed + 20, length, 2)
    joints, push = walk(seed + 40, length, 4), walk(seed + 60, length, 1)
    opened = np.arange(length)[:, None] % 2
    record = {
        "steps/action/world_vector": (vector.ravel(), "float"),
        "steps/action/open_gripper": (opened.ravel(), "int"),
        "steps/action/comment": ([b"none"] * length, "byte"),
        "steps/action/grasp/force": ([zlib.compress(row.tobytes()) for row in force], "byte"),
        "steps/observation/image": ([encode_png(frame) for frame in pictures], "byte"),
        "steps/observation/wrist/raw": (raw.ravel(), "int"),
        "steps/observation/mask": ([frame.tobytes() for frame in mask], "byte"),
        "steps/observation/depth": ([b""] * length, "byte"),
        "steps/observation/joints": (joints.ravel(), "float"),
        "steps/observation/force": (push.ravel(), "float"),
        "steps/observation/language_embedding": (np.ones(8 * length), "float"),
        "steps/observation/counter": (np.arange(length), "int"),
        "steps/is_last": ([0] * (length - 1) + [1], "int"),
        "steps/language_instruction": ([b"push the square"] * length, "byte"),
    }
    actions = np.hstack([force, opened, vector])[:-1]
    states = np.hstack([push, joints])
    cameras = {"image": pictures, "mask": mask, "wrist/raw": raw}
    return record, [Truth(name, key, seen, actions, states) for key, seen in cameras.items()]


def _with(value: float) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [*values[:4], value, *values[5:]]


def _edited(
    key: str, change: Callable[[list[Any]], list[Any]], kind: str = ""
) -> Callable[[Path], None]:
    def edit(record: dict[str, tuple[Any, str]]) -> None:
        values, own = record[f"steps/{key}"]
        record[f"steps/{key}"] = change(values), kind or own

    return changed(SHARDS[0], 1, edit)


def _without(key: str) -> Callable[[Path], None]:
    return changed(SHARDS[0], 1, lambda record: record.pop(key))


def _shortened(length: int) -> Callable[[Path], None]:
    def edit(record: dict[str, tuple[Any, str]]) -> None:
        for key, (values, kind) in record.items():
            record[key] = values[: len(values) // LENGTHS[0][1] * length], kind

    return changed(SHARDS[0], 1, edit)


def _described(old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        file = folder / ROOT / "features.json"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return apply


def _overwritten(text: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / ROOT / "features.json").write_text(text)

    return apply
