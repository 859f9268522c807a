"""Tabletop: one contract over tasks, action spaces and laboratories; physics; pictures."""

# MuJoCo's bindings are compiled and ship no type stubs.
# pyright: reportAttributeAccessIssue=false

import itertools
import os
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import worldmodel.envs  # noqa: F401
from worldmodel.envs.backend import OPENGL, settle_backend
from worldmodel.envs.rendering import OpenGLRenderer, RayRenderer
from worldmodel.envs.tabletop.env import TabletopEnv
from worldmodel.envs.tabletop.laboratory import LABORATORIES, Laboratory
from worldmodel.envs.tabletop.scene import REACH, WALL, build_model
from worldmodel.envs.tabletop.simulation import HIGHEST, LOWEST, SCALE, Arrangement, Tabletop
from worldmodel.errors import InputError

TASKS = ("Reach", "Push")
CASES = [
    (task, planar, laboratory.name)
    for task, planar, laboratory in itertools.product(TASKS, (True, False), LABORATORIES)
]
laboratories = pytest.mark.parametrize("laboratory", LABORATORIES, ids=lambda lab: lab.name)


def make(name: str, **options) -> gym.Env:
    return gym.make(f"worldmodel/Tabletop{name}-v0", **options)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def env(request):
    task, planar, laboratory = request.param
    env = make(task, planar=planar, domain=laboratory, render_mode="rgb_array")
    yield env
    env.close()


@pytest.fixture
def tabletop(laboratory: Laboratory):
    tabletop = Tabletop(laboratory)
    yield tabletop
    tabletop.close()


def inner(env: gym.Env) -> TabletopEnv:
    assert isinstance(env.unwrapped, TabletopEnv)
    return env.unwrapped


def random_actions(env: gym.Env, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, len(inner(env).action_names)))


class TestContract:
    def test_gymnasium_checker(self, env):
        check_env(env.unwrapped)

    def test_deterministic_under_seed(self, env):
        def episode():
            first, _ = env.reset(seed=3)
            steps = [env.step(action) for action in random_actions(env, 6)]
            frames = [first, inner(env).goal_image, *(step[0] for step in steps)]
            return np.stack(frames), [step[1] for step in steps]

        (frames, rewards), (again, rewards_again) = episode(), episode()
        np.testing.assert_array_equal(frames, again)
        assert rewards == rewards_again

    def test_continues_bit_identically_from_saved_state(self, env):
        task = inner(env)
        env.reset(seed=1)
        for action in random_actions(env, 4):
            task.step(action)
        saved = task.save_state()
        future = random_actions(env, 5, seed=1)
        steps = [task.step(action) for action in future]
        end = task.save_state()
        task.reset(seed=9)
        task.restore_state(saved)
        again = [task.step(action) for action in future]
        np.testing.assert_array_equal(task.save_state(), end)
        for (frame, *_), (frame_again, *_) in zip(steps, again, strict=True):
            np.testing.assert_array_equal(frame, frame_again)

    def test_pixels_follow_actions(self, env):
        before, _ = env.reset(seed=0)
        action = inner(env).expert_action()
        after = env.step(action)[0]
        assert (before != after).any(axis=-1).sum() > 10
        assert before.std() > 10

    def test_goal_images_differ(self, env):
        goals = []
        for seed in range(5):
            env.reset(seed=seed)
            goals.append(inner(env).goal_image)
        for one, other in itertools.combinations(goals, 2):
            assert (one != other).any(axis=-1).sum() > 10

    def test_expert_succeeds(self, env):
        successes = []
        for seed in range(12):
            env.reset(seed=seed)
            truncated, info = False, {}
            while not truncated:
                _, reward, terminated, truncated, info = env.step(inner(env).expert_action())
                assert not terminated
                assert reward == -info["distance"]
                assert info["success"] == (info["distance"] < 0.03)
            successes.append(info["success"])
        assert sum(successes) >= 11

    def test_rest_never_solves(self, env):
        for seed in range(5):
            _, info = env.reset(seed=seed)
            assert info["distance"] > 0.055
            for _ in range(6):
                info = env.step(np.zeros(env.action_space.shape))[4]
            assert not info["success"]

    def test_goal_scene_is_at_rest_where_it_was_placed(self, env):
        task = inner(env)
        planar = len(task.action_names) == 2
        for seed in range(10):
            trial = task.task.sample(task.tabletop, planar, np.random.default_rng(seed))
            task.tabletop.reset(trial.goal)
            np.testing.assert_allclose(task.tabletop.hand, trial.goal.hand[:3], atol=1e-3)
            np.testing.assert_allclose(task.tabletop.object[:2], trial.goal.object[:2], atol=1e-3)


