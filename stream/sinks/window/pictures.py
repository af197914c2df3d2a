"""Where the render and the sketch stand in a window, and how their pixels get there."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from ...base.frame import Output, Rect, Size, place
from ..cutout import over
from ..slate import DARK
from .scene import PANEL, Layout, Scene

COLUMN = 0.2  # part of the window's width, or height, that a column beside the render, or a row below, has to be of use
CARD = 0.26  # side of a small sketch, as a part of the render's shorter side
MARGIN = 0.035  # of a stage, as a part of its shorter side


class Stage(NamedTuple):
    """Where things stand on a stage; ``beside`` says that sketch and caption have room of their own."""

    render: Rect
    sketch: Rect
    caption: Rect
    beside: bool


def gap(size: tuple[int, int]) -> int:
    """Pixels between two pictures side by side."""
    return max(2, min(size[0], size[1]) // 150)


def widened(single: Size) -> Size:
    """The size of a window that shows two pictures side by side, each as large as ``single``."""
    return Size(2 * single.width + gap(single), single.height)


def halved(wide: Size) -> Size:
    """The size of one of the two pictures in a window of this size."""
    return Size(max(1, (wide.width - gap(wide)) // 2), wide.height)


def stage(window: Size, render: Size, sketch: Size | None) -> Stage:
    """The render large, the sketch small, the prompt as a caption, in a window of any size.

    A render that leaves a column free, as a square one does on 16:9, has sketch and caption beside it, and one that
    leaves a row free, as on a phone, below it; else they lie over its lower corners.
    """
    margin = max(2, round(MARGIN * min(window)))
    room = Size(max(1, window.width - 2 * margin), max(1, window.height - 2 * margin))
    inside = place(render, room, "letterbox").inside
    column = window.width - inside.width - 3 * margin
    small = sketch or Size(1, 1)
    if column >= COLUMN * window.width:
        shown = Rect(margin, (window.height - inside.height) // 2, inside.width, inside.height)
        x = shown.x + shown.width + margin
        card = place(small, Size(column, max(1, round(0.55 * room.height))), "letterbox").inside.size
        drawing = Rect(x, shown.y, card.width, card.height)
        top = drawing.y + (card.height + margin if sketch else 0)
        return Stage(shown, drawing, Rect(x, top, column, max(1, shown.y + shown.height - top)), True)
    row = window.height - inside.height - 3 * margin
    if row >= COLUMN * window.height:
        shown = Rect((window.width - inside.width) // 2, margin, inside.width, inside.height)
        y = shown.y + shown.height + margin
        card = place(small, Size(max(1, round(0.5 * inside.width)), row), "letterbox").inside.size
        left = shown.x + (card.width + margin if sketch else 0)
        words = Rect(left, y, max(1, shown.x + shown.width - left), row)
        return Stage(shown, Rect(shown.x, y, *card), words, True)
    whole = place(render, window, "letterbox").inside
    side = max(24, round(CARD * min(whole.width, whole.height)))
    card = place(small, Size(side, side), "letterbox").inside.size
    x, y = whole.x + whole.width - margin - card.width, whole.y + whole.height - margin - card.height
    left = max(1, x - whole.x - 2 * margin) if sketch else max(1, whole.width - 2 * margin)
    bottom = whole.y + whole.height - margin
    tall = max(1, round(0.2 * whole.height))
    return Stage(whole, Rect(x, y, *card), Rect(whole.x + margin, bottom - tall, left, tall), False)


def render_at(window: Size, picture: Size, side: bool) -> Rect:
    """Where the render is in a preview of this size; ``side``: its drawing stands beside it."""
    area = _halves(window)[1] if side else Rect(0, 0, *window)
    inside = place(picture, area.size, "letterbox").inside
    return Rect(area.x + inside.x, area.y + inside.y, *inside.size)


class Pictures:
    """Draws the pictures of an output; keeps what was scaled for as long as it can be used again."""

    def __init__(self, pygame: Any) -> None:
        self._pygame = pygame
        self._scaled: dict[str, tuple[tuple[int, Size, bool], Any]] = {}
        self._mirror = False
        self._cut: tuple[Output, np.ndarray] | None = None

    def draw(self, surface: Any, scene: Scene, output: Output, unit: int) -> Stage | None:
        """Draw them over all of ``surface``; returns where things stand, if the layout has a caption."""
        self._mirror = scene.mirror
        if scene.clean is not None:
            return self._clean(surface, scene, output, scene.clean)
        area = self._pygame.Rect(0, 0, *surface.get_size())
        drawing = output.input if scene.inset != "off" else None
        if drawing is not None and scene.inset == "side":
            first, second = _halves(area.size)
            self._picture(surface, "input", drawing, scene.picture, self._pygame.Rect(first))
            self._picture(surface, "output", output.pixels, scene.picture, self._pygame.Rect(second))
            return None
        shown = self._picture(surface, "output", output.pixels, scene.picture, area)
        if drawing is not None:
            side = max(24, round(CARD * min(shown.width, shown.height)))
            box = self._pygame.Rect(0, 0, side, side)
            box.bottomright = shown.right - unit, shown.bottom - unit
            frame = self._inside(drawing, box)
            frame.bottomright = box.bottomright
            self._card(surface, scene, drawing, frame)
        return None

    def _clean(self, surface: Any, scene: Scene, output: Output, layout: Layout) -> Stage | None:
        area = self._pygame.Rect(0, 0, *surface.get_size())
        render = self._render(scene, output)
        if layout == "alone":
            self._picture(surface, "output", render, scene.picture, area)
            return None
        drawing = output.input
        plan = stage(Size(*area.size), Size.of(output.pixels), None if drawing is None else Size.of(drawing))
        self._picture(surface, "output", render, scene.picture, self._pygame.Rect(plan.render))
        if drawing is not None:
            self._card(surface, scene, drawing, self._pygame.Rect(plan.sketch))
        return plan

    def _render(self, scene: Scene, output: Output) -> np.ndarray:
        if not scene.cut:
            return output.pixels
        if self._cut is None or self._cut[0] is not output:
            self._cut = (output, over(output, scene.background or DARK))
        return self._cut[1]

    def _card(self, surface: Any, scene: Scene, drawing: np.ndarray, frame: Any) -> None:
        surface.fill(PANEL, frame.inflate(4, 4))
        self._picture(surface, "input", drawing, scene.picture, frame)

    def _picture(self, surface: Any, name: str, pixels: np.ndarray, number: int, area: Any) -> Any:
        """Draw pixels as large as they fit into ``area``; returns the rectangle that they cover."""
        inside = self._inside(pixels, area)
        key = (number, Size(*inside.size), self._mirror)
        if self._scaled.get(name, (None,))[0] != key:
            larger = inside.width > pixels.shape[1]
            way = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
            shown = np.ascontiguousarray(pixels[:, ::-1]) if self._mirror else pixels
            same = inside.size == Size.of(pixels)
            self._scaled[name] = (key, shown if same else cv2.resize(shown, inside.size, interpolation=way))
        self.pixels(surface, self._scaled[name][1], inside)
        return inside

    def _inside(self, pixels: np.ndarray, area: Any) -> Any:
        target = Size(max(1, area.width), max(1, area.height))
        inside = place(Size.of(pixels), target, "letterbox").inside
        return self._pygame.Rect(area.x + inside.x, area.y + inside.y, inside.width, inside.height)

    def pixels(self, surface: Any, pixels: np.ndarray, area: Any) -> None:
        """Draw ``(H, W, 3)`` uint8 RGB as it is."""
        surface.blit(self._pygame.image.frombuffer(pixels, Size.of(pixels), "RGB"), area)


def _halves(size: tuple[int, int]) -> tuple[Rect, Rect]:
    """Two pictures beside each other, in a high window above each other."""
    (width, height), between = size, gap(size)
    if width >= height:
        half = max(1, (width - between) // 2)
        return Rect(0, 0, half, height), Rect(half + between, 0, max(1, width - half - between), height)
    half = max(1, (height - between) // 2)
    return Rect(0, 0, width, half), Rect(0, half + between, width, max(1, height - half - between))
