"""From a folder of people's own pictures to pairs of sketch, picture and captions that one can train on.

Every picture is worked on by itself, and what came of it is written to a journal. So a run that was killed goes on
where it was, and in the end nobody can tell. What depends on all pictures (duplicates, quality within a class) is
decided at the end, from the journal. Which split a picture belongs to is decided by its bytes alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...stream.errors import ConfigError, DataError
from . import captions as words
from . import extract, hand, quality
from ._journal import Journal, NotWritten, encode_png, write_atomically
from ._reading import SUFFIXES, read_picture
from .folder import ABOUT, METADATA, Row

Progress = Callable[..., Any]
Early = Callable[[np.ndarray, str], np.ndarray]
OWN_SKETCH = ".sketch"  # between the name and the suffix of a picture's own drawing
LEAST_LINES = 0.002  # of a sketch's pixels; with less there is nothing to learn from it
EARLY_SHARE = 0.5  # of the sketches, where a model for early endings is given
_MADE = re.compile(r"[0-9a-f]{16}(-\d+)?\.png")


@dataclass(frozen=True)
class Recipe:
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


@dataclass(frozen=True)
class Summary:
    """What came of a folder."""

    pairs: dict[str, int]
    """Split -> pairs in it."""
    pictures: int
    """Pictures that were kept."""
    dropped: tuple[tuple[str, str, str], ...]
    """(file, in a few words why, the whole reason)."""
    score: str
    """What quality was judged by."""
    thresholds: dict[str, float]
    """Class -> the score that it asks for."""

    @property
    def reasons(self) -> Counter[str]:
        """How many pictures were dropped for what."""
        return Counter(why for _, why, _ in self.dropped)


def prepare(
    source: str | Path,
    output: str | Path,
    recipe: Recipe | None = None,
    *,
    early: Early | None = None,
    early_name: str = "",
    score: Callable[[np.ndarray, str], float] | None = None,
    progress: Progress = lambda text, part=None: None,
) -> Summary:
    """Make pairs of all pictures in ``source`` and its folders, and write them to ``output`` as an ImageFolder.

    Run again with the same settings it goes on where it was, and takes in what has been added. ``early`` makes the
    picture that half of the sketches are taken from, ``early_name`` says which it is; ``score`` judges a picture with
    its caption, otherwise plain figures do. ``progress(text, part)`` is told what happens.
    Raises ConfigError for folders that cannot be used or a changed setting, DataError when no pair came of it or the
    disk is full. A picture that is no use is left out, and the summary says why.
    """
    recipe = recipe or Recipe()
    source, output = Path(source).expanduser(), Path(output).expanduser()
    files = find_pictures(source, output)
    judge = "plain figures" if score is None else getattr(score, "name", "a score of its own")
    settings = {**recipe.settings(), "early": early_name, "score": judge}
    with Journal.open(output, settings) as journal:
        maker = _Maker(source, output, recipe, early, score)
        records = []
        for index, path in enumerate(files):
            progress(f"{index} of {len(files)} pictures", index / len(files))
            records.append(_record(maker, journal, path))
        progress("choosing", None)
        return _finish(maker, records, judge)


def find_pictures(source: Path, output: Path) -> list[Path]:
    """Picture files in a folder and the folders in it, in natural order; raises ConfigError when there are none."""
    if not source.is_dir():
        raise ConfigError(f"{source}: got no folder, expected one with pictures")
    inside, away = source.resolve(), output.resolve()
    if inside == away or inside.is_relative_to(away):
        raise ConfigError(f"--output: got {output}, where the pictures are; choose another folder")
    found = []
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name[0] != "." and (Path(folder) / name).resolve() != away]
        for name in names:
            path = Path(folder) / name
            if name[0] != "." and path.suffix.lower() in SUFFIXES and not path.stem.lower().endswith(OWN_SKETCH):
                found.append(path)
    if not found:
        raise ConfigError(f"{source}: got no pictures there, expected files that end in {', '.join(SUFFIXES)}")
    return sorted(found, key=lambda path: _natural(path.relative_to(source).as_posix()))


def _natural(text: str) -> list[tuple[int, int | str]]:
    """Puts ``2.png`` before ``10.png``."""
    parts = re.split(r"([0-9]+)", text)
    return [*((0, int(part)) if part.isdigit() else (1, part) for part in parts), (1, text)]


def _record(maker: _Maker, journal: Journal, path: Path) -> dict[str, Any]:
    """What the journal knows of a picture, or what is found out now."""
    name = path.relative_to(maker.source).as_posix()
    try:
        digest = maker.digest(path)
    except OSError as error:
        return {"file": name, "why": "cannot be read", "reason": f"{path}: {error.strerror or error}"}
    known = journal.get(name)
    if known is not None and known["digest"] == digest:
        return known
    record = {"file": name, "digest": digest}
    try:
        record |= maker.make(path)
    except NotWritten:
        raise
    except _Unfit as error:
        record |= {"why": error.why, "reason": str(error)}
    except DataError as error:
        record |= {"why": "cannot be read", "reason": str(error)}
    journal.add(record)
    return record


class _Unfit(DataError):
    """A picture that can be read and is no use all the same."""

    def __init__(self, why: str, reason: str) -> None:
        super().__init__(reason)
        self.why = why


class _Maker:
    """Makes the files of one picture after another; nothing of one depends on another."""

    def __init__(self, source: Path, output: Path, recipe: Recipe, early: Early | None, score: Any) -> None:
        self.source, self.output, self.recipe = source, output, recipe
        self._early, self._score = early, score

    def digest(self, path: Path) -> str:
        """A hash of a picture and of all that lies beside it."""
        total = hashlib.sha256()
        for each in (path, path.with_suffix(".txt"), path.with_suffix(".json"), *_own_sketches(path)):
            if each == path or each.is_file():
                total.update(_file_hash(each).digest())
        return total.hexdigest()

    def make(self, path: Path) -> dict[str, Any]:
        """Write the picture and its sketches; returns what is known of them. Raises DataError, _Unfit among them."""
        recipe = self.recipe
        identity = _file_hash(path).hexdigest()[:16]
        whole = read_picture(path)
        tags = self._tags(path, whole)
        chance = np.random.default_rng([recipe.seed, int(identity, 16)])
        captions = words.written_captions(path) or recipe.grammars.captions(tags, recipe.prompts, chance)
        if not captions:
            need = " or ".join(sorted({" and ".join(sorted(each.needs)) for each in recipe.grammars.grammars}))
            raise _Unfit(
                "no caption",
                f"{path}: nothing says its {need}; write {path.stem}.txt beside it, or use --caption 'a sentence'",
            )
        captions = captions[: recipe.prompts]
        square = extract.centred(whole) if recipe.centre else extract.middle(whole)
        picture = square.of_picture(whole, recipe.size)
        sketches, made_by = self._sketches(path, identity, whole, picture, square, captions)
        split = "validation" if int(identity, 16) / 2**64 < recipe.validation else "train"
        score = None if self._score is None else self._score(picture, captions[0])
        folder = self.output / split
        write_atomically(folder / "pictures" / f"{identity}.png", encode_png(picture))
        for number, sketch in enumerate(sketches):
            write_atomically(folder / "sketches" / f"{identity}-{number}.png", encode_png(sketch))
        plain = quality.figures(picture, sketches[0])
        look, colours = quality.looks(picture)
        return {
            "id": identity,
            "split": split,
            "class": self._class(path, tags),
            "captions": list(captions),
            "tags": {name: values[0] for name, values in sorted(tags.items())},
            "sketches": made_by,
            "figures": [plain.sharpness, plain.entropy, plain.agreement],
            "score": score,
            "look": f"{look:016x}",
            "colours": list(colours),
        }

    def _tags(self, path: Path, picture: np.ndarray) -> dict[str, tuple[str, ...]]:
        """What is written beside it goes before what it is called, and that before what it looks like."""
        names = path.relative_to(self.source).with_suffix("").parts
        colour = words.dominant_colour(picture)
        measured = {} if colour is None else {"color": (colour,)}
        return {**measured, **words.named_tags(names, self.recipe.grammars.words), **words.written_tags(path)}

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
                raise _Unfit(
                    "sketch of another shape", f"{own}: expected the proportions of {path.name}; crop it alike"
                )
            lines = square.of_lines(extract.clean_sketch(_as_large_as(page, whole)), self.recipe.size)
            sketches.append(lines)
            made_by.append("own sketch")
        for number in range(len(sketches), self.recipe.sketches):
            rng = np.random.default_rng([self.recipe.seed, int(identity, 16), number + 1])
            sketch, how = self._sketch(picture, captions[number % len(captions)], rng)
            sketches.append(sketch)
            made_by.append(how)
        if any((sketch > 96).mean() < LEAST_LINES for sketch in sketches):
            raise _Unfit("no lines", f"{path}: no lines can be found in it, expected a picture of something")
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
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _as_large_as(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    if picture.shape[:2] == other.shape[:2]:
        return picture
    smaller = picture.shape[0] > other.shape[0]
    return cv2.resize(picture, other.shape[1::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _finish(maker: _Maker, records: list[dict[str, Any]], judge: str) -> Summary:
    """Choose among what was made, write what lists it, and take away what was not chosen."""
    kept, dropped, scores, thresholds = _chosen(records, maker.recipe.keep)
    rows: dict[str, list[Row]] = {"train": [], "validation": []}
    for record in kept:
        if not all((maker.output / record["split"] / name).is_file() for name in _files(record)):
            maker.make(maker.source / record["file"])  # it was taken away once, when it was not chosen
        rows[record["split"]].extend(_rows(record))
    if not kept:
        reasons = "; ".join(f"{count} {why}" for why, count in Counter(why for _, why, _ in dropped).most_common())
        raise DataError(
            f"{maker.source}: no picture of {len(records)} was kept ({reasons}); the first: {dropped[0][2]}"
        )
    about = {
        "counts": {split: len(each) for split, each in rows.items()},
        "quality": {"score": judge, "keep": maker.recipe.keep, "thresholds": thresholds},
        "kept": {
            record["id"]: {"file": record["file"], "class": record["class"], "score": scores[record["id"]]}
            for record in kept
        },
        "dropped": [{"file": name, "why": why, "reason": reason} for name, why, reason in dropped],
        "settings": maker.recipe.settings(),
    }
    _write_lists(maker.output, rows, about)
    return Summary(about["counts"], len(kept), tuple(dropped), judge, thresholds)


def _chosen(
    records: list[dict[str, Any]], share: float
) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]], dict[str, float], dict[str, float]]:
    """(kept, dropped, id -> score, class -> threshold): without duplicates, and of each class the best."""
    dropped = {index: (record["why"], record["reason"]) for index, record in enumerate(records) if "why" in record}
    good = [index for index in range(len(records)) if index not in dropped]
    looks = [(int(records[index]["look"], 16), tuple(records[index]["colours"])) for index in good]
    for twin, first in quality.near_duplicates(looks).items():
        same = records[good[first]]["file"]
        dropped[good[twin]] = ("a duplicate", f"{records[good[twin]]['file']}: looks like {same}")
    good = [index for index in good if index not in dropped]
    classes = [records[index]["class"] for index in good]
    values = [records[index]["score"] for index in good]
    if any(value is None for value in values):
        values = quality.plain_scores([quality.Figures(*records[index]["figures"]) for index in good], classes)
    chosen, thresholds = quality.best(values, classes, share)
    for index, stays, value, name in zip(good, chosen, values, classes, strict=True):
        if not stays:
            reason = (
                f"{records[index]['file']}: scores {value:.3g}, and the best of {name!r} {thresholds[name]:.3g} or more"
            )
            dropped[index] = ("below the best of its class", reason)
    kept = [records[index] for index, stays in zip(good, chosen, strict=True) if stays]
    scores = {records[index]["id"]: value for index, value in zip(good, values, strict=True)}
    return kept, [(records[index]["file"], *dropped[index]) for index in sorted(dropped)], scores, thresholds


def _files(record: dict[str, Any]) -> list[str]:
    names = [f"sketches/{record['id']}-{number}.png" for number in range(len(record["sketches"]))]
    return [f"pictures/{record['id']}.png", *names]


def _rows(record: dict[str, Any]) -> Iterator[Row]:
    """A row for every sketch; each leads with another caption."""
    picture, *sketches = _files(record)
    captions = record["captions"]
    for number, sketch in enumerate(sketches):
        first = number % len(captions)
        yield Row(picture, sketch, captions[first], tuple(captions), tags=record["tags"])


def _write_lists(output: Path, rows: dict[str, list[Row]], about: dict[str, Any]) -> None:
    import json

    # Without it nobody compares counts, so a kill between here and the end leaves nothing that contradicts itself.
    (output / ABOUT).unlink(missing_ok=True)
    for split, each in rows.items():
        path = output / split / METADATA
        if each:
            write_atomically(path, "".join(f"{row.to_json()}\n" for row in each).encode())
        else:
            path.unlink(missing_ok=True)
        listed = {name for row in each for name in row.files}
        for kind in ("pictures", "sketches"):
            for path in (output / split / kind).glob("*"):
                made = _MADE.fullmatch(path.name) or path.name.endswith(".part")
                if made and f"{kind}/{path.name}" not in listed:
                    path.unlink()
    write_atomically(output / ABOUT, json.dumps(about, indent=1).encode())
