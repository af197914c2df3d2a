"""Small pipelines with random weights, for tests.

They have the shape of the real ones (the same classes, the same kinds of blocks, latents of image / 8) and run a
64x64 picture in milliseconds. Weights come from a seed and are scaled so that the UNet and both ways of the
autoencoder give numbers of order one, and so that the text, the timestep and every ControlNet change the result
visibly: a comparison of two pictures then means something. Nothing is downloaded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from inkstream.bench.shapes import TEXT_LENGTH, byte_tokenizer, load_shape, without_weights
from inkstream.stream.base.quiet import quiet

with quiet():  # that there is no torchvision is on purpose, and said at import
    from diffusers import (
        AutoencoderKL,
        AutoencoderTiny,
        ControlNetModel,
        LCMScheduler,
        StableDiffusionControlNetPipeline,
        StableDiffusionPipeline,
        StableDiffusionXLControlNetPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

Prediction = Literal["epsilon", "v_prediction"]
Vae = Literal["tiny", "kl"]
_WIDTHS = (32, 64)
P = ParamSpec("P")
T = TypeVar("T")


def _built_once(build: Callable[P, T]) -> Callable[P, T]:
    """Give every caller a copy of its own, which is five times quicker than building again."""
    prototype = lru_cache(maxsize=16)(build)

    @wraps(build)
    def fresh(*args: P.args, **kwargs: P.kwargs) -> T:
        return copy.deepcopy(prototype(*args, **kwargs))

    return fresh


@_built_once
def tiny_sd(
    prediction_type: Prediction = "epsilon",
    controlnets: int = 0,
    time_cond_proj_dim: int | None = None,
    vae: Vae = "tiny",
    cross_attention_dim: int = 32,
    seed: int = 0,
    levels: int = 2,
) -> StableDiffusionPipeline | StableDiffusionControlNetPipeline:
    """A pipeline shaped like Stable Diffusion 1.x; with ``controlnets`` above 0 its ControlNet pipeline.

    With one of its two ``levels`` it has half the layers.
    """
    unet = {
        "cross_attention_dim": cross_attention_dim,
        "time_cond_proj_dim": time_cond_proj_dim,
        "block_out_channels": _WIDTHS[:levels],
        "down_block_types": ("CrossAttnDownBlock2D",) * levels,
        "up_block_types": ("CrossAttnUpBlock2D",) * levels,
    }
    return _build(prediction_type, controlnets, vae, seed, unet)


@_built_once
def tiny_sd21(
    prediction_type: Prediction = "v_prediction",
    controlnets: int = 0,
    vae: Vae = "tiny",
    cross_attention_dim: int = 48,
    seed: int = 0,
) -> StableDiffusionPipeline | StableDiffusionControlNetPipeline:
    """A pipeline shaped like Stable Diffusion 2.x: heads by level, linear projections, v-prediction."""
    unet = {
        "cross_attention_dim": cross_attention_dim,
        "attention_head_dim": [4, 8],
        "use_linear_projection": True,
    }
    return _build(prediction_type, controlnets, vae, seed, unet)


@_built_once
def tiny_sdxl(
    prediction_type: Prediction = "epsilon",
    controlnets: int = 0,
    time_cond_proj_dim: int | None = None,
    vae: Vae = "tiny",
    seed: int = 0,
) -> StableDiffusionXLPipeline | StableDiffusionXLControlNetPipeline:
    """A pipeline shaped like SDXL: two text encoders, pooled text (B, 32) and six time ids (B, 6)."""
    unet = {
        "cross_attention_dim": 64,
        "attention_head_dim": [4, 8],
        "use_linear_projection": True,
        "transformer_layers_per_block": [1, 2],
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 32,
        "time_cond_proj_dim": time_cond_proj_dim,
    }
    return _build(prediction_type, controlnets, vae, seed, unet, sdxl=True)


def _build(
    prediction_type: Prediction, controlnets: int, vae: Vae, seed: int, unet_config: dict[str, Any], sdxl: bool = False
) -> Any:
    with torch.random.fork_rng(devices=[]), quiet(), torch.no_grad():
        torch.manual_seed(seed)
        context_dim = unet_config["cross_attention_dim"]
        unet = _unet(unet_config)
        parts = {
            "vae": _vae(vae),
            "unet": unet,
            "tokenizer": byte_tokenizer(),
            "text_encoder": _text_encoder(32 if sdxl else context_dim),
            "scheduler": LCMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                prediction_type=prediction_type,
                clip_sample=False,
                steps_offset=1,
            ),
        }
        if sdxl:
            parts |= {"tokenizer_2": byte_tokenizer(), "text_encoder_2": _text_encoder(32, projection=32)}
            parts |= {"add_watermarker": False}
        else:
            parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        if controlnets:
            parts["controlnet"] = [_controlnet(unet) for _ in range(controlnets)]
            if controlnets == 1:
                parts["controlnet"] = parts["controlnet"][0]
        kinds = {
            (False, False): StableDiffusionPipeline,
            (False, True): StableDiffusionControlNetPipeline,
            (True, False): StableDiffusionXLPipeline,
            (True, True): StableDiffusionXLControlNetPipeline,
        }
        pipe = kinds[sdxl, bool(controlnets)](**parts)
    for part in pipe.components.values():
        for module in part if isinstance(part, list) else [part]:
            if isinstance(module, nn.Module):
                module.eval().requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _unet(config: dict[str, Any]) -> UNet2DConditionModel:
    defaults = {
        "sample_size": 8,
        "layers_per_block": 1,
        "block_out_channels": _WIDTHS,
        "norm_num_groups": 8,
        "attention_head_dim": 4,
        "down_block_types": ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2,
    }
    unet: Any = UNet2DConditionModel(**{**defaults, **config}).eval()
    for name, parameter in unet.named_parameters():
        if "attn2" in name and name.endswith(("to_k.weight", "to_v.weight", "to_out.0.weight")):
            parameter.mul_(3.0)  # at their default scale the text would hardly show
        elif name.endswith("time_emb_proj.weight"):
            parameter.mul_(3.0)
    sample, steps = torch.randn(2, 4, 8, 8), torch.tensor([100, 700])
    text = torch.randn(2, TEXT_LENGTH, unet.config.cross_attention_dim)
    added = None
    if unet.config.addition_embed_type == "text_time":
        added = {"text_embeds": torch.randn(2, 32), "time_ids": torch.tensor([[64, 64, 0, 0, 64, 64]] * 2).float()}
    _to_order_one(unet.conv_out, lambda: unet(sample, steps, text, added_cond_kwargs=added).sample)
    return unet


def _controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    net = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(8, 8, 16, 16), load_weights_from_unet=False
    )
    zero_convolutions = [*net.controlnet_down_blocks, net.controlnet_mid_block]
    for conv in zero_convolutions:
        nn.init.normal_(conv.weight, std=conv.in_channels**-0.5)
    embed, drawing = net.controlnet_cond_embedding, torch.rand(1, 3, 64, 64).round()
    nn.init.normal_(embed.conv_out.weight)
    for conv in [embed.conv_in, *embed.blocks, embed.conv_out]:
        conv.bias.zero_()  # an empty drawing then gives exactly nothing
    embed.conv_out.weight.mul_(4.0 / embed(drawing).std())  # a drawing of a few thin lines must show as well
    return net


def _vae(kind: Vae) -> AutoencoderTiny | AutoencoderKL:
    widths: Any = (16, 16, 16, 16)
    if kind == "tiny":
        vae: Any = AutoencoderTiny(
            encoder_block_out_channels=widths,
            decoder_block_out_channels=widths,
            num_encoder_blocks=(1, 1, 1, 1),
            num_decoder_blocks=(1, 1, 1, 1),
        ).eval()
        last_encode, last_decode = vae.encoder.layers[-1], vae.decoder.layers[-1]
    else:
        down: Any = ("DownEncoderBlock2D",) * 4
        up: Any = ("UpDecoderBlock2D",) * 4
        vae = AutoencoderKL(
            block_out_channels=widths,
            down_block_types=down,
            up_block_types=up,
            norm_num_groups=4,
            sample_size=64,
        ).eval()
        last_encode, last_decode = vae.encoder.conv_out, vae.decoder.conv_out
    image = torch.rand(2, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3) * 2 - 1  # (2, 3, 64, 64)
    latent = torch.randn(2, 4, 8, 8)
    _to_order_one(last_encode, lambda: vae.encoder(image)[:, :4])
    _to_order_one(last_decode, lambda: vae.decode(latent).sample, 0.4)
    return vae


def _text_encoder(width: int, projection: int | None = None) -> CLIPTextModel | CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        vocab_size=len(byte_tokenizer()),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TEXT_LENGTH,
        projection_dim=projection or width,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    encoder = (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)
    for name, parameter in encoder.named_parameters():
        if parameter.ndim > 1:  # their default is 0.02, which leaves every prompt nearly the same
            nn.init.normal_(parameter, std=1.0 if "embedding" in name else parameter.shape[1] ** -0.5)
    return encoder


def _to_order_one(last: Any, run: Callable[[], Tensor], std: float = 1.0) -> None:
    """Set the last layer so that what ``run`` gives, (B, C, H, W), has this standard deviation and mean 0."""
    last.weight.mul_(std / run().std())
    if last.bias is not None:
        before = run().mean()
        last.bias.add_(1.0)
        gain = run().mean() - before  # a decoder may still map [0, 1] to [-1, 1] behind its last layer
        last.bias.sub_(1.0 + before / gain)


def generated(pipe: Any, **more: Any) -> Any:
    """(64, 64, 3) float32 in [0, 1]: what a pipeline itself makes of one prompt and one seed; ``more`` goes into it."""
    pipe.set_progress_bar_config(disable=True)
    settings = {"num_inference_steps": 2, "guidance_scale": 1.0, "height": 64, "width": 64, "output_type": "np"}
    return pipe("a red car", generator=torch.Generator().manual_seed(1), **settings, **more).images[0]


def empty_part(name: str, part: str) -> Any:
    """One part of a published shape whose weights are on the meta device: its sizes without its memory."""
    kinds: dict[str, Any] = {
        "unet": UNet2DConditionModel,
        "controlnet": ControlNetModel,
        "vae": AutoencoderTiny,
        "vae_kl": AutoencoderKL,
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
    }
    return without_weights(kinds[part], load_shape(name)[part])
