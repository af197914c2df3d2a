"""Where the networks run, and in which precision."""

from __future__ import annotations

import torch

from ..stream.base.config import StreamConfig
from ..stream.base.errors import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(config: StreamConfig) -> torch.device:
    """The device of a configuration; ``auto`` is CUDA, else Apple's GPU, else the CPU.

    Raises ConfigError when the device is unknown or not there.
    """
    if config.device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, colon, index = config.device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and (kind != "cuda" or not index.isdecimal())):
        raise ConfigError(f"device: got {config.device!r}, expected auto, cpu, cuda, cuda:1 or mps")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            there = f"cuda:0 to cuda:{count - 1}" if count else f"no CUDA device (PyTorch {torch.__version__})"
            raise ConfigError(f"device: got {config.device!r}, this computer has {there}; use auto or cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device: got 'mps', this computer has no Apple GPU that PyTorch can use; use auto or cpu")
    return torch.device(config.device)


def resolve_dtype(config: StreamConfig, device: torch.device) -> torch.dtype:
    """The networks' precision; ``auto`` takes the fastest that loses nothing visible on that device.

    CUDA: float16 from Volta (compute capability 7.0) on, which keeps three more bits than bfloat16, and float32 before,
    where half precision is slower. Apple: float16. CPU: bfloat16 where it has instructions for it, else float32.
    An engine makes int8 and float8 of what is loaded: that is ``auto`` on a CPU, and elsewhere bfloat16, because their
    kernels give nothing else, or sums that float16 cannot hold.
    """
    if config.dtype in DTYPES:
        return DTYPES[config.dtype]
    if config.dtype != "auto" and device.type != "cpu":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.float16 if torch.cuda.get_device_capability(device) >= (7, 0) else torch.float32
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware: AVX512-BF16 or AMX (PyTorch tells), elsewhere assumed not."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)
