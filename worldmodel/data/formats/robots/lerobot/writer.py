"""Writes LeRobotDataset v3.0, with one data file, one video per camera and one row per episode.

Follows https://github.com/huggingface/lerobot 0.4.4 (`lerobot_dataset.py`, `utils.py`), which
reads the result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from worldmodel.data.files.video import FRAME_RATE, encode_mp4
from worldmodel.data.formats.robots.lerobot.info import INFO, filled
from worldmodel.data.formats.robots.lerobot.reader import ACTION, STATE
from worldmodel.data.formats.robots.lerobot.statistics import (
    PictureStatistics,
    Statistics,
    in_all,
    of_numbers,
)
from worldmodel.data.recording import Camera, Recording
from worldmodel.data.writer import Footage, Writer
from worldmodel.errors import InputError
from worldmodel.whole_file import written

CHUNK = 1000
"""Files in a folder."""

DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODE = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
STATISTICS = "meta/stats.json"
TASKS = "meta/tasks.parquet"

COUNTERS = ("frame_index", "episode_index", "index", "task_index")

_RECORDING = b"worldmodel.recording"
_log = logging.getLogger(__name__)


@final
class LeRobotWriter(Writer):
    """Writes a LeRobotDataset whose episodes come in the order of `add`.

    An episode's row is written last, so that its other files are whole where there is one. There
    is one action per frame; the last one of an episode is repeated. `robot_type` is the domain,
    or the list of all. The video keeps all of its chroma (4:4:4).
    """

    keeps_domains = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._layout: dict[str, Any] = {}
        self._instructions: dict[str, int] = {}
        self._domains: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []

    def add(self, footage: Footage) -> None:
        """Write one recording, or take it over if it is there."""
        recording = footage.recording
        self._check_layout(footage)
        self._instructions.setdefault(recording.instruction, len(self._instructions))
        self._domains.setdefault(recording.domain)
        path = self._path(EPISODE)
        self._rows.append(
            _taken_over(path, recording) if path.exists() else self._written(path, footage)
        )

    def finish(self) -> None:
        """Write tasks, statistics and totals."""
        if not self._rows:
            return
        if (more := self._path(EPISODE)).exists():
            raise InputError(
                f"{more}: expected {len(self._rows)} recordings in the folder, it holds more; "
                f"choose an empty one"
            )
        if len(self._domains) > 1:
            _log.warning(
                "%s: LeRobotDataset holds one robot_type for all of %s",
                self.folder,
                ", ".join(self._domains),
            )
        keys = [*_numeric(self._layout["features"]), *_cameras(self._layout["features"])]
        statistics = {key: in_all([_statistics(row, key) for row in self._rows]) for key in keys}
        _write_tasks(self.folder / TASKS, self._instructions)
        _write_json(self.folder / STATISTICS, statistics)
        _write_json(self.folder / INFO, self._info())

    def _check_layout(self, footage: Footage) -> None:
        """Compare frame rate and features with those of the recordings before it."""
        layout = _layout(footage)
        path = self.folder / INFO
        if not self._layout and path.exists():
            known = _read_json(path)
            self._layout = {key: known.get(key) for key in layout}
        elif not self._layout:
            self._layout = layout
            _write_json(path, self._info())
        for key, value in layout.items():
            if value != self._layout[key]:
                raise InputError(
                    f"expected the same {key} as in {path}, {self._layout[key]}, got {value}",
                    recording=footage.recording.name,
                )

    def _info(self) -> dict[str, Any]:
        episodes = len(self._rows)
        return {
            "codebase_version": "v3.0",
            "robot_type": ", ".join(self._domains),
            "total_episodes": episodes,
            "total_frames": self._frames(),
            "total_tasks": len(self._instructions),
            "chunks_size": CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "splits": {"train": f"0:{episodes}"},
            "data_path": DATA,
            "video_path": VIDEO,
            **self._layout,
        }

    def _frames(self) -> int:
        return self._rows[-1]["dataset_to_index"] if self._rows else 0

    def _place(self) -> dict[str, int]:
        chunk, file = divmod(len(self._rows), CHUNK)
        return {"chunk_index": chunk, "file_index": file}

    def _path(self, template: str, **fields: object) -> Path:
        return self.folder / filled(template, **fields, **self._place())

    def _written(self, path: Path, footage: Footage) -> dict[str, Any]:
        columns = self._columns(footage)
        statistics = {key: of_numbers(values) for key, values in columns.items()}
        _write_table(self._path(DATA), _table(columns))
        for camera in footage.recording.cameras:
            key = _key(camera)
            video = self._path(VIDEO, video_key=key)
            statistics[key] = _write_video(video, footage, camera, self._layout["fps"])
        row = self._row(footage.recording, statistics)
        named = {_RECORDING: footage.recording.name.encode()}
        _write_table(path, pa.Table.from_pylist([row]).replace_schema_metadata(named))
        return row

    def _columns(self, footage: Footage) -> dict[str, np.ndarray]:
        """Values of all features but the pictures, each of shape (T, D)."""
        frames = np.arange(len(footage))
        actions, states = footage.signals
        task = self._instructions[footage.recording.instruction]
        found = {
            ACTION: np.concatenate([actions, actions[-1:]]),
            STATE: states,
            "timestamp": (frames / self._layout["fps"]).astype(np.float32)[:, None],
            "frame_index": frames[:, None],
            "episode_index": np.full_like(frames, len(self._rows))[:, None],
            "index": frames[:, None] + self._frames(),
            "task_index": np.full_like(frames, task)[:, None],
        }
        return {key: found[key] for key in _numeric(self._layout["features"])}

    def _row(self, recording: Recording, statistics: Mapping[str, Statistics]) -> dict[str, Any]:
        start, length, place = self._frames(), recording.length, self._place()
        row: dict[str, Any] = {
            "episode_index": len(self._rows),
            "tasks": [recording.instruction],
            "length": length,
            "dataset_from_index": start,
            "dataset_to_index": start + length,
        }
        videos = [f"videos/{key}" for key in _cameras(self._layout["features"])]
        for what in ("data", "meta/episodes", *videos):
            row |= {f"{what}/{key}": value for key, value in place.items()}
        for video in videos:
            row |= {
                f"{video}/from_timestamp": 0.0,
                f"{video}/to_timestamp": length / self._layout["fps"],
            }
        for key, those in statistics.items():
            row |= {f"stats/{key}/{name}": value for name, value in those.items()}
        return row


def _taken_over(path: Path, recording: Recording) -> dict[str, Any]:
    """The row of an episode that an earlier run has written."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable parquet file ({error})") from error
    name = (table.schema.metadata or {}).get(_RECORDING, b"").decode()
    rows = table.to_pylist()
    if name != recording.name or rows[0]["length"] != recording.length:
        raise InputError(
            f"{path}: expected recording {recording.name} of {recording.length} frames, "
            f"the folder holds {name or 'another data set'}; choose an empty one"
        )
    return rows[0]


