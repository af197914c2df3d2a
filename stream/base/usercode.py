"""Python files of users, run where somebody asked for one by its name, and nowhere else."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from .errors import ConfigError
from .names import short


def from_file(spec: str, what: str, kind: str, like: str) -> tuple[ModuleType, str]:
    """The module of ``FILE.py:NAME``, which is run now, and NAME. ``what`` it is for, the ``kind`` of NAME and an
    example are for messages.

    Whatever stands in the file happens. Raises ConfigError for a file that is not there, or cannot be run.
    """
    path, _, name = spec.rpartition(":")
    file = Path(path).expanduser()
    if file.suffix != ".py" or not name.isidentifier():
        raise ConfigError(f"{what}: got {short(spec)}, expected FILE.py:{kind}, for example {like}")
    if not file.is_file():
        raise ConfigError(f"{what} {spec}: there is no file {short(str(file.absolute()))}; name another")
    module_name = f"inkstream_{what}_" + re.sub(r"\W", "_", str(file.absolute()))
    made = importlib.util.spec_from_file_location(module_name, file)
    assert made is not None and made.loader is not None
    module = importlib.util.module_from_spec(made)
    sys.modules[module_name] = module  # dataclasses and pickles look for it there
    try:
        made.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{what} {spec}: the file fails with {type(error).__name__}: {error}; mend it") from error
    return module, name
