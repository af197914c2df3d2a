"""What the loop runs on: one configuration, ready, and what a picture keeps of its input."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..base.config import StreamConfig
from .batch import StreamBatch
from .preparer import Preparer
from .prompt import mix
from .recipe import Embeds, Recipe
from .sequential import SequentialSteps
from .whole import WholeFrame

Steps = StreamBatch | SequentialSteps | WholeFrame


@dataclass(frozen=True, eq=False)
class Tag:
    """What a picture keeps of its input through the batch."""

    source_id: int
    captured_at: float
    revision: int
    fitted: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """One configuration, ready to run. The loop takes a whole plan between two frames, or none of it.

    ``faded`` is how many frames have entered since its prompt began to fade in.
    """

    config: StreamConfig
    recipe: Recipe
    preparer: Preparer
    steps: Steps
    fade_from: Embeds | None = None  # the prompt that this one fades in over
    fade_over: int = 0  # frames that this takes

    def fade_left(self, faded: int) -> int:
        """Frames until the prompt has faded in."""
        return max(0, self.fade_over - faded)

    def prompt_after(self, faded: int) -> Embeds:
        """The prompt of the newest frame, which may be half-way between two."""
        if self.fade_from is None:
            return self.recipe.prompt
        if not faded:
            return self.fade_from
        share = min(1.0, faded / self.fade_over)
        return mix(self.fade_from, self.recipe.prompt, share, self.config.prompt_interpolation)

    def recipe_after(self, faded: int) -> Recipe:
        """The recipe of the newest frame: the plan's own, or one on the way there."""
        done = self.fade_from is None or faded >= self.fade_over
        return self.recipe if done else replace(self.recipe, prompt=self.prompt_after(faded))
