"""The hand that draws: its drawings, its timing, and what it says about them."""

import re
import threading
import time

import cv2
import numpy as np
import pytest
from doubles.time import FakeTime

from inkstream.stream.base.errors import ConfigError, SourceEnded
from inkstream.stream.sources import Source, open_source
from inkstream.stream.sources.drawing import DemoSource, prompt_for, sketch, subjects
from inkstream.stream.sources.drawing.hand import FASTEST, Paper, Stroke, draw_by_hand
from inkstream.stream.sources.drawing.subjects import subject

GRAMMAR = re.compile(
    r"a (glossy|matte|metallic) (red|orange|yellow|green|teal|blue|purple|white|black|silver) "
    r"(sedan|coupe|hatchback|suv|pickup|van|wagon) car, (side|front three-quarter|rear three-quarter) view, "
    r"on (road|grass|sand|snow), (day|sunset|overcast|night)"
    r"|a (red|brown|beige|grey|white|yellow|blue|green) (brick|wood|concrete|glass|stone) "
    r"(house|cottage|warehouse|apartment block|skyscraper) with a (gable|hip|flat) roof( and balconies)?, "
    r"on (road|grass|sand|snow), (day|sunset|overcast|night)"
    r"|a landscape with (snowy mountains|green hills|the sea), (grass|sand|snow|rocks)( and trees)?, "
    r"(day|sunset|overcast|night)"
)


def dark(picture):
    return (picture < 128).all(axis=2)


def test_there_are_enough_subjects_of_each_kind():
    prompts = [prompt_for(name) for name in subjects()]
    assert len(subjects()) >= 8
    for word in ("car", "house", "cottage", "apartment", "skyscraper", "mountains", "sea"):
        assert any(word in prompt for prompt in prompts), word


@pytest.mark.parametrize("name", subjects())
def test_a_finished_sketch(name):
    picture = sketch(name, 256, seed=3)
    assert picture.shape == (256, 256, 3) and picture.dtype == np.uint8 and picture.flags.c_contiguous
    ink = dark(picture)
    assert 0.02 < ink.mean() < 0.15  # lines, not fills
    assert (picture[ink] < 60).mean() > 0.5 and (picture == 255).all(axis=2).mean() > 0.75
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert columns[-1] - columns[0] > 230 and rows[-1] - rows[0] > 60  # it uses the paper
    # Lines are 2 to 3 pixels wide: a 5 x 5 block of ink is a blot.
    assert cv2.erode(ink.astype(np.uint8), np.ones((5, 5), np.uint8)).mean() < 0.002


@pytest.mark.parametrize("name", subjects())
def test_each_drawing_begins_with_the_line_between_ground_and_sky(name):
    first = subject(name).strokes[0].points
    assert first[0, 0] < 0.02 and np.ptp(first[:, 1]) < 0.08  # from the left edge, almost level


@pytest.mark.parametrize("name", subjects())
def test_prompts_keep_to_the_words_of_the_model(name):
    for variant in range(len(subject(name).prompts)):
        assert GRAMMAR.fullmatch(prompt_for(name, variant)), prompt_for(name, variant)
    assert prompt_for(name, 2) == prompt_for(name, 0) != prompt_for(name, 1)


def test_the_seed_decides():
    np.testing.assert_array_equal(sketch("house", 128, 5), sketch("house", 128, 5))
    difference = dark(sketch("house", 128, 5)) != dark(sketch("house", 128, 6))
    assert 0.005 < difference.mean() < 0.12  # another hand, the same house


def test_the_same_drawing_at_another_size():
    small, large = sketch("sedan", 128, 1), sketch("sedan", 512, 1)
    shrunk = cv2.resize(large, (128, 128), interpolation=cv2.INTER_AREA)
    other = sketch("sedan", 128, 2)
    assert 3 * np.abs(small.astype(int) - shrunk).mean() < np.abs(small.astype(int) - other).mean()


def test_unknown_subjects_and_options_are_named():
    with pytest.raises(ConfigError, match="'horse', expected all or one of: sedan"):
        sketch("horse")
    for options in ("size=8", "size=9999", "speed=0", "fps=0", "subject=horse"):
        with pytest.raises(ConfigError):
            open_source(f"demo:{options}")


# --- the hand


