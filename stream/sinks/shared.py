"""Pictures for other programs, with alpha: what NDI, Spout and Syphon have in common."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..base.errors import ConfigError, SinkUnavailable
from ..base.frame import Output, Size
from ..base.names import short
from ..base.plain import reason
from ..base.progress import note
from ..base.spec import Option, flag
from . import Status
from .cutout import with_opacity

NAME = "inkstream"
AGAIN = 0.5  # seconds after which a picture that stays is sent again, for who came meanwhile
LONGEST_NAME = 100


class Port(Protocol):
    """What a library sends with, for one size of picture."""

    def send(self, pixels: np.ndarray) -> None:
        """(H, W, 4) uint8 RGBA, straight alpha, C-contiguous; raises when it cannot."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SharedSink:
    """Sends the newest picture by a port, ``make(name, size, fps)``, which is made anew for pictures of another size.

    It is looked at ``fps`` times a second; a picture that stays is sent twice a second. With ``cut`` only what is drawn
    is seen, and the rest is transparent. Nothing is sent before the first picture.
    Raises ConfigError for a name or rate that cannot be; ``write`` raises SinkUnavailable with the library's reason.
    """

    def __init__(
        self,
        kind: str,
        make: Callable[[str, Size, float], Port],
        name: str = NAME,
        fps: float = 30.0,
        cut: bool = False,
        on_main_thread: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 1 <= fps <= 240 or not 0 < len(name) <= LONGEST_NAME:
            expected = f"a name of at most {LONGEST_NAME} letters and fps from 1 to 240"
            raise ConfigError(f"{kind}: got the name {short(name)} and fps={fps:g}, expected {expected}")
        self.interval: float | None = 1.0 / fps
        self.on_main_thread = on_main_thread
        self.called = f"{kind}:{name}"
        self._kind, self._make, self._name, self._fps, self._cut = kind, make, name, fps, cut
        self._clock = clock
        self._port: Port | None = None
        self._size: Size | None = None
        self._sent: Output | None = None
        self._picture: np.ndarray | None = None
        self._due = 0.0

    def write(self, output: Output | None, status: Status) -> None:
        """Send a new picture, or the last one again when that is due."""
        now = self._clock()
        if output is None or (output is self._sent and now < self._due):
            return
        if output is not self._sent or self._picture is None:
            self._picture, self._sent = np.ascontiguousarray(with_opacity(output, self._cut)), output
        try:
            self._port_of(Size.of(output.pixels)).send(self._picture)
        except SinkUnavailable:
            raise
        except Exception as error:
            raise SinkUnavailable(f"{self._kind}: {self._name} cannot be sent: {reason(error)}") from error
        self._due = now + AGAIN

    def close(self) -> None:
        """Let go of the port; other programs see it go."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _port_of(self, size: Size) -> Port:
        if self._port is None or self._size != size:
            self.close()
            self._port, self._size = self._make(self._name, size, self._fps), size
            note(f"{self._kind}: {self._name}, {size}")
        return self._port


def library(kind: str, module: str, platform: str = "", system: str = "") -> Any:
    """A library that only one system may have; raises SinkUnavailable that says what to do."""
    if platform and sys.platform != platform:
        raise SinkUnavailable(f"{kind}: got {sys.platform}, expected {system}; on any system: --sink ndi:")
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        said = f"{kind}: {module.partition('.')[0]} cannot be imported ({reason(error)})"
        raise SinkUnavailable(f'{said}; run: pip install "inkstream[{kind}]"') from error


OPTIONS = {
    "path": Option(str, "NAME", "what other programs see it as"),
    "fps": Option(float, "N", "at most so many pictures a second"),
    "cut": Option(flag, "", "only what is drawn; the bare paper around it is transparent"),
}
