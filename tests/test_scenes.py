"""Scenes: what they are, what is said about them, and that their pictures, lines and maps agree."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from inkstream.lora.data import grammar
from inkstream.lora.data._place_tags import nears
from inkstream.lora.data._place_words import BEHIND_CLASSES, ground_of
from inkstream.lora.data._thing_words import MATTER, NAMES
from inkstream.lora.data.palette import NUMBER
from inkstream.lora.data.render import AT_ONCE
from inkstream.lora.data.scenes import KINDS, caption, captions, render, sample_scene, samples, vocabulary
from inkstream.stream.base.errors import ConfigError

SIZE = 96
CAR = {"sky", "ground", "hill", "body", "glass", "wheel", "light", "trim"}
THING = {"sky", "ground", "hill", "thing"}
BUILDING = {"sky", "ground", "wall", "window", "door", "roof", "trim"}
STYLES = {"street": {"road", "path", "light"}, "bridge": {"river"}, "suspension bridge": {"river"}, "garage": {"path"}}


def explained(scene):
    """Classes that a scene's caption and grammar account for."""
    if scene.kind == "car":
        return CAR
    tags = scene.tags
    if scene.kind == "building":
        more = {"balconies": "balcony", "trees": "tree", "path": "path"}
        found = {label for tag, label in more.items() if tags[tag] != "none"}
        found |= {BEHIND_CLASSES[tags["behind"]]} if tags["behind"] != "none" else set()
        found |= {"a fence": {"fence"}, "a hedge": {"bush"}}.get(tags["fence"], set())
        found |= {"bushes": {"bush"}, "flowers": {"flowers"}}.get(tags["plants"], set())
        return BUILDING | found | STYLES.get(tags["style"], set())
    if scene.kind == "thing":
        return {"thing", "wall", "table"} if tags["ground"] == "table" else THING
    near = {ground_of(tags)} | ({"rock"} if tags["near"] == "rocks" else set())
    more = {"a river": {"river"}, "a lake": {"lake"}, "a road": {"road"}, "a path": {"path"}}
    things = more.get(tags["water"], set()) | more.get(tags["way"], set())
    things |= {"tree"} if tags["trees"] != "none" else set()
    things |= {"house"} if tags["houses"] != "none" else set()
    things |= {"a fence": {"fence"}, "a hedge": {"bush"}}.get(tags["fence"], set())
    things |= {"bush"} if tags["plants"] != "none" else set()
    things |= {"sea"} if tags["far"] == "cliffs" else set()
    return {"sky", grammar.FARS[tags["far"]]} | near | things


def classes(labels):
    names = list(NUMBER)
    return {names[number] for number in labels.unique().tolist()}


def words(text):
    return text.replace(",", " ").split()


@pytest.fixture(scope="module")
def rendered():
    """One scene of every style, material, time, ground, far, near and name, and what was rendered of them."""
    scenes = [
        sample_scene(
            50 + index,
            "car",
            style=style,
            finish=grammar.FINISHES[index % 5],
            time=(*grammar.TIMES, *grammar.INSIDE)[index % 11],
        )
        for index, style in enumerate(grammar.CAR_STYLES)
    ]
    pairs = [(style, material) for style, materials in grammar.MATERIALS.items() for material in materials]
    scenes += [
        sample_scene(80 + index, "building", style=style, material=material, time=grammar.TIMES[index % 8])
        for index, (style, material) in enumerate(pairs)
    ]
    places = [(far, near) for far in grammar.FARS for near in nears(far)]
    scenes += [
        sample_scene(110 + index, "landscape", far=far, near=near, time=grammar.TIMES[index % 8])
        for index, (far, near) in enumerate(places)
    ]
    things = zip(MATTER, NAMES[::3], (*grammar.GROUNDS, "table") * 4, strict=False)
    scenes += [
        sample_scene(
            140 + index, "thing", material=material, name=name, **({} if material == "neon" else {"ground": ground})
        )
        for index, (material, name, ground) in enumerate(things)
    ]
    return scenes, render(scenes, SIZE)


