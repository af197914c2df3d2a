"""The tags of buildings and landscapes: each chosen among what goes together with those before it."""

from __future__ import annotations

from collections.abc import Mapping

from . import _place_words as words
from . import grammar
from ._chooser import Chooser
from ._place_words import NONE

SHARES = {  # of the styles, where none is asked for
    "house": 0.17, "cottage": 0.09, "villa": 0.10, "apartment block": 0.08, "skyscraper": 0.08, "castle": 0.08,
    "church": 0.08, "street": 0.09, "bridge": 0.05, "suspension bridge": 0.03, "tower": 0.03, "lighthouse": 0.03,
    "temple": 0.03, "barn": 0.03, "warehouse": 0.02, "garage": 0.01,
}  # fmt: skip


def building_tags(choose: Chooser) -> dict[str, str]:
    style = choose("style", _styles(choose) or SHARES)
    material = choose("material", _materials(choose, style) or words.MATERIALS[style])
    tags = {
        "style": style,
        "material": material,
        "colour": choose("colour", words.BUILDING_COLOURS[material]),
        "roof": choose("roof", words.ROOFS[style]),
        "balconies": choose("balconies", _balconies(style)),
        "ground": choose("ground", grounds(style)),
    }
    yard = style in words.WITH_YARD
    tags["behind"] = choose("behind", words.BEHIND if style != "street" else {NONE: 1.0})
    tags["trees"] = choose("trees", _trees(tags["ground"], 0.45 if style not in words.BRIDGES else 0.7))
    tags["plants"] = choose("plants", words.PLANTS if yard and tags["ground"] in ("grass", "road") else {NONE: 1.0})
    tags["fence"] = choose("fence", words.FENCES if yard and tags["ground"] != "road" else {NONE: 1.0})
    tags["path"] = choose("path", words.PATHS if yard and tags["ground"] != "road" else {NONE: 1.0})
    return tags


def grounds(style: str) -> tuple[str, ...]:
    """What a building of a style can stand on."""
    if style == "street":
        return ("road",)
    return tuple(name for name in grammar.GROUNDS if name != "road" or style not in words.BRIDGES)


def _trees(ground: str, none: float) -> dict[str, float]:
    """What grows there, and its shares."""
    grow = {"snow": ("conifers", "bare trees", "birches"), "sand": ("palms", "trees", "bare trees")}
    there = {name: share for name, share in words.TREES.items() if name in grow.get(ground, tuple(words.TREES))}
    if ground == "sand":
        there["palms"] = 0.5
    total = sum(there.values())
    return {name: (1 - none) * share / total for name, share in there.items()} | {NONE: none}


def _styles(choose: Chooser) -> Mapping[str, float]:
    """What a building can be, if it is to have what is asked for; nothing where a style is asked for."""
    if choose.wants("style"):
        return {}
    roof, balconies, ground = (choose.wants(name) for name in ("roof", "balconies", "ground"))
    yard = any(choose.wants(name) not in (None, NONE) for name in ("fence", "path", "plants"))
    return {
        style: share
        for style, share in SHARES.items()
        if _materials(choose, style)
        and roof in (None, *words.ROOFS[style])
        and balconies in (None, *_balconies(style))
        and ground in (None, *grounds(style))
        and (style in words.WITH_YARD or not yard)
    }


def _materials(choose: Chooser, style: str) -> list[str]:
    """What a style can be made of, if it is to have the colour that is asked for."""
    colour, material = choose.wants("colour"), choose.wants("material")
    possible = [each for each in words.MATERIALS[style] if material in (None, each)]
    return [each for each in possible if material or colour in (None, *words.BUILDING_COLOURS[each])]


def _balconies(style: str) -> tuple[str, ...]:
    return (NONE, "balconies") if style in words.WITH_BALCONIES else (NONE,)


def landscape_tags(choose: Chooser) -> dict[str, str]:
    wet = any(choose.wants(name) not in (None, NONE) for name in ("water", "way", "houses"))
    fars = tuple(far for far in words.FARS if choose.wants("near") in (None, *nears(far)) and not (wet and far in _DRY))
    far = choose("far", tuple(words.FARS) if choose.wants("far") else fars or tuple(words.FARS))
    near = choose("near", nears(far))
    water = choose("water", {NONE: 1.0} if far in _DRY else words.WATERS)
    return {
        "far": far,
        "near": near,
        "water": water,
        "way": choose("way", {NONE: 1.0} if water != NONE or far in _DRY else words.WAYS),
        "houses": choose("houses", {NONE: 1.0} if far == "dunes" or water == "a lake" else words.VILLAGE),
        "trees": choose("trees", _trees("snow" if near == "snow" else "sand" if far in _DRY else "grass", 0.27)),
    }


_DRY = ("dunes", "the sea", "cliffs")  # where no other water is, and no road leads


def nears(far: str) -> tuple[str, ...]:
    """What can lie before what is far."""
    return ("sand", "rocks") if far == "dunes" else words.NEARS