def test_strokes_have_the_speed_and_pressure_of_a_hand():
    line = Stroke("line", np.array([(0.1, 0.5), (0.9, 0.5)]))
    corner = Stroke("corner", np.array([(0.1, 0.2), (0.5, 0.2), (0.5, 0.8)]))
    straight, bent = draw_by_hand([line, corner], np.random.default_rng(0))

    def speed(trace):
        return np.linalg.norm(np.diff(trace.points, axis=0), axis=1) / np.diff(trace.times)

    ends, middle = speed(straight)[[0, -1]], speed(straight)[len(straight.times) // 2]
    assert (ends < 0.5 * middle).all() and middle <= 1.2 * FASTEST  # slow, fast, slow
    at = int(np.argmin(np.linalg.norm(bent.points - (0.5, 0.2), axis=1)))
    assert speed(bent)[at - 2 : at + 2].min() < 0.5 * np.median(speed(bent))  # slow in the corner
    assert straight.widths[0] < 0.8 * np.median(straight.widths) > straight.widths[-1]  # lands and lifts
    assert (np.diff(straight.times) > 0).all() and bent.times[0] > straight.times[-1] + 0.05  # the pen is lifted


def test_lines_wobble_slowly_and_little():
    deviations = []
    for seed in range(20):
        (trace,) = draw_by_hand([Stroke("line", np.array([(0.1, 0.5), (0.9, 0.5)]))], np.random.default_rng(seed))
        y = trace.points[:, 1] - 0.5
        deviations.append(np.abs(y).max())
        assert np.abs(np.diff(y)).max() < 0.0008  # no tremor, no jump
    assert 0.001 < np.mean(deviations) < 0.02


def test_drawing_piece_by_piece_gives_the_same_ink():
    traces = list(draw_by_hand(subject("suv").strokes, np.random.default_rng(2)))
    whole, pieces = Paper(200), Paper(200)
    for trace in traces:
        whole.draw(trace, 0, len(trace.points))
        for start in range(0, len(trace.points), 3):
            pieces.draw(trace, start, min(start + 3, len(trace.points)))
    np.testing.assert_array_equal(whole.picture, pieces.picture)


# --- the source


def test_it_draws_stroke_by_stroke_then_waits_then_begins_anew():
    source = open_source("demo:size=96,live=0,fps=20,subject=coast,seed=4")
    assert isinstance(source, Source) and isinstance(source, DemoSource) and not source.live
    ink, finished = [], []
    for _ in range(400):
        picture = source.read()
        assert picture.shape == (96, 96, 3) and picture.flags.c_contiguous
        ink.append(int(dark(picture).sum()))
        finished.append(source.finished)
    assert ink[0] == 0 and not finished[0]
    end = finished.index(True)
    again = end + finished[end:].index(False)
    steps = np.diff(ink[: end + 1])
    assert (steps >= 0).all() and steps.max() < 0.15 * ink[end]  # it grows, never by much
    assert 100 < end < 260  # five to thirteen seconds
    assert again - end == pytest.approx(60, abs=2)  # three seconds to look at it
    assert len(set(ink[end:again])) == 1 and ink[again] == 0
    np.testing.assert_array_equal(dark(sketch("coast", 96, 4)).sum(), ink[end])


def test_subjects_follow_each_other_and_say_their_prompt():
    source = DemoSource(64, fps=10, live=False, speed=8)
    seen = []
    for _ in range(14 * 40):
        source.read()
        shown = (source.subject, source.prompt)
        if not seen or seen[-1] != shown:
            seen.append(shown)
    names = [name for name, _ in seen]
    count = len(subjects())
    assert names[:count] == list(subjects()) and names[count] == subjects()[0]
    assert [prompt for _, prompt in seen[: count + 1]] == [prompt_for(n) for n in subjects()] + [
        prompt_for(names[0], 1)
    ]


def test_each_round_is_drawn_anew():
    source = DemoSource(64, fps=4, live=False, subject="hills")
    finished = []
    for _ in range(200):
        picture = source.read()
        if source.finished and (not finished or (picture != finished[-1]).any()):
            finished.append(picture)
    assert len(finished) >= 3
    assert (finished[0] != finished[1]).any(axis=2).mean() > 0.01


def test_frames_end_it_and_pictures_are_the_caller_s():
    source = open_source("demo:size=64,live=0,frames=20,fps=2")
    for _ in range(20):
        source.read()[:] = 7
    with pytest.raises(SourceEnded, match="all 20"):
        source.read()
    assert not (open_source("demo:size=64,live=0").read() == 7).any()


def test_live_drawing_keeps_the_hand_s_time_whatever_the_reader_does():
    quick_time, slow_time = FakeTime(10.0), FakeTime(10.0)
    quick = DemoSource(96, fps=30, subject="van", clock=quick_time, stop=quick_time)
    slow = DemoSource(96, fps=30, subject="van", clock=slow_time, stop=slow_time)
    assert quick.live
    for _ in range(151):
        one = quick.read()
    while slow_time.now < quick_time.now - 1e-6:
        other = slow.read()
        slow_time.now += 0.45
    assert quick_time.now - 10 == pytest.approx(5.0)
    assert dark(one).sum() > 150
    assert dark(other).sum() == pytest.approx(dark(one).sum(), rel=0.25)


def test_close_wakes_a_waiting_read():
    source = DemoSource(64, fps=0.01)
    source.read()
    threading.Timer(0.05, source.close).start()
    start = time.perf_counter()
    with pytest.raises(SourceEnded):
        source.read()
    assert time.perf_counter() - start < 20


def test_reading_is_cheap():
    source = DemoSource(512, live=False, subject="house")
    costs = []
    for _ in range(300):
        start = time.perf_counter()
        source.read()
        costs.append(time.perf_counter() - start)
    assert np.median(costs) < 0.005  # 0.1 ms on an idle machine
