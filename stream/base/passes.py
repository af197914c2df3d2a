"""What is known of a picture beside its colours: depth, normals, things, their edges, and where each pixel was before.

A 3D scene knows all of it exactly. Conventions are those that ControlNets were trained on: near is white in a depth
picture, and normals are BAE's (Bae et al., 2021): red is left, green is up, blue is towards the eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from .errors import FrameError
from .frame import FitMode, Placement, Size, place
from .motion import Motion, inside, places

NOTHING = 0  # the id of a pixel on which there is no thing
STEP = 0.03  # of a depth: a jump, or a bend, above that is an edge
CREASE = 24.0  # levels between two normals from which there is an edge, about 15 degrees
BENDS = np.array([[1, -2, 1]], np.float32)  # second difference
BAND = 64  # rows that are worked out together, so that what is in between stays in the cache
AROUND = np.ones((3, 3), np.uint8)
NEARER = 0.01  # of a depth: what lay that much nearer before hid what is seen now


@dataclass(frozen=True, eq=False)
class Passes:
    """Maps of one size that belong to a picture; each may be None. Raises FrameError when their sizes differ."""

    depth: np.ndarray | None = None
    """(H, W) float32: (1/z - 1/far) / (1/near - 1/far), so 1 at ``near``, more before it, and 0 far away."""
    normal: np.ndarray | None = None
    """(H, W, 3) uint8: red (1 - x) / 2, green (1 + y) / 2, blue (1 + z) / 2 of the normal in OpenGL's camera."""
    ids: np.ndarray | None = None
    """(H, W) uint16: another number for every thing; 0 is none."""
    edges: np.ndarray | None = None
    """(H, W) uint8, white on black; see ``lines``."""
    names: Mapping[int, str] = field(default_factory=dict)
    """What things are, by their ids, in words of a palette: ``{1: "wall", 2: "window"}``."""
    projection: np.ndarray | None = None
    """(4, 4) float64: takes a place of the scene, (x, y, z, 1), to w * (pixel x, pixel y, depth, 1)."""
    flow: np.ndarray | None = None
    """(H, W, 2) float32, as in ``Motion``, since the picture numbered ``number`` - 1; for who has no projection."""
    number: int = 0
    """Counts the pictures of a source."""

    def __post_init__(self) -> None:
        sizes = {name: Size.of(each) for name, each in self._maps()}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise FrameError(f"passes: got {said}, expected one size; render all passes at the same resolution")

    def _maps(self) -> list[tuple[str, np.ndarray]]:
        named = [(name, getattr(self, name)) for name in ("depth", "normal", "ids", "edges", "flow")]
        return [(name, each) for name, each in named if each is not None]

    @property
    def size(self) -> Size | None:
        """Of the maps; None without any."""
        maps = self._maps()
        return Size.of(maps[0][1]) if maps else None

    def lines(self) -> np.ndarray | None:
        """Edges one pixel wide, (H, W) uint8, white on black; None where nothing is known that has any.

        ``edges`` where they were given, else where depth jumps or bends, normals turn, or another thing begins.
        """
        if self.edges is not None:
            return self.edges
        if self.depth is None and self.normal is None and self.ids is None:
            return None
        return find_edges(self.depth, self.normal, self.ids)

    def fitted(self, target: Size, fit: FitMode = "crop") -> Passes:
        """The passes at another size, laid into it as ``place`` lays the picture. Nothing is mixed across edges."""
        size = self.size
        if size is None or size == target:
            return self
        lay = place(size, target, fit)
        scale = np.array([lay.inside.width / lay.crop.width, lay.inside.height / lay.crop.height])
        # A pixel's index is its middle: the picture's edge lies half a pixel before index 0.
        shift = np.array([lay.inside.x, lay.inside.y]) - np.array([lay.crop.x, lay.crop.y]) * scale + 0.5 * scale - 0.5
        window = np.eye(4)
        window[[0, 1], [0, 1]], window[:2, 3] = scale, shift
        flow = _laid(self.flow, lay)
        return Passes(
            _laid(self.depth, lay),
            _laid(self.normal, lay),
            _laid(self.ids, lay),
            None if self.edges is None else _lines_laid(self.edges, lay),
            self.names,
            None if self.projection is None else window @ self.projection,
            None if flow is None else flow * scale.astype(np.float32),
            self.number,
        )

    def motion_since(self, before: Passes) -> Motion | None:
        """Where each pixel was in an earlier picture of the same source and size; None where that is not known.

        Exact where both have depth and a projection and nothing but the eye moved, however many pictures lie between
        them. What is endlessly far away moves as if it were at the far end of the depths.
        """
        if self.size is None or self.size != before.size:
            return None
        if self.depth is None or self.projection is None or before.depth is None or before.projection is None:
            if self.flow is None or self.number != before.number + 1:
                return None
            x, y = places(*self.size)
            return Motion(self.flow, inside(x + self.flow[..., 0], y + self.flow[..., 1], self.size))
        # Both projections are one matrix, so that what was seen comes from what is by a matrix, too.
        across = (before.projection @ np.linalg.inv(self.projection)).astype(np.float32)
        # The farthest of the pixels around decides: where one of them shows it, it was not hidden.
        deepest = cv2.erode(before.depth, AROUND)
        flow, seen = np.empty((*self.depth.shape, 2), np.float32), np.empty(self.depth.shape, bool)
        for top in range(0, len(flow), BAND):
            rows = np.s_[top : top + BAND]
            flow[rows], seen[rows] = _came_from(self.depth, across, deepest, rows)
        return Motion(flow, seen)


