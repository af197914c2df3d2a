"""What buildings are made of, and the windows and doors in their walls."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._noise import mix, noise, scatter, step

COLOURS = {
    "red": (0.58, 0.14, 0.10),
    "white": (0.80, 0.79, 0.76),
    "grey": (0.46, 0.47, 0.48),
    "beige": (0.74, 0.62, 0.45),
    "brown": (0.34, 0.20, 0.11),
    "yellow": (0.82, 0.62, 0.21),
    "blue": (0.21, 0.36, 0.60),
    "green": (0.26, 0.43, 0.26),
}
MATERIAL_NUMBERS = {"brick": 0, "wood": 1, "concrete": 2, "glass": 3, "stone": 4, "plaster": 5, "steel": 6}
TILES = {"gable": (0.48, 0.17, 0.10), "hip": (0.27, 0.28, 0.32), "flat": (0.40, 0.40, 0.41)}
TILES |= {"pointed": (0.24, 0.27, 0.33), "dome": (0.50, 0.16, 0.11), "none": (0.42, 0.18, 0.12)}
MORTAR = (0.68, 0.64, 0.58)
COURSES = 32  # of bricks from a picture's top to its bottom: as high as one cell of an autoencoder that reduces by 8
HEADER = 0.64  # of a course's height: how broad a brick's end is, between two long sides of bricks
JOINT = 0.17  # of a course's height
HIGHEST = 1.4  # metres: bricks that would be higher are not seen


def clear(wanted: float, grain: Tensor) -> Tensor:
    """1 where a pattern of ``wanted`` metres spans pixels of ``grain`` metres, 0 where it would only flicker."""
    return step(1.6, 3.6, wanted / grain)


def wall_colour(
    material: Tensor, colour: Tensor, u: Tensor, v: Tensor, grain: Tensor, place: Tensor, span: Tensor
) -> Tensor:
    """(3, N): walls of a material (N,), see MATERIAL_NUMBERS, and a colour (3, N).

    ``u`` and ``v`` (N,) are metres along the wall and up, ``grain`` and ``span`` (N,) metres that a pixel and the
    picture span there, ``place`` (2, N) picture sizes from the left and from the top.
    """
    pale = colour.new_tensor(MORTAR)[:, None]
    mortar = torch.where(colour.mean(0) < 0.4, pale, colour * 0.5)  # pale bricks have dark joints
    result = mix(colour, mortar, _brick(place, span))
    for number, pattern in ((1, _planks), (2, _concrete), (4, _blocks)):
        shade, joint = pattern(u, v, grain)
        result = torch.where(material == number, mix(colour * shade, colour * 0.55, joint), result)
    smooth = colour * (1 + 0.03 * noise("soft", u * 0.06, v * 0.06))
    result = torch.where(
        (material == MATERIAL_NUMBERS["plaster"]) | (material == MATERIAL_NUMBERS["steel"]), smooth, result
    )
    return torch.where(material == MATERIAL_NUMBERS["glass"], colour * 0.55, result).clamp(0, 1)


def _brick(place: Tensor, span: Tensor) -> Tensor:
    """The share of the mortar's colour (N,): Flemish bond, whose headers are burnt to nearly that colour.

    Bricks follow from the place in the picture, as the ground's grain does: no drawing has them, and were they counted
    from a wall's corner, nobody could tell from the lines where they are.
    """
    across, down = place * COURSES
    row = down.floor()
    aside = ((across + row) % 2 - 0.5).abs()
    aside = torch.minimum(aside, 2 - aside)  # from the middle of the nearest header
    joint = ((aside - HEADER / 2).abs() < JOINT / 2) | (down - row < JOINT)
    share = torch.where(joint, 0.75, torch.where(aside < HEADER / 2, 0.42, 0.0))
    return mix(torch.full_like(span, 0.25), share, step(HIGHEST, HIGHEST * 0.7, span / COURSES))


def _planks(u: Tensor, v: Tensor, grain: Tensor) -> tuple[Tensor, Tensor]:
    seen = clear(0.28, grain)
    row = (v / 0.28).floor()
    shade = 1 + (0.20 * (scatter(row, row) - 0.5) + 0.05 * noise("fine", u * 0.1, v * 0.9)) * seen
    return shade, mix(torch.full_like(u, 0.07), (v / 0.28 - row < 0.14).float() * 0.75, seen)


def _concrete(u: Tensor, v: Tensor, grain: Tensor) -> tuple[Tensor, Tensor]:
    seen = clear(0.12, grain)
    stain = 0.05 * noise("soft", u * 0.05, v * 0.05)
    joint = ((u % 2.4 < 0.06) | (v % 3.0 < 0.06)).float() * 0.45 * seen
    return 1 + stain, joint


def _blocks(u: Tensor, v: Tensor, grain: Tensor) -> tuple[Tensor, Tensor]:
    seen = clear(0.50, grain)
    row = (v / 0.50).floor()
    along = u / 0.9 + 0.37 * row
    column = along.floor()
    joint = ((along - column < 0.055) | (v / 0.50 - row < 0.10)).float()
    shade = 1 + (0.34 * (scatter(column, row) - 0.5) + 0.07 * noise("fine", u * 0.1, v * 0.1)) * seen
    return shade, mix(torch.full_like(u, 0.12), joint, seen)


def tile_colour(tint: Tensor, u: Tensor, v: Tensor, grain: Tensor) -> Tensor:
    """(3, N): rows of tiles; ``u`` (N,) metres along the eaves, ``v`` (N,) metres up."""
    seen = clear(0.24, grain)
    row = (v / 0.24).floor()
    column = (u / 0.42 + 0.5 * (row % 2)).floor()
    shade = 0.30 * (scatter(column, row) - 0.5) - 0.30 * (v / 0.24 - row < 0.2) + 0.06
    return tint * (1 + shade * seen)


@dataclass(frozen=True, eq=False)
class Openings:
    """What is where on walls, for N points; all bool unless said otherwise."""

    window: Tensor
    """Panes with the bars between them."""
    frame: Tensor
    """Frames and bars."""
    sill: Tensor
    door: Tensor
    door_frame: Tensor
    across: Tensor
    """(N,) from 0 at the left of a window's cell to 1."""
    up: Tensor
    """(N,) from 0 at the floor of a storey to 1."""
    low: Tensor
    """(N,) where panes begin on that scale."""
    high: Tensor
    """(N,) where panes end on it."""
    half: Tensor
    """(N,) half of a pane's width, in cells."""
    hash: Tensor
    """(N,) 0 to 1, the same all over a pane."""
    size: Tensor
    """(N,) metres: the smaller side of a pane."""


