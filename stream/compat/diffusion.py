"""``StreamDiffusion``: upstream's class over our ``Stream``."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...lora.styles import model_folder
from ...models import embedded
from ..base.config import CfgType, Mode
from ..base.errors import ConfigError, FrameError
from ..base.frame import Output
from ..loop.outputs import SafetyChecker
from ..loop.stream import Stream
from .pictures import levels

OWN_LCM_LORA = "latent-consistency/lcm-lora-sdv1-5"  # what upstream loads for every base model unless told otherwise


class StreamDiffusion:
    """A pipeline of diffusers, pictures in and pictures out: ``prepare`` first, then call it with one after the other.

    A call gives a tensor (F, 3, H, W) of ``torch_dtype`` in about [-1, 1] on the pipeline's device, the picture of the
    call K - 1 calls before (K steps). The first K - 1 calls give the first picture.
    """

    def __init__(
        self,
        pipe: Any,
        t_index_list: Sequence[int],
        torch_dtype: torch.dtype = torch.float16,
        width: int = 512,
        height: int = 512,
        do_add_noise: bool = True,
        use_denoising_batch: bool = True,
        frame_buffer_size: int = 1,
        cfg_type: CfgType = "self",
    ) -> None:
        """``pipe`` runs in the precision that it has; ``torch_dtype`` is that of the tensors that come out. The size is
        cut to a multiple of the pipeline's scale factor. Raises ConfigError, as the other methods do, and ModelError.
        """
        if not t_index_list:
            raise ConfigError("t_index_list: got no steps, expected at least one, for example [32, 45]")
        self.pipe, self.device, self.dtype = pipe, pipe.device, torch_dtype
        factor = int(pipe.vae_scale_factor)
        self.latent_width, self.latent_height = width // factor, height // factor
        self.width, self.height = self.latent_width * factor, self.latent_height * factor
        self.t_list = list(t_index_list)
        self.denoising_steps_num = len(self.t_list)
        self.frame_bff_size = frame_buffer_size
        self.do_add_noise, self.use_denoising_batch, self.cfg_type = do_add_noise, use_denoising_batch, cfg_type
        self.batch_size = frame_buffer_size * (self.denoising_steps_num if use_denoising_batch else 1)
        extra = {"full": self.batch_size, "initialize": frame_buffer_size}.get(cfg_type, 0)
        self.trt_unet_batch_size = self.batch_size + (extra if use_denoising_batch else 0)
        self.similar_image_filter = False
        self.prev_image_result: Tensor | None = None
        self.inference_time_ema = 0.0
        self.generator: torch.Generator | None = None
        self.guidance_scale, self.delta = 1.0, 1.0
        self.safety_checker: SafetyChecker | None = None
        """As in ``Stream``; set it before ``prepare``."""
        self.mode: Mode = "img2img"
        """What ``prepare`` builds for; a call changes it to what it needs."""
        self._parts: dict[str, Any] = {}  # networks in the place of the pipeline's own
        self._loras: dict[str, float] = {}
        self._unfused: list[str] = []  # loaded since LoRAs were fused last
        self._filter: dict[str, Any] = {"similar_image_filter_threshold": None}
        # What upstream runs: the pipeline's own autoencoder, or the one that was set, as PyTorch has it.
        self._more: dict[str, Any] = {"acceleration": "none", "warmup": 0, "use_tiny_vae": False}
        self._prepared: dict[str, Any] | None = None
        self._stream: Stream | None = None
        self._starts = True  # whether the next picture is the first one

    def __getattr__(self, name: str) -> Any:
        # Only what is not there gets here.
        if name in vars(type(self)) or name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"StreamDiffusion.{name}: got a part of upstream's class that this one has not; what it has instead stands "
            f"in docs/from-streamdiffusion.md"
        )

    # --- weights

    def load_lcm_lora(
        self,
        pretrained_model_name_or_path_or_dict: str | Path = OWN_LCM_LORA,
        adapter_name: Any = None,
        **kwargs: Any,
    ) -> None:
        """Load the LCM-LoRA of the pipeline's base model, or the one that is named; an embedded model needs none."""
        path = _lora_path(pretrained_model_name_or_path_or_dict, kwargs)
        if path == OWN_LCM_LORA and model_folder(self.pipe) in embedded().values():
            return
        self._unfused.append("lcm")
        self.use(use_lcm_lora=True, lcm_lora_id=None if path == OWN_LCM_LORA else path)

    def load_lora(
        self,
        pretrained_lora_model_name_or_path_or_dict: str | Path,
        adapter_name: Any = None,
        **kwargs: Any,
    ) -> None:
        """Load a LoRA (file, folder or hub id, with ``weight_name`` a file in it) at scale 1."""
        path = _lora_path(pretrained_lora_model_name_or_path_or_dict, kwargs)
        self._loras[path] = 1.0
        self._unfused.append(path)
        self.use(lora_dict=dict(self._loras))

    def fuse_lora(
        self,
        fuse_unet: bool = True,
        fuse_text_encoder: bool = True,
        lora_scale: float = 1.0,
        safe_fusing: bool = False,
    ) -> None:
        """Merge what was loaded since the last call into the weights, at ``lora_scale``.

        A LoRA with NaN is refused when it is loaded, whether ``safe_fusing`` or not.
        """
        if lora_scale != 1.0 and not (fuse_unet and fuse_text_encoder):
            raise ConfigError(
                f"fuse_lora: got lora_scale={lora_scale} for one network, expected it for both: a LoRA has one scale"
            )
        if lora_scale != 1.0 and "lcm" in self._unfused:
            raise ConfigError(f"fuse_lora: got lora_scale={lora_scale} for the LCM-LoRA, expected 1")
        self._loras |= {path: lora_scale for path in self._unfused if path != "lcm"}
        self._unfused.clear()
        self.use(lora_dict=dict(self._loras), fuse_lora=True)

    def use(self, **settings: Any) -> None:
        """Settings of ``StreamConfig`` that upstream has no parameter for, from the next picture on."""
        self._more |= settings
        self._restart()

    # --- what is drawn

    def enable_similar_image_filter(self, threshold: float = 0.98, max_skip_frame: float = 10) -> None:
        """Render no picture that is like the last rendered one; such a call gives the last result.

        At a ``threshold`` of 1 every picture is rendered. With ``frame_buffer_size`` above 1 there is no filter.
        """
        self.similar_image_filter = True
        self._set_filter(
            similar_image_filter_threshold=threshold if threshold < 1 else None,
            similar_image_filter_max_skip_frame=int(max_skip_frame) + 1,  # upstream counts from 0
        )

    def disable_similar_image_filter(self) -> None:
        """Render every picture."""
        self.similar_image_filter = False
        self._set_filter(similar_image_filter_threshold=None)

    def prepare(
        self,
        prompt: str,
        negative_prompt: str = "",
        num_inference_steps: int = 50,
        guidance_scale: float = 1.2,
        delta: float = 1.0,
        generator: torch.Generator | None = None,
        seed: int = 2,
    ) -> None:
        """Say what is drawn, and build what is needed for it. The next picture is the first of a new row.

        ``generator`` is only seeded, as upstream does: the noise is that of a generator on the CPU with ``seed``.
        Raises ConfigError, ModelError, LoraError or EngineError.
        """
        self.guidance_scale, self.delta = 1.0 if self.cfg_type == "none" else guidance_scale, delta
        if generator is not None and seed >= 0:
            generator.manual_seed(seed)
        self.generator = generator
        self._prepared = {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "num_inference_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
            "delta": delta,
            "seed": seed,
        }
        if self._stream is not None:
            self._stream.update(**self._prepared)
            self._stream.drain()
        self._starts = True
        self._open(self.mode)

    def update_prompt(self, prompt: str) -> None:
        """Another prompt for the pictures to come; the negative prompt stays."""
        if self._prepared is None:
            raise ConfigError("update_prompt: nothing is prepared; call prepare(prompt) first")
        if prompt == self._prepared["prompt"]:
            return
        if self._stream is not None:
            self._stream.update(prompt=prompt)
        self._prepared["prompt"] = prompt

    # --- pictures

    def __call__(self, x: Any = None) -> Tensor:
        """The next picture: ``x`` is what ``levels`` of ``inkstream.stream.compat.pictures`` reads, F pictures of any
        size (they are stretched). Without ``x`` it is ``txt2img()``. Raises FrameError, EngineError or MemoryFull."""
        if x is None:
            return self.txt2img()
        pictures = levels(x)
        if len(pictures) != self.frame_bff_size:
            raise FrameError(f"image: got {len(pictures)} pictures, expected frame_buffer_size = {self.frame_bff_size}")
        stream, started = self._open("img2img"), time.perf_counter()
        if self._starts and self.use_denoising_batch:
            for _ in self.t_list[1:]:
                self._feed(stream, pictures, gated=False)
        self._starts = False
        outputs = self._feed(stream, pictures, gated=self.similar_image_filter and self.frame_bff_size == 1)
        if len(outputs) == self.frame_bff_size:
            self._took(started)
            self.prev_image_result = self._batch(outputs)
        elif self.prev_image_result is None:  # the network gave nothing usable yet
            self.prev_image_result = torch.full(
                (self.frame_bff_size, 3, self.height, self.width), -1.0, dtype=self.dtype, device=self.device
            )
        return self.prev_image_result

    def txt2img(self, batch_size: int = 1) -> Tensor:
        """``batch_size`` pictures of new noise."""
        stream, started = self._open("txt2img"), time.perf_counter()
        result = self._batch([stream.txt2img() for _ in range(batch_size)])
        self._took(started)
        return result

    def txt2img_sd_turbo(self, batch_size: int = 1) -> Tensor:
        """The same: with one step, the boundary condition of LCM is that of SD-Turbo to five digits."""
        return self.txt2img(batch_size)

    # --- networks

    @property
    def unet(self) -> Any:
        """The pipeline's UNet, or what was set in its place; so with ``vae`` and ``text_encoder``."""
        return self._part("unet")

    @unet.setter
    def unet(self, network: Any) -> None:
        self._set_part("unet", network)

    @property
    def vae(self) -> Any:
        return self._part("vae")

    @vae.setter
    def vae(self, network: Any) -> None:
        self._set_part("vae", network)

    @property
    def text_encoder(self) -> Any:
        return self._part("text_encoder")

    @text_encoder.setter
    def text_encoder(self, network: Any) -> None:
        self._set_part("text_encoder", network)

    def _part(self, name: str) -> Any:
        return self._parts.get(name, getattr(self.pipe, name))

    def _set_part(self, name: str, network: Any) -> None:
        if isinstance(network, nn.DataParallel):
            raise ConfigError(f"{name}: got DataParallel, expected a network on one device")
        self._parts[name] = network
        self._restart()

    # --- the stream

    def _set_filter(self, **settings: Any) -> None:
        if self._stream is not None:
            self._stream.update(**settings)
        self._filter |= settings

    def _restart(self) -> None:
        """Make another stream for the next picture."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._starts = None, True

    def _open(self, mode: Mode) -> Stream:
        """The stream, in the mode that is asked for."""
        if self._prepared is None:
            raise ConfigError("nothing is prepared; call prepare(prompt) first")
        if self._stream is None:
            self._stream = Stream(
                self._own_pipe(),
                output_type="pt",
                safety_checker=self.safety_checker,
                mode=mode,
                t_index_list=self.t_list,
                width=self.width,
                height=self.height,
                fit="stretch",
                do_add_noise=self.do_add_noise,
                use_denoising_batch=self.use_denoising_batch,
                frame_buffer_size=self.frame_bff_size,
                cfg_type=self.cfg_type,
                **self._prepared,
                **self._filter,
                **self._more,
            )
        elif mode != self._stream.config.mode:
            self._stream.update(mode=mode, t_index_list=self.t_list)
            self._stream.drain()
            self._starts = True
        self.mode = mode
        return self._stream

    def _own_pipe(self) -> Any:
        """The pipeline with the networks that were set; the user's own stays as it is."""
        if not self._parts:
            return self.pipe
        pipe = copy.copy(self.pipe)
        for name, network in self._parts.items():
            setattr(pipe, name, network)
        return pipe

    def _feed(self, stream: Stream, pictures: list[np.ndarray], gated: bool) -> list[Output]:
        """Give F pictures, and take the F that are finished with them, if any are."""
        outputs = [output for picture in pictures if (output := stream(picture, gated=gated)) is not None]
        while outputs and len(outputs) < self.frame_bff_size:
            output = stream.advance()  # the others of the buffer wait already
            if output is None:
                break
            outputs.append(output)
        return outputs

    def _batch(self, outputs: list[Output]) -> Tensor:
        return torch.stack([output.tensor for output in outputs]).to(self.device, self.dtype)

    def _took(self, started: float) -> None:
        self.inference_time_ema = 0.9 * self.inference_time_ema + 0.1 * (time.perf_counter() - started)


def _lora_path(source: Any, more: dict[str, Any]) -> str:
    """A file, folder or hub id, with the file in it that ``weight_name`` and ``subfolder`` name."""
    if not isinstance(source, str | Path):
        raise ConfigError(f"LoRA: got {type(source).__name__}, expected a file, a folder or a hub id")
    file, folder = more.pop("weight_name", None), more.pop("subfolder", None)
    if more:
        raise ConfigError(f"LoRA: got {', '.join(more)}, expected weight_name and subfolder at most")
    inside = "/".join(filter(None, [folder, file]))
    if not inside:
        return str(source)
    return str(Path(source) / inside) if Path(source).is_dir() else f"{source}:{inside}"
