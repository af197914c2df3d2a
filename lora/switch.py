"""LoRAs of a running pipeline: several at once, their scales changed live and row by row, without a pause."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..stream.base.errors import LoraError
from ..stream.base.lora import input_dims
from ..stream.base.quiet import quiet
from .lorafile import COMPONENTS, LoraFile, read_lora

with quiet():
    from peft.tuners.lora import LoraLayer

_PEFT_NOTES = ("peft_config", "_hf_peft_config_loaded")


@dataclass(frozen=True, eq=False)
class PreparedLora:
    """A LoRA whose layers are built, to be hung into the networks between two frames."""

    lora: LoraFile
    name: str
    scale: float
    version: int  # of the LoraSet that it was built for
    layers: list[tuple[nn.Module, str, LoraLayer]]  # (parent in the live network, name of the child, the new child)
    notes: list[tuple[nn.Module, dict[str, Any]]]  # (live network, what PEFT's integrations note on it)


class LoraSet:
    """The LoRAs of one pipeline, applied by PEFT's layers.

    A row of the network's batch owns its frame's scales: ``bind(rows)`` gives a tensor of one scale for each LoRA and
    row, which the UNet's layers read at every forward. Writing into it costs nothing and rebuilds nothing. Text
    encoders take one number for each LoRA (``set_text_scales``), because a prompt is encoded once for all rows.

    Threads: ``read`` and ``prepare`` only look at the pipeline and may run beside a live stream; ``prepare`` does the
    slow part, a second or two for SDXL, and ``load`` of what it gave takes milliseconds. ``load``, ``remove`` and
    ``fuse`` replace layers inside the networks, ``bind`` replaces the tensor that they read: call those between two
    frames. No two of all these at the same time. What was computed from the networks before is out of date after
    ``load``, ``remove`` and ``fuse``: encoded prompts, compiled graphs, and anything cached of the UNet's layers.
    """

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self._scales: dict[str, float] = {}  # name -> the scale that a bind starts from
        self._bound = False
        self._version = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the loaded LoRAs, in the order of the rows of the bound tensor."""
        return tuple(self._scales)

    def read(self, source: str | Path) -> LoraFile:
        """Read and check a LoRA, for ``prepare`` or ``load``. See ``lorafile.read_lora`` for what is accepted."""
        return read_lora(source, self.pipe)

    def prepare(self, source: str | Path | LoraFile, scale: float = 1.0) -> PreparedLora:
        """Read a LoRA, unless ``read`` has, and build its layers, for ``load``.

        The networks are not touched. Raises LoraError or UnsafeWeightsError.
        """
        lora = source if isinstance(source, LoraFile) else self.read(source)
        name = self._free_name(lora)
        layers, notes = [], []
        try:
            with quiet():
                for component, tensors in lora.tensors.items():
                    network = getattr(self.pipe, component)
                    twin = _twin(network)
                    self._inject(twin, component, tensors, name)
                    for path, layer in list(twin.named_modules()):
                        if isinstance(layer, LoraLayer):
                            parent, _, key = path.rpartition(".")
                            layers.append((network.get_submodule(parent), key, layer))
                    notes.append((network, _peft_notes(twin)))
        except Exception as error:  # injection runs much code of others; all of it is beside the live networks
            reason = " ".join(str(error).split())[:300]
            raise LoraError(f"{lora.source}: cannot be added: {type(error).__name__}: {reason}") from error
        return PreparedLora(lora, name, float(scale), self._version, layers, notes)

    def load(self, source: str | Path | LoraFile | PreparedLora, scale: float = 1.0) -> str:
        """Add a LoRA (what ``prepare`` gave, or anything that ``prepare`` takes) and return its name.

        In a UNet that is not bound to rows yet it acts with its scale at once. In one that is, rows in flight keep the
        LoRAs they began with: the new one acts from the next ``bind`` on. Text encoders take the scale at once.
        Raises LoraError or UnsafeWeightsError, and then the pipeline is exactly as before.
        """
        ready = source if isinstance(source, PreparedLora) else self.prepare(source, scale)
        if ready.version != self._version:  # other LoRAs came or went since it was prepared
            ready = self.prepare(ready.lora, ready.scale)
        for parent, key, layer in ready.layers:
            setattr(parent, key, layer)
            if ready.name in layer.scaling:
                layer.scaling[ready.name] = ready.scale
        for network, notes in ready.notes:
            network.__dict__.update(notes)
        if self._bound:
            for layer in self._layers("unet"):
                if ready.name in layer.scaling:
                    layer.scaling[ready.name] = 0.0
        self._scales[ready.name] = ready.scale
        self._version += 1
        return ready.name

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
        for path, module in unet.named_modules():
            if isinstance(module, LoraLayer):
                for name in views.keys() & module.scaling.keys():
                    module.scaling[name] = views[name][input_dims(path, module)]
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
        for component in COMPONENTS:
            network = getattr(self.pipe, component, None)
            for parent, key, layer in _lora_layers(network):
                left = [other for other in layer.active_adapters if other != name]
                with quiet():
                    layer.delete_adapter(name)
                if len(layer.lora_A):
                    _activate(layer, left)
                else:  # without PEFT's layer it costs nothing
                    setattr(parent, key, layer.get_base_layer())
            if network is not None:
                getattr(network, "peft_config", {}).pop(name, None)
                if not _lora_layers(network):
                    for note in _PEFT_NOTES:
                        network.__dict__.pop(note, None)
        del self._scales[name]
        self._bound = self._bound and bool(self._scales)
        self._version += 1

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

    def _free_name(self, lora: LoraFile) -> str:
        networks = [getattr(self.pipe, component, None) for component in COMPONENTS]
        taken = {
            *self._scales,
            *(known for network in networks for known in getattr(network, "peft_config", None) or {}),
        }
        numbered = (lora.name if number == 1 else f"{lora.name}_{number}" for number in count(1))
        return next(text for text in numbered if text not in taken)

    def _layers(self, component: str) -> list[Any]:
        return [layer for _, _, layer in _lora_layers(getattr(self.pipe, component, None))]

    def _inject(self, network: Any, component: str, tensors: dict[str, Tensor], name: str) -> None:
        before = {layer: list(layer.active_adapters) for _, _, layer in _lora_layers(network)}
        device, dtype = network.device, network.dtype  # each a walk over the whole network
        state = {f"{component}.{key}": value.to(dtype) for key, value in tensors.items()}
        if component == "unet":
            network.load_lora_adapter(state, prefix=component, adapter_name=name)
        else:
            self.pipe.load_lora_into_text_encoder(
                state, network_alphas=None, text_encoder=network, prefix=component, adapter_name=name
            )
        found = 0
        for _, _, layer in _lora_layers(network):
            mine = [name] if name in layer.lora_A else []
            _activate(layer, [*before.get(layer, []), *mine])  # PEFT makes the new one the only active one
            if mine:
                found += 1
                layer.lora_A[name].to(device, dtype)
                layer.lora_B[name].to(device, dtype)
                layer.lora_alpha[name] = layer.r[name]  # it is in the weights; diffusers once took one for all ranks
                layer.set_scale(name, 1.0)
        if found != len(tensors) // 2:
            raise LoraError(f"{found} of {len(tensors) // 2} layers of {component} took it")


