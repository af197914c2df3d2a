"""Picture files of strangers: how large they may be, and what their pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .frame import as_rgb

MAX_PIXELS = 64_000_000
_ORIENTATION = 0x0112  # EXIF tag; its values say how the camera was held


def upright(image: Any) -> np.ndarray:
    """The pixels of an opened Pillow image, (H, W, 3) uint8 RGB: upright, transparency laid over white paper.

    Whatever Pillow's decoders raise for a damaged file is let through. Raises ValueError for floating-point pixels.
    """
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
    image.load()
    turn = turns.get(image.getexif().get(_ORIENTATION, 1))
    if image.mode.startswith("I"):  # 16 bits a pixel
        pixels = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        image = Image.fromarray((pixels >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("got floating-point pixels")
    else:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return as_rgb(np.asarray(image if turn is None else image.transpose(turn)))
