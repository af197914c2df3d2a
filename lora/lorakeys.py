"""The names of a LoRA's tensors, as a dozen programs write them, and the layers of a pipeline that they mean.

``lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight`` (kohya), ``unet.down_blocks.0.attentions.0.proj_in.
lora_A.weight`` (diffusers), ``base_model.model.down_blocks.0...`` (PEFT) and ``lora_unet_input_blocks_1_1_proj_in...``
(by the layout of the original code) are the same place. A name is never taken apart by guess: it is looked up among the
names that the layers of this pipeline go by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
# How names begin, and the component that this means; () where they do not say it. Longest first.
_BEGINNINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("text_encoders_clip_g_transformer", ("text_encoder_2",)),
    ("text_encoders_clip_l_transformer", ("text_encoder",)),
    ("cond_stage_model_transformer", ("text_encoder",)),
    ("model_diffusion_model", ("unet",)),
    ("base_model_model", ()),
    ("diffusion_model", ("unet",)),
    ("text_encoder_2", ("text_encoder_2",)),
    ("text_encoder_1", ("text_encoder",)),
    ("text_encoder", ("text_encoder",)),
    ("lora_unet", ("unet",)),
    ("lycoris", ()),
    ("lora_te1", ("text_encoder",)),
    ("lora_te2", ("text_encoder_2",)),
    ("lora_te", ("text_encoder",)),
    ("unet", ("unet",)),
    ("lora", ()),
    ("te1", ("text_encoder",)),
    ("te2", ("text_encoder_2",)),
    ("te", ("text_encoder",)),
)
# How names end: LAYER.PART, where .weight or .bias may follow, or the name that PEFT gave to the adapter.
_ENDING = re.compile(
    r"(?P<layer>.+?)[._](?P<part>lora_(?:A|B|down|up|mid)|lora(?:_linear_layer)?\.(?:down|up|mid)|alpha|dora_scale|"
    r"lora_magnitude_vector|hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2)|diff(?:_b)?)"
    r"(?:\.(?!(?:weight|bias)$)[^.]+)?(?:\.(?P<kind>weight|bias))?"
)
_PARTS = {
    "lora_A": "down",
    "lora_B": "up",
    "lora_mid": "mid",
    "dora_scale": "dora_scale",
    "lora_magnitude_vector": "magnitude",
    **{
        f"{before}{half}": half for before in ("lora_", "lora.", "lora_linear_layer.") for half in ("down", "up", "mid")
    },
}
# The text encoder's projections, as diffusers once called them.
_TEXT_ONCE = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}
# The parts of a ResNet block in the layout of the original code.
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def split(key: str) -> tuple[str, str] | None:
    """A key's layer, still by the file's name for it, and its part; None where no kind of LoRA has such a part.

    Parts: down, up, mid, up_bias, alpha, magnitude and dora_scale (DoRA), hada_* (LoHa), lokr_* (LoKr), diff, diff_b.
    """
    found = _ENDING.fullmatch(key)
    if found is None:
        return None
    part = _PARTS.get(found["part"], found["part"])
    if found["kind"] == "bias":
        return (found["layer"], "up_bias") if part == "up" else None
    return found["layer"], part


class Layers:
    """The layers of a pipeline's networks, by every name that files give them."""

    def __init__(self, pipe: Any) -> None:
        """Looks at the pipeline's networks, and keeps only their names."""
        self._places: dict[str, dict[str, str]] = {}  # component -> name with underscores -> path in the network
        for component in COMPONENTS:
            network = getattr(pipe, component, None)
            if network is not None:
                paths = [path.replace(".base_layer", "") for path, _ in network.named_modules() if path]
                others = _unet_names(network.config) if component == "unet" else _text_names
                self._places[component] = {
                    name.replace(".", "_"): path for path in paths for name in (*others(path), path)
                }

    def find(self, name: str) -> tuple[str, str] | None:
        """Component and dotted path of the layer that a file calls ``name``; None where the pipeline has none such."""
        components, rest = _component(name)
        for component in components or COMPONENTS:
            path = self._places.get(component, {}).get(rest)
            if path is not None:
                return component, path
        return None


def component_of(name: str) -> str | None:
    """The component that a layer's name says it belongs to; None where it does not say."""
    components, _ = _component(name)
    return components[0] if components else None


def _component(name: str) -> tuple[tuple[str, ...], str]:
    """What a name says of its component, and the rest of it, with underscores."""
    text = re.sub(r"[._]processor(?=[._])", "", name).replace(".", "_")
    components: tuple[str, ...] = ()
    for _ in range(3):  # base_model.model.unet..., unet.base_model.model...
        for beginning, meant in _BEGINNINGS:
            if text.startswith(f"{beginning}_"):
                text, components = text[len(beginning) + 1 :], components or meant
                break
        else:
            break
    return components, text


def _text_names(path: str) -> Iterator[str]:
    """Other names of a text encoder's layer: with and without ``text_model``, and as diffusers once called it."""
    bare = path.removeprefix("text_model.")
    stem, _, last = bare.rpartition(".")
    for name in (bare, f"{stem}.{_TEXT_ONCE[last]}") if last in _TEXT_ONCE else (bare,):
        yield from (name, f"text_model.{name}")


def _unet_names(config: Any) -> Any:
    """What gives other names of a UNet's layer: that of the original code, and ``to_out`` for ``to_out.0``."""
    each = config.layers_per_block
    levels = len(config.down_block_types)
    counts = [each] * levels if isinstance(each, int) else list(each)
    attends = ["CrossAttn" in kind for kind in config.up_block_types]

    def original(path: str) -> str | None:
        if path in _ENDS:
            return _ENDS[path]
        found = re.fullmatch(
            r"(down|up|mid)_block(?:s\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)(?:\.(.+))?", path
        )
        if found is None:
            return None
        way, block, kind, number, rest = found[1], int(found[2] or 0), found[3], int(found[4]), found[5]
        if kind == "resnets" and rest:
            first, _, more = rest.partition(".")
            rest = f"{_RESNET.get(first, first)}{'.' * bool(more)}{more}"
        if way == "mid":
            stem = f"middle_block.{2 * number if kind == 'resnets' else 1 + 2 * number}"
        elif way == "down":
            start = 1 + sum(counts[:block]) + block
            stem = f"input_blocks.{start + (counts[block] if kind == 'downsamplers' else number)}"
            stem += ".1" if kind == "attentions" else ".0"
            rest = rest.replace("conv", "op") if kind == "downsamplers" and rest else rest
        else:
            above = list(reversed(counts))
            start = sum(above[:block]) + block
            stem = f"output_blocks.{start + (above[block] if kind == 'upsamplers' else number)}"
            stem += {"resnets": ".0", "attentions": ".1"}.get(kind, ".2" if attends[block] else ".1")
        return f"{stem}.{rest}" if rest else stem

    def names(path: str) -> Iterator[str]:
        for name in filter(None, (path, original(path))):
            yield name
            if name.endswith(".to_out.0"):
                yield name.removesuffix(".0")

    return names
