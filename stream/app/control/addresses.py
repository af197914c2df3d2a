"""Every parameter by its address, for messages that carry a number or two: ``/controlnets/0/conditioning_scale 0.7``.

An address is the parameter's path in the configuration. ``table`` writes all of them for people:
``python -m inkstream.stream.app.control.addresses docs/control.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from ...base.changing import change_of
from ...base.config import BY_PLACE, StreamConfig
from ...base.names import did_you_mean, short
from ..studio.settings import Refused

BEGIN, END = "<!-- addresses: written by inkstream.stream.app.control.addresses -->", "<!-- end of addresses -->"
BLENDS = ("prompt", "seed")
# Of a ControlNet and an image prompt: what names their weights, which is said where the program is started.
FILES = ("model_id", "subfolder", "weight_name", "image_encoder_folder")
PARTS = {
    "controlnets": ("ControlNet", "conditioning_scale"),
    "ip_adapters": ("image prompt", "scale"),
    "regions": ("region", "prompt"),
}
USUAL = {"lora_dict": (0.0, 1.0)}  # ends of what has none of its own
MOST_WHOLE = 10_000  # between the ends of a whole number that a fader can still reach
# What StreamDiffusionTD (TouchDesigner) says, and what it is called here.
ALIASES = {
    "t_list": "t_index_list",
    "prompt_list": "prompt",
    "seed_list": "seed",
    "sdmode": "mode",
    "lora_weights": "lora_dict",
    "textual_inversion_dict": "textual_inversion",
    "controlnet_weight": "controlnets/0/conditioning_scale",
    "use_controlnet": "controlnets/0/enabled",
    "pause": "freeze",
    "play": "unfreeze",
    "get_status": "status",
}


class Parameter(NamedTuple):
    """What an address leads to."""

    path: str
    kind: str
    """number, whole number, switch, text, list, blend or mapping."""
    ends: tuple[float, float] | None
    """Of a number: what 0 and 1 of a fader are; None: no fader can have it."""
    choices: tuple[str, ...]
    """Of text: the words that it may be; empty: any. Of a number: the words that it may be as well."""
    about: str


def find(path: str) -> Parameter:
    """The parameter at a path without a leading slash; raises Refused."""
    name, _, rest = path.partition("/")
    fields = StreamConfig.model_fields
    if name not in fields:
        raise Refused("unknown", f"{short(path)}: unknown address{did_you_mean(path, known())}", name[:80])
    if not rest:
        return _described(path, fields[name])
    if name in ("lora_dict", "textual_inversion"):
        kind = "number" if name == "lora_dict" else "text"
        return Parameter(path, kind, USUAL.get(name), (), fields[name].description or "")
    if name in BY_PLACE:
        index, _, inner = rest.partition("/")
        inner, _, key = inner.partition("/")
        known_parts = BY_PLACE[name].model_fields
        found = known_parts.get(inner)
        if index.isascii() and index.isdigit() and len(index) < 4 and found is not None:
            if not key:
                return _described(path, found)
            if inner == "preprocessor_params":
                return Parameter(path, "any", None, (), "A keyword argument of the preprocessor.")
        inside = did_you_mean(inner, known_parts) or f"; for example {name}/0/{PARTS[name][1]}"
        raise Refused("unknown", f"{short(path)}: unknown address{inside}", name)
    raise Refused("unknown", f"{short(path)}: unknown address; {name} has no parts", name)


@cache
def known() -> tuple[str, ...]:
    """Addresses without a leading slash; N and NAME stand for what differs."""
    names = [name for name in StreamConfig.model_fields if change_of(name) != "never"]
    inner = [f"{name}/N/{each}" for name, part in BY_PLACE.items() for each in part.model_fields if each not in FILES]
    return (*names, *inner, "lora_dict/NAME", "textual_inversion/NAME")


def value_of(parameter: Parameter, said: Sequence[Any]) -> Any:
    """What a message says, as JSON has it: one number for a number, several for a list, text and weight in turn for a
    blend, JSON in a text for what has parts. Raises Refused.
    """
    kind, one = parameter.kind, said[0] if len(said) == 1 else None
    name = parameter.path.partition("/")[0]
    if kind in ("list", "blend", "mapping") and isinstance(one, str) and one.lstrip()[:1] in ("[", "{"):
        try:
            found = json.loads(one)
        except (ValueError, RecursionError):
            if kind == "blend" and name == "prompt":  # [words] are a weight
                return one
            raise Refused("setting", f"{parameter.path}: got {short(one)}, expected JSON", name) from None
        return [list(each) for each in found.items()] if kind == "blend" and isinstance(found, dict) else found
    if kind == "blend" and len(said) > 1:
        if len(said) % 2:
            raise Refused("setting", f"{parameter.path}: got {len(said)} values, expected pairs with a weight", name)
        items = [_whole(_read(each)) if name == "seed" else each for each in said[::2]]
        return [[item, weight] for item, weight in zip(items, said[1::2], strict=True)]
    if kind == "list":
        return [_whole(each) for each in said]
    if len(said) != 1:
        raise Refused("setting", f"{parameter.path}: got {len(said)} values, expected one", name)
    if kind == "switch" and isinstance(one, int | float) and not isinstance(one, bool):
        return one >= 0.5
    if kind in ("number", "whole number") or name == "seed":
        one = _read(one)
    return _whole(one) if kind in ("whole number", "blend") else one


def spoken(value: Any) -> list[Any]:
    """A value as a message carries it: what ``value_of`` reads. A list of other things is JSON in a text."""
    if value is None or isinstance(value, bool | int | float | str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(each, list) and len(each) == 2 for each in value):
        return [each for pair in value for each in pair]
    if isinstance(value, list) and value and all(isinstance(each, int | float | str) for each in value):
        return list(value)
    return [json.dumps(value, ensure_ascii=False)]


def at_fader(parameter: Parameter, place: Any, ends: Sequence[Any] = ()) -> float | int:
    """The value at a fader's place, 0 to 1: between ``ends``, or the parameter's own. Raises Refused."""
    name = parameter.path.partition("/")[0]
    low, high = span(parameter, ends)
    if isinstance(place, bool) or not isinstance(place, int | float) or not 0 <= place <= 1:
        raise Refused("setting", f"{parameter.path}: got {short(place)}, expected a fader's place from 0 to 1", name)
    value = low + place * (high - low)
    return round(value) if parameter.kind == "whole number" else round(value, 6)


def span(parameter: Parameter, ends: Sequence[Any] = ()) -> tuple[float, float]:
    """What 0 and 1 of a fader are; raises Refused for what no fader can have."""
    name = parameter.path.partition("/")[0]
    if parameter.kind not in ("number", "whole number") or (parameter.ends is None and not ends):
        raise Refused("setting", f"{parameter.path}: no fader can have it; send its value to /{parameter.path}", name)
    if not ends:
        assert parameter.ends is not None
        return parameter.ends
    if len(ends) != 2 or not all(isinstance(each, int | float) for each in ends) or ends[0] == ends[1]:
        raise Refused("setting", f"{parameter.path}: got the ends {short(list(ends))}, expected two numbers", name)
    return float(ends[0]), float(ends[1])


def patch_of(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A merge patch that sets one path, where the settings are ``values``; raises Refused.

    LoRAs are found by the name of their file, too.
    """
    name, _, rest = path.partition("/")
    if not rest:
        return {name: value}
    if name not in BY_PLACE:
        return {name: {_key(values.get(name) or {}, rest): value}}
    index, _, inner = rest.partition("/")
    nets = [dict(each) for each in values.get(name) or ()]
    if int(index) >= len(nets):
        there = f"0 to {len(nets) - 1}" if nets else f"none: this stream runs without {PARTS[name][0]}s"
        raise Refused("setting", f"{path}: got the {PARTS[name][0]} {index}, expected {there}", name)
    inner, _, key = inner.partition("/")
    nets[int(index)][inner] = {**nets[int(index)][inner], key: value} if key else value
    return {name: nets}


