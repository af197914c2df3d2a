"""Numbered pictures in a folder: ``images:out``, ``images:out,every=10``, ``images:out,input=1``."""

from __future__ import annotations

import re
from pathlib import Path

from ..base.errors import ConfigError, SinkUnavailable
from ..base.files import new_folder, png, write_new
from ..base.frame import Output
from ..base.kept import png_with, recipe_of
from ..base.spec import Kind, Option, Spec, flag
from . import Status

LONGEST = 180  # bytes of a name


class ImagesSink:
    """Writes every N-th output as a PNG named by the file that it came from, or else by the id of the frame,
    ``00000042.png``. Its recipe is inside; with ``input`` the drawing lies beside it, ``00000042-input.png``.

    A run never mixes with an earlier one: when ``folder`` holds something, ``folder-2``, ``folder-3``, ... is made, and
    the attribute ``folder`` says which. What was rendered more than once gives ``00000042-2.png`` and so on.
    A picture is there whole or not at all.
    Raises ConfigError for ``every`` below 1 and SinkUnavailable when the folder cannot be made.
    """

    interval: float | None = None
    on_main_thread = False
    stores = True

    @property
    def path(self) -> Path:
        """Where the pictures lie."""
        return self.folder

    def __init__(self, folder: str | Path, every: int = 1, input: bool = False) -> None:
        if every < 1:
            raise ConfigError(f"images: got every={every}, expected at least 1")
        self.folder = new_folder(Path(folder).expanduser(), "images")
        self.written = 0
        self._every = every
        self._with_input = input
        self._seen = 0

    def write(self, output: Output | None, status: Status) -> None:
        """Store one picture; raises SinkUnavailable when the disk is full or refuses."""
        if output is None:
            return
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        try:
            name = _short(output.origin.name) or f"{output.source_id:08d}"
            drawing = None
            if self._with_input and output.input is not None:
                drawing = write_new(self.folder / f"{name}-input.png", png(output.input)).name
            recipe = recipe_of(output, **({"input": drawing} if drawing else {}))
            write_new(self.folder / f"{name}.png", png_with(output.pixels, recipe))
        except OSError as error:
            raise SinkUnavailable(
                f"images: stopped: {error.strerror or error}; {self.written} pictures were kept in {self.folder}"
            ) from error
        self.written += 1

    def close(self) -> None:
        """Nothing is open between two pictures."""


def _short(name: str) -> str:
    """As much of a name as a file system takes with what is added to it."""
    return re.sub(r"[/\\:\0]", "_", name).encode(errors="ignore")[:LONGEST].decode(errors="ignore")


def open(spec: Spec) -> ImagesSink:
    """``images:FOLDER``; options ``every`` (default 1) and ``input`` (default 0)."""
    values = spec.take(KIND.options)
    folder = values.pop("path", "")
    if not folder:
        raise ConfigError(f"{spec.text}: no folder given; write for example images:out")
    return ImagesSink(folder, **values)


KIND = Kind(
    "a PNG of each picture, with its recipe inside",
    ("images:folder", "images:folder,every=10,input"),
    {
        "path": Option(str, "FOLDER", "where they go; a new one beside it where it holds something"),
        "every": Option(int, "N", "only every N-th"),
        "input": Option(flag, "", "the drawing beside each render"),
    },
    ImagesSink,
)
