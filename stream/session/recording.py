"""Recordings: sinks that are opened and closed while a session runs, beside those that it began with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..sinks import Sink
from .crew import Crew
from .fanout import Fanout


class Recordings:
    """One at a time, each on a thread of its own. ``ring`` is called when one has ended."""

    def __init__(self, fanout: Fanout, crew: Crew, ring: Callable[[], None]) -> None:
        self._fanout, self._crew, self._ring = fanout, crew, ring
        self._count = 0

    def ask(self, open: Callable[[], Sink] | None) -> None:
        """End the one that is under way, and begin another in the sink that ``open()`` opens; None begins none."""
        for outlet in self._fanout.extra:
            outlet.finish()
        if open is not None:
            self._count += 1
            name = f"recording {self._count}"
            self._crew.add(f"sink {name}", partial(self._run, name, open), self._ring)()

    def _run(self, name: str, open: Callable[[], Sink]) -> None:
        outlet = self._fanout.join(name, open)
        if outlet is not None:
            if self._fanout.finishing:
                outlet.finish()
            self._fanout.drive(outlet)
            self._fanout.part(outlet)
