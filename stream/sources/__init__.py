"""Where frames come from. A source is one method plus ``close``.

Contract of a backend:

- ``read()`` blocks until the next picture is there and returns it as ``(H, W, 3)`` uint8 RGB, C-contiguous (it may
  change size from one frame to the next). The source never changes an array again that it has returned. It is called
  from one thread only, which is not the main thread.
- It raises ``SourceLost`` when a device, window or file went away (the session closes it, and opens a new one after a
  pause), ``SourceEnded`` when there is nothing more by design, ``FrameError`` for one unusable frame, and plain
  ``SourceError`` when a file is beyond use.
- ``close()`` may come from another thread while ``read`` blocks, and may come twice. It returns within a second,
  whatever a driver does.
- ``live`` says that time passes without us: the newest frame wins. A source that is not live waits for the engine, and
  every one of its frames is rendered.
- A source that can be either has ``pace``, and follows it in ``live``. While it is None the session decides, before the
  first ``read``: False, so that every frame is rendered, when all sinks keep pictures in files (``Sink.stores``) and
  nobody watches; True otherwise.
- It may have ``origin``, an ``Origin``: what is known of the picture that ``read`` gave last (its time in the file, its
  name). In the same way ``passes``, ``Passes`` or None: its depth, normals, things and motion. And ``sound``, a
  ``Sound``, or None: what is to be heard with its pictures.
- It may have ``camera``: an eye that whoever watches may steer (``scene.camera.Camera``), from any thread.
- Where ``goes_on`` is False, pictures of a live source may have nothing to do with each other: nothing of one is held
  in the render of the next (``steadiness=auto``). True: they go on from each other, live or not. Where ``moves`` is
  True, they may move all over, as those of a camera do, and what is held moves along.
- The constructor opens the device; it raises ``SourceUnavailable`` with a hint, or ``ConfigError`` for bad options.
- A source may have ``again() -> Source``, which opens a new one of exactly what this one was on (the window that was
  chosen and no other) after ``SourceLost``; ``about: str``, which of several things it took; ``area: Rect | None``,
  where on the desktop it is; and ``notice: str``, what keeps its picture from being what is there now. They may be
  asked from any thread, and after ``close``.
- A module may have ``present(spec) -> bool | None``: whether the thing is there that the specification names, None when
  only opening it can tell. A source that knows better what it was on has ``is_back() -> bool | None`` instead. It is
  asked while a lost source is waited for, twice a second at most, so it is cheap (a few milliseconds), opens no device
  and raises nothing. False becoming True means that opening it is worth a try at once.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..base.pictures import SUFFIXES
from ..base.spec import Kind, Spec, check_kind


@runtime_checkable
class Source(Protocol):
    """Anything that gives pictures."""

    @property
    def live(self) -> bool:
        """Whether time passes without us."""
        ...

    def read(self) -> np.ndarray:
        """Wait for the next picture: ``(H, W, 3)`` uint8 RGB, C-contiguous."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


# kind -> module that has a function ``open(spec: Spec) -> Source`` and ``KIND``, a ``Kind`` with the options that it
# takes, and may have ``present(spec: Spec) -> bool | None``
KINDS = {
    "screen": ".screen",
    "camera": ".camera",
    "video": ".video",
    "images": ".images",
    "demo": ".drawing",
    "canvas": ".canvas",
    "scene": ".scene",
    "gbuffer": ".gbuffer",
    "fake": ".fake",
}


_MOVIES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ogv")
_BY_ENDING = {**dict.fromkeys(SUFFIXES, "images"), **dict.fromkeys(_MOVIES, "video"), "": "images"}
_BY_ENDING.update(dict.fromkeys((".glb", ".obj", ".ply", ".stl"), "scene"))


def check_source(text: str, name: str = "source") -> Spec:
    """Parse a specification; raises ConfigError that begins with ``name`` for an unknown kind."""
    return check_kind(text, KINDS, _BY_ENDING, name)


def open_source(text: str) -> Source:
    """Open a source from its specification, for example ``"screen:window=Krita"`` or ``"video:clip.mp4,loop=1"``.

    Raises ConfigError for an unknown kind or option and SourceUnavailable when the device cannot be opened.
    """
    spec = check_source(text)
    return _module(spec).open(spec)


def source_present(text: str) -> bool | None:
    """Whether what a specification names is there, without opening it; None when that cannot be told.

    Raises ConfigError for an unknown kind or option.
    """
    spec = check_source(text)
    present = getattr(_module(spec), "present", None)
    return None if present is None else present(spec)


def kinds_of_source() -> dict[str, Kind]:
    """Every kind of source, as its module declares it."""
    return {name: importlib.import_module(module, __name__).KIND for name, module in KINDS.items()}


def _module(spec: Spec) -> Any:
    return importlib.import_module(KINDS[spec.kind], __name__)
