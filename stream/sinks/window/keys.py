"""Which key asks for what, on keyboards of any country."""

from __future__ import annotations

from typing import Any

ACTIONS = {
    "help": ("h", "F1"),
    "fullscreen": ("f", "F11"),
    "inset": ("i",),
    "statistics": ("s",),
    "clean": ("o",),
    "layout": ("l",),
    "top": ("t",),
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
        """The name of the action that a key that went down asks for: one of ``ACTIONS``, "quit", or None."""
        pygame = self._pygame
        key = self.letter(event)
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META):
            return {pygame.K_s: "save", pygame.K_q: "quit"}.get(key)
        if event.mod & pygame.KMOD_ALT:
            return None
        if event.unicode == "?" or (key == pygame.K_SLASH and event.mod & pygame.KMOD_SHIFT):
            return "help"
        return self._actions.get(key) or CHARACTERS.get(event.unicode)

    def letter(self, event: Any) -> int:
        """The key; where a layout has no Latin letters, the one that a US keyboard has in that place."""
        first, place = self._pygame.KSCAN_A, getattr(event, "scancode", 0)
        if 0x80 <= event.key < 0x40000000 and first <= place <= self._pygame.KSCAN_Z:
            return self._pygame.K_a + place - first
        return event.key
