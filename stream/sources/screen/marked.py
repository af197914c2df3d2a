"""Where the user said that the canvas is, for each program, document and size of its window."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from ...base.files import json_bytes, open_regular, write_whole
from ...base.frame import Rect, Size
from ...base.plain import reason
from ...base.private import make_private, user_state

log = logging.getLogger(__name__)
FILE = "canvas.json"
LARGEST = 1 << 18  # bytes of the file; anything larger is not ours
MOST = 400  # places that are remembered; the oldest go
BETWEEN = re.compile(r"\s+[-–—]\s+|[/\\]")  # what titles have between program, folder and document
PICTURES = (
    "afdesign|afphoto|ase|aseprite|avif|bmp|clip|exr|gif|heic|jpe?g|jxl|kra|krz|lip|mdp|ora|pdn|png|psb|psd|sai2?|"
    "svgz?|tga|tiff?|webp|xcf"
)
NAMED = re.compile(rf"^[\s*\[•●]*(?P<name>[^\[\]<>:|?*\"]*?\S\.(?:{PICTURES}))(?![\w.])", re.IGNORECASE)
IMPORTED = re.compile(r"^\*?\[(?P<name>[^\[\]]+)\] \(")  # as GIMP names what is no file of its own


class Marked:
    """A small file in ``folder``, by default the user's state folder; one that cannot be read is as good as none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def of(self, program: str, window: Size, document: str = "") -> Rect | None:
        """The canvas in a window of this program and size, in pixels of the window; None: nobody said.

        What was said of ``document`` comes first, then what was said last of any other one.
        """
        places = self._read()
        return next(filter(None, (_place(places.get(key), window) for key in _keys(program, window, document))), None)

    def mark(self, program: str, window: Size, rect: Rect | None, document: str = "") -> None:
        """Remember it; None: it is found by itself again."""
        keys = _keys(program, window, document)
        places = {name: value for name, value in self._read().items() if name not in keys}
        if rect is not None:
            places |= {key: list(rect) for key in keys}
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


def document_in(title: str) -> str:
    """The name of the drawing that a window's title names, without its folder; empty where it names none.

    A name is known by the ending of its file, or by the brackets in which GIMP puts what it has imported.
    """
    imported = IMPORTED.match(title)
    if imported:
        return imported["name"].strip()
    found = (NAMED.match(part) for part in BETWEEN.split(title))
    return next((match["name"].strip() for match in found if match), "")


def _keys(program: str, window: Size, document: str) -> list[str]:
    """Under which names it is remembered, the one that counts most first."""
    name = program.casefold()[:80]
    named = [f"{name} {window} {document.casefold()[:120]}"] if document else []
    return [*named, f"{name} {window}"]


def _place(value: Any, window: Size) -> Rect | None:
    """What stands in the file, if it is a part of such a window."""
    if not isinstance(value, list) or len(value) != 4 or not all(type(each) is int for each in value):
        return None
    rect = Rect(*value)
    inside = rect.x >= 0 and rect.y >= 0 and rect.x + rect.width <= window.width
    return rect if inside and rect.y + rect.height <= window.height and min(rect.size) >= 1 else None
