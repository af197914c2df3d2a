"""LoRAs of a running pipeline: several at once, their scales changed live and row by row, without a pause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from ..stream.errors import LoraError
from . import hub
from .lorafile import COMPONENTS, LoraFile, read_lora
from .quiet import quiet

_PEFT_NOTES = ("peft_config", "_hf_peft_config_loaded")
# Layers of a UNet whose input is (N, C), where the others' is (N, L, C) or (N, C, h, w).
_FLAT_INPUT = ("time_embedding.", "add_embedding.", "class_embedding.", "time_emb_proj")


class LoraSet:
    """The LoRAs of one pipeline, applied by PEFT's layers.

    A row of the network's batch owns its frame's scales: ``bind(rows)`` gives a tensor of one scale for each LoRA and
    row, which the UNet's layers read at every forward. Writing into it costs nothing and rebuilds nothing. Text
    encoders take one number for each LoRA (``set_text_scales``), because a prompt is encoded once for all rows.

    Threads: ``read`` only looks at the pipeline and may run beside a live stream. ``load``, ``remove`` and ``fuse``
    replace layers inside its networks, ``bind`` replaces the tensor that they read: call those between two frames.
    What was computed from the networks before is out of date after ``load`` and ``remove``: encoded prompts, compiled
    graphs, and anything cached of the UNet's layers.
    """

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self._scales: dict[str, float] = {}  # name -> the scale that a first bind starts from
        self._bound = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the loaded LoRAs, in the order of the rows of the bound tensor."""
        return tuple(self._scales)

    def read(self, source: str | Path, name: str | None = None, progress: hub.Progress | None = None) -> LoraFile:
        """Read and check a LoRA, to be given to ``load`` between two frames. See ``lorafile.read_lora``."""
        return read_lora(source, self.pipe, name, progress)

    def load(
        self,
        source: str | Path | LoraFile,
        name: str | None = None,
        scale: float = 1.0,
        progress: hub.Progress | None = None,
    ) -> str:
        """Add a LoRA (what ``read`` gave, or anything that ``read`` takes) and return its name.

        In a UNet that is not bound to rows yet it acts with ``scale`` at once. In one that is, rows in flight keep the
        LoRAs they began with: the new one acts from the next ``bind`` on. Text encoders take ``scale`` at once.
        Raises LoraError or UnsafeWeightsError, and then the pipeline is exactly as before.
        """
        lora = source if isinstance(source, LoraFile) else self.read(source, name, progress)
        wanted = name or lora.name
        if "." in wanted or not wanted:
            raise LoraError(f"got the LoRA name {wanted!r}, expected a name without a dot")
        taken = {
            *self._scales,
            *(known for network in self._networks() for known in getattr(network, "peft_config", {})),
        }
        if name is not None and name in taken:
            raise LoraError(f"got the LoRA name {name!r}, which is in use; loaded are: {', '.join(sorted(taken))}")
        wanted = next(text for text in _numbered(wanted) if text not in taken)
        active = self._active()
        with quiet(), self._unchanged_on_error(lora.source):
            self._inject(lora, wanted)  # PEFT makes the new one the only active one
            self._activate((*active, wanted))
        for layer in self._layers("unet"):
            if wanted in layer.scaling:
                layer.scaling[wanted] = 0.0 if self._bound else float(scale)
        self._scales[wanted] = float(scale)
        self.set_text_scales({wanted: scale})
        return wanted

    def bind(self, rows: int) -> Tensor:
        """Make the UNet read its LoRA scales from a new tensor, row by row, and return that tensor: (A, rows).

        A is ``len(names)``. It has the UNet's device and precision, and starts from the scales given to ``load``. The
        batch of each later call of the UNet must be ``rows``, or anything where ``rows`` is 1. A tensor of an earlier
        ``bind`` is no longer read.
        """
        unet = self.pipe.unet
        with torch.inference_mode(False):  # so that it can be written to inside and outside of inference mode
            start = torch.tensor(list(self._scales.values()), dtype=unet.dtype, device=unet.device)
            scales = start[:, None].repeat(1, rows)  # (A, rows)
            views = {
                name: {dims: row.view(rows, *[1] * (dims - 1)) for dims in (2, 3, 4)}
                for name, row in zip(self.names, scales, strict=True)
            }
        for name, module in unet.named_modules():
            if isinstance(module, LoraLayer):
                for lora in views.keys() & module.scaling.keys():
                    module.scaling[lora] = views[lora][_input_dims(name, module)]
        self._bound = bool(self._scales)
        return scales

    def set_text_scales(self, scales: dict[str, float]) -> None:
        """Set LoRA scales of the text encoders; it shows in prompts encoded from now on.

        Raises LoraError for a name that is not loaded, and changes nothing then.
        """
        self._check_names(scales)
        for component in COMPONENTS[1:]:
            for layer in self._layers(component):
                for name, scale in scales.items():
                    layer.set_scale(name, float(scale))

    def remove(self, name: str) -> None:
        """Unload a LoRA; the others go on as they are. Raises LoraError when it is not loaded."""
        self._check_names({name: 0.0})
        active = tuple(known for known in self._active() if known != name)
        with quiet():
            self.pipe.delete_adapters(name)
            self._activate(active)
            del self._scales[name]
            self._drop_empty()

    def fuse(self, scales: dict[str, float]) -> None:
        """Merge all LoRAs into the weights, each with its scale (those not named: as loaded), and forget them.

        The sum is made in float32 and rounded once. It cannot be undone. Raises LoraError for a name that is not
        loaded, or when a merged weight exceeds its precision; then nothing has changed.
        """
        self._check_names(scales)
        scales = {**self._scales, **scales}
        layers = [layer for component in COMPONENTS for layer in self._layers(component)]
        for layer in layers:
            if not torch.isfinite(_merged(layer, scales)).all():
                raise LoraError(f"the LoRAs {scales} cannot be merged: a weight becomes too large for its precision")
        for layer in layers:
            with torch.no_grad():
                layer.get_base_layer().weight.copy_(_merged(layer, scales))
        for name in self.names:
            self.remove(name)

    def _check_names(self, scales: dict[str, float]) -> None:
        unknown = sorted(scales.keys() - self._scales.keys())
        if unknown:
            raise LoraError(f"got the LoRA {unknown[0]!r}, loaded are: {', '.join(self.names) or 'none'}")

    def _networks(self) -> list[nn.Module]:
        found = (getattr(self.pipe, component, None) for component in COMPONENTS)
        return [network for network in found if network is not None]

    def _layers(self, component: str) -> list[Any]:
        network = getattr(self.pipe, component, None)
        return [] if network is None else [layer for layer in network.modules() if isinstance(layer, LoraLayer)]

    def _active(self) -> tuple[str, ...]:
        """Every LoRA that is active in some layer: ours, and those that the pipeline came with."""
        layers = (layer for component in COMPONENTS for layer in self._layers(component))
        return tuple(dict.fromkeys(name for layer in layers for name in layer.active_adapters))

    def _activate(self, names: tuple[str, ...]) -> None:
        for component in COMPONENTS:
            for layer in self._layers(component):
                layer.set_adapter([name for name in names if name in layer.lora_A])
                layer.requires_grad_(False)

    def _inject(self, lora: LoraFile, name: str) -> None:
        for component, tensors in lora.tensors.items():
            network = getattr(self.pipe, component)
            device, dtype = network.device, network.dtype  # each a walk over the whole network
            state = {f"{component}.{key}": value.to(dtype) for key, value in tensors.items()}
            if component == "unet":
                network.load_lora_adapter(state, prefix=component, adapter_name=name)
            else:
                self.pipe.load_lora_into_text_encoder(
                    state, network_alphas=None, text_encoder=network, prefix=component, adapter_name=name
                )
            found = sum(name in layer.lora_A for layer in self._layers(component))
            if found != len(tensors) // 2:
                raise LoraError(f"{lora.source}: {found} of {len(tensors) // 2} layers of {component} took it")
            for layer in self._layers(component):
                if name in layer.lora_A:
                    layer.lora_A[name].to(device, dtype)
                    layer.lora_B[name].to(device, dtype)
                    layer.lora_alpha[name] = layer.r[
                        name
                    ]  # it is in the weights; diffusers once took one for all ranks
                    layer.set_scale(name, 1.0)

    def _drop_empty(self) -> None:
        """Take PEFT's layers out again where no LoRA is left in them, so that they cost nothing."""
        for network in self._networks():
            for parent in list(network.modules()):
                for key, child in list(parent.named_children()):
                    if isinstance(child, LoraLayer) and not len(child.lora_A):
                        setattr(parent, key, child.get_base_layer())
            if not any(isinstance(module, LoraLayer) for module in network.modules()):
                _set_peft_state(network, {})
        self._bound = self._bound and bool(self._scales)

    @contextmanager
    def _unchanged_on_error(self, source: str) -> Iterator[None]:
        active = self._active()
        before = [(network, _children(network), _peft_state(network)) for network in self._networks()]
        try:
            yield
        except BaseException as error:  # whatever it is, even Ctrl-C: the running pipeline must be as it was
            for network, children, state in before:
                for layer in (module for module in network.modules() if isinstance(module, LoraLayer)):
                    for name in layer.lora_A.keys() - state.get("peft_config", {}).keys():
                        layer.delete_adapter(name)
                for parent, key, child in children:
                    parent._modules[key] = child
                _set_peft_state(network, state)
            self._activate(active)
            if isinstance(error, LoraError) or not isinstance(error, Exception):
                raise
            reason = " ".join(str(error).split())[:300]
            raise LoraError(f"{source}: cannot be added: {type(error).__name__}: {reason}") from error


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def _input_dims(name: str, layer: Any) -> int:
    """Dimensions of what a layer of a UNet is given."""
    if isinstance(layer.get_base_layer(), nn.Conv2d):
        return 4
    return 2 if any(part in name for part in _FLAT_INPUT) else 3


def _merged(layer: Any, scales: dict[str, float]) -> Tensor:
    """The weight of a layer with its LoRAs in it, in the weight's own precision."""
    weight = layer.get_base_layer().weight
    total = weight.detach().float()
    for name, scale in scales.items():
        if name in layer.lora_A:
            down, up = layer.lora_A[name].weight.float(), layer.lora_B[name].weight.float()
            total = total + scale * (up.flatten(1) @ down.flatten(1)).view(weight.shape)
    return total.to(weight.dtype)


def _children(network: nn.Module) -> list[tuple[nn.Module, str, nn.Module]]:
    return [(parent, key, child) for parent in network.modules() for key, child in parent.named_children()]


def _peft_state(network: nn.Module) -> dict[str, Any]:
    """What PEFT's integrations note on a network."""
    state = {key: network.__dict__[key] for key in _PEFT_NOTES if key in network.__dict__}
    return {**state, "peft_config": dict(state["peft_config"])} if "peft_config" in state else state


def _set_peft_state(network: nn.Module, state: dict[str, Any]) -> None:
    for key in _PEFT_NOTES:
        network.__dict__.pop(key, None)
    network.__dict__.update(state)
