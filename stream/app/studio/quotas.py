"""How much one person may take of a server: by the name of their token, else by their address."""

from __future__ import annotations

import re
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ...base import safeyaml
from ...base.configfile import build
from ...base.errors import ConfigError
from .backend import Full
from .client import Rate

HERE = ("127.0.0.1", "::1", "")  # whoever is at this computer has no quota
REMEMBERED = 4096  # people whose rates are known; those that were not seen for longest are forgotten
AT_ONCE = 60  # new drawings of this computer, and half of one a second
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,100}")


class Quota(BaseModel):
    """Of each person."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    drawings: int = Field(16, ge=1, le=4096)
    """Drawings that are rendered at once."""
    sockets: int = Field(48, ge=1, le=65536)
    """Pages and viewers at once, of an address."""
    new: float = Field(20, gt=0, le=6000)
    """New drawings a minute."""
    uploads: float = Field(200, gt=0, le=1e6)
    """Megabytes of pictures an hour that are laid on drawings."""


ORDINARY = Quota.model_validate({})


class Quotas:
    """Counts; not for several threads at once. ``clock`` gives seconds."""

    def __init__(self, quota: Quota | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota or ORDINARY
        self._clock = clock
        self._sockets: Counter[str] = Counter()
        self._rates: OrderedDict[tuple[str, str], Rate] = OrderedDict()

    def enter(self, address: str) -> bool:
        """One more socket of an address; False: it has too many. Whoever was let in ``leave``s."""
        if address not in HERE and self._sockets[address] >= self.quota.sockets:
            return False
        self._sockets[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A socket is closed."""
        self._sockets[address] -= 1
        if self._sockets[address] <= 0:
            del self._sockets[address]

    def new(self, who: str) -> None:
        """A new drawing; raises Full."""
        a_second, at_once = (self.quota.new / 60, self.quota.new) if who not in HERE else (0.5, AT_ONCE)
        if not self._takes("new", who, 1, a_second, max(1.0, at_once)):
            raise Full("too many new drawings at once; try again in a moment")

    def uploaded(self, who: str, size: int) -> bool:
        """So many bytes of a picture; False: it was too much."""
        most = self.quota.uploads * 1e6
        return who in HERE or self._takes("uploads", who, size, most / 3600, most)

    def open(self, who: str, has: int) -> None:
        """One more drawing that is rendered, where ``has`` are; raises Full."""
        if who not in HERE and has >= self.quota.drawings:
            raise Full(f"you have {has} drawings open, which is what one person may have here; close one first")

    def _takes(self, what: str, who: str, much: float, a_second: float, at_once: float) -> bool:
        key = (what, who)
        rate = self._rates.get(key)
        if rate is None:
            rate = self._rates[key] = Rate(a_second, at_once, self._clock)
        self._rates.move_to_end(key)
        while len(self._rates) > REMEMBERED:
            self._rates.popitem(last=False)
        if rate.takes(much):
            return True
        rate.takes(-much)  # what was refused does not count
        return False


def read_quota(text: str) -> Quota:
    """Of ``--quota drawings=4,new=10``. Raises ConfigError."""
    parts = [each.partition("=") for each in filter(None, map(str.strip, text.split(",")))]
    if any(not equals for _, equals, _ in parts):
        raise ConfigError(f"--quota: got {text!r}, expected for example drawings=4,sockets=16,new=10,uploads=50")
    lines = "\n".join(f"{name.strip()}: {value.strip()}" for name, _, value in parts) or "{}"
    return build(safeyaml.read(lines, "--quota"), Quota)


def read_users(path: Path) -> Mapping[str, str]:
    """Of ``--users FILE``: a mapping of names to tokens; gives tokens and their names. Raises ConfigError."""
    found = safeyaml.read_file(path).value
    if not isinstance(found, dict) or not found:
        raise ConfigError(f"--users: {path}: expected names with their tokens, a line each: anna: TOKEN")
    for name, token in found.items():
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise ConfigError(f"--users: {path}: {name}: expected a token of 16 to 100 letters, digits, - and _")
    if len(set(found.values())) < len(found):
        raise ConfigError(f"--users: {path}: two names have the same token; give each its own")
    return {str(token): str(name) for name, token in found.items()}
