"""What a trial of a model's behaviour is given, and how it renders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import numpy as np

from ..data.sample import Sample
from .data import Data
from .measures import nearness
from .rendering import Job, Renderer

HAND_SEED = 20_000  # of the hand that draws in trials
Shown = Callable[[str, int, np.ndarray], Any]


class NotMeasured(Exception):
    """A trial cannot be done with these data; the message says why."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What a trial gets: the model, the data, how many steps, and the PSNR of every plain render (N,)."""

    renderer: Renderer
    data: Data
    steps: int
    plain: Sequence[float]
    show: Shown = field(default=lambda label, index, picture: None)
    """Told every render: what it is, the index of its sample, the picture."""
    at: Callable[[str, float], Any] = field(default=lambda label, part: None)
    """Told which part of what is rendered, 0 to 1."""

    def renders(self, label: str, jobs: dict[int, Job], paint: bool = False) -> Iterable[tuple[int, np.ndarray]]:
        """(index of the sample, its render) for every job."""
        made = self.renderer.paintings(jobs.values()) if paint else self.renderer.sketches(jobs.values(), self.steps)
        for number, (index, picture) in enumerate(zip(jobs, made, strict=True)):
            self.at(label, number / len(jobs))
            self.show(label, index, picture)
            yield index, picture

    def psnr(self, label: str, jobs: dict[int, Job]) -> dict[int, float]:
        """PSNR of the render of every job, by the index of its sample."""
        truths = self.data.samples
        return {index: nearness(picture, truths[index].picture) for index, picture in self.renders(label, jobs)}

    def lost(self, found: dict[int, float]) -> float:
        """How much less PSNR these renders have than the plain ones of the same samples."""
        return mean(self.plain[index] - value for index, value in found.items())

    def all(self) -> list[tuple[int, Sample]]:
        """The samples with their indices."""
        return [(index, self.data.samples[index]) for index in range(len(self.data.samples))]
