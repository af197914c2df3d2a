"""The sinusoids of a timestep, computed outside of the network.

sin(t f) for t up to 999 needs more than the eight bits of a bfloat16 mantissa. Runtimes that run a whole graph in lower
precision, as OpenVINO does, would otherwise round the angle: on the embedded model that was four times the error of all
other operations together. The timesteps are fixed between two changes of the configuration, so it saves time as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .units import Denoise


class _Given(nn.Module):
    """In the place of a projection: gives the value that was put in, whatever it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.value: Tensor | None = None

    def forward(self, _: Tensor) -> Tensor | None:
        return self.value


class TimesOutside(nn.Module):
    """A Denoise (a twin: it is changed) that takes sinusoids in place of timesteps, and of SDXL's size ids.

    Inputs by position: those of ``shapes.inputs("denoise")``, with ``timestep`` (N,) replaced by (P, N, T) and
    ``time_ids`` (N, 6) by (Q, 6 N, S), where P and Q are how many different projections UNet and ControlNets have; one,
    as a rule. ``before`` makes the one from the other.
    """

    def __init__(self, denoise: Denoise, names: tuple[str, ...]) -> None:
        super().__init__()
        self.denoise = denoise
        self.names = names
        networks = (denoise.unet, *denoise.controlnets)
        self._projections: dict[str, list[Any]] = {}
        self._places: dict[str, list[tuple[_Given, int]]] = {}
        for name, attribute in (("timestep", "time_proj"), ("time_ids", "add_time_proj")):
            if name in names:
                self._projections[name], self._places[name] = _replace(networks, attribute)
        self._known: dict[str, tuple[Tensor, Tensor]] = {}

    def before(self, *values: Tensor) -> list[Tensor]:
        """Inputs with timesteps and size ids -> inputs with sinusoids; those of the call before are kept."""
        return [self._sinusoids(name, value) for name, value in zip(self.names, values, strict=True)]

    def after(self, result: Tensor) -> Tensor:
        """What comes out stays as it is."""
        return result

    def forward(self, *values: Tensor) -> Tensor:
        """Denoise, with inputs that ``before`` gave."""
        given = dict(zip(self.names, values, strict=True))
        for name, places in self._places.items():
            for place, index in places:
                place.value = given[name][index]
        given["timestep"] = given["sample"].new_zeros(len(given["sample"]))
        if "time_ids" in given:
            given["time_ids"] = given["sample"].new_zeros(len(given["sample"]), 6)
        return self.denoise(**given)

    def _sinusoids(self, name: str, value: Tensor) -> Tensor:
        if name not in self._projections:
            return value
        known = self._known.get(name)
        if known is None or not torch.equal(known[0], value):
            flat = value.float().flatten()
            result = torch.stack([project(flat) for project in self._projections[name]])  # (P, N, T)
            known = self._known[name] = (value.clone(), result)
        return known[1]


def _replace(networks: tuple[Any, ...], attribute: str) -> tuple[list[Any], list[tuple[_Given, int]]]:
    """Put placeholders where networks project times; gives the different projections, and which place wants which."""
    projections: list[Any] = []
    places = []
    for network in networks:
        own = getattr(network, attribute)
        same = [index for index, other in enumerate(projections) if _vars_of(other) == _vars_of(own)]
        if not same:
            projections.append(own)
        given = _Given()
        setattr(network, attribute, given)
        places.append((given, same[0] if same else len(projections) - 1))
    return projections, places


def _vars_of(projection: nn.Module) -> dict[str, Any]:
    """What decides a projection: all that it holds beside what every module has."""
    return {name: value for name, value in vars(projection).items() if not name.startswith("_") and name != "training"}
