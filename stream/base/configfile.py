"""Configurations: presets by name, YAML files and pictures by path, ``--set`` on top; every fault with its place.

A file has up to three keys::

    model: ink-tiny            # a folder, a hub id, a .safetensors file, or an embedded model
    base: sd15-lcm             # optional: a preset to start from
    stream:                    # settings of StreamConfig
      mode: sketch
      controlnets:
        - preprocessor: scribble

What a file sets replaces what its base sets, setting by setting. A ``mode`` other than the base's comes with its own
``t_index_list`` unless the file gives one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ... import configs
from . import kept, safeyaml
from .config import BY_PATH, BY_PLACE, StreamConfig, explain
from .errors import ConfigError
from .making import settings_of
from .names import did_you_mean
from .safeyaml import Document, Place

MOST_FAULTS = 8
Model = TypeVar("Model", bound=BaseModel)


class RunConfig(BaseModel):
    """Which model runs, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = Field(min_length=1)
    """Folder, hub id, .safetensors file or embedded model."""
    stream: StreamConfig = Field(default_factory=StreamConfig.build)
    """Everything that affects a picture."""


def presets() -> dict[str, str]:
    """Names of the presets that ship with the package, with what each is for (the first comment of its file)."""
    found = {}
    for item in sorted(files(configs).iterdir(), key=lambda item: item.name):
        if item.name.endswith(".yaml") and not item.name.startswith("train_"):  # those say how to train, not what runs
            first = item.read_text("utf-8").splitlines()[:1]
            found[item.name.removesuffix(".yaml")] = "".join(first).lstrip("# ")
    return found


def load_config(
    name: str | Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    model: str | None = None,
    said: Mapping[str, str] | None = None,
) -> RunConfig:
    """Load a preset by name, a YAML file by path, or the recipe inside a PNG that inkstream kept.

    ``overrides`` are settings of the stream by dotted path (``{"controlnets.0.conditioning_scale": 0.5}``) and come on
    top of the file; ``model`` replaces the file's. ``said`` says what some of them were given as, if not as ``--set``.
    Raises ConfigError: ``file:line:column: setting: got, expected``.
    """
    return _run_config(_read(name), overrides, model, said or {})


def parse_config(
    text: str, name: str = "configuration", overrides: Mapping[str, Any] | None = None, *, model: str | None = None
) -> RunConfig:
    """As ``load_config``, from text; ``name`` stands for the file in messages."""
    return _run_config(safeyaml.read(text, name), overrides, model, {})


def from_recipe(
    recipe: Mapping[str, Any], name: str, overrides: Mapping[str, Any] | None = None, *, model: str | None = None
) -> RunConfig:
    """As ``load_config``, from the recipe of a picture; ``name`` stands for the file in messages."""
    return _run_config(_of_recipe(recipe, name), overrides, model, {})


