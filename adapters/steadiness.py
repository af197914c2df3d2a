"""What did not change in a drawing does not change in its picture; what moves takes its picture along.

A network answers to one stroke all over the picture: by a level or two, and with other texture. Here a map says where
the drawing has changed since the frame before; elsewhere the frame keeps what the frame before it had: its clean latent
wherever it is noised again for another step, and at the end its pixels, with a soft seam.

What must change all the same does. Where the render has become quite another thing than what is held, because a stroke
far away closed a shape, it is taken at once. And when a drawing has rested, the picture goes over to its own render
in a few frames, so that what stays in the end depends on the drawing alone, and on nothing that was before.

Scenes, cameras and films move all over (``Origin.moves``). There what is held goes along: latents and pixels are taken
from where they were in the frame before (``moving``), for some frames, and not where nobody saw them before. A frame's
motion belongs to it: it reaches its latent at every step, and its picture, ticks later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..stream.base.config import STEADY, StreamConfig
from ..stream.base.frame import Origin, Size
from .adapter import Adapter, Passage, Rows, Shapes
from .moving import Moving
from .still import Change, Still
from .weave import weave

if TYPE_CHECKING:
    from torch import Tensor

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
        self._moves = False  # whether pictures may move all over
        self._tells: Still = Still(self._grid)  # what may change
        self._shown: np.ndarray | None = None  # the picture of the frame before; float32 where pictures move
        self._holding = False  # whether the last picture that entered is not all its own

    def suits(self, origin: Origin) -> bool:
        """What moves needs more with each row than what stands still."""
        return origin.moves == self._moves

    def meet(self, origin: Origin) -> None:
        """From the next frame on."""
        self._moves, self._shown = origin.moves, None
        self._tells = Moving(self._grid) if self._moves else Still(self._grid)

    def rows(self, latent: tuple[int, int, int], steps: int) -> Shapes:
        """How much each cell may change, what is taken all the same, and where each cell was; with one step nothing is
        noised again."""
        _, height, width = latent
        self._grid = width, height
        self._tells = Moving(self._grid) if self._moves else Still(self._grid)
        if steps == 1:
            return {}
        shapes: dict[str, tuple[int, ...]] = {"change": (1, height, width), "takes": (1, 1, 1)}
        return {**shapes, "flow": (2, height, width)} if self._moves else shapes

    def memory(self, latent: tuple[int, int, int], steps: int) -> Shapes:
        """The clean latents of the frame before, at each step."""
        return {} if steps == 1 else {"clean": latent}

    @property
    def unsettled(self) -> bool:
        """Whether it holds anything that the drawing by itself would not give."""
        return self._holding

    def image_before(self, picture: np.ndarray, frame: Passage) -> np.ndarray:
        """Finds out how much each cell may change, and where it was."""
        steadiness, change = held_at(frame.config, frame.origin.goes_on), None
        if steadiness and not frame.begins:
            change = self._tells.next(picture, frame, steadiness)
        if change is None:
            self._tells.begin(picture, frame)
            change = Change(np.ones(self._grid[::-1], np.float32))
        may, takes = change.may, taken(steadiness) if steadiness else 0.0
        frame.held = self._holding = bool(may.min() < 1)
        frame.notes["change"], frame.notes["takes"] = change, takes
        frame.rows["change"], frame.rows["takes"] = may[None], np.full((1, 1, 1), takes * DEVIATION, np.float32)
        if self._moves:
            flow = None if change.motion is None else change.motion.at(Size(*self._grid)).flow.transpose(2, 0, 1)
            frame.rows["flow"] = np.zeros((2, *self._grid[::-1]), np.float32) if flow is None else flow
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
        brought = {name: value[:on].unflatten(0, (going, frames)) for name, value in rows.items()}
        held = []
        for place in range(frames):
            new, may, takes = clean[:, place], brought["change"][:, place], brought["takes"][:, place]
            was = moved(before, brought["flow"][:, place]) if "flow" in brought else before
            apart = torch.nn.functional.avg_pool2d(new - was, 3, 1, 1).abs().amax(1, keepdim=True)
            away = (apart / new.std((1, 2, 3), keepdim=True).clamp(min=1e-6) * takes - 1).clamp(0, 1)
            # Where it may change wholly this is the new latent to the bit, whatever there was before.
            mixed = torch.lerp(was, new, torch.maximum(may, away))
            before = torch.where(mixed.isfinite().flatten(1).all(1).view(-1, 1, 1, 1), mixed, before)
            held.append(mixed)
        memory["clean"][:going].copy_(before)
        return torch.cat([torch.stack(held, 1).flatten(0, 1), latent[on:]])

    def image_after(self, picture: np.ndarray, frame: Passage) -> np.ndarray:
        """The picture where it may change, and the one before it elsewhere."""
        before, change = self._shown, frame.notes["change"]
        own = picture.astype(np.float32) if self._moves else picture
        made = own
        if frame.held and before is not None and before.shape == picture.shape:
            made = self._held(own, before, change, frame.notes["takes"])
        if made is own:
            self._shown = own.copy()  # whoever gets the picture may write into it
            return picture
        self._shown = made.copy()
        return cv2.convertScaleAbs(made) if self._moves else made

    def _held(self, own: np.ndarray, before: np.ndarray, change: Change, takes: float) -> np.ndarray:
        """A picture with what is held of the one ``before``, both (H, W, 3) of one type."""
        height, width = own.shape[:2]
        motion = change.motion
        was = before if motion is None else motion.warp(before, cv2.INTER_CUBIC)
        new, old = (cv2.resize(each, self._grid, interpolation=cv2.INTER_AREA) for each in (own, was))
        apart = np.abs(cv2.blur(new.astype(np.float32) - old, (3, 3))).max(axis=2)
        weight = np.maximum(change.may, np.clip(apart * takes - 1, 0, 1)).astype(np.float32)
        weight = cv2.resize(weight, (width, height), interpolation=cv2.INTER_LINEAR)
        if change.new is not None:
            weight = np.maximum(weight, change.new)
        return cv2.blendLinear(own, was, weight, 1 - weight) if motion is None else weave(own, was, weight)


def moved(latent: Tensor, flow: Tensor) -> Tensor:
    """(S, 4, h, w) as it is seen from where each cell was ``flow`` (S, 2, h, w) cells away, edges going on. Where it
    did not move it stays as it is, to the bit."""
    import torch

    steps, channels, height, width = latent.shape
    x = (torch.arange(width, device=flow.device) + flow[:, 0]).clamp(0, width - 1)  # (S, h, w)
    y = (torch.arange(height, device=flow.device)[:, None] + flow[:, 1]).clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    right, down = (x - left)[:, None], (y - top)[:, None]  # (S, 1, h, w): shares
    flat, found = latent.flatten(2), []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        place = (top + row).clamp(max=height - 1) * width + (left + column).clamp(max=width - 1)  # (S, h, w)
        index = place.long().flatten(1)[:, None].expand(-1, channels, -1)
        found.append(flat.gather(2, index).view(steps, channels, height, width))
    upper, lower = torch.lerp(found[0], found[1], right), torch.lerp(found[2], found[3], right)
    return torch.lerp(upper, lower, down)
