"""A connection to an X server through libxcb: requests, their replies, properties, and the tree of windows.

XCB and not Xlib, because Xlib ends the whole process when a window vanishes between two requests, unless a handler that
is shared with every other library is replaced. Structures: ``xproto.h`` of libxcb. Requests of extensions are written
byte by byte, as their protocols lay them out, so that no library but libxcb itself must be there.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import struct
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_uint, c_uint8, c_uint16, c_uint32, c_void_p
from typing import Any, NamedTuple

from ...base.errors import SourceLost, SourceUnavailable

ANY_TYPE = 0
MAX_PROPERTY = 4096  # in units of 4 bytes
COLOURED = (4, 5)  # TrueColor, DirectColor
CHECKED = 1  # an error of this request comes back with it


class _Cookie(Structure):
    _fields_ = (("sequence", c_uint),)


class _Screens(Structure):
    _fields_ = (("data", c_void_p), ("rem", c_int), ("index", c_int))


class _Part(Structure):
    _fields_ = (("base", c_void_p), ("length", ctypes.c_size_t))


class _Request(Structure):
    _fields_ = (("count", ctypes.c_size_t), ("extension", c_void_p), ("opcode", c_uint8), ("void", c_uint8))


# request -> argument types after the connection
_REQUESTS: dict[str, tuple[Any, ...]] = {
    "xcb_intern_atom": (c_uint8, c_uint16, c_char_p),
    "xcb_get_property": (c_uint8, c_uint32, c_uint32, c_uint32, c_uint32, c_uint32),
    "xcb_query_tree": (c_uint32,),
    "xcb_query_extension": (c_uint16, c_char_p),
    "xcb_get_geometry": (c_uint32,),
    "xcb_get_window_attributes": (c_uint32,),
    "xcb_translate_coordinates": (c_uint32, c_uint32, ctypes.c_int16, ctypes.c_int16),
}


@functools.cache
def _load() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    try:
        xcb, libc = ctypes.CDLL(ctypes.util.find_library("xcb") or "libxcb.so.1"), ctypes.CDLL(None)
    except OSError as error:
        hint = "install libxcb (Debian, Ubuntu: apt install libxcb1)"
        raise SourceUnavailable(f"window capture: libxcb cannot be loaded; {hint}") from error
    libc.free.argtypes = [c_void_p]
    libc.free.restype = None
    xcb.xcb_connect.argtypes, xcb.xcb_connect.restype = [c_char_p, POINTER(c_int)], c_void_p
    for function, restype in (
        ("connection_has_error", c_int),
        ("disconnect", None),
        ("get_setup", c_void_p),
        ("generate_id", c_uint32),
        ("poll_for_event", c_void_p),
        ("get_file_descriptor", c_int),
    ):
        getattr(xcb, f"xcb_{function}").argtypes = [c_void_p]
        getattr(xcb, f"xcb_{function}").restype = restype
    xcb.xcb_setup_roots_iterator.argtypes, xcb.xcb_setup_roots_iterator.restype = [c_void_p], _Screens
    xcb.xcb_screen_next.argtypes, xcb.xcb_screen_next.restype = [POINTER(_Screens)], None
    xcb.xcb_send_request.argtypes = [c_void_p, c_int, POINTER(_Part), POINTER(_Request)]
    xcb.xcb_send_request.restype = c_uint
    xcb.xcb_wait_for_reply.argtypes = [c_void_p, c_uint, POINTER(c_void_p)]
    xcb.xcb_wait_for_reply.restype = c_void_p
    for request, arguments in _REQUESTS.items():
        getattr(xcb, request).argtypes, getattr(xcb, request).restype = [c_void_p, *arguments], _Cookie
        reply = getattr(xcb, f"{request}_reply")
        reply.argtypes, reply.restype = [c_void_p, _Cookie, POINTER(c_void_p)], c_void_p
    return xcb, libc


class Layout(NamedTuple):
    """How pixels of one visual lie in memory."""

    depth: int
    bits: int  # of one pixel
    pad: int  # each row is filled up to a multiple of so many bits
    masks: tuple[int, int, int]  # where red, green and blue are; all 0 where a palette decides


class XLink:
    """One connection to a display (``$DISPLAY`` when None). Raises SourceUnavailable when it cannot be reached."""

    def __init__(self, display: str | None = None) -> None:
        self._xcb, self._libc = _load()
        number = c_int()
        self._connection = self._xcb.xcb_connect(display.encode() if display else None, byref(number))
        self._open = True
        self._atoms: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._extensions: dict[str, int | None] = {}
        if self._xcb.xcb_connection_has_error(self._connection):
            self.close()
            raise SourceUnavailable(f"window capture: no X display at {display or '$DISPLAY'}")
        setup = self._xcb.xcb_get_setup(self._connection)
        screens = self._xcb.xcb_setup_roots_iterator(setup)
        for _ in range(number.value):
            self._xcb.xcb_screen_next(byref(screens))
        # The setup has 8 + 4 * length bytes; the screen lies somewhere in it.
        whole = ctypes.string_at(setup, 8 + 4 * c_uint16.from_address(setup + 6).value)
        self.little_endian = whole[30] == 0
        self.root, self.root_visual, self.visuals = _read_setup(whole, screens.data - setup)

    @property
    def is_open(self) -> bool:
        """Whether ``close`` was not called."""
        return self._open

    def close(self) -> None:
        if self._open:
            self._open = False
            self._xcb.xcb_disconnect(self._connection)

    # --- windows

    def children(self, window: int) -> list[int]:
        """The windows in a window, the lowest first."""
        (reply,) = self.ask("xcb_query_tree", [(window,)])
        if reply is None:
            return []
        count = struct.unpack_from("=H", reply, 16)[0]
        return list(struct.unpack_from(f"={count}I", reply, 32))

    def frame_of(self, window: int) -> int:
        """The ancestor that is a child of the root window; 0 when the window is gone."""
        while True:
            (reply,) = self.ask("xcb_query_tree", [(window,)])
            if reply is None:
                return 0
            parent = struct.unpack_from("=I", reply, 12)[0]
            if parent in (self.root, 0):
                return window
            window = parent

    # --- properties

    def atom(self, name: str) -> int:
        if name not in self._atoms:
            (reply,) = self.ask("xcb_intern_atom", [(0, len(name), name.encode())])
            self._atoms[name] = struct.unpack_from("=I", reply, 8)[0] if reply else 0
        return self._atoms[name]

    def numbers(self, window: int, name: str) -> list[int]:
        _, value = self.property(window, name)
        return list(struct.unpack(f"={len(value) // 4}I", value[: len(value) // 4 * 4]))

    def property(self, window: int, name: str) -> tuple[int, bytes]:
        """Type (an atom; 0: there is none) and value, of which no more than 16 KiB are asked for."""
        (reply,) = self.ask("xcb_get_property", [(0, window, self.atom(name), ANY_TYPE, 0, MAX_PROPERTY)])
        if reply is None:
            return 0, b""
        kind, _, length = struct.unpack_from("=III", reply, 8)
        length *= reply[1] // 8
        return kind, reply[32 : 32 + length]

    # --- requests

    def extension(self, name: str) -> int | None:
        """The opcode of an extension; None where the server does not have it."""
        if name not in self._extensions:
            (reply,) = self.ask("xcb_query_extension", [(len(name), name.encode())])
            self._extensions[name] = reply[9] if reply and reply[8] else None
        return self._extensions[name]

    def new_id(self) -> int:
        """An id for a new resource."""
        return self._xcb.xcb_generate_id(self._connection)

    def send(self, opcode: int, minor: int, *values: int, form: str = "", void: bool = True) -> int:
        """Send a request of an extension, or a plain one: its number, a byte, and what ``struct`` makes of the rest."""
        self._check()
        body = struct.pack(f"=BBH{form or f'{len(values)}I'}", opcode, minor, 0, *values)
        data = ctypes.create_string_buffer(body, len(body))
        parts = (_Part * 3)()  # the first two belong to libxcb
        parts[2] = _Part(ctypes.addressof(data), len(body))
        request = _Request(1, None, opcode, int(void))
        place = ctypes.cast(byref(parts, 2 * ctypes.sizeof(_Part)), POINTER(_Part))
        return self._xcb.xcb_send_request(self._connection, 0 if void else CHECKED, place, byref(request))

    def receive(self, sequence: int) -> bytes | None:
        """The reply to a request that was sent with ``void=False``; None when the server refused it."""
        error = c_void_p()
        pointer = self._xcb.xcb_wait_for_reply(self._connection, sequence, byref(error))
        return self._taken(pointer, error)

    def ask(self, request: str, arguments: Sequence[tuple[Any, ...]]) -> list[bytes | None]:
        """Send one request for each tuple, then collect the replies: None where the window is gone."""
        self._check()
        send, receive = getattr(self._xcb, request), getattr(self._xcb, f"{request}_reply")
        replies: list[bytes | None] = []
        for cookie in [send(self._connection, *values) for values in arguments]:
            error = c_void_p()
            pointer = receive(self._connection, cookie, byref(error))
            replies.append(self._taken(pointer, error))
        return replies

    def events(self) -> list[int]:
        """The numbers of what came without being asked for, and drop it; 0 is the error of a request without reply."""
        return [event[0] & 0x7F for event in self.raw_events()]

    def fileno(self) -> int:
        """For ``select``: something came, where no call here is under way."""
        self._check()
        return self._xcb.xcb_get_file_descriptor(self._connection)

    def raw_events(self) -> list[bytes]:
        """What came without being asked for, the first 32 bytes of each, and drop it."""
        found = []
        while event := self._xcb.xcb_poll_for_event(self._connection):
            found.append(ctypes.string_at(event, 32))
            self._libc.free(event)
        return found

    def _check(self) -> None:
        if not self._open:
            raise SourceLost("the connection to the X server is closed")

    def _taken(self, pointer: int | None, error: c_void_p) -> bytes | None:
        reply = None
        if pointer:
            # Every reply is 32 bytes, and its field at byte 4 says how many units of 4 bytes follow.
            reply = ctypes.string_at(pointer, 32 + 4 * c_uint32.from_address(pointer + 4).value)
            self._libc.free(pointer)
        elif error:
            self._libc.free(error)
        if self._xcb.xcb_connection_has_error(self._connection):
            raise SourceLost("the X server went away")
        return reply


def _read_setup(setup: bytes, screen: int) -> tuple[int, int, dict[int, Layout]]:
    """Root window, its visual, and the layout of each visual, from the server's greeting and a screen's place in it."""
    vendor, formats = struct.unpack_from("=H", setup, 24)[0], setup[29]
    start = 40 + (vendor + 3) // 4 * 4
    sizes = {setup[at]: (setup[at + 1], setup[at + 2]) for at in range(start, start + 8 * formats, 8)}
    visuals = {}
    at = screen + 40
    for _ in range(setup[screen + 39]):
        depth, count = setup[at], struct.unpack_from("=H", setup, at + 2)[0]
        for visual in range(at + 8, at + 8 + 24 * count, 24):
            id, kind, red, green, blue = struct.unpack_from("=IB3xIII", setup, visual)
            if depth in sizes:
                masks = (red, green, blue) if kind in COLOURED else (0, 0, 0)
                visuals[id] = Layout(depth, *sizes[depth], masks)
        at += 8 + 24 * count
    root, root_visual = struct.unpack_from("=I28xI", setup, screen)
    return root, root_visual, visuals
