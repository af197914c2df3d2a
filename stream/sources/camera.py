"""A camera, through OpenCV.

The driver runs in a thread of its own: some block for half a minute when a cable is pulled, and neither reading nor
closing may wait for them. On Linux a camera is known by its name and the place that it is plugged into, so that, after
it was unplugged, no other one is taken for it that was given its number.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ..base.errors import ConfigError, SourceEnded, SourceLost, SourceUnavailable
from ..base.names import quoted
from ..base.pacing import Clock
from ..base.pixels import as_rgb
from ..base.spec import Kind, Option, Spec, flag

DEVICES = Path("/sys/class/video4linux")  # what Linux knows of cameras
BLACK_HINT = "open its shutter, give it light, or close another program that has it"
CLOSE_WAIT = 0.5  # seconds that close() waits for the driver before it leaves it alone

log = logging.getLogger(__name__)


class Identity(NamedTuple):
    """What a camera is known by."""

    name: str
    place: str  # the device that it is plugged into
    part: str  # which of several nodes of this device


def open(spec: Spec) -> CameraSource:
    """``camera``, ``camera:1`` or ``camera:index=0,width=1280,height=720,fps=30,mirror=1``."""
    return CameraSource(**_options(spec))


def _options(spec: Spec) -> dict[str, Any]:
    values = spec.take(KIND.options)
    if "path" in values:
        if "index" in values:
            raise ConfigError(f"{spec.text}: the camera's index is given twice")
        values["index"] = values.pop("path")
    return values


class CameraSource:
    """Pictures of camera ``index``, the newest first.

    ``width``, ``height`` and ``fps`` are wishes; a camera may choose others. ``mirror`` flips left and right.
    ``timeout`` is how long opening, and then each picture, may take, in seconds. ``capture`` makes an object like
    ``cv2.VideoCapture`` (``isOpened, set, read, release``). ``identity`` is the camera that it must be, whatever its
    number is by now. A picture that is black in every pixel is none: drivers give such ones while a camera wakes up, or
    while another program has it. Raises SourceUnavailable when the camera does not open or does not give a first
    picture.
    """

    live = moves = True

    def __init__(
        self,
        index: int = 0,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        timeout: float = 5.0,
        mirror: bool = False,
        *,
        capture: Callable[[int], Any] = cv2.VideoCapture,
        clock: Clock = time.perf_counter,
        devices: Path = DEVICES,
        identity: Identity | None = None,
    ) -> None:
        if index < 0:
            raise ConfigError(f"camera: got index {index}, expected 0 or more")
        for name, value in (("width", width), ("height", height), ("fps", fps), ("timeout", timeout)):
            if value is not None and not 0 < value < 1e5:
                raise ConfigError(f"camera: {name}: got {value}, expected more than 0")
        if identity is not None:
            index = _find(identity, index, devices)
        self.index = index
        self.identity = identity or _identify(index, devices)
        self._devices = devices
        self._again = partial(CameraSource, index, width, height, fps, timeout, mirror, capture=capture, clock=clock)
        self._timeout = timeout
        self._mirror = mirror
        self._clock = clock
        self._factory = capture
        self._wishes = [
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
        ]
        self._changed = threading.Condition()  # guards the five below
        self._picture: Any = None  # as the driver gave it; the newest wins
        self._error: str | None = None
        self._black = False  # whether the last picture was black
        self._closed = False
        self._started = False
        self._thread = threading.Thread(target=self._run, name=f"camera-{index}", daemon=True)
        self._thread.start()
        with self._changed:
            self._wait(lambda: self._started or self._error is not None)
            if not self._started:
                self._closed = True
                reason = self._error or self._nothing(f"within {timeout:g} s")
                hint = BLACK_HINT if self._black else _hint(index)
                raise SourceUnavailable(f"camera {index}: {reason}: {hint}")

    @property
    def about(self) -> str:
        """Its name, where that is known."""
        return f"camera {self.index} ({quoted(self.identity.name, 40)})" if self.identity else ""

    def again(self) -> CameraSource:
        """A new source of the same camera; raises SourceUnavailable when it is not there."""
        return self._again(devices=self._devices, identity=self.identity)

    def is_back(self) -> bool | None:
        """Whether the camera is plugged in; None where only opening it can tell."""
        if self.identity is None:
            return None
        return any(_identify(number, self._devices) == self.identity for number in _numbers(self._devices))

    def read(self) -> np.ndarray:
        """Wait for a picture that was not read yet: ``(H, W, 3)`` uint8 RGB.

        Raises SourceLost after ``timeout`` seconds without one, or when the driver reports a failure; FrameError for a
        picture in an unknown layout.
        """
        with self._changed:
            self._wait(lambda: self._closed or self._picture is not None or self._error is not None)
            if self._closed:
                raise SourceEnded(f"camera {self.index}: closed")
            picture, self._picture = self._picture, None
            if picture is None:
                reason = self._error or self._nothing(f"for {self._timeout:g} s")
                hint = BLACK_HINT if self._black else "check its cable, and that nothing else took it"
                raise SourceLost(f"camera {self.index} {reason}: {hint}")
        return self._rgb(picture)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._picture = None
            self._changed.notify_all()
        # A driver that hangs keeps its thread; it lets go of the camera as soon as it comes back.
        self._thread.join(CLOSE_WAIT)

    def _nothing(self, time: str) -> str:
        return f"gave only black pictures {time}" if self._black else f"gave no picture {time}"

    def _wait(self, ready: Callable[[], bool]) -> None:
        due = self._clock() + self._timeout
        while not ready() and (left := due - self._clock()) > 0:
            self._changed.wait(left)

    def _rgb(self, picture: Any) -> np.ndarray:
        if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3 and picture.size:
            channels = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}.get(picture.shape[2])
            rgb = as_rgb(picture, "bgr") if channels is None else cv2.cvtColor(picture, channels)
        else:
            rgb = as_rgb(picture, "bgr")
        return np.ascontiguousarray(rgb[:, ::-1]) if self._mirror else rgb

    def _run(self) -> None:
        """The driver's thread: open, then keep the newest picture until closed."""
        camera: Any = None
        try:
            camera = self._factory(self.index)
            if not camera.isOpened():
                self._fail("cannot be opened")
                return
            for wish, value in self._wishes:
                if value is not None:
                    camera.set(wish, value)
            while not self._closed:
                ok, picture = camera.read()
                if not ok or picture is None:
                    self._fail("stopped giving pictures" if self._started else "opened, but gives no picture")
                    return
                self._black = _is_black(picture)
                if self._black:
                    continue
                with self._changed:
                    self._picture = picture
                    self._started = True
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything; it is handed to the reader
            log.debug("camera %d: %r", self.index, error)
            self._fail("had a fault in its driver")
        finally:
            if camera is not None:
                camera.release()

    def _fail(self, reason: str) -> None:
        with self._changed:
            self._error = reason
            self._changed.notify_all()


