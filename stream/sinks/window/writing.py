"""Writing a prompt in the preview: the line, what is said of it, and where the keyboard goes afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...base.prompt import parse_prompt
from ...base.reading import Brings, Reading
from .. import Controls, Status
from .focus import Focus
from .fonts import Fonts
from .memory import Memory
from .prompt import Clipboard, PromptLine
from .scene import Line

LOOK = 0.25  # seconds between two looks who has the keyboard


class Writing:
    """At most one line at a time. ``say`` is told why a prompt is refused; ``clock`` in seconds."""

    def __init__(
        self,
        pygame: Any,
        clipboard: Clipboard,
        memory: Memory,
        focus: Focus,
        fonts: Fonts,
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.line: PromptLine | None = None
        self._pygame, self._clipboard, self._memory, self._focus = pygame, clipboard, memory, focus
        self._fonts, self._say, self._clock = fonts, say, clock
        self._asked: tuple[str, Any] | None = None  # the prompt that was written last, and the one there was before
        self._other = 0  # the window that had the keyboard before ours
        self._looked_at = -LOOK
        self._read: Callable[[str], Reading] | None = None  # asks the model
        self._noted: tuple[str, tuple[str, ...]] | None = None  # a text, and what is said of it

    def look(self) -> None:
        """Remember, now and then, which other window has the keyboard."""
        now = self._clock()
        if self.line is None and not 0 <= now - self._looked_at < LOOK:
            self._looked_at = now
            self._other = self._focus.other() or self._other

    def start(self, controls: Controls | None, status: Status) -> None:
        """Open the line with the prompt that there is, or with one that was refused, to be mended."""
        if controls is None:
            self._say("the prompt cannot be changed here")
            return
        prompt = status.values.get("prompt")
        text = prompt if isinstance(prompt, str) else ""
        if self._asked is not None and self._asked[1] == prompt:
            text = self._asked[0]
        read = self._read = getattr(controls, "read_prompt", None)
        words = getattr(controls, "brings", Brings)().words
        self._noted = None
        self.line = PromptLine(text, self._memory.prompts, words, lambda text: read(text).unknown if read else ())
        if text == prompt:  # new words take its place; what was refused is to be mended
            self.line.select_all()
        self._pygame.key.start_text_input()
        self._pygame.key.set_repeat(400, 40)

    def handle(self, event: Any, controls: Controls | None, status: Status, stay: bool) -> None:
        """Take one event; a finished prompt is applied, and unless it is to ``stay`` the keyboard given back."""
        if self.line is None:
            return
        done = self.line.handle(self._pygame, event, self._clipboard)
        text = self.line.text.strip()
        if done == "apply":
            try:
                parse_prompt(text)
            except ValueError as error:
                self._say(str(error))
                return
        if done:
            self._end()
        if done == "apply" and controls:
            self._asked = text, status.values.get("prompt")
            self._memory.wrote(text)
            controls.update(prompt=text)
            if self._other and not stay:
                self._focus.give(self._other)

    def seen(self) -> Line | None:
        """The line as it is drawn, with what is to be said of it."""
        line = self.line
        if line is None:
            return None
        text = line.text + line.composing
        if self._noted is None or self._noted[0] != text:
            self._noted = text, self._notes(text)
        return Line(
            line.text, line.cursor, line.composing, line.selected, self._noted[1] + ((line.note,) if line.note else ())
        )

    def _notes(self, text: str) -> tuple[str, ...]:
        unseen = self._fonts.unseen(text)
        font = (f"no font on this computer shows {unseen[:12]}: what is written is right",) if unseen else ()
        reading = self._read(text) if self._read else Reading()
        return (*reading.lines(), *reading.hints(), *font)

    def _end(self) -> None:
        self.line, self._asked = None, None
        self._pygame.key.set_repeat()
        self._pygame.key.stop_text_input()
