"""A picture as the selection CLIPBOARD of X11, served by a thread with a connection of its own.

https://www.x.org/releases/X11R7.6/doc/xorg-docs/specs/ICCCM/icccm.html, section 2: whoever pastes asks the owner, who
must be there. Large pictures go in parts (INCR, section 2.7.2). Through libxcb: Xlib would end the process when a
window vanishes while it is asked. Structures: ``xproto.h`` of libxcb.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import select
import socket
import struct
import threading
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_uint8, c_uint16, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...base.files import png

COPY_FROM_PARENT, INPUT_ONLY, EVENT_MASK = 0, 2, 1 << 11
PROPERTY_CHANGE = 1 << 22
ATOM = 4
REPLACE, DELETED = 0, 1
PROPERTY_NOTIFY, SELECTION_CLEAR, SELECTION_REQUEST, SELECTION_NOTIFY = 28, 29, 30, 31
PART = 256 * 1024  # bytes that go at once
MOST_TRANSFERS = 16  # under way; one whose window is gone ends so
NAMES = ("CLIPBOARD", "TARGETS", "INCR", "image/png")


class _Cookie(ctypes.Structure):
    _fields_ = (("sequence", ctypes.c_uint),)


class _Screens(ctypes.Structure):
    _fields_ = (("data", c_void_p), ("rem", c_int), ("index", c_int))


@dataclass
class Transfer:
    """What is left of a picture that goes to a window in parts."""

    kind: int
    rest: memoryview


class Selection:
    """Owns the clipboard from ``put`` until another program copies something, or ``close``. Raises OSError."""

    def __init__(self, display: str | None = None) -> None:
        self._xcb, self._libc = _load()
        self._connection = c_void_p(self._xcb.xcb_connect(display.encode() if display else None, None))
        if self._xcb.xcb_connection_has_error(self._connection):
            self._xcb.xcb_disconnect(self._connection)
            raise OSError("the X display cannot be reached")
        screen = self._xcb.xcb_setup_roots_iterator(self._xcb.xcb_get_setup(self._connection)).data
        root = c_uint32.from_address(screen).value
        self._window = self._xcb.xcb_generate_id(self._connection)
        place = (0, 0, 1, 1, 0)  # never seen
        self._xcb.xcb_create_window(
            self._connection, 0, self._window, root, *place, INPUT_ONLY, COPY_FROM_PARENT, 0, None
        )
        self._atoms = {name: self._atom(name) for name in NAMES}
        self._lock = threading.Lock()
        self._new: tuple[np.ndarray, Callable[[str], object]] | None = None
        self._closed = False
        self._data = b""
        self._transfers: dict[tuple[int, int], Transfer] = {}
        self._waker, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="inkstream clipboard", daemon=True)
        self._thread.start()

    def put(self, pixels: np.ndarray, tell: Callable[[str], object]) -> None:
        """Serve ``(H, W, 3)`` uint8 RGB from now on; returns at once, and tells when it is so, or why not."""
        with self._lock:
            self._new = pixels, tell
        self._ring()
        if not self._thread.is_alive():
            tell("the X display went away")

    def close(self) -> None:
        """Leave the clipboard."""
        if not self._closed:
            self._closed = True
            self._ring()
            self._thread.join(1.0)

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # the thread has ended, because the display went away
            self._wake.send(b"!")

    def _run(self) -> None:
        handle = self._xcb.xcb_get_file_descriptor(self._connection)
        try:
            while not (self._closed or self._xcb.xcb_connection_has_error(self._connection)):
                self._take()
                self._events()
                self._xcb.xcb_flush(self._connection)
                ready, _, _ = select.select([handle, self._waker], [], [])
                if self._waker in ready:
                    self._waker.recv(64)
        finally:
            self._xcb.xcb_disconnect(self._connection)
            self._wake.close()
            self._waker.close()

    def _take(self) -> None:
        """Own the clipboard, for a new picture."""
        with self._lock:
            new, self._new = self._new, None
        if new is None:
            return
        pixels, tell = new
        self._data = png(pixels)
        clipboard = self._atoms["CLIPBOARD"]
        self._xcb.xcb_set_selection_owner(self._connection, self._window, clipboard, 0)
        owner = self._reply("xcb_get_selection_owner", clipboard)
        mine = owner is not None and struct.unpack_from("=I", owner, 8)[0] == self._window
        tell("" if mine else "another program keeps the clipboard")

    def _events(self) -> None:
        while address := self._xcb.xcb_poll_for_event(self._connection):
            event = ctypes.string_at(address, 32)
            self._libc.free(address)
            kind = event[0] & 0x7F
            if kind == SELECTION_REQUEST:
                self._answer(*struct.unpack_from("=IIIIII", event, 4))
            elif kind == SELECTION_CLEAR:
                self._data = b""
            elif kind == PROPERTY_NOTIFY:
                window, name = struct.unpack_from("=II", event, 4)
                if event[16] == DELETED and (window, name) in self._transfers:
                    self._part(window, name)

    def _answer(self, time: int, owner: int, window: int, selection: int, target: int, name: int) -> None:
        """Give what is asked for, or refuse it."""
        name = name or target  # what old programs mean by none
        if target == self._atoms["TARGETS"]:
            self._write(window, name, ATOM, 32, struct.pack("=II", target, self._atoms["image/png"]))
        elif target == self._atoms["image/png"] and self._data:
            if len(self._data) > PART:
                self._begin(window, name)
            else:
                self._write(window, name, target, 8, self._data)
        else:
            name = 0
        event = struct.pack("=BxHIIIII8x", SELECTION_NOTIFY, 0, time, window, selection, target, name)
        self._xcb.xcb_send_event(self._connection, 0, window, 0, event)

    def _begin(self, window: int, name: int) -> None:
        """The length first; each part follows when the other has taken what was there."""
        mask = (c_uint32 * 1)(PROPERTY_CHANGE)
        self._xcb.xcb_change_window_attributes(self._connection, window, EVENT_MASK, mask)
        self._write(window, name, self._atoms["INCR"], 32, struct.pack("=I", len(self._data)))
        self._transfers.pop((window, name), None)
        while len(self._transfers) >= MOST_TRANSFERS:
            self._transfers.pop(next(iter(self._transfers)))
        self._transfers[window, name] = Transfer(self._atoms["image/png"], memoryview(self._data))

    def _part(self, window: int, name: int) -> None:
        transfer = self._transfers[window, name]
        part, transfer.rest = bytes(transfer.rest[:PART]), transfer.rest[PART:]
        self._write(window, name, transfer.kind, 8, part)
        if not part:  # an empty one says that this was all
            del self._transfers[window, name]

    def _write(self, window: int, name: int, kind: int, form: int, data: bytes) -> None:
        count = len(data) * 8 // form
        self._xcb.xcb_change_property(self._connection, REPLACE, window, name, kind, form, count, data)

    def _atom(self, name: str) -> int:
        reply = self._reply("xcb_intern_atom", 0, len(name), name.encode())
        if reply is None:
            raise OSError("the X display went away")
        return struct.unpack_from("=I", reply, 8)[0]

    def _reply(self, request: str, *values: Any) -> bytes | None:
        cookie = getattr(self._xcb, request)(self._connection, *values)
        address = getattr(self._xcb, f"{request}_reply")(self._connection, cookie, None)
        if not address:
            return None
        reply = ctypes.string_at(address, 32)
        self._libc.free(address)
        return reply


def _load() -> tuple[Any, Any]:
    try:
        xcb, libc = ctypes.CDLL(ctypes.util.find_library("xcb") or "libxcb.so.1"), ctypes.CDLL(None)
    except OSError as error:
        raise OSError("libxcb cannot be loaded; install it (Debian, Ubuntu: apt install libxcb1)") from error
    libc.free.argtypes, libc.free.restype = [c_void_p], None
    xcb.xcb_connect.argtypes, xcb.xcb_connect.restype = [c_char_p, c_void_p], c_void_p
    plain: dict[str, Any] = {"connection_has_error": c_int, "disconnect": None, "get_setup": c_void_p}
    plain |= {"generate_id": c_uint32, "poll_for_event": c_void_p, "flush": c_int, "get_file_descriptor": c_int}
    for name, restype in plain.items():
        getattr(xcb, f"xcb_{name}").argtypes, getattr(xcb, f"xcb_{name}").restype = [c_void_p], restype
    xcb.xcb_setup_roots_iterator.argtypes, xcb.xcb_setup_roots_iterator.restype = [c_void_p], _Screens
    word, short = c_uint32, ctypes.c_int16
    requests: dict[str, list[Any]] = {
        "intern_atom": [c_uint8, c_uint16, c_char_p],
        "get_selection_owner": [word],
        "set_selection_owner": [word, word, word],
        "create_window": [c_uint8, word, word, short, short, *[c_uint16] * 4, word, word, c_void_p],
        "change_property": [c_uint8, word, word, word, c_uint8, word, c_char_p],
        "change_window_attributes": [word, word, c_void_p],
        "send_event": [c_uint8, word, word, c_char_p],
    }
    for name, arguments in requests.items():
        function = getattr(xcb, f"xcb_{name}")
        function.argtypes, function.restype = [c_void_p, *arguments], _Cookie
    for name in ("intern_atom", "get_selection_owner"):
        reply = getattr(xcb, f"xcb_{name}_reply")
        reply.argtypes, reply.restype = [c_void_p, _Cookie, POINTER(c_void_p)], c_void_p
    return xcb, libc