def _hint(index: int) -> str:
    if sys.platform == "darwin":
        return "allow your terminal under System Settings > Privacy & Security > Camera; close other camera programs"
    if sys.platform == "win32":
        return "close other camera programs, and allow desktop apps under Settings > Privacy & security > Camera"
    found = sorted(path.name for path in Path("/dev").glob("video*"))
    if not found:
        return "there is no /dev/video*; plug a camera in"
    if f"video{index}" not in found:
        return f"there are /dev/{', /dev/'.join(found)}; choose one with camera:N"
    if not os.access(f"/dev/video{index}", os.R_OK | os.W_OK):
        return f"this user may not open /dev/video{index}; sudo usermod -aG video $USER, and log in again"
    return f"close other programs that use /dev/video{index} (fuser /dev/video{index} names them)"


def _is_black(picture: Any) -> bool:
    """Whether every value of a picture is 0; the first pixel nearly always tells."""
    usual = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3 and picture.size
    return bool(usual) and picture.shape[2] == 3 and not picture[0, 0].any() and not picture.any()


def _numbers(devices: Path) -> list[int]:
    """The numbers of all cameras that Linux knows, in order."""
    names = [path.name.removeprefix("video") for path in devices.glob("video*")]
    return sorted(int(name) for name in names if name.isdecimal())


def _identify(index: int, devices: Path) -> Identity | None:
    """What the camera is known by; None where that cannot be told."""
    node = devices / f"video{index}"
    try:
        name, part = ((node / file).read_text("utf-8", "replace").strip() for file in ("name", "index"))
        place = os.path.realpath(node / "device", strict=True)
    except OSError as error:
        log.debug("camera %d cannot be identified: %s", index, error)
        return None
    return Identity(name, place, part)


def _find(identity: Identity, index: int, devices: Path) -> int:
    """The number that a camera has now."""
    for number in [index, *_numbers(devices)]:
        if _identify(number, devices) == identity:
            return number
    raise SourceUnavailable(f"camera {quoted(identity.name, 40)} is not plugged in; plug it in where it was")


KIND = Kind(
    "a camera",
    ("camera:0", "camera:1,width=1280,height=720,mirror"),
    {
        "path": Option(int, "N", "which camera, from 0"),
        "index": Option(int, "N", "the same, by name"),
        "width": Option(int, "PIXELS", "a wish; a camera may choose another"),
        "height": Option(int, "PIXELS", "a wish, too"),
        "fps": Option(float, "N", "pictures a second, a wish"),
        "timeout": Option(float, "SECONDS", "how long opening, and then each picture, may take"),
        "mirror": Option(flag, "", "flip left and right"),
    },
    CameraSource,
)
