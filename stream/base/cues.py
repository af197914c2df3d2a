"""The cues of a show: what is seen when, and how one fades into the next.

A YAML file::

    tempo: 96                 # beats a minute, for lengths in beats; tapping changes it
    loop: true                # after the last comes the first again
    cues:
      - a red car             # a prompt alone waits for the next call
      - prompt: a stone house at night
        seed: 7
        fade: 2 s             # seconds, or 4 beats
        hold: 8 beats         # from its beginning; then the next one comes by itself
      - name: harbour
        prompt: {a boat: 0.7, a lighthouse: 0.3}
        seed: [[3, 0.5], [4, 0.5]]

Any other file is read as text, with a prompt in each line; ``@2 a castle`` fades in over 2 seconds, and ``#`` begins a
remark.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from . import safeyaml
from .blends import Prompt, Seed, texts_of
from .configfile import build
from .errors import ConfigError
from .files import open_regular
from .names import quoted, short
from .prompt import parse_prompt

MOST_CUES, LONGEST_FILE = 1000, 256 * 1024  # cues, and bytes of text
LONGEST = 3600.0  # seconds, or beats
LONGEST_LINE_FADE = 60.0  # seconds, in a text file
SLOWEST, FASTEST = 20.0, 400.0  # beats a minute
_LINE_FADE = re.compile(r"@(\d+(?:\.\d+)?)s?\s+(.*)")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|seconds?|beats?|)")


class Length(NamedTuple):
    """How long something takes."""

    amount: float
    unit: Literal["s", "beats"] = "s"

    def seconds(self, tempo: float) -> float:
        """In seconds, at ``tempo`` beats a minute."""
        return self.amount * (60.0 / tempo if self.unit == "beats" else 1.0)


def _length(value: Any) -> Any:
    if isinstance(value, Length):
        return value
    text = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value
    found = _LENGTH.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or float(found[1]) > LONGEST:
        raise ValueError(f"got {short(value)}, expected seconds or beats, at most {LONGEST:g}: 2, 2 s or 4 beats")
    return Length(float(found[1]), "beats" if found[2].startswith("beat") else "s")


def _pairs(value: Any) -> Any:
    """A blend may be written as a mapping of what is blended to weights."""
    return [[item, weight] for item, weight in value.items()] if isinstance(value, dict) else value


LengthOf = Annotated[Length, BeforeValidator(_length)]


class Cue(BaseModel):
    """What is seen from a moment of a show on; what it does not name stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = ""
    """For people; else they are told its prompt."""
    prompt: Annotated[Prompt, BeforeValidator(_pairs)] | None = None
    """Text, or a blend: {text: weight, ...} or [[text, weight], ...]."""
    seed: Annotated[Seed, BeforeValidator(_pairs)] | None = None
    """A seed, or a blend of seeds."""
    fade: LengthOf = Length(0.0)
    """How long it takes to come."""
    hold: LengthOf | None = None
    """How long after its beginning the next one comes by itself; None: it waits to be called."""

    @model_validator(mode="before")
    @classmethod
    def _prompt_alone(cls, value: Any) -> Any:
        return {"prompt": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _says_something(self) -> Cue:
        if self.prompt is None and self.seed is None:
            raise ValueError("got neither prompt nor seed, expected at least one of them")
        return self

    @property
    def title(self) -> str:
        """What people know it by."""
        if self.name or self.prompt is None:
            return self.name or f"seed {self.seed}"
        return " + ".join(texts_of(self.prompt))


class CueList(BaseModel):
    """The cues of a show, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tempo: float = Field(120.0, ge=SLOWEST, le=FASTEST)
    """Beats a minute."""
    loop: bool = False
    """Whether the first comes after the last."""
    cues: tuple[Cue, ...] = Field(min_length=1, max_length=MOST_CUES)
    """At least one."""


def read_cues(path: str | Path) -> CueList:
    """Read a list of cues, YAML (``.yaml``, ``.yml``) or text. Raises ConfigError that names the line."""
    path = Path(path).expanduser()
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            return build(safeyaml.read_file(path), CueList)
        except OSError as error:
            raise ConfigError(f"cues: {path}: {error.strerror or error}") from error
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
    return CueList.model_validate({"cues": cues})


def _cue(path: Path, number: int, line: str) -> Cue:
    found = _LINE_FADE.fullmatch(line)
    fade, prompt = (float(found[1]), found[2]) if found else (0.0, line)
    if (line.startswith("@") and not found) or fade > LONGEST_LINE_FADE:
        most = f"@SECONDS PROMPT with at most {LONGEST_LINE_FADE:g} seconds"
        raise ConfigError(f"cues: {path}: line {number}: got {quoted(line)}, expected {most}")
    try:
        parse_prompt(prompt)
    except ValueError as error:
        raise ConfigError(f"cues: {path}: line {number}: {error}") from error
    return Cue(prompt=prompt, fade=Length(fade))
