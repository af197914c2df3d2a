"""A drawing or photo becomes the condition image that a ControlNet expects: white lines on black."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inkstream.adapters import PREPROCESSORS, find_paper, open_preprocessor
from inkstream.adapters.paint import as_paint
from inkstream.stream.base.errors import ConfigError, FrameError

LINES = ["canny", "scribble", "lineart", "softedge", "edges"]
OF_SCENES = ("depth", "normal")  # a picture alone does not say them: tests/test_passes.py
FROM_PICTURES = [name for name in PREPROCESSORS if name not in OF_SCENES]
PICTURES = st.tuples(st.integers(8, 64), st.integers(8, 64)).flatmap(
    lambda side: arrays(np.uint8, (*side, 3), elements=st.sampled_from([0, 3, 90, 128, 200, 252, 255]))
)
CHAINS = [
    [(0, 150), (255, 147)],
    [(70, 110), (190, 112), (188, 200), (72, 198), (70, 110)],
    [(60, 112), (130, 60), (200, 114)],
    [(118, 200), (119, 160), (142, 160), (142, 200)],
    [(84, 122), (106, 122), (106, 145), (84, 145), (84, 122)],
]


def canvas(colour=(255, 255, 255), size=256):
    return np.full((size, size, 3), colour, np.uint8)


def draw(picture, ink=(0, 0, 0), width=2.0, chains=CHAINS):
    scale = len(picture) / 256
    for chain in chains:
        points = np.array(np.array(chain) * scale * 16, np.int32)
        cv2.polylines(picture, [points], False, ink, max(1, round(width * scale)), cv2.LINE_AA, 4)
    return picture


def pencil(size=256, noise=3.0):
    """A pencil drawing photographed: off-white paper, darker to one side, with a camera's noise."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    tone = np.array([238, 232, 218]) * (1 - 0.6 * ((x + 0.1) ** 2 + y**2))[..., None]
    cover = draw(np.zeros((size, size, 3), np.uint8), (255, 255, 255), 1.5)[..., :1] / 255.0
    picture = tone * (1 - 0.4 * cover) + np.random.default_rng(0).normal(0, noise, tone.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def photo(size=256):
    y, x = np.mgrid[0:size, 0:size] / size
    scene = np.stack([90 + 120 * y, 140 + 90 * y, 220 + 20 * y], -1)
    ball = np.hypot(x - 0.5, y - 0.5) < 0.25
    scene[ball] = np.stack([230 - 150 * y, 80 - 40 * x, 70 - 30 * x], -1)[ball]
    return np.clip(scene + np.random.default_rng(1).normal(0, 2, scene.shape), 0, 255).astype(np.uint8)


def run(name, picture, **params):
    return open_preprocessor(name, params)(picture)[..., 0]


def agreement(lines, truth, within=2):
    """(precision, recall) of lit pixels, a few pixels off allowed."""
    near = np.ones((2 * within + 1, 2 * within + 1), np.uint8)
    got, want = (lines > 127).astype(np.uint8), (truth > 127).astype(np.uint8)
    precision = (got & cv2.dilate(want, near)).sum() / max(1, got.sum())
    return precision, (want & cv2.dilate(got, near)).sum() / max(1, want.sum())


def truth(size=256):
    return draw(canvas((0, 0, 0), size), (255, 255, 255), 1.0)[..., 0].copy()


# --- names and parameters


def test_an_unknown_name_is_refused_with_the_list():
    with pytest.raises(ConfigError, match=r"got 'scrible', expected one of: none, canny, .*did you mean 'scribble'\?"):
        open_preprocessor("scrible", {})
    with pytest.raises(ConfigError, match="none, canny, scribble"):
        open_preprocessor(["canny"], {})


def test_an_unknown_parameter_is_refused_with_the_nearest_and_the_defaults():
    text = r"scribble: unknown parameter 'treshold'; accepted are: threshold=0\.1, .*; did you mean 'threshold'\?"
    with pytest.raises(ConfigError, match=text):
        open_preprocessor("scribble", {"treshold": 0.2})
    with pytest.raises(ConfigError, match=r"line_width=2\.5"):
        open_preprocessor("scribble", {"zzz": 1})
    with pytest.raises(ConfigError, match="takes no parameters"):
        open_preprocessor("none", {"blur": 1})


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("scribble", {"threshold": "high"}, "threshold: got 'high', expected a number"),
        ("scribble", {"threshold": True}, "threshold: got True, expected a number"),
        ("scribble", {"line_width": 0}, r"line_width: got 0, expected at least 0.5 \(default 2.5\)"),
        ("softedge", {"safe": "yes"}, "safe: got 'yes', expected true or false"),
        ("canny", {"blur": float("nan")}, "blur: got nan, expected a finite number"),
        ("canny", {"low_threshold": 200, "high_threshold": 100}, "got 200, expected at most high_threshold = 100"),
        ("lineart", {"areas": "paint"}, "areas: got 'paint', expected 'outline' or 'keep'"),
        ("lineart", [("stretch", True)], "expected a mapping"),
    ],
)
def test_wrong_values_are_refused_at_once(name, params, text):
    with pytest.raises(ConfigError, match=text):
        open_preprocessor(name, params)


