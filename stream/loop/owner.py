"""What holds for a stream as an object: settings change by ``update`` and nothing else, and closed it is at its end."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from ..base.config import StreamConfig
from ..base.errors import StreamClosed


class _NoAttribute:
    """Stands in the place of a setting's name, so that nobody writes there what nobody reads."""

    def __init__(self, name: str) -> None:
        self._hint = f"{name}: settings are changed by update({name}=...), and read from config.{name}"

    def __get__(self, owner: Any, kind: type) -> NoReturn:
        raise AttributeError(self._hint)

    def __set__(self, owner: Any, value: Any) -> NoReturn:
        raise AttributeError(self._hint)


class ChangedByUpdate:
    """Refuses ``stream.prompt = "..."``, which would change nothing: a setting is no attribute of a stream."""


class Closable:
    """Is closed at the end of a ``with`` block, and is at its end then."""

    _closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything; may come twice."""
        self._closed = True

    def _must_be_open(self) -> None:
        """Raises StreamClosed where it is not."""
        if self._closed:
            raise StreamClosed(
                "stream: got a call after close(), expected an open stream; make another one, or close it later: "
                "drain() gives what is in flight, and goes on"
            )


for _name in StreamConfig.model_fields:
    setattr(ChangedByUpdate, _name, _NoAttribute(_name))
