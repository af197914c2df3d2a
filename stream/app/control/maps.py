"""Maps of MIDI controls by name: this user's own, and ready-made ones of well-known devices.

A ready-made map is never written to: what is learned on top of one is kept, with all of it, as this user's map of the
same name. When that is forgotten, it is as it came again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ...base.errors import ConfigError
from ...base.names import did_you_mean, short
from ...base.plain import reason
from . import mapping
from .mapping import Control, Mapping, control_of, folder

USUAL = "midi"  # the map of who names none
READY = Path(__file__).parent / "devices"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Known(NamedTuple):
    """A map that has a name."""

    name: str
    path: Path
    own: bool
    """This user's; else it came with inkstream."""


def path_of(said: str) -> Path:
    """Of a name, where this user's map of that name is kept, whether it is there or not; else the file that is said."""
    return folder() / f"{said}.yaml" if _NAME.fullmatch(said) else Path(said).expanduser()


def all_of_them() -> list[Known]:
    """By name; of a name that both have, this user's."""
    found = {path.stem: Known(path.stem, path, False) for path in READY.glob("*.yaml")}
    found |= {path.stem: Known(path.stem, path, True) for path in folder().glob("*.yaml")}
    return [found[name] for name in sorted(found)]


def find(name: str) -> Known:
    """Raises ConfigError where there is none."""
    known = {each.name: each for each in all_of_them()}
    if name not in known:
        hint = did_you_mean(name, known) or f"; expected one of: {', '.join(known)}"
        raise ConfigError(f"got {short(name)}, which is no map{hint}")
    return known[name]


def read(path: Path) -> Mapping:
    """This user's map, or the ready-made one of its name; a file that is not there says nothing. Raises ConfigError."""
    ready = READY / path.name
    instead = path.parent == folder() and not path.exists() and ready.is_file()
    return mapping.read(ready if instead else path)


def there(path: Path) -> bool:
    """Whether there is anything to be read."""
    return path.exists() or (path.parent == folder() and (READY / path.name).is_file())


def for_device(name: str) -> str:
    """The ready-made map for a device with this name; empty where there is none."""
    fitting = [
        (len(read.device), path.stem) for path in READY.glob("*.yaml") if (read := mapping.read(path)).is_for(name)
    ]
    return max(fitting, default=(0, ""))[1]


def forget(name: str, control: str | None = None) -> str:
    """Forget this user's map, or what one control does; says what is so now. Raises ConfigError."""
    known = find(name)
    try:
        if control is None:
            if not known.own:
                raise ConfigError(f"{name} came with inkstream, and nothing was learned on top of it")
            known.path.unlink()
            again = (READY / known.path.name).is_file()
            return f"{name} is as it came" if again else f"{name} is forgotten"
        which = _control(control)
        before = mapping.read(known.path)
        if which not in before.by_control():
            raise ConfigError(f"{name}: {which} does nothing; look with: inkstream midi show {name}")
        mapping.write(path_of(name), before.without(which))
    except OSError as error:
        raise ConfigError(f"{known.path}: {reason(error)}") from error
    return f"{name}: {which} does nothing now"


def _control(said: str) -> Control:
    try:
        return control_of(said)
    except ValueError as error:
        raise ConfigError(str(error)) from error
