"""The MJCF of a laboratory: a SCARA arm over a walled table with one free object, in primitives.

Only object-table, object-wall and object-finger contacts exist. The servos are stiff, but an object
squeezed against a wall stops them.
"""

# MuJoCo's bindings are compiled and ship no type stubs.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math

import mujoco

from worldmodel.envs.tabletop.laboratory import Block, Color, Laboratory

REACH = 0.18
"""The hand moves in |x|, |y| <= REACH, in metres."""

WALL = 0.24
"""Inner faces of the walls stand at |x|, |y| = WALL, in metres."""

TIMESTEP = 0.004
"""Of the physics, in seconds."""

_LINK_HEIGHT = 0.20
_FINGER_LENGTH = 0.040
_BANDWIDTH = 200.0  # rad/s of the joint servos, 0.8 of the inverse time step

_SOLID = 'contype="{}" conaffinity="{}"'
_GHOST = 'contype="0" conaffinity="0"'


def _rgba(color: Color) -> str:
    return f'rgba="{color[0]} {color[1]} {color[2]} 1"'


def _block(block: Block, attributes: str) -> str:
    sizes = [block.half_width] * (2 if block.shape == "box" else 1) + [block.half_height]
    size = " ".join(map(str, sizes))
    return f'<geom type="{block.shape}" size="{size}" {_rgba(block.color)} {attributes}/>'


def _camera(laboratory: Laboratory) -> str:
    view = laboratory.camera
    azimuth, elevation = math.radians(view.azimuth), math.radians(view.elevation)
    right = (math.cos(azimuth), math.sin(azimuth), 0.0)
    backward = (
        math.sin(azimuth) * math.cos(elevation),
        -math.cos(azimuth) * math.cos(elevation),
        math.sin(elevation),
    )
    up = (
        backward[1] * right[2] - backward[2] * right[1],
        backward[2] * right[0] - backward[0] * right[2],
        backward[0] * right[1] - backward[1] * right[0],
    )
    x, y, z = (view.distance * part for part in backward)
    axes = " ".join(f"{value:.6f}" for value in (*right, *up))
    return (
        f'<camera name="view" pos="{x:.6f} {y + view.shift:.6f} {z:.6f}" xyaxes="{axes}" '
        f'fovy="{view.field_of_view}"/>'
    )


def _surroundings(laboratory: Laboratory) -> str:
    """Table, walls, floor, stripes and distractors."""
    rim = 0.012
    sides = []
    for sign in (-1, 1):
        offset = sign * (WALL + rim)
        sides.append(f'pos="{offset} 0 0.008" size="{rim} {WALL + 2 * rim} 0.010"')
        sides.append(f'pos="0 {offset} 0.008" size="{WALL} {rim} 0.010"')
    walls = "".join(
        f'<geom type="box" {side} {_rgba(laboratory.wall)} {_SOLID.format(2, 0)}/>'
        for side in sides
    )
    stripes = ""
    if laboratory.stripe:
        stripes = "".join(
            f'<geom type="box" pos="{x} 0 0" size="0.03 {WALL} 0.0001" '
            f"{_rgba(laboratory.stripe)} {_GHOST}/>"
            for x in (-0.12, 0.12)
        )
    beside = "".join(
        f'<body pos="{d.place[0]} {d.place[1]} {d.block.half_height - 0.02}">'
        f"{_block(d.block, _GHOST)}</body>"
        for d in laboratory.distractors
    )
    edge = WALL + rim
    return f"""
    <geom type="box" pos="0 0 -0.03" size="3 3 0.01" {_rgba(laboratory.floor)} {_GHOST}/>
    <geom type="box" pos="0 0 -0.01" size="{edge} {edge} 0.01" {_rgba(laboratory.table)} {_GHOST}/>
    <geom name="table" type="plane" size="1 1 1" rgba="0 0 0 0" group="3" {_SOLID.format(2, 0)}/>
    {walls}{stripes}{beside}"""


def _finger(laboratory: Laboratory, side: str, sign: int) -> str:
    radius = laboratory.finger_radius
    return f"""
    <body name="{side}" pos="{sign * radius} 0 0">
      <joint name="{side}" type="slide" axis="{sign} 0 0" range="0 0.04" armature="0.1"/>
      <geom type="capsule" size="{radius}" mass="0.02" {_rgba(laboratory.hand)}
            fromto="0 0 {radius} 0 0 {_FINGER_LENGTH}" {_SOLID.format(4, 0)} friction="0.6"/>
    </body>"""


