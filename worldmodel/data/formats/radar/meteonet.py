"""MeteoNet: rain over the north-west and south-east of France, every 5 minutes, 2016 to 2018.

Follows https://github.com/meteofrance/meteonet (`rain-radar.md`, `open_rainfall.ipynb`). A file
`rainfall_ZONE_YYYY_MM.PART.npz` holds ten days: `data`, int16 (N, H, W), rain of 5 minutes in
0.01 mm, -1 where nothing was measured, and `dates` (N,), the time of each map in UTC.

As published, `dates` are pickled datetimes, and to unpickle runs whatever a file asks for. Here the
pickle is only listed, by `pickletools`, and the ten bytes that a datetime is made of are picked
out. `dates` of type datetime64 are read as well.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import final

import numpy as np

from worldmodel.data.files.folder import Folder
from worldmodel.data.files.npz_rows import NpzArray, npz_array
from worldmodel.data.format import Format
from worldmodel.data.formats.events import events, interval, iso, season
from worldmodel.data.formats.radar.rain import REFLECTIVITY, rain_pixels
from worldmodel.data.reader import ActionFree, Unit, one_per_file
from worldmodel.data.recording import Camera, Flaw, Frames, Recording
from worldmodel.errors import InputError, located

MM_PER_HOUR = 0.01 * 12
"""Of a number in `data`."""

_FILE = re.compile(r"rainfall_[A-Z]+_\d{4}_\d{2}\.\d\.npz", re.IGNORECASE)
_LONGEST_PICKLE = 2**22
_DATETIME_BYTES = 10
_PIXELS = rain_pixels(MM_PER_HOUR * np.arange(2**15))


@final
class MeteoNet(ActionFree):
    """A recording is a stretch of a file without a gap; rain is turned into bytes of dBZ."""

    timed = True
    quantity = REFLECTIVITY.quantity

    @classmethod
    def recognises(cls, folder: Folder) -> bool:
        """Whether there is a file of such a name."""
        return bool(_files(folder))

    def units(self) -> Iterator[Unit]:
        """One per file."""
        return one_per_file(
            self.folder, _files(self.folder), "rainfall_ZONE_YYYY_MM.PART.npz files"
        )

    def scan(self, unit: Unit) -> Iterator[Recording | Flaw]:
        """A recording per stretch."""
        maps, times = self._maps(unit.name), _times(self._array(unit.name, "dates"))
        if len(times) != maps.shape[0]:
            raise InputError(f"expected one date per map, got {len(times)} for {maps.shape[0]}")
        seconds = interval(times)
        for stretch in events(times):
            start = times[stretch.start]
            name = f"{unit.name}/{iso(start)}"
            if len(stretch) < 2:
                yield Flaw(unit.name, name, "no picture one interval before it or after it")
                continue
            yield Recording(
                name=name,
                file=unit.name,
                cameras=(Camera("", len(stretch), *maps.shape[1:], channels=1, fps=1 / seconds),),
                domain=season(start),
                start=start,
                place={"first": stretch.start},
            )

    def frames(self, recording: Recording, camera: Camera, steps: range) -> Frames:
        """Inflate some frames; what is missing is 0."""
        first = recording.place["first"]
        with located(frame=steps):
            rain = self._maps(recording.file).rows(range(first + steps.start, first + steps.stop))
        return Frames(_PIXELS[np.maximum(rain, 0)][..., None], rain < 0)

    def _maps(self, file: str) -> NpzArray:
        maps = self._array(file, "data")
        if len(maps.shape) != 3 or maps.dtype != np.int16:
            raise InputError(
                f"expected 'data' to be int16 (N, H, W), got {maps.dtype} {maps.shape}"
            )
        return maps

    def _array(self, file: str, key: str) -> NpzArray:
        return npz_array(self.folder.local(file), self.folder.files[file], key)


def _files(folder: Folder) -> list[str]:
    return [file for file in folder.files if _FILE.fullmatch(PurePosixPath(file).name)]


def _times(dates: NpzArray) -> list[float]:
    """Seconds since 1970 UTC."""
    if len(dates.shape) != 1 or dates.dtype.kind not in "OM":
        raise InputError(f"expected 'dates' to be datetimes (N,), got {dates.dtype} {dates.shape}")
    if dates.dtype.kind == "M":
        found = _converted(dates.rows(range(dates.shape[0])))
    else:
        found = _unpickled(dates.pickled(_LONGEST_PICKLE))
    if len(found) != dates.shape[0] or not all(isinstance(date, datetime) for date in found):
        raise InputError(f"expected 'dates' to hold {dates.shape[0]} datetimes, it does not")
    return [date.replace(tzinfo=UTC).timestamp() for date in found]


def _converted(dates: np.ndarray) -> list[datetime]:
    """The datetimes of an array of them; empty if some are none, or overflow."""
    whole = dates.astype("M8[us]")
    return whole.tolist() if (whole.astype(dates.dtype) == dates).all() else []


def _unpickled(data: bytes) -> list[datetime]:
    """The datetimes in a pickle, which is listed and not executed."""
    try:
        arguments = [argument for _, argument, _ in pickletools.genops(data)]
        return [
            _datetime(argument)
            for argument in arguments
            if isinstance(argument, bytes) and len(argument) == _DATETIME_BYTES
        ]
    except ValueError as error:
        raise InputError(f"'dates' is no readable pickle of datetimes ({error})") from error


def _datetime(state: bytes) -> datetime:
    """From what a datetime is pickled as: two bytes of year, one each down to seconds, three."""
    return datetime(
        int.from_bytes(state[:2], "big"), *state[2:7], microsecond=int.from_bytes(state[7:], "big")
    )


FORMAT = Format("meteonet", "MeteoNet", MeteoNet)
