"""The preview without a screen, with SDL's dummy driver: what goes in, what is seen, and keys by their names."""

import threading
import time
from datetime import datetime

import numpy as np
import pytest

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.base.making import Making
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink

NOON = datetime(2031, 2, 3, 12, 0, 0)
VALUES = {"prompt": "a fox", "drawing_influence": 50.0, "rendered": 12}
LIVE = Status(state="live", values=VALUES)
RED, BLUE = (220, 40, 40), (40, 40, 220)
MAKING = Making("ink-tiny", StreamConfig.build(prompt="a red car"))


def output(colour=RED, number: int = 1, revision: int = 1, drawing=BLUE, size=(64, 64)) -> Output:
    pixels = np.full((size[1], size[0], 3), colour, np.uint8)
    drawn = None if drawing is None else np.full((64, 64, 3), drawing, np.uint8)
    return Output(pixels, number, float(number), revision, drawn, making=MAKING)


class Session:
    """What the session's controls were asked for."""

    def __init__(self) -> None:
        self.updates: list[dict] = []
        self.freezes: list[bool] = []

    def update(self, **changes) -> None:
        self.updates.append(changes)

    def freeze(self, frozen: bool) -> None:
        self.freezes.append(frozen)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    return pytest.importorskip("pygame")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def window(pygame, tmp_path, clock):
    sink = WindowSink(size=Size(400, 300), save_dir=tmp_path / "kept", clock=clock, now=lambda: NOON, state=tmp_path)
    sink.controls = Session()
    yield sink
    sink.close()


@pytest.fixture
def press(pygame, window):
    """Press keys, by name, and let the window handle them."""

    def press(*names: str, shown: Output | None = None, status: Status = LIVE) -> None:
        for name in names:
            *modifiers, key = name.split("+") if len(name) > 1 else [name]
            bits = sum(getattr(pygame, f"KMOD_{each}") for each in modifiers)
            code = getattr(pygame, f"K_{key}", None) or ord(key)
            text = key if len(key) == 1 else ""
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code, mod=bits, unicode=text))
        window.write(shown, status)

    return press


def seen(pygame) -> np.ndarray:
    """What the window shows: ``(H, W, 3)`` uint8 RGB."""
    return pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)


def toast_with(window: WindowSink, words: str) -> str:
    """The toast, once it has these words in it: saving takes a moment."""
    tick, end = threading.Event(), time.perf_counter() + 20
    while words not in window.shown.toast:
        assert time.perf_counter() < end, f"never said, the last toast: {window.shown.toast!r}"
        tick.wait(0.002)
        window.write(None, LIVE)
    return window.shown.toast


def typed(pygame, text: str) -> None:
    pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=text))