def test_every_fault_is_named():
    with pytest.raises(ConfigError) as caught:
        open_preprocessor("scribble", {"threshold": 7, "specks": -1})
    assert "threshold: got 7" in str(caught.value)
    assert "specks: got -1" in str(caught.value)


def test_parameters_may_be_left_out_and_cannot_be_changed_later():
    preprocessor = open_preprocessor("canny")
    assert preprocessor.high_threshold is None
    with pytest.raises(ValueError, match="frozen"):
        preprocessor.high_threshold = 3


# --- what all have in common


@pytest.mark.parametrize("name", FROM_PICTURES)
@settings(max_examples=40, deadline=None)
@given(picture=PICTURES)
def test_any_picture_gives_a_condition_image(name, picture):
    before = picture.copy()
    made = open_preprocessor(name)(picture)
    assert made.shape == picture.shape
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    assert (picture == before).all()
    assert (open_preprocessor(name)(picture) == made).all()


@pytest.mark.parametrize("name", FROM_PICTURES)
def test_a_strided_view_is_as_good_as_a_picture(name):
    picture = draw(canvas())
    made = open_preprocessor(name)(picture[:, ::-1])
    assert made.flags.c_contiguous
    assert (made == open_preprocessor(name)(np.ascontiguousarray(picture[:, ::-1]))).all()


@pytest.mark.parametrize("name", FROM_PICTURES)
@pytest.mark.parametrize("wrong", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
def test_anything_but_a_picture_is_refused(name, wrong):
    with pytest.raises(FrameError, match="expected uint8"):
        open_preprocessor(name)(wrong)


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (250, 240, 215), (60, 90, 200)])
def test_an_empty_canvas_is_black(name, colour):
    assert run(name, canvas(colour)).max() == 0


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("level", [20, 128, 230])
def test_noise_on_an_empty_canvas_is_not_amplified(name, level):
    noise = np.random.default_rng(0).normal(level, 3, (256, 256, 3))
    assert run(name, np.clip(noise, 0, 255).astype(np.uint8)).mean() < 0.3


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((0, 0, 0), (255, 255, 255)),
        ((128, 128, 128), (255, 255, 255)),
        ((128, 128, 128), (20, 20, 20)),
        ((250, 240, 215), (90, 60, 40)),
        ((255, 255, 255), (250, 220, 60)),
        ((255, 255, 255), (170, 170, 170)),
    ],
)
def test_lines_are_white_on_black_whatever_the_paper_and_ink(name, paper, ink):
    lines = run(name, draw(canvas(paper), ink), **({"blur": 0.5} if name == "canny" else {}))
    bright = np.where(lines > 0.4 * lines.max(), 255, 0).astype(np.uint8)
    assert lines.max() > 60
    precision, recall = agreement(bright, truth(), within=3)
    assert precision > 0.97
    assert recall > 0.95
    assert (lines == 0).mean() > 0.7


