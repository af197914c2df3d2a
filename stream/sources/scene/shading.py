"""How light falls in a scene: one sun, a bright sky above, a darker ground below. Both renderers follow it."""

from __future__ import annotations

import numpy as np

from ...base.frame import Size
from .view import View

SUN = np.array([0.5, 0.72, 0.48]) / np.linalg.norm([0.5, 0.72, 0.48])
AMBIENT, SKYLIGHT, SUNLIGHT = 0.36, 0.2, 0.56
ZENITH, HORIZON = (112, 164, 222), (216, 228, 238)  # RGB
HAZE = 2.2  # the sine of height above the horizon times this is the way from one to the other
FACING = (128, 128, 255)  # the normal of what is not there: towards the eye


def lit(colours: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 colours under their (N, 3) unit normals, y up: (N, 3) uint8."""
    light = AMBIENT + SKYLIGHT * (0.5 + 0.5 * normals[:, 1]) + SUNLIGHT * np.clip(normals @ SUN, 0, None)
    return np.clip(colours * light[:, None], 0, 255).round().astype(np.uint8)


def sky(view: View, size: Size) -> np.ndarray:
    """(H, W, 3) uint8: what is seen where there is nothing."""
    focus = size.height / 2 / np.tan(np.radians(view.fov) / 2)
    x = (np.arange(size.width) - (size.width - 1) / 2) / focus
    y = ((size.height - 1) / 2 - np.arange(size.height)[:, None]) / focus
    right, up, back = view.axes[:, 1]
    high = (right * x + up * y - back) / np.sqrt(x * x + y * y + 1)
    share = np.clip(high * HAZE, 0, 1)[..., None]
    return (np.array(HORIZON) * (1 - share) + np.array(ZENITH) * share).round().astype(np.uint8)
