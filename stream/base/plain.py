"""Text as it may be shown to people: no control characters, no terminal escapes, no pages of it."""

from __future__ import annotations

import os
import re

MOST = 400  # characters of one message
HEAD = 0.7  # share of them that is taken from the beginning of a longer one; the end says what to do

_RUST = re.compile(r"\(os error (\d+)\)")  # how safetensors names an error of the system


def plain(text: str, most: int = MOST) -> str:
    """The text with what is not printable written as an escape (``\\x1b``), and its middle left out if it is long.

    Line ends stay. So a hostile file name cannot move the cursor, and no message fills the screen.
    """
    shown = "\n".join(map(one_line, text.split("\n")))
    if len(shown) <= most:
        return shown
    head = int(most * HEAD)
    return f"{shown[:head]} ... {shown[len(shown) - (most - head - 5) :]}"


def one_line(text: object) -> str:
    """The text on one line, whole: line ends are escapes, too (``\\n``). So is the name of a file in a message."""
    return "".join(char if char.isprintable() else _escaped(char) for char in str(text))


def reason(error: BaseException) -> str:
    """Why something failed, in one short line.

    Of an error of ours that is all it says; of the system's its words ("No space left on device"); of any other, which
    can be pages, its kind and the first line.
    """
    from .errors import InkstreamError

    if isinstance(error, InkstreamError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "no memory left"
    number = _RUST.search(str(error))
    if number:
        return os.strerror(int(number[1]))
    first = (str(error).strip().splitlines() or [""])[0]
    if first and isinstance(error, OSError | ValueError):
        return plain(first, 160)
    return plain(f"{type(error).__name__}: {first}" if first else type(error).__name__, 160)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
