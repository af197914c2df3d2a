"""Pictures of scenes by path tracing, as ``render.render`` gives them: sky light, soft shadows, reflections, materials.

Needs Blender as a module of Python (``bpy``); it makes data, and nothing of it is in what comes out. When pictures
change, so does ``painters.TRACED_LOOK``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ...stream.base.errors import ConfigError
from . import _film, _outline
from ._blender import Stage, blender
from ._camera import rays
from ._noise import unit
from ._sun import drawn_rays
from ._trace_behind import close_behind
from ._trace_building import build_building
from ._trace_car import GAP, build_car
from ._trace_ground import lay_ground
from ._trace_landscape import build_landscape, seen_large
from ._trace_light import exposure, hang_disc, light
from ._trace_thing import build_thing, finished
from .palette import NUMBER
from .render import LARGER, Renders, check_size

if TYPE_CHECKING:
    from ._scene import Scene

PUNCH, COLOUR = 1.22, 1.18  # contrast and saturation on top of AgX, which is flat by itself


def render(scenes: Sequence[Scene], size: int = 256) -> Renders:
    """Render scenes to pictures of ``size`` x ``size``, with one thread, one after the other.

    A scene gives the same picture alone or among others. Raises ConfigError for a size that is not a multiple of 4 from
    32 to 2048, for no scenes, and where Blender is missing.
    """
    check_size(size)
    if not scenes:
        raise ConfigError("got no scenes, expected at least one")
    with _silence():
        blender()
    parts = [_rendered(scene, size) for scene in scenes]
    return Renders(*(torch.stack(each) for each in zip(*parts, strict=True)))


def _car(stage: Stage, scene: Scene) -> None:
    lay_ground(stage, scene, scene.seed)
    build_car(stage, scene)


def _building(stage: Stage, scene: Scene) -> None:
    # In fog or rain, as much of a tower is seen from where all of it is seen as of a cottage.
    stage.air = min(1.0, stage.air * max(1.0, scene.view.distance / 8.0))
    lay_ground(stage, scene, scene.seed, 1.6)
    close_behind(stage, scene)
    build_building(stage, scene)


_BUILDERS: dict[str, Callable[[Stage, Scene], None]] = {
    "car": _car,
    "building": _building,
    "landscape": build_landscape,
    "thing": build_thing,
}


def _rendered(scene: Scene, size: int) -> tuple[torch.Tensor, ...]:
    with _silence():
        stage = Stage(size * LARGER[0] // LARGER[1], scene.seed)
        if scene.kind != "thing":  # which has light of its own
            light(stage, scene)
        hang_disc(stage, scene)
        _BUILDERS[scene.kind](stage, scene)
        stage.look(seen_large(scene.view) if scene.kind == "landscape" else scene.view)
        seen = stage.rendered()
    return from_passes(finished(seen, scene) if scene.kind == "thing" else seen, scene, size)


def from_passes(seen: dict[str, np.ndarray], scene: Scene, size: int) -> tuple[torch.Tensor, ...]:
    """The fields of ``Renders`` for one scene, from what ``Stage.rendered`` gives; what "exact" (S, S) bool says is
    taken as it is, and "stroke" (S, S) bool is drawn."""
    part, label = _smooth(seen["part"], seen["label"], seen["depth"])
    if "exact" in seen:
        part, label = (np.where(seen["exact"], seen[name], each) for name, each in (("part", part), ("label", label)))
    normal = torch.from_numpy(np.moveaxis(seen["normal"], -1, 0)).float()[:, None]  # (3, 1, S, S)
    classes = torch.from_numpy(label.astype(np.uint8))[None]
    gaps = torch.from_numpy(_unbroken(seen["part"] == GAP))[None] & (classes == NUMBER["body"])
    stroke = _outline.creases(normal, classes) | gaps
    if "stroke" in seen:
        stroke = stroke | torch.from_numpy(seen["stroke"])[None]
    around = drawn_rays([scene], rays([scene.view], len(label), classes.device))
    stroke = stroke | (around & (classes == NUMBER["sky"]))
    lines = _outline.clean_lines(torch.from_numpy(part)[None], stroke, size)
    right, up, forward = (torch.tensor(axis, dtype=torch.float32) for axis in scene.view.axes)
    facing = torch.einsum("ij,jbhw->ibhw", torch.stack([right, up, -forward]), _outline.picked(normal, size))
    nothing = (facing * facing).sum(0, keepdim=True) < 0.25
    toward = torch.tensor([0.0, 0.0, 1.0])[:, None, None, None]
    facing = unit(torch.where(nothing, toward, facing))
    small = _outline.brought_down(torch.from_numpy(np.moveaxis(seen["light"], -1, 0)), size)
    picture = _film.developed(np.moveaxis(small.numpy(), 0, -1), exposure(scene.tags["time"]), PUNCH, COLOUR)
    if scene.tags["time"] == "rain":
        picture = _film.rained(picture, scene.seed)
    return (
        torch.from_numpy(picture).permute(2, 0, 1).contiguous(),
        _outline.picked(classes, size)[0],
        _outline.picked(torch.from_numpy(seen["depth"])[None], size)[0],
        facing[:, 0].contiguous(),
        lines[0],
    )


def _unbroken(gaps: np.ndarray) -> np.ndarray:
    """Gaps between panels without the holes that come where they are narrower than a pixel."""
    side = max(3, round(len(gaps) / 110)) | 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(gaps.astype(np.uint8), cv2.MORPH_CLOSE, brush) > 0


def _smooth(part: np.ndarray, label: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts and classes without the gaps between leaves, and the specks that single samples make."""
    number = part.astype(np.int32) * 32 + label
    side = max(3, round(len(part) / 40)) | 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    tree = NUMBER["tree"]
    leafy = np.isin(label, (tree, NUMBER["bush"]))
    for crown in np.unique(number[leafy & (part % 2 == 1)]).tolist():
        here = number == crown
        if here.sum() < side * side:
            continue
        closed = cv2.morphologyEx(here.astype(np.uint8), cv2.MORPH_CLOSE, brush) > 0
        behind = depth > np.median(depth[here]) * 0.97
        number[closed & (behind | (number == crown - 32))] = crown
    number = cv2.medianBlur(cv2.medianBlur(number.astype(np.uint16), 3), 3).astype(np.int32)
    return number // 32, (number % 32).astype(np.uint8)


@contextmanager
def _silence() -> Iterator[None]:
    """Blender writes to the process's own output, and what it says is no result."""
    kept = [os.dup(number) for number in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(null, number)
        yield
    finally:
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)
        os.close(null)
