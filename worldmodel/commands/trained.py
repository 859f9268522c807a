"""Which trained model a command was given."""

from __future__ import annotations

from worldmodel import checkpoint as checkpoints
from worldmodel.errors import InputError


def load(checkpoint: str | None, pretrained: str | None) -> checkpoints.Checkpoint:
    """The checkpoint of a folder, or one that ships with the package.

    Raises:
        InputError: Neither or both are given, or what is given cannot be loaded.
    """
    if (checkpoint is None) == (pretrained is None):
        raise InputError("expected either --checkpoint FOLDER or --pretrained NAME")
    return checkpoints.load(checkpoint or str(pretrained))
