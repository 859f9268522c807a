"""How many candidates fit into the memory that there is."""

from __future__ import annotations

import weakref
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worldmodel.errors import InputError
from worldmodel.planners.foresight import Foresight

_SCRATCH = 2.5
"""Memory of the process per byte of visible tensors: convolutions need scratch of their own. With
PredRNN-V2 in bfloat16 on a CPU, 400 candidates took 2.3 times their tensors."""


def candidates_within(megabytes: float, foresight: Foresight, rest: Tensor) -> int:
    """Candidates per environment that can be imagined side by side within some memory.

    One step is imagined with one candidate and with two; what the second adds is what each takes,
    on top of what the model takes anyway. Frames are among it. Nothing is measured in a simulator,
    where candidates are tried one after the other.

    Args:
        megabytes: Of 10^6 bytes, for all candidates.
        foresight: After its `reset`.
        rest: An action for each environment. Shape (E, A).

    Raises:
        InputError: Not even one candidate fits; says how much it takes.
    """
    if not foresight.models:
        return 2**31
    one, two = (_peak(foresight, rest[:, None, None].expand(-1, n, 1, -1)) for n in (1, 2))
    each = max(_SCRATCH * (two - one), 1.0)
    fit = int(megabytes * 1e6 // each)
    if not fit:
        raise InputError(
            f"megabytes: expected at least {each / 1e6:.1f}, which one candidate takes, "
            f"got {megabytes}"
        )
    return fit


@torch.no_grad()
def _peak(foresight: Foresight, actions: Tensor) -> int:
    """Bytes of tensors alive at once while one step is imagined and seen."""
    with _Alive() as alive:
        for step in foresight.imagine(actions):
            _ = step.frame
    return alive.peak


@final
class _Alive(TorchDispatchMode):
    """Counts the bytes of the tensors that are made inside, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage.data_ptr(), storage.nbytes()
        if not size or key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
