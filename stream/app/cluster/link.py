"""How a gateway reaches a worker, whatever carries it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ...base.errors import FrameError, InkstreamError
from ..studio.backend import NotNow
from ..studio.settings import Refused
from .host import Answer


class Lost(InkstreamError):
    """The worker is not there, or is being started again."""


class Link(Protocol):
    """Calls methods of a ``Host``. Called by any thread."""

    name: str

    def ask(self, method: str, *given: Any, within: float) -> Any:
        """What it returns; raises Lost, and TimeoutError after ``within`` seconds."""
        ...

    def begin(self, method: str, *given: Any, then: Callable[[Any], None] | None = None) -> None:
        """Let it be called; returns at once. ``then`` is given what it returned, or Lost, from any thread.

        Calls that were begun are made in order.
        """
        ...


def unpacked(answer: Answer) -> Any:
    """The value of an answer; raises what was raised there."""
    match answer.kind:
        case "":
            return answer.value
        case "NotNow":
            raise NotNow(answer.code, answer.text)
        case "Refused":
            raise Refused(answer.code, answer.text, answer.field)
        case "FrameError":
            raise FrameError(answer.text)
        case _:
            raise InkstreamError(answer.text)