def test_a_seed_is_one_scene_for_ever():
    assert caption(sample_scene(0)) == "a glossy purple supercar, front three-quarter view, in a showroom"
    assert sample_scene(7) == sample_scene(7) != sample_scene(8)
    scene = sample_scene(3, "car")
    assert scene.shape["length"] == pytest.approx(4.572622491194556)
    blue = sample_scene(3, "car", colour="blue")
    assert blue.tags == {**scene.tags, "colour": "blue"} and blue.shape == scene.shape and blue.view == scene.view


def test_kinds_have_their_shares():
    kinds = [sample_scene(seed).kind for seed in range(1000)]
    for kind, share in (("car", 0.27), ("building", 0.25), ("landscape", 0.18), ("thing", 0.30)):
        assert kinds.count(kind) / 1000 == pytest.approx(share, abs=0.05)


def test_captions_keep_the_grammar_and_the_vocabulary():
    known = {word for listed in vocabulary().values() for text in listed for word in text.split()}
    seen = set()
    scenes = [sample_scene(seed) for seed in range(1800)]
    scenes += [sample_scene(seed, "thing", name=name) for seed, name in enumerate(NAMES)]
    for scene in scenes:
        texts = captions(scene)
        assert texts[0] == caption(scene) and len(set(texts)) == len(texts) >= 3
        for text in texts:
            assert set(words(text)) <= known, text
            assert len(words(text)) <= 28
            seen |= set(words(text))
    assert seen == known, "no word is listed that no caption has"


@pytest.mark.parametrize(
    ("kind", "tags", "expected"),
    [
        (
            "car",
            {
                "finish": "matte",
                "colour": "green",
                "style": "suv",
                "view": "side",
                "ground": "sand",
                "time": "sunset",
                "sky": "cloudy sky",
                "light": "behind",
            },
            "a matte green suv car, side view, on sand, sunset, cloudy sky, light from behind",
        ),
        (
            "car",
            {"finish": "glossy", "colour": "red", "style": "coupe", "view": "rear three-quarter", "time": "studio"},
            "a glossy red coupe car, rear three-quarter view, in a studio",
        ),
        (
            "car",
            {"finish": "two-tone", "colour": "navy", "style": "race car", "view": "front", "time": "showroom"},
            "a two-tone navy race car, front view, in a showroom",
        ),
        (
            "car",
            {
                "finish": "chrome",
                "colour": "gold",
                "style": "roadster",
                "view": "side",
                "ground": "coast",
                "time": "rain",
            },
            "a chrome gold roadster, side view, at the coast, rain",
        ),
        (
            "building",
            {
                "colour": "blue",
                "material": "glass",
                "style": "skyscraper",
                "balconies": "balconies",
                "ground": "grass",
                "time": "day",
                "sky": "clear sky",
                "light": "right",
                "trees": "none",
                "behind": "none",
            },
            "a blue glass skyscraper with a flat roof and balconies, on grass, day, clear sky, light from the right",
        ),
        (
            "building",
            {
                "colour": "white",
                "material": "plaster",
                "style": "villa",
                "ground": "grass",
                "time": "sunset",
                "trees": "birches",
                "plants": "flowers",
                "fence": "a hedge",
                "path": "a path",
                "behind": "mountains",
                "sky": "clear sky",
                "light": "behind",
            },
            "a white plaster villa with a flat roof, on grass, sunset, birches, flowers, a hedge and a path, "
            "mountains behind, clear sky, light from behind",
        ),
        (
            "building",
            {"colour": "red", "style": "suspension bridge", "ground": "grass", "time": "fog"}
            | {"trees": "none", "behind": "a city"},
            "a red steel suspension bridge over a river, on grass, fog, a city behind",
        ),
        (
            "building",
            {"colour": "grey", "material": "stone", "style": "street", "time": "night", "trees": "none"},
            "a street of grey stone houses, night",
        ),
        (
            "landscape",
            {"far": "snowy mountains", "near": "rocks", "trees": "trees", "time": "night"}
            | {"water": "none", "way": "none", "houses": "none", "plants": "none"},
            "a landscape with snowy mountains, rocks and trees, night",
        ),
        (
            "landscape",
            {"far": "green hills", "near": "flowers", "water": "a river", "houses": "a village", "trees": "birches"}
            | {"time": "rain", "fence": "a fence", "plants": "bushes"},
            "a landscape with green hills, flowers, a river, a village, a fence, bushes and birches, rain",
        ),
    ],
)
def test_what_is_asked_for_is_what_is_said(kind, tags, expected):
    for seed in range(3):
        assert caption(sample_scene(seed, kind, **tags)) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "boat"}, "kind: got 'boat', expected one of: car, building, landscape"),
        ({"kind": "car", "colour": "mauve"}, "colour: got 'mauve', expected one of: red"),
        ({"kind": "car", "roof": "flat"}, "got the tag 'roof', expected some of: finish"),
        ({"kind": "car", "time": "studio", "ground": "sand"}, "expected both or none to be 'studio'"),
        ({"kind": "car", "time": "garage", "ground": "showroom"}, "expected both or none to be 'garage'"),
        ({"kind": "car", "time": "night", "light": "left"}, "light: got 'left', expected one of: none"),
        ({"kind": "building", "style": "skyscraper", "roof": "gable"}, "roof: got 'gable', expected one of: flat"),
        ({"kind": "building", "material": "glass", "colour": "red"}, "colour: got 'red', expected one of: blue"),
    ],
)
def test_words_that_do_not_go_together(arguments, message):
    with pytest.raises(ConfigError, match=message):
        sample_scene(1, **arguments)


