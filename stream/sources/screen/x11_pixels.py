"""Pixels on X11: of one window alone, whatever lies over it, or of the screen at any depth.

The window alone is the server's own memory of it: "Composite Extension" 0.4, ``RedirectWindow`` and
``NameWindowPixmap``. The pointer: "X Fixes Extension" 4, ``GetCursorImage``. Monitors: "RandR" 1.5, ``GetMonitors``.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import cv2
import numpy as np

from ...base.errors import SourceUnavailable
from ...base.frame import Rect, Size
from .x11_link import Layout, XLink
from .x11_shared import XShared

COMPOSITE, FIXES, RANDR = "Composite", "XFIXES", "RANDR"
GET_IMAGE, FREE_PIXMAP, GET_GEOMETRY = 73, 54, 14  # of the core protocol
Z_PIXMAP, ALL_PLANES = 2, 0xFFFFFFFF
AUTOMATIC = 0  # the server goes on showing the window by itself


class XPixels:
    """Reads pixels over a connection."""

    def __init__(self, link: XLink) -> None:
        self._link = link
        self._shared = XShared(link)
        self._redirected: set[int] = set()
        self._composite = self._version(COMPOSITE, 0, 4)
        self._fixes = self._version(FIXES, 4, 0)

    def close(self) -> None:
        """Give back what is shared with the server; the connection is somebody else's."""
        self._shared.close()

    @property
    def alone(self) -> bool:
        """Whether the server keeps a picture of each window."""
        return self._composite is not None

    def window(self, id: int) -> np.ndarray | None:
        """A window without its border: ``(H, W, 3)`` uint8 RGB; None when it is gone, hidden, or kept by nobody.

        Raises SourceUnavailable when its pixels lie in a way that cannot be read.
        """
        if self._composite is None:
            return None
        link = self._link
        if id not in self._redirected:
            link.send(self._composite, 1, id, AUTOMATIC)
            self._redirected.add(id)
        attributes, geometry = link.ask("xcb_get_window_attributes", [(id,)]) + link.ask("xcb_get_geometry", [(id,)])
        if attributes is None or geometry is None:
            self._redirected.discard(id)
            link.events()
            return None
        border = struct.unpack_from("=H", geometry, 20)[0]
        # The pixmap is named anew for each picture: the server makes another one when the window changes size or is
        # shown again, and the one before would stay as it was for ever.
        pixmap = link.new_id()
        link.send(self._composite, 6, id, pixmap)
        try:
            (whole,) = link.ask("xcb_get_geometry", [(pixmap,)])
            if whole is None:
                return None
            size = Size(*(side - 2 * border for side in struct.unpack_from("=HH", whole, 16)))
            visual = struct.unpack_from("=I", attributes, 8)[0]
            return self._image(pixmap, Rect(border, border, *size), visual)
        finally:
            link.send(FREE_PIXMAP, 0, pixmap)
            link.events()

    def screen(self, area: Rect) -> np.ndarray | None:
        """A part of the screen as it is seen: ``(H, W, 3)`` uint8 RGB; None when the screen is smaller by now."""
        return self._image(self._link.root, area, self._link.root_visual)

    def monitors(self) -> list[Rect]:
        """The whole desktop, then each monitor."""
        link = self._link
        (reply,) = link.ask("xcb_get_geometry", [(link.root,)])
        whole = Rect(*struct.unpack_from("=hhHH", reply, 12)) if reply else Rect(0, 0, 1, 1)
        randr = self._version(RANDR, 1, 5)
        found = randr and link.receive(link.send(randr, 42, link.root, 1, void=False))
        monitors, at = [whole], 32
        for _ in range(struct.unpack_from("=I", found, 12)[0] if found else 0):
            outputs, *rect = struct.unpack_from("=6xHhhHH", found or b"", at)
            monitors.append(Rect(*rect))
            at += 24 + 4 * outputs
        return monitors if len(monitors) > 1 else [whole, whole]

    def draw_pointer(self, picture: np.ndarray, origin: tuple[int, int]) -> None:
        """Lay the mouse pointer over a picture whose upper left corner is at ``origin`` of the screen."""
        reply = self._fixes and self._link.receive(self._link.send(self._fixes, 4, void=False))
        if not reply:
            return
        x, y, width, height, hot_x, hot_y = struct.unpack_from("=hhHHHH", reply, 8)
        argb = np.frombuffer(reply, np.uint8, width * height * 4, 32).reshape(height, width, 4)
        left, top = x - hot_x - origin[0], y - hot_y - origin[1]
        rows = slice(max(0, top), max(0, min(picture.shape[0], top + height)))
        columns = slice(max(0, left), max(0, min(picture.shape[1], left + width)))
        part = argb[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        if part.size:
            below = picture[rows, columns].astype(np.uint16)
            over = part[..., 2::-1] + below * (255 - part[..., 3:].astype(np.uint16)) // 255  # colours come multiplied
            picture[rows, columns] = np.minimum(over, 255)

    def _version(self, name: str, major: int, minor: int) -> int | None:
        """The opcode of an extension that the server has in this version or a later one; None otherwise."""
        opcode = self._link.extension(name)
        if opcode is None:
            return None
        reply = self._link.receive(self._link.send(opcode, 0, major, minor, void=False))
        found = struct.unpack_from("=II", reply, 8) if reply else (0, 0)
        needed = {COMPOSITE: (0, 2), FIXES: (2, 0), RANDR: (1, 5)}[name]
        return opcode if found >= needed else None

    def _image(self, drawable: int, area: Rect, visual: int) -> np.ndarray | None:
        link = self._link
        layout = link.visuals.get(visual)
        if layout is None or not all(layout.masks) or layout.bits not in (16, 32) or not link.little_endian:
            raise SourceUnavailable(_unreadable(layout))
        shared = self._shared.image(drawable, area, _stride(area.width, layout) * area.height)
        if shared is not None:
            return decode_pixels(shared, area.size, layout)
        place = (drawable, area.x, area.y, area.width, area.height, ALL_PLANES)
        sequence = link.send(GET_IMAGE, Z_PIXMAP, *place, form="IhhHHI", void=False)
        reply = link.receive(sequence)
        return None if reply is None else decode_pixels(memoryview(reply)[32:], area.size, layout)


class XGrabber:
    """The screen for depths that mss does not read; holds to ``Grabber``. It closes the connection that it is given.

    Raises SourceUnavailable for one that cannot be read here either.
    """

    def __init__(self, link: XLink, cursor: bool) -> None:
        self._link = link
        self._pixels = XPixels(link)
        self._cursor = cursor
        try:
            self._pixels.screen(Rect(0, 0, 1, 1))
        except BaseException:
            link.close()
            raise

    @property
    def monitors(self) -> list[dict[str, Any]]:
        return [{"left": m.x, "top": m.y, "width": m.width, "height": m.height} for m in self._pixels.monitors()]

    def grab(self, monitor: dict[str, int], /) -> _Shot:
        area = Rect(monitor["left"], monitor["top"], monitor["width"], monitor["height"])
        picture = self._pixels.screen(area)
        if picture is None:
            raise ValueError(f"{area.size} at {area.x},{area.y} is no part of the screen")
        if self._cursor:
            self._pixels.draw_pointer(picture, (area.x, area.y))
        return _Shot(bytearray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA).tobytes()), area.size)

    def close(self) -> None:
        self._pixels.close()
        self._link.close()


