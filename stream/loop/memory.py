"""When a device's memory is full: how that is recognised, and the next smaller configuration."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..base.config import StreamConfig
from ..base.errors import MemoryFull

LEAST_SIDE = 256  # pixels; the networks draw little that is smaller
# How libraries that raise no class of their own say it.
_SAID = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


def is_memory_full(error: BaseException) -> bool:
    """Whether an error says that a device, or the computer, has no memory left."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _SAID)


@contextmanager
def memory_named(roll_back: Callable[[], Any] = lambda: None) -> Iterator[None]:
    """Where memory runs out inside: call ``roll_back``, free what can be freed, and raise MemoryFull."""
    try:
        yield
    except Exception as error:
        if not is_memory_full(error):
            raise
        reason = " ".join(str(error).split())[:200]
        traceback.clear_frames(error.__traceback__)  # its frames hold the tensors
        roll_back()
        free_memory()
        raise MemoryFull(
            f"the memory is full ({reason}): expected a configuration that fits; use a smaller size, fewer steps, "
            f"frame_buffer_size 1 or a smaller model, or close other programs"
        ) from None


def free_memory() -> None:
    """Give back what nobody holds any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def smaller_batch(config: StreamConfig) -> tuple[str, dict[str, Any]] | None:
    """The next smaller batch, as words and as changes of settings; None where there is none."""
    if config.frame_buffer_size > 1:
        return f"one frame at a time instead of {config.frame_buffer_size}", {"frame_buffer_size": 1}
    if config.use_denoising_batch and len(config.t_index_list) > 1:
        return "steps one after the other instead of in one batch", {"use_denoising_batch": False}
    return None


def smaller_picture(config: StreamConfig) -> tuple[str, dict[str, Any]] | None:
    """Three quarters of each side (multiples of 64, at least 256 pixels); None where it is as small as it gets."""
    sides = [max(min(side, LEAST_SIDE), side * 3 // 4 // 64 * 64) for side in (config.width, config.height)]
    if sides == [config.width, config.height]:
        return None
    return f"{sides[0]}x{sides[1]} instead of {config.width}x{config.height}", dict(
        zip(("width", "height"), sides, strict=True)
    )


def step_down(config: StreamConfig, update: Callable[..., Any], work_in_tiles: Callable[[StreamConfig], bool]) -> str:
    """``update`` to the next smaller configuration than ``config`` that fits; returns what is different, for people.

    ``work_in_tiles`` makes the autoencoder work in tiles, and says whether that is new. Raises MemoryFull when nothing
    smaller is left.
    """
    changes, said = {}, []
    while True:
        step = smaller_batch(config)
        if step is None and work_in_tiles(config):
            step = "an autoencoder that works in tiles", {}
        step = step or smaller_picture(config)
        if step is None:
            raise MemoryFull(
                f"the memory is full, and nothing smaller than {config.width}x{config.height}, one frame at a time, "
                f"is left: use a smaller model, or close other programs"
            )
        said.append(step[0])
        changes |= step[1]
        config = config.changed(**step[1])
        try:
            update(**changes)
        except MemoryFull:
            continue
        return ", ".join(said)