def test_words_asked_for_choose_a_style_that_can_have_them():
    for seed in range(8):
        assert sample_scene(seed, "building", material="glass").tags["style"] in ("apartment block", "skyscraper")
        assert sample_scene(seed, "building", colour="yellow").tags["material"] in ("wood", "plaster")
        assert sample_scene(seed, "building", balconies="balconies", roof="hip").tags["style"] == "apartment block"
        assert sample_scene(seed, "building", roof="dome").tags["style"] == "lighthouse"
        assert sample_scene(seed, "landscape", water="a lake").tags["far"] not in ("dunes", "the sea", "cliffs")
    assert {sample_scene(seed, "car", ground="snow").tags["time"] for seed in range(160)} == set(grammar.TIMES)


@pytest.mark.parametrize(("size", "message"), [(30, "multiple of 4"), (98, "multiple of 4"), (4096, "32 to 2048")])
def test_sizes_that_cannot_be(size, message):
    with pytest.raises(ConfigError, match=message):
        render([sample_scene(1)], size)


def test_everything_renders_to_finite_values(rendered):
    _, renders = rendered
    count = len(renders.picture)
    assert renders.picture.shape == (count, 3, SIZE, SIZE) and renders.lines.shape == (count, SIZE, SIZE)
    assert renders.picture.isfinite().all()
    assert renders.picture.min() >= 0 and renders.picture.max() <= 1
    assert not renders.depth.isnan().any() and (renders.depth > 0).all()
    assert (renders.labels[renders.depth.isinf()] == NUMBER["sky"]).all()
    assert renders.depth[renders.labels != NUMBER["sky"]].isfinite().all()


def test_pictures_are_neither_burnt_nor_black(rendered):
    scenes, renders = rendered
    for scene, picture in zip(scenes, renders.picture, strict=True):
        burnt = (picture > 0.996).all(0).float().mean()
        assert burnt < 0.03, caption(scene)
        assert (picture < 0.02).all(0).float().mean() < 0.10, caption(scene)
        assert picture.std() > 0.04, caption(scene)


