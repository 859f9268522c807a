"""PhyCell: a recurrent unit that moves its state by a learned partial differential equation."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.action import ActionFeatures, action_modulation, modulated


@final
class PhyCell(nn.Module):
    """One PhyCell (PhyDNet, with the gain of the authors' code).

    The state is first predicted, h + F(h), where F combines k^2 convolutions linearly, and then
    corrected by the input as a Kalman filter would. `constraint` keeps each convolution near one
    partial derivative, all orders below k in either direction; F is then the right-hand side of a
    partial differential equation. An action modulates F(h).

    Args:
        features: Channels of input and state.
        kernel: Side k of the derivatives' kernels; odd.
        action_features: Channels of the action's features; None for an action-free cell.
    """

    def __init__(self, features: int, kernel: int, action_features: int | None) -> None:
        super().__init__()
        orders = kernel**2
        self.derivatives = nn.Conv2d(features, orders, kernel, padding=kernel // 2)
        self.norm = nn.GroupNorm(kernel, orders)
        self.combination = nn.Conv2d(orders, features, 1)
        self.gain = nn.Conv2d(2 * features, features, 3, padding=1)
        self.modulation = action_modulation(action_features, features)

    def forward(self, x: Tensor, hidden: Tensor, action: ActionFeatures | None) -> Tensor:
        """New state from input and state, all of shape (B, features, h, w)."""
        change = self.combination(self.norm(self.derivatives(hidden)))
        predicted = hidden + modulated(change, self.modulation, action)
        gain = torch.sigmoid(self.gain(torch.cat((x, hidden), dim=1)))
        return predicted + gain * (x - predicted)

    def constraint(self) -> Tensor:
        """How far the convolutions are from partial derivatives; a scalar, 0 if they are.

        The mean squared deviation of the moments of the kernels from those of the derivatives,
        summed over the channels of the state.
        """
        kernel = self.derivatives.kernel_size[0]
        found = moments(self.derivatives.weight)
        wanted = torch.eye(kernel**2, device=found.device, dtype=found.dtype)
        deviation = found - wanted.reshape(-1, 1, kernel, kernel)
        return deviation.square().mean(dim=(0, 2, 3)).sum()


def moments(kernels: Tensor) -> Tensor:
    """Moments of convolution kernels: what they make of monomials.

    Moment (i, j) is the sum of k[u, v] u^i v^j / (i! j!) over the offsets u, v from the middle: by
    Taylor's theorem the factor of d^(i+j)/du^i dv^j in what the kernel computes (Long et al.,
    PDE-Net, ICML 2018).

    Args:
        kernels: Square, with sides k. Shape (..., k, k).

    Returns:
        Moments of orders 0..k-1. Shape (..., k, k).
    """
    side = kernels.shape[-1]
    orders = torch.arange(side, device=kernels.device, dtype=kernels.dtype)
    offsets = orders - (side - 1) // 2
    powers = offsets ** orders[:, None] / (orders[:, None] + 1).lgamma().exp()
    return powers @ kernels @ powers.T
