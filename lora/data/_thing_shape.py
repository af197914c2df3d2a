"""What a thing is made of, how large it stands in the picture, and where it is seen from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import _thing_animals, _thing_creatures, _thing_objects, _thing_signs, _thing_toys
from ._camera import View, box_corners
from ._draws import Draws
from ._thing_mesh import crease_points, meshes
from ._thing_neon import flattened
from ._thing_parts import MAIN, SECOND, Ball, Form, Part, Plate, Turned
from ._thing_stand import FREE, TIPPED, stood
from ._thing_words import NAMES, TABLE, THING
from .grammar import STUDIO

if TYPE_CHECKING:
    from ._scene import Scene
    from ._solid_mesh import Shell

COARSE, FINE = 1 / 84, 1 / 150  # of a thing: the cells of its surface, for the fast painter and for the path tracer
FIRST_PART = 40  # parts of a thing are numbered from here
WRITTEN = ("letter", "number")  # what nobody mirrors
_ROOMS = (_thing_animals, _thing_creatures, _thing_objects, _thing_toys, _thing_signs)
_BUILDERS: dict[str, Callable[[Form], list[Part]]] = {
    name: next(getattr(room, name) for room in _ROOMS if hasattr(room, name)) for name in NAMES
}
_BUILDERS[THING] = _thing_signs.anything


def thing_shape(draws: Draws, tags: Mapping[str, str]) -> tuple[dict[str, float], View]:
    """The number that a thing's form follows from, what is behind it, and the view."""
    open_country = tags["ground"] not in (STUDIO, TABLE) and draws.chance("any hills", 0.7)
    shape = {
        "form": float(draws.whole("form", 0, 2**31 - 1)),
        "looks_right": float(draws.chance("looks right", 0.5)),
        "hills": draws.between("hills", 0.04, 0.10) if open_country else 0.0,
        "hills_at": draws.unit("hills at"),
        "marks": 0.0,
    }
    low, high = extent(parts_of(tags["name"], shape["form"], shape["looks_right"]))
    frontal = draws.chance("frontal", 0.35)
    yaw = draws.between("yaw", -0.06, 0.06) if frontal else draws.between("yaw", -0.61, 0.61)
    view = View(yaw, draws.between("pitch", 0.09, 0.18 if frontal else 0.44), 4.0, (0.0, float(high[1]) / 2, 0.0),
                draws.between("field", 0.36, 0.52))  # fmt: skip
    fill = draws.between("fill", 0.58, 0.84)
    corners = box_corners(*((float(x), float(y), float(z)) for x, y, z in (low, high)))
    view = view.around(corners, (fill, fill))
    free = (1 - fill) / 2
    return shape, replace(view, place=(draws.between("aside", -0.5, 0.5) * free, draws.between("lower", -0.07, 0.0)))


@functools.lru_cache(64)
def parts_of(name: str, form: float, looks_right: float) -> tuple[Part, ...]:
    """The parts of a thing that stands on the ground around the origin and is 1 metre large."""
    parts = stood(_BUILDERS[name](Form(Draws(int(form)))), FREE if name == THING else TIPPED)
    low, high = extent(parts)
    size = max(high[1] - low[1], 0.85 * (high[0] - low[0]))
    middle = (low[0] + high[0]) / 2
    return tuple(
        _placed(part, 1 / size, middle, float(low[1]), -1.0 if looks_right and name not in WRITTEN else 1.0)
        for part in parts
    )


def extent(parts: list[Part] | tuple[Part, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The corners (3,) of a box around all parts; depths are estimates."""
    corners = []
    for part in parts:
        if isinstance(part, Plate):
            points = np.concatenate(part.rings)
            deep = part.thick if part.bevel else 0.3 * part.thick * float(np.ptp(points, axis=0).min())
            low, high = points.min(0), points.max(0)
            corners += [(*low, part.z - deep), (*high, part.z + deep)]
        elif isinstance(part, Turned):
            r = float(part.profile[:, 0].max())
            low, high = part.profile[:, 1].min(), part.profile[:, 1].max()
            corners += [(part.x - r, low, part.z - r), (part.x + r, high, part.z + r)]
        elif part.z is not None:
            middle = np.array([part.x, part.y, part.z])
            corners += [tuple(middle - part.radii), tuple(middle + part.radii)]
    found = np.array(corners, float)
    return found.min(0), found.max(0)


def _placed(part: Part, scale: float, middle: float, foot: float, hand: float) -> Part:
    move, turn = np.array([middle, foot]), np.array([hand, 1.0]) * scale

    def at(ring: np.ndarray) -> np.ndarray:
        return (ring - move) * turn

    if isinstance(part, Plate):
        thick = part.thick * scale if part.bevel else part.thick
        return replace(
            part,
            rings=[at(ring) for ring in part.rings],
            z=part.z * scale,
            thick=thick,
            bevel=part.bevel * scale,
            creases=tuple(at(line) for line in part.creases),
        )
    if isinstance(part, Turned):
        profile = (part.profile - (0.0, foot)) * scale
        return replace(part, profile=profile, x=(part.x - middle) * turn[0], z=part.z * scale)
    x, y = at(np.array([part.x, part.y]))
    rx, ry, rz = (each * scale for each in part.radii)
    return replace(part, x=float(x), y=float(y), radii=(rx, ry, rz), z=None if part.z is None else part.z * scale)


@functools.lru_cache(4)
def solid(
    name: str, form: float, looks_right: float, cell: float, flat: bool = False
) -> tuple[tuple[Part, ...], list[Shell], np.ndarray]:
    """Parts, flat ones if so wanted, their surfaces, and (N, 3) points along their creases."""
    parts = parts_of(name, form, looks_right)
    if flat:
        parts = flattened(parts)
    shells = meshes(parts, cell)
    return parts, shells, crease_points(parts, shells)


def solid_of(scene: Scene, cell: float) -> tuple[tuple[Part, ...], list[Shell], np.ndarray]:
    """``solid`` of a scene's thing."""
    return solid(
        scene.tags["name"], scene.shape["form"], scene.shape["looks_right"], cell, scene.tags["material"] == "neon"
    )


def colour_of(part: Part, scene: Scene) -> int:
    """MAIN, SECOND or DARK: a part for a second colour has the first where no second one is said."""
    return MAIN if part.colour == SECOND and scene.tags["second"] == "none" else part.colour


def numbers(parts: tuple[Part, ...]) -> list[int]:
    """The number of each part; parts that are one share theirs."""
    found: list[int] = []
    for index, part in enumerate(parts):
        found.append(found[-1] if found and part.joins else FIRST_PART + index)
    return found


__all__ = ["COARSE", "FINE", "Ball", "colour_of", "numbers", "parts_of", "solid", "solid_of", "thing_shape"]
