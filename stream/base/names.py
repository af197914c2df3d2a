"""Names as people read and write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Words that carry no picture.
LITTLE = frozenset({"a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "the", "to", "with"})


def natural(text: str) -> tuple[list[tuple[int, int | str]], str]:
    """Sort key that puts ``2.png`` before ``10.png``, and capitals beside small letters."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part)) if part.isdecimal() else (1, part.casefold()) for part in parts], text


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """``"; did you mean 'sketch'?"`` for a misspelt name, or nothing where no name is like it."""
    close = difflib.get_close_matches(str(name)[:100], list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def quoted(text: str, longest: int = 80) -> str:
    """A name that somebody else chose, for a message: in quotes, on one line, cut, without terminal escapes."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return repr(cut)


def short(value: object) -> str:
    """A value for a message: its ``repr``, the middle left out where it is long."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:60]} ... {text[-30:]}"
