"""What is logged, as lines of JSON in a file: for those who run servers, and for the programs that collect such lines.

Each line is a mapping with ``time`` (ISO 8601, UTC), ``level``, ``from`` (which part), ``text``, and what else was
named with it: ``drawing`` is a drawing's tag, which is no secret, while its name lets whoever knows it draw.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from .errors import ConfigError
from .plain import reason

NAME = "inkstream"
WAITING = 10_000  # lines that a slow disk may be behind; then they are dropped, and no drawing waits
_OWN = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Whatever was given as ``extra`` stands beside the text."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        part = record.name.removeprefix(f"{NAME}.stream.").removeprefix("app.")
        line = {"time": when, "level": record.levelname.lower(), "from": part, "text": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in _OWN and name[0] != "_"}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _Queue(logging.handlers.QueueHandler):
    """Nobody who logs waits for the disk."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # it stays in this process, and its trace is wanted

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:  # said by the gap alone: to log it would need the same queue
            return


@contextmanager
def logged(path: Path | None) -> Iterator[None]:
    """Inside the block everything that inkstream logs, INFO and above, is added to a file; None: nothing is.

    Raises ConfigError for a file that cannot be written.
    """
    if path is None:
        yield
        return
    place = path.expanduser()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = logging.FileHandler(place, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--log: {path} cannot be written: {reason(error)}; name another file") from error
    file.setFormatter(Lines())
    line: queue.Queue[logging.LogRecord] = queue.Queue(WAITING)
    handler, listener = _Queue(line), logging.handlers.QueueListener(line, file)
    ours = logging.getLogger(NAME)
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    listener.start()
    try:
        yield
    finally:
        ours.setLevel(before)
        ours.removeHandler(handler)
        listener.stop()
        file.close()
