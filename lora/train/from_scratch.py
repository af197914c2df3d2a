"""The configurations of trainings from scratch. Defaults are what was measured best."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .config import Channels, Settings, TrainConfig

Blocks = Annotated[int, Field(ge=0, le=64)]
Timestep = Annotated[int, Field(ge=0, le=999)]


class AutoencoderConfig(TrainConfig):
    """AutoencoderTiny from scratch, or from another one."""

    channels: int = Field(32, ge=8, le=512)
    """Width of every stage."""
    encoder_blocks: tuple[Blocks, ...] = Field((1, 1, 2, 2), min_length=2, max_length=7)
    """Residual blocks of each stage of the encoder, the finest first. Each stage after the first halves the sides: four
    make one latent of 8 x 8 pixels, five of 16 x 16."""
    decoder_blocks: tuple[Blocks, ...] | None = Field(None, min_length=2, max_length=7)
    """Residual blocks of each stage of the decoder, the coarsest first; null: those of init, else 3, 2, 1, 1. Beside
    encoder, init's decoder may grow: blocks that it has not pass on what they get, at first."""
    latent_channels: int = Field(4, ge=1, le=64)
    """Channels of a latent."""
    init: str | None = None
    """Folder of an autoencoder, or of a model, whose weights are the start."""
    encoder: str | None = None
    """Folder of an autoencoder, or of a model, whose encoder stays as it is: only a decoder is trained, a new one
    unless init has one. Models that were trained on its latents go on to work."""
    sharpen: float = Field(0.0, ge=0, le=4)
    """Above 0: a decoder is held to what init's makes of the same latents, with so much unsharp masking (1 pixel), and
    not to the true picture. Regression blurs what nothing explains; this gives edges their contrast back."""
    crop: int = Field(64, ge=16, le=16_384, multiple_of=8)
    """Side of the crops that it trains on, in pixels."""
    latent_noise: float = Field(0.03, ge=0, le=1)
    """Noise on the latents, so that the decoder forgives those that are a little wrong."""
    equivariance: float = Field(0.0, ge=0, le=1)
    """Share of steps in which the latents are made smaller, and the decoder is held to the picture made as small
    (EQ-VAE, Kouzelis et al. 2025, arXiv:2502.09509). Latents become smooth, as pictures are, and what predicts them
    learns sooner; at 16 x 16 pixels a latent they are rough without it."""
    mse_weight: float = Field(2.0, ge=0, le=1e6)
    """Weight of the mean square."""
    l1_weight: float = Field(0.3, ge=0, le=1e6)
    """Weight of the absolute difference."""
    chroma_weight: float = Field(1.5, ge=0, le=1e6)
    """Weight of the difference of colour; without it teal becomes slate, and purple blue."""
    gradient_weight: float = Field(0.15, ge=0, le=1e6)
    """Weight of the difference of gradients."""
    texture_weight: float = Field(0.0, ge=0, le=1e6)
    """Weight of the difference in how strong detail is, in small windows: grass and gravel keep their grain, although
    no blade is where it was."""
    correlation_weight: float = Field(0.05, ge=0, le=1e6)
    """Weight of the correlation between latent channels, which reaches .9 without it."""
    standard_weight: float = Field(0.02, ge=0, le=1e6)
    """Weight of the latents' distance from mean 0 and standard deviation 1."""
    gan_weight: float = Field(0.3, ge=0, le=1e6)
    """Weight of the PatchGAN, relative to the gradient of square and absolute difference: grain instead of fog."""
    gan_from: float = Field(0.5, ge=0, le=1)
    """Share of the budget after which it begins."""
    gan_learning_rate: float = Field(4e-4, gt=0, le=1)
    """Rate of its discriminator."""
    train_batch_size: int = Field(8, ge=1, le=65_536)
    """Samples a step and device."""
    optimizer: Literal["adamw", "adamw8bit", "muon"] = "muon"
    """muon: Muon for kernels, AdamW for the rest; 2 dB ahead of AdamW alone after a minute."""
    learning_rate: float = Field(1.5e-3, gt=0, le=1)
    """Rate of AdamW."""
    adam_beta2: float = Field(0.99, ge=0, lt=1)
    """Memory of AdamW's square."""
    adam_weight_decay: float = Field(1e-4, ge=0, le=1)
    """Decay of weights."""
    lr_warmup_steps: int = Field(100, ge=0, le=10**9)
    """Steps in which the rates rise to their values."""
    lr_flat: float = Field(0.3, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the running mean of the weights, which is what is validated and written; 0: the weights themselves."""

    @model_validator(mode="after")
    def _fits(self) -> AutoencoderConfig:
        if self.sharpen and not (self.init and self.encoder):
            raise ValueError(f"sharpen: got {self.sharpen:g}, expected 0 without init and encoder")
        stages, made = len(self.encoder_blocks), len(self.decoder_blocks or self.encoder_blocks)
        if made != stages and not (self.init or self.encoder):
            raise ValueError(f"decoder_blocks: got {made} numbers, expected {stages}, as encoder_blocks has")
        return self


class UpscalerConfig(TrainConfig):
    """A network that makes pictures twice as large, for what one model paints."""

    autoencoder: str | None = None
    """Folder of an autoencoder, or of a model, whose pictures it is for; null: pictures as they are made half as
    large."""
    channels: int = Field(32, ge=4, le=256)
    """Width of the network."""
    blocks: int = Field(6, ge=1, le=64)
    """Residual blocks of two convolutions."""
    crop: int = Field(128, ge=32, le=16_384, multiple_of=16)
    """Side of the crops that it trains on, in pixels of the large picture."""
    crops: int = Field(4, ge=1, le=256)
    """Crops of each picture."""
    painted: float = Field(0.7, ge=0, le=1)
    """Share of the crops that go through the autoencoder; the others are for pictures that are enlarged twice."""
    blur: float = Field(0.8, ge=0, le=2)
    """Most that these are blurred before, as a standard deviation in pixels: what a model paints is softer than its
    autoencoder would have it."""
    latent_noise: float = Field(0.03, ge=0, le=1)
    """Noise on the latents, as a model's are never exact."""
    sharpen: float = Field(0.0, ge=0, le=4)
    """Unsharp masking (1.5 pixels, times this) of what it is held to where the autoencoder was: regression blurs what
    nothing explains, and this gives edges their contrast back."""
    gradient_weight: float = Field(0.5, ge=0, le=1e6)
    """Weight of the difference of gradients, beside the absolute difference."""
    train_batch_size: int = Field(4, ge=1, le=65_536)
    """Samples a step and device."""
    optimizer: Literal["adamw", "adamw8bit", "muon"] = "muon"
    """muon: Muon for kernels, AdamW for the rest. adamw8bit needs bitsandbytes and a GPU."""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Rate of AdamW."""
    adam_beta2: float = Field(0.99, ge=0, lt=1)
    """Memory of AdamW's square."""
    adam_weight_decay: float = Field(1e-4, ge=0, le=1)
    """Decay of weights."""
    lr_warmup_steps: int = Field(100, ge=0, le=10**9)
    """Steps in which the rates rise to their values."""
    lr_flat: float = Field(0.4, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""
    ema_decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the running mean of the weights, which is what is validated and written; 0: the weights themselves."""


class ReaderConfig(TrainConfig):
    """A network that says in a model's words what a drawing shows."""

    groups: tuple[str, ...] = Field(
        (
            *("style", "name", "view", "roof", "balconies", "trees", "far", "water", "way", "houses"),
            *("behind", "fence", "path", "plants"),
        ),
        min_length=1,
    )
    """Tags that lines say, besides the kind; colours, materials and times of day are none."""
    least: int = Field(12, ge=1, le=10**6)
    """Samples that a word must have, or it is not learned."""
    widths: tuple[Annotated[int, Field(ge=1, le=256)], Annotated[int, Field(ge=1, le=256)]] = (32, 64)
    """Channels of its convolution, and of what sees all of the sheet."""
    variations: int = Field(3, ge=1, le=100)
    """How many ways each pair is drawn; all are made before training, which takes longer than the training."""
    unfinished: float = Field(0.35, ge=0, le=1)
    """Share of drawings of which a part is not there yet."""
    searching: float = Field(0.3, ge=0, le=1)
    """Share of drawings whose lines were looked for: drawn two or three times."""
    hatched: float = Field(0.25, ge=0, le=1)
    """Share of drawings with hatching, and with lines that belong to nothing."""
    broad: float = Field(0.4, ge=0, le=1)
    """Share of drawings whose pen is broader, up to that of a brush."""
    train_batch_size: int = Field(128, ge=1, le=65_536)
    """Samples a step and device."""
    learning_rate: float = Field(3e-3, gt=0, le=1)
    """Rate of AdamW."""
    adam_beta2: float = Field(0.99, ge=0, lt=1)
    """Memory of AdamW's square."""
    adam_weight_decay: float = Field(0.05, ge=0, le=1)
    """Decay of weights."""
    lr_warmup_steps: int = Field(50, ge=0, le=10**9)
    """Steps in which the rates rise to their values."""
    lr_flat: float = Field(0.2, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""
    ema_decay: float = Field(0.98, ge=0, lt=1)
    """Decay of the running mean of the weights, which is what is validated and written; 0: the weights themselves."""


class NetworkSizes(Settings):
    """Sizes of the base model's networks. The defaults are ink-tiny's: 21 MB in half precision."""

    block_out_channels: tuple[Channels, ...] = Field((64, 96, 160), min_length=2, max_length=6)
    """Channels of the UNet's and the ControlNet's levels."""
    layers_per_block: int = Field(1, ge=1, le=4)
    """ResNet blocks of a level."""
    norm_num_groups: int = Field(16, ge=1, le=64)
    """Groups of normalisation; the widths must be multiples of it."""
    head_dim: int = Field(32, ge=4, le=256)
    """Width of an attention head."""
    attention_levels: tuple[bool, ...] = (False, True, True)
    """Which levels of the UNet have attention to themselves and the text."""
    conditioning_channels: tuple[Channels, ...] = Field((8, 16, 32, 64), min_length=2, max_length=7)
    """Channels of the ControlNet's condition embedding, one more than it halves the drawing's sides."""
    text_width: int = Field(128, ge=16, le=2048)
    """Width of the text encoder and of the cross attention."""
    text_layers: int = Field(2, ge=1, le=32)
    """Layers of the text encoder."""
    text_heads: int = Field(4, ge=1, le=64)
    """Heads of the text encoder."""
    max_tokens: int = Field(32, ge=8, le=256)
    """Longest caption in tokens, its start and end included."""

    @model_validator(mode="after")
    def _fits(self) -> NetworkSizes:
        for width in self.block_out_channels:
            if width % self.norm_num_groups:
                raise ValueError(
                    f"block_out_channels: got {width}, expected a multiple of norm_num_groups = {self.norm_num_groups}"
                )
        if len(self.attention_levels) != len(self.block_out_channels):
            raise ValueError(
                f"attention_levels: got {len(self.attention_levels)} levels, block_out_channels has "
                f"{len(self.block_out_channels)}"
            )
        if self.text_width % self.text_heads:
            raise ValueError(
                f"text_width: got {self.text_width}, expected a multiple of text_heads = {self.text_heads}"
            )
        return self


class BaseConfig(TrainConfig):
    """Text encoder, UNet and ControlNet from scratch: few-step by regression of x0 through v."""

    autoencoder: str = Field(min_length=1)
    """Folder of the autoencoder, as inkstream train autoencoder writes it, or of a model that has one."""
    init: str | None = None
    """Folder of a model whose weights are the start; its tokenizer is kept, too."""
    networks: NetworkSizes = Field(default_factory=lambda: NetworkSizes.model_validate({}))
    """Sizes of the networks."""
    frozen: tuple[str, ...] = ()
    """Weights that stay as they are, by how their names begin, such as controlnet.controlnet_cond_embedding.conv_in:
    the first layers of a model that goes on at 512 pixels know lines, and their gradients are a fifth of a step."""

    # --- which timesteps, as shares of the rows; the rest is anywhere on the grid
    original_inference_steps: int = Field(50, ge=4, le=1000)
    """Length of the grid of timesteps that LCMScheduler uses."""
    first_share: float = Field(0.25, ge=0, le=1)
    """Rows at the first timestep, 999."""
    first_pure: float = Field(0.7, ge=0, le=1)
    """Of those, rows that start from nothing but noise."""
    named_share: float = Field(0.55, ge=0, le=1)
    """Rows at the timesteps that step lists visit later."""
    named_timesteps: tuple[Timestep, ...] = Field((759, 679, 499, 359, 259, 99), min_length=1)
    """Those timesteps."""
    low_share: float = Field(0.05, ge=0, le=1)
    """Rows below timestep 400, so that more steps add detail and a start picture keeps its colours."""
    rollout: float = Field(0.9, ge=0, le=1)
    """Share of batches whose later rows start from the network's own previous steps."""
    rollout_from: float = Field(0.4, ge=0, le=1)
    """Share of the budget after which that begins."""
    flattened: float = Field(0.25, ge=0, le=1)
    """Share of the rows between timesteps 200 and 800 that start from a flat painting of the picture."""
    low_caption_dropout: float = Field(0.2, ge=0, le=1)
    """Share of rows below timestep 600 without a caption, so that colours are read from the start picture."""

    # --- losses
    crop_weight: float = Field(0.8, ge=0, le=1e6)
    """Weight of L1 and gradients of decoded crops."""
    crop_from: float = Field(0.08, ge=0, le=1)
    """Share of the budget after which crops are decoded."""
    crop: int = Field(128, ge=0, le=16_384, multiple_of=8)
    """Side of the crops in pixels; 0: whole pictures."""
    crop_share: float = Field(0.5, gt=0, le=1)
    """Share of a batch's rows that are decoded."""
    texture_weight: float = Field(0.0, ge=0, le=1e6)
    """Weight of the difference in how strong detail is in these crops, relative to crop_weight."""
    gan_weight: float = Field(0.15, ge=0, le=1e6)
    """Weight of the PatchGAN, relative to the gradient of what it stands beside; above .2 that of latents hurts."""
    gan_sees: Literal["latents", "pictures"] = "latents"
    """latents: it judges latents, beside their regression. pictures: decoded crops, beside theirs (crop_weight), which
    is dearer and makes pictures sharp that a regression left soft."""
    decoder: bool = False
    """Let the autoencoder's decoder learn as well, from decoded crops; its encoder, and so the latents, stay."""
    gan_from: float = Field(0.7, ge=0, le=1)
    """Share of the budget after which it begins."""
    gan_learning_rate: float = Field(4e-4, gt=0, le=1)
    """Rate of its discriminator."""

    optimizer: Literal["adamw", "adamw8bit", "muon"] = "muon"
    """muon: Muon for matrices and kernels, AdamW for the rest. adamw8bit needs bitsandbytes and a GPU."""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Rate of AdamW."""
    adam_beta2: float = Field(0.98, ge=0, lt=1)
    """Memory of AdamW's square."""
    ema_decay: float = Field(0.995, ge=0, lt=1)
    """Decay of the running mean of the weights, which is what is validated and written; 0: the weights themselves."""
    model_at_checkpoints: bool = True
    """Write the model at every checkpoint, too, not only at the end."""

    @model_validator(mode="after")
    def _fits(self) -> BaseConfig:
        total = self.first_share + self.named_share + self.low_share
        if total > 1:
            raise ValueError(f"first_share: first_share + named_share + low_share is {total:g}, expected at most 1")
        wrong = [step for step in self.named_timesteps if not 0 <= step < 1000]
        if wrong:
            raise ValueError(f"named_timesteps: got {wrong[0]}, expected 0 to 999")
        if self.crop > self.data.size:
            raise ValueError(f"crop: got {self.crop}, expected at most data.size = {self.data.size}")
        on_crops = "decoder" if self.decoder else "gan_sees" if self.gan_sees == "pictures" else None
        if on_crops and not self.crop_weight:
            raise ValueError(f"{on_crops}: needs decoded crops, got crop_weight 0, expected more")
        return self
