"""Renders for judging, made the way users see them: by a stream in mode sketch, from one fixed noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...stream.base.config import DEFAULT_T_INDEX, StreamConfig
from ...stream.base.configfile import RunConfig, load_config, parse_config, presets
from ...stream.base.errors import ConfigError
from ...stream.base.frame import Frame
from ...stream.base.prompt import escaped
from ...stream.loop.stream import Stream
from ..describe import is_turbo
from ..parts import load_part
from ..safety import check_folder
from ..steps import steps_of

Job = tuple[np.ndarray, str]  # a control image or a painting, (H, W, 3) uint8 RGB, and its prompt
MIDDLE = 0.5  # where an img2img starts in the list of timesteps: t = 499 of LCM's
# How every judged frame is rendered, unless said otherwise. Eager, so that nothing is built for weights that may be
# gone tomorrow; all steps of a frame one after the other, which gives the pictures of the batch, at less work.
SETTINGS = {
    "mode": "sketch",
    "acceleration": "eager",
    "cfg_type": "none",
    "guidance_scale": 1.0,
    "use_denoising_batch": False,
    "frame_buffer_size": 1,
    "prompt_transition_frames": 0,
    "similar_image_filter_threshold": None,
}
FIXED = ("mode", "prompt", "t_index_list", "frame_buffer_size", "width", "height")  # decided by what is measured


def run_for(model: str, overrides: Mapping[str, Any]) -> RunConfig:
    """What a model is loaded and rendered with: a preset's own settings, then those of the evaluation, then these.

    ``overrides`` are settings of the stream by dotted path. Raises ConfigError for one that is wrong, or that the
    evaluation decides itself.
    """
    for path in overrides:
        if path.partition(".")[0] in FIXED:
            raise ConfigError(f"--set {path}: got a value, expected none, because the evaluation decides it")
    settings = {**SETTINGS, **overrides}
    return load_config(model, settings) if model in presets() else parse_config("{}", model, settings, model=model)


def native_side(pipe: Any) -> int:
    """The side in pixels of the square pictures that a pipeline was trained on, as its UNet's configuration says."""
    sample = pipe.unet.config.sample_size
    return int(max(sample) if isinstance(sample, list | tuple) else sample) * int(pipe.vae_scale_factor)


def step_indices(count: int, total: int) -> tuple[int, ...]:
    """The ``t_index_list`` that ``count`` steps have: a mode's default where one has as many, else spread evenly.

    Raises ConfigError where there are not as many as ``total``.
    """
    if not 1 <= count <= total:
        raise ConfigError(f"--steps: got {count}, expected 1 to num_inference_steps = {total}")
    known = {len(DEFAULT_T_INDEX[mode]): DEFAULT_T_INDEX[mode] for mode in ("txt2img", "sketch")}
    return known.get(count) or tuple(number * total // count for number in range(count))


def put_network(pipe: Any, name: str, folder: Path) -> None:
    """Replace the ``unet`` or ``controlnet`` of a pipeline by that of a folder, on the same device and precision.

    Raises ModelError and UnsafeWeightsError as ``parts.load_part`` does.
    """
    import diffusers

    check_folder(folder)
    kind = {"unet": diffusers.UNet2DConditionModel, "controlnet": diffusers.ControlNetModel}[name]
    network = load_part(kind, folder, pipe.unet.dtype)
    setattr(pipe, name, network.to(pipe.unet.device).eval().requires_grad_(False))


class Renderer:
    """A pipeline with ControlNets, ready to render square pictures of ``side`` pixels.

    ``milliseconds`` are what each frame of the last ``sketches`` or ``paintings`` took, host to host, with all its
    steps; ``unusable`` counts renders with NaN, or black all over, which are judged as black pictures.
    """

    def __init__(
        self,
        pipe: Any,
        side: int,
        config: StreamConfig | None = None,
        progress: Callable[..., Any] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``config`` is that of ``run_for``. Raises ConfigError for a pipeline without a ControlNet."""
        config = config or StreamConfig.build(**SETTINGS)
        if is_turbo(pipe.scheduler) and "scheduler" not in config.model_fields_set:
            config = config.changed(scheduler="turbo")
        self._stream = Stream(pipe, config.changed(width=side, height=side), progress=progress)
        self._clock = clock
        self.milliseconds: list[float] = []
        self.unusable = 0

    @property
    def pipe(self) -> Any:
        """The pipeline that renders."""
        return self._stream.pipe

    @property
    def config(self) -> StreamConfig:
        """What the last pictures were rendered with."""
        return self._stream.config

    @property
    def side(self) -> int:
        """Width and height of the pictures."""
        return self._stream.config.width

    @property
    def engine(self) -> str:
        """The engine, and what it runs on."""
        units = self._stream.engine
        return f"{units.name} ({units.about})" if units.about else units.name

    def sketches(self, jobs: Iterable[Job], steps: int) -> Iterator[np.ndarray]:
        """A render (H, W, 3) uint8 of each control image, in ``steps`` steps: the model's own list of as many first."""
        total = self.config.num_inference_steps
        indices = steps_of(self.pipe, total).get(steps) or step_indices(steps, total)
        return self._render(jobs, mode="sketch", t_index_list=indices, preprocessor="none")

    def paintings(self, jobs: Iterable[Job]) -> Iterator[np.ndarray]:
        """A render of each painting by img2img, in one step from the middle of the timesteps.

        The painting is what img2img starts from; its lines, as the scribble preprocessor finds them, steer.
        """
        index = int(self.config.num_inference_steps * MIDDLE)
        return self._render(jobs, mode="img2img", t_index_list=(index,), preprocessor="scribble")

    @contextmanager
    def changed(self, **settings: Any) -> Iterator[None]:
        """With other settings of the stream, which are as before afterwards."""
        before = {name: getattr(self.config, name) for name in settings}
        self._stream.update(**settings)
        try:
            yield
        finally:
            self._stream.update(**before)

    def close(self) -> None:
        """Let go of the stream."""
        self._stream.close()

    def _render(self, jobs: Iterable[Job], preprocessor: str, **changes: Any) -> Iterator[np.ndarray]:
        stream = self._stream
        nets = [{"preprocessor": preprocessor}] * len(stream.config.controlnets)
        stream.update(**changes, controlnets=nets)
        self.milliseconds = []
        for index, (picture, prompt) in enumerate(jobs):
            stream.update(prompt=escaped(prompt))
            start = self._clock()
            output = stream(Frame(picture, id=index), gated=False)
            self.milliseconds.append((self._clock() - start) * 1e3)
            if output is None:
                self.unusable += 1
            yield np.zeros_like(picture) if output is None else output.pixels.copy()
