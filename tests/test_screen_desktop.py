"""The screen source on a real X server, with real windows."""

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest
from doubles.x11 import x_server

from inkstream.stream.base.errors import SourceLost, SourceUnavailable
from inkstream.stream.base.preview import PREVIEW_TITLE
from inkstream.stream.sources import open_source
from inkstream.stream.sources.screen.source import LOOK_AROUND
from inkstream.stream.sources.screen.x11 import X11Windows


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs linux")
@pytest.mark.parametrize(
    ("environment", "hint"),
    [
        ({}, "DISPLAY is not set"),
        ({"DISPLAY": ":59999"}, "no X server answers at DISPLAY=:59999"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland session.*camera:N"),
    ],
)
def test_no_display_is_explained(monkeypatch, environment, hint):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SourceUnavailable, match=hint):
        open_source("screen")


@pytest.mark.desktop
def test_a_real_window_is_found_followed_and_lost(painter):
    id = painter.window("Skizze – Mein Malprogramm", (40, 30, 200, 120), 0x10A0F0)
    with pytest.raises(SourceUnavailable, match="Malprogramm"):
        open_source("screen:window=Photoshop")
    source = open_source("screen:window=malprogramm,fps=200")
    picture = source.read()
    assert picture.shape == (120, 200, 3) and (picture == (0x10, 0xA0, 0xF0)).all()
    painter.move(id, 400, 300, 90, 60)
    picture = source.read()
    assert picture.shape == (60, 90, 3) and (picture == (0x10, 0xA0, 0xF0)).all()
    painter.move(id, 1240, 780, 90, 60)  # mostly outside of 1280x800
    assert source.read().shape == (60, 90, 3)
    painter.call("unmap_window", id)
    with pytest.raises(SourceLost, match="minimised"):
        source.read()
    source.close()
    with pytest.raises(SourceUnavailable, match="minimised"):
        open_source("screen:window=malprogramm")
    painter.call("map_window", id)
    source = open_source("screen:window=malprogramm,fps=200")
    painter.call("destroy_window", id)
    with pytest.raises(SourceLost, match="closed"):
        source.read()
    source.close()


@pytest.mark.desktop
def test_a_real_window_is_back_or_not_and_looking_is_cheap(painter):
    id = painter.window("Skizze", (40, 30, 200, 120), 0x10A0F0)
    source = open_source("screen:window=skizze")
    source.close()
    assert source.is_back() is True
    painter.call("unmap_window", id)
    assert source.is_back() is False
    painter.call("map_window", id)
    start = time.perf_counter()
    assert all(source.is_back() for _ in range(20))
    assert time.perf_counter() - start < 2
    painter.call("destroy_window", id)
    assert source.is_back() is False


@pytest.mark.desktop
def test_under_a_window_manager_the_frame_is_left_out(painter):
    frame = painter.window("", (100, 100, 220, 150), 0xFF0000)
    client = painter.window("Paint", (10, 30, 200, 110), 0x00FF00, parent=frame)
    painter.window("Paint, not managed", (600, 100, 300, 300), 0x0000FF, shown=False)
    painter.numbers(painter.root, "_NET_CLIENT_LIST", [client])
    source = open_source("screen:window=paint,fps=200")
    picture = source.read()
    assert picture.shape == (110, 200, 3) and (picture == (0, 255, 0)).all()
    painter.numbers(client, "_GTK_FRAME_EXTENTS", [5, 5, 10, 20])
    assert source.read().shape == (80, 190, 3)
    hidden = painter.atom("_NET_WM_STATE_HIDDEN")
    painter.numbers(client, "_NET_WM_STATE", [hidden])
    with pytest.raises(SourceLost, match="minimised"):
        source.read()
    source.close()


@pytest.mark.desktop
def test_the_real_preview_is_not_filmed_and_not_matched(painter):
    painter.window("Paint", (100, 100, 200, 200), 0x00FF00)
    source = open_source("screen:region=100,100,200,200,fps=200")
    assert (source.read() == (0, 255, 0)).all()
    with pytest.raises(SourceUnavailable):
        open_source("screen:window=inkstream")
    preview = painter.window(f"{PREVIEW_TITLE} – live", (150, 150, 400, 50), 0xFF0000)
    due = time.perf_counter() + LOOK_AROUND
    while time.perf_counter() < due:
        source.read()
    assert (source.read() == (0, 255, 0)).all()  # as it was before
    painter.call("configure_window", preview, ctypes.c_uint16(64), (ctypes.c_uint32 * 1)(1))  # below
    painter.window("Other", (150, 150, 20, 20), 0x0000FF)
    due = time.perf_counter() + LOOK_AROUND
    while time.perf_counter() < due:
        source.read()
    picture = source.read()
    assert (picture[50:70, 50:70] == (0, 0, 255)).all() and (picture == (0, 255, 0)).all(
        axis=2
    ).sum() == 200 * 200 - 400
    source.close()


