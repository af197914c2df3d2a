"""Which network a bench runs: a preset's own model, or a published shape with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer

from .. import engines
from ..lora.devices import resolve_device, resolve_dtype
from ..stream.base.config import ControlNetConfig, StreamConfig
from ..stream.base.configfile import RunConfig, parse_config, parse_set
from ..stream.base.errors import ConfigError, EngineError
from ..stream.base.frame import Size
from ..stream.base.options import PICTURE, ConfigOption, SetOption, load_run
from ..stream.base.results import Row
from .shapes import random_pipeline, shapes

PROMPT = "a red car"
ShapeOption = Annotated[
    str | None,
    typer.Option(
        "--shape",
        metavar="NAME",
        rich_help_panel=PICTURE,
        help="Random weights in a published shape, without a download: ink-tiny, sd15, sd15-quarter, sd-turbo, sd21, "
        "sdxl or sdxl-turbo.",
    ),
]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Threads of PyTorch on the CPU.")]
CpuTimeOption = Annotated[
    bool, typer.Option("--cpu-time", help="Count CPU time of one thread: for a CPU that others keep busy.")
]


class Models:
    """Pipelines by their number of ControlNets, each loaded or built once."""

    def __init__(self, run: RunConfig, shape: str | None = None) -> None:
        """Raises ConfigError for an unknown shape, or a device that is not there."""
        if shape is not None and shape not in shapes():
            raise ConfigError(f"--shape: got {shape!r}, expected one of: {', '.join(shapes())}")
        self.run, self.shape = run, shape
        self.device = resolve_device(run.stream)
        self.dtype = resolve_dtype(run.stream, self.device)
        self._pipes: dict[int, Any] = {}

    def pipe(self, config: StreamConfig) -> Any:
        """The pipeline for a configuration."""
        count = len(config.controlnets)
        if count not in self._pipes:
            if self.shape is None:
                from ..lora.load import load_pipeline

                self._pipes[count] = load_pipeline(self.run.model, config)
            else:
                self._pipes[count] = random_pipeline(self.shape, count, dtype=self.dtype, device=self.device)
        return self._pipes[count]

    def in_dtype(self, dtype: str) -> Models:
        """The same in another precision (a name of ``StreamConfig.dtype``), with networks of its own."""
        if dtype == str(self.dtype).removeprefix("torch."):
            return self
        stream = self.run.stream.changed(dtype=dtype)
        return Models(self.run.model_copy(update={"stream": stream}), self.shape)

    def variant(
        self,
        *,
        engine: str | None = None,
        steps: int | None = None,
        size: Size | None = None,
        cfg_type: str | None = None,
        controlnets: int | None = None,
        **more: Any,
    ) -> StreamConfig:
        """The configuration with some settings changed, and without warm-up, because a bench warms up by itself.

        A guidance that would be none, because its scale is 1 or less, gets a scale of 1.2. ControlNets beyond those
        of the configuration are copies of its last one; without any, ``sketch`` becomes ``img2img``.
        """
        base = self.run.stream
        changes: dict[str, Any] = {"warmup": 0, **more}
        if self.shape is not None:  # no LoRA fits random weights, and its tokens are bytes, of which few fit in
            changes |= {"prompt": PROMPT, "negative_prompt": "", "lora_dict": {}, "use_lcm_lora": False}
        if engine is not None:
            changes["acceleration"] = engine
        if steps is not None and steps != len(base.t_index_list):
            changes["t_index_list"] = spread(steps, base.num_inference_steps)
        if size is not None:
            changes |= {"width": size.width, "height": size.height}
        if cfg_type is not None:
            changes["cfg_type"] = cfg_type
            if cfg_type != "none":
                changes["guidance_scale"] = base.guidance_scale if base.guidance_scale > 1 else 1.2
        if controlnets is not None:
            changes["controlnets"] = self._controlnets(controlnets)
            if not controlnets and base.mode == "sketch":
                changes |= {"mode": "img2img", "t_index_list": changes.get("t_index_list", base.t_index_list)}
        # Not ``changed``, which would merge lists of ControlNets.
        return StreamConfig.build(**{**dict(base), **changes})

    def _controlnets(self, count: int) -> list[ControlNetConfig]:
        own = list(self.run.stream.controlnets)
        if not count and own and self.shape is None:
            return [own[0].model_copy(update={"enabled": False})]  # a model brings its own unless one is named
        own = own or [ControlNetConfig.model_validate({})]
        return (own + own[-1:] * count)[:count]

    def describe(self, stream: StreamConfig) -> dict[str, Any]:
        """For the result: what was run, and under which settings."""
        weights = f"{self.shape}, random weights" if self.shape else self.run.model
        about = {"model": weights, "device": str(self.device), "dtype": str(self.dtype).removeprefix("torch.")}
        return {**about, "stream": stream.model_dump(mode="json")}


def chosen_models(config: ConfigOption = "ink-tiny", shape: ShapeOption = None, sets: SetOption = None) -> Models:
    """Those that a command line asks for; raises ConfigError."""
    return Models(load_run(config, sets), shape)


def plain_run(shape: str, size: Size, sets: list[str] | None = None) -> RunConfig:
    """The usual settings at a size, with ``--set`` on top: for benches of shapes alone; raises ConfigError."""
    overrides = dict(parse_set(text) for text in sets or [])
    return parse_config(f"model: {shape}", "bench", {"width": size.width, "height": size.height, **overrides})


def spread(steps: int, total: int) -> tuple[int, ...]:
    """``steps`` indices into ``total`` timesteps, evenly; raises ConfigError when there are not as many."""
    if not 1 <= steps <= total:
        raise ConfigError(f"--steps: got {steps}, expected 1 to num_inference_steps = {total}")
    return tuple(number * total // steps for number in range(steps))


def engine_named(name: str, device: torch.device) -> tuple[str, str]:
    """The engine that a name of ``acceleration`` stands for on a device, and why it cannot run here (empty: it can).

    Raises ConfigError for a name that no engine has.
    """
    plain = engines.ALIASES.get(name, name).partition(":")[0]
    if plain not in ("auto", *engines.names()):
        known = ", ".join(["auto", *engines.names(), *engines.ALIASES])
        raise ConfigError(f"--engine: got {name!r}, expected some of: {known}")
    try:
        chosen = engines.choose(name, device.type)
    except EngineError as error:
        return plain, str(error)
    return f"{chosen.name}:{chosen.where}" if chosen.where else chosen.name, ""


def row_of(about: Row, why_not: str, figures: Callable[[], Row]) -> Row:
    """A row: what it is ``about``, with its figures or with ``skipped_because``, why there are none.

    ``why_not``: why it cannot be measured here (empty: it can).
    """
    try:
        return {**about, **({"skipped_because": why_not} if why_not else figures())}
    except EngineError as error:
        return {**about, "skipped_because": str(error)}
    except torch.OutOfMemoryError:
        return {**about, "skipped_because": "out of memory"}
