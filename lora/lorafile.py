"""Reading a LoRA: checked against the model it is meant for, before anything of the model is touched.

Every kind comes to one form (``lorakinds.Change``), so that what is left to be changed live is ``scale`` alone.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..stream.base.errors import LoraError, ModelError, UnsafeWeightsError
from ..stream.base.names import quoted
from ..stream.base.quiet import quiet
from . import hub
from .describe import FAMILY_NAMES, unet_family
from .inversion import BUNDLED, Embedding, bundled
from .locate import locate, word_of
from .lorakeys import COMPONENTS, Layers, component_of, split
from .lorakinds import Change, read_change
from .safety import Header, check_safetensors, read_table, read_tensors
from .styles import styles_of

log = logging.getLogger(__name__)
MAX_LORA_BYTES = 8 * 2**30
_TEXT_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
_OTHER_KINDS = {
    "oft_": "OFT",
    "boft_": "BOFT",
    "vera_lambda": "VeRA",
    "ia3_l": "IA3",
    ".on_input": "IA3",
    "lora_embedding_": "an embedding's LoRA",
    "lora_E": "AdaLoRA",
    ".w_norm": "trained normalisation layers",
    ".b_norm": "trained normalisation layers",
}
# Ways to begin a training that also change the weights below; what comes out is no difference to the model's own.
_OTHER_WEIGHTS = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, eq=False)
class LoraFile:
    """A LoRA that was read and fits: what it changes of each component, by the path of the layer in it. On the CPU."""

    source: str
    name: str
    changes: dict[str, dict[str, Change]]
    embeddings: tuple[Embedding, ...] = ()
    """Words that it brings along, as OneTrainer and A1111 bundle them."""


def read_lora(source: str | Path, pipe: Any) -> LoraFile:
    """Read a LoRA, DoRA, LoHa or LoKr for a pipeline, which is only looked at: this may run beside a live stream.

    ``source`` is the name of one of the model's own styles, a .safetensors file, a folder with one, ``owner/name`` or
    ``owner/name:file.safetensors``. What ``lorakeys`` and ``lorakinds`` list is read. Raises UnsafeWeightsError for a
    format that can carry code, and LoraError for a file that is missing, damaged, of another kind, does not fit the
    model, or holds numbers that no picture would survive.
    """
    try:
        with quiet():
            path = locate(source, styles_of(pipe))
            header = check_safetensors(path, MAX_LORA_BYTES)
            layers = _sorted(path, header, pipe)
            tensors, notes = read_tensors(path), _notes(path, header)
            changes: dict[str, dict[str, Change]] = {}
            for (component, module), keys in layers.items():
                parts = {part: tensors[key] for part, key in keys.items()}
                weight = _weight(path, pipe, component, module)
                try:
                    change = _change(parts, weight, notes, component, module)
                except LoraError as error:
                    raise LoraError(f"{path}: {component}.{module}: {error}{_made_for(header, pipe)}") from error
                changes.setdefault(component, {})[module] = change
            words = bundled(path, tensors, pipe)
    except (LoraError, UnsafeWeightsError):
        raise
    except ModelError as error:
        raise LoraError(str(error)) from error
    return LoraFile(str(source), word_of(source) or "lora", changes, words)


# --- which tensors change which layer


def _sorted(path: Path, header: Header, pipe: Any) -> dict[tuple[str, str], dict[str, str]]:
    """(component, path of the layer) -> part -> the file's key for it; raises LoraError for keys that mean nothing."""
    layers, names = Layers(pipe), {}
    odd: list[str] = []
    for key in header.tensors:
        if key.startswith(BUNDLED):
            continue
        found = split(key)
        if found is None:
            odd.append(key)
        else:
            names[key] = found
    _refuse_odd(path, odd, len(names))
    result: dict[tuple[str, str], dict[str, str]] = {}
    absent: dict[str, None] = {}
    for key, (name, part) in names.items():
        place = layers.find(name)
        if place is None:
            absent[name] = None
            continue
        other = result.setdefault(place, {}).setdefault(part, key)
        if other != key:
            raise LoraError(
                f"{path}: {quoted(other)} and {quoted(key)} mean the same tensor; expected one LoRA in a file"
            )
    if absent:
        base, name = _base(pipe), next(iter(absent))
        component = component_of(name)
        if component and getattr(pipe, component, None) is None:
            what = f"it changes a {component}, which {base} has not"
        else:
            total = len({name for name, _ in names.values()})
            what = f"it changes {quoted(name)}, which {base} has not ({len(absent)} of its {total} layers)"
        raise LoraError(f"{path}: {what}{_made_for(header, pipe)}")
    return result


