"""Textual inversion (Gal et al., 2022, arXiv:2208.01618): files that teach a text encoder a new word.

A word is one vector or several, which stand one after another in the place of the word. As in diffusers, the tokenizer
learns ``word``, ``word_1``, ``word_2``, ... for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..stream.base.errors import ModelError
from ..stream.base.names import quoted
from .describe import FAMILY_NAMES, unet_family
from .locate import locate, word_of
from .lorakinds import LARGEST
from .safety import check_safetensors, read_tensors

MAX_BYTES = 64 * 2**20
ENCODERS = ("text_encoder", "text_encoder_2")
BUNDLED = "bundle_emb."
_KEYS = {
    **dict.fromkeys(("emb_params", "string_to_param.*", "*", "clip_l", "text_encoders_0"), "text_encoder"),
    **dict.fromkeys(("clip_g", "text_encoders_1"), "text_encoder_2"),
}
_WORD = re.compile(r"[^\s()\[\]:\\,;]{0,63}[^\s()\[\]:\\,;+-]")
_KEPT = "<>.'!-"  # beside letters, digits and _, of the name of a file


@dataclass(frozen=True, eq=False)
class Embedding:
    """A word that was read and fits: its vectors (V, D) for each text encoder, float32 on the CPU."""

    word: str
    vectors: dict[str, Tensor]


def read_embedding(source: str | Path, pipe: Any, word: str = "") -> Embedding:
    """Read a word for a pipeline, which is only looked at.

    ``source`` is a .safetensors file, a folder with one, ``owner/name`` or ``owner/name:file.safetensors``, in the form
    of A1111 (``emb_params``; ``clip_l`` and ``clip_g`` for SDXL) or of diffusers (the word itself is the key). ``word``
    is what stands for it in prompts; "" takes the file's own, or else the file's name. Raises ModelError for a file
    that is missing, damaged, or does not fit the model's text encoders, and UnsafeWeightsError.
    """
    path = locate(source)
    check_safetensors(path, MAX_BYTES)
    tensors = read_tensors(path)
    own, vectors = "", dict(tensors)
    if len(tensors) == 1 and not tensors.keys() & _KEYS.keys():
        own = next(iter(tensors))
        vectors = {"emb_params": tensors[own]}
    return _fitting(path, word or (own if _WORD.fullmatch(own) else word_of(source, _KEPT)), vectors, pipe)


def bundled(path: Path, tensors: Mapping[str, Tensor], pipe: Any) -> tuple[Embedding, ...]:
    """The words that a LoRA's file brings along (``bundle_emb.WORD.clip_l``); raises ModelError."""
    words: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(BUNDLED):
            word, _, part = key.removeprefix(BUNDLED).partition(".")
            words.setdefault(word, {})[part] = value
    return tuple(_fitting(path, word, vectors, pipe) for word, vectors in words.items())


def _fitting(path: Path, word: str, given: Mapping[str, Tensor], pipe: Any) -> Embedding:
    if not _WORD.fullmatch(word):
        expected = "one of 1 to 64 characters without ( ) [ ] : \\ , ;"
        raise ModelError(f"{path}: got the word {quoted(word)}, expected {expected}")
    encoders = [name for name in ENCODERS if getattr(pipe, name, None) is not None]
    base = f"this {FAMILY_NAMES[unet_family(pipe.unet.config)]} model"
    known = {_KEYS[key]: value for key, value in given.items() if key in _KEYS}
    if len(known) != len(given):
        listed = ", ".join(map(quoted, list(given)[:3]))
        raise ModelError(f"{path}: got the keys {listed}, expected emb_params, or clip_l and clip_g, or one word")
    if known.keys() != set(encoders):
        raise ModelError(
            f"{path}: {quoted(word)} has vectors for {' and '.join(sorted(known)) or 'nothing'}, "
            f"{base} has {' and '.join(encoders) or 'no text encoder'}; expected a file for this kind of model"
        )
    vectors = {}
    for name in encoders:
        encoder, value = getattr(pipe, name), known[name]
        width = encoder.get_input_embeddings().weight.shape[1]
        value = value[None] if value.ndim == 1 else value
        if value.ndim != 2 or value.shape[1] != width:
            raise ModelError(
                f"{path}: {quoted(word)} has vectors of {list(value.shape)}, {name} of {base} takes vectors of {width}"
            )
        most = int(encoder.config.max_position_embeddings) - 2
        if not 1 <= len(value) <= most:
            raise ModelError(f"{path}: {quoted(word)} is {len(value)} vectors long, expected 1 to {most}")
        largest = value.abs().max().item()
        if not largest <= min(LARGEST, torch.finfo(encoder.dtype).max):
            raise ModelError(f"{path}: {quoted(word)} has numbers up to {largest:.2g}, expected at most {LARGEST:,.0f}")
        vectors[name] = value
    if len({len(value) for value in vectors.values()}) > 1:
        raise ModelError(f"{path}: {quoted(word)} has more vectors for one text encoder than for the other")
    return Embedding(word, vectors)
