"""Presses of the mouse and of pens on X11 that were over before anybody looked: "X Input Extension" 2.2, raw events.

``QueryPointer`` says what is down now; a tap between two looks leaves no trace in it. Raw events come to whoever asked
for them, whatever window has the pointer (since 2.1 also while another program grabs it).
"""

from __future__ import annotations

import struct

from .x11_link import XLink

INPUT = "XInputExtension"
SELECT_EVENTS, QUERY_VERSION = 46, 47
NEEDED = (2, 2)
ALL_MASTERS = 1  # one pointer for each hand on the desk, whatever devices move it
RAW_PRESS, RAW_TOUCH = 15, 22
BUTTONS = range(1, 4)  # the others are the wheel
GENERIC = 35  # the core protocol's number of an event that an extension has laid out


class XTaps:
    """Counts presses over a connection of its own, where nobody else takes events away. A server without the extension
    counts none."""

    def __init__(self, display: str | None) -> None:
        self._link = link = XLink(display)
        self._opcode = link.extension(INPUT)
        if self._opcode is None:
            return
        reply = link.receive(link.send(self._opcode, QUERY_VERSION, *NEEDED, form="HH", void=False))
        if reply is None or struct.unpack_from("=HH", reply, 8) < NEEDED:
            self._opcode = None
            return
        wanted = (link.root, 1, ALL_MASTERS, 1, 1 << RAW_PRESS | 1 << RAW_TOUCH)
        link.send(self._opcode, SELECT_EVENTS, *wanted, form="IHxxHHI")
        link.ask("xcb_get_geometry", [(link.root,)])  # the server has done it now

    def close(self) -> None:
        self._link.close()

    def taken(self) -> int:
        """How many presses began since this was asked last."""
        return sum(self._is_press(event) for event in self._link.raw_events())

    def _is_press(self, event: bytes) -> bool:
        kind, opcode, number, detail = struct.unpack_from("=BB6xH6xI", event)
        if kind & 0x7F != GENERIC or opcode != self._opcode:
            return False
        return number == RAW_TOUCH or (number == RAW_PRESS and detail in BUTTONS)
