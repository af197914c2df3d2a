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


_BARE = {"street": 1.0, "bridge": 0.5, "suspension bridge": 0.5}  # where fewer have trees; houses would hide them


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
    tags["trees"] = choose("trees", _trees(tags, _BARE.get(style, 0.25)))
    tags["plants"] = choose("plants", words.PLANTS if yard and tags["ground"] in ("grass", "road") else {NONE: 1.0})
    tags["fence"] = choose("fence", words.FENCES if yard and tags["ground"] != "road" else {NONE: 1.0})
    tags["path"] = choose("path", words.PATHS if yard and tags["ground"] != "road" else {NONE: 1.0})
    return tags


def grounds(style: str) -> tuple[str, ...]:
    """What a building of a style can stand on."""
    if style == "street":
        return ("road",)
    return tuple(name for name in grammar.GROUNDS if name != "road" or style not in words.BRIDGES)


def _trees(tags: Mapping[str, str], none: float) -> dict[str, float]:
    """What grows beside a building, and its shares."""
    ground = "mountains" if tags["behind"] == "mountains" and tags["ground"] != "sand" else tags["ground"]
    grow = {
        "snow": {"conifers": 0.6, "bare trees": 0.2, "birches": 0.2},
        "sand": {"palms": 0.9, "bare trees": 0.1, "trees": 0.0},
        "mountains": {"conifers": 0.6, "trees": 0.2, "birches": 0.2},
    }
    there = dict.fromkeys(words.TREES, 0.0) | grow.get("snow" if tags["ground"] == "snow" else ground, words.TREES)
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
    wet, bound, bushy = (
        any(choose.wants(name) not in (None, NONE) for name in names)
        for names in (("water", "way", "houses", "fence"), ("fence",), ("plants",))
    )
    wanted = choose.wants("near")
    fars = tuple(far for far in words.FARS if _lies(wanted, far) and not (wet and far in _DRY))
    far = choose("far", tuple(words.FARS) if choose.wants("far") else fars or tuple(words.FARS))
    shares = words.NEAR_SHARES[far]
    if not wanted and (bound or bushy):  # which only some grounds have
        shares = {near: share for near, share in shares.items() if near in ("grass", "flowers")} or shares
    near = choose("near", shares)
    water = choose("water", {NONE: 1.0} if far in _DRY else {"a river": 0.2, NONE: 0.8} if bound else words.WATERS)
    fields = far not in _DRY and near not in ("sand", "rocks") and water != "a lake"
    green = near in ("grass", "flowers") or (near == "rocks" and far not in _DRY)
    return {
        "far": far,
        "near": near,
        "water": water,
        "way": choose("way", {NONE: 1.0} if water != NONE or far in _DRY else words.WAYS),
        "houses": choose("houses", _village(far, water)),
        "fence": choose("fence", words.BOUNDS if fields else {NONE: 1.0}),
        "plants": choose("plants", words.THICKETS if green else {NONE: 1.0}),
        "trees": choose("trees", words.GROVES[_grove(far, near)]),
    }


_DRY = ("dunes", *words.COASTS)  # where no other water is, and no road leads


def nears(far: str) -> tuple[str, ...]:
    """What can lie before what is far."""
    return tuple(words.NEAR_SHARES[far])


def _village(far: str, water: str) -> Mapping[str, float]:
    if far == "dunes" or water == "a lake":
        return {NONE: 1.0}
    return {"a village": 0.0, NONE: 1.0} if far in words.COASTS else words.VILLAGE


def _lies(near: str | None, far: str) -> bool:
    """Whether ``near``, if it is asked for, is usual before ``far``."""
    return near is None or words.NEAR_SHARES[far].get(near, 0.0) > 0


def _grove(far: str, near: str) -> str:
    """What kind of place it is for trees."""
    if far == "dunes" or near == "snow":
        return "dunes" if far == "dunes" else "snow"
    if far in words.COASTS:
        return "beach" if near == "sand" else "coast"
    return "mountains" if far == "snowy mountains" else "meadow"
