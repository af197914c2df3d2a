"""Settings that were liked, on the number keys, for each model its own; and the list of cues of a show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...base.errors import ConfigError
from ...base.files import open_regular
from ...base.names import quoted
from ...base.prompt import parse_prompt
from .dials import Dials
from .tools import Reach

KEPT = ("prompt", "negative_prompt", "seed", "drawing_influence", "mode", "t_index_list", "lora_dict")
MOST_CUES, LONGEST_FILE = 1000, 256 * 1024  # cues, and bytes
LONGEST_FADE = 60.0  # seconds
USUAL_FPS = 15.0  # for a fade, where nobody has counted yet
_FADE = re.compile(r"@(\d+(?:\.\d+)?)s?\s+(.*)")


class Favourites:
    """Nine places for settings, kept in the user's state folder."""

    def __init__(self, reach: Reach, dials: Dials) -> None:
        self._reach, self._dials = reach, dials

    def names(self) -> dict[int, str]:
        """What lies in which place, by its prompt."""
        return {slot: _title(settings) for slot, settings in self._all().items()}

    def keep(self, slot: int) -> None:
        """Put the present settings into a place, 1 to 9."""
        config = self._reach.status.config
        if config is None:
            self._reach.say("there is nothing to keep yet")
            return
        settings = config.model_dump(mode="json", include=set(KEPT))
        if self._reach.memory.favour(self._model(), slot, settings):
            self._reach.say(f"kept as favourite {slot}: {_title(settings)}")
        else:
            self._reach.say(f"favourite {slot} is kept until the window closes; it cannot be written down")

    def recall(self, slot: int) -> None:
        """Go back to the settings in a place; says it when there are none."""
        settings, config = self._all().get(slot), self._reach.status.config
        if settings is None or config is None:
            self._reach.say(f"nothing is kept as {slot}; Ctrl+{slot} keeps the present settings there")
            return
        try:
            lora = {**dict.fromkeys(config.lora_dict, 0.0), **(settings.get("lora_dict") or {})}
            changes = config.changes_to(config.changed(**{**settings, "lora_dict": lora}))
        except (ConfigError, TypeError) as error:
            self._reach.say(f"favourite {slot} does not fit: {error}")
            return
        if not changes or self._dials.turn(**changes):
            self._reach.say(f"favourite {slot}: {_title(settings)}")

    def _all(self) -> dict[int, dict[str, Any]]:
        kept = self._reach.memory.favourites(self._model())
        return {slot: {name: value for name, value in each.items() if name in KEPT} for slot, each in kept.items()}

    def _model(self) -> str:
        making = self._reach.output.making if self._reach.output else None
        return making.model if making else ""


@dataclass(frozen=True)
class Cue:
    """A prompt, and in how many seconds it fades in."""

    prompt: str
    fade: float = 0.0


class Cues:
    """A show's prompts, one after the other. ``cues`` empty: there is no list."""

    def __init__(self, reach: Reach, dials: Dials, cues: tuple[Cue, ...]) -> None:
        self._reach, self._dials, self._cues = reach, dials, cues
        self._at = -1

    def begin(self) -> None:
        """The show begins with its first cue, as soon as there is somebody to ask."""
        if self._cues and self._at < 0 and self._reach.controls is not None and self._reach.status.config is not None:
            self._at = 0
            self._dials.turn(prompt=self._cues[0].prompt, prompt_transition_frames=0)

    def go(self, by: int = 1) -> None:
        """To the next cue, or with -1 the one before; says which, and that there is none."""
        if not self._cues:
            self._reach.say("there is no list of cues; --sink window:cues=FILE takes one")
            return
        at = self._at + by
        if not 0 <= at < len(self._cues):
            self._reach.say("that was the last cue" if by > 0 else "that was the first cue")
            return
        cue = self._cues[at]
        frames = min(10_000, round(cue.fade * (self._reach.status.fps or USUAL_FPS)))
        if self._dials.turn(prompt=cue.prompt, prompt_transition_frames=frames):
            self._at = at
            self._reach.say(f"cue {at + 1} of {len(self._cues)}: {cue.prompt}")


def read_cues(path: str | Path) -> tuple[Cue, ...]:
    """A text file with a prompt in each line; ``@2 a castle`` fades in over 2 seconds; ``#`` begins a remark.

    Raises ConfigError that names the line.
    """
    path = Path(path).expanduser()
    try:
        with open_regular(path) as file:
            data = file.read(LONGEST_FILE + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cues: {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cues: {path}: got something else, expected text in UTF-8") from error
    if len(data) > LONGEST_FILE:
        raise ConfigError(f"cues: {path}: got more than {LONGEST_FILE:,} bytes, expected a text file of prompts")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    cues = tuple(_cue(path, number, line) for number, line in lines if line and not line.startswith("#"))
    if not 1 <= len(cues) <= MOST_CUES:
        raise ConfigError(f"cues: {path}: got {len(cues)} prompts, expected 1 to {MOST_CUES}, one in each line")
    return cues


def _cue(path: Path, number: int, line: str) -> Cue:
    found = _FADE.fullmatch(line)
    fade, prompt = (float(found[1]), found[2]) if found else (0.0, line)
    if (line.startswith("@") and not found) or fade > LONGEST_FADE:
        most = f"@SECONDS PROMPT with at most {LONGEST_FADE:g} seconds"
        raise ConfigError(f"cues: {path}: line {number}: got {quoted(line)}, expected {most}")
    try:
        parse_prompt(prompt)
    except ValueError as error:
        raise ConfigError(f"cues: {path}: line {number}: {error}") from error
    return Cue(prompt, fade)


def _title(settings: dict[str, Any]) -> str:
    """What people know settings by: their prompt, or the first of a blend."""
    prompt = settings.get("prompt")
    while isinstance(prompt, list | tuple) and prompt:
        prompt = prompt[0]
    return quoted(prompt, 40) if isinstance(prompt, str) and prompt else "no prompt"
