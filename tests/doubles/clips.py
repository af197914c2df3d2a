"""Videos to read, for tests: made by the program ffmpeg, with whatever flags it has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZE = (64, 48)


def marked(number: int, size: tuple[int, int] = SIZE, clear: bool = False) -> np.ndarray:
    """Picture ``number`` as (H, W, 4): white corner up left, red edge at the right, a level that tells the number.

    ``clear``: everything but the corner, which is black then, is transparent.
    """
    width, height = size
    picture = np.zeros((height, width, 4), np.uint8)
    picture[..., :3] = 40 + 12 * (number % 12)
    picture[..., 3] = 255
    picture[:, -width // 8 :, :3] = (200, 0, 0)
    picture[: height // 4, : width // 4, :3] = 255
    if clear:
        picture[..., 3] = 0
        picture[: height // 4, : width // 4] = (0, 0, 0, 255)
    return picture


def number_of(picture: np.ndarray) -> int:
    """Which of the pictures of ``marked`` it is, from its middle."""
    level = int(picture[picture.shape[0] // 2, picture.shape[1] // 2, 1])
    return round((level - 40) / 12)


def clip(
    path: Path,
    *flags: Any,
    count: int = 10,
    rate: Any = 10,
    size: tuple[int, int] = SIZE,
    clear: bool = False,
    sound: float = 0.0,
) -> Path:
    """Write ``count`` pictures with ffmpeg's ``flags``; gives the path. ``sound``: with seconds of a tone."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    data = b"".join(marked(number, size, clear).tobytes() for number in range(count))
    raw = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{size[0]}x{size[1]}", "-r", str(rate), "-i", "-"]
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={sound}"] if sound else []
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *raw, *tone, *map(str, flags), str(path)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return path
