"""A drawing on the disk: every operation once, in order, in a file that only grows."""

from __future__ import annotations

import json
import logging
import os
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from ...base.errors import DataError, InkstreamError
from ...base.files import replacing
from ...base.locks import Busy, locked
from ...base.plain import reason
from ...base.private import make_private
from ...history.records import RecordWriter, records
from .document import UNDOABLE

log = logging.getLogger(__name__)
FILE, LOCK = "drawing.ink", "lock"
BEGIN, OPS = "BEGI", "OPS "
MOST_BYTES = 32 << 20  # of a drawing's operations
MOST_CLIENTS = 10_000  # lives of pages whose numbers are remembered; the oldest are forgotten
TIDY = 2000  # operations of strokes that are complete, from which the file is put together anew when it is opened
LONGEST = 100_000  # numbers of a stroke that becomes one operation
BATCH, BATCH_BYTES = 200, 1 << 18  # operations of one record
OPEN_WITHIN = 2.0  # seconds for another process to let go of a drawing, as when a server is replaced


class DrawingFull(InkstreamError):
    """There is no room in a drawing for more operations."""


class DrawingBusy(InkstreamError):
    """Another server has the drawing open."""


class Added(NamedTuple):
    """What came of operations."""

    lines: list[bytes]
    """Those that are new, as they are kept."""
    number: int
    """The client's last that is kept now."""
    missing: bool
    """Whether some had not come: those behind it were not taken."""


