"""LoRAs of a running pipeline: several at once, their scales changed live and row by row, without a pause."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import torch

from ..stream.base.errors import LoraError
from ..stream.base.twin import twin
from .inversion import Embedding
from .lorafile import LoraFile, read_lora
from .lorakeys import COMPONENTS
from .loralayers import add, lora_layers, merge, remove


class LoraSet:
    """The LoRAs of one pipeline, applied by PEFT's layers.

    No network is ever changed: ``load``, ``remove`` and ``fuse`` put a ``twin`` of it, which shares every weight, in
    its place in the pipeline. So whoever holds a network, to render frames that are in flight, keeps the LoRAs that it
    began with, and a fault half-way leaves nothing behind. What was computed from the networks before is out of date:
    encoded prompts, compiled graphs, and anything cached of the UNet's layers.

    In the UNet a LoRA acts with the scale given to ``load``, until a ``Denoise`` that names it among its ``loras``
    brings one scale for each row of a batch. Text encoders take one number for each LoRA (``set_text_scales``), because
    a prompt is encoded once for all rows. No two calls at the same time.
    """

    def __init__(self, pipe: Any) -> None:
        """``pipe`` gets other networks. Give it a copy (``copy.copy``) of a pipeline that shall stay as it is."""
        self.pipe = pipe
        self._scales: dict[str, float] = {}  # name -> the scale that it was loaded with
        self._text_scales: dict[str, float] = {}  # name -> the scale in text encoders, where another one was set
        self._embeddings: dict[str, tuple[Embedding, ...]] = {}  # name -> the words that it brought along

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the loaded LoRAs, in the order they came."""
        return tuple(self._scales)

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """The words that the LoRAs brought along, fused ones too, for ``TaughtWords``."""
        return tuple(each for words in self._embeddings.values() for each in words)

    def read(self, source: str | Path) -> LoraFile:
        """Read and check a LoRA, for ``load``. See ``lorafile.read_lora`` for what is accepted."""
        return read_lora(source, self.pipe)

    def load(self, source: str | Path | LoraFile, scale: float = 1.0) -> str:
        """Add a LoRA, read already or not, and return its name.

        Raises LoraError or UnsafeWeightsError, and then the pipeline is exactly as before.
        """
        lora = source if isinstance(source, LoraFile) else self.read(source)
        name = self._free_name(lora)
        twins = self._twins(lora.changes)
        try:
            for component, network in twins.items():
                add(network, lora.changes[component], name, scale)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # PEFT runs much code of its own
            raise LoraError(f"{lora.source}: PEFT cannot add it to this model ({type(error).__name__})") from error
        self._put(twins)
        self._scales[name] = float(scale)
        self._embeddings[name] = lora.embeddings
        return name

    def state(self) -> Any:
        """What is loaded now, for ``restore``."""
        networks = {name: getattr(self.pipe, name) for name in COMPONENTS if getattr(self.pipe, name, None) is not None}
        return networks, dict(self._scales), dict(self._text_scales), dict(self._embeddings)

    def restore(self, state: Any) -> None:
        """Be again as when ``state`` was taken."""
        networks, scales, text_scales, embeddings = state
        self._scales, self._embeddings = dict(scales), dict(embeddings)
        self._put(networks)
        self.set_text_scales({**self._scales, **text_scales})

    def set_text_scales(self, scales: dict[str, float]) -> None:
        """Set LoRA scales of the text encoders; it shows in prompts encoded from now on.

        Raises LoraError for a name that is not loaded, and changes nothing then.
        """
        self._check_names(scales)
        for component in COMPONENTS[1:]:
            for layer in self._layers(component):
                for name, scale in scales.items():
                    layer.set_scale(name, float(scale))
        self._text_scales.update(scales)

    def remove(self, name: str) -> None:
        """Unload a LoRA; the others go on as they are. Raises LoraError when it is not loaded."""
        self._check_names({name: 0.0})
        twins = self._twins(COMPONENTS)
        for network in twins.values():
            remove(network, name)
        self._put(twins)
        del self._scales[name]
        self._text_scales.pop(name, None)
        del self._embeddings[name]

    def fuse(self, scales: dict[str, float]) -> None:
        """Merge all LoRAs into the weights, each with its scale (those not named: as loaded), and forget them.

        The merged weights are new ones: a pipeline that shares the old ones does not change. The sum is made in float32
        and rounded once. Raises LoraError for a name that is not loaded, or when a merged weight exceeds its
        precision; then nothing has changed.
        """
        self._check_names(scales)
        scales = {**self._scales, **scales}
        twins = self._twins(COMPONENTS)
        for network in twins.values():
            for new in merge(network, scales):
                if not all(torch.isfinite(value).all() for value in new):
                    raise LoraError(
                        f"the LoRAs {scales} cannot be merged: a weight becomes too large for its precision; lower them"
                    )
            for name in self.names:
                remove(network, name)
        self._put(twins)
        self._scales.clear()
        self._text_scales.clear()

    def _twins(self, components: Any) -> dict[str, Any]:
        networks = {component: getattr(self.pipe, component, None) for component in components}
        return {component: twin(network) for component, network in networks.items() if network is not None}

    def _put(self, networks: dict[str, Any]) -> None:
        for component, network in networks.items():
            setattr(self.pipe, component, network)

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
        return [layer for _, _, layer in lora_layers(getattr(self.pipe, component, None))]
