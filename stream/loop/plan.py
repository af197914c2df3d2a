"""What the loop runs on: one configuration, ready, and what becomes of a frame before any network sees it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import torch

from ...adapters import open_preprocessor
from ...adapters.flats import flats
from ...adapters.palette import Palette
from ...adapters.paper import fill_paper
from ...adapters.regions import PAINTED_WITH, Regions
from ...adapters.snap import read_paint, without_classes
from ..base.config import StreamConfig
from ..base.frame import FitMode, Frame, Origin, Size, place
from ..base.making import Making
from ..base.passes import Passes
from .batch import Entry, Shared, StreamBatch
from .chain import Passages, make_chain
from .codec import levels_of_conditions, to_condition, to_image, to_levels
from .guessing import Guessing
from .guidance import make_guidance
from .networks import Networks
from .noise import SeedNoise
from .prompt import mix
from .recipe import Embeds, Recipe
from .regions import masks_of
from .sequential import SequentialSteps
from .whole import WholeFrame

Steps = StreamBatch | SequentialSteps | WholeFrame


@dataclass(frozen=True, eq=False)
class Tag:
    """What a picture keeps of its input through the batch."""

    source_id: int
    captured_at: float
    revision: int
    fitted: np.ndarray
    making: Making
    faded: float  # see ``Output``
    ink: np.ndarray | None = None  # see ``Prepared``
    passages: Passages = ()  # past the adapters
    passes: Passes | None = None  # what its source knows of it
    origin: Origin = field(default_factory=Origin)

    def again(self) -> Frame:
        """Its frame once more, as the model saw it."""
        return Frame(self.fitted, self.source_id, self.captured_at, self.origin, self.passes)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One frame, ready: ``fitted`` and ``image`` (H, W, 3) uint8 RGB, one condition picture for each ControlNet.

    ``ink`` (H, W, 3) uint8 is how dark the drawn lines lie over the picture, 255 is black; None: not at all.
    ``regions`` (R, h, w) float32 are the shares of regions, where there are any.
    """

    fitted: np.ndarray
    image: np.ndarray
    conditions: tuple[np.ndarray, ...]
    ink: np.ndarray | None = None
    regions: np.ndarray | None = None


