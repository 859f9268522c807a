"""SEVIR data sets for the contract."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

import h5py
import numpy as np

from formats.case import Damage, FormatCase, Truth, moving_square
from worldmodel.data.formats.radar.sevir import SEVIR
from worldmodel.data.recording import no_signals

OLD = "data/vil/2018/SEVIR_VIL_RANDOMEVENTS_2018_0101_0430.h5"
NEW = "data/vil/2019/SEVIR_VIL_STORMEVENTS_2019_0701_1231.h5"

EVENTS = {
    OLD: (("R18032123577290", "2018-03-21 23:57:00"), ("R18041010007291", "2018-04-10 10:00:00")),
    NEW: (("S858968", "2019-09-17 19:54:00"), ("S859012", "2019-02-01 00:00:00")),
}
LENGTHS = {OLD: 5, NEW: 7}
COLUMNS = (
    *("id", "file_name", "file_index", "img_type", "time_utc", "minute_offsets", "episode_id"),
    *("event_id", "event_type", "llcrnrlat", "llcrnrlon", "urcrnrlat", "urcrnrlon", "proj"),
    *("size_x", "size_y", "height_m", "width_m", "data_min", "data_max", "pct_missing"),
)


def write_events(path: Path, ids: list[str], vil: np.ndarray) -> None:
    """Write a file of events, uint8 (N, H, W, T)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["id"] = np.array(ids, "S")
        file.create_dataset("vil", data=vil, chunks=(1, *vil.shape[1:]), compression="gzip")


def write_catalogue(path: Path, rows: list[dict[str, object]]) -> None:
    """Write a catalogue; what a row does not say stays empty."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)


def row(file: str, index: int, event: str, time: str) -> dict[str, object]:
    """Of one event of a file."""
    return {
        "id": event,
        "file_name": file.removeprefix("data/"),
        "file_index": index,
        "img_type": "vil",
        "time_utc": time,
        "minute_offsets": "-119:-114:-109",
        "event_type": "Thunderstorm Wind" if event.startswith("S") else "",
        "pct_missing": 0,
    }


@final
class SEVIRCase(FormatCase):
    """Two files of two events each; the first event has a corner where nothing was measured."""

    reader = SEVIR

    def write(self, folder: Path) -> list[Truth]:
        """Write the files and the catalogue, which lists other sensors as well."""
        rows, truths = [], []
        for file, events in EVENTS.items():
            stored = []
            for index, (event, time) in enumerate(events):
                pixels = moving_square(len(truths), LENGTHS[file])[..., 1:2].copy()
                missing = np.zeros(pixels.shape[:3], bool)
                missing[1:, :3, :4] = not truths
                pixels[missing] = 0
                stored.append(np.where(missing, 255, pixels[..., 0]).transpose(1, 2, 0))
                truths.append(
                    Truth(f"{file}/{event}", "", pixels, *no_signals(len(pixels)), missing)
                )
                rows += [
                    row(file, index, event, time),
                    row("vis/2018/SEVIR_VIS.h5", 3, event, time) | {"img_type": "vis"},
                ]
            ids = [event for event, _ in events]
            write_events(folder / file, ids, np.stack(stored).astype(np.uint8))
        write_catalogue(folder / "CATALOG.csv", rows)
        return truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the second file, and to its lines in the catalogue."""
        first, second = (f"{NEW}/{event}" for event, _ in EVENTS[NEW])
        both = (first, second)
        return {
            "no ids": Damage(_edited("id", lambda ids: None), "no dataset 'id'", both),
            "too few ids": Damage(_edited("id", lambda ids: ids[:1]), "one id per event", both),
            "one id twice": Damage(
                _edited("id", lambda ids: ids[[0, 0]]), "comes twice", (second,)
            ),
            "numbers as ids": Damage(
                _edited("id", lambda ids: np.arange(2)), "'id' to be text", both
            ),
            "no events": Damage(_edited("vil", lambda vil: None), "no dataset 'vil'", both),
            "floating point": Damage(
                _edited("vil", lambda vil: vil.astype(np.float32)), "uint8", both
            ),
            "one frame": Damage(_edited("vil", lambda vil: vil[..., :1]), "at least 2", both),
            "huge": Damage(_declare_a_terabyte, "declares .* and stores", both),
            "an event that was not written": Damage(_forget_an_event, "declares", both),
            "another event in the catalogue": Damage(
                _relisted({"id": "S1"}), "another event in its place", (first,)
            ),
            "a time that is none": Damage(
                _relisted({"time_utc": "yesterday"}), "no readable time", (first,)
            ),
            "an infinite offset": Damage(
                _relisted({"minute_offsets": "inf:0"}), "no readable time", (first,)
            ),
            "nothing measured": Damage(
                _relisted({"pct_missing": 100}), "nothing was measured", (first,)
            ),
        }


def _edited(key: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        with h5py.File(folder / NEW, "a") as file:
            dataset = file[key]
            assert isinstance(dataset, h5py.Dataset)
            values = change(dataset[:])
            del file[key]
            if values is not None:
                file[key] = values

    return apply


def _relisted(change: dict[str, object]) -> Callable[[Path], None]:
    """The first event of the second file has another line in the catalogue."""

    def apply(folder: Path) -> None:
        rows = [
            row(file, index, *event)
            for file, events in EVENTS.items()
            for index, event in enumerate(events)
        ]
        rows[2] |= change
        write_catalogue(folder / "CATALOG.csv", rows)

    return apply


def _declare_a_terabyte(folder: Path) -> None:
    with h5py.File(folder / NEW, "a") as file:
        del file["vil"]
        file.create_dataset("vil", (2, 2**13, 2**13, 2**13), np.uint8, chunks=(1, 64, 64, 64))


def _forget_an_event(folder: Path) -> None:
    with h5py.File(folder / NEW, "a") as file:
        vil = file["vil"]
        assert isinstance(vil, h5py.Dataset)
        first, shape = vil[0], vil.shape
        del file["vil"]
        file.create_dataset("vil", shape, np.uint8, chunks=(1, *shape[1:]))[0] = first
