"""Stills of any size from the networks of one pipeline, at leisure: with progress, and an end at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..base.config import StreamConfig
from ..base.errors import EngineError
from ..base.frame import Size
from ..base.progress import Progress
from ..loop.batch import Shared
from ..loop.codec import to_condition, to_image, to_pixels
from ..loop.guidance import make_guidance
from ..loop.networks import Networks
from ..loop.outputs import inked
from ..loop.plan import Preparer
from ..loop.regions import masks_of
from ..loop.tiled import TiledSteps, tiles_of

Step = Callable[[float], None]
"""Told the share that is done, now and then; may raise, which ends the work."""
OVERLAP = 0.25  # of a tile's side that it shares with its neighbour at least


class Painter:
    """The networks of a pipeline under one configuration, run by PyTorch itself: no engine is built for one picture.

    The pipeline stays as it is, and may serve a stream at the same time; its weights are shared.
    """

    def __init__(self, pipe: Any, config: StreamConfig, progress: Progress | None = None) -> None:
        """``config`` is that of the kept picture. Raises ConfigError, ModelError or LoraError for what does not fit."""
        alone = {"use_denoising_batch": False, "frame_buffer_size": 1, "prompt_transition_frames": 0, "settle_steps": 0}
        here = {"acceleration": "eager", "device": "auto", "dtype": "auto", "warmup": 0, "engine_dir": None}
        self._networks = Networks(pipe, progress)
        self.config = self._networks.admit(config.changed(**alone, **here))
        with self._networks.all_or_nothing():
            self._networks.load(self.config, None)
        self.tile = Size(self.config.width, self.config.height)

    @property
    def engine(self) -> str:
        """What runs the networks, and on what, for people."""
        units = self._networks.units(self.config)
        return units.about or units.name

    @property
    def overlap(self) -> int:
        """Pixels that neighbouring tiles share at least."""
        factor = int(self._networks.pipe.vae_scale_factor)
        return round(min(self.tile) * OVERLAP / factor) * factor

    def paint(
        self, drawing: np.ndarray, step: Step, scale: int = 1, image: np.ndarray | None = None, **changes: Any
    ) -> np.ndarray:
        """A picture ``scale`` times as large as a tile, from a drawing (any H, any W, 3) uint8 RGB, without ink.

        ``image`` (H, W, 3) uint8, of that size, is what it begins with in mode img2img where that is not the drawing.
        ``changes`` of settings are those that load nothing: steps, mode. The noise is the seed's. Raises EngineError
        for a picture that cannot be used.
        """
        networks, size = self._networks, Size(self.tile.width * scale, self.tile.height * scale)
        one = self.config.changed(**changes)  # of a tile
        whole = one.changed(width=size.width, height=size.height)
        recipe = networks.recipe(whole, 0, networks.schedule(whole))
        shared = Shared(
            units=networks.units(one),
            guidance=make_guidance(one.cfg_type, one.guidance_scale),
            prediction=networks.prediction,
            mode=one.mode,
            do_add_noise=one.do_add_noise,
        )
        factor, device = int(networks.pipe.vae_scale_factor), recipe.noise.device
        overlap = self.overlap // factor
        sides = self.tile.height // factor, self.tile.width // factor
        tiles = tiles_of(size.height // factor, size.width // factor, sides, overlap)
        prepared = Preparer(whole, factor=factor).prepare(self._fitted(drawing, size))
        begun, conditions = to_image([prepared.image if image is None else image], device), prepared.conditions
        steps = TiledSteps(shared, tiles, overlap, factor, step)
        rows = masks_of([prepared.regions], recipe)
        made = steps.render(begun, to_condition([conditions], device), recipe, rows)
        (pixels,), (usable,) = to_pixels(made)
        if not usable:
            raise EngineError(
                "the network gave an unusable picture (NaN, infinity or all black), expected one that can be shown: "
                "try another autoencoder (vae_id), or lower LoRA scales"
            )
        return pixels

    def inked(self, pixels: np.ndarray, drawing: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 of any size with the drawn lines over it, as far as ``drawing_influence`` says."""
        size = Size.of(pixels)
        whole = self.config.changed(width=size.width, height=size.height)
        preparer = Preparer(whole, self._networks.influence(whole).ink)
        return inked(pixels, preparer.prepare(self._fitted(drawing, size)).ink)

    def _fitted(self, drawing: np.ndarray, size: Size) -> np.ndarray:
        return enlarged_to(size, Preparer(self.config).fitted(drawing))


def enlarged_to(size: Size, pixels: np.ndarray) -> np.ndarray:
    """``pixels`` (H, W, 3) uint8 at ``size``, bicubically; themselves where they have it."""
    return pixels if Size.of(pixels) == size else cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
