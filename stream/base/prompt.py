"""A prompt as people write it: weights in A1111's and in compel's form, BREAK, and LoRAs that are named in it.

========================  ==========================================================
``(words:1.3)``           weight 1.3
``(words)``, ``[words]``  weight 1.1, and 1 / 1.1; nested ones multiply, an open one goes to the end
``word++``, ``word--``    weight 1.1 or 0.9 for each sign, for a word or ``(several words)++``
``(words)1.3``            weight 1.3
``BREAK``                 what comes after it is encoded apart from what came before
``<lora:name:0.8>``       no text: the LoRA ``name`` with scale 0.8
``\\(``                    the character itself; so are ``) [ ] < > : + -`` and the backslash after a backslash, and
                          ``\\BREAK`` is the word
========================  ==========================================================

As in AUTOMATIC1111's ``prompt_parser.py`` and damian0815's compel; ``(words)``, which both read differently, is as in
A1111. All other text is text, character by character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .names import quoted

MOST_CHARACTERS = 50_000
MOST_WEIGHT = 10.0
MOST_OPEN = 64  # brackets; no weight that makes sense has more
_ROUND, _SQUARE = 1.1, 1 / 1.1
_MORE, _LESS = 1.1, 0.9

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_LETTER = r"[^\s()\[\]\\<>:,;]"  # of a word, to which signs can be added
_END = r"(?=$|[\s,;:.!?()\[\]])"
_TAG = re.compile(r"\\.|<([^\W\d]\w*):([^<>]*)>", re.DOTALL)
_MARKS = re.compile(r"[()\[\]\\<]|[+-]" + _END + r"|\b(?:BREAK|AND)\b")  # text without any of them means itself
_TOKEN = re.compile(
    rf"""
      \\(?P<literal>[\\()\[\]<>:+-]|BREAK\b)
    | (?P<open>[(\[])
    | :\s*(?P<weight>[+-]?[.\d]+)\s*\)
    | \)(?P<suffix>(?:\++|-+){_END}|(?:\d+(?:\.\d+)?|\.\d+){_END})?
    | (?P<close>\])
    | (?P<broken>\bBREAK\b)
    | (?P<word>{_LETTER}*[^\s()\[\]\\<>:,;.!?"+-])(?P<signs>\++|-+){_END}
    | (?P<text>{_LETTER}+[\s,;]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLEND = 'text, or a blend of texts: prompt: [["a", 1], ["b", 0.8]]'
# What these programs do with a prompt between two steps, or with several prompts in one text, is done elsewhere here.
_ELSEWHERE = [
    (re.compile(r"\[[^\[\]]*:\s*[\d.]+\s*\]"), "(words:1.3) for a weight; words do not change between steps"),
    (re.compile(r"\[[^\[\]]*\|[^\[\]]*\]"), "one of them; words do not take turns between steps"),
    (re.compile(r"\)\s*\.(blend|and|swap|attend)\s*\("), _BLEND),
    (re.compile(r"\bAND\b[^\n]*?:\s*[\d.]+\s*(?=$|\bAND\b)"), _BLEND),
    (re.compile(r"\([^()]*:\s*\d+,\d+\s*\)"), "a point in a weight, as in (words:1.3)"),
    (re.compile(r"<(?:lora|lyco):[^<>]*$", re.IGNORECASE), "<lora:name:0.8>, with its end"),
]


class Fragment(NamedTuple):
    """Text of one weight; 1 is as it is."""

    text: str
    weight: float


@dataclass(frozen=True)
class ParsedPrompt:
    """What a prompt says: its ``parts`` are what ``BREAK`` parts, at least one; ``loras`` are names with scales."""

    parts: tuple[tuple[Fragment, ...], ...]
    loras: tuple[tuple[str, float], ...] = ()

    @property
    def text(self) -> str:
        """The words alone."""
        return " ".join("".join(fragment.text for fragment in part) for part in self.parts)


@lru_cache(maxsize=256)
def parse_prompt(text: str) -> ParsedPrompt:
    """Read a prompt. Raises ValueError that says got and expected for what these forms do not allow, for what is not
    Unicode (halves of surrogate pairs, which stand for bytes that were not UTF-8), and above 50,000 characters."""
    check_text(text)
    if not _MARKS.search(text):
        return ParsedPrompt(((Fragment(text, 1.0),),))
    text, loras = _take_loras(text)
    _refuse_what_is_done_elsewhere(text)
    return ParsedPrompt(_parts(text), loras)


def escaped(text: str) -> str:
    """``text`` as a prompt in which nothing is more than text: captions of pictures, for example."""
    return re.sub(r"[\\()\[\]<>:+-]|\bBREAK\b", r"\\\g<0>", text) if _MARKS.search(text) else text


def check_text(text: str) -> None:
    """Raises ValueError for text that no encoder takes: not Unicode, or too long to be a prompt."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"got {len(text):,} characters, expected at most {MOST_CHARACTERS:,}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        place = text[max(0, error.start - 20) : error.end + 10]
        raise ValueError(f"got text that is not UTF-8 at {quoted(place)}, expected UTF-8") from None


def _take_loras(text: str) -> tuple[str, tuple[tuple[str, float], ...]]:
    loras: list[tuple[str, float]] = []

    def take(found: re.Match[str]) -> str:
        if found[1] is None:  # an escaped character
            return found[0]
        loras.append(_lora(found[0], found[1], found[2]))
        return ""

    return _TAG.sub(take, text), tuple(loras)


def _lora(tag: str, kind: str, inside: str) -> tuple[str, float]:
    name, *rest = (part.strip() for part in inside.split(":"))
    if kind.lower() not in ("lora", "lyco"):
        raise ValueError(f"got {quoted(tag)}, expected <lora:name:0.8>, or text (\\< is the character)")
    if not name:
        raise ValueError(f"got {quoted(tag)}, expected the name of a LoRA, as in <lora:name:0.8>")
    if len(rest) > 1 or (rest and not re.fullmatch(_NUMBER, rest[0])):
        raise ValueError(f"got {quoted(tag)}, expected one number for its scale, as in <lora:name:0.8>")
    scale = float(rest[0]) if rest else 1.0
    if abs(scale) > MOST_WEIGHT:
        raise ValueError(f"got {quoted(tag)}, expected a scale from {-MOST_WEIGHT:g} to {MOST_WEIGHT:g}")
    return name, scale


def _refuse_what_is_done_elsewhere(text: str) -> None:
    plain = re.sub(r"\\.", "  ", text, flags=re.DOTALL)
    for pattern, expected in _ELSEWHERE:
        if found := pattern.search(plain):
            raise ValueError(f"got {quoted(text[found.start() : found.end()])}, expected {expected}")


def _parts(text: str) -> tuple[tuple[Fragment, ...], ...]:
    found: list[tuple[str, int]] = []  # text, number of its part
    weights: list[float] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}  # where in ``found`` the brackets that are open begin

    def weigh(start: int, weight: float) -> None:
        for index in range(start, len(weights)):
            weights[index] *= weight

    def add(words: str, weight: float = 1.0) -> None:
        found.append((words, number))
        weights.append(weight)

    number = 0
    for token in _TOKEN.finditer(text):
        kind, said = token.lastgroup, token[0]
        if kind == "open":
            opened[said].append(len(found))
            if len(opened[said]) > MOST_OPEN:
                raise ValueError(f"got more than {MOST_OPEN} open {said!r}, expected fewer (\\{said} is the character)")
        elif kind == "weight" and opened["("]:
            weigh(opened["("].pop(), _weight(token["weight"]))
        elif said[0] == ")" and opened["("]:
            weigh(opened["("].pop(), _suffixed(token["suffix"]))
        elif kind == "close" and opened["["]:
            weigh(opened["["].pop(), _SQUARE)
        elif kind == "broken":
            number += 1
        elif kind == "signs":
            add(token["word"], _suffixed(token["signs"]))
        else:
            add(token["literal"] or said)
    for bracket, weight in (("(", _ROUND), ("[", _SQUARE)):
        for start in opened[bracket]:
            weigh(start, weight)
    parts: list[list[Fragment]] = [[] for _ in range(number + 1)]
    for (words, place), weight in zip(found, weights, strict=True):
        if not abs(weight) <= MOST_WEIGHT:
            raise ValueError(
                f"got the weight {weight:.3g} of {quoted(words.strip())}, expected {-MOST_WEIGHT:g} to {MOST_WEIGHT:g}"
            )
        part = parts[place]
        if part and part[-1].weight == weight:
            part[-1] = Fragment(part[-1].text + words, weight)
        else:
            part.append(Fragment(words, weight))
    said = (tuple(part) for part in parts if any(fragment.text.strip() for fragment in part))
    return tuple(said) or ((Fragment("", 1.0),),)


def _weight(text: str) -> float:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"got the weight {quoted(text)}, expected a number, as in (words:1.3)")
    return float(text)


def _suffixed(suffix: str | None) -> float:
    """The weight that stands behind a closing bracket or a word: ``++``, ``--``, ``1.3`` or nothing."""
    if not suffix:
        return _ROUND
    if suffix[0] in "+-":
        return (_MORE if suffix[0] == "+" else _LESS) ** min(len(suffix), 1000)
    return float(suffix)
