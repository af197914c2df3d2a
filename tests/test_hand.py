"""A hand draws exact lines again: what is found in them, what stays true, and what goes wrong on purpose."""

import cv2
import numpy as np
import pytest

from inkstream.lora.data import hand
from inkstream.lora.data.strokes import trace
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.sources.drawing import sketch

NEAR = np.ones((7, 7), np.uint8)  # 3 pixels around


def house(size=256):
    """A house with a door, two windows and a horizon behind it, lines two pixels wide at 256 x 256."""
    lines = np.zeros((size, size), np.uint8)
    unit = size / 256
    width = max(1, round(2 * unit))

    def line(points, closed=False):
        corners = np.round(np.array(points) * unit).astype(np.int32)
        cv2.polylines(lines, [corners], closed, 255, width, cv2.LINE_AA)

    line([(0, 150), (60, 150)])
    line([(200, 151), (255, 150)])
    line([(60, 100), (200, 100), (200, 200), (60, 200)], True)
    line([(60, 100), (130, 50), (200, 100)])
    line([(120, 200), (120, 150), (145, 150), (145, 200)])
    for x in (75, 165):
        line([(x, 120), (x + 25, 120), (x + 25, 145), (x, 145)], True)
    return lines


def ring(radius=30):
    return cv2.circle(np.zeros((128, 128), np.uint8), (64, 64), radius, 255, 2, cv2.LINE_AA)


def covered(one, other):
    """The share of one drawing's lines that lie within 3 pixels of the other's."""
    seen = one > 100
    return (seen & (cv2.dilate(other, NEAR) > 100)).sum() / max(1, seen.sum())


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("subject", ["sedan", "skyscraper", "hills"])
def test_a_perfect_hand_draws_the_same_lines(subject):
    lines = 255 - sketch(subject, 256, 1)[..., 0]
    drawn = hand.drawn(lines, rng(), strength=0)
    assert drawn.shape == lines.shape and drawn.dtype == np.uint8
    assert covered(lines, drawn) > 0.99 and covered(drawn, lines) > 0.99


def test_strokes_are_found_and_ordered():
    found = trace(house())
    assert sum(stroke.horizon for stroke in found) == 2
    windows = [stroke for stroke in found if stroke.closed and 95 < stroke.length < 105]
    assert len(windows) == 2
    assert all((stroke.points[0] == stroke.points[-1]).all() for stroke in windows)
    first, last = found[0].points, found[-1].points
    assert np.ptp(first, axis=0).max() > 100 and np.ptp(last, axis=0).max() < 60, "the house first, a window last"


def test_a_crossing_is_two_strokes_that_go_straight_on():
    lines = np.zeros((128, 128), np.uint8)
    cv2.line(lines, (20, 30), (100, 110), 255, 3, cv2.LINE_AA)
    cv2.line(lines, (100, 30), (20, 110), 255, 3, cv2.LINE_AA)
    found = trace(lines)
    assert len(found) == 2
    assert all(105 < stroke.length < 118 for stroke in found)


def test_a_ring_stays_round_and_closed():
    (found,) = trace(ring())
    assert found.closed
    assert np.abs(np.hypot(*(found.points - 64).T) - 30).max() < 1.5
    assert found.length == pytest.approx(2 * np.pi * 30, rel=0.03)


def test_strength_moves_lines_further_and_never_far():
    lines = house()
    far = []
    for strength in (0.5, 1.0, 2.0):
        near = [covered(hand.drawn(lines, rng(seed), strength), lines) for seed in range(6)]
        far.append(1 - np.mean(near))
    assert far == sorted(far), far
    assert far[1] < 0.25, "the picture must still be the one that was meant"
    moved = [hand.drawn(lines, rng(seed), 1.0) for seed in range(4)]
    wide = cv2.dilate(lines, np.ones((25, 25), np.uint8)) > 100
    assert all((drawing[~wide] == 0).all() for drawing in moved)


def test_the_same_chance_gives_the_same_drawing():
    lines = house()
    one, same, other = (hand.drawn(lines, rng(seed), 1.0, 0.7) for seed in (3, 3, 4))
    assert (one == same).all() and (one != other).any()


@pytest.mark.parametrize("complete", [0.0, 0.25, 0.5, 0.8, 1.0])
def test_as_much_is_there_as_was_asked_for(complete):
    lines = house()
    whole = (hand.drawn(lines, rng(), 0) > 100).sum()
    shares = [(hand.drawn(lines, rng(seed), 0, complete) > 100).sum() / whole for seed in range(8)]
    assert np.mean(shares) == pytest.approx(complete, abs=0.06)


def test_outlines_are_drawn_before_details():
    lines = house()
    window = np.s_[118:148, 73:103]
    outline = np.s_[110:190, 56:65]  # the left wall
    half = [hand.drawn(lines, rng(seed), 0, 0.5) for seed in range(12)]
    assert np.mean([drawing[outline].max() > 100 for drawing in half]) > 0.7
    assert np.mean([drawing[window].max() > 100 for drawing in half]) < 0.3


def test_a_horizon_can_be_left_out_and_comes_at_any_time():
    lines = house()
    sky = np.s_[140:160, :50]
    assert hand.drawn(lines, rng(), 0.5)[sky].max() > 100
    without = hand.drawn(lines, rng(), 0.5, horizon=False)
    assert without[sky].max() == 0 and without[96:104, 80:180].max() > 100
    early = [hand.drawn(lines, rng(seed), 0, 0.5)[sky].max() > 100 for seed in range(20)]
    assert 0.1 < np.mean(early) < 0.9


def test_errors_grow_with_the_picture():
    small = hand.drawn(house(256), rng(5), 1.0)
    large = hand.drawn(house(512), rng(5), 1.0)
    assert large.shape == (512, 512)
    assert (large > 100).mean() == pytest.approx((small > 100).mean(), rel=0.35)


def test_pictures_that_are_not_square_and_odd():
    drawn = hand.drawn(np.ascontiguousarray(house()[:201, :]), rng(), 1.0)
    assert drawn.shape == (201, 256) and drawn.any()


@pytest.mark.parametrize("lines", [np.zeros((64, 64), np.uint8), np.full((64, 64), 255, np.uint8)])
def test_nothing_to_draw_is_no_fault(lines):
    assert hand.drawn(lines, rng(), 1.0, 0.5).shape == (64, 64)
    assert not hand.drawn(np.zeros((64, 64), np.uint8), rng()).any()


def test_noise_is_drawn_without_a_fault():
    noise = (rng().random((96, 96)) > 0.7).astype(np.uint8) * 255
    assert hand.drawn(noise, rng(), 1.5).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": -1}, "strength: got -1, expected 0 to 4"),
        ({"complete": 1.5}, "complete: got 1.5, expected 0 to 1"),
        ({"lines": np.zeros((64, 64, 3), np.uint8)}, r"lines: got uint8 \(64, 64, 3\)"),
        ({"lines": np.zeros((64, 64), np.float32)}, "lines: got float32"),
    ],
)
def test_what_cannot_be_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        hand.drawn(**{"lines": house(), "rng": rng(), **change})