def find_edges(depth: np.ndarray | None, normal: np.ndarray | None, ids: np.ndarray | None) -> np.ndarray:
    """Where something begins, ends or bends: (H, W) uint8, white on black, one pixel wide, on the nearer side.

    At least one map must be given, see ``Passes``. In the picture the depth of a plane is linear, so that its second
    difference tells a bend or a jump from a floor that runs away from the eye.
    """
    known = next(each for each in (depth, normal, ids) if each is not None)
    edges = np.zeros(known.shape[:2], np.uint8)
    if depth is not None:
        across, down = (cv2.filter2D(depth, -1, kernel) for kernel in (BENDS, BENDS.T))
        across[:, [0, -1]] = down[[0, -1]] = 0  # the picture's own border is no edge
        bend = cv2.max(np.abs(across), np.abs(down))
        # Of a jump, the two pixels beside it bend as much; only the nearer one is its edge.
        sunk = cv2.compare(cv2.subtract(cv2.dilate(depth, AROUND), depth), bend * 0.5, cv2.CMP_GT)
        edges = cv2.subtract(cv2.compare(bend, np.abs(depth) * STEP + 0.02 * STEP, cv2.CMP_GT), sunk)
    for down, right in ((1, 0), (0, 1)):
        here = np.s_[: known.shape[0] - down, : known.shape[1] - right]
        there = np.s_[down:, right:]
        other = np.zeros(known[here].shape[:2], bool)
        if ids is not None:
            other |= ids[here] != ids[there]
        if normal is not None:
            red, green, blue = cv2.split(cv2.absdiff(normal[here], normal[there]))
            other |= np.maximum(np.maximum(red, green), blue) > CREASE
        if depth is None:
            edges[here][other] = 255
        else:
            nearer = depth[here] >= depth[there]
            edges[here][other & nearer] = 255
            edges[there][other & ~nearer] = 255
    return edges


def depth_picture(depth: np.ndarray) -> np.ndarray:
    """Depths as ControlNets take them: (H, W) float32 -> (H, W) uint8, near is white."""
    return cv2.convertScaleAbs(np.clip(depth, 0.0, 1.0), alpha=255.0)


def _laid(each: np.ndarray | None, lay: Placement) -> np.ndarray | None:
    """A map laid into another size by the nearest pixel, with 0 where it does not reach."""
    if each is None:
        return None
    crop, inside = lay.crop, lay.inside
    # OpenCV's INTER_NEAREST takes the pixel at the left of the middle; this takes the one in the middle.
    columns = ((np.arange(inside.width) + 0.5) * crop.width / inside.width).astype(int) + crop.x
    rows = ((np.arange(inside.height) + 0.5) * crop.height / inside.height).astype(int) + crop.y
    part = each[rows[:, None], columns]
    if inside.size == lay.target:
        return part
    whole = np.zeros((lay.target.height, lay.target.width, *each.shape[2:]), each.dtype)
    whole[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width] = part
    return whole


def _lines_laid(edges: np.ndarray, lay: Placement) -> np.ndarray:
    """Lines laid into another size: a pixel is as white as the whitest under it, so that none gets lost."""
    less = max(1, round(lay.crop.width / lay.inside.width))
    laid = _laid(cv2.dilate(edges, np.ones((less, less), np.uint8)) if less > 1 else edges, lay)
    assert laid is not None
    return laid


def _came_from(
    depth: np.ndarray, across: np.ndarray, deepest: np.ndarray, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
    """``Motion`` of some rows of a depth, by the (4, 4) that takes what is to what was; ``deepest`` is what was."""
    x, y = (each[rows] for each in places(depth.shape[1], depth.shape[0]))
    was = cv2.split(cv2.transform(cv2.merge([x, y, depth[rows]]), across))  # four (H, W): homogeneous
    w = np.where(was[3] > 1e-9, was[3], np.float32(np.inf))  # what lay behind the eye is sent to the corner
    before_x, before_y, deep = (each / w for each in was[:3])
    there = cv2.remap(deepest, before_x, before_y, cv2.INTER_NEAREST)
    seen = (was[3] > 1e-9) & inside(before_x, before_y, Size.of(depth))
    return cv2.merge([before_x - x, before_y - y]), seen & (there <= deep + NEARER * (np.abs(deep) + 0.02))
