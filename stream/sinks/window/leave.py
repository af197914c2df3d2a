"""Ending on purpose only: Esc asks, and Q must be held."""

from __future__ import annotations

from collections.abc import Callable

HOLD = 1.0  # seconds
QUESTION = "Close? Enter: yes, Esc: no"
HELD = "keep holding Q to close"
LONG = "let go of Q to close"


class Leaving:
    """What is on the way to the end. ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.asked = False
        self._clock = clock
        self._since: float | None = None  # when Q went down

    @property
    def question(self) -> str:
        """What waits for an answer now; empty: nothing."""
        return QUESTION if self.asked else "" if self._since is None else LONG if self.due else HELD

    @property
    def due(self) -> bool:
        """Whether Q was held for long enough; the end comes when it is let go, or the next window would get the key."""
        return self._since is not None and self._clock() >= self._since + HOLD

    def hold(self) -> None:
        """Q went down."""
        if self._since is None:
            self._since = self._clock()

    def let_go(self) -> None:
        """Q came up, or the keyboard went to another window."""
        self._since = None