def test_only_what_the_caption_says_is_there(rendered):
    scenes, renders = rendered
    for scene, labels in zip(scenes, renders.labels, strict=True):
        assert classes(labels) <= explained(scene), caption(scene)
    named = {
        "car": {"body", "wheel", "glass"},
        "building": {"wall", "window", "roof"},
        "landscape": {"sky"},
        "thing": {"thing"},
    }
    for scene, labels in zip(scenes, renders.labels, strict=True):
        if "bridge" in scene.tags.get("style", "") or scene.tags.get("style") in ("tower", "temple"):
            continue  # bridges and temples have no window, and a tower may have a flat roof
        assert named[scene.kind] <= classes(labels), caption(scene)


def test_normals_are_unit_vectors_and_the_ground_looks_up(rendered):
    scenes, renders = rendered
    assert torch.allclose(renders.normals.norm(dim=1), torch.ones(renders.labels.shape), atol=1e-3)
    for scene, normals, labels in zip(scenes, renders.normals, renders.labels, strict=True):
        if scene.kind == "landscape":
            continue
        ground = normals[:, labels == NUMBER["ground"]]
        expected = torch.tensor([0.0, math.cos(scene.view.pitch), math.sin(scene.view.pitch)])
        assert torch.allclose(ground, expected[:, None].expand_as(ground), atol=1e-3), "camera space"
    # In a street's wide view, walls at the sides are seen although they look away from the middle.
    narrow = torch.tensor([scene.tags.get("style") != "street" for scene in scenes])
    walls = renders.normals[narrow].movedim(1, -1)[renders.labels[narrow] == NUMBER["wall"]]
    assert (walls[:, 2] > -0.05).float().mean() > 0.999, "what is seen looks towards the camera"


def test_depth_is_along_the_view_axis():
    scene = sample_scene(2, "building", style="house", ground="grass")
    view = scene.view
    depth = render([scene], SIZE).depth[0]
    column, row = SIZE // 2, SIZE - 2
    across = ((column + 0.5) / SIZE - 0.5 - view.place[0]) + view.centre[0]
    above = (0.5 - (row + 0.5) / SIZE - view.place[1]) + view.centre[1]
    spread = 2 * math.tan(view.field / 2)
    right, up, forward = (np.array(axis) for axis in view.axes)
    point = np.array(view.eye) + float(depth[row, column]) * (forward + spread * (across * right + above * up))
    # A pixel of the picture is picked within half a pixel of its middle.
    assert abs(point[1]) < 0.02 * float(depth[row, column])


def test_the_ground_comes_nearer_downwards(rendered):
    scenes, renders = rendered
    for scene, depth, labels in zip(scenes, renders.depth, renders.labels, strict=True):
        if scene.kind != "landscape":
            continue
        left = depth[:, 1][labels[:, 1] != NUMBER["tree"]]
        below = left[left.isfinite()]
        assert (below.diff() <= 0.01 * below[1:]).float().mean() > 0.8, caption(scene)


def near(lines, reach):
    return F.max_pool2d(lines.float()[:, None], 2 * reach + 1, 1, reach)[:, 0] > 0


def ends(renders):
    """(B, H, W) bool: where the class changes, a surface folds, or the depth leaves the line through its neighbours."""
    found = torch.zeros(renders.labels.shape, dtype=torch.bool)
    for axis in (-2, -1):
        side = found.shape[axis]
        before, after = (
            (renders.labels.narrow(axis, at, side - 1), renders.normals.narrow(axis, at, side - 1)) for at in (0, 1)
        )
        found.narrow(axis, 1, side - 1).logical_or_((before[0] != after[0]) | ((before[1] * after[1]).sum(1) < 0.78))
        near, middle, far = ((1 / renders.depth).narrow(axis, at, side - 2) for at in range(3))
        bend, slope = (near + far - 2 * middle).abs(), (far - near).abs() / 2
        found.narrow(axis, 1, side - 2).logical_or_(bend > 1.2 * slope + 0.04 * middle.clamp_min(2e-4))
    return found


