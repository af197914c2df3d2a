"""Sources and sinks written as text: ``kind``, ``kind:value``, ``kind:key=value,flag`` or ``kind:value,key=value``.

``screen:region=0,0,512,512`` keeps its commas: a piece without ``=`` belongs to the key before it, as long as that
value and the piece are both numbers. ``video:clip.mp4,loop=1`` has one unnamed value, called ``path``. It keeps its
commas, too, but for names of flags at its end: ``video:clip.mp4,loop`` loops.

A value in double quotes is taken as it stands, commas, ``=`` and names of flags included; a quote in it is written
twice: ``video:"a=b, loop",loop=1``, ``screen:window="Krita, untitled"``.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .names import did_you_mean

_EXPECTED = {int: "expected a whole number", float: "expected a number"}


def kind_of(text: str) -> str:
    """The kind that a source or sink that is written as text begins with; errors of that kind begin with it, too."""
    return text.strip().partition(":")[0]


@dataclass(frozen=True)
class Option:
    """One option of a source or sink: how it is read, and what people are told of it."""

    read: Callable[[str], Any]
    """``str -> value``; raises ValueError that begins with "expected", or ConfigError."""
    value: str
    """What is written behind its name, ``WxH`` for example; empty for a flag, which is on when it is named."""
    about: str
    """What it is for; its default is not said here, see ``Kind.default``."""


@dataclass(frozen=True)
class Kind:
    """A kind of source or sink, as its module declares it: what parses, lists and documents it reads this."""

    about: str
    """What it gives, or does."""
    examples: tuple[str, ...]
    """Specifications as people write them; the first is the plainest."""
    options: Mapping[str, Option]
    """By name; ``path`` is the value without a name."""
    makes: Callable[..., Any]
    """The class that takes the options by these names; its defaults are theirs."""

    def default(self, name: str) -> str:
        """What holds where an option is not given, in words; empty where that needs no words (off, none)."""
        parameter = inspect.signature(self.makes).parameters.get(name)
        value = None if parameter is None or parameter.default is parameter.empty else parameter.default
        if value is None or value == "" or value is False or value == math.inf:
            return ""
        return "on" if value is True else f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Spec:
    """A parsed source or sink: its kind and its options, all still text."""

    kind: str
    options: dict[str, str]
    text: str
    quoted: frozenset[str] = frozenset()
    """The options whose values were in quotes."""

    def take(self, options: Mapping[str, Option | Callable[[str], Any]]) -> dict[str, Any]:
        """Convert the options as they are declared (or with functions ``str -> value``, by name).

        Raises ConfigError that names the option when one is unknown or its value cannot be read.
        """
        accepted = {name: each.read if isinstance(each, Option) else each for name, each in options.items()}
        values = {}
        for key, value in self._with_bare_flags(accepted).items():
            if key == "path" and "path" not in accepted:
                known = ", ".join(accepted) or "no options"
                raise ConfigError(f"{self.text}: got {value!r} without a name; {self.kind} takes: {known}")
            if key not in accepted:
                known = ", ".join(accepted) or "none"
                hint = f'; a value with "," or "=" goes in quotes: {self.kind}:"a=b, c"' if accepted else ""
                raise ConfigError(f"{self.text}: unknown option {key!r}; {self.kind} takes: {known}{hint}")
            try:
                values[key] = accepted[key](value)
            except ConfigError:
                raise
            except (ValueError, TypeError) as error:
                expected = _EXPECTED.get(accepted[key]) or str(error)
                raise ConfigError(f"{self.text}: {key}: got {value!r}, {expected}") from error
        return values

    def _with_bare_flags(self, accepted: Mapping[str, Any]) -> dict[str, str]:
        """The options, with flags at the end of ``path`` as options of their own; only who takes them knows them."""
        options = dict(self.options)
        if "path" not in options or "path" in self.quoted:
            return options
        pieces = options.pop("path").split(",")
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


def one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    """Reads one of these names."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"expected one of: {', '.join(names)}")
        return text

    return read


def parse_spec(text: str) -> Spec:
    """Parse one source or sink specification; raises ConfigError when it is empty, or a quote does not end."""
    kind, _, rest = text.strip().partition(":")
    if not kind:
        raise ConfigError(f"got {text!r}, expected KIND or KIND:OPTIONS, for example screen:region=0,0,512,512")
    options: dict[str, str] = {}
    quoted = set()
    last = ""
    for index, (key, value, in_quotes) in enumerate(_pieces(rest, text) if rest else []):
        if key:
            last = key
            options[last] = value
        elif in_quotes and index == 0:
            last = "path"
            options[last] = value
        elif in_quotes:
            raise ConfigError(f'{text}: got "{value}" in quotes without a name, expected NAME="VALUE"')
        elif last and last not in quoted and _number(value) and _number(options[last].rsplit(",", 1)[-1]):
            options[last] += "," + value
        elif index == 0:
            last = "path"
            options[last] = value
        elif last == "path" and last not in quoted:
            options[last] += "," + value
        else:
            options[value.strip()] = ""
            last = ""
        if in_quotes:
            quoted.add(last)
        elif key:
            quoted.discard(key)
    return Spec(kind.strip().lower(), options, text, frozenset(quoted))


def check_kind(text: str, kinds: Iterable[str], by_ending: Mapping[str, str], name: str) -> Spec:
    """Parse a specification, and refuse one of an unknown kind.

    ``by_ending`` says which kind takes files with an ending (``.mp4``), or folders (an empty ending): who gives a plain
    path is told how to write it. ``name`` is what the specification was given as. Raises ConfigError.
    """
    spec = parse_spec(text)
    known = list(kinds)
    if spec.kind in known:
        return spec
    path = Path(text).expanduser()
    kind = by_ending.get("" if path.is_dir() else path.suffix.lower() or ".")
    hint = did_you_mean(spec.kind, known) or (f"; did you mean {f'{kind}:{text}'!r}?" if kind else "")
    raise ConfigError(f"{name}: got {text!r}, expected one of: {', '.join(known)}{hint}")


def shown(text: str) -> str:
    """A specification as it may be shown: of an address on the air without what follows the server's name, which may be
    a key (``rtmp://host/…``).
    """
    found = re.match(r"\s*(?:broadcast:)?(rtmps?|srt)://(?:[^/@,?]*@)?([^/,?]*)", text, re.IGNORECASE)
    return text if found is None else f"{found[1]}://{found[2]}/…"


def _pieces(rest: str, text: str) -> Iterator[tuple[str, str, bool]]:
    """Key (empty: none), value, and whether that was in quotes, of each piece between commas."""
    while True:
        named = re.match(r"\s*(\w+)\s*=", rest)
        key = named[1] if named and named[1].isidentifier() else ""
        if named and key:
            rest = rest[named.end() :]
        if rest.lstrip().startswith('"'):
            whole = re.match(r'\s*"((?:[^"]|"")*)"\s*(?=,|$)', rest)
            if whole is None:
                raise ConfigError(
                    f"{text}: a quote does not end before a comma or the end; a quote itself is written twice"
                )
            yield key, whole[1].replace('""', '"'), True
            rest, more = rest[whole.end() + 1 :], rest[whole.end() :].startswith(",")
        else:
            value, comma, rest = rest.partition(",")
            more = bool(comma)
            yield key, value, False
        if not more:
            return


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
