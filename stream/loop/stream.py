"""The public stream: pictures in, finished pictures out, everything changeable while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...engines.together import Pool
from ...engines.units import Units
from ..base.config import StreamConfig
from ..base.errors import ConfigError
from ..base.frame import Frame, Output, Size
from ..base.metrics import Metrics
from ..base.pixels import as_rgb
from ..base.progress import Progress
from .batch import Entry, Finished
from .door import Door
from .memory import memory_named, step_down
from .networks import Networks
from .noise import SeedNoise
from .outputs import Outputs, OutputType, SafetyChecker
from .owner import ChangedByUpdate, Closable
from .plan import Plan, Prepared, Tag, warm_up
from .planner import Planner
from .recipe import Recipe
from .rest import Rest


class Stream(ChangedByUpdate, Closable):
    """A StreamDiffusion loop around a diffusers pipeline.

    ``result = stream(frame)`` gives None, or an ``Output`` that says which input it belongs to. One thread renders; any
    thread may call ``update``.
    """

    def __init__(
        self,
        pipe: Any,
        config: StreamConfig | None = None,
        *,
        progress: Progress | None = None,
        output_type: OutputType = "np",
        safety_checker: SafetyChecker | None = None,
        pool: Pool | None = None,
        **settings: Any,
    ) -> None:
        """``pipe`` is a Stable Diffusion or SDXL pipeline of diffusers, with or without ControlNets; it is used as it
        is, on its device and in its precision. ``settings`` are fields of ``StreamConfig``. ``progress`` watches
        what is built before the first frame can be rendered, and after a change of shape. With ``output_type="pt"``
        outputs have a ``tensor``, too.

        ``safety_checker`` is given every picture, (H, W, 3) uint8 RGB, on the rendering thread. True shows it, a
        picture of the same size is shown instead, and for False or None the last good one is, or black.

        Streams that are given one pipeline and one ``pool`` go through its networks together (``engines/together.py``).

        Raises ConfigError for a setting that is wrong, ModelError or LoraError for weights that do not fit, EngineError
        when ``acceleration`` names an engine that cannot run here.
        """
        config = StreamConfig.merged(config, settings)
        self.metrics = Metrics()
        self.given = pipe  # as it was given, for who wants networks of their own: finishing shares its weights
        self._updating, self._rendering = threading.Lock(), threading.RLock()  # a safety checker may change settings
        self._networks = Networks(pipe, progress, pool)
        self.prompts = self._networks.prompts  # what the model makes of words
        self.prompts.guessing.through(self.update)
        self._noise = SeedNoise(config)
        self._outputs = Outputs(output_type, safety_checker)  # finished, and not yet handed out
        self._planner = Planner(self._networks, self._noise, lambda stage: self.metrics.span(stage))
        self._plan = self._planner.plan(config, None)
        self._door = Door(self._plan.config)
        self._running: Plan | None = None  # the plan of the frame before
        self._faded = 0  # frames that entered since the prompt began to fade
        self._waiting: list[tuple[Tag, Prepared]] = []  # frames of a buffer that is not full yet
        self._calling: Tag | None = None  # the frame that came with the newest call
        self._last_entry: Entry | None = None
        self._rest = Rest()
        self._next_id = 0
        self._warm_up(config.warmup)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        config: StreamConfig | None = None,
        *,
        progress: Progress | None = None,
        output_type: OutputType = "np",
        safety_checker: SafetyChecker | None = None,
        **settings: Any,
    ) -> Stream:
        """Load ``model`` (an embedded model's name, a folder, a hub id or a .safetensors file) and make a stream.

        The device, the precision, the autoencoder and the ControlNets are those of the configuration.
        """
        from ...lora.load import load_pipeline

        config = StreamConfig.merged(config, settings)
        pipe = load_pipeline(model, config, progress)
        return cls(pipe, config, progress=progress, output_type=output_type, safety_checker=safety_checker)

    @property
    def pipe(self) -> Any:
        """The diffusers pipeline that this stream runs: a copy that shares the weights of the one that was given."""
        return self._networks.pipe

    @property
    def engine(self) -> Units:
        """What runs the networks of the next frame: its name, what it runs on, and what ``auto`` passed over."""
        return self._plan.steps.shared.units

    @property
    def config(self) -> StreamConfig:
        """The configuration that the next frame will be rendered under."""
        return self._plan.config

    @property
    def revision(self) -> int:
        """How often the configuration has changed."""
        return self._plan.recipe.revision

    @property
    def size(self) -> Size:
        """Size of the pictures that come out."""
        return Size(self.config.width, self.config.height)

    @property
    def pending(self) -> int:
        """Frames that entered and have not come out yet."""
        running = self._running  # the rendering thread may let go of it meanwhile
        in_flight = running.steps.pending if running else 0
        return len(self._waiting) + in_flight + len(self._outputs)

    @property
    def ready(self) -> int:
        """Pictures that are finished and wait to be handed out: ``advance`` gives them, one a call, at once."""
        return len(self._outputs)

    @property
    def fading(self) -> bool:
        """Whether a prompt has not faded in yet: each frame that enters takes it a step on, be it a new one or not."""
        return self._fade_left(self._plan) > 0

    @property
    def settles(self) -> bool:
        """Whether the last frame is to be rendered again at rest, and has not been: in ``settle_steps``, or because
        ``steadiness`` holds something in its picture."""
        plan = self._plan
        wanted = plan.rest is not None or plan.steps.shared.chain.unsettled
        return wanted and plan is self._running and self._rest.waits and not self._fade_left(plan)

    def __call__(self, frame: Frame | np.ndarray | Any, gated: bool = True) -> Output | None:
        """Take one frame; give the picture that this finishes, if any.

        ``frame`` is a ``Frame``, an (H, W, 3) uint8 array of any size, or anything ``as_rgb`` reads (a PIL image).
        With a batch of K steps the picture of a frame comes K - 1 calls later. Where several are finished at once (a
        buffer of frames, a batch that got smaller), one is given and the others are ``ready``. A frame like the last
        rendered one does not enter when ``gated``: the batch advances while it holds frames, and after that the call
        costs nothing.
        Raises FrameError for an unusable frame (nothing changes), EngineError after ten unusable pictures in a row,
        MemoryFull when the device's memory is full: then nothing is in flight any more, and ``step_down`` may help.
        """
        if not isinstance(frame, Frame):
            frame = Frame(frame, self._next_id, self.metrics.clock())
        with self._turn():
            self._plan.steps.shared.chain.meet(frame.origin, self._empty)
            plan = self._take_plan()
            with self.metrics.span("prepare"):
                fitted = plan.preparer.fitted(as_rgb(frame.pixels))
                gated = gated and plan.config.mode != "txt2img"  # its pictures come from noise: the next is another one
                enters = not gated or self._fade_left(plan) > 0 or self._door.lets_in(fitted)
            self._next_id = max(self._next_id, frame.id + 1)
            if not enters:
                self.metrics.count("frames_skipped")
                return self._advance()
            self._seat(plan, frame, fitted)
            if len(self._waiting) == plan.config.frame_buffer_size:
                self._enter(plan, self._waiting)
            return self._outputs.hand_out()

    def txt2img(self) -> Output:
        """A picture of new noise, in mode txt2img; no frame goes in.

        With a batch of K steps it began K - 1 calls before; the first call runs the batch until a picture is there.
        Raises ConfigError in another mode, EngineError and MemoryFull as a call with a frame does.
        """
        if self.config.mode != "txt2img":
            raise ConfigError(f"txt2img: got mode {self.config.mode}, expected mode txt2img; update(mode='txt2img')")
        blank = np.full((self.size.height, self.size.width, 3), 255, np.uint8)
        while (output := self(blank)) is None:
            pass  # what is in flight comes first
        return output

    def advance(self) -> Output | None:
        """A picture that is ready, or a step without a new frame, so that what is in flight comes out; else None."""
        with self._turn():
            self._take_plan()
            return self._advance()

    def settle(self) -> Output | None:
        """One step of rendering the last frame again, where it ``settles``; gives a picture when one is finished.

        A frame that enters meanwhile ends that. With ``settle_steps`` nothing that is in flight is touched, and the
        picture comes with the last step; else the frame enters once more, as often as it takes for its picture to be
        all its own.
        """
        with self._turn():
            plan, tag = self._running, self._rest.frame
            if self.settles and plan is not None and plan.rest is not None:
                self._door.begin()
                self._rest.step(plan.rest, self._outputs, self.metrics)
            elif self.settles and plan is not None and tag is not None and not self._waiting:
                self._seat(plan, tag.again(), tag.fitted)
                self._push_through(plan)
            return self._outputs.hand_out()

    def drain(self) -> list[Output]:
        """Advance until nothing is in flight, and give all that came out."""
        outputs: list[Output] = []
        while self.pending:
            outputs += filter(None, [self.advance()])
        return outputs

    def update(self, **changes: Any) -> int:
        """Change settings while running; returns the new revision. Frames in flight finish as they began.

        None leaves a setting as it is, or is set where that may be None: ``similar_image_filter_threshold=None``
        switches the gate off. A prompt is encoded here, in the caller's thread; the loop takes the result
        between two frames. ``controlnets=[{"conditioning_scale": 0.5}]`` changes the first one only;
        ``lora_dict={"style.safetensors": 0.8}`` sets a scale, or loads a LoRA. Raises ConfigError, ModelError,
        LoraError or MemoryFull, and then nothing has changed.
        """
        with self._updating, memory_named(self._networks.keep_newest):
            self._must_be_open()
            self._put(self._planner.plan(self._plan.config.changed(**changes), self._plan))
            return self.revision

    def step_down(self) -> str:
        """After MemoryFull: go on with the next smaller configuration; returns what is different, for people.

        First smaller batches, then an autoencoder that works in tiles, then smaller pictures. Raises MemoryFull when
        nothing smaller is left.
        """
        said = step_down(self.config, self.update, self._networks.work_in_tiles)
        self._networks.keep_newest()
        return said

    def take_back(self) -> str:
        """After EngineError: return to the settings of the last usable picture; gives the names of those that change.

        Raises EngineError where no others gave a usable picture.
        """
        with self._updating, memory_named(self._networks.keep_newest):
            self._must_be_open()
            changed = self._outputs.differences(self.config)
            self._put(self._planner.plan(self._outputs.proven or self.config, self._plan, only=True))
            with self._rendering:
                self._abandon()
                self._outputs.forgive()
            return changed

    def close(self) -> None:
        """Let go of everything in flight. Whatever renders, or changes a setting, raises StreamClosed afterwards."""
        self.prompts.guessing.close()
        with self._rendering:
            self._closed = True
            self._outputs.clear()
            self._let_go()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Inside, a thread renders."""
        with self._rendering, torch.inference_mode(), memory_named(self._abandon):
            self._must_be_open()
            self._calling = None
            yield

    def _let_go(self) -> None:
        """Of what entered and is not finished; what comes next starts anew."""
        for plan in filter(None, (self._running, self._plan)):
            plan.steps.clear()
        self._waiting.clear()
        self._rest.leave()
        self._door.begin()
        self._running = self._last_entry = None

    def _abandon(self) -> None:
        self.metrics.count("frames_dropped", self.pending - len(self._outputs))
        self._let_go()

    def _put(self, plan: Plan) -> None:
        """The next frame takes it. A fade goes on from the last frame, so that none may be on its way in meanwhile."""
        if not plan.config.prompt_transition_frames:
            self._plan = plan
            return
        with self._rendering:
            self._plan = plan.after(self._plan, self._faded if self._plan is self._running else 0)

    def _warm_up(self, steps: int) -> None:
        if steps:
            metrics, self.metrics = self.metrics, Metrics()  # what this takes is no frame's
            warm_up(self._plan, self._planner.steps(self._plan.config), steps)
            self._noise.restart(self._plan.config)
            self.metrics = metrics

    def _take_plan(self) -> Plan:
        """The newest plan. Where its tensors have another shape, what is in flight comes out of the old ones first."""
        plan, before = self._plan, self._running
        if plan is before:
            return plan
        if before is not None and plan.steps is not before.steps:
            self._empty()
        elif before is not None and self._waiting:  # they were prepared, and will be labelled, under the plan before
            self._push_through(before)
        if before is None or not self._noise.follows(plan.config):
            self._noise.restart(plan.config)
        self._door.renew(plan.config)
        self._running, self._faded = plan, 0
        self._rest.leave()
        return plan

    def _empty(self) -> None:
        """All that is in flight comes out; what comes next starts anew."""
        while self._running and (self._waiting or self._running.steps.pending):
            self._push_through(self._running)
        self._let_go()

    def _fade_left(self, plan: Plan) -> int:
        return plan.fade_left(self._faded if plan is self._running else 0)

    def _recipe(self, plan: Plan) -> Recipe:
        """The recipe of the next frame: the plan's, or one on the way there."""
        if self._fade_left(plan):
            self._faded += 1
        return plan.recipe_after(self._faded)

    def _seat(self, plan: Plan, frame: Frame, fitted: np.ndarray) -> None:
        """A frame that enters is prepared, and waits until the buffer is full."""
        with self.metrics.span("prepare"):
            begins = self._door.begins or self._fade_left(plan) > 0  # each step of a fade is another prompt
            prepared, passages = plan.prepared(frame, fitted, begins)
        self._door.entered(fitted)
        tag = plan.tag(frame, prepared, passages, self._faded + 1)
        self._waiting.append((tag, prepared))
        self._calling = tag

    def _enter(self, plan: Plan, frames: list[Any]) -> None:
        """A full buffer of frames enters the batch."""
        self._waiting = []
        self._rest.leave()
        with self._lost([tag for tag, _ in frames]):
            entry = plan.entry(frames, self._recipe(plan))
            finished = plan.steps.step(entry)
        self._last_entry = entry
        self._rest.entered(*next(frame for frame in reversed(frames) if frame[0] is not None))
        self._collect(plan, finished)

    @contextmanager
    def _lost(self, tags: Sequence[Tag | None]) -> Iterator[None]:
        """Where a network fails inside: frames are lost, and the same picture may come again.

        Whoever gave the frame of this call learns of it by the exception; the others are counted as dropped.
        """
        try:
            yield
        except BaseException:
            self.metrics.count("frames_dropped", sum(tag not in (None, self._calling) for tag in tags))
            self._door.reset()
            raise

    def _advance(self) -> Output | None:
        if not self._outputs and self._running and (self._waiting or self._running.steps.pending):
            self._push_through(self._running)
        return self._outputs.hand_out()

    def _push_through(self, plan: Plan) -> None:
        """One tick without a new frame; a buffer that is not full enters with copies of its last frame."""
        if self._waiting:
            missing = plan.config.frame_buffer_size - len(self._waiting)
            self._enter(plan, [*self._waiting, *[(None, self._waiting[-1][1])] * missing])
        elif self._last_entry is not None:
            self._collect(plan, plan.steps.step(self._last_entry.filler))

    def _collect(self, plan: Plan, finished: Finished | None) -> None:
        if finished is None:
            return
        with self._lost(finished.tags):
            shared = plan.steps.shared
            usable = self._outputs.take(finished, shared.units.decode, self.metrics, shared.chain)
        if usable:
            self._outputs.prove(plan.config, plan.recipe.revision, finished.tags)
        else:
            self._door.reset()
            self._outputs.check()
