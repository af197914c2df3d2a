"""Which window is captured, and that it is captured alone: on real X servers, with real windows."""

import os
import threading
import time

import numpy as np
import pytest
from doubles.x11 import Painter, x_server

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import SourceLost, SourceUnavailable
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources import open_source
from inkstream.stream.sources.screen import follow
from inkstream.stream.sources.screen.window import Window
from inkstream.stream.sources.screen.windows import match_window
from inkstream.stream.sources.screen.x11_text import decode_text

pytestmark = pytest.mark.desktop
RED, GREEN, BLUE = 0xFF0000, 0x00FF00, 0x0000FF
PLACE = (40, 30, 200, 120)


def colours(picture):
    """The colours of a picture, as 0xRRGGBB."""
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    return set(np.unique(red << 16 | green << 8 | blue).tolist())


def until(condition, timeout=5.0):
    end = time.perf_counter() + timeout
    while not condition():
        assert time.perf_counter() < end, "it did not happen in time"
        threading.Event().wait(0.01)


# --- S1: which window


@pytest.mark.parametrize("own", ["ancestor", "WINDOWID", "title"])
def test_s1_the_terminal_that_runs_us_is_never_captured(painter, monkeypatch, own):
    command = "inkstream run --source screen:window=Krita" if own == "title" else "run: Krita"
    pid = os.getppid() if own == "ancestor" else None
    terminal = painter.window(command, (0, 0, 600, 500), RED, program="XTerm", pid=pid)
    if own == "WINDOWID":
        monkeypatch.setenv("WINDOWID", str(terminal))
    with pytest.raises(SourceUnavailable, match="got 'Krita'") as refused:
        open_source("screen:window=Krita")
    assert own == "title" or "run: Krita" not in str(refused.value)
    canvas = painter.window("unnamed.kra", PLACE, GREEN, program="krita", pid=os.getpid())
    source = open_source("screen:window=Krita,fps=200")
    assert colours(source.read()) == {GREEN}
    assert source.about == f"window 'unnamed.kra' (krita, id {canvas:#x})"
    source.close()


def test_s1_a_minimised_window_is_waited_for_and_no_other_is_taken(painter):
    canvas = painter.window("Krita", PLACE, GREEN, program="krita")
    source = open_source("screen:window=Krita,fps=200")
    painter.window("Krita - the manual", (300, 30, 400, 400), RED, program="Firefox")
    painter.call("unmap_window", canvas)
    with pytest.raises(SourceLost, match=rf"window 'Krita' \(krita, id {canvas:#x}\) is minimised"):
        source.read()
    source.close()
    with pytest.raises(SourceUnavailable, match="is minimised"):
        source.again()
    painter.call("map_window", canvas)
    again = source.again()
    assert colours(again.read()) == {GREEN}
    painter.call("destroy_window", canvas)
    with pytest.raises(SourceLost, match="was closed"):
        again.read()
    again.close()
    with pytest.raises(SourceUnavailable, match="was closed"):
        again.again()
    assert again.is_back() is False
    painter.window("unnamed - Krita", PLACE, BLUE, program="krita")
    assert again.is_back() is True
    last = again.again()
    assert colours(last.read()) == {BLUE}
    last.close()


@pytest.mark.parametrize("says", ["SPLASH", "DIALOG", "UTILITY", "owner"])
def test_s1_a_splash_screen_is_not_taken_and_the_window_that_comes_after_it_is(painter, says):
    canvas = painter.window("a.kra - Krita", PLACE, GREEN, program="krita")
    source = open_source("screen:window=krita,fps=200,area=window")
    painter.call("destroy_window", canvas)
    splash = painter.window("Krita", (0, 0, 600, 300), RED, program="krita", shown=False)
    if says == "owner":
        painter.numbers(splash, "WM_TRANSIENT_FOR", [painter.root])
    else:
        types = [painter.atom(f"_NET_WM_WINDOW_TYPE_{name}") for name in (says, "NORMAL")]
        painter.numbers(splash, "_NET_WM_WINDOW_TYPE", types)
    painter.call("map_window", splash)
    with pytest.raises(SourceLost, match="was closed"):
        source.read()
    source.close()
    assert source.is_back() is False
    painter.call("unmap_window", splash)
    main = painter.window("Krita", PLACE, BLUE, program="krita")
    painter.numbers(main, "_NET_WM_WINDOW_TYPE", [painter.atom("_NET_WM_WINDOW_TYPE_NORMAL")])
    assert source.is_back() is True
    again = source.again()
    assert colours(again.read()) == {BLUE}
    again.close()


