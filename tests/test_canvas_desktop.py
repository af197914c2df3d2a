"""The sheet of paper in real paint programs, with a window manager: found, followed, and hovered over."""

import itertools

import cv2
import numpy as np
import pytest
from doubles.paintprogram import CASES, SIDE, Program, Watcher, begin, hover, inked, keep, needs
from doubles.x11 import Painter, x_server
from PIL import Image

from inkstream.stream.base.errors import SourceUnavailable
from inkstream.stream.sources.screen.canvas import find_sheet


@pytest.fixture
def display(monkeypatch):
    with x_server(screen="1920x1080x24") as (name, _):
        monkeypatch.setenv("DISPLAY", name)
        for variable in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "WINDOWID"):
            monkeypatch.delenv(variable, raising=False)
        yield name


@pytest.mark.desktop_full
def test_mtpaint_gives_its_sheet_alone_and_hovering_changes_nothing(display, tmp_path):
    needs("xdotool", "mtpaint")
    drawing = np.full((300, 400, 3), (250, 245, 230), np.uint8)
    cv2.circle(drawing, (200, 150), 90, (20, 60, 160), 12)
    cv2.polylines(drawing, [np.array([(170, 40), (240, 110), (250, 50), (180, 120)])], False, (160, 30, 20), 3)
    Image.fromarray(drawing).save(tmp_path / "drawing.png")
    program = Program(display, tmp_path, ["mtpaint", tmp_path / "drawing.png"], "mtpaint", (900, 700))
    try:
        watcher = Watcher(program)
        watcher.until(lambda picture: picture.shape == drawing.shape and np.array_equal(picture, drawing))
        assert watcher.source.notice == ""
        corner = watcher.corner()
        program.xdotool("mousemove", corner[0] - 280, corner[1] - 160, "click", 1, "sleep", 0.2)  # the pencil
        assert hover(program, watcher, corner, (400, 300), 2) == 0
        x, y = corner[0] + 60, corner[1] + 40
        program.xdotool("mousemove", corner[0] + 320, corner[1] + 270, "sleep", 0.5, "click", 1)  # a tap
        watcher.until(lambda picture: (picture[269:272, 319:322] < 100).any(), limit=5)
        program.xdotool("key", "ctrl+z", "mousemove", 1000, 900)
        watcher.until(lambda picture: np.array_equal(picture, drawing), limit=5)
        hand = program.stroke((x, y), (x + 40, y + 30), (x + 90, y + 10))
        watcher.until(lambda picture: inked(picture, drawing, (60, 40), (100, 70)), limit=5)
        assert hand.wait(10) == 0
        program.xdotool("mousemove", 1000, 900)
        drawn = watcher.still(20)
        changed = np.argwhere((drawn != drawing).any(2))
        assert changed.min(0)[0] >= 30 and changed.max(0)[0] <= 80 and len(changed) > 20
        program.xdotool("mousemove", corner[0] + 200, corner[1] + 60, "key", "5")  # 400 %, round the pointer
        assert watcher.settle().shape == drawing.shape and np.abs(watcher.last.astype(int) - drawn).mean() < 1.5
        before = watcher.last
        hand = program.stroke((500, 400), (580, 440))
        watcher.until(lambda picture: not np.array_equal(picture, before), limit=10)
        assert hand.wait(10) == 0
        program.xdotool("mousemove", 1000, 900)
        closer = watcher.still(30)
        keep(closer, "mtpaint-zoomed", tmp_path.parent / "sheets")
        ys, xs = np.nonzero(np.abs(closer.astype(int) - drawn).max(2) > 60)  # one stroke, and nothing else
        assert len(ys) >= 20 and np.ptp(ys) in range(8, 13) and np.ptp(xs) in range(18, 23)
        program.xdotool("mousemove", corner[0] + 200, corner[1] + 60, "key", "4", "mousemove", 1000, 900)
        whole = watcher.settle()
        assert whole.shape == closer.shape and np.abs(whole.astype(int) - closer).max(2).mean() < 0.1
        drawn = whole
        program.xdotool("mousemove", *corner, "key", "3")  # 50 %
        smaller = watcher.until(lambda picture: picture.shape == (150, 200, 3), limit=10)
        assert np.abs(smaller.astype(int) - cv2.resize(drawn, (200, 150))).mean() < 12
        watcher.source.close()
    finally:
        program.close()


