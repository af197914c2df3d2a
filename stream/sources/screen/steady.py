"""Brush outlines, tool cursors and marching ants are no ink: what a program draws around the pointer is held back.

While no button is down, a change near the pointer waits until the pointer has left it; what remains then was drawn. A
change anywhere else, such as an undo, counts at once, and so does everything while a button is down.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from .ants import Ants
from .outline import Outline
from .pieces import (
    NEAR,
    differing,
    is_around,
    is_cut_off,
    is_inside,
    may_be_outline,
    pieces,
    same,
    way_of,
)
from .window import Pointer

LAG = 0.5  # seconds by which a program may be late with its outline
SETTLE = 0.12  # seconds that a change elsewhere lasts before it counts, while the pointer moves
REST = 0.3  # seconds without movement after which a change has another cause than the pointer
AREA = 64 * 64  # pixels of a change that is no pointer's, nor any tool's
AFTER = 0.5  # seconds after a stroke in which the program may still draw it


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
        self._ants = Ants()
        self._doubted: np.ndarray | None = None  # (H, W) bool: what counted while no button was down
        self._undoubted: np.ndarray | None = None  # the picture, as it counted before that

    def restart(self) -> None:
        """Another part of the sheet, or in another size, comes from now on."""
        self._given = self._last = self._before = None
        self._doubted = self._undoubted = None
        self._outline = Outline()
        self._earlier.clear()
        self._ants = Ants()

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
            self._doubted = self._undoubted = None
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
        trail = [place[1:] for place in self._trail] if moving else []
        more_ants = fresh and self._ants.watch(picture, last, now, trail)
        if more_ants and not self._pressed:
            self._outline = Outline()  # it may be the border of a selection that was taken for one
        hold = self._ants.held(picture, given, now, moving or self._pressed)
        if now <= self._pressed_until:
            result = self._drawing(picture, given, hold, now)
        else:
            result = self._hovering(picture, given, last, hold, now, fresh)
        before = self._before
        if more_ants and hold is not None and before is not None and before.shape == picture.shape:
            differs = hold & (result != before).any(2)
            if differs.any():
                result = given.copy() if result is given else result
                result[differs] = before[differs]
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
        way = way_of([place[1:] for place in self._trail])
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
        rests = len(self._trail) == 1 and now - at[0] >= REST
        found = pieces(new)
        for part, box in found:
            x, y, width, height = box
            if not any(is_inside(place, box) for place in places):
                if not is_cut_off(part, box, found, new.shape, places):
                    take[y : y + height, x : x + width] |= part
            elif may_be_outline(part):
                learnt = learnt or self._learn(part, x - at[1], y - at[2])
            elif part.sum() >= AREA:  # a fill, or what was pasted: as soon as the pointer rests nothing else is left
                take[y : y + height, x : x + width] |= part & rests
                self._waits |= not rests
        if fresh and rests:
            # The pointer rests, and this changed since: unless an outline got another size, somebody did something.
            found = pieces(differing(picture, last))
            for part, box in found:
                x, y, width, height = box
                around = is_around(at[1:], box, new.shape) and may_be_outline(part)
                if not around and not is_cut_off(part, box, found, new.shape, places):
                    take[y : y + height, x : x + width] |= part
        if hold is not None:
            take &= ~hold
        if len(self._trail) > 1 and take.any():
            # It may be an outline at a place of the pointer that nobody saw: those do not last.
            lasting = differing(picture, self._earlier[0][1]) == 0
            self._waits |= not lasting[take].all() or now - self._earlier[0][0] < SETTLE
            take &= lasting if now - self._earlier[0][0] >= SETTLE else False
        take |= self._gone(picture, new)
        if not take.any():
            return given
        self._doubt(take, given)
        result = given.copy()
        result[take] = picture[take]
        return result

    def _gone(self, picture: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Where what had counted is gone again, near the pointer, too: ``(H, W)`` bool.

        It was an outline that came so late that it seemed to be no pointer's.
        """
        if self._doubted is None or self._undoubted is None:
            return np.zeros(new.shape, np.bool_)
        return self._doubted & (new > 0) & (differing(picture, self._undoubted) == 0)

    def _doubt(self, take: np.ndarray, given: np.ndarray) -> None:
        """Remember what was there before what counts now."""
        if self._doubted is None or self._undoubted is None:
            self._doubted, self._undoubted = take.copy(), given
            return
        fresh = take & ~self._doubted
        if fresh.any():
            self._undoubted = self._undoubted.copy()
            self._undoubted[fresh] = given[fresh]
            self._doubted |= fresh

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
