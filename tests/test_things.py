"""Things of all names: what they are made of, that their surfaces are sound, and how they are drawn."""

import numpy as np
import pytest
import torch

from inkstream.lora.data import grammar
from inkstream.lora.data._thing import surface
from inkstream.lora.data._thing_mesh import meshes
from inkstream.lora.data._thing_neon import tubes
from inkstream.lora.data._thing_parts import Plate, closed, ellipse, merged
from inkstream.lora.data._thing_raster import seen_triangles
from inkstream.lora.data._thing_shape import COARSE, parts_of, solid_of
from inkstream.lora.data._thing_words import MATTER, NAMES, PAINTED, THING
from inkstream.lora.data.palette import NUMBER
from inkstream.lora.data.scenes import caption, captions, render, sample_scene
from inkstream.stream.base.errors import ConfigError


def area(ring):
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@pytest.mark.parametrize("name", (*NAMES, THING))
def test_a_thing_stands_on_the_ground_and_is_a_metre_large(name):
    for form in (3.0, 4.0):
        parts = parts_of(name, form, 0.0)
        shells = meshes(parts, 1 / 40)
        points = np.concatenate([shell.points for shell in shells])
        assert np.isfinite(points).all()
        size = np.ptp(points, axis=0)
        assert 0.93 < max(size[1], 0.85 * size[0]) < 1.07 and abs(points[:, 1].min()) < 0.03
        for shell in shells:
            assert np.allclose(np.linalg.norm(shell.normals, axis=1), 1, atol=1e-3)
            a, b, c = (shell.points[shell.triangles[:, k]] for k in range(3))
            facing = (np.cross(b - a, c - a) * shell.normals[shell.triangles].sum(1)).sum(1)
            assert (facing >= 0).all(), "every triangle looks outwards"


def test_no_two_are_alike_and_each_stays_for_ever():
    first, again, other = (sample_scene(seed, "thing", name="cat") for seed in (5, 5, 6))
    assert first == again and first.shape["form"] != other.shape["form"]
    heights = {
        round(float(solid_of(sample_scene(n, "thing", name="horse"), 1 / 30)[1][3].points[:, 2].max()), 5)
        for n in range(5)
    }
    assert len(heights) == 5


def test_a_disc_becomes_a_ball_and_a_strip_a_tube():
    disc = meshes([Plate([ellipse(0, 0.5, 0.4, 0.4)])], 1 / 80)[0]
    assert disc.points[:, 2].max() == pytest.approx(0.4 / np.sqrt(2), rel=0.08)
    strip = meshes([Plate([np.array([(-1.5, 0.0), (1.5, 0.0), (1.5, 0.3), (-1.5, 0.3)])])], 1 / 80)[0]
    middle = strip.points[np.abs(strip.points[:, 0]) < 0.5]
    assert middle[:, 2].max() == pytest.approx(0.15, rel=0.03)
    assert np.allclose(strip.points[:, 2].max(), -strip.points[:, 2].min())


def test_outlines_that_touch_become_one_and_holes_stay():
    rings = merged(ellipse(-0.2, 0, 0.3, 0.3), ellipse(0.2, 0, 0.3, 0.3), holes=[ellipse(0, 0, 0.1, 0.1)])
    assert len(rings) == 2
    assert abs(area(rings[1])) == pytest.approx(np.pi * 0.01, rel=0.08)


def test_a_corner_that_is_given_twice_is_sharp():
    ring = closed([(0, 0), (0, 0), (1, 0), (1, 0), (0.5, 1)])
    gaps = np.linalg.norm(ring[:, None] - np.array([(0, 0), (1, 0)]), axis=-1).min(0)
    assert (gaps < 1e-6).all() and ring[:, 1].min() > -0.2


