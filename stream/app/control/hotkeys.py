"""Keys that work whatever window has the keyboard: ``keys``. On X11.

The X server hands the key over where it is pressed (``GrabKey`` of the core protocol), with and without Num Lock and
Caps Lock. Wayland, Windows and macOS are asked in other ways, which are not built: there a key of the desktop can run a
command, for example ``curl -X POST localhost:7860/keep``.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
import sys
import threading
from typing import Any

from ...base.errors import ConfigError, InkstreamError, SourceLost, SourceUnavailable
from ...base.names import did_you_mean
from ...base.plain import reason
from ...base.progress import note
from ...base.spec import Kind, Option
from ...sources.screen.x11_link import XLink
from .desk import Desk

log = logging.getLogger(__name__)
GRAB_KEY, GET_KEYBOARD_MAPPING = 33, 101  # requests of the core protocol
ANY_ERROR, KEY_PRESS, BAD_ACCESS = 0, 2, 10
MODIFIERS = {"shift": 1, "ctrl": 4, "control": 4, "alt": 8, "super": 64, "meta": 64, "win": 64}
LOCKS = (0, 2, 16, 18)  # neither, Caps Lock, Num Lock, both
USED = 1 | 4 | 8 | 64
NAMED = {"space": 0x20, "pause": 0xFF13, "insert": 0xFF63, "home": 0xFF50, "end": 0xFF57, "print": 0xFF61}
NAMED |= {"pageup": 0xFF55, "pagedown": 0xFF56, "left": 0xFF51, "up": 0xFF52, "right": 0xFF53, "down": 0xFF54}
NAMED |= {f"f{number}": 0xFFBD + number for number in range(1, 25)}
USUAL = {
    "freeze": "ctrl+alt+f",
    "keep": "ctrl+alt+k",
    "dice": "ctrl+alt+d",
    "next": "ctrl+alt+n",
    "back": "ctrl+alt+b",
    "tap": "ctrl+alt+t",
}
COMMAND_OF = {
    "freeze": "freeze",
    "keep": "keep",
    "dice": "seed/dice",
    "next": "cue/next",
    "back": "cue/back",
    "tap": "tap",
}


def read_key(text: str) -> tuple[int, int]:
    """``ctrl+alt+f`` -> (modifiers, keysym); raises ValueError. Keysyms: ``keysymdef.h`` of X11."""
    *held, key = text.lower().replace(" ", "").split("+")
    wrong = [each for each in held if each not in MODIFIERS]
    symbol = NAMED.get(key) or (ord(key) if len(key) == 1 and key.isascii() and key.isalnum() else 0)
    if wrong or not symbol:
        hint = did_you_mean((wrong or [key])[0], [*MODIFIERS, *NAMED])
        raise ValueError(f"expected for example ctrl+alt+k or f9{hint}")
    if not held and symbol < 0xFF00:
        raise ValueError("expected ctrl, alt, shift or super before it, or nobody could type it any more")
    return sum({MODIFIERS[each] for each in held}), symbol


class Hotkeys:
    """Takes its keys from the X server for as long as it lives. Raises ConfigError where that cannot be."""

    def __init__(self, desk: Desk, at: str | None = None, **keys: str) -> None:
        wanted = {**USUAL, **{name: text for name, text in keys.items() if text}}
        self._desk = desk
        try:
            self._link = XLink(at or display())
        except SourceUnavailable as error:
            raise ConfigError(f"--control keys: there is no X display to take keys from: {error}") from error
        self._does: dict[tuple[int, int], str] = {}
        try:
            taken = [name for name, text in wanted.items() if not self._grab(COMMAND_OF[name], *read_key(text))]
        except BaseException:
            self._link.close()
            raise
        if taken:
            others = ", ".join(f"{wanted[name]} ({name})" for name in taken)
            note(f"keys: another program has {others}; choose others: --control keys:{taken[0]}=ctrl+alt+super+x")
        had = ", ".join(f"{text} {name}" for name, text in wanted.items() if name not in taken)
        note(f"keys: {had}")
        self._ended = threading.Event()
        self._ends = socket.socketpair()  # wakes the thread
        self._thread = threading.Thread(target=self._run, name="inkstream keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the keys back."""
        self._ended.set()
        self._ends[1].send(b"x")
        self._thread.join(1.0)
        self._link.close()
        for each in self._ends:
            each.close()

    def _grab(self, command: str, held: int, symbol: int) -> bool:
        """Take a key; False where another program has it, or the keyboard does not."""
        code = self._code(symbol)
        if not code:
            return False
        for lock in LOCKS:
            self._link.send(GRAB_KEY, 1, self._link.root, held | lock, code, 1, 1, form="IHBBB3x")
        self._link.children(self._link.root)  # its answer comes after all errors of what was sent before
        refused = any(each[0] == ANY_ERROR and each[1] == BAD_ACCESS for each in self._link.raw_events())
        if not refused:
            self._does[held, code] = command
        return not refused

    def _code(self, symbol: int) -> int:
        """The key that gives a symbol without Shift; 0 where none does. Answer: a table of symbols, some a key."""
        first, last = 8, 255
        asked = self._link.send(GET_KEYBOARD_MAPPING, 0, first, last - first + 1, form="BB2x", void=False)
        answer = self._link.receive(asked)
        if answer is None:
            return 0
        each = answer[1]
        for code in range(first, last + 1):
            (found,) = struct.unpack_from("=I", answer, 32 + 4 * each * (code - first))
            if found == symbol:
                return code
        return 0

    def _run(self) -> None:
        ends, _ = self._ends
        while not self._ended.is_set():
            try:
                events = self._link.raw_events()
                if not events:
                    select.select([self._link, ends], [], [])
                    if not self._ended.is_set() and not (events := self._link.raw_events()):
                        self._link.children(self._link.root)  # readable, and nothing came: is it still there?
            except (SourceLost, OSError, ValueError) as error:
                log.warning("keys: %s", reason(error))
                return
            for event in events:
                if event[0] & 0x7F == KEY_PRESS:
                    self._press(event[1], struct.unpack_from("=H", event, 28)[0] & USED)

    def _press(self, code: int, held: int) -> None:
        command = self._does.get((held, code))
        if command is None:
            return
        try:
            self._desk.command(command, [], "keys")
        except InkstreamError as error:
            self._desk.say(str(error))
        except Exception as error:  # noqa: BLE001 - a key must not end the stream
            log.warning("keys: %s", reason(error))


def display() -> str | None:
    """Where X11 is; raises ConfigError that says what to do where it is not."""
    instead = "bind a key of your desktop to: curl -X POST localhost:7860/keep, with --control http:7860"
    if not sys.platform.startswith("linux"):
        raise ConfigError(f"--control keys: got {sys.platform}, expected X11; {instead}")
    if os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("DISPLAY"):
        raise ConfigError(f"--control keys: Wayland gives no program such keys; {instead}")
    return None


def _key(text: str) -> Any:
    read_key(text)
    return text


KIND = Kind(
    "keys that work whatever window has the keyboard (X11)",
    ("keys", "keys:keep=f9,next=ctrl+alt+n"),
    {name: Option(_key, "KEY", f"{name}: else {text}") for name, text in USUAL.items()},
    Hotkeys,
)
