"""Picture files: one, a folder of them, or a pattern such as ``sketches/*.png``."""

from __future__ import annotations

import glob
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import ConfigError, FrameError, SourceEnded, SourceError, SourceUnavailable
from ..base.frame import MAX_SIDE
from ..base.names import natural
from ..base.pacing import Clock, Pacer
from ..base.pictures import MAX_PIXELS, upright
from ..base.spec import Spec, flag

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp")


def open(spec: Spec) -> ImagesSource:
    """``images:drawing.png``, ``images:folder,fps=2,loop=1`` or ``images:shots/*.jpg``."""
    return ImagesSource(**_options(spec))


def present(spec: Spec) -> bool | None:
    """Whether the file or folder is there, or a file of that pattern."""
    path = str(Path(_options(spec)["path"]).expanduser())
    return os.path.exists(path) or any(glob.iglob(path, recursive=True))


def _options(spec: Spec) -> dict[str, Any]:
    values = spec.take({"path": str, "fps": float, "loop": flag})
    if not values.get("path"):
        raise ConfigError(f"{spec.text}: expected a file, folder or pattern, for example images:sketches")
    return values


def load_image(path: str | Path) -> np.ndarray:
    """Read one picture: ``(H, W, 3)`` uint8 RGB, upright, transparency laid over white paper.

    The content decides the format (PNG, JPEG, WebP or BMP), never the name, and the size is checked before a pixel is
    decoded: at most 64 megapixels, at most 16,384 pixels a side.
    Raises FrameError that names the file.
    """
    from PIL import Image

    name = Path(path).name
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise FrameError(
                    f"{name}: got {width}x{height} pixels, expected at most {MAX_PIXELS // 1_000_000} megapixels and "
                    f"{MAX_SIDE} a side; scale it down"
                )
            return upright(image)
    except FrameError:
        raise
    except Image.DecompressionBombError as error:
        limit = f"expected at most {MAX_PIXELS // 1_000_000} megapixels; scale it down"
        raise FrameError(f"{name}: {error}; {limit}") from error
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        known = ", ".join(FORMATS)
        raise FrameError(f"{name}: cannot be read as {known} ({type(error).__name__}: {error})") from error


class ImagesSource:
    """Picture files in natural order (``2.png`` before ``10.png``).

    Without ``fps`` each file is rendered once, as fast as the engine takes them; with it the source is live and shows
    one after another. ``loop`` starts again after the last. In a folder, files with other endings than those of PNG,
    JPEG, WebP and BMP are left alone, and so are folders and hidden files.
    Raises SourceUnavailable when there is nothing to show.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float | None = None,
        loop: bool = False,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        self.live = fps is not None
        self.files = _find(str(Path(path).expanduser()))
        if not self.files:
            kinds = ", ".join(FORMATS)
            raise SourceUnavailable(f"images: got {str(path)!r}, expected a file, folder or pattern with {kinds} files")
        self._loop = loop
        self._stop = stop or threading.Event()
        self._pacer = None if fps is None else Pacer.of_fps(fps, clock, self._stop)
        self._next = 0
        self._good = 0  # pictures read in this round

    def read(self) -> np.ndarray:
        """The next picture: ``(H, W, 3)`` uint8 RGB.

        Raises FrameError that names a file that cannot be used (the next call goes on with the next file), SourceEnded
        after the last, SourceError when none of them could be used.
        """
        if self._stop.is_set() or (self._pacer is not None and not self._pacer.wait()):
            raise SourceEnded("images: closed")
        if self._next == len(self.files):
            if not self._good:
                count, first = len(self.files), self.files[0].name
                raise SourceError(f"images: none of {count} files can be read, the first is {first}")
            if not self._loop:
                raise SourceEnded(f"images: all {len(self.files)} files were read")
            self._next = self._good = 0
        self._next += 1
        pixels = load_image(self.files[self._next - 1])
        self._good += 1
        return pixels

    def close(self) -> None:
        self._stop.set()


def _find(path: str) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        found = [item for item in place.iterdir() if item.suffix.lower() in SUFFIXES and item.name[0] != "."]
    elif place.exists():
        found = [place]
    else:
        found = [Path(item) for item in glob.glob(path, recursive=True)]
    return sorted((item for item in found if item.is_file()), key=lambda item: natural(item.name))