def test_lines_lie_where_something_ends(rendered):
    scenes, renders = rendered
    borders = near(ends(renders), 2)
    drawn = renders.lines > 128
    for scene, line, border in zip(scenes, drawn, borders, strict=True):
        line = line & (from_the_sun(scene, SIZE) > 2.2)  # the sun is sky, too
        assert 0.004 < line.float().mean() < 0.35, caption(scene)
        if scene.kind not in ("car", "thing"):  # which have seams and folds, too; and a car road marks
            assert (line & border).sum() / line.sum() > 0.91, caption(scene)
        else:
            assert (line & border).sum() / line.sum() > 0.70, caption(scene)


def test_what_ends_has_a_line(rendered):
    scenes, renders = rendered
    close = near(renders.lines > 128, 2)
    names = ("sky", "ground", "hill", "mountain", "sea", "sand", "grass")
    around = torch.tensor([NUMBER[name] for name in names], dtype=torch.uint8)
    for scene, labels, line in zip(scenes, renders.labels, close, strict=True):
        solid = ~torch.isin(labels, around)
        outline = near(solid[None].float(), 1)[0] & ~solid
        assert (outline & ~line).sum() <= 0.03 * outline.sum(), caption(scene)


@pytest.mark.parametrize("style", grammar.CAR_STYLES)
def test_proportions_are_those_of_a_real_car(style):
    """Wheels of 0.6 to 1 m, two and a half to six of them between the axles, a low car low and a high one high."""
    for seed in range(4):
        s = sample_scene(seed, "car", style=style).shape
        between = (s["front"] - s["rear"]) / (2 * s["wheel"])
        assert 3.2 < between < 6.8 and 0.58 < 2 * s["wheel"] < 1.02
        assert 0.5 * (s["front"] + s["rear"]) == pytest.approx(0, abs=0.3) and s["half"] > s["front"] + s["wheel"]
        assert s["clearance"] < s["wheel"] < s["nose"] < s["roof"] and s["belt"] < 0.8 * s["roof"]
    low = {"supercar": 1.25, "race car": 1.3, "sports car": 1.4, "roadster": 1.3}
    assert s["roof"] < low.get(style, 3.2) and (style not in ("suv", "pickup", "van") or s["roof"] > 1.55)


def test_bodies_of_styles_differ_where_a_person_sees_it():
    """Seen from the side, with the same length: how much of the box around it a silhouette fills, and where."""
    from inkstream.lora.data._car_form import Bodies
    from inkstream.lora.data._table import Table

    found = {}
    for style in ("sedan", "wagon", "pickup", "supercar", "van"):
        shape = sample_scene(5, "car", style=style).shape
        bodies, p = Bodies([shape], torch.device("cpu")), Table.of([dict(shape)], torch.device("cpu"))
        x, y = torch.meshgrid(
            torch.linspace(-shape["half"], shape["half"], 120), torch.linspace(0, 2.2, 90), indexing="ij"
        )
        point = torch.stack([x.flatten(), y.flatten(), torch.zeros(x.numel())])
        one = torch.zeros(point.shape[1], dtype=torch.int64)
        inside = (bodies.form(point, one, p.at(one)).all < 0).reshape(x.shape)
        found[style] = (inside.float() * y).amax(1)  # (120,) the outline's height along the car
    rear = slice(4, 20)
    assert found["wagon"][rear].mean() > found["sedan"][rear].mean() + 0.15
    assert found["van"][rear].mean() > found["pickup"][rear].mean() + 0.5
    assert found["supercar"].max() < 1.3 < found["sedan"].max()
    assert found["pickup"][50:80].max() > found["pickup"][rear].max() + 0.4


