"""What a thing is: tags that go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ...stream.base.errors import ConfigError
from . import _thing_words as words
from .grammar import GROUNDS, NONE, STUDIO

ONE_PART = ("key", "heart", "star", "arrow", "moon", "cloud", "letter", "number", "leaf", "spoon", "bowl")
PLAIN = (*ONE_PART, "vase", "cup", words.THING)  # what never has a second colour, or not always
NEON_TIMES = ("night", "dusk")
OUTDOORS = ("fog", "rain")  # times that are not seen in a room
TABLE_SHARE, STUDIO_SHARE = 0.36, 0.24


class Chooser(Protocol):
    """Takes words that were asked for, and draws the others."""

    def __call__(self, name: str, options: Sequence[str] | Mapping[str, float]) -> str: ...

    def wants(self, name: str) -> str | None:
        """What was asked for."""
        ...


def thing_tags(choose: Chooser, times: Mapping[str, float]) -> dict[str, str]:
    """Its name, material, colours, ground and time; ``times`` are times of day with their shares."""
    share = (1 - words.NAMELESS) / len(words.NAMES)
    name = choose("name", dict.fromkeys(words.NAMES, share) | {words.THING: words.NAMELESS})
    material = choose("material", _materials(choose, name))
    asked = choose.wants("second")
    colour = choose("colour", [each for each in words.MATTER[material] if each != asked or each == NONE])
    others = [each for each in words.MATTER[material] if each != colour]
    two = material in words.PAINTED and name not in PLAIN and material != "neon"
    second = {NONE: 1 - words.TWO_COLOURED} | (dict.fromkeys(others, words.TWO_COLOURED / len(others)) if two else {})
    return {
        "name": name,
        "material": material,
        "colour": colour,
        "second": choose("second", second),
        **_place(choose, material, times),
    }


def _materials(choose: Chooser, name: str) -> list[str]:
    """What it can be made of, if it is to have the colours and the place that are asked for."""
    colour, second, dark = choose.wants("colour"), choose.wants("second"), _in_the_dark(choose)
    usable: Callable[[str], bool] = lambda each: (
        (colour in (None, *words.MATTER[each]))
        and (second in (None, NONE) or (each in words.PAINTED and each != "neon" and second in words.MATTER[each]))
        and (each != "neon" or dark)
    )
    found = [each for each in words.MATTER if usable(each)]
    return found if choose.wants("material") is None and found else list(words.MATTER)


def _in_the_dark(choose: Chooser) -> bool:
    return choose.wants("time") in (None, *NEON_TIMES) and choose.wants("ground") != STUDIO


def _place(choose: Chooser, material: str, times: Mapping[str, float]) -> dict[str, str]:
    time, ground = choose.wants("time"), choose.wants("ground")
    outside = any(word not in (None, STUDIO) for word in (time, ground))
    if STUDIO in (time, ground) and outside:
        raise ConfigError(f"got time {time!r} with ground {ground!r}, expected both or none to be {STUDIO!r}")
    left = {each: share * (1 - STUDIO_SHARE) for each, share in times.items()}
    if ground == words.TABLE:
        left = {each: share for each, share in left.items() if each not in OUTDOORS}
    if material == "neon":
        left = {each: left[each] for each in NEON_TIMES}
    elif not outside:
        left[STUDIO] = STUDIO_SHARE
    chosen = choose("time", {STUDIO: 1.0} if ground == STUDIO and material != "neon" else left)
    if chosen == STUDIO:
        return {"ground": STUDIO, "time": STUDIO}
    grounds: dict[str, float] = dict.fromkeys(GROUNDS, (1 - TABLE_SHARE) / len(GROUNDS))
    return {
        "ground": choose("ground", grounds if chosen in OUTDOORS else {words.TABLE: TABLE_SHARE} | grounds),
        "time": chosen,
    }
