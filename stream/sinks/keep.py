"""Keeping a result that flashed by, with what it was made of and how, by a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..base.files import png, unused, write_new
from ..base.frame import Output
from ..base.kept import name_of, png_with, recipe_of
from ..base.openraster import layers_of, openraster
from ..base.plain import one_line
from . import Status

log = logging.getLogger(__name__)

MOST_WAITING = 8
HISTORY = "history"  # what a recipe says a picture is ``from`` that was recorded, as WebP, and not seen just now
CLOSE_WITHIN = 1.5  # seconds; a disk that takes longer does not keep the process


class Task(NamedTuple):
    """A picture to be kept."""

    output: Output
    when: datetime
    """The time in its name."""
    known: dict[str, Any]


class Keeper:
    """Saves ``NAME.png``, with the recipe inside, ``NAME-input.png``, and both as layers in ``NAME.ora`` (OpenRaster)
    in ``folder``; the name is the time and the first words of the prompt.

    No file is ever replaced or left half written. ``now`` gives the time of the name. ``done`` is called with each
    path, or the error, on the thread that saves.
    """

    def __init__(
        self,
        folder: str | Path,
        now: Callable[[], datetime] = datetime.now,
        done: Callable[[Path | Exception], None] | None = None,
    ) -> None:
        self.folder = Path(folder).expanduser()
        self._now = now
        self._done = done
        self._tasks: queue.SimpleQueue[tuple[Future[str], Task] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="keep", daemon=True).start()
        self._waiting: list[Future[str]] = []

    def save(self, output: Output, status: Status, when: datetime | None = None, **known: Any) -> bool:
        """Start saving and return at once; False when too much waits already, because the disk does not keep up.

        ``when`` it was seen, by default now; ``known`` is what else the recipe says of the picture, as in
        ``kept.recipe_of``.
        """
        if len(self._waiting) >= MOST_WAITING:
            return False
        future: Future[str] = Future()
        self._waiting.append(future)
        now = self._now()
        more = {"saved": now.astimezone().isoformat(timespec="seconds"), **known}
        self._tasks.put((future, Task(output, when or now, more)))
        return True

    def name_for(self, output: Output, ending: str) -> Path:
        """Where something of this picture may be written now; what is there already is for the writer to avoid."""
        return self.folder / f"{name_of(self._now(), output)}{ending}"

    def news(self) -> list[str]:
        """What came of the saves that ended since the last call, in words."""
        ended = [future for future in self._waiting if future.done()]
        self._waiting = [future for future in self._waiting if not future.done()]
        words = []
        for future in ended:
            error = future.exception()
            if error is None:
                words.append(f"saved {one_line(future.result())}")
            elif isinstance(error, OSError):
                words.append(f"not saved: {error.strerror or error} ({one_line(self.folder)})")
            else:
                raise error
        return words

    def close(self) -> None:
        """Let the saves that are under way end; nobody looks any more, so what failed goes to the log."""
        wait(self._waiting, timeout=CLOSE_WITHIN)
        for words in self.news():
            log.log(logging.INFO if words.startswith("saved") else logging.WARNING, words)
        if self._waiting:
            log.warning("not saved: %d pictures, %s does not answer", len(self._waiting), self.folder)
        self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, each = task
            kept: Path | Exception
            try:
                kept = self._save(each)
                future.set_result(f"{kept}, as it was recorded" if each.known.get("from") == HISTORY else str(kept))
            except Exception as error:  # noqa: BLE001 - it is raised, or said, where the news are read
                kept = error
                future.set_exception(error)
            if self._done is not None:
                self._done(kept)

    def _save(self, task: Task) -> Path:
        output, more = task.output, dict(task.known)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = unused(self.folder / f"{name_of(task.when, output)}.png").stem
        if output.input is not None:
            drawing = write_new(self.folder / f"{name}-input.png", png(output.input), durable=True)
            more["input"] = drawing.name
        recipe = recipe_of(output, **more)
        picture = write_new(self.folder / f"{name}.png", png_with(output.pixels, recipe), durable=True)
        layers = openraster(layers_of(output), output.pixels, recipe)
        write_new(self.folder / f"{name}.ora", layers, durable=True)
        return picture
