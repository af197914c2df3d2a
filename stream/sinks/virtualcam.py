"""A camera for other programs: ``virtualcam``, ``virtualcam:size=1280x720,fps=30``. Needs ``inkstream[virtualcam]``.

Drivers are found by pyvirtualcam (https://github.com/letmaik/pyvirtualcam, GPL-2.0, so it is only imported when asked
for). Written against its documentation and source; unverified with the drivers themselves.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np

from ..base.errors import ConfigError, SinkUnavailable
from ..base.frame import Output, Size, place
from ..base.spec import Kind, Option, Spec
from . import Status
from .slate import BACKGROUND, slate

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds between two tries to get a lost camera back
LOOK_EVERY = 1.0  # seconds between two looks whether the device file is still there
# name -> (name in pyvirtualcam.PixelFormat, OpenCV code that makes it from RGB)
FORMATS: dict[str, tuple[str, int | None]] = {
    "rgb": ("RGB", None),
    "bgr": ("BGR", cv2.COLOR_RGB2BGR),
    "rgba": ("RGBA", cv2.COLOR_RGB2RGBA),
    "i420": ("I420", cv2.COLOR_RGB2YUV_I420),
}
HINTS = {
    "linux": (
        "load the driver with: sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label=inkstream "
        "(package v4l2loopback-dkms); if it is loaded, close the program that writes to it, or name another with "
        "device=/dev/videoN"
    ),
    "win32": (
        "install OBS Studio (it brings OBS Virtual Camera) or Unity Capture, and stop the virtual camera in OBS: "
        "one program at a time can feed it"
    ),
    "darwin": (
        "install OBS Studio 30 or later, start its virtual camera once and allow the extension in System Settings, "
        "then stop it: one program at a time can feed it"
    ),
}


class Camera(Protocol):
    """What is used of ``pyvirtualcam.Camera``."""

    device: str

    def send(self, frame: np.ndarray) -> None: ...

    def close(self) -> None: ...


class VirtualCamSink:
    """Feeds a virtual camera at a fixed cadence of ``fps``: a slate until the first output, then always the newest one.

    ``size`` is fixed once the camera is open (default: the size of outputs; sides are rounded to even numbers, which
    the drivers need); outputs of another size are letterboxed. ``device`` and ``backend`` are pyvirtualcam's, None
    takes the first that opens. ``fmt`` is what is handed to the driver: rgb, bgr, rgba or i420.

    A camera that fails while it runs is closed and opened again after 0.5, 1, 2, 4, 8, 8, ... seconds, in a thread, so
    that ``write`` always returns at once. ``give_up`` ends that after so many seconds with SinkUnavailable; the default
    is never, because whoever is on air would rather have the camera back late than not at all.

    ``factory`` makes a camera: called like ``pyvirtualcam.Camera`` with ``width, height, fps`` and, by name, ``fmt``
    (one of the names above), ``device``, ``backend``.

    Raises ConfigError for bad options, and SinkUnavailable with the reason of every driver that was tried: here when
    ``size`` is given, else in the first ``write``.
    """

    on_main_thread = False

    def __init__(
        self,
        size: Size | None = None,
        fps: float = 30.0,
        device: str | None = None,
        backend: str | None = None,
        fmt: str = "rgb",
        give_up: float = math.inf,
        factory: Callable[..., Camera] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 1 <= fps <= 240 or fmt not in FORMATS or not give_up >= 0:
            raise ConfigError(
                f"virtualcam: got fps={fps:g}, fmt={fmt}, give_up={give_up:g}; expected fps from 1 to 240, "
                f"fmt one of {', '.join(FORMATS)}, give_up of at least 0 seconds"
            )
        self.interval: float | None = 1.0 / fps
        self.size: Size | None = None
        self._fps, self._device, self._backend, self._fmt = fps, device, backend, fmt
        self._give_up, self._clock = give_up, clock
        self._factory = factory or _pyvirtualcam(backend)
        self._camera: Camera | None = None
        self._mine: str | None = None  # the device that it had: others may be open to other programs
        self._opening: _Opening | None = None
        self._error: Exception | None = None
        self._pause = FIRST_PAUSE
        self._lost_at = self._retry_at = self._look_at = 0.0
        self._shown: Output | None = None
        self._picture: np.ndarray | None = None
        self._closed = False
        self._lock = threading.Lock()  # close may come while the sink's own thread writes
        if size:
            self._start(size)

    def write(self, output: Output | None, status: Status) -> None:
        """Send the newest output, else the last one, else the slate; raises SinkUnavailable after ``give_up``."""
        with self._lock:
            if self._closed:
                return
            if self.size is None:
                self._start(Size.of(output.pixels) if output else Size(*status.size))
            picture = self._prepared(output)
            if self._camera is None:
                self._try_again()
            if self._camera is None:
                return
            try:
                self._check_device()
                self._camera.send(picture)
            except Exception as error:  # noqa: BLE001 - every backend has its own; it is logged, and raised at give_up
                self._lose(error)

    def close(self) -> None:
        """Let go of the device, so that it can be opened again at once, also from this process."""
        with self._lock:
            self._closed = True
            if self._opening:
                self._opening.abandon()
                self._opening = None
            self._release()

    def _start(self, size: Size) -> None:
        self.size = size.rounded(2)
        if self.size != size:
            log.info("virtual camera: %s is rounded to %s, drivers need even sides", size, self.size)
        try:
            self._camera = self._open()
        except ConfigError:
            raise
        except Exception as error:  # every backend has its own; it is the cause of what is raised
            hint = HINTS.get(sys.platform, "see https://github.com/letmaik/pyvirtualcam for drivers")
            said = str(error).splitlines()
            raise SinkUnavailable("virtualcam: no camera could be opened:", *said, *hint.splitlines()) from error
        self._mine = self._camera.device
        log.info("virtual camera: %s, %s at %g fps", self._camera.device, self.size, self._fps)

    def _open(self) -> Camera:
        assert self.size
        named = {"fmt": self._fmt, "device": self._mine or self._device, "backend": self._backend}
        return self._factory(self.size.width, self.size.height, self._fps, **named)

    def _prepared(self, output: Output | None) -> np.ndarray:
        """The picture in the camera's size and format; made anew only when the output is a new one."""
        assert self.size
        if self._picture is None or (output is not None and output is not self._shown):
            pixels = slate(self.size)
            if output is not None:
                pixels = place(Size.of(output.pixels), self.size, "letterbox").apply(output.pixels, BACKGROUND)
            code = FORMATS[self._fmt][1]
            self._picture = pixels if code is None else cv2.cvtColor(pixels, code)
            self._shown = output
        return self._picture

    def _check_device(self) -> None:
        """A write to a v4l2loopback device that is gone does not fail in pyvirtualcam, it is only printed."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        assert self._camera
        if self._camera.device.startswith("/dev/") and not os.path.exists(self._camera.device):
            raise OSError(f"{self._camera.device} is gone")

    def _lose(self, error: Exception) -> None:
        log.warning("virtual camera lost (%s); trying to get it back", error)
        self._release()  # first, or it would be taken by ourselves
        self._error = error
        self._pause = FIRST_PAUSE
        self._lost_at = self._clock()
        self._retry_at = self._lost_at + self._pause

    def _try_again(self) -> None:
        now = self._clock()
        lost = now - self._lost_at
        if self._opening is None and now >= self._retry_at:
            self._opening = _Opening(self._open)
        elif self._opening is not None and self._opening.done.is_set():
            self._camera, self._error = self._opening.camera, self._opening.error
            self._opening = None
            if self._camera is not None:
                log.info("virtual camera: back after %.1f s", lost)
                return
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
            self._retry_at = now + self._pause
        if lost >= self._give_up:
            raise SinkUnavailable(f"virtualcam: lost for {lost:.0f} seconds: {self._error}") from self._error

    def _release(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            _close(camera)


class _Opening:
    """One try to open a camera, in a thread: a driver may take seconds to answer. ``done`` says when it is over."""

    def __init__(self, make: Callable[[], Camera]) -> None:
        self.camera: Camera | None = None
        self.error: Exception | None = None
        self.done = threading.Event()
        self._make = make
        self._abandoned = False
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="virtualcam-open", daemon=True).start()

    def _run(self) -> None:
        try:
            camera = self._make()
        except Exception as error:  # noqa: BLE001 - every backend has its own; the sink takes it from here
            self.error = error
        else:
            with self._lock:
                self.camera = None if self._abandoned else camera
            if self.camera is None:
                _close(camera)
        self.done.set()

    def abandon(self) -> None:
        """Close the camera, also if it opens only later."""
        with self._lock:
            self._abandoned = True
            camera, self.camera = self.camera, None
        if camera is not None:
            _close(camera)


def _close(camera: Camera) -> None:
    try:
        camera.close()
    except Exception as error:  # noqa: BLE001 - a driver that is gone may fail in any way; nothing is left to be done
        log.warning("virtual camera: closing it failed: %s", error)


def _pyvirtualcam(backend: str | None) -> Callable[..., Camera]:
    """Import the library and make a factory of it; raises SinkUnavailable, or ConfigError for an unknown backend."""
    try:
        pyvirtualcam: Any = importlib.import_module("pyvirtualcam")
    except ImportError as error:
        raise SinkUnavailable(
            f'virtualcam: pyvirtualcam cannot be imported ({error}); run: pip install "inkstream[virtualcam]"'
        ) from error
    known = getattr(getattr(pyvirtualcam, "camera", None), "BACKENDS", None)
    if backend and known is not None and backend not in known:
        raise ConfigError(f"virtualcam: got backend={backend!r}, expected one of: {', '.join(known) or 'none here'}")

    def make(width: int, height: int, fps: float, *, fmt: str, device: str | None, backend: str | None) -> Camera:
        layout = getattr(pyvirtualcam.PixelFormat, FORMATS[fmt][0])
        return pyvirtualcam.Camera(width, height, fps, fmt=layout, device=device, backend=backend, print_fps=False)

    return make


def open(spec: Spec) -> VirtualCamSink:
    """``virtualcam``; options ``size``, ``fps``, ``device``, ``backend``, ``fmt``, ``give_up``."""
    return VirtualCamSink(**spec.take(KIND.options))


KIND = Kind(
    "is a camera for other programs (needs inkstream[virtualcam])",
    ("virtualcam", "virtualcam:size=1280x720,fps=30"),
    {
        "size": Option(Size.parse, "WxH", "of the camera's pictures; else that of the renders"),
        "fps": Option(float, "N", "its cadence, whatever comes"),
        "device": Option(str, "NAME", "which camera, /dev/video2 for example; else the first that opens"),
        "backend": Option(str, "NAME", "which driver, by its name in pyvirtualcam; else the first that opens"),
        "fmt": Option(str, "|".join(FORMATS), "what the driver is given"),
        "give_up": Option(float, "SECONDS", "end after so long without it; else it is tried for ever"),
    },
    VirtualCamSink,
)
