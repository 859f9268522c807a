"""Designated pixels: found where they are, in plain loops and in moving pictures."""

import numpy as np
import pytest
import torch

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.designated_pixel import DesignatedPixel, DesignatedPixelConfig


def step(frame):
    return Imagined(0, frame.new_zeros(len(frame), 1, 2), None, lambda: frame, lambda: frame)


def drawn(*places, size=32):
    """A speckled square of 5 x 5 pixels at each (y, x), on a gray ground. Shape (B, 3, H, W)."""
    square = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(1))
    pictures = torch.full((len(places), 3, size, size), 0.5)
    for picture, (y, x) in zip(pictures, places, strict=True):
        picture[:, y - 2 : y + 3, x - 2 : x + 3] = square
    return pictures


def expected_distance(frame, start, pixel, goal, half, temperature, radius):
    """The definition in loops over every place."""
    padded, first = (
        np.pad(p.numpy(), ((0, 0), (half, half), (half, half)), mode="edge") for p in (frame, start)
    )
    side, (height, width) = 2 * half + 1, frame.shape[-2:]
    template = first[:, pixel[0] : pixel[0] + side, pixel[1] : pixel[1] + side]
    likely, away = [], []
    for y in range(max(0, pixel[0] - radius), min(height, pixel[0] + radius + 1)):
        for x in range(max(0, pixel[1] - radius), min(width, pixel[1] + radius + 1)):
            patch = padded[:, y : y + side, x : x + side]
            likely.append(np.exp(-((patch - template) ** 2).sum() / temperature))
            away.append(np.hypot(y - goal[0], x - goal[1]))
    return np.dot(likely, away) / np.sum(likely)


def test_it_is_the_expected_distance_of_its_definition():
    pictures = torch.rand(6, 3, 12, 14) * 0.3
    start, frame = pictures[:2], pictures[2:]
    pixels, goals = [(1, 2), (10, 11)], [(5, 5), (0, 13)]
    cost = DesignatedPixel(start, pixels, goals, patch=3, temperature=0.7, radius=4)
    expected = [
        sum(
            expected_distance(frame[i], start[i // 2], pixel, goal, 1, 0.7, 4)
            for pixel, goal in zip(pixels, goals, strict=True)
        )
        for i in range(4)
    ]
    np.testing.assert_allclose(cost(step(frame)), expected, rtol=1e-4)


def test_the_cost_is_the_distance_of_what_moved():
    start = drawn((10, 10))
    cost = DesignatedPixelConfig((10, 10), (20, 10), radius=10).build(Scene(start[:, None], start))
    costs = cost(step(drawn((10, 10), (14, 10), (20, 10), (20, 13))))
    torch.testing.assert_close(costs, torch.tensor([10.0, 6.0, 0.0, 3.0]), atol=0.3, rtol=0)


def test_it_is_followed_through_what_is_seen_beyond_the_radius():
    start = drawn((6, 6), (6, 20))
    cost = DesignatedPixel(start, [(6, 6)], [(26, 6)], radius=4)
    cost.observe(None, start)
    for moved in range(3, 19, 3):
        seen = drawn((6 + moved, 6), (6 + moved, 20))
        cost.observe(torch.zeros(2, 2), seen)
        assert cost.places[0].tolist() == [[6 + moved, 6]]
    near = drawn((24, 6), (24, 20))
    assert cost(step(near))[0].item() == pytest.approx(2, abs=0.3)
    cost.observe(None, start)
    assert cost.places[0].tolist() == [[6, 6]]


def test_gradients_are_those_of_finite_differences():
    start = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    cost = DesignatedPixel(start, [(5, 5)], [(2, 7)], patch=3, temperature=2.0, radius=3)
    frame = torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda seen: cost(step(seen)), frame)


def test_mistakes_are_refused():
    start = drawn((10, 10))
    scene = Scene(start[:, None], start)
    with pytest.raises(InputError, match=r"pixel: .*within 32 x 32 pixels, got \(32, 3\)"):
        DesignatedPixelConfig((32, 3), (5, 5)).build(scene)
    with pytest.raises(InputError, match=r"goal: .*within 32 x 32 pixels, got \(5, -1\)"):
        DesignatedPixelConfig((3, 3), (5, -1)).build(scene)
    with pytest.raises(InputError, match="a goal for each pixel, got 2 pixels and 1 goals"):
        DesignatedPixelConfig([(1, 1), (2, 2)], (5, 5))
    with pytest.raises(InputError, match="patch: expected an odd number, got 4"):
        DesignatedPixelConfig((3, 3), (5, 5), patch=4)
    with pytest.raises(InputError, match="temperature: expected above 0 and finite, got 0"):
        DesignatedPixelConfig((3, 3), (5, 5), temperature=0.0)
    with pytest.raises(InputError, match="radius: expected at least 1, got 0"):
        DesignatedPixelConfig((3, 3), (5, 5), radius=0)


@pytest.mark.parametrize(
    ("pixel", "goal", "told"),
    [
        ("ab", (1, 2), "pixel: expected a row and a column, or a list of such pairs, .*, got 'ab'"),
        ((1, 2), ["a", "b"], r"goal: expected a row and a column, .*, got \['a', 'b'\]"),
        ([(1, 2), 3], [(1, 2), 3], r"pixel: expected .*, got \[\(1, 2\), 3\]"),
        ((1.5, 2), (1, 2), r"pixel: expected .* in whole pixels, got \(1\.5, 2\)"),
        ((1, 2, 3), (1, 2), r"pixel: expected .*, got \(1, 2, 3\)"),
        (((1, 2), (3, 4)), (5, 6), "expected a goal for each pixel, got 2 pixels and 1 goals"),
    ],
)
def test_what_is_no_pixel_is_refused(pixel, goal, told):
    start = torch.rand(1, 3, 16, 16)
    with pytest.raises(InputError, match=told):
        DesignatedPixelConfig(pixel, goal)
    with pytest.raises(InputError, match=told):
        DesignatedPixel(start, pixel, goal)


def test_pixels_may_be_lists_and_tuples():
    start, frame = torch.rand(1, 3, 16, 16), torch.rand(2, 3, 16, 16)
    costs = [
        DesignatedPixelConfig(pixel, goal).build(Scene(start[:, None], start))(step(frame))  # pyright: ignore
        for pixel, goal in (
            ((3, 4), (5, 6)),
            ([3, 4], [5, 6]),
            ([[3, 4]], [(5, 6)]),
            (tuple(np.array([3, 4])), ((5, 6),)),
        )
    ]
    for cost in costs[1:]:
        torch.testing.assert_close(cost, costs[0])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"patch": "x"}, "patch: expected a whole number, got 'x'"),
        ({"radius": 1.5}, r"radius: expected a whole number, got 1\.5"),
        ({"temperature": "x"}, "temperature: expected above 0 and finite, got 'x'"),
    ],
)
def test_what_is_no_number_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        DesignatedPixelConfig((1, 2), (3, 4), **options)
