"""The kinds of training, and the configurations of those on top of a model. Defaults are mostly the field's own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ...stream.base.errors import ConfigError
from .config import Channels, Settings, TrainConfig
from .from_scratch import AutoencoderConfig, BaseConfig, ReaderConfig, UpscalerConfig

Condition = Literal["sketch", "clean", "edges", "palette", "materials"]


class ConditionConfig(Settings):
    """One ControlNet and the picture that it sees."""

    controlnet: str | None = None
    """Folder, hub id or .safetensors file; None: the model's own next one."""
    image: Condition = "sketch"
    """sketch; clean: exact lines; edges: Canny's of the sketch; palette: class colours; materials: real colours."""
    conditioning_scale: float = Field(1.0, ge=0, le=4)
    """How strongly it steers."""


class TunedConfig(TrainConfig):
    """What every training on top of a model has."""

    pretrained_model: str = Field(min_length=1)
    """Folder, hub id, .safetensors file or embedded model."""
    conditions: tuple[ConditionConfig, ...] = (ConditionConfig.model_validate({}),)
    """ControlNets and what each sees; several are summed."""
    snr_gamma: float | None = Field(5.0, gt=0, le=1e6)
    """Limit of min-SNR weighting; null: every timestep alike."""
    noise_offset: float = Field(0.0, ge=0, le=1)
    """One more number of noise for each channel, which lets it learn dark and light pictures."""
    cache_latents: bool = True
    """Encode all pictures once, before training."""
    lr_warmup_steps: int = Field(0, ge=0, le=10**9)
    """Steps in which the rates rise to their values."""
    validation_inference_steps: int = Field(4, ge=1, le=1000)
    """Steps of the pictures on validation sheets."""


class LoraConfig(TunedConfig):
    """LoRA of the UNet's or the ControlNets' attention, or of any modules."""

    mode: Literal["conventional", "modified", "two-step"] = "conventional"
    """conventional: deltas. modified: base weights and deltas. two-step: modified, merged, then conventional."""
    train: tuple[Literal["unet", "controlnet"], ...] = Field(("unet",), min_length=1)
    """Which networks get deltas."""
    target_modules: tuple[str, ...] = Field(("to_q", "to_k", "to_v", "to_out.0"), min_length=1)
    """Modules that get one, by the end of their names."""
    rank: int = Field(4, ge=1, le=512)
    """Rank of the deltas."""
    alpha: float | None = Field(None, gt=0, le=1e6)
    """alpha / rank is the delta's scale; null: alpha = rank."""
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of a delta's inputs that are left out while training."""
    first_share: float = Field(0.5, gt=0, lt=1)
    """two-step: share of the budget of the first step."""
    timesteps: Literal["uniform", "few-step"] = "uniform"
    """uniform: all alike. few-step: those that few-step samplers visit, the first one from nothing but noise."""
    loss: Literal["mse", "huber"] = "mse"
    """Loss of the prediction."""
    masked: float = Field(0.0, ge=0, le=1)
    """How much less the background counts, where classes are known."""
    edge_weight: float = Field(0.0, ge=0, le=1e6)
    """Weight of the edge loss of the decoded picture."""
    rectangle_weight: float = Field(0.1, ge=0, le=1e6)
    """K of the edge loss: weight of the difference in rectangles."""
    edge_below: int = Field(500, ge=1, le=1000)
    """Only rows below this timestep have an edge loss: above, x0 is still a blur."""
    kohya: bool = True
    """Write the keys of A1111 and kohya as well."""
    train_batch_size: int = Field(4, ge=1, le=65_536)
    """Samples a step and device."""
    lr_flat: float = Field(0.0, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""


class ControlNetConfig(TunedConfig):
    """A ControlNet for a frozen base model."""

    conditions: tuple[ConditionConfig, ...] = Field((ConditionConfig.model_validate({}),), min_length=1, max_length=1)
    """What the ControlNet sees; its controlnet names one to go on from, null: a copy of the base's encoder."""
    proportion_empty_prompts: float = Field(0.5, ge=0, le=1)
    """Share of empty captions, so that it reads the drawing itself."""
    conditioning_channels: tuple[Channels, ...] = Field((16, 32, 96, 256), min_length=4, max_length=4)
    """Channels of a new ControlNet's condition embedding."""
    learning_rate: float = Field(1e-5, gt=0, le=1)
    """Rate of AdamW."""
    lr_flat: float = Field(1.0, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""
    train_batch_size: int = Field(4, ge=1, le=65_536)
    """Samples a step and device."""


class LcmConfig(TunedConfig):
    """Latent consistency distillation: few steps from a model of many (Luo et al. 2023, arXiv:2310.04378)."""

    student: Literal["full", "lora"] = "lora"
    """full: a whole UNet that is told the guidance. lora: an LCM-LoRA (arXiv:2311.05556)."""
    num_ddim_timesteps: int = Field(50, ge=2, le=1000)
    """Steps of the teacher's solver."""
    w_min: float = Field(0.5, ge=0, le=1e6)
    """Least guidance, where w is guidance_scale - 1."""
    w_max: float = Field(3.0, ge=0, le=1e6)
    """Most guidance; above 3 it oversaturates on small data."""
    huber_c: float = Field(1e-3, gt=0, le=1e6)
    """c of the pseudo-Huber loss."""
    timestep_scaling_factor: float = Field(10.0, gt=0, le=1e6)
    """How fast the boundary condition gives way; LCMScheduler's is 10."""
    time_cond_proj_dim: int = Field(256, ge=2, le=4096, multiple_of=2)
    """full: width of the embedding of w."""
    rank: int = Field(64, ge=1, le=512)
    """lora: rank."""
    alpha: float | None = Field(None, gt=0, le=1e6)
    """lora: alpha / rank is its scale; null: alpha = rank."""
    target_modules: tuple[str, ...] = Field(
        (
            *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
            *("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj"),
        ),
        min_length=1,
    )
    """lora: modules that get one, by the end of their names."""
    train_batch_size: int = Field(12, ge=1, le=65_536)
    """Samples a step and device."""
    lr_flat: float = Field(1.0, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""
    ema_decay: float = Field(0.95, ge=0, lt=1)
    """Decay of the running mean, which is the target of a full student, and what is validated and written."""

    @model_validator(mode="after")
    def _ordered(self) -> LcmConfig:
        if self.w_min > self.w_max:
            raise ValueError(f"w_min: got {self.w_min}, expected at most w_max = {self.w_max}")
        if 1000 % self.num_ddim_timesteps:
            raise ValueError(f"num_ddim_timesteps: got {self.num_ddim_timesteps}, expected a divisor of 1000")
        return self


KINDS: dict[str, type[TrainConfig]] = {
    "autoencoder": AutoencoderConfig,
    "base": BaseConfig,
    "controlnet": ControlNetConfig,
    "lcm": LcmConfig,
    "lora": LoraConfig,
    "reader": ReaderConfig,
    "upscaler": UpscalerConfig,
}


def kind_of(task: str) -> type[TrainConfig]:
    """The configuration of a kind of training; raises ConfigError for an unknown kind."""
    if task not in KINDS:
        raise ConfigError(f"train: got the kind {task!r}, expected one of: {', '.join(KINDS)}")
    return KINDS[task]


def name_of(config: TrainConfig) -> str:
    """The kind of training that a configuration is for."""
    return next(name for name, kind in KINDS.items() if type(config) is kind)
