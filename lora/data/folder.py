"""Pairs from a folder: pictures, sketches and captions as ``metadata.jsonl`` lists them, one JSON object a line.

``file_name`` and ``sketch_file_name`` are paths within the folder of the metadata, ``labels_file_name`` may be there;
``text`` is the caption, ``texts`` are more of them, ``tags`` a table of texts. Other keys are left alone. The
``datasets`` library reads the same folder as an ImageFolder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...stream.base.errors import ConfigError, DataError
from ...stream.base.files import open_regular
from ...stream.base.frame import Size, place
from . import palette
from ._journal import write_atomically
from .reading import on_one_line, read_picture, size_of
from .sample import Sample

METADATA = "metadata.jsonl"
ABOUT = "prepare.json"
SPLITS = ("train", "validation", "test")
MAX_LINE = 1 << 20  # bytes
MAX_ROWS = 5_000_000


@dataclass(frozen=True)
class Row:
    """One line of the metadata; names are paths within the folder that holds it, with forward slashes."""

    file_name: str
    sketch_file_name: str
    text: str
    texts: tuple[str, ...] = ()
    labels_file_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def captions(self) -> tuple[str, ...]:
        """All captions, the first one first."""
        return tuple(dict.fromkeys((self.text, *self.texts)))

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that the row names."""
        return tuple(filter(None, (self.file_name, self.sketch_file_name, self.labels_file_name)))

    def to_json(self) -> str:
        """The line, without its end."""
        values: dict[str, Any] = {"file_name": self.file_name, "sketch_file_name": self.sketch_file_name}
        if self.labels_file_name:
            values["labels_file_name"] = self.labels_file_name
        values |= {"text": self.text, "texts": list(self.texts), "tags": dict(self.tags)}
        return json.dumps(values, ensure_ascii=False)


def parse_row(line: str | bytes, where: str) -> Row:
    """Check one line of the metadata; raises DataError that begins with ``where`` (its file and line)."""
    if len(line) > MAX_LINE:
        raise DataError(f"{where}: got {len(line):,} bytes in a line, expected at most {MAX_LINE:,}")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{where}: not JSON: {reason}; write the line anew, or prepare the folder again") from None
    if not isinstance(values, dict):
        raise DataError(f'{where}: got a {_kind(values)}, expected a table such as {{"file_name": "a.png", ...}}')
    names = {key: _name(values, key, where) for key in ("file_name", "sketch_file_name")}
    if values.get("labels_file_name") is not None:
        names["labels_file_name"] = _name(values, "labels_file_name", where)
    texts = values.get("texts") or []
    if not isinstance(texts, list):
        raise DataError(f"{where}: texts: got a {_kind(texts)}, expected a list of captions")
    tags = values.get("tags") or {}
    if not isinstance(tags, dict):
        raise DataError(f"{where}: tags: got a {_kind(tags)}, expected a table of texts")
    return Row(
        **names,
        text=_text(values.get("text"), "text", where),
        texts=tuple(_text(text, f"texts[{index}]", where) for index, text in enumerate(texts)),
        tags={key: _text(value, f"tags.{key[:40]}", where) for key, value in tags.items() if value is not None},
    )


def _kind(value: Any) -> str:
    kinds = {"dict": "table", "str": "text", "int": "number", "float": "number", "bool": "truth value"}
    name = type(value).__name__
    return "nothing" if value is None else kinds.get(name, name)


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or not on_one_line(value):
        got = repr(value)[:60] if isinstance(value, str) else f"a {_kind(value)}"
        raise DataError(f"{where}: {key}: got {got}, expected a text on one line")
    return value


def _name(values: Mapping[str, Any], key: str, where: str) -> str:
    """A path that stays where it is: relative, without ``..``, backslash, drive, or characters no file name has."""
    name = values.get(key)
    if not isinstance(name, str):
        raise DataError(f"{where}: {key}: got {_kind(name)}, expected the name of a file in this folder")
    parts = name.split("/")
    if not on_one_line(name) or len(name) > 1024 or "\\" in name or re.match(r"[A-Za-z]:", name) or ":" in parts[0]:
        raise DataError(f"{where}: {key}: got {name[:80]!r}, expected a plain path such as pictures/0001.png")
    if name.startswith("/") or {"..", ".", ""} & set(parts):
        raise DataError(f"{where}: {key}: got {name[:80]!r}, which leads out of the folder; expected a path inside it")
    return name


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Every row of a metadata file with its place, ``file:line``; empty lines are left out. Raises DataError."""
    try:
        with open_regular(path) as file:
            for number in range(1, MAX_ROWS + 2):
                line = file.readline(MAX_LINE + 1)
                if not line:
                    return
                where = f"{path}:{number}"
                if number > MAX_ROWS:
                    raise DataError(f"{where}: got more than {MAX_ROWS:,} lines, expected fewer")
                if line.strip():
                    try:
                        yield where, parse_row(line.decode("utf-8-sig" if number == 1 else "utf-8"), where)
                    except UnicodeDecodeError:
                        raise DataError(f"{where}: got bytes that are no UTF-8, expected text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; run inkstream prepare first") from error


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a metadata file, whole or not at all; makes its folder. Raises NotWritten."""
    write_atomically(path, "".join(f"{row.to_json()}\n" for row in rows).encode())


