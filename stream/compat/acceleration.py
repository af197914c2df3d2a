"""StreamDiffusion's ways to ask for an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..base.errors import ConfigError
from .diffusion import StreamDiffusion


def accelerate_with_tensorrt(
    stream: StreamDiffusion,
    engine_dir: str | Path,
    max_batch_size: int = 2,
    min_batch_size: int = 1,
    use_cuda_graph: bool = False,
    engine_build_options: dict[str, Any] | None = None,
) -> StreamDiffusion:
    """TensorRT from the next picture on; engines are kept in ``engine_dir``. Returns the same stream.

    An engine is always built for the sizes that the stream has, so ``max_batch_size``, ``min_batch_size`` and
    ``use_cuda_graph`` change nothing. Raises ConfigError for options of upstream's builder, which there is not here.
    """
    if engine_build_options:
        names = ", ".join(engine_build_options)
        raise ConfigError(f"engine_build_options: got {names}, expected none: engines are built for the stream's sizes")
    stream.use(acceleration="tensorrt", engine_dir=engine_dir)
    return stream


def accelerate_with_stable_fast(stream: StreamDiffusion, config: Any = None) -> StreamDiffusion:
    """``torch.compile``, which took the place of stable-fast, from the next picture on. Returns the same stream.

    Raises ConfigError for a ``config``, which belongs to a compiler that there is not here.
    """
    if config is not None:
        raise ConfigError(f"config: got {type(config).__name__}, expected none: torch.compile runs in its place")
    stream.use(acceleration="compile")
    return stream
