"""Changes of settings that wait for the thread that makes them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from ..base.config import BY_PLACE, StreamConfig, may_be_none
from ..base.mailbox import MailboxClosed
from ..base.plain import reason

LIMIT = 256
Task = Callable[[], None]


class Changes:
    """In order of arrival; a change of the same settings as the waiting one before it is merged into that.

    So a slider that moves faster than a prompt can be encoded never falls behind.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[dict[str, Any] | Task] = deque()
        self._closed = False

    def put(self, changes: dict[str, Any]) -> None:
        """Leave a change. Raises MailboxClosed, or OverflowError when 256 different ones are waiting."""
        with self._changed:
            if self._closed:
                raise MailboxClosed
            before = self._waiting[-1] if self._waiting else {}
            if (
                isinstance(before, dict)
                and before.keys() == changes.keys()
                and all(_mergeable(before[name], changes[name]) for name in changes)
            ):
                self._waiting[-1] = {
                    name: _merged(before[name], value, may_be_none(StreamConfig, name), BY_PLACE.get(name))
                    for name, value in changes.items()
                }
            elif len(self._waiting) >= LIMIT:
                raise OverflowError(f"{LIMIT} changes are waiting already; try again when the picture has changed")
            else:
                self._waiting.append(dict(changes))
            self._changed.notify_all()

    def put_task(self, task: Task) -> None:
        """Leave something else that the thread must do in its turn. Raises as ``put`` does."""
        with self._changed:
            if self._closed:
                raise MailboxClosed
            if len(self._waiting) >= LIMIT:
                raise OverflowError(f"{LIMIT} changes are waiting already; try again when the picture has changed")
            self._waiting.append(task)
            self._changed.notify_all()

    def get(self) -> dict[str, Any] | Task:
        """Wait for a change, or a task; raises MailboxClosed when it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                raise MailboxClosed
            return self._waiting.popleft()

    def close(self) -> None:
        """Drop what is waiting and wake everybody."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()


def _mergeable(old: Any, new: Any) -> bool:
    """A partial change of something that ``old`` replaces as a whole cannot be said in one change."""
    return old is None or _partial(old) or not _partial(new)


def _merged(old: Any, new: Any, sets: bool = False, parts: type[BaseModel] | None = None) -> Any:
    """The value that does what ``old`` and then ``new`` would do; None changes nothing, unless it ``sets`` None.
    ``parts``: what the items of a list are."""
    if new is None:
        return None if sets else old
    if isinstance(old, dict) and isinstance(new, dict):
        none = [name for name, value in new.items() if value is None and not (parts and may_be_none(parts, name))]
        return {**old, **{name: value for name, value in new.items() if name not in none}}
    if isinstance(old, list | tuple) and _partial(old) and _partial(new):
        length = max(len(old), len(new))
        padded = ([*items, *[None] * (length - len(items))] for items in (old, new))
        return [_merged(a, b, parts=parts) for a, b in zip(*padded, strict=True)]
    return new


def _partial(value: Any) -> bool:
    """Whether it changes only what it names: scales of LoRAs in a mapping, or a list of mappings for ControlNets."""
    return isinstance(value, dict) or (
        isinstance(value, list | tuple)
        and bool(value)
        and all(item is None or isinstance(item, dict) for item in value)
    )


def not_changed(changes: Mapping[str, Any], error: Exception) -> str:
    """What was refused, named once: most errors begin with the setting's name."""
    said = reason(error)
    return f"not changed: {said}" if said.startswith(tuple(changes)) else f"{', '.join(changes)} not changed: {said}"
