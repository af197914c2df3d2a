"""Preprocessors by their names."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ..stream.base.errors import ConfigError
from ..stream.base.names import did_you_mean
from ..stream.base.wording import ours
from .clean import Clean
from .palette import Palette
from .preprocess import Canny, Edges, Invert, Lineart, Nothing, Paint, Scribble, SoftEdge
from .preprocessor import Preprocessor
from .scene import Depth, Normal

PREPROCESSORS: dict[str, type[Preprocessor]] = {
    "none": Nothing,
    "canny": Canny,
    "scribble": Scribble,
    "paint": Paint,
    "palette": Palette,
    "lineart": Lineart,
    "clean": Clean,
    "softedge": SoftEdge,
    "invert": Invert,
    "edges": Edges,
    "depth": Depth,
    "normal": Normal,
}


def open_preprocessor(name: str, params: dict[str, Any] | None = None) -> Preprocessor:
    """Make a preprocessor from its name and parameters; both are checked at once.

    The result takes and gives ``(H, W, 3)`` uint8 RGB, and raises FrameError for anything else.
    Raises ConfigError for an unknown name or parameter, and for a value of the wrong type or out of range.
    """
    if not isinstance(name, str) or name not in PREPROCESSORS:
        known = ", ".join(PREPROCESSORS)
        raise ConfigError(f"preprocessor: got {name!r}, expected one of: {known}{did_you_mean(name, PREPROCESSORS)}")
    kind = PREPROCESSORS[name]
    if params is not None and not isinstance(params, dict):
        raise ConfigError(f"preprocessor {name}: got parameters {params!r}, expected a mapping; {_accepted(kind)}")
    try:
        return kind(**(params or {}))
    except ValidationError as error:
        raise ConfigError(*(f"preprocessor {name}: {text}" for text in _explain(kind, error))) from None


def _explain(kind: type[Preprocessor], error: ValidationError) -> list[str]:
    texts = []
    for fault in error.errors():
        key = str(fault["loc"][0]) if fault["loc"] else ""
        if fault["type"] == "extra_forbidden":
            texts.append(f"unknown parameter {key!r}; {_accepted(kind)}{did_you_mean(key, kind.model_fields)}")
        elif fault["type"] == "value_error":
            texts.append(fault["msg"].removeprefix("Value error, "))
        else:
            expected = ours(fault["msg"])
            texts.append(f"{key}: got {fault['input']!r}, {expected} (default {kind.model_fields[key].default})")
    return texts


def _accepted(kind: type[Preprocessor]) -> str:
    fields = [f"{name}={field.default}" for name, field in kind.model_fields.items()]
    return f"accepted are: {', '.join(fields)}" if fields else "it takes no parameters"
