"""Sources and sinks written as text: ``kind``, ``kind:value``, ``kind:key=value,flag`` or ``kind:value,key=value``.

``screen:region=0,0,512,512`` keeps its commas: a piece without ``=`` belongs to the key before it, as long as that
value and the piece are both numbers. ``video:clip.mp4,loop=1`` has one unnamed value, called ``path``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import ConfigError


@dataclass(frozen=True)
class Spec:
    """A parsed source or sink: its kind and its options, all still text."""

    kind: str
    options: dict[str, str]
    text: str

    def take(self, accepted: dict[str, Any]) -> dict[str, Any]:
        """Convert the options with the functions in ``accepted`` (name -> ``str -> value``).

        Raises ConfigError that names the option when one is unknown or its value cannot be read.
        """
        values = {}
        for key, value in self.options.items():
            if key not in accepted:
                known = ", ".join(accepted) or "none"
                raise ConfigError(f"{self.text}: unknown option {key!r}; {self.kind} takes: {known}")
            try:
                values[key] = accepted[key](value)
            except ConfigError:
                raise
            except (ValueError, TypeError) as error:
                raise ConfigError(f"{self.text}: {key}={value!r} cannot be read: {error}") from error
        return values


def flag(text: str) -> bool:
    """Read ``1/0, true/false, yes/no, on/off``; an option without a value is on."""
    if text.lower() in ("1", "true", "yes", "on", ""):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected 1 or 0")


def parse_spec(text: str) -> Spec:
    """Parse one source or sink specification; raises ConfigError when it is empty."""
    kind, _, rest = text.strip().partition(":")
    if not kind:
        raise ConfigError(f"got {text!r}, expected KIND or KIND:OPTIONS, for example screen:region=0,0,512,512")
    options: dict[str, str] = {}
    last = ""
    for index, piece in enumerate(rest.split(",") if rest else []):
        key, equals, value = piece.partition("=")
        if equals and key.strip().isidentifier():
            last = key.strip()
            options[last] = value
        elif last and _number(piece) and _number(options[last].rsplit(",", 1)[-1]):
            options[last] += "," + piece
        elif index == 0:
            last = "path"
            options[last] = piece
        elif last == "path":
            options[last] += "," + piece
        else:
            options[piece.strip()] = ""
            last = ""
    return Spec(kind.strip().lower(), options, text)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
