"""Sources and sinks written as text: ``kind``, ``kind:value``, ``kind:key=value,flag`` or ``kind:value,key=value``.

``screen:region=0,0,512,512`` keeps its commas: a piece without ``=`` belongs to the key before it, as long as that
value and the piece are both numbers. ``video:clip.mp4,loop=1`` has one unnamed value, called ``path``. It keeps its
commas, too, but for names of flags at its end: ``video:clip.mp4,loop`` loops. Where a name of a file really ends like
that, give the flag a value as well: ``images:shots,loop,loop=0`` reads the folder ``shots,loop`` once.
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
        for key, value in self._with_bare_flags(accepted).items():
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

    def _with_bare_flags(self, accepted: dict[str, Any]) -> dict[str, str]:
        """The options, with flags at the end of ``path`` as options of their own; only who takes them knows them."""
        options = dict(self.options)
        pieces = options.pop("path").split(",") if "path" in options else []
        least = 1 if "path" in accepted else 0
        while len(pieces) > least and accepted.get(name := pieces[-1].strip()) is flag and name not in options:
            options[name] = ""
            pieces.pop()
        return {"path": ",".join(pieces), **options} if pieces else options


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
