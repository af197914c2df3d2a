"""Materials of things for the path tracer; a thing is about one metre large, and stands for something smaller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._blender import Stage
from ._shader import Shader, plain
from ._thing_matter import DARK, NEON, Colour, colour_in

_Make = Callable[[Shader, Colour], dict[str, Any]]


def matter(stage: Stage, material: str, colour: str) -> Any:
    """A material of a colour; "none" is its own."""
    if material == "neon":
        return plain(stage, "plate", NEON, 0.16, coat=0.3)
    shader = Shader(stage, f"{colour} {material}")
    tint = colour_in(material, colour)
    return shader.done(shader.surface(**_MADE[material](shader, tint)))


def dark(stage: Stage, material: str) -> Any:
    """Eyes and buttons."""
    if material == "neon":
        return plain(stage, "plate", NEON, 0.16, coat=0.3)
    return plain(stage, "dark", DARK, 0.12 if material not in ("clay", "stone", "paper", "wood") else 0.45)


def glowing(stage: Stage, colour: str) -> Any:
    """The gas in a tube: of its colour, paler inside, deeper at its edge."""
    s = Shader(stage, "neon")
    tint = colour_in("neon", colour)
    peak = max(tint)
    pure = tuple(value / peak for value in tint)
    facing = s.node("LayerWeight", {"Blend": 0.35}).outputs["Facing"]
    core = tuple(0.05 + 0.95 * value for value in pure)
    deep = tuple(value**1.25 for value in pure)
    tone = s.mix(s.between(facing, 0.15, 0.75), core, deep)
    camera = s.node("LightPath").outputs["Is Camera Ray"]
    strength = s.math("ADD", s.math("MULTIPLY", camera, -5.15), 6.0)  # what it lights gets more than the eye
    return s.done(s.node("Emission", {"Color": tone, "Strength": strength}).outputs[0])


def fur(stage: Stage, colour: str) -> Any:
    """Short hair, each of its own shade."""
    s = Shader(stage, "fur")
    tint = colour_in("plush", colour)
    hair = s.node("HairInfo")
    tone = s.shaded(tint, hair.outputs["Random"], 0.88, 1.12)
    root = s.between(hair.outputs["Intercept"], 0.0, 0.9, 0.6, 1.12)
    grey = s.node("CombineColor", {0: root, 1: root, 2: root}).outputs[0]
    tone = s.mix(1.0, tone, grey, "MULTIPLY")
    return s.done(s.surface(Base_Color=tone, Roughness=0.75, IOR_Level=0.2, Sheen_Weight=0.3))


# --- one each


def _clay(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    press, fine = s.noise(at, 7.5, 3, 0.5, 0.6), s.noise(at, 55.0, 5, 0.6)
    thumb = s.between(s.cells(at, 6.5), 0.0, 0.62)
    height = s.math("ADD", s.math("MULTIPLY", press, 0.8), s.math("MULTIPLY", thumb, 0.5))
    normal = s.bump(fine, 0.004, s.bump(height, 0.035))
    return {
        "Base_Color": s.shaded(s.shaded(tint, press, 0.90, 1.08), fine, 0.92, 1.06),
        "Roughness": 0.78,
        "IOR_Level": 0.3,
        "Normal": normal,
    }


def _plaster(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    pores = s.between(s.noise(at, 60.0, 4, 0.6), 0.60, 0.72)
    large = s.noise(at, 4.0, 4)
    height = s.math("SUBTRACT", s.math("MULTIPLY", large, 0.5), s.math("MULTIPLY", pores, 0.25))
    return {
        "Base_Color": s.shaded(tint, large, 0.93, 1.03),
        "Roughness": 0.9,
        "IOR_Level": 0.2,
        "Normal": s.bump(height, 0.012),
    }


def _bronze(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    large, fine = s.noise(at, 3.2, 6, 0.6, 0.4), s.noise(at, 38.0, 5, 0.6)
    normal = s.bump(fine, 0.003, s.bump(s.noise(at, 11.0, 4), 0.014))
    if tint[1] > tint[0]:  # patina, worn off where hands are
        worn = s.between(s.math("ADD", large, s.math("MULTIPLY", fine, 0.25)), 0.62, 0.76)
        green = s.shaded(s.shaded(tint, fine, 0.75, 1.15), large, 0.7, 1.15)
        bare = colour_in("bronze", "none")
        return {
            "Base_Color": s.mix(worn, green, bare),
            "Roughness": s.between(worn, 0, 1, 0.72, 0.34),
            "Metallic": s.between(worn, 0, 1, 0.15, 1.0),
            "Normal": normal,
        }
    tone = s.shaded(s.shaded(tint, large, 0.62, 1.12), fine, 0.9, 1.06)
    return {"Base_Color": tone, "Roughness": s.between(large, 0.3, 0.7, 0.42, 0.26), "Metallic": 1.0, "Normal": normal}


def _gold(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    large = s.noise(at, 9.0, 5)
    return {
        "Base_Color": tint,
        "Roughness": s.between(large, 0.3, 0.7, 0.15, 0.26),
        "Metallic": 1.0,
        "Normal": s.bump(large, 0.004),
    }


def _chrome(s: Shader, tint: Colour) -> dict[str, Any]:
    return {"Base_Color": tint, "Roughness": 0.05, "Metallic": 1.0}


def _wood(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    bent = s.noise(s.scaled(at, (1.6, 1.6, 0.55)), 1.3, 3, 0.5)
    ring = s.math(
        "MULTIPLY", s.math("ADD", s.node("SeparateXYZ", {0: at}).outputs[0], s.math("MULTIPLY", bent, 1.15)), 17.0
    )
    band = s.math("FRACT", ring)
    late = s.between(band, 0.35, 0.97)
    fibre, pore = s.noise(s.scaled(at, (70, 70, 2.2)), 1.0, 3, 0.6), s.noise(s.scaled(at, (150, 150, 6)), 1.0, 2)
    deep = tuple(0.42 * value for value in tint)
    tone = s.mix(s.math("MULTIPLY", late, 0.72), tint, deep)
    tone = s.shaded(s.shaded(tone, fibre, 0.78, 1.18), pore, 0.88, 1.06)
    height = s.math("ADD", s.math("MULTIPLY", fibre, 0.6), s.math("MULTIPLY", late, -0.3))
    return {
        "Base_Color": tone,
        "Roughness": 0.42,
        "IOR_Level": 0.4,
        "Coat_Weight": 0.12,
        "Coat_Roughness": 0.3,
        "Normal": s.bump(height, 0.004),
    }


def _stone(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    large, fine, grain = s.noise(at, 2.6, 7, 0.62), s.noise(at, 24.0, 6, 0.65), s.noise(at, 120.0, 3, 0.7)
    tone = s.shaded(s.shaded(s.shaded(tint, large, 0.72, 1.22), fine, 0.82, 1.14), grain, 0.8, 1.2)
    height = s.math("ADD", s.math("MULTIPLY", large, 1.0), s.math("MULTIPLY", fine, 0.35))
    return {
        "Base_Color": tone,
        "Roughness": 0.92,
        "IOR_Level": 0.2,
        "Normal": s.bump(grain, 0.004, s.bump(height, 0.05)),
    }


def _marble(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    cloud, fold = s.noise(at, 2.1, 6, 0.6, 1.2), s.noise(s.scaled(at, (1.0, 1.0, 0.6)), 3.1, 8, 0.62, 2.2)
    vein = s.between(s.math("ABSOLUTE", s.math("SUBTRACT", fold, 0.5)), 0.0, 0.075, 1.0, 0.0)
    vein = s.math("MULTIPLY", vein, s.between(cloud, 0.35, 0.65, 0.15, 1.0))
    light = tint[0] > 0.4
    other = (0.20, 0.205, 0.22) if light else (0.62, 0.60, 0.55)
    tone = s.mix(s.math("MULTIPLY", vein, 0.75 if light else 0.35), s.shaded(tint, cloud, 0.85, 1.06), other)
    return {
        "Base_Color": tone,
        "Roughness": 0.16,
        "IOR_Level": 0.5,
        "Subsurface_Weight": 0.12 if light else 0.0,
        "Subsurface_Scale": 0.05,
    }


def _glass(s: Shader, tint: Colour) -> dict[str, Any]:
    pale = tuple(value**0.5 if max(tint) < 0.9 else value for value in tint)
    return {"Base_Color": pale, "Roughness": 0.015, "Transmission_Weight": 1.0, "IOR": 1.40}


def _ice(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    large, frost = s.noise(at, 5.0, 4, 0.5, 0.5), s.noise(at, 13.0, 7, 0.65)
    white = s.between(frost, 0.50, 0.70, 0.06, 0.55)
    return {
        "Base_Color": tint,
        "Roughness": s.between(frost, 0.35, 0.7, 0.04, 0.30),
        "IOR": 1.31,
        "Transmission_Weight": s.math("SUBTRACT", 1.0, white),
        "Normal": s.bump(large, 0.055),
    }


def _plastic(s: Shader, tint: Colour) -> dict[str, Any]:
    return {
        "Base_Color": tint,
        "Roughness": 0.24,
        "IOR_Level": 0.5,
        "Subsurface_Weight": 0.06,
        "Subsurface_Scale": 0.03,
        "Normal": s.bump(s.noise(s.place(), 220.0, 2), 0.0004),
    }


def _ceramic(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    large = s.noise(at, 3.0, 3)
    return {
        "Base_Color": s.shaded(tint, large, 0.90, 1.05),
        "Roughness": 0.38,
        "Coat_Weight": 1.0,
        "Coat_Roughness": 0.04,
        "Normal": s.bump(large, 0.006),
    }


def _plush(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    tone = s.shaded(tuple(0.55 * value for value in tint), s.noise(at, 60.0, 4), 0.7, 1.2)
    return {"Base_Color": tone, "Roughness": 1.0, "IOR_Level": 0.0}


def _fabric(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    across, along = s.wave(at, 34.0, 0.25, "X"), s.wave(at, 34.0, 0.25, "Z")
    weave = s.math("MAXIMUM", across, along)
    wrinkle = s.noise(at, 3.4, 4, 0.5, 0.8)
    tone = s.shaded(s.shaded(tint, weave, 0.66, 1.15), s.noise(at, 20.0, 4), 0.9, 1.08)
    return {
        "Base_Color": tone,
        "Roughness": 0.95,
        "IOR_Level": 0.1,
        "Sheen_Weight": 0.35,
        "Sheen_Roughness": 0.5,
        "Normal": s.bump(weave, 0.005, s.bump(wrinkle, 0.045)),
    }


def _paper(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    fold = s.cells(at, 4.2, "F1")
    fibre = s.noise(at, 90.0, 4, 0.7)
    tone = s.shaded(tint, fibre, 0.95, 1.04)
    return {
        "Base_Color": tone,
        "Roughness": 0.95,
        "IOR_Level": 0.15,
        "Normal": s.bump(fibre, 0.0015, s.bump(fold, 0.05)),
    }


def _chocolate(s: Shader, tint: Colour) -> dict[str, Any]:
    at = s.place()
    large = s.noise(at, 5.0, 4)
    return {
        "Base_Color": s.shaded(tint, large, 0.85, 1.12),
        "Roughness": s.between(large, 0.3, 0.7, 0.26, 0.38),
        "IOR_Level": 0.5,
        "Subsurface_Weight": 0.1,
        "Subsurface_Scale": 0.02,
        "Normal": s.bump(large, 0.006),
    }


_MADE: dict[str, _Make] = {
    "clay": _clay,
    "plaster": _plaster,
    "bronze": _bronze,
    "gold": _gold,
    "chrome": _chrome,
    "wood": _wood,
    "stone": _stone,
    "marble": _marble,
    "glass": _glass,
    "ice": _ice,
    "plastic": _plastic,
    "ceramic": _ceramic,
    "plush": _plush,
    "fabric": _fabric,
    "paper": _paper,
    "chocolate": _chocolate,
}
