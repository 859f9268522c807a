"""Episodes in the format RLDS, such as those of Open X-Embodiment, in shards of TFRecords.

A data set is a folder of `features.json`, `dataset_info.json` and shards such as
`NAME-train.tfrecord-00000-of-00005`. A record is an episode. Its steps are those of
google-research/rlds: `steps/observation/...` is seen, then `steps/action` is taken; at the last
step it means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.tfrecord import Example, read_example, scan_records
from worldmodel.data.formats.names import PARTS
from worldmodel.data.formats.robots.rlds.tfds import MALFORMED, Feature, read_json, step_features
from worldmodel.data.reader import Reader, Unit, check_any
from worldmodel.data.recording import Camera, Flaw, Frames, Part, Recording, Signals
from worldmodel.errors import InputError, located

FEATURES, INFO = "features.json", "dataset_info.json"

OBSERVATION, ACTION = "steps/observation/", "steps/action"

INSTRUCTIONS = ("steps/language_instruction", f"{OBSERVATION}natural_language_instruction")
"""Where the instruction is looked for, in this order."""

TRANSLATION, ROTATION = ("dx", "dy", "dz"), ("droll", "dpitch", "dyaw")

COMMANDS = {"world_vector": TRANSLATION, "rotation_delta": ROTATION}
"""Actions of Open X-Embodiment that it describes as displacements of the end effector."""

BRIDGE_ACTIONS = (*TRANSLATION, *ROTATION, "gripper")
BRIDGE_STATES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
BRIDGE_UNITS = ("m", "m", "m", "rad", "rad", "rad", "")
"""Of states and actions of BridgeData V2 (rail-berkeley/bridge_data_v2).

Its `features.json` still describes the joints of a template; but its actions add up to the changes
of its states.
"""

_SHARD = re.compile(
    r"(?P<folder>(?:.*/)?)(?P<dataset>[^/]+)-(?P<split>[^/-]+)\.tfrecord"
    r"(?:-(?P<number>[0-9]{5})(?:-of-(?P<total>[0-9]{5}))?)?"
)
_GROUP = re.compile(r"([0-9]{1,3})x ([^,\[\]]+)")
_DELTA = re.compile(r"\b(delta|relative|displacement|change in)\b")
_EULER = re.compile("roll/pitch/yaw|rpy|euler")


@final
class RLDS(Reader):
    """Data sets in a folder or below it.

    A recording is called by its shard and its number in it, a camera by its observation. All
    observations that are pictures of 8 bits are cameras; the state is the observation `state`, else
    all vectors of floats but embeddings, put together in the order of their names. So are actions
    where there are several. A split is a part where a data set has several splits.
    """

    libraries = ("tfrecord", "crc32c")

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether a file is named like a shard."""
        return any(map(_SHARD.fullmatch, folder.files))

    def units(self) -> Iterator[Unit]:
        """One per shard, those included that only the names of the others count."""
        shards = {_shard(file) for file in self.folder.files if _SHARD.fullmatch(file)}
        check_any(self.folder, shards, "files like NAME-train.tfrecord-00000-of-00005")
        splits: dict[str, dict[str, str]] = {}
        for shard in sorted(shards):
            splits.setdefault(shard.folder, {}).setdefault(shard.split, shard.file)
        counted = {shard._replace(number=0) for shard in shards if shard.total > 0}
        shards |= {shard._replace(number=n) for shard in counted for n in range(shard.total)}
        for shard in sorted(shards):
            needed = shard.file, shard.folder + FEATURES, shard.folder + INFO
            yield Unit(shard.file, (*needed, *splits[shard.folder].values()))

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per episode."""
        shard, (_, _, info, *splits) = _shard(unit.name), unit.files
        if shard.file not in self.folder:
            raise InputError("a shard is missing that the names of the others count")
        layout, expected = self._layout(shard.file), 1
        try:
            expected = self._promised(shard, info)
        except InputError as error:
            yield Flaw.of(error, info)
        part: Part | Literal[""] = PARTS.get(shard.split, "") if len(splits) > 1 else ""
        read = partial(_recording, shard, layout, part)
        yield from scan_records(self.folder.local(shard.file), shard.file, read, expected)

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Decode some pictures of an episode."""
        feature = self._layout(recording.file).cameras.get(camera.name)
        if feature is None:
            raise InputError(f"{FEATURES} describes no camera {camera.name}")
        return Frames(feature.pictures(self._example(recording), steps, camera))

    def signals(self, recording: Recording, camera: Camera) -> Signals:
        """Actions and states of an episode."""
        return self._layout(recording.file).signals(self._example(recording))

    def _example(self, recording: Recording) -> Example:
        return read_example(self.folder.local(recording.file), recording.place["offset"])

    def _layout(self, file: str) -> _Layout:
        name = _shard(file).folder + FEATURES
        with located(name):
            return _layout(step_features(self.folder.local(name)))

    def _promised(self, shard: _Shard, info: str) -> int:
        """Records of a shard; 1 if nothing says."""
        if info not in self.folder:
            return 1
        try:
            splits = read_json(self.folder.local(info))["splits"]
            lengths = {split["name"]: split["shardLengths"] for split in splits}
            return int(lengths[shard.split][shard.number]) if shard.split in lengths else 1
        except MALFORMED as error:
            raise InputError("expected the numbers of episodes of each shard") from error


