"""Condition images that only a 3D scene, or a network, knows: depth, normals, classes of things."""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from ..stream.base.errors import ConfigError, FrameError
from ..stream.base.passes import NOTHING, Passes, depth_picture
from .estimate import SMALL, normals_of, open_estimator
from .palettes import open_palette
from .preprocessor import Preprocessor
from .snap import UNDECIDED

SOURCES = "scene:… or gbuffer:… as the source"
# What a part belongs to, for palettes that know whole things and not their parts.
WHOLE = {
    **dict.fromkeys(("body", "glass", "wheel", "light", "trim"), "car"),
    **dict.fromkeys(("wall", "roof", "window", "door", "balcony"), "building"),
}
# What else a thing may be called, the nearest first.
ALIKE = {
    "ground": ("earth", "dirt", "terrain", "sidewalk"),
    "grass": ("terrain", "vegetation"),
    "tree": ("vegetation",),
    "lake": ("water", "river", "sea"),
    "sea": ("water", "lake"),
    "rock": ("stone", "mountain", "terrain"),
    "mountain": ("terrain",),
    "snow": ("mountain", "terrain"),
    "sand": ("earth", "terrain"),
}


class Estimating(Preprocessor):
    """What a scene knows, and a network guesses where it is asked to."""

    finds_lines = False

    model: str | None = None
    """What guesses it in pictures that come without it: depth-anything/Depth-Anything-V2-Small-hf, or a folder. It must
    be here already. It runs beside the stream, and gives the newest guess that it has."""

    @field_validator("model")
    @classmethod
    def _is_here(cls, model: str | None) -> str | None:
        if model is not None:
            try:
                open_estimator(model)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return model

    def _guess(self, what: str, pixels: np.ndarray) -> np.ndarray:
        """The depth, (H, W) float32 of 0 to 1. Raises FrameError where nobody is to guess."""
        if self.model is None:
            raise FrameError(
                f"{what}: this picture came without its {what}, and a picture alone does not say it; take {SOURCES}, "
                f"have it guessed (preprocessor_params: {{model: {SMALL}}}), or take a preprocessor that reads drawings"
            )
        return open_estimator(self.model)(pixels)


class Depth(Estimating):
    """How near everything is: near is white, as depth ControlNets take it."""

    def _from(self, passes: Passes) -> np.ndarray | None:
        return None if passes.depth is None else depth_picture(passes.depth)

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        return depth_picture(self._guess("depth", pixels))


class Normal(Estimating):
    """Which way everything faces, in BAE's colours (``lllyasviel/control_v11p_sd15_normalbae``)."""

    def _from(self, passes: Passes) -> np.ndarray | None:
        return passes.normal

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        return normals_of(self._guess("normal", pixels))


def classes_of(passes: Passes, palette: str, known: int | None = None) -> np.ndarray | None:
    """Things by their names as a network reads their classes, (H, W, 3) uint8, black for what is of none.

    None where things have no names. ``known``: see ``Palette.network``.
    """
    labels = labels_of(passes, palette)
    return None if labels is None else open_palette(palette).network(known)[labels]


def labels_of(passes: Passes, palette: str) -> np.ndarray | None:
    """The classes of things by their names, (H, W) uint8 places in the palette, ``UNDECIDED`` for what is of none.

    Where there is nothing it is sky. None where things have no names.
    """
    if passes.ids is None or not passes.names:
        return None
    places = {each.name: place for place, each in enumerate(open_palette(palette).things)}
    table = np.full(int(passes.ids.max()) + 1, UNDECIDED, np.uint8)
    for thing, name in {NOTHING: "sky", **passes.names}.items():
        place = class_named(name, places)
        if thing < len(table) and place is not None:
            table[thing] = place
    return table[passes.ids]


def class_named(name: str, places: dict[str, int]) -> int | None:
    """The place of the class that a thing called ``name`` is of, by the classes' names; None where it is of none.

    A name of several words is of the class that one of them names: "oak tree" is a tree.
    """
    if (whole := WHOLE.get(name)) in places:
        return places[whole]
    for each in (name, *ALIKE.get(name, ())):
        if each in places:
            return places[each]
    words = name.replace("-", " ").split()
    if len(words) > 1:
        found = (class_named(word, places) for word in reversed(words))
        return next((each for each in found if each is not None), None)
    longer = [each for each in places if name in each.split("-")]  # "sky" of "sky-other-merged"
    return places[longer[0]] if longer else None
