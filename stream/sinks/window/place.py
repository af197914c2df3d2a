"""Where on the desktop the preview opens: beside what is drawn in, and where it was the last time.

All in pixels of the desktop; rectangles of windows are their content, without the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...base.frame import Rect, Size

SMALLEST_PART = 0.5  # of its size, down to which a window shrinks before it covers the source
SEEN = 0.6  # part of a window's area that must lie on a screen for its place to be of use


class Border(NamedTuple):
    """What a desktop puts around a window, in pixels."""

    left: int = 2
    top: int = 30
    right: int = 2
    bottom: int = 2


def common(a: Rect, b: Rect) -> int:
    """The area that two rectangles have in common."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(0, width) * max(0, height)


def usable(place: Rect, screens: Sequence[Rect], border: Border) -> Rect | None:
    """A remembered place, moved wholly onto the screen that it is on; None when it is off every screen."""
    screen = max(screens, key=lambda each: common(place, each), default=None)
    if screen is None or common(place, screen) < SEEN * place.width * place.height:
        return None
    return onto(place, screen, border)


def shaped(size: Size, like: Size) -> Size:
    """A size of the same area as ``size`` with the aspect of ``like``."""
    ratio = like.width / like.height
    height = (size.width * size.height / ratio) ** 0.5
    return Size(max(1, round(ratio * height)), max(1, round(height)))


def beside(
    size: Size, source: Rect, screens: Sequence[Rect], border: Border, enough: float = 1.0, shrinks: bool = True
) -> Rect:
    """A place for a window of this size that covers nothing of ``source``, as near to it as it gets.

    On the source's screen: right of it, left, below, above; then on another screen. Where there is no room it becomes
    smaller, in proportion, if it ``shrinks``, and where that does not help it covers as little as it can. ``enough``:
    a part of its size with which it stays on the source's screen, and with which it covers something.
    """
    home = max(screens, key=lambda each: common(source, each))
    others = [each for each in screens if each != home]
    near = shrinks and common(source, home)
    shrunk = _shrunk(size, source, home, border, enough * SMALLEST_PART) if near else []
    free = [place for place in shrunk if not _covers(place, source, border)]
    roomy = max(free, key=lambda place: place.width, default=None)
    for screen in [home, *others] if common(source, home) else screens:
        for place in _around(size, source, screen, border):
            if _fits(place, screen, border) and not _covers(place, source, border):
                return place
        if screen == home and roomy is not None and roomy.width >= enough * size.width:
            return roomy
    if roomy is not None:
        return roomy
    part = Size(*(max(1, round(enough * side)) for side in size))
    corners = [place for screen in screens for place in _corners(part, screen, border)]
    return min(corners, key=lambda place: common(_outer(place, border), source))


def _outer(place: Rect, border: Border) -> Rect:
    width, height = place.width + border.left + border.right, place.height + border.top + border.bottom
    return Rect(place.x - border.left, place.y - border.top, width, height)


def _covers(place: Rect, source: Rect, border: Border) -> bool:
    return common(_outer(place, border), source) > 0


def covers(place: Rect, source: Rect, border: Border) -> bool:
    """Whether a window at this place lies over the source, frame included."""
    return _covers(place, source, border)


def _fits(place: Rect, screen: Rect, border: Border) -> bool:
    outer = _outer(place, border)
    return common(outer, screen) == outer.width * outer.height


def onto(place: Rect, screen: Rect, border: Border) -> Rect:
    """A place moved into a screen, as little as possible; its upper left corner is seen in any case."""
    right, bottom = screen.x + screen.width - border.right, screen.y + screen.height - border.bottom
    x = max(screen.x + border.left, min(place.x, right - place.width))
    y = max(screen.y + border.top, min(place.y, bottom - place.height))
    return Rect(x, y, place.width, place.height)


def _around(size: Size, source: Rect, screen: Rect, border: Border) -> list[Rect]:
    """Right of the source, left of it, below and above, upper edges or left edges in line."""
    top, left = source.y + border.top, source.x + border.left
    places = [
        Rect(source.x + source.width + border.left, top, *size),
        Rect(source.x - size.width - border.right, top, *size),
        Rect(left, source.y + source.height + border.top, *size),
        Rect(left, source.y - size.height - border.bottom, *size),
    ]
    slid = [onto(place, screen, border) for place in places]
    across = [Rect(each.x, now.y, *size) for each, now in zip(places[:2], slid[:2], strict=True)]
    along = [Rect(now.x, each.y, *size) for each, now in zip(places[2:], slid[2:], strict=True)]
    if not common(source, screen):  # another screen: anywhere on it
        return [onto(Rect(screen.x, screen.y, *size), screen, border)]
    return across + along


def _shrunk(size: Size, source: Rect, screen: Rect, border: Border, least: float) -> list[Rect]:
    """Places on one side of the source each, made as much smaller as that side asks for, down to ``least`` of it."""
    wide, high = border.left + border.right, border.top + border.bottom
    rooms = (
        (screen.x + screen.width - source.x - source.width - wide, screen.height - high),
        (source.x - screen.x - wide, screen.height - high),
        (screen.width - wide, screen.y + screen.height - source.y - source.height - high),
        (screen.width - wide, source.y - screen.y - high),
    )
    places = []
    for index, (width, height) in enumerate(rooms):
        part = min(1.0, width / size.width, height / size.height)
        if part >= least:
            smaller = Size(*(max(1, int(part * side)) for side in size))
            place = _around(smaller, source, screen, border)[index]
            if _fits(place, screen, border):
                places.append(place)
    return places


def _corners(size: Size, screen: Rect, border: Border) -> list[Rect]:
    """Lower right first, where the least of a drawing is."""
    far = 1 << 20
    ends = ((far, far), (far, -far), (-far, far), (-far, -far))
    return [onto(Rect(x, y, *size), screen, border) for x, y in ends]
