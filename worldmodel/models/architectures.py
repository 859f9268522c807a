"""All architectures by name, for checkpoints, configuration files and the command line."""

from __future__ import annotations

from worldmodel.errors import InputError
from worldmodel.model import ModelConfig
from worldmodel.registry import Registry

ARCHITECTURES: Registry[type[ModelConfig]] = Registry(
    "architecture",
    {
        "conv-lstm": "worldmodel.models.conv_lstm:ConvLSTMConfig",
        "predrnn": "worldmodel.models.predrnn:PredRNNConfig",
        "predrnn-plus-plus": "worldmodel.models.predrnn_plus_plus:PredRNNPlusPlusConfig",
        "mim": "worldmodel.models.mim:MIMConfig",
        "e3d-lstm": "worldmodel.models.e3d_lstm:E3DLSTMConfig",
        "mode-rnn": "worldmodel.models.mode_rnn:ModeRNNConfig",
        "motion-rnn": "worldmodel.models.motion_rnn:MotionRNNConfig",
        "motion-details-rnn": "worldmodel.models.motion_details_rnn:MotionDetailsRNNConfig",
        "gru-cat": "worldmodel.models.gru_cat:GRUCATConfig",
        "rims": "worldmodel.models.rims:RIMsConfig",
        "scoff": "worldmodel.models.scoff:SCOFFConfig",
        "traj-gru": "worldmodel.models.traj_gru:TrajGRUConfig",
        "sa-conv-lstm": "worldmodel.models.sa_conv_lstm:SAConvLSTMConfig",
        "phydnet": "worldmodel.models.phydnet:PhyDNetConfig",
        "simvp": "worldmodel.models.simvp:SimVPConfig",
        "svg": "worldmodel.models.svg:SVGConfig",
    },
)
"""The options of each; another package adds its own as entry points `worldmodel.architectures`."""


def architecture_of(config: ModelConfig) -> str:
    """Name of the architecture that these options build.

    Raises:
        InputError: It is not registered, so that a checkpoint of it could not be loaded.
    """
    for name, kind in ARCHITECTURES.items():
        if kind is type(config):
            return name
    raise InputError(
        f"{type(config).__name__}: expected an architecture with an entry point "
        f"`worldmodel.architectures`, got one without; available: {', '.join(ARCHITECTURES)}"
    )
