"""What TorchRL collected, as clips and as stored recordings."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import LazyMemmapStorage, LazyTensorStorage, ReplayBuffer

from worldmodel.data.files.folder import Folder
from worldmodel.data.formats.robots.tensordict.memmaps import steps_of, stored
from worldmodel.data.opening import open_source
from worldmodel.errors import InputError
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.plugins.torchrl import clips
from worldmodel.rollout import unroll


def episode(number: int, steps: int) -> TensorDict:
    """Random pictures and actions, as a rollout has them. Batch size (steps,)."""
    generator = torch.Generator().manual_seed(number)
    shape = (steps + 1, 16, 16, 3)
    film = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    done = torch.zeros(steps, 1, dtype=torch.bool)
    done[-1] = True
    after = {"pixels": film[1:], "done": done, "reward": torch.ones(steps, 1)}
    return TensorDict(
        {
            "pixels": film[:-1],
            "action": torch.randn(steps, 2, generator=generator),
            "done": torch.zeros_like(done),
            "next": after,
        },
        [steps],
    )


def in_line(*episodes: TensorDict) -> TensorDict:
    """One after the other."""
    return cast("TensorDict", TensorDict.cat(episodes))


def in_rows(*episodes: TensorDict) -> TensorDict:
    """Side by side."""
    return cast("TensorDict", TensorDict.stack(episodes))


def film_of(steps: TensorDictBase) -> Tensor:
    """All frames of an episode, (T, C, H, W) in [0, 1]."""
    film = torch.cat([steps["pixels"], steps["next", "pixels"][-1:]])
    return film.movedim(-1, -3) / 255


def test_clips_are_the_rollouts_pictures_and_actions() -> None:
    rollout = episode(0, 9)
    cut = clips(rollout, 4)
    film = film_of(rollout)
    for number, start in enumerate((0, 3, 6)):
        torch.testing.assert_close(cut.clips.frames[number], film[start : start + 4])
        assert torch.equal(cut.clips.actions[number], rollout["action"][start : start + 3])
    assert len(cut.clips) == 3
    assert cut.unused == ("done", "next/reward")
    assert len(clips(rollout, 4, hop=1).clips) == 7


def test_an_end_is_never_inside_a_clip() -> None:
    films = [film_of(episode(number, steps)) for number, steps in ((1, 5), (2, 2), (3, 8))]
    together = in_line(episode(1, 5), episode(2, 2), episode(3, 8))
    cut = clips(together, 4, hop=1)
    expected = [film[t : t + 4] for film in films for t in range(len(film) - 3)]
    torch.testing.assert_close(cut.clips.frames, torch.stack(expected))
    assert cut.unused[0] == "2 of 15 steps, in no whole clip"


def test_rows_trajectories_padding_and_jumps_are_ends() -> None:
    unmarked = [episode(number, 6).exclude(("next", "done")) for number in range(2)]
    expected = clips(in_line(episode(0, 6), episode(1, 6)), 3).clips
    rows = in_rows(*unmarked)
    line = in_line(*unmarked)
    known = line.clone().set(("collector", "traj_ids"), torch.arange(12) // 6)
    blind = known.exclude(("next", "pixels"))
    torch.testing.assert_close(clips(rows, 3).clips.frames, expected.frames)
    torch.testing.assert_close(clips(line, 3).clips.frames, expected.frames)
    torch.testing.assert_close(clips(known, 3).clips.actions, expected.actions)
    without_last = clips(blind, 3).clips  # 6 frames of each episode instead of 7
    torch.testing.assert_close(without_last.frames, expected.frames[[0, 1, 3, 4]])
    padded = rows.clone().set(("collector", "mask"), torch.arange(6).expand(2, 6) < 4)
    torch.testing.assert_close(clips(padded, 3).clips.frames, expected.frames[[0, 1, 3, 4]])


def test_a_replay_buffer_that_went_round_is_taken_apart() -> None:
    buffer = ReplayBuffer(storage=LazyTensorStorage(10), batch_size=2)
    line = episode(0, 14)
    buffer.extend(line[:8])
    buffer.extend(line[8:])
    film = film_of(line)
    kept = {tuple(film[t].flatten()[:9].tolist()): t for t in range(15)}
    for key in ((), (("next", "pixels"),)):
        stored = ReplayBuffer(storage=LazyTensorStorage(10), batch_size=2)
        stored.extend(line.exclude(*key)[:8])
        stored.extend(line.exclude(*key)[8:])
        for clip in clips(stored, 3, hop=1).clips.frames:
            first, second, third = (kept[tuple(frame.flatten()[:9].tolist())] for frame in clip)
            assert (second, third) == (first + 1, first + 2)


def test_other_layouts_and_names_give_the_same_clips() -> None:
    rollout = episode(4, 6)
    expected = clips(rollout, 3).clips
    frames = {
        "root": rollout["pixels"].movedim(-1, -3) / 255,
        "next": rollout["next", "pixels"].movedim(-1, -3) / 255,
    }
    renamed = TensorDict(
        {
            "seen": {"front": frames["root"]},
            "arm": {"move": rollout["action"][..., None]},
            "next": {"seen": {"front": frames["next"]}},
        },
        [6],
    )
    cut = clips(renamed, 3, pixels=("seen", "front"), action=("arm", "move"))
    torch.testing.assert_close(cut.clips.frames, expected.frames)
    assert torch.equal(cut.clips.actions, expected.actions)
    assert cut.unused == ()


def test_a_model_trains_on_them() -> None:
    cut = clips(in_rows(episode(5, 6), episode(6, 6)), 4).clips
    model = PredRNNConfig(layers=1, hidden=4, kernel=3).build((3, 16, 16), 2)
    mask = torch.ones(cut.actions.shape[:2], dtype=torch.bool)
    prediction, _ = unroll(model, cut, mask)
    loss = (prediction - cut.frames[:, 1:]).square().mean()
    loss.backward()
    assert all(
        weight.grad is None or torch.isfinite(weight.grad).all() for weight in model.parameters()
    )
    torch.optim.SGD(model.parameters(), lr=0.05).step()
    with torch.no_grad():
        better, _ = unroll(model, cut, mask)
    assert (better - cut.frames[:, 1:]).square().mean() < loss


def test_mistakes_are_refused() -> None:
    rollout = episode(7, 3)
    with pytest.raises(InputError, match="there is no tensor 'image'; available: action, done"):
        clips(rollout, 3, pixels="image")
    with pytest.raises(InputError, match="episode of at least 9 frames, the longest of 1 has 4"):
        clips(rollout, 9)
    refused = "whole numbers, a length of at least 2 and a hop of at least 1, got"
    for length, hop in ((1, None), (3, 0), (2.5, None), (3, 1.5), ("3", 1)):
        with pytest.raises(InputError, match=refused):
            clips(rollout, cast("int", length), hop=cast("int", hop))
    with pytest.raises(InputError, match="this one is empty"):
        clips(ReplayBuffer(storage=LazyTensorStorage(10)), 3)
    with pytest.raises(InputError, match="pixels: expected uint8 or floating-point pictures"):
        clips(rollout.clone().set("pixels", torch.zeros(3, 16, 16, dtype=torch.int64)), 3)
    with pytest.raises(InputError, match="expected what steps lead to in the shape of what is s"):
        clips(rollout.set("pixels", torch.zeros(3, 8, 8, 3)), 3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDMODEL_CACHE", str(tmp_path / "cache"))


def read(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures (T, H, W, C) and actions (T-1, A) of each recording."""
    source = open_source([str(folder)])
    return [
        (source.frames(index, range(view.camera.length)).pixels, source.signals(index).actions)
        for index, view in enumerate(source.views)
    ]


