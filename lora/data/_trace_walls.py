"""What walls and roofs are made of for the path tracer: bricks, boards, stones, panels and tiles at their real size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._blender import Stage
from ._shader import Shader

Colour = Sequence[float]
COLOURS = {  # the two ends between which a wall's pieces vary
    ("brick", "red"): ((0.31, 0.075, 0.042), (0.17, 0.040, 0.028)),
    ("brick", "brown"): ((0.155, 0.078, 0.046), (0.075, 0.038, 0.025)),
    ("brick", "beige"): ((0.50, 0.375, 0.235), (0.36, 0.26, 0.155)),
    ("brick", "grey"): ((0.24, 0.235, 0.23), (0.12, 0.12, 0.122)),
    ("wood", "brown"): ((0.20, 0.095, 0.042), (0.11, 0.050, 0.022)),
    ("wood", "white"): ((0.72, 0.71, 0.68), (0.62, 0.61, 0.58)),
    ("wood", "yellow"): ((0.66, 0.43, 0.10), (0.56, 0.35, 0.075)),
    ("wood", "blue"): ((0.075, 0.16, 0.31), (0.055, 0.125, 0.25)),
    ("wood", "green"): ((0.075, 0.165, 0.075), (0.055, 0.125, 0.06)),
    ("wood", "red"): ((0.30, 0.038, 0.028), (0.235, 0.028, 0.022)),
    ("concrete", "grey"): ((0.33, 0.33, 0.325), (0.25, 0.25, 0.25)),
    ("concrete", "white"): ((0.70, 0.69, 0.67), (0.60, 0.59, 0.575)),
    ("concrete", "beige"): ((0.53, 0.43, 0.31), (0.45, 0.36, 0.26)),
    ("stone", "grey"): ((0.36, 0.355, 0.34), (0.17, 0.17, 0.172)),
    ("stone", "beige"): ((0.55, 0.45, 0.31), (0.36, 0.285, 0.195)),
    ("stone", "brown"): ((0.24, 0.155, 0.095), (0.115, 0.073, 0.048)),
    ("plaster", "white"): ((0.74, 0.73, 0.70), (0.66, 0.65, 0.62)),
    ("plaster", "beige"): ((0.64, 0.53, 0.38), (0.56, 0.46, 0.32)),
    ("plaster", "yellow"): ((0.68, 0.47, 0.16), (0.60, 0.40, 0.13)),
    ("plaster", "red"): ((0.42, 0.13, 0.085), (0.35, 0.10, 0.07)),
    ("plaster", "grey"): ((0.36, 0.36, 0.36), (0.29, 0.29, 0.29)),
    ("glass", "blue"): ((0.10, 0.13, 0.17), (0.08, 0.11, 0.15)),
    ("glass", "grey"): ((0.13, 0.135, 0.14), (0.11, 0.115, 0.12)),
    ("glass", "green"): ((0.09, 0.13, 0.12), (0.07, 0.11, 0.10)),
}


Axis = Sequence[float] | None


def wall_material(stage: Stage, material: str, colour: str, style: str, turned: bool, axis: Axis = None) -> Any:
    """A wall that faces the viewer, or, ``turned``, one to the side, or one around an ``axis``: x, z and two radii."""
    s = Shader(stage, f"{material} wall")
    ends = COLOURS[material, colour]
    u, v, flat = _flat(s, turned, axis)
    makers = {
        "plaster": _plaster,
        "brick": _brick,
        "wood": _boards,
        "stone": _stones,
        "concrete": _panels,
        "glass": _panels,
    }
    tone, normal, rough = makers[material](
        s, flat, ends, {"skyscraper": 1.6, "castle": 1.5, "bridge": 1.5, "tower": 1.3}.get(style, 1.0)
    )
    weather = s.noise(s.node("CombineXYZ", {0: u, 1: s.math("MULTIPLY", v, 0.22), 2: 3.0}).outputs[0], 0.8, 6, 0.6)
    tone = s.shaded(tone, weather, 0.80, 1.10)
    if style == "street":  # each house has a tone of its own
        own = s.node("ObjectInfo").outputs["Color"]
        tone = s.mix(1.0, tone, own, "MULTIPLY")
    foot = s.between(s.math("ADD", v, s.math("MULTIPLY", weather, 0.7)), 0.35, 1.3, 0.62, 1.0)  # damp rises
    grey = s.node("CombineColor", {0: foot, 1: foot, 2: foot}).outputs[0]
    tone = s.mix(1.0, tone, grey, "MULTIPLY")
    metal = 0.6 if material == "glass" else 0.0
    return s.done(s.surface(Base_Color=tone, Roughness=0.3 if metal else rough, Metallic=metal, Normal=normal))


def _flat(s: Shader, turned: bool, axis: Axis = None) -> tuple[Any, Any, Any]:
    """Metres along a wall, metres up, and both as a vector."""
    parts = s.node("SeparateXYZ", {0: s.place()}).outputs
    u, v = parts[1 if turned else 0], parts[2]
    if axis is not None:
        x, y = s.math("SUBTRACT", parts[0], axis[0]), s.math("ADD", parts[1], axis[1])
        u = s.math("MULTIPLY", s.math("ARCTAN2", y, x), max(axis[2:]))
    return u, v, s.node("CombineXYZ", {0: u, 1: v, 2: 0.0}).outputs[0]


def _masonry(
    s: Shader, flat: Any, ends: tuple[Colour, Colour], mortar: Colour, wide: float, high: float, joint: float
) -> tuple[Any, Any]:
    """Colours of laid pieces, and 1 in their joints."""
    bent = s.noise(flat, 7.0, 3)
    moved = s.node("VectorMath", {0: flat, 1: s.node("CombineXYZ", {0: s.math("MULTIPLY", bent, 0.012),
                   1: s.math("MULTIPLY", bent, 0.008), 2: 0.0}).outputs[0]}, operation="ADD").outputs[0]  # fmt: skip
    inputs = {"Vector": moved, "Color1": ends[0], "Color2": ends[1], "Mortar": mortar, "Scale": 1.0,
              "Mortar Size": joint, "Mortar Smooth": 0.25, "Bias": -0.15,
              "Brick Width": wide, "Row Height": high}  # fmt: skip
    node = s.node("TexBrick", inputs)
    return node.outputs["Color"], node.outputs["Fac"]


def _brick(s: Shader, flat: Any, ends: tuple[Colour, Colour], size: float) -> tuple[Any, Any, float]:
    pale = sum(ends[0]) > 0.75
    mortar = (0.20, 0.175, 0.14) if pale else (0.36, 0.335, 0.30)
    tone, joint = _masonry(s, flat, ends, mortar, 0.30 * size, 0.105 * size, 0.012 * size)
    grain = s.noise(flat, 40.0, 5, 0.65)
    tone = s.shaded(s.shaded(tone, grain, 0.78, 1.2), s.noise(flat, 0.5, 5), 0.82, 1.14)
    height = s.math("SUBTRACT", s.math("MULTIPLY", grain, 0.3), joint)
    return tone, s.bump(height, 0.012), 0.88


def _boards(s: Shader, flat: Any, ends: tuple[Colour, Colour], size: float) -> tuple[Any, Any, float]:
    """Boards that lap over each other."""
    high = 0.19 * size
    v = s.node("SeparateXYZ", {0: flat}).outputs[1]
    row = s.math("DIVIDE", v, high)
    within = s.math("FRACT", row)
    number = s.math("FLOOR", row)
    chance = s.node("TexWhiteNoise", {"W": number}, noise_dimensions="1D").outputs[0]
    grain = s.noise(s.node("CombineXYZ", {0: s.math("MULTIPLY", s.node("SeparateXYZ", {0: flat}).outputs[0], 0.35),
                    1: s.math("MULTIPLY", v, 16.0), 2: number}).outputs[0], 2.0, 6, 0.62)  # fmt: skip
    tone = s.shaded(s.mix(chance, ends[0], ends[1]), grain, 0.80, 1.16)
    tone = s.mix(s.between(within, 0.93, 0.99, 0.0, 0.75), tone, [0.25 * value for value in ends[1]])
    height = s.math("SUBTRACT", s.math("MULTIPLY", grain, 0.05), within)
    return tone, s.bump(height, 0.028), 0.6


def _stones(s: Shader, flat: Any, ends: tuple[Colour, Colour], size: float) -> tuple[Any, Any, float]:
    """Blocks of two courses, each with its own tone."""
    tone, joint = _masonry(s, flat, ends, (0.20, 0.19, 0.175), 0.78 * size, 0.36 * size, 0.022 * size)
    rough, grain = s.noise(flat, 3.2, 6, 0.62), s.noise(flat, 26.0, 5, 0.65)
    tone = s.shaded(s.shaded(tone, rough, 0.72, 1.22), grain, 0.86, 1.14)
    height = s.math("SUBTRACT", s.math("ADD", s.math("MULTIPLY", rough, 0.8), s.math("MULTIPLY", grain, 0.25)), joint)
    return tone, s.bump(height, 0.035), 0.9


def _panels(s: Shader, flat: Any, ends: tuple[Colour, Colour], size: float) -> tuple[Any, Any, float]:
    """Cast panels with fine joints and the holes of their ties."""
    tone, joint = _masonry(s, flat, ends, [0.35 * value for value in ends[1]], 2.4, 1.5, 0.012)
    stain, pore = s.noise(flat, 0.9, 7, 0.62), s.noise(flat, 30.0, 4, 0.6)
    tone = s.shaded(s.shaded(tone, stain, 0.80, 1.12), pore, 0.93, 1.06)
    height = s.math("SUBTRACT", s.math("MULTIPLY", pore, 0.12), joint)
    return tone, s.bump(height, 0.015), 0.8


def _plaster(s: Shader, flat: Any, ends: tuple[Colour, Colour], size: float) -> tuple[Any, Any, float]:
    """Smooth, with stains where rain runs."""
    stain, pore = s.noise(flat, 0.7, 7, 0.6), s.noise(flat, 42.0, 4, 0.65)
    tone = s.shaded(s.mix(s.between(stain, 0.35, 0.65), ends[0], ends[1]), pore, 0.95, 1.04)
    return tone, s.bump(s.math("ADD", pore, s.noise(flat, 5.0, 5)), 0.006), 0.85


ROOFS = {
    "pointed": ((0.075, 0.085, 0.105), (0.036, 0.040, 0.052)),
    "dome": ((0.30, 0.045, 0.030), (0.24, 0.036, 0.026)),
    "none": ((0.235, 0.075, 0.040), (0.125, 0.040, 0.026)),
    "gable": ((0.235, 0.066, 0.034), (0.125, 0.036, 0.022)),
    "hip": ((0.090, 0.095, 0.108), (0.048, 0.050, 0.058)),
    "flat": ((0.17, 0.17, 0.17), (0.12, 0.12, 0.12)),
}


def roof_material(stage: Stage, roof: str, turned: bool, axis: Axis = None) -> Any:
    """Tiles in rows that lap over each other, moss in places."""
    s = Shader(stage, "roof")
    u, v, _ = _flat(s, turned, axis)
    row = s.math("DIVIDE", v, 0.17)
    number, within = s.math("FLOOR", row), s.math("FRACT", row)
    along = s.math("ADD", s.math("DIVIDE", u, 0.26), s.math("MULTIPLY", s.math("MODULO", number, 2.0), 0.5))
    column = s.math("FLOOR", along)
    place = s.node("CombineXYZ", {0: column, 1: number, 2: 1.0}).outputs[0]
    chance = s.node("TexWhiteNoise", {"Vector": place}).outputs[0]
    tone = s.mix(chance, *ROOFS[roof])
    grain = s.noise(s.place(), 24.0, 5, 0.65)
    tone = s.shaded(tone, grain, 0.8, 1.2)
    edge = s.between(within, 0.0, 0.14, 0.30, 1.0)
    side = s.between(s.math("ABSOLUTE", s.math("SUBTRACT", s.math("FRACT", along), 0.5)), 0.44, 0.5, 1.0, 0.45)
    shade = s.math("MULTIPLY", edge, side)
    tone = s.mix(1.0, tone, s.node("CombineColor", {0: shade, 1: shade, 2: shade}).outputs[0], "MULTIPLY")
    moss = s.between(s.noise(s.place(), 0.7, 6), 0.58, 0.75, 0.0, 0.55)
    tone = s.mix(moss, tone, (0.055, 0.062, 0.025))
    arch = s.math(
        "SUBTRACT", 1.0, s.math("POWER", s.math("ABSOLUTE", s.math("SUBTRACT", s.math("FRACT", along), 0.5)), 2.0)
    )
    height = s.math("ADD", s.math("SUBTRACT", arch, s.math("MULTIPLY", within, 0.6)), s.math("MULTIPLY", grain, 0.1))
    return s.done(s.surface(Base_Color=tone, Roughness=0.75, Normal=s.bump(height, 0.05)))