def parse_set(text: str) -> tuple[str, Any]:
    """Read one ``--set`` argument: ``"controlnets.0.conditioning_scale=0.5"`` -> (dotted path, value).

    A value in brackets, braces or quotes is read as YAML; any other is one plain scalar, so ``prompt=a car: red`` needs
    no quotes. An empty value is empty text; ``null`` is None. Raises ConfigError when there is no ``NAME=``.
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path or "" in path.split("."):
        raise ConfigError(f"--set: got {text!r}, expected NAME=VALUE, for example guidance_scale=1.4")
    if value.lstrip()[:1] in tuple("[{\"'"):
        return path, safeyaml.read(value, f"--set {path}").value
    value = value.strip()
    return path, safeyaml.read_scalar(value, f"--set {path}") if value else ""


def dump_yaml(config: BaseModel, descriptions: bool = False) -> str:
    """Write a configuration as YAML that loads back equal; with ``descriptions``, each setting under its own."""
    return "\n".join(_lines(config, descriptions)) + "\n"


def build(document: Document, model: type[Model]) -> Model:
    """Check a document against a pydantic model. Raises ConfigError that gives the place of each fault."""
    if not isinstance(document.value, dict):
        kinds = {type(None): "nothing", str: "text", list: "a list", bool: "true or false"}
        got = kinds.get(type(document.value), "a number")
        raise ConfigError(
            f"{document.place('')}: got {got}, expected settings such as: {', '.join(model.model_fields)}"
        )
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        faults = [(path, text, text.startswith("unknown setting")) for path, text in explain(model, error)]
    lines = []
    faults.sort(key=lambda fault: not fault[2])  # a misspelt name is why another one is missing
    for path, text, unknown in faults[:MOST_FAULTS]:
        place = document.place(path, key=unknown)
        lines.append(f"{place}: {path if len(path) <= 200 else path[:200] + '...'}: {text}")
    if len(faults) > MOST_FAULTS:
        lines.append(f"and {len(faults) - MOST_FAULTS} more")
    raise ConfigError(*lines)


def _run_config(
    document: Document, overrides: Mapping[str, Any] | None, model: str | None, said: Mapping[str, str]
) -> RunConfig:
    document = _layered(document)
    if not isinstance(document.value, dict):
        return build(document, RunConfig)
    if model is not None:
        document.value["model"] = model
        document.places["model"] = Place("--model")
    if overrides:
        document = _overridden(document, overrides, said)
    return build(document, RunConfig)


def _read(name: str | Path) -> Document:
    known = presets()
    if str(name) in known:
        return safeyaml.read((files(configs) / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")
    try:
        if kept.is_png(Path(name)):
            return _of_recipe(kept.read_recipe(Path(name)), str(name))
        return safeyaml.read_file(Path(name))
    except ConfigError:
        raise
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"config: {str(name)!r} cannot be read: {why}; name a preset or a YAML file") from error
    hint = did_you_mean(name, known)
    raise ConfigError(f"config: got {str(name)!r}, expected a file, or a preset: {', '.join(known)}{hint}")


def _of_recipe(recipe: Mapping[str, Any], name: str) -> Document:
    try:
        return Document(settings_of(recipe), {"": Place(name)})
    except ConfigError as error:
        raise ConfigError(*error.after(f"{name}: ")) from error


def _layered(document: Document, above: tuple[str, ...] = ()) -> Document:
    """The document laid over the presets it is based on."""
    if not isinstance(document.value, dict) or document.value.get("base") is None:
        return document
    name, place = document.value["base"], document.place("base")
    known = presets()
    if not isinstance(name, str) or name not in known:
        raise ConfigError(f"{place}: base: got {name!r}, expected a preset: {', '.join(known)}")
    if name in above:
        raise ConfigError(f"{place}: base: got {name!r}, which starts from this file; expected no circle")
    below = _layered(_read(name), (*above, name))
    ours = {key: value for key, value in document.value.items() if key != "base"}
    value = {**below.value, **ours}
    if isinstance(ours.get("stream"), dict) and isinstance(below.value.get("stream"), dict):
        value["stream"] = _settings_over(below.value["stream"], ours["stream"])
    return Document(value, {**below.places, **document.places}, {**below.keys, **document.keys})


def _settings_over(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = {**old, **new}
    if new.get("mode", old.get("mode")) != old.get("mode") and "t_index_list" not in new:
        merged.pop("t_index_list", None)
    return merged


def _overridden(document: Document, overrides: Mapping[str, Any], said: Mapping[str, str]) -> Document:
    value = {"stream": {}, **copy.deepcopy(document.value)}
    if not isinstance(value["stream"], dict):
        return document
    settings = _settings_over(value["stream"], {"mode": overrides["mode"]}) if "mode" in overrides else value["stream"]
    places = dict(document.places)
    for path, new in overrides.items():
        put(settings, path, new)
        places[f"stream.{path}"] = Place(said.get(path, f"--set {path}"))
    return Document({**value, "stream": settings}, places, document.keys)


def put(settings: Any, path: str, new: Any) -> None:
    """Set one value in nested mappings and lists, by dotted path; a list grows by one when its next index is named.

    Mappings that are missing are made. Raises ConfigError for a path that leads nowhere.
    """
    parts = path.split(".")
    if parts[0] in BY_PATH:
        parts = [parts[0], *filter(None, [path.partition(".")[2]])]
    target = settings
    for depth, part in enumerate(parts):
        there = ".".join(parts[:depth])
        last = depth == len(parts) - 1
        if isinstance(target, list):
            if not part.isascii() or not part.isdigit() or len(part) > 4 or int(part) > len(target):
                known = f"0 to {len(target)}"
                raise ConfigError(f"--set {path}: got {part!r} in {there}, expected an index from {known}")
            key: Any = int(part)
            if key == len(target):
                target.append({})
        elif isinstance(target, dict):
            key = part
            if not last and target.get(key) is None:
                if parts[depth + 1].isdigit() and part not in BY_PLACE:
                    raise ConfigError(f"--set {path}: {part} is not set in the file, so it has no parts; set it whole")
                target[key] = [] if parts[depth + 1].isdigit() else {}
        else:
            raise ConfigError(f"--set {path}: {there} holds {target!r}, which has no part {part!r}; set it whole")
        if last:
            target[key] = new
        else:
            target = target[key]


def _lines(config: BaseModel, descriptions: bool, indent: str = "") -> list[str]:
    lines = []
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if descriptions and info.description:
            lines.append(f"{indent}# {' '.join(info.description.split())}")
        if isinstance(value, BaseModel):
            lines += [f"{indent}{name}:", *_lines(value, descriptions, indent + "  ")]
        else:
            text = safeyaml.write({name: config.model_dump(include={name})[name]})
            lines += [indent + line for line in text.splitlines()]
    return lines
