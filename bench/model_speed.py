"""Training steps and imagination: against the machine's peak, and against a plain restatement."""

from __future__ import annotations

from collections.abc import Callable

import torch
from cases import ACTIONS, PUBLISHED, WIDE, Case, sized, small
from measuring import Measurement, Work, side_by_side
from peaks import TYPES, convolution
from plain import PlainPredRNN
from workloads import CONTEXT, Precision, built, imagination, random_clip, training_step

from worldmodel.complexity import forward_flops, shape_only
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.training.loss import training_loss

CPU = torch.device("cpu")


def training_flops(case: Case) -> float:
    """Operations of a training step: a backward pass takes two forward passes."""
    model = shape_only(case.config, case.frame, ACTIONS)
    return 3.0 * case.batch * forward_flops(model, case.length, case.batch)


def imagination_flops(case: Case) -> float:
    """Operations of imagining all candidates, and of their context."""
    model = shape_only(case.config, case.frame, ACTIONS)
    context = forward_flops(model, CONTEXT, 1)
    return context + case.candidates * forward_flops(model, case.horizon + 1, case.candidates)


def trained(quick: bool) -> list[Measurement]:
    """Training steps of the sizes that are used."""
    return [
        found
        for name, case in sized(quick).items()
        for found in both(name, case, training_step, training_flops, 2 if quick else 3)
    ]


def imagined(quick: bool) -> list[Measurement]:
    """Imagination in the sizes that are used."""
    return [
        found
        for name, case in sized(quick).items()
        for found in both(name, case, imagination, imagination_flops, 2 if quick else 3)
    ]


def architectures(quick: bool) -> list[Measurement]:
    """Imagination of all architectures, small, and unless it must be quick their training steps."""
    kinds = [("imagination", imagination, imagination_flops)]
    if not quick:
        kinds.append(("training", training_step, training_flops))
    return [
        Measurement(name, f"{kind}, {one.quantity}", one.value, one.ratio)
        for name, case in small().items()
        for kind, work, flops in kinds
        for one in both(name, case, work, flops, 2 if quick else 7)
    ]


def both(
    name: str,
    case: Case,
    work_of: Callable[[Case, Precision, torch.device], Work],
    flops_of: Callable[[Case], float],
    repeats: int,
) -> list[Measurement]:
    """Times in either number format, and their shares of the convolution peak beside them."""
    peak = {precision: convolution(precision, CPU) for precision in TYPES}
    works = {f"ours {precision}": work_of(case, precision, CPU) for precision in TYPES}
    works |= {f"peak {precision}": kernel.work for precision, kernel in peak.items()}
    seconds, flops = side_by_side(works, repeats), flops_of(case)
    found = []
    for precision, kernel in peak.items():
        own = seconds[f"ours {precision}"]
        rate = kernel.flops / seconds[f"peak {precision}"]
        found.append(Measurement(name, f"{precision}, ms", own * 1e3))
        share = flops / own / rate
        found.append(Measurement(name, f"{precision}, of the peak", share, ratio=True))
    faster = seconds["ours float32"] / seconds["ours bf16"]
    return [*found, Measurement(name, "bf16 over float32", faster, ratio=True)]


def over_plain(quick: bool) -> list[Measurement]:
    """How many times faster ours is than the authors' way, with the same weights."""
    if quick:
        narrow = PredRNNConfig(patch=None, residual=True, bias=True, hidden=32, kernel=3, layers=2)
        return _over_plain("predrnn-v2 2 x 32", Case(narrow, 2, 4, 8, 4), 3)
    return [
        *_over_plain("predrnn-v2 4 x 64, published", Case(PUBLISHED, 2, 4, 8, 8), 2),
        *_over_plain("predrnn-v2 4 x 128, published", Case(WIDE, 2, 3, 6, 6), 1),
    ]


def _over_plain(name: str, case: Case, repeats: int) -> list[Measurement]:
    found = []
    for kind, ours, theirs in (
        ("imagination", imagination, plain_imagination),
        ("training", training_step, plain_training_step),
    ):
        works = {precision: ours(case, precision, CPU) for precision in TYPES}
        seconds = side_by_side({"plain": theirs(case), **works}, repeats)
        found.append(Measurement(name, f"{kind}, plain, ms", seconds["plain"] * 1e3))
        for precision in TYPES:
            faster = seconds["plain"] / seconds[precision]
            found.append(Measurement(name, f"{kind}, {precision} over plain", faster, ratio=True))
    return found


def plain_of(case: Case) -> PlainPredRNN:
    """The plain restatement with the weights of the case's model."""
    assert isinstance(case.config, PredRNNConfig)
    return PlainPredRNN(case.config, built(case, CPU).state_dict())


def plain_imagination(case: Case) -> Work:
    """As `imagination`; every candidate sees the context itself."""
    model = plain_of(case)
    seen = random_clip(case, 1, CONTEXT, CPU)
    future = random_clip(case, case.candidates, case.horizon + 1, CPU).actions
    frames = seen.frames.repeat(case.candidates, 1, 1, 1, 1)
    actions = torch.cat((seen.actions.expand(case.candidates, -1, -1), future), dim=1)
    return lambda: model.unroll(frames, actions)


def plain_training_step(case: Case) -> Work:
    """As `training_step`."""
    model = plain_of(case)
    clip = random_clip(case, case.batch, case.length, CPU)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def step() -> None:
        predictions, term = model.unroll(clip.frames[:, :-1], clip.actions)
        loss = training_loss(predictions, clip, {"decoupling": term}, 0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
