"""How a picture was made: everything that it takes to make it again, for people and for files.

What is kept with a picture is called its recipe. The recipe of the loop (``stream/loop/recipe.py``) is another thing:
the tensors of one configuration on one device.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...models import embedded
from .blends import texts_of
from .config import BY_PATH, StreamConfig
from .errors import ConfigError

FORMAT = 1  # of the recipe; a later one is refused, because what it says may mean something else
LONGEST = 256 * 1024  # bytes of a recipe
HOME = "~/"
_PACKAGES = ("inkstream", "torch", "diffusers", "numpy", "opencv-python-headless")
_AT_REST = ("t_index_list", "use_denoising_batch", "frame_buffer_size")  # settings that are others at rest
_PATHS = ("lora_folder", "lcm_lora_id", "vae_id")  # settings that may be the name of a file


@dataclass(frozen=True)
class Making:
    """What pictures of one revision are made with."""

    model: str
    """As it was asked for: an embedded model's name, a folder, a hub id or a file; empty where a program made it."""
    stream: StreamConfig
    """Everything that affects a picture; a drawn seed is there as it was drawn."""
    engine: str = ""
    """What ran the networks, and on what."""
    before: Any = None
    """The prompt that the present one fades in from, where it does: text or a blend."""
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    """Of inkstream and of the libraries that decide about numbers."""
    live: Mapping[str, Any] = field(default_factory=dict)
    """Of a picture that was rendered again at rest (``settle_steps``): the settings that ``stream`` had live."""

    def rested_from(self, live: StreamConfig) -> Making:
        """This one, of a frame that was rendered under ``live`` before."""
        return replace(self, live={name: getattr(live, name) for name in _AT_REST})

    def as_live(self) -> Making:
        """For who goes on from a picture: as it was before the hand rested. Where it did not, this one."""
        return replace(self, stream=self.stream.changed(**self.live), live={}) if self.live else self

    def at(self, faded: float) -> Making:
        """What a picture was made with whose prompt had faded in by a share ``faded`` in [0, 1].

        In the middle of a fade that is a blend of both prompts, and the same numbers. A fade that began in the middle
        of another one, or at a blend, cannot be told so: its newer prompt stands for it.
        """
        if faded >= 1 or not isinstance(self.before, str) or not isinstance(self.stream.told, str):
            return self
        blend = [(self.before, 1 - faded), (self.stream.told, faded)]
        return replace(self, stream=self.stream.changed(prompt=blend, prompt_transition_frames=0), before=None)

    def recipe(self) -> dict[str, Any]:
        """What is kept of it, for JSON: plain values.

        Files are named as they must be to be found again, and no more: below the user's home from there (``~/``),
        which names no user; the folder of built engines, which affects no picture, and a folder of LoRAs that no
        prompt takes one from, not at all.
        """
        stream = self.stream.model_dump(mode="json", exclude={"engine_dir"})
        if not any("<lora:" in text for text in texts_of(self.stream.prompt)):
            stream.pop("lora_folder")
        for name in _PATHS:
            if stream.get(name):
                stream[name] = _named(stream[name])
        for net in stream["controlnets"]:
            net["model_id"] = net["model_id"] and _named(net["model_id"])
        for each in stream["ip_adapters"]:
            each |= {name: _named(each[name]) for name in ("model_id", "image") if each[name]}
        for region, each in zip(self.stream.regions, stream["regions"], strict=True):
            each |= {"where": _named(region.where)} if region.file is not None else {}
        for name in BY_PATH:
            stream[name] = {_named(path, bare=True): value for path, value in stream[name].items()}
        model = self.model if self.model in embedded() else _named(self.model)
        made: dict[str, Any] = {"engine": self.engine, "versions": dict(self.versions)}
        if self.live:
            made["live"] = {name: list(each) if isinstance(each, tuple) else each for name, each in self.live.items()}
        return {"inkstream": FORMAT, "model": model, "stream": stream, **made}

    def changes_from(self, now: StreamConfig) -> dict[str, Any]:
        """What ``Stream.update`` must be told so that a stream that runs ``now`` goes on with these settings.

        Files that are the same under another name (``~/``) count as the same. A LoRA that these settings do not name
        gets the scale 0. What cannot change live is among the changes where it differs, and ``update`` says so.
        """
        have, want = Making("", now).recipe()["stream"], self.recipe()["stream"]
        changes = {name: getattr(self.stream, name) for name in want if have.get(name) != want[name]}
        if "mode" in changes:
            changes["t_index_list"] = self.stream.t_index_list  # else it would get the mode's own
        if "lora_dict" in changes:
            known = {_named(path, bare=True): path for path in now.lora_dict}
            rest = {path: 0.0 for name, path in known.items() if name not in want["lora_dict"]}
            changes["lora_dict"] = {known.get(name, name): scale for name, scale in want["lora_dict"].items()} | rest
        if "textual_inversion" in changes:  # words are added, and never forgotten
            added = want["textual_inversion"].items() - have["textual_inversion"].items()
            changes = {**changes, "textual_inversion": dict(added)} if added else _without(changes, "textual_inversion")
        if "controlnets" in changes:
            nets = list(self.stream.controlnets)  # as objects they take the place of all that there are
            for index, (old, new) in enumerate(zip(now.controlnets, nets, strict=False)):
                if have["controlnets"][index]["model_id"] == want["controlnets"][index]["model_id"]:
                    nets[index] = new.model_copy(update={"model_id": old.model_id})
            changes["controlnets"] = nets
        return changes

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Making:
        """From ``recipe``, checked as a configuration of a stranger; raises ConfigError."""
        values = settings_of(recipe)
        made = {name: recipe.get(name) for name in ("engine", "versions")}
        known = made["versions"] if isinstance(made["versions"], dict) else {}
        said = {str(name)[:80]: str(text)[:80] for name, text in list(known.items())[:20]}
        stream = StreamConfig.build(**values["stream"])
        made_of = cls(values["model"], stream, str(made["engine"] or "")[:200], versions=said)
        live = recipe.get("live")
        if not isinstance(live, Mapping):
            return made_of
        return made_of.rested_from(stream.changed(**{name: live[name] for name in _AT_REST if name in live}))


