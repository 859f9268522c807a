"""VP2's side of the door: the batches that its planners build, and what they do with the answer."""

import numpy as np
import pytest
import torch
from spots import SpotModel, place, spot

from worldmodel.errors import InputError
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.plugins.vp2 import VP2Model

CONTEXT, HORIZON, CANDIDATES = 2, 4, 6


def batch(random):
    """As VP2's MPPI makes it: one context for all candidates, everything in double precision."""
    start = spot(torch.tensor([[4.0, 4.0], [5.0, 6.0]])).movedim(1, -1).double().numpy()
    context = np.tile(random.uniform(-0.1, 0.1, (1, CONTEXT - 1, 2)), (CANDIDATES, 1, 1))
    candidates = random.uniform(-0.1, 0.1, (CANDIDATES, HORIZON, 2))
    return {
        "video": np.tile(start[None], (CANDIDATES, 1, 1, 1, 1)),
        "actions": np.concatenate([context, candidates], axis=1),
        "state_obs": [object(), object()],
    }


@pytest.fixture
def asked():
    return batch(np.random.default_rng(0))


def ends(frames):
    """Where the spot is in pictures (..., H, W, 1)."""
    return place(torch.as_tensor(frames).float().movedim(-1, -3))


def test_pictures_after_each_action(asked):
    answer = VP2Model(SpotModel())(asked, grad_enabled=False)
    frames = answer["depth"]
    assert isinstance(frames, np.ndarray)
    assert frames.shape == (CANDIDATES, CONTEXT - 1 + HORIZON, 16, 16, 1)
    np.testing.assert_allclose(frames[:, 0], asked["video"][:, 1], rtol=1e-6)
    grip = 10 * 0.9 ** np.arange(1, 1 + HORIZON)  # the step between the context's frames was 0
    moved = (asked["actions"][:, CONTEXT - 1 :] * grip[:, None]).cumsum(1)
    expected = np.array([5.0, 6.0]) + moved
    np.testing.assert_allclose(ends(frames[:, 1:]).numpy(), expected, atol=1e-3)


def test_arrays_and_tensors_say_the_same(asked):
    tensors = {name: torch.from_numpy(asked[name]) for name in ("video", "actions")}
    model = VP2Model(SpotModel())
    np.testing.assert_array_equal(model(asked)["depth"], model(tensors)["depth"])


def test_memory_is_bounded_and_changes_nothing(asked):
    model = SpotModel()
    whole = VP2Model(model)(asked)["depth"]
    model.batches.clear()
    parts = VP2Model(model, max_batch_size=4)(asked)["depth"]
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    assert set(model.batches) == {4, 2}


def test_gradients_reach_the_actions(asked):
    """As VP2's L-BFGS asks: the video an array, the actions a leaf that wants its gradient."""
    actions = torch.tensor(asked["actions"], dtype=torch.float32, requires_grad=True)
    goal = spot(torch.tensor([9.0, 9.0])).movedim(0, -1)
    model = VP2Model(SpotModel(), max_batch_size=4)

    def loss(chosen):
        frames = model({"video": asked["video"], "actions": chosen}, grad_enabled=True)["depth"]
        assert isinstance(frames, torch.Tensor)
        return (frames - goal).square().sum()

    loss(actions).backward()
    assert actions.grad is not None
    step = torch.zeros_like(actions)
    step[3, 2, 1] = 1e-3
    with torch.no_grad():
        slope = (loss(actions + step) - loss(actions - step)) / 2e-3
    torch.testing.assert_close(actions.grad[3, 2, 1], slope, rtol=2e-2, atol=1e-2)
    assert next(model.model.parameters()).grad is None


def test_a_shipped_model_by_name():
    model = VP2Model("predrnn-v2-tabletop", device="cpu")
    assert (model.num_context, model.base_prediction_modality) == (2, "rgb")
    assert str(model.device) == "cpu"
    random = np.random.default_rng(0)
    asked = {"video": random.random((3, 2, 64, 64, 3)), "actions": random.normal(size=(3, 4, 2))}
    frames = model(asked)["rgb"]
    assert frames.shape == (3, 4, 64, 64, 3)
    assert frames.min() >= 0
    assert frames.max() <= 1
    model.close()


def test_mistakes_are_refused(asked):
    model = VP2Model(SpotModel())
    with pytest.raises(InputError, match=r"'video' and 'actions', got 'video' without 'actions'"):
        model({"video": asked["video"]})
    with pytest.raises(InputError, match=r"video: expected shape \(N, 2, H, W, C\), got \(6, 1,"):
        model({**asked, "video": asked["video"][:, :1]})
    with pytest.raises(InputError, match=r"N = 6 and K-1 = 1, got \(5, 5, 2\)"):
        model({**asked, "actions": asked["actions"][:5]})
    with pytest.raises(InputError, match="expects width 2, got 1"):
        model({**asked, "actions": asked["actions"][..., :1]})
    with pytest.raises(InputError, match=r"video: expected shape .* got \(0, 2, 16, 16, 1\)"):
        model({name: asked[name][:0] for name in ("video", "actions")})
    with pytest.raises(InputError, match=r"video: expected values in \[0, 1\], got .* to 2"):
        model({**asked, "video": (255 * asked["video"]).astype(np.uint8)})
    with pytest.raises(InputError, match="got nan to nan"):
        model({**asked, "video": np.where(asked["video"] > 0.9, np.nan, asked["video"])})
    for unknown in (np.nan, np.inf):
        with pytest.raises(InputError, match="actions: expected finite numbers"):
            model({**asked, "actions": np.where(asked["actions"] > 0.09, unknown, 0.0)})
    for name in ("video", "actions"):
        with pytest.raises(InputError, match=f"{name}: expected an array or a tensor .* got 'x'"):
            model({**asked, name: "x"})
    for device in ("gpu", "cuda:99"):
        with pytest.raises(InputError, match=f"device: expected one .* got '{device}'"):
            VP2Model(SpotModel(), device=device)
    with pytest.raises(InputError, match="num_context: expected at least 2 frames, got 1"):
        VP2Model(SpotModel(), num_context=1)
    with pytest.raises(InputError, match="max_batch_size: expected at least 1, got 0"):
        VP2Model(SpotModel(), max_batch_size=0)
    with pytest.raises(InputError, match="got 2 channels"):
        VP2Model(PredRNNConfig(layers=1, hidden=4, kernel=3).build((2, 16, 16), 2))
