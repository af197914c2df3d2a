"""The demo's own parts: a prompt that follows what is drawn, and an album of its best moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..base.frame import Frame, Origin, Output, Size, place
from ..session.around import Around
from ..session.driver import StreamLike
from ..sinks import Sink, Status
from ..sources.drawing import DemoSource

REMEMBERED = 1000  # frames; more than are ever under way
MOST_SHOTS = 64  # of one drawing
MOST_DRAWINGS = 12
SIDE = 256  # pixels of a picture in the album
STAGES = {2: (0.5, 1.0), 3: (0.4, 0.7, 1.0), 4: (0.25, 0.5, 0.75, 1.0)}  # how much of a drawing there is


class Moment(NamedTuple):
    """What a frame shows."""

    drawing: int  # counted from 0
    prompt: str
    finished: bool


class Narrated:
    """A demo source that remembers what each frame shows: ``moments`` by frame id, which counts reads from 0."""

    def __init__(self, source: DemoSource) -> None:
        self.live = source.live
        self.moments: dict[int, Moment] = {}
        self._source = source
        self._read = 0
        self._last = Moment(0, source.prompt, False)

    def read(self) -> np.ndarray:
        """As the demo source's."""
        pixels = self._source.read()
        prompt, finished = self._source.prompt, self._source.finished
        begun = (self._last.finished and not finished) or prompt != self._last.prompt
        self._last = Moment(self._last.drawing + begun, prompt, finished)
        self.moments[self._read] = self._last
        self.moments.pop(self._read - REMEMBERED, None)
        self._read += 1
        return pixels

    def close(self) -> None:
        """As the demo source's."""
        self._source.close()


class Following(Around):
    """A stream that takes the prompt of each frame: it changes with the very frame on which a new drawing begins."""

    def __init__(self, stream: StreamLike, moments: Mapping[int, Moment]) -> None:
        super().__init__(stream)
        self._moments = moments
        self._prompt: str | None = None

    def __call__(self, frame: Frame, gated: bool = True) -> Output | None:
        moment = self._moments.get(frame.id)
        if moment is not None and moment.prompt != self._prompt:
            self._prompt = moment.prompt
            self._stream.update(prompt=moment.prompt)
        return self._stream(frame, gated)


class Retimed:
    """A sink in front of another that makes pictures play at an even pace, with a pause after each finished drawing.

    ``fps`` is frames of the source a second, ``pause`` is seconds. Rendering every frame has its own time, which says
    nothing to who watches the recording.
    """

    interval: float | None = None
    on_main_thread = False

    def __init__(self, sink: Sink, moments: Mapping[int, Moment], fps: float = 15.0, pause: float = 0.8) -> None:
        self._sink = sink
        self._moments = moments
        self._fps = fps
        self._pause = pause

    def write(self, output: Output | None, status: Status) -> None:
        """Hand the picture on, with another time."""
        if output is not None:
            moment = self._moments.get(output.source_id)
            at = output.source_id / self._fps + self._pause * (moment.drawing if moment else 0)
            output = replace(output, origin=Origin(live=False, time=at, shown=1 / self._fps))
        self._sink.write(output, status)

    def close(self) -> None:
        """Close the other sink."""
        self._sink.close()


class Shot(NamedTuple):
    """A picture of the album: ``sketch`` and ``render`` are ``(H, W, 3)`` uint8 RGB of at most 256 pixels a side."""

    sketch: np.ndarray
    render: np.ndarray
    prompt: str
    done: float | None  # how much of the drawing there is, in (0, 1]; None when nobody knows, because it was broken off
    said: str = ""  # what stands below it in place of that


class Album:
    """A sink that keeps some pictures of every drawing, and gives those that tell its story."""

    interval: float | None = None
    on_main_thread = False

    def __init__(self, moments: Mapping[int, Moment]) -> None:
        self.written = 0
        self._moments = moments
        self._drawing = 0
        self._taken: list[tuple[Shot, bool]] = []  # of the present drawing, and whether it is finished
        self._complete: list[list[Shot]] = []  # stages of each finished drawing, in order

    def write(self, output: Output | None, status: Status) -> None:
        """Keep one picture."""
        moment = self._moments.get(output.source_id) if output else None
        if output is None or output.input is None or moment is None:
            return
        self.written += 1
        if moment.drawing != self._drawing:
            self._put_by()
            self._drawing, self._taken = moment.drawing, []
        if self._taken and self._taken[-1][1]:
            return  # the first picture of a finished drawing is the one that belongs to it
        shot = Shot(_small(output.input), _small(output.pixels), moment.prompt, None)
        self._taken.append((shot, moment.finished))
        if len(self._taken) > MOST_SHOTS:
            del self._taken[1:-1:2]

    def close(self) -> None:
        """A drawing that was finished but not followed by another belongs to the album, too."""
        self._put_by()
        self._taken = self._taken[-1:]

    def shots(self, wanted: int = 12) -> list[list[Shot]]:
        """About ``wanted`` shots: some stages of each of several finished drawings, in order.

        When none was finished it is one shot of the drawing under way.
        """
        if not self._complete:
            return [[self._taken[-1][0]]] if self._taken else []
        each = max(2, min(4, wanted // len(self._complete)))
        count = min(len(self._complete), wanted // each)
        chosen = [self._complete[index * len(self._complete) // count] for index in range(count)]
        return [[shot for shot in drawing if shot.done in STAGES[each]] for drawing in chosen]

    def _put_by(self) -> None:
        if not self._taken or not self._taken[-1][1] or len(self._complete) >= MOST_DRAWINGS:
            return
        drawing = []
        for part in sorted({part for stages in STAGES.values() for part in stages}):
            shot, _ = self._taken[round(part * (len(self._taken) - 1))]
            drawing.append(shot._replace(done=part))
        self._complete.append(drawing)


def _small(pixels: np.ndarray) -> np.ndarray:
    """The picture at most ``SIDE`` pixels high and wide, so that an album of large pictures fits into memory."""
    size = Size.of(pixels)
    scale = SIDE / max(size)
    if scale >= 1:
        return pixels
    return place(size, Size(*(max(1, round(side * scale)) for side in size)), "stretch").apply(pixels)
