"""What runs the streams of drawings: behind one door, so that they may be in this process or elsewhere.

The server asks a ``SessionBackend`` for a ``LiveSession`` for each drawing that somebody looks at, and is told what
comes of it in *news*, from any thread. Everything that crosses the door is plain: encoded pictures, settings as they
stand in a file, texts; so a backend on other machines needs no other door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ...base.errors import InkstreamError

Values = Mapping[str, Any]


class Full(InkstreamError):
    """All places are taken."""


class NotNow(InkstreamError):
    """What was asked for cannot be done, and nothing has changed; ``code`` says why, for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Mark(NamedTuple):
    """What a picture of a drawing is, as the page said it; its renders come with the same."""

    sequence: int = 0
    """Counted by the server."""
    document: int = 0
    time: int = 0
    of_page: int = 0
    """Its sequence as the page counts."""


@dataclass(frozen=True)
class Sketch:
    """A picture of a drawing, as it came: bytes of JPEG or PNG, and of labels, deflated, where there are any."""

    mark: Mark
    width: int
    height: int
    picture: bytes
    labels: bytes = b""
    instances: bytes = b""


class Figure(NamedTuple):
    """Something that was measured, for Prometheus; ``figures.HELP`` has all names."""

    name: str
    labels: Mapping[str, str]
    value: float


# --- news


@dataclass(frozen=True)
class Rendered:
    """A render, as JPEG."""

    jpeg: bytes
    mark: Mark
    settings: int
    width: int
    height: int
    fading: bool = False


@dataclass(frozen=True)
class Doing:
    """What a session is doing: the fields of ``messages.Status`` that only the stream knows."""

    state: str
    text: str = ""
    done: float | None = None
    fps: float = 0.0
    latency_ms: float = 0.0
    notes: tuple[str, ...] = ()
    moment: int = -1
    finishing: str = ""
    finished: float | None = None


@dataclass(frozen=True)
class Changed:
    """The settings, all of them, after a change."""

    values: Values
    revision: int


@dataclass(frozen=True)
class Brought:
    """What the model brings along; it is loaded."""

    model: str
    words: tuple[str, ...] = ()
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    styles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """Something for people."""

    text: str
    good: bool = False


@dataclass(frozen=True)
class Tried:
    """One of several settings that were tried, with its picture, or why there is none."""

    request: int
    index: int
    count: int
    label: str
    changes: Values
    jpeg: bytes = b""
    width: int = 0
    height: int = 0
    text: str = ""


@dataclass(frozen=True)
class Stored:
    """A picture is in a file, called ``name`` in its folder; empty: it is not, and ``text`` says why."""

    name: str
    text: str
    finished: bool = False


News = Rendered | Doing | Changed | Brought | Said | Tried | Stored
Tell = Callable[[News], None]


class LiveSession(Protocol):
    """The stream of one drawing. All calls return at once, and may come from any thread; those that say so raise NotNow
    (``settings.Refused`` for a setting).
    """

    def put(self, sketch: Sketch) -> None:
        """A picture of the drawing, the newest; raises FrameError for one that cannot be read."""
        ...

    def change(self, patch: Values, done: Callable[[str], None] | None = None) -> None:
        """A merge patch of the settings, all or nothing; ``Changed`` follows. ``done`` is told "", or why it was not
        done after all. Raises."""
        ...

    def freeze(self, frozen: bool) -> None: ...

    def keep(self, moment: int | None) -> None:
        """``Stored`` follows. Raises."""
        ...

    def rewind(self, moment: int) -> None:
        """``Changed`` follows. Raises."""
        ...

    def seed(self, seed: int | None) -> int:
        """Another seed; None draws one. Returns it."""
        ...

    def vary(self, request: int, count: int) -> None:
        """``Tried`` follow. Raises."""
        ...

    def finish(self, moment: int | None, scale: int, steps: int | None) -> None:
        """``Stored`` follows. Raises."""
        ...

    def cancel(self) -> None: ...

    def read(self, text: str) -> dict[str, Any]:
        """What the model makes of a prompt: ``unknown heeded cut added taken lost lines``."""
        ...

    def values(self) -> Changed:
        """The settings as they are now."""
        ...

    def left(self) -> dict[str, Any]:
        """What ``open`` of the backend is to be given when the drawing is opened again: plain values."""
        ...

    def history(self, before: int | None, count: int) -> list[dict[str, Any]]:
        """Pictures of the last minutes, the newest first: ``moment``, ``at`` (seconds), ``prompt``, ``changed``."""
        ...

    def picture(self, what: str, moment: int | None = None, side: int | None = None) -> bytes:
        """A file: ``jpg``, ``png`` or ``ora`` of a render, ``sketch`` (PNG) of what it was rendered from; of a moment,
        or the newest. ``side``: at most so many pixels. May take a while. Raises."""
        ...

    def doing(self) -> Doing:
        """What it is doing now; ``Doing`` comes as news, too, when the state changes."""
        ...

    def figures(self) -> dict[str, Any]:
        """What was measured, see ``Metrics.summary``."""
        ...


class SessionBackend(Protocol):
    """Gives streams to drawings."""

    size: tuple[int, int]
    """(width, height) of renders, as far as it is known before a model is loaded."""
    model: str
    renders_drawings: bool
    """Whether pictures of drawings are rendered; else what is rendered comes from elsewhere."""
    alone: bool
    """Whether there is one drawing at a time, which everybody comes to who names none."""

    @property
    def ready(self) -> bool:
        """Whether a model is loaded."""
        ...

    def start(self) -> None:
        """Begin to load what streams are made of."""
        ...

    def open(self, values: Values | None, tell: Tell, name: str = "") -> LiveSession:
        """A stream for one more drawing, as it was ``left``; returns at once, and says when it is ready. ``name`` is
        what logs call it.

        Raises Full.
        """
        ...

    def leave(self, live: Any) -> None:
        """Close a session that it opened, and give its place to another."""
        ...

    def measured(self) -> list[Figure]:
        """What it knows of its places, and of who waits for one."""
        ...

    def close(self) -> None: ...
