"""How the units of a frame (encode, embed, denoise, decode) run on the hardware that is there.

An engine is a module that holds to ``Engine``. A new one is such a module and a line in ``MODULES``; ``DEVICES`` says
where it runs, ``FASTEST`` whether ``auto`` may take it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..stream.base.errors import EngineError
from ..stream.base.progress import Progress, silent

if TYPE_CHECKING:
    from .shapes import Shapes
    from .units import Units

log = logging.getLogger(__name__)

MODULES = {
    "tensorrt": ".trt.engine",
    "openvino": ".openvino",
    "compile": ".compile",
    "onnxruntime": ".onnxruntime",
    "eager": ".eager",
}
# Where an engine expects the networks, by PyTorch's name of the device. Eager runs wherever they are.
DEVICES = {"tensorrt": ("cuda",), "openvino": ("cpu",), "compile": ("cpu", "cuda"), "onnxruntime": ("cpu", "cuda")}
# What ``auto`` takes, fastest first. compile wins nothing on a CPU, and onnxruntime is slower than openvino there.
FASTEST = {"cpu": ("openvino", "eager"), "cuda": ("tensorrt", "compile", "eager")}
# Which engines quantise the networks to what, and on which devices; ``auto`` takes the first that does.
QUANTISING = {"int8": {"openvino": ("cpu",), "compile": ("cpu", "cuda")}, "float8": {"compile": ("cuda",)}}
# StreamDiffusion's names. PyTorch's own attention has replaced xformers.
ALIASES = {"none": "eager", "xformers": "eager"}


@dataclass(frozen=True)
class EngineInfo:
    """An engine, and why it cannot be used here (empty: it can)."""

    name: str
    why_not: str


@dataclass(frozen=True)
class Choice:
    """The engine that was chosen, what it is to run on (empty: its own choice), and why faster ones were not taken."""

    name: str
    where: str = ""
    passed_over: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        name = f"{self.name}:{self.where}" if self.where else self.name
        return "; ".join([name, *(f"not {other}: {why}" for other, why in self.passed_over.items())])


@dataclass(frozen=True)
class Options:
    """What an engine is given beside the networks and their shapes."""

    folder: str | None = None
    """Where built engines are kept; None is the user's cache folder."""
    where: str = ""
    """What it is to run on; empty: its own choice."""
    quantised: str = ""
    """What the networks are quantised to, a name of ``QUANTISING``; empty: they run as they are."""
    fold: bool = True
    """Whether what depends on the prompt and the time alone is computed apart from the step; only compile does that."""
    progress: Progress = silent
    """Watches what is being done."""


class Engine(Protocol):
    """What an engine's module has.

    Where building can take minutes it may also have ``slow_start(pipe, controlnets, shapes, options) -> str``: why
    ``auto`` should not make anybody wait for it; empty: what it needs is kept.
    """

    def available(self, where: str = "") -> str:
        """Why it cannot run here (on ``where``), in one line; empty: it can. Loads nothing heavy."""
        ...

    def build(self, pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
        """Units that are ready, so that no frame waits for a compiler. Raises EngineError with one reason.

        They stay as they are when layers of ``pipe``, a pipeline of diffusers, are replaced later.
        """
        ...


if TYPE_CHECKING:  # the type checker holds every engine to the interface
    from . import compile, eager, onnxruntime, openvino
    from .trt import engine as tensorrt

    _: tuple[Engine, ...] = (tensorrt, openvino, compile, onnxruntime, eager)


def names() -> tuple[str, ...]:
    """Names of the engines that this installation has."""
    return tuple(MODULES)


def engines() -> list[EngineInfo]:
    """Every engine there is, and what each lacks."""
    return [EngineInfo(name, _module(name).available()) for name in names()]


def choose(name: str = "auto", device: str = "cpu", refused: Mapping[str, str] | None = None) -> Choice:
    """The engine for a name: ``auto``, one of ``names()``, an alias, or ``name:where`` (``openvino:gpu``).

    ``device`` is the kind of device that the networks are on: cpu, cuda or mps. ``auto`` takes the fastest engine that
    is available for it and not among ``refused`` (name -> why). A named engine never falls back: EngineError says why
    it cannot run.
    """
    known = names()
    if name == "auto":
        passed_over = dict(refused or {})
        for candidate in (other for other in FASTEST.get(device, ("eager",)) if other in known):
            if candidate not in passed_over:
                why_not = _module(candidate).available()
                if not why_not:
                    return Choice(candidate, passed_over=passed_over)
                passed_over[candidate] = why_not
    engine, _, where = ALIASES.get(name, name).partition(":")
    if engine not in known:
        raise EngineError(f"acceleration: got {name!r}, expected one of: {', '.join(['auto', *known, *ALIASES])}")
    expected = DEVICES.get(engine, (device,))
    if device not in expected:
        why_not = f"it takes networks that are on {' or '.join(expected)}, and these are on {device}; set device"
    else:
        why_not = _module(engine).available(where) if where else _module(engine).available()
    if why_not:
        raise EngineError(f"acceleration {name!r} cannot run here: {why_not}")
    return Choice(engine, where)


def quantising(name: str, precision: str, device: str) -> str:
    """The engine that quantises to ``precision``, a name of ``QUANTISING``, on a kind of device.

    ``auto`` is the first that does, another name itself. Raises EngineError where it does not.
    """
    able = QUANTISING[precision]
    engine = ALIASES.get(name, name).partition(":")[0]
    if engine == "auto":
        name = engine = next((other for other, devices in able.items() if device in devices), next(iter(able)))
    if engine not in able:
        raise EngineError(
            f"dtype {precision}: got acceleration {name!r}, expected one of: auto, {', '.join(able)}; "
            f"set acceleration to auto, or dtype to auto"
        )
    if device not in able[engine]:
        raise EngineError(
            f"dtype {precision}: got networks on {device}, and {engine} takes it on {' or '.join(able[engine])}; "
            f"set device, or dtype to auto"
        )
    return name


def build(name: str, pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options | None = None) -> Units:
    """Make the units of a pipeline with the engine called ``name``; see ``choose``.

    They are ready: whatever had to be compiled is compiled. ``auto`` also passes over an engine that cannot take these
    networks, or that would have to build for minutes first. Raises EngineError.
    """
    options = options or Options()
    if options.quantised:
        name = quantising(name, options.quantised, pipe.unet.device.type)
    refused: dict[str, str] = {}
    while True:
        choice = choose(name, pipe.unet.device.type, refused)
        try:
            module = _module(choice.name)
            wait = getattr(module, "slow_start", None) if name == "auto" else None
            why_not = wait(pipe, controlnets, shapes, options) if wait else ""
            if why_not:
                log.info("%s is passed over: %s", choice.name, why_not)
                refused[choice.name] = why_not
                continue
            units = module.build(pipe, controlnets, shapes, replace(options, where=choice.where))
        except EngineError as error:
            if name != "auto" or choice.name == "eager":
                raise
            log.warning("%s cannot take these networks, the next engine is tried: %s", choice.name, error)
            refused[choice.name] = str(error)
            continue
        log.info("engine %s (%s)", choice, units.about)
        return replace(units, passed_over=choice.passed_over)


def _module(name: str) -> Any:
    """The engine called ``name``, an ``Engine``."""
    return importlib.import_module(MODULES[name], __name__)
