"""An eye in a scene, as matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...base.frame import Size

CLIP = 25.0  # what is nearer than ``near`` by this is not drawn


@dataclass(frozen=True, eq=False)
class View:
    """Where the eye is, what it looks along, and which depths it tells apart. Lengths are the scene's."""

    eye: np.ndarray
    """(3,) float64."""
    yaw: float
    """To the right from -z, in radians."""
    pitch: float
    """Up, in radians."""
    near: float
    """The depth that is white."""
    far: float
    """The depth that is black; behind it nothing is drawn."""
    fov: float = 45.0
    """From the lower to the upper edge, in degrees."""

    @property
    def axes(self) -> np.ndarray:
        """(3, 3) float64: right, up, and back, as rows."""
        cy, sy, cp, sp = math.cos(self.yaw), math.sin(self.yaw), math.cos(self.pitch), math.sin(self.pitch)
        return np.array([[cy, 0.0, sy], [sy * -sp, cp, sp * cy], [-sy * cp, -sp, cy * cp]])

    @property
    def clip(self) -> float:
        """The depth before which nothing is drawn."""
        return self.near / CLIP

    def projection(self, size: Size) -> np.ndarray:
        """See ``Passes.projection``."""
        focus = size.height / 2 / math.tan(math.radians(self.fov) / 2)
        x, y = (size.width - 1) / 2, (size.height - 1) / 2
        scale = 1 / (1 / self.near - 1 / self.far)
        # Of a place before the eye, w is its depth, -z; the depth of ``Passes`` is linear in 1 / w.
        inner = np.array([[focus, 0, -x, 0], [0, -focus, -y, 0], [0, 0, scale / self.far, scale], [0, 0, -1, 0]])
        outer = np.eye(4)
        outer[:3, :3] = self.axes
        outer[:3, 3] = -self.axes @ self.eye
        return inner @ outer

    @property
    def nearest(self) -> float:
        """The depth of ``Passes`` at ``clip``."""
        return (1 / self.clip - 1 / self.far) / (1 / self.near - 1 / self.far)


def looking(eye: np.ndarray, at: np.ndarray, near: float, far: float, fov: float = 45.0) -> View:
    """A view from one place towards another."""
    x, y, z = at - eye
    return View(eye, math.atan2(x, -z), math.atan2(y, math.hypot(x, z)), near, far, fov)
