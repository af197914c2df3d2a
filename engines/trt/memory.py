"""Where the tensors of a plan live, and on which stream it runs: the one place that knows of CUDA.

``CudaMemory`` is the real one. The tests put a CPU counterpart in its place, together with the fake library; nothing
else differs. Unverified on real hardware.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ...stream.base.errors import EngineError


@dataclass(frozen=True)
class Hardware:
    """What a plan depends on beside the library."""

    capability: str
    """Compute capability, sm_90 for example."""
    model: str
    """The GPU's name: a plan is tuned for it."""
    driver: str
    """The generation of CUDA that the driver serves, cuda 13 for example; a plan may hold code for it."""


class Memory(Protocol):
    """Device memory and its stream."""

    device: torch.device
    hardware: Hardware

    def run(self, launch: Callable[[int], bool]) -> bool:
        """Call ``launch(stream handle)`` so that its work comes after the caller's, and before what the caller does
        next; without waiting for either."""
        ...

    def idle(self) -> None:
        """Wait until nothing runs any more."""
        ...

    def current(self) -> AbstractContextManager[Any]:
        """Make this GPU the one that the library works on, for a while."""
        ...


class CudaMemory:
    """Memory of one NVIDIA GPU."""

    def __init__(self, device: torch.device) -> None:
        """Raises EngineError for a device that is no NVIDIA GPU."""
        if device.type != "cuda":
            raise EngineError(f'TensorRT runs on an NVIDIA GPU, got device {device}: use device "cuda"')
        self.device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
        major, minor = torch.cuda.get_device_capability(self.device)
        name = torch.cuda.get_device_name(self.device)
        self.hardware = Hardware(f"sm_{major}{minor}", name, f"cuda {_driver_generation()}")
        self._stream = torch.cuda.Stream(self.device)

    def run(self, launch: Callable[[int], bool]) -> bool:
        """On the caller's stream; TensorRT would synchronise the device on the default one, so beside it on our own.

        Both can be captured in a CUDA graph: a capture never runs on the default stream.
        """
        with self.current():
            current = torch.cuda.current_stream(self.device)
            if current != torch.cuda.default_stream(self.device):
                return launch(current.cuda_stream)
            self._stream.wait_stream(current)
            done = launch(self._stream.cuda_stream)
            current.wait_stream(self._stream)
            return done

    def idle(self) -> None:
        """Wait for the whole device."""
        torch.cuda.synchronize(self.device)

    def current(self) -> AbstractContextManager[Any]:
        """``torch.cuda.device`` of this one."""
        return torch.cuda.device(self.device)


def cuda_missing() -> str:
    """Why there is no NVIDIA GPU to run on, or nothing."""
    if torch.cuda.is_available() and torch.version.cuda:
        return ""
    if not torch.version.cuda:
        return "this PyTorch was built without CUDA; install one from https://pytorch.org/get-started"
    return "PyTorch finds no NVIDIA GPU; look at the driver with: nvidia-smi"


def _driver_generation() -> int:
    """Major version of CUDA that the installed driver serves (``cuDriverGetVersion`` gives 13010 for 13.1)."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    version = ctypes.c_int()
    try:
        status = ctypes.CDLL(name).cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError) as error:
        raise EngineError(f"the NVIDIA driver cannot be asked for its version: {error}") from error
    if status:
        raise EngineError(f"the NVIDIA driver cannot be asked for its version: error {status}")
    return version.value // 1000
