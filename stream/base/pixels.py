"""What programs give as a picture: arrays, Pillow images and torch tensors, and what their numbers mean.

``as_rgb`` is the one place where that is decided, and it decides by what is given, never by guessing:

- uint8 is 0 to 255, uint16 is 0 to 65535, bool is black or white. Other whole numbers have no range, and are refused.
- Floats are [0, 1]. Where one lies below -0.2, all are [-1, 1], as in diffusers and StreamDiffusion. What fits neither
  is refused, 0 to 255 among it: a dark frame of it could not be told from a bright one of [0, 1]. ``value_range`` says
  it for certain.
- The last dimension holds the channels, unless only the first one can (3, H, W); of torch tensors the first one does
  wherever it can. A batch of one is its picture.
- A Pillow image is what its mode says, and comes upright (EXIF). Transparency is laid over white paper.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .errors import FrameError
from .frame import MAX_SIDE, ChannelOrder, Size

CHANNELS = (1, 3, 4)
ROUNDING = 0.01  # what bfloat16 and float16 make of 0 and 1 at most
OVERSHOOT = 0.2  # what a sharp resampling of [0, 1] may go below 0; a drawing in [-1, 1] goes deeper
_RANGE_HINT = "give uint8, or say it: as_rgb(picture, value_range=(low, high))"
_ORIENTATION = 0x0112  # EXIF tag; its values say how the camera was held


def as_rgb(pixels: Any, order: ChannelOrder = "rgb", value_range: tuple[float, float] | None = None) -> np.ndarray:
    """Turn a picture of a program into contiguous ``(H, W, 3)`` uint8 RGB.

    ``pixels``: an array or torch tensor, gray, RGB(A) or BGR(A), channels last or first, or a Pillow image of any mode
    that has a range of its own. ``order`` is of arrays and tensors. ``value_range``: which numbers are black and white,
    for example ``(-1, 1)``; without it the rules at the top of this module hold.
    Raises FrameError for an empty picture, NaN or infinity, an unknown layout, mode or range, or a side above 16,384.
    """
    first = False
    if isinstance(pixels, str | bytes | os.PathLike):
        raise FrameError(f"frame: got {type(pixels).__name__}, expected a picture: open a file first, with Pillow say")
    if _of_pillow(pixels):
        array, order = _from_pillow(pixels), "rgb"
    elif _of_torch(pixels):
        array, first = _from_tensor(pixels), True
    else:
        try:
            array = np.asarray(pixels)
        except (TypeError, ValueError, RuntimeError) as error:
            raise FrameError(f"frame: got {type(pixels).__name__}, expected an array, tensor or image") from error
    array = _in_bytes(_channels_last(array, first), value_range)
    if array.shape[2] == 1:
        return np.ascontiguousarray(np.repeat(array, 3, axis=2))
    if array.shape[2] == 4:
        array = _on_white(array)
    if order == "bgr":
        array = array[..., ::-1]
    return np.ascontiguousarray(array)


def _on_white(array: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 with straight alpha, laid over white paper: (H, W, 3)."""
    alpha = array[..., 3:]
    array = array[..., :3]
    if alpha.min() == 255:
        return array
    cover = alpha.astype(np.uint16)
    return ((array * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)


def _channels_last(array: np.ndarray, first: bool) -> np.ndarray:
    """(H, W, C) of what may be (H, W), (C, H, W) or a batch of one; ``first``: where it can be both, it is the latter.

    Raises FrameError for anything else, and for a size that no picture has.
    """
    shape = array.shape
    if array.ndim == 4 and shape[0] == 1:
        array = array[0]
    elif array.ndim == 4:
        raise FrameError(f"frame: got {shape[0]} pictures at once (shape {shape}), expected one")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and array.shape[0] in CHANNELS and (first or array.shape[2] > CHANNELS[-1]):
        array = np.moveaxis(array, 0, 2)
    if array.ndim != 3 or array.shape[2] not in CHANNELS:
        raise FrameError(f"frame: got shape {shape}, expected (H, W), (H, W, C) or (C, H, W) of 1, 3 or 4 channels")
    if 0 in array.shape or max(array.shape[:2]) > MAX_SIDE:
        raise FrameError(f"frame: got {Size.of(array)} pixels, expected 1x1 up to {MAX_SIDE}x{MAX_SIDE}")
    return array


def _in_bytes(array: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    """The same picture as uint8; raises FrameError where its numbers have no known range."""
    floats = np.issubdtype(array.dtype, np.floating)
    if floats and not np.isfinite(array).all():
        raise FrameError("frame: got NaN or infinity, expected numbers in [0, 1]")
    if value_range is not None and (floats or np.issubdtype(array.dtype, np.integer)):
        return _scaled(array, *value_range)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if floats:
        return _scaled(array, *_range_of(array))
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return (array >> 8).astype(np.uint8)
    if array.dtype != np.uint8:
        raise FrameError(f"frame: got dtype {array.dtype}, expected uint8, uint16, bool or float in [0, 1]")
    return array


def _scaled(array: np.ndarray, low: float, high: float) -> np.ndarray:
    if not low < high:
        raise FrameError(f"frame: value_range: got ({low:g}, {high:g}), expected a lower and a higher number")
    share = (array.astype(np.float32) - low) / (high - low)
    return (np.clip(share, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _range_of(array: np.ndarray) -> tuple[float, float]:
    """What is black and what is white in a picture of floats; raises FrameError where that cannot be told."""
    low, high = float(array.min()), float(array.max())
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return 0.0, 1.0
    if -1 - ROUNDING <= low < -OVERSHOOT and high <= 1 + ROUNDING:
        return -1.0, 1.0
    raise FrameError(f"frame: got floats from {low:.4g} to {high:.4g}, expected [0, 1] or [-1, 1]; {_RANGE_HINT}")


def _of_torch(pixels: Any) -> bool:
    """Whether it is a tensor; without loading torch, which takes seconds."""
    return any(kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(pixels).__mro__)


def _from_tensor(tensor: Any) -> np.ndarray:
    try:
        tensor = tensor.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()  # numpy has no bfloat16
    except (TypeError, RuntimeError, NotImplementedError) as error:
        got = f"{tensor.dtype} ({tensor.layout})"
        raise FrameError(f"frame: got a tensor of {got}, expected a dense one of uint8 or floats") from error


def _of_pillow(pixels: Any) -> bool:
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(pixels).__mro__)


def _from_pillow(image: Any) -> np.ndarray:
    """The pixels of a Pillow image, upright: (H, W), (H, W, 3) or (H, W, 4)."""
    if 0 in image.size or max(image.size) > MAX_SIDE:
        raise FrameError(f"frame: got {Size(*image.size)} pixels, expected 1x1 up to {MAX_SIDE}x{MAX_SIDE}")
    try:
        image.load()
        turn = _turn(image)
        image = _in_a_plain_mode(image)
        return np.asarray(image if turn is None else image.transpose(turn))
    except FrameError:
        raise
    except Exception as error:  # of a damaged file, which Pillow decodes only here, its decoders raise almost anything
        raise FrameError(f"frame: got an image of mode {image.mode} that cannot be decoded; save it anew") from error


def _in_a_plain_mode(image: Any) -> Any:
    if image.mode == "I" and image.format != "PNG":  # of a PNG, 16 bits a pixel are meant
        raise FrameError("frame: got an image of mode I (32 bits a pixel), which has no range; convert it to L or I;16")
    if image.mode in ("1", "L", "RGB", "RGBA", "F") and not image.has_transparency_data:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _from_16_bits(image: Any) -> Any:
    from PIL import Image

    levels = np.clip(np.asarray(image), 0, 65535)
    gray = (levels >> 8).astype(np.uint8)
    clear = image.info.get("transparency")  # the one level that is no ink
    return Image.fromarray(gray if clear is None else np.where(levels == clear, np.uint8(255), gray))


def _turn(image: Any) -> Any:
    """What brings a Pillow image upright, as the camera noted it; None when it is."""
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return turns.get(image.getexif().get(_ORIENTATION, 1))
