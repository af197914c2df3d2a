"""Finding OpenVINO, and hearing what it says."""

from __future__ import annotations

import sys
import threading
from typing import Any

_LOADING = threading.Lock()
_core: Any = None


def runtime() -> Any:
    """The package ``openvino``, imported without its telemetry.

    With ``openvino_telemetry`` beside it, importing OpenVINO alone reports to Google Analytics without asking. Where
    that package is missing, OpenVINO uses a stub of its own; so it is made to look missing for the import.
    """
    with _LOADING:
        if "openvino" not in sys.modules:
            reporter = "openvino_telemetry"
            before = sys.modules.get(reporter)
            sys.modules[reporter] = None  # pyright: ignore[reportArgumentType] - how an import is made to fail
            try:
                import openvino
            finally:
                del sys.modules[reporter]
                if before is not None:
                    sys.modules[reporter] = before
        else:
            import openvino
        return openvino


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
