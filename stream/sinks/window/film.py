"""The last minutes, read and decoded on a thread of its own: the window's turn never waits for a disk."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...base.errors import InkstreamError
from ...base.frame import Output, Size, place
from ...base.plain import reason
from ...history.store import Entry, Rewind, Seen

LOOK_EVERY = 0.5  # seconds between looks at what was added
MOST_THUMBS, MOST_LARGE = 240, 4  # pictures that are kept decoded
NICE = 10  # how much later the system gives this thread a core than the engine


@dataclass(frozen=True, eq=False)
class Thumb:
    """A small picture, as wide and high as was asked for."""

    pixels: np.ndarray  # (h, w, 4) uint8 RGBA: its corners are round


@dataclass(frozen=True, eq=False)
class Large:
    """A moment, whole."""

    seen: Seen
    output: Output


class Wanted(NamedTuple):
    """What is looked at."""

    large: tuple[Entry, ...] = ()
    thumbs: tuple[Entry, ...] = ()
    """Those that are needed first come first."""
    size: Size = Size(1, 1)
    """Of thumbs."""


class Film:
    """The pictures of a session that is recorded. ``entries``: all of them, the newest first; a new list when it grows.

    ``trouble`` says why there are none, empty while there may be. Ends with ``close``.
    """

    def __init__(self, session: Path) -> None:
        self.entries: list[Entry] = []
        self.ready = False  # it was read for the first time
        self.trouble = ""
        self._session = session
        self._changed = threading.Condition()
        self._wanted = Wanted()
        self._closed = False
        self._large: OrderedDict[Entry, Large | None] = OrderedDict()
        self._thumbs: OrderedDict[tuple[Entry, Size], Thumb | None] = OrderedDict()
        threading.Thread(target=self._run, name="inkstream film", daemon=True).start()

    def want(self, wanted: Wanted) -> None:
        """Ask for pictures; what was asked for before and is not there yet is left out."""
        with self._changed:
            if wanted != self._wanted:
                self._wanted = wanted
                self._changed.notify()

    def large(self, entry: Entry) -> Large | None:
        """A moment; None while it is not read yet, and when it cannot be."""
        with self._changed:
            return self._large.get(entry)

    def lost(self, entry: Entry) -> bool:
        """Whether a moment cannot be read: it was let go of, or is damaged."""
        with self._changed:
            return entry in self._large and self._large[entry] is None

    def thumb(self, entry: Entry, size: Size) -> Thumb | None:
        """A thumb; None as for ``large``."""
        with self._changed:
            return self._thumbs.get((entry, size))

    def close(self) -> None:
        """End the thread; it is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # where threads have no priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        rewind: Rewind | None = None
        while not self._closed:
            try:
                if rewind is None:
                    rewind = Rewind(self._session)
                else:
                    rewind.refresh()
                if len(rewind) != len(self.entries) or rewind.entries[:1] != self.entries[:1]:
                    self.entries = rewind.entries
                self.trouble = ""
            except InkstreamError as error:
                self.trouble = reason(error)
            self.ready = True
            if rewind is not None:
                self._decode(rewind)
            with self._changed:
                if self._missing() is None and not self._closed:
                    self._changed.wait(LOOK_EVERY)

    def _decode(self, rewind: Rewind) -> None:
        """All that is wanted, what is wanted most first, though it may be something else after each picture."""
        while True:
            with self._changed:
                task = None if self._closed else self._missing()
            if task is None:
                return
            entry, size = task
            large = thumb = None
            with contextlib.suppress(InkstreamError, OSError):  # ``lost`` says so
                if size is None:
                    seen = rewind.seen(entry)
                    large = None if seen is None else Large(seen, seen.output())
                else:
                    render = entry.reel.render(entry.moment)
                    thumb = None if render is None else Thumb(_thumb(render, size))
            with self._changed:
                if size is None:
                    self._large[entry] = large
                    _bound(self._large, MOST_LARGE)
                else:
                    self._thumbs[entry, size] = thumb
                    _bound(self._thumbs, MOST_THUMBS)

    def _missing(self) -> tuple[Entry, Size | None] | None:
        """What is wanted most of what is not there; the size of a thumb, None for a large one."""
        wanted = self._wanted
        for entry in wanted.large[:MOST_LARGE]:
            if entry not in self._large:
                return entry, None
            self._large.move_to_end(entry)
        for entry in wanted.thumbs[:MOST_THUMBS]:
            if (entry, wanted.size) not in self._thumbs:
                return entry, wanted.size
            self._thumbs.move_to_end((entry, wanted.size))
        return None


def _bound(kept: OrderedDict, most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _thumb(pixels: np.ndarray, size: Size) -> np.ndarray:
    """(h, w, 4) uint8 RGBA of ``(H, W, 3)`` uint8 RGB, cropped to ``size``."""
    return np.dstack([place(Size.of(pixels), size).apply(pixels), _mask(size)])


@lru_cache(maxsize=2)
def _mask(size: Size) -> np.ndarray:
    """(h, w) uint8: 255 but for the corners."""
    finer = 4  # the corners are drawn larger and made smaller, so that they are smooth
    radius = finer * max(1, size.height // 12)
    mask = np.zeros((finer * size.height, finer * size.width), np.uint8)
    wide, high = finer * size.width - 1, finer * size.height - 1
    for x in (radius, wide - radius):
        for y in (radius, high - radius):
            cv2.circle(mask, (x, y), radius, 255, -1)
    cv2.rectangle(mask, (radius, 0), (wide - radius, high), 255, -1)
    cv2.rectangle(mask, (0, radius), (wide, high - radius), 255, -1)
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
