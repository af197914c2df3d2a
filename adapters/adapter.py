"""What may act on frames on their way: an adapter is one class in one file, one of ours or a user's own.

A frame passes four places, and an adapter acts where it wants to:

1. ``image_before``: the picture, fitted to the model's size, before anything is made of it;
2. ``latent_before``: its latent, before noise is added (modes that start from a picture);
3. ``latent_after``: the clean latents that a step predicts, before they are noised for the next step;
4. ``image_after``: the finished picture, before lines are laid over it and anybody sees it.

What belongs to a frame stays with it: what ``image_before`` leaves in ``Passage.rows`` reaches ``latent_after`` beside
the latent of that very frame, however many steps it has behind it, and ``Passage.notes`` comes back in ``image_after``.
Between 1 and 4 other frames are on their way, too: nothing of one frame belongs into an attribute of the adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..stream.base.config import StreamConfig
from ..stream.base.frame import Origin
from ..stream.base.passes import Passes

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]  # name -> shape of one row
Rows = Mapping[str, "Tensor"]  # name -> (rows, *shape)


@dataclass(eq=False)
class Passage:
    """One frame on its way past one adapter."""

    config: StreamConfig
    """The settings that it is rendered under."""
    begins: bool
    """Whether nothing before it counts: it is the first, or settings have changed, or frames were lost."""
    origin: Origin = field(default_factory=Origin)
    """What its source says of it."""
    passes: Passes | None = None
    """What is known of it beside its colours, at the size of the picture."""
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    """What travels with its latent: float32, by the names and in the shapes that ``Adapter.rows`` declares."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What waits here for ``image_after``."""
    held: bool = False
    """Whether anything of the pictures before it is in this one; an adapter that does that says so."""


class Adapter:
    """Subclass it, and override what is needed; the rest leaves a frame as it is, and what is not overridden costs
    nothing. It is made with its ``params`` as keyword arguments, once for each shape of a stream; one thread calls it.

    Tensors are float32 on the stream's device. Where a device can record work, ``latent_before`` and ``latent_after``
    are recorded once and played back: they may read ``rows`` and ``memory``, change ``memory`` in place, and must
    neither wait for the device nor take decisions in Python by what tensors hold. What changes from frame to frame goes
    through ``rows``.
    """

    def rows(self, latent: tuple[int, int, int], steps: int) -> Shapes:
        """What belongs to each frame beside its latent, for latents (4, h, w) and K ``steps``: name -> shape."""
        return {}

    def memory(self, latent: tuple[int, int, int], steps: int) -> Shapes:
        """What stays from tick to tick, for each of the K steps: name -> shape. It begins as zeros."""
        return {}

    def suits(self, origin: Origin) -> bool:
        """Whether what it declares is right for frames of such an origin. If not, nothing is in flight any more when
        ``meet`` is called, then ``rows`` and ``memory`` again, and the next frame begins anew."""
        return True

    def meet(self, origin: Origin) -> None:
        """The next frames are of that origin."""

    def image_before(self, picture: np.ndarray, frame: Passage) -> np.ndarray:
        """(H, W, 3) uint8 RGB in and out; not to be changed in place."""
        return picture

    def latent_before(self, latent: Tensor, rows: Rows) -> Tensor:
        """(F, 4, h, w) in and out, without noise; ``rows`` of these F frames."""
        return latent

    def latent_after(self, latent: Tensor, rows: Rows, memory: Rows, on: int) -> Tensor:
        """(S F, 4, h, w) in and out, clean: F frames at each of S steps, least advanced first. ``rows`` of these
        frames, ``memory`` (S, ...) of these steps. The first ``on`` latents go on to another step; the others are
        finished. The rows of a filler, which only helps other frames out, are zeros: it must change no memory."""
        return latent

    def image_after(self, picture: np.ndarray, frame: Passage) -> np.ndarray:
        """(H, W, 3) uint8 RGB in and out; not to be changed in place. Frames come in their order."""
        return picture

    @property
    def unsettled(self) -> bool:
        """Whether the same drawing once more would give a better picture: when the hand rests it comes again."""
        return False
