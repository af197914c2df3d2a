"""Pictures of a drawing that somebody else makes and puts here: the studio's page, or a program of one's own.

A program holds on to the source that it gives a session::

    canvas = open_source("canvas:")
    Session(canvas, stream, ["window"]).start()
    canvas.put(pixels)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.errors import FrameError, SourceEnded
from ..base.frame import Origin
from ..base.mailbox import Mailbox, MailboxClosed
from ..base.spec import Kind, Spec

AGAIN = 0.5  # seconds after which the last picture is given again: a hand that rests is no source that stalls


class CanvasSource:
    """Gives what was put last, the newest first, and again now and then while nothing comes.

    ``put`` may be called from any thread and never waits. ``again`` in seconds.
    """

    live = True

    def __init__(self, again: float = AGAIN) -> None:
        self.origin = Origin()
        self._again = again
        self._box: Mailbox[tuple[np.ndarray, Any]] = Mailbox()
        self._last: tuple[np.ndarray, Any] | None = None

    def put(self, pixels: np.ndarray, mark: Any = None) -> bool:
        """Leave a picture, ``(H, W, 3)`` uint8 RGB, which nobody changes any more; its renders have ``mark`` in their
        ``origin``. Returns whether one that nobody had taken is left out for it, and False when it is closed.

        Raises FrameError for anything else than such a picture.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise FrameError(f"canvas: got {pixels.dtype} {pixels.shape}, expected (height, width, 3) of uint8")
        try:
            return self._box.put((np.ascontiguousarray(pixels), mark))
        except MailboxClosed:
            return False

    def read(self) -> np.ndarray:
        """The newest picture, ``(H, W, 3)`` uint8 RGB; the first is waited for. Raises SourceEnded when closed."""
        try:
            self._last = self._box.get(None if self._last is None else self._again)
        except TimeoutError:
            assert self._last is not None  # the first one is waited for without an end
        except MailboxClosed:
            raise SourceEnded("canvas: closed") from None
        pixels, mark = self._last
        self.origin = Origin(mark=mark)
        return pixels

    def close(self) -> None:
        """May come twice."""
        self._box.close()


def open(spec: Spec) -> CanvasSource:
    """``canvas``; takes no options."""
    spec.take(KIND.options)
    return CanvasSource()


KIND = Kind("what is drawn on the studio's page, in any browser", ("canvas:",), {}, CanvasSource)
