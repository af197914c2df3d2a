"""The renderer that everything else is held to, and that runs everywhere: a z-buffer in numpy.

Triangles are rasterised in homogeneous coordinates (Olano and Greer, 1997), so that those which reach behind the eye
need no clipping.
"""

from __future__ import annotations

import numpy as np

from ...base.frame import Size
from ...base.passes import NOTHING, Passes
from .geometry import Geometry
from .shading import FACING, lit, sky
from .view import View

AT_ONCE = 1 << 21  # pixels of bounding boxes that are looked at together


class NumpyRenderer:
    """Draws one scene at one size."""

    about = "numpy"

    def __init__(self, geometry: Geometry, size: Size) -> None:
        self._geometry, self._size = geometry, size

    def draw(self, view: View, number: int = 0) -> tuple[np.ndarray, Passes]:
        """The picture, (H, W, 3) uint8 RGB, and its passes."""
        geometry, size = self._geometry, self._size
        projection = view.projection(size)
        points = geometry.points.reshape(-1, 3).astype(np.float64)
        # (N, 3 corners, 3): w * (x, y, 1) on the screen
        corners = (points @ projection[:, :3].T + projection[:, 3]).reshape(-1, 3, 4)[..., [0, 1, 3]]
        face, inverse = _nearest(corners, view, size)
        seen = face >= 0
        rows, columns = np.nonzero(seen)
        found = face[seen]
        at = np.stack([columns, rows, np.ones_like(rows)], -1).astype(np.float64)  # (P, 3)
        parts = np.einsum("pk,pki->pi", at, inverse[found])  # (P, 3): each corner's share, over w
        by_depth = parts.sum(-1)  # 1 / w
        shares = parts / by_depth[:, None]

        normals = np.einsum("pi,pik->pk", shares, geometry.normals[found].astype(np.float64))
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
        places = np.einsum("pi,pik->pk", shares, geometry.points[found].astype(np.float64))
        away = ((places - view.eye) * normals).sum(-1) > 0
        normals[away] *= -1  # what is seen faces the eye, whichever way round its corners were written

        pixels = sky(view, size)
        pixels[seen] = lit(geometry.colours[found], normals)
        depth = np.zeros((size.height, size.width), np.float32)
        depth[seen] = (by_depth - 1 / view.far) / (1 / view.near - 1 / view.far)
        normal = np.full((size.height, size.width, 3), FACING, np.uint8)
        normal[seen] = np.clip((normals @ view.axes.T * [-1, 1, 1] + 1) * 127.5, 0, 255).round()
        ids = np.full((size.height, size.width), NOTHING, np.uint16)
        ids[seen] = geometry.ids[found]
        return pixels, Passes(depth, normal, ids, None, geometry.names, projection, None, number)

    def close(self) -> None:
        """There is nothing to let go of."""


def _nearest(corners: np.ndarray, view: View, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Which face is nearest in every pixel, (H, W), -1 for none; and for each face the (3, 3) that takes (x, y, 1) to
    its corners' shares over w."""
    flat = np.abs(np.linalg.det(corners)) <= 1e-13 * np.linalg.norm(corners, axis=-1).prod(axis=-1)
    inverse = np.linalg.inv(np.where(flat[:, None, None], np.eye(3), corners))
    low, high = _boxes(corners, view.clip)
    low = np.clip(np.ceil(low), 0, None)
    high = np.minimum(np.floor(high), [size.width - 1, size.height - 1])
    usable = ~flat & (high >= low).all(-1)
    sides = np.where(usable[:, None], high - low + 1, 0).max(-1)

    best = np.zeros(size.width * size.height)  # 1 / w of the nearest
    best[:] = 1 / view.far
    face = np.full(best.shape, -1)
    classes = np.where(sides > 0, np.ceil(np.log2(np.maximum(sides, 1))), -1).astype(int)
    for each in np.unique(classes[classes >= 0]):
        side = 1 << each
        members = np.flatnonzero(classes == each)
        step = max(1, AT_ONCE // (side * side))
        for begin in range(0, len(members), step):
            some = members[begin : begin + step]
            x = low[some, 0][:, None, None] + np.arange(side)[None, None, :]
            y = low[some, 1][:, None, None] + np.arange(side)[None, :, None]
            inside = (x <= high[some, 0][:, None, None]) & (y <= high[some, 1][:, None, None])
            by_depth = np.zeros(inside.shape)
            for corner in range(3):
                a, b, c = (inverse[some, row, corner][:, None, None] for row in range(3))
                part = a * x + b * y + c
                inside &= part >= 0
                by_depth += part
            inside &= (by_depth >= 1 / view.far) & (by_depth <= 1 / view.clip)
            which, row, column = np.nonzero(inside)
            at = (low[some[which], 1] + row).astype(int) * size.width + (low[some[which], 0] + column).astype(int)
            value = by_depth[inside]
            np.maximum.at(best, at, value)
            won = value == best[at]
            face[at[won]] = some[which[won]]
    return face.reshape(size.height, size.width), inverse


def _boxes(corners: np.ndarray, clip: float) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper ends, (N, 2) each, of what of each face is before the eye; crossed where nothing is."""
    w = corners[..., 2]
    before = w >= clip
    following = np.roll(corners, -1, axis=1)
    crosses = before != (following[..., 2] >= clip)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (clip - w) / (following[..., 2] - w)
        cut = corners + share[..., None] * (following - corners)
        places = np.concatenate([corners[..., :2] / w[..., None], cut[..., :2] / clip], axis=1)  # (N, 6, 2)
    known = np.concatenate([before, crosses], axis=1)[..., None]
    return np.where(known, places, np.inf).min(axis=1), np.where(known, places, -np.inf).max(axis=1)
