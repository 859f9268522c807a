"""RIM cells and slot attention, by the names of the code of the thesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from worldmodel.errors import InputError
from worldmodel.layers.rim_cell import CellSizes, RIMCell, rim_cell
from worldmodel.layers.slot_attention import SlotAttention
from worldmodel.models.published.translation import Weights, load_by_name, required

_CELL = {
    "input_attention_mask.key.weight": "attention.key.weight",
    "input_attention_mask.value.weight": "attention.value.weight",
    "input_attention_mask.query.w": "attention.query.weight",
    "communication_attention.key.w": "communication.key.weight",
    "communication_attention.query.w": "communication.query.weight",
    "communication_attention.value.w": "communication.value.weight",
    "communication_attention.output_fc.w": "communication.output.weight",
}
_GRU = {
    "weight_ih_l0": "dynamics.gru.input_path.weight",
    "weight_hh_l0": "dynamics.gru.hidden_path.weight",
    "bias_ih_l0": "dynamics.gru.input_path.bias",
    "bias_hh_l0": "dynamics.gru.hidden_path.bias",
}
"""One GRU per cell, weights (3 D, inputs), becomes one tensor per kind, (K, inputs, 3 D)."""

_SLOTS = {
    "slots_mu": "mean",
    "slots_log_sigma": "log_std",
    "project_q.": "query.",
    "project_k.": "key.",
    "project_v.": "value.",
}


def rim_cell_from_published(config: Mapping[str, Any], weights: Weights) -> RIMCell:
    """The RIM cell that a configuration of the thesis code describes, in evaluation mode.

    Args:
        config: Options of the code's `RIMCell`: `input_size`, `hidden_size`, `num_units`, `k`,
            `input_key_size`, `input_value_size`, `num_input_heads`, `comm_key_size`, `comm_heads`.
        weights: State dict by the code's names.

    Raises:
        InputError: There is more than one input head, or weights are missing, superfluous or of
            another shape; each is named.
    """
    if config["num_input_heads"] != 1:
        raise InputError(f"num_input_heads: expected 1, got {config['num_input_heads']}")
    sizes = CellSizes(
        inputs=config["input_size"],
        hidden=config["hidden_size"],
        cells=config["num_units"],
        active=min(config["k"], config["num_units"]),
        key=config["input_key_size"],
        value=config["input_value_size"],
        communication_heads=config["comm_heads"],
        communication_key=config["comm_key_size"],
        dropout=0.0,
    )
    cell = rim_cell(sizes, action_features=None)
    load_by_name(cell, _cell_weights(weights, sizes.cells))
    return cell.eval()


def slot_attention_from_published(config: Mapping[str, Any], weights: Weights) -> SlotAttention:
    """The slot attention that a configuration of the thesis code describes, in evaluation mode.

    Args:
        config: `iterations`, `num_slots`, `slot_size` and `mlp_hidden`.
        weights: State dict by the code's names.

    Raises:
        InputError: Weights are missing, superfluous or of another shape; each is named.
    """
    module = SlotAttention(
        required(weights, "project_k.weight").shape[1],
        slots=config["num_slots"],
        width=config["slot_size"],
        iterations=config["iterations"],
        mlp=config["mlp_hidden"],
    )
    ours = {_slot_name(name): weight for name, weight in weights.items()}
    ours.update({name: ours[name].flatten() for name in ("mean", "log_std") if name in ours})
    load_by_name(module, ours)
    return module.eval()


def _cell_weights(weights: Weights, cells: int) -> dict[str, Tensor]:
    ours = {_CELL.get(name, name): weight for name, weight in weights.items()}
    for kind, name in _GRU.items():
        grus = [f"rnn.grus.{k}.{kind}" for k in range(cells)]
        ours[name] = torch.stack([required(ours, gru).t() for gru in grus])
        for gru in grus:
            del ours[gru]
    return ours


def _slot_name(published: str) -> str:
    for theirs, ours in _SLOTS.items():
        if published.startswith(theirs):
            return ours + published.removeprefix(theirs)
    return published.removesuffix("_l0") if published.startswith("gru.") else published