def assert_is(found: tuple[np.ndarray, np.ndarray], steps: TensorDictBase) -> None:
    pixels, actions = found
    film = torch.cat([steps["pixels"], steps["next", "pixels"][-1:]])
    np.testing.assert_array_equal(pixels, film)
    np.testing.assert_array_equal(actions, steps["action"])


def test_a_stored_rollout_is_read_as_it_was(tmp_path: Path) -> None:
    rows = in_rows(episode(0, 6), in_line(episode(1, 2), episode(2, 4)))
    rows.memmap(str(tmp_path / "rows"))
    for found, number, steps in zip(read(tmp_path / "rows"), (0, 1, 2), (6, 2, 4), strict=True):
        assert_is(found, episode(number, steps))


def test_a_stored_buffer_that_went_round_is_taken_apart(tmp_path: Path) -> None:
    line = episode(0, 14)
    buffer = ReplayBuffer(storage=LazyMemmapStorage(10, scratch_dir=tmp_path / "scratch"))
    buffer.extend(line[:8])
    buffer.extend(line[8:])
    buffer.dumps(tmp_path / "dumped")
    for folder in ("dumped", "dumped/storage"):
        newest, older = read(tmp_path / folder)
        assert_is(newest, line[10:])
        assert_is(older, line[4:10])


def test_a_stored_buffer_that_is_not_full_ends_where_it_was_filled(tmp_path: Path) -> None:
    buffer = ReplayBuffer(storage=LazyTensorStorage(20))
    buffer.extend(episode(0, 6).exclude(("next", "done")))
    buffer.dumps(tmp_path / "dumped")
    (found,) = read(tmp_path / "dumped")
    assert_is(found, episode(0, 6))


def test_a_tensor_is_mapped_not_loaded(tmp_path: Path) -> None:
    in_rows(episode(0, 6), episode(0, 6)).memmap(str(tmp_path / "rows"))
    folder = Folder(tmp_path / "rows")
    store = stored(folder, "")
    pixels = steps_of(folder, store.tensors["pixels"], store.batch)
    assert isinstance(pixels, np.memmap)
    assert pixels.shape == (12, 16, 16, 3)


def test_samples_in_no_order_are_refused(tmp_path: Path) -> None:
    order = torch.tensor([3, 1, 7, 4, 9, 2, 10, 0])
    sampled = cast("TensorDict", episode(0, 12)[order]).exclude(("next", "done"))
    sampled.memmap(str(tmp_path / "sampled"))
    with pytest.raises(InputError, match="in the order in which they were taken"):
        open_source([str(tmp_path / "sampled")], strict=True)
