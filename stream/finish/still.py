"""The still at its best: what a kept picture becomes when time does not count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...lora.steps import steps_of
from ...lora.upscaler import Upscaler, enlarged, upscaler_of
from ..base.config import StreamConfig
from ..base.errors import ConfigError
from ..base.frame import Output, Size
from ..base.making import Making
from ..base.progress import Progress, silent
from ..loop.memory import memory_named
from ..loop.schedule import spread
from .painter import Painter, Step, enlarged_to

SCALES = (1, 2, 4)
STEPS = {"lcm": 8, "turbo": 4}  # of the tiles, by scheduler, where none are asked for
STRENGTH = 0.4  # how much of the noise an enlarged picture goes through again: detail is new, what it shows is not
MOST_PIXELS = 64_000_000  # as many as are read again


@dataclass(frozen=True, eq=False)
class Kept:
    """A picture that is to be finished."""

    render: np.ndarray
    """(H, W, 3) uint8 RGB, as it was seen."""
    drawing: np.ndarray | None
    """(H, W, 3) uint8 RGB, what it was rendered from; None where that is lost."""
    making: Making
    """How it was made."""

    @classmethod
    def of(cls, output: Output) -> Kept:
        """That of a stream's output. Raises ConfigError for one of which nobody knows how it was made."""
        if output.making is None:
            raise ConfigError("got a picture without its settings, expected one that a stream of inkstream made")
        return cls(output.pixels, output.input, output.making.at(output.faded))


@dataclass(frozen=True, eq=False)
class Still:
    """A finished picture."""

    pixels: np.ndarray
    """(H, W, 3) uint8 RGB."""
    making: Making
    """How the picture was made that was then enlarged."""
    how: dict[str, Any]
    """What was done with it, for its recipe: plain values."""

    def recipe(self, **more: Any) -> dict[str, Any]:
        """What is kept with it; ``more`` is what else is known about the picture."""
        return {**self.making.recipe(), "picture": {"finished": self.how, **more}}


def finish(pipe: Any, kept: Kept, scale: int = 2, steps: int | None = None, progress: Progress = silent) -> Still:
    """``kept`` with the networks of ``pipe``, its own model, ``scale`` times as large; runs on the caller's thread.

    A model that brings an upscaler renders the drawing again, in ``steps`` (None: the most that it is good in), and
    enlarges that. Any other renders it as it was, and paints the enlarged picture anew in tiles that overlap, from a
    part of the noise on, its ControlNets steered by the enlarged drawing, in ``steps`` (None: 8; turbo: 4).
    ``progress`` may raise, which ends it. Raises ConfigError, ModelError, LoraError, EngineError or MemoryFull.
    """
    check(kept, scale, steps)
    with memory_named():
        return _finished(pipe, kept, scale, steps, progress)


def _finished(pipe: Any, kept: Kept, scale: int, steps: int | None, progress: Progress) -> Still:
    progress("getting ready", 0.0)
    upscaler = upscaler_of(pipe)
    config = _without_drawing(kept.making.stream) if kept.drawing is None else kept.making.stream
    painter = Painter(pipe, config, progress)
    first = 0.3 if scale > 1 else 1.0  # of the time, about
    own = _best(pipe, painter.config, steps) if upscaler is not None or scale == 1 else painter.config.t_index_list
    base, making = _rendered(painter, kept, own, _part(progress, "rendering", 0.0, first))
    how: dict[str, Any] = {"scale": scale, "drawing": kept.drawing is not None}
    if scale == 1:
        pixels = base
    elif upscaler is not None:
        pixels = _twice(upscaler, base, scale, _part(progress, "enlarging", first, 1 - first))
        how["how"] = "upscaler"
    else:
        total = painter.config.num_inference_steps
        indices = spread(total - max(1, round(STRENGTH * total)), steps or STEPS[painter.config.scheduler], total)
        large = enlarged_to(Size(painter.tile.width * scale, painter.tile.height * scale), base)
        drawing = base if kept.drawing is None else kept.drawing
        step = _part(progress, "painting tiles", first, 1 - first)
        again = {"mode": "img2img", "t_index_list": indices, "paper": "as-is"}
        pixels = painter.paint(drawing, step, scale, large, **again)
        how |= {"how": "tiled img2img", "t_index_list": list(indices)}
        how |= {"tile": str(painter.tile), "overlap": painter.overlap}
    return Still(pixels if kept.drawing is None else painter.inked(pixels, kept.drawing), making, how)


def _twice(upscaler: Upscaler, pixels: np.ndarray, scale: int, step: Step) -> np.ndarray:
    """Twice as large, or twice over: four times; the second turn is four times the work of the first."""
    if scale == 2:
        return enlarged(upscaler, pixels, step)
    half = enlarged(upscaler, pixels, lambda share: step(0.2 * share))
    return enlarged(upscaler, half, lambda share: step(0.2 + 0.8 * share))


def check(kept: Kept, scale: int, steps: int | None) -> None:
    """Raises ConfigError for what cannot be done with a picture, before anything is loaded."""
    config = kept.making.stream
    if scale not in SCALES:
        raise ConfigError(f"scale: got {scale}, expected 1, 2 or 4")
    if steps is not None and not 1 <= steps <= config.num_inference_steps:
        raise ConfigError(f"steps: got {steps}, expected 1 to {config.num_inference_steps}")
    if config.width * config.height * scale * scale > MOST_PIXELS:
        size = Size(config.width, config.height)
        raise ConfigError(f"scale: got {scale} times {size}, expected at most {MOST_PIXELS // 10**6} megapixels")


def to_load(config: StreamConfig) -> StreamConfig:
    """How to load the model of a kept picture, for ``finish``: PyTorch runs it, on the device that there is."""
    plain = {"dtype": "auto"} if config.dtype in ("int8", "float8") else {}
    return config.changed(acceleration="eager", device="auto", **plain)


def _rendered(painter: Painter, kept: Kept, steps: tuple[int, ...], step: Step) -> tuple[np.ndarray, Making]:
    """The picture itself, at its own size, in these steps; as it was kept where nothing says what it was made from."""
    if kept.drawing is None or painter.config.mode == "txt2img":
        return enlarged_to(painter.tile, kept.render), kept.making
    pixels = painter.paint(kept.drawing, step, t_index_list=steps)
    made = kept.making.stream.changed(t_index_list=steps, use_denoising_batch=False, frame_buffer_size=1)
    live = kept.making.as_live().stream
    return pixels, replace(kept.making, stream=made, engine=painter.engine, before=None).rested_from(live)


def _best(pipe: Any, config: StreamConfig, steps: int | None) -> tuple[int, ...]:
    """The steps of a still: those asked for, else the most that the model is good in, and never fewer than it had."""
    if steps is None and config.from_picture:  # every step that noise is added for washes out what was painted
        return config.t_index_list
    own, first, total = steps_of(pipe, config.num_inference_steps), config.t_index_list[0], config.num_inference_steps
    count = steps if steps is not None else max((*own, len(config.t_index_list)))
    if count == len(config.t_index_list):
        return config.t_index_list
    listed = own.get(count, ())
    return listed if listed and listed[0] == first else spread(first, count, total)


def _without_drawing(config: StreamConfig) -> StreamConfig:
    """Nothing steers where the drawing is lost: the picture alone says what it shows."""
    nets = [{"enabled": False}] * len(config.controlnets)
    return config.changed(controlnets=nets, mode="img2img", t_index_list=config.t_index_list)


def _part(progress: Progress, text: str, begin: float, share: float) -> Step:
    def step(done: float) -> None:
        progress(text, begin + share * done)

    return step
