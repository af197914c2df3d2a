"""Another program that pastes: a client of X11 that asks the owner of the clipboard."""

import ctypes
import ctypes.util
import struct
import time

from .x11 import Painter


class Reply(ctypes.Structure):
    """``xcb_get_property_reply_t`` of ``xproto.h``."""

    _fields_ = (
        ("response_type", ctypes.c_uint8),
        ("format", ctypes.c_uint8),
        ("sequence", ctypes.c_uint16),
        ("length", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("bytes_after", ctypes.c_uint32),
        ("value_len", ctypes.c_uint32),
        ("pad", ctypes.c_uint8 * 12),
    )


class Paster(Painter):
    """Asks for what is in the clipboard, by the names of targets."""

    def __init__(self, display):
        super().__init__(display)
        self.own = self.window("paste", (0, 0, 10, 10), 0, shown=False)

    def owner(self):
        return self.ask("get_selection_owner", self.atom("CLIPBOARD"))

    def take(self):
        """Own the clipboard, as a program that copies does."""
        self.call("set_selection_owner", self.own, self.atom("CLIPBOARD"), 0)

    def targets(self):
        data = self.paste("TARGETS")
        return set(struct.unpack(f"={len(data) // 4}I", data))

    def paste(self, target):
        """The bytes of a target, put together where they come in parts; None: it was refused, or nobody is there."""
        name = self.atom("PASTED")
        self.call("convert_selection", self.own, self.atom("CLIPBOARD"), self.atom(target), name, 0)
        kind, data = self._taken(name, 0.2 if target == "nothing/like-it" else 10)
        if kind != self.atom("INCR"):
            return data if kind else None
        whole = b""
        while True:
            kind, part = self._taken(name, 10)
            assert kind, "the rest never came"
            if not part:
                assert len(whole) >= struct.unpack("=I", data)[0]
                return whole
            whole += part

    def _taken(self, name, seconds):
        """Type and value of the property, once it is there; it is deleted, as who pastes must."""
        end = time.monotonic() + seconds
        request, receive = self.xcb.xcb_get_property, self.xcb.xcb_get_property_reply
        request.restype, receive.restype = ctypes.c_uint, ctypes.POINTER(Reply)
        while time.monotonic() < end:
            sequence = request(self.connection, 1, self.own, name, 0, 0, 1 << 22)
            reply = receive(self.connection, ctypes.c_uint(sequence), None)
            kind, length = reply.contents.type, reply.contents.value_len * reply.contents.format // 8
            data = ctypes.string_at(ctypes.addressof(reply.contents) + 32, length)
            self.libc.free(reply)
            if kind:
                return kind, data
            time.sleep(0.002)
        return 0, b""
