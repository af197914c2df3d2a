"""Painting with classes: paint is snapped to the classes of a palette, and what nobody painted is never invented."""

import cv2
import numpy as np
import pytest
from doubles.painted_pages import painted_page

from inkstream.adapters import open_preprocessor
from inkstream.adapters.palettes import GAP, NAMES, open_palette
from inkstream.adapters.snap import UNDECIDED, edges_of, read_paint
from inkstream.lora.data import palette as trained
from inkstream.stream.app.studio.sketches import classes, under
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.loop.plan import Preparer

INK = (20, 20, 20)
PLACE = {each.name: place for place, each in enumerate(open_palette("ink-tiny").things)}
PAINT = {each.name: each for each in open_palette("ink-tiny").things}


def scene(side: int = 256) -> np.ndarray:
    """Sky over a meadow with a house of two paints, on white that is left bare at the right."""
    page = np.full((side, side, 3), 255, np.uint8)
    third = side // 3
    page[:third, : side - 40], page[third : 2 * third, : side - 40] = PAINT["sky"].paint, PAINT["grass"].paint
    page[third - 30 : third + 30, 40:100] = PAINT["wall"].paint
    page[third - 30 : third + 30, 100:160] = PAINT["wall"].second
    return page


@pytest.mark.parametrize(("name", "count"), list(zip(NAMES, (31, 150, 133, 171, 19), strict=True)))
def test_a_palette_has_its_classes_and_no_two_paints_are_alike(name, count):
    palette = open_palette(name)
    assert len(palette.things) == count == len({each.name for each in palette.things})
    assert len({each.number for each in palette.things}) == count
    paints = palette.paints().reshape(-1, 3).astype(int)
    apart = np.abs(paints[:, None] - paints).max(axis=2) + 255 * np.eye(len(paints), dtype=int)
    assert apart.min() >= GAP and (255 - paints).max(axis=1).min() >= GAP


def test_palettes_have_the_colours_that_networks_were_trained_on():
    ade, coco, city, stuff = (
        {each.name: each for each in open_palette(name).things}
        for name in ("ade20k", "coco", "cityscapes", "coco-stuff")
    )
    assert ade["road"].network == ade["skyscraper"].network == (140, 140, 140)
    assert ade["skyscraper"].paint != ade["road"].paint
    assert ade["flag"].network == (92, 0, 255) and ade["flag"].number == 150
    assert coco["person"].network == (220, 20, 60) and coco["rug"].number == 200
    assert city["bicycle"].network == (119, 11, 32) and city["bicycle"].number == 18
    assert stuff["wood"].network == (181, 181, 181) and stuff["wood"].number == 182
    assert (open_palette("ink-tiny").network()[: len(PAINT)] == trained.colours()).all()


def test_the_page_and_the_trainer_have_the_palette_too():
    assert [each["name"] for each in classes()] == list(trained.CLASSES) == list(PAINT)
    assert [bytes.fromhex(str(each["colour"])[1:]) for each in classes()] == [
        bytes(each.paint) for each in PAINT.values()
    ]
    known = open_palette("ink-tiny").network(known=19)
    assert (known[PLACE["river"]] == known[PLACE["sea"]]).all() and known[PLACE["river"]].any()


@pytest.mark.parametrize("seed", range(5))
def test_no_class_is_invented(seed):
    name = NAMES[seed % len(NAMES)]
    pixels, truth = painted_page(seed, name, 256)
    found = read_paint(pixels, name)
    assert set(found.classes) <= set(np.unique(truth).tolist())
    assert (found.labels == truth).mean() > 0.95


@pytest.mark.slow
def test_no_class_is_invented_on_200_pages():
    right = []
    for seed in range(200):
        name = NAMES[seed % len(NAMES)]
        pixels, truth = painted_page(seed, name, (256, 512, 512)[seed % 3])
        found = read_paint(pixels, name)
        assert set(found.classes) <= set(np.unique(truth).tolist()), seed
        right.append((found.labels == truth).mean())
    assert np.mean(right) >= 0.99


def test_what_is_not_painted_is_undecided_and_lines_leave_the_paint_alone():
    page = scene()
    plain = read_paint(page, "ink-tiny").labels
    assert (plain[:, 220:] == UNDECIDED).all() and (plain[200:] == UNDECIDED).all()
    cv2.line(page, (10, 10), (200, 150), INK, 2)
    cv2.circle(page, (230, 100), 15, INK, 2)
    lined = read_paint(page, "ink-tiny")
    assert (lined.labels == plain).mean() > 0.995 and not lined.hints.any()


def test_two_paints_of_one_class_are_two_things_with_an_edge_between():
    found = read_paint(scene(), "ink-tiny")
    wall = found.labels == PLACE["wall"]
    assert wall[70:100, 50:150].all() and not found.second[70:100, 50:95].any() and found.second[70:100, 105:150].all()
    edges = edges_of(found, borders=False)
    assert 95 <= np.flatnonzero(edges[80]).mean() <= 105 and not edges[:50].any()
    made = open_preprocessor("palette", {"borders": False})(scene())
    assert made[80, 97:103].min(axis=1).max() > 200


