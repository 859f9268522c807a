"""Which trained model a command was given."""

from __future__ import annotations

from worldmodel.errors import InputError
from worldmodel.training.checkpoint import Checkpoint, load_checkpoint, load_pretrained


def load(checkpoint: str | None, pretrained: str | None) -> Checkpoint:
    """The checkpoint of a folder, or one that ships with the package.

    Raises:
        InputError: Neither or both are given, or what is given cannot be loaded.
    """
    if (checkpoint is None) == (pretrained is None):
        raise InputError("expected either --checkpoint FOLDER or --pretrained NAME")
    return load_checkpoint(checkpoint) if checkpoint else load_pretrained(str(pretrained))
