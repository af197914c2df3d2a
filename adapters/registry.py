"""Adapters by name. A configuration names them; it never brings code along.

A user's own file is run only where somebody asked for that by its name: on the command line (``--adapter
FILE.py:CLASS``) or in Python (``trust``). A configuration, a kept picture or a message may then name it, and cannot run
anything else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..stream.base.config import AdapterConfig
from ..stream.base.errors import ConfigError
from ..stream.base.names import did_you_mean, short
from ..stream.base.usercode import from_file
from .adapter import Adapter

_known: dict[str, type[Adapter]] = {}


def register(name: str, kind: type[Adapter]) -> None:
    """Let configurations name an adapter. Raises ConfigError for what is no subclass of ``Adapter``."""
    if not (isinstance(kind, type) and issubclass(kind, Adapter)):
        raise ConfigError(f"adapter {name}: got {short(kind)}, expected a class made from inkstream.adapters.Adapter")
    _known[name] = kind


def trust(spec: str) -> str:
    """Run the Python file of ``FILE.py:CLASS`` and let configurations name the adapter in it, by the same text.

    For who has been asked for just that: whatever stands in the file happens. Raises ConfigError for a file that is not
    there, cannot be run, or has no such class.
    """
    module, name = from_file(spec, "adapter", "CLASS", "tint.py:Tint")
    kind = getattr(module, name, None)
    if kind is None:
        classes = [each for each, value in vars(module).items() if isinstance(value, type) and value is not Adapter]
        raise ConfigError(f"adapter {spec}: no {name} in it{did_you_mean(name, classes)}; name a class of the file")
    register(spec, kind)
    return spec


def open_adapters(wanted: Sequence[AdapterConfig]) -> list[Adapter]:
    """Adapters as a configuration names them, each new. Raises ConfigError for one that nobody made known."""
    found = []
    for index, each in enumerate(wanted):
        kind = _known.get(each.name)
        if kind is None:
            if re.search(r"\.py:\w+$", each.name):
                raise ConfigError(
                    f"adapters.{index}: got {short(each.name)}, a file with code, expected one that was asked for by "
                    f"its name; give --adapter {each.name}, in Python trust({each.name!r}), if you trust it"
                )
            hint = did_you_mean(each.name, list(_known)) or f"; known are: {', '.join(_known) or 'none yet'}"
            raise ConfigError(f"adapters.{index}: got {short(each.name)}, which nobody registered{hint}")
        try:
            found.append(kind(**each.params))
        except TypeError as error:
            raise ConfigError(f"adapters.{index}: params of {short(each.name)}: {error}") from error
    return found
