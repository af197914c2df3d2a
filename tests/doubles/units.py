"""Networks that fail, count or record, in the place of those that an engine builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inkstream import engines
from inkstream.engines.units import Units


def change_units(monkeypatch: pytest.MonkeyPatch, change: Callable[[Units], Units]) -> None:
    """Streams made from now on run on what ``change`` makes of the units that their engine builds."""
    build = engines.build
    monkeypatch.setattr(engines, "build", lambda *given: change(build(*given)))