@pytest.mark.parametrize("name", ["scribble", "lineart", "softedge"])
def test_a_negative_gives_the_same_lines(name):
    picture = draw(canvas())
    assert np.abs(run(name, picture).astype(int) - run(name, 255 - picture)).mean() < 0.5


@pytest.mark.parametrize("name", ["scribble", "lineart", "softedge"])
@pytest.mark.parametrize("paper", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (250, 240, 215)])
def test_nothing_flips_while_a_drawing_grows(name, paper):
    picture, dark = canvas(paper, 192), sum(paper) > 300
    random, before = np.random.default_rng(5), np.zeros((192, 192), bool)
    for step in range(14):
        ink = tuple(int(v) for v in (random.integers(0, 70, 3) if dark else random.integers(200, 256, 3)))
        corner = random.integers(20, 120, 2)
        if step % 4 == 3:  # an area
            cv2.rectangle(picture, corner.tolist(), (corner + 45).tolist(), ink, -1)
            before[corner[1] - 5 : corner[1] + 51, corner[0] - 5 : corner[0] + 51] = False
        else:
            cv2.line(picture, corner.tolist(), random.integers(10, 180, 2).tolist(), ink, 2, cv2.LINE_AA)
        lines = run(name, picture)
        assert (lines > 100).mean() < 0.3, step
        near = cv2.dilate((lines > 60).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert near[before].mean() > 0.9 if before.any() else True, step
        before = lines > 200


# --- none, invert


def test_none_passes_the_picture_through_and_invert_negates_it():
    picture = photo()
    assert (open_preprocessor("none")(picture) == picture).all()
    assert (open_preprocessor("invert")(picture) == 255 - picture).all()


# --- scribble


@pytest.mark.parametrize(("size", "noise"), [(256, 3), (256, 5), (512, 3), (512, 8)])
def test_scribble_reads_a_photographed_pencil_drawing(size, noise):
    picture = pencil(size, noise)
    assert find_paper(picture).surface is not None
    precision, recall = agreement(run("scribble", picture), truth(size), within=2 * size // 256)
    assert precision > 0.95
    assert recall > 0.93


@pytest.mark.parametrize("size", [256, 512, 768])
@pytest.mark.parametrize("pen", [1, 2, 4, 7])
def test_scribble_lines_have_one_width_for_every_pen_and_size(size, pen):
    for end in [(230, 128), (215, 185), (200, 200)]:
        picture = draw(canvas(size=size), width=pen, chains=[[(30, 128), end]])
        length = np.hypot(end[0] - 30, end[1] - 128) * size / 256
        width = (run("scribble", picture) > 127).sum() / length * 256 / size
        assert 1.9 < width < 3.9


def test_scribble_line_width_is_a_parameter():
    picture = draw(canvas(size=512), width=2)
    lit = [(run("scribble", picture, line_width=width) > 127).mean() for width in (1.5, 2.5, 4.0)]
    assert lit[0] < 0.75 * lit[1]
    assert lit[1] < 0.75 * lit[2]


def test_scribble_keeps_the_course_of_antialiased_lines():
    """A line that is moved by a quarter of a pixel moves by a quarter of a pixel."""
    for y in (100.0, 100.25, 100.5, 100.75):
        picture = draw(canvas(), width=1, chains=[[(30, y), (226, y)]])
        lines, drawn = run("scribble", picture)[:, 60:200].astype(float), 255.0 - picture[:, 60:200, 0]
        rows = np.arange(256)[:, None]
        centre, truth_ = ((rows * part).sum(axis=0) / part.sum(axis=0) for part in (lines, drawn))
        assert np.abs(centre - truth_).max() < 0.2


def test_scribble_means_the_same_at_every_size():
    small, large = run("scribble", draw(canvas())), run("scribble", draw(canvas(size=512)))
    large = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    assert min(agreement(small, large, within=1)) > 0.95


def test_scribble_outlines_painted_areas_and_what_lies_between_them():
    picture = canvas()
    cv2.rectangle(picture, (40, 60), (128, 200), (210, 50, 50), -1)
    cv2.rectangle(picture, (128, 60), (216, 200), (50, 130, 60), -1)
    cv2.circle(picture, (70, 160), 18, (60, 80, 200), -1)
    lines = run("scribble", picture)
    assert lines[80:130, 60:110].max() == 0  # inside
    assert lines[:40].max() == 0  # paper
    for row, column in [(130, 40), (130, 216), (60, 90), (200, 170), (130, 128), (160, 88), (142, 70)]:
        assert lines[row - 2 : row + 3, column - 2 : column + 3].max() > 200, (row, column)


def test_scribble_finds_a_light_line_across_a_painted_area_once():
    picture = canvas()
    cv2.rectangle(picture, (40, 60), (216, 200), (30, 50, 110), -1)
    cv2.line(picture, (60, 90), (200, 170), (255, 255, 255), 3, cv2.LINE_AA)
    lines = run("scribble", picture)
    column = lines[75:185, 130]
    assert column.max() > 200
    assert 1 <= (column > 127).sum() <= 5  # one line, not the two sides of one


def test_scribble_does_not_take_the_paper_between_two_strokes_for_a_line():
    picture = draw(canvas(), width=3, chains=[[(40, 100), (220, 100)], [(40, 109), (220, 109)]])
    lines = run("scribble", picture)[80:130, 128] > 127
    assert np.count_nonzero(np.diff(lines.astype(int)) == 1) == 2


def test_scribble_sees_black_on_dark_paint():
    picture = canvas()
    cv2.rectangle(picture, (40, 60), (216, 200), (20, 20, 20), -1)
    cv2.line(picture, (60, 130), (200, 130), (0, 0, 0), 3)
    assert run("scribble", picture)[128:133, 100:160].max(axis=0).min() > 200


def test_scribble_takes_no_line_from_between_thick_strokes():
    roof = [(75, 133), (100, 105), (160, 105), (190, 133)]
    panes = [[(85, 132), (104, 111), (128, 111), (128, 133), (85, 132)]]
    panes.append([(134, 111), (156, 111), (180, 133), (134, 133), (134, 111)])
    chains = [roof, *panes, [(0, 120), (255, 118)]]
    drawn = draw(canvas((0, 0, 0)), (255, 255, 255), 1.0, chains)[..., 0]
    precision, recall = agreement(run("scribble", draw(canvas(), width=4, chains=chains)), drawn, within=1)
    assert precision > 0.92
    assert recall > 0.98


def test_scribble_leads_strokes_up_to_a_painted_area():
    picture = canvas()
    cv2.rectangle(picture, (40, 60), (120, 200), (0, 0, 0), -1)
    cv2.line(picture, (118, 130), (220, 130), (0, 0, 0), 4)
    reached = np.flatnonzero(run("scribble", picture)[126:135].max(axis=0) > 127)
    assert np.diff(reached[reached > 118]).max() <= 5
    assert reached.max() > 215


def test_scribble_leaves_texture_out():
    y = np.mgrid[0:256, 0:256][0]
    soft = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (256, 256)), (0, 0), 2)
    grass = np.stack([90 + 150 * soft, 120 + 150 * soft, 60 + 90 * soft], -1)
    picture = np.where((y > 128)[..., None], grass, np.stack([120 + y / 3, 160 + y / 4, 230 + 0 * y], -1))
    lines = run("scribble", np.clip(picture, 0, 255).astype(np.uint8))
    assert (lines[140:] > 127).mean() < 0.08
    assert lines[124:134].max(axis=0).mean() > 150  # the horizon stays


