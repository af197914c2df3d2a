"""Moments of the past in words, and two pictures as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from ...base.blends import texts_of
from ...base.frame import Output, Size
from ...base.names import quoted

MOST_SAID = 3  # changes that are said one by one


def ago(seconds: float) -> str:
    """How long that is past, as people read it: 0:07 ago, 12:30 ago."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d} ago"


def said(changes: Mapping[str, Any]) -> str:
    """Changes of settings in a few words."""
    words = [_said(name, value) for name, value in changes.items()]
    more = len(words) - MOST_SAID
    return ", ".join(words[:MOST_SAID]) + (f", and {more} more" if more > 0 else "")


def _said(name: str, value: Any) -> str:
    if name == "prompt":
        return f"prompt {quoted(texts_of(value)[0], 40)}"
    if name == "lora_dict":
        used = [f"{style.rsplit('/', 1)[-1]} {scale:.2f}" for style, scale in value.items() if scale]
        return f"styles {', '.join(used)}" if used else "no style"
    if name == "t_index_list":
        return f"{len(value)} steps"
    plain = isinstance(value, str | int | float)
    return (
        f"{name.replace('_', ' ')} {value:g}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')}" + (f" {value}" if plain else "")
    )


class Wipe:
    """Two pictures as one: the first left of a divider, the second right of it."""

    def __init__(self) -> None:
        self.part = 0.5  # where the divider is, as a share of the width
        self._made: tuple[Any, ...] = ()
        self._output: Output | None = None

    def move(self, to: float) -> None:
        """Put the divider at a share of the width."""
        self.part = min(1.0, max(0.0, to))

    def column(self, width: int) -> int:
        """The first column of the second picture, of so many."""
        return round(self.part * width)

    def of(self, first: Output, second: Output, mirrored: bool) -> Output:
        """Both as one, the same object for the same; ``mirrored``: it will be seen as in a mirror."""
        made = (first, second, self.part, mirrored)
        if self._output is None or any(a is not b for a, b in zip(made, self._made, strict=True)):
            larger = max(Size.of(first.pixels), Size.of(second.pixels))
            left, right = (_fitting(each.pixels, larger) for each in (first, second))
            at = self.column(larger.width)
            if mirrored:
                left, right, at = right, left, larger.width - at
            pixels = np.concatenate([left[:, :at], right[:, at:]], axis=1)  # (H, W, 3)
            self._made, self._output = made, replace(first, pixels=pixels)
        return self._output


def _fitting(pixels: np.ndarray, size: Size) -> np.ndarray:
    return pixels if Size.of(pixels) == size else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
