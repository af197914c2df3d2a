"""Presets, as a page offers them: which of them a running stream can take, and what the others need."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from ...base.changing import FIXED
from ...base.config import BY_PATH, StreamConfig
from ...base.configfile import RunConfig, load_config, presets
from ...history.journal import DRAWN_WITH
from .messages import Preset
from .settings import Refused, changes_of

NOT_OURS = {*DRAWN_WITH, *BY_PATH, "lora_folder"}  # of who draws, or a file: a preset leaves them as they are
BY_MODEL = ("width", "height")  # where a preset does not say them, the model does


def offered(model: str, now: StreamConfig, styles: Collection[str] = ()) -> list[Preset]:
    """All presets. ``now`` are the settings of a stream of ``model``; those that it can take have ``changes``."""
    return [_offered(name, purpose, model, now, styles) for name, purpose in presets().items()]


def _offered(name: str, purpose: str, model: str, now: StreamConfig, styles: Collection[str]) -> Preset:
    run = _read(name)
    start = f"inkstream studio -c {name}"
    if run.model != model:
        return Preset(name=name, purpose=purpose, why="another model", start=start)
    wanted, named = run.stream.model_dump(mode="json"), run.stream.model_fields_set
    other = [each for each in FIXED if each in named and getattr(run.stream, each) != getattr(now, each)]
    if other:
        return Preset(name=name, purpose=purpose, why=f"another {other[0]}", start=start)
    left_out = {*NOT_OURS, *FIXED, *(each for each in BY_MODEL if each not in named)}
    changes: dict[str, Any] = {each: value for each, value in wanted.items() if each not in left_out}
    try:
        changes_of(now, changes, styles)
    except Refused as error:
        return Preset(name=name, purpose=purpose, why=f"other {error.field}", start=start)
    return Preset(name=name, purpose=purpose, changes=changes)


@cache
def _read(name: str) -> RunConfig:
    return load_config(name)
