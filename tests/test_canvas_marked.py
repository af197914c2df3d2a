"""Where the user said that the canvas is: it counts, and is remembered."""

from dataclasses import replace

import numpy as np
import pytest
from doubles.paintwindow import Desk, a_window, drawing, window

from inkstream.stream.base.frame import Rect, Size
from inkstream.stream.sources.screen.area import Area
from inkstream.stream.sources.screen.marked import Marked, document_in


def test_what_the_user_said_counts_is_remembered_and_can_be_taken_back(tmp_path):
    desk, marked = Desk(), Marked(tmp_path)
    desk.area = Area("canvas", marked)
    desk.area.begin(a_window(1))
    assert desk.area.view() is None
    whole = window((drawing(), 80, 60))
    assert np.array_equal(desk.show(whole), drawing())
    picture, rect = desk.area.view()
    assert np.array_equal(picture, whole) and rect.size == (400, 300)
    said = Rect(rect.x + 10, rect.y + 20, 200, 100)
    desk.area.mark(said)
    assert np.array_equal(desk.show(whole), drawing()[20:120, 10:210])
    assert desk.area.notice == "" and desk.area.view()[1] == said
    again = Desk()
    again.area = Area("canvas", marked)
    again.area.begin(a_window(5))  # another window of the same program and size, on another day
    assert np.array_equal(again.show(whole), drawing()[20:120, 10:210])
    other = Desk()
    other.area = Area("canvas", marked)
    other.area.begin(a_window(5, "gimp"))
    assert np.array_equal(other.show(whole), drawing())
    desk.area.mark(None)
    assert np.array_equal(desk.show(whole), drawing())
    assert marked.of("krita", Size.of(whole)) is None


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("sheet.kra (1.2 MiB) * — Krita", "sheet.kra"),
        ("my car v2.png [Modified] — Krita", "my car v2.png"),
        ("mtPaint 3.40 - /home/ann/house.png (Modified)", "house.png"),
        ("*sheet.xcf-1.0 (RGB color 8-bit, 1 layer) 600x600 – GIMP", "sheet.xcf"),
        ("[sheet] (imported)-1.0 (RGB color 8-bit, 1 layer) 600x600 – GIMP", "sheet"),
        ("*[Untitled]-2.0 (RGB color 8-bit, 1 layer) 600x600 – GIMP", ""),
        ("a.b.PSD @ 50% (RGB/8) *", "a.b.PSD"),
        (r"C:\Users\ann\face.clip - CLIP STUDIO PAINT", "face.clip"),
        ("Krita", ""),
        ("news.pnginfo.html - Browser", ""),
        ("", ""),
    ],
)
def test_a_title_may_name_the_document(title, name):
    assert document_in(title) == name


def test_what_the_user_said_is_remembered_for_each_document(tmp_path):
    marked, whole = Marked(tmp_path), window((drawing(), 80, 60))

    def shown(title):
        desk.area.begin(replace(a_window(1), title=title))
        return desk.show(whole)

    desk = Desk()
    desk.area = Area("canvas", marked)
    assert np.array_equal(shown("house.kra — Krita"), drawing())
    rect = desk.area.view()[1]
    desk.area.mark(Rect(rect.x, rect.y, 200, 100))
    assert np.array_equal(shown("house.kra — Krita"), drawing()[:100, :200])
    assert shown("car.kra — Krita").shape == (100, 200, 3)  # nobody said anything of this one
    desk.area.mark(Rect(rect.x + 10, rect.y, 300, 50))
    assert np.array_equal(shown("car.kra * — Krita"), drawing()[:50, 10:310])
    assert np.array_equal(shown("house.kra (2 MiB) * — Krita"), drawing()[:100, :200])
    desk = Desk()  # on another day
    desk.area = Area("canvas", marked)
    assert np.array_equal(shown("house.kra — Krita"), drawing()[:100, :200])
    assert shown("boat.kra — Krita").shape == (50, 300, 3)  # as was said last
    desk.area.mark(None)
    assert np.array_equal(shown("boat.kra — Krita"), drawing())
    assert np.array_equal(shown("house.kra — Krita"), drawing()[:100, :200])
    assert np.array_equal(shown("Krita"), drawing())


def test_of_a_part_that_was_named_nothing_is_said(tmp_path):
    desk = Desk()
    desk.area = Area(Rect(80, 60, 40, 30), Marked(tmp_path))
    desk.area.begin(a_window(1))
    desk.show(window((drawing(), 80, 60)))
    desk.area.mark(Rect(0, 0, 9, 9))
    assert desk.show(window((drawing(), 80, 60))).shape == (30, 40, 3)
    assert desk.area.view() is None and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"krita 90x90": 3}', '{"krita 90x90": [0, 0, 91, 9]}', '{"krita 90x90": [0, 0, 0, 9]}']
)
def test_a_spoilt_memory_of_canvases_is_as_good_as_none(tmp_path, text):
    (tmp_path / "canvas.json").write_text(text)
    marked = Marked(tmp_path)
    assert marked.of("krita", Size(90, 90)) is None
    marked.mark("Krita", Size(90, 90), Rect(1, 2, 3, 4))
    assert marked.of("krita", Size(90, 90)) == Rect(1, 2, 3, 4)
