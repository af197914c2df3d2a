"""Pictures in the forms that StreamDiffusion's programs have them: tensors, arrays and PIL images, one or a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from ..base.errors import ConfigError, FrameError
from ..base.pixels import as_rgb

OUTPUT_TYPES = ("pil", "pt", "np", "latent")
OVERSHOOT = 0.02  # what resampling may leave of a range


def denormalize(images: Tensor | np.ndarray) -> Any:
    """[-1, 1] -> [0, 1], cut off there."""
    return (images / 2 + 0.5).clip(0, 1)


def pt_to_numpy(images: Tensor) -> np.ndarray:
    """(F, C, H, W) on any device -> (F, H, W, C) float32."""
    return images.detach().cpu().permute(0, 2, 3, 1).float().numpy()


def numpy_to_pil(images: np.ndarray) -> list[PIL.Image.Image]:
    """(F, H, W, C) or (H, W, C) in [0, 1] -> PIL images; one channel gives gray ones."""
    batch = images[None] if images.ndim == 3 else images
    levels = (batch.clip(0, 1) * 255).round().astype(np.uint8)
    return [PIL.Image.fromarray(each[..., 0] if each.shape[-1] == 1 else each) for each in levels]


def postprocess_image(image: Tensor, output_type: str = "pil", do_denormalize: Sequence[bool] | None = None) -> Any:
    """What a stream gives, (F, 3, H, W) in about [-1, 1], in the form that is wanted.

    ``pil`` a list of images; ``np`` (F, H, W, 3) and ``pt`` (F, 3, H, W) in [0, 1]; ``latent`` the tensor as it is.
    ``do_denormalize`` says for each picture whether it is in [-1, 1] (by default all are).
    Raises ConfigError for another form, FrameError for what is no batch of pictures.
    """
    if output_type not in OUTPUT_TYPES:
        raise ConfigError(f"output_type: got {output_type!r}, expected one of: {', '.join(OUTPUT_TYPES)}")
    if not isinstance(image, Tensor) or image.ndim != 4:
        raise FrameError(f"image: got {_form(image)}, expected a tensor (F, 3, H, W)")
    if output_type == "latent":
        return image
    wanted = [True] * len(image) if do_denormalize is None else do_denormalize
    batch = torch.stack([denormalize(each) if signed else each for each, signed in zip(image, wanted, strict=True)])
    if output_type == "pt":
        return batch
    return pt_to_numpy(batch) if output_type == "np" else numpy_to_pil(pt_to_numpy(batch))


def process_image(image_pil: PIL.Image.Image, range: tuple[float, float] = (-1, 1)) -> tuple[Tensor, PIL.Image.Image]:
    """A PIL image as a tensor (1, 3, H, W) float32 in ``range``, and the image itself."""
    low, high = range
    return _tensor(image_pil) * (high - low) + low, image_pil


def pil2tensor(image_pil: PIL.Image.Image) -> Tensor:
    """A PIL image as a tensor (1, 3, H, W) float16 in [-1, 1]."""
    return signed(_tensor(image_pil) * 2 - 1).to(torch.float16)


def signed(images: Tensor) -> Tensor:
    """The same tensor, marked as one in [-1, 1]: ``levels`` then need not guess that from its values."""
    images.inkstream_signed = True  # type: ignore[attr-defined]
    return images


def levels(images: Any) -> list[np.ndarray]:
    """One picture or a batch as (H, W, 3) uint8 RGB each.

    Tensors are (3, H, W) or (F, 3, H, W): uint8, or float in [0, 1], or in [-1, 1], which is what they are taken for
    where a value is below 0 (or ``signed`` marked them). Arrays are (H, W, 3) or (F, H, W, 3), read by ``as_rgb`` as
    PIL images are. Raises FrameError.
    """
    if isinstance(images, Tensor):
        return _levels_of_tensor(images)
    if isinstance(images, list | tuple):
        return [picture for each in images for picture in levels(each)]
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return [as_rgb(each) for each in images]
    return [as_rgb(images)]


def _tensor(image: PIL.Image.Image) -> Tensor:
    """(1, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(as_rgb(image))).permute(2, 0, 1)[None].float() / 255


def _levels_of_tensor(images: Tensor) -> list[np.ndarray]:
    batch = images.detach()[None] if images.ndim == 3 else images.detach()
    if batch.ndim != 4 or 0 in batch.shape:
        raise FrameError(f"image: got {_form(images)}, expected (3, H, W) or (F, 3, H, W)")
    if not batch.is_floating_point():
        return [as_rgb(each) for each in batch]
    low, high = (float(value) for value in batch.float().aminmax())
    least = -1.0 if getattr(images, "inkstream_signed", False) or low < 0 else 0.0
    if low < -1 - OVERSHOOT or high > 1 + OVERSHOOT:
        raise FrameError(f"image: got numbers from {low:.4g} to {high:.4g}, expected [0, 1] or [-1, 1]")
    return [as_rgb(each, value_range=(least, 1.0)) for each in batch]


def _form(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} {tuple(value.shape)}"
    return type(value).__name__
