"""The formats of recordings, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from worldmodel.data.formats.arrays import Arrays
from worldmodel.data.formats.bair import BAIR
from worldmodel.data.formats.cikm2017 import CIKM2017
from worldmodel.data.formats.fmi import FMI
from worldmodel.data.formats.folder_of_videos import VideoFolder
from worldmodel.data.formats.hko7 import HKO7
from worldmodel.data.formats.human36m import Human36M
from worldmodel.data.formats.knmi import KNMI
from worldmodel.data.formats.kth import KTH
from worldmodel.data.formats.kth_frames import KTHFrames
from worldmodel.data.formats.lerobot_v2 import LeRobotV2
from worldmodel.data.formats.lerobot_v3 import LeRobotV3
from worldmodel.data.formats.meteonet import MeteoNet
from worldmodel.data.formats.minari import Minari
from worldmodel.data.formats.moving_mnist_file import MovingMNISTFile
from worldmodel.data.formats.odim import ODIM
from worldmodel.data.formats.rlds import RLDS
from worldmodel.data.formats.robomimic import Robomimic
from worldmodel.data.formats.robonet import RoboNet
from worldmodel.data.formats.rosbag import RosBag
from worldmodel.data.formats.sevir import SEVIR
from worldmodel.data.reader import Reader

FORMATS: Mapping[str, type[Reader]] = MappingProxyType(
    {
        "lerobot-v3": LeRobotV3,
        "lerobot-v2": LeRobotV2,
        "rlds": RLDS,
        "bair": BAIR,
        "robonet": RoboNet,
        "minari": Minari,
        "robomimic": Robomimic,
        "rosbag": RosBag,
        "kth": KTH,
        "kth-frames": KTHFrames,
        "human36m": Human36M,
        "fmi": FMI,
        "knmi": KNMI,
        "odim": ODIM,
        "sevir": SEVIR,
        "hko7": HKO7,
        "meteonet": MeteoNet,
        "cikm2017": CIKM2017,
        "moving-mnist": MovingMNISTFile,
        "arrays": Arrays,
        "videos": VideoFolder,
    }
)
"""By the name that a user gives; a folder is read by the first that recognises it."""
