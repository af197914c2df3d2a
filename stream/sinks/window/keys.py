"""Which key asks for what, on keyboards of any country."""

from __future__ import annotations

from typing import Any

ACTIONS = {
    "help": ("h", "F1"),
    "fullscreen": ("F11",),
    "finish": ("f",),
    "inset": ("i",),
    "statistics": ("s",),
    "clean": ("o",),
    "layout": ("l",),
    "top": ("t",),
    "mirror": ("m",),
    "panel": ("c",),
    "canvas": ("k",),
    "walk": ("w",),
    "variations": ("v",),
    "side by side": ("a",),
    "strip": ("b", "LEFT", "RIGHT"),
    "dice": ("d",),
    "cue": ("n",),
    "record": ("r",),
    "freeze": ("SPACE",),
    "save": ("RETURN", "KP_ENTER"),
    "prompt": ("p", "TAB", "SLASH"),
    "hold": ("q",),
    "escape": ("ESCAPE",),
    "more": ("UP", "PLUS", "EQUALS", "KP_PLUS"),
    "less": ("DOWN", "MINUS", "KP_MINUS"),
}
# By character, for what keyboards of other countries have on other keys.
CHARACTERS = {"/": "prompt", "+": "more", "-": "less", "?": "help"}


class Keyboard:
    """Reads events of pygame."""

    def __init__(self, pygame: Any) -> None:
        self._pygame = pygame
        self._actions = {getattr(pygame, f"K_{key}"): name for name, keys in ACTIONS.items() for key in keys}

    def asked(self, event: Any) -> str | None:
        """What a key that went down asks for, None for nothing: one of ``ACTIONS``, "quit", "copy", "cue before",
        "finish larger", and for the digits 1 to 9 "recall 1" and "favour 1"."""
        pygame = self._pygame
        key = self.letter(event)
        digit = self._digit(event)
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META):
            return f"favour {digit}" if digit else {pygame.K_s: "save", pygame.K_q: "quit", pygame.K_c: "copy"}.get(key)
        if event.mod & pygame.KMOD_ALT:
            return None
        if event.unicode == "?" or (key == pygame.K_SLASH and event.mod & pygame.KMOD_SHIFT):
            return "help"
        if event.mod & pygame.KMOD_SHIFT and key in (pygame.K_n, pygame.K_f):
            return "cue before" if key == pygame.K_n else "finish larger"
        if digit and not event.mod & pygame.KMOD_SHIFT:
            return f"recall {digit}"
        return self._actions.get(key) or CHARACTERS.get(event.unicode)

    def _digit(self, event: Any) -> int:
        """1 to 9 for the keys in the row above the letters, whatever a country has on them, and of the pad; else 0."""
        pygame = self._pygame
        place = getattr(event, "scancode", 0)
        if pygame.KSCAN_1 <= place <= pygame.KSCAN_9:
            return place - pygame.KSCAN_1 + 1
        for first in (pygame.K_1, pygame.K_KP1):
            if first <= event.key <= first + 8:
                return event.key - first + 1
        return 0

    def letter(self, event: Any) -> int:
        """The key; where a layout has no Latin letters, the one that a US keyboard has in that place."""
        first, place = self._pygame.KSCAN_A, getattr(event, "scancode", 0)
        if 0x80 <= event.key < 0x40000000 and first <= place <= self._pygame.KSCAN_Z:
            return self._pygame.K_a + place - first
        return event.key
