"""How far long work has come, as every part of the program says it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever watches long work: ``progress("building the UNet", 0.25)``.

    ``text`` says what is being done; ``part`` is how much of it is done, 0 to 1, or None where nobody knows.
    """

    def __call__(self, text: str, part: float | None = None) -> object: ...


def silent(text: str, part: float | None = None) -> None:
    """Progress that nobody watches."""


def share_of(progress: Progress, index: int, count: int) -> Progress:
    """Progress of piece ``index`` of ``count`` pieces of work, as a part of the whole."""

    def scaled(text: str, part: float | None = None) -> None:
        progress(text, (index + (part or 0.0)) / count)

    return scaled
