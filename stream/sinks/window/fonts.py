"""Letters for what the preview says: a calm font that comes along, and the system's own where that has no glyph."""

from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
WITHIN = 3.0  # seconds that the list of the system's fonts may take
MOST_GLYPHS = 10_000  # of which it is remembered whether a font has them
NOBODYS = "\U0010fffd"  # the last place for private use
# Fonts with Chinese, Japanese or Korean glyphs that these systems bring along.
_WINDOWS = ("msyh.ttc", "YuGothM.ttc", "meiryo.ttc", "malgun.ttf", "simsun.ttc")
_MAC = (
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "/System/Library/Fonts/ヒラギノ角ゴシック W3.ttc",
    "/System/Library/Fonts/AppleSDGothicNeo.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
)


class Fonts:
    """Fonts by size in pixels and by what is written with them."""

    def __init__(self, pygame: Any) -> None:
        from PIL import ImageFont

        font: Any = ImageFont.load_default(16)
        self._letters: bytes = font.font_bytes
        self._font = pygame.font.Font
        self._error = pygame.error
        self._bytes = pygame.image.tobytes
        self._glyphs: dict[tuple[int, str], bool] = {}
        self._made: dict[tuple[str, int], Any] = {}
        self._opening = threading.Lock()  # FreeType opens one face at a time, and a recording has its own thread
        self._system: list[str] = []  # files of the system's fonts that were needed

    def of(self, text: str, size: int) -> Any:
        """The font for a text: Pillow's, which has ASCII letters only, pygame's bolder one, or one of the system's."""
        if text.isascii():
            return self._sized("calm", size)
        other = self._sized("other", size)
        missing = self._missing(text, other)
        for path in self._system if missing else ():
            if not self._missing(text, self._sized(path, size)):
                return self._sized(path, size)
        for character in missing[:3]:
            path = system_font(character)
            if path:
                self._system = list(dict.fromkeys([*self._system, path]))
                return self._sized(path, size)
        return other

    def unseen(self, text: str) -> str:
        """The characters of a text for which no font here has a glyph."""
        if text.isascii():
            return ""
        return "".join(dict.fromkeys(self._missing(text, self.of(text, 16))))

    def _missing(self, text: str, font: Any) -> list[str]:
        return [each for each in text if not each.isspace() and each.isprintable() and not self._has(font, each)]

    def _has(self, font: Any, character: str) -> bool:
        """Whether a font has a glyph for a character; else it draws the same as for one that nobody has."""
        key = id(font), character  # fonts that were made stay
        has = self._glyphs.get(key)
        if has is None:
            if len(self._glyphs) >= MOST_GLYPHS:
                self._glyphs.clear()
            drawn, none = (
                self._bytes(font.render(each, True, (255, 255, 255)), "RGBA") for each in (character, NOBODYS)
            )
            has = self._glyphs[key] = drawn != none
        return has

    def _sized(self, name: str, size: int) -> Any:
        with self._opening:
            return self._opened(name, size)

    def _opened(self, name: str, size: int) -> Any:
        key = name, size
        if key not in self._made:
            if name == "calm":
                self._made[key] = self._font(io.BytesIO(self._letters), round(1.12 * size))
            elif name == "other":
                self._made[key] = self._font(None, round(1.4 * size))
            else:
                try:
                    self._made[key] = self._font(name, round(1.1 * size))
                except (self._error, OSError) as error:
                    log.debug("no use of the font %s: %s", name, error)
                    self._made[key] = self._opened("other", size)
        return self._made[key]


@cache
def system_font(character: str) -> str:
    """The file of a font of this system that has a glyph for a character; empty where none is known.

    Linux: ``fc-list`` of fontconfig is asked. Windows and macOS: the fonts that they bring for Chinese, Japanese and
    Korean (unverified).
    """
    if sys.platform == "win32":
        folder = Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"
        found = [str(folder / name) for name in _WINDOWS]
    elif sys.platform == "darwin":
        found = list(_MAC)
    else:
        found = _listed(character)
    return next((path for path in found if Path(path).is_file()), "")


def _listed(character: str) -> list[str]:
    program = shutil.which("fc-list")
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, f":charset={ord(character):x}", "file"],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
            errors="surrogateescape",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.debug("no list of fonts: %s", error)
        return []
    paths = [line.strip().rstrip(":").strip() for line in done.stdout.splitlines()]
    # Of a family the regular face, and outlines before bitmaps, which have one size only.
    good = [path for path in paths if path.lower().endswith((".ttf", ".ttc", ".otf"))]
    return sorted(good, key=lambda path: ("bold" in path.lower(), "regular" not in path.lower(), path))
