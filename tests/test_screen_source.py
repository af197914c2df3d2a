"""The screen: geometry, windows, and our own preview that must not be filmed; on a made-up desktop."""

import logging
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mss.exception import ScreenShotError

from inkstream.stream.base.errors import ConfigError, SourceEnded, SourceLost, SourceUnavailable
from inkstream.stream.base.frame import Rect, Size
from inkstream.stream.base.preview import PREVIEW_TITLE
from inkstream.stream.sources.screen.drag import Drag, drag_rect, scale_rect
from inkstream.stream.sources.screen.follow import SPLASH
from inkstream.stream.sources.screen.pick import pick_region
from inkstream.stream.sources.screen.source import LOOK_AROUND, ScreenSource
from inkstream.stream.sources.screen.window import Picked, Window
from inkstream.stream.sources.screen.windows import find_window, intersect, match_window, preview_mask

# --- geometry

rects = st.builds(Rect, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 12), st.integers(1, 12))


def cells(rect):
    return {(x, y) for x in range(rect.x, rect.x + rect.width) for y in range(rect.y, rect.y + rect.height)}


@given(rects, rects)
def test_intersection_is_what_both_cover(a, b):
    both = intersect(a, b)
    assert (cells(both) if both else set()) == cells(a) & cells(b)


@given(st.lists(st.tuples(rects, st.booleans(), st.booleans(), st.booleans()), max_size=6), rects)
def test_preview_mask_is_where_the_topmost_window_is_a_preview(stack, region):
    windows = [
        Window(n, PREVIEW_TITLE if preview else "paint", rect, rect, shown, opaque)
        for n, (rect, preview, shown, opaque) in enumerate(stack)
    ]
    expected = np.zeros((region.height, region.width), bool)
    for each in windows:  # from below, so that the topmost has the last word
        if each.shown and (each.opaque or each.is_preview):
            for x, y in cells(each.frame) & cells(region):
                expected[y - region.y, x - region.x] = each.is_preview
    mask = preview_mask(windows, region)
    if mask is None:
        assert not expected.any()
    else:
        np.testing.assert_array_equal(mask, expected)


def window(id, title, width=100, shown=True):
    rect = Rect(0, 0, width, 100)
    return Window(id, title, rect, rect, shown)


def test_which_window_is_meant():
    windows = [
        window(1, "Krita", shown=False),
        window(2, "drawing.kra - Krita", 50),
        window(3, "Krita docker", 80),
        window(4, f"{PREVIEW_TITLE}: krita", 900),
        window(5, "mtPaint"),
    ]
    assert match_window(windows, "krita").id == 3  # the largest that is shown
    assert match_window([*windows, window(6, "KRITA", 10)], "Krita").id == 6  # exactly this title
    assert match_window(windows, "PAINT").id == 5
    assert match_window(windows, "inkstream") is None
    assert match_window(windows[:1], "krita").id == 1
    with pytest.raises(SourceUnavailable, match="minimised"):
        find_window(windows[:1], "krita")
    there = r"'Krita', 'drawing\.kra - Krita', 'Krita docker', 'mtPaint'"
    with pytest.raises(SourceUnavailable, match=f"{there}; start the program first"):
        find_window(windows, "gimp")


@given(st.tuples(st.integers(-20, 220), st.integers(-20, 120)), st.tuples(st.integers(-20, 220), st.integers(-20, 120)))
def test_dragged_rectangles_stay_inside(start, end):
    rect = drag_rect(start, end, Size(200, 100))
    assert rect == drag_rect(end, start, Size(200, 100))
    assert rect.x >= 0 and rect.y >= 0 and rect.width >= 1 and rect.height >= 1
    assert rect.x + rect.width <= 200 and rect.y + rect.height <= 100
    if all(0 <= x <= 200 and 0 <= y <= 100 for x, y in (start, end)) and abs(start[0] - end[0]) > 0:
        assert rect.width == abs(start[0] - end[0])


def test_from_the_shown_to_the_real_pixels():
    assert scale_rect(Rect(10, 20, 30, 40), Size(800, 600), Size(1600, 1200)) == Rect(20, 40, 60, 80)
    assert scale_rect(Rect(0, 0, 801, 600), Size(801, 600), Size(2880, 1800)) == Rect(0, 0, 2880, 1800)


