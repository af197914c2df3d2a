"""What a picture is called: captions beside it, or grammars filled with what is known about it.

A grammar is a sentence with names in braces, ``"{structure} of {color} made of {material}"``. A part in square brackets
is left out where one of its names is unknown: ``"{structure}[ of {color}][ made of {material}]"``. What is known comes
from a JSON file beside the picture, from words in its file's and folders' names, and from its pixels (``color``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ...stream.base import safeyaml
from ...stream.base.configfile import build
from ...stream.base.errors import ConfigError, DataError
from .extract import main_object
from .reading import on_one_line, read_text

Tags = Mapping[str, tuple[str, ...]]
"""Name -> everything that is true of the picture under that name, at least one each."""

CAPTION_FILES = (".txt", ".caption")  # where both lie beside a picture, the first counts
LONGEST = 400  # characters of a caption
CLEARLY = 0.4  # of an object, from which a colour is its colour
MOST = 64  # values under one name, and captions in a file
DEFAULT = (
    "a[ {color}][ {material}] {structure}[, {view} view][, {time}]",
    "{structure} of {color} made of {material}",
    "[{color} ]{structure}[ made of {material}]",
)
BY_NAME = ("{subject}", "{subject}, {color}")
UNKNOWN = ("a[ {color}] picture",)
WORDS: dict[str, tuple[str, ...]] = {
    "structure": (
        *("house", "cottage", "villa", "tower", "skyscraper", "apartment block", "warehouse", "bridge", "church"),
        *("castle", "barn", "shed", "temple", "stadium", "factory", "cabin", "pavilion", "facade", "staircase"),
        *("car", "sedan", "coupe", "hatchback", "suv", "pickup", "van", "wagon", "truck", "bus", "bicycle"),
        "motorcycle",
        *("boat", "ship", "airplane", "train", "chair", "table", "sofa", "lamp", "shoe", "bag", "bottle", "vase"),
        *("landscape", "mountain", "beach", "forest", "street", "garden", "tree", "flower", "cat", "dog", "horse"),
    ),
    "material": (
        *("brick", "wood", "stone", "concrete", "glass", "steel", "metal", "copper", "marble", "clay", "plaster"),
        *("leather", "fabric", "plastic", "ceramic", "paper", "bamboo", "gold"),
    ),
    "time": ("day", "night", "sunset", "sunrise", "dawn", "dusk", "overcast"),
    "view": ("front", "side", "rear", "top", "aerial", "interior", "exterior"),
}
COLOURS: dict[str, tuple[int, int, int]] = {  # name -> RGB of its middle
    "red": (190, 35, 35),
    "orange": (230, 125, 35),
    "yellow": (235, 205, 60),
    "green": (60, 140, 60),
    "teal": (35, 140, 140),
    "blue": (45, 85, 185),
    "purple": (120, 60, 150),
    "pink": (235, 140, 175),
    "brown": (110, 70, 45),
    "beige": (215, 195, 160),
    "white": (242, 242, 242),
    "silver": (185, 188, 192),
    "grey": (125, 125, 128),
    "black": (25, 25, 28),
}
# What cameras, phones and programs call pictures, and what copies of them are called: nothing of what they show.
_NOTHING = (
    "img image images dsc dscn dscf pxl mvi gopr dji pic pics picture pictures photo photos foto fotos bild bilder "
    "scan screenshot screen shot untitled unnamed unknown copy kopie copie edit edited final whatsapp signal "
    "telegram snapchat instagram facebook download downloads dcim camera kamera apple android canon nikon sony jpg "
    "jpeg png webp bmp gif thumb thumbnail original originals export exports"
)
_SAYS_NOTHING = frozenset(_NOTHING.split())
_PART = re.compile(r"\{([^{}\[\]]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Grammar:
    """One sentence with names to be filled in."""

    text: str
    parts: tuple[tuple[str, bool], ...]  # (text, whether it may be left out)

    @classmethod
    def parse(cls, text: str, name: str = "--caption") -> Grammar:
        """Read a grammar; raises ConfigError that says what is wrong with it. ``name`` stands for it in messages."""
        if not text.strip() or len(text) > LONGEST or not on_one_line(text):
            raise ConfigError(f"{name}: got {len(text)} characters, expected a sentence of 1 to {LONGEST} on one line")
        parts: list[tuple[str, bool]] = []
        for piece in re.split(r"(\[[^\[\]]*\])", text):
            optional = piece.startswith("[") and piece.endswith("]")
            inner = piece[1:-1] if optional else piece
            if set(_PART.sub("", inner)) & set("{}[]"):
                raise ConfigError(
                    f"{name}: got {text!r}, expected every {{name}} and [part] closed, and no part in a part"
                )
            for word in _PART.findall(inner):
                if not _NAME.fullmatch(word):
                    raise ConfigError(
                        f"{name}: got {{{word}}}, expected a name of lower-case letters, such as {{color}}"
                    )
            if optional and not _PART.search(inner):
                raise ConfigError(f"{name}: got the part [{inner}], expected a {{name}} in it that may be unknown")
            if piece:
                parts.append((inner, optional))
        return cls(text, tuple(parts))

    @property
    def needs(self) -> frozenset[str]:
        """Names without which there is no caption."""
        return frozenset(word for text, optional in self.parts if not optional for word in _PART.findall(text))

    def filled(self, tags: Tags, rng: np.random.Generator) -> str | None:
        """A caption; where several values are known, one at random. None when something that it needs is unknown."""
        if not self.needs <= tags.keys():
            return None
        chosen = {name: values[int(rng.integers(len(values)))] for name, values in sorted(tags.items())}
        made = []
        for text, optional in self.parts:
            if not optional or all(word in chosen for word in _PART.findall(text)):
                made.append(_PART.sub(lambda match: chosen[match[1]], text))
        return _tidy("".join(made)) or None


class _GrammarFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    captions: list[str] = Field(min_length=1, max_length=256)
    """Grammars; each prompt takes one at random."""
    words: dict[str, list[str]] = Field(default_factory=dict, max_length=64)
    """What each name can be; looked for in the names of files and folders."""


@dataclass(frozen=True)
class Grammars:
    """Several grammars, and the words that names in them can stand for."""

    grammars: tuple[Grammar, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: WORDS)
    own: bool = False
    """Whether somebody wrote them: then a picture that none of them fits is left out, and not called otherwise."""

    @classmethod
    def of(cls, texts: Iterable[str], file: Path | None = None) -> Grammars:
        """Grammars given on the command line, and those of a YAML file with ``captions`` and ``words``.

        Without either the built-in ones. Raises ConfigError with the file and line of what is wrong.
        """
        found = [Grammar.parse(text) for text in texts]
        words = dict(WORDS)
        if file is not None:
            try:
                document = safeyaml.read(read_text(file), str(file))
            except DataError as error:
                raise ConfigError(f"--grammar: {error}") from error
            given = build(document, _GrammarFile)
            for index, text in enumerate(given.captions):
                found.append(Grammar.parse(text, str(document.place(f"captions.{index}"))))
            for name, values in given.words.items():
                place = document.place(f"words.{name}", key=True)
                if not _NAME.fullmatch(name) or not values or not all(value.strip() for value in values):
                    raise ConfigError(f"{place}: got {name!r}: {values!r}, expected a lower-case name and its words")
                words[name] = tuple(value.strip() for value in values)
        return cls(tuple(found) or tuple(map(Grammar.parse, DEFAULT)), words, own=bool(found))

    def captions(self, tags: Tags, count: int, rng: np.random.Generator) -> tuple[str, ...]:
        """Up to ``count`` different captions of what has these tags; none when too little is known for any grammar."""
        tags = both_spellings(tags)
        usable = [grammar for grammar in self.grammars if grammar.needs <= tags.keys()]
        found: dict[str, None] = {}
        for attempt in range(8 * count if usable else 0):
            # Every grammar has its turn before chance decides, so that none is missed by bad luck.
            grammar = usable[attempt] if attempt < len(usable) else usable[int(rng.integers(len(usable)))]
            caption = grammar.filled(tags, rng)
            if caption is not None:
                found.setdefault(caption)
        chosen = list(found)
        order = rng.permutation(len(chosen)) if len(chosen) > count else range(len(chosen))
        return tuple(chosen[index] for index in order)[:count]


def both_spellings(tags: Tags) -> dict[str, tuple[str, ...]]:
    """The tags with ``color`` and ``colour`` meaning the same."""
    result = dict(tags)
    for one, other in (("color", "colour"), ("colour", "color")):
        if one in result:
            result.setdefault(other, result[one])
    return result


def _tidy(text: str) -> str:
    """One space between words, and ``an`` where it must be."""
    text = " ".join(text.split())
    return re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text)


def written_captions(path: Path) -> tuple[str, ...]:
    """The captions in the .txt file beside a picture, or in the .caption file of kohya's trainers, one a line.

    None when there is neither. Raises DataError for a file that is no text, or is too long.
    """
    beside = next((file for file in map(path.with_suffix, CAPTION_FILES) if file.is_file()), None)
    if beside is None:
        return ()
    lines = dict.fromkeys(filter(None, (" ".join(line.split()) for line in read_text(beside).splitlines())))
    if len(lines) > MOST or any(len(line) > 4 * LONGEST or not on_one_line(line) for line in lines):
        raise DataError(f"{beside}: expected at most {MOST} captions of {4 * LONGEST} plain characters, one a line")
    return tuple(lines)


def written_tags(path: Path) -> dict[str, tuple[str, ...]]:
    """The tags in the .json file beside a picture: a table of names with a text or a list of texts each.

    Raises DataError for anything else.
    """
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return {}
    try:
        values = json.loads(read_text(beside))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{beside}: not JSON: {str(error)[:100]}") from error
    return checked_tags(values, str(beside))


def checked_tags(values: Any, where: str) -> dict[str, tuple[str, ...]]:
    """Tags from JSON: ``{"color": "red", "material": ["brick", "stone"]}``; raises DataError that names ``where``."""
    if not isinstance(values, dict):
        raise DataError(
            f"{where}: got a {type(values).__name__}, expected a table of names, such as {{'color': 'red'}}"
        )
    found = {}
    for name, value in values.items():
        texts = value if isinstance(value, list) else [value]
        good = all(isinstance(text, str | int | float) and not isinstance(text, bool) for text in texts)
        cleaned = tuple(dict.fromkeys(filter(None, (" ".join(str(text).split()) for text in texts)))) if good else ()
        key = re.sub(r"\W+", "_", name.strip().lower())
        short = len(texts) <= MOST and all(len(text) <= LONGEST and on_one_line(text) for text in cleaned)
        if not _NAME.fullmatch(key) or not cleaned or not short:
            raise DataError(f"{where}: {name[:40]!r}: got {str(value)[:60]!r}, expected a short text or a list of such")
        found[key] = cleaned
    return found


def named_tags(names: Sequence[str], words: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Tags from the names of folders and of the file, outermost first: ``houses/red-brick_02`` -> structure, material.

    Plurals count; longer words win over those inside them; colours are told from pixels, but a name knows better.
    """
    text = " ".join(
        " ".join(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())) for name in names
    )
    known = {**words} if "color" in words else {**words, "color": tuple(COLOURS)}
    found: dict[str, tuple[str, ...]] = {}
    for name, values in known.items():
        matches = []
        for value in values:
            match = re.search(rf"\b{re.escape(value.lower())}(s|es)?\b", text)
            if match:
                matches.append((match.start(), -len(value), value))
        # The innermost name is the most exact one: a file called cottage in a folder called houses.
        if matches:
            last = max(matches, key=lambda match: (match[0] + -match[1], -match[1]))
            found[name] = (last[2],)
    return found