def test_things_that_the_page_knows_have_an_edge_between():
    labels = np.full((256, 256), PLACE["tree"], np.uint8)
    things = np.ones((256, 256), np.uint16)
    things[:, 128:] = 2
    drawn = under(np.full((256, 256, 3), 255, np.uint8), labels, things)
    made = open_preprocessor("palette")(drawn)
    assert made[128, 124:132].min(axis=1).max() > 150 and made[128, 20:110].min(axis=1).max() < 100


def test_each_network_gets_what_it_reads():
    page = scene()
    both = open_preprocessor("palette")(page)
    assert (both[20, 20] == np.round(np.array(PAINT["sky"].paint) * 0.7)).all() and not both[240, 240].any()
    lines = open_preprocessor("palette", {"gives": "lines"})(page)
    assert lines[20, 20].max() == 0 and lines.max() == 255 and (lines[..., 0] == lines[..., 1]).all()
    road = {each.name: each for each in open_palette("ade20k").things}["skyscraper"]
    street = np.full((512, 512, 3), 255, np.uint8)
    street[100:400, 100:400] = road.paint
    seen = open_preprocessor("palette", {"palette": "ade20k"})(street)
    assert (seen[250, 250] == 140).all() and not seen[20, 20].any() and len(np.unique(seen)) == 2


def test_a_colour_that_is_no_class_is_a_hint_and_open_unless_the_model_reads_it():
    page = scene()
    cv2.ellipse(page, (90, 200), (60, 25), 0, 0, 360, (20, 90, 90), -1)
    found = read_paint(page, "ink-tiny")
    assert found.hints[200, 60:120].all() and found.hints.mean() < 0.1
    assert not open_preprocessor("palette")(page)[200, 90].any()
    painted = open_preprocessor("palette", {"hints": "paint"})(page)[200, 90]
    assert painted.tolist() == open_preprocessor("paint")(page)[200, 90].tolist()


def test_a_stream_starts_from_hints_and_not_from_the_colours_of_classes():
    page = scene()
    cv2.ellipse(page, (90, 200), (60, 25), 0, 0, 360, (20, 90, 90), -1)
    nets = ({"preprocessor": "palette"}, {"preprocessor": "palette", "preprocessor_params": {"gives": "lines"}})
    for mode in ("paint", "img2img"):
        preparer = Preparer(StreamConfig.build(mode=mode, width=256, height=256, controlnets=nets))
        made = preparer.prepare(page)
        assert (made.image[200, 60:120] == (20, 90, 90)).all()
        assert np.abs(made.image[20, 20].astype(int) - PAINT["sky"].paint).max() > 40
        assert (made.conditions[0] == open_preprocessor("palette")(page)).all()
        assert (made.conditions[1] == open_preprocessor("palette", {"gives": "lines"})(page)).all()
    plain = Preparer(StreamConfig.build(mode="sketch", width=256, height=256, controlnets=nets)).prepare(page)
    assert (plain.image == page).all()


def test_blobs_run_on_to_the_lines_where_a_model_knows_no_gaps():
    page = np.full((256, 256, 3), 255, np.uint8)
    page[:90, 10:240], page[180:250, 10:240] = PAINT["sky"].paint, PAINT["grass"].paint
    cv2.rectangle(page, (60, 100), (200, 170), INK, 2)
    cv2.circle(page, (130, 135), 18, PAINT["wall"].paint, -1)
    colours = open_palette("ink-tiny").network()
    made = open_preprocessor("palette", {"bare": "near"})(page)
    assert (made[110, 70] == colours[PLACE["wall"]]).all() and (made[165, 190] == colours[PLACE["wall"]]).all()
    assert (made[5, 2] == colours[PLACE["sky"]]).all() and (made[175, 20] == colours[PLACE["grass"]]).all()
    assert (made.max(axis=2) > 0).all()
    page[:90] = page[180:] = 255  # one blob alone says nothing about the rest
    assert not open_preprocessor("palette", {"bare": "near"})(page)[5, 2].any()


def test_a_palette_or_setting_that_there_is_not_is_named():
    with pytest.raises(ConfigError, match=r"preprocessor palette: .*'ade20', expected one of: ink-tiny.*'ade20k'"):
        open_preprocessor("palette", {"palette": "ade20"})
    with pytest.raises(ConfigError, match="gives"):
        open_preprocessor("palette", {"gives": "all"})


def test_paint_without_a_known_colour_is_said_once_and_the_picture_goes_on(caplog):
    caplog.set_level("INFO", "inkstream.notes")
    strange = np.full((256, 256, 3), 255, np.uint8)
    cv2.circle(strange, (128, 128), 60, (20, 90, 90), -1)
    made = open_preprocessor("palette")
    assert all(made(each).shape == each.shape for each in (strange, strange))
    assert len(caplog.records) == 1 and "inkstream palette export ink-tiny" in caplog.text
    made(np.full((256, 256, 3), 255, np.uint8))
    made(scene())
    assert len(caplog.records) == 1
    made(strange)
    assert len(caplog.records) == 2
