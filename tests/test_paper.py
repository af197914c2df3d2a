"""Bare paper is found, told apart from ink, and filled with undecided content."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inkstream.adapters import fill_paper, find_paper, ink_matte
from inkstream.stream.base.errors import FrameError

PICTURES = st.tuples(st.integers(8, 64), st.integers(8, 64)).flatmap(
    lambda side: arrays(np.uint8, (*side, 3), elements=st.sampled_from([0, 3, 90, 128, 200, 252, 255]))
)
PAPERS = [(255, 255, 255), (0, 0, 0), (128, 128, 128), (250, 240, 215), (40, 44, 52), (60, 90, 200)]


def canvas(colour=(255, 255, 255), size=128):
    return np.full((size, size, 3), colour, np.uint8)


def ink_for(paper):
    return (20, 20, 20) if sum(paper) > 300 else (240, 240, 230)


def strokes(picture, ink, count=12, width=3, seed=0):
    """The picture after each stroke."""
    random, size = np.random.default_rng(seed), len(picture)
    for _ in range(count):
        start, end = (tuple(int(v) for v in random.integers(0, size, 2)) for _ in range(2))
        cv2.line(picture, start, end, ink, width, cv2.LINE_AA)
        yield picture


def sheet(size=128, noise=3.0, seed=0):
    """A photographed sheet: warm, darker towards the corners, with a camera's noise. Also the tone without noise."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    tone = np.array([238, 232, 218]) * (1 - 0.6 * ((x + 0.1) ** 2 + y**2))[..., None]
    noisy = tone + np.random.default_rng(seed).normal(0, noise, tone.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), tone


def photo(size=128):
    y, x = np.mgrid[0:size, 0:size] / size
    sky = np.stack([90 + 120 * y, 140 + 90 * y, 220 + 20 * y], -1)
    grass = np.stack([60 + 40 * np.sin(x * 60), 110 + 50 * np.sin(x * 45 + y * 70), 50 + 20 * np.cos(y * 50)], -1)
    scene = np.where((y > 0.55)[..., None], grass, sky)
    return np.clip(scene + np.random.default_rng(1).normal(0, 2, scene.shape), 0, 255).astype(np.uint8)


