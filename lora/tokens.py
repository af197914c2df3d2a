"""Tokenizers from a model's folder, held to what its text encoders can read."""

from __future__ import annotations

import logging
import math
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..stream.base.errors import ModelError
from ..stream.base.files import regular_file, write_json
from ..stream.base.names import short
from .safety import read_config

log = logging.getLogger(__name__)
MAX_BYTES = 64 * 2**20  # of a list of words; CLIP's takes two
_WORDS = ("vocab.json", "merges.txt", "tokenizer.json", "added_tokens.json")
_TOKENS = ("unk_token", "bos_token", "eos_token", "pad_token", "additional_special_tokens", "extra_special_tokens")
# All that decides a tokenizer of CLIP, beside its words.
_SETTINGS = (
    *(*_TOKENS, "added_tokens_decoder", "model_max_length", "add_prefix_space", "errors", "do_lower_case"),
    *("padding_side", "truncation_side", "clean_up_tokenization_spaces"),
)
_SHORTEST = 3  # a beginning, a word, an end


def load_tokenizer(folder: Path) -> Any:
    """Load CLIP's tokenizer from its folder: its words and its plain settings, whatever else lies there.

    Raises ModelError for files that are missing, damaged or absurdly large, UnsafeWeightsError like ``read_config``.
    """
    from transformers import CLIPTokenizer

    config = read_config(folder / "tokenizer_config.json")
    _check_length(config.get("model_max_length"), folder / "tokenizer_config.json")
    with TemporaryDirectory() as place:
        write_json(Path(place) / "tokenizer_config.json", {key: config[key] for key in _SETTINGS if key in config})
        if (folder / "special_tokens_map.json").exists():
            tokens = read_config(folder / "special_tokens_map.json")
            write_json(Path(place) / "special_tokens_map.json", {key: tokens[key] for key in _TOKENS if key in tokens})
        found = [name for name in _WORDS if (folder / name).exists()]
        if "tokenizer.json" not in found and not {"vocab.json", "merges.txt"} <= set(found):
            raise ModelError(f"{folder}: no words there, expected tokenizer.json, or vocab.json and merges.txt")
        for name in found:
            _copy(folder / name, Path(place) / name)
        try:
            tokenizer = CLIPTokenizer.from_pretrained(place, local_files_only=True)
            tokenizer("a", padding="max_length", truncation=True, max_length=_SHORTEST)
        except Exception as error:
            log.debug("%s", folder, exc_info=True)
            raise ModelError(
                f"{folder}: transformers cannot make a tokenizer of it ({type(error).__name__}): expected the files of "
                f"CLIP's; fetch the model again"
            ) from error
    tokenizer.name_or_path = str(folder)
    return tokenizer


def fit_tokenizers(parts: dict[str, Any]) -> None:
    """Make no text longer than what every text encoder has positions for; several read the same text together.

    Raises ModelError where a tokenizer has words that its text encoder does not know.
    """
    encoders: list[Any] = [
        parts[name].config for name in ("text_encoder", "text_encoder_2") if parts.get(name) is not None
    ]
    tokenizers = [parts[name] for name in ("tokenizer", "tokenizer_2") if parts.get(name) is not None]
    for tokenizer, encoder in zip(tokenizers, encoders, strict=False):
        largest = max(tokenizer.get_vocab().values(), default=0)
        if largest >= encoder.vocab_size > 0:
            raise ModelError(
                f"{tokenizer.name_or_path}: its words count up to {largest:,}, the text encoder knows "
                f"{encoder.vocab_size:,}; the two do not belong together: fetch the model again"
            )
    longest = min(encoder.max_position_embeddings for encoder in encoders)
    longest = min(longest, *(tokenizer.model_max_length for tokenizer in tokenizers))
    for tokenizer in tokenizers:
        if longest < tokenizer.model_max_length < 1000:  # more is how "not set" is written
            log.info(
                "%s: texts end after %d tokens, its own %d are too many for its text encoders",
                tokenizer.name_or_path,
                longest,
                tokenizer.model_max_length,
            )
        tokenizer.model_max_length = longest


def _check_length(length: Any, path: Path) -> None:
    number = isinstance(length, int | float) and not isinstance(length, bool)
    if length is not None and not (number and math.isfinite(length) and length >= _SHORTEST):
        raise ModelError(
            f"{path}: model_max_length: got {short(length)}, expected a number of tokens, {_SHORTEST} or more"
        )


def _copy(source: Path, target: Path) -> None:
    try:
        regular_file(source)
        size = source.stat().st_size
    except OSError as error:
        raise ModelError(f"{source}: {error.strerror}") from error
    if size > MAX_BYTES:
        raise ModelError(f"{source}: got {size:,} bytes, expected at most {MAX_BYTES:,}")
    shutil.copyfile(source, target)