def test_s1_a_window_that_its_program_hid_makes_room_for_one_that_is_shown(painter):
    first = painter.window("Krita", PLACE, RED, program="krita")
    source = open_source("screen:window=krita,fps=200,area=window")
    painter.numbers(first, "WM_STATE", [1])
    main = painter.window("a.kra - Krita", PLACE, GREEN, program="krita")
    painter.numbers(first, "WM_STATE", [3])
    painter.call("unmap_window", first)
    assert source.is_back() is False  # minimised: somebody will bring it up again
    painter.numbers(first, "WM_STATE", [0])
    assert source.is_back() is True
    source.close()
    again = source.again()
    assert again.about == f"window 'a.kra - Krita' (krita, id {main:#x})" and colours(again.read()) == {GREEN}
    again.close()


def test_s1_a_number_that_was_given_to_another_window_is_not_it(painter):
    canvas = painter.window("Krita", PLACE, GREEN, program="krita", pid=77)
    source = open_source("screen:window=Krita,fps=200")
    source.read()
    painter.numbers(canvas, "_NET_WM_PID", [78])
    with pytest.raises(SourceLost, match="was closed"):
        source.read()
    source.close()


def test_s1_an_id_comes_first_then_the_program_then_titles():
    def window(id, title, program, **options):
        rect = follow.Rect(0, 0, 100, 100)
        return Window(id, title, rect, rect, program=program, **options)

    windows = [
        window(0x3A00007, "all about gimp", "Firefox"),
        window(0x3A00008, "picture.png", "Gimp-2.10", shown=False),
        window(0x3A00009, "gimp", "XTerm", own=True),
        window(0x3A0000A, "vim screen:window='GIMP'", "kitty"),
    ]
    assert match_window(windows, "gimp").id == 0x3A00008
    assert match_window(windows, "ABOUT gimp").id == 0x3A00007
    assert match_window(windows, "0x3a00009").id == match_window(windows, str(0x3A00009)).id == 0x3A00009
    assert match_window(windows[2:], "gimp") is None


def test_s1_a_session_says_which_window_and_stays_with_it(painter):
    canvas = painter.window("a.kra", PLACE, GREEN, program="krita")
    said = []
    sink = FakeSink()
    session = Session("screen:window=krita,fps=100", FakeStream(1), [sink], on_status=said.append)
    session.start()
    try:
        assert sink.wait(1)
        assert session.status.source == f"window 'a.kra' (krita, id {canvas:#x})"
        painter.window("Krita - inkstream run", (0, 0, 900, 600), RED, program="Terminal")
        painter.call("unmap_window", canvas)
        until(lambda: session.status.state == "reconnecting")
        assert "'a.kra'" in session.status.message and "minimised" in session.status.message
        count = sink.count
        painter.call("map_window", canvas)
        until(lambda: session.status.state != "reconnecting")
        painter.call("clear_area", 1, canvas, 0, 0, 0, 0)
        until(lambda: sink.count >= count)
    finally:
        session.stop()
    assert all(colours(output.input) == {GREEN} for output in sink.outputs)


# --- S2: the window alone


