"""A CLIP tokenizer that knows the words of a set of captions, each as one token, and every other text by letters.

Byte-level BPE as CLIP's (Radford et al. 2021, arXiv:2103.00020): 256 bytes, each also at the end of a word (``</w>``),
then the merges.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...stream.base.errors import ConfigError
from ...stream.base.quiet import quiet

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = r"[a-z]+|[0-9]|[^\sa-z0-9]+"
MOST_TOKENS = 49_408  # CLIP's own number


def build_tokenizer(captions: Sequence[str], folder: Path, length: int = 32) -> Any:
    """Write a tokenizer for these captions into a folder and load it; the same captions give the same one.

    Raises ConfigError when a caption is longer than ``length`` tokens with its start and end: it would be cut.
    """
    merges = _merges(captions)
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    vocabulary = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    known = set(vocabulary)
    for first, second in merges:
        if first + second not in known:
            known.add(first + second)
            vocabulary.append(first + second)
    vocabulary += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: number for number, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": length,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    tokenizer = load_tokenizer(folder)
    longest = max(captions, key=lambda caption: len(tokenizer(caption).input_ids))
    if len(tokenizer(longest).input_ids) > length:
        raise ConfigError(
            f"max_tokens: got {length}, but {longest!r} has {len(tokenizer(longest).input_ids)} tokens; set it higher"
        )
    return tokenizer


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder."""
    from transformers import CLIPTokenizer

    with quiet():
        return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)


def _merges(captions: Sequence[str]) -> list[tuple[str, str]]:
    """The merges that make every word one token, the most frequent first."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer: Any = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "removed", invert=True)
    bpe: Any = trainers.BpeTrainer  # its stubs know none of its settings
    trainer = bpe(vocab_size=MOST_TOKENS, min_frequency=1, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(sorted(captions), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(each) if isinstance(each, list) else tuple(each.split(" ")) for each in merges]


def token_ids(tokenizer: Any, captions: Sequence[str]) -> Any:
    """(B, L) int64, filled up to the tokenizer's length as a pipeline does, without attention mask."""
    return tokenizer(
        list(captions),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
