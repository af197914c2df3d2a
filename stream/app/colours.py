"""Whoever begins to paint wants the colours to count: then a session goes from mode sketch to paint, and says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...adapters.flats import coloured
from ...adapters.tone import find_paper
from ..base.config import StreamConfig
from ..base.frame import Output

LOOK = 0.5  # seconds between two looks at what is drawn
PAINTED, BARE = 0.05, 0.02  # shares of the picture from which it is painted, and below which it no longer is
PATIENCE = 60.0  # seconds that a network may take to be built for another mode
AGREE = 2  # looks that must say the same
PAINTS = "colours are painted, so they count from now on (mode paint); C, the panel, has the mode"
DRAWS = "no colours are painted any more: only lines count (mode sketch)"


class Steered(Protocol):
    """What is asked of a session."""

    def update(self, **changes: Any) -> None: ...
    def say(self, text: str) -> None: ...


class Colours:
    """Looks at the inputs of a live session's pictures, as ``on_output``.

    Once somebody else has chosen a mode, and where one was asked for in the beginning, it lets that be.

    ``chosen`` are settings that were named at the start; ``clock`` in seconds.
    """

    def __init__(
        self, config: StreamConfig, chosen: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.session: Steered | None = None
        self._clock = clock
        self._mode = "sketch"  # as it was chosen last
        self._steps = config.t_index_list  # of mode sketch
        self._on = config.mode == "sketch" and "mode" not in chosen
        self._looked_at = -LOOK
        self._agreed = 0
        self._seen = False  # a picture was looked at
        self._began: tuple[int, int, int] | None = None  # the colour of the sheet then: no paint, whatever it is
        self._until = 0.0  # a mode of ours may still be on its way

    def look(self, output: Output) -> None:
        """Look at one picture's input, now and then."""
        now = self._clock()
        if not self._on or self.session is None or now - self._looked_at < LOOK:
            return
        if output.making is None or output.input is None or not output.origin.live:
            return
        self._looked_at = now
        stream = output.making.stream
        if stream.mode != self._mode:  # ours is on its way, or somebody chose another
            self._on = now < self._until
            return
        self._until = now
        if self._mode == "sketch":
            self._steps = stream.t_index_list
        if not self._seen:
            self._seen, paper = True, find_paper(output.input)
            self._began = None if paper is None else paper.colour
        share = coloured(output.input, self._began)
        changes = share >= PAINTED if self._mode == "sketch" else share < BARE
        self._agreed = self._agreed + 1 if changes else 0
        if self._agreed >= AGREE:
            self._change(now)

    def _change(self, now: float) -> None:
        assert self.session is not None
        self._agreed, self._until = 0, now + PATIENCE
        if self._mode == "sketch":
            self._mode = "paint"
            self.session.update(mode="paint")
            self.session.say(PAINTS)
        else:
            self._mode = "sketch"
            self.session.update(mode="sketch", t_index_list=list(self._steps))
            self.session.say(DRAWS)
