"""Choosing a part of the screen again as the last time."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from inkstream.stream.base.errors import SourceUnavailable
from inkstream.stream.base.frame import Rect, Size
from inkstream.stream.base.private import user_state
from inkstream.stream.sources.screen.drag import Drag
from inkstream.stream.sources.screen.pick import FILE, pick_region
from inkstream.stream.sources.screen.source import ScreenSource
from inkstream.stream.sources.screen.window import Picked, Spot, Window

SCREEN = np.full((400, 600, 3), 200, np.uint8)


@pytest.fixture
def keys(pygame, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    key = lambda name: pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}"))
    return lambda *names: [key(name) for name in names]


def dragged(pygame, start, end):
    event = pygame.event.Event
    return [
        event(pygame.MOUSEBUTTONDOWN, button=1, pos=start),
        event(pygame.MOUSEMOTION, pos=end),
        event(pygame.MOUSEBUTTONUP, button=1, pos=end),
    ]


def test_l_takes_what_was_picked_the_last_time_on_such_a_screen(pygame, keys):
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(SCREEN, events=keys("l", "ESCAPE"))  # there is no last time yet
    picked = pick_region(SCREEN, events=dragged(pygame, (100, 100), (500, 600)))
    assert pick_region(SCREEN, events=keys("l")) == picked
    other = np.full((300, 300, 3), 200, np.uint8)
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(other, events=keys("l", "ESCAPE"))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"600x400": 3}', '{"600x400": [0, 0, 601, 10]}', '{"600x400": [0, 0, 1e99, 1]}']
)
def test_a_spoilt_memory_of_it_is_as_good_as_none(pygame, keys, text):
    user_state().mkdir(parents=True)
    (user_state() / FILE).write_text(text)
    assert pick_region(SCREEN, events=keys("l", "RETURN")) == (Rect(0, 0, 600, 400), None)
    assert json.loads((user_state() / FILE).read_text()) == {"600x400": [0, 0, 600, 400]}


# --- windows


def spot(title, rect, id=7, program="krita") -> Spot:
    return Spot(Window(id, title, Rect(*rect), Rect(*rect), program=program), Rect(*rect))


KRITA = spot("drawing.kra - Krita", (50, 50, 300, 200))
GIMP = spot("untitled - GIMP", (200, 100, 350, 250), 8, "gimp")


def on_screen(pygame, *places):
    """Places of the picture, in pixels of the made-up screen."""
    pygame.display.init()
    shown = pygame.display.set_mode((0, 0), pygame.FULLSCREEN).get_size()
    pygame.display.quit()
    return [(round(x * shown[0] / 600), round(y * shown[1] / 400)) for x, y in places]


def clicked(pygame, place):
    event = pygame.event.Event
    down, up = pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP
    return [event(pygame.MOUSEMOTION, pos=place), event(down, button=1, pos=place), event(up, button=1, pos=place)]


def test_a_click_takes_the_uppermost_window_under_it(pygame, keys):
    alone, both, nothing = on_screen(pygame, (60, 60), (300, 200), (10, 390))
    picked = [pick_region(SCREEN, spots=[KRITA, GIMP], events=clicked(pygame, place)) for place in (alone, both)]
    assert [each.window for each in picked] == [KRITA.window, GIMP.window]
    assert picked[0].rect == Rect(50, 50, 300, 200)
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(SCREEN, spots=[KRITA, GIMP], events=[*clicked(pygame, nothing), *keys("ESCAPE")])


def test_l_takes_the_window_of_the_same_program_as_the_last_time(pygame, keys):
    (place,) = on_screen(pygame, (60, 60))
    pick_region(SCREEN, spots=[KRITA], events=clicked(pygame, place))
    other = spot("another.kra - Krita", (0, 0, 90, 90), 9)
    assert pick_region(SCREEN, spots=[GIMP, other], events=keys("l")).window == other.window
    with pytest.raises(SourceUnavailable, match="cancelled"):
        pick_region(SCREEN, spots=[GIMP], events=keys("l", "ESCAPE"))


def test_what_is_dragged_snaps_to_edges_and_control_lets_go(pygame, keys):
    start, end = on_screen(pygame, (53, 47), (345, 253))
    picked = pick_region(SCREEN, spots=[KRITA], events=dragged(pygame, start, end))
    assert picked.window is None and np.abs(np.array(picked.rect) - (50, 50, 300, 200)).max() <= 1
    free = pick_region(SCREEN, spots=[KRITA], events=[*keys("LCTRL"), *dragged(pygame, start, end)])
    assert np.abs(np.array(free.rect) - (53, 47, 292, 206)).max() <= 1


def test_shift_keeps_it_square_inside_the_picture():
    drag = Drag(Size(600, 400))
    drag.square = True
    for end, rect in (
        ((250, 160), (100, 100, 150, 150)),
        ((30, 60), (30, 30, 70, 70)),
        ((590, 200), (100, 100, 300, 300)),  # as far as there is room below
        ((60, 390), (0, 100, 100, 100)),
    ):
        drag.press((100, 100))
        drag.move(end)
        assert drag.rect == Rect(*rect)


def test_only_windows_leaves_nothing_but_a_click(pygame, keys):
    start, end = on_screen(pygame, (60, 60), (340, 240))
    events = [*dragged(pygame, start, end), *keys("RETURN", "l")]
    picked = pick_region(SCREEN, spots=[KRITA], only_windows=True, events=events)
    assert picked.window == KRITA.window  # where the button came up


# --- which of several


class Desktop:
    """Two windows of one program, in front of nothing."""

    def __init__(self, *windows) -> None:
        self.monitors = [{"left": 0, "top": 0, "width": 600, "height": 400}] * 2
        self.all = list(windows)

    def source(self, **options):
        return ScreenSource(fps=1000, open_grabber=lambda cursor: self, open_windows=lambda: self, **options)

    def grab(self, monitor):
        size = (monitor["width"], monitor["height"])
        return SimpleNamespace(raw=bytes(4 * size[0] * size[1]), size=size)

    def windows(self):
        return self.all

    def look(self, id):
        return next((each for each in self.all if each.id == id), None)

    def picture(self, window, cursor):
        return np.full((window.content.height, window.content.width, 3), window.id, np.uint8)

    def stirred(self):
        return False

    def pointer(self):
        return None

    def desktop(self):
        return None

    def close(self):
        pass


def test_several_windows_that_fit_are_asked_about_and_the_chosen_one_is_followed():
    one = spot("a.kra - Krita", (0, 0, 300, 200), 11).window
    other = spot("b.kra - Krita", (100, 100, 200, 200), 12).window
    toolbar = spot("Brush settings", (0, 0, 100, 80), 13).window
    desktop = Desktop(one, GIMP.window, toolbar, other)
    source = desktop.source(window="krita", area="window")
    assert source.several and source.about.startswith("window 'a.kra - Krita'")  # the larger
    asked = []

    def picker(picture, display, spots, only_windows):
        asked.append(([each.window for each in spots], only_windows))
        return Picked(spots[1].rect, spots[1].window)

    source.ask(picker)
    assert asked == [([one, other], True)] and not source.several
    assert source.about.startswith("window 'b.kra - Krita'")
    assert (source.read() == 12).all()
    assert not desktop.source(window="b.kra - Krita", area="window").several  # its very title
    assert not desktop.source(window="gimp", area="window").several
    assert not desktop.source(window="0xb", area="window").several


def test_a_picked_window_is_captured_alone_and_its_canvas_found_later():
    desktop = Desktop(KRITA.window, GIMP.window)
    choose = lambda picture, display, spots, only_windows: Picked(spots[0].rect, spots[0].window)
    source = desktop.source(pick=True, picker=choose)
    assert source.about.startswith("window 'drawing.kra - Krita'") and source.area == KRITA.rect
    assert source.read().shape[2] == 3
    assert source.again().about == source.about
