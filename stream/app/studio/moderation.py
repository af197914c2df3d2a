"""What may be asked for: prompts of pages and scripts are looked at here, before any model reads them.

It is the same for a studio and for the gateways of a cluster. What the one who started the server asks for himself
(``--prompt``, ``--control``, ``--cues``) is not looked at.
"""

from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from ...base.errors import ConfigError
from ...base.plain import reason
from ...base.usercode import from_file
from .backend import Values
from .settings import Refused

log = logging.getLogger(__name__)
Verdict = Callable[[str], str | None]  # of a prompt: why it is refused, or nothing
WITHIN = 5.0  # seconds for a verdict
TEXTS = ("prompt", "guessed", "negative_prompt")


class Words:
    """Refuses prompts that have one of some words or phrases: whole words, whatever their case, accents and width.

    Scripts that write no spaces are searched letter by letter.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = [plain for word in words if (plain := _plain(word))]

    def __call__(self, prompt: str) -> str | None:
        """Why it is refused; the word is not repeated."""
        spaced = f" {_plain(prompt)} "
        packed = spaced.replace(" ", "")
        for word in self._words:
            if word.replace(" ", "") in packed if _unspaced(word) else f" {word} " in spaced:
                return "it has a word that is not wanted here"
        return None


class Moderation:
    """All of what looks at prompts; without a verdict nothing is refused. A verdict that fails, or that gives no answer
    in time, refuses.
    """

    def __init__(self, verdicts: Sequence[Verdict] = (), within: float = WITHIN) -> None:
        self._verdicts, self._within = tuple(verdicts), within

    async def check(self, patch: Values) -> None:
        """A merge patch of settings; raises Refused. The verdicts run on threads of their own."""
        for name in TEXTS if self._verdicts else ():
            for text in _texts(patch.get(name)):
                why = await self._judged(text)
                if why:
                    log.info("a prompt is refused", extra={"why": why})
                    raise Refused("moderated", f"{name}: refused, {why}; say it in other words", name)

    async def cleaned(self, left: dict[str, Any] | None) -> dict[str, Any] | None:
        """Settings that a drawing was left with, without what is refused today."""
        if left is None:
            return None
        stream = dict(left["stream"])
        for name in TEXTS:
            try:
                await self.check({name: stream.get(name)})
            except Refused:
                del stream[name]
        return {**left, "stream": stream}

    async def _judged(self, text: str) -> str | None:
        for verdict in self._verdicts:
            try:
                async with asyncio.timeout(self._within):
                    said = await asyncio.to_thread(verdict, text)
            except TimeoutError:
                return f"as it could not be looked at within {self._within:g} s"
            except Exception as error:  # whatever a user's function raises
                log.warning("what looks at prompts fails: %s", reason(error), exc_info=True)
                return "as it cannot be looked at now"
            if said:
                return str(said)
        return None


def read_moderation(specs: Sequence[str]) -> Moderation:
    """Of ``--moderate``: each is a file of words, one a line, or FILE.py:FUNCTION. Raises ConfigError."""
    return Moderation([_verdict(spec) for spec in specs])


def _verdict(spec: str) -> Verdict:
    if re.search(r"\.py:\w*$", spec):
        module, name = from_file(spec, "moderate", "FUNCTION", "rules.py:judge")
        found = getattr(module, name, None)
        if not callable(found):
            raise ConfigError(f"--moderate: {spec}: no function {name} in it; name one that takes a prompt")
        return cast(Verdict, found)
    try:
        lines = Path(spec).expanduser().read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        expected = "expected a file of words, or FILE.py:FUNCTION"
        raise ConfigError(f"--moderate: {spec} cannot be read: {reason(error)}; {expected}") from error
    return Words(line for each in lines if (line := each.partition("#")[0].strip()))


def _texts(prompt: Any) -> Iterator[str]:
    """All texts of a prompt, however it is written: alone, or as a blend."""
    if isinstance(prompt, str):
        yield prompt
    elif isinstance(prompt, list | tuple):
        for each in prompt:
            yield from _texts(each)


def _plain(text: str) -> str:
    """Words in small letters without accents, with one space between."""
    apart = unicodedata.normalize("NFKD", text)
    bare = unicodedata.normalize("NFC", "".join(each for each in apart if not unicodedata.combining(each)))
    return " ".join(re.findall(r"[^\W_]+", bare.casefold()))


def _unspaced(word: str) -> bool:
    return any(unicodedata.east_asian_width(each) in "WF" or "\u0e00" <= each <= "\u0eff" for each in word)
