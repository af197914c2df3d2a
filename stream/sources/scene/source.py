"""A moving 3D scene, drawn live: its pictures, and with each of them depth, normals, things, edges and motion."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np

from ...base.errors import ConfigError, FrameError, SourceEnded, SourceUnavailable
from ...base.frame import Origin, Size
from ...base.pacing import Clock, Pacer
from ...base.passes import Passes
from ...base.spec import Kind, Option, Spec, flag, one_of
from . import car, files, places
from .camera import WAYS, Camera, Way
from .geometry import Geometry
from .gl import GlRenderer
from .reference import NumpyRenderer
from .view import View

Renderer = Literal["auto", "gl", "numpy"]
RENDERERS = get_args(Renderer)
BUILT_IN: dict[str, Callable[[int], Geometry]] = {"city": places.city, "car": car.car, "terrain": places.terrain}
SIZE = Size(512, 512)
LOOK = 0.5  # seconds between two looks whether a file was written again
MOST_PIXELS = 4096 * 4096


class Draws(Protocol):
    """What both renderers are."""

    about: str

    def draw(self, view: View, number: int = 0) -> tuple[np.ndarray, Passes]: ...
    def close(self) -> None: ...


def open_scene(spec: Spec) -> SceneSource:
    """``scene:city``, ``scene:car,camera=path`` or ``scene:house.glb,size=768x512``."""
    values = spec.take(KIND.options)
    if not values.get("path"):
        raise ConfigError(f"{spec.text}: expected a file or one of: {', '.join(BUILT_IN)}, for example scene:city")
    return SceneSource(**values)


def present(spec: Spec) -> bool | None:
    """Whether the file is there; what needs no file always is."""
    path = spec.take(KIND.options).get("path", "")
    return path in BUILT_IN or Path(path).expanduser().is_file()


class SceneSource:
    """Pictures of a scene from an eye that moves (``Camera``).

    ``path`` is one of ``BUILT_IN``, or a mesh file, which is read again whenever it was written; while that fails, the
    scene stays as it was, and why is said. A live source goes with the clock; where every picture is rendered
    (``pace`` off), each is 1 / ``fps`` seconds after the one before. ``renderer``: ``auto`` takes OpenGL, or, where
    there is none, numpy, which is slow and says so in ``notice``.
    Raises SourceUnavailable for a file that cannot be drawn, and when OpenGL was asked for and is missing.
    """

    goes_on = moves = True

    def __init__(
        self,
        path: str | Path,
        camera: Way = "orbit",
        size: Size = SIZE,
        fps: float = 30.0,
        speed: float = 1.0,
        fov: float = 45.0,
        near: float | None = None,
        far: float | None = None,
        seed: int = 0,
        frames: int | None = None,
        renderer: Renderer = "auto",
        pace: bool | None = None,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        if renderer not in RENDERERS:
            raise ConfigError(f"scene: got renderer={renderer!r}, expected one of: {', '.join(RENDERERS)}")
        if min(size) < 16 or size.width * size.height > MOST_PIXELS:
            raise ConfigError(f"scene: got size={size}, expected 16x16 to 4096x4096")
        if not math.isfinite(speed):
            raise ConfigError(f"scene: got speed={speed}, expected a number, 1 for the usual speed")
        if frames is not None and frames < 1:
            raise ConfigError(f"scene: got frames={frames}, expected at least 1")
        self.pace = pace
        self.notice = ""
        self.passes: Passes | None = None
        self._size, self._fps, self._frames, self._asked = size, fps, frames, renderer
        self._file = None if str(path) in BUILT_IN else Path(path).expanduser()
        self._written = self._time_of_file()
        geometry = files.load(self._file) if self._file is not None else BUILT_IN[str(path)](seed)
        self.camera = Camera(geometry.staged, camera, speed, fov, near, far)
        self._clock, self._stop = clock, stop or threading.Event()
        self._pacer = Pacer.of_fps(fps, clock, self._stop)
        self._lock = threading.Lock()  # nothing is let go of while it draws
        self._renderer: Draws | None = self._open(geometry)
        self._given = 0
        self._before: float | None = None  # when the last picture was asked for
        self._look_at = clock() + LOOK

    @property
    def live(self) -> bool:
        return self.pace is not False

    @property
    def about(self) -> str:
        """What draws it."""
        return getattr(self._renderer, "about", "")

    @property
    def origin(self) -> Origin:
        """Which time of the scene the last picture shows."""
        if self.live:
            return Origin()
        number = self._given - 1
        done = None if self._frames is None else self._given / self._frames
        return Origin(False, number / self._fps, 1 / self._fps, done=done)

    def read(self) -> np.ndarray:
        """The next picture, (H, W, 3) uint8 RGB; ``passes`` is then what else is known of it.

        Raises FrameError, once, for a file that was written again and cannot be drawn, SourceEnded after ``frames``.
        """
        if self._stop.is_set() or (self.live and not self._pacer.wait()):
            raise SourceEnded("scene: closed")
        if self._frames is not None and self._given >= self._frames:
            raise SourceEnded(f"scene: all {self._frames} pictures were drawn")
        now = self._clock()
        if self._file is not None and now >= self._look_at:
            self._look_at = now + LOOK
            self._read_again()
        before, self._before = self._before, now
        step = 1 / self._fps if not self.live else 0.0 if before is None else now - before
        view = self.camera.advance(step if self._given else 0.0)
        with self._lock:
            if self._renderer is None:
                raise SourceEnded("scene: closed")
            pixels, self.passes = self._renderer.draw(view, self._given)
        self._given += 1
        return pixels

    def close(self) -> None:
        self._stop.set()
        with self._lock:
            renderer, self._renderer = self._renderer, None
            if renderer is not None:
                renderer.close()

    def _open(self, geometry: Geometry) -> Draws:
        if self._asked != "numpy":
            try:
                return GlRenderer(geometry, self._size)
            except SourceUnavailable as error:
                if self._asked == "gl":
                    raise
                self.notice = f"drawn without OpenGL, which is slow; {str(error).removeprefix('scene: ')}"
        return NumpyRenderer(geometry, self._size)

    def _time_of_file(self) -> tuple[float, int] | None:
        try:
            about = None if self._file is None else self._file.stat()
        except OSError:  # it is being written
            return None
        return None if about is None else (about.st_mtime, about.st_size)

    def _read_again(self) -> None:
        written = self._time_of_file()
        if self._file is None or written is None or written == self._written:
            return
        self._written = written
        try:
            renderer = self._open(files.load(self._file))
        except SourceUnavailable as error:
            raise FrameError(f"{error}; the scene stays as it was") from error
        with self._lock:
            old, self._renderer = self._renderer, renderer
            if old is not None:
                old.close()
            if self._stop.is_set():
                self._renderer = None
                renderer.close()


KIND = Kind(
    "a 3D scene that is drawn live, with depth, normals, things, edges and motion for each picture",
    ("scene:city", "scene:car,camera=path", "scene:house.glb,camera=fly,size=768x512"),
    {
        "path": Option(str, "NAME", f"{', '.join(BUILT_IN)}, or a file: {', '.join(files.FORMATS)}"),
        "camera": Option(one_of(WAYS), "|".join(WAYS), "it turns around the scene, stays until you move it, or goes"),
        "size": Option(Size.parse, "WxH", "of the pictures"),
        "fps": Option(float, "N", "pictures a second"),
        "speed": Option(float, "N", "of the camera, as a factor; 0: it stands still"),
        "fov": Option(float, "DEGREES", "how much it sees from its lower to its upper edge"),
        "near": Option(float, "N", "the depth that is white, in the scene's units; else by the size of the scene"),
        "far": Option(float, "N", "the depth that is black; behind it nothing is drawn"),
        "seed": Option(int, "N", "another city, terrain or paint"),
        "frames": Option(int, "N", "end after so many"),
        "renderer": Option(one_of(RENDERERS), "|".join(RENDERERS), "auto takes OpenGL, and numpy where there is none"),
        "pace": Option(flag, "", "1: with the clock; 0: every picture is rendered; else the sinks decide"),
    },
    SceneSource,
)
