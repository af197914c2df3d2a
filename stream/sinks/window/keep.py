"""Keeping a result that flashed by: output, input, and what is known about them, written by a thread of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path

from ...base.files import png, unused, write_new
from ...base.frame import Output
from .. import Status

log = logging.getLogger(__name__)

MOST_WAITING = 8
CLOSE_WITHIN = 1.5  # seconds; the interpreter still finishes what takes longer


class Keeper:
    """Saves ``NAME.png``, ``NAME-input.png`` and ``NAME.json`` in ``folder``; the name is the time and the frame's id.

    No file is ever replaced or left half written. ``now`` gives the time of the name.
    """

    def __init__(self, folder: str | Path, now: Callable[[], datetime] = datetime.now) -> None:
        self.folder = Path(folder).expanduser()
        self._now = now
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keep")
        self._waiting: list[Future[Path]] = []

    def save(self, output: Output, status: Status) -> bool:
        """Start saving and return at once; False when too much waits already, because the disk does not keep up."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(self._pool.submit(self._save, output, status, self._now()))
        return True

    def news(self) -> list[str]:
        """What came of the saves that ended since the last call, in words."""
        ended = [future for future in self._waiting if future.done()]
        self._waiting = [future for future in self._waiting if not future.done()]
        words = []
        for future in ended:
            error = future.exception()
            if error is None:
                words.append(f"saved {future.result()}")
            elif isinstance(error, OSError):
                words.append(f"not saved: {error.strerror or error} ({self.folder})")
            else:
                raise error
        return words

    def close(self) -> None:
        """Let the saves that are under way end; nobody looks any more, so what failed goes to the log."""
        wait(self._waiting, timeout=CLOSE_WITHIN)
        for words in self.news():
            log.log(logging.INFO if words.startswith("saved") else logging.WARNING, words)
        self._pool.shutdown(wait=False)

    def _save(self, output: Output, status: Status, now: datetime) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = unused(self.folder / f"{now:%Y%m%d-%H%M%S}-{output.source_id:06d}.json").stem
        drawing = None
        if output.input is not None:
            drawing = write_new(self.folder / f"{name}-input.png", png(output.input), durable=True)
        picture = write_new(self.folder / f"{name}.png", png(output.pixels), durable=True)
        known = {
            "output": picture.name,
            "input": drawing and drawing.name,
            "saved_at": now.astimezone().isoformat(timespec="seconds"),
            "source_id": output.source_id,
            "captured_at": output.captured_at,
            "rendered_at": output.rendered_at,
            "revision": output.revision,
            "values": status.values,
        }
        text = json.dumps(known, indent=2, ensure_ascii=False, default=str)
        write_new(self.folder / f"{name}.json", text.encode(), durable=True)
        return picture
