"""Where pictures go. A sink is one method plus ``close``.

Contract of a backend:

- ``write(output, status)`` shows or stores one picture. ``output.pixels`` is ``(H, W, 3)`` uint8 RGB, C-contiguous, and
  must not be changed. All calls come from one thread: the main thread when ``on_main_thread`` is true.
- ``interval`` is None for a sink that is called once for each new output. Otherwise it is called every ``interval``
  seconds with the newest output, again and again if there is no newer one; ``output`` is None until there is a first.
- ``write`` raises ``SinkClosed`` when the user closed it (a window: the session ends), ``SinkUnavailable`` when it
  failed for good: the session drops this sink, says why, and the others go on.
- A sink that keeps every picture in a file has ``stores``, which is true; ``inkstream.stream.sources`` says what that
  decides. ``output.origin`` says the time and name of a picture, and whether ``captured_at`` means anything.
- It may have ``at_rest(now)``, called on the same thread every half second in which no output came; ``now`` is of the
  clock of ``captured_at``. And ``accompany(sound)``, called before the first ``write`` where pictures have a sound.
- ``close()`` may come twice, and finishes what was written so that it can be played.
- The constructor opens the device; it raises ``SinkUnavailable`` with a hint, or ``ConfigError`` for bad options.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ..base.config import StreamConfig
from ..base.frame import Output, Rect
from ..base.spec import Kind, Spec, check_kind

State = Literal["warming", "live", "settling", "idle", "stalled", "reconnecting", "stopped"]


@dataclass(frozen=True)
class Status:
    """What the session is doing, for people to see."""

    state: State = "warming"
    message: str = ""
    """What people should know now; empty: nothing."""
    fps: float = 0.0
    """Unique outputs a second, over the last two seconds."""
    latency_ms: float = 0.0
    """Median of capture to rendered, over the last outputs."""
    size: tuple[int, int] = (512, 512)
    """(width, height) of outputs."""
    values: dict[str, Any] = field(default_factory=dict)
    """Prompt, drawing_influence, counters: shown as they are."""
    newest_wins: bool = True
    """Whether frames that come faster than they are rendered are left out; False: every one is rendered."""
    done: float | None = None
    """Which share of the source is rendered, 0 to 1; None where nobody knows, and when the newest wins."""
    source: str = ""
    """Which of several things the source took, a window for example; empty where there is no question."""
    area: Rect | None = None
    """Where on the desktop the source is, in the desktop's own coordinates; None where it is nowhere there."""
    notes: tuple[str, ...] = ()
    """What the model makes of the prompt, line by line: words that it does not know, what it has no room for."""
    config: StreamConfig | None = None
    """The settings of the stream as it is now; None where there is none yet."""
    recording: str = ""
    """The file that a recording goes to which was begun with ``Controls.record``; empty: none is under way."""
    step: str = ""
    """What is being done before the first picture can come, in people's words; ``done`` says how much of it."""


@runtime_checkable
class Controls(Protocol):
    """What a sink with keys may ask of the session. All calls return at once.

    It may also have:

    - ``read_prompt(text) -> Reading``, what the model makes of a prompt; ``brings() -> Brings``, what the model brings
      along for whoever steers it.
    - ``try_out(changes, tell)``, which renders the newest frame under other settings, for ``tell(number, output, why)``
      alone.
    - ``record(open)``, which keeps every picture in the sink that ``open()`` opens, beside the other sinks, until
      ``record(None)``.
    - ``history``, the ``HistoryRecorder`` that writes down its last minutes, or None.
    - ``finish(output, scale=2, steps=None, folder=None) -> bool``, which begins to make the still at its best of a
      picture, with ``finishing``: ``progress()``, ``cancel()`` and ``news()`` of that.
    - ``cues``, which plays the cues of a show: ``load(list)``, ``go(by)``, ``to(number)``, ``tap()``.
    - ``feedback`` with ``amount`` (0 to 0.95), ``zoom`` (0.9 to 1.1), ``turn`` (-5 to 5), ``right`` and ``down`` (-0.05
      to 0.05), which may be set: how much of the last picture shines through the next frame, and how it moves.
    - ``canvas``, or None: ``view()`` gives a picture of the source's window and the part of it that is taken, or None;
      ``mark(rect)`` says what is to be taken (None: what is found).
    - ``camera``, or None: the eye in the source's scene: ``turn``, ``push``, ``zoom``, ``pause`` and ``home`` move it.
    """

    def update(self, **changes: Any) -> None:
        """Change settings; a refused change is reported in ``Status.message``."""
        ...

    def freeze(self, frozen: bool) -> None:
        """Stop taking new frames, or go on."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Anything that takes pictures. A sink with keys also has an attribute ``controls``, which the session sets; one
    that keeps pictures may have a ``path``: where they lie, which may be beside the place that was asked for. One that
    people know by a name may have it in ``called``."""

    interval: float | None
    on_main_thread: bool

    def write(self, output: Output | None, status: Status) -> None:
        """Show or store one picture."""
        ...

    def close(self) -> None:
        """Finish and let go of the device."""
        ...


# kind -> module that has a function ``open(spec: Spec) -> Sink`` and ``KIND``, a ``Kind`` with the options that it
# takes
KINDS = {
    "window": ".window",
    "virtualcam": ".virtualcam",
    "video": ".video",
    "images": ".images",
    "animation": ".animation",
    "browser": ".browser",
    "mjpeg": ".mjpeg",
    "broadcast": ".broadcast",
    "webrtc": ".webrtc",
    "ndi": ".ndi",
    "spout": ".spout",
    "syphon": ".syphon",
    "null": ".null",
    "fake": ".fake",
}


_BY_ENDING = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".webm"), "video"),
    **dict.fromkeys((".gif", ".webp", ".apng"), "animation"),
    "": "images",
}


def check_sink(text: str, name: str = "sink") -> Spec:
    """Parse a specification; raises ConfigError that begins with ``name`` for an unknown kind.

    An address on the air (``rtmp://``, ``rtmps://``, ``srt://``) is one of the kind ``broadcast``.
    """
    on_air = re.match(r"\s*(rtmps?|srt)://", text, re.IGNORECASE)
    return check_kind(f"broadcast:{text.strip()}" if on_air else text, KINDS, _BY_ENDING, name)


def open_sink(text: str) -> Sink:
    """Open a sink from its specification, for example ``"window"`` or ``"video:out.mp4,fps=30"``.

    Raises ConfigError for an unknown kind or option and SinkUnavailable when the device cannot be opened.
    """
    spec = check_sink(text)
    return importlib.import_module(KINDS[spec.kind], __name__).open(spec)


def kinds_of_sink() -> dict[str, Kind]:
    """Every kind of sink, as its module declares it."""
    return {name: importlib.import_module(module, __name__).KIND for name, module in KINDS.items()}
