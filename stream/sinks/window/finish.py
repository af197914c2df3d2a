"""Asking for a picture at its best, in the background, and seeing how far that is."""

from __future__ import annotations

from ...base.frame import Output
from .tools import Reach


class Finish:
    """The keys F, twice as large, and Shift+F, four times; either of them again cancels what is under way."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def press(self, output: Output | None, scale: int) -> None:
        """Begin with a picture, or cancel."""
        finishing = getattr(self._reach.controls, "finishing", None)
        if finishing is None:
            self._reach.say("pictures cannot be finished here")
        elif finishing.progress() is not None:
            finishing.cancel()
            self._reach.say("no longer being finished; nothing was saved")
        elif output is None:
            self._reach.say("there is nothing to finish yet")
        elif finishing.start(output, scale, folder=self._reach.keeper.folder):
            self._reach.say(f"being finished {scale} times as large, in the background; F cancels")

    def seen(self) -> str:
        """How far it is, in words; empty: nothing is under way."""
        finishing = getattr(self._reach.controls, "finishing", None)
        progress = None if finishing is None else finishing.progress()
        return "" if progress is None else f"finishing {100 * progress[1]:.0f} %"
