"""Looks that styles are made from, drawings by another hand, and the pages that are looked at."""

import json

import numpy as np
import pytest

from inkstream.lora.data import looks
from inkstream.lora.data.childlike import KINDS, childlike
from inkstream.lora.data.folder import Pairs
from inkstream.lora.data.palette import NUMBER
from inkstream.lora.evaluate import look
from inkstream.lora.evaluate.style import colour_distance
from inkstream.stream.base.errors import ConfigError

SIZE = 64


@pytest.fixture(scope="module")
def pairs():
    return {name: list(looks.pairs(name, 4, size=SIZE)) for name in looks.LOOKS}


def test_a_look_changes_the_picture_and_neither_the_drawing_nor_the_caption(pairs):
    first = pairs["night"]
    for name, made in pairs.items():
        assert [sample.captions for sample in made] == [sample.captions for sample in first], name
        assert all(np.array_equal(a.sketch, b.sketch) for a, b in zip(made, first, strict=True)), name
        assert all("night" not in sample.captions[0] for sample in made), name
    assert all(not np.array_equal(a.picture, b.picture) for a, b in zip(pairs["clay"], first, strict=True))


def test_each_look_has_colours_of_its_own(pairs):
    pictures = {name: [sample.picture for sample in made] for name, made in pairs.items()}
    halves = {name: (made[::2], made[1::2]) for name, made in pictures.items()}
    for name, (one, other) in halves.items():
        within = colour_distance(one, other)
        across = [colour_distance(one, pictures[each]) for each in pictures if each != name]
        assert within < min(across), name


def test_nights_are_dark_and_clay_is_of_one_colour(pairs):
    night = np.stack([sample.picture for sample in pairs["night"]]).astype(float)
    assert night[..., 2].mean() > 1.15 * night[..., 0].mean() and night.mean() < 110
    for sample in pairs["clay"]:
        thing = sample.picture[sample.labels != NUMBER["sky"]].astype(float)
        share = thing / thing.sum(1, keepdims=True)
        assert share.std(0).max() < 0.03


def test_a_print_has_five_inks(pairs):
    inks = np.array([*looks.INKS.values(), looks.PAPER], float)
    pixels = np.concatenate([sample.picture.reshape(-1, 3) for sample in pairs["print"]]).astype(float)
    nearest = np.linalg.norm(pixels[:, None] - inks, axis=2).min(1)
    assert (nearest < 12).mean() > 0.6


def test_pairs_of_a_look_are_a_folder_that_trainings_read(tmp_path, pairs):
    folder = looks.write_pairs(tmp_path / "clay", "clay", 3, 1, SIZE)
    train, held = Pairs(folder, "train", SIZE), Pairs(folder, "validation", SIZE)
    assert (len(train), len(held)) == (3, 1)
    for number, sample in enumerate(pairs["clay"][:3]):
        assert np.array_equal(train[number].picture, sample.picture)
        assert np.array_equal(train[number].sketch, sample.sketch)
        assert np.array_equal(train[number].labels, sample.labels)
        assert train[number].captions == sample.captions
    assert json.loads((folder / "prepare.json").read_text())["counts"] == {"train": 3, "validation": 1}


def test_wrong_looks_are_named():
    with pytest.raises(ConfigError, match="'vapour', expected one of: night, clay, print"):
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

    side = SIZE

    def sketches(self, jobs, steps):
        for control, _ in jobs:
            yield (255 - control) // steps


def test_pages_show_every_drawing_in_every_way():
    drawn = list(look.drawings(SIZE, 10))
    assert len(drawn) == 10 and all(len(set(each.prompts)) == 3 for each in drawn)
    made = list(look.pages(Painter(), drawn))
    assert len(made) == 2
    columns, rows = 1 + 2 * 3 * 3, (8, 2)
    for page, count in zip(made, rows, strict=True):
        assert page.dtype == np.uint8 and page.shape[2] == 3
        assert page.shape[1] == columns * (look.CELL + look.GAP) + look.GAP
        assert page.shape[0] == look.HEAD + count * (look.CELL + 3 * look.LINE + look.GAP)
