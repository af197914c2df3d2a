"""The words that a model knows: ``vocabulary.json`` in its folder, and what of a prompt is not among them.

A small model that was trained on a grammar of its own takes any text and draws nothing of the words it never saw. Its
folder says which it saw: tag -> words, for example ``{"colour": ["red", "teal"], "view": ["front three-quarter"]}``.
Models without the file, such as those with CLIP's own text encoder, are taken to know every word.
"""

from __future__ import annotations

import difflib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..stream.base.errors import ModelError
from ..stream.base.files import write_whole
from ..stream.base.names import short
from .safety import read_config
from .styles import model_folder

log = logging.getLogger(__name__)
FILE = "vocabulary.json"
OTHER = "other"  # the tag of words that a caption has and no tag names
MOST_WORDS = 100_000
ALIKE = 0.65  # by difflib's ratio; words less alike are no hint, only odd
# They carry no picture, so nobody has to be told that a model does not know them.
LITTLE = frozenset({"a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "the", "to", "with"})


@dataclass(frozen=True)
class Vocabulary:
    """What a model knows: tag -> words; a word may be several, as in "front three-quarter"."""

    model: str
    """The model's name, as people say it."""
    tags: Mapping[str, tuple[str, ...]]
    known: frozenset[str] = field(init=False, repr=False)
    """Every single word, in lower case."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozenset(single_words(" ".join(map(" ".join, self.tags.values())))))

    def unknown(self, text: str) -> dict[str, str | None]:
        """The words of a prompt that the model does not know, each with the known one that is spelt most like it."""
        missing = dict.fromkeys(word for word in single_words(text) if word not in self.known | LITTLE)
        return {word: self.nearest(word) for word in missing}

    def nearest(self, word: str) -> str | None:
        """The known word that is spelt most like ``word``; None where none is alike."""
        close = difflib.get_close_matches(word, sorted(self.known), n=1, cutoff=ALIKE)
        return close[0] if close else None


def single_words(text: str) -> list[str]:
    """The words of a text in lower case, in order: runs of letters, as the embedded model's tokenizer parts them."""
    return re.findall(r"[^\W\d_]+", text.lower())


def read_vocabulary(folder: str | Path) -> Vocabulary | None:
    """The vocabulary in a model's folder; None where there is no such file.

    Raises ModelError for a file that is no table of lists of words.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    table = read_config(path)
    for tag, words in table.items():
        if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
            raise ModelError(f"{path}: {tag}: got {short(words)}, expected a list of words")
    if not 1 <= sum(map(len, table.values())) <= MOST_WORDS:
        raise ModelError(f"{path}: got {sum(map(len, table.values())):,} words, expected 1 to {MOST_WORDS:,}")
    return Vocabulary(Path(folder).resolve().name, {tag: tuple(words) for tag, words in table.items()})


def write_vocabulary(folder: str | Path, tags: Mapping[str, Iterable[str]], captions: Iterable[str] = ()) -> Path:
    """Write a model's vocabulary into its folder; words of ``captions`` that no tag has go under "other".

    Returns the path. Raises OSError when it cannot be written.
    """
    table = {tag: list(words) for tag, words in tags.items()}
    known = set(single_words(" ".join(word for words in table.values() for word in words)))
    more = sorted({word for caption in captions for word in single_words(caption)} - known)
    if more:
        table[OTHER] = [*table.get(OTHER, []), *more]
    path = Path(folder) / FILE
    return write_whole(path, f"{json.dumps(table, indent=2, ensure_ascii=False)}\n".encode())


def vocabulary_of(pipe: Any) -> Vocabulary | None:
    """The vocabulary of a loaded pipeline, found beside its tokenizer's folder; None where there is none."""
    folder = model_folder(pipe)
    return None if folder is None else read_vocabulary(folder)


class UnknownWords:
    """Tells the user of a stream, in the log, each word of a prompt that its model does not know, and each once."""

    def __init__(self, pipe: Any) -> None:
        """A vocabulary that is damaged is said, and then not used: nothing of a picture depends on it."""
        self._told: set[str] = set()
        self._pipe = pipe
        self._vocabulary: Vocabulary | None = None
        try:
            self._vocabulary = vocabulary_of(pipe)
        except ModelError as error:
            log.warning("%s; so no unknown words are told", error)

    def tell(self, text: str) -> None:
        """Log a warning for every word of ``text`` that is unknown and new."""
        if self._vocabulary is None:
            return
        model = self._vocabulary.model
        self._told.update(single_words(" ".join(self._pipe.tokenizer.added_tokens_encoder)))  # textual inversion
        for word, nearest in self._vocabulary.unknown(text).items():
            if word not in self._told:
                self._told.add(word)
                hint = f'nearest: "{nearest}"' if nearest else f"its words: inkstream models show {model}"
                log.warning('%s does not know "%s"; %s', model, word, hint)
