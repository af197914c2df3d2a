"""What did not change in a drawing does not change in its picture.

A network answers to one stroke all over the picture: by a level or two, and with other texture. Here a map says where
the drawing has changed since the frame before; elsewhere the frame keeps what the frame before it had: its clean latent
wherever it is noised again for another step, and at the end its pixels, with a soft seam.

What must change all the same does. Where the render has become quite another thing than what is held, because a stroke
far away closed a shape, it is taken at once. And when a drawing has rested, the picture goes over to its own render
in a few frames, so that what stays in the end depends on the drawing alone, and on nothing that was before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..stream.base.config import STEADY, StreamConfig
from .adapter import Adapter, Passage, Rows, Shapes
from .tone import largest, scalar

if TYPE_CHECKING:
    from torch import Tensor

REACH = 24.0  # pixels of a 256 x 256 picture: so far from a change everything may change, half of it fully
FADES = 0.3  # of how much a spot may change, from frame to frame
FORGOTTEN = 0.1  # below this it may not
CUT = 0.5  # share of a picture that may change from which it is another one
CLEAN = 3.0  # levels: smaller differences of a pixel are none, also where there is no noise
SPOT = 5  # pixels of a spot, over which a faint line or a shadow counts
QUIET, OVER = 3, 8  # frames: a drawing that did not change in so many has rested; its picture goes over in so many
# At the steadiness of auto: where the tone of what is held is so many levels from its render, the render is taken
# wholly, and not at all at half of it. Texture that is another has the same tone.
APART = 24.0
DEVIATION = 60.0  # levels: standard deviation of pictures, for the same in latents, which have scales of their own


def held_at(config: StreamConfig, goes_on: bool | None) -> float:
    """The steadiness, 0 to 100, of a frame of a source that says that."""
    if config.mode == "txt2img" or goes_on is False:
        return 0.0
    if config.steadiness == "auto":
        return STEADY if goes_on else 0.0
    return config.steadiness


def taken(steadiness: float) -> float:
    """How much, for each level that a tone is away, the render is taken: from 1 on it begins, at 2 it is done. 0 at
    steadiness 100: however far it is away."""
    return 2 / APART * STEADY / (100 - STEADY) * (100 - steadiness) / steadiness


def may_hold(config: StreamConfig) -> bool:
    """Whether any frame under these settings can be held."""
    return config.mode != "txt2img" and config.steadiness != 0


class Steadiness(Adapter):
    """Freezes what did not change; see above. It is the last adapter of a stream, so that it sees what all others made
    of the picture."""

    def __init__(self) -> None:
        self._grid = (1, 1)  # width and height of latents
        self._seen: np.ndarray | None = None  # the drawing, each pixel as it was when it last counted as changed
        self._shown: np.ndarray | None = None  # the picture of the frame before
        self._changing: np.ndarray | None = None  # how much each cell may change, (h, w) in [0, 1]
        self._quiet = 0  # frames in a row that changed nothing
        self._holding = False  # whether the last picture that entered is not all its own

    def rows(self, latent: tuple[int, int, int], steps: int) -> Shapes:
        """How much each cell may change, and what is taken all the same; with one step nothing is noised again."""
        _, height, width = latent
        self._grid = width, height
        return {} if steps == 1 else {"change": (1, height, width), "takes": (1, 1, 1)}

    def memory(self, latent: tuple[int, int, int], steps: int) -> Shapes:
        """The clean latents of the frame before, at each step."""
        return {} if steps == 1 else {"clean": latent}

    @property
    def unsettled(self) -> bool:
        """Whether it holds anything that the drawing by itself would not give."""
        return self._holding

    def image_before(self, picture: np.ndarray, frame: Passage) -> np.ndarray:
        """Finds out how much each cell may change."""
        steadiness, may = held_at(frame.config, frame.goes_on), None
        if steadiness and not frame.begins and self._seen is not None and self._seen.shape == picture.shape:
            may = self._may_change(picture)
        if may is None:
            self._seen, self._quiet, self._changing = picture.copy(), 0, None
            may = np.ones(self._grid[::-1], np.float32)
        frame.held = self._holding = bool(may.min() < 1)
        frame.notes["may change"] = may
        frame.notes["takes"] = takes = taken(steadiness) if steadiness else 0.0
        frame.rows["change"], frame.rows["takes"] = may[None], np.full((1, 1, 1), takes * DEVIATION, np.float32)
        return picture

    def latent_after(self, latent: Tensor, rows: Rows, memory: Rows, on: int) -> Tensor:
        """Where nothing changed, the clean latent of the frame before is noised again, and not this one's."""
        if not on:
            return latent
        import torch

        steps = len(memory["clean"])
        frames = len(latent) // steps
        going = on // frames
        clean, before = latent[:on].unflatten(0, (going, frames)), memory["clean"][:going]
        change, takes = (rows[name][:on].unflatten(0, (going, frames)) for name in ("change", "takes"))
        held = []
        for place in range(frames):
            new, may = clean[:, place], change[:, place]  # (S, 4, h, w), (S, 1, h, w)
            apart = torch.nn.functional.avg_pool2d(new - before, 3, 1, 1).abs().amax(1, keepdim=True)
            away = (apart / new.std((1, 2, 3), keepdim=True).clamp(min=1e-6) * takes[:, place] - 1).clamp(0, 1)
            # Where it may change wholly this is the new latent to the bit, whatever there was before.
            mixed = torch.lerp(before, new, torch.maximum(may, away))
            before = torch.where(mixed.isfinite().flatten(1).all(1).view(-1, 1, 1, 1), mixed, before)
            held.append(mixed)
        memory["clean"][:going].copy_(before)
        return torch.cat([torch.stack(held, 1).flatten(0, 1), latent[on:]])

    def image_after(self, picture: np.ndarray, frame: Passage) -> np.ndarray:
        """The picture where it may change, and the one before it elsewhere."""
        before, may = self._shown, frame.notes["may change"]
        if frame.held and before is not None and before.shape == picture.shape:
            height, width = picture.shape[:2]
            new, old = (cv2.resize(each, self._grid, interpolation=cv2.INTER_AREA) for each in (picture, before))
            apart = np.abs(cv2.blur(new.astype(np.float32) - old, (3, 3))).max(axis=2)
            weight = np.maximum(may, np.clip(apart * frame.notes["takes"] - 1, 0, 1)).astype(np.float32)
            weight = cv2.resize(weight, (width, height), interpolation=cv2.INTER_LINEAR)
            picture = cv2.blendLinear(picture, before, weight, 1 - weight)
        self._shown = picture.copy()  # whoever gets the picture may write into it
        return picture

    def _may_change(self, picture: np.ndarray) -> np.ndarray | None:
        """How much each cell may change, (h, w) in [0, 1]; None where it is another picture."""
        assert self._seen is not None
        changed = _changed(picture, self._seen)
        cells = cv2.resize(changed, self._grid, interpolation=cv2.INTER_AREA)
        if cells.any():
            self._quiet = 0
            np.copyto(self._seen, picture, where=changed.astype(bool)[..., None])
            reach = REACH / 256 * max(self._grid)
            may = np.clip(2 - 2 * cv2.distanceTransform((cells == 0).astype(np.uint8), cv2.DIST_L2, 5) / reach, 0, 1)
        else:
            self._quiet += 1
            may = np.zeros(self._grid[::-1], np.float32)
        if self._changing is not None:
            lately = self._changing * FADES
            may = np.maximum(may, np.where(lately < FORGOTTEN, 0, lately))
        self._changing = may = may.astype(np.float32)
        if may.mean() > CUT:
            return None
        if self._quiet > QUIET:
            may = self._gone_over(picture, may)
        return may

    def _gone_over(self, picture: np.ndarray, may: np.ndarray) -> np.ndarray:
        """Of a drawing that rests: equal steps from what is held to the render, and after the last nothing changes."""
        left = QUIET + OVER + 1 - self._quiet  # frames, this one included
        if left == 1:
            self._seen = picture.copy()
        return may if left < 1 else np.maximum(may, np.float32(1 / left))


