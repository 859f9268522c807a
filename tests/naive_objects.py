"""RIMs, SCOFF and slot attention of single samples, written with loops, and small sizes of them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from naive import normalised, softmax
from torch import Tensor, nn

from worldmodel.layers.group_gru import GroupGRU
from worldmodel.layers.rim_cell import CellSizes
from worldmodel.layers.slot_attention import SlotAttention

SIZES = CellSizes(
    inputs=5,
    hidden=6,
    cells=4,
    active=2,
    key=3,
    value=7,
    communication_heads=2,
    communication_key=3,
    dropout=0.0,
)
SMALL: dict[str, Any] = {
    "cells": 4,
    "hidden": 6,
    "features": 8,
    "slots": 3,
    "slot_size": 5,
    "key": 3,
    "value": 7,
    "communication_key": 3,
}


def naive_attention(
    scores: Callable[[int, int], Tensor], inputs: int, cells: int, active: int
) -> tuple[list[list[Tensor]], list[int]]:
    """Weights of every cell over the inputs, null last, and the cells that are updated."""
    columns = [softmax([scores(k, n) for k in range(cells)]) for n in range(inputs)]
    weights = []
    for k in range(cells):
        row = [column[k] + 1e-8 for column in columns]
        weights.append([weight / torch.stack(row).sum() for weight in row])
    order = sorted(range(cells), key=lambda k: weights[k][-1].item())
    return weights, order[:active]


def naive_gru(x: Tensor, h: Tensor, gru: GroupGRU, g: int) -> Tensor:
    assert gru.input_path.bias is not None
    assert gru.hidden_path.bias is not None
    width = h.shape[0]
    from_x = x @ gru.input_path.weight[g] + gru.input_path.bias[g]
    from_h = h @ gru.hidden_path.weight[g] + gru.hidden_path.bias[g]
    reset = torch.sigmoid(from_x[:width] + from_h[:width])
    update = torch.sigmoid(from_x[width : 2 * width] + from_h[width : 2 * width])
    candidate = torch.tanh(from_x[2 * width :] + reset * from_h[2 * width :])
    return (1 - update) * candidate + update * h


def naive_slots(module: SlotAttention, features: Tensor, noise: Tensor) -> Tensor:
    """Slots of one sample: features (N, F), noise (S, D)."""
    features = normalised(features)
    slots = torch.stack([module.mean + module.log_std.exp() * row for row in noise])
    for _ in range(module.iterations):
        slots = normalised(slots)
        shares = torch.zeros(len(slots), len(features), dtype=features.dtype)
        for n, feature in enumerate(features):
            key = module.key.weight @ feature
            scores = [module.query.weight @ slot @ key / math.sqrt(module.width) for slot in slots]
            powers = torch.stack(scores).exp()
            shares[:, n] = powers / powers.sum()
        moved = []
        for slot, row in zip(slots, shares, strict=True):
            update = torch.zeros_like(slot)
            for share, feature in zip(row, features, strict=True):
                update += (share + 1e-8) / (row + 1e-8).sum() * (module.value.weight @ feature)
            moved.append(naive_gru_cell(module.gru, update, slot))
        slots = torch.stack(moved)
        slots = slots + module.mlp(normalised(slots))
    return slots


def naive_gru_cell(gru: nn.GRUCell, x: Tensor, h: Tensor) -> Tensor:
    r_x, z_x, n_x = (gru.weight_ih @ x + gru.bias_ih).reshape(3, -1)
    r_h, z_h, n_h = (gru.weight_hh @ h + gru.bias_hh).reshape(3, -1)
    update = torch.sigmoid(z_x + z_h)
    return (1 - update) * torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h) + update * h
