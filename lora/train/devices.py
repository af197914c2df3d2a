"""Where training runs, and in which precision: one process, one device, through accelerate."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ...stream.base.config import StreamConfig
from ...stream.base.errors import ConfigError
from ...stream.base.private import code_folder
from ..devices import resolve_device
from .config import TrainConfig
from .heap import keep_freed_memory


def device_of(config: TrainConfig) -> torch.device:
    """The device of a configuration; raises ConfigError when it is not there."""
    return resolve_device(StreamConfig.build(device=config.device))


def accelerated(config: TrainConfig) -> Any:
    """An accelerator: autocast, loss scaling and clipping for the device and the precision."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    device = device_of(config)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("train: got several processes, expected one: it trains on one device; start it by itself")
    if config.mixed_precision == "fp16" and device.type == "cpu":
        raise ConfigError("mixed_precision: got fp16 on a CPU, expected bf16 or no")
    AcceleratorState._reset_state(reset_partial_state=True)  # else one process could only ever use one precision
    before = os.environ.get("ACCELERATE_TORCH_DEVICE")
    os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    try:
        return Accelerator(cpu=device.type == "cpu", mixed_precision=config.mixed_precision)
    finally:
        os.environ.pop("ACCELERATE_TORCH_DEVICE")
        if before is not None:
            os.environ["ACCELERATE_TORCH_DEVICE"] = before


def settle(networks: Iterable[nn.Module], config: TrainConfig, device: torch.device, train: bool) -> None:
    """Put networks on the device, laid out, compiled and with checkpointing as configured, frozen unless ``train``."""
    for network in networks:
        network.requires_grad_(train)
        lay_out(network, config, device)


def lay_out(network: nn.Module, config: TrainConfig, device: torch.device) -> None:
    """As ``settle``, whatever of it is trained."""
    module: Any = network
    module.to(device)
    if config.channels_last:
        module.to(memory_format=torch.channels_last)
    # Gradients pass through frozen networks, too.
    if config.gradient_checkpointing and hasattr(module, "enable_gradient_checkpointing"):
        module.enable_gradient_checkpointing()
    if config.torch_compile:
        code_folder()  # else PyTorch loads code from the temporary folder of all users
        module.compile()


def settle_process(config: TrainConfig, device: torch.device) -> None:
    """Set PyTorch's threads where the configuration names a number; a training on a CPU keeps the memory it frees."""
    if config.threads:
        torch.set_num_threads(config.threads)
    if device.type == "cpu":
        keep_freed_memory()
