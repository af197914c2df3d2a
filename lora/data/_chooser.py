"""Choosing the words of a scene: those that were asked for, and drawn ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...stream.base.errors import ConfigError
from ._draws import Draws


class Chooser:
    """Takes words that were asked for, and draws the others."""

    def __init__(self, draws: Draws, wanted: Mapping[str, str]) -> None:
        self._draws = draws
        self._wanted = wanted

    def __call__(self, name: str, options: Sequence[str] | Mapping[str, float]) -> str:
        wanted = self._wanted.get(name)
        if wanted is None:
            return self._draws.one_of(f"tag {name}", options)
        if wanted not in options:
            raise ConfigError(f"{name}: got {wanted!r}, expected one of: {', '.join(options)}")
        return wanted

    def wants(self, name: str) -> str | None:
        return self._wanted.get(name)
