"""One line of text that is being typed."""

from __future__ import annotations


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


def printable(text: str) -> str:
    """The text in one line, without what a font cannot draw (control characters, halves of surrogate pairs)."""
    return "".join(character if character.isprintable() else " " for character in text)
