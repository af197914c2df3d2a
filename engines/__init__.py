"""How the units of a frame (encode, embed, denoise, decode) run on the hardware that is there."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .units import Units

# name -> module with ``available() -> str`` ("" or why not) and ``build(pipe, controlnets) -> Units``; fastest first
ENGINES = {"eager": ".eager"}
# StreamDiffusion's names. PyTorch's own attention has replaced xformers.
ALIASES = {"none": "eager", "xformers": "eager"}


@dataclass(frozen=True)
class EngineInfo:
    """An engine, and why it cannot be used here (empty: it can)."""

    name: str
    why_not: str


def engines() -> list[EngineInfo]:
    """Every engine there is, fastest first."""
    return [EngineInfo(name, importlib.import_module(module, __name__).available()) for name, module in ENGINES.items()]


def build(name: str, pipe: Any, controlnets: list[Any]) -> Units:
    """Make the units of a pipeline with the engine called ``name``.

    ``auto`` takes the fastest that is available. A named engine never falls back: EngineError says why it cannot run.
    """
    from ..stream.errors import EngineError

    name = ALIASES.get(name, name)
    found = {engine.name: engine.why_not for engine in engines()}
    if name == "auto":
        name = next(engine for engine, why_not in found.items() if not why_not)
    if name not in found:
        raise EngineError(f"acceleration: got {name!r}, expected one of: auto, {', '.join([*found, *ALIASES])}")
    if found[name]:
        raise EngineError(f"acceleration {name!r} cannot run here: {found[name]}")
    return importlib.import_module(ENGINES[name], __name__).build(pipe, controlnets)
