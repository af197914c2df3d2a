"""The words that a model knows: ``vocabulary.json`` in its folder, and what a prompt is in them.

A small model that was trained on a grammar of its own takes any text and draws nothing of the words it never saw. Its
folder says which it saw: tag -> words, for example ``{"colour": ["red", "teal"], "view": ["front three-quarter"]}``.
Models without the file, such as those with CLIP's own text encoder, are taken to know every word. "goes_with" in it is
no tag: it says which words go together, for completing prompts (``together``).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..stream.base.completion import NOTHING, Together
from ..stream.base.errors import ModelError
from ..stream.base.files import write_whole
from ..stream.base.names import LITTLE, short
from ..stream.base.prompt import Fragment, ParsedPrompt
from ..stream.base.reading import MOST_WORDS as MOST_NAMED
from ..stream.base.understood import Understood
from .meanings import meant
from .safety import read_config
from .styles import model_folder
from .together import from_table, to_table
from .understanding import Knows, silent, understand

log = logging.getLogger(__name__)
FILE = "vocabulary.json"
OTHER = "other"  # the tag of words that a caption has and no tag names
GOES_WITH = "goes_with"
MOST_WORDS = 100_000
MOST_REMEMBERED = 256  # texts
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Vocabulary:
    """What a model knows: tag -> words; a word may be several, as in "front three-quarter"."""

    model: str
    """The model's name, as people say it."""
    tags: Mapping[str, tuple[str, ...]]
    together: Together = NOTHING
    """Which of them go together."""
    known: frozenset[str] = field(init=False, repr=False)
    """Every single word, in lower case."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozenset(single_words(" ".join(map(" ".join, self.tags.values())))))

    def unknown(self, text: str) -> dict[str, str | None]:
        """The words of a prompt that mean nothing that the model knows, each with what says nearly the same, or None.

        Nobody has to be told of little words. See ``understanding.understand``.
        """
        return {word: better or None for word, better in self.understand(text).unknown}

    def understand(self, text: str, taught: Collection[str] = ()) -> Understood:
        """A prompt in the model's words as far as they mean the same; ``taught`` are words that it knows besides."""
        return understand(text, Knows(self.known, self.tags, self.together.absent, taught))


def without(prompt: ParsedPrompt, words: Set[str]) -> ParsedPrompt:
    """A prompt without some of its words, in lower case, and without what makes no sense then ("a", a comma)."""
    parts = tuple(tuple(Fragment(_without(each.text, words), each.weight) for each in part) for part in prompt.parts)
    return replace(prompt, parts=parts)


def _without(text: str, words: Set[str]) -> str:
    if words.isdisjoint(single_words(text)):
        return text
    kept = []
    for clause in text.split(","):
        left = _WORD.sub(lambda found: "" if found[0].lower() in words else found[0], clause)
        if left == clause or not set(single_words(left)) <= LITTLE:
            # A space at the ends parts this fragment from the one beside it.
            kept.append(re.sub(r"(?<=\S)\s{2,}(?=\S)", " ", left))
    return ",".join(kept)


def single_words(text: str) -> list[str]:
    """The words of a text in lower case, in order: runs of letters, as the embedded model's tokenizer parts them."""
    return _WORD.findall(text.lower())


def read_vocabulary(folder: str | Path) -> Vocabulary | None:
    """The vocabulary in a model's folder; None where there is no such file.

    Raises ModelError for a file that is no table of lists of words.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    table = read_config(path)
    goes = from_table(table.pop(GOES_WITH), f"{path}: {GOES_WITH}") if GOES_WITH in table else NOTHING
    for tag, words in table.items():
        if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
            raise ModelError(f"{path}: {tag}: got {short(words)}, expected a list of words")
    if not 1 <= sum(map(len, table.values())) <= MOST_WORDS:
        raise ModelError(f"{path}: got {sum(map(len, table.values())):,} words, expected 1 to {MOST_WORDS:,}")
    return Vocabulary(Path(folder).resolve().name, {tag: tuple(words) for tag, words in table.items()}, goes)


def write_vocabulary(
    folder: str | Path,
    tags: Mapping[str, Iterable[str]],
    captions: Iterable[str] = (),
    goes_with: Together = NOTHING,
) -> Path:
    """Write a model's vocabulary into its folder; words of ``captions`` that no tag has go under "other".

    ``goes_with`` is what ``together`` counted in its captions. Returns the path. Raises OSError when it cannot be
    written.
    """
    table: dict[str, Any] = {tag: list(words) for tag, words in tags.items()}
    known = set(single_words(" ".join(word for words in table.values() for word in words)))
    more = sorted({word for caption in captions for word in single_words(caption)} - known)
    if more:
        table[OTHER] = [*table.get(OTHER, []), *more]
    path = Path(folder) / FILE
    text = json.dumps(table, indent=2, ensure_ascii=False)
    if goes_with != NOTHING:  # close, as nobody reads it
        text = f'{text[:-2]},\n  "{GOES_WITH}": {json.dumps(to_table(goes_with), ensure_ascii=False)}\n}}'
    return write_whole(path, f"{text}\n".encode())


def vocabulary_of(pipe: Any) -> Vocabulary | None:
    """The vocabulary of a loaded pipeline, found beside its tokenizer's folder; None where there is none."""
    folder = model_folder(pipe)
    return None if folder is None else read_vocabulary(folder)


