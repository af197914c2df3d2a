"""Cars, buildings and landscapes that can be drawn, described and rendered: what a scene is, and what becomes of it.

A scene follows from a number. Everything that its picture shows is said by its caption or drawn by its lines: where no
side is said, light comes from the left over the camera's shoulder; clouds and the ground's texture follow from the
place in the picture, and at night every window is lit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...stream.base.errors import ConfigError
from . import grammar, hand
from ._building_shape import building_shape
from ._camera import SUNS
from ._car_shape import car_shape
from ._chooser import Chooser
from ._draws import Draws
from ._landscape_shape import landscape_shape
from ._place_tags import building_tags, landscape_tags
from ._scene import Scene
from ._sun import sun_shape
from ._thing_shape import thing_shape
from ._thing_tags import thing_tags
from .grammar import KINDS, NONE, STUDIO, vocabulary
from .render import Renders, render
from .sample import Sample

__all__ = [
    "KINDS",
    "Renders",
    "Scene",
    "caption",
    "captions",
    "render",
    "sample_scene",
    "samples",
    "seen_air",
    "vocabulary",
]

SHARES = {"car": 0.27, "building": 0.25, "landscape": 0.18, "thing": 0.30}  # of scenes whose kind is not said
FINISH_SHARES = {"glossy": 0.36, "metallic": 0.30, "matte": 0.16, "two-tone": 0.12, "chrome": 0.06}
INSIDE_SHARES = {STUDIO: 0.10, "showroom": 0.06, "garage": 0.05}  # of cars
TIME_SHARES = {"day": 0.26, "sunset": 0.18, "morning": 0.14, "overcast": 0.14, "dusk": 0.10, "night": 0.10,
               "rain": 0.05, "fog": 0.03}  # fmt: skip
_SHAPES = {"car": car_shape, "building": building_shape, "landscape": landscape_shape, "thing": thing_shape}


def sample_scene(seed: int, kind: str | None = None, **tags: str) -> Scene:
    """The scene of a seed; the same one for ever.

    ``kind`` is one of KINDS; without it each has its share of SHARES. ``tags`` fix some of what it
    is, for example ``colour="red"``; everything else stays as it is without them, where that can be. Raises ConfigError
    for a seed below 0, and for words that are unknown or do not go together.
    """
    if seed < 0:
        raise ConfigError(f"seed: got {seed}, expected 0 or more")
    draws = Draws(seed)
    if kind is None:
        kind = draws.one_of("kind", SHARES)
    if kind not in KINDS:
        raise ConfigError(f"kind: got {kind!r}, expected one of: {', '.join(KINDS)}")
    chosen = _TAGS[kind](Chooser(draws, tags))
    unknown = [name for name in tags if name not in chosen]
    if unknown:
        raise ConfigError(f"got the tag {unknown[0]!r}, expected some of: {', '.join(chosen)} for a {kind}")
    shape, view = _SHAPES[kind](draws, chosen)
    view = replace(view, sun=SUNS[chosen.get("light", NONE)])
    return Scene(seed, kind, {"kind": kind, **chosen}, shape | sun_shape(draws, chosen), view)


def _car_tags(choose: Chooser) -> dict[str, str]:
    tags = {
        "finish": choose("finish", FINISH_SHARES),
        "colour": choose("colour", grammar.CAR_COLOURS),
        "style": choose("style", grammar.CAR_STYLES),
        "view": choose("view", grammar.VIEWS),
    }
    place = [choose.wants("time"), choose.wants("ground")]
    inside = next((word for word in place if word in grammar.INSIDE), None)
    if inside and any(word not in (None, inside) for word in place):
        raise ConfigError(f"got time {place[0]!r} with ground {place[1]!r}, expected both or none to be {inside!r}")
    outside = any(word not in (None, *grammar.INSIDE) for word in place)
    times = {time: share * (1 - sum(INSIDE_SHARES.values())) for time, share in TIME_SHARES.items()}
    tags["time"] = inside or choose("time", times if outside else times | INSIDE_SHARES)
    inside = tags["time"] in grammar.INSIDE
    tags["ground"] = tags["time"] if inside else choose("ground", grammar.CAR_GROUNDS)
    return tags | _air(choose, tags["time"])


def _air(choose: Chooser, time: str) -> dict[str, str]:
    """What the sky is like, and where the sun stands; nothing of it where it is not seen."""
    sides = grammar.SIDES if time in grammar.SUNNY else (NONE,)
    return {
        "sky": choose("sky", grammar.SKIES if time in grammar.OPEN else (NONE,)),
        "light": choose("light", sides),
    }


def _building_tags(choose: Chooser) -> dict[str, str]:
    tags = building_tags(choose)
    tags["time"] = choose("time", TIME_SHARES)
    return tags | _air(choose, tags["time"])


def _landscape_tags(choose: Chooser) -> dict[str, str]:
    tags = landscape_tags(choose)
    tags["time"] = choose("time", TIME_SHARES)
    return tags | _air(choose, tags["time"])


def seen_air(time: str) -> dict[str, str]:
    """A usual sky and light at a time: tags of a scene whose time was changed."""
    return {
        "sky": grammar.SKIES[0] if time in grammar.OPEN else NONE,
        "light": "left" if time in grammar.SUNNY else NONE,
    }


def _thing_tags(choose: Chooser) -> dict[str, str]:
    tags = thing_tags(choose, TIME_SHARES)
    seen = tags["time"] if tags["ground"] in grammar.GROUNDS else STUDIO  # indoors there is neither sky nor sun
    return tags | _air(choose, seen)


_TAGS = {"car": _car_tags, "building": _building_tags, "landscape": _landscape_tags, "thing": _thing_tags}


def caption(scene: Scene) -> str:
    """What a scene shows, in the grammar's one way to say it."""
    return captions(scene)[0]


def captions(scene: Scene) -> tuple[str, ...]:
    """Sentences that are true of a scene, in the words of ``vocabulary()``; ``caption`` is the first."""
    return grammar.sentences(scene.tags)


def samples(renders: Renders, scenes: Sequence[Scene]) -> list[Sample]:
    """Training pairs of rendered scenes; each scene's drawing is the same whenever it is made."""
    pictures = renders.pixels()
    lines, labels = renders.lines.cpu().numpy(), renders.labels.cpu().numpy()
    result = []
    for index, scene in enumerate(scenes):
        sketch = drawings(lines[index], scene.seed, 1)[0]
        result.append(Sample(pictures[index], sketch, captions(scene), lines[index], labels[index], scene.tags))
    return result


def drawings(lines: np.ndarray, seed: int, count: int, **how: Any) -> list[np.ndarray]:
    """``count`` ways a person might draw a scene's lines (H, W) uint8, each (H, W) uint8 white on black."""
    return [hand.drawn(lines, np.random.default_rng((seed, number)), **how) for number in range(count)]
