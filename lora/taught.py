"""The words that were taught to the text encoders of a pipeline, beside those that they know."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from ..stream.base.errors import ModelError
from ..stream.base.names import quoted
from ..stream.base.quiet import quiet
from ..stream.base.twin import twin
from .inversion import ENCODERS, Embedding, read_embedding

with quiet():
    from tokenizers import AddedToken

_TOKENIZERS: dict[str, str] = dict(zip(ENCODERS, ("tokenizer", "tokenizer_2"), strict=True))
_NO_EOS = 2  # what CLIP's configurations said once; then the pooled vector is that of the token with the highest number


class TaughtWords:
    """The taught words of one pipeline.

    No tokenizer and no network is changed: copies that know the words, and share all weights but the table of words,
    take their place in the pipeline. So another pipeline that shares them with this one stays as it is.
    """

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self._own: dict[str, Any] = {name: getattr(pipe, name, None) for name in _TOKENIZERS.values()}
        encoders = {name: getattr(pipe, name, None) for name in ENCODERS}
        self._tables: dict[str, Any] = {
            name: encoder.get_input_embeddings() for name, encoder in encoders.items() if encoder is not None
        }
        self._taught: dict[str, int] = {}  # word, in small letters -> its number of vectors
        self._convert_others = getattr(pipe, "maybe_convert_prompt", None)  # words that the pipeline came with
        self._asked: Any = ({}, ())  # what was given to ``learn``
        self._pattern = re.compile("(?!)")

    def learn(self, files: Mapping[str, str], more: Iterable[Embedding] = ()) -> bool:
        """Teach the words of these files (path or hub id -> the word, or "" for its own), and more, and no others.

        Returns whether these are others than before; then what was encoded is out of date. Raises ModelError or
        UnsafeWeightsError, and changes nothing then.
        """
        asked = dict(files), tuple(more)
        if asked == self._asked:
            return False
        wanted: dict[str, Embedding] = {}
        for each in [*(read_embedding(path, self.pipe, word) for path, word in files.items()), *asked[1]]:
            if wanted.setdefault(each.word.lower(), each) is not each:
                raise ModelError(
                    f"textual_inversion: got the word {quoted(each.word)} twice; give one another: path: word"
                )
        new: dict[str, Any] = {}
        for name, table in self._tables.items():
            tokenizer, encoder = copy.deepcopy(self._own[_TOKENIZERS[name]]), twin(getattr(self.pipe, name))
            encoder.set_input_embeddings(_taught_table(table, tokenizer, name, list(wanted.values())))
            for part in encoder.modules():
                if getattr(part, "eos_token_id", None) == _NO_EOS:
                    part.eos_token_id = tokenizer.eos_token_id
            new |= {_TOKENIZERS[name]: tokenizer, name: encoder}
        self._put(new, {word: len(next(iter(each.vectors.values()))) for word, each in wanted.items()}, asked)
        return True

    def state(self) -> Any:
        """What is taught now, for ``restore``."""
        return {name: getattr(self.pipe, name, None) for name in (*self._tables, *self._own)}, self._taught, self._asked

    def restore(self, state: Any) -> None:
        """Be again as when ``state`` was taken."""
        self._put(*state)

    def convert(self, prompt: Any, tokenizer: Any) -> Any:
        """A prompt, or a list of them, with every taught word as the tokenizer knows it; capitals make no difference.

        Takes the place of diffusers' ``maybe_convert_prompt``, which replaces a word in the midst of others, too.
        """
        if not isinstance(prompt, str):
            return [self.convert(each, tokenizer) for each in prompt]
        text = self._pattern.sub(lambda found: self._spelt(found[0]), prompt)
        return text if self._convert_others is None else self._convert_others(text, tokenizer)

    def _spelt(self, word: str) -> str:
        vectors = self._taught.get(word.lower())
        return word if vectors is None else _spelt(word.lower(), vectors)

    def _put(self, parts: Mapping[str, Any], taught: dict[str, int], asked: Any) -> None:
        for name, part in parts.items():
            if part is not None:
                setattr(self.pipe, name, part)
        self._taught, self._asked = taught, asked
        self.pipe.maybe_convert_prompt = self.convert
        longest_first = sorted(taught, key=len, reverse=True)
        whole = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest_first)
        self._pattern = re.compile(whole or "(?!)", re.IGNORECASE)


def _spelt(word: str, vectors: int) -> str:
    """``word_1 word_2``: the tokens of a word; even the first has a number, so that no token of old is meant."""
    return " ".join(f"{word}_{number + 1}" for number in range(vectors))


def _taught_table(table: Any, tokenizer: Any, name: str, embeddings: list[Embedding]) -> nn.Embedding:
    """Teach the tokenizer all words; returns the table of words with their vectors, in the precision of the old one."""
    weight: Tensor = table.weight.detach()
    known = tokenizer.get_vocab()
    rows: dict[int, Tensor] = {}
    for each in embeddings:
        vectors = each.vectors[name]
        for token, vector in zip(_spelt(each.word.lower(), len(vectors)).split(" "), vectors, strict=True):
            if token in known:
                raise ModelError(
                    f"textual_inversion: the tokenizer has the word {quoted(each.word)} already; choose another"
                )
            tokenizer.add_tokens([AddedToken(token, single_word=True, normalized=False)])
            rows[tokenizer.convert_tokens_to_ids(token)] = vector
    grown = weight.new_zeros(max([len(weight), *(number + 1 for number in rows)]), weight.shape[1])
    grown[: len(weight)] = weight
    for number, vector in rows.items():
        grown[number] = vector.to(weight)
    result = nn.Embedding(grown.shape[0], grown.shape[1], device="meta")
    result.weight = nn.Parameter(grown, requires_grad=False)
    return result.train(table.training)
