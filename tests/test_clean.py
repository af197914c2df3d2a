"""A rough sketch becomes line art: strokes, tone and construction told apart, and the paper taken away."""

import cv2
import numpy as np
import pytest

from inkstream.adapters import open_preprocessor
from inkstream.lora.data.rough import PAPERS, on_paper, rough
from inkstream.stream import Stream, load_config
from inkstream.stream.base.errors import ConfigError

SIDE = 256


def exact():
    """A car from the side, and the road: two wheels of two circles each, a body, two windows. White on black."""
    lines = np.zeros((SIDE, SIDE), np.uint8)
    body = [(24, 168), (26, 130), (74, 122), (104, 82), (170, 82), (200, 122), (232, 132), (232, 168)]
    shapes = [
        [*body, (24, 168)],
        [(88, 120), (110, 92), (134, 92), (134, 120), (88, 120)],
        [(144, 92), (166, 92), (186, 120), (144, 120), (144, 92)],
        [(0, 196), (255, 196)],
    ]
    cv2.polylines(lines, [np.array(shape) for shape in shapes], False, 255, 2, cv2.LINE_AA)
    for x in (66, 190):
        for radius in (24, 12):
            cv2.circle(lines, (x, 172), radius, 255, 2, cv2.LINE_AA)
    return lines


def ring_of(lines, x, y, radius, reach=4.0):
    """Share of a circle's directions in which there is a line, and the share of what lies inside it that is none."""
    rows, columns = np.nonzero(lines > 100)
    far = np.hypot(columns - x, rows - y)
    on = np.abs(far - radius) < reach
    turn = ((np.arctan2(rows - y, columns - x)[on] / (2 * np.pi) + 0.5) * 24).astype(int) % 24
    return len(np.unique(turn)) / 24


