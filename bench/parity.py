"""Compare our models with numbers from the authors' own code.

`python bench/parity.py FIXTURE.npz ...` prints, per fixture, the largest relative error of every
output, loss and gradient norm, and exits with status 1 if one is past its tolerance: 1e-5 for what
was computed in float32, 1e-10 for float64. The error is relative to the reference's largest value.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from parity_motion import stored_initial_state
from parity_objects import compare_rim, compare_slot_attention
from torch import Tensor

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.layers.patches import PatchOrder, depth_to_space, space_to_depth
from worldmodel.model import ModelConfig, WorldModel
from worldmodel.models.e3d_lstm import E3DLSTM
from worldmodel.models.motion_details_rnn import MotionDetailsRNN
from worldmodel.models.motion_rnn import MotionRNN
from worldmodel.models.published.translation import FrameShape, Translation, load_published
from worldmodel.models.published.weights import TRANSLATIONS, recognised, with_options
from worldmodel.rollout import unroll
from worldmodel.training.curriculum import Curriculum, ReverseScheduledSampling, ScheduledSampling
from worldmodel.training.loss import mean_squared_error, training_loss

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
Arrays = dict[str, np.ndarray]

CELLS = {"w/rnn.grus.0.weight_ih_l0": compare_rim, "w/slots_mu": compare_slot_attention}
"""Parts of models, by a weight that they hold."""


class Comparison(NamedTuple):
    """One number or array against its reference."""

    name: str
    error: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


def relative_error(ours: Tensor | np.ndarray, reference: np.ndarray) -> float:
    """Largest deviation relative to the largest reference value; infinite if shapes differ."""
    ours = np.asarray(ours.detach() if isinstance(ours, Tensor) else ours, dtype=np.float64)
    if ours.shape != reference.shape or not np.isfinite(ours).all():
        return float("inf")
    return float(np.abs(ours - reference).max() / max(np.abs(reference).max(), 1e-300))


def compare(path: Path) -> list[Comparison]:
    """All comparisons that a fixture allows.

    Raises:
        InputError: The file is missing or holds nothing this script knows.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such fixture")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    config = json.loads(str(arrays.pop("config", "{}")))
    if "in/images_bthwc" in arrays:
        return list(_patch_orders(arrays))
    if "iterations" in arrays:
        return list(_schedules(arrays, config))
    for mark, compare_cell in CELLS.items():
        if mark in arrays:
            return [_cell_comparison(*triple) for triple in compare_cell(arrays, config)]
    architecture = recognised(_weights(arrays))
    if architecture is None:
        raise InputError(f"{path}: no weights of a known architecture; it holds {list(arrays)[:5]}")
    return _model(arrays, config, TRANSLATIONS[architecture])


def _weights(arrays: Arrays) -> dict[str, Tensor]:
    return {
        name.removeprefix("w/"): torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith("w/")
    }


def _cell_comparison(name: str, ours: Tensor, reference: np.ndarray) -> Comparison:
    return Comparison(name, relative_error(ours, reference), TOLERANCE[ours.dtype])


def _model(arrays: Arrays, config: dict[str, Any], translation: Translation) -> list[Comparison]:
    """Comparisons in both precisions, under the forward that comes closest."""
    inferred = translation.config(_weights(arrays), config["img_channel"])
    attempts = [
        [
            comparison
            for dtype in TOLERANCE
            for comparison in _passes(arrays, config, translation, options, dtype)
        ]
        for options in _forwards(_with_traceless(inferred, config))
    ]
    return min(attempts, key=lambda comparisons: max(c.error for c in comparisons))


def _forwards(options: ModelConfig) -> list[ModelConfig]:
    """The options, once per forward of OpenSTL if there are two.

    Weights do not tell which of them made a fixture's numbers, but the numbers do: they differ by
    far more than the tolerance.
    """
    if not hasattr(options, "legacy"):
        return [options]
    return [with_options(options, {"legacy": legacy}) for legacy in (False, True)]