class Pairs:
    """The pairs of one split of a folder, in the order of its metadata: a ``Samples``.

    Everything but the pixels is checked at once: that every line is a row, that its files are there, inside the folder,
    and pictures of equal size by their headers. With ``size`` every pair is cropped to a square around its middle and
    scaled. A sketch that is dark on light is turned around. A picture that turns out broken when it is decoded raises
    DataError with its name.
    """

    def __init__(self, folder: str | Path, split: str = "train", size: int | None = None) -> None:
        """Raises DataError that names file and line, ConfigError for a split or size that cannot be."""
        if split not in SPLITS:
            raise ConfigError(f"split: got {split!r}, expected one of: {', '.join(SPLITS)}")
        if size is not None and not 16 <= size <= 4096:
            raise ConfigError(f"size: got {size}, expected 16 to 4096")
        self.folder = Path(folder).expanduser()
        self.split, self.size = split, size
        self._root = self._find()
        self.rows: list[Row] = []
        inside = self._root.resolve()
        for where, row in read_rows(self._root / METADATA):
            self._check(row, where, inside)
            self.rows.append(row)
        self._check_count(len(self.rows))
        if not self.rows:
            raise DataError(f"{self._root / METADATA}: got no pairs, expected at least one; prepare more pictures")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        return self._read(self.rows[index])

    def texts(self) -> list[tuple[str, ...]]:
        """The captions of each pair."""
        return [row.captions for row in self.rows]

    def _find(self) -> Path:
        """The folder that holds the split's metadata; one without splits is all training."""
        root = self.folder / self.split
        if (root / METADATA).is_file():
            return root
        if self.split == "train" and (self.folder / METADATA).is_file():
            return self.folder
        raise DataError(f"{self.folder}: has no {self.split}/{METADATA}; make it with: inkstream prepare PICTURES")

    def _check(self, row: Row, where: str, inside: Path) -> None:
        sizes = {}
        for name in row.files:
            path = self._root / name
            try:
                resolved = path.resolve(strict=True)
            except (OSError, RuntimeError):
                raise DataError(f"{where}: {name}: no such file; prepare the folder again") from None
            if not resolved.is_relative_to(inside):
                raise DataError(f"{where}: {name} is a link that leads out of {inside}; copy the file into the folder")
            if not resolved.is_file():
                raise DataError(f"{where}: {name}: is no file, expected a picture")
            try:
                sizes[name] = Size(*size_of(resolved))
            except DataError as error:
                raise DataError(f"{where}: {error}") from error
        if len(set(sizes.values())) > 1:
            got = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise DataError(f"{where}: got pictures of different sizes ({got}), expected one size for a pair")

    def _check_count(self, listed: int) -> None:
        """Metadata that was cut short, or grew, is told by what ``prepare`` wrote beside it."""
        path = self.folder / ABOUT
        if self._root == self.folder or not path.is_file():
            return
        try:
            expected = json.loads(path.read_text("utf-8"))["counts"][self.split]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path}: is damaged ({type(error).__name__}); run inkstream prepare again") from error
        if expected != listed:
            raise DataError(
                f"{self._root / METADATA}: got {listed} pairs, expected {expected!r} as {ABOUT} says; prepare it again"
            )

    def _read(self, row: Row) -> Sample:
        picture = read_picture(self._root / row.file_name)
        sketch = read_picture(self._root / row.sketch_file_name).max(2)
        if sketch.mean() > 127:
            sketch = 255 - sketch
        labels = None if row.labels_file_name is None else _labels(self._root / row.labels_file_name)
        if self.size is not None:
            fitted = place(Size.of(picture), Size(self.size, self.size))
            picture = fitted.apply(picture)
            sketch = fitted.apply(np.repeat(sketch[..., None], 3, 2))[..., 0].copy()
            if labels is not None:
                x, y, width, height = fitted.crop
                part = labels[y : y + height, x : x + width]
                labels = cv2.resize(part, (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        return Sample(picture, sketch, row.captions, labels=labels, tags=dict(row.tags))


def _labels(path: Path) -> np.ndarray:
    """(H, W) uint8 class numbers; raises DataError for anything else."""
    from PIL import Image

    read_picture(path)  # is it a whole picture, and nothing else
    with Image.open(path, formats=("PNG",)) as image:
        labels = np.asarray(image)
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.max() >= len(palette.CLASSES):
        got = f"{labels.dtype} {labels.shape}, up to {labels.max()}"
        raise DataError(f"{path}: got {got}, expected a grey PNG with class numbers below {len(palette.CLASSES)}")
    return labels