def _layout(footage: Footage) -> dict[str, Any]:
    """What all recordings must share: frame rate and features."""
    recording = footage.recording
    recorded = recording.cameras[0].fps
    rate = Fraction(recorded or FRAME_RATE).limit_denominator(1001)
    if rate <= 0:
        raise InputError(
            f"expected at least a frame in 1001 seconds, got {recorded} fps",
            recording=recording.name,
        )
    fps = float(rate) if rate.denominator > 1 else rate.numerator
    actions, states = footage.signals
    numbers = {
        ACTION: (actions, recording.action_names, recording.action_units),
        STATE: (states, recording.state_names, ()),
    }
    features = {
        key: _numbers(values.dtype, names, units)
        for key, (values, names, units) in numbers.items()
        if names
    }
    for camera in recording.cameras:
        features[_key(camera)] = _video(camera, fps)
    features["timestamp"] = _numbers(np.dtype(np.float32))
    features |= {key: _numbers(np.dtype(np.int64)) for key in COUNTERS}
    if len(_cameras(features)) < len(recording.cameras):
        names = ", ".join(camera.name for camera in recording.cameras)
        raise InputError(
            f"expected cameras of different names, got {names}", recording=recording.name
        )
    return {"fps": fps, "features": features}


def _key(camera: Camera) -> str:
    """The feature of a camera; a slash would be a folder."""
    name = camera.name.replace("/", "_")
    return f"observation.images.{name}" if name else "observation.image"


def _numbers(
    dtype: np.dtype, names: Sequence[str] = (), units: Sequence[str] = ()
) -> dict[str, Any]:
    feature = {"dtype": str(dtype), "shape": [len(names) or 1], "names": list(names) or None}
    return feature | {"units": list(units)} if any(units) else feature


def _video(camera: Camera, fps: float) -> dict[str, Any]:
    return {
        "dtype": "video",
        "shape": [camera.height, camera.width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": camera.height,
            "video.width": camera.width,
            "video.codec": "h264",
            "video.pix_fmt": "yuv444p",
            "video.is_depth_map": False,
            "video.fps": fps,
            "video.channels": 3,
            "has_audio": False,
        },
    }


def _cameras(features: Mapping[str, Any]) -> list[str]:
    return [key for key, feature in features.items() if feature["dtype"] == "video"]


def _numeric(features: Mapping[str, Any]) -> list[str]:
    return [key for key, feature in features.items() if feature["dtype"] != "video"]


def _statistics(row: Mapping[str, Any], key: str) -> Statistics:
    begin = f"stats/{key}/"
    return {name.removeprefix(begin): row[name] for name in row if name.startswith(begin)}


def _table(columns: Mapping[str, np.ndarray]) -> pa.Table:
    """One number per row of what has a single column, else lists of a fixed length."""
    return pa.table(
        {
            key: pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])
            if values.shape[1] > 1
            else pa.array(values[:, 0])
            for key, values in columns.items()
        }
    )


def _write_video(path: Path, footage: Footage, camera: Camera, fps: float) -> Statistics:
    statistics = PictureStatistics()
    data = encode_mp4(statistics.watched(footage.frames(camera)), fps)
    if len(statistics) != len(footage):
        raise InputError(f"{path}: expected {len(footage)} frames, got {len(statistics)}")
    with written(path) as unfinished:
        unfinished.write_bytes(data)
    return statistics.result()


def _write_tasks(path: Path, instructions: Mapping[str, int]) -> None:
    """A table whose index, to pandas, is the instruction, which the format calls task."""
    described = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            _described("task_index", "int64", "int64"),
            _described("task", "unicode", "object"),
        ],
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": list(instructions.values()), "task": list(instructions)})
    _write_table(path, table.replace_schema_metadata({"pandas": json.dumps(described)}))


def _described(name: str, kind: str, dtype: str) -> dict[str, Any]:
    return {
        "name": name,
        "field_name": name,
        "pandas_type": kind,
        "numpy_type": dtype,
        "metadata": None,
    }


def _write_table(path: Path, table: pa.Table) -> None:
    with written(path) as unfinished:
        pq.write_table(table, unfinished)


def _write_json(path: Path, value: object) -> None:
    with written(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=4, ensure_ascii=False), encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"{path}: not readable JSON ({error})") from error
