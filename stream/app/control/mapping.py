"""Which control of a MIDI device does what, in a YAML file that people may edit.

::

    controls:
      - {control: cc 21 channel 1, address: drawing_influence}
      - {control: cc 22 channel 1, address: guidance_scale, low: 1, high: 3}
      - {control: note 36 channel 10, address: keep}
      - {control: note 37 channel 10, address: prompt, value: a stone house at night}
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ...base import safeyaml
from ...base.configfile import build
from ...base.errors import ConfigError
from ...base.files import write_whole
from ...base.names import short
from ...base.private import make_private, user_state
from ..studio.settings import Refused
from .addresses import Parameter, find, span
from .desk import COMMANDS

MOST = 512  # controls
_CONTROL = re.compile(r"(cc|note|program|pitch)\s*(\d{1,3})?\s+channel\s+(\d{1,2})", re.IGNORECASE)


class Control(NamedTuple):
    """A fader, knob, pad or key of a device."""

    kind: str
    """cc, note, program or pitch."""
    number: int
    """0 to 127; of pitch always 0."""
    channel: int
    """1 to 16."""

    def __str__(self) -> str:
        number = "" if self.kind == "pitch" else f" {self.number}"
        return f"{self.kind}{number} channel {self.channel}"


def control_of(value: Any) -> Any:
    """A control as people write it; raises ValueError."""
    if isinstance(value, Control):
        return value
    found = _CONTROL.fullmatch(value.strip()) if isinstance(value, str) else None
    kind = found[1].lower() if found else ""
    if found is None or (found[2] is None) != (kind == "pitch") or int(found[2] or 0) > 127:
        raise ValueError(
            f"got {short(value)}, expected for example: cc 21 channel 1, note 36 channel 10, pitch channel 1"
        )
    if not 1 <= int(found[3]) <= 16:
        raise ValueError(f"got {short(value)}, expected a channel from 1 to 16")
    return Control(kind, int(found[2] or 0), int(found[3]))


def _address(value: Any) -> Any:
    path = value.strip("/") if isinstance(value, str) else ""
    if path not in COMMANDS:
        try:
            find(path)
        except Refused as error:
            raise ValueError(str(error)) from error
    return path


class Entry(BaseModel):
    """What a control does."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    control: Annotated[Control, BeforeValidator(control_of)]
    """Which one."""
    address: Annotated[str, BeforeValidator(_address)]
    """A parameter or command."""
    low: float | None = Field(None, allow_inf_nan=False)
    """The value at the fader's lower end; None: the parameter's own."""
    high: float | None = Field(None, allow_inf_nan=False)
    """The value at its upper end."""
    value: Any = None
    """What a button sets the parameter to."""

    @model_validator(mode="after")
    def _whole(self) -> Entry:
        if (self.low is None) != (self.high is None) or (self.low is not None and self.low == self.high):
            raise ValueError(f"low: got {self.low} and high: {self.high}, expected both, and two different numbers")
        if self.address in COMMANDS or self.value is not None:
            return self
        parameter = find(self.address)
        if parameter.kind != "switch" and self.low is None:
            try:
                span(parameter)
            except Refused as error:
                raise ValueError(f"{error}; or give low and high, or a value for a button") from error
        return self

    @property
    def ends(self) -> tuple[float, ...]:
        """What was said of the fader's ends."""
        return () if self.low is None or self.high is None else (self.low, self.high)

    @property
    def parameter(self) -> Parameter | None:
        """None for a command."""
        return None if self.address in COMMANDS else find(self.address)


class Mapping(BaseModel):
    """All of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    about: str = Field("", max_length=200)
    """What it is for, in people's words."""
    device: str = Field("", max_length=80)
    """Part of the names of the devices that it is for."""
    controls: tuple[Entry, ...] = Field((), max_length=MOST)
    """One entry a control; of several the last one counts."""

    def is_for(self, name: str) -> bool:
        """Whether it is meant for a device with this name."""
        return bool(self.device) and self.device.lower() in name.lower()

    def by_control(self) -> dict[Control, Entry]:
        """What each does."""
        return {each.control: each for each in self.controls}

    def having(self, entry: Entry) -> Mapping:
        """One more, in the place of what its control did before."""
        return self.model_copy(update={"controls": (*self.without(entry.control).controls, entry)})

    def without(self, control: Control) -> Mapping:
        """The same, and this control does nothing."""
        left = tuple(each for each in self.controls if each.control != control)
        return self.model_copy(update={"controls": left})


def folder() -> Path:
    """Where this user's maps are kept; it may not exist yet."""
    return user_state() / "control"


def read(path: Path) -> Mapping:
    """A file; one that is not there says nothing. Raises ConfigError that names the line."""
    try:
        return build(safeyaml.read_file(path), Mapping)
    except FileNotFoundError:
        return Mapping.model_validate({})
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; name another with map=NAME, or map=FILE") from error


def write(path: Path, mapping: Mapping) -> None:
    """Write it whole. Raises OSError."""
    entries = [
        {name: str(value) if name == "control" else value for name, value in each if value is not None}
        for each in mapping.controls
    ]
    if path.parent == folder():
        make_private(path.parent)
    words = {name: said for name in ("about", "device") if (said := getattr(mapping, name))}
    write_whole(path, safeyaml.write({**words, "controls": entries}).encode())
