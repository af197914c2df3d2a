"""A desktop for benches: an X server where there is none, a paint program, a hand, and an eye. Linux only."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

import numpy as np

from ..stream.base.errors import ConfigError
from ..stream.base.frame import Rect
from ..stream.sources.screen.grab import grab, let_go, open_mss
from ..stream.sources.screen.windows import find_window, open_window_system
from ._canvas import SPOT

TITLE = "inkstream latency canvas"
SCREEN = "1600x1000x24"
CANVAS_AT, PREVIEW_AT = (20, 20), (700, 20)  # side by side, so that the preview never covers the canvas
SEEN = 8  # levels of 255: a change of less is none
STARTED = 20.0  # seconds in which a program must be ready
BLINK = 0.001  # seconds between two looks


class Desk(AbstractContextManager["Desk"]):
    """The canvas on a display, and the hand that clicks on it.

    ``display``: an X display such as ``":0"``; None starts Xvfb. ``side``: of the square canvas in pixels. While it is
    open the environment of this process points to that display. Raises ConfigError where a program is missing.
    """

    def __init__(self, display: str | None, side: int) -> None:
        if not sys.platform.startswith("linux"):
            raise ConfigError("latency: measured on X11 only, because xdotool makes the events; run it on Linux")
        for program in ("xdotool", *(("Xvfb",) if display is None else ())):
            if shutil.which(program) is None:
                raise ConfigError(f"latency: needs {program} (Debian, Ubuntu: apt install {program.lower()})")
        self.side = side
        self._wanted = display
        self._stack = ExitStack()
        self._canvas: Any = None
        self._hand: Any = None
        self.canvas = Rect(0, 0, side, side)  # where it is on the screen

    def __enter__(self) -> Desk:
        try:
            display = self._wanted or start_server(self._stack)
            self._set("DISPLAY", display)
            self._set("SDL_VIDEODRIVER", "x11")
            for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
                self._set(name, None)
            self._set("SDL_VIDEO_WINDOW_POS", "{},{}".format(*CANVAS_AT))
            self._set("PYGAME_HIDE_SUPPORT_PROMPT", "1")
            command = [sys.executable, "-m", f"{__package__}._canvas", TITLE, str(self.side)]
            self._canvas = self._start(command, stdout=subprocess.PIPE)
            if self._answer(STARTED) != "ready":
                raise ConfigError(f"latency: the canvas did not open within {STARTED:g} s on display {display}")
            self._set("SDL_VIDEO_WINDOW_POS", "{},{}".format(*PREVIEW_AT))
            self._hand = self._start(["xdotool", "-"], stdin=subprocess.PIPE)
            self.canvas = window_named(TITLE)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def point(self, x: int, y: int) -> None:
        """Move the pointer to a place on the canvas."""
        self._say(f"mousemove {self.canvas.x + x} {self.canvas.y + y}")

    def press(self) -> float:
        """Press the mouse button; the moment before, in seconds of ``time.perf_counter``."""
        moment = time.perf_counter()
        self._say("mousedown 1 sleep 0.08 mouseup 1")  # a hand holds it for longer than a look of the screen takes
        return moment

    def painted(self, timeout: float = 5.0) -> float:
        """Wait until the canvas has painted; that moment. Raises ConfigError when it does not."""
        line = self._answer(timeout)
        if not line:
            raise ConfigError(f"latency: a click did not reach the canvas within {timeout:g} s; is it covered?")
        return float(line)

    def _say(self, command: str) -> None:
        self._hand.stdin.write(f"{command}\n")
        self._hand.stdin.flush()

    def _answer(self, timeout: float) -> str:
        ready, _, _ = select.select([self._canvas.stdout], [], [], timeout)
        return self._canvas.stdout.readline().strip() if ready else ""

    def _start(self, command: list[str], **pipes: Any) -> Any:
        return _started(self._stack, command, **pipes)

    def _set(self, name: str, value: str | None) -> None:
        before = os.environ.get(name)
        self._stack.callback(put, name, before)
        put(name, value)


def start_server(stack: ExitStack) -> str:
    """Start Xvfb, which ends with ``stack``; the name of its display. Raises ConfigError where there is none."""
    if shutil.which("Xvfb") is None:
        raise ConfigError("needs Xvfb (Debian, Ubuntu: apt install xvfb), or a --display")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]
    try:
        _started(stack, command, pass_fds=[writer], stdout=subprocess.DEVNULL)
    finally:
        os.close(writer)
    with open(reader, "rb") as answer:  # it writes the number when it is ready for clients
        ready, _, _ = select.select([answer], [], [], STARTED)
        number = answer.readline().strip().decode() if ready else ""
    if not number:
        raise ConfigError(f"Xvfb gave no display within {STARTED:g} s")
    return f":{number}"


def _started(stack: ExitStack, command: list[str], **pipes: Any) -> Any:
    program = subprocess.Popen(command, text=True, stderr=subprocess.DEVNULL, **pipes)
    stack.callback(_end, program)
    return program


class Eye:
    """Looks at a part of the screen, again and again; belongs to the thread that made it."""

    def __init__(self, area: Rect) -> None:
        self._area = area
        self._screen = open_mss(False)

    def look(self) -> np.ndarray:
        """What is there now: (H, W, 3) uint8."""
        return grab(self._screen, self._area)

    def change(self, before: np.ndarray, timeout: float, stop: threading.Event) -> float | None:
        """Wait until it looks different; the moment it was seen, or None when nothing changed."""
        end = time.perf_counter() + timeout
        while time.perf_counter() < end and not stop.is_set():
            now = self.look()
            if differs(before, now):
                return time.perf_counter()
            stop.wait(BLINK)
        return None

    def close(self) -> None:
        """Let go of the connection."""
        let_go(self._screen)


def differs(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether any pixel of one differs visibly from the other."""
    return bool((np.abs(a.astype(np.int16) - b) > SEEN).any())


def window_named(title: str) -> Rect:
    """Where the window with this title is on the screen."""
    system = open_window_system()
    try:
        return find_window(system.windows(), title).content
    finally:
        system.close()


def preview_window() -> Rect:
    """Where our preview is on the screen; raises ConfigError when there is none."""
    system = open_window_system()
    try:
        found = [window.content for window in system.windows() if window.is_preview]
    finally:
        system.close()
    if not found:
        raise ConfigError("latency: the preview window is not on the screen")
    return found[-1]


def spots(side: int, margin: int = 3 * SPOT) -> list[tuple[int, int]]:
    """Places on the canvas that do not touch each other, from the upper left to the lower right."""
    line = list(range(margin, side - margin + 1, 3 * SPOT))
    return [(x, y) for y in line for x in line]


def put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _end(program: Any) -> None:
    program.terminate()
    try:
        program.wait(timeout=5)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    for pipe in (program.stdin, program.stdout):
        if pipe is not None:
            pipe.close()
