"""`worldmodel collect`."""

from __future__ import annotations

from collections.abc import Sequence

from worldmodel.commands.options import parse
from worldmodel.envs.collect import CollectConfig, collect


def run(arguments: Sequence[str]) -> None:
    """Record robot logs and say how fast."""
    config = parse(CollectConfig, "collect", arguments)
    done = collect(config)
    steps = done.written * (config.frames - 1)
    rate = f", {steps / done.seconds:.0f} control steps/s" if steps else ""
    print(f"{config.output}: {done.written} recordings written, {done.kept} already there{rate}")