@pytest.mark.desktop_full
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", CASES)
def test_the_sheet_at_every_zoom(name, display, tmp_path):
    program, layout, size, zooms, fill = begin(name, display, tmp_path)
    folder = tmp_path.parent / "sheets"
    try:
        whole = Watcher(program, ",area=window")
        whole.until(find_sheet, limit=90)  # the file is open
        whole.still(60)
        program.xdotool("mousemove", size[0] * 0.45, size[1] * 0.55, "key", "p" if "gimp" in name else "b")
        if layout == "Tab":
            program.xdotool("key", "Tab")
        whole.settle()
        for number, keys in enumerate(zooms):
            program.xdotool("key", *keys)
            picture = whole.settle()
            program.xdotool("key", fill)
            filled = whole.settle()
            program.xdotool("key", "ctrl+z")
            whole.settle()
            differs = cv2.morphologyEx((picture != filled).any(2).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7)))
            _, _, stats, _ = cv2.connectedComponentsWithStats(differs)
            x, y, width, height = stats[1 + stats[1:, 4].argmax()][:4]
            keep(picture, f"{name}-{number}", folder)
            found = find_sheet(picture)
            assert found is not None, keys
            a, b = found.rect, (x, y, x + width, y + height)
            across = min(a.x + a.width, b[2]) - max(a.x, b[0])
            down = min(a.y + a.height, b[3]) - max(a.y, b[1])
            assert across * down / (a.width * a.height + width * height - across * down) >= 0.98, (keys, a, b)
        whole.source.close()
    finally:
        program.close()


