"""Others' ways to render a frame, driven with as little around them as possible, so that a comparison is fair to them.

Each is a function from a picture (H, W, 3) uint8 RGB on the host to one of the same kind. Both take the same noise
levels, autoencoder, precision and seed as our stream, and get the prompt encoded beforehand.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from diffusers import LCMScheduler
from torch import Tensor

from ..stream.base.config import StreamConfig
from ..stream.base.errors import ConfigError
from ..stream.base.private import code_folder
from ..stream.base.quiet import quiet
from ..stream.loop.schedule import make_schedule, scheduler_of

with quiet():  # that there is no torchvision is on purpose, and said at import
    from diffusers import StableDiffusionImg2ImgPipeline

REFERENCE = "0.1.1"
Render = Callable[[np.ndarray], np.ndarray]


def streamdiffusion() -> Any:
    """The module ``streamdiffusion.pipeline``; raises ConfigError, with what to do, where it is not installed."""
    try:
        return importlib.import_module("streamdiffusion.pipeline")
    except ImportError as error:
        raise ConfigError(
            f"the reference is not installed ({error}): pip install --no-deps streamdiffusion=={REFERENCE}"
        ) from error


class StreamDiffusionRender:
    """The published loop on a pipeline of its own.

    ``variant``: ``eager`` as it is; ``channels_last`` with its networks and their inputs in that layout; ``compile``
    the same with ``torch.compile`` around UNet, encoder and decoder, which it did not have itself.
    """

    def __init__(self, pipe: Any, config: StreamConfig, variant: str = "eager") -> None:
        self._channels_last = variant != "eager"
        self._dtype = pipe.unet.dtype
        if self._channels_last:
            pipe.unet.to(memory_format=torch.channels_last)
            pipe.vae.to(memory_format=torch.channels_last)
        if variant == "compile":
            pipe.unet = compiled(pipe.unet)
            pipe.vae.encode, pipe.vae.decode = compiled(pipe.vae.encode), compiled(pipe.vae.decode)
        self.stream = streamdiffusion().StreamDiffusion(
            pipe,
            list(config.t_index_list),
            torch_dtype=self._dtype,
            width=config.width,
            height=config.height,
            do_add_noise=config.do_add_noise,
            use_denoising_batch=config.use_denoising_batch,
            frame_buffer_size=config.frame_buffer_size,
            cfg_type=config.cfg_type,
        )
        self.stream.prepare(
            prompt=str(config.prompt),
            negative_prompt=config.negative_prompt,
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            delta=config.delta,
            generator=torch.Generator(),
            seed=config.seed,
        )

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Render one frame."""
        image = to_tensor(pixels, self.stream.device, self._dtype) * 2 - 1
        if self._channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        latent = self.stream.predict_x0_batch(self.stream.encode_image(image))
        return to_picture(self.stream.decode_image(latent) / 2 + 0.5)


class DiffusersRender:
    """diffusers' own image-to-image pipeline with LCMScheduler: guidance none or full, one frame after the other."""

    def __init__(self, pipe: Any, config: StreamConfig) -> None:
        """Raises ConfigError for a guidance that diffusers does not have."""
        if config.cfg_type not in ("none", "full"):
            raise ConfigError(f"diffusers: got guidance {config.cfg_type}, expected none or full")
        scheduler = LCMScheduler.from_config(pipe.scheduler.config)
        components = {name: getattr(pipe, name) for name in ("vae", "text_encoder", "tokenizer", "unet")}
        kind: Any = StableDiffusionImg2ImgPipeline
        self._pipe = kind(
            **components,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self._pipe.set_progress_bar_config(disable=True)
        guided = config.cfg_type == "full" and config.guidance_scale > 1
        positive, negative = self._pipe.encode_prompt(
            str(config.prompt), pipe.device, 1, guided, negative_prompt=config.negative_prompt
        )
        self._prompts: dict[str, Any] = {"prompt_embeds": positive}
        if guided:
            self._prompts["negative_prompt_embeds"] = negative
        schedule = make_schedule(
            scheduler_of(pipe.scheduler.config), config.scheduler, config.t_index_list, config.num_inference_steps
        )
        self._timesteps = [int(each) for each in schedule.timestep]
        self._guidance = config.guidance_scale if guided else 1.0
        if not isinstance(config.seed, int):
            raise ConfigError(
                f"seed: got a blend of {len(config.seed)}, expected one number: diffusers blends no seeds"
            )
        self._seed, self._dtype = config.seed, pipe.unet.dtype

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Render one frame."""
        picture = self._pipe(
            image=to_tensor(pixels, self._pipe.device, self._dtype),
            strength=1.0,
            timesteps=self._timesteps,
            num_inference_steps=len(self._timesteps),
            guidance_scale=self._guidance,
            generator=torch.Generator().manual_seed(self._seed),
            output_type="pt",
            return_dict=False,
            **self._prompts,
        )[0]
        return to_picture(picture)


def to_tensor(pixels: np.ndarray, device: Any, dtype: torch.dtype) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1], in the layout that PyTorch has by default."""
    image = torch.from_numpy(pixels).to(device).permute(2, 0, 1)[None]
    return image.to(dtype).div_(255).contiguous()


def to_picture(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8 on the host."""
    pixels = image[0].float().mul(255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(1, 2, 0).contiguous().cpu().numpy()


def compiled(function: Any) -> Any:
    """``torch.compile`` for fixed shapes; it compiles when it is first called."""
    mode = "max-autotune-no-cudagraphs" if torch.cuda.is_available() else "default"
    code_folder()  # else PyTorch loads code from the temporary folder of all users
    return torch.compile(function, mode=mode, dynamic=False)


def compiler_missing() -> str:
    """Why ``torch.compile`` cannot be used here; empty: it can."""
    if torch.cuda.is_available():
        return "" if importlib.util.find_spec("triton") else "torch.compile needs triton"
    with suppress(RuntimeError):
        from torch._inductor.cpp_builder import get_cpp_compiler

        return "" if get_cpp_compiler() else "torch.compile needs a C++ compiler"
    return "torch.compile needs a C++ compiler"
