"""Looks that styles are made from, drawings by another hand, and the pages that are looked at."""

import json
from dataclasses import replace
from itertools import combinations, product

import cv2
import numpy as np
import pytest

from inkstream.lora.data import looks
from inkstream.lora.data.cache import SceneCache
from inkstream.lora.data.childlike import KINDS, childlike
from inkstream.lora.data.folder import Pairs
from inkstream.lora.data.palette import NUMBER
from inkstream.lora.data.sample import Sample
from inkstream.lora.data.scenes import render, sample_scene, samples
from inkstream.lora.evaluate import look
from inkstream.lora.evaluate.colours import lab
from inkstream.lora.evaluate.measures import line_f1
from inkstream.lora.evaluate.style import colour_distance
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.measures import covered, edges

SIZE = 256
DRAWN = ("studio-clay", "marker", "watercolour", "blueprint", "noir", "clay", "print")  # which show lines as such


@pytest.fixture(scope="module")
def scenes():
    shown = [sample_scene(4, "car", time="day"), sample_scene(5, "building", time="sunset")]
    shown.append(sample_scene(6, "landscape", time="overcast"))
    return samples(render(shown, SIZE), shown)


@pytest.fixture(scope="module")
def pairs(scenes):
    return {name: list(looks.pairs(name, len(scenes), SIZE, scenes)) for name in looks.LOOKS}


def test_a_look_changes_the_picture_and_neither_the_drawing_nor_the_caption(pairs, scenes):
    for name, made in pairs.items():
        assert [sample.captions for sample in made] == [scene.captions for scene in scenes], name
        assert all(np.array_equal(a.sketch, b.sketch) for a, b in zip(made, scenes, strict=True)), name
        assert all(not np.array_equal(a.picture, b.picture) for a, b in zip(made, scenes, strict=True)), name
        assert all(sample.picture.dtype == np.uint8 for sample in made)
        again = looks.look_of(name).shown(scenes[0])
        assert np.array_equal(again, made[0].picture), "the same picture again"


def test_each_look_has_colours_of_its_own(pairs):
    usual = {name: np.stack([lab(sample.picture) for sample in made]) for name, made in pairs.items()}
    usual = {name: np.r_[values.mean((0, 1, 2)), values.std((0, 1, 2))] for name, values in usual.items()}
    apart = {(a, b): np.linalg.norm(usual[a] - usual[b]) for a, b in combinations(usual, 2)}
    nearest = min(apart, key=lambda two: apart[two])
    assert apart[nearest] > 8, (nearest, apart[nearest])


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_is_seen_in_a_look(name, scenes):
    """95 % of the edges of the lines have an edge of the picture within 2 pixels of 512."""
    kept = []
    for scene in scenes[:2]:
        twice = {"dsize": (512, 512), "interpolation": cv2.INTER_CUBIC}
        picture, lines = cv2.resize(scene.picture, **twice), cv2.resize(scene.clean, **twice)
        labels = cv2.resize(scene.labels, (512, 512), interpolation=cv2.INTER_NEAREST)
        shown = looks.look_of(name).shown(replace(scene, picture=picture, clean=lines, labels=labels))
        kept.append(covered(edges(np.repeat(lines[..., None], 3, 2)), edges(shown), 2))
    assert np.mean(kept) >= 0.95, kept


def test_a_night_hides_no_edge_that_the_day_shows(pairs, scenes):
    by_night = np.mean([line_f1(each.picture, each.clean) for each in pairs["night"]])
    assert by_night >= np.mean([line_f1(each.picture, each.clean) for each in scenes])


def test_nights_are_dark_and_clay_is_of_one_colour(pairs):
    night = np.stack([sample.picture for sample in pairs["night"]]).astype(float)
    assert night[..., 2].mean() > 1.15 * night[..., 0].mean() and night.mean() < 110
    for sample in pairs["clay"]:
        share = sample.picture / sample.picture.sum(2, keepdims=True, dtype=float)
        assert share.std((0, 1)).max() < 0.03
    car = pairs["studio-clay"][0]
    brown, hall = (car.picture[car.labels == NUMBER[name]].astype(float).mean(0) for name in ("body", "sky"))
    assert brown[0] > 1.5 * brown[2] and np.ptp(hall) < 12, "the hall around the clay is grey"


def test_windows_shine_by_night_and_a_drawn_circle_is_the_moon(pairs):
    house = pairs["night"][1]
    panes = house.picture[(house.labels == NUMBER["window"]) & (house.clean < 40)].astype(float).mean(0)
    walls = house.picture[house.labels == NUMBER["wall"]].astype(float).mean(0)
    assert panes[0] > 1.3 * walls[0] and panes[0] > panes[2]
    y, x = np.mgrid[:SIZE, :SIZE]
    away = np.hypot(x - 128, y - 80)
    lines = np.where(abs(away - 16) < 1.2, 255, 0).astype(np.uint8)
    sky = np.zeros((SIZE, SIZE), np.uint8)
    drawn = Sample(np.full((SIZE, SIZE, 3), 150, np.uint8), lines, ("a sun",), lines, sky)
    shown = looks.look_of("night").shown(drawn)
    assert shown[80, 128].min() > 180 and shown[220, 128].max() < 100


