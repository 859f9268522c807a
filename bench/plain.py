"""The action-conditioned PredRNN-V2 as its authors' code runs it: what ours is measured against.

It takes the weights of our `PredRNN` and gives the same numbers. Each candidate encodes the context
itself; each action becomes an image that every sample convolves at every step; the convolutions of
x, h, m and the action are separate; the decoupling term is computed whether or not it is wanted;
all of it in float32, with everything kept that a gradient would need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from worldmodel.models.predrnn import PredRNNConfig


@final
class PlainPredRNN:
    """PredRNN-V2 with actions, between strided convolutions.

    Args:
        config: Of our model: `patch=None`, `residual=True`, `bias=True`.
        weights: Its `state_dict()`; copied.
    """

    def __init__(self, config: PredRNNConfig, weights: Mapping[str, Tensor]) -> None:
        self._layers, self._hidden = config.layers, config.hidden
        self._forget_bias, self._padding = config.forget_bias, config.kernel // 2
        self._weights = {
            name: weight.detach().clone().contiguous().requires_grad_("actions." not in name)
            for name, weight in weights.items()
        }

    def parameters(self) -> list[Tensor]:
        """What training changes."""
        return [weight for weight in self._weights.values() if weight.requires_grad]

    def unroll(self, frames: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Predict a frame after each action, from its own prediction where no frame is given.

        Args:
            frames: The first K, values in [0, 1]. Shape (B, K, C, H, W).
            actions: In the units of the log. Shape (B, T, A), T at least K - 1.

        Returns:
            Predictions of frames 1..T, shape (B, T, C, H, W), and the decoupling term, a scalar.
        """
        batch, known, _, height, width = frames.shape
        hidden, cells = (
            [frames.new_zeros(batch, self._hidden, height // 4, width // 4)] * self._layers
            for _ in range(2)
        )
        memory = hidden[0]
        predictions: list[Tensor] = []
        terms: list[Tensor] = []
        for t in range(actions.shape[1]):
            frame = frames[:, t] if t < known else predictions[-1]
            half, x = self._halved("codec.input1", "codec.input2", frame)
            quarter = x
            action = self._action_image(actions[:, t], height, width)
            hidden, cells = list(hidden), list(cells)
            for layer in range(self._layers):
                hidden[layer], cells[layer], memory, term = self._cell(
                    layer, x, hidden[layer], cells[layer], memory, action
                )
                x = hidden[layer]
                terms.append(term)
            grown = self._doubled("codec.output1", x + quarter)
            predictions.append(self._doubled("codec.output2", grown + half))
        return torch.stack(predictions, dim=1), torch.stack(terms).mean()

    def _action_image(self, action: Tensor, height: int, width: int) -> Tensor:
        """An action (B, A), normalised, tiled and encoded. Shape (B, hidden, h, w)."""
        scaled = (action - self._weights["actions.mean"]) / self._weights["actions.std"]
        tiled = scaled[:, :, None, None].expand(-1, -1, height, width)
        return self._halved("action_encoder.encoder.0", "action_encoder.encoder.1", tiled)[1]

    def _cell(
        self, layer: int, x: Tensor, hidden: Tensor, cell: Tensor, memory: Tensor, action: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One ST-LSTM: hidden state, cell, memory and decoupling term after it."""
        own = f"cells.{layer}."
        i_x, f_x, g_x, i_xm, f_xm, g_xm, o_x = self._conv(f"{own}conv_x.0", x).chunk(7, 1)
        modulated = self._conv(f"{own}conv_h.0", hidden) * self._conv(
            f"{own}modulation.conv", action
        )
        i_h, f_h, g_h, o_h = modulated.chunk(4, 1)
        i_m, f_m, g_m = self._conv(f"{own}conv_m.0", memory).chunk(3, 1)
        cell_gain = torch.sigmoid(i_x + i_h) * torch.tanh(g_x + g_h)
        cell = torch.sigmoid(f_x + f_h + self._forget_bias) * cell + cell_gain
        memory_gain = torch.sigmoid(i_xm + i_m) * torch.tanh(g_xm + g_m)
        memory = torch.sigmoid(f_xm + f_m + self._forget_bias) * memory + memory_gain
        both = torch.cat((cell, memory), 1)
        output = torch.sigmoid(o_x + o_h + self._conv(f"{own}conv_o.0", both))
        hidden = output * torch.tanh(self._conv(f"{own}conv_last", both, padding=0))
        return hidden, cell, memory, self._decoupling(cell_gain, memory_gain)

    def _decoupling(self, cell_gain: Tensor, memory_gain: Tensor) -> Tensor:
        """Mean |cosine| of the adapted gains, by channel."""
        adapted = [
            functional.conv2d(gain, self._weights["adapter.weight"]).flatten(2)
            for gain in (cell_gain, memory_gain)
        ]
        return functional.cosine_similarity(*adapted, dim=2).abs().mean()

    def _conv(self, name: str, maps: Tensor, padding: int | None = None) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        wide = self._padding if padding is None else padding
        return functional.conv2d(maps, weight, bias, padding=wide)

    def _halved(self, first: str, second: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of half and of a quarter of the sides."""
        half = functional.conv2d(
            maps, self._weights[f"{first}.weight"], stride=2, padding=self._padding
        )
        return half, functional.conv2d(
            half, self._weights[f"{second}.weight"], stride=2, padding=self._padding
        )

    def _doubled(self, name: str, maps: Tensor) -> Tensor:
        return functional.conv_transpose2d(
            maps,
            self._weights[f"{name}.weight"],
            stride=2,
            padding=self._padding,
            output_padding=1,
        )
