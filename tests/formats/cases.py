"""All cases."""

from __future__ import annotations

from formats.arrays import ArraysCase
from formats.bair import BAIRCase
from formats.case import FormatCase
from formats.cikm2017 import CIKM2017Case
from formats.fmi import FMICase
from formats.folder_of_videos import VideoFolderCase
from formats.hko7 import HKO7Case
from formats.human36m import Human36MCase
from formats.knmi import KNMICase
from formats.kth import KTHCase
from formats.kth_frames import KTHFramesCase
from formats.lerobot_v2 import LeRobotV2Case
from formats.lerobot_v3 import LeRobotV3Case
from formats.meteonet import MeteoNetCase
from formats.minari import MinariCase
from formats.moving_mnist_file import MovingMNISTFileCase
from formats.odim import ODIMCase
from formats.rlds import RLDSCase
from formats.robomimic import RobomimicCase
from formats.robonet import RoboNetCase
from formats.rosbag import RosBagCase
from formats.sevir import SEVIRCase
from formats.tensordict import TensorDictCase

CASES: list[FormatCase] = [
    ArraysCase(),
    BAIRCase(),
    CIKM2017Case(),
    FMICase(),
    VideoFolderCase(),
    HKO7Case(),
    Human36MCase(),
    KNMICase(),
    KTHCase(),
    KTHFramesCase(),
    LeRobotV2Case(),
    LeRobotV3Case(),
    MeteoNetCase(),
    MinariCase(),
    MovingMNISTFileCase(),
    ODIMCase(),
    RLDSCase(),
    RobomimicCase(),
    RoboNetCase(),
    RosBagCase(),
    SEVIRCase(),
    TensorDictCase(),
]
