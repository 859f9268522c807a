"""The architectures as papers published them."""

from __future__ import annotations

from worldmodel.model import ModelConfig
from worldmodel.models.conv_lstm import ConvLSTMConfig
from worldmodel.models.e3d_lstm import E3DLSTMConfig
from worldmodel.models.gru_cat import GRUCATConfig
from worldmodel.models.mim import MIMConfig
from worldmodel.models.mode_rnn import ModeRNNConfig
from worldmodel.models.motion_details_rnn import MotionDetailsRNNConfig
from worldmodel.models.motion_rnn import MotionRNNConfig
from worldmodel.models.phydnet import PhyDNetConfig
from worldmodel.models.predrnn import PredRNNConfig
from worldmodel.models.predrnn_plus_plus import PredRNNPlusPlusConfig
from worldmodel.models.rims import RIMsConfig
from worldmodel.models.sa_conv_lstm import SAConvLSTMConfig
from worldmodel.models.scoff import SCOFFConfig
from worldmodel.models.simvp import SimVPConfig
from worldmodel.models.svg import SVGConfig
from worldmodel.models.traj_gru import TrajGRUConfig

PUBLISHED: dict[str, ModelConfig] = {
    "conv-lstm": ConvLSTMConfig(hidden=128),
    "traj-gru": TrajGRUConfig(),
    "predrnn": PredRNNConfig(hidden=128, memory_decoupling=False),
    "predrnn-plus-plus": PredRNNPlusPlusConfig(hidden=128),
    "svg": SVGConfig(),
    "mim": MIMConfig(hidden=128),
    "e3d-lstm": E3DLSTMConfig(),
    "sa-conv-lstm": SAConvLSTMConfig(),
    "phydnet": PhyDNetConfig(),
    "motion-rnn": MotionRNNConfig(),
    "scoff": SCOFFConfig(),
    "predrnn-v2": PredRNNConfig(hidden=128),
    "motion-details-rnn": MotionDetailsRNNConfig(),
    "simvp": SimVPConfig(),
    "gru-cat": GRUCATConfig(),
    "rims": RIMsConfig(inputs="embedding", decoder="CAT"),
    "oc-rims": RIMsConfig(),
    "mode-rnn": ModeRNNConfig(),
}
"""The sizes that papers or their code report, for Moving MNIST where they do, by name."""
