"""What cars are made of in the path tracer: paint, glass, lamps, grilles."""

from __future__ import annotations

from typing import Any

from ._blender import Stage
from ._car import PAINTS
from ._scene import Scene
from ._shader import Shader

TINTS = {"red": (0.42, 0.008, 0.010), "orange": (0.72, 0.16, 0.008), "yellow": (0.80, 0.47, 0.010)}
TINTS |= {"green": (0.010, 0.13, 0.035), "teal": (0.004, 0.20, 0.215), "blue": (0.008, 0.045, 0.36)}
TINTS |= {"purple": (0.12, 0.015, 0.21), "white": (0.80, 0.80, 0.80), "black": (0.006, 0.006, 0.007)}
TINTS |= {"silver": (0.33, 0.345, 0.36), "brown": (0.085, 0.032, 0.012), "beige": (0.55, 0.43, 0.27)}
TINTS |= {"gold": (0.50, 0.30, 0.055), "grey": (0.075, 0.079, 0.085), "pink": (0.72, 0.20, 0.30)}
TINTS |= {"navy": (0.006, 0.013, 0.075)}
FINISHES = {"glossy": (0.28, 0.0, 1.0), "metallic": (0.30, 0.80, 1.0), "matte": (0.48, 0.15, 0.0),
            "two-tone": (0.28, 0.0, 1.0), "chrome": (0.05, 1.0, 0.3)}  # fmt: skip  # rough, metal, coat
assert TINTS.keys() == PAINTS.keys()


def paint(stage: Stage, scene: Scene) -> Any:
    """The body's paint, as its finish and colour say."""
    finish = scene.tags["finish"]
    rough, metal, coat = FINISHES[finish]
    colour = TINTS[scene.tags["colour"]]
    s = Shader(stage, "paint")
    normal = None
    if finish == "metallic":  # flakes turn a little, and the colour is lighter than that of plain paint
        normal = s.bump(s.noise(s.place(), 700.0, 2), 0.0006)
        colour = tuple(min(0.9, 0.02 + 1.45 * value) for value in colour)
    elif finish == "chrome":
        most = max(colour)
        colour = tuple(0.12 + 0.80 * value / most * min(1.0, 0.35 + most) for value in colour)
    return s.done(
        s.surface(
            Base_Color=colour, Roughness=rough, Metallic=metal, Coat_Weight=coat, Coat_Roughness=0.02, Normal=normal
        )
    )


def roof_paint(stage: Stage) -> Any:
    """Black, for the roof of a car in two tones."""
    s = Shader(stage, "roof paint")
    return s.done(s.surface(Base_Color=(0.007, 0.007, 0.008), Roughness=0.25, Coat_Weight=1.0, Coat_Roughness=0.02))


def glass(stage: Stage, through: float) -> Any:
    """Tinted glass that mirrors at a glance; ``through`` is the share of light that one pane lets through."""
    s = Shader(stage, "glass")
    seen = s.node("BsdfTransparent", {"Color": (through * 0.95, through, through * 0.98)}).outputs[0]
    mirror = s.node("BsdfGlossy", {"Color": (0.92, 0.95, 0.96), "Roughness": 0.0}).outputs[0]
    share = s.node("Fresnel", {"IOR": 1.5}).outputs[0]
    share = s.math("ADD", s.math("MULTIPLY", share, 0.95), 0.01, clamp=True)
    return s.done(s.node("MixShader", {0: share, 1: seen, 2: mirror}).outputs[0])


def clear(stage: Stage) -> Any:
    """The clear cover of a lamp."""
    return glass(stage, 0.94)


def lamp_bowl(stage: Stage) -> Any:
    """What lies around the lenses of a lamp: dark, with steps."""
    s = Shader(stage, "bowl")
    ribs = s.wave(s.place(), 16.0, 0.0, "Y")
    colour = s.mix(s.between(ribs, 0.3, 0.7), (0.030, 0.031, 0.034), (0.22, 0.225, 0.235))
    return s.done(s.surface(Base_Color=colour, Metallic=0.9, Roughness=0.22, Normal=s.bump(ribs, 0.01)))


def tail(stage: Stage, night: bool) -> Any:
    s = Shader(stage, "tail lamp")
    ribs = s.wave(s.place(), 26.0, 0.0, "Z")
    colour = s.mix(s.between(ribs, 0.2, 0.8), (0.13, 0.001, 0.001), (0.34, 0.006, 0.006))
    made = s.surface(
        Base_Color=colour, Roughness=0.10, Coat_Weight=1.0, Coat_Roughness=0.0, Normal=s.bump(ribs, 0.004),
        Emission_Color=(1.0, 0.02, 0.012), Emission_Strength=0.9 if night else 0.05,
    )  # fmt: skip
    return s.done(made)


def mesh_grille(stage: Stage, scene: Scene) -> Any:
    """Bars, or a mesh, before the dark."""
    s = Shader(stage, "grille")
    at = s.place()
    bars = s.wave(at, 9.0, 0.0, "Z")
    if scene.shape["low"] or scene.shape["grille_design"] in (0.0,):  # a mesh
        bars = s.math("MAXIMUM", bars, s.wave(at, 9.0, 0.0, "Y"))
    elif scene.shape["grille_design"] in (1.0, 4.0):  # upright bars
        bars = s.wave(at, 9.0, 0.0, "Y")
    colour = s.mix(s.between(bars, 0.55, 0.8), (0.004, 0.004, 0.004), (0.16, 0.16, 0.17))
    metal = s.between(bars, 0.55, 0.8, 0.0, 0.8)
    return s.done(s.surface(Base_Color=colour, Roughness=0.28, Metallic=metal, Normal=s.bump(bars, 0.02)))
