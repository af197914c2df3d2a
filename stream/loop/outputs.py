"""From finished latents to outputs that wait to be handed out: what is unusable or unsafe does not get out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from torch import Tensor

from ..base.config import StreamConfig
from ..base.errors import ConfigError, EngineError, FrameError
from ..base.frame import Output, Size
from ..base.metrics import Metrics
from ..base.pixels import as_rgb
from .batch import Finished
from .chain import Chain
from .codec import on_host, to_image, to_pixels
from .plan import Tag

# A network that fails once, on an odd prompt say, may recover; one that fails this often in a row will not.
UNUSABLE_IN_A_ROW = 10
OutputType = Literal["np", "pt"]
# (H, W, 3) uint8 RGB -> True: it may be shown; False or None: it is not; a picture of its size: that one is shown.
SafetyChecker = Callable[[np.ndarray], Any]


class Outputs:
    """The finished pictures of a stream, oldest first. They belong to the thread that renders."""

    def __init__(self, output_type: OutputType = "np", safety_checker: SafetyChecker | None = None) -> None:
        """Raises ConfigError for another ``output_type``."""
        if output_type not in ("np", "pt"):
            raise ConfigError(f"output_type: got {output_type!r}, expected 'np' or 'pt'")
        self._with_tensors = output_type == "pt"
        self._checker = safety_checker
        self._safe: np.ndarray | None = None  # the last picture that the checker let through
        self._ready: deque[Output] = deque()
        self._unusable = 0
        self.proven: StreamConfig | None = None  # the newest configuration that gave a usable picture

    def __len__(self) -> int:
        return len(self._ready)

    def clear(self) -> None:
        """Let go of all of them."""
        self._ready.clear()

    def take(
        self, finished: Finished, decode: Callable[[Tensor], Tensor], metrics: Metrics, chain: Chain | None = None
    ) -> bool:
        """Finished frames become outputs; returns whether all are usable. An unusable one is left out, so that the last
        good picture stays; ``check`` says when there were too many. ``chain`` are the adapters that they pass."""
        with metrics.span("decode"):
            image = finished.image
            if finished.latent is not None:
                image = decode(finished.latent)  # (F, 3, H, W)
                pictures, usable = to_pixels(image)  # (F, H, W, 3), (F,)
            else:
                pictures, usable = on_host(finished.levels), on_host(finished.usable)
        refused, outputs = 0, []
        for index, (pixels, good, tag) in enumerate(zip(pictures, usable, finished.tags, strict=True)):
            if tag is None:
                continue
            if good:
                self._unusable = 0
                tensor = image[index] if self._with_tensors and image is not None else None
                after = pixels if chain is None else chain.image_after(pixels, tag.passages)
                outputs.append(self._output(after, tag, tensor, metrics, own=after is pixels))
                continue
            refused += 1
            self._unusable += 1
            metrics.count("outputs_refused")
        self._ready.extend(outputs)  # all or, where the checker fails, none
        return not refused

    def check(self) -> None:
        """Raises EngineError after ten unusable pictures in a row."""
        if self._unusable >= UNUSABLE_IN_A_ROW:
            raise EngineError(
                f"the network gave {self._unusable} unusable pictures in a row (NaN, infinity or all black), "
                f"expected a picture: try dtype=float32, another autoencoder (vae_id), or lower LoRA scales"
            )

    def prove(self, config: StreamConfig, revision: int, tags: Sequence[Tag | None]) -> None:
        """Usable pictures came out: of this configuration, if they entered under its revision."""
        if any(tag is not None and tag.revision == revision for tag in tags):
            self.proven = config

    def differences(self, config: StreamConfig) -> str:
        """Names of the settings in which one differs from ``proven``; raises EngineError where there are none."""
        old = self.proven or config
        names = [name for name in type(config).model_fields if getattr(old, name) != getattr(config, name)]
        if not names:
            raise EngineError("no other settings gave a usable picture")
        return ", ".join(names)

    def forgive(self) -> None:
        """Begin to count unusable pictures anew: what gave them is no more."""
        self._unusable = 0

    def hand_out(self) -> Output | None:
        """The oldest, if there is one."""
        return self._ready.popleft() if self._ready else None

    def _output(self, pixels: np.ndarray, tag: Tag, tensor: Tensor | None, metrics: Metrics, own: bool) -> Output:
        """``pixels`` (H, W, 3) uint8; ``tensor`` is the same before rounding, (3, H, W), where it is wanted and the
        picture is the network's ``own``."""
        drawn = inked(pixels, tag.ink)
        shown = self._shown(drawn)
        unsafe = shown is not drawn
        if unsafe:
            metrics.count("outputs_unsafe")
        if tensor is not None:  # the next picture may be written to the same place
            tensor = tensor.float().clone() if own and shown is pixels else to_image([shown], tensor.device)[0]
        now = metrics.clock()
        held = any(passage.held for passage in tag.passages)
        made = {"making": tag.making, "faded": tag.faded, "held": held}
        return Output(shown, tag.source_id, tag.captured_at, tag.revision, tag.fitted, now, tensor, unsafe, **made)

    def _shown(self, pixels: np.ndarray) -> np.ndarray:
        """``pixels`` itself where it may be shown, else what comes in its place: the checker's own, the last picture
        that was shown, or a black one. What the checker raises goes through, and nothing is shown either."""
        if self._checker is None:
            return pixels
        verdict = self._checker(pixels.copy())  # whatever it does to the picture, ours stays as it is
        if isinstance(verdict, bool | np.bool_ | None):
            if verdict:
                self._safe = pixels.copy()  # whoever has the output may write into it
                return pixels
        else:
            return _picture_of(verdict, Size.of(pixels))
        safe = self._safe
        return safe.copy() if safe is not None and safe.shape == pixels.shape else np.zeros_like(pixels)


def inked(pixels: np.ndarray, ink: np.ndarray | None) -> np.ndarray:
    """A picture (H, W, 3) uint8 with ``ink`` (see ``Prepared``) over it; itself without."""
    return pixels if ink is None else cv2.multiply(pixels, 255 - ink, scale=1 / 255)


def _picture_of(verdict: Any, size: Size) -> np.ndarray:
    """What a checker gave instead of a picture: (H, W, 3) uint8 RGB. Raises FrameError where it is none of ``size``."""
    try:
        picture = as_rgb(verdict)
    except FrameError as error:
        raise FrameError(f"safety_checker: expected True, False or a picture; {error}") from error
    if Size.of(picture) != size:
        raise FrameError(f"safety_checker: got {Size.of(picture)} pixels, expected {size}")
    return picture