@pytest.mark.desktop
def test_whole_screen_monitor_and_cursor(painter, monkeypatch):
    painter.window("Paint", (0, 0, 1280, 800), 0x808080)
    for text in ("screen", "screen:0", "screen:monitor=1", "screen:cursor=1"):
        source = open_source(text)
        picture = source.read()
        source.close()
        assert picture.shape == (800, 1280, 3) and (picture == 0x80).mean() > 0.99
    with pytest.raises(SourceUnavailable, match="monitor: got 9"):
        open_source("screen:9")


@pytest.mark.desktop
def test_another_thread_may_read_and_nothing_is_left_open(painter):
    painter.window("Paint", (0, 0, 300, 300), 0x204060)

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    def once():
        source = open_source("screen:window=Paint,area=window,fps=500")
        pictures = []
        reader = threading.Thread(target=lambda: pictures.extend(source.read() for _ in range(3)))
        reader.start()
        reader.join()
        source.close()
        assert len(pictures) == 3 and (pictures[2] == (0x20, 0x40, 0x60)).all()

    once()
    before = descriptors()
    for _ in range(20):
        once()
    assert descriptors() <= before


@pytest.mark.desktop
def test_the_x_server_dies(painter, monkeypatch):
    with x_server(screen="320x200x24") as (display, _):
        monkeypatch.setenv("DISPLAY", display)
        source = open_source("screen:fps=200")
        assert source.read().shape == (200, 320, 3)
    with pytest.raises(SourceLost):
        for _ in range(100):
            source.read()
    source.close()
    with pytest.raises(SourceUnavailable, match="no X server answers"):
        open_source("screen")


@pytest.mark.desktop
def test_a_tap_between_two_looks_is_a_press():
    if shutil.which("xdotool") is None:
        pytest.skip("needs xdotool")

    def hand(*words):
        environment = {**os.environ, "DISPLAY": display}
        subprocess.run(["xdotool", *words], env=environment, check=True, timeout=20)

    with x_server() as (display, _), closing(X11Windows(display)) as desktop:
        assert desktop.pointer() is not None
        hand("mousemove", "300", "200")
        assert desktop.pointer() == (300, 200, False)
        hand("click", "1")
        assert desktop.pointer() == (300, 200, True)
        assert desktop.pointer() == (300, 200, False)
        hand("click", "4", "key", "a")  # the wheel and the keyboard draw nothing
        assert desktop.pointer() == (300, 200, False)
        hand("mousedown", "1")
        assert desktop.pointer() == (300, 200, True) == desktop.pointer()
        hand("mouseup", "1", "click", "3", "click", "3")
        assert desktop.pointer() == (300, 200, True)
        assert desktop.pointer() == (300, 200, False)


@pytest.mark.desktop
def test_a_server_without_raw_events_says_what_is_down_now():
    with (
        x_server("-extension", "XInputExtension") as (display, _),
        closing(X11Windows(display)) as desktop,
    ):
        assert desktop.pointer() == (320, 200, False)


@pytest.mark.desktop
def test_a_real_paint_program(painter):
    program = shutil.which("mtpaint")
    if program is None:
        pytest.skip("needs mtpaint")
    running = subprocess.Popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        due, source = time.perf_counter() + 30, None
        while source is None:
            try:
                source = open_source("screen:window=mtPaint,fps=50,area=window")
            except SourceUnavailable:
                assert time.perf_counter() < due, "mtPaint did not open a window"
                running.poll()
                threading.Event().wait(0.1)
        while len(np.unique(picture := source.read())) < 10:
            assert time.perf_counter() < due, "mtPaint stayed blank"
        assert min(picture.shape[:2]) > 200  # menus, tools and canvas, not its hidden 10x10 window
        source.close()
    finally:
        running.terminate()
        running.wait(timeout=10)