@pytest.mark.desktop_full
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", ["krita-dark", "krita-bright", "gimp-dark", "gimp-light"])
def test_ten_seconds_of_hovering_menus_and_a_cover_change_nothing(name, display, tmp_path):
    program, _, size, zooms, _ = begin(name, display, tmp_path)
    try:
        whole = Watcher(program, ",area=window")
        whole.until(find_sheet, limit=90)
        whole.still(60)
        whole.source.close()
        program.xdotool("windowfocus", program.window, "key", *zooms[0])
        program.xdotool("mousemove", size[0] * 0.5, size[1] * 0.5, "key", "p" if "gimp" in name else "b")
        program.point(1900, 1070)
        watcher = Watcher(program)
        empty = watcher.still(60)
        corner, sides = watcher.corner(), empty.shape[1::-1]
        assert hover(program, watcher, corner, sides, 7) == 0  # 7 x 45 pictures at 30 a second
        program.xdotool("mousemove", 60, 60, "key", "alt+f")  # the menu of files
        assert watcher.changes(130) == 0
        program.xdotool("key", "Escape", "sleep", 0.3, "key", "ctrl+o")  # a dialog
        assert watcher.changes(130) == 0
        keep(watcher.screen(), f"{name}-dialog", tmp_path.parent / "sheets")
        program.xdotool("key", "Escape")
        with_cover = Painter(display)
        with_cover.window("mail: a secret", (corner[0] + 20, corner[1] + 20, 300, 200), 0xFF0000)
        assert watcher.changes(240) == 0
        with_cover.close()
        watcher.still(30)
        start, end = (sides[0] // 4, 60), (sides[0] // 2, 120)
        (x, y), goal = (tuple(a + b for a, b in zip(corner, place, strict=True)) for place in (start, end))
        program.point(x, y)
        watcher.still(30)
        hand = program.stroke((x, y), goal)
        watcher.until(lambda picture: inked(picture, empty, start, end), limit=5)
        assert hand.wait(10) == 0
        keep(watcher.last, f"{name}-stroke", tmp_path.parent / "sheets")
        watcher.source.close()
    finally:
        program.close()


@pytest.mark.desktop_full
@pytest.mark.timeout(200)
def test_mypaint_has_a_sheet_without_an_end(display, tmp_path):
    needs("xdotool", "openbox", "mypaint")
    program = Program(display, tmp_path, ["mypaint"], "mypaint", (1400, 900))
    try:
        watcher = None
        while watcher is None:
            try:
                watcher = Watcher(program)
            except SourceUnavailable:
                program.window = program.largest("mypaint")
        picture = watcher.until(lambda seen: 1372 <= seen.shape[1] <= 1400 and seen.shape[0] < 850)
        assert np.array_equal(np.unique(picture.reshape(-1, 3), axis=0), [(168, 164, 152)])
        assert watcher.source.notice == ""
        watcher.source.close()
    finally:
        program.close()


def scene():
    """A drawing with lines everywhere, so that each part of it is known again."""
    sheet = np.full((SIDE, SIDE, 3), 255, np.uint8)
    cv2.circle(sheet, (300, 300), 210, (20, 60, 160), 14)
    cv2.rectangle(sheet, (60, 420), (330, 560), (150, 40, 30), 8)
    points = [(80, 90), (200, 330), (250, 120), (330, 360), (410, 180), (520, 480)]
    cv2.polylines(sheet, [np.array(points)], False, (30, 110, 40), 6, cv2.LINE_AA)
    for x in range(40, 600, 70):
        cv2.line(sheet, (x, 20), (x + 25, 60 + x // 12), (10, 10, 10), 3, cv2.LINE_AA)
    return sheet


def fitted(name, display, home):
    """A program with ``scene``, fitted into its view, with a brush; and a watcher that saw all of it."""
    program, _, size, zooms, _ = begin(name, display, home, scene())
    whole = Watcher(program, ",area=window")
    whole.until(find_sheet, limit=90)
    whole.still(60)
    whole.source.close()
    program.xdotool("windowfocus", program.window, "key", *zooms[0])
    program.xdotool("mousemove", size[0] * 0.5, size[1] * 0.5, "key", "p" if "gimp" in name else "b")
    program.point(1900, 1070)
    watcher = Watcher(program)
    watcher.still(60)
    return program, watcher


@pytest.mark.desktop_full
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", ["krita-dark", "gimp-dark"])
def test_a_stroke_in_a_detail_that_was_zoomed_into_is_laid_into_the_whole_sheet(name, display, tmp_path):
    program, watcher = fitted(name, display, tmp_path)
    folder = tmp_path.parent / "sheets"
    try:
        before = watcher.last
        keep(before, f"{name}-detail-before", folder)
        corner, sides = watcher.corner(), before.shape[1::-1]
        middle = corner[0] + sides[0] // 2, corner[1] + sides[1] // 2
        # Closer, round the pointer, until the view cuts the sheet on all sides.
        closer_keys = ["1", "equal", "equal"] if "krita" in name else ["2", "3"]
        program.xdotool("mousemove", *middle, *itertools.chain(*(["key", key, "sleep", 0.5] for key in closer_keys)))
        program.point(1900, 1070)
        closer = watcher.settle()
        keep(watcher.screen(), f"{name}-detail-screen", folder)
        assert watcher.source.notice == ""
        assert closer.shape == before.shape and np.abs(closer.astype(int) - before).mean() < 3
        program.point(middle[0] - 100, middle[1] - 60)
        watcher.still(30)
        hand = program.stroke((middle[0] - 100, middle[1] - 60), (middle[0] + 60, middle[1] + 80))
        watcher.until(lambda picture: (np.abs(picture.astype(int) - closer).max(2) > 60).sum() > 40, limit=10)
        assert hand.wait(10) == 0
        program.point(1900, 1070)
        drawn = watcher.still(40)
        keep(drawn, f"{name}-detail-drawn", folder)
        assert drawn.shape == before.shape
        program.xdotool("mousemove", *middle, "key", "2" if "krita" in name else "shift+ctrl+j")
        program.point(1900, 1070)
        whole = watcher.settle()
        keep(whole, f"{name}-detail-whole", folder)
        assert watcher.source.notice == "" and np.abs(np.subtract(whole.shape, before.shape)).max() <= 4
        program.xdotool("mousemove", *middle, "key", "ctrl+z")
        program.point(1900, 1070)
        undone = watcher.settle()
        assert undone.shape == whole.shape and np.abs(cv2.resize(undone, sides).astype(int) - before).mean() < 6
        here = np.abs(drawn.astype(int) - before).max(2) > 60
        there = np.abs(whole.astype(int) - undone).max(2) > 60
        there = cv2.resize(there.astype(np.uint8), sides, interpolation=cv2.INTER_NEAREST) > 0
        assert there.sum() > 100  # the program shows the stroke
        wide = lambda mask: cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert wide(there)[here].mean() > 0.95 and wide(here)[there].mean() > 0.95
        watcher.source.close()
    finally:
        program.close()


def select(program, watcher, start, end):
    """Drag a rectangle until the program has taken it whole: one that is slow lets go of it early."""
    (left, top), (right, bottom) = start, end
    x, y = (left + right) // 2, (top + bottom) // 2
    for _ in range(4):
        seen = watcher.screen()
        assert program.stroke(start, end, (right + 2, bottom + 2), end).wait(20) == 0
        for _ in range(20):
            watcher.changes(10)
            shown = (watcher.screen() != seen).any(2)
            far = shown[y - 12 : y + 13, right - 4 : right + 5], shown[bottom - 4 : bottom + 5, x - 12 : x + 13]
            if all(side.any() for side in far):
                return
        program.xdotool("key", "ctrl+shift+a")  # nothing is selected
        watcher.changes(90)
    raise AssertionError("the program selects less than what was dragged")


@pytest.mark.desktop_full
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", ["krita-dark", "gimp-dark"])
def test_real_marching_ants_are_no_ink_and_a_stroke_among_them_is(name, display, tmp_path):
    program, watcher = fitted(name, display, tmp_path)
    folder = tmp_path.parent / "sheets"
    try:
        before = watcher.last
        corner, sides = watcher.corner(), before.shape[1::-1]
        at = lambda x, y: (round(corner[0] + x * sides[0]), round(corner[1] + y * sides[1]))
        program.xdotool("key", "r" if "gimp" in name else "ctrl+r")
        select(program, watcher, at(0.25, 0.2), at(0.75, 0.7))
        program.xdotool("key", "Return" if "gimp" in name else "ctrl+h", "ctrl+h" if "krita" in name else "Escape")
        # What a program draws just after a stroke is that stroke, and GIMP's ants stand still while the pointer moves.
        watcher.changes(150)
        program.xdotool("key", "p" if "gimp" in name else "b")
        shown = []
        steady = lambda: np.array_equal(shown[-1], before) and all(each is shown[-1] for each in shown[-12:])
        # In the middle of them, all the time; a program that is half a second late may show its outline meanwhile.
        while len(shown) < 40 or (len(shown) < 200 and not steady()):
            program.point(*at(0.45 + 0.02 * (len(shown) % 5), 0.4 + 0.01 * (len(shown) % 7)))
            watcher.changes(3)
            shown.append(watcher.last)
        keep(watcher.screen(), f"{name}-ants-screen", folder)
        keep(before, f"{name}-ants-before", folder)
        keep(watcher.last, f"{name}-ants", folder)
        assert steady()
        start, end = at(0.4, 0.35), at(0.6, 0.55)
        program.point(*start)
        hand = program.stroke(start, end, at(0.42, 0.5), at(0.6, 0.5))
        places = [(a - corner[0], b - corner[1]) for a, b in (start, end)]
        watcher.until(lambda picture: inked(picture, before, *places), limit=5)
        assert hand.wait(10) == 0
        program.point(1900, 1070)
        drawn = watcher.still(40)
        keep(drawn, f"{name}-ants-stroke", folder)
        changed = (drawn != before).any(2)
        ys, xs = np.nonzero(changed)
        assert xs.min() > 0.3 * sides[0] and xs.max() < 0.7 * sides[0]
        assert ys.min() > 0.25 * sides[1] and ys.max() < 0.65 * sides[1]
        watcher.source.close()
    finally:
        program.close()


@pytest.mark.desktop_full
def test_the_ants_of_mtpaint_are_no_ink(display, tmp_path):
    needs("xdotool", "mtpaint")
    Image.fromarray(scene()).save(tmp_path / "drawing.png")
    program = Program(display, tmp_path, ["mtpaint", tmp_path / "drawing.png"], "mtpaint", (1000, 900))
    try:
        watcher = Watcher(program)
        watcher.until(lambda picture: np.array_equal(picture, scene()))
        corner = watcher.corner()
        seen = watcher.screen()
        program.point(corner[0] + 300, corner[1] + 250)
        program.xdotool("key", "ctrl+a")  # all of it is selected: ants along its border
        watcher.changes(60)
        ants = watcher.screen()
        keep(ants, "mtpaint-ants-screen", tmp_path.parent / "sheets")
        border = (slice(corner[1], corner[1] + 2), slice(corner[0], corner[0] + SIDE))
        assert (ants[border] != seen[border]).any()  # they are there
        for number in range(30):
            program.point(corner[0] + 300 + number % 5 * 12, corner[1] + 250 + number % 7 * 9)
            watcher.changes(3)
        keep(watcher.last, "mtpaint-ants", tmp_path.parent / "sheets")
        assert np.array_equal(watcher.last, scene())
        watcher.source.close()
    finally:
        program.close()
