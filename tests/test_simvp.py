"""SimVP against its parts composed as the authors compose them, and loops in float64."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor, nn

from worldmodel.errors import InputError
from worldmodel.layers.inception import GROUPS, Inception, InceptionUNet
from worldmodel.models.simvp import SimVP, SimVPConfig
from worldmodel.rollout import observe

SMALL = SimVPConfig(window=3, hidden=16, halvings=1, translator_hidden=16, translator_depth=2)


def randomised(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)


def numbers(parameter: Tensor | None) -> np.ndarray:
    assert parameter is not None
    return parameter.detach().numpy()


def naive_branch(x: np.ndarray, branch: nn.Module) -> np.ndarray:
    """Convolution of each group of channels, its normalisation and the leaky rectifier."""
    conv, norm, _ = branch.children()
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.GroupNorm)
    parts = []
    for g, group in enumerate(np.split(x, GROUPS)):
        kernels = np.split(numbers(conv.weight), GROUPS)[g]
        biases = np.split(numbers(conv.bias), GROUPS)[g]
        y = np.stack(
            [
                sum(correlate2d(group[c], k[c], mode="same") for c in range(len(group))) + bias
                for k, bias in zip(kernels, biases, strict=True)
            ]
        )
        parts.append((y - y.mean()) / np.sqrt(((y - y.mean()) ** 2).mean() + norm.eps))
    y = numbers(norm.weight)[:, None, None] * np.concatenate(parts)
    y = y + numbers(norm.bias)[:, None, None]
    return np.where(y > 0, y, 0.2 * y)


def naive_inception(x: np.ndarray, block: nn.Module) -> np.ndarray:
    assert isinstance(block, Inception)
    weight, bias = numbers(block.reduction.weight), numbers(block.reduction.bias)
    x = np.einsum("oi,ihw->ohw", weight[:, :, 0, 0], x) + bias[:, None, None]
    kernels = [
        branch.get_submodule("0").get_parameter("weight").shape[-1] for branch in block.branches
    ]
    assert kernels == [3, 5, 7, 11]
    return sum((naive_branch(x, branch) for branch in block.branches), np.zeros(()))


def test_translator_is_the_equations() -> None:
    net = InceptionUNet(6, 16, 8, depth=3).double()
    randomised(net)
    x = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    found = net(x)
    for b in range(2):
        first = naive_inception(x[b].numpy(), net.down[0])
        second = naive_inception(first, net.down[1])
        third = naive_inception(second, net.down[2])
        y = naive_inception(third, net.bottom)
        y = naive_inception(np.concatenate([y, second]), net.up[0])
        y = naive_inception(np.concatenate([y, first]), net.up[1])
        np.testing.assert_allclose(found[b].detach(), y, rtol=1e-9, atol=1e-11)


def composed(model: SimVP, frames: Tensor) -> Tensor:
    """The next frame of windows (B, T, C, H, W): all frames encoded at once, as the authors do."""
    skips = model.embedding(frames.flatten(0, 1))
    encoded = model.encoder(skips).unflatten(0, frames.shape[:2])
    translated = model.translator(encoded.flatten(1, 2))
    newest = skips.unflatten(0, frames.shape[:2])[:, -1]
    return model.readout(model.fusion(torch.cat([model.decoder(translated), newest], 1)))


def stepped(model: SimVP, frames: Tensor, actions: Tensor) -> Tensor:
    """Prediction after all frames (B, T, C, H, W) and actions (B, T, A)."""
    state = observe(model, frames, actions[:, :-1])
    return model.step(state["frame"], actions[:, -1], state["recurrent"])[0]


@pytest.mark.parametrize("halvings", [1, 2])
def test_a_step_is_the_composition_over_its_window(halvings: int) -> None:
    config = SimVPConfig(
        window=3, hidden=16, halvings=halvings, translator_hidden=16, translator_depth=2
    )
    model = SimVP((2, 8, 12), 0, config).double()
    randomised(model)
    frames = torch.rand(2, 5, 2, 8, 12, dtype=torch.float64)
    windows = {1: [0, 0, 0], 2: [0, 0, 1], 3: [0, 1, 2], 4: [1, 2, 3], 5: [2, 3, 4]}
    for seen, window in windows.items():
        found = stepped(model, frames[:, :seen], torch.zeros(2, seen, 0))
        torch.testing.assert_close(found, composed(model, frames[:, window]))


def test_the_encoder_scales_as_it_says() -> None:
    model = SimVPConfig(
        window=2, hidden=16, halvings=3, translator_hidden=16, translator_depth=2
    ).build((3, 16, 40), 0)
    _, state = model.step(torch.rand(1, 3, 16, 40), torch.zeros(1, 0), model.initial_state(1))
    assert state["window"].shape == (1, 2, 16, 2, 5)
    assert model.latent(state).shape == (1, 16, 2, 5)


def test_an_action_scales_the_encoding_of_its_frame() -> None:
    free, model = SimVP((2, 8, 12), 0, SMALL).double(), SimVP((2, 8, 12), 2, SMALL).double()
    model.load_state_dict(free.state_dict(), strict=False)
    assert model.modulation is not None
    nn.init.normal_(model.modulation.conv.weight)
    frames = torch.rand(2, 4, 2, 8, 12, dtype=torch.float64)
    actions = torch.zeros(2, 4, 2, dtype=torch.float64)
    plain = stepped(free, frames, actions[:, :, :0])
    torch.testing.assert_close(stepped(model, frames, actions), plain)
    actions[:, 0] = 1  # It left the window with its frame.
    torch.testing.assert_close(stepped(model, frames, actions), plain)
    actions[:, 1] = torch.tensor([0.5, -2.0])
    state = observe(model, frames, actions[:, :-1])
    factor = 1 + model.modulation.conv.weight[:, :, 0, 0] @ actions[0, 1]
    encoded = free.encoder(free.embedding(frames[:, 1]))
    torch.testing.assert_close(state["recurrent", "window"][:, 1], factor[:, None, None] * encoded)


def test_size_of_the_published_model() -> None:
    """Layer by layer from `model.py`, whose last block returns ten frames instead of one."""

    def conv(inputs: int, outputs: int, taps: int = 9) -> int:
        return taps * inputs * outputs + 3 * outputs  # With bias, and scale and shift of the norm.

    def inception(inputs: int, outputs: int) -> int:
        branches = sum(conv(128 // 8, outputs, kernel**2) for kernel in (3, 5, 7, 11))
        return inputs * 128 + 128 + branches

    encoder = conv(1, 64) + 3 * conv(64, 64)
    decoder = 3 * conv(64, 64) + conv(128, 64) + 64 + 1
    translator = inception(640, 256) + 8 * inception(256, 256) + 6 * inception(512, 256)
    assert encoder + decoder + translator + inception(512, 640) == 15_778_433  # What theirs counts.
    model = SimVPConfig().build((1, 64, 64), 0)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == encoder + decoder + translator + inception(512, 64)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(InputError, match=r"SimVPConfig\.hidden: expected a multiple of 8, got 12"):
        SimVPConfig(hidden=12)
    with pytest.raises(InputError, match=r"translator_hidden: expected a multiple of 16, got 24"):
        SimVPConfig(translator_hidden=24)
    with pytest.raises(InputError, match=r"4 does not divide .* \(64, 42\)"):
        SimVPConfig().build((3, 64, 42), 0)
