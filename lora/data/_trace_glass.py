"""Windows for the path tracer: panes that mirror, and behind them rooms with walls, floors and furniture.

Rooms are no meshes: a ray is cut with the box of its room in the material ("interior mapping", van Dongen, 2008), so
that a tower of windows costs as much as one.
"""

from __future__ import annotations

from typing import Any

from ._blender import Stage
from ._scene import Scene
from ._shader import Shader
from .grammar import LAMPS_ON

TINTS = {"blue": (0.035, 0.085, 0.16), "grey": (0.05, 0.055, 0.06), "green": (0.03, 0.085, 0.07)}
DEEP = 4.0  # metres from a pane to the wall behind it
LIT = 1.9  # how bright a lit room is at night
BY_DAY = 0.16


def pane(stage: Stage, scene: Scene, turned: bool, room: tuple[float, float] = (3.0, 2.9)) -> Any:
    """A pane in a wall that looks along z, or, ``turned``, along x; ``room``: metres that rooms are wide and high."""
    s = Shader(stage, "pane")
    night, glass = scene.tags["time"] in LAMPS_ON, scene.tags["material"] == "glass"
    island = s.node("NewGeometry").outputs["Random Per Island"]
    tone, lamp = _room(s, turned, room)
    fold = s.wave(s.scaled(s.place(), (1, 1, 0)), 4.5, 1.5, "DIAGONAL")
    drawn = s.math("GREATER_THAN", s.math("FRACT", s.math("MULTIPLY", island, 7.31)), 0.70)
    curtain = s.math("MULTIPLY", drawn, 0.0 if glass else 0.75)
    tone = s.mix(curtain, tone, s.shaded((0.55, 0.52, 0.46), fold, 0.7, 1.05))
    if night:
        warm = s.mix(island, (1.0, 0.56, 0.22), (1.0, 0.80, 0.52))
        level = s.between(s.math("FRACT", s.math("MULTIPLY", island, 3.7)), 0.0, 1.0, 0.55, 1.0)
        strength = s.math("MULTIPLY", s.math("MULTIPLY", level, s.mixed(curtain, lamp, 0.5)), LIT)
        tone = s.mix(1.0, tone, warm, "MULTIPLY")
    else:
        strength = BY_DAY if scene.tags["time"] != "sunset" else 0.10
    tint = TINTS[scene.tags["colour"]] if glass else (0.012, 0.014, 0.017)
    if glass:
        tone = s.mix(0.45, tone, [6.0 * value for value in tint])
    inputs: dict[str, Any] = {
        "Base_Color": tint,
        "Roughness": 0.03,
        "Emission_Color": tone,
        "Emission_Strength": strength,
    }
    if glass:
        inputs |= {"Metallic": 0.55, "Base_Color": tuple(4.0 * value for value in tint)}
    return s.done(s.surface(**inputs, Coat_Weight=1.0, Coat_Roughness=0.0))


def _room(s: Shader, turned: bool, room: tuple[float, float]) -> tuple[Any, Any]:
    """The colour that a ray meets in the room, and how far its lamp reaches there, 0 to 1."""
    place = s.node("SeparateXYZ", {0: s.place()}).outputs
    back = s.node("NewGeometry")
    way = s.node("SeparateXYZ", {0: back.outputs["Incoming"]}).outputs
    normal = s.node("SeparateXYZ", {0: back.outputs["Normal"]}).outputs
    across, deep = (1, 0) if turned else (0, 1)
    u, v = s.math("DIVIDE", place[across], room[0]), s.math("DIVIDE", place[2], room[1])
    number = s.node("CombineXYZ", {0: s.math("FLOOR", u), 1: s.math("FLOOR", v), 2: 2.0 if turned else 1.0}).outputs[0]
    u, v = s.math("MULTIPLY", s.math("FRACT", u), room[0]), s.math("MULTIPLY", s.math("FRACT", v), room[1])
    du, dv = s.math("MULTIPLY", way[across], -1.0), s.math("MULTIPLY", way[2], -1.0)
    inwards = s.math("MAXIMUM", s.math("ABSOLUTE", s.math("MULTIPLY", way[deep], normal[deep])), 0.02)
    tu, tv = _leaves_at(s, u, du, room[0]), _leaves_at(s, v, dv, room[1])
    tw = s.math("DIVIDE", DEEP, inwards)
    t = s.math("MINIMUM", s.math("MINIMUM", tu, tv), tw)
    hu, hv = s.math("ADD", u, s.math("MULTIPLY", du, t)), s.math("ADD", v, s.math("MULTIPLY", dv, t))
    hw = s.math("MULTIPLY", inwards, t)
    flat = s.math("LESS_THAN", tv, s.math("SUBTRACT", s.math("MINIMUM", tu, tw), 1e-4))
    ceiling = s.math("MULTIPLY", flat, s.math("GREATER_THAN", dv, 0.0))
    chance = s.node("TexWhiteNoise", {"Vector": number}).outputs
    wall = s.mix(0.16, (0.62, 0.57, 0.50), chance["Color"])
    tone = s.mix(flat, wall, (0.22, 0.13, 0.07))
    tone = s.mix(ceiling, tone, (0.78, 0.76, 0.72))
    # Cupboards and pictures against the walls, and what stands on the floor.
    at = s.node(
        "CombineXYZ", {0: s.math("MULTIPLY", hu, 1.1), 1: s.math("MULTIPLY", hw, 1.1), 2: chance["Value"]}
    ).outputs[0]
    piece = s.node(
        "TexWhiteNoise", {"Vector": s.node("VectorMath", {0: s.scaled(at, (1, 1, 40.0))}, operation="FLOOR").outputs[0]}
    ).outputs["Value"]
    stands = s.math("LESS_THAN", hv, s.math("MULTIPLY", piece, 0.62 * room[1]))
    stands = s.math("MULTIPLY", stands, s.math("SUBTRACT", 1.0, flat))
    tone = s.mix(s.math("MULTIPLY", stands, 0.8), tone, s.mix(piece, (0.09, 0.05, 0.03), (0.30, 0.26, 0.22)))
    apart = [s.math("SUBTRACT", hu, 0.5 * room[0]), s.math("SUBTRACT", hv, 0.86 * room[1]), s.math("SUBTRACT", hw, 1.8)]
    squares = [s.math("MULTIPLY", each, each) for each in apart]
    near = s.math("ADD", s.math("ADD", squares[0], squares[1]), s.math("ADD", squares[2], 0.9))
    return tone, s.math("MINIMUM", s.math("DIVIDE", 1.5, near), 1.6)


def _leaves_at(s: Shader, start: Any, way: Any, end: float) -> Any:
    """Metres along the ray to the wall of a room at 0 or at ``end``."""
    goal = s.math("MULTIPLY", s.math("GREATER_THAN", way, 0.0), end)
    small = s.math("LESS_THAN", s.math("ABSOLUTE", way), 1e-4)
    safe = s.math("ADD", way, s.math("MULTIPLY", small, 1e-3))
    return s.math("ABSOLUTE", s.math("DIVIDE", s.math("SUBTRACT", goal, start), safe))