def test_the_nearest_triangle_is_seen_and_none_from_behind():
    near = torch.tensor([[[2.0, 2, 1], [2, 14, 1], [14, 2, 1]]])
    far = near + torch.tensor([0.0, 0.0, 2.0])
    pixel, triangle, shares = seen_triangles(torch.cat([far, near, near[:, [0, 2, 1]] - 0.5]), 16)
    assert set(triangle.tolist()) == {1} and len(set(pixel.tolist())) == len(pixel)
    assert len(pixel) == pytest.approx(72, abs=12)
    assert torch.allclose(shares.sum(1), torch.ones(len(pixel)), atol=1e-4)


def test_what_is_said_is_a_name_a_material_and_its_colours():
    scene = sample_scene(
        1, "thing", name="rabbit", material="plush", colour="red", second="white", ground="table", time="day"
    )
    assert captions(scene) == (
        "a red and white plush rabbit, on table, day",
        "a red and white plush thing, on table, day",
        "a rabbit made of red and white plush, day, on a table",
        "rabbit of red and white plush, on a table, day",
        "a red and white plush rabbit on a table, day",
    )
    bare = sample_scene(1, "thing", name=THING, material="gold", time="studio")
    assert caption(bare) == "a gold thing, in a studio"
    for seed in range(60):
        tags = sample_scene(seed, "thing").tags
        assert tags["colour"] in MATTER[tags["material"]]
        assert tags["second"] == "none" or (tags["material"] in PAINTED and tags["second"] != tags["colour"])
        assert tags["material"] != "neon" or tags["time"] in ("night", "dusk")
        assert (tags["ground"] in grammar.GROUNDS) or (tags["sky"], tags["light"]) == ("none", "none")


@pytest.mark.parametrize(
    "tags", [{"colour": "teal"}, {"second": "white"}, {"ground": "table"}, {"material": "ice"}, {"time": "rain"}]
)
def test_what_is_asked_for_goes_together(tags):
    for seed in range(12):
        scene = sample_scene(seed, "thing", **({"name": "cat"} if "second" in tags else {}), **tags)
        assert tags.items() <= scene.tags.items()


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ConfigError, match="expected both or none to be 'studio'"):
        sample_scene(1, "thing", time="studio", ground="sand")
    with pytest.raises(ConfigError, match="colour: got 'red'"):
        sample_scene(1, "thing", material="gold", colour="red")


@pytest.mark.parametrize(("name", "seed"), [("cat", 3), ("chair", 4), ("letter", 5), (THING, 6), ("cup", 7)])
def test_its_outline_is_a_line_all_around(name, seed):
    scene = sample_scene(seed, "thing", name=name, material="clay", ground="grass", time="day")
    renders = render([scene], 96)
    thing = renders.labels[0] == NUMBER["thing"]
    assert 0.02 < thing.float().mean() < 0.7
    edge = (thing[1:, 1:] != thing[:-1, 1:]) | (thing[1:, 1:] != thing[1:, :-1])
    near = torch.nn.functional.max_pool2d(renders.lines[0][None].float(), 3, 1, 1)[0, 1:, 1:]
    assert (near[edge] > 100).float().mean() > 0.98


def test_creases_are_drawn_where_nothing_hides_them():
    scene = sample_scene(3, "thing", name="fish", material="clay")
    seen, stroke = surface(scene, 128, torch.device("cpu"), COARSE)
    inside = torch.zeros(128 * 128, dtype=torch.bool)
    inside[seen.pixel] = True
    assert stroke.any() and not (stroke & ~inside.view(128, 128)).any()


def test_neon_is_a_sign_that_glows_along_its_lines():
    scene = sample_scene(8, "thing", name="robot", material="neon", colour="green", ground="road")
    parts, _, _ = solid_of(scene, COARSE)
    assert all(isinstance(part, Plate) for part in parts) and len(tubes(parts)) > 10
    renders = render([scene], 96)
    level, lines = renders.picture[0], renders.lines[0] > 128
    thing = renders.labels[0] == NUMBER["thing"]
    assert level[1][lines & thing].mean() > 2 * level[1][~lines & thing].mean()
    assert level[1][lines & thing].mean() > 1.3 * level[0][lines & thing].mean(), "it is green"
