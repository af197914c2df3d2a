"""Settings that are turned with keys, which may come faster than the session answers."""

from __future__ import annotations

from typing import Any

from .tools import Reach

SETTLED_AFTER = 1.0  # seconds until the session's own value is believed again
MISSING = object()


class Dials:
    """Asks the session for changes, and knows what was asked for until the session has answered."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._asked: dict[str, tuple[Any, float]] = {}  # values, and when

    def value(self, name: str) -> Any:
        """What a setting is, or will be when the session has answered; None where nobody says."""
        value, at = self._asked.get(name, (None, 0.0))
        if name in self._asked and self._reach.clock() < at + SETTLED_AFTER:
            return value
        status = self._reach.status
        known = getattr(status.config, name, MISSING)
        return status.values.get(name) if known is MISSING else known

    def turn(self, **changes: Any) -> bool:
        """Ask for changes; False when there is nobody to ask, and then that is said."""
        controls = self._reach.controls
        if controls is None:
            self._reach.say("nothing can be changed here")
            return False
        now = self._reach.clock()
        self._asked |= {name: (value, now) for name, value in changes.items()}
        controls.update(**changes)
        return True