def covered(one, other, reach):
    """Share of the lines of ``one`` that have lines of ``other`` at most ``reach`` pixels away."""
    near = cv2.dilate((other > 100).astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return float(near[one > 100].mean())


def clean(page, **params):
    return open_preprocessor("clean", params)(page)[..., 0]


def page_of(drawn, paper="white", seed=0):
    return on_paper(drawn, np.random.default_rng(seed), paper)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("how", ["searching", "hatched"])
def test_a_rough_sketch_is_its_lines_again_on_any_paper(how, paper):
    drawn = rough(exact(), np.random.default_rng(3), how)
    lines = clean(page_of(drawn, paper))
    assert covered(exact(), lines, 5) > 0.85
    assert covered(lines, exact(), 5) > 0.85
    assert all(ring_of(lines, x, 172, 24) > 0.8 for x in (66, 190))


def test_a_broad_brush_becomes_its_middle_and_the_windows_stay():
    drawn = np.zeros((600, 600), np.uint8)
    for x in (160, 440):
        cv2.circle(drawn, (x, 400), 44, 255, 40, cv2.LINE_AA)
    cv2.polylines(drawn, [np.array([(60, 400), (90, 280), (200, 260), (260, 160), (420, 160), (480, 270), (540, 400)])],
                  False, 255, 40, cv2.LINE_AA)  # fmt: skip
    cv2.line(drawn, (330, 170), (330, 290), 255, 40, cv2.LINE_AA)
    cv2.line(drawn, (100, 280), (500, 280), 255, 40, cv2.LINE_AA)
    lines = clean(page_of(drawn))
    assert all(ring_of(lines, x, 400, 44, reach=10) > 0.8 for x in (160, 440))
    # Both windows are closed: what is left of the paper inside them is not joined to the sheet around.
    bare = (lines < 60).astype(np.uint8)
    _, labels = cv2.connectedComponents(bare, connectivity=4)
    left, right, sheet = labels[220, 290], labels[220, 390], labels[20, 20]
    assert min(left, right) > 0 and len({int(left), int(right), int(sheet)}) == 3


def test_axes_and_hatching_go_and_stay_when_asked():
    drawn = exact()
    cv2.line(drawn, (38, 172), (94, 172), 255, 2, cv2.LINE_AA)
    cv2.line(drawn, (66, 144), (66, 200), 255, 2, cv2.LINE_AA)
    for at in range(100, 182, 9):
        cv2.line(drawn, (at, 154), (at + 9, 136), 255, 2, cv2.LINE_AA)
    page = page_of(drawn)
    tone = np.s_[138:152, 104:180]
    gone, kept = clean(page), clean(page, axes=True, hatching=True)
    wheel = np.s_[165:180, 59:74]
    assert (gone[wheel] > 100).sum() < 0.7 * (kept[wheel] > 100).sum()
    assert (gone[tone] > 100).sum() < 0.1 * (kept[tone] > 100).sum()
    assert ring_of(gone, 66, 172, 24) > 0.9 and ring_of(gone, 66, 172, 12) > 0.8


def test_spokes_bars_and_panes_are_no_construction():
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(drawn, (70, 128), 40, 255, 2, cv2.LINE_AA)
    for turn in np.arange(0, 2 * np.pi, 2 * np.pi / 5):
        cv2.line(drawn, (70, 128), (round(70 + 40 * np.cos(turn)), round(128 + 40 * np.sin(turn))), 255, 2, cv2.LINE_AA)
    cv2.rectangle(drawn, (140, 90), (236, 170), 255, 2)
    for x in range(156, 236, 16):
        cv2.line(drawn, (x, 90), (x, 170), 255, 2)
    lines = clean(page_of(drawn))
    assert covered(drawn, lines, 3) > 0.97


def test_nothing_drawn_gives_nothing_whatever_the_paper():
    for paper in PAPERS:
        assert not (clean(page_of(np.zeros((SIDE, SIDE), np.uint8), paper)) > 60).any(), paper


def test_a_gap_is_closed_and_a_speck_is_dropped():
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    cv2.line(drawn, (20, 60), (120, 60), 255, 2)
    cv2.line(drawn, (126, 61), (230, 61), 255, 2)
    cv2.circle(drawn, (128, 180), 1, 255, -1)
    lines = clean(page_of(drawn))
    assert (lines[56:66, 30:220].max(0) > 100).all() and not lines[150:210].any()
    apart = clean(page_of(drawn), gaps=0, specks=0)
    assert not (apart[56:66, 123:124] > 100).any()


def test_light_on_dark_is_cleaned_as_dark_on_light():
    drawn = exact()
    dark = np.repeat(np.clip(drawn, 12, 240)[..., None], 3, 2)
    lines = clean(dark)
    assert covered(exact(), lines, 2) > 0.95 and covered(lines, exact(), 2) > 0.95


def test_a_page_keeps_its_lines_at_every_size():
    small = clean(page_of(exact()))
    large = clean(page_of(cv2.resize(exact(), (1024, 1024), interpolation=cv2.INTER_CUBIC)))
    again = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert covered(small, again, 2) > 0.95 and covered(again, small, 2) > 0.95


def test_the_preset_renders_a_rough_page_as_its_clean_lines():
    run = load_config("rough", {"acceleration": "eager", "use_denoising_batch": False})
    assert run.stream.controlnets[0].preprocessor == "clean"
    tidy = 255 - np.repeat(exact()[..., None], 3, 2)
    messy = page_of(rough(exact(), np.random.default_rng(1), "hatched"), "squared")
    with Stream.from_pretrained(run.model, run.stream) as stream:
        wanted, found = (np.asarray(stream(page, gated=False).pixels, np.float32) for page in (tidy, messy))
    assert np.abs(wanted - found).mean() < 14
    assert wanted.std() > 20


def test_rough_pages_refuse_what_they_do_not_know():
    with pytest.raises(ConfigError, match="expected one of: searching, hatched, brush"):
        rough(exact(), np.random.default_rng(0), "etched")
    with pytest.raises(ConfigError, match="expected one of: white, beige"):
        on_paper(exact(), np.random.default_rng(0), "papyrus")