def test_a_print_has_five_inks_and_what_they_make_over_each_other(pairs):
    over = [np.prod([ink**there for ink, there in zip(looks.INKS.values(), given, strict=True)], 0)
            for given in product((0, 1), repeat=len(looks.INKS))]  # fmt: skip
    inks = np.array([255 * looks.PAPER * each for each in over] + [255 * each for each in looks.INKS.values()])
    pixels = np.concatenate([sample.picture.reshape(-1, 3)[::7] for sample in pairs["print"]]).astype(float)
    nearest = np.linalg.norm(pixels[:, None] - inks, axis=2).min(1)
    assert len(looks.INKS) == 5 and (nearest < 6).mean() > 0.6


def test_around_what_a_marker_draws_paper_stays_white(pairs):
    car = pairs["marker"][0]
    far = (car.labels == NUMBER["sky"]) & (car.clean == 0)
    assert (car.picture[far].min(1) > 235).mean() > 0.6


def test_pairs_of_a_look_are_a_folder_that_trainings_read(tmp_path):
    folder = looks.write_pairs(tmp_path / "clay", "clay", 2, 1, 64)
    train, held = Pairs(folder, "train", 64), Pairs(folder, "validation", 64)
    assert (len(train), len(held)) == (2, 1)
    for number, sample in enumerate(looks.pairs("clay", 2, 64)):
        assert np.array_equal(train[number].picture, sample.picture)
        assert np.array_equal(train[number].sketch, sample.sketch)
        assert np.array_equal(train[number].labels, sample.labels)
        assert train[number].captions == sample.captions
    assert json.loads((folder / "prepare.json").read_text())["counts"] == {"train": 2, "validation": 1}


def test_pairs_are_made_of_scenes_that_are_there(tmp_path):
    cache = SceneCache(tmp_path / "scenes", 40, 4, 64, drawings=2, workers=0)
    folder = looks.write_pairs(tmp_path / "noir", "noir", 2, 1, 64, scenes=cache)
    shown = [*Pairs(folder, "train", 64), *Pairs(folder, "validation", 64)]
    for number, sample in enumerate(shown):
        scene = cache[number]
        assert np.array_equal(sample.picture, looks.look_of("noir").shown(scene))
        assert np.array_equal(sample.sketch, scene.sketch) and sample.tags == scene.tags
    with pytest.raises(ConfigError, match="pairs: got 5, expected 1 to 4"):
        next(looks.pairs("noir", 5, 64, cache))
    with pytest.raises(ConfigError, match="scenes: got pictures of 64x64, expected 128x128"):
        next(looks.pairs("noir", 1, 128, cache))
    with pytest.raises(ConfigError, match="without exact lines or classes"):
        next(looks.pairs("noir", 1, 64, Pairs(folder, "train", 64)))


def test_wrong_looks_are_named():
    with pytest.raises(ConfigError, match="'vapour', expected one of: night, clay, print, studio-clay"):
        looks.look_of("vapour")
    with pytest.raises(ConfigError, match="pairs: got 0, expected 1 to 1000"):
        next(looks.pairs("clay", 0))


def test_colours_that_are_moved_are_as_far_as_they_were_moved():
    rng = np.random.default_rng(0)
    one = [rng.integers(60, 200, (32, 32, 3)).astype(np.uint8) for _ in range(3)]
    assert colour_distance(one, one) < 1.0  # other pixels of the same pictures are drawn
    grey, lighter = np.full((32, 32, 3), 119, np.uint8), np.full((32, 32, 3), 145, np.uint8)
    assert colour_distance([grey], [lighter]) == pytest.approx(9.9, abs=1.0)  # Lab lightness 50 and 60


@pytest.mark.parametrize("seed", range(4))
def test_childlike_drawings_have_lines_and_areas_of_their_kind(seed):
    drawn = childlike(seed, 128)
    assert drawn.kind == KINDS[seed % 2]
    assert np.array_equal(drawn.lines, childlike(seed, 128).lines)
    assert not np.array_equal(drawn.lines, childlike(seed + 2, 128).lines)
    wanted = {"car": {"body", "glass", "wheel", "light"}, "house": {"wall", "roof", "door", "window"}}[drawn.kind]
    found = {name for name, number in NUMBER.items() if (drawn.labels == number).any()}
    assert wanted | {"sky", "ground"} <= found
    assert 0.02 < (drawn.lines > 128).mean() < 0.2


class Painter:
    """Renders control images by turning them around, a little darker for each step."""

    side = 64

    def sketches(self, jobs, steps):
        for control, _ in jobs:
            yield (255 - control) // steps


def test_pages_show_every_drawing_in_every_way():
    drawn = list(look.drawings(64, 10))
    assert len(drawn) == 10 and all(len(set(each.prompts)) == 3 for each in drawn)
    made = list(look.pages(Painter(), drawn))
    assert len(made) == 2
    columns, rows = 1 + 2 * 3 * 3, (8, 2)
    for page, count in zip(made, rows, strict=True):
        assert page.dtype == np.uint8 and page.shape[2] == 3
        assert page.shape[1] == columns * (look.CELL + look.GAP) + look.GAP
        assert page.shape[0] == look.HEAD + count * (look.CELL + 3 * look.LINE + look.GAP)
