"""Sizes, frames, and the geometry between a picture as captured and a picture as the model takes it.

At every source and sink edge a picture is ``(H, W, 3)`` uint8 RGB, C-contiguous.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import cv2
import numpy as np

from .errors import ConfigError

if TYPE_CHECKING:
    from .making import Making
    from .passes import Passes

FitMode = Literal["crop", "letterbox", "stretch"]
ChannelOrder = Literal["rgb", "bgr"]
MAX_SIDE = 16384


class Size(NamedTuple):
    """Width and height in pixels, width first."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read ``"768x512"`` or ``"512"`` (a square); raises ConfigError for anything else, and for a side of 0."""
        match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text.strip().lower())
        if not match:
            raise ConfigError(f"size: got {text!r}, expected WIDTHxHEIGHT, for example 512x512")
        size = cls(int(match[1]), int(match[2] or match[1]))
        if min(size) < 1:
            raise ConfigError(f"size: got {size}, expected at least 1x1")
        return size

    @classmethod
    def of(cls, pixels: np.ndarray) -> Size:
        """The size of an ``(H, W, ...)`` array."""
        return cls(pixels.shape[1], pixels.shape[0])

    def rounded(self, multiple: int) -> Size:
        """The nearest size whose sides are multiples of ``multiple`` (at least one multiple)."""
        return Size(*(max(multiple, (side + multiple // 2) // multiple * multiple) for side in self))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Rect(NamedTuple):
    """A rectangle in pixels: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Rect:
        """Read ``"x,y,w,h"``; raises ConfigError when it is not four integers with a positive size."""
        parts = text.split(",")
        try:
            rect = cls(*(int(part) for part in parts))
        except (ValueError, TypeError):
            raise ConfigError(f"region: got {text!r}, expected x,y,width,height, for example 0,0,512,512") from None
        if rect.width < 1 or rect.height < 1:
            raise ConfigError(f"region: got a size of {rect.width}x{rect.height}, expected at least 1x1")
        return rect

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)


@dataclass(frozen=True)
class Origin:
    """Where a picture came from, as far as its source knows."""

    live: bool = True
    """Whether time passes by itself there. Where it does not, ``captured_at`` means nothing, and ``time`` counts."""
    time: float | None = None
    """Seconds from the first picture of a file, always rising; None where the file has no times."""
    shown: float | None = None
    """Seconds until the next picture, where the file says so in advance: its usual step."""
    name: str = ""
    """What its renders are called: the name of its file, without ending; empty for a number."""
    done: float | None = None
    """Which share of its source has been read with this picture, 0 to 1; None where nobody knows."""
    goes_on: bool | None = None
    """Whether each picture goes on from the one before, as a drawing does; None: nobody knows."""
    moves: bool = False
    """Whether its pictures may move all over, as a camera's do, and not only change in places, as a drawing does."""
    mark: Any = None
    """What its source was told with this picture, for whoever gets its renders."""


@dataclass(frozen=True)
class Sound:
    """The sound that belongs to the pictures of a source."""

    path: Path
    """The file that holds it."""
    begin: float
    """The time stamp in that file, in seconds, of the source's first picture."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One captured picture."""

    pixels: np.ndarray
    """(H, W, 3) uint8 RGB."""
    id: int = 0
    """Its number; an output says which frame it came from."""
    captured_at: float = field(default_factory=time.perf_counter)
    """When it was captured, in seconds of ``time.perf_counter``."""
    origin: Origin = field(default_factory=Origin)
    passes: Passes | None = None
    """What its source knows of it beside its colours: depth, normals, things, motion."""


@dataclass(frozen=True, eq=False)
class Output:
    """One rendered picture, and exactly which input and which parameters it came from."""

    pixels: np.ndarray
    """(H, W, 3) uint8 RGB."""
    source_id: int
    """Number of the frame that it was rendered from."""
    captured_at: float
    """When that frame was captured, in seconds of ``time.perf_counter``."""
    revision: int
    """Revision of the configuration that it was rendered under."""
    input: np.ndarray | None = None
    """The frame as the model saw it, (H, W, 3) uint8 RGB."""
    rendered_at: float = 0.0
    """When it was finished, in seconds of ``time.perf_counter``."""
    tensor: Any = None
    """With ``output_type="pt"``: the picture before rounding, (3, H, W) float32 in about [-1, 1], on the device."""
    unsafe: bool = False
    """Whether the stream's safety checker refused the picture: then ``pixels`` are others, shown in its place."""
    origin: Origin = field(default_factory=Origin)
    """Where that frame came from; a session sets it."""
    making: Making | None = None
    """How it was made, the same object for all pictures of a revision; ``kept.recipe_of`` says it for files."""
    faded: float = 1.0
    """How far its prompt had faded in, as a share; 1 where none fades."""

    held: bool = False
    """Whether something of the pictures before is in it (``steadiness``); else it depends on its input alone."""

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Output(source_id={self.source_id}, revision={self.revision}, {width}x{height})"


@dataclass(frozen=True)
class Placement:
    """Where a source picture lies inside a target picture; knows the way there and the way back."""

    source: Size
    target: Size
    crop: Rect  # the part of the source that is used
    inside: Rect  # where that part lies in the target

    def apply(self, pixels: np.ndarray, border: int | None = None) -> np.ndarray:
        """Resample ``(H, W, 3)`` uint8 from source to target size; the result is contiguous.

        Target pixels that the picture does not cover get the gray level ``border``, or by default the median colour of
        the picture's outer edge: the paper goes on, be it white or black.
        """
        x, y, width, height = self.crop
        used = part = pixels[y : y + height, x : x + width]
        inside = self.inside
        if self.crop.size != inside.size:
            smaller = inside.width * inside.height < width * height
            part = cv2.resize(used, inside.size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        if inside.size == self.target:
            return np.ascontiguousarray(part)
        result = np.empty((self.target.height, self.target.width, 3), np.uint8)
        result[:] = _edge_colour(used) if border is None else border
        result[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width] = part
        return result

    def back(self, x: float, y: float) -> tuple[float, float]:
        """Source coordinates of a target point."""
        return (
            self.crop.x + (x - self.inside.x) * self.crop.width / self.inside.width,
            self.crop.y + (y - self.inside.y) * self.crop.height / self.inside.height,
        )


def _edge_colour(pixels: np.ndarray) -> np.ndarray:
    """The median of the outermost pixels of ``(H, W, 3)``, each channel by itself: ``(3,)``."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])  # (N, 3)
    middle = len(edge) // 2
    return np.partition(edge, middle, axis=0)[middle]  # a level that occurs, where a mean of two would not


def place(source: Size, target: Size, fit: FitMode = "crop") -> Placement:
    """Lay a source of one size into a target of another: centre ``crop`` (fills it), ``letterbox``, or ``stretch``."""
    whole, full = Rect(0, 0, *source), Rect(0, 0, *target)
    if fit == "stretch" or source == target:
        return Placement(source, target, whole, full)
    if fit == "letterbox":
        scale = min(target.width / source.width, target.height / source.height)
        width, height = (max(1, round(side * scale)) for side in source)
        inside = Rect((target.width - width) // 2, (target.height - height) // 2, width, height)
        return Placement(source, target, whole, inside)
    scale = max(target.width / source.width, target.height / source.height)
    width, height = (min(have, max(1, round(want / scale))) for want, have in zip(target, source, strict=True))
    crop = Rect((source.width - width) // 2, (source.height - height) // 2, width, height)
    return Placement(source, target, crop, full)


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """``(H, W, 3)`` uint8 with at most ``side`` pixels a side, in its own shape; a smaller picture as it is."""
    size = Size.of(pixels)
    share = min(1.0, side / max(size))
    return place(size, Size(*(max(1, round(each * share)) for each in size)), "stretch").apply(pixels)
