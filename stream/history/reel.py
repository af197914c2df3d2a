"""One file of records, read as what happened: settings, inputs, and moments."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from ..base.errors import ConfigError, DataError
from ..base.frame import MAX_SIDE, Size
from ..base.making import Making
from .records import Record, picture_at, records

BEGIN, MADE, INPUT, SEEN, LOST = "begn", "made", "inpt", "seen", "lost"  # kinds of records
RENDER = {"quality": 90, "method": 0}  # of WebP: 1 ms for 256 x 256
QUICK_FROM = 384 * 384  # pixels, from which a third of the bytes is not worth 50 ms of a core
MOST_PIXELS = 4096 * 4096  # the largest that a stream gives
MOST_SECONDS = 1e9  # 31 years


class Moment(NamedTuple):
    """One picture as it was seen."""

    at: float
    """Seconds since its session began to be recorded."""
    frame: int
    """Number of the frame that it was rendered from."""
    faded: float
    """How far its prompt had faded in, as a share."""
    made: int
    """Which of the settings of its file it was made with."""
    drawn: int | None
    """Which of the inputs of its file it was rendered from."""
    shown: int | None
    """Which of the renders of its file it is; None in a journal, which keeps none."""
    held: bool = False
    """Whether something of the pictures before was in it."""
    moves: bool = False
    """Whether its source's pictures may move all over."""


@dataclass
class Reel:
    """What a file holds; ``refresh`` reads on where it ended."""

    path: Path
    began: datetime | None = None
    lost: int = 0
    """How often the disk did not keep up, so that pictures are missing there."""
    moments: list[Moment] = field(default_factory=list)
    _end: int = 0
    _made: list[dict[str, Any]] = field(default_factory=list)
    _makings: dict[int, Making] = field(default_factory=dict)
    _inputs: list[Record] = field(default_factory=list)
    _renders: list[Record] = field(default_factory=list)

    def refresh(self) -> bool:
        """Read what was added; returns whether there are new moments. Raises OSError, DataError for another file."""
        before = len(self.moments)
        for record in records(self.path, self._end):
            self._end = record.end
            self._add(record)
        return len(self.moments) > before

    def making(self, moment: Moment) -> Making:
        """How a moment was made, the same object for all of the same settings. Raises DataError."""
        if moment.made not in self._makings:
            try:
                known = self._made[moment.made]
                before = known.get("before")
                made = replace(Making.of(known), before=before if isinstance(before, str) else None)
                self._makings[moment.made] = made
            except (ConfigError, IndexError) as error:
                raise DataError(f"{self.path}: settings that cannot be read: {error}") from error
        return self._makings[moment.made]

    def prompt(self, moment: Moment) -> str:
        """Its prompt, or the first of a blend, for people; nothing is checked."""
        stream = self._made[moment.made].get("stream") if moment.made < len(self._made) else None
        prompt = stream.get("prompt") if isinstance(stream, dict) else ""
        while isinstance(prompt, Sequence) and not isinstance(prompt, str) and prompt:
            prompt = prompt[0]
        return prompt[:200] if isinstance(prompt, str) else ""

    def settings(self, moment: Moment) -> Any:
        """What it was made with, as it was before the hand rested, to be compared with others; nothing is checked."""
        known = self._made[moment.made] if moment.made < len(self._made) else {}
        stream, live = known.get("stream"), known.get("live")
        return {**stream, **live} if isinstance(stream, dict) and isinstance(live, dict) else stream

    def input(self, moment: Moment) -> np.ndarray | None:
        """What a moment was rendered from, (H, W, 3) uint8 RGB, exactly. Raises OSError, DataError."""
        return self._decoded(self._inputs, moment.drawn)

    def render(self, moment: Moment) -> np.ndarray | None:
        """What was seen, (H, W, 3) uint8 RGB, WebP of quality 90. Raises OSError, DataError."""
        return self._decoded(self._renders, moment.shown)

    def _add(self, record: Record) -> None:
        known = record.known
        if record.kind == BEGIN:
            self.began = _time(known.get("time"))
        elif record.kind == MADE:
            self._made.append(known)
        elif record.kind == INPUT:
            self._inputs.append(record)
        elif record.kind == LOST:
            self.lost += 1
        elif record.kind == SEEN:
            if record.length:
                self._renders.append(record)
            shown = len(self._renders) - 1 if self._renders else None
            at, faded = known.get("at"), known.get("faded")
            frame, made, drawn = known.get("frame"), known.get("made"), known.get("input")
            if isinstance(frame, int) and isinstance(made, int) and made >= 0 and _number(at) and _number(faded):
                drawn = drawn if isinstance(drawn, int) else None
                said = known.get("held") is True, known.get("moves") is True
                self.moments.append(Moment(float(at), frame, float(faded), made, drawn, shown, *said))

    def _decoded(self, all_: list[Record], number: int | None) -> np.ndarray | None:
        if number is None:
            return None
        if not 0 <= number < len(all_):
            raise DataError(f"{self.path}: got a reference to picture {number}, expected one of {len(all_)}")
        return decoded(picture_at(self.path, all_[number]), self.path)


def exactly(pixels: np.ndarray) -> dict[str, Any]:
    """How WebP keeps ``(H, W, 3)`` uint8 RGB without loss: measured, a sketch of 256 pixels takes 2 ms and 3 KB."""
    quick = pixels.shape[0] * pixels.shape[1] > QUICK_FROM
    return {"lossless": True, "quality": 0, "method": 0 if quick else 1}


def encoded(pixels: np.ndarray, how: dict[str, Any]) -> bytes:
    """``(H, W, 3)`` uint8 RGB as WebP: ``exactly`` or as a ``RENDER``."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", **how)
    return file.getvalue()


def decoded(data: bytes, path: Path) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB; its size is checked before a pixel is decoded. Raises DataError that names the file."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            size = Size(*image.size)
            if size.width * size.height > MOST_PIXELS or max(size) > MAX_SIDE:
                raise DataError(f"{path}: got a picture of {size}, expected at most 4096x4096")
            return np.ascontiguousarray(np.asarray(image.convert("RGB")))
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        raise DataError(f"{path}: a picture in it cannot be decoded; the others can be read") from error


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and -MOST_SECONDS < value < MOST_SECONDS