def test_light_comes_from_the_side_that_is_said():
    """A building's two visible walls are bright on that side; from behind, both are dim."""
    scenes = [sample_scene(6, "building", style="house", material="concrete", colour="white", time="day", light=light,
                           sky="clear sky") for light in grammar.SIDES]  # fmt: skip
    renders = render(scenes, SIZE)
    walls = [
        picture.mean(0)[labels == NUMBER["wall"]].mean()
        for picture, labels in zip(renders.picture, renders.labels, strict=True)
    ]
    left, right, behind = (float(each) for each in walls)
    assert behind < 0.92 * min(left, right) and left != pytest.approx(right, rel=0.01)


def test_wheels_stand_on_the_ground():
    scene = sample_scene(4, "car", style="suv", view="side", time="day")
    scene = replace(scene, view=replace(scene.view, yaw=0.0, pitch=0.05))
    renders = render([scene], 256)
    wheel = renders.labels[0] == NUMBER["wheel"]
    rows, columns = wheel.nonzero(as_tuple=True)
    halves = [columns < columns.float().mean(), columns >= columns.float().mean()]
    for half in halves:
        height = rows[half].max() - rows[half].min()
        width = columns[half].max() - columns[half].min()
        assert abs(int(height) - int(width)) <= 0.12 * int(width), "round"
    bottoms = [int(rows[half].max()) for half in halves]
    assert abs(bottoms[0] - bottoms[1]) <= 2
    view = scene.view
    ray = np.subtract((scene.shape["front"], 0.0, scene.shape["width"]), view.eye)
    _, up, forward = np.array(view.axes) @ ray
    y = up / (2 * math.tan(view.field / 2) * forward)
    row = 256 * (0.5 - (y - view.centre[1] + view.place[1]))
    assert bottoms[1] == pytest.approx(row, abs=3)


def test_at_night_every_window_is_lit():
    scene = sample_scene(6, "building", style="house", material="brick", time="night")
    renders = render([scene], 128)
    window, wall = (renders.labels[0] == NUMBER[name] for name in ("window", "wall"))
    picture = renders.picture[0]
    assert picture[0, window].median() > 2 * picture[0, wall].median()
    assert picture[0, window].median() > 1.2 * picture[2, window].median(), "and warm"


def zoomed(scene, times):
    """The same scene so many times as large."""
    field = 2 * math.atan(math.tan(scene.view.field / 2) / times)
    return replace(scene, view=replace(scene.view, field=field, centre=tuple(times * at for at in scene.view.centre)))


def bare_wall(scene, size=256):
    """(3, size, size) picture, and where it shows nothing but a wall, two pixels from everything else."""
    renders = render([scene], size)
    wall = (renders.labels == NUMBER["wall"]).float()
    inside = 1 - torch.nn.functional.max_pool2d(1 - wall[:, None], 5, 1, 2)[0, 0]
    return renders.picture[0], inside > 0


