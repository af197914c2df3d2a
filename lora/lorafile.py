"""Reading a LoRA: checked against the model it is meant for, before anything of the model is touched.

A LoRA (Hu et al., 2021, arXiv:2106.09685) adds ``scale * alpha / rank * B @ A`` to a weight. Here ``alpha / rank`` is
multiplied into A and B, so that what is left to be changed live is ``scale`` alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..stream.base.errors import InkstreamError, LoraError, ModelError, UnsafeWeightsError
from ..stream.base.quiet import quiet
from . import hub
from .describe import FAMILY_NAMES, unet_family
from .safety import Header, check_safetensors, refuse_pickle
from .styles import styles_of

MAX_LORA_BYTES = 8 * 2**30
MAX_RANK = 4096
COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
_TEXT_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
_OTHER_KINDS = {
    "lokr_": "LoKr",
    "hada_": "LoHa",
    "oft_": "OFT",
    "lora_mid": "Tucker-decomposed LoCon",
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "lora_embedding": "embedding LoRA",
}


@dataclass(frozen=True, eq=False)
class LoraFile:
    """A LoRA that was read and fits: for each component, ``module.lora_A.weight`` (r, in, ...) and ``lora_B`` (out, r).

    Tensors are float32 on the CPU, ``alpha / rank`` included.
    """

    source: str
    name: str
    tensors: dict[str, dict[str, Tensor]]


def read_lora(source: str | Path, pipe: Any) -> LoraFile:
    """Read a LoRA for a pipeline; the pipeline is only looked at, so this may run beside a live stream.

    ``source`` is the name of one of the model's own styles, a .safetensors file, a folder with one, ``owner/name`` or
    ``owner/name:file.safetensors``. Key formats: diffusers / PEFT, and kohya's (A1111), which diffusers converts.
    Raises UnsafeWeightsError for a format that can carry code, and LoraError for a file that is missing, damaged, holds
    NaN, is another kind of adapter (LoKr, LoHa, DoRA), or was made for another base model.
    """
    try:
        with quiet():
            path = _locate(source, styles_of(pipe))
            header = check_safetensors(path, MAX_LORA_BYTES)
            tensors = _to_peft(path, _read(path, header), _alphas(path, header), pipe)
            _check_fit(path, tensors, pipe)
    except (LoraError, UnsafeWeightsError):
        raise
    except ModelError as error:
        raise LoraError(str(error)) from error
    except Exception as error:  # diffusers answers strange keys with whatever its conversion stumbles over
        if isinstance(error, InkstreamError):
            raise
        reason = " ".join(str(error).split())[:300]
        raise LoraError(f"{source}: not a LoRA that can be read: {type(error).__name__}: {reason}") from error
    return LoraFile(str(source), _name_of(source), tensors)


def _locate(source: str | Path, own: Mapping[str, Path]) -> Path:
    """The file that a LoRA's name stands for; downloads a hub id that is not in the cache.

    ``own`` are the styles that the model brings, by name; ``./night`` is a folder, whatever they are.
    """
    text = str(source)
    if text in own:
        return own[text]
    path = Path(text).expanduser()
    if path.is_dir():
        choices = [path / hub.LORA_FILE] if (path / hub.LORA_FILE).is_file() else sorted(path.glob("*.safetensors"))
        if len(choices) != 1:
            raise LoraError(f"{path}: got a folder with {len(choices)} .safetensors files, expected one; name the file")
        return choices[0]
    refuse_pickle(text)
    if path.exists():
        return path
    repo_id, _, file = text.partition(":")
    if not hub.is_repo_id(repo_id) or (text.endswith(".safetensors") and not file):
        named = f"a style of this model ({', '.join(own)}), " if own else ""
        raise LoraError(
            f"{text}: no such file; expected {named}a .safetensors file, owner/name, or owner/name:file.safetensors"
        )
    return hub.fetch_file(*hub.split_file(text))


def _name_of(source: str | Path) -> str:
    repo_id, _, file = str(source).partition(":")
    text = Path(file or repo_id).name.removesuffix(".safetensors")
    return re.sub(r"\W+", "_", text).strip("_") or "lora"


def _read(path: Path, header: Header) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    for mark, kind in _OTHER_KINDS.items():
        if any(mark in name for name in header.tensors):
            raise LoraError(f"{path}: this is a {kind}, expected a plain LoRA; have it resized or merged into a LoRA")
    if not any("lora" in name for name in header.tensors):
        listed = ", ".join(list(header.tensors)[:3]) or "none"
        raise LoraError(
            f"{path}: no LoRA keys there (its keys: {listed}); expected keys with lora_A and lora_B in them"
        )
    tensors = load_file(path)
    for name, value in tensors.items():
        if not value.is_floating_point() and not name.endswith(".alpha"):
            raise LoraError(f"{path}: {name} is of type {value.dtype}, expected floating-point numbers")
        if not torch.isfinite(value).all():
            raise LoraError(f"{path}: {name} holds NaN or infinity; the training went wrong, or the file is damaged")
        tensors[name] = value.float()
    return _fold_kohya(path, tensors)


def _fold_kohya(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Multiply kohya's ``NAME.alpha`` into ``NAME.lora_down`` and ``NAME.lora_up``, and leave it out."""
    for key in [key for key in tensors if key.endswith(".alpha")]:
        alpha, stem = tensors.pop(key), key.removesuffix(".alpha")
        down, up = f"{stem}.lora_down.weight", f"{stem}.lora_up.weight"
        if down not in tensors or up not in tensors or alpha.numel() != 1:
            raise LoraError(f"{path}: {key} has no lora_down and lora_up beside it; the file is damaged")
        _multiply(tensors, down, up, alpha.item() / max(1, tensors[down].shape[0]))
    return tensors


