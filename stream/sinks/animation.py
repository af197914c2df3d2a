"""A short animated picture for a web page or a README: ``animation:out.webp,input=1`` (WebP, GIF or APNG)."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np

from ..base.errors import ConfigError, SinkUnavailable
from ..base.files import write_new
from ..base.frame import Output, Size, place
from ..base.spec import Kind, Option, Spec, flag
from . import Status

FORMATS = {".webp": ("WEBP", {"quality": 78, "method": 4}), ".gif": ("GIF", {}), ".png": ("PNG", {})}
USUAL = 12.0  # pictures a second
SHORTEST = 0.02  # seconds of a picture; browsers show shorter ones longer
LAST = 2.0  # seconds that the last picture stays, so that one can look at it
MOST_FRAMES = 1000  # an animated picture is made in memory, and a longer one is a video


class AnimationSink:
    """Keeps each output and writes one endless animation at ``close``. The last picture stays 2 s, or as a file says.

    Pictures come ``fps`` a second; by default 12, or where the source is a file, at its own times. ``width`` of a
    picture in pixels; ``input`` puts the drawing at its left. An existing file is never replaced: ``out-2.webp`` is
    written, and the attribute ``path`` says which. It is there whole or not at all.
    Raises ConfigError for another ending than .webp, .gif or .png, or figures out of range.
    """

    interval: float | None = None
    on_main_thread = False
    stores = True

    def __init__(self, path: str | Path, fps: float | None = None, width: int = 256, input: bool = False) -> None:
        self.path = Path(path).expanduser()
        if self.path.suffix.lower() not in FORMATS:
            raise ConfigError(f"animation: got {self.path.name!r}, expected a name that ends in {', '.join(FORMATS)}")
        if (fps is not None and not 1 <= fps <= 50) or not 32 <= width <= 1024:
            raise ConfigError(f"animation: got fps={fps}, width={width}; expected fps 1 to 50, width 32 to 1024")
        self._fps, self._width, self._input = fps, width, input
        self._frames: list[np.ndarray] = []
        self._times: list[float] = []  # seconds, of each
        self._last = LAST  # seconds that the newest one is shown

    def write(self, output: Output | None, status: Status) -> None:
        """Keep one picture; raises SinkUnavailable after a thousand (``close`` writes them)."""
        if output is None:
            return
        if len(self._frames) >= MOST_FRAMES:
            raise SinkUnavailable(f"animation: {MOST_FRAMES} pictures are kept in {self.path}; for more use video:FILE")
        size = Size.of(output.pixels)
        size = Size(self._width, max(1, round(self._width * size.height / size.width)))
        own = None if self._fps is not None or output.origin.live else output.origin.time
        self._last = LAST if own is None else output.origin.shown or LAST
        if self._times and own is None:
            own = self._times[-1] + 1 / (self._fps or USUAL)
        self._times.append(max(own or 0.0, self._times[-1] + SHORTEST) if self._times else own or 0.0)
        pictures = [output.pixels] if output.input is None or not self._input else [output.input, output.pixels]
        self._frames.append(np.hstack([place(Size.of(p), size, "letterbox").apply(p) for p in pictures]))

    def close(self) -> None:
        """Write the file; one without pictures leaves none. Raises SinkUnavailable when it cannot be written."""
        (frames, self._frames), (times, self._times) = (self._frames, []), (self._times, [])
        if not frames:
            return
        from PIL import Image

        kind, options = FORMATS[self.path.suffix.lower()]
        first, *rest = (Image.fromarray(frame) for frame in frames)
        unit = 10 if kind == "GIF" else 1  # ms
        stamps = [unit * round(1000 * time / unit) for time in times]  # so that roundings do not add up
        durations = [after - before for before, after in itertools.pairwise(stamps)]
        durations.append(max(unit, unit * round(1000 * self._last / unit)))
        data = io.BytesIO()
        first.save(data, kind, save_all=True, append_images=rest, duration=durations, loop=0, **options)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path = write_new(self.path, data.getvalue())
        except OSError as error:
            raise SinkUnavailable(f"animation: cannot write {self.path}: {error.strerror or error}") from error


def open(spec: Spec) -> AnimationSink:
    """``animation:FILE``; options ``fps``, ``width``, ``input``."""
    values = spec.take(KIND.options)
    if not values.get("path"):
        raise ConfigError(f"{spec.text}: no file given; write for example animation:out.webp")
    return AnimationSink(**values)


KIND = Kind(
    f"an endless animation ({', '.join(FORMATS)})",
    ("animation:out.webp", "animation:out.gif,fps=10,width=384,input"),
    {
        "path": Option(str, "FILE", "the animation; a free name beside it where that is taken"),
        "fps": Option(float, "1..50", f"pictures a second; else a file's own times, or {USUAL:g}"),
        "width": Option(int, "32..1024", "of a picture, in pixels"),
        "input": Option(flag, "", "your drawing at the left of the render"),
    },
    AnimationSink,
)