class UnknownWords:
    """What a stream's model does not know of a prompt: told to the user, in the log, each word once, and left out."""

    def __init__(self, pipe: Any) -> None:
        """A vocabulary that is damaged is said, and then not used: nothing of a picture depends on it."""
        self._told: set[str] = set()
        self._understood: dict[tuple[str, frozenset[str]], Understood] = {}
        self._pipe = pipe
        self._vocabulary: Vocabulary | None = None
        try:
            self._vocabulary = vocabulary_of(pipe)
        except ModelError as error:
            log.warning("%s; so no unknown words are told", error)

    @property
    def words(self) -> tuple[str, ...]:
        """All words that the model knows, phrases first as they are, for completion; empty: any word may do."""
        if self._vocabulary is None:
            return ()
        phrases = [each for tag, words in self._vocabulary.tags.items() if tag != OTHER for each in words]
        return tuple(dict.fromkeys([*phrases, *sorted(self._vocabulary.known)]))

    @property
    def tags(self) -> Mapping[str, tuple[str, ...]]:
        """The words by what they say; empty: nobody knows."""
        return {} if self._vocabulary is None else self._vocabulary.tags

    @property
    def together(self) -> Together:
        """Which words go together; empty: nobody knows."""
        return NOTHING if self._vocabulary is None else self._vocabulary.together

    def understand(self, text: str) -> Understood:
        """A prompt in the model's words, and what of it is unknown; a model that takes any is told it as it is."""
        if self._vocabulary is None:
            return Understood(text)
        taught = self._taught()
        key = (text, taught)
        understood = self._understood.get(key)
        if understood is None:
            understood = self._vocabulary.understand(text, taught)
            if len(self._understood) >= MOST_REMEMBERED:
                self._understood.clear()
            self._understood[key] = understood
        return understood

    def _taught(self) -> frozenset[str]:
        """Words that textual inversion gave a meaning of their own."""
        return frozenset(single_words(" ".join(self._pipe.tokenizer.added_tokens_encoder)))

    def heed(self, prompt: ParsedPrompt, whole: bool) -> ParsedPrompt:
        """Log a warning for the words of a prompt, as it was understood, that are unknown and new; gives the prompt
        without all unknown ones.

        A small text encoder makes something of any word, which has nothing to do with it and takes the place of what it
        knows. ``whole``: nothing is left out, because a LoRA may have taught the model more.
        """
        if self._vocabulary is None:
            return prompt
        known = self._vocabulary.known | LITTLE | self._taught()
        unknown = dict.fromkeys(word for word in single_words(prompt.text) if word not in known)
        new = {word: meant(word, known) or "" for word in unknown if word not in self._told | silent()}
        self._told.update(new)
        if new:
            log.warning("%s", self._warning(new, whole))
        return prompt if whole else without(prompt, unknown.keys())

    def _warning(self, words: Mapping[str, str], whole: bool) -> str:
        """That these words are unknown, each with what could be said in its place, or "": in one line."""
        assert self._vocabulary is not None
        model, all_words = self._vocabulary.model, f"its words: inkstream models show {self._vocabulary.model}"
        if len(words) == 1:
            ((word, better),) = words.items()
            hint = f'try "{better}"' if better else all_words
            return f'{model} does not know "{word}"{"" if whole else ", and leaves it out"}; {hint}'
        named = [f'"{word}" (try "{better}")' if better else f'"{word}"' for word, better in words.items()]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        said = ", ".join(named[:MOST_NAMED]) + more
        return f"{model} does not know {said}{'' if whole else ', and leaves them out'}; {all_words}"
