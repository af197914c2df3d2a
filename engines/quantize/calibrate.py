"""INT8 networks for OpenVINO, calibrated on what a stream's own frames put into them.

Samples are what entered the units of an eager stream. Inside ``calibrated_by`` an engine in INT8 builds its graphs from
them; they stay in the engine cache, under a key with the recipe of the calibration, and a later stream
with ``dtype="int8"`` loads them. Where there are none, it says how to make them; it never calibrates by itself.

UNet and ControlNets are quantised by the hybrid recipe (weights of linear layers compressed, convolutions with their
activations), as Stable Diffusion is in OpenVINO's own guides; autoencoder and condition embedding as a whole.
A unit whose result is too far from what it was stays as it is, and the engine says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...stream.base.errors import EngineError
from ...stream.base.progress import Progress
from ..cache import EngineCache, EngineKey

log = logging.getLogger(__name__)
INSTALL = 'pip install "inkstream[quantize]"'
LEAST_SNR = 20.0  # dB; a unit that loses more than this stays as it was
_METHOD = "1"  # rises when graphs of an older recipe must not be found any more
_MARK = "calibration="
_HELD_OUT = 4  # samples that judge a unit and do not calibrate it


@dataclass(frozen=True)
class Samples:
    """What entered the units of a stream while it rendered."""

    source: str
    """Where the frames came from, for people."""
    inputs: dict[str, list[dict[str, Tensor]]] = field(repr=False)
    """For every unit that was called: the inputs of each call, by name, float32 on the CPU."""

    @property
    def recipe(self) -> str:
        """Everything that decides what is made of these samples: method, source, and a digest of every value."""
        total = hashlib.sha256()
        for unit, calls in sorted(self.inputs.items()):
            total.update(unit.encode())
            for call in calls:
                for name, value in call.items():
                    total.update(f"{name}{tuple(value.shape)}".encode())
                    total.update(value.numpy().data)
        return f"{_METHOD} {self.source} {total.hexdigest()[:16]}"


_SAMPLES: ContextVar[Samples | None] = ContextVar("inkstream_calibration", default=None)


@contextmanager
def calibrated_by(samples: Samples) -> Iterator[None]:
    """Inside, this thread's engines in INT8 are built from these samples, unless they are in the cache."""
    token = _SAMPLES.set(samples)
    try:
        yield
    finally:
        _SAMPLES.reset(token)


def quantised_key(key: EngineKey, cache: EngineCache) -> EngineKey:
    """The key of a unit's INT8 graph: of the samples at hand, else of the last one used that is in the cache.

    ``key`` is that of the unit as it is. Raises EngineError when there are neither.
    """
    key = replace(key, precision=f"int8 in {key.precision}")
    samples = _SAMPLES.get()
    if samples is not None:
        return replace(key, flags=(*key.flags, f"{_MARK}{samples.recipe}"))
    start = f"{_MARK}{_METHOD} "
    for other, _ in cache.similar(key, "flags"):
        if other.flags[:-1] == key.flags and other.flags[-1].startswith(start):
            return other
    raise EngineError(
        f"dtype int8: no INT8 graph of {key.unit} for these weights and shapes is in {cache.folder}; make it with: "
        f"inkstream quantize --config (the same configuration), or set dtype to auto"
    )


class Quantiser:
    """Makes the INT8 graph of one unit out of its float32 graph; ``notes`` say what came of it."""

    def __init__(self, name: str, unit: Any, names: tuple[str, ...], progress: Progress):
        """``unit.before`` makes a graph's inputs of the unit's, which are called ``names``."""
        self._name = name
        self._unit = unit
        self._names = names
        self._progress = progress
        self.notes: dict[str, Any] = {}

    def __call__(self, model: Any, compiled: Callable[[Any], Any]) -> Any:
        """The graph to run: INT8, or the one that came where INT8 loses too much. ``compiled(model)`` compiles one.

        Raises EngineError when NNCF is missing or the unit was never called.
        """
        why_not = missing()
        if why_not:
            raise EngineError(why_not)
        samples = _SAMPLES.get()
        calls = samples.inputs.get(self._name, []) if samples else []
        if not calls:
            raise EngineError(f"calibration: no frame went through {self._name}; calibrate with this configuration")
        from .nncf import quantise

        inputs = [self._arrays(call) for call in calls]
        # Where there are few, the same ones must serve for both.
        held_out, used = (inputs[-_HELD_OUT:], inputs[:-_HELD_OUT]) if len(inputs) > 2 * _HELD_OUT else (inputs, inputs)
        result = quantise(model.clone(), used, self._name == "denoise", self._name, self._progress)
        loss = snr(compiled(model), compiled(result), held_out)
        self.notes = {"samples": len(used), "snr_db": round(loss, 1)}
        if loss >= LEAST_SNR:
            return result
        self.notes["kept"] = (
            f"{self._name} is not INT8: it would be {loss:.1f} dB from what it was, {LEAST_SNR:g} are asked"
        )
        log.warning("OpenVINO: %s", self.notes["kept"])
        return model

    def _arrays(self, call: dict[str, Tensor]) -> list[np.ndarray]:
        values = self._unit.before(*(call[name] for name in self._names))
        return [np.ascontiguousarray(value.float().numpy()) for value in values]


def missing() -> str:
    """Why nothing can be quantised here; empty: it can."""
    lacking = [name for name in ("nncf", "openvino") if importlib.util.find_spec(name) is None]
    return f"INT8 needs {' and '.join(lacking)}, not installed: {INSTALL}" if lacking else ""


def snr(reference: Any, other: Any, inputs: list[list[np.ndarray]]) -> float:
    """Signal to noise in dB of a compiled graph against another, over inputs by position; at most 100."""
    signal = noise = 0.0
    for values in inputs:
        expected, got = (np.array(graph(values)[0], np.float64) for graph in (reference, other))
        signal += float((expected**2).mean())
        noise += float(((got - expected) ** 2).mean())
    if not np.isfinite(noise):
        return float("-inf")
    return float(min(100.0, 10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30))))


def float32_units(options: Any) -> torch.dtype | None:
    """The precision that a unit is exported in: float32 for INT8, whose calibration runs no bfloat16 normalisation."""
    return torch.float32 if options.quantised else None
