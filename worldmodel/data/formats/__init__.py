"""The formats of recordings, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from worldmodel.data.formats.plain.arrays import Arrays
from worldmodel.data.formats.plain.videos import VideoFolder
from worldmodel.data.formats.radar.cikm2017 import CIKM2017
from worldmodel.data.formats.radar.fmi import FMI
from worldmodel.data.formats.radar.hko7 import HKO7
from worldmodel.data.formats.radar.knmi import KNMI
from worldmodel.data.formats.radar.meteonet import MeteoNet
from worldmodel.data.formats.radar.odim import ODIM
from worldmodel.data.formats.radar.sevir import SEVIR
from worldmodel.data.formats.robots.bair import BAIR
from worldmodel.data.formats.robots.lerobot.v2 import LeRobotV2
from worldmodel.data.formats.robots.lerobot.v3 import LeRobotV3
from worldmodel.data.formats.robots.minari.reader import Minari
from worldmodel.data.formats.robots.rlds.reader import RLDS
from worldmodel.data.formats.robots.robomimic import Robomimic
from worldmodel.data.formats.robots.robonet.reader import RoboNet
from worldmodel.data.formats.robots.rosbag.reader import RosBag
from worldmodel.data.formats.video.human36m import Human36M
from worldmodel.data.formats.video.kth import KTH
from worldmodel.data.formats.video.kth_frames import KTHFrames
from worldmodel.data.formats.video.moving_mnist import MovingMNISTFile
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
