"""One frozen configuration: Python, the command line and YAML all build it, and a change makes a new one.

Parameter names are StreamDiffusion's where it has the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from .blends import NegativePrompt, Prompt, Seed, texts_of
from .conditioning import (
    AdapterConfig,
    ControlNetConfig,
    Frozen,
    IPAdapterConfig,
    PathText,
    RegionConfig,
    path_text,
)
from .errors import ConfigError
from .names import did_you_mean, short
from .prompt import parse_prompt
from .wording import ours

CfgType = Literal["none", "full", "self", "initialize"]
Mode = Literal["img2img", "txt2img", "sketch", "paint"]
_Named = Literal["auto", "eager", "compile", "onnxruntime", "openvino", "tensorrt", "none", "xformers"]
_OpenVino = Literal["openvino:cpu", "openvino:gpu", "openvino:npu"]
_Onnx = Literal["onnxruntime:cpu", "onnxruntime:cuda", "onnxruntime:tensorrt"]
_OnnxElsewhere = Literal["onnxruntime:directml", "onnxruntime:coreml"]
Acceleration = Literal[_Named, _OpenVino, _Onnx, _OnnxElsewhere]
FROM_PICTURE: tuple[Mode, ...] = ("img2img", "paint")
MOST_CHUNKS = 8  # of a prompt
STEADY = 50.0  # the steadiness that auto stands for, where pictures go on from each other
BY_PATH = ("lora_dict", "textual_inversion")  # settings whose keys are the names of files
# Settings that are lists: each item of a change is a partial mapping for the item of the same position.
BY_PLACE: dict[str, type[BaseModel]] = {
    "controlnets": ControlNetConfig,
    "ip_adapters": IPAdapterConfig,
    "regions": RegionConfig,
}
# What others call a setting, and a precision.
_ELSEWHERE = {"torch_dtype": "dtype", "lora": "lora_dict", "loras": "lora_dict", "lora_scale": "lora_dict"}
_DTYPES = {"fp32": "float32", "float": "float32", "fp16": "float16", "half": "float16", "bf16": "bfloat16"}
DEFAULT_T_INDEX = {"img2img": (32, 45), "txt2img": (0, 16, 32, 45), "sketch": (0, 25), "paint": (36, 44)}


def _torch_text(value: Any) -> Any:
    """``torch.float16`` and ``torch.device("cuda", 1)`` by their names; torch itself is not needed for that."""
    return str(value).removeprefix("torch.") if type(value).__module__ == "torch" else value


def _dtype_text(value: Any) -> Any:
    """The names that diffusers and PyTorch have for a precision, too."""
    text = _torch_text(value)
    return _DTYPES.get(text.lower(), text) if isinstance(text, str) else text


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


class StreamConfig(Frozen):
    """Everything that affects a picture."""

    # --- what is drawn
    prompt: Prompt = ""
    """Text, or a blend of texts: [(text, weight), ...]. (words:1.3), word++ and <lora:name:0.8> are read."""
    negative_prompt: NegativePrompt = ""
    """What the picture should not be; used by cfg_type full and initialize."""
    prompt_interpolation_method: Literal["linear", "slerp"] = "slerp"
    """How prompts are blended."""
    normalize_prompt_weights: bool = True
    """Weights of a blend are shares of their sum; off: a blend is as many times as long as their sum."""
    prompt_chunks: int = Field(1, ge=1, le=MOST_CHUNKS)
    """How many times the text encoder's length (75 tokens for CLIP) a prompt may have; BREAK begins the next."""
    prompt_transition_frames: int = Field(0, ge=0, le=10_000)
    """Over how many frames a changed prompt fades in; 0 means at once."""
    seed: Seed = 2
    """Seed of the fixed noise; -1 draws one. Or a blend of seeds: [(seed, weight), ...]."""
    complete_prompt: bool = False
    """What the prompt leaves open is drawn by the seed, in the model's own words; in modes sketch and txt2img."""
    guess_prompt: bool = True
    """An empty prompt is guessed from the drawing, where the model brings a reader; in mode sketch."""
    guessed: NegativePrompt = ""
    """What stands for the empty prompt: what was guessed last. It is set while pictures go on."""
    seed_interpolation_method: Literal["linear", "slerp"] = "linear"
    """How the noise of seeds is blended."""
    normalize_seed_weights: bool = True
    """Blended noise has the strength of one; off: as strong as the weights make it."""
    drawing_influence: float = Field(50.0, ge=0.0, le=100.0)
    """0: the prompt decides. 50: as configured. 100: the drawing decides."""

    # --- the loop
    mode: Mode = "img2img"
    """What frames start from: img2img: themselves; paint: painted colours; sketch: fixed noise; txt2img: new noise."""
    t_index_list: tuple[int, ...] = ()
    """Indices into the num_inference_steps timesteps; higher stays closer to the input. Empty: the mode's own."""
    num_inference_steps: int = Field(50, ge=1, le=1000)
    """Length of the timestep list that t_index_list points into."""
    scheduler: Literal["lcm", "turbo"] = "lcm"
    """Step rule: lcm (consistency models and LCM-LoRA) or turbo (SD-Turbo, SDXL-Turbo)."""
    cfg_type: CfgType = "self"
    """Guidance: none, full, or the residual guidances self and initialize (RCFG)."""
    guidance_scale: float = Field(1.2, ge=0.0, le=30.0)
    """Weight of guidance; 1 or less means none."""
    delta: float = Field(1.0, ge=0.0, le=10.0)
    """Moderates the virtual residual noise of self and initialize."""
    do_add_noise: bool = True
    """Add the frame's noise again between two steps."""
    use_denoising_batch: bool = True
    """Run all steps of successive frames as one batch; off: each frame goes through all steps at once."""
    settle_steps: int = Field(0, ge=0, le=50)
    """When the hand rests, the last frame of a live source is rendered once more, in so many steps; 0: it is not."""
    frame_buffer_size: int = Field(1, ge=1, le=64)
    """Frames that enter together."""
    width: int = Field(512, ge=64, le=4096)
    """Width of the picture in pixels; where neither side is given, both are those that the model was trained on."""
    height: int = Field(512, ge=64, le=4096)
    """Height of the picture in pixels."""
    fit: Literal["crop", "letterbox", "stretch"] = "crop"
    """How a frame of another shape is fitted."""

    # --- conditioning
    controlnets: tuple[ControlNetConfig, ...] = ()
    """ControlNets, in order."""
    ip_adapters: tuple[IPAdapterConfig, ...] = Field((), max_length=8)
    """Image prompts, each an IP-Adapter with its picture, in order."""
    regions: tuple[RegionConfig, ...] = Field((), max_length=8)
    """Parts of the picture with prompts of their own: by class, painted colour or mask."""
    paper: Literal["as-is", "undecided"] = "as-is"
    """undecided: unpainted paper is left to the model instead of coming out as snow."""
    steadiness: Literal["auto"] | Annotated[float, Field(ge=0.0, le=100.0)] = "auto"
    """How firmly the picture stays where nothing changed, or goes along; auto: 50 where pictures go on, else 0."""
    adapters: tuple[AdapterConfig, ...] = ()
    """What else acts on frames on their way, in order: names, or FILE.py:CLASS that --adapter allows."""

    # --- weights
    lora_dict: Annotated[dict[PathText, float], BeforeValidator(_or_empty)] = Field(default_factory=dict)
    """LoRAs by path, hub id, or name of a style that the model brings, with scales that can be changed live."""
    lora_folder: PathText | None = None
    """Folder with LoRAs that a prompt may name, as in <lora:name:0.8>, beside those of lora_dict and the model."""
    textual_inversion: Annotated[dict[PathText, str], BeforeValidator(_or_empty)] = Field(default_factory=dict)
    """Words that files teach the text encoders, by path or hub id ("" for the file's own); more may be added live."""
    fuse_lora: bool = False
    """Merge the LoRAs into the weights: a little faster, but their scales cannot be changed live."""
    use_lcm_lora: bool = False
    """Load the LCM-LoRA that belongs to the base model."""
    lcm_lora_id: PathText | None = None
    """Another LCM-LoRA than the base model's own."""
    use_tiny_vae: bool = True
    """Use TAESD in place of the model's own autoencoder, where vae_id names no other."""
    vae_id: PathText | None = None
    """Another autoencoder, tiny or not: a folder or hub id in diffusers layout."""
    prediction_type: Literal["auto", "epsilon", "v_prediction"] = "auto"
    """What the model predicts; auto: what the model says, or what its weights look like."""

    # --- running
    acceleration: Acceleration = "auto"
    """The engine: auto is the fastest; a named one runs or says why it cannot. none and xformers mean eager."""
    device: Annotated[str, BeforeValidator(_torch_text)] = "auto"
    """auto, cpu, cuda, cuda:1, mps; or a torch.device."""
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16", "int8", "float8"], BeforeValidator(_dtype_text)
    ] = "auto"
    """Precision of networks, also a torch.dtype; the loop itself is float32. int8, float8: inkstream quantize first."""
    warmup: int = Field(2, ge=0, le=100)
    """Steps run before the first frame, so that it does not wait for caches."""
    engine_dir: PathText | None = None
    """Where built engines are kept; None is the user's cache folder."""

    # --- the gate
    similar_image_filter_threshold: float | None = Field(0.998, gt=0.0, le=1.0)
    """A frame whose most changed tile is more similar than this to the last rendered frame costs nothing; None: off."""
    similar_image_filter_max_skip_frame: int | None = Field(None, ge=1, le=10**9)
    """Render an unchanged frame all the same after this many; None: never."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("t_index_list") in (None, (), []):
            mode = data.get("mode", "img2img")
            data = {**data, "t_index_list": DEFAULT_T_INDEX["img2img"]}
            if isinstance(mode, str):
                data["t_index_list"] = DEFAULT_T_INDEX.get(mode, data["t_index_list"])
        return data

    @model_validator(mode="after")
    def _consistent(self) -> StreamConfig:
        steps = self.t_index_list
        if any(a >= b for a, b in pairwise(steps)):
            raise ValueError(f"t_index_list: got {short(list(steps))}, expected strictly increasing indices")
        if steps[0] < 0 or steps[-1] >= self.num_inference_steps:
            raise ValueError(
                f"t_index_list: got {short(list(steps))}, expected indices from 0 to num_inference_steps - 1 "
                f"= {self.num_inference_steps - 1}"
            )
        prompts = {f"regions.{index}.prompt": each.prompt for index, each in enumerate(self.regions)}
        prompts |= {"prompt": self.prompt, "guessed": self.guessed, "negative_prompt": self.negative_prompt}
        for name, prompt in prompts.items():
            parts = max(len(parse_prompt(text).parts) for text in texts_of(prompt))
            if parts > self.prompt_chunks:
                raise ValueError(
                    f"{name}: got BREAK, which makes {parts} parts of it, expected at most prompt_chunks = "
                    f"{self.prompt_chunks}; set prompt_chunks (up to {MOST_CHUNKS})"
                )
        return self

    @classmethod
    def build(cls, **values: Any) -> StreamConfig:
        """Make a configuration; raises ConfigError that names each wrong setting, what was got and what to do."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(*(f"{path}: {text}" for path, text in explain(cls, error))) from None

    @classmethod
    def merged(cls, config: StreamConfig | None, settings: Mapping[str, Any]) -> StreamConfig:
        """``config`` with ``settings`` in place of its own; ``model_fields_set`` goes on saying which were given.

        Raises ConfigError.
        """
        if config is not None and not isinstance(config, cls):
            raise ConfigError(
                f"config: got {short(config)}, expected a {cls.__name__}; settings are given by name (prompt=...), and "
                f'load_config("ink-tiny").stream gives those of a preset'
            )
        given = {name: getattr(config, name) for name in config.model_fields_set} if config is not None else {}
        return cls.build(**{**given, **settings})

    def changed(self, **changes: Any) -> StreamConfig:
        """A new configuration with these settings changed. None is set where a setting may be None, such as
        ``similar_image_filter_threshold``; any other it leaves as it is.

        ``controlnets``, ``ip_adapters`` and ``regions`` may be lists of partial mappings (None for one that stays):
        each changes the one of the same position; an empty list takes all away. ``lora_dict`` changes the scales of the
        LoRAs it names, ``textual_inversion`` adds words. Raises ConfigError and changes nothing when a name or value is
        wrong.
        """
        values = self.model_dump()
        for name, value in changes.items():
            if value is None and name in values and not may_be_none(type(self), name):
                continue
            if (
                name in BY_PLACE
                and isinstance(value, list | tuple)
                and value
                and all(item is None or isinstance(item, dict) for item in value)
            ):
                value = _merge_parts(BY_PLACE[name], values[name], value)
            elif name in BY_PATH and isinstance(value, dict):
                value = {**values[name], **{path_text(path): each for path, each in value.items()}}
            elif name == "mode" and "t_index_list" not in changes and value != self.mode:
                values["t_index_list"] = ()
            values[name] = value
        return type(self).build(**values)

    @property
    def from_picture(self) -> bool:
        """Whether frames start from a picture, as noisy as the first step is, and not from noise alone."""
        return self.mode in FROM_PICTURE

    @property
    def guesses(self) -> bool:
        """Whether an empty prompt is guessed from drawings."""
        return self.guess_prompt and self.mode == "sketch" and isinstance(self.prompt, str) and not self.prompt.strip()

    @property
    def told(self) -> str | tuple[tuple[str, float], ...]:
        """The prompt, or what was guessed in its place."""
        return self.guessed if self.guesses else self.prompt

    def changes_to(self, other: StreamConfig) -> dict[str, Any]:
        """What ``changed`` must be told for these settings to become ``other``; empty where they are the same.

        A LoRA that ``other`` does not name gets the scale 0, and words that were added stay.
        """
        names = [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
        changes = {name: getattr(other, name) for name in names}
        if "mode" in changes:
            changes["t_index_list"] = other.t_index_list  # else it would get the mode's own
        if "lora_dict" in changes:
            changes["lora_dict"] = {**dict.fromkeys(self.lora_dict, 0.0), **other.lora_dict}
        return changes


def _merge_parts(model: type[BaseModel], old: list[dict[str, Any]], new: Any) -> list[dict[str, Any]]:
    merged = [dict(item) for item in old]
    for index, change in enumerate(new):
        if index >= len(merged):
            merged.append(change or {})
        elif change:
            kept = {key for key, value in change.items() if value is None and not may_be_none(model, key)}
            merged[index].update({key: value for key, value in change.items() if key not in kept})
    return merged


def may_be_none(model: type[BaseModel], name: str) -> bool:
    """Whether a setting may be None: then a change to None sets it, and otherwise leaves it as it is."""
    field = model.model_fields.get(name)
    return field is not None and type(None) in get_args(field.annotation)


def explain(model: type[BaseModel], error: ValidationError) -> list[tuple[str, str]]:
    """Say each fault of a validation in this project's words: [(path of the setting, got / expected), ...]."""
    faults = []
    found = error.errors()
    for fault in found:
        parts = list(fault["loc"])
        if fault["type"] == "too_short" and any(
            len(each["loc"]) > len(parts) and list(each["loc"])[: len(parts)] == parts for each in found
        ):
            continue  # pydantic counts only those items that have no fault of their own
        text = f"got {short(fault['input'])}, {ours(fault['msg'])}"
        if fault["type"] == "extra_forbidden":
            names = _owner(model, parts).model_fields
            meant = _ELSEWHERE.get(str(parts[-1]))
            hint = f"; did you mean {meant!r}?" if meant in names else did_you_mean(parts[-1], names)
            text = f"unknown setting{hint or '; known are: ' + ', '.join(names)}"
        elif fault["type"] == "missing":
            text = "is missing, expected a value"
        elif fault["type"] == "value_error":
            text = "; ".join(str(fault.get("ctx", {}).get("error", fault["msg"])).split("\n"))
            name, colon, rest = text.partition(": ")
            whole, *within = name.split(".")
            if colon and whole in _owner(model, [*parts, whole]).model_fields:  # a check of several settings at once
                parts, text = ([*parts, whole, *within] if parts[-1:] != [name] else parts), rest
        path = ".".join(str(part) for part in parts)
        faults.append((path or "configuration", text))
    return faults


def _owner(model: type[BaseModel], path: list[Any]) -> type[BaseModel]:
    """The model that holds the setting at the end of a path."""
    for part in path[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            found: list[Any] = [model.model_fields[part].annotation]
            while found and not (isinstance(found[0], type) and issubclass(found[0], BaseModel)):
                found = [*found[1:], *get_args(found[0])]
            model = found[0] if found else model
    return model


def settings() -> dict[str, str]:
    """Names of all settings with their descriptions."""
    return {name: info.description or "" for name, info in StreamConfig.model_fields.items()}
