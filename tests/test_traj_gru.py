"""TrajGRU against its equations and the published sizes."""

import pytest
import torch
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.traj_gru import TrajGRUCell, warp
from worldmodel.models.traj_gru import TrajGRUConfig


def naive_warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Bilinear warp of (C, h, w) along (2, h, w), as the paper sums over all positions."""
    _, height, width = maps.shape
    warped = torch.zeros_like(maps)
    for i in range(height):
        for j in range(width):
            u, v = float(flow[0, i, j]), float(flow[1, i, j])
            for m in range(height):
                for n in range(width):
                    near = max(0.0, 1 - abs(i + v - m)) * max(0.0, 1 - abs(j + u - n))
                    warped[:, i, j] += near * maps[:, m, n]
    return warped


def make_cell(inputs: int, hidden: int, links: int, features: int = 32) -> TrajGRUCell:
    return TrajGRUCell(
        inputs,
        hidden,
        (3, 4),
        kernel=3,
        links=links,
        flow_features=features,
        flow_kernel=5,
        negative_slope=0.2,
        action_features=None,
    )


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("height", "width"), [(4, 5), (1, 3), (3, 1)])
def test_warp_is_the_sum_over_all_positions(height: int, width: int) -> None:
    maps = torch.randn(2, 3, height, width, dtype=torch.float64)
    flows = 2 * torch.randn(2, 4, 2, height, width, dtype=torch.float64)
    warped = warp(maps, flows)
    assert warped.shape == (2, 3, 4, height, width)
    for b in range(2):
        for link in range(4):
            expected = naive_warp(maps[b], flows[b, link])
            torch.testing.assert_close(warped[b, :, link], expected, rtol=1e-10, atol=1e-12)


def test_whole_flows_shift_and_zero_flows_keep() -> None:
    maps = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    right, down, still = torch.tensor([[1.0, 0], [0, 1], [0, 0]], dtype=torch.float64)
    flows = torch.stack((right, down, still))[None, :, :, None, None].expand(1, 3, 2, 3, 4)
    shifted = warp(maps, flows)[0]
    expected = torch.zeros_like(shifted)
    expected[:, 0, :, :-1] = maps[0, :, :, 1:]
    expected[:, 1, :-1] = maps[0, :, 1:]
    expected[:, 2] = maps[0]
    torch.testing.assert_close(shifted, expected)


@torch.no_grad()
def test_cell_is_the_equations() -> None:
    cell = make_cell(2, 3, links=4, features=6).double()
    nn.init.normal_(cell.flow_out.weight, std=0.3)
    x, hidden = torch.randn(2, 2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 3, 4).double()

    features = nn.functional.conv2d(x, cell.flow_x.weight, cell.flow_x.bias, padding=2)
    features += nn.functional.conv2d(hidden, cell.flow_h.weight, cell.flow_h.bias, padding=2)
    features = features.clamp_min(0) + 0.2 * features.clamp_max(0)
    flows = nn.functional.conv2d(features, cell.flow_out.weight, cell.flow_out.bias, padding=2)
    assert flows.abs().max() > 1
    w_x = nn.functional.conv2d(x, cell.conv_x.weight, cell.conv_x.bias, padding=1)
    assert cell.project.bias is not None
    w_h = cell.project.bias[None, :, None, None].repeat(2, 1, 3, 4)
    for b in range(2):
        for link in range(4):
            warped = naive_warp(hidden[b], flows[b, 2 * link : 2 * link + 2])
            weights = cell.project.weight[:, link::4, 0, 0]
            w_h[b] += torch.einsum("oc,chw->ohw", weights, warped)
    r_x, z_x, h_x = w_x.chunk(3, dim=1)
    r_h, z_h, h_h = w_h.chunk(3, dim=1)
    z = torch.sigmoid(z_x + z_h)
    candidate = h_x + torch.sigmoid(r_x + r_h) * h_h
    candidate = torch.where(candidate > 0, candidate, 0.2 * candidate)

    output = cell(x, {"hidden": hidden}, {}, None)
    expected = (1 - z) * candidate + z * hidden
    torch.testing.assert_close(output.output, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(output.own["hidden"], expected, rtol=1e-10, atol=1e-12)


def test_an_untrained_cell_looks_beside_no_position() -> None:
    cell = make_cell(8, 16, links=13)
    flows = cell.flows(torch.randn(2, 8, 3, 4), torch.randn(2, 16, 3, 4))
    assert flows.shape == (2, 13, 2, 3, 4)
    assert flows.abs().max() < 0.2


@pytest.mark.parametrize(("links", "parameters"), [(9, 3_421_277), (13, 4_000_397)])
def test_cells_have_the_published_size(links: int, parameters: int) -> None:
    """The authors' models of Moving MNIST++, 3.42 and 4.00 million parameters in the paper."""
    encoder = [make_cell(i, h, links) for i, h in ((16, 64), (96, 96), (96, 96))]
    top, *forecaster = (make_cell(96, h, links) for h in (96, 96, 64))
    around = [
        nn.Conv2d(4, 16, 3),  # Frame, coordinates and a constant.
        nn.Conv2d(64, 96, 3),
        nn.Conv2d(96, 96, 3),
        nn.ConvTranspose2d(96, 96, 4, bias=False),
        nn.ConvTranspose2d(96, 96, 4, bias=False),
        nn.ConvTranspose2d(64, 16, 3, bias=False),
        nn.Conv2d(16, 16, 3),
        nn.Conv2d(16, 1, 1),
    ]
    model = nn.ModuleList([*encoder, top, *forecaster, *around])
    of_no_input = nn.ModuleList([top.conv_x, top.flow_x])  # The top forecaster sees none.
    assert size(model) - size(of_no_input) == parameters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"links": 0}, r"TrajGRUConfig\.links: expected at least 1, got 0"),
        ({"flow_features": 0}, r"TrajGRUConfig\.flow_features: expected at least 1, got 0"),
        ({"flow_kernel": 4}, r"TrajGRUConfig\.flow_kernel: expected an odd number, got 4"),
        ({"negative_slope": -0.1}, r"negative_slope: expected at least 0, got -0\.1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrajGRUConfig(**options)  # pyright: ignore[reportArgumentType]
