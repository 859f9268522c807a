"""SVG-LP against torch's own LSTM and distributions, and its equations restated in float64."""

import pytest
import torch
from futures import frames_of
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from worldmodel.clip import Clip
from worldmodel.errors import InputError
from worldmodel.layers.action import ActionFeatures
from worldmodel.layers.gaussian import Gaussian, GaussianLSTM
from worldmodel.layers.lstm import LSTMCell, LSTMStack
from worldmodel.models.svg import SVG, SVGConfig
from worldmodel.rollout import imagine, observe, unroll
from worldmodel.training.loss import training_loss

SMALL = SVGConfig(features=6, noise=3, hidden=5, width=2, halvings=3, kl_weight=0.5)


def random_svg(action_dim: int = 0, shape: tuple[int, int, int] = (1, 8, 16)) -> SVG:
    """A small model, none of whose parameters is 0 or 1."""
    model = SVG(shape, action_dim, SMALL).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def torch_cell(cell: nn.Module) -> nn.LSTMCell:
    assert isinstance(cell, LSTMCell)
    reference = nn.LSTMCell(cell.input_path.in_features, cell.hidden_path.in_features).double()
    reference.load_state_dict(
        {
            f"{kind}_{path}": getattr(layer, kind)
            for path, layer in (("ih", cell.input_path), ("hh", cell.hidden_path))
            for kind in ("weight", "bias")
        }
    )
    return reference


class NaiveStack:
    """torch's LSTM cells above each other, after the embedding."""

    def __init__(self, stack: LSTMStack) -> None:
        self.embedding, self.cells = stack.embedding, [torch_cell(cell) for cell in stack.cells]
        self.states: list[tuple[Tensor, Tensor] | None] = [None] * len(self.cells)

    def __call__(self, x: Tensor) -> Tensor:
        x = x @ self.embedding.weight.T + self.embedding.bias
        for layer, cell in enumerate(self.cells):
            self.states[layer] = cell(x, self.states[layer])
            x = self.states[layer][0]  # pyright: ignore[reportOptionalSubscript]
        return x


class NaiveGaussian:
    """Mean and standard deviation from torch's LSTM cells."""

    def __init__(self, network: GaussianLSTM) -> None:
        self.network, self.stack = network, NaiveStack(network.memory)

    def __call__(self, x: Tensor) -> Normal:
        top = self.stack(x)
        return Normal(self.network.mean(top), self.network.log_variance(top).exp().sqrt())