class TestTask:
    @pytest.mark.parametrize("spread", [20.0, 90.0])
    def test_distances_and_spread_of_a_push(self, spread):
        env = make("Push", start_spread_degrees=spread).unwrapped
        assert isinstance(env, TabletopEnv)
        angles, distances = [], []
        for seed in range(40):
            trial = env.task.sample(env.tabletop, True, np.random.default_rng(seed))
            place = np.array(trial.start.object[:2])
            hand = np.array(trial.start.hand[:2]) - place
            push = place - np.array(trial.goal.object[:2])
            distances.append(np.linalg.norm(push))
            cosine = hand @ push / np.linalg.norm(hand) / np.linalg.norm(push)
            angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        assert min(distances) >= 0.06
        assert max(distances) <= 0.12
        assert max(angles) <= spread + 1e-3
        assert max(angles) > spread / 2
        env.close()

    def test_hand_starts_free(self):
        env = make("Push").unwrapped
        assert isinstance(env, TabletopEnv)
        for seed in range(20):
            trial = env.task.sample(env.tabletop, True, np.random.default_rng(seed))
            env.tabletop.reset(trial.start)
            np.testing.assert_allclose(env.tabletop.object[:2], trial.start.object[:2], atol=1e-3)
        env.close()

    def test_picture_size(self):
        env = make("Reach", size=(48, 96))
        frame, _ = env.reset(seed=0)
        assert frame.shape == inner(env).goal_image.shape == (48, 96, 3)
        env.close()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"domain": "oak"}, "available: ash, birch, cedar, dune"),
            ({"size": 0}, "at least 1 pixel"),
            ({"domain": replace(LABORATORIES[0], links=(0.1, 0.1))}, "reach"),
            ({"least": 0.5}, r"least: expected 0 to 0.18, got 0.5"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(InputError, match=message):
            make("Reach", **options)


@laboratories
class TestPhysics:
    def test_hand_obeys_within_a_step(self, tabletop):
        random = np.random.default_rng(0)
        tabletop.reset(Arrangement((0.0, 0.0, 0.04, 0.0), (0.2, 0.2, 0.0)))
        expected = np.array([0.0, 0.0, 0.04, 0.0])
        for _ in range(40):
            action = random.uniform(-1, 1, 5)
            expected = np.clip(expected + action[:4] * SCALE, LOWEST, HIGHEST)
            tabletop.control(action)
            np.testing.assert_allclose(tabletop.hand, expected[:3], atol=1e-3)
            assert abs(tabletop.yaw - expected[3]) < 0.03

    def test_hand_reaches_every_corner(self, tabletop):
        for x, y in itertools.product((-REACH, REACH), repeat=2):
            tabletop.reset(Arrangement((x, y, LOWEST[2], 0.0), (0.0, 0.0, 0.0)))
            np.testing.assert_allclose(tabletop.hand, (x, y, LOWEST[2]), atol=5e-4)

    def test_nothing_moves_at_rest(self, tabletop):
        tabletop.reset(Arrangement((0.05, 0.0, LOWEST[2], 0.0), (-0.05, 0.05, 0.4)))
        hand, block, picture = tabletop.hand, tabletop.object, tabletop.render()
        for _ in range(10):
            tabletop.control(np.zeros(5))
        np.testing.assert_allclose(tabletop.hand, hand, atol=1e-5)
        np.testing.assert_allclose(tabletop.object, block, atol=1e-5)
        np.testing.assert_array_equal(tabletop.render(), picture)

    def test_pushed_object_moves_then_stops(self, tabletop):
        tabletop.reset(Arrangement((-0.1, 0.0, LOWEST[2], 0.0), (0.0, 0.0, 0.0)))
        for _ in range(5):
            tabletop.control(np.array([1.0, 0, 0, 0, 1]))
        assert tabletop.object[0] > 0.08
        tabletop.control(np.zeros(5))
        rest = tabletop.object
        tabletop.control(np.zeros(5))
        np.testing.assert_allclose(tabletop.object, rest, atol=5e-4)

    def test_object_stays_flat_between_the_walls(self, tabletop):
        block = tabletop.laboratory.object
        for direction in itertools.product((-1.0, 0.0, 1.0), repeat=2):
            place = 0.14 * np.array(direction) + 0.01
            hand = 0.05 * np.array(direction) - 0.05
            tabletop.reset(Arrangement((*hand, LOWEST[2], 0.0), (*place, 0.4)))
            for _ in range(16):
                tabletop.control(np.array([*direction, 0.0, 0.0, 1.0]))
            assert np.abs(tabletop.object[:2]).max() + block.half_width < WALL + 0.003
            assert tabletop.object[2] < block.half_height + 0.004

    def test_gripper_lifts(self, tabletop):
        tabletop.reset(Arrangement((0.0, 0.0, 0.06, 0.0), (0.0, 0.0, 0.0), closed=False))
        for action in 4 * [(0, 0, -1, 0, -1)] + 2 * [(0, 0, 0, 0, 1)] + 3 * [(0, 0, 1, 0, 0)]:
            tabletop.control(np.array(action, float))
        assert tabletop.object[2] > tabletop.laboratory.object.half_height + 0.03

    def test_state_of_another_length_is_refused(self, tabletop):
        with pytest.raises(InputError, match="state: expected shape"):
            tabletop.restore(np.zeros(3))


@laboratories
class TestPictures:
    def test_hand_is_seen_everywhere(self, tabletop):
        """Moving the hand by 2 cm changes several pixels wherever it is."""
        for x, y in itertools.product((-REACH, 0.0, REACH), repeat=2):
            pictures = []
            for shift in (0.0, 0.02):
                tabletop.reset(
                    Arrangement((x - np.sign(x) * shift, y, 0.002, 0.0), (0.0, 0.1, 0.0))
                )
                pictures.append(tabletop.render().astype(int))
            if x:
                changed = np.abs(pictures[0] - pictures[1]).max(axis=-1) > 30
                assert changed.sum() >= 10

    def test_object_is_several_pixels_wide(self, tabletop):
        pictures = []
        for place in (-0.1, 0.1):
            tabletop.reset(Arrangement((0.0, 0.17, 0.002, 0.0), (place, -0.1, 0.0)))
            pictures.append(tabletop.render().astype(int))
        changed = np.abs(pictures[0] - pictures[1]).max(axis=-1) > 60
        assert changed.sum() >= 60

    def test_raycaster_agrees_with_opengl(self, laboratory):
        if settle_backend() not in OPENGL:
            pytest.skip("no OpenGL on this machine")
        import mujoco

        model = build_model(laboratory)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        camera = model.camera("view").id
        renderers = (OpenGLRenderer(model, camera, 64, 48), RayRenderer(model, camera, 64, 48))
        by_opengl, by_rays = (renderer.render(data).astype(int) for renderer in renderers)
        for renderer in renderers:
            renderer.close()
        assert by_opengl.shape == by_rays.shape == (64, 48, 3)
        difference = np.abs(by_opengl - by_rays).max(axis=-1)
        assert (difference <= 3).mean() > 0.9
        color = 255 * np.array(laboratory.object.color)
        for picture in (by_opengl, by_rays):
            assert picture.std() > 10
        centroids = [
            np.argwhere(np.abs(picture - color).max(axis=-1) < 40).mean(axis=0)
            for picture in (by_opengl, by_rays)
        ]
        assert np.abs(centroids[0] - centroids[1]).max() < 1.0


def test_laboratories_look_different():
    pictures = []
    for laboratory in LABORATORIES:
        tabletop = Tabletop(laboratory)
        tabletop.reset(Arrangement((0.1, 0.0, 0.002, 0.0), (-0.05, 0.05, 0.0)))
        pictures.append(tabletop.render().astype(float))
        tabletop.close()
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).mean() > 25