def test_scribble_drops_specks_and_keeps_strokes():
    picture = draw(canvas())
    for x, y in np.ndindex(5, 5):
        picture[9 * y + 4 : 9 * y + 6, 9 * x + 4 : 9 * x + 6] = 40
    assert run("scribble", picture)[:52, :52].max() == 0
    assert run("scribble", picture, specks=0)[:52, :52].max() > 100
    assert agreement(run("scribble", picture), truth())[1] > 0.97


@pytest.mark.parametrize("diameter", [5, 8, 14, 30])
def test_scribble_keeps_a_dot_of_the_pen(diameter):
    picture = cv2.circle(canvas(), (128, 128), diameter // 2, (0, 0, 0), -1, cv2.LINE_AA)
    lines = run("scribble", picture)
    around = diameter // 2 + 3
    assert lines[128 - around : 129 + around, 128 - around : 129 + around].max() > 200


def test_scribble_threshold_is_a_contrast():
    faint = draw(canvas(), ink=(215, 215, 215))
    assert run("scribble", faint).max() > 200
    assert run("scribble", faint, threshold=0.4).max() == 0


def test_scribble_max_stroke_parts_strokes_from_areas():
    picture = draw(canvas(), width=14, chains=[[(60, 60), (60, 200)]])
    across = lambda **params: np.count_nonzero(
        np.diff((run("scribble", picture, **params)[130] > 127).astype(int)) == 1
    )
    assert across(max_stroke=5) == 2  # both sides
    assert across(max_stroke=20) == 1  # the middle


def test_scribble_dark_paint_on_half_the_canvas_hides_nothing():
    picture = canvas()
    picture[:140] = (25, 25, 60)
    draw(picture, (0, 0, 0))
    cv2.circle(picture, (215, 40), 20, (240, 240, 200), 2, cv2.LINE_AA)
    ring = cv2.circle(truth(), (215, 40), 20, 255, 1)
    lines = run("scribble", picture)
    precision, recall = agreement(lines, np.maximum(ring, cv2.line(ring.copy(), (0, 140), (255, 140), 255, 1)))
    assert precision > 0.95
    assert recall > 0.9


# --- lineart


def test_lineart_keeps_greys_and_widths():
    picture = canvas()
    for row, (grey, width) in enumerate([(0, 2), (90, 2), (170, 2), (0, 6)]):
        cv2.line(picture, (30, 40 + 50 * row), (220, 40 + 50 * row), (grey,) * 3, width)
    lines = run("lineart", picture)
    black, middle, light = (int(lines[40 + 50 * row, 128]) for row in range(3))
    assert black == 255
    assert black > middle + 30 > light + 60
    assert light > 30
    assert (lines[180:200, 128] > 127).sum() > (lines[30:50, 128] > 127).sum() + 2
    assert lines[20].max() == 0


def test_lineart_stretches_faint_lines_to_white_only_when_asked():
    faint = draw(canvas(), ink=(190, 190, 190))
    assert run("lineart", faint).max() == 255
    assert run("lineart", faint, stretch=False).max() < 90


def test_lineart_leaves_a_smudge_faint():
    smudge = draw(canvas(), ink=(240, 240, 240), chains=CHAINS[:1])
    assert 0 < run("lineart", smudge).max() < 120


def test_lineart_takes_paper_and_shadow_away():
    lines = run("lineart", pencil())
    assert min(agreement(np.where(lines > 90, 255, 0), truth())) > 0.8
    assert (lines[:40] > 40).mean() < 0.01


def test_lineart_outlines_areas_or_keeps_them():
    picture = canvas()
    cv2.rectangle(picture, (60, 60), (200, 200), (180, 40, 40), -1)
    outline, kept = run("lineart", picture), run("lineart", picture, areas="keep")
    assert outline[100:160, 100:160].max() == 0
    assert outline[58:63, 130].max() > 150
    assert kept[100:160, 100:160].min() > 200
    assert outline[:50].max() == kept[:50].max() == 0


# --- canny


def test_canny_edges_are_one_pixel_wide_and_binary():
    lines = run("canny", draw(canvas(), width=6))
    assert set(np.unique(lines)) == {0, 255}
    assert cv2.erode(lines, np.ones((3, 3), np.uint8)).max() == 0


def test_canny_thresholds_choose_what_is_seen():
    picture = draw(draw(canvas(), (200, 200, 200)), (0, 0, 0), chains=CHAINS[2:3])
    both = run("canny", picture, low_threshold=20, high_threshold=60)
    strong = run("canny", picture, low_threshold=300, high_threshold=400)
    assert both[145:153].max() == 255
    assert strong[145:153].max() == 0
    assert strong[56:100].max() == 255


def test_canny_finds_its_threshold_for_faint_and_for_strong_drawings():
    for ink in [(0, 0, 0), (150, 150, 150), (215, 215, 215)]:
        assert agreement(run("canny", draw(canvas(), ink)), truth(), within=3)[1] > 0.95


def test_canny_follows_a_line_that_fades():
    picture = canvas()
    for column in range(30, 226):
        cv2.line(picture, (column, 120), (column, 122), (int(column),) * 3, 1)
    lines = run("canny", picture)[114:129].max(axis=0)
    assert lines[40:215].min() == 255


def test_canny_sees_borders_of_equal_lightness():
    picture = canvas((200, 60, 60))
    picture[:, 128:] = (40, 128, 60)
    assert (run("canny", picture)[10:-10, 126:131].max(axis=1) == 255).all()


# --- paint


def test_paint_keeps_its_colours_under_the_lines_and_paper_stays_open():
    page = canvas()
    cv2.rectangle(page, (60, 60), (200, 140), (200, 30, 40), -1)
    cv2.rectangle(page, (60, 180), (200, 240), (0, 0, 0), -1)
    draw(page, chains=[[(20, 160), (240, 165)]])
    made = open_preprocessor("paint")(page)
    assert np.array_equal(made[100, 130], as_paint(np.array([200, 30, 40], np.uint8)))
    assert made[210, 130].min() == made[210, 130].max() == 30, "black paint is paint"
    assert not made[20, 20].any() and made[160, 40:80].max() > 0, "paper is open, the stroke is a line"
    lines = run("scribble", page)
    assert (made.min(-1)[lines > 200] >= 200).all() and made[lines == 0].max() <= 178
    only = open_preprocessor("paint").lines(made)
    assert only.shape == made.shape and (only[lines > 240] > 200).all() and not only[lines == 0].any()


# --- softedge


def test_softedge_is_soft_and_graded():
    picture = draw(canvas(), chains=CHAINS[1:2])
    draw(picture, (200, 200, 200), chains=CHAINS[:1])
    lines = run("softedge", picture)
    assert len(np.unique(lines)) > 40
    assert lines[100:125, 130].max() > lines[140:158, 20].max() + 40 > 60


def test_softedge_safe_has_four_levels():
    picture = photo()
    assert set(np.unique(run("softedge", picture, safe=True))) <= {0, 85, 170, 255}
    assert len(np.unique(run("softedge", picture, safe=True))) > 2


def test_softedge_and_scribble_follow_the_edges_of_a_photo():
    ball = cv2.circle(np.zeros((256, 256), np.uint8), (128, 128), 64, 255, 1)
    for name in ("softedge", "scribble", "canny", "lineart"):
        lines = run(name, photo())
        precision, recall = agreement(np.where(lines > 60, 255, 0), ball, within=4)
        assert recall > 0.9, name
        assert precision > 0.9, name
