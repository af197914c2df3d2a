"""An object whose settings are changed by its ``update`` and by nothing else."""

from __future__ import annotations

from typing import Any, NoReturn

from ..base.config import StreamConfig


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


for _name in StreamConfig.model_fields:
    setattr(ChangedByUpdate, _name, _NoAttribute(_name))
