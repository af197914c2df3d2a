"""Windows on an X display, painted by the server itself, and X servers of any kind."""

import ctypes
import ctypes.util
import os
import select
import shutil
import subprocess
import time
from contextlib import closing, contextmanager

import pytest

from inkstream.stream.sources.screen.x11 import X11Windows


@contextmanager
def x_server(*options, screen="640x400x24"):
    """The name of a display of its own, and the process that serves it."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("needs xvfb")
    reader, writer = os.pipe()
    command = [program, "-displayfd", str(writer), "-screen", "0", screen, "-nolisten", "tcp", "-noreset", *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, pass_fds=[writer], **quiet)
    os.close(writer)
    try:
        with open(reader, "rb") as answer:
            assert select.select([answer], [], [], 20)[0], "Xvfb gave no display within 20 seconds"
            number = answer.readline().strip().decode()
        assert number, "Xvfb gave no display"
        yield f":{number}", server
    finally:
        server.kill()
        server.wait(timeout=10)


def window_manager(folder, start):
    """Openbox, started by ``start(words)``, once it shows windows: those that come before may never be shown."""
    ready, end = folder / "window-manager-is-ready", time.monotonic() + 30
    process = start(["openbox", "--startup", f"touch {ready}"])
    while not ready.exists():
        assert time.monotonic() < end, "no window manager after 30 s"
        time.sleep(0.02)
    return process


class Cookie(ctypes.Structure):
    """What libxcb hands out for a request, and takes for its reply."""

    _fields_ = (("sequence", ctypes.c_uint),)


class Painter:
    """Makes windows on an X display that the server itself paints in one colour (0xRRGGBB)."""

    def __init__(self, display):
        with closing(X11Windows(display)) as windows:
            self.root = windows.root
        self.xcb = ctypes.CDLL(ctypes.util.find_library("xcb"))
        self.xcb.xcb_connect.restype = ctypes.c_void_p
        self.xcb.xcb_generate_id.restype = ctypes.c_uint32
        self.libc = ctypes.CDLL(None)
        self.connection = ctypes.c_void_p(self.xcb.xcb_connect(display.encode(), None))

    def call(self, name, *arguments):
        getattr(self.xcb, f"xcb_{name}")(self.connection, *arguments)
        self.ask("get_input_focus")  # a round trip: the server has done it

    def ask(self, name, *arguments):
        """The number that a reply has at byte 8."""
        request, receive = getattr(self.xcb, f"xcb_{name}"), getattr(self.xcb, f"xcb_{name}_reply")
        request.restype, receive.restype = Cookie, ctypes.POINTER(ctypes.c_uint32 * 3)
        reply = receive(self.connection, request(self.connection, *arguments), None)
        try:
            return reply.contents[2]
        finally:
            self.libc.free(reply)

    def window(self, title, rect, colour, parent=None, shown=True, program="", pid=None):
        """``colour`` None: the server paints no background."""
        id = self.xcb.xcb_generate_id(self.connection)
        short, word = ctypes.c_int16, ctypes.c_uint16
        place = (short(rect[0]), short(rect[1]), word(rect[2]), word(rect[3]))
        colours = (ctypes.c_uint32 * 2)(colour or 0, 0)
        mask = 0 if colour is None else 2
        self.call("create_window", 0, id, parent or self.root, *place, word(0), word(1), 0, mask, colours)
        self.title(id, title)
        if program:
            self.text(id, "WM_CLASS", "STRING", f"{program.lower()}\0{program}\0".encode())
        if pid is not None:
            self.numbers(id, "_NET_WM_PID", [pid])
        if shown:
            self.call("map_window", id)
        return id

    def title(self, id, title):
        self.text(id, "_NET_WM_NAME", "UTF8_STRING", title.encode())

    def text(self, id, name, kind, data):
        self.call("change_property", 0, id, self.atom(name), self.atom(kind), 8, len(data), data)

    def atom(self, name):
        return self.ask("intern_atom", ctypes.c_uint8(0), ctypes.c_uint16(len(name)), name.encode())

    def numbers(self, id, name, values):
        data = (ctypes.c_uint32 * len(values))(*values)
        self.call("change_property", 0, id, self.atom(name), 33, 32, len(values), data)

    def move(self, id, x, y, width, height):
        self.call("configure_window", id, ctypes.c_uint16(15), (ctypes.c_uint32 * 4)(x, y, width, height))

    def close(self):
        self.xcb.xcb_disconnect(self.connection)
