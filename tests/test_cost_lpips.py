"""LPIPS against a second implementation, written from the authors' description."""

import numpy as np
import pytest
import torch
from costs_at_hand import CONVOLUTIONS, lpips_weights
from safetensors.torch import save_file
from torch.nn.functional import conv2d, max_pool2d

from worldmodel.errors import InputError
from worldmodel.imagined import Imagined
from worldmodel.planners.cost import Scene
from worldmodel.planners.costs.lpips import LPIPSConfig

SLICE = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}
GEOMETRY = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    backbone, linear = lpips_weights()
    torch.save(backbone, folder / "alexnet.pth")
    torch.save(linear, folder / "alex.pth")
    whole = dict(linear)
    for number, slot in SLICE.items():
        for kind in ("weight", "bias"):
            value = backbone[f"features.{number}.{kind}"]
            whole[f"net.slice{slot}.{number}.{kind}"] = value
    whole["scaling_layer.shift"] = torch.zeros(1, 3, 1, 1)
    save_file(whole, folder / "whole.safetensors")
    return folder


def layouts(files):
    whole = str(files / "whole.safetensors")
    return {
        "torchvision": LPIPSConfig(str(files / "alexnet.pth"), str(files / "alex.pth")),
        "authors": LPIPSConfig(whole, whole),
    }


def reference(one, other):
    """LPIPS of two pictures (3, H, W) in [0, 1]."""
    backbone, linear = lpips_weights()
    maps = [features(picture, backbone) for picture in (one, other)]
    total = 0.0
    for layer, pair in enumerate(zip(*maps, strict=True)):
        first, second = (m / (np.sqrt((m**2).sum(0)) + 1e-10) for m in pair)
        weights = linear[f"lin{layer}.model.1.weight"].numpy()[0, :, 0, 0]
        total += np.tensordot(weights, (first - second) ** 2, 1).mean()
    return total


def features(picture, backbone):
    shift = np.array([-0.030, -0.088, -0.188], np.float32)[:, None, None]
    scale = np.array([0.458, 0.448, 0.450], np.float32)[:, None, None]
    x = torch.from_numpy((picture.numpy() * 2 - 1 - shift) / scale)[None]
    maps = []
    for number in CONVOLUTIONS:
        if number in (3, 6):
            x = max_pool2d(x, 3, 2)
        stride, padding = GEOMETRY[number]
        weight, bias = (backbone[f"features.{number}.{kind}"] for kind in ("weight", "bias"))
        x = conv2d(x, weight, bias, stride=stride, padding=padding).clamp_min(0)
        maps.append(x[0].numpy())
    return maps


def step(frame):
    return Imagined(0, frame.new_zeros(len(frame), 1, 2), None, lambda: frame, lambda: frame)


@pytest.mark.parametrize("layout", ["torchvision", "authors"])
@pytest.mark.parametrize("size", [(31, 31), (48, 64)])
def test_it_is_the_authors_distance(files, layout, size):
    pictures = torch.rand(6, 3, *size)
    goal, frame = pictures[:2], pictures[2:]
    cost = layouts(files)[layout].build(Scene(goal[:, None], goal))(step(frame))
    expected = [reference(frame[i], goal[i // 2]) for i in range(4)]
    np.testing.assert_allclose(cost, expected, rtol=1e-4)


def test_gray_is_repeated_and_the_goal_is_at_no_distance(files):
    gray = torch.rand(2, 1, 48, 48)
    cost = layouts(files)["torchvision"].build(Scene(gray[:1, None], gray[:1]))
    value = cost(step(gray))
    assert value[0] == pytest.approx(0, abs=1e-9)
    colored = gray.expand(-1, 3, -1, -1)
    np.testing.assert_allclose(value[1], reference(colored[1], colored[0]), rtol=1e-4)


def test_gradients_are_finite_also_where_no_feature_answers(files):
    frame = torch.zeros(1, 3, 48, 48, requires_grad=True)
    goal = torch.rand(1, 3, 48, 48)
    cost = layouts(files)["torchvision"].build(Scene(goal[:, None], goal))
    (gradient,) = torch.autograd.grad(cost(step(frame)).sum(), frame)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_what_cannot_be_served_is_refused(files, tmp_path):
    goal, small = torch.rand(1, 3, 48, 48), torch.rand(1, 3, 30, 48)
    good = layouts(files)["torchvision"]
    with pytest.raises(InputError, match=r"at least 31 x 31 pixels, .*got 30 x 48"):
        good.build(Scene(small[:, None], small))
    scene = Scene(goal[:, None], goal)
    with pytest.raises(InputError, match=r"missing\.pth: no such file"):
        LPIPSConfig(str(tmp_path / "missing.pth"), good.linear).build(scene)
    with pytest.raises(InputError, match=r"alex\.pth: expected AlexNet's features .*got others"):
        LPIPSConfig(good.linear, good.linear).build(scene)
    with pytest.raises(InputError, match=r"expected lin0\.model\.1\.weight of 64 numbers.*none"):
        LPIPSConfig(good.backbone, good.backbone).build(scene)
    other = {"lin0.model.1.weight": torch.ones(1, 32, 1, 1)}
    torch.save(other, tmp_path / "squeeze.pth")
    with pytest.raises(InputError, match=r"of 64 numbers.*got shape \(1, 32, 1, 1\)"):
        LPIPSConfig(good.backbone, str(tmp_path / "squeeze.pth")).build(scene)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.pth: damaged, or no file of weights"):
        LPIPSConfig(str(tmp_path / "text.pth"), good.linear).build(scene)
