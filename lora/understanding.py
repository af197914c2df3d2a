"""A prompt in a model's own words: names in other languages and synonyms become the words that mean the same.

What is only near to a word that the model knows is suggested and not taken. What is not to be there ("no trees") is
said as the model's captions say it, or taken out, because a word that is not wanted is still a word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from ..stream.base.articles import article
from ..stream.base.names import LITTLE
from ..stream.base.understood import Understood
from .meanings import ARTICLES, ENGLISH, LANGUAGES, Meaning, all_known, folded, meaning, names, set_apart

MOST = 5  # single words of a name
SHORTEST_PART = 3  # letters of one half of a word
BEHIND_ITS_NOUN = ("fr", "es")  # languages that say "car red"
LATIN = tuple(language for language in LANGUAGES if language not in ("ru", "zh"))
NEGATIONS = ("no", "without", "not")
ADJECTIVES = ("finish", "colour", "material")  # tags, in their order before a noun
NOUNS = ("style", "kind", "name", "material", "trees", "path", "fence", "plants", "far", "near", "houses", "grammar")
_COMMANDS = frozenset({"BREAK", "AND"})
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_PARTS = re.compile(rf"<[^<>]*>|[{_HAN}]+|[^\W\d_{_HAN}]+")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_JOINED = re.compile(r"[\s'’-]+")
_COMMAS = str.maketrans({"，": ", ", "、": ", ", "。": ". ", "；": ", "})
_END_OF_NO = "with|on|in|at|by|from|of|over|under|behind|to|but|is|no|without|not"
_NEGATION = re.compile(
    rf"(?:\b(and|but|with|is|are)\s+)?\b({'|'.join(NEGATIONS)})\b((?:\s+(?!(?:{_END_OF_NO})\b)[^\W\d_]+(?:['’-][^\W\d_]+)*)+)",
    re.IGNORECASE,
)
_NOT_NEGATED = re.compile(r"(?<!\band)(?<!\bor)(?<!\bnor)(?<=\w)\s+(?=(?:an?|the)\b)", re.IGNORECASE)


class Knows(NamedTuple):
    """What a model knows."""

    words: Collection[str]
    """Single ones, in lower case."""
    tags: Mapping[str, Sequence[str]]
    absent: Collection[str] = ()
    """What its captions say is not there."""
    taught: Collection[str] = ()
    """Words that stand for something of their own, by textual inversion."""


@cache
def silent() -> frozenset[str]:
    """English words that carry no picture, and of which nobody has to be told that no model knows them."""
    return frozenset(word for word, said in names(ENGLISH).little.items() if not said)


class _Token(NamedTuple):
    start: int
    end: int
    said: str  # as written
    key: str  # as it is looked up


@dataclass
class _Piece:
    """Some tokens, and what is said in their place."""

    start: int
    end: int
    said: str  # as written
    out: str
    took: str = ""  # the words of the model that mean the same, where it is another word
    unknown: bool = False
    better: str = ""
    quiet: bool = False  # a little word that nobody has to be told of


def understand(text: str, knows: Knows) -> Understood:
    """A prompt, with its weights and LoRAs, as the model is to be told it; see ``Understood``."""
    tokens = _tokens(text)
    if all(each.key in knows.words or each.key in LITTLE for each in tokens) and not any(
        each.key in NEGATIONS for each in tokens
    ):
        return Understood(text)
    language = _language(tokens, knows)
    pieces = _pieces(tokens, text, language, knows)
    if language in BEHIND_ITS_NOUN:
        _turn(pieces, text, knows.tags)
    taken = dict.fromkeys((each.said.lower(), each.took) for each in pieces if each.took)
    better = {each.out.lower(): each.better for each in pieces if each.unknown}
    quiet = {each.out.lower() for each in pieces if each.quiet}
    said = _rendered(text, pieces)
    said, absent, lost = _without_what_is_not_there(said, knows)
    for plural in {each.took for each in pieces if each.took and each.took == f"{folded(each.said)}s"}:
        said = re.sub(rf"\ban? (?={plural}\b)", "", said)  # "a tree", of which the model knows trees
    left = {each.key: each.said.lower() for each in _tokens(said)}
    unknown = {word: better[word] for word in left.values() if word in better}
    order = [word for word in better if word in unknown]
    return Understood(
        said,
        tuple(pair for pair in taken if set_apart(pair[1])),
        tuple((word, better[word]) for word in order),
        absent,
        lost,
        tuple(word for word in left.values() if word in quiet),
    )


def _tokens(text: str) -> list[_Token]:
    """The words of a prompt; Chinese ones, between which nothing stands, are the longest names that there are."""
    found = []
    for match in _PARTS.finditer(text):
        said, start = match[0], match.start()
        if said.startswith("<"):
            continue
        if re.match(rf"[{_HAN}]", said):
            found += [
                _Token(start + first, start + last, said[first:last], said[first:last]) for first, last in _cut(said)
            ]
        else:
            found += [_Token(start, match.end(), said, folded(said))]
    return found


def _cut(run: str) -> list[tuple[int, int]]:
    """Where the words of a run of Chinese begin and end; what no name has stays together."""
    table = names("zh")
    cuts: list[tuple[int, int]] = []
    first, unknown = 0, False
    while first < len(run):
        lengths = range(min(table.longest, len(run) - first), 0, -1)
        found = next((n for n in lengths if (part := run[first : first + n]) in table.exact or part in table.near
                      or part in table.little), 0)  # fmt: skip
        if not found and unknown:
            cuts[-1] = (cuts[-1][0], first + 1)
        else:
            cuts.append((first, first + (found or 1)))
        unknown = not found
        first += found or 1
    return cuts


def _language(tokens: Sequence[_Token], knows: Knows) -> str:
    """The language in Latin letters that has most of the words; English where others have no more of them."""
    counts = dict.fromkeys(LATIN, 0)
    for token in tokens:
        for language in LATIN:
            table = names(language)
            counts[language] += token.key in table.exact or token.key in table.little or token.key in table.near
        if token.key in knows.words or token.key in LITTLE:
            table = names(ENGLISH)
            counts[ENGLISH] += not (token.key in table.exact or token.key in table.little or token.key in table.near)
    return max(counts, key=lambda each: counts[each])


def _pieces(tokens: Sequence[_Token], text: str, language: str, knows: Knows) -> list[_Piece]:
    pieces: list[_Piece] = []
    index = 0
    while index < len(tokens):
        for count in range(min(MOST, len(tokens) - index), 0, -1):
            several = tokens[index : index + count]
            between = (text[one.end : other.start] for one, other in pairwise(several))
            if count > 1 and not all(_JOINED.fullmatch(each) for each in between):
                continue
            piece = _piece(several, text, language, knows, pieces)
            if piece is not None:
                pieces.append(piece)
                index += count
                break
    return pieces


def _piece(tokens: Sequence[_Token], text: str, language: str, knows: Knows, before: Sequence[_Piece]) -> _Piece | None:
    """What is said in the place of tokens that stand together; None for several that have no name together."""
    first = tokens[0]
    piece = _Piece(first.start, tokens[-1].end, text[first.start : tokens[-1].end], "")
    key = " ".join(token.key for token in tokens)
    own = "ru" if _CYRILLIC.match(first.said) else "zh" if re.match(f"[{_HAN}]", first.said) else language
    order = tuple(dict.fromkeys((own, ENGLISH, *LANGUAGES)))
    mine = names(own)
    as_written = len(tokens) == 1 and (first.said in _COMMANDS or first.said.lower() in knows.taught)
    english = own == ENGLISH and all(token.key in knows.words or token.key in LITTLE for token in tokens)
    if key in mine.little and not as_written and not (english and len(tokens) == 1 and key not in NEGATIONS):
        piece.out = _little(key, mine.little[key], own, before)
        if piece.out == "" and own == ENGLISH:
            piece.out, piece.quiet = piece.said, True
        return piece
    if len(tokens) > 1:
        names_it = () if english else (words for each in order for words in names(each).exact.get(key, ()))
        same = next((words for words in names_it if all_known(words, knows.words)), None)
        if same is None:
            return None
        piece.out = piece.took = same
        return piece
    piece.out = piece.said
    same = next((words for words in mine.exact.get(key, ()) if all_known(words, knows.words)), None)
    if as_written or (english and key == folded(first.said)):
        return piece
    if own != ENGLISH and same is not None:
        piece.out, piece.took = same, "" if folded(same) == key else same
        return piece
    if key in knows.words or key in LITTLE:
        return piece
    elsewhere = {names(each).little.get(key) for each in LATIN}
    if (said := next((each for each in NEGATIONS if each in elsewhere), None)) is not None:
        piece.out = said
        return piece
    found = (_compound(key, knows) if own == "de" else None) or meaning(key, knows.words, order)
    if found is None or not found.exact:
        piece.unknown, piece.better = True, found.words if found else ""
    else:
        piece.out = piece.took = found.words
    return piece


def _compound(word: str, knows: Knows) -> Meaning | None:
    """A German word of two, each with a name: a "Holzhaus" is a wood house."""
    table = names("de").exact
    if word in table or word in names("de").near:
        return None
    for cut in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
        head = next((head for each in ("", "s", "n", "en") if (head := word[:cut].removesuffix(each)) in table), None)
        if head is None or word[cut:] not in table:
            continue
        said = [next((w for w in table[part] if all_known(w, knows.words)), None) for part in (head, word[cut:])]
        if said[0] and said[1]:
            return Meaning(" ".join(each for words in said if words for each in set_apart(words)), True)
    return None


def _little(key: str, said: str, language: str, before: Sequence[_Piece]) -> str:
    """What English says for a little word.

    Chinese puts "的" behind what is said of a thing, so that with it ends what is not there: "没有树的房子" is a house
    without trees.
    """
    if language == "zh" and key == "的" and any(each.out in NEGATIONS for each in before[-3:-1]):
        return ","
    return said


def _turn(pieces: list[_Piece], text: str, tags: Mapping[str, Sequence[str]]) -> None:
    """Put adjectives that stand behind their noun before it."""
    place = {word: number for number, tag in enumerate(ADJECTIVES) for word in tags.get(tag, ())}
    nouns = {word for tag in NOUNS for word in tags.get(tag, ())}
    index = 0
    while index < len(pieces):
        last = index + 1
        if pieces[index].took and pieces[index].out in nouns:
            while (
                last < len(pieces)
                and pieces[last].out in place
                and not text[pieces[last - 1].end : pieces[last].start].strip()
            ):
                last += 1
        behind = pieces[index + 1 : last]
        if behind:
            said = sorted((each.out for each in behind), key=lambda word: place[word])
            words = [*said, pieces[index].out]
            for piece, word in zip(pieces[index:last], words, strict=True):
                piece.out = word
        index = last


def _rendered(text: str, pieces: Sequence[_Piece]) -> str:
    """The prompt with what is said in the place of the pieces; a phrase's own article only where one can stand."""
    parts: list[str] = []
    end = 0
    for number, piece in enumerate(pieces):
        gap, out = text[end : piece.start], piece.out
        chinese = re.match(f"[{_HAN}]", piece.said)
        spaced = parts and not gap and (chinese or re.search(f"[{_HAN}]$", pieces[number - 1].said))
        last = re.findall(r"[^\W\d_]+", parts[-1]) if parts and not gap.strip() else []
        head, _, rest = out.partition(" ")
        if rest and head in ARTICLES and piece.took and last and (last[-1] in ARTICLES or last[-1] not in LITTLE):
            out = rest
        elif out == "a" and out != piece.said and number + 1 < len(pieces):
            following = pieces[number + 1].out
            out = "" if following.split(" ")[0] in ARTICLES else article(following) if following else out
        end = piece.end
        if out == "":
            parts.append(gap.rstrip() or " " if parts else gap)
            continue
        parts += [" " if spaced else gap, out]
    parts.append(text[end:])
    said = "".join(parts)
    if any(each.out != each.said for each in pieces):
        said = re.sub(r" +([,.])", r"\1", re.sub(r"(?<=\S) {2,}", " ", said.translate(_COMMAS))).strip()
    return said


