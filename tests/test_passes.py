"""What is known of a picture beside its colours, on its way from a source to the condition images."""

import threading
import time

import numpy as np
import pytest

from inkstream.adapters import open_preprocessor
from inkstream.adapters.palettes import open_palette
from inkstream.adapters.scene import class_named
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import FrameError
from inkstream.stream.base.frame import Frame, Size
from inkstream.stream.base.mailbox import Mailbox
from inkstream.stream.base.metrics import Metrics
from inkstream.stream.base.passes import Passes, find_edges
from inkstream.stream.loop.plan import Preparer
from inkstream.stream.session.intake import Intake
from inkstream.stream.sources.scene.car import car
from inkstream.stream.sources.scene.places import city, terrain

SIZE = Size(64, 48)


def flat(depth=0.5, size=SIZE, **more):
    return Passes(np.full((size.height, size.width), depth, np.float32), **more)


def box_on_a_floor():
    """Depth, normals and things of a floor that runs away from the eye, with an upright box on it."""
    rows = np.arange(48, dtype=np.float32)[:, None]
    depth = np.broadcast_to(np.clip((rows - 12) / 40, 0, 1), (48, 64)).astype(np.float32)
    normal = np.full((48, 64, 3), (128, 255, 128), np.uint8)
    normal[:13] = (128, 128, 255)
    ids = np.where(rows > 12, 1, 0).astype(np.uint16) * np.ones((1, 64), np.uint16)
    depth[10:30, 20:40], normal[10:30, 20:40], ids[10:30, 20:40] = depth[30, 0], (128, 128, 255), 2
    return depth, normal, ids


