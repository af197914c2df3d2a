"""The desk of a studio, where there are many drawings: what steers is for the one that somebody drew on last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ...base.config import StreamConfig
from ...base.cues import CueList
from ...session.driver import StreamLike
from ...session.session import Session
from ..studio.backend import Changed, Doing, NotNow
from ..studio.settings import values_of
from ..studio.steering import Steering
from .desk import Desk, Touched

NOBODY = "no drawing is open; open the studio's page and draw"


class Front:
    """In the place of a ``Desk`` for whatever steers: a fader stays a fader, whichever drawing it is for.

    Each drawing has a desk of its own; what is asked here and is not of this class is asked of the desk of the drawing
    that was opened, drawn on or changed last. Where none is open it raises NotNow. ``config`` are the settings until
    then; ``cues`` are played by every drawing that is opened.
    """

    def __init__(self, config: StreamConfig, cues: CueList | None = None) -> None:
        self.on_values: list[Callable[[Mapping[str, Any]], None]] = []
        self.on_touched: list[Callable[[Touched], None]] = []
        self.surfaces: list[Any] = []
        """All that listen, to be closed by who opened them."""
        self._config, self._cues = config, cues
        self._lock = threading.Lock()
        self._desks: list[Place] = []  # who was drawn on last is the last

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        now = self._now
        if now is None:
            raise NotNow("no_drawing", NOBODY)
        return getattr(now.desk, name)

    @property
    def ready(self) -> bool:
        """Whether there is a drawing that is rendered."""
        now = self._now
        return now is not None and now.desk.ready

    def values(self) -> Changed:
        """The settings of the drawing, or those that the next one begins with."""
        now = self._now
        return Changed(values_of(self._config), 0) if now is None else now.desk.values()

    def doing(self) -> Doing:
        """What the drawing's stream is doing."""
        now = self._now
        return Doing("waiting", NOBODY) if now is None else now.desk.doing()

    def figures(self) -> dict[str, Any]:
        """What was measured."""
        now = self._now
        return {} if now is None else now.desk.figures()

    def touched(self, path: str, by: str) -> None:
        """Somebody used a parameter or command, or named it."""
        if by:
            for each in list(self.on_touched):
                each(Touched(path, by))

    def say(self, text: str) -> None:
        """Tell whoever watches."""
        now = self._now
        if now is not None:
            now.desk.say(text)

    # --- of the drawings

    def place(self, steering: Steering, config: StreamConfig) -> Place:
        """For a drawing that is opened, before its stream is there."""
        made = Place(self, Desk(steering, config, owned=False, feeds=False))
        made.desk.on_values.append(lambda values: self._heard(made, values))
        made.desk.on_touched.append(lambda touched: self.touched(*touched) if self._now is made else None)
        with self._lock:
            self._desks.append(made)
        return made

    def turn(self, place: Place) -> None:
        """Somebody draws there: from now on it is steered."""
        with self._lock:
            if self._desks[-1:] == [place] or place not in self._desks:
                return
            self._desks.remove(place)
            self._desks.append(place)
        self._heard(place, place.desk.values().values)

    def forget(self, place: Place) -> None:
        """It is closed."""
        with self._lock:
            if place in self._desks:
                self._desks.remove(place)

    def begin(self, session: Session) -> None:
        """A drawing is rendered: its cues begin."""
        if self._cues is not None:
            session.cues.load(self._cues)

    @property
    def _now(self) -> Place | None:
        with self._lock:
            return self._desks[-1] if self._desks else None

    def _heard(self, place: Place, values: Mapping[str, Any]) -> None:
        if self._now is place:
            for each in list(self.on_values):
                each(values)


class Place:
    """One drawing's: see ``studio.live.Steered``."""

    def __init__(self, front: Front, desk: Desk) -> None:
        self.desk = desk
        self._front = front

    def heard(self, stream: StreamLike) -> Any:
        """The stream as the session is to be given it."""
        return self.desk.heard(stream)

    def adopt(self, session: Session, stream: StreamLike) -> None:
        """From now on this session is steered."""
        self.desk.adopt(session, stream)
        self._front.begin(session)

    def drawn(self) -> None:
        """Somebody draws here, or changes something."""
        self._front.turn(self)

    def gone(self) -> None:
        """The drawing is closed."""
        self._front.forget(self)
