"""A prompt that nobody wrote, guessed from the drawing: read on a thread of its own, at its own pace.

What it finds becomes the setting ``guessed``, through ``update`` as any other change: it fades in as prompts do, and
pictures say that they were made with it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...lora.guess import NOTHING, guess
from ...lora.reader import DrawingReader, read_drawing, reader_of
from ..base.config import StreamConfig
from ..base.errors import InkstreamError, ModelError, StreamClosed

log = logging.getLogger(__name__)
PACE = 0.15  # seconds between two readings, so that they take little from the pictures
REST = 0.4  # seconds without a new drawing after which what was read last stands without a second reading
FIRST = 30.0  # seconds that ``settle`` waits at most


class Guessing:
    """Reads drawings where the prompt is empty and the model brings a reader; else it does nothing, and costs nothing.

    Two readings one after the other must agree, or the hand rest, before anything changes.
    """

    def __init__(self, pipe: Any, known: Mapping[str, Sequence[str]], pace: float = PACE, rest: float = REST) -> None:
        """``known``: the model's words by tags. A reader that is damaged is said, and then not used."""
        self._network: DrawingReader | None = None
        try:
            self._network = reader_of(pipe) if known else None
        except ModelError as error:
            log.warning("%s; so no prompt is guessed from drawings", error)
        self._known = known
        self._box = _Box(pace, rest)
        self._end = weakref.finalize(self, self._box.close)
        self._begun = False

    @property
    def can(self) -> bool:
        """Whether the model brings a reader."""
        return self._network is not None

    def through(self, update: Callable[..., Any]) -> None:
        """How a guess is told: by a method ``update(guessed=...)``, from the thread that reads. What it belongs to is
        not kept alive."""
        self._box.told_by(weakref.WeakMethod(update))

    def see(self, lines: np.ndarray | None, config: StreamConfig) -> None:
        """A drawing that is rendered now under a configuration: (H, W) uint8, white on black. Takes no time."""
        if self._network is None or lines is None:
            return
        if not self._begun:
            self._begun = True
            given = self._network, self._known, self._box
            threading.Thread(target=_work, args=given, name="inkstream reader", daemon=True).start()
        self._box.put(lines, config.guessed)

    def settle(self) -> None:
        """Wait until the newest drawing was read, and what it shows was told."""
        self._box.settle()

    def close(self) -> None:
        """End the thread."""
        self._end()


class _Box:
    """Between who draws and who reads: the newest drawing, and what was guessed when it was rendered."""

    def __init__(self, pace: float, rest: float) -> None:
        self._changed = threading.Condition()
        self._lines: np.ndarray | None = None
        self._guessed = ""
        self._update: Callable[[], Any] = lambda: None
        self._pace, self._rest = pace, rest
        self._busy = self._closed = False

    def told_by(self, update: Callable[[], Any]) -> None:
        self._update = update

    def put(self, lines: np.ndarray, guessed: str) -> None:
        with self._changed:
            self._lines, self._guessed, self._busy = lines, guessed, True
            self._changed.notify_all()

    def take(self, doubtful: bool) -> tuple[bool, np.ndarray | None, str]:
        """Whether to go on; the newest drawing, None where none came while one was ``doubtful``; what was guessed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, self._pace)
            ready = lambda: self._lines is not None or self._closed
            self._busy = self._lines is not None or doubtful
            self._changed.notify_all()
            self._changed.wait_for(ready, self._rest if doubtful else None)
            lines, self._lines = self._lines, None
            return not self._closed, lines, self._guessed

    def tell(self, text: str) -> None:
        update = self._update()
        if update is None:  # whom it belonged to is gone, and the next one draws first
            return
        try:
            update(guessed=text)
        except StreamClosed:
            self.close()
        except InkstreamError as error:
            log.warning("what the drawing shows (%r) was not taken: %s", text, error)
        with self._changed:
            self._guessed = text

    def settle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._busy or self._closed, FIRST)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _work(network: DrawingReader, known: Mapping[str, Sequence[str]], box: _Box) -> None:
    shown, doubtful = NOTHING, None
    while True:
        going, lines, guessed = box.take(doubtful is not None)
        if not going:
            return
        found = doubtful
        if lines is not None:
            before = shown if shown.text(network.words) == guessed else NOTHING
            found = guess(read_drawing(network, lines), network.words, known, before)
            if found.text(network.words) == guessed:
                shown, doubtful = found, None
                continue
            if found != doubtful:
                doubtful = found
                continue
        shown, doubtful = found or NOTHING, None
        box.tell(shown.text(network.words))
