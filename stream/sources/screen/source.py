"""The screen source: which part of the screen is captured now, and what the picture shows where it cannot be seen.

A window is captured as it is seen, without its frame on X11 and with it on Windows and macOS; what covers it is
captured with it. Our own preview never is: where it covers the captured part, the picture keeps what was there before.
What lies outside the screen is kept in the same way. Where nothing was seen yet, the paper is white.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np

from ...base.errors import ConfigError, SourceEnded, SourceLost, SourceUnavailable
from ...base.frame import Rect, Size
from ...base.pacing import Clock, Pacer
from .grab import WAYLAND_HINT, Grabber, grab, layout, let_go, open_mss
from .windows import WindowSystem, find_window, intersect, open_window_system, preview_mask

LOOK_AROUND = 0.25  # seconds between two looks for previews
CLOSE_WAIT = 0.5  # seconds

_log = logging.getLogger(__name__)
_PICKED: list[Rect] = []  # the part chosen last in this process


class ScreenSource:
    """Pictures of the screen, ``fps`` times a second.

    ``monitor`` counts from 1 (0: all of them as one picture). ``region`` is in coordinates of the virtual desktop.
    ``window`` is a part of a title, in any case; the window is followed when it moves or changes size. ``pick`` asks
    the user, on ``monitor``. ``cursor`` draws the mouse pointer (X11 only).
    ``open_grabber`` is given ``cursor``, see ``Grabber``; ``open_windows`` see ``WindowSystem``. ``picker`` is called
    like ``pick_region``. ``picked`` holds the part that was chosen last: a source that is opened from another thread
    than the main one, where nobody can be asked, takes it from there.
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
        picker: Callable[[np.ndarray, int], Rect] | None = None,
        picked: list[Rect] = _PICKED,
    ) -> None:
        if monitor is not None and monitor < 0:
            raise ConfigError(f"monitor: got {monitor}, expected 0 (all), or a number from 1")
        chosen = [name for name, value in (("region", region), ("window", window), ("pick", pick)) if value]
        if len(chosen) > 1 or (chosen and chosen != ["pick"] and monitor is not None):
            raise ConfigError(f"screen: got {' and '.join(chosen)}, expected one of monitor, region, window, pick")
        if window is not None and not window.strip():
            raise ConfigError("window: got an empty title, expected a part of the window's title")
        if cursor and not sys.platform.startswith("linux"):
            raise ConfigError("cursor: only X11 can capture the mouse pointer; leave it out")
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
        self._title = window
        self._window: int | None = None
        self._monitor = 1 if monitor is None else monitor
        self._region = region
        self._layout = [Rect(0, 0, 1, 1)]  # the whole desktop, then each monitor
        self._clear: np.ndarray | None = None  # (H, W) uint8: 0 where a preview is seen, else 1; None: seen nowhere
        self._known: np.ndarray | None = None  # (H, W, 3) the captured part as it was at the last look around
        self._looked_at = -LOOK_AROUND
        self._looked_area: Rect | None = None
        try:
            self._connect()
            if pick:
                self._region = self._pick(picker, picked)
            self._check_picture()
        except SourceLost as error:
            self.close()
            raise SourceUnavailable(str(error)) from error
        except BaseException:
            self.close()
            raise
        # A connection belongs to the thread that uses it (GDI insists); read() makes its own.
        self._disconnect()

    def read(self) -> np.ndarray:
        """Wait for the next target time, then capture: ``(H, W, 3)`` uint8 RGB.

        Raises SourceLost when the window was closed or minimised or the screen went away.
        """
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

    # --- connections

    def _connect(self) -> None:
        self._grabber = self._open_grabber(self._cursor)
        self._layout = layout(self._grabber)
        if self._title is not None and self._windows is None:
            self._windows = self._open_windows()
            if self._window is None:
                self._window = find_window(self._windows.windows(), self._title).id
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
        if self._region is not None and intersect(self._region, self._layout[0]) is None:
            raise SourceUnavailable(f"region: got {_say(self._region)}, expected a part of {_say(self._layout[0])}")
        picture = self._capture()
        xwayland = any(str(m.get("output", "")).startswith("XWAYLAND") for m in self._grabber.monitors)
        if xwayland and not picture.any():
            raise SourceUnavailable(f"screen: {WAYLAND_HINT}")

    def _pick(self, picker: Callable[[np.ndarray, int], Rect] | None, picked: list[Rect]) -> Rect:
        if threading.current_thread() is not threading.main_thread():
            if not picked:
                raise SourceUnavailable("pick: can only ask from the main thread; use screen:region=x,y,w,h")
            return picked[-1]
        area = self._area()
        picture = self._grab(area)
        if picker is None:
            from .pick import pick_region as picker
        rect = picker(picture, max(0, self._monitor - 1))
        scale = picture.shape[1] / area.width
        part = Rect(*(round(value / scale) for value in rect))
        picked[:] = [Rect(area.x + part.x, area.y + part.y, max(1, part.width), max(1, part.height))]
        return picked[-1]

    # --- pictures

    def _area(self) -> Rect:
        """What is to be captured now, in desktop coordinates."""
        if self._title is not None:
            assert self._windows is not None and self._window is not None
            window = self._windows.look(self._window)
            if window is None:
                raise SourceLost(f"window {self._title!r} was closed")
            if not window.shown:
                raise SourceLost(f"window {self._title!r} is minimised, or on another desktop")
            return window.content
        if self._region is not None:
            return self._region
        return self._layout[min(self._monitor, len(self._layout) - 1)]

    def _grab(self, area: Rect) -> np.ndarray:
        assert self._grabber is not None
        try:
            return grab(self._grabber, area)
        except SourceLost:
            self._disconnect()  # the desktop has another size, or is gone: a new connection will know
            raise

    def _capture(self) -> np.ndarray:
        area = self._area()
        looked = self._look_around(area)
        visible = intersect(area, self._layout[0])
        if visible is None:
            raise SourceLost(f"screen: {_say(area)} lies outside of {_say(self._layout[0])}; move the window back")
        picture = self._grab(visible)
        if visible != area or self._clear is not None:
            picture = self._keep_hidden(picture, area, visible)
        if looked:
            self._known = picture.copy()
        return picture

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
        mask = preview_mask(self._windows.windows(), area)
        self._clear = None if mask is None else 1 - mask.astype(np.uint8)
        return True

    def _keep_hidden(self, part: np.ndarray, area: Rect, visible: Rect) -> np.ndarray:
        """Lay ``part``, the ``visible`` one, into a picture of ``area``; what is hidden stays as it was last known."""
        scale = part.shape[1] / visible.width
        size = Size(round(area.width * scale), round(area.height * scale))
        picture = np.full((size.height, size.width, 3), 255, np.uint8)
        if self._known is not None:
            height, width = min(size.height, self._known.shape[0]), min(size.width, self._known.shape[1])
            picture[:height, :width] = self._known[:height, :width]
        x, y = round((visible.x - area.x) * scale), round((visible.y - area.y) * scale)
        inside = picture[y : y + part.shape[0], x : x + part.shape[1]]
        part = part[: inside.shape[0], : inside.shape[1]]
        if self._clear is None:
            inside[:] = part
            return picture
        clear = self._clear if scale == 1.0 else cv2.resize(self._clear, size, interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(part, clear[y : y + part.shape[0], x : x + part.shape[1]], inside)
        return picture


def _say(rect: Rect) -> str:
    return f"{rect.size} at {rect.x},{rect.y}"
