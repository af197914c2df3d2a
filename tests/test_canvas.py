"""The sheet of paper in a program's window: found, followed, and without what belongs to the pointer."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from doubles.paintwindow import VIEW, Desk, Hand, a_window, drawing, outline, paper, window
from PIL import Image

from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Rect
from inkstream.stream.sources.screen.area import parse_area
from inkstream.stream.sources.screen.canvas import Sheet, find_sheet
from inkstream.stream.sources.screen.steady import Steady
from inkstream.stream.sources.screen.window import Pointer

SHEETS = Path(__file__).parent / "sheets"
# Krita 5.1, GIMP 2.10, MyPaint 2.0 and mtPaint 3.40, in several themes, dock layouts and zooms. The rectangles are
# where the program itself painted when the sheet was filled; those of mtPaint were measured by hand.
TRUE = {
    "gimp-darkart-400": Rect(209, 104, 1446, 846),
    "gimp-darkdark-fit": Rect(306, 45, 886, 886),
    "gimp-graybeige-50": Rect(418, 320, 448, 298),
    "gimp-lightart-33": Rect(820, 415, 223, 223),
    "gimp-syswhite-100": Rect(296, 108, 898, 840),
    "krita-bigpaint-33": Rect(483, 347, 300, 300),
    "krita-blenderdark-66": Rect(382, 222, 600, 600),
    "krita-brightart-50": Rect(610, 297, 450, 450),
    "krita-dark-100": Rect(385, 90, 900, 864),
    "krita-neutral-200": Rect(72, 90, 926, 584),
    "mtpaint-beige-33": Rect(545, 423, 300, 200),
    "mtpaint-dark-50": Rect(370, 198, 450, 450),
    "mtpaint-small-100": Rect(92, 98, 519, 266),
    "mtpaint-white-400": Rect(92, 98, 789, 566),
    "mypaint-big-empty": Rect(0, 61, 1880, 901),
    "mypaint-small-drawn": Rect(0, 61, 1000, 701),
}


def iou(a, b):
    x, y = max(a.x, b.x), max(a.y, b.y)
    right, bottom = min(a.x + a.width, b.x + b.width), min(a.y + a.height, b.y + b.height)
    both = max(0, right - x) * max(0, bottom - y)
    return both / (a.width * a.height + b.width * b.height - both)


def placed(x, y, width=400, height=300):
    """Where a sheet lies that was laid into the view at ``x, y``."""
    return Rect(VIEW.x + x, VIEW.y + y, width, height)


# --- finding it


@pytest.mark.parametrize("name", TRUE)
def test_the_sheet_is_found_in_real_programs(name):
    found = find_sheet(np.array(Image.open(SHEETS / f"{name}.png").convert("RGB")))
    assert found is not None and iou(found.rect, TRUE[name]) >= 0.98
    assert found.sure >= 0.95


def test_scroll_bars_that_a_zoom_brings_are_no_part_of_the_sheet():
    zoomed = np.array(Image.open(SHEETS / "mtpaint-white-400.png").convert("RGB"))
    before = Sheet(Rect(186, 98, 600, 585), Rect(91, 97, 808, 585), (180, 180, 180), 1.0)
    found = find_sheet(zoomed, before)
    assert found is not None and found.rect == TRUE["mtpaint-white-400"]


def lined(picture, row, column):
    """A screenshot with lines that are drawn all across its sheet."""
    x, y, width, height = TRUE["mtpaint-small-100"]
    part = picture[y : y + height, x : x + width]
    if row is not None:
        part[row : row + 3] = (0, 0, 200)
    if column is not None:
        part[:, column : column + 3] = 0
    return picture


@pytest.mark.parametrize(("row", "column"), [(20, None), (-20, None), (None, 12), (None, -16), (10, 10), (130, 9)])
def test_a_straight_line_along_a_border_of_white_paper_is_drawn_and_no_bar(row, column):
    picture = np.array(Image.open(SHEETS / "mtpaint-small-100.png").convert("RGB"))
    found = find_sheet(lined(picture, row, column))
    assert found is not None and found.rect == TRUE["mtpaint-small-100"]
    assert find_sheet(picture, found).rect == found.rect


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("colour", [(255, 255, 255), (244, 234, 205), (40, 42, 48)])
def test_themes_and_papers(theme, colour):
    for sheet in (paper(colour=colour), drawing()):
        found = find_sheet(window((sheet, 80, 60), theme))
        assert found is not None and found.rect == placed(80, 60) and found.view == VIEW and not found.cut


def test_a_stroke_in_the_colour_of_the_surround_may_break_the_border():
    sheet = paper()
    sheet[100:120] = sheet[:, 200:215] = 128
    found = find_sheet(window((sheet, 80, 60)))
    assert found is not None and found.rect == placed(80, 60)


@pytest.mark.parametrize(
    ("x", "y", "width", "height"), [(-60, 40, 400, 300), (80, -40, 400, 560), (-99, -99, 900, 900)]
)
def test_a_sheet_that_the_view_cuts(x, y, width, height):
    found = find_sheet(window((drawing(width, height), x, y)))
    left, top = max(0, x), max(0, y)
    seen = placed(left, top, min(VIEW.width, x + width) - left, min(VIEW.height, y + height) - top)
    assert found is not None and found.rect == seen and found.cut


def test_a_program_that_shows_the_drawing_alone():
    bare = np.full((600, 800, 3), 180, np.uint8)
    bare[100:500, 150:650] = paper(500, 400)
    found = find_sheet(bare)
    assert found is not None and found.rect == Rect(150, 100, 500, 400)
    whole = find_sheet(paper(800, 600))
    assert whole is not None and whole.rect == Rect(0, 0, 800, 600)


def test_where_nothing_looks_like_a_sheet_nothing_is_found():
    text = np.full((600, 800, 3), 240, np.uint8)
    for row in range(20, 600, 18):
        cv2.putText(text, "all work and no play makes Jack a dull boy " * 3, (8, row), cv2.FONT_HERSHEY_PLAIN, 1, 0)
    assert find_sheet(text) is None
    assert find_sheet(text[:40]) is None


# --- following it


def test_only_the_sheet_is_given_and_it_is_followed():
    desk, sheet = Desk(), drawing()
    assert np.array_equal(desk.show(window((sheet, 80, 60))), sheet)
    before = desk.show(window((sheet, 80, 60)))
    moved = window((sheet, 20, 90))  # scrolled: the picture holds until the sheet is found again
    assert desk.show(moved) is before
    assert np.array_equal(desk.show(moved, count=12), sheet)
    resized = window((sheet, 130, 90), size=(1000, 700), view=Rect(60, 70, 700, 560))
    assert np.array_equal(desk.show(resized), sheet)  # another size of the window is known at once
    assert desk.area.notice == ""


def test_strokes_along_the_border_and_guides_make_nothing_jump():
    desk, sheet = Desk(), paper()
    desk.show(window((sheet, 80, 60)))
    for width in range(0, 400, 20):
        sheet = sheet.copy()
        sheet[:30, :width] = sheet[:, :12] = 110  # nearly the colour of the surround
        shown = window((sheet, 80, 60))
        shown[VIEW.y + 55 : VIEW.y + 65, VIEW.x + 200 : VIEW.x + 204] = 0
        assert desk.show(shown, Pointer(0, 0, True)).shape == sheet.shape
    assert np.array_equal(desk.show(window((sheet, 80, 60)), Pointer(0, 0), 40), sheet)


def test_a_sheet_that_is_filled_is_the_same_sheet():
    desk = Desk()
    desk.show(window((paper(), 80, 60)))
    full = paper(colour=(200, 30, 40))
    assert np.array_equal(desk.show(window((full, 80, 60)), count=2), full)


def test_without_a_sheet_all_of_the_window_is_given_and_people_are_told():
    empty = window((paper(), 80, 60))  # a start page
    empty[VIEW.y : VIEW.y + VIEW.height + 12, VIEW.x : VIEW.x + VIEW.width + 190] = 75
    for row in range(80, 540, 16):
        cv2.putText(empty, "Open a recent drawing: " * 3, (70, row), cv2.FONT_HERSHEY_PLAIN, 1, (220, 220, 220))
    desk = Desk()
    assert desk.show(empty).shape == empty.shape
    assert "no sheet of paper was found" in desk.area.notice and "area=x,y,width,height" in desk.area.notice
    assert desk.show(window((drawing(), 80, 60)), count=40).shape == (300, 400, 3)
    assert desk.area.notice == ""
    held = desk.show(empty, count=120)
    assert held.shape == (300, 400, 3) and "the picture holds" in desk.area.notice


def test_a_part_by_hand_and_the_whole_window():
    shown = window((drawing(), 80, 60))
    assert np.array_equal(Desk("window").show(shown), shown)
    assert np.array_equal(Desk(Rect(700, 500, 400, 400)).show(shown), shown[500:, 700:])
    with pytest.raises(ConfigError, match="area: got 40x40 at 900,0, expected a part of the window, which is 820x600"):
        Desk(Rect(900, 0, 40, 40)).show(shown)
    assert parse_area(" Canvas ") == "canvas" and parse_area("1,2,30,40") == Rect(1, 2, 30, 40)
    with pytest.raises(ConfigError, match=r"area: got 'sheet', expected canvas, window, or x,y,width,height"):
        parse_area("sheet")


def test_a_window_that_paints_its_bars_late():
    desk = Desk()
    assert desk.show(paper(820, 600)).shape == (600, 820, 3)
    assert np.array_equal(desk.show(window((drawing(), 80, 60)), count=40), drawing())


def test_a_window_that_became_so_small_that_the_sheet_was_outside_of_it():
    desk, sheet = Desk(), paper(200, 300)
    before = desk.show(window((sheet, 340, 60)), count=20)
    assert np.array_equal(before, sheet)
    text = np.full((300, 320, 3), 75, np.uint8)  # not painted anew yet
    for row in range(20, 300, 16):
        cv2.putText(text, "all work and no play makes Jack a dull boy", (8, row), cv2.FONT_HERSHEY_PLAIN, 1, 255)
    assert desk.show(text, count=9) is before
    small = window((drawing(200, 150), 30, 20), size=(500, 360), view=Rect(60, 70, 260, 220))
    assert desk.show(small, count=20).shape == (150, 200, 3)


def test_another_window_begins_anew():
    desk = Desk()
    desk.area.begin(a_window(1))
    desk.show(window((drawing(), 80, 60)))
    desk.area.begin(a_window(1))
    assert desk.show(window((drawing(), 20, 90))).shape == (300, 400, 3)
    desk.area.begin(a_window(2))
    other = paper(200, 150)
    assert np.array_equal(desk.show(window((other, 20, 90))), other)


# --- no pen, no cursor


@pytest.mark.parametrize("radius", [5, 17, 90])
def test_hovering_changes_nothing(radius):
    hand = Hand(drawing(), radius)
    way = [(-60, 150), (200, 150), (395, 20), (420, 200), (50, 290), (200, 100)]
    assert hand.along(way) == 0
    assert hand.at(200, 100, count=60) == 0
    assert hand.at(60, 60, lag=(60, 60), count=60) == 0  # in one leap
    hand.radius += 6  # a wider brush, chosen with a key
    assert hand.at(60, 60, count=60) == 0
    assert np.array_equal(hand.given, drawing())


def test_a_stroke_counts_at_once_and_leaves_no_outline():
    hand = Hand(paper())
    hand.along([(-60, 150), (100, 150)])
    hand.at(100, 150, count=30)
    for x in range(100, 300, 10):
        hand.sheet = hand.sheet.copy()
        hand.sheet[140:161, 90 : x + 11] = 0
        assert hand.at(x, 150, pressed=True) == 1
        assert (hand.given[150, 100:x] < 128).all()
    hand.at(290, 150, count=60)
    wrong = np.abs(hand.given.astype(int) - hand.sheet).max(2) > 64
    assert wrong.mean() < 0.004  # of what the outline hides the most is known
    hand.along([(290, 150), (100, 280), (-60, 290)])
    hand.at(-60, 290, count=30)
    assert np.array_equal(hand.given, hand.sheet)


def test_a_tap_that_only_one_look_met_counts_at_once():
    hand = Hand(paper())
    hand.along([(-60, 150), (200, 150)])
    hand.at(200, 150, count=30)
    assert hand.at(200, 150, pressed=True) == 0  # the program has not drawn it yet
    hand.sheet = hand.sheet.copy()
    cv2.circle(hand.sheet, (200, 150), 9, (0, 0, 0), -1)
    assert hand.at(200, 150) == 1
    assert (hand.given[145:156, 195:206] == 0).all()
    hand.at(200, 150, count=60)
    assert (hand.given[145:156, 195:206] == 0).all() and (np.abs(hand.given[100:130].astype(int) - 255) < 9).all()


def test_an_undo_elsewhere_counts_at_once_and_under_the_pointer_when_that_left():
    start = paper()
    start[20:60, 20:200] = 0
    start[200:260, 250:380] = (200, 30, 30)
    hand = Hand(start)
    hand.along([(-60, 250), (300, 230)])
    hand.at(300, 230, count=30)
    hand.sheet = hand.sheet.copy()
    hand.sheet[20:60, 20:200] = 255
    assert hand.at(300, 230) == 1 and (hand.given[20:60, 20:200] == 255).all()
    hand.at(310, 232)
    hand.sheet = hand.sheet.copy()
    hand.sheet[200:260, 250:380] = 255
    assert hand.at(312, 233, count=3) == 0
    hand.along([(312, 233), (100, 100), (-60, 100)])
    hand.at(-60, 100, count=30)
    assert np.array_equal(hand.given, hand.sheet)


def test_what_changes_while_the_pointer_rests_was_not_the_pointer():
    hand = Hand(paper())
    hand.along([(-60, 250), (200, 150)])
    hand.at(200, 150, count=30)
    hand.sheet = hand.sheet.copy()
    hand.sheet[100:290, 150:390] = (30, 90, 200)  # a filter, or an undo, below it
    assert hand.at(200, 150) == 1
    assert np.abs(hand.given.astype(int) - hand.sheet).max(2).astype(bool).mean() < 0.005


def test_a_fill_that_came_while_the_pointer_still_moved_counts_once_it_rests():
    hand = Hand(paper())
    hand.along([(-60, 250), (200, 150)])
    hand.at(205, 150)
    hand.sheet = hand.sheet.copy()
    hand.sheet[100:290, 150:390] = (30, 90, 200)  # by a key, or by a program that takes its time
    hand.at(208, 152)
    hand.at(208, 152, count=30)
    assert np.abs(hand.given.astype(int) - hand.sheet).max(2).astype(bool).mean() < 0.005
    assert hand.at(208, 152, count=60) == 0


def test_without_a_pointer_everything_counts():
    steady = Steady()
    steady.take(paper(), None, 0.0)
    changed = outline(paper(), 100, 100)
    assert np.array_equal(steady.take(changed, None, 0.1), changed)
    assert steady.take(paper(50, 40), None, 0.2).shape == (40, 50, 3)