def _twin(network: nn.Module) -> Any:
    """A copy of a network's modules that shares every tensor with it, bound LoRA scales included."""
    shared = [*network.parameters(), *network.buffers()]
    for _, _, layer in _lora_layers(network):
        shared += [scale for scale in layer.scaling.values() if isinstance(scale, Tensor)]
    return copy.deepcopy(network, {id(tensor): tensor for tensor in shared})


def _lora_layers(network: nn.Module | None) -> list[tuple[nn.Module, str, Any]]:
    """PEFT's layers of a network: (parent, name in it, layer)."""
    return [
        (parent, key, child)
        for parent in ([] if network is None else network.modules())
        for key, child in parent.named_children()
        if isinstance(child, LoraLayer)
    ]


def _activate(layer: Any, names: list[str]) -> None:
    layer.set_adapter(names)
    layer.requires_grad_(False)  # PEFT wants to train what is active


def _peft_notes(network: nn.Module) -> dict[str, Any]:
    return {note: network.__dict__[note] for note in _PEFT_NOTES if note in network.__dict__}


def _merged(layer: Any, scales: dict[str, float]) -> Tensor:
    """The weight of a layer with its LoRAs in it, in the weight's own precision."""
    weight = layer.get_base_layer().weight
    total = weight.detach().float()
    for name, scale in scales.items():
        if name in layer.lora_A:
            down, up = layer.lora_A[name].weight.float(), layer.lora_B[name].weight.float()
            total = total + scale * (up.flatten(1) @ down.flatten(1)).view(weight.shape)
    return total.to(weight.dtype)