def naive_clip(model: SVG, frames: Tensor, noise: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Predictions and divergences of the loop in `train_svg_lp.py`, noise (T-1, B, Z) given."""
    predictor = NaiveStack(model.predictor)
    prior, posterior = NaiveGaussian(model.prior), NaiveGaussian(model.posterior)
    predictions, divergences = [], []
    for t in range(frames.shape[1] - 1):
        h, skips = model.encoder(frames[:, t])
        q, p = posterior(model.encoder(frames[:, t + 1])[0]), prior(h)
        z = q.mean + q.stddev * noise[t]
        g = torch.tanh(model.output[0](predictor(torch.cat([h, z], 1))))
        d = model.decoder.input(g[:, :, None, None])
        for block, skip in zip(
            [*model.decoder.blocks, model.decoder.output], skips[::-1], strict=True
        ):
            d = block(torch.cat([d, skip], 1))
        predictions.append(1 / (1 + (-d).exp()))
        divergences.append(kl_divergence(q, p).sum(1).mean())
    return predictions, divergences


def test_a_training_pass_is_the_loop_of_the_authors() -> None:
    model = random_svg().train()
    frames = torch.rand(2, 5, 1, 8, 16, dtype=torch.float64)
    clip = Clip.checked(frames, torch.zeros(2, 4, 0, dtype=torch.float64))
    torch.manual_seed(3)
    predictions, terms = unroll(model, clip, torch.ones(2, 4))
    torch.manual_seed(3)
    noise = torch.stack([torch.randn(2, 3, dtype=torch.float64) for _ in range(4)])
    expected, divergences = naive_clip(model, frames, noise)
    torch.testing.assert_close(predictions, torch.stack(expected, 1), rtol=1e-9, atol=1e-12)
    kl = 0.5 * torch.stack(divergences).mean()
    torch.testing.assert_close(terms["kl"], kl, rtol=1e-9, atol=1e-12)


def test_divergence_and_draws_are_those_of_torch() -> None:
    parameters = torch.randn(4, 7, 3, dtype=torch.float64)
    a, b = Gaussian(*parameters[:2]), Gaussian(*parameters[2:])
    normals = [Normal(g.mean, (0.5 * g.log_variance).exp()) for g in (a, b)]
    expected = kl_divergence(*normals).sum(1)
    torch.testing.assert_close(a.divergence(b), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(a.divergence(a), torch.zeros(7, dtype=torch.float64))

    wide = Gaussian(torch.tensor([[3.0, -1.0]]), torch.tensor([[0.5, 4.0]]).square().log())
    count = 100_000
    drawn = Gaussian(*(p.expand(count, 2) for p in wide)).draw(torch.Generator().manual_seed(0))
    error = (drawn.mean(0) - wide.mean[0]) / torch.tensor([0.5, 4.0])
    assert error.abs().max() < 5 / count**0.5
    assert (drawn.std(0) / torch.tensor([0.5, 4.0]) - 1).abs().max() < 0.01


def test_futures_are_drawn_and_repeat_with_their_seed() -> None:
    model = random_svg(2).eval()
    frames, actions = torch.rand(2, 3, 1, 8, 16).double(), torch.randn(2, 6, 2).double()
    state = observe(model, frames, actions[:, :2])

    def drawn(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        index = torch.arange(2).repeat_interleave(5)
        drawn = frames_of(imagine(model, state[index], actions[index, 2:], generator))
        return drawn.unflatten(0, (2, 5))

    futures = drawn(0)
    assert futures.shape == (2, 5, 4, 1, 8, 16)
    assert torch.equal(futures, drawn(0))
    assert not torch.isclose(futures, drawn(1)).all(dim=(2, 3, 4, 5)).any()
    for n in range(1, 5):
        assert (futures[:, n] - futures[:, 0]).abs().amax(dim=(1, 2, 3, 4)).min() > 1e-3


def test_a_certain_prior_draws_its_mean() -> None:
    model = random_svg().eval()
    frame, action = torch.rand(2, 1, 8, 16).double(), torch.zeros(2, 0)
    nn.init.zeros_(model.prior.log_variance.weight)
    nn.init.constant_(model.prior.log_variance.bias, -200.0)
    state = model.initial_state(2)
    expected, after = model.step(frame, action, state)
    drawn, after_draw = model.sample(frame, action, state, None)
    torch.testing.assert_close(drawn, expected)
    torch.testing.assert_close(after_draw["predictor"], after["predictor"])


def test_only_training_sees_the_next_frame() -> None:
    model = random_svg()
    frame, action, state = torch.rand(2, 1, 8, 16).double(), torch.zeros(2, 0), None
    for training in (True, False):
        model.train(training)
        state = model.initial_state(2)
        predictions = []
        for target in torch.rand(2, 2, 1, 8, 16).double():
            torch.manual_seed(0)
            predictions.append(model.training_step(frame, action, state, target)[0])
        assert torch.equal(*predictions) == (not training)
    assert torch.equal(predictions[0], model.step(frame, action, model.initial_state(2))[0])


def test_an_action_scales_the_hidden_path_of_a_cell() -> None:
    cell = LSTMCell(3, 4, 2).double()
    assert cell.modulation is not None
    nn.init.normal_(cell.modulation.conv.weight)
    x, hidden, memory = (torch.randn(1, width, dtype=torch.float64) for width in (3, 4, 4))
    action = torch.randn(1, 2, dtype=torch.float64)
    maps = torch.eye(2, dtype=torch.float64)[:, :, None, None]
    found = cell(
        x, hidden, memory, ActionFeatures(action, {cell.modulation: cell.modulation.table(maps)})
    )
    scale = 1 + cell.modulation.conv.weight[:, :, 0, 0] @ action[0]
    reference = torch_cell(cell)
    reference.weight_hh.data *= scale[:, None]
    reference.bias_hh.data *= scale
    torch.testing.assert_close(found, reference(x, (hidden, memory)), rtol=1e-12, atol=1e-12)


def test_draws_cover_what_the_past_cannot_tell() -> None:
    """A block in the middle goes left or right; no single future is near both."""
    model = SVG(
        (1, 4, 4),
        0,
        SVGConfig(features=8, noise=2, hidden=16, predictor_layers=1, width=4, halvings=2),
    )
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    left, middle = torch.zeros(2, 1, 4, 4)
    left[:, :, :2], middle[:, :, 1:3] = 1, 1
    sides = torch.stack([left, left.flip(-1)])
    for _ in range(200):
        after = sides[torch.randint(2, (16,))]
        frames = torch.stack([middle.expand_as(after), after], dim=1)
        clip = Clip.checked(frames, torch.zeros(16, 1, 0))
        predictions, terms = unroll(model, clip, torch.ones(16, 1))
        optimizer.zero_grad()
        training_loss(predictions, clip, terms, 0.1).backward()
        optimizer.step()
    state = observe(model.eval(), middle[None, None], torch.zeros(1, 0, 0))
    with torch.no_grad():
        futures = frames_of(
            imagine(
                model, state.expand(200), torch.zeros(200, 1, 0), torch.Generator().manual_seed(0)
            )
        )
    error = (futures - sides).square().mean(dim=(2, 3, 4))  # (N, side)
    share = (error < 0.05).double().mean(dim=0)
    assert share.min() > 0.2
    assert share.sum() > 0.9


def lstm_size(inputs: int, hidden: int, layers: int, heads: int, outputs: int) -> int:
    """The embedding, two matrices and two biases to four gates per layer, the heads."""
    embedding = inputs * hidden + hidden
    return embedding + layers * 8 * (hidden**2 + hidden) + heads * (hidden + 1) * outputs


def convs_size(*convs: tuple[int, int, int]) -> int:
    """Weights and biases of convolutions (inputs, outputs, taps), scale and shift after each."""
    return sum(taps * inputs * outputs + 3 * outputs for inputs, outputs, taps in convs)


@pytest.mark.parametrize(
    ("channels", "noise", "size", "widths"),
    [(1, 10, 64, (64, 128, 256, 512)), (3, 64, 128, (64, 128, 256, 512, 512))],
)
def test_size_of_the_published_models(
    channels: int, noise: int, size: int, widths: tuple[int, ...]
) -> None:
    """Layer by layer from `dcgan_64.py`, `dcgan_128.py` and `lstm.py`; all kernels are 4x4."""
    pairs = list(zip((channels, *widths[:-1]), widths, strict=True))
    encoder = convs_size(*((i, o, 16) for i, o in pairs), (512, 128, 16))
    decoder = convs_size((128, 512, 16), *((2 * o, i, 16) for i, o in pairs))
    decoder -= 2 * channels  # The last convolution is not normalised.
    predictor = lstm_size(128 + noise, 256, 2, 1, 128)
    gaussians = 2 * lstm_size(128, 256, 1, 2, noise)
    model = SVGConfig(noise=noise, halvings=len(widths)).build((channels, size, size), 0)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == encoder + decoder + predictor + gaussians


def test_frames_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(InputError, match=r"16 does not divide .* \(64, 40\)"):
        SVGConfig().build((3, 64, 40), 0)
    with pytest.raises(InputError, match=r"SVGConfig\.features: expected at least 2, got 1"):
        SVGConfig(features=1)
