"""MuJoCo manipulation tasks; importing this package registers them with Gymnasium."""

from gymnasium.envs.registration import register

from worldmodel.envs.backend import settle_backend

settle_backend()

register(
    "worldmodel/TabletopReach-v0",
    entry_point="worldmodel.envs.tasks:reach",
    max_episode_steps=15,
)
register(
    "worldmodel/TabletopPush-v0",
    entry_point="worldmodel.envs.tasks:push",
    max_episode_steps=20,
)