def _changed(picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Where two pictures (H, W, 3) uint8 differ by more than the noise between them: (H, W) uint8, 0 or 255.

    Most of what a camera sees stays as it is, so the middle of all differences says how much it sees by chance.
    """
    apart = cv2.absdiff(picture, seen)
    counts = cv2.calcHist([apart.reshape(-1, 1)], [0], None, [256], [0, 256]).ravel()
    noise = _middle(counts) / 0.6745  # standard deviation of a normal distribution by its median
    pixel, spot = max(CLEAN, 6.5 * noise), max(1.0, 2.0 * noise)
    by_pixel = cv2.compare(largest(apart), scalar(pixel), cv2.CMP_GT)
    signed = cv2.subtract(picture, seen, dtype=cv2.CV_16S)
    by_spot = np.abs(cv2.blur(signed.astype(np.float32), (SPOT, SPOT))).max(axis=2) > spot
    return cv2.bitwise_or(by_pixel, by_spot.astype(np.uint8) * 255)


def _middle(counts: np.ndarray) -> float:
    """The median of levels that occur so often, between levels: 0 where most are 0."""
    total = np.cumsum(counts)
    half = total[-1] / 2
    level = int(np.searchsorted(total, half))
    if level == 0:
        return 0.0
    return level - 0.5 + float((half - total[level - 1]) / max(counts[level], 1.0))
