"""Pairs made from nothing: coloured discs and boxes before a horizon, with outlines, for tests and first tries."""

from __future__ import annotations

import cv2
import numpy as np

from inkstream.lora.data.palette import NUMBER
from inkstream.lora.data.sample import Sample

COLOURS = {"red": (205, 40, 40), "green": (50, 160, 70), "blue": (45, 80, 200), "yellow": (230, 200, 50)}
GROUNDS = {"grass": (90, 150, 60), "sand": (220, 195, 140)}
SHAPES = {"disc": "body", "box": "wall"}  # shape -> class
SKY = (150, 195, 235)


class Shapes:
    """``count`` samples of ``size`` pixels; sample k is a function of the seed and k."""

    def __init__(self, count: int = 64, size: int = 64, seed: int = 0, labelled: bool = True) -> None:
        self.count, self.size, self.seed, self.labelled = count, size, seed, labelled

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng((self.seed, index))
        colour, ground, shape = (str(rng.choice(list(each))) for each in (COLOURS, GROUNDS, SHAPES))
        size = self.size
        horizon = int(size * rng.uniform(0.45, 0.7))
        labels = np.full((size, size), NUMBER["sky"], np.uint8)
        labels[horizon:] = NUMBER[ground]
        thing = np.zeros((size, size), np.uint8)
        radius = int(size * rng.uniform(0.15, 0.28))
        x, y = (int(value) for value in rng.uniform(radius + 2, size - radius - 2, 2))
        if shape == "disc":
            cv2.circle(thing, (x, y), radius, 1, -1)
        else:
            cv2.rectangle(thing, (x - radius, y - radius), (x + radius, y + radius), 1, -1)
        labels[thing > 0] = NUMBER[SHAPES[shape]]
        picture = np.empty((size, size, 3), np.uint8)
        for name, paint in (("sky", SKY), (ground, GROUNDS[ground]), (SHAPES[shape], COLOURS[colour])):
            picture[labels == NUMBER[name]] = paint
        lines = np.where(cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0, 255, 0)
        clean = lines.astype(np.uint8)
        sketch = np.roll(clean, tuple(int(step) for step in rng.integers(-1, 2, 2)), (0, 1))
        return Sample(
            picture=picture,
            sketch=sketch,
            captions=(f"a {colour} {shape} on {ground}", f"{colour} {shape}, {ground}"),
            clean=clean if self.labelled else None,
            labels=labels if self.labelled else None,
            tags={"colour": colour, "shape": shape, "ground": ground},
        )