def test_a_click_is_no_drag():
    drag = Drag(Size(100, 100))
    drag.press((10, 10))
    assert drag.release((12, 11)) is None
    drag.press((50, 60))
    drag.move((20, 20))
    assert drag.rect == Rect(20, 20, 30, 40)
    assert drag.release((10, 10)) == Rect(10, 10, 40, 50)


@pytest.fixture
def dummy_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    pygame.display.quit()
    yield pygame
    pygame.display.quit()


def test_picking_with_mouse_and_keys(dummy_display):
    event, pygame = dummy_display.event.Event, dummy_display
    picture = np.full((400, 600, 3), 200, np.uint8)

    def drag(start, end):
        return [
            event(pygame.MOUSEBUTTONDOWN, button=1, pos=start),
            event(pygame.MOUSEMOTION, pos=end, rel=(0, 0), buttons=(1, 0, 0)),
            event(pygame.MOUSEBUTTONUP, button=1, pos=end),
        ]

    pygame.display.init()
    shown = pygame.display.set_mode((0, 0), pygame.FULLSCREEN).get_size()
    pygame.display.quit()
    start, end = (shown[0] // 4, shown[1] // 4), (shown[0] // 2, shown[1] * 3 // 4)
    picked = pick_region(picture, events=drag(start, end))
    assert np.abs(np.array(picked.rect) - (150, 100, 150, 200)).max() <= 1
    assert not pygame.display.get_init()  # the screen is free again
    click_then_enter = [*drag((5, 5), (6, 6)), event(pygame.KEYDOWN, key=pygame.K_RETURN)]
    assert pick_region(picture, events=click_then_enter) == (Rect(0, 0, 600, 400), None)
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(picture, events=[event(pygame.KEYDOWN, key=pygame.K_ESCAPE)])


# --- a made-up desktop


class Desktop:
    """Stands in for mss and for the window system: a picture, and windows that cover it, the lowest first."""

    def __init__(self, size=(200, 100), origin=(0, 0), scale=1):
        rect = Rect(*origin, *size)
        self.monitors = [self.monitor(rect)] * 2
        self.scale = scale
        self.level = 100
        self.stack = []
        self.now = 0.0
        self.fails = False
        self.open = 0
        self.looks = 0

    @staticmethod
    def monitor(rect):
        return {"left": rect.x, "top": rect.y, "width": rect.width, "height": rect.height}

    def pointer(self):
        return None

    def desktop(self):
        return Rect(*self.monitors[0].values())

    def grab(self, part):
        if self.fails:
            raise ScreenShotError("gone")
        whole = self.desktop()
        rect = Rect(part["left"], part["top"], part["width"], part["height"])
        assert intersect(rect, whole) == rect, "outside of the desktop"
        pixels = np.full((whole.height, whole.width, 4), self.level, np.uint8)
        for each in self.stack:
            covers = intersect(each.frame, whole)
            if each.shown and covers:
                rows = slice(covers.y - whole.y, covers.y - whole.y + covers.height)
                columns = slice(covers.x - whole.x, covers.x - whole.x + covers.width)
                pixels[rows, columns, :3] = (1, 2, each.id)  # blue, green, red
        x, y = rect.x - whole.x, rect.y - whole.y
        pixels = pixels[y : y + rect.height, x : x + rect.width].repeat(self.scale, 0).repeat(self.scale, 1)
        return SimpleNamespace(raw=bytearray(pixels.tobytes()), size=(pixels.shape[1], pixels.shape[0]))

    def close(self):
        self.open -= 1

    def windows(self):
        self.looks += 1
        return list(self.stack)

    def picture(self, window, cursor):
        return None  # a desktop that keeps no picture of each window

    def stirred(self):
        return False

    def look(self, id):
        return next((each for each in self.stack if each.id == id), None)

    def connect(self, *_):
        self.open += 1
        return self

    def source(self, **options):
        return ScreenSource(
            fps=1000,
            clock=lambda: self.now,
            stop=options.pop("stop", None) or Ticking(self),
            open_grabber=self.connect,
            open_windows=options.pop("open_windows", self.connect),
            **options,
        )


class Ticking(threading.Event):
    """An event whose waits only move the desktop's clock."""

    def __init__(self, desktop):
        super().__init__()
        self.desktop = desktop

    def wait(self, timeout=None):
        self.desktop.now += timeout
        return self.is_set()


def put(id, rect, title="paint", **options):
    return Window(id, title, Rect(*rect), Rect(*rect), **options)


def test_region_in_physical_pixels_and_rgb():
    desktop = Desktop(origin=(-200, -50))
    desktop.stack = [put(7, (-150, -40, 10, 10))]
    source = desktop.source(region=Rect(-152, -42, 20, 16))
    picture = source.read()
    assert source.live and picture.shape == (16, 20, 3) and picture.flags.c_contiguous
    assert picture[0, 0].tolist() == [100] * 3 and picture[2, 2].tolist() == [7, 2, 1]
    assert (picture == (7, 2, 1)).all(axis=2).sum() == 100
    source.close()
    assert desktop.open == 0


def test_points_of_a_retina_screen_give_twice_the_pixels():
    desktop = Desktop(scale=2)
    desktop.stack = [put(7, (10, 10, 10, 10)), put(9, (15, 10, 40, 10), PREVIEW_TITLE)]
    picture = desktop.source(region=Rect(5, 5, 30, 20)).read()
    assert picture.shape == (40, 60, 3)
    assert picture[10, 10].tolist() == [7, 2, 1]
    assert (picture[10:30, 20:] == 255).all()  # the preview, kept out at the right place
    assert not (picture == 9).any()


def test_a_region_partly_outside_keeps_its_size():
    desktop = Desktop()
    source = desktop.source(region=Rect(190, -10, 30, 20))
    picture = source.read()
    source.close()
    assert picture.shape == (20, 30, 3)
    assert (picture[10:, :10] == 100).all() and (picture[:10] == 255).all() and (picture[:, 10:] == 255).all()
    assert source.notice.startswith("region 30x20 at 190,-10 leaves the screen, 200x100 at 0,0")
    assert desktop.open == 0


def test_window_is_followed():
    desktop = Desktop()
    desktop.stack = [put(5, (20, 10, 40, 30), "Drawing - mtPaint")]
    source = desktop.source(window="mtpaint")
    assert (source.read() == (5, 2, 1)).all()
    desktop.stack = [put(5, (100, 50, 60, 20), "Renamed")]
    moved = source.read()
    assert moved.shape == (20, 60, 3) and (moved == (5, 2, 1)).all()
    desktop.stack = [put(5, (180, 50, 60, 20), "Renamed")]  # half outside: the rest stays as it was
    assert (source.read() == (5, 2, 1)).all()
    desktop.stack = [put(5, (500, 50, 60, 20))]
    with pytest.raises(SourceLost, match="outside"):
        source.read()
    desktop.stack = [put(5, (100, 50, 60, 20), shown=False)]
    with pytest.raises(SourceLost, match="minimised"):
        source.read()
    desktop.stack = []
    with pytest.raises(SourceLost, match="closed"):
        source.read()


def test_a_window_is_back_when_it_is_open_and_not_minimised():
    desktop = Desktop()
    canvas = put(5, (20, 10, 40, 30), "Drawing - mtPaint", program="mtpaint")
    desktop.stack = [canvas]
    source = desktop.source(window="paint")
    assert source.is_back() is True
    desktop.stack = [replace(canvas, shown=False), put(8, (0, 0, 40, 30), "how to use mtPaint", program="Firefox")]
    assert source.is_back() is False
    desktop.stack = [put(6, (0, 0, 40, 30), f"{PREVIEW_TITLE} of mtPaint")]
    assert source.is_back() is False
    desktop.stack += [put(7, (0, 0, 40, 30), "mtPaint", program="mtpaint")]
    assert source.is_back() is True
    assert desktop.source(monitor=1).is_back() is desktop.source(region=Rect(0, 0, 9, 9)).is_back() is None
    assert desktop.open == 0, "no connection is left open"


def test_a_program_that_is_opened_again_is_taken_with_its_window_and_not_with_its_splash_screen():
    desktop = Desktop()
    krita = lambda id, title, **options: put(id, (20, 10, 40, 30), title, program="krita", **options)
    desktop.stack = [krita(5, "a.kra - Krita", pid=70)]
    source = desktop.source(window="krita", area="window")
    splash = krita(6, "Krita", pid=71, aside=True)
    desktop.stack = [krita(4, "krita", pid=71, shown=False, put_away=True), splash]
    with pytest.raises(SourceLost, match="closed"):
        source.read()
    assert source.is_back() is False
    with pytest.raises(SourceUnavailable, match="was closed"):
        source.again()
    desktop.stack += [krita(5, "Krita", pid=71)]  # the server gives the same number again
    assert source.is_back() is True
    assert (source.again().read() == (5, 2, 1)).all()
    with pytest.raises(SourceUnavailable, match="got 'krita', expected an id"):
        desktop.stack = [splash]
        desktop.source(window="krita", area="window")
    assert desktop.source(window="6", area="window").about.startswith("window 'Krita'")  # who asks for it gets it


def test_in_place_of_a_window_that_its_program_hid_another_one_is_taken_and_the_same_document_first():
    desktop = Desktop()
    shown = put(5, (20, 10, 40, 30), "a.kra - Krita", program="krita")
    large, same = (
        put(id, (0, 0, side, 30), title, program="krita")
        for id, side, title in [(6, 90, "b.kra - Krita"), (7, 40, "a.kra - Krita")]
    )
    desktop.stack = [shown]
    source = desktop.source(window="5", area="window")
    minimised, hidden = replace(shown, shown=False), replace(shown, shown=False, put_away=True)
    desktop.stack = [minimised, large, same]
    assert source.is_back() is False  # somebody put it down, and will take it up again
    desktop.stack = [hidden]
    assert source.is_back() is False
    desktop.stack = [hidden, large, put(8, (0, 0, 90, 90), "Krita, a manual", program="Firefox")]
    assert source.is_back() is True
    desktop.stack = [hidden, large, same]
    assert source.again().about == str(same)


def test_a_splash_screen_that_does_not_say_what_it_is_is_known_by_its_size():
    desktop = Desktop()
    desktop.stack = [put(5, (0, 0, 180, 90), "Paint", program="paint")]
    source = desktop.source(window="paint", area="window")
    small = put(6, (50, 20, 60, 40), "Paint", program="paint")
    desktop.stack = [small]
    assert source.is_back() is False
    desktop.stack = [small, put(7, (0, 0, 120, 80), "untitled", program="paint")]
    assert source.is_back() is True and source.again().about.startswith("window 'untitled'")
    source = source.again()
    desktop.stack = [put(8, (50, 20, 40, 20), "Paint", program="paint")]
    assert source.is_back() is False
    desktop.now += SPLASH  # a splash screen would be gone by now
    assert source.is_back() is True


def test_without_a_desktop_nobody_knows_whether_a_window_is_there():
    def gone(id):
        raise SourceLost("the X server went away")

    desktop = Desktop()
    desktop.stack = [put(5, (20, 10, 40, 30), "mtPaint")]
    source = desktop.source(window="paint")
    desktop.look = gone
    assert source.is_back() is None
    assert desktop.open == 0


def test_a_picture_that_was_read_never_changes():
    desktop, pictures = Desktop(), []
    source = desktop.source(region=Rect(-10, 0, 100, 50))
    desktop.stack = [put(9, (20, 20, 60, 20), PREVIEW_TITLE)]
    for level in range(100, 140):
        desktop.level = level
        pictures.append((source.read(), source.read().copy()))
    for (picture, copy), level in zip(pictures, range(100, 140), strict=True):
        assert picture[0, 50].tolist() == copy[0, 50].tolist() == [level] * 3
    source.close()


def test_the_preview_is_never_filmed():
    desktop = Desktop()
    region = Rect(0, 0, 200, 100)
    source = desktop.source(region=region)
    assert (source.read() == 100).all()
    desktop.level = 110
    desktop.now += LOOK_AROUND
    source.read()  # what is known of the screen
    desktop.stack = [put(9, (50, 20, 60, 40), PREVIEW_TITLE)]
    desktop.level = 120
    desktop.now += LOOK_AROUND
    picture = source.read()
    assert (picture[20:60, 50:110] == 110).all()  # what was there before
    picture[20:60, 50:110] = 120
    assert (picture == 120).all()  # and around it what is there now
    for step in range(30):  # it moves and grows; not one of its pixels gets in
        desktop.stack = [put(9, (50 + 3 * step, 20, 60 + step, 40 + step), f"{PREVIEW_TITLE} - 20 fps")]
        desktop.level = 130 + step
        desktop.now += LOOK_AROUND
        picture = source.read()
        assert picture.min() >= 110
    desktop.stack = []
    desktop.now += LOOK_AROUND
    assert (source.read() == desktop.level).all()


def test_a_preview_that_lies_below_is_no_hole():
    desktop = Desktop()
    preview, canvas = put(9, (20, 20, 100, 60), PREVIEW_TITLE), put(5, (0, 0, 90, 100), "mtPaint")
    desktop.stack = [preview, canvas]
    source = desktop.source(window="mtPaint")
    desktop.now += LOOK_AROUND
    assert (source.read() == (5, 2, 1)).all()
    desktop.stack = [canvas, preview]
    desktop.now += LOOK_AROUND
    assert (source.read() == (5, 2, 1)).all()
    assert not (source.read() == 9).any()


def test_a_preview_that_was_always_there_leaves_white_paper():
    desktop = Desktop()
    desktop.stack = [put(9, (0, 0, 100, 100), PREVIEW_TITLE)]
    picture = desktop.source(monitor=1).read()
    assert (picture[:, :100] == 255).all() and (picture[:, 100:] == 100).all()


def test_previews_are_looked_for_a_few_times_a_second_only():
    desktop = Desktop()
    source = desktop.source(region=Rect(0, 0, 10, 10))
    before, start = desktop.looks, desktop.now
    for _ in range(1000):
        source.read()
    assert desktop.now - start == pytest.approx(1.0, abs=0.01)
    assert 3 <= desktop.looks - before <= 6


def test_without_a_window_system_it_captures_all_the_same(caplog):
    def none():
        raise SourceUnavailable("no libxcb")

    desktop = Desktop()
    with caplog.at_level(logging.WARNING):
        source = desktop.source(region=Rect(0, 0, 10, 10), open_windows=none)
    assert "keep the preview off" in caplog.text and "no libxcb" in caplog.text
    assert (source.read() == 100).all()
    with pytest.raises(SourceUnavailable, match="no libxcb"):
        desktop.source(window="paint", open_windows=none)


def test_a_desktop_of_another_size_is_captured_at_its_new_size():
    desktop = Desktop()
    source = desktop.source(monitor=1)
    assert source.read().shape == (100, 200, 3)
    desktop.monitors = [Desktop.monitor(Rect(0, 0, 300, 150))] * 2
    desktop.now += LOOK_AROUND
    source.read()
    assert source.read().shape == (150, 300, 3)
    desktop.monitors = [Desktop.monitor(Rect(0, 0, 80, 60))] * 2
    desktop.now += LOOK_AROUND
    source.read()
    assert source.read().shape == (60, 80, 3)


def test_a_screen_that_goes_away_and_comes_back():
    desktop = Desktop()
    source = desktop.source(monitor=1)
    source.read()
    desktop.fails = True
    with pytest.raises(SourceLost, match=r"can no longer be captured"):
        source.read()
    with pytest.raises(SourceUnavailable, match="can no longer be captured"):
        desktop.source(monitor=1)
    desktop.fails = False
    assert (source.read() == 100).all()
    source.close()
    assert desktop.open == 0


def test_monitors_that_are_not_there():
    with pytest.raises(SourceUnavailable, match=r"monitor: got 2, expected 0 \(all\) or 1 to 1"):
        Desktop().source(monitor=2)


def test_close_wakes_a_waiting_read_and_lets_go():
    desktop = Desktop()
    source = ScreenSource(1, fps=0.01, open_grabber=desktop.connect, open_windows=desktop.connect)
    source.read()
    threading.Timer(0.05, source.close).start()
    start = time.perf_counter()
    with pytest.raises(SourceEnded):
        source.read()
    assert time.perf_counter() - start < 20
    source.close()
    assert desktop.open == 0


def test_pick_asks_once_and_the_part_is_remembered():
    desktop, asked = Desktop(origin=(-100, 0), scale=2), []
    desktop.stack = [put(7, (-80, 30, 10, 10))]

    def picker(picture, display, spots, only_windows):
        asked.append((picture.shape, display, only_windows))
        return Picked(Rect(20, 40, 60, 80))

    choose = lambda: desktop.source(pick=True, picker=picker)
    with pytest.raises(SourceUnavailable, match="main thread"):
        off_main(choose)
    source = choose()
    pictures = [source.read(), off_main(source.again).read()]
    assert asked == [((200, 400, 3), 0, False)]
    for picture in pictures:
        assert picture.shape == (80, 60, 3)
        assert (picture[20:40, 20:40] == (7, 2, 1)).all() and (picture == 7).sum() == 20 * 20


def off_main(function):
    result = []

    def run():
        try:
            result.append(function())
        except SourceUnavailable as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def test_pointer_only_where_it_can_be_captured(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="only X11"):
        Desktop().source(cursor=True)
