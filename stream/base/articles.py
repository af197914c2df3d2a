"""Whether "a" or "an" stands before a word, in texts that are put together."""

from __future__ import annotations

import re

_BEFORE = re.compile(r"(?<!\w)(an?)\s+$", re.IGNORECASE)
# It is the sound that counts: a unicorn, a European house, a one-storey house, an hour.
_VOWEL = re.compile(r"(?!uni|use|usu|eu|once?\b)[aeiou]|hour|honest|heir", re.IGNORECASE)


def exchanged(text: str, first: int, last: int, words: str) -> tuple[str, int]:
    """``text`` with ``words`` in the place of what stands from ``first`` to ``last``, and where they begin then.

    An article right before them follows them: "a house" with "orange house" in the place of "house" is "an orange
    house".
    """
    before, behind = text[:first], text[last:]
    found = _BEFORE.search(before)
    if found and words:
        said = found[1][0] + article(words)[1:]
        before = before[: found.start(1)] + said + before[found.end(1) :]
    return before + words + behind, len(before)


def article(words: str) -> str:
    """The indefinite article before words: "a" or "an"."""
    return "an" if _VOWEL.match(words) else "a"
