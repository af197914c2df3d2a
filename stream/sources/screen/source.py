"""The screen source: which part of the screen is captured now, and what the picture shows where it cannot be seen.

A window is captured alone, see ``follow``: without its frame on X11 and with it on Windows and macOS. A region or a
monitor is captured as it is seen, but our own preview never is: where it covers the captured part, the picture keeps
what was there before. What lies outside the screen is kept in the same way. Where nothing was seen yet, the paper is
white.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

import numpy as np

from ...base.errors import ConfigError, SourceEnded, SourceLost, SourceUnavailable
from ...base.frame import Rect
from ...base.pacing import Clock, Pacer
from .area import Area
from .follow import Followed
from .grab import WAYLAND_HINT, Grabber, grab, layout, let_go, open_mss
from .held import Held
from .window import Picked, Pointer, Spot
from .windows import WindowSystem, intersect, open_window_system, preview_mask

LOOK_AROUND = 0.25  # seconds between two looks for previews
CLOSE_WAIT = 0.5  # seconds
SMALLEST = 8  # pixels of a region each way
UNDECIDED = 1.5  # seconds in which the sheet in a window may be found before all of the window is given

Picker = Callable[[np.ndarray, int, Sequence[Spot], bool], Picked]

_log = logging.getLogger(__name__)


class ScreenSource:
    """Pictures of the screen, ``fps`` times a second.

    ``monitor`` counts from 1 (0: all of them as one picture). ``region`` is in coordinates of the virtual desktop.
    ``window`` is an id, a program, or a part of a title, in any case; the window is followed when it moves or changes
    size, and ``area`` says which part of it is given: ``"canvas"``, the sheet of paper, by default; ``"window"``; or a
    rectangle in pixels of the window. ``pick`` asks the user, on ``monitor``. ``cursor`` draws the mouse pointer (X11
    only).
    ``open_grabber`` is given ``cursor``, see ``Grabber``; ``open_windows`` see ``WindowSystem``. ``picker`` is called
    like ``pick_region``, on the main thread only. ``followed`` is the window of a source that was closed, and then
    ``area`` may be its ``Area``.
    Raises SourceUnavailable when there is no screen, monitor or window; ConfigError for options that exclude each
    other.
    """

    live = True

    def __init__(
        self,
        monitor: int | None = None,
        region: Rect | None = None,
        window: str | None = None,
        pick: bool = False,
        fps: float = 30.0,
        cursor: bool = False,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
        open_grabber: Callable[[bool], Grabber] = open_mss,
        open_windows: Callable[[], WindowSystem] = open_window_system,
        picker: Picker | None = None,
        followed: Followed | None = None,
        area: str | Rect | Area | None = None,
    ) -> None:
        _check_options(monitor, region, window, pick, cursor, area)
        self._again = partial(ScreenSource, fps=fps, cursor=cursor, clock=clock)
        self._again = partial(self._again, open_grabber=open_grabber, open_windows=open_windows)
        self._stop = stop or threading.Event()
        self._pacer = Pacer.of_fps(fps, clock, self._stop)
        self._clock = clock
        self._cursor = cursor
        self._open_grabber = open_grabber
        self._open_windows = open_windows
        self._lock = threading.Lock()  # held while the screen is read, never while waiting
        self._grabber: Grabber | None = None
        self._windows: WindowSystem | None = None
        self._blind = False  # there is no way to see other windows here
        self._followed = followed or (None if window is None else Followed(window, cursor, clock))
        self._part = area if isinstance(area, Area) else Area(area or "canvas")
        self._monitor = 1 if monitor is None else monitor
        self._region = region
        self._layout = [Rect(0, 0, 1, 1)]  # the whole desktop, then each monitor
        self._hidden: np.ndarray | None = None  # (H, W) bool: where a preview is seen; None: nowhere
        self._held = Held()  # the captured part as it was at the last look around
        self._scale = 1.0  # pixels of the monitor's picture for one of the desktop
        self._outside = False  # the captured part leaves the screen
        self._began: float | None = None  # when the first picture was given
        self._looked_at = -LOOK_AROUND
        self._looked_area: Rect | None = None
        try:
            self._connect()
            if pick:
                self._take(self._pick(picker))
            self._check_picture()
        except SourceLost as error:
            self.close()
            raise SourceUnavailable(str(error)) from error
        except BaseException:
            self.close()
            raise
        # A connection belongs to the thread that uses it (GDI insists); read() makes its own.
        self._disconnect()

    @property
    def about(self) -> str:
        """Which window it is; empty for everything but a window."""
        return str(self._followed.chosen) if self._followed else ""

    @property
    def area(self) -> Rect | None:
        """Where on the desktop it is; of a window with its frame."""
        if self._followed:
            return self._followed.chosen.frame if self._followed.chosen else None
        return self._area()

    @property
    def canvas(self) -> Area | None:
        """Where the sheet of paper is said to be, for who wants to say it better; None for all but a window."""
        return self._part if self._followed else None

    @property
    def notice(self) -> str:
        """Why the picture is not wholly what is there now; empty: it is."""
        if self._followed:
            return "; ".join(filter(None, (self._followed.notice, self._part.notice)))
        if self._region and self._outside:
            where = f"leaves the screen, {_say(self._layout[0])}: what lies outside stays white, or as it was"
            return f"region {_say(self._region)} {where}"
        return ""

    def read(self) -> np.ndarray:
        """Wait for the next target time, then capture: ``(H, W, 3)`` uint8 RGB. At first it waits for the sheet to be
        found, for a moment: what surrounds it is nothing that anybody drew.

        Raises SourceLost when the window was closed or minimised or the screen went away.
        """
        picture = self._read()
        if self._began is None:
            self._began = self._clock()
            self._part.starts(self._began)
        while self._followed and self._part.searching and self._clock() < self._began + UNDECIDED:
            picture = self._read()
        return picture

    def _read(self) -> np.ndarray:
        if not self._pacer.wait():
            raise SourceEnded("screen: closed")
        with self._lock:
            if self._stop.is_set():
                raise SourceEnded("screen: closed")
            try:
                if self._grabber is None:
                    self._connect()
                return self._capture()
            except SourceUnavailable as error:
                raise SourceLost(str(error)) from error
            finally:
                if self._stop.is_set():
                    self._disconnect()

    def close(self) -> None:
        self._stop.set()
        # A display that hangs keeps its connection; read() closes it when it comes back.
        if self._lock.acquire(timeout=CLOSE_WAIT):
            try:
                self._disconnect()
            finally:
                self._lock.release()

    def again(self) -> ScreenSource:
        """A new source of the very same part: the window that was chosen, the part that was picked."""
        if self._followed:
            return self._again(followed=self._followed, area=self._part)
        return self._again(region=self._region) if self._region else self._again(monitor=self._monitor)

    def is_back(self) -> bool | None:
        """Whether its window is there and not minimised; None for everything but a window, and without a desktop."""
        if self._followed is None:
            return None
        try:
            with closing(self._open_windows()) as desktop:
                return self._followed.present(desktop)
        except (SourceLost, SourceUnavailable) as error:
            _log.debug("windows cannot be listed: %s", error)
            return None

    # --- connections

    def _connect(self) -> None:
        self._grabber = self._open_grabber(self._cursor)
        self._layout = layout(self._grabber)
        if self._windows is None and self._followed:
            self._windows = self._open_windows()
            self._followed.attach(self._windows)
        elif self._windows is None and not self._blind:
            try:
                self._windows = self._open_windows()
            except SourceUnavailable as error:
                self._blind = True
                _log.warning("keep the preview off the captured part of the screen, it cannot be left out: %s", error)
        count = max(1, len(self._layout) - 1)
        if self._monitor > count:
            raise SourceUnavailable(f"monitor: got {self._monitor}, expected 0 (all) or 1 to {count}")

    def _disconnect(self) -> None:
        if self._windows is not None:
            self._windows.close()
            self._windows = None
        if self._grabber is not None:
            let_go(self._grabber)
            self._grabber = None

    def _check_picture(self) -> None:
        assert self._grabber is not None
        whole = self._layout[0]
        if self._region is not None:
            inside, (width, height) = intersect(self._region, whole), self._region.size
            if inside is None or min(inside.size) < SMALLEST or width > whole.width or height > whole.height:
                fitting = f"{SMALLEST}x{SMALLEST} or more of the screen, {_say(whole)}, and no larger than it"
                raise SourceUnavailable(f"region: got {_say(self._region)}, expected {fitting}; try screen:pick")
        picture = self._capture()
        xwayland = any(str(m.get("output", "")).startswith("XWAYLAND") for m in self._grabber.monitors)
        if xwayland and not picture.any():
            raise SourceUnavailable(f"screen: {WAYLAND_HINT}")

    @property
    def several(self) -> bool:
        """Whether other windows fit what was asked for as well as the one that was taken."""
        return self._followed is not None and len(self._followed.alike) > 1

    def ask(self, picker: Picker | None = None) -> None:
        """Let the user say which of ``several`` windows is meant; the main thread only, before the first ``read``.

        Raises SourceUnavailable when the user does not.
        """
        if self._followed is None:
            return
        try:
            self._connect()
            self._take(self._pick(picker, {window.id for window in self._followed.alike}))
            self._check_picture()
        except SourceLost as error:
            raise SourceUnavailable(str(error)) from error
        finally:
            self._disconnect()

    def _take(self, picked: Picked) -> None:
        if picked.window is None:
            self._region = self._on_desktop(picked.rect)
            return
        self._followed = Followed(f"{picked.window.id:#x}", self._cursor, self._clock)
        if self._windows is not None:
            self._followed.attach(self._windows)

    def _on_desktop(self, rect: Rect) -> Rect:
        """From pixels of the monitor's picture to coordinates of the desktop."""
        area = self._layout[min(self._monitor, len(self._layout) - 1)]
        part = Rect(*(round(value / self._scale) for value in rect))
        return Rect(area.x + part.x, area.y + part.y, max(1, part.width), max(1, part.height))

    def _pick(self, picker: Picker | None, among: set[int] | None = None) -> Picked:
        if threading.current_thread() is not threading.main_thread():
            raise SourceUnavailable("pick: can only ask from the main thread; use screen:region=x,y,w,h")
        area = self._layout[min(self._monitor, len(self._layout) - 1)]
        picture = self._grab(area)
        self._scale = picture.shape[1] / area.width
        if picker is None:
            from .pick import pick_region as picker
        return picker(picture, max(0, self._monitor - 1), self._spots(area, among), among is not None)

    def _spots(self, area: Rect, among: set[int] | None) -> list[Spot]:
        """The windows that can be clicked, in pixels of the picture of ``area``."""
        found = []
        for window in self._windows.windows() if self._windows is not None else ():
            inside = intersect(window.content, area)
            if inside is None or not window.shown or window.is_preview or (among is None and not window.title):
                continue
            if among is None or window.id in among:
                x, y = (inside.x - area.x) * self._scale, (inside.y - area.y) * self._scale
                rect = Rect(*map(round, (x, y, inside.width * self._scale, inside.height * self._scale)))
                found.append(Spot(window, rect))
        return found

    # --- pictures

    def _area(self) -> Rect:
        """What is to be captured now, in desktop coordinates."""
        return self._region or self._layout[min(self._monitor, len(self._layout) - 1)]

    def _grab(self, area: Rect) -> np.ndarray:
        assert self._grabber is not None
        try:
            return grab(self._grabber, area)
        except SourceLost:
            self._disconnect()  # the desktop has another size, or is gone: a new connection will know
            raise

    def _capture(self) -> np.ndarray:
        if self._followed:
            assert self._windows is not None
            picture = self._followed.capture(self._windows, self._layout[0], self._grab)
            assert self._followed.chosen is not None
            self._part.begin(self._followed.chosen)
            return self._part.take(picture, self._pointer(picture), self._clock())
        area = self._area()
        looked = self._look_around(area)
        visible = intersect(area, self._layout[0])
        if visible is None:
            raise SourceLost(f"region {_say(area)} lies outside of the screen, {_say(self._layout[0])}")
        picture = self._grab(visible)
        self._outside = visible != area
        if self._outside or self._hidden is not None:
            picture = self._held.lay(picture, area, visible, self._hidden)
        if looked:
            self._held.keep(picture)
        return picture

    def _pointer(self, picture: np.ndarray) -> Pointer | None:
        """The pointer in pixels of the window's picture."""
        assert self._windows is not None and self._followed is not None and self._followed.chosen is not None
        pointer, content = self._windows.pointer(), self._followed.chosen.content
        if pointer is None:
            return None
        scale = picture.shape[1] / content.width
        place = (round((pointer.x - content.x) * scale), round((pointer.y - content.y) * scale))
        return Pointer(*place, pointer.pressed)

    def _look_around(self, area: Rect) -> bool:
        """A few times a second, or when the captured part moved: see where previews are. True when it was time to."""
        now = self._clock()
        if self._windows is None or (now - self._looked_at < LOOK_AROUND and area == self._looked_area):
            return False
        self._looked_at, self._looked_area = now, area
        desktop = self._windows.desktop()
        if desktop is not None and desktop != self._layout[0]:
            self._disconnect()
            self._connect()
            if self._windows is None:
                return False
        self._hidden = preview_mask(self._windows.windows(), area)
        return True


def _check_options(
    monitor: int | None,
    region: Rect | None,
    window: str | None,
    pick: bool,
    cursor: bool,
    area: str | Rect | Area | None,
) -> None:
    if monitor is not None and monitor < 0:
        raise ConfigError(f"monitor: got {monitor}, expected 0 (all), or a number from 1")
    chosen = [name for name, value in (("region", region), ("window", window), ("pick", pick)) if value]
    if len(chosen) > 1 or (chosen and chosen != ["pick"] and monitor is not None):
        raise ConfigError(f"screen: got {' and '.join(chosen)}, expected one of monitor, region, window, pick")
    if window is not None and not window.strip():
        raise ConfigError("window: got an empty title, expected an id, a program, or a part of the window's title")
    if area is not None and not isinstance(area, Area) and window is None:
        raise ConfigError("area: got no window=, expected one: it says which part of a window is taken")
    if cursor and not sys.platform.startswith("linux"):
        raise ConfigError("cursor: only X11 can capture the mouse pointer; leave it out")


def _say(rect: Rect) -> str:
    return f"{rect.size} at {rect.x},{rect.y}"
