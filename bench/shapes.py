"""Pipelines in the shapes of published models, with random weights: speed is measured without a download.

The shapes are the published configurations (``shapes/*.json``; ``sources`` names the repositories, ``parameters`` the
numbers of weights, ``base`` another shape that this one changes). ``ink-tiny`` is read from the embedded model, and
``sd15-quarter`` keeps the proportions of Stable Diffusion 1.5 at a sixteenth of its work, for a CPU. How fast a network
runs depends on its weights only where they make NaN or denormal numbers, and these do not.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn

from .. import models
from ..stream.base.errors import ConfigError
from ..stream.base.quiet import quiet

with quiet():  # that there is no torchvision is on purpose, and said at import
    from diffusers import (
        AutoencoderTiny,
        ControlNetModel,
        LCMScheduler,
        StableDiffusionControlNetPipeline,
        StableDiffusionPipeline,
        StableDiffusionXLControlNetPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


EMBEDDED = "ink-tiny"
SHAPES = Path(__file__).with_name("shapes")
PARTS = ("unet", "controlnet", "text_encoder", "text_encoder_2", "vae", "vae_kl", "scheduler", "parameters")
# Random numbers are drawn once and repeated. A prime length, so that they never line up with the rows of a matrix.
BLOCK = 4_194_301
TEXT_LENGTH = 77  # of CLIP


def shapes() -> dict[str, str]:
    """Names of the shapes, with what each is."""
    found = {EMBEDDED: "the embedded model"}
    for item in sorted(SHAPES.iterdir(), key=lambda item: item.name):
        if item.name.endswith(".json"):
            found[item.name.removesuffix(".json")] = json.loads(item.read_text("utf-8"))["about"]
    return found


def load_shape(name: str) -> dict[str, Any]:
    """The configuration of every part of a shape (see ``PARTS``); raises ConfigError for an unknown name."""
    if name == EMBEDDED:
        return _embedded()
    if name not in shapes():
        raise ConfigError(f"shape: got {name!r}, expected one of: {', '.join(shapes())}")
    shape = json.loads(SHAPES.joinpath(f"{name}.json").read_text("utf-8"))
    if "base" not in shape:
        return shape
    base = load_shape(shape["base"])
    changed = {part: {**base.get(part, {}), **shape.get(part, {})} for part in PARTS if part in base or part in shape}
    if "parameters" in shape:
        changed["parameters"] = shape["parameters"]
    return {**base, **shape, **changed}


def _embedded() -> dict[str, Any]:
    folder = files(models).joinpath(EMBEDDED)
    read = lambda *path: json.loads(folder.joinpath(*path).read_text("utf-8"))
    shape = {part: read(part, "config.json") for part in ("unet", "controlnet", "text_encoder", "vae")}
    return {"about": "the embedded model", "sources": [], "parameters": {}, **shape} | {
        "scheduler": read("scheduler", "scheduler_config.json")
    }


def random_pipeline(
    name: str,
    controlnets: int = 0,
    *,
    prediction_type: Literal["epsilon", "v_prediction"] | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Any:
    """A pipeline of diffusers in the shape called ``name`` (see ``shapes``) with random weights.

    With ``controlnets`` above 0 it is the ControlNet pipeline. The weights are the same every time.
    ``prediction_type`` replaces the published one. Tokens are bytes, so a prompt is as long as its text, at most 77.
    Raises ConfigError for an unknown shape.
    """
    shape = load_shape(name)
    fill = _Filler(dtype, torch.device(device))
    sdxl = "text_encoder_2" in shape
    text = shape["text_encoder"]
    tokenizer = byte_tokenizer()
    tokenizer.model_max_length = text["max_position_embeddings"]
    with quiet():
        parts: dict[str, Any] = {
            "vae": fill(AutoencoderTiny, shape["vae"]),
            "unet": fill(UNet2DConditionModel, shape["unet"]),
            "text_encoder": fill(CLIPTextModel, text),
            "tokenizer": tokenizer,
            "scheduler": _scheduler(shape["scheduler"], prediction_type),
        }
        if sdxl:
            parts |= {"text_encoder_2": fill(CLIPTextModelWithProjection, shape["text_encoder_2"])}
            parts |= {"tokenizer_2": byte_tokenizer(), "add_watermarker": False}
        else:
            parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        if controlnets:
            nets = [fill(ControlNetModel, shape["controlnet"]) for _ in range(controlnets)]
            parts["controlnet"] = nets if controlnets > 1 else nets[0]
        kinds: dict[Any, Any] = {
            (False, False): StableDiffusionPipeline,
            (False, True): StableDiffusionControlNetPipeline,
            (True, False): StableDiffusionXLPipeline,
            (True, True): StableDiffusionXLControlNetPipeline,
        }
        pipe = kinds[sdxl, bool(controlnets)](**parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def byte_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer that knows single bytes only: 514 tokens, no merges, 77 long."""
    letters = _byte_alphabet()
    vocab = {token: index for index, token in enumerate([*letters, *(f"{letter}</w>" for letter in letters)])}
    vocab |= {"<|startoftext|>": 512, "<|endoftext|>": 513}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=TEXT_LENGTH)


def _byte_alphabet() -> list[str]:
    """The 256 printable characters that stand for bytes in byte-level BPE (Radford et al., 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (chr(256 + index) for index in range(256 - len(printable)))
    return [chr(byte) if byte in printable else next(others) for byte in range(256)]


def without_weights(kind: Any, config: dict[str, Any]) -> Any:
    """A network of diffusers or transformers on the meta device: its sizes without its memory."""
    with quiet(), init_empty_weights(include_buffers=False):
        if kind in (CLIPTextModel, CLIPTextModelWithProjection):
            return kind(CLIPTextConfig(**config)).eval()
        return kind.from_config(config).eval()


class _Filler:
    """Builds a network without weights and gives it random ones, of a scale that keeps activations of order one."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(0)
        self._numbers = torch.randn(BLOCK, generator=generator).to(device, dtype)
        self._dtype = dtype
        self._place = 0  # where the next weight begins in the block, so that no two networks are the same

    def __call__(self, kind: Any, config: dict[str, Any]) -> Any:
        network = without_weights(kind, config)
        for module in network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                value = self._value(name, parameter)
                module.register_parameter(name, nn.Parameter(value, requires_grad=False))
        return network.to(self._numbers.device)  # the buffers

    def _value(self, name: str, parameter: Tensor) -> Tensor:
        shape, device = parameter.shape, self._numbers.device
        if parameter.ndim < 2:
            fill = 0.0 if "bias" in name else 1.0  # of norms
            return torch.full(shape, fill, dtype=self._dtype, device=device)
        value = torch.empty(shape, dtype=self._dtype, device=device)
        flat, done = value.view(-1), 0
        while done < flat.numel():
            part = self._numbers[self._place : self._place + flat.numel() - done]
            flat[done : done + len(part)] = part
            done += len(part)
            self._place = (self._place + len(part)) % BLOCK
        return value.mul_(shape[1:].numel() ** -0.5)


def _scheduler(config: dict[str, Any], prediction_type: str | None) -> LCMScheduler:
    """The schedule of any stream is made from these; whatever else a published scheduler holds is not used."""
    names = ("beta_start", "beta_end", "beta_schedule", "num_train_timesteps", "prediction_type")
    values = {name: config[name] for name in names if name in config}
    values |= {"prediction_type": prediction_type} if prediction_type else {}
    return LCMScheduler(**values, clip_sample=False, steps_offset=1)
