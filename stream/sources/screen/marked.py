"""Where the user said that the canvas is, for each program and size of its window."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from ...base.files import json_bytes, open_regular, write_whole
from ...base.frame import Rect, Size
from ...base.plain import reason
from ...base.private import make_private, user_state

log = logging.getLogger(__name__)
FILE = "canvas.json"
LARGEST = 1 << 18  # bytes of the file; anything larger is not ours
MOST = 200  # places that are remembered; the oldest go


class Marked:
    """A small file in ``folder``, by default the user's state folder; one that cannot be read is as good as none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def of(self, program: str, window: Size) -> Rect | None:
        """The canvas in a window of this program and size, in pixels of the window; None: nobody said."""
        value = self._read().get(_key(program, window))
        if not isinstance(value, list) or len(value) != 4 or not all(type(each) is int for each in value):
            return None
        rect = Rect(*value)
        inside = rect.x >= 0 and rect.y >= 0 and rect.x + rect.width <= window.width
        return rect if inside and rect.y + rect.height <= window.height and min(rect.size) >= 1 else None

    def mark(self, program: str, window: Size, rect: Rect | None) -> None:
        """Remember it; None: it is found by itself again."""
        key = _key(program, window)
        places = {name: value for name, value in self._read().items() if name != key}
        if rect is not None:
            places[key] = list(rect)
        try:
            path = make_private(self._folder or user_state()) / FILE
            write_whole(path, json_bytes(dict(list(places.items())[-MOST:])))
        except OSError as error:
            log.info("where the canvas is, is not remembered: %s", reason(error))

    def _read(self) -> dict[str, Any]:
        try:
            with open_regular((self._folder or user_state()) / FILE) as file:
                values = json.loads(file.read(LARGEST))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.info("where the canvas is, is not known: %s", reason(error))
            return {}
        return values if isinstance(values, dict) else {}


def _key(program: str, window: Size) -> str:
    return f"{program.casefold()[:80]} {window}"
