"""SVG-LP: stochastic video generation with a learned prior, with and without actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from worldmodel.errors import check_at_least
from worldmodel.layers.action import ActionEncoder
from worldmodel.layers.gaussian import Gaussian, GaussianLSTM
from worldmodel.layers.lstm import LSTMStack
from worldmodel.layers.recurrent import zeros
from worldmodel.layers.vector_codec import VectorDecoder, VectorEncoder
from worldmodel.model import ModelConfig, State, WorldModel


@final
@dataclass(frozen=True, kw_only=True)
class SVGConfig(ModelConfig):
    """Options of `SVG`; the defaults are those published for stochastic Moving MNIST.

    Attributes:
        features: Width of the vector g that encodes a frame.
        noise: Width of the latent variable z of a step; 64 as published for BAIR.
        hidden: Width of all LSTM cells.
        predictor_layers: LSTM cells of the frame predictor.
        prior_layers: LSTM cells of the learned prior.
        posterior_layers: LSTM cells of the posterior.
        width: Channels after the encoder's first halving; they double up to 8 `width`.
        halvings: Halvings of the frame by the encoder: 4 as published for 64 pixels, 5 for 128.
        kl_weight: Factor of the term `kl`. Training multiplies all auxiliary terms by a weight of
            its own, .1 unless it is told otherwise: together the paper's beta, 1e-4.
    """

    paper: ClassVar[str] = "Denton & Fergus, ICML"
    year: ClassVar[int] = 2018

    features: int = 128
    noise: int = 10
    hidden: int = 256
    predictor_layers: int = 2
    prior_layers: int = 1
    posterior_layers: int = 1
    width: int = 64
    halvings: int = 4
    kl_weight: float = 1e-3

    def __post_init__(self) -> None:
        check_at_least(2, self, "features")
        check_at_least(1, self, "noise", "hidden", "width", "halvings")
        check_at_least(1, self, "predictor_layers", "prior_layers", "posterior_layers")
        check_at_least(0, self, "kl_weight")

    def build(self, frame_shape: tuple[int, int, int], action_dim: int) -> SVG:
        """See `ModelConfig.build`."""
        return SVG(frame_shape, action_dim, self)


@final
class SVG(WorldModel[SVGConfig]):
    """SVG-LP (Denton & Fergus, ICML 2018): an LSTM on frame vectors and a random vector per step.

    What the past cannot tell of the next frame is a latent variable z. In training the posterior
    infers it from the recorded next frame and the prior learns to foresee it; a prediction takes it
    from the prior, its mean in `step` and a draw in `sample`.

    It differs from the authors' code in four points. Batch normalisation is group normalisation,
    so that no clip depends on its batch. The decoder takes the skip connections of the step's own
    frame (their option `last_frame_skip`), because a step is not told which frame was recorded
    last. For the same reason the predictor sees the prior's z while a context is observed, where
    theirs sees the posterior's. And an action modulates the hidden path of every LSTM, as in the
    action-conditioned PredRNN-V2; theirs knows no actions.

    The state holds `predictor`, `prior` and `posterior`, each of shape (B, L, 2, hidden): hidden
    state and cell of every LSTM layer. Only training moves the posterior's.

    Args:
        frame_shape: (C, H, W) in pixels.
        action_dim: Width A of an action; 0 for an action-free model.
        config: Options.

    Raises:
        InputError: 2^halvings does not divide the frame.
    """

    stochastic = True

    def __init__(
        self, frame_shape: tuple[int, int, int], action_dim: int, config: SVGConfig
    ) -> None:
        super().__init__(frame_shape, action_dim, config)
        features, noise, hidden = config.features, config.noise, config.hidden
        self.encoder = VectorEncoder(frame_shape, features, config.width, config.halvings)
        self.decoder = VectorDecoder(frame_shape, features, config.width, config.halvings)
        self.action_encoder = ActionEncoder(None, action_dim) if action_dim else None
        width = self.action_encoder.features if self.action_encoder else None
        self.predictor = LSTMStack(features + noise, hidden, config.predictor_layers, width)
        self.output = nn.Sequential(nn.Linear(hidden, features), nn.Tanh())
        self.prior = GaussianLSTM(features, noise, hidden, config.prior_layers, width)
        self.posterior = GaussianLSTM(features, noise, hidden, config.posterior_layers, width)

    def initial_state(self, batch: int, device: torch.device | str | None = None) -> State:
        """See `WorldModel.initial_state`."""
        shapes = {
            "predictor": self.predictor.state,
            "prior": self.prior.memory.state,
            "posterior": self.posterior.memory.state,
        }
        device = self.device if device is None else device
        return State(zeros(shapes, batch, device, self.dtype), batch_size=[batch])

    def transition(self, frame: Tensor, action: Any, state: State) -> tuple[Tensor, State]:
        """See `WorldModel.transition`; z is the prior's mean."""
        frame, state, _ = self._step(frame, action, state, _mean)
        return frame, state

    def sampled_transition(
        self, frame: Tensor, action: Any, state: State, generator: torch.Generator | None
    ) -> tuple[Tensor, State]:
        """See `WorldModel.sampled_transition`; z is drawn from the prior."""
        frame, state, _ = self._step(frame, action, state, lambda prior: prior.draw(generator))
        return frame, state

    def training_transition(
        self, frame: Tensor, action: Any, state: State, target: Tensor
    ) -> tuple[Tensor, State, dict[str, Tensor]]:
        """A prediction with z drawn from the posterior, and the term `kl`.

        In evaluation z is the prior's mean, as in `transition`. The term is the divergence of the
        posterior from the prior, in nats and averaged over the batch, times `kl_weight`.
        """
        features = action if self.action_encoder else None
        posterior, memory = self.posterior(self.encoder(target)[0], state["posterior"], features)
        choose = (lambda _: posterior.draw(None)) if self.training else _mean
        frame, state, prior = self._step(frame, action, state, choose)
        state["posterior"] = memory
        divergence = posterior.divergence(prior).mean()
        return frame, state, {"kl": self.config.kl_weight * divergence}

    def latent(self, state: State) -> Tensor:
        """The predictor's top hidden state. Shape (B, hidden, 1, 1)."""
        return state["predictor"][:, -1, 0, :, None, None]

    def _step(
        self, frame: Tensor, action: Any, state: State, choose: Callable[[Gaussian], Tensor]
    ) -> tuple[Tensor, State, Gaussian]:
        """`transition` with the z that `choose` takes given the prior, and the prior."""
        features = action if self.action_encoder else None
        vector, skips = self.encoder(frame)
        prior, prior_state = self.prior(vector, state["prior"], features)
        top, predictor_state = self.predictor(
            torch.cat((vector, choose(prior)), dim=1), state["predictor"], features
        )
        entries = {
            "predictor": predictor_state,
            "prior": prior_state,
            "posterior": state["posterior"],
        }
        new = State(entries, batch_size=state.batch_size)
        return self.decoder(self.output(top), skips), new, prior


def _mean(prior: Gaussian) -> Tensor:
    return prior.mean
