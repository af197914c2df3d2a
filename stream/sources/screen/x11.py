"""Windows on X11, through libxcb.

XCB and not Xlib, because Xlib ends the whole process when a window vanishes between two requests, unless a handler that
is shared with every other library is replaced. Structures: ``xproto.h`` of libxcb. Window managers: "Extended Window
Manager Hints" 1.5 and ICCCM 4.1. Without a window manager the children of the root window are taken as they are.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import struct
from collections.abc import Iterable, Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_uint, c_uint8, c_uint16, c_uint32, c_void_p
from typing import Any

from ...base.errors import SourceLost, SourceUnavailable
from ...base.frame import Rect
from .window import Window

ANY_TYPE = 0
INPUT_ONLY = 2
VIEWABLE = 2
ICONIC = 3
MAX_PROPERTY = 4096  # in units of 4 bytes


class _Cookie(Structure):
    _fields_ = (("sequence", c_uint),)


class _Screens(Structure):
    _fields_ = (("data", c_void_p), ("rem", c_int), ("index", c_int))


# request -> argument types after the connection
_REQUESTS: dict[str, tuple[Any, ...]] = {
    "xcb_intern_atom": (c_uint8, c_uint16, c_char_p),
    "xcb_get_property": (c_uint8, c_uint32, c_uint32, c_uint32, c_uint32, c_uint32),
    "xcb_query_tree": (c_uint32,),
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
        raise SourceUnavailable(f"window capture: {error}; {hint}") from error
    libc.free.argtypes = [c_void_p]
    libc.free.restype = None
    xcb.xcb_connect.argtypes, xcb.xcb_connect.restype = [c_char_p, POINTER(c_int)], c_void_p
    for function, restype in (("connection_has_error", c_int), ("disconnect", None), ("get_setup", c_void_p)):
        getattr(xcb, f"xcb_{function}").argtypes = [c_void_p]
        getattr(xcb, f"xcb_{function}").restype = restype
    xcb.xcb_setup_roots_iterator.argtypes, xcb.xcb_setup_roots_iterator.restype = [c_void_p], _Screens
    xcb.xcb_screen_next.argtypes, xcb.xcb_screen_next.restype = [POINTER(_Screens)], None
    for request, arguments in _REQUESTS.items():
        getattr(xcb, request).argtypes, getattr(xcb, request).restype = [c_void_p, *arguments], _Cookie
        reply = getattr(xcb, f"{request}_reply")
        reply.argtypes, reply.restype = [c_void_p, _Cookie, POINTER(c_void_p)], c_void_p
    return xcb, libc


class X11Windows:
    """Windows of one X display (``$DISPLAY`` when None). Raises SourceUnavailable when it cannot be reached."""

    def __init__(self, display: str | None = None) -> None:
        self._xcb, self._libc = _load()
        number = c_int()
        self._connection = self._xcb.xcb_connect(display.encode() if display else None, byref(number))
        self._open = True
        if self._xcb.xcb_connection_has_error(self._connection):
            self.close()
            raise SourceUnavailable(f"window capture: no X display at {display or '$DISPLAY'}")
        screens = self._xcb.xcb_setup_roots_iterator(self._xcb.xcb_get_setup(self._connection))
        for _ in range(number.value):
            self._xcb.xcb_screen_next(byref(screens))
        self.root: int = c_uint32.from_address(screens.data).value
        self._atoms: dict[str, int] = {}

    def close(self) -> None:
        if self._open:
            self._open = False
            self._xcb.xcb_disconnect(self._connection)

    def windows(self) -> list[Window]:
        tops = self._children(self.root)
        frames = self._clients_by_frame()
        found = []
        for top, attributes in zip(tops, self._ask("xcb_get_window_attributes", [(top,) for top in tops]), strict=True):
            if attributes is None or struct.unpack_from("=H", attributes, 12)[0] == INPUT_ONLY:
                continue
            viewable = attributes[26] == VIEWABLE
            client, title = self._titled(frames.get(top, [top]))
            if not title and not frames:
                client, title = self._titled(self._children(top))
            if viewable or (title and (top in frames or not frames)):
                window = self._describe(client or top, top, title)
                if window is not None:
                    found.append(window)
        return found

    def look(self, id: int) -> Window | None:
        frame = self._frame_of(id)
        return self._describe(id, frame, self._title(id)) if frame else None

    def desktop(self) -> Rect | None:
        (reply,) = self._ask("xcb_get_geometry", [(self.root,)])
        return Rect(*struct.unpack_from("=hhHH", reply, 12)) if reply else None

    # --- from windows to what they say about themselves

    def _describe(self, client: int, frame: int, title: str) -> Window | None:
        inner, outer = self._ask("xcb_get_geometry", [(client,), (frame,)])
        (origin,) = self._ask("xcb_translate_coordinates", [(client, self.root, 0, 0)])
        state, outer_state = self._ask("xcb_get_window_attributes", [(client,), (frame,)])
        if inner is None or outer is None or origin is None or state is None or outer_state is None:
            return None
        x, y = struct.unpack_from("=hh", origin, 12)
        width, height = struct.unpack_from("=HH", inner, 16)
        left, right, top, bottom = self._shadow(client)
        content = Rect(x + left, y + top, max(1, width - left - right), max(1, height - top - bottom))
        fx, fy, fwidth, fheight, border = struct.unpack_from("=hhHHH", outer, 12)
        covers = Rect(fx, fy, fwidth + 2 * border, fheight + 2 * border)
        shown = state[26] == VIEWABLE and outer_state[26] == VIEWABLE and not self._hidden(client)
        return Window(client, title, content, covers, shown)

    def _shadow(self, window: int) -> tuple[int, int, int, int]:
        """Left, right, top and bottom of the invisible border that GTK draws its own shadow in."""
        extents = self._numbers(window, "_GTK_FRAME_EXTENTS")
        return (extents[0], extents[1], extents[2], extents[3]) if len(extents) == 4 else (0, 0, 0, 0)

    def _hidden(self, window: int) -> bool:
        hidden = self._atom("_NET_WM_STATE_HIDDEN")
        return hidden in self._numbers(window, "_NET_WM_STATE") or self._numbers(window, "WM_STATE")[:1] == [ICONIC]

    def _titled(self, windows: Iterable[int]) -> tuple[int, str]:
        for window in windows:
            title = self._title(window)
            if title:
                return window, title
        return 0, ""

    def _title(self, window: int) -> str:
        modern = self._property(window, "_NET_WM_NAME")
        return modern.decode("utf-8", "replace") if modern else self._property(window, "WM_NAME").decode("latin-1")

    # --- the tree of windows

    def _children(self, window: int) -> list[int]:
        (reply,) = self._ask("xcb_query_tree", [(window,)])
        if reply is None:
            return []
        count = struct.unpack_from("=H", reply, 16)[0]
        return list(struct.unpack_from(f"={count}I", reply, 32))

    def _frame_of(self, window: int) -> int:
        """The ancestor that is a child of the root window; 0 when the window is gone."""
        while True:
            (reply,) = self._ask("xcb_query_tree", [(window,)])
            if reply is None:
                return 0
            parent = struct.unpack_from("=I", reply, 12)[0]
            if parent in (self.root, 0):
                return window
            window = parent

    def _clients_by_frame(self) -> dict[int, list[int]]:
        """What the window manager manages: frame -> clients; empty without a window manager."""
        clients: dict[int, list[int]] = {}
        for client in self._numbers(self.root, "_NET_CLIENT_LIST"):
            clients.setdefault(self._frame_of(client), []).append(client)
        return clients

    # --- requests

    def _atom(self, name: str) -> int:
        if name not in self._atoms:
            (reply,) = self._ask("xcb_intern_atom", [(0, len(name), name.encode())])
            self._atoms[name] = struct.unpack_from("=I", reply, 8)[0] if reply else 0
        return self._atoms[name]

    def _numbers(self, window: int, name: str) -> list[int]:
        value = self._property(window, name)
        return list(struct.unpack(f"={len(value) // 4}I", value[: len(value) // 4 * 4]))

    def _property(self, window: int, name: str) -> bytes:
        (reply,) = self._ask("xcb_get_property", [(0, window, self._atom(name), ANY_TYPE, 0, MAX_PROPERTY)])
        if reply is None:
            return b""
        length = struct.unpack_from("=I", reply, 16)[0] * (reply[1] // 8)
        return reply[32 : 32 + length]

    def _ask(self, request: str, arguments: Sequence[tuple[Any, ...]]) -> list[bytes | None]:
        """Send one request for each tuple, then collect the replies: None where the window is gone."""
        if not self._open:
            raise SourceLost("the connection to the X server is closed")
        send, receive = getattr(self._xcb, request), getattr(self._xcb, f"{request}_reply")
        replies: list[bytes | None] = []
        for cookie in [send(self._connection, *values) for values in arguments]:
            error = c_void_p()
            pointer = receive(self._connection, cookie, byref(error))
            if pointer:
                # Every reply is 32 bytes, and its field at byte 4 says how many units of 4 bytes follow.
                replies.append(ctypes.string_at(pointer, 32 + 4 * c_uint32.from_address(pointer + 4).value))
                self._libc.free(pointer)
                continue
            replies.append(None)
            if error:
                self._libc.free(error)
        if self._xcb.xcb_connection_has_error(self._connection):
            raise SourceLost("the X server went away")
        return replies