def _without_what_is_not_there(text: str, knows: Knows) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A prompt with what it negates at its end, as captions have it, where the model's captions say such things.

    With it come all that is negated, and what of it is said nowhere, because no caption does.
    """
    absent: list[str] = []
    kept: list[str] = []
    lost: list[str] = []

    def take(found: re.Match[str]) -> str:
        before, word, rest = (found[1] or "").lower(), found[2].lower(), found[3]
        cut = re.search(r"\s+and\s+(?=(?:an?|the|with)\b)", rest) if word != "without" else None
        behind = rest[cut.start() :] if cut else ""
        rest = rest[: cut.start()] if cut else rest
        cut = _NOT_NEGATED.search(rest.lstrip())
        if cut and word != "without":
            rest, behind = rest.lstrip()[: cut.start()], rest.lstrip()[cut.start() :] + behind
        for item in re.split(r"\s+(?:and|or|nor)\s+", rest.strip(), flags=re.IGNORECASE):
            single = [each for each in folded(item).split() if each not in ARTICLES]
            if not single:
                continue
            absent.append(" ".join(single))
            if word != "not" and word in knows.words and single[-1] in knows.absent:
                kept.append(f"{word} {single[-1]}")
            else:
                lost.append(" ".join(single))
        return re.sub(r"^\s+and\b", " with", behind) if before == "with" else behind

    left = _NEGATION.sub(take, text)
    if left == text:
        return text, (), ()
    left = re.sub(r"\s+([,)\]])", r"\1", re.sub(r"(?<=\S)\s{2,}", " ", left))
    left = re.sub(r"(?:,\s*)+(?=,|$)", "", left)
    left = re.sub(r"^(?:[\s,]|(?:and|but)\b)+|[\s,]+$", "", left)
    said = ", ".join(filter(None, (left, *dict.fromkeys(kept))))
    return said, tuple(dict.fromkeys(absent)), tuple(dict.fromkeys(lost))