def _passes(
    arrays: Arrays,
    config: dict[str, Any],
    translation: Translation,
    options: ModelConfig,
    dtype: torch.dtype,
) -> Iterator[Comparison]:
    model = load_published(translation, options, _frame_shape(config), _weights(arrays))
    model = model.train().to(dtype)
    clip = _clip(arrays, config, dtype)
    mask = _sampling_mask(arrays["in/mask_bt"], clip.frames.shape[1])
    drawn = isinstance(model, MotionRNN)
    with stored_initial_state(model, arrays) if drawn else nullcontext():
        predictions, terms = unroll(model, clip, mask)
        loss = _loss(model, predictions, clip, terms, config)
        results = {
            "frames": _layout(predictions, arrays, config),
            "mse": mean_squared_error(predictions, clip),
            "loss": loss,
        }
        prefix = "out/" if dtype == torch.float32 else "out64/"
        if prefix + "frames_test" in arrays:
            results["frames_test"] = _layout(_test_pass(model, clip, config), arrays, config)
    if "decoupling" in terms:
        results["decouple"] = terms["decoupling"]
    forward = ", legacy forward" if getattr(options, "legacy", False) else ""
    for name, value in results.items():
        if prefix + name in arrays:
            error = relative_error(value, arrays[prefix + name])
            yield Comparison(f"{prefix}{name}{forward}", error, TOLERANCE[dtype])
    if dtype == torch.float32:
        yield from _gradient_norms(model, loss, arrays, translation)


def _frame_shape(config: dict[str, Any]) -> FrameShape:
    return config["img_channel"], config["img_height"], config["img_width"]


def _with_traceless(options: ModelConfig, config: dict[str, Any]) -> ModelConfig:
    """The options that leave no trace in the weights, from the published configuration."""
    traceless: dict[str, Any] = {}
    if "dcb_iterations" in config:
        traceless["half_steps"] = config["dcb_iterations"]
    if getattr(options, "patch", 1) is None:
        traceless["residual"] = bool(config["res_on_conv"])
    return with_options(options, traceless)


def _loss(
    model: WorldModel,
    predictions: Tensor,
    clip: Clip,
    terms: dict[str, Tensor],
    config: dict[str, Any],
) -> Tensor:
    """What the authors minimise."""
    if isinstance(model, MotionDetailsRNN):
        difference = predictions[:, 1:] - clip.frames[:, 2:]
        return (difference.square().sum() + difference.abs().sum()) / 4
    absolute = float(isinstance(model, E3DLSTM))
    return training_loss(predictions, clip, terms, config["decouple_beta"], absolute)


def _test_pass(model: WorldModel, clip: Clip, config: dict[str, Any]) -> Tensor:
    mask = torch.zeros(clip.actions.shape[:2])
    mask[:, : config["input_length"]] = 1
    with torch.no_grad():
        return unroll(model.eval(), clip, mask)[0]


def _gradient_norms(
    model: WorldModel, loss: Tensor, arrays: Arrays, translation: Translation
) -> Iterator[Comparison]:
    """Norms of the reference were taken in float32 runs, whatever their stored type."""
    loss.backward()
    parameters = dict(model.named_parameters())
    for name, reference in arrays.items():
        if not name.startswith("gradnorm/"):
            continue
        published = name.removeprefix("gradnorm/")
        entry = translation.entry(published, torch.from_numpy(arrays[f"w/{published}"]))
        gradient = None if entry is None else parameters[entry[0]].grad
        norm = torch.zeros(()) if gradient is None else gradient.norm()
        yield Comparison(name, relative_error(norm, reference), TOLERANCE[torch.float32])


