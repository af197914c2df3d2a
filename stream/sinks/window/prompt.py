"""One line of text that is being typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal


class PromptLine:
    """Text with a cursor. ``composing`` is what an input method is still working on; it stands at the cursor."""

    def __init__(self, text: str = "") -> None:
        self.text = printable(text)
        self.cursor = len(self.text)
        self.composing = ""

    def insert(self, text: str) -> None:
        """Put ``text`` at the cursor; line ends and tabs become spaces."""
        text = printable(text)
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)
        self.composing = ""

    def backspace(self, word: bool = False) -> None:
        """Take away the character, or the word, before the cursor."""
        keep = self.cursor - 1
        if word:
            keep = self.text[: self.cursor].rstrip().rfind(" ") + 1
        keep = max(0, keep)
        self.text = self.text[:keep] + self.text[self.cursor :]
        self.cursor = keep

    def delete(self) -> None:
        """Take away the character after the cursor."""
        self.text = self.text[: self.cursor] + self.text[self.cursor + 1 :]

    def move(self, by: int) -> None:
        """Move the cursor, as far as there is text."""
        self.cursor = min(len(self.text), max(0, self.cursor + by))

    def clear(self) -> None:
        """Start over."""
        self.text, self.cursor, self.composing = "", 0, ""

    def handle(self, pygame: Any, event: Any, clipboard: Callable[[], str]) -> Literal["apply", "cancel"] | None:
        """Take one event; says when the line is done with, and how."""
        if event.type == pygame.TEXTINPUT:
            self.insert(event.text)
        elif event.type == pygame.TEXTEDITING:
            self.composing = printable(event.text)
        elif event.type == pygame.KEYDOWN and not self.composing:  # while composing, keys are the input method's
            return self._press(pygame, event, clipboard)
        return None

    def _press(self, pygame: Any, event: Any, clipboard: Callable[[], str]) -> Literal["apply", "cancel"] | None:
        control = bool(event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META))
        if event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            return "apply"
        if event.key == pygame.K_ESCAPE:
            return "cancel"
        if event.key == pygame.K_BACKSPACE:
            self.backspace(word=control)
        elif event.key == pygame.K_DELETE:
            self.delete()
        elif event.key in (pygame.K_LEFT, pygame.K_RIGHT):
            self.move(1 if event.key == pygame.K_RIGHT else -1)
        elif event.key in (pygame.K_HOME, pygame.K_END):
            self.move(len(self.text) if event.key == pygame.K_END else -len(self.text))
        elif control and event.key == pygame.K_u:
            self.clear()
        elif control and event.key == pygame.K_v:
            self.insert(clipboard().strip())
        return None


def printable(text: str) -> str:
    """The text in one line, without what a font cannot draw (control characters, halves of surrogate pairs)."""
    return "".join(character if character.isprintable() else " " for character in text)
