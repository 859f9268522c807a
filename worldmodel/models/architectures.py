"""All architectures by class name, for checkpoints and configuration files, and as published."""

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
from worldmodel.models.predrnn_pp import PredRNNPlusPlusConfig
from worldmodel.models.rims import RIMsConfig
from worldmodel.models.sa_conv_lstm import SAConvLSTMConfig
from worldmodel.models.scoff import SCOFFConfig
from worldmodel.models.simvp import SimVPConfig
from worldmodel.models.svg import SVGConfig
from worldmodel.models.traj_gru import TrajGRUConfig

ARCHITECTURES: dict[str, type[ModelConfig]] = {
    "ConvLSTM": ConvLSTMConfig,
    "PredRNN": PredRNNConfig,
    "PredRNNPlusPlus": PredRNNPlusPlusConfig,
    "MIM": MIMConfig,
    "E3DLSTM": E3DLSTMConfig,
    "ModeRNN": ModeRNNConfig,
    "MotionRNN": MotionRNNConfig,
    "MotionDetailsRNN": MotionDetailsRNNConfig,
    "GRUCAT": GRUCATConfig,
    "RIMs": RIMsConfig,
    "SCOFF": SCOFFConfig,
    "TrajGRU": TrajGRUConfig,
    "SAConvLSTM": SAConvLSTMConfig,
    "PhyDNet": PhyDNetConfig,
    "SimVP": SimVPConfig,
    "SVG": SVGConfig,
}

PUBLISHED: dict[str, ModelConfig] = {
    "ConvLSTM": ConvLSTMConfig(hidden=128),
    "TrajGRU": TrajGRUConfig(),
    "PredRNN": PredRNNConfig(hidden=128, memory_decoupling=False),
    "PredRNN++": PredRNNPlusPlusConfig(hidden=128),
    "SVG": SVGConfig(),
    "MIM": MIMConfig(hidden=128),
    "E3D-LSTM": E3DLSTMConfig(),
    "SA-ConvLSTM": SAConvLSTMConfig(),
    "PhyDNet": PhyDNetConfig(),
    "MotionRNN": MotionRNNConfig(),
    "SCOFF": SCOFFConfig(),
    "PredRNN-V2": PredRNNConfig(hidden=128),
    "MoDeRNN": MotionDetailsRNNConfig(),
    "SimVP": SimVPConfig(),
    "GRU+CAT": GRUCATConfig(),
    "RIMs": RIMsConfig(inputs="embedding", decoder="CAT"),
    "OC-RIMs": RIMsConfig(),
    "ModeRNN": ModeRNNConfig(),
}
"""The sizes that papers or their code report, for Moving MNIST where they do."""
