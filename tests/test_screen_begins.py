"""The first pictures of a window: what surrounds the sheet is nothing that anybody drew."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from doubles.paintwindow import VIEW, drawing, paper, window
from test_pick import Desktop, spot

from inkstream.stream.base.frame import Rect
from inkstream.stream.sources.screen.area import Area
from inkstream.stream.sources.screen.canvas import find_sheet
from inkstream.stream.sources.screen.marked import Marked
from inkstream.stream.sources.screen.track import Tracker
from inkstream.stream.sources.screen.window import Pointer

SHEETS = Path(__file__).parent / "sheets"
SHEET = window((drawing(), 80, 60))
LATE = np.full_like(SHEET, 255)  # its sheet is not painted yet: lines of text, as in a terminal
for line in range(0, SHEET.shape[0], 14):
    cv2.putText(LATE, "x " * 60, (2, line), cv2.FONT_HERSHEY_PLAIN, 0.9, (0, 0, 0))


class Late(Desktop):
    """A program that paints its sheet a while after its window is there. Time is what the test says."""

    def __init__(self, after: float) -> None:
        height, width = SHEET.shape[:2]
        super().__init__(spot("drawing", (0, 0, width, height)).window)
        self.monitors = [{"left": 0, "top": 0, "width": width, "height": height}] * 2
        self.after, self.now, self.step = after, 0.0, 0.05
        self.early, self.painted = LATE, SHEET

    def picture(self, window, cursor):
        self.now += self.step
        return self.painted if self.now >= self.after else self.early

    def opened(self, tmp_path):
        stop = threading.Event()
        source = self.source(window="krita", area=Area("canvas", Marked(tmp_path)), clock=lambda: self.now, stop=stop)
        self.now += 3.0  # a model is loaded
        return source


def test_until_the_sheet_is_found_nothing_is_given(tmp_path):
    desktop = Late(after=3.9)
    picture = desktop.opened(tmp_path).read()
    assert np.array_equal(picture, drawing())
    assert desktop.now < 4.4


@pytest.mark.parametrize("after", [0.2, 1.0, 3.0])
def test_a_window_without_its_bars_yet_is_no_drawing_without_bars(tmp_path, after):
    desktop = Late(after)
    desktop.early = np.full_like(SHEET, 75)
    assert np.array_equal(desktop.opened(tmp_path).read(), drawing())
    assert desktop.now < 3.9


@pytest.mark.parametrize("after", [0.2, 3.0, 3.3])
def test_a_part_of_the_view_that_is_painted_first_is_not_the_sheet(tmp_path, after):
    desktop = Late(after)
    sheet = paper(900, 900)
    cv2.line(sheet, (200, 240), (420, 180), (0, 0, 0), 5)
    desktop.painted = window((sheet, -99, -99))
    desktop.early = window((drawing(300, 100), 90, 110))
    source = desktop.opened(tmp_path)
    picture = source.read()
    while after > 3 and desktop.now < after + 1:  # it took longer than anybody waits
        picture = source.read()
    assert picture.shape == (VIEW.height, VIEW.width, 3) and source.notice == ""


def test_a_drawing_without_bars_does_not_wait(tmp_path):
    desktop = Late(after=100.0)
    desktop.early = np.full_like(SHEET, 255)
    cv2.line(desktop.early, (100, 100), (600, 420), (0, 0, 0), 5)
    assert np.array_equal(desktop.opened(tmp_path).read(), desktop.early)
    assert desktop.now < 3.3


def test_without_a_sheet_all_of_the_window_is_given_after_a_moment(tmp_path):
    desktop = Late(after=100.0)
    source = desktop.opened(tmp_path)
    assert source.read().shape == SHEET.shape
    began = desktop.now
    source.read()
    assert began < 5.0 and desktop.now - began <= 2 * desktop.step and "no sheet of paper" in source.notice


def test_a_sheet_is_found_while_somebody_draws_already(tmp_path):
    area = Area("canvas", Marked(tmp_path))
    area.starts(0.0)
    pressed = Pointer(200, 200, True)
    area.take(LATE, pressed, 0.0)
    for number in range(1, 20):
        given = area.take(SHEET, pressed, number / 20)
    assert given.shape == drawing().shape and not area.searching


def test_where_the_user_said_it_is_nothing_is_waited_for(tmp_path):
    marked = Marked(tmp_path)
    desktop = Late(after=100.0)
    marked.mark("krita", desktop.all[0].content.size, Rect(10, 10, 50, 40))
    assert desktop.opened(tmp_path).read().shape == (40, 50, 3)


@pytest.mark.parametrize("name", ["krita-dark-100", "mtpaint-dark-50", "gimp-graybeige-50"])
def test_what_was_found_in_a_window_that_was_half_painted_does_not_stay(name):
    picture = np.ascontiguousarray(cv2.imread(str(SHEETS / f"{name}.png"))[..., ::-1])
    height, width = picture.shape[:2]
    right = find_sheet(picture).rect
    covered = picture.copy()  # as the server remembers a window of which only an edge was seen
    covered[int(0.08 * height) : int(0.95 * height), : int(0.78 * width)] = 24
    tracker = Tracker()
    tracker.begin(0.0)
    tracker.look(covered, 0.0)
    assert tracker.there and tracker.sheet.rect != right
    for number in range(1, 80):
        tracker.look(picture, number / 20)
    assert tracker.there and tracker.sheet.rect == right