class _Shard(NamedTuple):
    """What the name of a file says; numbers that it lacks are -1."""

    folder: str
    dataset: str
    split: str
    number: int
    total: int

    @property
    def file(self) -> str:
        number = f"-{self.number:05d}" if self.number >= 0 else ""
        total = f"-of-{self.total:05d}" if self.total >= 0 else ""
        return f"{self.folder}{self.dataset}-{self.split}.tfrecord{number}{total}"


def _shard(file: str) -> _Shard:
    found = _SHARD.fullmatch(file)
    assert found is not None
    folder, dataset, split, number, total = found.groups()
    return _Shard(folder, dataset, split, int(number or -1), int(total or -1))


@final
@dataclass(frozen=True)
class _Layout:
    """Which features of a step are what."""

    cameras: Mapping[str, Feature]
    actions: tuple[Feature, ...]
    states: tuple[Feature, ...]

    def length(self, example: Example) -> int:
        """Steps of an episode, which all features must have."""
        features = (*self.cameras.values(), *self.actions, *self.states)
        counts = {feature.key: feature.count(example) for feature in features}
        length = min(counts.values())
        if length < max(counts.values()):
            found = ", ".join(f"{count} of '{key}'" for key, count in counts.items())
            raise InputError(f"expected as many of each feature, got {found}")
        if length < 2:
            raise InputError(f"expected at least 2 usable frames, got {length}")
        return length

    def signals(self, example: Example) -> Signals:
        """Actions, but for the last, and states."""
        length = self.length(example)
        actions, states = (
            np.hstack([np.zeros((length, 0), np.float32), *(each.rows(example) for each in those)])
            for those in (self.actions, self.states)
        )
        return Signals(actions[:-1], states)


def _layout(features: Sequence[Feature]) -> _Layout:
    seen = [feature for feature in features if feature.key.startswith(OBSERVATION)]
    cameras = {_key(feature): feature for feature in seen if feature.is_camera}
    if not cameras:
        raise InputError(
            f"expected an observation that is a picture of 8 bits, {FEATURES} describes "
            f"{', '.join(map(_key, seen)) or 'none'}"
        )
    vectors = [feature for feature in seen if feature.is_vector and feature.is_float]
    return _Layout(
        cameras,
        tuple(f for f in features if f"{f.key}/".startswith(f"{ACTION}/") and f.is_tensor),
        tuple(vector for vector in vectors if _key(vector) == "state")
        or tuple(vector for vector in vectors if "embedding" not in vector.key),
    )


def _recording(
    shard: _Shard,
    layout: _Layout,
    part: Part | Literal[""],
    name: str,
    offset: int,
    example: Example,
) -> Recording:
    length = len(layout.signals(example).states)
    actions, states = _action_names(layout.actions), _names(layout.states)
    units = ("",) * len(actions)
    if shard.dataset.startswith("bridge") and (len(actions), len(states)) == (7, 7):
        actions, states, units = BRIDGE_ACTIONS, BRIDGE_STATES, BRIDGE_UNITS
    return Recording(
        name=name,
        file=shard.file,
        cameras=tuple(
            Camera(camera, length, *feature.picture_shape(example))
            for camera, feature in layout.cameras.items()
        ),
        domain=shard.dataset,
        action_names=actions,
        action_units=units,
        state_names=states,
        part=part,
        instruction=_instruction(example),
        place={"offset": offset},
    )


def _instruction(example: Example) -> str:
    said = (text for key in INSTRUCTIONS if key in example for text in example.strings(key))
    return next(said, b"").decode(errors="replace")


def _key(feature: Feature) -> str:
    """Name within the observations, the actions or else the step."""
    return feature.key.removeprefix(OBSERVATION).removeprefix(f"{ACTION}/").removeprefix("steps/")


def _names(features: Iterable[Feature]) -> tuple[str, ...]:
    return tuple(
        f"{_key(feature)}_{number}" if feature.shape else _key(feature)
        for feature in features
        for number in range(feature.width)
    )


def _action_names(features: Iterable[Feature]) -> tuple[str, ...]:
    return tuple(name for feature in features for name in _told(feature) or _names([feature]))


def _told(feature: Feature) -> tuple[str, ...]:
    """Names that the feature's own name or its description tells."""
    if feature.key == ACTION:
        return _described(feature)
    return COMMANDS.get(_key(feature), ()) if feature.width == 3 else ()


def _described(feature: Feature) -> tuple[str, ...]:
    """Names of what a description such as "[6x end effector delta pose, 1x gripper]" lists."""
    groups = [(int(count), words.lower()) for count, words in _GROUP.findall(feature.description)]
    if sum(count for count, _ in groups) != feature.width:
        return ()
    names: list[str] = []
    for count, words in groups:
        names += _of_group(range(len(names), len(names) + count), words)
    return tuple(names) if len(set(names)) == len(names) else ()


def _of_group(numbers: range, words: str) -> Sequence[str]:
    """Names of a few actions; deltas are called so, even where it is not told of what."""
    delta = _DELTA.search(words) is not None
    names = [f"{'delta' if delta else 'action'}_{number}" for number in numbers]
    if delta and len(names) in (3, 6) and "pos" in words and "joint" not in words:
        return (*TRANSLATION, *names[3:])
    if delta and len(names) == 3 and _EULER.search(words):
        return ROTATION
    return ["gripper"] if not delta and len(names) == 1 and "gripper" in words else names
