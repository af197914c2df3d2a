"""Pictures through memory that is shared with the X server: "MIT-SHM" 1.1, ``GetImage``; ten times as fast as a socket.

Only a server on this machine can share memory with us.
"""

from __future__ import annotations

import ctypes
import functools
import logging
from typing import Any

from ...base.frame import Rect
from .x11_link import XLink

PRIVATE, CREATE, REMOVE = 0, 0o1000, 0  # of shmget and shmctl
Z_PIXMAP, ALL_PLANES = 2, 0xFFFFFFFF

log = logging.getLogger(__name__)


@functools.cache
def _libc() -> Any:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
    libc.shmat.argtypes, libc.shmat.restype = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int], ctypes.c_void_p
    libc.shmdt.argtypes = [ctypes.c_void_p]
    libc.shmctl.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    return libc


class XShared:
    """A piece of memory that grows with the pictures. ``close`` comes before the connection's."""

    def __init__(self, link: XLink) -> None:
        self._link = link
        self._opcode = link.extension("MIT-SHM")
        self._address: int | None = None
        self._segment = self._size = 0

    def image(self, drawable: int, area: Rect, size: int) -> memoryview | None:
        """The pixels of an area, ``size`` bytes, valid until the next call; None where they cannot be had this way."""
        if self._opcode is None or not (size <= self._size or self._grow(size)):
            return None
        place = (drawable, area.x, area.y, area.width, area.height, ALL_PLANES, Z_PIXMAP, self._segment, 0)
        sequence = self._link.send(self._opcode, 4, *place, form="IhhHHIB3xII", void=False)
        if self._link.receive(sequence) is None:
            return None
        return memoryview((ctypes.c_ubyte * size).from_address(self._address or 0)).cast("B")

    def close(self) -> None:
        if self._address is not None:
            if self._link.is_open and self._opcode is not None:
                self._link.send(self._opcode, 2, self._segment)
            _libc().shmdt(self._address)
            self._address, self._size = None, 0

    def _grow(self, size: int) -> bool:
        self.close()
        libc, link = _libc(), self._link
        id = libc.shmget(PRIVATE, size, CREATE | 0o600)
        address = libc.shmat(id, None, 0) if id >= 0 else None
        shared = address is not None and address != ctypes.c_void_p(-1).value
        if shared:
            link.events()
            self._segment = link.new_id()
            link.send(self._opcode or 0, 1, self._segment, id, 0, form="IIB3x")
            link.ask("xcb_get_geometry", [(link.root,)])  # the server has done it now
            if 0 in link.events():
                libc.shmdt(address)
            else:
                self._address, self._size = address, size
        if id >= 0:
            libc.shmctl(id, REMOVE, None)  # it goes with the last of its users
        if self._address is None:
            log.debug("memory cannot be shared with the X server; pictures come through its connection")
            self._opcode = None
        return self._address is not None