def test_passes_that_differ_in_size_are_refused_with_every_size():
    with pytest.raises(FrameError, match=r"depth 64x48, normal 32x32, expected one size; render"):
        Passes(np.zeros((48, 64), np.float32), np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize("maps", ["dni", "d", "n", "i"])
def test_edges_are_where_a_thing_ends_and_nowhere_on_a_floor_that_runs_away(maps):
    depth, normal, ids = box_on_a_floor()
    edges = find_edges(depth if "d" in maps else None, normal if "n" in maps else None, ids if "i" in maps else None)
    assert set(np.unique(edges)) == {0, 255}
    assert not edges[35:, :].any()  # floor
    assert not edges[:8, :].any()  # sky
    assert not edges[14:28, 24:36].any()  # the front of the box
    assert (edges[15:27, 18:22].max(axis=1) == 255).all()  # its left side
    if maps != "n":  # the front faces the eye, as the sky does
        assert (edges[8:12, 24:36].max(axis=0) == 255).all()  # its top


def test_a_jump_in_depth_is_a_line_of_one_pixel_on_the_nearer_side():
    depth = np.full((20, 20), 0.1, np.float32)
    depth[:, 10:] = 0.6
    edges = find_edges(depth, None, None)
    assert (edges[:, 10] == 255).all()
    assert edges.astype(bool).sum() == 20


def test_given_edges_are_taken_and_none_is_lost_when_they_get_smaller():
    edges = np.zeros((64, 64), np.uint8)
    edges[:, 33] = 255
    small = Passes(edges=edges).fitted(Size(16, 16)).lines()
    assert small.shape == (16, 16)
    assert (small.max(axis=1) == 255).all()
    assert Passes().lines() is None


def test_passes_are_laid_into_another_size_as_the_picture_is():
    picture = np.random.default_rng(0).integers(0, 256, (160, 320, 3), np.uint8)
    passes = Passes(picture[..., 0].astype(np.float32), picture, picture[..., 0].astype(np.uint16))
    for fit, target in (("crop", Size(80, 80)), ("letterbox", Size(160, 160)), ("stretch", Size(640, 160))):
        config = StreamConfig.build(width=target.width, height=target.height, fit=fit)
        fitted = passes.fitted(target, fit)
        assert fitted.size == target
        assert (fitted.ids == fitted.depth).all()  # by the nearest pixel, each as the other: nothing is mixed
        assert (fitted.normal[..., 0] == fitted.ids).all()
        mean = Preparer(config).fitted(picture)[..., 0].astype(float)
        inside = fitted.ids > 0
        assert np.corrcoef(mean[inside], fitted.ids[inside])[0, 1] > 0.4  # noise, whose pixels stay in their places


def test_a_flow_of_another_program_counts_from_the_picture_before_alone():
    flow = np.full((48, 64, 2), 2.0, np.float32)
    now = Passes(flow=flow, number=5)
    assert now.motion_since(Passes(flow=flow, number=3)) is None
    motion = now.motion_since(Passes(flow=flow, number=4))
    assert motion.seen[:-2, :-2].all()
    assert not motion.seen[:, -1].any()  # came from outside
    half = now.fitted(Size(32, 24)).motion_since(Passes(flow=flow, number=4).fitted(Size(32, 24)))
    assert (half.flow == 1.0).all()
    assert now.motion_since(flat(size=Size(8, 8), number=4)) is None


def test_each_condition_takes_its_pass_and_says_so_where_there_is_none():
    depth, normal, ids = box_on_a_floor()
    picture = np.full((48, 64, 3), 200, np.uint8)
    known = Passes(depth, normal, ids)
    made = open_preprocessor("depth")(picture, known)
    assert made.shape == (48, 64, 3)
    assert made[40, 5, 0] == round(depth[40, 5] * 255)
    assert made[2, 2, 0] == 0
    assert (open_preprocessor("normal")(picture, known) == normal).all()
    lines = open_preprocessor("edges")(picture, known)
    assert lines.max() == 255
    assert not open_preprocessor("edges")(picture).any()  # looked for in the picture, which is bare
    assert not open_preprocessor("canny")(picture, known).any()  # it was asked to look at the picture
    for name in ("depth", "normal"):
        with pytest.raises(FrameError, match=f"{name}: this picture came without its {name}.*take scene:"):
            open_preprocessor(name)(picture)
        with pytest.raises(FrameError, match="without its"):
            open_preprocessor(name)(picture, Passes(ids=ids))


def test_passes_come_with_the_frame_of_their_source_and_are_fitted_with_it():
    depth, normal, ids = box_on_a_floor()

    class Scene:
        live = False
        passes = Passes(depth, normal, ids)

        def read(self):
            return np.zeros((48, 64, 3), np.uint8)

        def close(self):
            pass

    inbox, stop = Mailbox(), threading.Event()
    intake = Intake(Scene(), inbox, Metrics(), time.perf_counter, stop, lambda: None)
    worker = threading.Thread(target=intake.run)
    worker.start()
    frame: Frame = inbox.get(5.0)
    stop.set()
    inbox.close()
    worker.join(5.0)
    assert frame.passes is Scene.passes
    config = StreamConfig.build(width=128, height=96, controlnets=[{"model_id": "x", "preprocessor": "normal"}])
    preparer = Preparer(config)
    prepared = preparer.prepare(preparer.fitted(frame.pixels), frame.passes)
    assert prepared.conditions[0].shape == (96, 128, 3)
    assert (prepared.conditions[0] == frame.passes.fitted(Size(128, 96)).normal).all()


def test_things_of_a_scene_are_of_the_classes_that_their_names_say():
    depth, normal, ids = box_on_a_floor()
    picture = np.full((48, 64, 3), 200, np.uint8)
    known = Passes(depth, normal, ids, names={1: "road", 2: "wall"})

    def made(**params):
        return open_preprocessor("palette", params)(picture, known)

    def network(palette, name, classes=None):
        places = {each.name: place for place, each in enumerate(open_palette(palette).things)}
        return tuple(open_palette(palette).network(classes)[places[name]])

    small = made(classes=19)
    assert tuple(small[20, 30]) == network("ink-tiny", "wall")
    assert tuple(small[44, 50]) == network("ink-tiny", "ground")  # the kin of a road, which it does not know
    assert tuple(small[3, 3]) == network("ink-tiny", "sky")
    assert (small[15:27, 18:22].max(axis=1) == 255).all()  # with lines on top
    city = made(palette="ade20k")
    assert tuple(city[20, 30]) == network("ade20k", "building")  # a wall outdoors
    assert tuple(city[44, 50]) == network("ade20k", "road")
    assert (made(gives="lines") == open_preprocessor("edges")(picture, known)).all()
    nameless = Passes(depth, normal, ids)
    assert (open_preprocessor("palette")(picture, nameless) == open_preprocessor("palette")(picture)).all()


@pytest.mark.parametrize("palette", ["ink-tiny", "ade20k", "coco", "coco-stuff", "cityscapes"])
def test_every_thing_that_the_built_in_scenes_have_is_of_a_class_of_every_palette(palette):
    places = {each.name: place for place, each in enumerate(open_palette(palette).things)}
    names = {"sky", *(name for make in (city, car, terrain) for name in make().names.values())}
    without = {"lake"} if palette == "cityscapes" else set()
    assert {name for name in names if class_named(name, places) is None} == without
    assert class_named("oak tree", places) == class_named("tree", places)
    assert class_named("zzz", places) is None
