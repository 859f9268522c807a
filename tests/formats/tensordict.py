"""Stored rollouts and replay buffers of TorchRL for the contract."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast, final

import numpy as np
import torch
from tensordict import NonTensorData, TensorDict

from formats.case import Damage, FormatCase, Truth, moving_square, walk
from worldmodel.data.formats.robots.tensordict.reader import MemmapRollouts

ROWS, BUFFER = "rows", "buffer/storage"
LOST_ROWS = tuple(f"{ROWS}/episode_{number}" for number in range(3))
LOST_BUFFER = tuple(f"{BUFFER}/episode_{number}" for number in range(2))


def steps(pixels: np.ndarray, actions: np.ndarray, states: np.ndarray) -> TensorDict:
    """An episode as TorchRL collects it: n steps between n+1 frames. Batch size (n,)."""
    count = len(actions)
    done = torch.zeros(count, 1, dtype=torch.bool)
    done[-1] = True

    def part(rows: slice) -> dict[str, torch.Tensor]:
        return {
            "pixels": torch.from_numpy(pixels[rows]),
            "goal": torch.from_numpy(pixels[-1:]).expand(count, -1, -1, -1),
            "state": torch.from_numpy(states[rows]),
        }

    after = part(slice(1, None)) | {"done": done, "reward": torch.zeros(count, 1)}
    taken = {"action": torch.from_numpy(actions), "done": torch.zeros_like(done)}
    return TensorDict(part(slice(-1)) | taken | {"next": after}, [count])


@final
class TensorDictCase(FormatCase):
    """Two rows, one of two episodes; and a replay buffer of floating-point pictures, half full."""

    reader = MemmapRollouts
    raw = True

    def write(self, folder: Path) -> list[Truth]:
        """Write two TensorDicts, of three and two episodes."""
        truths, episodes = [], []
        for number, length in enumerate((3, 4, 7)):
            pixels = moving_square(number, length + 1)
            actions, states = walk(number, length, 2), walk(number + 5, length + 1, 3)
            episodes.append(steps(pixels, actions, states))
            truths.append(Truth(LOST_ROWS[number], "pixels", pixels, actions, states))
        rows = TensorDict.stack([TensorDict.cat(episodes[:2]), episodes[2]])
        cast("TensorDict", rows).memmap(str(folder / ROWS))

        storage = TensorDict(
            {
                "observation": {"image": torch.zeros(16, 3, 24, 32)},
                "action": torch.zeros(16, 4, dtype=torch.int64),
                "collector": {"traj_ids": torch.zeros(16, dtype=torch.int64)},
                "half": torch.zeros(16, 2, dtype=torch.bfloat16),
            },
            [16],
        )
        kept = []
        for number, start in ((0, 0), (1, 5)):
            pixels = moving_square(number + 3, 5)
            chosen = np.eye(4, dtype=np.int64)[np.arange(5) % (number + 2)]
            frames = torch.from_numpy(pixels).movedim(-1, 1) / 255
            storage["observation", "image"][start : start + 5] = frames
            storage["action"][start : start + 5] = torch.from_numpy(chosen)
            storage["collector", "traj_ids"][start : start + 5] = number
            nothing = np.zeros((5, 0))
            kept.append(
                Truth(LOST_BUFFER[number], "observation/image", pixels, chosen[:-1], nothing)
            )
        storage.memmap(str(folder / BUFFER))
        (folder / BUFFER / "storage_metadata.json").write_text('{"len": 10}')
        return kept + truths

    def damages(self) -> Mapping[str, Damage]:
        """Damage to the rows, or to the buffer."""
        first, all_rows = LOST_ROWS[:1], LOST_ROWS
        return {
            "nan action": Damage(edited("action", np.nan), "NaN or infinity", first),
            "infinite state": Damage(edited("state", np.inf), "NaN or infinity", first),
            "other pictures": Damage(
                edited("pixels", 7), "in the order in which they were taken", LOST_ROWS[:1]
            ),
            "pickled": Damage(pickled, "was pickled and is not loaded", all_rows),
            "lazy": Damage(
                described(lambda meta: meta | {"_type": "LazyStackedTensorDict"}),
                "got a lazy stack",
                all_rows,
            ),
            "longer than stored": Damage(
                described(
                    lambda meta: meta | {"action": meta["action"] | {"shape": [2, 7, 2**40]}}
                ),
                "expected .* bytes",
                all_rows,
            ),
            "other batch": Damage(
                described(lambda meta: meta | {"action": meta["action"] | {"shape": [7, 2, 2]}}),
                "expected batch dimensions",
                all_rows,
            ),
            "other pictures next": Damage(
                described(
                    lambda meta: meta | {"pixels": meta["pixels"] | {"shape": [2, 7, 32, 24, 3]}}
                ),
                "in the shape of what is seen",
                all_rows,
            ),
            "no shape": Damage(
                described(lambda meta: meta | {"shape": "two"}), "lists of sizes", all_rows
            ),
            "no batch": Damage(
                described(lambda meta: meta | {"shape": []}), "along a batch dimension", all_rows
            ),
            "no pictures": Damage(
                described(lambda meta: {key: meta[key] for key in meta if key != "pixels"}),
                "expected pictures, uint8",
                all_rows,
            ),
            "numbers for flags": Damage(flags, "to be booleans", all_rows),
            "too bright": Damage(bright, "from 0 to 1", LOST_BUFFER[1:], when_read=True),
            "listed": Damage(listed, "expected a JSON object", LOST_BUFFER),
        }


def mapped(folder: Path, key: str) -> np.memmap[Any, Any]:
    """A tensor of the rows, to be written to."""
    meta = json.loads((folder / ROWS / "meta.json").read_text())[key]
    kind = meta["dtype"].removeprefix("torch.")
    return np.memmap(folder / ROWS / f"{key}.memmap", kind, "r+", shape=tuple(meta["shape"]))


def edited(key: str, value: float) -> Callable[[Path], None]:
    """Another value in the second step of the first episode."""

    def apply(folder: Path) -> None:
        mapped(folder, key)[0, 1] = value

    return apply


def described(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], None]:
    """Another description of the rows."""

    def apply(folder: Path) -> None:
        file = folder / ROWS / "meta.json"
        file.write_text(json.dumps(change(json.loads(file.read_text()))))

    return apply


def pickled(folder: Path) -> None:
    """Something beside the tensors that only pickle can hold."""
    rows = TensorDict.load_memmap(str(folder / ROWS)).clone()
    shutil.rmtree(folder / ROWS)
    rows["note"] = NonTensorData(ValueError("trap"), batch_size=rows.batch_size)
    rows.memmap(str(folder / ROWS))


def flags(folder: Path) -> None:
    """Bytes that are no booleans."""
    file = folder / ROWS / "next" / "done.memmap"
    file.write_bytes(bytes([7]) * len(file.read_bytes()))


def bright(folder: Path) -> None:
    """A floating-point picture that was never divided by 255."""
    file = folder / BUFFER / "observation" / "image.memmap"
    np.memmap(file, np.float32, "r+", shape=(16, 3, 24, 32))[7] = 200


def listed(folder: Path) -> None:
    """A description that is no object."""
    (folder / BUFFER / "meta.json").write_text("[]")
