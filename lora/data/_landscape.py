"""Landscapes in layers: sky; mountains, hills or the sea; ground; rocks and trees in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._camera import Rays
from ._canvas import Canvas, ground_colour, ground_distance, haze
from ._landscape_shape import EYE
from ._landscape_ways import paint_bounds, paint_water_and_ways
from ._noise import mix, noise, scatter, step
from ._place_words import COASTS, NEARS, ground_of
from ._table import Table
from ._tree import bulge, paint_trees
from .grammar import FARS

if TYPE_CHECKING:
    from ._scene import Scene

_FAR = {"mountain": (3000.0, 1500.0), "hill": (800.0, 400.0), "tree": (160.0, 90.0), "sand": (500.0, 220.0)}
"""Metres to both ridges of each class."""
BUSH = 40  # the part of the first one
_WALLS = ((0.80, 0.77, 0.70), (0.72, 0.58, 0.40), (0.52, 0.20, 0.14), (0.74, 0.73, 0.72), (0.66, 0.50, 0.24))


class _Layers:
    """Coordinates that turn with the camera: x and e are picture sizes to the right of a fixed direction and above the
    horizon."""

    def __init__(self, scenes: Sequence[Scene], rays: Rays, shape: Table) -> None:
        camera = rays.camera.over_pictures()
        turned = camera.eye.new_tensor([scene.view.yaw for scene in scenes])[:, None, None] / camera.spread
        self.x = rays.across - camera.place[0] + turned  # (B, 1, S)
        self.e = rays.above  # (B, S, 1)
        self.spread = camera.spread
        self.level = camera.level
        self.shape = shape

    def distance(self, e: Tensor) -> Tensor:
        """Metres along the level to ground that is seen ``-e`` below the horizon."""
        return EYE / (-e * self.spread).clamp_min(1e-4)


def paint_landscapes(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays) -> None:
    """Paint everything but the sky; ``light`` is the table of the scenes."""
    shape = Table.of([scene.shape for scene in scenes], canvas.colour.device).over_pictures()
    light = light.over_pictures()
    layers = _Layers(scenes, rays, shape)
    up = canvas.normal.new_tensor([0, 1, 0])[:, None, None, None]
    begin = _far(canvas, scenes, light, rays, layers, up)
    _near(canvas, scenes, light, rays, layers, begin, up)
    paint_water_and_ways(canvas, scenes, light, rays, layers, up)
    most = [max(int(scene.shape[name]) for scene in scenes) for name in ("rocks", "trees", "houses", "bushes")]
    _shadows(canvas, layers, most)
    for number in range(most[2]):
        _house(canvas, light, layers, number)
    paint_bounds(canvas, scenes, light, layers)
    for number in range(most[3]):
        cx, foot, height, turn = _item(shape, "bush", number, "x", "foot", "height", "turn")
        far = layers.distance(foot)
        there = (number < shape.bushes) & _in_front(canvas, far)
        paint_trees(canvas, light, ["bushes"] * len(scenes), layers.x - cx, layers.e - foot, height, turn, there, far,
                    layers.level, BUSH + 2 * number)  # fmt: skip
    for number in range(most[0]):
        _rock(canvas, light, layers, number)
    for number in range(most[1]):
        _tree(canvas, scenes, light, layers, number)


def _chosen(scenes: Sequence[Scene], tag: str, word: str, like: Tensor) -> Tensor:
    """(B, 1, 1) bool: whether each scene has that word."""
    return torch.tensor([scene.tags[tag] == word for scene in scenes], device=like.device)[:, None, None]


def _far(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays, layers: _Layers, up: Tensor) -> Tensor:
    """What is far away; returns where the ground begins, (B, 1, S) picture sizes above the horizon."""
    x, at = layers.x, layers.shape.ridge_at
    begin = 0.012 * noise("smooth", x * 0.2 + at, 0.7 + 0 * x) - 0.014
    for words, name in FARS.items():
        here = _chosen(scenes, "far", words, x)
        if not any(scene.tags["far"] == words for scene in scenes):
            continue
        if words in COASTS:
            shore = -layers.shape.shore + 0.022 * noise("smooth", x * 0.16 + at, 0.4 + 0 * x)
            _sea(canvas, light, rays, layers, here, shore, up)
            begin = torch.where(here, shore, begin)
            if words == "cliffs":
                _cliffs(canvas, light, layers, here)
        else:
            _ridges(canvas, light, layers, here, name)
    return begin


def _ridges(canvas: Canvas, light: Table, layers: _Layers, here: Tensor, name: str) -> None:
    """Two ridges, one behind the other; their folds hang on their lines."""
    x, e, at = layers.x, layers.e, layers.shape.ridge_at
    mountain = name == "mountain"
    lying = 0.7 * canvas.normal.new_tensor([0, 1, 0])[:, None, None, None] - 0.714 * layers.level
    for number, (size, low, pale) in enumerate([(0.30, 0.10, 0.5), (0.16, 0.03, 0.22)]):
        across = x * 0.30 + at * 3 + number * 0.37
        if mountain:
            top = low + size * (0.45 + 0.30 * noise("soft", across, 0.2 + number * 0.3 + 0 * x))
        elif name == "tree":
            top = 0.55 * size * (0.75 + 0.10 * noise("soft", across * 2, 0.6 + number * 0.3 + 0 * x))
            top = top * (1 + 0.12 * torch.sin(x * (61 - 17 * number) + 9 * at).abs())
        else:
            top = low + 0.45 * size * (0.5 + 0.45 * noise("smooth", across * 1.2, 0.6 + number * 0.3 + 0 * x))
        under = top - e  # (B, S, S)
        inside = here & (under > 0) & (e > -0.03)
        if mountain:
            colour = _slopes(light, x, e, under, number)
        else:
            folds = noise("soft", x * 0.5 + number * 0.3, under * 1.1)
            rise = step(0.16, 0.0, under)
            green = canvas.normal.new_tensor(_TINTS[name])[:, None, None, None] * (1 + 0.12 * folds)
            colour = green * (light.sun * (0.42 + 0.30 * rise) + light.air)
        colour = mix(colour, light.horizon, pale * (1 - 0.45 * step(0.0, 0.3, e)))
        canvas.paint(inside, colour, name, 4 + number, _FAR[name][number], lying)


_TINTS = {"hill": (0.15, 0.32, 0.11), "tree": (0.06, 0.16, 0.06), "sand": (0.72, 0.54, 0.32)}


def _cliffs(canvas: Canvas, light: Table, layers: _Layers, here: Tensor) -> None:
    """A headland of rock that falls into the sea on one side."""
    x, e, shape = layers.x, layers.e, layers.shape
    inwards = x * shape.cliff_side + 0.10 * noise("smooth", e * 0.4 + shape.ridge_at, 0.3 + 0 * x)
    high = shape.cliff_high * (0.8 + 0.12 * noise("soft", x * 0.4 + shape.ridge_at, 0.7 + 0 * x))
    top = high * step(0.02, 0.16, inwards)
    inside = here & (e < top) & (e > -0.055) & (top > 0.004)
    layer = noise("fine", x * 0.25, e * 1.4 + 0.1 * noise("soft", x * 0.4, e))
    grass = step(0.03, 0.012, top - e)
    rock, green = (light.sun.new_tensor(tint)[:, None, None, None] for tint in ((0.40, 0.36, 0.32), (0.14, 0.29, 0.09)))
    bare = mix(rock * (1 + 0.22 * layer), green, grass)
    colour = bare * (light.sun * (0.5 + 0.15 * layer) + light.air)
    canvas.paint(inside, mix(colour, light.horizon, 0.15), "rock", 7, 260.0, -layers.level)


def _slopes(light: Table, x: Tensor, e: Tensor, under: Tensor, number: int) -> Tensor:
    """(3, B, S, S): rock below, snow above, lit from the left."""

    def height(shift: float) -> Tensor:
        along = (x + shift) * 0.9 + 0.35 * under + number * 0.3
        return noise("soft", along, under * 0.45 + number * 0.2)

    here = height(0.0)
    slope = (height(0.012) - here) * 1.9
    facing = (0.52 + slope).clamp(0.06, 1.15)
    snow = step(-0.015, 0.075, e - 0.115 + 0.03 * here)
    rock, white = (light.sun.new_tensor(tint)[:, None, None, None] for tint in ((0.27, 0.25, 0.27), (0.86, 0.89, 0.95)))
    return mix(rock, white, snow) * (light.sun * facing + light.air * 0.9)


def _sea(canvas: Canvas, light: Table, rays: Rays, layers: _Layers, here: Tensor, shore: Tensor, up: Tensor) -> None:
    """Water from the horizon to the shore: it mirrors the sky, and breaks at the sand."""
    x, e = layers.x, layers.e
    away = 1 / (-e).clamp_min(0.004)
    waves = noise("fine", x * away**0.75 * 0.07, away**0.75 * 0.30) / (1 + (away / 45) ** 2)
    mirror = mix(light.horizon, light.zenith, ((-e) * 2.4 + 0.06 + 0.06 * waves).clamp(0, 1) ** 0.55)
    deep = light.sun.new_tensor([0.02, 0.17, 0.26])[:, None, None, None] * (light.ambient + 0.5 * light.strength)
    share = (0.34 + 0.16 * waves + 0.45 * step(0.10, 0.0, -e)).clamp(0, 1)
    water = mix(deep, mirror, share)
    breaking = step(0.016, 0.002, e - shore) * (0.85 + 0.25 * waves)
    foam = light.sun.new_tensor([0.88, 0.93, 0.95])[:, None, None, None] * (light.air + 0.5 * light.sun)
    water = mix(water, foam, breaking.clamp(0, 1))
    inside = here & (e <= 0) & (e > shore)
    canvas.paint(inside, water, "sea", 6, ground_distance(rays) * rays.along, up)


def _near(
    canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays, layers: _Layers, begin: Tensor, up: Tensor
) -> None:
    x, e = layers.x, layers.e
    names = [ground_of(scene.tags) for scene in scenes]
    bare = ground_colour(names, light, x, e)
    lit = bare * (light.sun * 0.72 + light.air) * (0.82 + 0.22 * step(0.0, -0.5, e))
    sea = torch.stack([_chosen(scenes, "far", word, x) for word in COASTS]).any(0)
    wet = step(0.035, 0.0, begin - e) * sea
    lit = haze(light, lit, e - 1.0 * sea) * (1 - 0.35 * wet)
    for name in NEARS:
        here = torch.tensor([each == name for each in names], device=x.device)[:, None, None] & (e <= begin)
        if name in names:
            canvas.paint(
                here,
                _with_flowers(light, lit, x, e, layers) if name == "flowers" else lit,
                name,
                8,
                ground_distance(rays) * rays.along,
                up,
            )


def _with_flowers(light: Table, lit: Tensor, x: Tensor, e: Tensor, layers: _Layers) -> Tensor:
    """Dots of several colours in the grass, smaller with the distance."""
    away = 1 / (-e).clamp_min(0.004)
    a, b = x * away * 9, away * 3.0 + 0 * x
    for number, tint in enumerate(((0.85, 0.14, 0.10), (0.88, 0.80, 0.75), (0.80, 0.62, 0.10))):
        cell_a, cell_b = (a + 0.37 * number).floor(), (b + 0.53 * number).floor()
        apart = torch.hypot(a + 0.37 * number - cell_a - 0.5, b + 0.53 * number - cell_b - 0.5)
        dot = step(0.36, 0.22, apart) * (scatter(cell_a, cell_b + 31 * number) > 0.55) * step(30.0, 8.0, away)
        lit = mix(lit, light.sun.new_tensor(tint)[:, None, None, None] * (0.7 * light.sun + light.air), dot)
    return lit


def _house(canvas: Canvas, light: Table, layers: _Layers, number: int) -> None:
    """A house far off: a wall and its roof."""
    x, e, shape = layers.x, layers.e, layers.shape
    cx, foot, size, _ = _item(shape, "house", number, "x", "foot", "size", "turn")
    a, b = (x - cx) / size, (e - foot) / size
    far = layers.distance(foot)
    there = (number < shape.houses) & _in_front(canvas, far)
    lit = light.sun * 0.6 + light.air
    wall = there & (a.abs() < 0.68) & (b > 0) & (b < 0.56)
    windows = (((a + 0.68) / 0.34) % 1 - 0.5).abs() < 0.22
    windows = windows & (((b - 0.12) / 0.22) % 1 < 0.55) & (b > 0.12) & (b < 0.5)
    plaster, pane = (light.sun.new_tensor(c)[:, None, None, None] for c in (_WALLS[number], (0.08, 0.09, 0.11)))
    glow = light.sun.new_tensor([1.0, 0.72, 0.34])[:, None, None, None]
    shown = torch.where(windows, mix(pane * 2.0, glow, light.lamps), plaster * lit)
    canvas.paint(wall, shown, "house", 60 + 2 * number, far, -layers.level)
    roof = there & (b >= 0.56) & (b < 1.0) & (a.abs() < 0.80 - 0.42 * (b - 0.56))
    tile = light.sun.new_tensor([0.40, 0.14, 0.09])[:, None, None, None] * (1 + 0.1 * noise("fine", a, b))
    sloped = 0.71 * canvas.normal.new_tensor([0, 1, 0])[:, None, None, None] - 0.71 * layers.level
    canvas.paint(roof, tile * lit * 1.15, "house", 61 + 2 * number, far, sloped)


def _item(shape: Table, kind: str, number: int, *names: str) -> list[Tensor]:
    return [getattr(shape, f"{kind}{number}_{name}") for name in names]


def _shadows(canvas: Canvas, layers: _Layers, most: Sequence[int]) -> None:
    """Darken the ground to the right of rocks and trees; everything else is painted afterwards."""
    x, e, shape = layers.x, layers.e, layers.shape
    light = torch.ones_like(canvas.depth)
    for number in range(most[0]):
        cx, foot, size = _item(shape, "rock", number, "x", "foot", "size")
        apart = torch.hypot((x - cx - size * 0.55) / (size * 1.45), (e - foot - size * 0.06) / (size * 0.30))
        light = torch.where(number < shape.rocks, light * (1 - 0.55 * step(1.1, 0.75, apart)), light)
    for number in range(most[1]):
        cx, foot, height = _item(shape, "tree", number, "x", "foot", "height")
        apart = torch.hypot((x - cx - height * 0.24) / (height * 0.46), (e - foot - height * 0.015) / (height * 0.085))
        light = torch.where(number < shape.trees, light * (1 - 0.45 * step(1.1, 0.7, apart)), light)
    canvas.colour = torch.where(e < 0, canvas.colour * light, canvas.colour)


def _in_front(canvas: Canvas, far: Tensor) -> Tensor:
    """(B, S, S) bool: whether something at ``far`` metres hides what is there; the ground it stands on is as far."""
    return far < canvas.depth * 1.05


def _rock(canvas: Canvas, light: Table, layers: _Layers, number: int) -> None:
    x, e, shape = layers.x, layers.e, layers.shape
    cx, foot, size, turn = _item(shape, "rock", number, "x", "foot", "size", "turn")
    a, b = (x - cx) / (size * 1.3), (e - foot - size * 0.45) / size
    angle = torch.atan2(b, a)
    edge = 1 + 0.08 * torch.cos(3 * angle + turn) + 0.05 * torch.cos(5 * angle + 2 * turn)
    outwards = torch.hypot(a, b) / edge
    far = layers.distance(foot)
    inside = (outwards < 1) & (b > -0.5) & (number < shape.rocks) & _in_front(canvas, far)
    rough = noise("fine", a * 0.10 + 0.3 * turn, b * 0.10)
    cracks = noise("soft", a * 0.11 + 0.2 * turn, b * 0.11)
    facing = (-0.55 * a + 0.70 * b + 0.30 + 0.20 * cracks + 0.10 * rough).clamp(0, 1.1)
    grey = light.sun.new_tensor([0.42, 0.40, 0.38])[:, None, None, None] * (1 + 0.06 * rough)
    colour = grey * (light.sun * facing + light.air * 0.75) * (1 - 0.4 * step(-0.1, -0.5, b))
    towards = (1 - outwards * outwards).clamp_min(0).sqrt()
    canvas.paint(inside, colour, "rock", 20 + number, far, bulge(a, b, towards, layers.level))


def _tree(canvas: Canvas, scenes: Sequence[Scene], light: Table, layers: _Layers, number: int) -> None:
    x, e, shape = layers.x, layers.e, layers.shape
    cx, foot, height, turn = _item(shape, "tree", number, "x", "foot", "height", "turn")
    far = layers.distance(foot)
    there = (number < shape.trees) & _in_front(canvas, far)
    names = [scene.tags["trees"] for scene in scenes]
    paint_trees(canvas, light, names, x - cx, e - foot, height, turn, there, far, layers.level, 80 + 2 * number)
