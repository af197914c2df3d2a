"""Colours that are painted count: what is an area and what a line, mode paint, and who switches to it."""

import dataclasses

import cv2
import numpy as np
import pytest
from doubles.tiny_models import tiny_sd
from hypothesis import given, settings
from test_paper import PICTURES, photo

from inkstream.adapters.flats import coloured, flats, painted
from inkstream.stream.app import colours as chooser
from inkstream.stream.app.colours import Colours
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.frame import Origin, Output
from inkstream.stream.base.making import Making
from inkstream.stream.loop.stream import Stream

RED, GREEN, SKY = (200, 40, 40), (100, 180, 60), (120, 180, 250)
BODY = (slice(110, 180), slice(70, 190))


def house(paper=(255, 255, 255), ink=(20, 20, 20), body=None, around=False) -> np.ndarray:
    """A house of lines on paper, its wall painted in ``body``, sky and meadow ``around`` it."""
    page = np.full((256, 256, 3), paper, np.uint8)
    if around:
        page[:100], page[190:] = SKY, GREEN
    if body is not None:
        page[BODY] = body
    cv2.rectangle(page, (70, 110), (190, 180), ink, 2)
    cv2.polylines(page, [np.array([(60, 110), (130, 50), (200, 110)], np.int32)], True, ink, 2)
    return page


def test_a_line_is_no_area_and_an_area_is():
    lines, body = painted(house()), painted(house(body=RED))
    assert lines[60:100].max() == 0 and (lines > 0.5).mean() < 0.01
    assert body[BODY][10:-10, 10:-10].min() == 1 and body[BODY].mean() > 0.9
    thick = np.full((256, 256, 3), 255, np.uint8)
    cv2.line(thick, (30, 30), (220, 200), (20, 20, 20), 5)
    assert (painted(thick) > 0.5).mean() < 0.005


@pytest.mark.parametrize("paper", [(255, 255, 255), (250, 240, 215), (40, 44, 52)])
def test_flats_keep_the_paint_and_leave_paper_and_lines_undecided(paper):
    ink = (20, 20, 20) if sum(paper) > 300 else (240, 240, 230)
    page = house(paper, ink, body=RED)
    kept = flats(page)
    assert (kept[BODY][10:-10, 10:-10] == RED).all()
    far = kept[:40, :40].astype(int)
    assert np.abs(far - 128).max() < 60  # neither paper nor ink
    assert np.abs(kept[60:100, 60:200].astype(int) - ink).min() > 20  # the roof's lines are gone


def test_white_that_is_left_between_paint_is_paper():
    page = house(body=RED, around=True)
    between = flats(page)[102:108, :60]
    assert (between.max(axis=2) < 250).all()


FILLED = [SKY, (30, 60, 160), (200, 40, 40), (60, 140, 70), (150, 60, 170)]


@pytest.mark.parametrize("colour", FILLED)
def test_a_sheet_that_is_filled_with_a_colour_is_painted_and_keeps_it(colour):
    assert (flats(np.full((256, 256, 3), colour, np.uint8)) == colour).all()
    kept = flats(house(colour, body=GREEN))
    assert (kept[:40] == colour).all() and (kept[BODY][10:-10, 10:-10] == GREEN).all()
    assert coloured(house(colour)) > 0.9
    assert coloured(house(colour), began=colour) == 0
    hole = house(colour)
    hole[200:240, 100:160] = 255  # what the fill left is still paper
    assert (flats(hole)[215:225, 120:140].max(axis=2) < 250).all()


@pytest.mark.parametrize("paper", [(255, 255, 255), (250, 240, 215), (168, 164, 152), (200, 165, 120), (40, 44, 52)])
def test_papers_are_not_painted(paper):
    page = np.full((256, 256, 3), paper, np.uint8)
    assert painted(page).max() == 0 and coloured(page) == 0


@pytest.mark.parametrize(
    ("page", "low", "high"),
    [
        (house(), 0.0, 0.0),
        (house((250, 240, 215)), 0.0, 0.0),
        (house((40, 44, 52), (240, 240, 230)), 0.0, 0.0),
        (house(body=(120, 120, 120)), 0.0, 0.0),  # grey is tone
        (house(body=RED), 0.09, 0.16),
        (house((250, 240, 215), body=RED), 0.09, 0.16),
        (house(body=RED, around=True), 0.6, 0.9),
    ],
)
def test_how_much_is_painted_in_colours(page, low, high):
    assert low <= coloured(page) <= high


@given(PICTURES)
@settings(max_examples=60, deadline=None)
def test_any_picture_has_flats_of_its_size(pixels):
    kept = flats(pixels)
    assert kept.shape == pixels.shape and kept.dtype == np.uint8
    assert 0 <= coloured(pixels) <= 1


# --- mode paint


def test_paint_is_a_repaint_of_the_flats():
    control_pipe = tiny_sd(controlnets=1)
    fixed = {"width": 64, "height": 64, "warmup": 0, "seed": 3, "t_index_list": (36, 44), "cfg_type": "none"}
    page = cv2.resize(house(body=RED, around=True), (64, 64), interpolation=cv2.INTER_AREA)
    bare = {**fixed, "controlnets": [{"enabled": False}]}
    one, other = Stream(control_pipe, mode="paint", **bare), Stream(control_pipe, mode="img2img", **bare)
    for _ in range(2):
        got, expected = one(page, gated=False), other(flats(page), gated=False)
    assert np.array_equal(got.pixels, expected.pixels) and np.array_equal(got.input, page)
    steered = Stream(control_pipe, mode="paint", **fixed)
    for _ in range(2):
        third = steered(page, gated=False)
    assert not np.array_equal(third.pixels, got.pixels)  # ControlNets see the page


