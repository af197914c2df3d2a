"""How one pair is made: the settings, and what they do to one picture after another."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...stream.base.errors import ConfigError, DataError
from ...stream.base.files import open_regular, png
from . import captions as words
from . import extract, hand, quality
from ._journal import write_atomically
from .reading import SUFFIXES, read_picture

Early = Callable[[np.ndarray, str], np.ndarray]
OWN_SKETCH = ".sketch"  # between the name and the suffix of a picture's own drawing
LEAST_LINES = 0.002  # of a sketch's pixels; with less there is nothing to learn from it
NO_CAPTION = "no caption"
EARLY_SHARE = 0.5  # of the sketches, where a model for early endings is given


@dataclass(frozen=True)
class Preparation:
    """How pairs are made. Raises ConfigError for a setting that cannot be."""

    size: int = 512
    """Side of pictures and sketches in pixels."""
    lines: tuple[str, ...] = ("canny", "xdog", "softedge")
    """Methods that find lines; each sketch takes one at random."""
    strengths: tuple[float, ...] = (0.0, 0.5, 1.0)
    """How far the hand errs; each sketch takes one at random. 0 leaves the lines as they were found."""
    sketches: int = 2
    """Sketches of each picture."""
    prompts: int = 3
    """Captions of each picture, at most."""
    validation: float = 0.05
    """Share of the pictures that are kept for validation."""
    keep: float = 1.0
    """Share of each class that stays: the best of it."""
    centre: bool = True
    """Bring the object to the middle; without, the middle of the picture is taken."""
    seed: int = 0
    """Of everything that is left to chance."""
    grammars: words.Grammars = field(default_factory=lambda: words.Grammars.of(()))
    """What pictures without captions of their own are called."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("size", 64, 4096),
            ("sketches", 1, 64),
            ("prompts", 1, 64),
            ("validation", 0.0, 0.9),
            ("keep", 0.001, 1.0),
        ):
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name}: got {getattr(self, name):g}, expected {least:g} to {most:g}")
        unknown = [name for name in self.lines if name not in extract.METHODS]
        if unknown or not self.lines:
            got = repr(unknown[0]) if unknown else "none"
            raise ConfigError(f"lines: got {got}, expected some of: {', '.join(extract.METHODS)}")
        if not self.strengths or not all(0 <= strength <= 4 for strength in self.strengths):
            raise ConfigError(f"hand: got {list(self.strengths)}, expected strengths from 0 to 4")
        if self.seed < 0:
            raise ConfigError(f"seed: got {self.seed}, expected 0 or more")

    def settings(self) -> dict[str, Any]:
        """Everything that the pictures and sketches depend on, as JSON."""
        plain = ("size", "lines", "strengths", "sketches", "prompts", "validation", "centre", "seed")
        values = {name: getattr(self, name) for name in plain}
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        values["captions"] = [grammar.text for grammar in self.grammars.grammars]
        values["words"] = {name: list(texts) for name, texts in self.grammars.words.items()}
        return values


class Unfit(DataError):
    """A picture that can be read and is no use all the same."""

    def __init__(self, why: str, reason: str) -> None:
        super().__init__(reason)
        self.why = why


