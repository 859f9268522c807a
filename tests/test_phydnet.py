"""PhyDNet against finite differences, and its equations restated with scipy in float64."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.phy_cell import PhyCell, moments
from worldmodel.layers.plain_conv_lstm import PlainConvLSTMCell
from worldmodel.models.phydnet import PhyDNet, PhyDNetConfig

SMALL = PhyDNetConfig(features=8, kernel=3, layers=2, hidden=3, groups=2)

# Central differences of the highest accuracy that fits seven points (Fornberg, 1988).
FIRST = np.array([-1 / 60, 3 / 20, -3 / 4, 0, 3 / 4, -3 / 20, 1 / 60])
SECOND = np.array([1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90])
NOTHING = np.array([0.0, 0, 0, 1, 0, 0, 0])


def conv(x: np.ndarray, layer: nn.Module) -> np.ndarray:
    """Convolution of (C, h, w) by scipy."""
    assert isinstance(layer, nn.Conv2d)
    weight = layer.weight.detach().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().numpy()
    maps = [
        sum(correlate2d(x[c], kernel[c], mode="same") for c in range(len(x))) for kernel in weight
    ]
    return np.stack(maps) + bias[:, None, None]


def group_norm(x: np.ndarray, layer: nn.Module) -> np.ndarray:
    assert isinstance(layer, nn.GroupNorm)
    groups = np.split(x, layer.num_groups)
    x = np.concatenate([(g - g.mean()) / np.sqrt(g.var() + layer.eps) for g in groups])
    scale, shift = (p.detach().numpy()[:, None, None] for p in (layer.weight, layer.bias))
    return scale * x + shift


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def naive_phy_cell(cell: PhyCell, x: np.ndarray, h: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Prediction and correction of one state (features, h, w); `scale` is the action's."""
    change = conv(group_norm(conv(h, cell.derivatives), cell.norm), cell.combination)
    predicted = h + scale[:, None, None] * change
    gain = sigmoid(conv(np.concatenate([x, h]), cell.gain))
    return (1 - gain) * predicted + gain * x


def naive_lstm(
    cell: PlainConvLSTMCell, x: np.ndarray, h: np.ndarray, c: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    gates = conv(x, cell.input_path) + scale[:, None, None] * conv(h, cell.hidden_path)
    i, f, o, g = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def randomised(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)


def an_action(batch: int, cell: PhyCell | PlainConvLSTMCell) -> ActionFeatures:
    maps = torch.eye(2, dtype=torch.float64)[:, :, None, None]
    assert cell.modulation is not None
    tables = {cell.modulation: cell.modulation.table(maps)}
    return ActionFeatures(torch.randn(batch, 2, dtype=torch.float64), tables)


def scale_of(cell: PhyCell | PlainConvLSTMCell, action: ActionFeatures) -> np.ndarray:
    """W_a a + b_a of every sample, (B, outputs)."""
    assert cell.modulation is not None
    convolution = cell.modulation.conv
    assert convolution.bias is not None
    factor = action.coefficients @ convolution.weight[:, :, 0, 0].T + convolution.bias
    return factor.detach().numpy()


def test_phy_cell_is_the_equations() -> None:
    cell = PhyCell(4, 3, 2).double()
    randomised(cell)
    x, hidden = torch.randn(2, 2, 4, 5, 3, dtype=torch.float64)
    action = an_action(2, cell)
    found, scale = cell(x, hidden, action), scale_of(cell, action)
    for b in range(2):
        expected = naive_phy_cell(cell, x[b].numpy(), hidden[b].numpy(), scale[b])
        np.testing.assert_allclose(found[b].detach(), expected, rtol=1e-10, atol=1e-12)


def test_lstm_cell_is_the_equations() -> None:
    cell = PlainConvLSTMCell(4, 3, 3, 2).double()
    randomised(cell)
    x = torch.randn(2, 4, 5, 3, dtype=torch.float64)
    hidden, memory = torch.randn(2, 2, 3, 5, 3, dtype=torch.float64)
    action = an_action(2, cell)
    found, scale = cell(x, hidden, memory, action), scale_of(cell, action)
    for b in range(2):
        expected = naive_lstm(cell, x[b].numpy(), hidden[b].numpy(), memory[b].numpy(), scale[b])
        for ours, reference in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours[b].detach(), reference, rtol=1e-10, atol=1e-12)


