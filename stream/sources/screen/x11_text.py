"""Texts of X11 properties: UTF-8, Latin-1, and compound text.

Compound text is ISO 2022 with the character sets that the X Consortium Standard "Compound Text Encoding" 1.1 names.
"""

from __future__ import annotations

import re

# final character of an escape sequence -> codec for the upper half (ESC - F), from A
_UPPER = {
    "A": "latin-1",
    "B": "iso8859-2",
    "C": "iso8859-3",
    "D": "iso8859-4",
    "F": "iso8859-7",
    "G": "iso8859-6",
    "H": "iso8859-8",
    "L": "iso8859-5",
    "M": "iso8859-9",
    "V": "iso8859-10",
    "Y": "iso8859-13",
    "_": "iso8859-14",
    "b": "iso8859-15",
    "f": "iso8859-16",
}
_WIDE = {"A": "gb2312", "B": "euc_jp", "C": "euc_kr"}  # two bytes a character; with both high bits set
_ESCAPE = re.compile(rb"\x1b(?P<intro>[ -/]+)(?P<final>[0-~])|\x9b[0-~ ]")


def decode_text(kind: str, value: bytes) -> str:
    """A property's value as text; ``kind`` is the name of its type. What cannot be read becomes the mark for that."""
    if kind == "COMPOUND_TEXT":
        return _compound(value)
    if kind == "STRING":
        return value.decode("latin-1")
    return value.decode("utf-8", "replace")


def _compound(value: bytes) -> str:
    lower: str = "ascii"
    upper: str = "latin-1"
    text, at = "", 0
    while at < len(value):
        escape = _ESCAPE.search(value, at)
        end = escape.start() if escape else len(value)
        text += _plain(value[at:end], lower, upper)
        if escape is None:
            break
        at = escape.end()
        intro, final = (escape["intro"] or b"").decode(), (escape["final"] or b"").decode()
        if (intro, final) == ("%", "G"):  # UTF-8 until ESC % @
            end = value.find(b"\x1b%@", at)
            end = len(value) if end < 0 else end
            text += value[at:end].decode("utf-8", "replace")
            at = end + 3
        elif intro == "%/":  # ESC % / n M L name STX text: a character set by its name
            size = (value[at] - 128) * 128 + value[at + 1] - 128 if at + 1 < len(value) else 0
            name, _, data = value[at + 2 : at + 2 + size].partition(b"\x02")
            text += _decoded(data, name.decode("ascii", "replace"))
            at += 2 + max(0, size)
        elif intro == "(":
            lower = "ascii"
        elif intro == ")":
            upper = "shift_jis" if final == "I" else upper
        elif intro == "-":
            upper = _UPPER.get(final, "")
        elif intro == "$(":
            lower = _WIDE.get(final, "")
        elif intro == "$)":
            upper = _WIDE.get(final, "")
    return text


def _plain(data: bytes, lower: str, upper: str) -> str:
    text = ""
    for run in re.findall(rb"[\x00-\x7f]+|[\x80-\xff]+", data):
        if run[0] >= 0x80:
            text += _decoded(run, upper)
        elif lower == "ascii":
            text += run.decode("ascii")
        else:
            text += _decoded(bytes(byte | 0x80 for byte in run), lower)
    return text


def _decoded(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec, "replace")
    except (LookupError, ValueError):
        return "\N{REPLACEMENT CHARACTER}" * min(1, len(data))
