"""One line of text that is being typed, with the keys that such lines have everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from ...base.articles import exchanged

Ended = Literal["apply", "cancel"]
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
NOTHING = "Tab has nothing to put in here"
_BEFORE = re.compile(r"[^\W\d_][\w'-]*$")


class Clipboard(Protocol):
    """The desktop's clipboard."""

    def clipboard(self) -> str:
        """The text in it, or nothing."""
        ...

    def copy(self, text: str) -> None:
        """Put a text into it."""
        ...


class PromptLine:
    """Text with a cursor. ``composing`` is what an input method is still working on; it stands at the cursor.

    ``before`` are the lines that were written earlier, the newest last; ``words`` is what Tab completes from, and
    ``instead`` gives the words of a text that Tab puts others in the place of, each with that, or "".
    """

    def __init__(
        self,
        text: str = "",
        before: Sequence[str] = (),
        words: Sequence[str] = (),
        instead: Callable[[str], Sequence[tuple[str, str]]] = lambda text: (),
    ) -> None:
        self.text = printable(text)
        self.cursor = len(self.text)
        self.composing = ""
        self._anchor = self.cursor  # where the selection began
        self._before = [*before, self.text]
        self._place = len(self._before) - 1  # of the line that is being edited
        self._words, self._instead = words, instead
        self.note = ""  # what is to be said of the last key
        self._offered: tuple[int, list[str], int] | None = None  # where a word begins, what fits, which is shown

    @property
    def selected(self) -> tuple[int, int]:
        """From where to where the text is selected; equal: nothing is."""
        return min(self._anchor, self.cursor), max(self._anchor, self.cursor)

    def insert(self, text: str) -> None:
        """Put ``text`` in the place of what is selected, or at the cursor; line ends and tabs become spaces."""
        self._replace(*self.selected, printable(text))
        self.composing = ""

    def backspace(self, word: bool = False) -> None:
        """Take away what is selected, or the character, or the word, before the cursor."""
        first, last = self.selected
        if first == last:
            first = self._word_before() if word else max(0, self.cursor - 1)
        self._replace(first, last, "")

    def delete(self, word: bool = False) -> None:
        """Take away what is selected, or the character, or the word, after the cursor."""
        first, last = self.selected
        if first == last:
            last = self._word_after() if word else min(len(self.text), self.cursor + 1)
        self._replace(first, last, "")

    def move(self, to: int, select: bool = False) -> None:
        """Put the cursor somewhere, as far as there is text; ``select`` what lies between."""
        self.cursor = min(len(self.text), max(0, to))
        if not select:
            self._anchor = self.cursor

    def select_all(self) -> None:
        """Select the whole text: what is typed then takes its place."""
        self._anchor, self.cursor = 0, len(self.text)

    def clear(self) -> None:
        """Start over."""
        self._replace(0, len(self.text), "")
        self.composing = ""

    def earlier(self, by: int) -> None:
        """Show a line that was written before (-1: the one before this), and come back to this one (1)."""
        place = min(len(self._before) - 1, max(0, self._place + by))
        if place != self._place:
            self._before[self._place] = self.text
            self._place = place
            self.text = printable(self._before[place])
            self.move(len(self.text))

    def complete(self, back: bool = False) -> None:
        """Put in what ``instead`` says of the word before the cursor, else a word that begins so; again: the next.

        Where that word is known as it is, or nothing is known of it, the first one of the line that has another.
        """
        if self._offered is None:
            found = _BEFORE.search(self.text[: self.cursor])
            typed = found[0].lower() if found else ""
            better = dict(self._instead(self.text)).get(typed, "")
            # Words come first that go on with what was typed, in the model's own order.
            fits = [word for word in self._words if typed and word.startswith(typed) and word != typed]
            offers = list(dict.fromkeys([*([better] if better else []), *fits]))
            if (not offers or (typed in self._words and not better)) and self._mend():
                return
            if found is None or not offers:
                self.note = NOTHING
                return
            self._offered = found.start(), [*offers, found[0]], 0
        else:
            start, offers, index = self._offered
            self._offered = start, offers, (index + (-1 if back else 1)) % len(offers)
        start, offers, index = self._offered
        self._offered = self._put(start, self.cursor, offers[index]), offers, index

    def _mend(self) -> bool:
        """Put another in the place of the first word that has one; the cursor stays where it is in the text."""
        for word, better in self._instead(self.text):
            found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.text, re.IGNORECASE) if better else None
            if found is not None:
                behind = len(self.text) - self.cursor if self.cursor >= found.end() else None
                self._put(*found.span(), better)
                if behind is not None:
                    self.move(len(self.text) - behind)
                return True
        return False

    def _put(self, first: int, last: int, words: str) -> int:
        """Put words in the place of others, with the article that they have; gives where they begin then."""
        text, start = exchanged(self.text, first, last, words)
        self._replace(0, len(self.text), text)
        self.move(start + len(words))
        return start

    def handle(self, pygame: Any, event: Any, clipboard: Clipboard) -> Ended | None:
        """Take one event; says when the line is done with, and how."""
        if event.type in (pygame.TEXTINPUT, pygame.TEXTEDITING, pygame.KEYDOWN):
            self.note = ""
        if event.type == pygame.TEXTINPUT:
            self.insert(event.text)
        elif event.type == pygame.TEXTEDITING:
            self.composing = printable(event.text)
        elif event.type == pygame.MOUSEBUTTONDOWN:  # what is selected stays
            self.move(len(self.text))
        elif event.type == pygame.KEYDOWN and not self.composing:  # while composing, keys are the input method's
            return self._press(pygame, event, clipboard)
        return None

    def _press(self, pygame: Any, event: Any, clipboard: Clipboard) -> Ended | None:
        control = bool(event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META))
        # Word by word: with Ctrl, and with Alt (Option) on macOS.
        wordwise, shift = control or bool(event.mod & pygame.KMOD_ALT), bool(event.mod & pygame.KMOD_SHIFT)
        key = event.key
        if key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            return "apply"
        if key == pygame.K_ESCAPE:
            return "cancel"
        if key == pygame.K_TAB:
            self.complete(back=shift)
        elif key == pygame.K_BACKSPACE:
            self.backspace(word=wordwise)
        elif key == pygame.K_DELETE:
            self.delete(word=wordwise)
        elif key in (pygame.K_LEFT, pygame.K_RIGHT):
            self._step(key == pygame.K_RIGHT, wordwise, shift)
        elif key in (pygame.K_HOME, pygame.K_END):
            self.move(len(self.text) if key == pygame.K_END else 0, shift)
        elif key in (pygame.K_UP, pygame.K_DOWN):
            self.earlier(1 if key == pygame.K_DOWN else -1)
        elif control:
            self._command(pygame, key, clipboard)
        if key not in (pygame.K_TAB, pygame.K_LSHIFT, pygame.K_RSHIFT):
            self._offered = None
        return None

    def _step(self, right: bool, word: bool, select: bool) -> None:
        first, last = self.selected
        if first != last and not select and not word:
            self.move(last if right else first)
        elif word:
            self.move(self._word_after() if right else self._word_before(), select)
        else:
            self.move(self.cursor + (1 if right else -1), select)

    def _command(self, pygame: Any, key: int, clipboard: Clipboard) -> None:
        first, last = self.selected
        if key == pygame.K_a:
            self.select_all()
        elif key == pygame.K_u:
            self.clear()
        elif key == pygame.K_w:
            self.backspace(word=True)
        elif key == pygame.K_v:
            self.insert(clipboard.clipboard().strip())
        elif key in (pygame.K_c, pygame.K_x) and first < last:
            clipboard.copy(self.text[first:last])
            if key == pygame.K_x:
                self._replace(first, last, "")

    def _word_before(self) -> int:
        starts = [each.start() for each in _WORD.finditer(self.text) if each.start() < self.cursor]
        return starts[-1] if starts else 0

    def _word_after(self) -> int:
        return next((each.end() for each in _WORD.finditer(self.text) if each.end() > self.cursor), len(self.text))

    def _replace(self, first: int, last: int, text: str) -> None:
        self.text = self.text[:first] + text + self.text[last:]
        self.cursor = self._anchor = first + len(text)
        self._offered = None


def printable(text: str) -> str:
    """The text in one line, without what a font cannot draw (control characters, halves of surrogate pairs)."""
    return "".join(character if character.isprintable() else " " for character in text)
