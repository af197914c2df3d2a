"""When something is to be done again."""

from __future__ import annotations


class Due:
    """Whether something is due again, by steps or by seconds, whichever comes first."""

    def __init__(self, steps: int | None, seconds: float | None) -> None:
        self.steps, self.seconds, self.last = steps, seconds, 0.0

    def start(self, now: float) -> None:
        """Count seconds from now."""
        self.last = now

    def now(self, step: int, now: float) -> bool:
        """Whether it is due after this step; then its seconds begin anew."""
        due = (self.steps is not None and step % self.steps == 0) or (
            self.seconds is not None and now - self.last >= self.seconds
        )
        if due:
            self.last = now
        return due


def seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60
