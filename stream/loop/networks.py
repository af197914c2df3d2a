"""From a configuration to what the loop runs on: recipes (tensors) and units (networks)."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ... import engines
from ...adapters.steadiness import may_hold
from ...engines.shapes import Shapes
from ...engines.together import Pool
from ...engines.units import Units
from ...lora.influence import Influence, at, influence_of
from ...lora.load import load_vae
from ...lora.registry import lcm_lora_id
from ...lora.switch import LoraSet
from ...lora.taught import TaughtWords
from ..base.changing import FIXED
from ..base.config import StreamConfig
from ..base.errors import ConfigError, LoraError
from ..base.frame import Size
from ..base.making import Making
from ..base.progress import Progress, silent
from .admission import (
    Prediction,
    admitted,
    check_vae,
    prediction_of,
    settled,
    too_large,
    wants_vae,
    working_vae,
)
from .controls import Controls, control_scales, sizes
from .guidance import make_guidance
from .imageprompts import ImagePrompts
from .noise import SeedNoise
from .prompt import PromptEncoder
from .recipe import Recipe
from .regions import places, texts_of
from .schedule import Schedule, influenced, make_schedule, scheduler_of
from .tags import PromptLoras

log = logging.getLogger(__name__)
FUSED = "lora_dict: the LoRAs are fused and cannot change, by a prompt neither; make a new Stream with fuse_lora=False"


class Networks:
    """The networks of one pipeline, and everything that is made from them.

    The pipeline that is given is never changed: LoRAs, ControlNets and settings go into a copy that shares its weights.
    """

    def __init__(self, pipe: Any, progress: Progress | None = None, pool: Pool | None = None) -> None:
        """``progress`` watches what is built; ``pool`` gives units that run together with those of other streams.
        Raises ModelError for a pipeline that the loop cannot run."""
        self._pool = pool
        self._progress: Progress = progress or silent
        self.pipe = pipe = admitted(pipe)
        self._device: torch.device = pipe.unet.device  # asking a network walks through all of it
        self.prediction: Prediction = "epsilon"  # the first configuration decides it
        self._scheduler = scheduler_of(pipe.scheduler.config)
        self._controls = Controls(pipe)
        self.prompts = PromptEncoder(pipe)
        self._curve = influence_of(pipe)
        self._loras = LoraSet(pipe)
        self._images = ImagePrompts(pipe, self._progress)
        self._prompt_loras = PromptLoras(pipe)
        self._asked: dict[str, float] = {}  # the scales of the newest configuration, by path
        self._taught = TaughtWords(pipe)
        self._lora_names: dict[str, str] = {}  # path or id -> name in the LoraSet
        self._lcm_lora: str | None = None
        self._built: list[tuple[Hashable, Units]] = []  # the newest units and those before, by what decides them
        self._told: set[str] = set()  # what is said once

    # --- admitting configurations

    def admit(self, config: StreamConfig, old: StreamConfig | None = None) -> StreamConfig:
        """Complete a configuration that comes after ``old`` (None: it is the first); nothing is loaded yet.

        Raises ConfigError for a setting that cannot change live, and for a sketch that nothing would carry.
        """
        if old is None:
            config = settled(self.pipe, config)
            self.prediction = prediction_of(self.pipe, config)
        if old is None and not config.controlnets and self._controls.count:
            config = config.changed(controlnets=[{}] * self._controls.count)
        for name in FIXED if old is not None else ():
            if getattr(old, name) != getattr(config, name):
                raise ConfigError(
                    f"{name}: cannot change while running; make a new Stream with {name}={getattr(config, name)!r}"
                )
        if self._prompt_loras.scales(config) != self._asked and old is not None and config.fuse_lora:
            raise ConfigError(FUSED)
        if config.mode == "sketch" and not any(net.enabled for net in config.controlnets):
            raise ConfigError(
                "mode sketch: got no enabled ControlNet, expected at least one, because nothing else carries the "
                "drawing; add one under controlnets, or use mode img2img"
            )
        config = self._guided_once(config)
        self._tell_negative(config)
        asked = Size(config.width, config.height)
        size = asked.rounded(self.scale_factor)
        large = too_large(size, self.pipe) if old is None or (old.width, old.height) != size else ""
        if large:
            log.warning("%s", large)
        if size == asked:
            return config
        log.warning("size %s is not a multiple of %d pixels; using %s", asked, self.scale_factor, size)
        return config.changed(width=size.width, height=size.height)

    def _tell_negative(self, config: StreamConfig) -> None:
        """Say once that nothing is guided away from the negative prompt, which nobody would guess."""
        unused = config.cfg_type in ("none", "self") or config.guidance_scale <= 1.0
        if config.negative_prompt and unused and "negative" not in self._told:
            self._told.add("negative")
            log.warning(
                "negative_prompt has no effect with cfg_type %s and guidance_scale %g; "
                "set cfg_type to full or initialize, and guidance_scale above 1",
                config.cfg_type,
                config.guidance_scale,
            )

    def _guided_once(self, config: StreamConfig) -> StreamConfig:
        """A model that takes ``guidance_scale`` as an input is not guided from outside as well (arXiv 2310.04378)."""
        if self.pipe.unet.config.time_cond_proj_dim is None or config.cfg_type == "none":
            return config
        if "guided" not in self._told:
            self._told.add("guided")
            log.info("this model takes guidance_scale as an input, so cfg_type %s is not used", config.cfg_type)
        return config.changed(cfg_type="none")

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is loaded inside is let go of again where something inside fails."""
        loras, words, nets = self._loras.state(), self._taught.state(), self._controls.state()
        rest = dict(self._lora_names), self._lcm_lora, list(self._built), self._asked
        images = self._images.state()
        try:
            yield
        except BaseException:
            self._loras.restore(loras)
            self._images.restore(images)
            self._taught.restore(words)
            self.prompts.forget()
            self._controls.restore(nets)
            self._lora_names, self._lcm_lora, self._built, self._asked = rest
            raise

    def load(self, config: StreamConfig, old: StreamConfig | None, only: bool = False) -> None:
        """Load all weights of an admitted configuration that comes after ``old`` (None: the first).

        ``only``: LoRAs that it does not name are unloaded, where they would rest with scale 0 (which leaves NaN what it
        is). Networks that run already are not touched. Raises ConfigError, ModelError or LoraError.
        """
        scales = self._prompt_loras.scales(config)
        if old is None:
            self._load_vae(config)
            if config.use_lcm_lora:
                self._lcm_lora = config.lcm_lora_id or lcm_lora_id(self.pipe)
                self._load_lcm_lora(self._lcm_lora)
        self._controls.load(config)
        self._images.load(config)
        before = len(self._lora_names)
        self._load_loras([path for path in scales if path not in self._lora_names])
        new = len(self._lora_names) > before or old is None
        if only:
            self._leave_loras(config)
        if self._taught.learn(config.textual_inversion, self._loras.embeddings) or new:
            self.prompts.forget()
        if old is None or scales != self._asked:
            self._asked = scales
            self._loras.set_text_scales(self._lora_scales(config))
            self.prompts.forget()
        if old is None and config.fuse_lora and self._loras.names:
            self._loras.fuse(self._lora_scales(config))

    def shape(self, config: StreamConfig) -> Hashable:
        """Equal for two configurations that the same running tensors and networks serve."""
        guidance = make_guidance(config.cfg_type, config.guidance_scale)
        loop = config.mode, config.do_add_noise, config.use_denoising_batch, len(config.t_index_list), type(guidance)
        return self._units_key(config), loop, repr(config.adapters), may_hold(config)

    def making(self, config: StreamConfig, units: Units, old: Making | None) -> Making:
        """How pictures of an admitted configuration that comes after ``old`` are made, for people."""
        same = old is not None and old.stream.told == config.told
        before = None if old is None else old.before if same else old.stream.told
        model = str(getattr(self.pipe, "name_or_path", None) or "")
        return Making(model, config, units.about or units.name, before)

    def _load_vae(self, config: StreamConfig) -> None:
        """Put in the autoencoder that the first configuration asks for, where it is another than the pipeline's."""
        if not wants_vae(self.pipe, config):
            return
        vae = load_vae(config.vae_id, self.pipe)
        check_vae(vae, self.pipe, type(self.pipe).__name__)
        self.pipe.vae = working_vae(vae, self.pipe.unet)

    def _load_lcm_lora(self, path: str) -> None:
        try:
            self._load_loras([path])
        except LoraError as error:
            raise LoraError(f"{error}; or set use_lcm_lora=False, where the model needs none") from None

    def _load_loras(self, paths: list[str]) -> None:
        for file, path in [(self._loras.read(path), path) for path in paths]:  # all are read before one is put in
            self._lora_names[path] = self._loras.load(file, scale=0.0)  # rows bring their own scales

    def _leave_loras(self, config: StreamConfig) -> None:
        wanted = {self._lcm_lora, *self._prompt_loras.scales(config)}
        for path in [path for path in self._lora_names if path not in wanted]:
            self._loras.remove(self._lora_names.pop(path))

    def _lora_scales(self, config: StreamConfig) -> dict[str, float]:
        """The scale of every loaded LoRA, by its name, in the order of the loop's rows."""
        usual = {} if self._lcm_lora is None else {self._lcm_lora: 1.0}
        scales = usual | self._prompt_loras.scales(config)
        return {name: scales.get(path, 0.0) for path, name in self._lora_names.items()}

    # --- what the loop runs on

    @property
    def scale_factor(self) -> int:
        """Pixels of a latent's side."""
        return int(self.pipe.vae_scale_factor)

    def units(self, config: StreamConfig) -> Units:
        """The networks as functions, with the ControlNets that are enabled, ready to run.

        Building them can take minutes; those of the two newest shapes are kept, at rest too. Raises EngineError.
        """
        shapes, nets, _ = wanted = self._units_key(config)
        for known, units in self._built:
            if known == wanted:
                return units
        quantised = config.dtype if config.dtype in engines.QUANTISING else ""
        options = engines.Options(folder=config.engine_dir, quantised=quantised, progress=self._progress)
        with torch.inference_mode(False):
            build = self._pool.build if self._pool else engines.build
            units = build(config.acceleration, self.pipe, list(nets), shapes, options)
        self._built = [(wanted, units), *self._built[: 3 if config.settle_steps else 1]]
        return units

    def _units_key(self, config: StreamConfig) -> tuple[Shapes, tuple[Any, ...], Any]:
        nets = self._controls.enabled(config)
        return self._shapes(config, nets), nets, self.pipe.unet

    def keep_newest(self) -> None:
        """Forget the units of the shape before, whose memory is needed."""
        del self._built[1:]

    def work_in_tiles(self, config: StreamConfig) -> bool:
        """Make the autoencoder work in tiles, for less memory; returns whether that is new, and does anything."""
        vae = self.pipe.vae
        side = getattr(vae, "tile_sample_min_size", None)
        in_pieces = hasattr(vae, "enable_tiling") and not getattr(vae, "use_tiling", False)
        if not in_pieces or side is None or max(config.width, config.height) <= side:
            return False
        if not self._built or not self._built[0][1].follows_pipe:
            return False
        vae.enable_tiling()
        return True

    def _shapes(self, config: StreamConfig, nets: tuple[Any, ...]) -> Shapes:
        unet, frames = self.pipe.unet, config.frame_buffer_size
        rows = frames * (len(config.t_index_list) if config.use_denoising_batch else 1)
        prompt = self.prompts.prompt(config)
        return Shapes(
            frames=frames,
            rows=rows + make_guidance(config.cfg_type, config.guidance_scale).extra_rows(rows, frames),
            width=config.width,
            height=config.height,
            latent=self.latent(config),
            text=((1 + places(config)) * prompt.text.shape[1], prompt.text.shape[2]),
            **sizes(nets, self.latent(config)),
            pooled=0 if prompt.pooled is None else prompt.pooled.shape[1],
            guidance=unet.config.time_cond_proj_dim or 0,
            loras=() if config.fuse_lora else self._loras.names,
            encodes=config.from_picture,
            images=self._images.counts,
            regions=places(config),
        )

    def latent(self, config: StreamConfig) -> tuple[int, int, int]:
        factor = self.scale_factor
        return self.pipe.unet.config.in_channels, config.height // factor, config.width // factor

    @torch.inference_mode()
    def recipe(self, config: StreamConfig, revision: int, schedule: Schedule | None = None) -> Recipe:
        """Tensors for one configuration, on the device; ``schedule``: what ``self.schedule`` gave, made anew if not."""
        device, unet = self._device, self.pipe.unet
        steps = len(config.t_index_list)
        guided = make_guidance(config.cfg_type, config.guidance_scale).extra_rows(1, 1) > 0
        time_ids = None
        if unet.config.addition_embed_type == "text_time":
            height, width = config.height, config.width
            time_ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32, device=device)
        embedding = None
        if unet.config.time_cond_proj_dim is not None:
            weight = torch.tensor([config.guidance_scale - 1.0])
            embedding = self.pipe.get_guidance_scale_embedding(weight, embedding_dim=unet.config.time_cond_proj_dim)
            embedding = embedding.to(device)
        return Recipe(
            revision=revision,
            schedule=schedule or self.schedule(config),
            noise=SeedNoise(config).draw(steps, *self.latent(config)).to(device),
            prompt=self.prompts.prompt(config),
            negative=self.prompts.negative(config) if guided else None,
            control_scales=control_scales(config, steps, self.influence(config).control).to(device),
            lora_scales=torch.tensor(
                [] if config.fuse_lora else list(self._lora_scales(config).values()), device=device
            ),
            guidance_scale=config.guidance_scale,
            delta=config.delta,
            time_ids=time_ids,
            guidance_embedding=embedding,
            images=self._images.tokens(config),
            regions=texts_of(config, self.prompts),
        )

    def influence(self, config: StreamConfig) -> Influence:
        """What ``drawing_influence`` does to this model."""
        return at(self._curve, config.drawing_influence)

    def schedule(self, config: StreamConfig) -> Schedule:
        """The coefficients of a configuration's steps. Raises ConfigError for steps that the model does not have."""
        indices, count = config.t_index_list, config.num_inference_steps
        if config.from_picture:
            indices = influenced(indices, count, config.drawing_influence)
        return make_schedule(self._scheduler, config.scheduler, indices, count, self._device)
