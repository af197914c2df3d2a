"""What steers a frame beside its prompt, as a configuration names it: ControlNets, image prompts, regions, adapters."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from .names import short
from .prompt import parse_prompt

LARGEST = 1e12  # number among the parameters of a preprocessor or an adapter


def path_text(value: Any) -> Any:
    """The text of a path; anything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _bounded(value: Any) -> Any:
    """Numbers of parameters, however deep, are finite and of a size that somebody may mean."""
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        _bounded(each)
    if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:
        raise ValueError(f"got {short(value)}, expected a finite number, at most {LARGEST:g} either way")
    return value


PathText = Annotated[str, BeforeValidator(path_text)]
Params = Annotated[dict[str, Any], AfterValidator(_bounded)]


class Frozen(BaseModel):
    """Settings that never change: a change makes new ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class ControlNetConfig(Frozen):
    """One ControlNet, ControlNet-Union or T2I-Adapter, and the preprocessor that makes its condition image."""

    model_id: PathText | None = None
    """Folder, hub id or .safetensors file; None means the ControlNet that the pipeline brought along."""
    control_mode: int | None = Field(None, ge=0, le=63)
    """Of a ControlNet-Union: the kind of the condition, as it numbers them. Entries with one model_id run as one."""
    conditioning_scale: float = Field(1.0, ge=0.0, le=4.0)
    """How strongly it steers; 0 switches it off without a rebuild."""
    preprocessor: str = "scribble"
    """none, canny, scribble, paint, palette, lineart, clean, softedge, invert, edges, depth or normal."""
    preprocessor_params: Params = Field(default_factory=dict)
    """Keyword arguments of the preprocessor."""
    enabled: bool = True
    """Switched off, it costs nothing and can be switched on again live."""
    control_guidance_start: float = Field(0.0, ge=0.0, le=1.0)
    """Fraction of the steps before which it does nothing."""
    control_guidance_end: float = Field(1.0, ge=0.0, le=1.0)
    """Fraction of the steps after which it does nothing."""

    @model_validator(mode="after")
    def _ordered(self) -> ControlNetConfig:
        if self.control_guidance_start > self.control_guidance_end:
            raise ValueError(
                f"control_guidance_start: got {self.control_guidance_start}, expected at most control_guidance_end "
                f"= {self.control_guidance_end}"
            )
        return self


class IPAdapterConfig(Frozen):
    """One image prompt: an IP-Adapter and the picture that it is shown."""

    model_id: PathText
    """Folder or hub id with the files of h94/IP-Adapter."""
    subfolder: str | None = None
    """Where in it the weights lie; None: where h94/IP-Adapter has those for the base model, models or sdxl_models."""
    weight_name: str | None = None
    """The .safetensors file there; None: the plain one for the base model, such as ip-adapter_sd15.safetensors."""
    image_encoder_folder: str | None = None
    """Where in model_id the image encoder lies; None: the image_encoder of h94/IP-Adapter that fits the weights."""
    image: PathText | None = None
    """The picture, a file; it is exchanged live. None: it waits for one, and does nothing."""
    scale: float = Field(1.0, ge=0.0, le=4.0)
    """How much the picture counts beside the prompt; it is changed live."""


class RegionConfig(Frozen):
    """A part of the picture with a prompt of its own."""

    where: PathText
    """A class of the palette (sky), a painted colour (#ff0000), or a picture file that is white there."""
    prompt: str = ""
    """What is there, in place of the main prompt; empty: the region waits, and does nothing."""
    strength: float = Field(1.0, ge=0.0, le=1.0)
    """How much it counts there, the rest being the main prompt's; 0 switches it off."""

    @property
    def colour(self) -> tuple[int, int, int] | None:
        """RGB, where it is a painted colour."""
        if not self.where.startswith("#"):
            return None
        red, green, blue = bytes.fromhex(self.where[1:])
        return red, green, blue

    @property
    def file(self) -> str | None:
        """The picture file, where it is one."""
        from .pictures import REFUSED_SUFFIXES, SUFFIXES  # who has no regions need not load what reads pictures

        name = self.where
        named = "/" in name or os.sep in name or name.lower().endswith((*SUFFIXES, *REFUSED_SUFFIXES))
        return name if named and not name.startswith("#") else None

    @field_validator("where")
    @classmethod
    def _readable(cls, where: str) -> str:
        if where.startswith("#") and not re.fullmatch("#[0-9a-fA-F]{6}", where):
            raise ValueError(f"got {short(where)}, expected a colour of six hexadecimal digits, such as #ff0000")
        if not where.strip():
            raise ValueError(f"got {short(where)}, expected a class (sky), a colour (#ff0000) or a picture file")
        return where

    @field_validator("prompt")
    @classmethod
    def _words(cls, prompt: str) -> str:
        named = parse_prompt(prompt).loras
        if named:
            raise ValueError(
                f"got <lora:{short(named[0][0])}>, expected words alone: a LoRA is for the whole picture, so name it "
                "in the main prompt"
            )
        return prompt


class AdapterConfig(Frozen):
    """One adapter that acts on frames on their way; its name alone will do."""

    name: PathText
    """A registered name, or FILE.py:CLASS; code of a file is run only where it was asked for (--adapter)."""
    params: Params = Field(default_factory=dict)
    """Keyword arguments of the adapter."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str | os.PathLike) else data
