"""What the preview remembers between runs: its place, whether it stays on top, its prompts, and favourites."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...base.files import json_bytes, open_regular, write_whole
from ...base.frame import MAX_SIDE, Rect
from ...base.plain import reason
from ...base.private import make_private, user_state

log = logging.getLogger(__name__)
FILE = "preview.json"
LARGEST = 1 << 20  # bytes of the file; anything larger is not ours
MOST_PROMPTS = 50
LONGEST_PROMPT = 2000  # characters
SLOTS = frozenset("123456789")  # places of favourites
FARTHEST = 1 << 16  # pixels from the desktop's corner


@dataclass(frozen=True)
class Remembered:
    """One kind of preview, as it was left."""

    place: Rect | None = None
    """Its content on the desktop, as wide as one picture; None: it was never left anywhere."""
    top: bool = False


class Memory:
    """A small file in the user's state folder. A file that cannot be read, or written, is as good as none.

    ``kind`` tells windows apart that are left in different places: preview, clean output, stage.
    """

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self._kind = kind
        self._path = (folder or user_state()) / FILE
        self._values = self._read()
        self.left = _remembered(self._values.get(kind))

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts that were written, the newest last."""
        given = self._values.get("prompts")
        texts = [each for each in given if isinstance(each, str) and each] if isinstance(given, list) else []
        return tuple(each[:LONGEST_PROMPT] for each in texts[-MOST_PROMPTS:])

    def leave(self, **changes: Any) -> None:
        """Remember fields of ``Remembered``."""
        left = replace(self.left, **changes)
        if left != self.left:
            self.left = left
            self._write({self._kind: asdict(left)})

    def wrote(self, prompt: str) -> None:
        """Remember a prompt; one that was written before becomes the newest."""
        if prompt:
            texts = [each for each in self.prompts if each != prompt]
            self._write({"prompts": [*texts, prompt[:LONGEST_PROMPT]][-MOST_PROMPTS:]})

    def favourites(self, model: str) -> dict[int, dict[str, Any]]:
        """Settings that were kept for a model, by their places 1 to 9; not checked."""
        kept = self._values.get("favourites")
        places = kept.get(model) if isinstance(kept, dict) else None
        found = places.items() if isinstance(places, dict) else ()
        return {int(slot): each for slot, each in found if slot in SLOTS and isinstance(each, dict)}

    def favour(self, model: str, slot: int, settings: dict[str, Any]) -> bool:
        """Keep settings, plain values, in a place; False when they could not be written down."""
        kept = self._read().get("favourites")
        kept = kept if isinstance(kept, dict) else {}
        places = kept.get(model)
        places = {**(places if isinstance(places, dict) else {}), str(slot): settings}
        return self._write({"favourites": {**kept, model: places}})

    def _read(self) -> dict[str, Any]:
        try:
            with open_regular(self._path) as file:
                values = json.loads(file.read(LARGEST))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.info("the preview's place is not known: %s: %s", self._path, reason(error))
            return {}
        return values if isinstance(values, dict) else {}

    def _write(self, changes: dict[str, Any]) -> bool:
        self._values = {**self._read(), **changes}  # another preview may have written meanwhile
        try:
            make_private(self._path.parent)
            write_whole(self._path, json_bytes(self._values))
        except OSError as error:
            log.info("the preview's place is not remembered: %s: %s", self._path, reason(error))
            return False
        return True


def _remembered(value: Any) -> Remembered:
    if not isinstance(value, dict):
        return Remembered()
    return Remembered(_rect(value.get("place")), value.get("top") is True)


def _rect(value: Any) -> Rect | None:
    if not isinstance(value, list) or len(value) != 4 or not all(type(each) is int for each in value):
        return None
    rect = Rect(*value)
    near = abs(rect.x) <= FARTHEST and abs(rect.y) <= FARTHEST
    return rect if near and all(1 <= side <= MAX_SIDE for side in rect.size) else None