def at(values: Mapping[str, Any], path: str) -> Any:
    """The value at a path; None where there is none."""
    name, _, rest = path.partition("/")
    found: Any = values.get(name)
    if rest and name in BY_PLACE:
        for part in rest.split("/"):
            if isinstance(found, list):
                found = found[int(part)] if int(part) < len(found) else None
            else:
                found = found.get(part) if isinstance(found, Mapping) else None
        return found
    return found.get(_key(found, rest)) if rest and isinstance(found, Mapping) else found


def leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every path with its value; what can never change is left out."""
    for name, value in values.items():
        if change_of(name) == "never":
            continue
        if name in BY_PLACE:
            for index, net in enumerate(value):
                yield from ((f"{name}/{index}/{key}", each) for key, each in net.items() if key not in FILES)
        elif isinstance(value, Mapping):
            yield from ((f"{name}/{_short(value, key)}", each) for key, each in value.items())
        else:
            yield name, value


def table() -> str:
    """All addresses, as Markdown."""
    lines = ["| address | value | a fader's ends | |", "|---|---|---|---|"]
    for path in known():
        found = find(path.replace("/N/", "/0/"))
        kind = {"switch": "0 or 1", "blend": "one, or value and weight in turn"}.get(found.kind, found.kind)
        if found.choices:
            kind = ", ".join(found.choices if found.kind == "text" else (kind, *found.choices))
        about = " ".join(found.about.split()).replace("<", "\\<")
        ends = f"{found.ends[0]:g} to {found.ends[1]:g}" if found.ends else ""
        lines.append(f"| `/{path}` | {kind} | {ends} | {about} |")
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with ``table`` between its marks; raises ValueError where a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page: expected the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _described(path: str, field: FieldInfo) -> Parameter:
    about, name = field.description or "", path.rpartition("/")[2]
    inner = [each for each in get_args(field.annotation) if each is not type(None)] or [field.annotation]
    annotation = inner[0] if get_origin(field.annotation) is not Literal else field.annotation
    choices = tuple(map(str, get_args(field.annotation))) if get_origin(field.annotation) is Literal else ()
    lows = [getattr(each, "ge", getattr(each, "gt", None)) for each in field.metadata]
    highs = [getattr(each, "le", getattr(each, "lt", None)) for each in field.metadata]
    low = next((float(each) for each in lows if each is not None), None)
    high = next((float(each) for each in highs if each is not None), None)
    ends = (low, high) if low is not None and high is not None else None
    if path in BLENDS:
        return Parameter(path, "blend", None, (), about)
    if name == "steadiness":
        return Parameter(path, "number", (0.0, 100.0), ("auto",), about)
    if name in ("t_index_list", "adapters", *BY_PLACE):
        return Parameter(path, "list", None, (), about)
    if name in ("lora_dict", "textual_inversion", "preprocessor_params"):
        return Parameter(path, "mapping", None, (), about)
    if choices:
        return Parameter(path, "text", None, choices, about)
    if annotation is bool:
        return Parameter(path, "switch", None, (), about)
    if annotation is int:
        return Parameter(path, "whole number", ends if ends and ends[1] - ends[0] <= MOST_WHOLE else None, (), about)
    if annotation is float:
        return Parameter(path, "number", ends, (), about)
    return Parameter(path, "text", None, (), about)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read(value: Any) -> Any:
    """A number that came as text: OSC's own have 32 bits."""
    if not isinstance(value, str):
        return value
    try:
        return int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
    except ValueError:
        return value


def _key(names: Mapping[str, Any], said: str) -> str:
    """The name that somebody means: itself, or the only file that is called so."""
    if said in names:
        return said
    alike = [name for name in names if PurePath(name).stem == said]
    return alike[0] if len(alike) == 1 else said


def _short(names: Mapping[str, Any], name: str) -> str:
    stem = PurePath(name).stem
    return stem if _key(dict.fromkeys(names, 0), stem) == name else name


def main() -> None:
    """Write the table into the page that is named."""
    import sys
    from pathlib import Path

    from ...base.files import write_whole

    path = Path(sys.argv[1])
    write_whole(path, written(path.read_text("utf-8")).encode())


if __name__ == "__main__":
    main()
