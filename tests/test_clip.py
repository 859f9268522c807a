"""What a clip lets in, and that its fields stay together."""

import math
from typing import Any

import pytest
import torch

from worldmodel.clip import Clip
from worldmodel.errors import InputError

B, T, A = 3, 4, 2
FRAMES = torch.linspace(0.0, 1.0, B * T * 3 * 8 * 8).reshape(B, T, 3, 8, 8)
ACTIONS = torch.arange(B * (T - 1) * A, dtype=torch.float32).reshape(B, T - 1, A)


def test_defaults() -> None:
    clip = Clip.checked(FRAMES)
    assert clip.actions.shape == (B, T - 1, 0)
    assert clip.domain.tolist() == [0] * B
    assert clip.valid.all()
    assert clip.valid.shape == (B, T)


def test_fields_stay_together() -> None:
    valid = torch.ones(B, T, dtype=torch.bool)
    valid[2, 3] = False
    clip = Clip.checked(FRAMES, ACTIONS, torch.tensor([4, 5, 6]), valid)
    for part in (clip[2:], clip[torch.tensor([2])], clip.split(1)[2]):
        assert torch.equal(part.frames, FRAMES[2:])
        assert torch.equal(part.actions, ACTIONS[2:])
        assert part.domain.tolist() == [6]
        assert part.valid.tolist() == [[True, True, True, False]]
    moved = clip.to(torch.device("cpu"))
    assert isinstance(moved, Clip)
    assert torch.equal(moved.actions, ACTIONS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_floating_point_is_kept(dtype: torch.dtype) -> None:
    assert Clip.checked(FRAMES.to(dtype)).frames.dtype == dtype


def test_frames_may_require_gradients() -> None:
    frames = FRAMES.clone().requires_grad_()
    Clip.checked(frames).frames.sum().backward()
    assert frames.grad is not None


def _with(value: float) -> torch.Tensor:
    frames = FRAMES.clone()
    frames[1, 2, 0, 3, 4] = value
    return frames


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"frames": FRAMES, "missing": torch.zeros(B, T, 3, 8, 8, dtype=torch.bool)},
            r"Clip\.missing: .*\(B, T, 1, H, W\) = \(3, 4, 1, 8, 8\), got .*\(3, 4, 3, 8, 8\)",
        ),
        (
            {"frames": FRAMES, "missing": torch.zeros(B, T, 1, 8, 8)},
            r"Clip\.missing: expected booleans .*got torch\.float32",
        ),
        ({"frames": (FRAMES * 255).byte()}, r"Clip\.frames: .*floating-point.*got torch\.uint8"),
        ({"frames": FRAMES[0]}, r"Clip\.frames: .*\(B, T, C, H, W\), got .*\(4, 3, 8, 8\)"),
        ({"frames": FRAMES[:, :1]}, r"Clip\.frames: expected at least 2 frames, got 1"),
        ({"frames": _with(1.5)}, r"Clip\.frames: expected pixels in \[0, 1\], got \[0, 1\.5\]"),
        ({"frames": _with(-0.25)}, r"Clip\.frames: .*got \[-0\.25, 1\]"),
        ({"frames": _with(math.nan)}, r"Clip\.frames: expected finite numbers"),
        ({"frames": _with(math.inf)}, r"Clip\.frames: expected finite numbers"),
        ({"actions": ACTIONS[:, :2]}, r"Clip\.actions: .*\(3, 3, A\), got \(3, 2, 2\)"),
        ({"actions": ACTIONS[0]}, r"Clip\.actions: expected shape"),
        ({"actions": ACTIONS / 0.0}, r"Clip\.actions: expected finite numbers"),
        ({"domain": torch.zeros(B)}, r"Clip\.domain: expected integers"),
        ({"domain": torch.zeros(2, dtype=torch.long)}, r"Clip\.domain: .*\(3,\), got .*\(2,\)"),
        ({"valid": torch.ones(B, T)}, r"Clip\.valid: expected booleans"),
        ({"valid": torch.ones(B, T - 1, dtype=torch.bool)}, r"Clip\.valid: .*\(3, 4\), got .*3\)"),
    ],
)
def test_bad_fields_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Clip.checked(**{"frames": FRAMES, "actions": ACTIONS} | fields)