def test_without_steps_paint_has_its_own():
    assert StreamConfig.build(mode="paint").t_index_list == (36, 44)
    sketch = StreamConfig.build(mode="sketch", controlnets=[{}], t_index_list=[0, 13])
    assert sketch.changed(mode="paint").t_index_list == (36, 44)
    assert sketch.changed(**sketch.changes_to(sketch.changed(mode="paint"))).mode == "paint"


def test_the_embedded_model_takes_the_colours():
    run = load_config("ink-tiny", {"acceleration": "eager", "device": "cpu", "warmup": 0, "prompt": "a house"})
    places = {"wall": (slice(125, 165), slice(90, 170)), "grass": (slice(215, 250), slice(20, 230))}
    yellow = (230, 200, 60)
    page = house(body=yellow, around=True)

    def tone(stream, place):
        output = None
        for _ in range(3):
            output = stream(page, gated=False)
        return cv2.cvtColor(output.pixels, cv2.COLOR_RGB2Lab).astype(float)[places[place]].reshape(-1, 3).mean(0)

    def apart(lab, colour):
        wanted = cv2.cvtColor(np.array([[colour]], np.uint8), cv2.COLOR_RGB2Lab)[0, 0].astype(float)
        return float(np.hypot(*(lab - wanted)[1:]))

    with Stream.from_pretrained(run.model, run.stream) as stream:
        before = {place: tone(stream, place) for place in places}
        stream.update(mode="paint")
        after = {place: tone(stream, place) for place in places}
    assert apart(after["wall"], yellow) < 0.6 * apart(before["wall"], yellow)
    assert apart(after["grass"], GREEN) < 0.6 * apart(before["grass"], GREEN)


# --- who chooses it


class Session:
    def __init__(self) -> None:
        self.updates, self.said = [], []

    def update(self, **changes) -> None:
        self.updates.append(changes)

    def say(self, text) -> None:
        self.said.append(text)


SKETCH = StreamConfig.build(mode="sketch", controlnets=[{}], t_index_list=[0, 13])
PAINT = SKETCH.changed(mode="paint")


class Watching:
    """Pictures half a second apart."""

    def __init__(self, config=SKETCH, chosen=()) -> None:
        self.now = 100.0
        self.colours = Colours(config, chosen, clock=lambda: self.now)
        self.session = self.colours.session = Session()

    def look(self, page, config=SKETCH, count=1, **more) -> None:
        origin = Origin(live=True)
        for _ in range(count):
            self.now += chooser.LOOK
            output = Output(page, 1, 0.0, 1, page, making=Making("ink-tiny", config), origin=origin)
            self.colours.look(dataclasses.replace(output, **more))


LINES, COLOURED = house(), house(body=RED)


def test_paint_that_stays_is_noticed_said_and_taken_back():
    it = Watching()
    it.look(LINES, count=3)
    it.look(COLOURED)
    it.look(LINES)
    it.look(COLOURED)
    assert it.session.updates == []
    it.look(COLOURED)
    assert it.session.updates == [{"mode": "paint"}] and "colours are painted" in it.session.said[0]
    it.look(COLOURED, count=20)  # a network is built
    it.look(COLOURED, PAINT, count=5)
    assert len(it.session.updates) == 1
    it.look(LINES, PAINT, count=2)
    assert it.session.updates[1] == {"mode": "sketch", "t_index_list": [0, 13]} and len(it.session.said) == 2
    it.look(COLOURED, SKETCH, count=2)
    assert it.session.updates[2] == {"mode": "paint"}


def test_a_white_sheet_that_is_filled_is_painted_and_one_that_began_in_a_colour_is_not():
    it = Watching()
    it.look(LINES)
    it.look(house(SKY), count=2)
    assert it.session.updates == [{"mode": "paint"}]
    other = Watching()
    other.look(house(SKY), count=5)
    assert other.session.updates == []
    other.look(house(SKY, body=RED), count=2)
    assert other.session.updates == [{"mode": "paint"}]


def test_between_two_looks_nothing_is_done():
    it = Watching()
    for _ in range(10):
        it.look(COLOURED)
        it.now -= 0.99 * chooser.LOOK
    assert it.session.updates == []


@pytest.mark.parametrize("asked", [(SKETCH, ["mode"]), (SKETCH.changed(mode="img2img"), [])])
def test_a_mode_that_was_asked_for_stays(asked):
    it = Watching(*asked)
    it.look(COLOURED, asked[0], count=5)
    assert it.session.updates == []


def test_a_mode_that_somebody_chose_meanwhile_stays():
    it = Watching()
    it.look(COLOURED, count=2)
    it.look(COLOURED, PAINT, count=3)
    it.look(COLOURED, SKETCH, count=10)  # with the panel
    it.look(LINES, PAINT, count=10)
    assert len(it.session.updates) == 1


def test_of_files_and_of_pictures_without_an_input_nothing_is_concluded():
    it = Watching()
    it.look(COLOURED, count=5, origin=Origin(live=False))
    it.look(COLOURED, count=5, input=None)
    it.look(photo(), count=1)
    assert it.session.updates == []
