"""Brush outlines, tool cursors and marching ants are no ink: what a program draws around the pointer is held back.

While no button is down, a change near the pointer waits until the pointer has left it; what remains then was drawn. A
change anywhere else, such as an undo, counts at once, and so does everything while a button is down.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .outline import Outline
from .window import Pointer

LAG = 0.5  # seconds by which a program may be late with its outline
SETTLE = 0.12  # seconds that a change elsewhere lasts before it counts, while the pointer moves
REST = 0.3  # seconds without movement after which a change has another cause than the pointer
AFTER = 0.5  # seconds after a stroke in which the program may still draw it
NEAR = 14  # pixels around a change that count as near
JOIN = 7  # pixels between the dots of one outline
CENTRED = 0.15  # of its size: how far from the pointer the middle of an outline may be
FLICKER = (3, 1.5)  # so many changes of a pixel within so many seconds are marching ants
SMALL = 64  # pixels: no larger are the cursors that tools draw
SPREAD = 15  # pixels between two places of an outline that is moved fast
FAR = 8  # pixels of a way along which an outline changes an area
STILL = 2.0  # seconds after which ants that no longer march are taken as they are


class Steady:
    """The last picture that counts, and what of a new one counts, too."""

    def __init__(self) -> None:
        self._given: np.ndarray | None = None
        self._last: np.ndarray | None = None  # the picture before, as it came
        self._trail: deque[tuple[float, int, int]] = deque()
        self._way: tuple[tuple[int, int], ...] = ()  # the trail's places when a picture was looked at last
        self._earlier: deque[tuple[float, np.ndarray]] = deque()  # pictures as they came, back to SETTLE ago
        self._waits = False  # a change waits until it has lasted
        self._pressed_until = -np.inf
        self._pressed = False
        self._outline = Outline()
        self._before: np.ndarray | None = None  # what counted before the last stroke
        self._ants = _Ants()

    def restart(self) -> None:
        """Another part of the sheet, or in another size, comes from now on."""
        self._given = self._last = self._before = None
        self._outline = Outline()
        self._earlier.clear()
        self._ants = _Ants()

    def take(self, picture: np.ndarray, pointer: Pointer | None, now: float) -> np.ndarray:
        """What counts of ``(H, W, 3)`` uint8 RGB; the very array that was given before when nothing new does.

        ``pointer`` is in pixels of the picture, and may be outside of it; None: it cannot be asked.
        """
        given, last = self._given, self._last
        if given is None or last is None or given.shape != picture.shape:
            self.restart()
            self._given = self._last = picture
            self._follow(pointer, now)
            return picture
        moving = self._follow(pointer, now)
        if pointer is not None and pointer.pressed and not self._pressed:
            self._before = given
        self._pressed = pointer is not None and pointer.pressed
        if self._pressed:
            self._pressed_until = now + AFTER
        fresh = not same(picture, last)
        way = tuple(place[1:] for place in self._trail)
        if not fresh and way == self._way and not self._waits and now > self._pressed_until and not self._ants.alive:
            return given
        self._way, self._waits = way, False
        self._earlier.append((now, picture))
        while len(self._earlier) > 1 and now - self._earlier[1][0] >= SETTLE:
            self._earlier.popleft()
        self._last = picture
        if pointer is None:
            self._given = given if same(picture, given) else picture
            return self._given
        if fresh:
            self._ants.watch(picture, last, now, [place[1:] for place in self._trail] if moving else [])
            if self._ants.new and not self._pressed:
                self._outline = Outline()  # it may be the border of a selection that was taken for one
        hold = self._ants.held(now)
        if now <= self._pressed_until:
            result = self._drawing(picture, given, hold, now)
        else:
            result = self._hovering(picture, given, last, hold, now, fresh)
        if hold is not None and self._before is not None and self._before.shape == picture.shape:
            differs = hold & (result != self._before).any(2)
            if self._ants.new and differs.any():
                result = result if result is not given else given.copy()
                result[differs] = self._before[differs]
            self._ants.new = False
        self._given = given if result is given or same(result, given) else result
        return self._given

    def _follow(self, pointer: Pointer | None, now: float) -> bool:
        """Keep the pointer's way; whether it moved lately."""
        if pointer is None:
            self._trail.clear()
            return False
        trail = self._trail
        if not trail or (pointer.x, pointer.y) != trail[-1][1:]:
            trail.append((now, pointer.x, pointer.y))
        while len(trail) > 1 and now - trail[1][0] > LAG:
            trail.popleft()
        return len(trail) > 1

    def _near(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Where the pointer was lately, and on its way, brought to the nearest pixel of the picture."""
        height, width = shape[:2]
        way = _way([place[1:] for place in self._trail])
        return list({(min(max(x, 0), width - 1), min(max(y, 0), height - 1)) for x, y in way})

    def _drawing(self, picture: np.ndarray, given: np.ndarray, hold: np.ndarray | None, now: float) -> np.ndarray:
        """Everything but ants, and the outline, whose shape is known from before."""
        result = picture
        if self._outline.known and self._trail:
            before = self._before if self._before is not None and self._before.shape == picture.shape else given
            result = self._outline.removed(picture, given, before, list(self._trail)[-4:], now)
        if hold is not None:
            result = result.copy()
            result[hold] = given[hold]
        return result

    def _hovering(
        self, picture: np.ndarray, given: np.ndarray, last: np.ndarray, hold: np.ndarray | None, now: float, fresh: bool
    ) -> np.ndarray:
        """What changed away from the pointer."""
        new = differing(picture, given)
        if hold is not None:
            new[hold] = 0
        if not new.any():
            return given
        places = self._near(picture.shape)
        at = self._trail[-1]
        take = np.zeros(new.shape, np.bool_)
        learnt = False
        for part, (x, y, width, height) in pieces(new):
            if not any(_inside(place, x, y, width, height) for place in places):
                take[y : y + height, x : x + width] |= part
            elif not learnt and _thin(part):
                learnt = self._learn(part, x - at[1], y - at[2])
        if fresh and len(self._trail) == 1 and now - at[0] >= REST:
            # The pointer rests, and this changed since: unless an outline got another size, somebody did something.
            for part, (x, y, width, height) in pieces(differing(picture, last)):
                away = _away(at[1:], (x + width / 2, y + height / 2))
                if away > max(4, CENTRED * max(width, height)) or not _thin(part):
                    take[y : y + height, x : x + width] |= part
        if hold is not None:
            take &= ~hold
        if len(self._trail) > 1 and take.any():
            # It may be an outline at a place of the pointer that nobody saw: those do not last.
            lasting = differing(picture, self._earlier[0][1]) == 0
            self._waits = not lasting[take].all() or now - self._earlier[0][0] < SETTLE
            take &= lasting if now - self._earlier[0][0] >= SETTLE else False
        if not take.any():
            return given
        result = given.copy()
        result[take] = picture[take]
        return result

    def _learn(self, part: np.ndarray, left: int, top: int) -> bool:
        """Remember the shape of an outline, at a corner seen from the pointer; whether it is one."""
        height, width = part.shape
        if len(self._trail) > 1:  # it lags behind a pointer that moves, but it is around it
            if self._outline.known or max(width, height) > 1.2 * min(width, height):
                return False
            left, top = -(width // 2), -(height // 2)
        elif max(abs(left + width / 2), abs(top + height / 2)) > NEAR + max(width, height) / 2:
            return False
        self._outline.learn(part, left, top)
        return True


class _Ants:
    """Thin lines that flicker, as the border of a selection does."""

    def __init__(self) -> None:
        self._masks: deque[tuple[float, np.ndarray]] = deque()
        self._count: np.ndarray | None = None
        self._held: np.ndarray | None = None
        self._seen_at = -np.inf
        self.new = False  # there are more of them than before

    @property
    def alive(self) -> bool:
        return self._held is not None

    def watch(self, picture: np.ndarray, last: np.ndarray, now: float, trail: list[tuple[int, int]]) -> None:
        """Count what changed since the picture before; along a short ``trail``, but for what goes with the pointer."""
        changed = differing(picture, last)
        way = [] if _goes_far(trail) else _way(trail)
        for part, box in pieces(changed):
            if not _thin(part) or any(_along(place, box) for place in way):
                x, y, width, height = box
                changed[y : y + height, x : x + width][part] = 0
        if self._count is None:
            self._count = np.zeros(changed.shape, np.uint8)
        if changed.any():
            self._masks.append((now, changed))
            self._count += changed
        while self._masks and now - self._masks[0][0] > FLICKER[1]:
            self._count -= self._masks.popleft()[1]
        march = (self._count >= FLICKER[0]).astype(np.uint8)
        if self._held is not None:
            march[self._held] &= changed[self._held]
        if march.any():
            march &= ~self._swept()
        if march.any():
            wide = cv2.dilate(march, np.ones((5, 5))) > 0
            self._seen_at = now
            self.new = self._held is None or bool((wide & ~self._held).any())
            self._held = wide if self._held is None else self._held | wide

    def _swept(self) -> np.ndarray:
        """Where what changed lately is as wide as an area: a hand drew there to and fro, or an outline went with it.

        Ants stay on their line. ``(H, W)`` uint8 0 or 1.
        """
        assert self._count is not None
        seen = (self._count > 0).astype(np.uint8)
        if self._held is not None:
            seen[self._held] = 0
        swept = np.zeros_like(seen)
        x, y, width, height = cv2.boundingRect(seen)
        if not width:
            return swept
        wide = cv2.copyMakeBorder(
            seen[y : y + height, x : x + width], SPREAD, SPREAD, SPREAD, SPREAD, cv2.BORDER_CONSTANT
        )
        closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, np.ones((SPREAD, SPREAD), np.uint8))
        for part, (left, top, across, down) in pieces(closed[SPREAD:-SPREAD, SPREAD:-SPREAD]):
            if not _thin(part):
                swept[y + top : y + top + down, x + left : x + left + across] |= part
        return swept

    def held(self, now: float) -> np.ndarray | None:
        """Where they march: ``(H, W)`` bool; None: nowhere."""
        if self._held is not None and now - self._seen_at > STILL:
            self._held = None
        return self._held


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two contiguous pictures of one shape are equal."""
    if a is b:
        return True
    one, other = a.reshape(-1), b.reshape(-1)
    whole = one.size // 8 * 8
    long = np.array_equal(one[:whole].view(np.uint64), other[:whole].view(np.uint64))
    return long and np.array_equal(one[whole:], other[whole:])


def differing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two pictures differ: ``(H, W)`` uint8 0 or 1."""
    red, green, blue = cv2.split(cv2.absdiff(a, b))
    return (cv2.bitwise_or(cv2.bitwise_or(red, green), blue) > 0).view(np.uint8)


def pieces(mask: np.ndarray) -> list[tuple[np.ndarray, tuple[int, int, int, int]]]:
    """Groups of pixels that lie together, dots of an outline, too: ``(h, w)`` bool, and left, top, width, height."""
    if not mask.any():
        return []
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, np.ones((JOIN, JOIN), np.uint8)))
    found = []
    for label, (x, y, width, height, _) in enumerate(stats.tolist()):
        if label:
            box = slice(y, y + height), slice(x, x + width)
            found.append(((labels[box] == label) & (mask[box] > 0), (x, y, width, height)))
    return found


def _inside(place: tuple[int, int], x: int, y: int, width: int, height: int) -> bool:
    return -NEAR <= place[0] - x < width + NEAR and -NEAR <= place[1] - y < height + NEAR


def _way(trail: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The places of a trail, and what is between them."""
    way = trail[:1]
    for x, y in trail:
        start = way[-1]
        steps = int(max(abs(x - start[0]), abs(y - start[1])) // NEAR) + 1
        way += [(start[0] + (x - start[0]) * n // steps, start[1] + (y - start[1]) * n // steps) for n in range(steps)]
        way.append((x, y))
    return way


def _goes_far(trail: list[tuple[int, int]]) -> bool:
    """Whether an outline that goes along leaves no thin trace."""
    return any(max(each) - min(each) >= FAR for each in zip(*trail, strict=True))


def _along(place: tuple[int, int], box: tuple[int, int, int, int]) -> bool:
    """Whether a group of pixels lies around the pointer."""
    x, y, width, height = box
    most = max(width, height)
    return most < SMALL or _away(place, (x + width / 2, y + height / 2)) < CENTRED * most


def _away(place: tuple[int, int], middle: tuple[float, float]) -> float:
    return max(abs(place[0] - middle[0]), abs(place[1] - middle[1]))


def _thin(part: np.ndarray) -> bool:
    """Whether a group of pixels is made of lines, not of areas."""
    core = cv2.erode(np.pad(part, 1).astype(np.uint8), np.ones((4, 4), np.uint8))
    return int(core.sum()) <= 0.05 * int(part.sum())