def openings(u: Tensor, v: Tensor, wall: dict[str, Tensor], style: Tensor, glass: Tensor) -> Openings:
    """Windows and doors at ``u``, ``v`` (N,) metres along a wall from its edge and up from its foot.

    ``wall`` has (N,) width, height, floors, spacing, and whether (bool) it has the door; ``style`` (N,) is 1 for
    warehouses, 2 for blocks and towers, else 0; ``glass`` (N,) bool.
    """
    hall, block = style == 1, style == 2
    columns = torch.where(wall["width"] < 1.6, 1.0, (wall["width"] / wall["spacing"]).round().clamp_min(1))
    cell, storey = wall["width"] / columns, (wall["height"] - 0.25) / wall["floors"]
    column, row = (u / cell).floor(), (v / storey).floor()
    across, up = u / cell - column, v / storey - row
    low, high = torch.where(hall, 0.60, torch.where(block, 0.28, 0.32)), torch.where(hall, 0.84, 0.80)
    low, high = torch.where(glass, 0.07, low), torch.where(glass, 0.94, high)
    half = torch.where(glass, 0.46, torch.where(hall, 0.34, 0.27))
    aside = (across - 0.5).abs()
    there = (row < wall["floors"]) & (v > 0) & (u > 0) & (u < wall["width"])
    window = there & (aside < half) & (up > low) & (up < high)
    rim = 0.07 / cell
    frame = there & (aside < half + rim) & (up > low - 0.07 / storey) & (up < high + 0.06 / storey) & ~window
    bars = (aside < 0.028 / cell) | ((up - (low + high) / 2).abs() < 0.024 / storey)
    frame = (frame | (window & bars)) & ~glass | (window & glass & (aside > half - 0.03 / cell))
    sill = there & (aside < half + 2 * rim) & (up < low - 0.07 / storey) & (up > low - 0.17 / storey) & ~glass & ~hall
    door_at = ((columns / 2).floor() + 0.5) * cell
    from_door = (u - door_at).abs()
    reach = torch.where(hall, 2.1, torch.where(block, 1.1, 0.58))
    top = torch.where(hall, 3.3, torch.where(block, 2.5, 2.15))
    entrance = wall["door"] & (from_door < reach + 0.12) & (v < top + 0.12)
    door = entrance & (from_door < reach) & (v < top)
    # A window that the entrance would cut is left out.
    apart = ((column + 0.5) * cell - door_at).abs()
    free = ~(wall["door"] & (row == 0) & (apart < reach + 0.3 + half * cell))
    return Openings(
        window=window & free,
        frame=frame & free,
        sill=sill & free,
        door=door,
        door_frame=entrance & ~door,
        across=across,
        up=up,
        low=low,
        high=high,
        half=half,
        hash=scatter(column, row),
        size=torch.minimum(2 * half * cell, (high - low) * storey),
    )
