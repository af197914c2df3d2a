"""For users of StreamDiffusion: the same loop, with any diffusers pipeline of yours.

There:  stream = StreamDiffusion(pipe, t_index_list=[32, 45], torch_dtype=torch.float16, cfg_type="none")
        stream.prepare(prompt, guidance_scale=1.2)
        image = stream(frame)
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from inkstream.stream import Stream


def render(pipe: Any, frames: Iterable[Any], prompt: str, **settings: Any) -> Iterator[np.ndarray]:
    """``pipe`` a diffusers pipeline, ``frames`` PIL images or (H, W, 3) uint8 arrays."""
    stream = Stream(pipe, t_index_list=[32, 45], cfg_type="none", prompt=prompt, guidance_scale=1.2, **settings)
    for frame in frames:
        result = stream(frame)
        if result is not None:  # the first frame's picture comes with the second frame: two steps
            yield result.pixels
    for result in stream.drain():
        yield result.pixels
