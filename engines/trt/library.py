"""Finding TensorRT 10.12 or newer, up to 11, and hearing what it says. Unverified on real hardware."""

from __future__ import annotations

import importlib
import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ...stream.base.errors import EngineError

log = logging.getLogger(__name__)
OLDEST = (10, 12)
NEWEST_MAJOR = 11
_LOUDEST_KEPT = 20


@dataclass(frozen=True)
class Library:
    """The module, and the one logger that all of its objects share (the library allows no second one)."""

    trt: Any = field(repr=False)
    version: str
    logger: Any = field(repr=False)

    @property
    def major(self) -> int:
        """10 or 11."""
        return int(self.version.split(".")[0])

    def made(self, what: str, make: Any, *arguments: Any) -> Any:
        """What a constructor or factory of the library gives; raises EngineError with the library's own words.

        The library answers None, and the bindings' constructors TypeError or RuntimeError, where something is wrong
        with the GPU, the driver or the memory.
        """
        self.logger.forget()
        try:
            result = make(*arguments)
        except (TypeError, RuntimeError) as error:
            raise EngineError(f"TensorRT {self.version}: {what} failed: {self.logger.last() or error}") from error
        if result is None:
            raise EngineError(f"TensorRT {self.version}: {what} failed: {self.logger.last() or 'it gave no reason'}")
        return result


def library() -> Library:
    """TensorRT, imported; raises EngineError that says what to install."""
    try:
        trt = importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:  # OSError: the Windows bindings' word for a DLL that is not there
        raise EngineError(f"TensorRT cannot be imported ({error}); {_advice()}") from error
    version = str(getattr(trt, "__version__", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST or numbers[0] > NEWEST_MAJOR:
        raise EngineError(
            f"TensorRT: got version {version}, expected {'.'.join(map(str, OLDEST))} to {NEWEST_MAJOR}; {_advice()}"
        )
    return _wrapped(trt, version)


def why_not() -> str:
    """Why TensorRT cannot be used, or nothing."""
    try:
        library()
    except EngineError as error:
        return str(error)
    return ""


def _advice() -> str:
    import torch

    major = (torch.version.cuda or "13").split(".")[0]
    return f"install it with: pip install tensorrt-cu{major}"


@lru_cache(maxsize=4)
def _wrapped(trt: Any, version: str) -> Library:
    return Library(trt, version, _make_logger(trt))


def _make_logger(trt: Any) -> Any:
    """A logger that passes everything on to ``logging`` and keeps the last errors for messages."""
    severity = trt.ILogger.Severity
    levels = {
        int(severity.INTERNAL_ERROR): logging.ERROR,
        int(severity.ERROR): logging.ERROR,
        int(severity.WARNING): logging.WARNING,
        int(severity.INFO): logging.DEBUG,  # it is talkative
        int(severity.VERBOSE): logging.DEBUG - 5,
    }

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self._errors: deque[str] = deque(maxlen=_LOUDEST_KEPT)
            self._lock = threading.Lock()

        def log(self, severity: Any, msg: str) -> None:
            level = levels[int(severity)]
            if level == logging.ERROR:  # those that matter come out again as an exception
                with self._lock:
                    self._errors.append(msg)
                level = logging.INFO
            log.log(level, "%s", msg)

        def forget(self) -> None:
            with self._lock:
                self._errors.clear()

        def last(self) -> str:
            """The errors since ``forget``, oldest first: the first is usually the cause."""
            with self._lock:
                return "; ".join(dict.fromkeys(text.strip() for text in self._errors))

    return Logger()
