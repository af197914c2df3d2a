"""The row of a page that takes words: whatever is typed on that page goes into it."""

from __future__ import annotations

from typing import Any

from ...base.prompt import parse_prompt
from ...sinks.window.prompt import Clipboard, PromptLine


class Words:
    """One line. It is open for input methods as long as it is there: ``close`` ends that."""

    def __init__(self, pygame: Any, clipboard: Clipboard) -> None:
        self._pygame, self._clipboard = pygame, clipboard
        self._line = PromptLine()
        self._touched = False  # whether anything was ever typed
        pygame.key.start_text_input()

    def close(self) -> None:
        """Let keys be keys again."""
        self._pygame.key.set_repeat()
        self._pygame.key.stop_text_input()

    @property
    def text(self) -> str:
        """What is written; empty: nothing is."""
        return self._line.text.strip()

    @property
    def shown(self) -> str:
        """The line with its cursor; empty where nothing is written."""
        line = self._line
        written = bool(line.text or line.composing)
        return f"{line.text[: line.cursor]}{line.composing}|{line.text[line.cursor :]}" if written else ""

    @property
    def selected(self) -> tuple[int, int]:
        """From where to where ``shown`` is selected; equal: nothing is."""
        line = self._line
        behind = len(line.composing) + 1  # what stands at the cursor
        first, last = (each + behind * (each > line.cursor) for each in line.selected)
        return first, last

    def wrong(self) -> str:
        """What is wrong with it as a prompt, in words; empty: nothing."""
        try:
            parse_prompt(self.text)
        except ValueError as error:
            return str(error)
        return ""

    def take(self, event: Any) -> bool:
        """Take what was typed or is being composed; False for what is no text, and for spaces before it."""
        typed = event.type == self._pygame.TEXTINPUT
        if not typed and event.type != self._pygame.TEXTEDITING:
            return False
        if typed and not self._line.text and not event.text.strip():
            return False
        self._line.handle(self._pygame, event, self._clipboard)
        self._touched = True
        self._pygame.key.set_repeat(400, 40)
        return True

    def press(self, event: Any) -> bool:
        """Take a key that went down; False for one that is the page's.

        Those are Enter, the keys that go through rows, and the way back: Escape where there are no words, Backspace
        where there were none yet. Keys with letters are taken, as their letters come as text.
        """
        pygame, key, line = self._pygame, event.key, self._line
        pages = (pygame.K_RETURN, pygame.K_KP_ENTER, pygame.K_UP, pygame.K_DOWN, pygame.K_TAB)
        control = event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META)
        if line.composing:
            return True
        if key in (*pages, pygame.K_PAGEUP, pygame.K_PAGEDOWN) or (control and key in (pygame.K_q, pygame.K_w)):
            return False
        if key in (pygame.K_ESCAPE, pygame.K_HOME, pygame.K_END) and not line.text:
            return False
        if key == pygame.K_BACKSPACE and not self._touched:
            return False  # who keeps it down to erase everything stays on the page
        if key == pygame.K_ESCAPE:
            line.clear()
            pygame.key.set_repeat()  # one that stays down is not two
        else:
            line.handle(pygame, event, self._clipboard)
        return True
