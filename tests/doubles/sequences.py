"""Random lives of a stream (frames, changes, failures), and whether every picture of one is what it says it is.

A life is a configuration and a list of steps, as plain data that a report can print. ``Life.run`` lives it; it raises
``Untrue`` where an output differs from a fresh render of its frame under its revision, where a frame is lost without a
word, or where the pipeline is not as it was when the stream is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from doubles.lora import tiny_lora
from doubles.tiny_models import tiny_sd
from inkstream.stream import Frame, Stream, StreamConfig
from inkstream.stream.base.errors import InkstreamError

SIDE = 64
FIXED: dict[str, Any] = {"warmup": 0, "device": "cpu", "acceleration": "eager"}
PLAIN: dict[str, Any] = {"use_denoising_batch": False, "frame_buffer_size": 1, "similar_image_filter_threshold": None}
STEPS = {1: (20,), 2: (10, 30), 3: (5, 20, 35)}
FAULTS = ("denoise", "encode", "decode")
TOLERANCE = 1  # levels: a batch of another size adds up in another order


class Untrue(AssertionError):
    """A stream broke a promise."""


class Broken(RuntimeError):
    """What a network raises where a life has it fail."""


class World:
    """One pipeline, LoRAs and a second ControlNet for it, four frames, and fresh renders, each made once."""

    def __init__(self, folder: Path, guided: bool = False) -> None:
        """``guided``: the UNet takes guidance_scale as an input."""
        self._kind: dict[str, Any] = {"controlnets": 1, "levels": 1, "time_cond_proj_dim": 8 if guided else None}
        self._rendered_with = PLAIN | {"cfg_type": "none"} if guided else PLAIN
        self.loras = [str(_small_lora(folder / f"{number}.safetensors", seed=number)) for number in range(2)]
        self.other_net = folder / "other"
        tiny_sd(**self._kind, seed=7).controlnet.save_pretrained(self.other_net)
        generator = np.random.default_rng(0)
        self.frames = [
            np.kron(generator.integers(0, 256, (4, 4, 3), np.uint8), np.ones((SIDE // 4, SIDE // 4, 1), np.uint8))
            for _ in range(4)
        ]
        self.failing: list[str] = []  # networks that fail when they are called next
        self._renders: dict[tuple[str, int], np.ndarray] = {}
        self._pipe: Any = None

    def pipe(self) -> Any:
        """The pipeline, whose networks fail where ``failing`` says so. A life leaves it as it found it."""
        if self._pipe is None:
            self._pipe = self._new_pipe()
        return self._pipe

    def spoilt(self) -> None:
        """The pipeline is not as it was: lives that come have another one."""
        self._pipe = None

    def _new_pipe(self) -> Any:
        pipe: Any = tiny_sd(**self._kind)
        for name, module in (("denoise", pipe.unet), ("encode", pipe.vae.encoder), ("decode", pipe.vae.decoder)):
            module.register_forward_pre_hook(self._failing_hook(name))
        return pipe

    def fresh(self, config: StreamConfig, frame: int) -> np.ndarray:
        """``frame`` rendered by a stream that has never done anything else, one frame at a time."""
        config = config.changed(**self._rendered_with)
        key = config.model_dump_json(), frame
        if key not in self._renders:
            pipe = tiny_sd(**self._kind)
            output = Stream(pipe, config)(self.frames[frame], gated=False)
            assert output is not None
            self._renders[key] = output.pixels
        return self._renders[key]

    def compare(self, pixels: np.ndarray, config: StreamConfig, frame: int, about: str) -> None:
        """Raises Untrue where ``pixels`` are not those of a fresh render of ``frame``."""
        wanted = self.fresh(config, frame)
        apart = np.abs(pixels.astype(int) - wanted).max() if pixels.shape == wanted.shape else 255
        if apart > TOLERANCE:
            raise Untrue(f"{about} is {apart} levels apart from a fresh render")

    def life(self, seed: int) -> Life:
        """A random life of three to nine steps, the same for the same ``seed``. All choices are even and independent,
        which those of hypothesis are not: whole kinds of lives would not occur among thousands."""
        random = Random(seed)
        ink = self.loras[0]
        start = {
            "use_denoising_batch": random.choice((True, False)),
            "frame_buffer_size": random.choice((1, 2)),
            "t_index_list": random.choice(list(STEPS.values())),
            "lora_dict": random.choice(({}, {ink: 0.0}, {ink: 0.7})),
            "settle_steps": random.choice((0, 4)),
        }
        return Life(self, start, [self._step(random) for _ in range(random.randint(3, 9))])

    def _step(self, random: Random) -> tuple[str, Any]:
        """Frames and changes are the most frequent ones."""
        kind = random.choice(("frame",) * 4 + ("update",) * 3 + ("refused", "rare"))
        if kind == "frame":
            return "frame", random.randrange(len(self.frames))
        if kind == "rare":
            kind = random.choice(("advance", "fail", "close", "neighbour", "settle", "settle"))
            values = {"fail": random.choice(FAULTS), "neighbour": random.choice(self.loras)}
            return kind, (values | {"settle": random.choice((2, 9))}).get(kind)
        changes = dict(self._change(random) for _ in range(random.randint(1, 2)))
        if kind == "refused":
            changes |= random.choice(
                ({"lora_dict": {"missing.safetensors": 1.0}}, {"prompt": []}, {"t_index_list": [99]})
            )
        return kind, changes

    def _change(self, random: Random) -> tuple[str, Any]:
        """One setting that a stream takes live; those of LoRAs and of the batch are frequent."""
        lora = {random.choice(self.loras): random.choice((0.0, 0.3, 0.7))}
        batch = {
            "use_denoising_batch": random.choice((True, False)),
            "t_index_list": random.choice(list(STEPS.values())),
            "frame_buffer_size": random.choice((1, 2)),
        }
        other: dict[str, Any] = {
            "prompt": random.choice(("a red car", "a blue house")),
            "cfg_type": random.choice(("none", "full", "self", "initialize")),
            "guidance_scale": random.choice((1.2, 2.0)),
            "seed": random.choice((1, 2)),
            "mode": random.choice(("img2img", "sketch", "paint")),
            "controlnets": random.choice(
                ([{"conditioning_scale": 0.3}], [{"conditioning_scale": 1.0}], [{"model_id": str(self.other_net)}])
            ),
        }
        return random.choice((("lora_dict", lora), *(random.choice(list(each.items())) for each in (batch, other))))

    def _failing_hook(self, name: str) -> Callable[..., None]:
        def hook(module: Any, given: Any) -> None:
            if name in self.failing:
                self.failing.remove(name)
                raise Broken(f"{name} failed")

        return hook


class Life:
    """A configuration, and what happens to a stream of it."""

    def __init__(self, world: World, start: dict[str, Any], steps: list[tuple[str, Any]]) -> None:
        self.world, self.start, self.steps = world, start, steps

    def __repr__(self) -> str:
        return f"start {self.start}\n" + "\n".join(f"  {name} {value}" for name, value in self.steps)

    def run(self) -> None:
        """Live it. Raises Untrue."""
        self.world.failing.clear()
        self.pipe = self.world.pipe()
        before = _picture_of(self.pipe)
        self.stream = Stream(self.pipe, plain_config(use_denoising_batch=True).changed(**self.start))
        self.configs = {self.stream.revision: self.stream.config}
        self.entered: dict[int, int] = {}  # id of a frame -> which one it is
        self.came: list[int] = []
        self.lost = 0  # by a failure that the caller was told of, or because the stream was closed
        for name, value in self.steps:
            getattr(self, f"_{name}")(value)
        self.world.failing.clear()
        while self.stream.pending:
            self._step(self.stream.advance)
        self._check_count()
        self.stream.close()
        if _picture_of(self.pipe) != before:
            self.world.spoilt()
            raise Untrue("the pipeline is not as it was")

    def _frame(self, index: int) -> None:
        number = len(self.entered)
        self.entered[number] = index
        self._step(lambda: self.stream(Frame(self.world.frames[index], number, 0.0), gated=False), number)

    def _advance(self, _: None) -> None:
        self._step(self.stream.advance)

    def _settle(self, steps: int) -> None:
        """The hand rests for so many steps; what comes of that says by itself how it was made."""
        for _ in range(steps):
            if self.stream.pending or not self.stream.settles:
                return
            try:
                output = self.stream.settle()
            except Broken:
                return
            if output is not None:
                config = output.making.stream
                if (config.use_denoising_batch, len(config.t_index_list)) != (False, 4):
                    raise Untrue("a picture at rest does not say so")
                about = f"frame {output.source_id} at rest under revision {output.revision}"
                self.world.compare(output.pixels, config, self.entered[output.source_id], about)

    def _step(self, step: Callable[[], Any], number: int | None = None) -> None:
        """A call of the stream, with the frame ``number`` or without one."""
        before = self.stream.metrics.counter("frames_dropped")
        try:
            self._check(step())
        except Broken:
            if number is not None and self._missing() == 1:  # the exception told of this frame
                self.lost += 1
            return
        if self.stream.metrics.counter("frames_dropped") != before:
            raise Untrue("a frame was dropped though nothing failed")

    def _update(self, changes: dict[str, Any]) -> None:
        self.stream.update(**changes)
        self.configs[self.stream.revision] = self.stream.config

    def _refused(self, changes: dict[str, Any]) -> None:
        before = self.stream.config, self.stream.revision, self.stream.engine
        try:
            self.stream.update(**changes)
        except InkstreamError:
            if (self.stream.config, self.stream.revision, self.stream.engine) != before:
                raise Untrue("a refused change changed something") from None
            return
        raise Untrue("a wrong change was taken")

    def _fail(self, network: str) -> None:
        self.world.failing.append(network)

    def _close(self, _: None) -> None:
        """The stream is closed, and another one goes on with its settings."""
        self._check_count()
        self.lost = len(self.entered) - len(self.came)
        self.stream.close()
        self.stream = Stream(self.pipe, self.stream.config)
        self.configs = {self.stream.revision: self.stream.config}

    def _neighbour(self, lora: str) -> None:
        """Another stream on the same pipeline, which comes and goes."""
        failing, self.world.failing[:] = list(self.world.failing), []
        other = Stream(self.pipe, plain_config(lora_dict={lora: 1.0}))
        output = other(self.world.frames[0], gated=False)
        self.world.compare(output.pixels, other.config, 0, "a neighbour's picture")
        other.close()
        self.world.failing.extend(failing)

    def _check(self, output: Any) -> None:
        if output is None:
            return
        if output.source_id not in self.entered or output.source_id in self.came:
            raise Untrue(f"picture of frame {output.source_id}, which did not enter, or came before")
        if self.came and output.source_id < self.came[-1]:
            raise Untrue(f"frame {output.source_id} comes after {self.came[-1]}")
        self.came.append(output.source_id)
        index = self.entered[output.source_id]
        if not np.array_equal(output.input, self.world.frames[index]):
            raise Untrue(f"frame {output.source_id} carries another input")
        about = f"frame {output.source_id} (picture {index}) under revision {output.revision}"
        self.world.compare(output.pixels, self.configs[output.revision], index, about)

    def _check_count(self) -> None:
        """Every frame came out, is in flight, or was counted as lost."""
        if self._missing():
            raise Untrue(
                f"{len(self.entered)} frames entered, {len(self.came)} came out, {self.stream.pending} are in flight, "
                f"{self.stream.metrics.counter('frames_dropped')} are counted as dropped, {self.lost} are known to be "
                f"lost"
            )

    def _missing(self) -> int:
        accounted = len(self.came) + self.stream.pending + self.stream.metrics.counter("frames_dropped") + self.lost
        return len(self.entered) - accounted


def _small_lora(path: Path, seed: int) -> Path:
    """A LoRA of few layers; that with seed 1 also changes the text encoder."""
    tiny_lora(tiny_sd(levels=1), path, seed=seed, strength=2.0, text_encoder=seed == 1)
    tensors = {name: value for name, value in load_file(path).items() if "attn2" in name or "q_proj" in name}
    save_file(tensors, path)
    return path


def plain_config(**changes: Any) -> StreamConfig:
    """One frame at a time, img2img, two steps, the pipeline's ControlNet; and these changes."""
    settings = {"width": SIDE, "height": SIDE, "prompt": "a red car", "mode": "img2img", "seed": 1, **PLAIN, **FIXED}
    return StreamConfig.build(**settings, t_index_list=STEPS[2], controlnets=[{}]).changed(**changes)


def _picture_of(pipe: Any) -> Any:
    """What of a pipeline shows that something was changed in it: its modules and what their weights hold."""
    networks = {name: getattr(pipe, name) for name in ("unet", "vae", "text_encoder", "controlnet")}
    return {
        name: ([type(module) for module in network.modules()], [hash(_bytes(p)) for p in network.parameters()])
        for name, network in networks.items()
    }


def _bytes(values: Tensor) -> bytes:
    return values.contiguous().numpy().tobytes()
