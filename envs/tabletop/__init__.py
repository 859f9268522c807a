"""The tabletop: reach and push in four laboratories, in primitives."""

from worldmodel.envs.backend import settle_backend

settle_backend()