class _Shot(NamedTuple):
    raw: bytearray
    size: tuple[int, int]


def _stride(width: int, layout: Layout) -> int:
    """Bytes of one row."""
    return (width * layout.bits + layout.pad - 1) // layout.pad * layout.pad // 8


def decode_pixels(data: memoryview, size: Size, layout: Layout) -> np.ndarray:
    """Rows of pixels as the server sends them: ``(H, W, 3)`` uint8 RGB; 5, 6 or 10 bits become 8."""
    stride = _stride(size.width, layout)
    rows = np.frombuffer(data, np.uint8, stride * size.height).reshape(size.height, stride)
    if layout.masks == (0xFF0000, 0xFF00, 0xFF) and layout.bits == 32:
        return cv2.cvtColor(rows[:, : size.width * 4].reshape(size.height, size.width, 4), cv2.COLOR_BGRA2RGB)
    pixels = rows.view("<u2" if layout.bits == 16 else "<u4")[:, : size.width].astype(np.uint32)
    picture = np.empty((size.height, size.width, 3), np.uint8)
    for channel, mask in enumerate(layout.masks):
        shift = (mask & -mask).bit_length() - 1
        most = mask >> shift
        picture[..., channel] = (((pixels & mask) >> shift) * 255 + most // 2) // most
    return picture


def _unreadable(layout: Layout | None) -> str:
    depth = f"a depth of {layout.depth} with a palette" if layout and not all(layout.masks) else "an unusual layout"
    if layout and all(layout.masks):
        depth = f"a depth of {layout.depth} at {layout.bits} bits a pixel"
    return f"screen: got pixels of {depth}, expected 15 to 32 bits of colour; set the display to a depth of 24"
