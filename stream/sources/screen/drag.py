"""Rectangles that are dragged with the mouse: they snap to edges near by, and can be kept square."""

from __future__ import annotations

from collections.abc import Iterable

from ...base.frame import Rect, Size

SMALLEST = 8  # pixels; anything less is a click, not a drag
NEAR = 9  # pixels; an edge that is no farther pulls


class Drag:
    """What the mouse has selected so far, on a picture of ``size``; ``edges`` are rectangles whose edges pull.

    While ``square``, what is selected is; while ``free``, nothing pulls.
    """

    def __init__(self, size: Size, edges: Iterable[Rect] = ()) -> None:
        self.size = size
        self.start: tuple[int, int] | None = None
        self.rect: Rect | None = None
        self.square = self.free = False
        rects = list(edges)
        self._pulls = (
            sorted({0, size.width, *(x for r in rects for x in (r.x, r.x + r.width))}),
            sorted({0, size.height, *(y for r in rects for y in (r.y, r.y + r.height))}),
        )

    def press(self, position: tuple[int, int]) -> None:
        """The button goes down."""
        self.start = self._pulled(position)
        self.rect = None

    def move(self, position: tuple[int, int]) -> None:
        """The mouse moves."""
        if self.start is not None:
            end = self._pulled(position)
            self.rect = drag_rect(self.start, self._squared(end) if self.square else end, self.size)

    def release(self, position: tuple[int, int]) -> Rect | None:
        """The button comes up: the finished rectangle, or None when it was only a click."""
        self.move(position)
        self.start = None
        if self.rect is not None and min(self.rect.size) < SMALLEST:
            self.rect = None
        return self.rect

    def _pulled(self, position: tuple[int, int]) -> tuple[int, int]:
        x, y = position
        if self.free:
            return x, y
        near = [min(pulls, key=lambda edge: abs(edge - at)) for pulls, at in zip(self._pulls, (x, y), strict=True)]
        return (near[0] if abs(near[0] - x) <= NEAR else x), (near[1] if abs(near[1] - y) <= NEAR else y)

    def _squared(self, end: tuple[int, int]) -> tuple[int, int]:
        """The corner of the largest square towards ``end`` that stays inside the picture."""
        assert self.start is not None
        (x, y), (right, down) = self.start, (end[0] >= self.start[0], end[1] >= self.start[1])
        side = max(abs(end[0] - x), abs(end[1] - y))
        side = min(side, self.size.width - x if right else x, self.size.height - y if down else y)
        return x + side if right else x - side, y + side if down else y - side


def drag_rect(start: tuple[int, int], end: tuple[int, int], size: Size) -> Rect:
    """The rectangle between two corners, whichever way it was dragged, kept inside a picture of ``size``."""
    (left, right), (top, bottom) = (sorted((start[axis], end[axis])) for axis in (0, 1))
    left, top = (min(max(0, low), side - 1) for low, side in zip((left, top), size, strict=True))
    right, bottom = (min(max(1, high), side) for high, side in zip((right, bottom), size, strict=True))
    return Rect(left, top, max(1, right - left), max(1, bottom - top))


def scale_rect(rect: Rect, shown: Size, picture: Size) -> Rect:
    """From what is shown (a window may be smaller than the picture on a HiDPI screen) to the picture's own pixels."""
    x, y = picture.width / shown.width, picture.height / shown.height
    left, top = round(rect.x * x), round(rect.y * y)
    right, bottom = round((rect.x + rect.width) * x), round((rect.y + rect.height) * y)
    return Rect(left, top, max(1, right - left), max(1, bottom - top))