def _hand(laboratory: Laboratory) -> str:
    """Shaft, palm and fingers; the body's origin is the lowest point between the fingertips."""
    width, radius = laboratory.link_width, laboratory.finger_radius
    palm = _FINGER_LENGTH + 0.006
    return f"""
    <body name="hand" gravcomp="1">
      <joint name="lift" type="slide" axis="0 0 1" armature="0.5"/>
      <joint name="wrist" type="hinge" axis="0 0 1" armature="0.005"/>
      <geom type="cylinder" size="{0.2 * width}" fromto="0 0 {palm} 0 0 {_LINK_HEIGHT + 0.01}"
            mass="0.05" {_rgba(laboratory.joint)} {_GHOST}/>
      <geom type="box" size="{2 * radius} {0.9 * radius} 0.008" pos="0 0 {palm}"
            mass="0.05" {_rgba(laboratory.hand)} {_GHOST}/>
      {_finger(laboratory, "left", -1)}{_finger(laboratory, "right", 1)}
    </body>"""


def _arm(laboratory: Laboratory) -> str:
    """Column, upper arm and forearm; both links point along +x of their body."""
    upper, fore = laboratory.links
    half = laboratory.link_width / 2
    arm, joint = _rgba(laboratory.arm), _rgba(laboratory.joint)
    x, y = laboratory.base
    return f"""
    <body pos="{x} {y} 0">
      <geom type="cylinder" size="{2 * half}" fromto="0 0 -0.02 0 0 {_LINK_HEIGHT}" {joint}
            {_GHOST}/>
      <body name="upper" pos="0 0 {_LINK_HEIGHT + 2 * half}">
        <joint name="shoulder" type="hinge" axis="0 0 1" armature="0.05"/>
        <geom type="box" size="{upper / 2} {half} {half}" pos="{upper / 2} 0 0" mass="0.05" {arm}
              {_GHOST}/>
        <body name="fore" pos="{upper} 0 {-2 * half}">
          <joint name="elbow" type="hinge" axis="0 0 1" armature="0.05"/>
          <geom type="cylinder" size="{1.3 * half} {2.2 * half}" pos="0 0 {half}" mass="0.02"
                {joint} {_GHOST}/>
          <geom type="box" size="{fore / 2} {0.8 * half} {0.8 * half}" pos="{fore / 2} 0 0"
                mass="0.05" {arm} {_GHOST}/>
          <body pos="{fore} 0 {-_LINK_HEIGHT}">{_hand(laboratory)}</body>
        </body>
      </body>
    </body>"""


def _servo(joint: str, inertia: float, force: float) -> str:
    """A critically damped position servo, limited to a force in N or a torque in Nm."""
    return (
        f'<position joint="{joint}" kp="{inertia * _BANDWIDTH**2}" '
        f'kv="{2 * inertia * _BANDWIDTH}" '
        f'forcerange="{-force} {force}"/>'
    )


def build_xml(laboratory: Laboratory) -> str:
    """The scene in MuJoCo's XML; lengths in metres, angles in radians."""
    light, shade = laboratory.light, laboratory.ambient
    glow = 1.0 - shade
    surface = 'mass="0.15" friction="0.6 0.01 0.001" solref="0.01 1" ' + _SOLID.format(1, 6)
    return f"""
<mujoco model="{laboratory.name}">
  <compiler angle="radian"/>
  <option timestep="{TIMESTEP}" integrator="implicitfast" cone="elliptic" iterations="10"
          ls_iterations="10" jacobian="dense"/>
  <visual>
    <headlight ambient="{shade} {shade} {shade}" diffuse="0 0 0" specular="0 0 0"/>
    <quality numslices="16" numstacks="8"/>
    <map znear="0.1" zfar="10"/>
  </visual>
  <statistic extent="1"/>
  <worldbody>
    <light type="directional" dir="{light[0]} {light[1]} {light[2]}" castshadow="false"
           diffuse="{glow} {glow} {glow}" specular="0 0 0"/>
    {_camera(laboratory)}
    {_surroundings(laboratory)}
    {_arm(laboratory)}
    <body name="object" pos="0 0 {laboratory.object.half_height}">
      <joint name="object" type="free" damping="0.3"/>
      {_block(laboratory.object, surface)}
    </body>
  </worldbody>
  <actuator>
    {_servo("shoulder", 0.06, 25)}{_servo("elbow", 0.06, 25)}{_servo("lift", 0.6, 20)}
    {_servo("wrist", 0.005, 20)}{_servo("left", 0.1, 4)}{_servo("right", 0.1, 4)}
  </actuator>
</mujoco>"""


def build_model(laboratory: Laboratory) -> mujoco.MjModel:
    """Compile the scene of a laboratory; its camera is called `view`."""
    return mujoco.MjModel.from_xml_string(build_xml(laboratory))
