"""What is checked and timed on a device: numbers, peaks, models, planning, training, graphs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import mean
from typing import final

import torch
from cases import ACTIONS, CONFIGS, SHIPPED, WIDE, Case, small
from measuring import WALL_CLOCK, Work, elapsed, side_by_side
from model_speed import imagination_flops, training_flops
from moving_square import clips
from parts import NotHereError, Part, Row
from peaks import TYPES, Kernel, convolution, product
from workloads import (
    Candidates,
    autocast,
    built,
    candidates,
    finished,
    imagination,
    training_step,
)

from worldmodel.model import ModelConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.planners.cem import CEMConfig
from worldmodel.planners.costs.goal_image import GoalImage
from worldmodel.planners.foresight import ModelForesight
from worldmodel.planners.objective import objective
from worldmodel.planners.space import Bounds
from worldmodel.rollout import unroll
from worldmodel.training.loss import training_loss

CPU = torch.device("cpu")
TINY: dict[str, ModelConfig] = {
    "predrnn-v2 2 x 16": PredRNNConfig(layers=2, hidden=16, kernel=3, bias=True, residual=True),
    "mode-rnn 2 x 16": ModeRNNConfig(layers=2, hidden=16, kernel=1, residual=True),
}
"""In the place of the sizes that are used, where it must be quick."""

TOLERANCE = 1e-3
"""Largest difference from the CPU's frames, relative to their largest value, in float32."""


class NumbersError(Exception):
    """A device computes something else than it should."""