def said_by_names(names: Sequence[str]) -> str:
    """What the name of a file says in words, else that of the innermost folder that says something.

    ``Old lighthouse_02`` -> ``old lighthouse``; nothing for ``IMG_2041`` and ``3f0a9c77``.
    """
    for name in reversed(names):
        apart = re.sub(r"(?<=[^\W\d_])(?=[A-Z][a-z])", " ", name)  # OldHouse
        pieces = re.findall(r"[^\W_]+", apart.lower())
        words = [match[1] for piece in pieces if (match := re.fullmatch(r"([^\W\d_]+)\d*", piece))]
        words = [word for word in words if word not in _SAYS_NOTHING]
        if any(len(word) > 2 for word in words):
            return " ".join(words)[: LONGEST // 2].strip()
    return ""


def dominant_colour(picture: np.ndarray) -> str | None:
    """The name of the colour that a picture's object (H, W, 3) has most of; None where there is none, or too many.

    A coloured pixel counts as much as two grey ones: a red car with its tyres is red.
    """
    small = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA)
    apart = main_object(small)
    if apart is None:
        return None
    pixels = small[apart > 0]
    names = list(COLOURS)
    middles = _lab(np.array(list(COLOURS.values()), np.uint8))
    # Shade changes lightness and leaves the hue, so lightness counts for half.
    weight = np.array([0.5, 1.0, 1.0], np.float32)
    distance = np.linalg.norm((_lab(pixels)[:, None] - middles[None]) * weight, axis=2)  # (N, names)
    counts = np.bincount(distance.argmin(1), minlength=len(names)).astype(float)
    counts[: names.index("beige")] *= 2.0
    best = int(counts.argmax())
    return names[best] if counts[best] >= CLEARLY * counts.sum() else None


def _lab(colours: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 RGB -> (N, 3) float32 CIELAB."""
    return cv2.cvtColor((colours.astype(np.float32) / 255)[None], cv2.COLOR_RGB2Lab)[0]
