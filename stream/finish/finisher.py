"""Finishing beside a live stream, on a thread of its own that the others go before."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ...lora.load import load_pipeline
from ..base.errors import InkstreamError
from ..base.files import write_new
from ..base.frame import Output
from ..base.kept import name_of, png_with
from ..base.making import Making
from ..base.plain import reason
from ..base.progress import Progress
from ..loop.stream import Stream
from .still import Kept, Still, finish, to_load

log = logging.getLogger(__name__)
FOLDER = "inkstream-output"
NICE = 19  # how much later the system gives this thread, and PyTorch's under it, a core than the live stream
CLOSE_WITHIN = 1.5  # seconds
CANCELLED = "not finished: cancelled"


class Stopped(Exception):
    """Somebody cancelled."""


class News(NamedTuple):
    """How one ended."""

    path: Path | None
    """The file; None where there is none."""
    said: str
    """That, or why not, for people."""


def _log(said: str, good: bool = False) -> None:
    log.info("%s", said)


class Finisher:
    """Finishes one picture at a time, and saves it. Any thread may call; nothing waits.

    ``pipe_of(making, progress)`` gives the pipeline that a picture was made with, as it was loaded; it is called on
    the thread that finishes, and may raise. ``say`` is told how each one ended, and with
    ``good`` whether nothing went wrong.
    """

    def __init__(
        self,
        pipe_of: Callable[[Making, Progress], Any],
        folder: str | Path = FOLDER,
        say: Callable[..., Any] = _log,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.folder = Path(folder).expanduser()
        self.say = say
        self._pipe_of = pipe_of
        self._now = now
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._at = ("", 0.0)
        self._news: list[News] = []

    def start(self, output: Output, scale: int = 2, steps: int | None = None, folder: str | Path | None = None) -> bool:
        """Begin to finish a picture, ``scale`` (1, 2 or 4) times as large; False, and nothing, while one is under way.

        It goes to ``folder``, or to the finisher's own. Raises ConfigError for a picture of which nobody knows how it
        was made.
        """
        kept = Kept.of(output)
        with self._lock:
            if self._thread is not None:
                return False
            self._cancelled.clear()
            self._at = ("getting ready", 0.0)
            name = f"{name_of(self._now(), output)}-{scale}x.png"
            path = (Path(folder).expanduser() if folder else self.folder) / name
            work = lambda: self._work(kept, scale, steps, path)
            self._thread = threading.Thread(target=work, name="inkstream finish", daemon=True)
            self._thread.start()
            return True

    def progress(self) -> tuple[str, float] | None:
        """What is being done, in words, and which share of all is done, 0 to 1; None when nothing is."""
        with self._lock:
            return None if self._thread is None else self._at

    def cancel(self) -> None:
        """End what is under way, at the next tile or step; nothing is saved."""
        self._cancelled.set()

    def news(self) -> list[News]:
        """How those ended that did since the last call."""
        with self._lock:
            news, self._news = self._news, []
            return news

    def close(self) -> None:
        """Cancel, and wait a little."""
        self.cancel()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_WITHIN)

    def _work(self, kept: Kept, scale: int, steps: int | None, path: Path) -> None:
        with contextlib.suppress(OSError, AttributeError):  # where threads have no priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            still = finish(self._pipe_of(kept.making, self._told), kept, scale, steps, self._told)
            news = self._saved(still, path)
        except Stopped:
            news = News(None, CANCELLED)
        except Exception as error:
            if not isinstance(error, InkstreamError):
                log.warning("not finished", exc_info=error)
            news = News(None, f"not finished: {reason(error)}")
        with self._lock:
            self._thread = None
            self._news.append(news)
        self.say(news.said, good=news.path is not None or news.said == CANCELLED)

    def _told(self, text: str, part: float | None = None) -> None:
        """Progress, from the thread that works."""
        if self._cancelled.is_set():
            raise Stopped
        self._at = (text, self._at[1] if part is None else part)

    def _saved(self, still: Still, path: Path) -> News:
        self._told("saving", 1.0)
        moment = self._now().astimezone().isoformat(timespec="seconds")
        path.parent.mkdir(parents=True, exist_ok=True)
        path = write_new(path, png_with(still.pixels, still.recipe(saved=moment)), durable=True)
        return News(path, f"finished: {path}")


def beside(stream: Stream) -> Finisher:
    """A finisher that shares the weights of a stream, for pictures of its model; any other model it loads."""

    def pipe_of(making: Making, progress: Progress) -> Any:
        given = getattr(stream, "given", None)
        if given is not None and making.model == str(getattr(given, "name_or_path", None) or ""):
            return given
        return load_pipeline(making.model, to_load(making.stream), progress)

    return Finisher(pipe_of)
