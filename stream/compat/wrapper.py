"""``StreamDiffusionWrapper``: upstream's class that loads a model and turns pictures into other forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from ...lora.load import load_pipeline
from ...lora.registry import embedded
from ..base.config import CfgType, StreamConfig
from ..base.errors import ConfigError, FrameError
from ..base.pixels import as_rgb
from ..sources.images import load_image
from .diffusion import StreamDiffusion
from .pictures import OUTPUT_TYPES, postprocess_image, signed
from .safety import load_safety_checker

OutputType = Literal["pil", "pt", "np", "latent"]


class StreamDiffusionWrapper:
    """A model by name, pictures in and out: ``prepare``, then call it."""

    def __init__(
        self,
        model_id_or_path: str | Path,
        t_index_list: Sequence[int],
        lora_dict: Mapping[str, float] | None = None,
        mode: Literal["img2img", "txt2img"] = "img2img",
        output_type: OutputType = "pil",
        lcm_lora_id: str | Path | None = None,
        vae_id: str | Path | None = None,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        frame_buffer_size: int = 1,
        width: int = 512,
        height: int = 512,
        warmup: int = 10,
        acceleration: str = "auto",
        do_add_noise: bool = True,
        device_ids: Sequence[int] | None = None,
        use_lcm_lora: bool = True,
        use_tiny_vae: bool = True,
        enable_similar_image_filter: bool = False,
        similar_image_filter_threshold: float = 0.98,
        similar_image_filter_max_skip_frame: float = 10,
        use_denoising_batch: bool = True,
        cfg_type: CfgType = "self",
        seed: int = 2,
        use_safety_checker: bool = False,
        engine_dir: str | Path | None = None,
    ) -> None:
        """Load a model. ``use_lcm_lora`` does nothing for one that needs none: with "turbo" in its name, or embedded.
        ``dtype`` is the precision of the networks, and where it is a torch.dtype that of the tensors, else float16.

        Raises ConfigError, ModelError, LoraError or EngineError.
        """
        if mode not in ("img2img", "txt2img"):
            raise ConfigError(f"mode: got {mode!r}, expected 'img2img' or 'txt2img'")
        if mode == "txt2img" and cfg_type != "none":
            raise ConfigError(f"cfg_type: got {cfg_type!r} with mode txt2img, expected 'none'")
        if output_type not in OUTPUT_TYPES:
            raise ConfigError(f"output_type: got {output_type!r}, expected one of: {', '.join(OUTPUT_TYPES)}")
        self.sd_turbo = "turbo" in str(model_id_or_path)
        self.mode, self.output_type = mode, output_type
        self.use_denoising_batch, self.use_safety_checker = use_denoising_batch, use_safety_checker
        lcm = use_lcm_lora and not self.sd_turbo and str(model_id_or_path) not in embedded()
        runs: dict[str, Any] = {
            "device": _one_device(device, device_ids),
            "dtype": dtype,
            "acceleration": "compile" if acceleration == "sfast" else acceleration,
            "warmup": warmup,
            "engine_dir": engine_dir,
            "lora_dict": dict(lora_dict or {}),
            "use_lcm_lora": lcm,
            "lcm_lora_id": lcm_lora_id if lcm else None,
            "fuse_lora": lcm or bool(lora_dict),
        }
        loop: dict[str, Any] = {
            "width": width,
            "height": height,
            "use_denoising_batch": use_denoising_batch,
            "frame_buffer_size": frame_buffer_size,
            "cfg_type": cfg_type,
        }
        loads = {"mode": mode, "seed": seed, "vae_id": vae_id, "use_tiny_vae": use_tiny_vae}
        # What is wrong is said before a model is loaded.
        config = StreamConfig.build(t_index_list=tuple(t_index_list), **loads, **loop, **runs)
        pipe = load_pipeline(model_id_or_path, config)
        self.stream = StreamDiffusion(
            pipe,
            t_index_list,
            torch_dtype=dtype if isinstance(dtype, torch.dtype) else torch.float16,
            do_add_noise=do_add_noise,
            **loop,
        )
        self.device, self.dtype = self.stream.device, self.stream.dtype
        self.width, self.height = self.stream.width, self.stream.height
        self.frame_buffer_size, self.batch_size = frame_buffer_size, self.stream.batch_size
        if use_safety_checker:
            self.stream.safety_checker = load_safety_checker(self.device)
        self.stream.mode = mode
        self.stream.use(**runs)
        if enable_similar_image_filter:
            self.stream.enable_similar_image_filter(similar_image_filter_threshold, similar_image_filter_max_skip_frame)
        self._seed = seed
        self.stream.prepare("", "", 50, 1.0 if cfg_type == "none" else 1.1, seed=seed)

    def prepare(
        self,
        prompt: str,
        negative_prompt: str = "",
        num_inference_steps: int = 50,
        guidance_scale: float = 1.2,
        delta: float = 1.0,
    ) -> None:
        """Say what is drawn; the seed is the one that the wrapper was made with."""
        self.stream.prepare(prompt, negative_prompt, num_inference_steps, guidance_scale, delta, seed=self._seed)

    def __call__(self, image: Any = None, prompt: str | None = None) -> Any:
        """``img2img(image, prompt)`` or ``txt2img(prompt)``, as the mode is."""
        return self.img2img(image, prompt) if self.mode == "img2img" else self.txt2img(prompt)

    def txt2img(self, prompt: str | None = None) -> Any:
        """A picture of new noise in the form of ``output_type``; with ``frame_buffer_size`` above 1 a list or batch."""
        if prompt is not None:
            self.stream.update_prompt(prompt)
        return self.postprocess_image(self.stream.txt2img(self.frame_buffer_size), self.output_type)

    def img2img(self, image: Any, prompt: str | None = None) -> Any:
        """The picture of ``image`` (a file, a PIL image, or what ``StreamDiffusion`` takes), as ``txt2img`` has it."""
        if image is None:
            raise FrameError("image: got None, expected a picture: mode is img2img")
        if prompt is not None:
            self.stream.update_prompt(prompt)
        if isinstance(image, str | Path | PIL.Image.Image):
            image = self.preprocess_image(image)
        return self.postprocess_image(self.stream(image), self.output_type)

    def preprocess_image(self, image: str | Path | PIL.Image.Image) -> Tensor:
        """A file or a PIL image, stretched to the stream's size: (1, 3, H, W) in [-1, 1]. Raises FrameError."""
        if isinstance(image, str | Path):
            image = PIL.Image.fromarray(load_image(image))
        picture = PIL.Image.fromarray(as_rgb(image)).resize((self.width, self.height))
        tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        return signed(tensor.to(self.device, self.dtype))

    def postprocess_image(self, image_tensor: Tensor, output_type: str = "pil") -> Any:
        """What the stream gives in another form, on the CPU; without the batch where ``frame_buffer_size`` is 1."""
        batch = postprocess_image(image_tensor.cpu(), output_type=output_type)
        return batch if self.frame_buffer_size > 1 else batch[0]


def _one_device(device: str | torch.device, ids: Sequence[int] | None) -> str | torch.device:
    if not ids:
        return device
    if len(ids) > 1:
        raise ConfigError(f"device_ids: got {list(ids)}, expected one: a stream runs on one device")
    return f"cuda:{ids[0]}"
