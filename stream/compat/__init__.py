"""StreamDiffusion's names over our ``Stream``: its programs run with the import changed.

``from inkstream.stream.compat import StreamDiffusion, StreamDiffusionWrapper``; also what
``streamdiffusion.image_utils``, ``streamdiffusion.acceleration`` and ``utils.viewer`` have. What is the same, and what
differs and why, stands in ``docs/from-streamdiffusion.md``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .acceleration import accelerate_with_stable_fast, accelerate_with_tensorrt
    from .diffusion import StreamDiffusion
    from .pictures import denormalize, numpy_to_pil, pil2tensor, postprocess_image, process_image, pt_to_numpy
    from .viewer import receive_images
    from .wrapper import StreamDiffusionWrapper

# `inkstream config convert` needs no torch, which takes seconds to import.
_HOMES = {
    "acceleration": ("accelerate_with_stable_fast", "accelerate_with_tensorrt"),
    "diffusion": ("StreamDiffusion",),
    "pictures": (
        "denormalize",
        "numpy_to_pil",
        "pil2tensor",
        "postprocess_image",
        "process_image",
        "pt_to_numpy",
    ),
    "viewer": ("receive_images",),
    "wrapper": ("StreamDiffusionWrapper",),
}
__all__ = [
    "StreamDiffusion",
    "StreamDiffusionWrapper",
    "accelerate_with_stable_fast",
    "accelerate_with_tensorrt",
    "denormalize",
    "numpy_to_pil",
    "pil2tensor",
    "postprocess_image",
    "process_image",
    "pt_to_numpy",
    "receive_images",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