def painting(size=128):
    picture = canvas((130, 190, 240), size)
    picture[size * 6 // 10 :] = (90, 160, 60)
    cv2.rectangle(picture, (size // 4, size // 3), (size * 3 // 4, size * 4 // 5), (200, 60, 50), -1)
    return picture


@pytest.mark.parametrize("paper", PAPERS)
def test_finds_the_paper_beneath_strokes(paper):
    *_, picture = strokes(canvas(paper), ink_for(paper))
    found = find_paper(picture)
    assert found is not None and found.colour == paper
    assert found.share == pytest.approx((picture == paper).all(axis=2).mean(), abs=0.05)


@pytest.mark.parametrize("paper", PAPERS)
def test_paper_never_flips_while_a_drawing_grows(paper):
    bare = 1.0
    for picture in strokes(canvas(paper), ink_for(paper), count=30, width=5):
        bare = (picture == paper).all(axis=2).mean()
        if bare > 0.5:
            assert find_paper(picture).colour == paper
    assert bare < 0.6  # so the drawing did become dense


@pytest.mark.parametrize("dark", [(10, 10, 30), (0, 0, 0), (20, 60, 140)])
def test_white_paper_stays_paper_while_half_of_it_is_painted_dark(dark):
    for rows in range(0, 66, 6):
        picture = canvas()
        picture[:rows] = dark
        assert find_paper(picture).colour == (255, 255, 255), rows


def test_black_paper_stays_paper_under_a_large_white_moon():
    picture = canvas((0, 0, 0))
    cv2.circle(picture, (64, 64), 45, (255, 255, 255), -1)
    assert find_paper(picture).colour == (0, 0, 0)


def noise():
    return np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)


def gradient():
    return np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[:, None, None], 128, 1).repeat(3, 2)


def rough():
    texture = np.random.default_rng(0).normal(128, 30, (128, 128, 1)).repeat(3, 2)
    return np.clip(texture, 0, 255).astype(np.uint8)


def speckle():
    random = np.random.default_rng(0)
    levels = np.where(random.random((128, 128, 1)) < 0.6, 230, 60) + random.normal(0, 3, (128, 128, 3))
    return np.clip(levels, 0, 255).astype(np.uint8)


def sky():
    y, noise = np.mgrid[0:128, 0:128][0][..., None] / 128, np.random.default_rng(0).normal(0, 2, (128, 128, 3))
    return np.clip(np.array([90, 140, 220]) + 25 * y + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("make", [photo, noise, gradient, rough, painting, speckle, sky])
def test_no_paper_without_a_dominant_flat_colour(make):
    picture = make()
    assert find_paper(picture) is None
    assert (ink_matte(picture) == 1.0).all()
    filled = fill_paper(picture)
    assert (filled == picture).all()
    assert filled is not picture


def test_the_tone_of_a_photographed_sheet_is_followed():
    picture, tone = sheet()
    cv2.circle(picture, (64, 64), 30, (60, 60, 65), 2, cv2.LINE_AA)
    paper = find_paper(picture)
    assert paper.surface is not None
    assert paper.share > 0.85
    assert np.abs(paper.tone(128, 128) - tone).max() < 8
    matte = ink_matte(picture)
    assert matte[tone[..., 0] < 200].mean() < 0.02  # the dark corners are paper as well
    drawn = np.zeros((128, 128), np.uint8)
    cv2.circle(drawn, (64, 64), 30, 255, 1)
    assert matte[drawn > 0].mean() > 0.6


def test_matte_is_one_on_ink_zero_on_paper_and_between_on_antialiased_edges():
    picture = canvas()
    cv2.line(picture, (10, 20), (110, 70), (0, 0, 0), 5, cv2.LINE_AA)
    matte = ink_matte(picture)
    assert matte.shape == (128, 128)
    assert matte.dtype == np.float32
    assert (matte[(picture == 255).all(axis=2)] == 0).all()
    assert (matte[(picture == 0).all(axis=2)] == 1).all()
    edge = (picture[..., 0] > 60) & (picture[..., 0] < 200)
    assert 0.1 < matte[edge].mean() < 0.9


@pytest.mark.parametrize("pale", [(255, 248, 215), (225, 238, 255), (235, 235, 235)])
def test_pale_paint_is_ink(pale):
    picture = canvas()
    cv2.rectangle(picture, (30, 30), (90, 90), pale, -1)
    matte = ink_matte(picture)
    assert matte[40:80, 40:80].min() > 0.3
    assert matte[:20].max() == 0


def test_matte_is_the_same_whether_little_or_most_is_ink():
    """Few ink pixels and many take different ways through the arithmetic."""
    small, large = canvas(), canvas()
    small[40:60, 40:60] = large[40:60, 40:60] = (250, 244, 240)
    large[70:] = (20, 30, 60)
    inside = np.s_[30:66, 30:66]
    assert ((small != 255).any(axis=2)).mean() < 0.3 < ((large != 255).any(axis=2)).mean()
    assert (ink_matte(small)[inside] == ink_matte(large)[inside]).all()
    assert 0 < ink_matte(small)[50, 50] < 1


@pytest.mark.parametrize("paper", PAPERS)
def test_filled_paper_is_neither_white_nor_black_and_ink_stays(paper):
    *_, picture = strokes(canvas(paper), (255, 200, 0) if paper != (250, 240, 215) else (200, 0, 0))
    matte = ink_matte(picture)
    filled = fill_paper(picture)
    assert (filled[matte == 1] == picture[matte == 1]).all()
    bare = matte == 0
    assert bare.any()
    assert 30 <= filled[bare].min() <= filled[bare].max() <= 225


def test_fill_takes_the_colour_of_near_ink_and_fades_to_the_mid_tone():
    picture = canvas(size=256)
    cv2.circle(picture, (60, 60), 25, (220, 20, 20), -1)
    filled = fill_paper(picture).astype(int)
    near, middle, far = filled[60, 92], filled[60, 130], filled[250, 250]
    assert near[0] > near[1] + 60
    assert np.abs(far - 128).max() <= 4
    assert near[0] - near[1] > middle[0] - middle[1] > far[0] - far[1]


@pytest.mark.parametrize("paper", PAPERS)
def test_an_empty_canvas_becomes_a_flat_mid_tone(paper):
    assert (fill_paper(canvas(paper)) == 128).all()


@pytest.mark.parametrize("size", [256, 512])
def test_an_empty_photographed_sheet_becomes_nearly_flat(size):
    picture, _ = sheet(size, noise=5)
    assert ink_matte(picture).mean() < 0.01
    assert np.abs(fill_paper(picture).astype(int) - 128).mean() < 0.2


@pytest.mark.parametrize("wrong", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), [[1]]])
def test_anything_but_a_picture_is_refused(wrong):
    for function in (find_paper, ink_matte, fill_paper):
        with pytest.raises(FrameError, match="expected uint8"):
            function(wrong)


def test_a_picture_too_small_to_hold_a_drawing_is_refused():
    for function in (find_paper, ink_matte, fill_paper):
        with pytest.raises(FrameError, match="got 9x7 pixels, expected at least 8x8"):
            function(canvas()[:7, :9])


@settings(max_examples=60, deadline=None)
@given(PICTURES)
def test_any_picture_gives_a_matte_and_a_filling(picture):
    before = picture.copy()
    matte, filled = ink_matte(picture), fill_paper(picture)
    assert matte.shape == picture.shape[:2]
    assert matte.dtype == np.float32
    assert 0.0 <= matte.min() <= matte.max() <= 1.0
    assert filled.shape == picture.shape
    assert filled.dtype == np.uint8
    assert filled.flags.c_contiguous
    assert (filled[matte == 1] == picture[matte == 1]).all()
    assert (fill_paper(picture) == filled).all()
    assert (picture == before).all()
