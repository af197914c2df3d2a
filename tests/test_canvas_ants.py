"""What a hand draws is told from what a program draws around it: marching ants, and brush outlines of any width."""

import math

import cv2
import numpy as np
import pytest
from doubles.paintwindow import Hand, drawing, outline, paper

from inkstream.stream.sources.screen.steady import Steady
from inkstream.stream.sources.screen.window import Pointer


def dashes(picture, x, y, radius):
    """The same with the outline of a brush in dashes."""
    picture = picture.copy()
    for angle in range(0, 360, 20):
        cv2.ellipse(picture, (x, y), (radius, radius), 0, angle, angle + 10, (0, 0, 0), 1)
    return picture


def hatching(number):
    """To and fro in about three pictures each, and a bit on with each line."""
    line, step = divmod(number, 4)
    share = step / 3 if line % 2 == 0 else 1 - step / 3
    return round(100 + 6 * line + 60 * share), round(100 + 90 * share)


def eye(number):
    """Round and round in less and less of a circle."""
    size = 34 * (1 - number / 80)
    return round(180 + 1.4 * size * math.cos(0.9 * number)), round(150 + size * math.sin(0.9 * number))


def dots(number):
    """Every third picture at another place."""
    place = number // 3
    return 130 + 53 * place % 110, 100 + 37 * place % 90


def draw(hand, places, pressed=lambda number: True):
    """Draw through places; the most pixels of ink that were not given three pictures after the program drew them."""
    last, drawn, late = None, np.full(hand.sheet.shape[:2], 0), []
    for number, place in enumerate(places):
        sheet = hand.sheet.copy()
        if pressed(number):
            cv2.line(sheet, last or place, place, (20, 20, 20), 4, cv2.LINE_AA)
        drawn[(sheet != hand.sheet).any(2)] = number
        hand.sheet = sheet
        hand.at(*place, pressed(number), last)
        last = place if pressed(number) else None
        missing = (hand.given.min(2) > 120) & (sheet.max(2) < 100)
        late.append(int((missing & (number - drawn >= 3)).sum()))
    return max(late)


@pytest.mark.parametrize(("shape", "radius"), [(outline, 17), (outline, 90), (dashes, 45)])
def test_hatching_an_eye_and_dots_count_at_once(shape, radius):
    for way, pressed in ((hatching, lambda n: True), (eye, lambda n: True), (dots, lambda n: n % 3 < 2)):
        hand = Hand(paper(), radius, shape)
        hand.along([(-60, 150), (140, 150)])
        assert draw(hand, [way(number) for number in range(54)], pressed) <= 60


