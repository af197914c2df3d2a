"""The whole sheet of paper is given, also while a detail of it fills the view."""

import cv2
import numpy as np
import pytest
from doubles.paintwindow import VIEW, drawing, paper, window

from inkstream.stream.sources.screen.area import Area
from inkstream.stream.sources.screen.register import find_place


def larger(picture, scale, hard=False):
    way = cv2.INTER_NEAREST if hard else cv2.INTER_LINEAR
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)


def off(a, b):
    """The share of pixels that differ clearly."""
    assert a.shape == b.shape
    return float((np.abs(a.astype(int) - b).max(2) > 60).mean())


class Artist:
    """Gives pictures of a window to an area, 30 a second."""

    def __init__(self):
        self.area = Area()
        self.now = 0.0

    def sees(self, sheet, x, y, count=40, pointer=None):
        shown = window((sheet, x, y))
        for _ in range(count):
            self.now += 1 / 30
            given = self.area.take(shown.copy(), pointer, self.now)
        return given


@pytest.mark.parametrize(("scale", "x", "y"), [(1.25, 100, 60), (2.0, 30, 200), (3.3, 60, 50), (4.0, 240, 90)])
def test_a_detail_is_found_in_the_sheet(scale, x, y):
    sheet = drawing(800, 600)
    height, width = min(600 - y, round(460 / scale)), min(800 - x, round(560 / scale))
    part = larger(sheet[y : y + height, x : x + width], scale, hard=scale == 4)
    place = find_place(sheet, part, None)
    assert place is not None
    assert abs(place.scale / scale - 1) < 0.01 and abs(place.x - x) < 1 and abs(place.y - y) < 1


def test_a_detail_that_fits_in_several_places_is_not_found():
    sheet = paper(800, 600)
    sheet[280:300] = 0  # the same everywhere along the line
    assert find_place(sheet, larger(sheet[200:400, 300:540], 2.0), None) is None
    for x in (100, 300, 500):  # three alike
        cv2.circle(sheet, (x, 150), 60, (0, 0, 0), 4)
    assert find_place(sheet, larger(sheet[60:240, 210:390], 2.0), None) is None
    assert find_place(sheet, paper(500, 400), None) is None


def test_the_whole_sheet_is_given_while_a_detail_is_drawn():
    artist, sheet = Artist(), drawing()
    whole = artist.sees(sheet, 80, 60)
    for scale, x, y in ((2.0, -40, -30), (2.0, -120, -100), (3.0, -300, -260)):  # in, along, and in further
        seen = artist.sees(larger(sheet, scale), x, y)
        assert off(seen, whole) < 0.001 and artist.area.notice == ""
    drawn = larger(sheet, 3.0)
    cv2.line(drawn, (400, 400), (600, 600), (10, 10, 200), 18, cv2.LINE_AA)
    expected = cv2.resize(drawn, (400, 300), interpolation=cv2.INTER_AREA)
    seen = artist.sees(drawn, -300, -260, count=1)  # at once
    assert off(seen, expected) < 0.001 and off(seen, whole) > 0.004
    assert off(artist.sees(expected, 80, 60), expected) == 0
    assert artist.area.notice == ""


def test_a_detail_that_cannot_be_told_leaves_the_sheet_as_it_was():
    artist, sheet = Artist(), drawing()
    sheet[20:60, 20:60] = 255
    whole = artist.sees(sheet, 80, 60)
    blank = paper(1600, 1200)
    assert artist.sees(blank, -300, -300) is whole
    assert "cannot be told" in artist.area.notice and "zoom out" in artist.area.notice
    assert np.array_equal(artist.sees(sheet, 80, 60), sheet)
    assert artist.area.notice == ""


def test_what_was_drawn_unseen_comes_along_when_the_place_is_known_again():
    artist, sheet = Artist(), drawing()
    artist.sees(sheet, 80, 60)
    cv2.circle(sheet, (60, 250), 12, (0, 0, 0), -1)
    seen = artist.sees(larger(sheet, 2.0), -10, -130)
    assert off(seen, sheet) < 0.003


def test_another_size_of_the_sheet_begins_anew():
    artist = Artist()
    artist.sees(drawing(), 80, 60)
    wider = drawing(500, 300)
    assert np.array_equal(artist.sees(wider, 30, 60), wider)


def test_an_empty_sheet_and_one_without_an_end_are_given_as_they_are_seen():
    artist = Artist()
    artist.sees(paper(), 80, 60)
    detail = paper(900, 900)
    detail[300:320, 200:600] = 0
    assert artist.sees(detail, -100, -100).shape == (VIEW.height, VIEW.width, 3)
    endless = Artist()
    first = endless.sees(larger(drawing(), 4.0), -300, -300)
    second = endless.sees(larger(drawing(), 4.0), -500, -400)
    assert first.shape == second.shape == (VIEW.height, VIEW.width, 3) and off(first, second) > 0.05
