"""Copying the render from the preview, to be pasted into a paint program."""

import io
import os
import shutil
import stat
import struct
import subprocess
import sys
import threading
import time
import types
from contextlib import closing

import mss
import numpy as np
import pytest
from doubles.pasting import Paster
from doubles.preview import RED, output, toast_with
from doubles.x11 import window_manager, x_server
from PIL import Image

from inkstream.stream.sinks.window import clipboard
from inkstream.stream.sinks.window.clipboard import COPIED, Copier, MacOS, Wayland, Windows, dib
from inkstream.stream.sinks.window.selection import PART, Selection


def noise(width, height=None):
    return np.random.default_rng(width).integers(0, 256, (height or width, width, 3)).astype(np.uint8)


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)))


class Told(list):
    """What was told, and a wait for it."""

    def next(self):
        end = time.monotonic() + 10
        while not self:
            assert time.monotonic() < end
            time.sleep(0.002)
        return self.pop(0)


# --- X11


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def paster(xvfb):
    with closing(Paster(xvfb)) as made:
        yield made


@pytest.fixture
def selection(xvfb):
    made = Selection(xvfb)
    yield made
    made.close()


def test_another_program_gets_the_same_pixels(selection, paster, told):
    for side in (50, 500):  # as one piece, and in parts
        pixels = noise(side)
        selection.put(pixels, told.append)
        assert told.next() == ""
        assert paster.targets() == {paster.atom("TARGETS"), paster.atom("image/png")}
        for _ in range(2):
            data = paster.paste("image/png")
            assert (len(data) > PART) == (side == 500)
            assert (decoded(data) == pixels).all()
    assert paster.paste("nothing/like-it") is None


def test_two_programs_may_paste_at_once_and_one_may_vanish(selection, paster, told, xvfb):
    pixels = noise(600)
    selection.put(pixels, told.append)
    assert told.next() == ""
    with closing(Paster(xvfb)) as gone:  # asks, and is gone before it has read
        gone.call("convert_selection", gone.own, gone.atom("CLIPBOARD"), gone.atom("image/png"), gone.atom("X"), 0)
    got = []

    def paste():
        with closing(Paster(xvfb)) as other:
            got.append(other.paste("image/png"))

    others = [threading.Thread(target=paste) for _ in range(2)]
    for each in others:
        each.start()
    got.append(paster.paste("image/png"))
    for each in others:
        each.join()
    assert [(decoded(data) == pixels).all() for data in got] == [True] * 3


def test_what_another_program_copies_takes_its_place_and_the_end_leaves_nothing(selection, paster, told):
    selection.put(noise(20), told.append)
    assert told.next() == "" and paster.owner() != 0
    paster.take()
    assert paster.owner() == paster.own
    selection.put(noise(30), told.append)
    assert told.next() == ""
    assert decoded(paster.paste("image/png")).shape == (30, 30, 3)
    selection.close()
    selection.close()
    assert paster.owner() == 0
    selection.put(noise(20), told.append)  # too late: nothing happens


def test_a_display_that_goes_away_takes_nothing_with_it(told):
    with x_server() as (display, server), closing(Selection(display)) as selection:
        selection.put(noise(20), told.append)
        assert told.next() == ""
        server.kill()
        selection._thread.join(20)
        selection.put(noise(20), told.append)
        assert told.next() == "the X display went away"


def test_a_display_that_is_not_there_is_said():
    with pytest.raises(OSError, match="cannot be reached"):
        Selection(":9871")


# --- the key


class Kept:
    def __init__(self) -> None:
        self.pixels = []
        self.closed = 0

    def put(self, pixels, tell) -> None:
        self.pixels.append(pixels)
        tell("")

    def close(self) -> None:
        self.closed += 1


def test_ctrl_c_copies_what_is_seen(window, press, monkeypatch):
    kept = Kept()
    monkeypatch.setattr(clipboard, "_open", lambda pygame: kept)
    press("CTRL+c")
    assert "nothing to copy yet" in window.shown.toast and window.shown.tool is None
    picture = output(RED)
    press("CTRL+c", shown=picture)
    assert toast_with(window, "copied") == COPIED
    assert kept.pixels[0] is picture.pixels
    window.close()
    assert kept.closed == 1


def test_a_desktop_without_a_clipboard_is_said(window, press):
    press("CTRL+c", shown=output(RED))
    assert toast_with(window, "not copied") == (
        "not copied: this desktop (dummy) has no clipboard for pictures; Enter keeps it as a file"
    )


# --- other desktops, by their documentation


def test_wayland_is_served_by_wl_copy(tmp_path, monkeypatch, told):
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    pixels = noise(40)
    Wayland().put(pixels, told.append)
    assert told.next() == "wl-copy is not there (install wl-clipboard)"
    program = tmp_path / "wl-copy"
    program.write_text(f'#!/bin/sh\n[ "$*" = "--type image/png" ] && cat > {tmp_path}/got.png\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    Wayland().put(pixels, told.append)
    assert told.next() == ""
    assert (decoded((tmp_path / "got.png").read_bytes()) == pixels).all()
    program.write_text("#!/bin/sh\nexit 3\n")
    Wayland().put(pixels, told.append)
    assert "exit status 3" in told.next()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 31])