def test_two_steps_of_both_branches() -> None:
    model = PhyDNet((1, 8, 12), 0, SMALL).double().eval()
    randomised(model)
    frames = torch.rand(2, 1, 1, 8, 12, dtype=torch.float64)
    state = model.initial_state(1)
    physical, below = np.zeros((8, 2, 3)), np.zeros((2, 3, 2, 3))
    top = np.zeros((2, 8, 2, 3))
    bottom_cell, top_cell = model.cells
    assert isinstance(bottom_cell, PlainConvLSTMCell)
    assert isinstance(top_cell, PlainConvLSTMCell)
    for frame in frames:
        prediction, state = model.step(frame, torch.zeros(1, 0), state)
        encoded = model.encoder(frame)
        x = model.physical_encoder(encoded)[0].detach().numpy()
        physical = naive_phy_cell(model.phy_cell, x, physical, np.ones(8))
        x = model.residual_encoder(encoded)[0].detach().numpy()
        below = naive_lstm(bottom_cell, x, *below, np.ones(12))
        top = naive_lstm(top_cell, below[0], *top, np.ones(32))
        np.testing.assert_allclose(
            model.latent(state)[0].detach(), np.concatenate([physical, top[0]])
        )
        parts = [
            decoder(torch.from_numpy(hidden)[None])
            for decoder, hidden in (
                (model.physical_decoder, physical),
                (model.residual_decoder, top[0]),
            )
        ]
        expected = sigmoid(model.decoder(parts[0] + parts[1]).detach().numpy())
        np.testing.assert_allclose(prediction.detach(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("vertical", "horizontal", "orders"),
    [
        (NOTHING, NOTHING, (0, 0)),
        (FIRST, NOTHING, (1, 0)),
        (NOTHING, FIRST, (0, 1)),
        (FIRST, SECOND, (1, 2)),
        (SECOND, NOTHING, (2, 0)),
    ],
)
def test_moments_of_finite_differences(
    vertical: np.ndarray, horizontal: np.ndarray, orders: tuple[int, int]
) -> None:
    found = moments(torch.from_numpy(np.outer(vertical, horizontal)))
    expected = torch.zeros(7, 7, dtype=torch.float64)
    expected[orders] = 1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_moments_say_what_a_convolution_makes_of_a_polynomial() -> None:
    """By Taylor's theorem: the sum of moment (i, j) times d^(i+j)/dy^i dx^j."""
    kernel = torch.randn(5, 5, dtype=torch.float64)
    coefficients = np.random.default_rng(0).normal(size=(4, 4))
    y, x = np.mgrid[-6:7, -6:7].astype(float)
    field = np.polynomial.polynomial.polyval2d(y, x, coefficients)
    convolved = nn.functional.conv2d(torch.from_numpy(field)[None, None], kernel[None, None])[0, 0]
    expected = np.zeros((9, 9))
    for i, row in enumerate(moments(kernel).numpy()):
        for j, moment in enumerate(row):
            derivative = np.polynomial.polynomial.polyder(coefficients, i, axis=0)
            derivative = np.polynomial.polynomial.polyder(derivative, j, axis=1)
            values = np.polynomial.polynomial.polyval2d(y, x, derivative)
            expected += moment * values[2:-2, 2:-2]
    np.testing.assert_allclose(convolved, expected, rtol=1e-9, atol=1e-6)


def derivative_kernels(side: int) -> Tensor:
    """The kernel of every derivative below order `side`: all moments but one vanish."""
    offsets = np.arange(side) - side // 2
    powers = np.array([offsets**i / math.factorial(i) for i in range(side)], dtype=float)
    single = np.linalg.inv(powers)  # Column i: the stencil of the i-th derivative.
    kernels = [np.outer(single[:, i], single[:, j]) for i in range(side) for j in range(side)]
    return torch.from_numpy(np.stack(kernels))


def test_constraint_vanishes_for_derivatives_alone() -> None:
    cell = PhyCell(3, 7, None).double()
    exact = derivative_kernels(7)
    cell.requires_grad_(False)
    cell.derivatives.weight[:] = exact[:, None]
    assert cell.constraint() < 1e-18
    cell.derivatives.weight[11, 2] += 0.5 * exact[30]
    deviation = 0.5**2 / 7**4  # One of 7^4 moments, in one of three channels.
    assert float(cell.constraint()) == pytest.approx(deviation, rel=1e-9)
    cell.derivatives.weight[11, 1] += 0.5 * exact[3]
    assert float(cell.constraint()) == pytest.approx(2 * deviation, rel=1e-9)


def test_the_constraint_enters_training() -> None:
    model = PhyDNet((1, 8, 12), 0, SMALL)
    frame, action = torch.rand(1, 1, 8, 12), torch.zeros(1, 0)
    _, _, terms = model.training_step(frame, action, model.initial_state(1), frame)
    assert terms == {"moments": model.phy_cell.constraint()}
    assert terms["moments"] > 0


def test_size_of_the_published_model() -> None:
    """Layer by layer from `models.py`: convolutions with bias, scale and shift of the norms."""

    def conv_norm(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 3 * outputs

    encoder = conv_norm(1, 32) + conv_norm(32, 32) + conv_norm(32, 64)
    decoder = conv_norm(64, 32) + conv_norm(32, 32) + 9 * 32 + 1
    branches = 4 * 2 * conv_norm(64, 64)
    phy_cell = (49 * 64 * 49 + 49) + 2 * 49 + (49 * 64 + 64) + (9 * 128 * 64 + 64)
    assert phy_cell == 230_803  # What their script prints.
    conv_lstm = sum(9 * (i + o) * 4 * o + 4 * o for i, o in ((64, 128), (128, 128), (128, 64)))
    model = PhyDNetConfig().build((1, 64, 64), 0)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == encoder + decoder + branches + phy_cell + conv_lstm


def test_impossible_options_are_refused() -> None:
    with pytest.raises(InputError, match=r"features: expected a multiple of 4 groups, 64, got 32"):
        PhyDNetConfig(features=32)
    with pytest.raises(InputError, match=r"kernel: expected an odd number, got 4"):
        PhyDNetConfig(kernel=4)
    with pytest.raises(InputError, match=r"4 does not divide .* \(64, 42\)"):
        PhyDNetConfig().build((3, 64, 42), 0)
