"""Pictures from a generation that was ended early: they have forgotten their details, as a sketch leaves them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...stream.base.errors import ConfigError, EngineError
from ...stream.base.prompt import escaped

PLAN = (20, 24, 28, 32, 36, 40, 44, 48)  # of 50 steps, as a whole img2img generation would take them


class Early:
    """Makes a picture of a picture with img2img, and stops after a few of its steps; the same every time."""

    def __init__(
        self, model: Any, steps: int, size: int = 512, device: str = "auto", progress: Callable[..., Any] | None = None
    ) -> None:
        """``model`` is a name as ``Stream.from_pretrained`` takes it, or a pipeline of diffusers; ``size`` is the side
        of its pictures in pixels. Raises ConfigError for a number of steps that is not 1 to 8, ModelError for a model.
        """
        if not 1 <= steps <= len(PLAN):
            raise ConfigError(f"--early: got {steps} steps, expected 1 to {len(PLAN)}; {len(PLAN)} would end it late")
        from ...stream.loop.stream import Stream

        settings = {
            "mode": "img2img",
            "t_index_list": PLAN[:steps],
            "use_denoising_batch": False,
            "similar_image_filter_threshold": None,
            "cfg_type": "none",
            "guidance_scale": 1.0,
            "width": size,
            "height": size,
            "warmup": 0,
        }
        if isinstance(model, str):
            self._stream = Stream.from_pretrained(model, device=device, progress=progress, **settings)
        else:
            self._stream = Stream(model, device=device, acceleration="eager", progress=progress, **settings)
        self._prompt: str | None = None

    def __call__(self, picture: np.ndarray, prompt: str) -> np.ndarray:
        """What the generation has come to: (S, S, 3) uint8 RGB of a picture (H, W, 3)."""
        if prompt != self._prompt:
            self._stream.update(prompt=escaped(prompt))
            self._prompt = prompt
        for output in [self._stream(picture, gated=False), *self._stream.drain()]:
            if output is not None:
                return output.pixels
        raise EngineError("--early: the model gave no picture; try another one")

    def close(self) -> None:
        """Let go of the model."""
        self._stream.close()