def test_s2_what_lies_over_the_window_is_not_captured(painter):
    canvas = painter.window("Krita", PLACE, GREEN, program="krita")
    source = open_source("screen:window=Krita,fps=200")
    painter.window("mail: a secret", (0, 0, 150, 400), RED)
    menu = painter.window("", (100, 60, 60, 60), BLUE, program="krita")  # a menu of the program itself
    painter.call("change_window_attributes", menu, 512, b"\1\0\0\0")  # override-redirect
    for _ in range(20):
        picture = source.read()
        assert picture.shape == (120, 200, 3) and colours(picture) == {GREEN}
    assert source.notice == ""
    painter.move(canvas, 500, 300, 1500, 900)  # larger than the screen
    picture = source.read()
    assert picture.shape == (900, 1500, 3) and colours(picture) == {GREEN}
    painter.move(canvas, -3000, -3000, 64, 48)  # outside
    assert source.read().shape == (48, 64, 3)
    source.close()


def test_s2_a_window_that_was_covered_before_shows_nothing_of_the_cover(painter, monkeypatch):
    monkeypatch.setattr(follow, "SETTLE", 30)
    painter.window("Krita", PLACE, None, program="krita")  # it paints itself, and has not done so
    painter.window("mail: a secret", (0, 0, 150, 400), RED)
    source = open_source("screen:window=Krita,fps=200,area=window")
    picture = source.read()
    assert RED not in colours(picture) and (picture[:, :110] == 255).all()
    source.close()


def test_s2_a_server_that_shares_no_memory_is_captured_all_the_same(monkeypatch):
    with x_server("-extension", "MIT-SHM") as (display, _):
        monkeypatch.setenv("DISPLAY", display)
        painter = Painter(display)
        id = painter.window("Krita", PLACE, GREEN)
        source = open_source("screen:window=Krita,fps=200")
        for width, height in ((200, 120), (301, 77), (20, 10)):  # resized while it is captured
            painter.move(id, 10, 10, width, height)
            picture = source.read()
            assert picture.shape == (height, width, 3) and colours(picture) == {GREEN}
        source.close()
        painter.close()


@pytest.fixture(scope="module")
def bare():
    """A display whose server keeps no picture of each window."""
    with x_server("-extension", "Composite") as (display, _):
        yield display


@pytest.fixture
def bare_painter(bare, monkeypatch):
    monkeypatch.setenv("DISPLAY", bare)
    painter = Painter(bare)
    yield painter
    painter.close()


def test_s2_where_no_picture_of_each_window_is_kept_the_covered_part_holds(bare_painter):
    painter = bare_painter
    canvas = painter.window("Krita", PLACE, GREEN, program="krita")
    source = open_source("screen:window=Krita,fps=500")
    assert colours(source.read()) == {GREEN} and source.notice == ""
    cover = painter.window("mail: a secret", (0, 0, 150, 400), RED)
    assert colours(source.read()) == {GREEN}
    assert "is covered in part" in source.notice and "'Krita'" in source.notice
    stop = threading.Event()

    def fidget():
        other = Painter(os.environ["DISPLAY"])
        while not stop.is_set():
            for name in ("unmap_window", "map_window"):
                other.call(name, cover)
        other.close()

    thread = threading.Thread(target=fidget)
    thread.start()
    try:
        assert all(RED not in colours(source.read()) for _ in range(60))
    finally:
        stop.set()
        thread.join()
    painter.call("destroy_window", cover)
    painter.call("unmap_window", canvas)
    with pytest.raises(SourceLost, match="minimised"):
        source.read()
    source.close()


# --- S3: depths and titles


@pytest.mark.parametrize(("depth", "pixel"), [(15, 31 << 10), (16, 31 << 11), (30, 1023 << 20)])
def test_s3_screens_of_other_depths_are_captured(monkeypatch, depth, pixel):
    with x_server(screen=f"320x200x{depth}") as (display, _):
        monkeypatch.setenv("DISPLAY", display)
        painter = Painter(display)
        painter.window("Krita", (10, 10, 101, 50), pixel)
        for text in ("screen:window=Krita", "screen:region=10,10,101,50", "screen:region=10,10,101,50,cursor=1"):
            source = open_source(text)
            picture = source.read()
            source.close()
            assert picture.shape == (50, 101, 3) and RED in colours(picture)
        source = open_source("screen")
        assert source.read().shape == (200, 320, 3)
        source.close()
        painter.close()


