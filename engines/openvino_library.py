"""Finding OpenVINO, and hearing what it says."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

_LOADING = threading.Lock()
_REPORTER = "openvino_telemetry"
_core: Any = None


def runtime() -> Any:
    """The package ``openvino``; see ``silently``."""
    return silently("openvino")


def silently(package: str) -> Any:
    """OpenVINO or a package beside it, imported without its telemetry.

    With ``openvino_telemetry`` there, importing OpenVINO alone reports to Google Analytics without asking. Where that
    package is missing, OpenVINO uses a stub of its own; so it is made to look missing for the import.
    """
    with _LOADING:
        if package in sys.modules:
            return sys.modules[package]
        before = sys.modules.get(_REPORTER)
        sys.modules[_REPORTER] = None  # pyright: ignore[reportArgumentType] - how an import is made to fail
        try:
            return importlib.import_module(package)
        finally:
            del sys.modules[_REPORTER]
            if before is not None:
                sys.modules[_REPORTER] = before


def core() -> Any:
    """OpenVINO's ``Core``, one for the whole process and never let go.

    Its CPU plugin gives the thread that loads it a stack for signals, and frees that stack when the Core goes; from
    another thread it cannot take it back first, and then the next signal, a Ctrl-C say, ends the process.
    """
    global _core
    openvino = runtime()
    with _LOADING:
        if _core is None:
            _core = openvino.Core()
        return _core


def first_line(error: BaseException) -> str:
    """What an error of OpenVINO says, in one line."""
    text = str(error).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Exception from")]
    return f"{type(error).__name__}: {lines[0] if lines else text}"[:300]
