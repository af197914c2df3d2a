"""Settings from afar: their schema, and merge patches of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from ...base.changing import change_of, group_of
from ...base.config import BY_PATH, StreamConfig, explain, may_be_none
from ...base.errors import ConfigError


class Refused(ConfigError):
    """A change that was refused, and nothing of it made; ``field`` is the setting, ``code`` why, for programs."""

    def __init__(self, code: str, text: str, field: str = "") -> None:
        super().__init__(text)
        self.code, self.field = code, field


@cache
def schema() -> dict[str, Any]:
    """JSON Schema of all settings; each has ``x-group`` and ``x-change`` beside its help, default and limits."""
    made = StreamConfig.model_json_schema()
    for name, field in made["properties"].items():
        field["x-group"], field["x-change"] = group_of(name), change_of(name)
    return made


def values_of(config: StreamConfig) -> dict[str, Any]:
    """All settings as JSON has them."""
    return config.model_dump(mode="json")


def changes_of(config: StreamConfig, patch: Mapping[str, Any], styles: Collection[str] = ()) -> dict[str, Any]:
    """What ``Stream.update`` must be told so that a JSON merge patch (RFC 7396) comes true; empty: nothing changes.

    A setting that is patched to null is switched off where it can be, and else gets its default; a LoRA gets the scale
    0. Files and models of the hub are named where the server was started, and not from afar: only what is loaded
    already, the model's ``styles``, and pictures that lie in one folder with those of image prompts, or of regions.
    Raises Refused.
    """
    before = values_of(config)
    values = merged(before, patch)
    for name in patch:
        if change_of(name) == "never" and patch[name] != before.get(name):
            now = getattr(config, name)
            raise Refused(
                "setting", f"{name}: cannot change while running, it is {now!r}; start with --set {name}=", name
            )
        if patch[name] is None and name in before and may_be_none(StreamConfig, name):
            values[name] = None
    if patch.get("mode", config.mode) != config.mode and "t_index_list" not in patch:
        values["t_index_list"] = []  # the mode's own
    try:
        made = StreamConfig(**values)
    except ValidationError as error:
        field, text = explain(StreamConfig, error)[0]
        raise Refused("setting", f"{field}: {text}", field) from None
    _check_files(config, made, styles)
    return config.changes_to(made)


def _check_files(now: StreamConfig, made: StreamConfig, styles: Collection[str]) -> None:
    """Refuse names of files that whoever started the server did not name."""
    known = {name: {*getattr(now, name), *(styles if name == "lora_dict" else ())} for name in BY_PATH}
    strange = {name: set(getattr(made, name)) - known[name] for name in BY_PATH}
    nets = {net.model_id for net in made.controlnets} - {net.model_id for net in now.controlnets} - {None}
    strange |= {"controlnets": nets, "lora_folder": {made.lora_folder} - {now.lora_folder, None}}
    strange |= {"ip_adapters": _weights(made) - _weights(now) | _images(made) - _images(now)}
    strange |= {"regions": _masks(made) - _masks(now)}
    for name, names in strange.items():
        if names:
            got = min(map(str, names))
            expected = ", ".join(sorted(known.get(name, ()))) or "none other than now"
            raise Refused("setting", f"{name}: got {got[:80]!r}, expected {expected}; start with --set {name}=", name)


def _weights(config: StreamConfig) -> set[str]:
    """What names weights of image prompts."""
    named = (
        (each.model_id, each.subfolder, each.weight_name, each.image_encoder_folder) for each in config.ip_adapters
    )
    return {" ".join(part for part in parts if part is not None) for parts in named}


def _images(config: StreamConfig) -> set[str]:
    """The folders of image prompts' pictures: whoever named one of them lets it be exchanged for its neighbours."""
    return {str(PurePath(each.image).parent) for each in config.ip_adapters if each.image is not None}


def _masks(config: StreamConfig) -> set[str]:
    """The folders of regions' masks, with the same right."""
    return {str(PurePath(each.file).parent) for each in config.regions if each.file is not None}


def merged(target: Any, patch: Any) -> Any:
    """The merge patch of RFC 7396: mappings are merged, null removes, everything else takes the place of what was."""
    if not isinstance(patch, Mapping):
        return patch
    made = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made
