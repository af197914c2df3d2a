"""A text encoder: a parsed prompt becomes chunks of tokens, and those become vectors.

A chunk is what the encoder reads at once: its length (77 for CLIP) less the two tokens at its ends. A prompt has as
many chunks as it is given, empty ones at its end, so that its length is no matter of its text. As in AUTOMATIC1111,
``BREAK`` begins a chunk, and a chunk that is full ends at a comma if one is among its last 20 tokens.

Weights act on the vectors that come out, as in ComfyUI and (above 1) in compel: a vector ``z`` of weight ``w`` becomes
``z0 + w (z - z0)``, where ``z0`` stands in the same place of the encoded empty prompt. So weight 0 is as good as no
word, and weight 1 changes nothing. The pooled vector is that of the first chunk, without weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..base.prompt import ParsedPrompt
from ..base.quiet import quiet

AT_COMMA = 20  # tokens that may go to the next chunk, so that a chunk ends at a comma
Token = tuple[int, float]  # its number, and its weight


@dataclass(frozen=True)
class Chunks:
    """A prompt for one encoder, and what of it there was no place for: how many tokens, and how they begin."""

    chunks: list[list[Token]]
    cut: int = 0
    rest: str = ""


class TextCoder:
    """One of a pipeline's text encoders, with its tokenizer."""

    def __init__(self, pipe: Any, suffix: str, penultimate: bool) -> None:
        """``suffix`` of the names of both in the pipeline. ``penultimate``: vectors are the last layer's but one."""
        self._pipe, self._penultimate = pipe, penultimate
        self._suffix = suffix
        tokenizer = self._tokenizer
        positions = getattr(self._encoder.config, "max_position_embeddings", tokenizer.model_max_length)
        self.length = min(int(tokenizer.model_max_length), int(positions))
        self.room = self.length - 2
        self._comma = self._ids(",")[:1]

    @property
    def _tokenizer(self) -> Any:
        return getattr(self._pipe, f"tokenizer{self._suffix}")

    @property
    def _encoder(self) -> Any:
        return getattr(self._pipe, f"text_encoder{self._suffix}")

    def chunks(self, prompt: ParsedPrompt, count: int) -> Chunks:
        """``count`` chunks of at most ``room`` tokens."""
        done: list[list[Token]] = []
        left: list[Token] = []
        for part in prompt.parts:
            tokens = [(number, fragment.weight) for fragment in part for number in self._ids(fragment.text)]
            while len(done) < count - 1 and len(tokens) > self.room:
                end = self._end(tokens)
                done.append(tokens[:end])
                tokens = tokens[end:]
            if len(done) < count:
                done.append(tokens[: self.room])
                tokens = tokens[self.room :]
            left += tokens
        done += [[] for _ in range(count - len(done))]
        rest = self._tokenizer.decode([number for number, _ in left[:12]]) if left else ""
        return Chunks(done, len(left), rest)

    def encode(self, chunks: Chunks, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """(1, count * length, D) vectors of all chunks, and the pooled vector (1, P) where the encoder gives one."""
        weights = torch.tensor([self._row(chunk, 1.0, 1.0, 1.0, 1) for chunk in chunks.chunks])  # (count, length)
        weighted = bool((weights != 1.0).any())
        # The empty prompt comes last.
        rows = [*chunks.chunks, []] if weighted else chunks.chunks
        vectors, pooled = self._run(rows, device)  # (count or count + 1, length, D)
        if weighted:
            weights = weights[..., None].to(device)  # (count, length, 1)
            empty, vectors = vectors[-1:].float(), vectors[:-1]  # (1, length, D)
            vectors = torch.where(weights == 1.0, vectors.float(), empty + weights * (vectors.float() - empty))
        return vectors.reshape(1, -1, vectors.shape[-1]), None if pooled is None else pooled[:1]

    def _run(self, rows: list[list[Token]], device: torch.device) -> tuple[Tensor, Tensor | None]:
        tokenizer, encoder = self._tokenizer, self._encoder
        begin, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
        numbers = torch.tensor([self._row(row, begin, end, pad, 0) for row in rows], device=device)  # (N, length)
        asked: dict[str, Any] = {"output_hidden_states": True} if self._penultimate else {}
        if getattr(encoder.config, "use_attention_mask", False):
            lengths = torch.tensor([[len(row) + 2] for row in rows], device=device)
            asked["attention_mask"] = (torch.arange(self.length, device=device) < lengths).long()
        given = encoder(numbers, **asked)
        pooled = given[0] if given[0].ndim == 2 else None
        return given.hidden_states[-2] if self._penultimate else given[0], pooled

    def _row(self, chunk: list[Token], begin: Any, end: Any, pad: Any, part: int) -> list[Any]:
        """``part`` of each token (0: its number, 1: its weight), with what stands at the ends and behind them."""
        return [begin, *(token[part] for token in chunk), end, *[pad] * (self.room - len(chunk))]

    def _end(self, tokens: list[Token]) -> int:
        """Where the first chunk of too many tokens ends."""
        if [tokens[self.room][0]] != self._comma:
            for place in range(self.room - 1, max(0, self.room - AT_COMMA) - 1, -1):
                if [tokens[place][0]] == self._comma:
                    return place + 1
        return self.room

    def _ids(self, text: str) -> list[int]:
        tokenizer = self._tokenizer
        if any(name.endswith("_1") for name in tokenizer.added_tokens_encoder):  # an embedding of several vectors
            with quiet():
                text = self._pipe.maybe_convert_prompt(text, tokenizer)
        return tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids


def text_coders(pipe: Any) -> list[TextCoder]:
    """The text encoders of a Stable Diffusion or SDXL pipeline, in the order in which their vectors are joined."""
    both = hasattr(pipe, "text_encoder_2")
    suffixes = ["", "_2"] if both else [""]
    return [TextCoder(pipe, suffix, both) for suffix in suffixes if getattr(pipe, f"text_encoder{suffix}") is not None]