def test_two_sizes_open_at_once():
    """Each picture is the same whether or not another renderer is open."""
    scene = Arrangement((0.1, 0.0, 0.002, 0.0), (-0.05, 0.05, 0.0))
    alone, small, large = (Tabletop(LABORATORIES[0], size) for size in (64, 64, 100))
    alone.reset(scene)
    expected = alone.render()
    alone.close()
    for tabletop in (small, large):
        tabletop.reset(scene)
    assert large.render().shape == (100, 100, 3)
    np.testing.assert_array_equal(small.render(), expected)
    large.close()
    np.testing.assert_array_equal(small.render(), expected)
    small.close()


class TestBackend:
    @pytest.mark.parametrize("asked", ["multiray", "none", "off"])
    def test_raycaster_on_request(self, monkeypatch, asked):
        monkeypatch.setenv("MUJOCO_GL", asked)
        assert settle_backend() == os.environ["MUJOCO_GL"] == "off"

    def test_unknown_backend(self, monkeypatch):
        monkeypatch.setenv("MUJOCO_GL", "vulkan")
        with pytest.raises(InputError, match="'vulkan'; available: egl, osmesa, off"):
            settle_backend()

    def test_first_that_opens_a_context(self, monkeypatch):
        monkeypatch.delenv("MUJOCO_GL", raising=False)
        monkeypatch.setattr("worldmodel.envs.backend._opens_context", lambda name: name == "osmesa")
        assert settle_backend() == "osmesa"
        monkeypatch.delenv("MUJOCO_GL")
        monkeypatch.setattr("worldmodel.envs.backend._opens_context", lambda name: False)
        assert settle_backend() == "off"

    def test_requested_backend_that_does_not_work(self, monkeypatch):
        monkeypatch.setenv("MUJOCO_GL", "osmesa")
        monkeypatch.setattr("worldmodel.envs.backend._opens_context", lambda name: False)
        with pytest.raises(InputError, match="'osmesa' opens no OpenGL context"):
            settle_backend()

    def test_tabletop_without_opengl(self, monkeypatch):
        scene = Arrangement((0.1, 0.0, 0.002, 0.0), (-0.05, 0.05, 0.0))
        pictures = []
        for backend in (settle_backend(), "off"):
            monkeypatch.setenv("MUJOCO_GL", backend)
            tabletop = Tabletop(LABORATORIES[0])
            tabletop.reset(scene)
            pictures.append(tabletop.render().astype(int))
            tabletop.close()
        assert np.abs(pictures[0] - pictures[1]).mean() < 3
