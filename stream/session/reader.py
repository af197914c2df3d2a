"""What the stream's model makes of prompts, for whoever writes or sees them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..base.config import StreamConfig
from ..base.mailbox import MailboxClosed
from ..base.reading import Brings, Reading
from .driver import StreamLike

NOTHING = Reading()


class Reader:
    """Asks a stream's ``prompts``; a stream without any knows every word. May be asked from any thread."""

    def __init__(self, stream: StreamLike, put: Callable[[dict[str, Any]], None]) -> None:
        """What the stream guesses from drawings is ``put`` among the changes of the session, so that all of it learns
        of that."""
        self._stream, self._put = stream, put
        guessing = getattr(getattr(stream, "prompts", None), "guessing", None)
        if guessing is not None:
            guessing.through(self._guessed)
        self._newest: tuple[Any, ...] = ()  # what was asked last
        self._notes: tuple[str, ...] = ()

    def read(self, text: str) -> Reading:
        """What the model makes of a prompt; nothing of one that cannot be read yet."""
        return self._read(text, self._stream.config)

    def brings(self) -> Brings:
        """What the model brings along: words, styles, steps."""
        return getattr(getattr(self._stream, "prompts", None), "brings", Brings())

    def notes(self, config: StreamConfig) -> tuple[str, ...]:
        """What is to be said of the prompts of a configuration."""
        newest = (config.prompt, config.guessed, config.guess_prompt, config.prompt_chunks, tuple(config.lora_dict))
        if newest != self._newest:
            texts = [config.prompt] if isinstance(config.prompt, str) else [text for text, _ in config.prompt]
            lines = [line for text in texts for line in self._read(text, config).lines()]
            self._notes, self._newest = tuple(dict.fromkeys(lines)), newest
        return self._notes

    def _guessed(self, **changes: Any) -> None:
        with suppress(MailboxClosed, OverflowError):  # at the end, or while too much waits: the next drawing is read
            self._put(changes)

    def _read(self, text: str, config: StreamConfig) -> Reading:
        prompts = getattr(self._stream, "prompts", None)
        try:
            return NOTHING if prompts is None else prompts.read(text, config)
        except ValueError:  # half a bracket; who applies it is told what is wrong
            return NOTHING
