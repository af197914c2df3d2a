"""Where something listens: ``9000``, ``0.0.0.0:9000``, ``[::1]:9000``."""

from __future__ import annotations

import re
from typing import NamedTuple

HERE = ("127.0.0.1", "localhost", "::1")


class Place(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place(text: str) -> Place:
    """Read ``PORT`` or ``HOST:PORT``; without a host it is this computer alone. Raises ValueError."""
    found = re.fullmatch(r"(?:(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):)?(\d{1,5})", text.strip())
    if found is None or int(found[2]) > 65535:
        raise ValueError("expected PORT or HOST:PORT, for example 9000 or 0.0.0.0:9000")
    return Place((found[1] or HERE[0]).strip("[]"), int(found[2]))


def is_here(host: str) -> bool:
    """Whether only this computer reaches it."""
    return host in HERE or host.startswith("127.")