@pytest.mark.parametrize(("colour", "time"), [("red", "day"), ("beige", "overcast"), ("grey", "night")])
def test_a_brick_wall_shows_its_bricks(colour, time):
    """Courses of 8 pixels, every other brick of a course a header, which is nearer to the mortar's colour."""
    scene = sample_scene(6, "building", style="house", material="brick", colour=colour, time=time)
    picture, wall = bare_wall(scene)
    level = picture.mean(0)
    row, column = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    joint, header = row % 8 == 0, (row // 8 + column // 8) % 2 == 0
    middle = (row % 8).sub(4).abs().lt(3) & (column % 8).sub(4).abs().lt(2)
    means = [level[wall & part].mean() for part in (joint, middle & header, middle & ~header)]
    pale = colour == "red"
    assert means[0] > means[1] > means[2] if pale else means[0] < means[1] < means[2]
    assert abs(means[1] - means[2]) > 0.06 * means[2], "a header is seen"


def test_bricks_belong_to_their_place_in_the_picture():
    """As no line says where they are; walls that are far away have none, as they would be higher than a man."""
    scene = sample_scene(6, "building", style="house", material="brick", colour="red", time="day")
    pictures = [bare_wall(each) for each in (scene, scene.seen_from(yaw=scene.view.yaw + 0.1))]
    both = pictures[0][1] & pictures[1][1]
    assert both.sum() > 500
    first, second = (picture.mean(0)[both] - picture.mean(0)[both].mean() for picture, _ in pictures)
    assert (first * second).sum() / (first.norm() * second.norm()) > 0.8
    assert roughness(*pictures[0]) > 0.03
    assert roughness(*bare_wall(zoomed(scene, 0.4))) < 0.02


def roughness(picture, wall):
    """Mean change of a wall's level from one pixel to the one below."""
    level, both = picture.mean(0), wall[1:] & wall[:-1]
    assert both.sum() > 100
    return (level[1:] - level[:-1]).abs()[both].mean()


def from_the_sun(scene, size):
    """(size, size): how far every pixel is from the middle of the sun, in its radii."""
    rows, columns = torch.meshgrid(*(torch.arange(size).float() + 0.5,) * 2, indexing="ij")
    x, y = (0.5 + scene.shape["sun_x"]) * size, (0.5 - scene.shape["sun_y"]) * size
    return ((columns - x) ** 2 + (rows - y) ** 2).sqrt() / max(1e-3, scene.shape["sun_size"] * size)


def test_a_sun_stands_in_the_sky_where_it_is_drawn():
    """Its disc is brighter than the sky elsewhere, it is sky, and its circle is a line; some have rays."""
    scenes = [sample_scene(seed) for seed in range(400)]
    sunny = [scene for scene in scenes if scene.shape["sun_size"]]
    assert 0.10 < len(sunny) / len(scenes) < 0.26
    assert not any(scene.tags["time"] in (*grammar.INSIDE, "rain", "fog") for scene in sunny)
    rayed = [scene for scene in sunny if scene.shape["sun_rays"]]
    assert 0.2 < len(rayed) / len(sunny) < 0.6 and {scene.tags["time"] for scene in rayed} == {
        "day",
        "sunset",
        "morning",
    }
    assert all(scene.shape["sun_x"] < 0 for scene in sunny if scene.tags["light"] == "left")
    assert all(scene.shape["sun_x"] > 0 for scene in sunny if scene.tags["light"] == "right")
    low = [scene for scene in sunny if scene.kind == "car" and scene.shape["roof"] < 1.5]
    clear = [scene for scene in low if scene.shape["sun_y"] > 0.3][:6]
    renders = render(clear, SIZE)
    for index, scene in enumerate(clear):
        apart = from_the_sun(scene, SIZE)
        level = renders.picture[index].mean(0)
        assert level[apart < 0.8].min() > level[: int(0.3 * SIZE)][apart[: int(0.3 * SIZE)] > 3.5].median()
        assert (renders.labels[index][apart < 0.8] == NUMBER["sky"]).all()
        lines = renders.lines[index] > 128
        wide = 1.5 / (scene.shape["sun_size"] * SIZE)
        assert (
            lines[(apart > 1 - wide) & (apart < 1 + wide)].float().mean() > 0.4
            and not lines[apart < 1 - 2.5 * wide].any()
        )
        bare = render([replace(scene, shape={**scene.shape, "sun_rays": 0.0})], SIZE)
        rays = lines & (bare.lines[0] <= 128)
        assert rays.any() == bool(scene.shape["sun_rays"])
        assert not rays[(apart < 1.35 - wide) | (apart > 1.85 + wide)].any()


def test_the_same_alone_and_among_others(monkeypatch):
    scenes = [sample_scene(seed) for seed in range(30, 42)]
    with monkeypatch.context() as patch:
        patch.setitem(AT_ONCE, "cpu", 4)
        together = render(scenes, 64)
    for index, scene in enumerate(scenes):
        alone = render([scene], 64)
        difference = (alone.picture[0] - together.picture[index]).abs()
        assert difference.max() <= 1 / 255, caption(scene)
        assert torch.equal(alone.labels[0], together.labels[index])
        assert torch.equal(alone.lines[0], together.lines[index])


def test_threads_change_nothing():
    scenes, threads = [sample_scene(seed) for seed in range(3)], torch.get_num_threads()
    first = render(scenes, 64)
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        second = render(scenes, 64)
    finally:
        torch.set_num_threads(threads)
    assert (first.picture - second.picture).abs().max() <= 1 / 255


@pytest.mark.parametrize("kind", KINDS)
def test_a_camera_moves_and_the_thing_stays(kind):
    scene = sample_scene(12, kind)
    turned = scene.seen_from(yaw=scene.view.yaw + 0.02)
    assert turned.shape == scene.shape and {**turned.tags, "view": 0} == {**scene.tags, "view": 0}
    first, second = (render([each], 64) for each in (scene, turned))
    changed = (first.labels != second.labels).float().mean()
    assert 0 < changed < 0.15, "a little"
    assert classes(second.labels) <= explained(turned)
    large = render([zoomed(scene, 1.5)], 64)
    thing = torch.tensor([NUMBER[name] for name in ("body", "wall", "glass", "window", "tree", "thing")])
    if kind != "landscape":
        shares = [torch.isin(each.labels, thing).float().mean() for each in (first, large)]
        assert shares[1] > 1.5 * shares[0]


def test_the_view_has_the_name_of_where_the_camera_is():
    scene = sample_scene(3, "car", view="side")
    names = {yaw: scene.seen_from(yaw=yaw).tags["view"] for yaw in (0.0, 0.7, 1.5, 2.4, math.pi, -0.7, -1.5, 7.0)}
    assert names == {
        0.0: "side",
        0.7: "front three-quarter",
        1.5: "front",
        2.4: "front three-quarter",
        math.pi: "side",
        -0.7: "rear three-quarter",
        -1.5: "rear",
        7.0: "front three-quarter",
    }
    for view in grammar.VIEWS:
        for seed in range(20):
            drawn = sample_scene(seed, "car", view=view)
            assert drawn.seen_from(yaw=drawn.view.yaw).tags["view"] == view
    assert sample_scene(3, "building").seen_from(yaw=0.4).tags == sample_scene(3, "building").tags


@pytest.mark.parametrize("kind", KINDS)
def test_cameras_may_look_past_the_thing(kind):
    scene = sample_scene(9, kind)
    cameras = [(5.0, yaw, pitch) for yaw in (0.0, 1.6, 3.1, -1.6) for pitch in (-0.1, 0.5, 1.2)]
    cameras.append((0.2, scene.view.yaw, 1.2))
    scenes = [
        zoomed(replace(scene, view=replace(scene.view, yaw=yaw, pitch=pitch)), times) for times, yaw, pitch in cameras
    ]
    renders = render(scenes, 64)
    assert renders.picture.isfinite().all() and not renders.depth.isnan().any()


def test_samples_are_training_pairs():
    scenes = [sample_scene(seed, kind) for seed, kind in enumerate(KINDS)]
    renders = render(scenes, SIZE)
    found = samples(renders, scenes)
    for index, (scene, sample) in enumerate(zip(scenes, found, strict=True)):
        assert sample.picture.shape == (SIZE, SIZE, 3) and sample.picture.dtype == np.uint8
        assert np.abs(sample.picture / 255 - renders.picture[index].permute(1, 2, 0).numpy()).max() <= 0.5 / 255 + 1e-6
        assert np.array_equal(sample.labels, renders.labels[index].numpy())
        assert np.array_equal(sample.clean, renders.lines[index].numpy())
        assert sample.captions == captions(scene) and sample.tags == scene.tags
        assert sample.sketch.shape == (SIZE, SIZE) and 0.002 < (sample.sketch > 128).mean() < 0.4
        assert not np.array_equal(sample.sketch, sample.clean), "a hand drew it"
    again = samples(renders, scenes)
    assert all(np.array_equal(a.sketch, b.sketch) for a, b in zip(found, again, strict=True))
