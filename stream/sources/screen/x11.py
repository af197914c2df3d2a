"""Windows on X11.

Window managers: "Extended Window Manager Hints" 1.5 and ICCCM 4.1. Without a window manager the children of the root
window are taken as they are.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable

import numpy as np

from ...base.frame import Rect
from .processes import ancestors
from .window import Pointer, Window
from .x11_link import XLink
from .x11_pixels import XPixels
from .x11_taps import XTaps
from .x11_text import decode_text

INPUT_ONLY = 2
VIEWABLE = 2
CHANGE_ATTRIBUTES, EVENT_MASK, OF_CHILDREN = 2, 1 << 11, 1 << 19
STIRS = {19, 21, 22, 26}  # a window was shown, put elsewhere in the tree, moved or raised
NORMAL, ICONIC = 1, 3  # states of a window that its manager shows, or would show; a window that was put away has none
ASIDE = ("SPLASH", "DIALOG", "UTILITY", "TOOLBAR", "MENU", "DROPDOWN_MENU", "POPUP_MENU", "TOOLTIP", "NOTIFICATION")
QUERY_POINTER, BUTTONS = 38, 0x700  # a request of the core protocol; the first three buttons in its answer


class X11Windows:
    """Windows of one X display (``$DISPLAY`` when None). Raises SourceUnavailable when it cannot be reached."""

    def __init__(self, display: str | None = None) -> None:
        self._link = XLink(display)
        self._display = display
        self._taps: XTaps | None = None  # none before somebody asks for the pointer
        self._pixels = XPixels(self._link)
        self._kinds = {self._link.atom(name): name for name in ("STRING", "COMPOUND_TEXT")}
        self._terminal = int(value) if (value := os.environ.get("WINDOWID", "")).isdecimal() else 0
        self.root = self._link.root
        if not self._pixels.alone:
            self._link.send(CHANGE_ATTRIBUTES, 0, self.root, EVENT_MASK, OF_CHILDREN)

    def close(self) -> None:
        try:
            if self._taps is not None:
                self._taps.close()
            self._pixels.close()
        finally:
            self._link.close()

    def windows(self) -> list[Window]:
        tops = self._link.children(self.root)
        frames = self._clients_by_frame()
        found = []
        attributes = self._link.ask("xcb_get_window_attributes", [(top,) for top in tops])
        for top, state in zip(tops, attributes, strict=True):
            if state is None or struct.unpack_from("=H", state, 12)[0] == INPUT_ONLY:
                continue
            viewable = state[26] == VIEWABLE
            client, title = self._titled(frames.get(top, [top]))
            if not title and not frames:
                client, title = self._titled(self._link.children(top))
            if viewable or (title and (top in frames or not frames)):
                window = self._describe(client or top, top, title)
                if window is not None:
                    found.append(window)
        return found

    def look(self, id: int) -> Window | None:
        frame = self._link.frame_of(id)
        return self._describe(id, frame, self._title(id)) if frame else None

    def picture(self, window: Window, cursor: bool) -> np.ndarray | None:
        pixels = self._pixels.window(window.id)
        if pixels is None:
            return None
        left, right, top, bottom = self._shadow(window.id)
        height, width = pixels.shape[:2]
        pixels = np.ascontiguousarray(pixels[top : max(top + 1, height - bottom), left : max(left + 1, width - right)])
        if not pixels.size:
            return None
        if cursor:
            self._pixels.draw_pointer(pixels, (window.content.x, window.content.y))
        return pixels

    def stirred(self) -> bool:
        return not STIRS.isdisjoint(self._link.events())

    def pointer(self) -> Pointer | None:
        reply = self._link.receive(self._link.send(QUERY_POINTER, 0, self.root, void=False))
        if not reply or not reply[1]:  # it is on another screen
            return None
        if self._taps is None:
            self._taps = XTaps(self._display)
        x, y, buttons = struct.unpack_from("=hh4xH", reply, 16)
        tapped = self._taps.taken() > 0
        return Pointer(x, y, bool(buttons & BUTTONS) or tapped)

    def desktop(self) -> Rect | None:
        (reply,) = self._link.ask("xcb_get_geometry", [(self.root,)])
        return Rect(*struct.unpack_from("=hhHH", reply, 12)) if reply else None

    # --- from windows to what they say about themselves

    def _describe(self, client: int, frame: int, title: str) -> Window | None:
        ask = self._link.ask
        inner, outer = ask("xcb_get_geometry", [(client,), (frame,)])
        (origin,) = ask("xcb_translate_coordinates", [(client, self.root, 0, 0)])
        state, outer_state = ask("xcb_get_window_attributes", [(client,), (frame,)])
        if inner is None or outer is None or origin is None or state is None or outer_state is None:
            return None
        x, y = struct.unpack_from("=hh", origin, 12)
        width, height = struct.unpack_from("=HH", inner, 16)
        left, right, top, bottom = self._shadow(client)
        content = Rect(x + left, y + top, max(1, width - left - right), max(1, height - top - bottom))
        fx, fy, fwidth, fheight, border = struct.unpack_from("=hhHHH", outer, 12)
        covers = Rect(fx, fy, fwidth + 2 * border, fheight + 2 * border)
        shown = state[26] == VIEWABLE and outer_state[26] == VIEWABLE and not self._hidden(client)
        pid = self._process(client)
        own = bool({client, frame} & {self._terminal}) or pid in ancestors()
        put_away = not shown and self._link.numbers(client, "WM_STATE")[:1] not in ([NORMAL], [ICONIC])
        aside = bool(state[27]) or self._aside(client)
        program = self._program(client)
        return Window(client, title, content, covers, shown, True, program, pid, own, aside, put_away)

    def _aside(self, window: int) -> bool:
        """Whether it says that it is no window of its own: by its type, or as it belongs to another one."""
        types = self._link.numbers(window, "_NET_WM_WINDOW_TYPE")[:1]  # the first says it best
        if types:
            return types[0] in {self._link.atom(f"_NET_WM_WINDOW_TYPE_{name}") for name in ASIDE}
        return any(self._link.numbers(window, "WM_TRANSIENT_FOR"))

    def _shadow(self, window: int) -> tuple[int, int, int, int]:
        """Left, right, top and bottom of the invisible border that GTK draws its own shadow in."""
        extents = self._link.numbers(window, "_GTK_FRAME_EXTENTS")
        return (extents[0], extents[1], extents[2], extents[3]) if len(extents) == 4 else (0, 0, 0, 0)

    def _hidden(self, window: int) -> bool:
        numbers = self._link.numbers
        if self._link.atom("_NET_WM_STATE_HIDDEN") in numbers(window, "_NET_WM_STATE"):
            return True
        return numbers(window, "WM_STATE")[:1] == [ICONIC]

    def _titled(self, windows: Iterable[int]) -> tuple[int, str]:
        for window in windows:
            title = self._title(window)
            if title:
                return window, title
        return 0, ""

    def _title(self, window: int) -> str:
        return self._text(window, "_NET_WM_NAME") or self._text(window, "WM_NAME")

    def _text(self, window: int, name: str) -> str:
        kind, value = self._link.property(window, name)
        return decode_text(self._kinds.get(kind, "UTF8_STRING"), value)

    def _program(self, window: int) -> str:
        """The class of the program; its instance where that is empty."""
        _, value = self._link.property(window, "WM_CLASS")
        instance, _, kind = value.decode("utf-8", "replace").partition("\0")
        return kind.rstrip("\0") or instance

    def _process(self, window: int) -> int | None:
        """The number of the process that shows it; None where it runs on another machine, or does not say."""
        machine = self._text(window, "WM_CLIENT_MACHINE").rstrip("\0")
        if machine and machine.partition(".")[0] != socket.gethostname().partition(".")[0]:
            return None
        return next(iter(self._link.numbers(window, "_NET_WM_PID")), None)

    def _clients_by_frame(self) -> dict[int, list[int]]:
        """What the window manager manages: frame -> clients; empty without a window manager."""
        clients: dict[int, list[int]] = {}
        for client in self._link.numbers(self.root, "_NET_CLIENT_LIST"):
            clients.setdefault(self._link.frame_of(client), []).append(client)
        return clients
