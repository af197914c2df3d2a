"""From a folder of people's own pictures to pairs of sketch, picture and captions that one can train on.

Every picture is worked on by itself, and what came of it is written to a journal. So a run that was killed goes on
where it was, and in the end nobody can tell. What depends on all pictures (duplicates, quality within a class) is
decided at the end, from the journal. Which split a picture belongs to is decided by its bytes alone.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...stream.base.errors import ConfigError, DataError
from ...stream.base.files import regular_file
from ...stream.base.folders import tidy
from ...stream.base.names import natural
from ...stream.base.progress import Progress, silent
from . import quality
from ._journal import Journal, NotWritten, write_atomically
from ._making import NO_CAPTION, OWN_SKETCH, Early, Maker, Preparation, Unfit
from .folder import ABOUT, METADATA, Row, write_rows
from .reading import SUFFIXES

__all__ = ["Early", "Preparation", "Summary", "find_pictures", "prepare"]

_MADE = re.compile(r"[0-9a-f]{16}(-\d+)?\.png")


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
    by_name: int = 0
    """Pictures that are called what their files or folders are called."""
    unknown: int = 0
    """Pictures of which nothing says what they show."""

    @property
    def reasons(self) -> Counter[str]:
        """How many pictures were dropped for what."""
        return Counter(why for _, why, _ in self.dropped)


def prepare(
    source: str | Path,
    output: str | Path,
    recipe: Preparation | None = None,
    *,
    early: Early | None = None,
    early_name: str = "",
    score: Callable[[np.ndarray, str], float] | None = None,
    progress: Progress = silent,
) -> Summary:
    """Make pairs of all pictures in ``source`` and its folders, and write them to ``output`` as an ImageFolder.

    Run again with the same settings it goes on where it was, and takes in what has been added; with other settings it
    begins anew where nothing was kept. ``early`` makes the
    picture that half of the sketches are taken from, ``early_name`` says which it is; ``score`` judges a picture with
    its caption, otherwise plain figures do. ``progress(text, part)`` is told what happens.
    Raises ConfigError for folders that cannot be used or a changed setting, DataError when no pair came of it or the
    disk is full. A picture that is no use is left out, and the summary says why.
    """
    recipe = recipe or Preparation()
    source, output = Path(source).expanduser(), Path(output).expanduser()
    files = find_pictures(source, output)
    judge = "plain figures" if score is None else getattr(score, "name", "a score of its own")
    settings = {**recipe.settings(), "early": early_name, "score": judge}
    with Journal.open(output, settings) as journal:
        maker = Maker(source, output, recipe, early, score)
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
    return sorted(found, key=lambda path: natural(path.relative_to(source).as_posix()))


def _record(maker: Maker, journal: Journal, path: Path) -> dict[str, Any]:
    """What the journal knows of a picture, or what is found out now."""
    name = path.relative_to(maker.source).as_posix()
    try:
        regular_file(path)
        digest = maker.digest(path)
    except OSError as error:
        return {"file": name, "why": "cannot be read", "reason": f"{path}: {error.strerror or error}"}
    known = journal.get(name)
    if known is not None and known["digest"] == digest and known.get("why") != NO_CAPTION:
        return known
    record = {"file": name, "digest": digest}
    try:
        record |= maker.make(path)
    except NotWritten:
        raise
    except Unfit as error:
        record |= {"why": error.why, "reason": str(error)}
    except DataError as error:
        record |= {"why": "cannot be read", "reason": str(error)}
    journal.add(record)
    return record


def _finish(maker: Maker, records: list[dict[str, Any]], judge: str) -> Summary:
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
    called = Counter(record.get("called") for record in kept)
    return Summary(about["counts"], len(kept), tuple(dropped), judge, called["name"], called["unknown"])


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
    # Without it nobody compares counts, so a kill between here and the end leaves nothing that contradicts itself.
    (output / ABOUT).unlink(missing_ok=True)
    for split, each in rows.items():
        path = output / split / METADATA
        if each:
            write_rows(path, each)
        else:
            path.unlink(missing_ok=True)
        listed = {name for row in each for name in row.files}
        for kind in ("pictures", "sketches"):
            if (output / split / kind).is_symlink():  # what lies there may be another run's
                continue
            for path in (output / split / kind).glob("*"):
                if _MADE.fullmatch(path.name) and f"{kind}/{path.name}" not in listed:
                    path.unlink()
            tidy(output / split / kind)
    write_atomically(output / ABOUT, json.dumps(about, indent=1).encode())
