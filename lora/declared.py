"""What the configurations of a model may declare: no code, no other files, and no sizes that its weights do not have.

diffusers and transformers look into them at every depth, so they are checked at every depth, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ..stream.base.errors import ModelError, UnsafeWeightsError

# Keys, without underscores in front, by which a library imports something, fetches code, or opens other files than
# those that were checked. A value that is empty asks for nothing.
_CODE = frozenset(
    {
        *("auto_map", "trust_remote_code", "code_revision", "custom_pipeline", "custom_pipelines", "custom_generate"),
        *("quantization_config", "attn_implementation", "attn_implementation_internal"),
        *("experts_implementation", "experts_implementation_internal"),
        *("use_kernels", "kernel_config", "kernels", "hub_kernels"),
        *("transformers_weights", "configuration_files", "fast_tokenizer_files", "gguf_file", "init_inputs"),
        *("tokenizer_object", "peft_config", "adapter_config", "base_model_name_or_path"),
    }
)
_PLAIN_ATTENTION = ("eager", "sdpa")  # what PyTorch itself brings
MAX_LIST = 64  # entries: a network has one for each of its blocks
MAX_NUMBER = 2**20
MAX_TIMESTEPS = 100_000
# How many layers of a kind are built, by the key that says so; each of them has weights.
_BLOCKS = ("block_out_channels", "encoder_block_out_channels", "down_block_types")
_LAYERS = ("num_hidden_layers", "layers_per_block", "num_layers", "num_encoder_blocks", "num_decoder_blocks")
_INNER = ("transformer_layers_per_block", "reverse_transformer_layers_per_block")
# All that decides CLIP's text encoder.
_TEXT = frozenset(
    {
        *("vocab_size", "hidden_size", "intermediate_size", "projection_dim", "num_hidden_layers"),
        *("num_attention_heads", "max_position_embeddings", "hidden_act", "layer_norm_eps", "attention_dropout"),
        *("initializer_range", "initializer_factor", "pad_token_id", "bos_token_id", "eos_token_id"),
    }
)


# All that decides CLIP's image encoder, beside what the text encoder has.
_VISION = (_TEXT - {"vocab_size", "max_position_embeddings", "pad_token_id", "bos_token_id", "eos_token_id"}) | {
    "image_size",
    "patch_size",
    "num_channels",
}


def refuse_code(config: Any, path: Path) -> None:
    """Raise UnsafeWeightsError when a configuration asks for code or for files of its own choice, at any depth."""
    for place, value in _walk(config):
        key = str(place[-1]).lower().lstrip("_") if place else ""
        if key not in _CODE or not value or (key.startswith("attn") and value in _PLAIN_ATTENTION):
            continue
        name = ".".join(map(str, place))[-120:]
        raise UnsafeWeightsError(f"{path}: got {name!r}, by which a model brings code along; expected a plain model")


def check_sizes(config: dict[str, Any], path: Path, tensors: int) -> None:
    """Raise ModelError when a network's configuration asks for more than its weights, ``tensors`` of them, can fill."""
    for place, value in _walk(config):
        name = ".".join(map(str, place))[-120:]
        if isinstance(value, list | dict) and len(value) > (MAX_LIST if place else 10 * MAX_LIST):
            raise ModelError(f"{path}: {name}: got {len(value):,} entries, expected at most {MAX_LIST}")
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise ModelError(f"{path}: {name}: got {_digits(value)}, expected at most {MAX_NUMBER:,}")
    blocks = max((len(value) for key in _BLOCKS if isinstance(value := config.get(key), list)), default=1)
    inner = max((*chain(*(_counts(config.get(key)) for key in _INNER)), 1))
    for key in _LAYERS:
        counts = _counts(config.get(key))
        layers = (sum(counts) if isinstance(config.get(key), list) else blocks * sum(counts)) * inner
        if layers > tensors:
            raise ModelError(
                f"{path}: {key}: got {layers:,} layers in all, and its weights hold {tensors:,} tensors; the two "
                f"do not belong together: fetch the model again"
            )


def check_scheduler(config: dict[str, Any], path: Path) -> None:
    """Raise ModelError for a scheduler's configuration with absurd lengths."""
    steps = config.get("num_train_timesteps", 1000)
    if type(steps) is not int or not 1 <= steps <= MAX_TIMESTEPS:
        shown = _digits(steps) if isinstance(steps, int) else repr(steps)[:40]
        raise ModelError(f"{path}: num_train_timesteps: got {shown}, expected 1 to {MAX_TIMESTEPS:,}")
    betas = config.get("trained_betas")
    if betas is not None and not (isinstance(betas, list) and len(betas) == steps):
        got = f"{len(betas):,} numbers" if isinstance(betas, list) else repr(betas)[:40]
        raise ModelError(f"{path}: trained_betas: got {got}, expected {steps:,}, one for each timestep")


def text_settings(config: dict[str, Any]) -> dict[str, Any]:
    """What of a text encoder's configuration decides it; nothing else of it reaches transformers.

    A configuration of a whole CLIP has them under ``text_config``.
    """
    inner = config.get("text_config")
    return {key: value for key, value in (inner if isinstance(inner, dict) else config).items() if key in _TEXT}


def vision_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The same of an image encoder's configuration; one of a whole CLIP has them under ``vision_config``."""
    inner = config.get("vision_config")
    return {key: value for key, value in (inner if isinstance(inner, dict) else config).items() if key in _VISION}


def _walk(config: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of a configuration with the way to it, outermost first."""
    left: list[tuple[tuple[Any, ...], Any]] = [((), config)]
    while left:
        place, value = left.pop()
        yield place, value
        if isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            left.extend(((*place, key), inner) for key, inner in pairs)


def _counts(value: Any) -> list[int]:
    """The whole numbers in a value of any depth."""
    return [number for _, number in _walk(value) if type(number) is int and number > 0]


def _digits(value: int) -> str:
    return f"{value:,}" if abs(value) < 10**18 else f"a number of {len(str(abs(value)))} digits"
