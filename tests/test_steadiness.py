"""What did not change in a drawing stays in its picture; what must change does; and nothing smears."""

import cv2
import numpy as np
import pytest
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd
from test_whole import Recorder

from inkstream.adapters.adapter import Passage
from inkstream.adapters.steadiness import Steadiness
from inkstream.adapters.still import OVER, QUIET
from inkstream.stream import Session, Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.frame import Frame, Origin
from inkstream.stream.sinks.fake import FakeSink

SMALL = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "use_tiny_vae": False, "prompt": "a car"}
GOES_ON = Origin(goes_on=True)
SIDE = 256


class Held:
    """The adapter alone: drawings and renders go in, pictures come out."""

    def __init__(self, **settings):
        self.adapter, self.config, self.first = Steadiness(), StreamConfig.build(**settings), True
        self.adapter.rows((4, SIDE // 8, SIDE // 8), 1)

    def __call__(self, drawing, render, begins=False, goes_on=True):
        frame = Passage(self.config, self.first or begins, Origin(goes_on=goes_on))
        self.first = False
        assert self.adapter.image_before(drawing, frame) is drawing
        self.held = frame.held
        return self.adapter.image_after(render, frame)


def page(*strokes):
    drawing = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for x, y in strokes:
        cv2.line(drawing, (x, y), (x + 20, y + 4), (30, 30, 30), 2)
    return drawing


def render(seed, tone=120, noise=6):
    """A picture whose texture is another each time."""
    return np.random.default_rng(seed).normal(tone, noise, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


def test_far_from_a_stroke_nothing_changes_and_near_it_everything_does():
    held = Held()
    before = held(page((40, 40)), render(0))
    new = render(1)
    after = held(page((40, 40), (120, 120)), new)
    assert (before == render(0)).all() and held.held
    assert (after[116:132, 116:148] == new[116:132, 116:148]).all(), "at the stroke it is its own render"
    assert (after[:80] == before[:80]).all() and (after[200:] == before[200:]).all()
    assert (after[:, :70] == before[:, :70]).all() and (after[:, 200:] == before[:, 200:]).all()


def test_the_noise_of_a_camera_is_no_change_and_a_faint_line_in_it_is():
    rng, held = np.random.default_rng(0), Held()

    def seen(*strokes):
        return (page(*strokes).astype(np.int16) - 20 + rng.normal(0, 4, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)

    pictures = [held(seen((40, 40)), render(number)) for number in range(QUIET + 1)]
    assert all((picture == pictures[0]).all() for picture in pictures)
    after = held(seen((40, 40), (120, 120)), render(99))
    assert (after[120:124, 120:140] == render(99)[120:124, 120:140]).all()
    assert (after[:60] == pictures[0][:60]).all()


def test_what_becomes_another_thing_far_away_is_taken_at_once_and_at_100_when_the_hand_rests():
    """A stroke closes a shape: it is filled, far from the pen, too."""
    filled = render(1)
    filled[20:90, 20:90] = 30
    for steadiness, at_once in (("auto", True), (100, False)):
        held = Held(steadiness=steadiness)
        before = held(page(), render(0))
        after = held(page((200, 200)), filled)
        assert (after[40:70, 40:70] == (filled if at_once else before)[40:70, 40:70]).all()
        assert (after[20:90, 120:170] == before[20:90, 120:170]).all()


def test_a_drawing_that_rests_goes_over_to_its_own_render_in_small_steps_and_stays():
    held = Held(steadiness=100)
    held(page(), render(0, tone=100, noise=0))
    last = held(page((200, 200)), render(1, tone=140, noise=0))
    assert held.adapter.unsettled
    steps = []
    for _ in range(QUIET + OVER):
        picture = held(page((200, 200)), render(1, tone=140, noise=0))
        steps.append(np.abs(picture.astype(int) - last)[:150].max())
        last = picture
    assert not any(steps[:QUIET]) and 0 < max(steps) <= 40 / OVER + 1
    assert (last == render(1, tone=140, noise=0)).all() and not held.held and not held.adapter.unsettled
    assert (held(page((200, 200)), render(2)) == last).all(), "from then on it is held again"


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({}, {"begins": True}),
        ({}, {"goes_on": None}),
        ({"steadiness": 80}, {"goes_on": False}),
        ({"steadiness": 80, "mode": "txt2img"}, {}),
    ],
    ids=["settings changed", "nobody knows", "the source says no", "from words alone"],
)
def test_what_does_not_go_on_from_the_picture_before_is_all_its_own(settings, given):
    held = Held(**settings)
    held(page((40, 40)), render(0))
    assert (held(page((40, 40), (90, 90)), render(1), **given) == render(1)).all() and not held.held


def test_a_cut_is_no_change_of_a_drawing():
    held = Held()
    held(page(*[(x, y) for x in range(0, 230, 60) for y in range(10, 120, 30)]), render(0))
    other = page(*[(x, y) for x in range(20, 230, 60) for y in range(100, 250, 30)])
    assert (held(other, render(1)) == render(1)).all() and not held.held


def test_small_changes_add_up_until_they_count():
    held, fading = Held(), page((40, 40))
    first = held(fading, render(0))
    for number in range(1, 8):
        fading = fading.copy()
        fading[150:190, 150:190] -= 1
        last = held(fading, render(number))
    assert (last[170, 170] != first[170, 170]).any() and (last[:80] == first[:80]).all()


# --- in a stream


def run(stream, pages, origin=GOES_ON):
    """All pictures of pages, in order, and then those that come while the hand rests."""
    found = [stream(Frame(each, number, 0.0, origin), gated=False) for number, each in enumerate(pages)]
    found = [each for each in [*found, *stream.drain()] if each is not None]
    rest = []
    for _ in range(40):
        if not stream.settles:
            break
        rest += [stream.settle()]
    assert not stream.settles
    return found, [each for each in [*rest, *stream.drain()] if each is not None]


SHAPES = [
    {"mode": "img2img", "t_index_list": [30]},
    {"mode": "img2img", "t_index_list": [10, 30], "cfg_type": "self"},
    {"mode": "paint", "t_index_list": [10, 20, 30, 40], "cfg_type": "none"},
    {"mode": "img2img", "t_index_list": [10, 30], "frame_buffer_size": 2},
    {"mode": "img2img", "t_index_list": [10, 30], "use_denoising_batch": False},
]


@pytest.mark.parametrize("settings", SHAPES, ids=["1 step", "2 steps", "4 steps, paint", "in buffers", "in turn"])
def test_a_stream_holds_what_did_not_change_and_comes_to_its_own_picture_at_rest(settings):
    pages = list(growing_pages(6))
    with Stream(tiny_sd(), **SMALL, **settings, steadiness=0) as plain:
        raw, none = run(plain, pages)
    with Stream(tiny_sd(), **SMALL, **settings, steadiness=100) as stream:
        held, rest = run(stream, pages)
        engine = stream.engine
        stream.update(steadiness=60)
        assert stream.engine is engine and stream.config.steadiness == 60
        again, _ = run(stream, pages)
        assert (again[0].pixels == raw[0].pixels).all() and not again[0].held, "a change of settings begins anew"
    assert [each.source_id for each in held] == [each.source_id for each in raw] and not none
    assert (held[0].pixels == raw[0].pixels).all() and not held[0].held and not any(each.held for each in raw)
    for number in range(1, len(pages)):
        drawn = np.abs(pages[number].astype(int) - pages[max(0, number - 2)]).max(2).astype(np.uint8)
        still = cv2.dilate(drawn, np.ones((33, 33)))  # far from this stroke, and from the one before, which fades
        one, two = held[number - 1].pixels, held[number].pixels
        assert held[number].held and (one == two)[still == 0].all() and (one != two).any()
    assert len(rest) == QUIET + OVER and (rest[-1].pixels == raw[-1].pixels).all() and not rest[-1].held


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_engines_hold_the_same(engine):
    pytest.importorskip(engine)
    settings = {**SMALL, "mode": "img2img", "t_index_list": [10, 30], "cfg_type": "none", "dtype": "float32"}
    pages = list(growing_pages(4))
    with Stream(tiny_sd(), **settings, steadiness=100) as stream:
        expected, _ = run(stream, pages)
    with Stream(tiny_sd(), **{**settings, "acceleration": engine}, steadiness=100) as stream:
        found, rest = run(stream, pages)
    for one, two in zip(expected, found, strict=True):
        assert np.abs(one.pixels.astype(int) - two.pixels).max() <= 2 and one.held == two.held
    assert rest and not rest[-1].held


def test_a_frame_that_is_recorded_whole_holds_the_same(monkeypatch):
    from dataclasses import replace

    from doubles.units import change_units

    settings = {**SMALL, "mode": "img2img", "t_index_list": [10, 20, 40], "steadiness": 100}
    pages = list(growing_pages(5))
    with Stream(tiny_sd(), **settings) as stream:
        expected, expected_rest = run(stream, pages)
    recorder = Recorder()
    change_units(monkeypatch, lambda units: replace(units, record=recorder))
    with Stream(tiny_sd(), **settings) as stream:
        found, rest = run(stream, pages)
    for one, two in zip([*expected, *expected_rest], [*found, *rest], strict=True):
        assert np.abs(one.pixels.astype(int) - two.pixels).max() <= 1 and one.held == two.held
    assert recorder.records == 1


def test_an_unusable_picture_leaves_nothing_behind():
    pages = list(growing_pages(4))
    with Stream(tiny_sd(), **SMALL, t_index_list=[10, 30], steadiness=100) as stream:
        run(stream, pages[:2])
        denoise = stream.engine.denoise
        object.__setattr__(stream.engine, "denoise", lambda *given, **more: denoise(*given, **more) * float("nan"))
        stream(Frame(pages[2], 7, 0.0, GOES_ON), gated=False)
        assert stream.drain() == []
        object.__setattr__(stream.engine, "denoise", denoise)
        found = [stream(Frame(pages[3], 8, 0.0, GOES_ON), gated=False), *stream.drain()][-1]
    with Stream(tiny_sd(), **SMALL, t_index_list=[10, 30], steadiness=0) as plain:
        own = [plain(Frame(pages[3], 8), gated=False), *plain.drain()][-1]
    assert (found.pixels == own.pixels).all() and not found.held


def test_pictures_that_have_nothing_to_do_with_each_other_never_smear(tmp_path):
    for number, each in enumerate(growing_pages(4)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), each)
    for source in (f"images:{tmp_path}", f"images:{tmp_path},fps=60"):
        sink = FakeSink(keep=100)
        with Stream(tiny_sd(), **SMALL, t_index_list=[30]) as stream:
            Session(source, stream, [sink]).run()
        shown = [each.output for each in sink.written if each.output is not None]
        assert shown and not any(each.held for each in shown)
