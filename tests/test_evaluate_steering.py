"""What paint and seed do, and whether things stand out: trials of models whose answer is known."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from inkstream.lora.data.cache import SceneCache
from inkstream.lora.data.palette import NUMBER
from inkstream.lora.data.sample import Sample
from inkstream.lora.evaluate import steering
from inkstream.lora.evaluate.data import Data, open_data
from inkstream.lora.evaluate.trial import Trial
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError

SIDE = 64
RNG = np.random.default_rng(4)


def drawing(index):
    """A square of one colour on another, its border drawn."""
    picture = np.full((SIDE, SIDE, 3), (90, 160, 90), np.uint8)
    labels = np.full((SIDE, SIDE), NUMBER["grass"], np.uint8)
    lines = np.zeros((SIDE, SIDE), np.uint8)
    low, high = 14 + index, 50 - index
    picture[low:high, low:high], labels[low:high, low:high] = (180, 60, 40), NUMBER["thing"]
    cv2.rectangle(lines, (low, low), (high - 1, high - 1), 255, 1)
    return Sample(picture, lines, ("a thing, day", "a thing"), lines, labels, {})


@dataclass
class Painter:
    """Stands for a model: it may do what paint and seed say, or not."""

    obeys: bool
    side: int = SIDE
    pipe: object = None
    config: StreamConfig = field(default_factory=StreamConfig)
    seed: int = 0

    @contextmanager
    def changed(self, seed, complete_prompt):
        assert complete_prompt
        self.seed, before = seed, self.seed
        yield
        self.seed = before

    def sketches(self, jobs, steps):
        for control, prompt in jobs:
            picture = np.full((SIDE, SIDE, 3), 120, np.uint8)
            paint = control.max(2) > 0
            if self.obeys:
                told = (control.astype(float) - 30) * 255 / 148.5
                picture[paint] = told[paint].clip(0, 255).astype(np.uint8)
                if "day" not in prompt:  # what words leave open
                    picture[~paint] += np.uint8(20 * (self.seed - steering.SEEDS[0]))
            yield picture


@pytest.fixture
def data():
    samples = [drawing(index) for index in range(4)]
    return Data("squares", samples, samples)


def trial(data, obeys):
    return Trial(Painter(obeys), data, 1, [20.0] * len(data.samples))


def test_paint_that_is_seen_brings_its_colour(data):
    seen, blind = (steering.painted_colour(trial(data, obeys)) for obeys in (True, False))
    assert seen["painted_left"] < 0.1 and seen["painted_lab"] < 3
    assert blind["painted_left"] == pytest.approx(1.0) and blind["painted_lab"] == blind["unpainted_lab"] > 20


def test_the_colour_that_is_asked_for_is_neither_drawn_nor_said(data):
    asked = []

    class Watching(Painter):
        def sketches(self, jobs, steps):
            for control, _ in jobs:
                asked.append(np.median(control[20:44, 20:44].reshape(-1, 3), 0))
                yield control

    steering.painted_colour(Trial(Watching(True), data, 1, [20.0] * 4))
    painted, bare = asked[:4], asked[4:]
    assert not np.any(bare), "without paint there are lines alone"
    assert all(colour[0] < max(colour[1:]) for colour in painted), "what was red is asked for in another hue"


def test_seeds_are_told_apart_where_words_leave_it_open(data):
    assert steering.seeds(trial(data, True)) == {"seeds_few_words": 20.0, "seeds_all_words": 0.0}
    assert steering.seeds(trial(data, False)) == {"seeds_few_words": 0.0, "seeds_all_words": 0.0}


def test_a_thing_stands_out_where_its_outline_is(data):
    mask = np.zeros((128, 128), bool)
    cv2.circle(shape := np.zeros((128, 128), np.uint8), (64, 60), 34, 1, -1)
    mask[:] = shape > 0
    noise = RNG.normal(0, 6, (128, 128, 3))
    solid = np.where(mask[..., None], (190, 90, 60), (120, 140, 160)) + noise
    shifted = np.where(np.roll(mask, 14, 1)[..., None], (190, 90, 60), (120, 140, 160)) + noise
    fog = np.full((128, 128, 3), 128) + noise
    found = [steering.standing_out(each.clip(0, 255).astype(np.uint8), mask) for each in (solid, shifted, fog)]
    assert found[0] > 0.97
    assert found[1] < 0.85 and found[2] < 0.85
    assert steering.standing_out(solid.astype(np.uint8), np.ones((128, 128), bool)) == 1.0


def test_kept_scenes_are_judged_as_rendered_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("inkstream.lora.evaluate.data.HUE_TIMES", ("day",))
    monkeypatch.setattr("inkstream.lora.evaluate.data.FRAMES", 2)
    SceneCache(tmp_path, 5, 4, 64, drawings=2, workers=0)
    kept = open_data(str(tmp_path), 64, 3)
    live = open_data("scenes:5:3", 64)
    assert len(kept.samples) == 3 and len(list(kept.hues)) == len(list(live.hues)) and len(kept.moving) > 0
    for one, other in zip(kept.samples, live.samples, strict=True):
        assert one.captions == other.captions
        assert np.abs(one.picture.astype(int) - other.picture).max() <= 1
    with pytest.raises(
        ConfigError, match=r"got scenes of 64 pixels, expected 256; render them with --size 256, or add"
    ):
        open_data(str(tmp_path), 256, 3)
    with pytest.raises(ConfigError, match="got 4 scenes, expected 9"):
        open_data(str(tmp_path), 64, 9)


def test_things_are_drawn_by_another_hand_and_all_are_judged(monkeypatch, data):
    seen = []

    class Drawing(Painter):
        def sketches(self, jobs, steps):
            for control, prompt in jobs:
                seen.append((control.max(), prompt))
                yield cv2.GaussianBlur(control, (0, 0), 2)

    found = steering.things(Trial(Drawing(True), data, 1, [20.0] * 4))
    assert len(seen) == len(data.samples) and all(most > 200 and " " in prompt for most, prompt in seen)
    assert 0 < found["things_iou"] <= 1 and found["things_iou_truth"] > found["things_iou"] - 0.2