class Preparer:
    """What a configuration does to a picture before any network sees it."""

    def __init__(self, config: StreamConfig, ink: float = 0.0, factor: int = 8) -> None:
        """``ink``, 0 to 1: how dark lines lie over pictures; ``factor``: pixels of a latent's side. Raises ConfigError
        when a preprocessor or one of its parameters is unknown, and for a region that is nowhere."""
        self.size = Size(config.width, config.height)
        self.fit: FitMode = config.fit
        self.undecided = config.paper == "undecided" and config.mode == "img2img"
        self.painted = config.mode == "paint"
        self.starts = config.from_picture
        self.preprocessors = tuple(
            open_preprocessor(net.preprocessor, net.preprocessor_params) for net in config.controlnets if net.enabled
        )
        palettes = [each.palette for each in self.preprocessors if isinstance(each, Palette)]
        self._palette = palettes[0] if palettes else None  # what the paint of a picture is read by
        grid = Size(config.width // factor, config.height // factor)
        where = config.regions, self._palette or PAINTED_WITH, self.size, self.fit, grid
        self._regions = Regions(*where) if config.regions else None
        drawn = [number for number, each in enumerate(self.preprocessors) if each.finds_lines]
        self._drawn = drawn[0] if drawn else None
        self._lines = drawn[0] if drawn and config.mode == "sketch" and ink else None  # which of the conditions
        self._ink = ink

    def fitted(self, pixels: np.ndarray) -> np.ndarray:
        """``pixels`` (any H, any W, 3) uint8 -> (H, W, 3) uint8 at the model's size."""
        return place(Size.of(pixels), self.size, self.fit).apply(pixels)

    def prepare(self, fitted: np.ndarray, passes: Passes | None = None) -> Prepared:
        """Everything else, for a frame that will be rendered; ``passes`` are what its source knows of it."""
        paint = None if self._palette is None or passes is not None else read_paint(fitted, self._palette)
        image = fill_paper(fitted) if self.undecided else flats(fitted) if self.painted else fitted
        if paint is not None and self.starts:
            image = without_classes(image, paint)
        known = self.known(passes)
        conditions = tuple(
            make.shown(fitted, paint)
            if paint is not None and isinstance(make, Palette) and make.palette == self._palette
            else make(fitted, known)
            for make in self.preprocessors
        )
        ink = None if self._lines is None else self._inked(conditions)
        regions = None if self._regions is None else self._regions.shares(fitted, paint, known)
        return Prepared(fitted, image, conditions, ink, regions)

    def drawing(self, prepared: Prepared) -> np.ndarray | None:
        """The lines of a frame that is ready, (H, W) uint8, white on black; None where no ControlNet sees any."""
        if self._drawn is None:
            return None
        return self.preprocessors[self._drawn].lines(prepared.conditions[self._drawn])[..., 0]

    def known(self, passes: Passes | None) -> Passes | None:
        """What is known of a frame, at the model's size."""
        return None if passes is None else passes.fitted(self.size, self.fit)

    def _inked(self, conditions: tuple[np.ndarray, ...]) -> np.ndarray:
        assert self._lines is not None
        lines = self.preprocessors[self._lines].lines(conditions[self._lines])
        return cv2.convertScaleAbs(lines, alpha=self._ink)


@dataclass(frozen=True, eq=False)
class Plan:
    """One configuration, ready to run. The loop takes a whole plan between two frames, or none of it.

    ``faded`` is how many frames have entered since its prompt began to fade in.
    """

    config: StreamConfig
    recipe: Recipe
    preparer: Preparer
    shape: Hashable  # equal for plans that share their steps
    steps: Steps
    making: Making
    rest: Plan | None = None  # what the last frame is rendered with once more, while the hand rests
    guessing: Guessing | None = None  # who reads the drawings, where nobody wrote a prompt
    fade_from: Embeds | None = None  # the prompt that this one fades in over
    fade_over: int = 0  # frames that this takes

    def fade_left(self, faded: int) -> int:
        """Frames until the prompt has faded in."""
        return max(0, self.fade_over - faded)

    def after(self, old: Plan, faded: int) -> Plan:
        """This plan, its prompt fading in from that of ``old``, into whose own fade ``faded`` frames have entered.

        A fade that is under way goes on after other changes.
        """
        frames = self.config.prompt_transition_frames
        if old.config.told == self.config.told:
            frames = min(frames, old.fade_left(faded))
        if not frames or old.config.prompt_chunks != self.config.prompt_chunks:
            return self
        return replace(self, fade_from=old.prompt_after(faded), fade_over=frames)

    def tag(self, frame: Frame, prepared: Prepared, passages: Passages, faded: int) -> Tag:
        """What becomes known of a frame that enters as the ``faded``-th since the prompt began to fade in."""
        share = min(1.0, faded / self.fade_over) if self.fade_over else 1.0
        revision, seen = self.recipe.revision, frame.captured_at
        own = frame.passes, frame.origin
        return Tag(frame.id, seen, revision, prepared.fitted, self.making, share, prepared.ink, passages, *own)

    def prepared(self, frame: Frame, fitted: np.ndarray, begins: bool) -> tuple[Prepared, Passages]:
        """Everything of a ``fitted`` frame that will be rendered, once the adapters have seen it."""
        known, chain = self.preparer.known(frame.passes), self.steps.shared.chain
        picture, passages = chain.image_before(fitted, self.config, begins, frame.origin, known)
        prepared = replace(self.preparer.prepare(picture, known), fitted=fitted)
        if self.guessing is not None:
            self.guessing.see(self.preparer.drawing(prepared), self.config)
        return prepared, passages

    def at_rest(self, tag: Tag) -> Tag:
        """What becomes known of a frame with ``tag`` when it was rendered again with this plan."""
        passages = tag.passages[: len(self.steps.shared.chain.adapters)]  # nothing is held at rest
        return replace(tag, making=self.making, faded=1.0, passages=passages)

    def entry(self, frames: Sequence[tuple[Tag | None, Prepared]], recipe: Recipe) -> Entry:
        """Frames on their way in, as tensors on the device; ``recipe`` is this plan's, or one on the way there."""
        device = recipe.noise.device
        pictures = [prepared for _, prepared in frames]
        picture, condition = (to_levels, levels_of_conditions) if self.steps.takes_levels else (to_image, to_condition)
        image = picture([each.image for each in pictures], device) if self.preparer.starts else None
        conditions = condition([each.conditions for each in pictures], device)
        tags = tuple(tag for tag, _ in frames)
        rows = self.steps.shared.chain.brought([tag and tag.passages for tag in tags], device)
        return Entry(image, conditions, recipe, tags, {**rows, **masks_of([each.regions for each in pictures], recipe)})

    def prompt_after(self, faded: int) -> Embeds:
        """The prompt of the newest frame, which may be half-way between two."""
        if self.fade_from is None:
            return self.recipe.prompt
        if not faded:
            return self.fade_from
        share = min(1.0, faded / self.fade_over)
        return mix(self.fade_from, self.recipe.prompt, share, self.config.prompt_interpolation_method)

    def recipe_after(self, faded: int) -> Recipe:
        """The recipe of the newest frame: the plan's own, or one on the way there."""
        done = self.fade_from is None or faded >= self.fade_over
        return self.recipe if done else replace(self.recipe, prompt=self.prompt_after(faded))


def make_steps(
    config: StreamConfig,
    networks: Networks,
    noise: SeedNoise,
    span: Callable[[str], AbstractContextManager[Any]],
    steady: bool = True,
) -> Steps:
    """What runs the steps of an admitted configuration, with its adapters; ``steady``: see ``make_chain``. Building its
    networks can take minutes; raises EngineError, and ConfigError for an adapter that there is not."""
    chain = make_chain(config, networks.latent(config), steady)
    shared = Shared(
        units=networks.units(config),
        guidance=make_guidance(config.cfg_type, config.guidance_scale),
        prediction=networks.prediction,
        mode=config.mode,
        do_add_noise=config.do_add_noise,
        noise=noise,
        span=span,
        chain=chain,
    )
    if not config.use_denoising_batch:
        return SequentialSteps(shared)
    return WholeFrame(shared, shared.units.record) if shared.units.record else StreamBatch(shared)


def warm_up(plan: Plan, steps: Steps, count: int) -> None:
    """Run ``count`` steps in a batch of its own, so that no first frame waits for caches and lazy initialisation."""
    size, noise = plan.config.frame_buffer_size, plan.recipe.entry_noise
    blank = plan.preparer.prepare(np.full((plan.config.height, plan.config.width, 3), 255, np.uint8))
    with torch.inference_mode():
        entry = plan.entry([(None, blank)] * size, plan.recipe)  # fillers
        for _ in range(count):
            steps.step(entry)
        steps.shared.units.decode(noise.repeat(size, 1, 1, 1))
