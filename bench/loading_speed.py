"""Clips that loaders read, against clips that training steps take."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from data_loading import DISK, fill, steady_rate, training_rate, write_logs
from measuring import Measurement

from worldmodel.data.opening import open_source


def loading(quick: bool) -> list[Measurement]:
    """Clips per second from files written here, without workers, and times those taken."""
    batches = 5 if quick else 50
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORLDMODEL_CACHE"] = f"{folder}/cache"
        logs = Path(folder, "logs")
        write_logs(logs)
        source = open_source([str(logs)])
        rates = {"mp4 decoded": steady_rate(source, 0, 0, batches)}
        fill(source)
        rates["cache on disk"] = steady_rate(source, 0, DISK, 10 * batches)
        taken = training_rate(source)
    found = []
    for name, rate in rates.items():
        found.append(Measurement(name, "clips per second", rate))
        found.append(Measurement(name, "over those trained on", rate / taken, ratio=True))
    return [*found, Measurement("trained on", "clips per second", taken)]
