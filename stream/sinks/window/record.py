"""The key R: a video of the render, or, where the clean output has its stage, of that stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...base.frame import Output, Size, Sound
from ...base.plain import one_line
from .. import Status
from ..video import VideoSink
from .fonts import Fonts
from .overlay import Painter
from .scene import Scene
from .seeing import Modes, caption
from .tools import Reach

LONG_SIDE, SHORT_SIDE = 1920, 1080  # at most, of a video of a stage: a screen may have four times as many pixels
LEAST = 64  # of either side


def film_size(window: Size) -> Size:
    """The size of a video of what a window of a size shows: its own, both sides even, and at most 1080p."""
    part = min(1.0, LONG_SIDE / max(window), SHORT_SIDE / min(window))
    return Size(*(max(LEAST, round(part * side) // 2 * 2) for side in window))


class StageFilm:
    """A ``VideoSink`` of the stage as a window of ``size`` shows it, drawn anew for each picture, away from the screen.

    So it has its size and its layout whatever becomes of the window. ``fonts`` are the window's own; ``modes`` say
    whether pictures are turned as in a mirror. Raises as ``VideoSink`` does.
    """

    interval: float | None = None
    on_main_thread = False
    stores = True

    def __init__(self, path: Path, size: Size, pygame: Any, fonts: Fonts, modes: Modes) -> None:
        self._film = VideoSink(path)
        self._pygame, self._modes, self._size = pygame, modes, size
        self._painter = Painter(pygame, fonts)
        self._surface = pygame.Surface(size, 0, 32)  # which needs no display
        self._count = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self._film.path

    def write(self, output: Output | None, status: Status) -> None:
        """Append the stage with one picture; the caption is the prompt of ``status``."""
        if output is None:
            return
        self._count += 1
        words = caption(status.values.get("prompt"))
        modes = self._modes
        keyed = {"background": modes.background, "cut": modes.cut}
        scene = Scene(self._size, self._count, clean="stage", caption=words, mirror=modes.mirror, **keyed)
        self._painter.draw(self._surface, scene, output)
        data = self._pygame.image.tobytes(self._surface, "RGB")
        pixels = np.frombuffer(data, np.uint8).reshape(self._size.height, self._size.width, 3)
        self._film.write(replace(output, pixels=pixels), status)

    def at_rest(self, now: float) -> None:
        """Record that the stage is still as it was."""
        self._film.at_rest(now)

    def accompany(self, sound: Sound) -> None:
        """Take the sound of the source's file into the recording."""
        self._film.accompany(sound)

    def close(self) -> None:
        """Finish the file."""
        self._film.close()


class Recorder:
    """Begins and ends recordings; ``fonts`` gives the window's letters."""

    def __init__(self, reach: Reach, fonts: Callable[[], Fonts]) -> None:
        self._reach, self._fonts = reach, fonts

    def press(self) -> None:
        """The key R."""
        reach, modes = self._reach, self._reach.modes
        record = getattr(reach.controls, "record", None)
        if record is None:
            reach.say("nothing can be recorded here")
        elif reach.status.recording:
            record(None)
        elif reach.output is None:
            reach.say("there is nothing to record yet")
        else:
            path = reach.keeper.name_for(reach.output, ".mp4")
            modes.recorded = "stage" if modes.clean and modes.layout == "stage" else "render"
            what = "the render"
            if modes.recorded == "stage":
                size = film_size(Size(*reach.pygame.display.get_surface().get_size()))
                record(partial(StageFilm, path, size, reach.pygame, self._fonts(), modes))
                what = f"the stage, {size},"
            else:
                record(partial(VideoSink, path))
            reach.say(f"recording {what} to {one_line(path)}; R ends it")
