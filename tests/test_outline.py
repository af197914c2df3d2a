"""The end of a stroke under a pen that rests where it stopped, and the outline of its brush that hides its border."""

import cv2
import numpy as np
import pytest
from doubles.paintwindow import Hand, paper

from inkstream.stream.sources.screen.outline import Outline

STROKES = {"red": (41, (255, 0, 0)), "black": (24, (0, 0, 0)), "thin": (9, (0, 0, 0)), "grey": (41, (110, 110, 110))}
END = (300, 190)


def plain(picture, x, y, radius):
    return cv2.circle(picture.copy(), (x, y), radius, (120, 160, 120), 1)


def double(picture, x, y, radius):
    """A line to be seen on bright, and one on dark."""
    return cv2.circle(cv2.circle(picture.copy(), (x, y), radius, (0, 0, 0), 1), (x, y), radius + 1, (255, 255, 255), 1)


def inverted(picture, x, y, radius):
    """As Krita draws it."""
    ring = cv2.circle(np.zeros(picture.shape[:2], np.uint8), (x, y), radius, 255, 1, cv2.LINE_AA)
    ys, xs = np.nonzero(ring)
    picture, share = picture.copy(), ring[ys, xs, None] / 255
    picture[ys, xs] = (picture[ys, xs] * (1 - share) + (255.0 - picture[ys, xs]) * share).round()
    return picture


def stroke(hand, places, width, colour):
    """Draw it, with an outline that is one picture late."""
    last = places[0]
    for place in places[1:]:
        hand.sheet = cv2.line(hand.sheet.copy(), last, place, colour, width, cv2.LINE_AA)
        hand.at(*place, pressed=True, lag=last)
        last = place


def way(start, end, steps=18):
    return [tuple(round(a + (b - a) * n / steps) for a, b in zip(start, end, strict=True)) for n in range(steps + 1)]


def missing(hand, before, end):
    """The share of what was drawn within 60 pixels of a place that is not given."""
    ys, xs = np.mgrid[: before.shape[0], : before.shape[1]]
    ink = (np.abs(hand.sheet.astype(int) - before).max(2) > 72) & (np.hypot(xs - end[0], ys - end[1]) < 60)
    wrong = np.abs(hand.given.astype(int) - hand.sheet).max(2) > 64
    return (wrong & ink).sum() / ink.sum()


@pytest.mark.parametrize("outline", [plain, double, inverted])
@pytest.mark.parametrize("kind", STROKES)
def test_a_stroke_is_whole_while_the_pen_rests_at_its_end(kind, outline):
    width, colour = STROKES[kind]
    hand = Hand(paper(), (width + 1) // 2, outline)
    hand.along([(-60, 150), (80, 150)])
    hand.at(80, 150, count=30)
    stroke(hand, way((80, 150), END), width, colour)
    hand.at(*END, count=9)  # 0.3 s
    assert missing(hand, paper(), END) < 0.03
    assert hand.at(*END, count=90) == 0
    assert sum(hand.at(END[0] + n % 3, END[1] + n % 2) for n in range(20)) == 0
    assert missing(hand, paper(), END) < 0.03
    before, end = hand.sheet, (120, 60)
    hand.at(*END, count=30)
    stroke(hand, way(END, end), width, (30, 90, 200))  # from there, over what was drawn
    hand.at(*end, count=9)
    assert missing(hand, before, end) < 0.03
    hand.along([end, (390, 20), (460, -40)])
    hand.at(460, -40, count=30)
    assert np.array_equal(hand.given, hand.sheet)


def test_a_stroke_that_is_undone_at_once_leaves_nothing_under_the_outline():
    hand = Hand(paper(), 21, plain)
    hand.along([(-60, 150), (80, 150)])
    hand.at(80, 150, count=30)
    stroke(hand, way((80, 150), END), 41, (255, 0, 0))
    hand.at(*END, count=4)
    hand.sheet = paper()
    hand.at(*END, count=2)
    assert np.array_equal(hand.given, paper())


def test_of_an_outline_that_is_seen_in_part_nothing_is_learnt():
    ring = cv2.circle(np.zeros((41, 41), np.uint8), (20, 20), 20, 1, 1) > 0
    half = ring.copy()
    half[:, :12] = False
    picture = paper(100, 100)
    shown = plain(picture, 50, 50, 20)
    for seen, left in ((half, True), (ring, False)):
        outline = Outline()
        assert not outline.known
        outline.learn(seen, -20, -20)
        outline.learn(half, -20, -20)
        given = outline.removed(shown, picture, picture, [(0.0, 50, 50)], 1.0)
        assert outline.known and bool((given != picture).any()) is left