def marching(sheet, corner, other, step):
    """The sheet with the border of a selection, as it is shown at a step of its march."""
    border = np.zeros(sheet.shape[:2], np.uint8)
    cv2.rectangle(border, corner, other, 1)
    ys, xs = np.nonzero(border)
    shown = sheet.copy()
    shown[ys, xs] = ((xs + ys + step // 4) // 5 % 2 * 255)[:, None]
    return shown


def test_marching_ants_are_no_ink():
    steady, sheet, now = Steady(), drawing(), 0.0
    steady.take(sheet, Pointer(20, 20), now)
    given = steady.take(sheet, Pointer(20, 20, True), now := now + 0.03)  # the selection is dragged
    outputs = []
    for step in range(200):
        shown = marching(sheet, (60, 50), (330, 240), step)
        pointer = Pointer(20 + step, 20 + step // 2)
        given = steady.take(shown, pointer, now := now + 1 / 30)
        outputs.append(given)
    assert np.array_equal(given, sheet)
    assert len({id(each) for each in outputs[60:]}) == 1
    for _ in range(90):  # deselected
        given = steady.take(sheet, Pointer(20, 20), now := now + 1 / 30)
    assert np.array_equal(given, sheet)


def test_ants_that_march_slowly_and_stand_still_while_a_hand_moves():
    steady, sheet, now = Steady(), drawing(), 0.0
    steady.take(sheet, Pointer(20, 20), now)
    steady.take(sheet, Pointer(20, 20, True), now := now + 0.03)  # the selection is dragged
    for step in range(120):  # as in GIMP: a pixel further in 0.3 s, four light and four dark
        shown = marching(sheet, (60, 50), (330, 240), step // 10 * 5)
        given = steady.take(shown, Pointer(180, 150), now := now + 1 / 30)
    assert np.array_equal(given, sheet)
    for step in range(150):
        given = steady.take(shown, Pointer(140 + step % 9 * 9, 150), now := now + 1 / 30)
    assert np.array_equal(given, sheet)
    given = [steady.take(sheet, Pointer(140, 150), now := now + 1 / 30) for _ in range(9)][-1]  # deselected
    drawn = sheet.copy()
    cv2.line(drawn, (100, 30), (100, 90), (10, 10, 10), 4)
    steady.take(sheet, Pointer(100, 30, True), now := now + 1 / 30)
    for _ in range(3):  # a stroke across where they were
        given = steady.take(drawn, Pointer(100, 90, True), now := now + 1 / 30)
    assert np.array_equal(given, drawn)


def test_ants_that_stood_still_for_a_hand_and_march_on_when_it_rests_stay_known():
    steady, sheet, now = Steady(), drawing(), 0.0
    steady.take(sheet, Pointer(20, 20), now)
    steady.take(sheet, Pointer(20, 20, True), now := now + 0.03)  # the selection is dragged
    step, outputs = 0, []
    for number in range(400):
        moves = 120 <= number < 250
        step += not moves and number % 30 in (0, 6, 18)  # as GIMP does: 0.2 s, 0.4 s, 0.4 s
        place = (140 + number % 9 * 9, 150 + number % 7 * 5) if moves else (480, 150)
        shown = marching(sheet, (60, 50), (330, 240), step * 5)
        outputs.append(steady.take(shown, Pointer(*place), now := now + 1 / 30))
    assert np.array_equal(outputs[-1], sheet)
    assert len({id(each) for each in outputs[110:]}) == 1


def test_a_pixel_that_a_program_rounds_in_another_way_is_nothing_new():
    steady, sheet = Steady(), drawing()
    given = steady.take(sheet, Pointer(20, 20), 0.0)
    again = sheet.copy()
    again[30:33, 200:203, 1] -= 1
    for number in range(30):
        assert steady.take(again, Pointer(20 + number, 20), number / 30) is given
    again[200:260, 250:380] = 255  # an undo, elsewhere
    result = [steady.take(again, Pointer(50, 20), 1 + number / 30) for number in range(20)][-1]
    assert np.array_equal(result[200:260, 250:380], again[200:260, 250:380])


WAYS = {
    "round": lambda step: (round(200 + 60 * math.cos(step / 5)), round(140 + 60 * math.sin(step / 5))),
    "to and fro": lambda step: (200 + step % 5 * 3, 150),
    "scribbled": lambda step: (180 + step * 37 % 40, 130 + step * 23 % 40),
}


@pytest.mark.parametrize("corners", [((60, 50), (330, 240)), ((140, 90), (270, 200))])
@pytest.mark.parametrize("way", WAYS)
def test_ants_are_known_while_a_hand_moves_in_the_middle_of_them(way, corners):
    steady, sheet, now = Steady(), drawing(), 0.0
    steady.take(sheet, Pointer(20, 20), now)
    steady.take(sheet, Pointer(20, 20, True), now := now + 0.03)  # the selection is dragged
    for step in range(60):
        given = steady.take(marching(sheet, *corners, step), Pointer(*WAYS[way](step)), now := now + 1 / 30)
    assert np.array_equal(given, sheet)
    line = (
        cv2.dilate(
            (marching(sheet, *corners, 0) != marching(sheet, *corners, 20)).any(2).astype(np.uint8), np.ones((9, 9))
        )
        > 0
    )
    for step in range(60, 120):  # a stroke
        x, y = WAYS[way](step)
        sheet = sheet.copy()
        cv2.circle(sheet, (x, y), 4, (10, 10, 200), -1)
        given = steady.take(marching(sheet, *corners, step), Pointer(x, y, True), now := now + 1 / 30)
        assert np.array_equal(given[~line], sheet[~line])


def soft(width):
    """A grey ring of this width without sharp borders."""

    def draw(picture, x, y, radius):
        ring = np.zeros(picture.shape[:2], np.float32)
        cv2.circle(ring, (x, y), radius, 1, width, cv2.LINE_AA)
        ring = cv2.GaussianBlur(ring, (0, 0), 1.2)[..., None]
        return np.round(picture * (1 - ring) + 150 * ring).astype(np.uint8)

    return draw


@pytest.mark.parametrize(("width", "radius"), [(4, 30), (4, 60), (4, 90), (8, 60)])
def test_hovering_with_a_wide_soft_ring_changes_nothing(width, radius):
    hand = Hand(drawing(), radius, soft(width))
    assert hand.along([(-60, 150), (200, 150), (420, 200), (50, 290), (200, 100)]) == 0
    assert hand.at(200, 100, count=20) == 0
    assert hand.at(60, 60, lag=(60, 60), count=20) == 0  # in one leap; borders cut it
    for more in (6, 14):  # a wider brush, chosen with a key
        hand.radius += more
        assert hand.at(60, 60, count=20) == 0
    hand.sheet = hand.sheet.copy()
    hand.sheet[200:260, 250:380] = 255  # an undo, elsewhere
    assert hand.at(60, 60) == 1 and (hand.given[200:260, 250:380] == 255).all()


def test_a_stroke_with_a_wide_soft_ring_counts_at_once_and_leaves_no_ring():
    hand = Hand(paper(), 60, soft(4))
    hand.along([(-60, 150), (100, 150)])
    hand.at(100, 150, count=20)
    for x in range(100, 300, 10):
        hand.sheet = hand.sheet.copy()
        cv2.line(hand.sheet, (100, 150), (x, 150), (0, 0, 0), 40)
        assert hand.at(x, 150, pressed=True) == 1
        assert (hand.given[140:160, 100:x] < 128).all()
    hand.at(290, 150, count=20)
    hand.along([(290, 150), (100, 280), (-200, 290)])
    hand.at(-200, 290, count=20)
    assert np.array_equal(hand.given, hand.sheet)


def test_an_outline_that_comes_to_the_same_places_again_is_no_selection():
    hand = Hand(paper(400, 400), 20)
    for number in range(8):
        for x, y in ((80, 80), (320, 120), (160, 360), (420, 200), (200, 200)):
            assert hand.at(x + number, y, lag=(x + number, y), count=6) == 0
        assert hand.at(200 + number, 200, lag=(200 + number, 200), count=9) == 0


def test_an_outline_that_came_so_late_that_it_counted_is_gone_when_the_program_takes_it_away():
    sheet = drawing()
    steady, now = Steady(), 0.0
    steady.take(sheet, Pointer(200, 150), now)
    late = outline(sheet, 200, 150, 20)
    for number in range(45):  # the pointer has been elsewhere for a second, and the program still draws it here
        picture = late if number >= 30 else sheet
        given = steady.take(picture, Pointer(40 + number, 250), now := now + 1 / 30)
    assert not np.array_equal(given, sheet)
    for number in range(9):  # now it is taken away, and a hand moves there
        given = steady.take(sheet, Pointer(190 + 3 * number, 155), now := now + 1 / 30)
    assert np.array_equal(given, sheet)


@pytest.mark.parametrize(("before", "after"), [(300, 90), (200, 280), (280, 300)])
def test_a_white_sheet_that_gets_another_size_around_the_pointer_counts_at_once(before, after):
    def shown(side):
        picture = np.full((400, 400, 3), 128, np.uint8)
        picture[200 - side // 2 : 200 + side // 2, 200 - side // 2 : 200 + side // 2] = 255
        return picture

    hand = Hand(shown(before), 17)
    hand.along([(-60, 200), (200, 200)])
    hand.at(200, 200, count=30)
    hand.sheet = shown(after)
    hand.at(200, 200, count=4)
    assert (np.abs(hand.given.astype(int) - hand.sheet).max(2) > 0).mean() < 0.01