@cache
def versions() -> Mapping[str, str]:
    """Versions of what decides about numbers, by the names of packages; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # another build of it, under another name
            continue
    return found


def settings_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What of a recipe is a configuration: ``model`` and ``stream``, as in a file; not yet checked.

    Raises ConfigError for what is no recipe, and for one of a later format.
    """
    number, model, stream = (recipe.get(name) for name in ("inkstream", "model", "stream"))
    if type(number) is not int or not isinstance(model, str) or not isinstance(stream, dict):
        raise ConfigError("got something else, expected a recipe of inkstream: inkstream, model and stream")
    if number > FORMAT:
        raise ConfigError(f"got a recipe of format {number}, expected at most {FORMAT}; a newer inkstream reads it")
    return {"model": model, "stream": {name: value for name, value in stream.items() if name != "engine_dir"}}


def to_text(recipe: Mapping[str, Any]) -> str:
    """A recipe as one line of JSON, for a file."""
    return json.dumps(recipe, ensure_ascii=False, allow_nan=False)


def from_text(text: str | bytes) -> dict[str, Any]:
    """What ``to_text`` wrote; raises ConfigError for anything else. Nothing in it is ever run."""
    if len(text) > LONGEST:
        raise ConfigError(f"got a recipe of {len(text):,} characters, expected at most {LONGEST:,}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError, too
        raise ConfigError("got a damaged recipe, expected JSON; take another picture") from error
    if not isinstance(found, dict):
        raise ConfigError("got a damaged recipe, expected a mapping; take another picture")
    return found


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _named(text: str, bare: bool = False) -> str:
    """The name of a file or folder that is there, so that it is found from elsewhere; any other text as it is.

    ``bare``: a word without a folder before it is a style of the model, and stays.
    """
    if bare and os.path.basename(text) == text and not text.endswith(".safetensors"):
        return text
    try:
        path = Path(text).expanduser()
        if not path.exists():
            return text
        path = path.absolute()
        home = Path.home()
    except (OSError, RuntimeError, ValueError):
        return text
    return HOME + path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
