"""How the eye goes through a scene: by itself, and steered by whoever watches."""

from __future__ import annotations

import math
import threading
from typing import Literal, get_args

import numpy as np

from ...base.errors import ConfigError
from .geometry import Stage
from .view import View, looking

Way = Literal["orbit", "fly", "path"]
WAYS = get_args(Way)
TURN = 14.0  # degrees a second of an orbit
PACE = 0.09  # reaches a second on a path
WALK = 0.35  # reaches a second that keys move the eye
STEEP = math.radians(85)  # up and down
LONGEST = 0.25  # seconds: what a stall takes is not caught up with
AHEAD = 0.16  # reaches that a path looks ahead
FAR = 8.0  # reaches behind what is looked at


class Camera:
    """An eye on a stage. ``advance`` belongs to the thread that renders, the rest may come from any.

    ``orbit`` turns around the middle, ``path`` goes round through the scene, ``fly`` stays until it is moved. ``speed``
    is a factor. ``near`` and ``far`` are the depths that are white and black; they never change while it moves.
    """

    def __init__(
        self,
        stage: Stage,
        way: Way = "orbit",
        speed: float = 1.0,
        fov: float = 45.0,
        near: float | None = None,
        far: float | None = None,
    ) -> None:
        if way not in WAYS:
            raise ConfigError(f"scene: got camera={way!r}, expected one of: {', '.join(WAYS)}")
        if not 5 <= fov <= 140:
            raise ConfigError(f"scene: got fov={fov:g}, expected 5 to 140 degrees")
        self.way, self._stage, self._speed, self._fov = way, stage, speed, fov
        self._outside = 1.06 * stage.reach / math.sin(math.radians(fov) / 2)  # from there all of it is in the picture
        white = self._outside - stage.reach if way == "orbit" or stage.near is None else stage.near
        self.near = near if near is not None else max(white, 0.02 * stage.reach)
        self.far = far if far is not None else self._outside + FAR * stage.reach
        if not 0 < self.near < self.far:
            raise ConfigError(f"scene: got near={self.near:g} and far={self.far:g}, expected 0 < near < far")
        self._path = _ring(stage, self._outside) if stage.path is None else stage.path
        self._lock = threading.Lock()
        self.home()

    def home(self) -> None:
        """Back to where it began."""
        stage = self._stage
        with self._lock:
            self.paused = False
            self._middle = stage.middle.copy()
            self._distance = self._outside
            self._yaw, self._pitch = math.radians(-40.0), -math.radians(stage.height)
            self._gone = 0.0  # along the path, as a share of it
            self._push = np.zeros(3)  # right, up, ahead: -1 to 1
            self._glance = (0.0, 0.0)  # beside where a path looks
            self._eye = self._middle - self._distance * _ahead(self._yaw, self._pitch)

    def turn(self, right: float, down: float) -> None:
        """Look further ``right`` and ``down``, in radians; an orbit goes round the middle, and stays there."""
        with self._lock:
            if self.way == "path":
                yaw, pitch = self._glance
                self._glance = yaw + right, float(np.clip(pitch - down, -STEEP, STEEP))
                return
            self.paused = self.paused or self.way == "orbit"
            self._yaw += right
            self._pitch = float(np.clip(self._pitch - down, -STEEP, STEEP))

    def push(self, right: float, up: float, ahead: float) -> None:
        """Move on and on, each -1 to 1, until this is called with zeros."""
        with self._lock:
            self._push = np.clip([right, up, ahead], -1.0, 1.0)

    def zoom(self, steps: float) -> None:
        """Nearer, by a tenth of the way for each step; negative: farther. On a path: further along it."""
        with self._lock:
            if self.way == "path":
                self._gone += 0.01 * steps
            elif self.way == "fly":
                self._eye = self._eye + 0.1 * steps * self._stage.reach * _ahead(self._yaw, self._pitch)
            else:
                self._distance = float(np.clip(self._distance * 0.9**steps, 0.05 * self._outside, 6 * self._outside))

    def pause(self) -> bool:
        """Stand still, or go on by itself; which of them."""
        with self._lock:
            self.paused = not self.paused
            return self.paused

    def advance(self, seconds: float) -> View:
        """What is seen ``seconds`` later."""
        step = min(max(seconds, 0.0), LONGEST)
        with self._lock:
            goes = 0.0 if self.paused else self._speed * step
            if self.way == "path":
                return self._along(goes + self._speed * step * float(self._push[2]))
            right, up, ahead = self._push * WALK * self._stage.reach * step
            flat = np.array([math.sin(self._yaw), 0.0, -math.cos(self._yaw)])
            side = np.array([math.cos(self._yaw), 0.0, math.sin(self._yaw)])
            # On foot one goes level; who flies goes where he looks.
            onward = _ahead(self._yaw, self._pitch) if self.way == "fly" else flat
            moved = right * side + ahead * onward + np.array([0.0, up, 0.0])
            if self.way == "fly":
                self._eye = self._eye + moved
            else:
                self._yaw -= math.radians(TURN) * goes
                self._middle = self._middle + moved
                self._eye = self._middle - self._distance * _ahead(self._yaw, self._pitch)
            return View(self._eye, self._yaw, self._pitch, self.near, self.far, self._fov)

    def _along(self, goes: float) -> View:
        length = float(np.linalg.norm(np.diff(self._path, axis=0, append=self._path[:1]), axis=-1).sum())
        self._gone = (self._gone + goes * PACE * self._stage.reach / length) % 1.0
        eye = _on(self._path, self._gone)
        ahead = self._stage.middle if self._stage.inwards else _on(self._path, self._gone + self._look_ahead(length))
        seen = looking(eye, ahead, self.near, self.far, self._fov)
        yaw, pitch = self._glance
        return View(
            eye, seen.yaw + yaw, float(np.clip(seen.pitch + pitch, -STEEP, STEEP)), self.near, self.far, self._fov
        )

    def _look_ahead(self, length: float) -> float:
        return AHEAD * self._stage.reach / length


def _ahead(yaw: float, pitch: float) -> np.ndarray:
    return np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), -math.cos(yaw) * math.cos(pitch)])


def _ring(stage: Stage, distance: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    high, wide = math.sin(math.radians(stage.height)), math.cos(math.radians(stage.height))
    away = distance * (0.86 + 0.14 * np.cos(2 * turn))
    up = high * (1 + 0.5 * np.sin(turn))
    return stage.middle + away[:, None] * np.stack([wide * np.cos(turn), up, wide * np.sin(turn)], -1)


def _on(path: np.ndarray, share: float) -> np.ndarray:
    """The place at a ``share`` of a closed path, on a smooth line (Catmull and Rom, 1974) through its points."""
    count = len(path)
    place = (share % 1.0) * count
    number = int(place)
    t = place - number
    a, b, c, d = (path[(number + each) % count] for each in (-1, 0, 1, 2))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3)