def _refuse_odd(path: Path, odd: list[str], others: int) -> None:
    for key in odd:
        for mark, kind in _OTHER_KINDS.items():
            if mark in key:
                raise LoraError(f"{path}: got {quoted(key)}, a key of {kind}; expected a LoRA, DoRA, LoHa or LoKr")
    if not others:
        listed = ", ".join(map(quoted, odd[:3])) or "none"
        raise LoraError(f"{path}: no LoRA keys there (its keys: {listed}); expected some like NAME.lora_A.weight")
    if odd:
        raise LoraError(f"{path}: got the key {quoted(odd[0])}, expected only those of a LoRA, DoRA, LoHa or LoKr")


def _weight(path: Path, pipe: Any, component: str, module: str) -> Tensor:
    layer: Any = getattr(pipe, component).get_submodule(module)
    layer = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
    if not isinstance(layer, nn.Linear | nn.Conv2d) or getattr(layer, "groups", 1) != 1:
        kind = type(layer).__name__
        raise LoraError(
            f"{path}: it changes {component}.{module}, a {kind}; expected linear layers and convolutions only"
        )
    return layer.weight.detach().cpu()


# --- what the numbers are


def _notes(path: Path, header: Header) -> dict[str, Any]:
    """The settings that diffusers writes into a file, and PEFT beside it, as plain numbers and texts.

    They are not handed on: PEFT has settings that import modules, compile patterns, or change the base weights.
    """
    text = header.metadata.get("lora_adapter_metadata", "{}")
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoraError(f"{path}: damaged lora_adapter_metadata: {str(error)[:100]}") from error
    if not isinstance(settings, dict):
        raise LoraError(f"{path}: damaged lora_adapter_metadata: got a {type(settings).__name__}")
    beside = path.with_name(hub.PEFT_CONFIG)
    if path.name == hub.PEFT_FILE and beside.is_file():
        settings |= {f"{part}.{name}": value for part in COMPONENTS for name, value in read_table(beside).items()}
    elif path.name == hub.PEFT_FILE and not settings:
        log.warning("%s: no %s beside it, which says alpha; so it is taken to be the rank", path, beside.name)
    return settings


def _change(parts: dict[str, Tensor], weight: Tensor, notes: dict[str, Any], component: str, module: str) -> Change:
    if notes.get(f"{component}.use_dora") and not parts.keys() & {"magnitude", "dora_scale"}:
        raise LoraError("this is a DoRA, as its notes say, and has no magnitude; expected one, as PEFT saves it")
    start = notes.get(f"{component}.init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_OTHER_WEIGHTS):
        raise LoraError(f"it starts from changed weights ({quoted(start)}), expected a LoRA; PEFT can save it as one")
    return read_change(parts, weight, lambda rank: _ratio(notes, component, module, rank))


def _ratio(notes: dict[str, Any], component: str, module: str, rank: int | None) -> float:
    """alpha / rank of one module, as PEFT defines it; 1 where nothing is written."""
    alpha = notes.get(f"{component}.lora_alpha", notes.get(f"{component}.alpha"))  # PEFT's name for LoRA, for others
    patterns = notes.get(f"{component}.alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise LoraError("its notes are damaged: alpha_pattern is not a table")
    for pattern, value in patterns.items():
        plain = str(pattern).removeprefix("^")
        if module == plain or module.endswith(f".{plain}"):
            alpha = value
    rank = notes.get(f"{component}.r") if rank is None else rank
    if alpha is None or rank is None:
        return 1.0
    for name, number in (("alpha", alpha), ("rank", rank)):
        if isinstance(number, bool) or not isinstance(number, int | float) or not -1e300 < number < 1e300:
            raise LoraError(f"its notes say {name} {str(number)[:40]!r}, expected a number")
    return alpha / (math.sqrt(rank) if notes.get(f"{component}.use_rslora") else rank)


# --- what can be said of a file that does not fit


def _base(pipe: Any) -> str:
    return f"this {FAMILY_NAMES[unet_family(pipe.unet.config)]} model"


def _made_for(header: Header, pipe: Any) -> str:
    """What a file that does not fit says of the model that it was made for, behind a semicolon; "" where nothing."""
    ours = pipe.unet.config.cross_attention_dim
    for key, (_, shape) in header.tensors.items():
        name, part = split(key) or ("", "")
        if part == "down" and name.replace(".", "_").endswith("attn2_to_k") and len(shape) > 1 and shape[1] != ours:
            family = _TEXT_WIDTHS.get(shape[1])
            like = f" ({FAMILY_NAMES[family]})" if family else ""
            return f"; it was made for another base model, which takes texts of width {shape[1]}{like}, not {ours}"
    for note in ("ss_base_model_version", "modelspec.architecture"):
        if note in header.metadata:
            return f"; its notes name its base model: {quoted(header.metadata[note])}"
    return ""