def _multiply(tensors: dict[str, Tensor], down: str, up: str, ratio: float) -> None:
    # Half to each side: a small ratio on one side alone would sink it below float16's smallest numbers.
    root = math.sqrt(abs(ratio))
    tensors[down] = tensors[down] * root
    tensors[up] = tensors[up] * math.copysign(root, ratio)


def _alphas(path: Path, header: Header) -> dict[str, Any]:
    """The settings that diffusers writes beside the weights, as plain numbers and texts.

    They are not handed on: PEFT has settings that import modules, compile patterns, or change the base weights.
    """
    text = header.metadata.get("lora_adapter_metadata", "{}")
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoraError(f"{path}: damaged lora_adapter_metadata: {str(error)[:100]}") from error
    if not isinstance(settings, dict):
        raise LoraError(f"{path}: damaged lora_adapter_metadata: got a {type(settings).__name__}")
    for component in COMPONENTS:
        if settings.get(f"{component}.use_dora"):
            raise LoraError(f"{path}: this is a DoRA, expected a plain LoRA; have it merged into a LoRA")
    return settings


def _ratio(path: Path, settings: dict[str, Any], component: str, module: str, rank: int) -> float:
    """alpha / rank of one module, as PEFT defines it; 1 where nothing is written."""
    alpha = settings.get(f"{component}.lora_alpha")
    patterns = settings.get(f"{component}.alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise LoraError(f"{path}: damaged lora_adapter_metadata: alpha_pattern is not a table")
    for pattern, value in patterns.items():
        plain = str(pattern).removeprefix("^")
        if module == plain or module.endswith(f".{plain}"):
            alpha = value
    if alpha is None:
        return 1.0
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise LoraError(f"{path}: got alpha {alpha!r} for {module}, expected a number")
    return alpha / (math.sqrt(rank) if settings.get(f"{component}.use_rslora") else rank)


def _to_peft(
    path: Path, tensors: dict[str, Tensor], settings: dict[str, Any], pipe: Any
) -> dict[str, dict[str, Tensor]]:
    from diffusers.utils import (
        convert_state_dict_to_diffusers,
        convert_state_dict_to_peft,
        convert_unet_state_dict_to_peft,
    )

    sdxl = {"unet_config": pipe.unet.config} if unet_family(pipe.unet.config) == "sdxl" else {}
    converted, _ = type(pipe).lora_state_dict(dict(tensors), **sdxl)
    result: dict[str, dict[str, Tensor]] = {}
    for key, value in converted.items():
        component, _, rest = key.partition(".")
        if component not in COMPONENTS:
            raise LoraError(f"{path}: got the key {key!r}, expected one that begins with unet. or text_encoder.")
        result.setdefault(component, {})[rest] = value
    for component, state in result.items():
        if not any("lora_A" in key for key in state):
            if component == "unet":
                state = convert_unet_state_dict_to_peft(state)
            else:
                state = convert_state_dict_to_peft(convert_state_dict_to_diffusers(state))
        if component != "unet" and not hasattr(getattr(pipe, component, None), "text_model"):
            state = {key.removeprefix("text_model."): value for key, value in state.items()}
        result[component] = state
        for module in _modules(path, state):
            down, up = f"{module}.lora_A.weight", f"{module}.lora_B.weight"
            _multiply(state, down, up, _ratio(path, settings, component, module, state[down].shape[0]))
    return result


def _modules(path: Path, state: dict[str, Tensor]) -> list[str]:
    """Names of the modules that a state dict changes; raises LoraError when A and B do not come in pairs."""
    modules = [key.removesuffix(".lora_A.weight") for key in state if key.endswith(".lora_A.weight")]
    expected = {f"{module}.lora_{half}.weight" for module in modules for half in "AB"}
    odd = sorted(expected ^ state.keys())
    if odd or not modules:
        raise LoraError(f"{path}: got keys that are no pair of A and B ({', '.join(odd[:3])}); the file is damaged")
    return modules


def _check_fit(path: Path, tensors: dict[str, dict[str, Tensor]], pipe: Any) -> None:
    """Raise LoraError when a module is absent from the model or of another shape."""
    unet = pipe.unet.config
    base = FAMILY_NAMES[unet_family(unet)]
    for component, state in tensors.items():
        network = getattr(pipe, component, None)
        if network is None:
            raise LoraError(
                f"{path}: it changes a {component}, which {base} has not; it was made for another base model"
            )
        present = dict(network.named_modules())
        for module in _modules(path, state):
            layer: Any = present.get(module)
            layer = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
            down, up = state[f"{module}.lora_A.weight"], state[f"{module}.lora_B.weight"]
            if not isinstance(layer, nn.Linear | nn.Conv2d):
                raise LoraError(f"{path}: it changes {module}, which {base} has not; {_made_for(tensors)}")
            outputs, inputs, *kernel = layer.weight.shape
            rank = down.shape[0]
            if tuple(down.shape[1:]) != (inputs, *kernel) or tuple(up.shape) != (outputs, rank, *(1 for _ in kernel)):
                raise LoraError(
                    f"{path}: {module}: got A {list(down.shape)} and B {list(up.shape)} for a weight of "
                    f"{list(layer.weight.shape)} in this {base} model; {_made_for(tensors)}"
                )
            if not 1 <= rank <= MAX_RANK:
                raise LoraError(f"{path}: {module}: got rank {rank}, expected 1 to {MAX_RANK}")


def _made_for(tensors: dict[str, dict[str, Tensor]]) -> str:
    """Guess the base model from the width of the text that the cross attention takes."""
    for key, value in tensors.get("unet", {}).items():
        if key.endswith("attn2.to_k.lora_A.weight"):
            family = _TEXT_WIDTHS.get(value.shape[1])
            guess = f", {FAMILY_NAMES[family]} by its shapes" if family else ""
            return f"it was made for another base model{guess}"
    return "it was made for another base model"