def _clip(arrays: Arrays, config: dict[str, Any], dtype: torch.dtype) -> Clip:
    frames, patch = _published_frames(arrays).to(dtype), config["patch_size"]
    batch, time = frames.shape[:2]
    whole = depth_to_space(frames.flatten(0, 1), patch, _order(arrays))
    actions = torch.zeros(batch, time - 1, 0, dtype=dtype)
    if "in/actions" in arrays:
        actions = torch.from_numpy(arrays["in/actions"]).to(dtype)[:, : time - 1]
    return Clip.checked(whole.unflatten(0, (batch, time)), actions)


def _published_frames(arrays: Arrays) -> Tensor:
    """Patched frames, shape (B, T, C p^2, h, w)."""
    if "in/frames_bchw" in arrays:
        return torch.from_numpy(arrays["in/frames_bchw"])
    return torch.from_numpy(arrays["in/frames"]).movedim(-1, 2)


def _layout(frames: Tensor, arrays: Arrays, config: dict[str, Any]) -> Tensor:
    """Our frames (B, T, C, H, W) in patches, with the channels where the fixture has them."""
    patches = space_to_depth(frames.flatten(0, 1), config["patch_size"], _order(arrays))
    patches = patches.unflatten(0, frames.shape[:2])
    return patches if "in/frames_bchw" in arrays else patches.movedim(2, -1)


def _order(arrays: Arrays) -> PatchOrder:
    """MoDeRNN, whose frames have the channels first, orders pixels in its own way."""
    if "in/frames_bchw" in arrays:
        return PatchOrder.CHANNEL_COLUMN_ROW
    return PatchOrder.ROW_COLUMN_CHANNEL


def _sampling_mask(after_context: np.ndarray, length: int) -> Tensor:
    mask = torch.ones(after_context.shape[0], length - 1)
    mask[:, length - 1 - after_context.shape[1] :] = torch.from_numpy(after_context)
    return mask


def _patch_orders(arrays: Arrays) -> Iterator[Comparison]:
    images = torch.from_numpy(arrays["in/images_bthwc"]).movedim(-1, 2)
    for name, reference in arrays.items():
        if name.startswith("out/predrnn_patch"):
            patch = int(name.removeprefix("out/predrnn_patch"))
            patches = space_to_depth(images.flatten(0, 1), patch)
            ours = patches.unflatten(0, images.shape[:2]).movedim(2, -1)
        elif name.startswith("out/"):
            patch = int(name.split("patch")[1].split("_")[0])
            ours = space_to_depth(images[:, 0], patch, PatchOrder.CHANNEL_COLUMN_ROW)
        else:
            continue
        yield Comparison(name, relative_error(ours, reference), 0.0)


def _schedules(arrays: Arrays, config: dict[str, Any]) -> Iterator[Comparison]:
    steps = [int(step) for step in arrays["iterations"]]
    for name, reference in arrays.items():
        family, _, kind = name.partition("/")
        if family == "iterations":
            continue
        curriculum: Curriculum = ScheduledSampling()
        if family.startswith("rss_"):
            start, stop, alpha = config[family.removeprefix("rss_")]
            curriculum = ReverseScheduledSampling(start, stop, alpha)
        chances = [curriculum.probabilities(step) for step in steps]
        ours = [c.context if kind == "r_eta_context" else c.forecast for c in chances]
        yield Comparison(name, relative_error(np.array(ours), reference), TOLERANCE[torch.float64])


def main(paths: list[str]) -> int:
    """Print every comparison; 0 if all hold, 1 if one does not, 2 for a fixture nobody knows."""
    status = 0
    for path in map(Path, paths):
        print(path.name)
        try:
            comparisons = compare(path)
        except InputError as error:
            print(f"  {error}", file=sys.stderr)
            status = 2
            continue
        for c in comparisons:
            print(
                f"  {'ok  ' if c.holds else 'FAIL'} {c.error:9.2e} (<= {c.tolerance:g})  {c.name}"
            )
        if not all(c.holds for c in comparisons):
            status = max(status, 1)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
