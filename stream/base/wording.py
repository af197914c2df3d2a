"""What pydantic and typer say of a wrong value, in this project's words."""

from __future__ import annotations

import re

_OURS = (
    (r"^input should be ", "expected "),
    (r"a valid integer(, .*)?$", "a whole number"),
    (r"^unable to parse input string as an integer, exceeded maximum size", "expected a smaller whole number"),
    (r"a valid number(, .*)?$", "a number"),
    (r"a valid string", "text"),
    (r"a valid boolean(, .*)?$", "true or false"),
    (r"^string should have ", "expected "),
    (r"greater than or equal to", "at least"),
    (r"less than or equal to", "at most"),
    (r"greater than", "more than"),
    (r"a valid dictionary or instance of (ControlNet|IPAdapter|Region)Config", "a mapping of settings"),
    (r"a valid dictionary", "a mapping"),
    (r"a valid tuple", "a list"),
    (r"^tuple should have at most (\d+) items after validation, not", r"expected at most \1 of them, not"),
)


def ours(message: str) -> str:
    """``"Input should be a valid integer, unable to ..."`` -> ``"expected a whole number"``."""
    text = message[:1].lower() + message[1:]
    for theirs, words in _OURS:
        text = re.sub(theirs, words, text)
    return text