def test_a_bitmap_of_windows_has_the_same_pixels(width):
    pixels = noise(width, 5)
    data = dib(pixels)
    file = struct.pack("<2sIHHI", b"BM", 14 + len(data), 0, 0, 54) + data
    assert (decoded(file) == pixels).all()


class Dll:
    """``user32`` and ``kernel32`` as they are documented: a clipboard that takes memory."""

    def __init__(self) -> None:
        self.memory, self.clipboard, self.open, self.refuse = {}, {}, 0, False
        for name in ("EmptyClipboard", "CloseClipboard", "GlobalUnlock", "GlobalFree"):
            self.add(name, getattr(self, name.lower()))
        self.add("OpenClipboard", lambda window: 0 if self.open or not window else self.set_open(1))
        self.add("RegisterClipboardFormatW", lambda name: 50_000)
        self.add("GlobalAlloc", self.alloc)
        self.add("GlobalLock", lambda memory: memory)
        self.add("SetClipboardData", self.take)

    def add(self, name, does):
        class Function:
            def __call__(self, *values):
                return does(*values)

        setattr(self, name, Function())

    def set_open(self, value):
        self.open = value
        return 1

    def emptyclipboard(self):
        self.clipboard.clear()

    def closeclipboard(self):
        self.open = 0

    def globalunlock(self, memory):
        return 0

    def globalfree(self, memory):
        del self.memory[memory]

    def alloc(self, flags, size):
        import ctypes

        buffer = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(buffer)] = buffer
        return ctypes.addressof(buffer)

    def take(self, form, memory):
        if self.refuse:
            return None
        self.clipboard[form] = self.memory[memory].raw
        return memory


def test_windows_gets_a_bitmap_and_a_png(monkeypatch, told):
    library = Dll()
    monkeypatch.setattr(clipboard.ctypes, "WinDLL", lambda name, **_: library, raising=False)
    pixels = noise(21)
    windows = Windows(77)
    windows.put(pixels, told.append)
    assert told.next() == "" and library.open == 0
    assert library.clipboard[clipboard.CF_DIB] == dib(pixels)
    assert (decoded(library.clipboard[50_000]) == pixels).all()
    library.refuse = True
    with pytest.raises(OSError, match="refused"):
        windows.put(pixels, told.append)
    assert library.open == 0 and len(library.memory) == 2  # what was not taken is given back
    library.open = 1
    with pytest.raises(OSError, match="another program"):
        windows.put(pixels, told.append)


def test_macos_gets_a_png(monkeypatch, told):
    board = {}
    pasteboard = types.SimpleNamespace(
        clearContents=board.clear,
        setData_forType_=lambda data, kind: board.update({kind: data}) or True,
    )
    appkit = types.SimpleNamespace(
        NSPasteboard=types.SimpleNamespace(generalPasteboard=lambda: pasteboard),
        NSData=types.SimpleNamespace(dataWithBytes_length_=lambda data, length: data[:length]),
    )
    monkeypatch.setitem(sys.modules, "AppKit", appkit)
    pixels = noise(21)
    MacOS().put(pixels, told.append)
    assert told.next() == "" and (decoded(board["public.png"]) == pixels).all()
    pasteboard.setData_forType_ = lambda data, kind: False
    pygame = types.SimpleNamespace(display=types.SimpleNamespace(get_driver=lambda: "cocoa"))
    copier = Copier(pygame)
    copier.copy(pixels)
    assert copier.news() == ["not copied: macOS refused the picture; Enter keeps it as a file"]


@pytest.mark.desktop_full
def test_gimp_pastes_it_as_a_layer(tmp_path, told):
    for program in ("gimp", "xdotool", "openbox"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    Image.new("RGB", (400, 400), (255, 255, 255)).save(tmp_path / "sheet.png")
    with x_server(screen="1280x800x24") as (display, _):
        environment = {**os.environ, "DISPLAY": display, "HOME": str(tmp_path)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}

        def x(*words):
            return subprocess.run(["xdotool", *words], env=environment, capture_output=True, text=True).stdout.split()

        def pasted():
            with mss.MSS(display=display) as screen:
                shot = np.asarray(screen.grab(screen.monitors[0]))[..., 2::-1]
            return (np.abs(shot.astype(int) - (40, 200, 120)).max(2) < 3).sum()

        programs = [window_manager(tmp_path, lambda words: subprocess.Popen(words, **quiet))]
        try:
            programs.append(subprocess.Popen(["gimp", "-s", str(tmp_path / "sheet.png")], **quiet))
            end, window = time.monotonic() + 90, []
            while not (window := x("search", "--onlyvisible", "--name", r"\[sheet")):
                assert time.monotonic() < end
                time.sleep(0.2)
            with closing(Selection(display)) as selection:
                selection.put(np.full((150, 150, 3), (40, 200, 120), np.uint8), told.append)
                assert told.next() == ""
                while pasted() < 10_000:  # at 67 % or more
                    assert time.monotonic() < end
                    x("windowactivate", "--sync", window[0], "key", "ctrl+v")
                    time.sleep(1)
        finally:
            for program in reversed(programs):
                program.kill()
                program.wait()
