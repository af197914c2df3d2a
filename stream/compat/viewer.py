"""The window that two of StreamDiffusion's programs open in a process of its own."""

from __future__ import annotations

import queue as queues
from typing import Any

from ..base.errors import SinkClosed
from ..base.frame import Output, Size
from ..sinks import Status
from .pictures import levels, signed


def receive_images(queue: Any, fps_queue: Any) -> None:
    """Show the newest tensor of ``queue``, (3, H, W) or (F, 3, H, W) in [-1, 1], and the newest number of
    ``fps_queue``, until the window is closed or Ctrl-C is pressed. Both are queues of ``multiprocessing``; call it on
    the main thread.

    Raises SinkUnavailable when there is no display.
    """
    from ..sinks.window.sink import WindowSink

    window = WindowSink()
    output, fps, number = None, 0.0, 0
    try:
        while True:
            newest = _newest(queue, WindowSink.interval)
            if newest is not None:
                number += 1
                output = Output(levels(signed(newest))[-1], number, 0.0, 0)
            fps = _newest(fps_queue) or fps
            size = Size.of(output.pixels) if output else Status.size
            window.write(output, Status("live" if output else "warming", fps=fps, size=size))
    except (SinkClosed, KeyboardInterrupt):
        return
    finally:
        window.close()


def _newest(queue: Any, seconds: float | None = None) -> Any:
    """The newest entry that is there within so many seconds, or None; those before it are let go."""
    entry = None
    try:
        entry = queue.get(timeout=seconds) if seconds else queue.get_nowait()
        while True:
            entry = queue.get_nowait()
    except queues.Empty:
        return entry