def test_s3_a_screen_with_a_palette_is_refused_by_name(monkeypatch):
    with x_server("-cc", "3", screen="320x200x8") as (display, _):
        monkeypatch.setenv("DISPLAY", display)
        with pytest.raises(SourceUnavailable, match=r"got pixels of a depth of 8 with a palette.*depth of 24"):
            open_source("screen")


@pytest.mark.parametrize(
    ("name", "kind", "data"),
    [
        ("WM_NAME", "UTF8_STRING", "Größe – 絵".encode()),
        ("WM_NAME", "COMPOUND_TEXT", b"Gr\xf6\xdfe \x1b%G\xe2\x80\x93\x1b%@ \x1b$(B3(\x1b(B"),
        ("_NET_WM_NAME", "UTF8_STRING", "Größe – 絵".encode()),
    ],
)
def test_s3_titles_are_read_as_they_are_written(painter, name, kind, data):
    id = painter.window("", PLACE, GREEN)
    painter.text(id, name, kind, data)
    source = open_source("screen:window=GRÖSSE – 絵,fps=200")
    assert colours(source.read()) == {GREEN}
    source.close()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b-L\xba\xe0\xd8\xe2\xd0 \x1b-Aq", "Крита q"),
        (b"\x1b$)C\xb1\xd7\xb8\xb2", "그림"),
        (b"\x1b%/1\x80\x8diso8859-15\x02\xa4", "€"),
        (b"plain", "plain"),
        (b"\x1b%/1\xff\xff", ""),
        (b"\x1b$(Z!!x", "�"),
    ],
)
def test_s3_compound_text(data, text):
    assert decode_text("COMPOUND_TEXT", data) == text


# --- S4: regions


@pytest.mark.parametrize(
    "region", ["1280,0,100,100", "-100,-100,100,100", "0,0,1,1", "1276,0,100,100", "0,0,5000,100", "0,0,8,7"]
)
def test_s4_a_region_that_is_not_on_the_screen_is_refused_with_the_screens_size(painter, region):
    x, y, width, height = region.split(",")
    with pytest.raises(SourceUnavailable, match=rf"got {width}x{height} at {x},{y}, .*1280x800 at 0,0"):
        open_source(f"screen:region={region}")


def test_s4_a_region_that_partly_leaves_says_so(painter):
    source = open_source("screen:region=1200,700,160,200")
    picture = source.read()
    assert picture.shape == (200, 160, 3) and (picture[100:] == 255).all()
    assert source.notice.startswith("region 160x200 at 1200,700 leaves the screen, 1280x800 at 0,0")
    source.close()


# --- titles that mean harm


def test_hostile_titles_stay_one_short_line(painter):
    for number, title in enumerate(["\x1b]0;evil\x07\x1b[2J", "a\nb\r\nc", "x" * 100_000, "\u202eevil", "\ud7ff\0z"]):
        painter.window(f"{number}{title}", (0, 0, 90, 90), RED, program="\x1b[31mBad\n")
    with pytest.raises(SourceUnavailable) as refused:
        open_source("screen:window=Photoshop\x1b[1m")
    assert str(refused.value).isprintable() and len(str(refused.value)) < 1000
    id = painter.window("\x1b[2J" + "y" * 100_000, PLACE, GREEN, shown=False, program="\x1b[31mGood")
    with pytest.raises(SourceUnavailable, match="is minimised") as refused:
        open_source(f"screen:window={id:#x}")
    assert str(refused.value).isprintable() and len(str(refused.value)) < 300
    painter.call("map_window", id)
    source = open_source(f"screen:window={id:#x}")
    assert source.about.isprintable() and len(source.about) < 200
    source.close()