@final
@dataclass(frozen=True)
class Bench:
    """Where it runs, and whether in small sizes."""

    device: torch.device
    quick: bool

    def parts(self) -> list[Part]:
        """All of them, what is most wanted first; seconds add up to seven minutes."""
        return [
            Part("Largest difference from the CPU", 60, self.numbers),
            Part("Peak", 20, self.peak),
            Part("Training step and imagination", 100, self.times),
            Part("Planning with CEM", 40, self.planning),
            Part("A short training run", 50, self.training),
            Part("CUDA graph of imagination", 40, self.graphs),
            Part("torch.compile of a step", 110, self.compiled),
        ]

    def case(self, case: Case) -> Case:
        """A case with as much to do as suits the device."""
        if self.quick:
            return replace(case, batch=2, length=4, candidates=4, horizon=3)
        return replace(case, batch=16, length=12, candidates=200, horizon=10)

    def cases(self) -> dict[str, Case]:
        """The sizes that are timed."""
        configs = TINY if self.quick else CONFIGS
        return {name: self.case(Case(config, 0, 0, 0, 0)) for name, config in configs.items()}

    def numbers(self) -> Iterator[Row]:
        """Every architecture, imagining in float32."""
        worst = 0.0
        for name, case in small().items():
            here, there = (self._imagined(case, device) for device in (CPU, self.device))
            difference = float((here - there).abs().max() / here.abs().max())
            worst = max(worst, difference)
            yield {"model": name, "relative difference": difference}
        if not worst < TOLERANCE:
            raise NumbersError(f"expected at most {TOLERANCE}, got {worst:.1e}")

    def _imagined(self, case: Case, device: torch.device) -> torch.Tensor:
        return candidates(built(case, device).eval(), case, "float32", device)().cpu()

    def _kernels(self) -> dict[str, Kernel]:
        """The peaks that models are measured by, in float32 and in bf16."""
        batch, side = (8, 1024) if self.quick else (512, 8192)
        found: dict[str, Kernel] = {}
        for precision in TYPES:
            found[f"convolution {precision}"] = convolution(precision, self.device, batch=batch)
            found[f"matrix product {precision}"] = product(precision, self.device, side)
        return found

    def peak(self) -> Iterator[Row]:
        """TFLOP/s of a convolution and of a matrix product."""
        kernels = self._kernels()
        seconds = side_by_side(
            {name: kernel.work for name, kernel in kernels.items()}, 7, WALL_CLOCK
        )
        for name, kernel in kernels.items():
            yield {"what": name, "TFLOP/s": kernel.flops / seconds[name] / 1e12}

    def times(self) -> Iterator[Row]:
        """Milliseconds, and shares of the peaks, which take turns with the models."""
        kernels = self._kernels()
        for name, case in self.cases().items():
            for kind, work, flops in (
                ("training step", training_step, training_flops),
                ("imagination", imagination, imagination_flops),
            ):
                works = {precision: work(case, precision, self.device) for precision in TYPES}
                peaks = {peak: kernel.work for peak, kernel in kernels.items()}
                seconds = side_by_side({**works, **peaks}, 3, WALL_CLOCK)
                yield {"model": name, "what": kind} | _shares(seconds, flops(case), kernels)

    def planning(self) -> Iterator[Row]:
        """Plans per second, from the present frame to the plan."""
        config, options = WIDE, {"candidates": 200, "horizon": 10, "iterations": 3, "elites": 20}
        if self.quick:
            config = replace(WIDE, hidden=16)
            options = {"candidates": 8, "horizon": 5, "iterations": 2, "elites": 4}
        model = built(Case(config, 0, 0, 0, 0), self.device)
        seen, goal = torch.rand(2, 1, *model.frame_shape, device=self.device)
        bounds = Bounds(-torch.ones(ACTIONS), torch.ones(ACTIONS))
        planner = CEMConfig(**options).build()
        for precision in TYPES:
            foresight = ModelForesight(model, bfloat16=precision == "bf16")
            foresight.reset(seen)
            costs = objective(foresight, GoalImage(goal))

            @torch.no_grad()
            def plan(costs=costs) -> None:
                planner.plan(costs, bounds, torch.Generator().manual_seed(0))

            seconds = side_by_side({"plan": finished(plan, self.device)}, 3, WALL_CLOCK)["plan"]
            shown = f"PredRNN-V2 {config.layers} x {config.hidden}, {precision}"
            yield {"model": shown, **options, "ms": seconds * 1e3, "plans per second": 1 / seconds}

    def training(self) -> Iterator[Row]:
        """PredRNN-V2 on a moving square: its loss must fall by a tenth at least."""
        config, batch, length, side, steps = next(iter(SHIPPED.values())), 16, 12, 64, 200
        if self.quick:
            config = TINY["predrnn-v2 2 x 16"]
            batch, length, side, steps = 4, 6, 32, 100
        torch.manual_seed(0)
        model = config.build((3, side, side), ACTIONS).to(self.device).train()
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        generator = torch.Generator().manual_seed(0)
        mask = torch.ones(batch, length - 1, dtype=torch.bool, device=self.device)
        losses: list[float] = []
        begun = time.perf_counter()
        for _ in range(steps):
            clip = clips(batch, length, side, ACTIONS, generator).to(self.device)
            with autocast(self.device, "bf16"):
                predictions, terms = unroll(model, clip, mask)
                loss = training_loss(predictions.float(), clip, terms, 0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        seconds = time.perf_counter() - begun
        first, last = mean(losses[:10]), mean(losses[-10:])
        yield {
            "steps": steps,
            "steps per second": steps / seconds,
            "first ten losses": first,
            "last ten": last,
            "last over first": last / first,
        }
        if not last < 0.9 * first:
            raise NumbersError("expected the loss to fall by a tenth at least")

    def graphs(self) -> Iterator[Row]:
        """All steps of all candidates in one graph, whose actions are replaced before a replay."""
        if self.device.type != "cuda":
            raise NotHereError("There is no GPU to capture a graph on.")
        for name, case in self.cases().items():
            search = self._search(case)
            replay, frames = captured(search)
            search.actions.neg_()
            replay()
            yield {"model": name} | self._faster(search, replay, frames)

    def compiled(self) -> Iterator[Row]:
        """Each step of all candidates, compiled."""
        for name, case in self.cases().items():
            torch.compiler.reset()  # what was compiled for the model before counts no longer
            search = self._search(case)
            model = built(case, self.device).eval()
            model.transition = torch.compile(model.transition, dynamic=False)
            fast = replace(search, model=model)
            seconds = elapsed(finished(fast, self.device), WALL_CLOCK)
            row = self._faster(search, fast, fast())
            yield {"model": name, "s to compile": seconds} | row

    def _search(self, case: Case) -> Candidates:
        return candidates(built(case, self.device).eval(), case, "bf16", self.device)

    def _faster(self, search: Candidates, fast: Work, frames: torch.Tensor) -> Row:
        """How much faster it is than as it stands, and how far its frames are from those."""
        difference = float((search() - frames).abs().max())
        works = {"eager": finished(search, self.device), "fast": finished(fast, self.device)}
        seconds = side_by_side(works, 5, WALL_CLOCK)
        return {
            "eager, ms": seconds["eager"] * 1e3,
            "ms": seconds["fast"] * 1e3,
            "times faster": seconds["eager"] / seconds["fast"],
            "largest difference": difference,
        }


def captured(work: Callable[[], torch.Tensor]) -> tuple[Work, torch.Tensor]:
    """A replay of all that a work does on the GPU, and where its result then stands."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph.replay, result


def _shares(seconds: dict[str, float], flops: float, kernels: dict[str, Kernel]) -> Row:
    """Milliseconds in either number format, and the share of both peaks in that format."""
    row: Row = {}
    for precision in TYPES:
        row[f"{precision}, ms"] = seconds[precision] * 1e3
        for what in ("convolution", "matrix product"):
            name = f"{what} {precision}"
            rate = kernels[name].flops / seconds[name]
            row[f"{precision}, of the {what} peak"] = flops / seconds[precision] / rate
    return row
