"""The gate lets every stroke through, holds noise back, and never decides by chance."""

import cv2
import numpy as np
import pytest

from inkstream.stream.loop.gate import Gate, similarity

WHITE = np.full((512, 512, 3), 255, np.uint8)


def stroke(page, rng, length, width, level):
    """A filled stroke at a random place and angle, wholly on the page; ``level`` is its colour, (3,) of 0..255."""
    height, across = page.shape[:2]
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    aside = np.array([-np.sin(angle), np.cos(angle)]) * width / 2
    reach = np.abs(along) + np.abs(aside) + 1
    centre = rng.uniform(reach, np.array([across, height]) - reach)
    corners = [centre + along + aside, centre + along - aside, centre - along - aside, centre - along + aside]
    page = page.copy()
    points = np.rint(np.array(corners) * 16).astype(np.int32)
    cv2.fillConvexPoly(page, points, [int(value) for value in level], cv2.LINE_AA, shift=4)
    return page


def cosine(a, b):
    """Upstream's measure, on values in [-1, 1]."""
    a, b = (x.astype(np.float64).ravel() / 127.5 - 1 for x in (a, b))
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_a_thousand_strokes_of_any_visible_colour_all_pass():
    rng = np.random.default_rng(0)
    gate = Gate(0.998)
    gate.accept(WHITE)
    passed = 0
    for number in range(1000):
        faintest = 12 if number % 4 == 0 else rng.integers(12, 256)
        level = np.full(3, 255)
        # gray, or a difference in one channel only, which is the hardest
        channels = slice(None) if number % 2 else rng.integers(3)
        level[channels] -= faintest
        passed += gate.changed(stroke(WHITE, rng, 100, 3, level))
    assert passed == 1000


def test_upstream_would_skip_the_blackest_of_them():
    page = WHITE.copy()
    page[200:203, 100:200] = 0
    assert cosine(WHITE, page) == pytest.approx(0.998, abs=0.0005)
    assert similarity(WHITE, page) < 0.65


@pytest.mark.parametrize("place", [(0, 0), (511, 0), (0, 511), (511, 511), (7, 8), (256, 255), (303, 12)])
def test_a_thin_faint_line_passes_wherever_it_lies(place):
    x, y = place
    for end in ((min(x + 9, 511), y), (x, min(y + 9, 511)), (max(x - 9, 0), y), (x, max(y - 9, 0))):
        page = WHITE.copy()
        cv2.line(page, place, end, (243, 243, 243), 1)
        if end != place:
            assert similarity(WHITE, page) < 0.998, end


def test_similarity_is_the_mean_over_the_most_changed_window():
    page = WHITE.copy()
    page[100:108, 203:211, 1] = 255 - 103  # exactly one window, 100 levels above what is noise
    assert similarity(WHITE, page) == pytest.approx(1 - 100 / 255)
    page[0:2, 0:2] = 0  # something smaller elsewhere changes nothing
    assert similarity(WHITE, page) == pytest.approx(1 - 100 / 255)
    assert similarity(WHITE, WHITE) == 1.0
    assert similarity(page, WHITE) == similarity(WHITE, page)


def test_pictures_smaller_than_a_window():
    black, white = np.zeros((1, 3, 3), np.uint8), np.full((1, 3, 3), 255, np.uint8)
    assert similarity(black, white) < 0.998


def test_noise_of_sigma_1_is_held_back_and_a_faint_stroke_on_it_is_not():
    rng = np.random.default_rng(1)

    def noisy(page):
        return np.clip(np.rint(page + rng.normal(0, 1, page.shape)), 0, 255).astype(np.uint8)

    page = np.full((512, 512, 3), 200, np.uint8)
    gate = Gate(0.998)
    gate.accept(noisy(page))
    assert not any(gate.changed(noisy(page)) for _ in range(8))
    assert all(gate.changed(noisy(stroke(page, rng, 100, 3, np.full(3, 188)))) for _ in range(8))


def test_slow_drift_adds_up():
    gate = Gate(0.998)
    gate.accept(WHITE)
    changed = [gate.changed(WHITE - np.uint8(level)) for level in range(1, 6)]
    assert changed == [False, False, False, True, True], "compared with the rendered frame, not with the last one"


def test_the_same_frames_give_the_same_decisions():
    rng = np.random.default_rng(2)
    frames = [stroke(WHITE, rng, 30, 1, np.full(3, 250)) for _ in range(20)]

    def decisions():
        gate = Gate(0.998)
        gate.accept(WHITE)
        return [gate.changed(frame) for frame in frames]

    assert decisions() == decisions()


def test_max_skip_renders_an_unchanged_frame_now_and_then():
    gate = Gate(0.998, max_skip=3)
    gate.accept(WHITE)
    decisions = []
    for _ in range(9):
        decisions.append(gate.changed(WHITE))
        if decisions[-1]:
            gate.accept(WHITE)
    assert decisions == [False, False, False, True] * 2 + [False]


def test_first_frame_other_size_reset_and_no_threshold_all_pass():
    gate = Gate(1.0)
    assert gate.changed(WHITE)
    gate.accept(WHITE)
    assert not gate.changed(WHITE)
    assert gate.changed(WHITE[:256])
    gate.reset()
    assert gate.changed(WHITE)
    off = Gate(None)
    off.accept(WHITE)
    assert off.changed(WHITE)


def test_the_rendered_frame_is_a_copy():
    page = WHITE.copy()
    gate = Gate(0.998)
    gate.accept(page)
    page[:] = 0
    assert gate.changed(page)
    gate.accept(page)
    page[:] = 255
    assert gate.changed(page)