class Maker:
    """Makes the files of one picture after another; nothing of one depends on another."""

    def __init__(self, source: Path, output: Path, recipe: Preparation, early: Early | None, score: Any) -> None:
        self.source, self.output, self.recipe = source, output, recipe
        self._early, self._score = early, score

    def digest(self, path: Path) -> str:
        """A hash of a picture and of all that lies beside it."""
        total = hashlib.sha256()
        beside = (path.with_suffix(suffix) for suffix in (*words.CAPTION_FILES, ".json"))
        for each in (path, *beside, *_own_sketches(path)):
            if each == path or each.is_file():
                total.update(_file_hash(each).digest())
        return total.hexdigest()

    def make(self, path: Path) -> dict[str, Any]:
        """Write the picture and its sketches; returns what is known of them. Raises DataError, Unfit among them."""
        recipe = self.recipe
        identity = _file_hash(path).hexdigest()[:16]
        whole = read_picture(path)
        tags = self._tags(path, whole)
        chance = np.random.default_rng([recipe.seed, int(identity, 16)])
        captions, called = self._captions(path, tags, chance)
        square = extract.centred(whole) if recipe.centre else extract.middle(whole)
        picture = square.of_picture(whole, recipe.size)
        sketches, made_by = self._sketches(path, identity, whole, picture, square, captions)
        split = "validation" if int(identity, 16) / 2**64 < recipe.validation else "train"
        score = None if self._score is None else self._score(picture, captions[0])
        folder = self.output / split
        write_atomically(folder / "pictures" / f"{identity}.png", png(picture))
        for number, sketch in enumerate(sketches):
            write_atomically(folder / "sketches" / f"{identity}-{number}.png", png(sketch))
        plain = quality.figures(picture, sketches[0])
        look, colours = quality.looks(picture)
        return {
            "id": identity,
            "split": split,
            "class": self._class(path, tags),
            "captions": list(captions),
            "called": called,
            "tags": {name: values[0] for name, values in sorted(tags.items())},
            "sketches": made_by,
            "figures": [plain.sharpness, plain.entropy, plain.agreement],
            "score": score,
            "look": f"{look:016x}",
            "colours": list(colours),
        }

    def _captions(
        self, path: Path, tags: dict[str, tuple[str, ...]], chance: np.random.Generator
    ) -> tuple[tuple[str, ...], str]:
        """What a picture is called, and where that comes from: written, grammar, name or unknown.

        Raises Unfit where the user's own grammars need something that nothing says.
        """
        recipe = self.recipe
        captions, called = words.written_captions(path), "written"
        if not captions:
            captions, called = recipe.grammars.captions(tags, recipe.prompts, chance), "grammar"
        if not captions and recipe.grammars.own:
            need = " or ".join(sorted({" and ".join(sorted(each.needs)) for each in recipe.grammars.grammars}))
            raise Unfit(
                NO_CAPTION,
                f"{path}: nothing says its {need}; write {path.stem}.txt beside it, or put what may be unknown in "
                "brackets: --caption 'a[ {color}] {subject}'",
            )
        if not captions:
            called = "name" if "subject" in tags else "unknown"
            plain = words.Grammars.of(words.BY_NAME if called == "name" else words.UNKNOWN)
            captions = plain.captions(tags, recipe.prompts, chance)
        return captions[: recipe.prompts], called

    def _tags(self, path: Path, picture: np.ndarray) -> dict[str, tuple[str, ...]]:
        """What is written beside it goes before what it is called, and that before what it looks like."""
        names = path.relative_to(self.source).with_suffix("").parts
        colour = words.dominant_colour(picture)
        measured = {} if colour is None else {"color": (colour,)}
        said = words.said_by_names(names)
        named = {"subject": (said,)} if said else {}
        return {**measured, **named, **words.named_tags(names, self.recipe.grammars.words), **words.written_tags(path)}

    def _class(self, path: Path, tags: dict[str, tuple[str, ...]]) -> str:
        """What a picture is compared with: its ``class`` tag, the folder it lies in, or the structure it shows."""
        folders = path.relative_to(self.source).parts[:-1]
        return [*tags.get("class", ()), *folders[:1], *tags.get("structure", ()), "all"][0]

    def _sketches(
        self,
        path: Path,
        identity: str,
        whole: np.ndarray,
        picture: np.ndarray,
        square: extract.Square,
        captions: tuple[str, ...],
    ) -> tuple[list[np.ndarray], list[str]]:
        """The sketches of a picture, and in a few words how each was made."""
        sketches, made_by = [], []
        for own in _own_sketches(path)[:1]:
            page = read_picture(own)
            if abs(page.shape[1] / page.shape[0] - whole.shape[1] / whole.shape[0]) > 0.02:
                raise Unfit("sketch of another shape", f"{own}: expected the proportions of {path.name}; crop it alike")
            lines = square.of_lines(extract.clean_sketch(_as_large_as(page, whole)), self.recipe.size)
            sketches.append(lines)
            made_by.append("own sketch")
        for number in range(len(sketches), self.recipe.sketches):
            rng = np.random.default_rng([self.recipe.seed, int(identity, 16), number + 1])
            sketch, how = self._sketch(picture, captions[number % len(captions)], rng)
            sketches.append(sketch)
            made_by.append(how)
        if any((sketch > 96).mean() < LEAST_LINES for sketch in sketches):
            raise Unfit("no lines", f"{path}: no lines can be found in it, expected a picture of something")
        return sketches, made_by

    def _sketch(self, picture: np.ndarray, caption: str, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        recipe = self.recipe
        seen, how = picture, ""
        if self._early is not None and rng.random() < EARLY_SHARE:
            seen, how = _as_large_as(self._early(picture, caption), picture), "early, "
        # All methods in random order: what one finds nothing in, another may.
        for index in rng.permutation(len(recipe.lines)):
            lines = extract.METHODS[recipe.lines[index]](seen)
            if (lines > 96).mean() >= LEAST_LINES:
                break
        strength = recipe.strengths[int(rng.integers(len(recipe.strengths)))]
        drawn = hand.drawn(lines, rng, strength) if strength > 0 else lines
        return drawn, f"{how}{recipe.lines[index]}, hand {strength:g}"


def _own_sketches(path: Path) -> list[Path]:
    """Drawings of a picture that lie beside it: ``house.sketch.png`` for ``house.jpg``."""
    start = f"{path.stem}{OWN_SKETCH}."
    found = (
        each
        for each in path.parent.glob(f"{_escaped(path.stem)}.[sS]*.*")
        if each.name.lower().startswith(start.lower())
    )
    return sorted(each for each in found if each.suffix.lower() in SUFFIXES)


def _escaped(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def _file_hash(path: Path) -> Any:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256")


def _as_large_as(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    if picture.shape[:2] == other.shape[:2]:
        return picture
    smaller = picture.shape[0] > other.shape[0]
    return cv2.resize(picture, other.shape[1::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