class Drawing:
    """The operations of a drawing in ``folder``, which is made where there is none.

    Nobody else may have it open meanwhile, in this process or another: raises DrawingBusy. Raises OSError, and
    DataError for a file that is none of ours. What a kill cut off is not part of it any more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = make_private(folder)
        self.revision = 0
        self.base = 0  # revision from which on every operation is there by itself; before it strokes are put together
        self.kept: dict[str, int] = {}  # the number of each client's last operation
        self._lines: list[bytes] = []  # the operations as JSON: as objects they would take ten times as much memory
        self._revisions = array("q")  # of the same
        self._parts = 0  # operations of them that only go on with a stroke
        self._counts: dict[str, bool] = {}  # what can be undone, in order, and whether it counts
        self._undone: list[str] = []  # what can be redone, the newest last
        self._dirty = False
        self._open = ExitStack()
        try:
            self._open.enter_context(locked(folder / LOCK, OPEN_WITHIN, mode=0o600))
        except Busy as error:
            raise DrawingBusy(f"this drawing is open in another server: {error}; close that, or draw there") from error
        try:
            self._read()
        except BaseException:
            self._open.close()
            raise

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._file.size

    @property
    def empty(self) -> bool:
        """Whether nothing was ever drawn in it."""
        return self.revision == 0

    def add(self, client: str, ops: Sequence[Any]) -> Added:
        """Keep operations of a client (of ``document.Op``); those that are known already change nothing.

        When it returns they are in the file. Raises DrawingFull, and OSError of the disk: then none of them is kept.
        """
        last = self.kept.get(client, 0)
        fresh: list[dict[str, Any]] = []
        missing = False
        for op in ops:
            if op.number <= last:
                continue
            if op.number > last + 1:
                missing = True
                break
            last += 1
            said = op.model_dump(exclude_defaults=True)
            fresh.append({"client": client, "revision": self.revision + len(fresh) + 1, **said})
        if not fresh:
            return Added([], last, missing)
        lines = [_line(op) for op in fresh]
        if self.size + sum(map(len, lines)) > MOST_BYTES:
            raise DrawingFull(f"this drawing is full: it has {MOST_BYTES >> 20} MB of strokes; begin a new one")
        self._file.append(OPS, {"ops": fresh})
        self._dirty = True
        for op, line in zip(fresh, lines, strict=True):
            self._take(op, line)
        return Added(lines, last, missing)

    def after(self, revision: int) -> tuple[bool, list[bytes]]:
        """What who has a drawing up to ``revision`` lacks, and whether they must forget what they have first."""
        reset = revision > self.revision or 0 < revision < self.base
        if reset or not revision:
            return reset, list(self._lines)
        return False, self._lines[bisect_right(self._revisions, revision) :]

    def to_undo(self) -> str | None:
        """The newest operation that counts, of those that can be undone."""
        return next((name for name, counts in reversed(self._counts.items()) if counts), None)

    def to_redo(self) -> str | None:
        """The one that was undone last, if nothing was drawn since."""
        return self._undone[-1] if self._undone else None

    def sync(self) -> None:
        """Wait until what was added outlives a power cut. Raises OSError."""
        if self._dirty:
            self._dirty = False
            self._file.to_disk()

    def close(self) -> None:
        """May come twice."""
        try:
            self.sync()
        finally:
            self._file.close()
            self._open.close()

    def _read(self) -> None:
        path, end = self.folder / FILE, 0
        if not path.exists():
            self._file = RecordWriter(path)
            self._file.append(BEGIN, {"drawing": 1})
            return
        for record in records(path):
            end = record.end
            if record.kind == BEGIN:
                if record.known.get("drawing") != 1:
                    raise DataError(
                        f"{path}: got a drawing of another inkstream, expected format 1; a newer one reads it"
                    )
                self.base = self.revision = int(record.known.get("base", 0))
                self.kept = dict(record.known.get("kept", {}))
            try:
                for op in record.known.get("ops", ()):
                    self._take(op, _line(op))
            except (KeyError, TypeError, AttributeError) as error:
                raise DataError(f"{path}: got an operation without {error}, expected what inkstream wrote") from error
        if self._parts >= TIDY:
            end = self._tidied(end)
        self._file = RecordWriter(path, end)

    def _take(self, op: dict[str, Any], line: bytes) -> None:
        self._lines.append(line)
        self._revisions.append(op["revision"])
        self._parts += op["op"] in ("points", "end")
        self.revision = max(self.revision, op["revision"])
        client, name, of = op["client"], f"{op['client']}.{op['number']}", op.get("of", "")
        self.kept[client] = max(op["number"], self.kept.pop(client, 0))
        if len(self.kept) > MOST_CLIENTS:
            del self.kept[next(iter(self.kept))]
        what = op["op"]
        if what in UNDOABLE:
            self._counts[name] = True
            self._undone.clear()
        elif what == "undo" and self._counts.get(of):
            self._counts[of] = False
            self._undone.append(of)
        elif what == "redo" and of in self._undone:
            self._counts[of] = True
            self._undone.remove(of)

    def _tidied(self, end: int) -> int:
        """Put strokes that are complete together, each one operation, in a file that takes the place of this one.

        Returns where that ends; where it cannot be written, the old one stays, and so does its ``end``.
        """
        path, ops = self.folder / FILE, put_together(json.loads(line) for line in self._lines)
        try:
            with replacing(path) as part:
                file = RecordWriter(part)
                try:
                    file.append(BEGIN, {"drawing": 1, "base": self.revision, "kept": self.kept})
                    for batch in _batches(ops):
                        file.append(OPS, {"ops": batch})
                finally:
                    file.close()
        except OSError as error:
            log.warning("%s: strokes are not put together: %s", path, reason(error))
            return end
        self.base, self._lines = self.revision, [_line(op) for op in ops]
        self._revisions = array("q", (op["revision"] for op in ops))
        return os.path.getsize(path)


def put_together(ops: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same drawing, where a stroke that is complete is one operation with all its points."""
    made: list[dict[str, Any]] = []
    parts: dict[str, list[dict[str, Any]]] = {}
    ended: set[str] = set()
    listed = list(ops)
    for op in listed:
        if op["op"] == "points":
            parts.setdefault(op["of"], []).append(op)
        elif op["op"] == "end":
            ended.add(op["of"])
    begun = {f"{op['client']}.{op['number']}" for op in listed if op["op"] == "begin"}
    whole = {
        name for name in ended & begun if sum(len(part.get("points", ())) for part in parts.get(name, ())) <= LONGEST
    }
    for op in listed:
        if op["op"] in ("points", "end") and op["of"] in whole:
            continue
        name = f"{op['client']}.{op['number']}"
        made.append(_joined([op, *parts.get(name, ())]) if op["op"] == "begin" and name in whole else op)
    return made


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    points = [number for part in parts for number in part.get("points", ())]
    leans = any(part.get("tilt") for part in parts)
    joined = {**parts[0], "points": points}
    if leans:
        joined["tilt"] = [
            number for part in parts for number in part.get("tilt") or [0] * (len(part.get("points", ())) // 2)
        ]
    return joined


def _line(op: dict[str, Any]) -> bytes:
    return json.dumps(op, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _batches(ops: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for op in ops:
        length = len(_line(op))
        if batch and (len(batch) >= BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(op)
        size += length
    if batch:
        yield batch
