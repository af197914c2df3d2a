"""Scenes that are drawn live: both renderers, the eye, exact motion, meshes from files."""

import struct
import threading

import cv2
import numpy as np
import pytest

from inkstream.stream import Session, Stream, load_config
from inkstream.stream.base.errors import ConfigError, FrameError, SourceEnded, SourceUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.sources import open_source, source_present
from inkstream.stream.sources.scene import SceneSource
from inkstream.stream.sources.scene.camera import Camera
from inkstream.stream.sources.scene.car import car
from inkstream.stream.sources.scene.geometry import Builder, Geometry, Stage
from inkstream.stream.sources.scene.gl import GlRenderer
from inkstream.stream.sources.scene.places import city, terrain
from inkstream.stream.sources.scene.reference import NumpyRenderer
from inkstream.stream.sources.scene.view import View, looking

SIZE = Size(96, 72)
SCENES = {"city": city, "car": car, "terrain": terrain}


@pytest.fixture(scope="module")
def opengl():
    """Skips where there is no OpenGL."""
    pytest.importorskip("moderngl", reason="needs moderngl")
    try:
        GlRenderer(blocks(), SIZE).close()
    except SourceUnavailable as error:
        pytest.skip(f"needs opengl: {error}")


def blocks():
    """Three boxes on a floor, a metre or two each."""
    build = Builder()
    build.box(build.thing("ground"), (-6, -0.1, -6), (6, 0, 6), (120, 130, 110))
    for place, colour in (((-2, 0, -1), (200, 60, 40)), ((1, 0, 0.5), (60, 90, 200)), ((-0.5, 0, 2), (230, 200, 90))):
        build.box(build.thing("wall"), place, np.add(place, (1.2, 1.6, 1.0)).tolist(), colour)
    return build.made(Stage(np.array([0, 0.7, 0.5]), 3.0))


def view(eye=(3.0, 2.5, 6.0), at=(0.0, 0.6, 0.5)):
    return looking(np.array(eye), np.array(at), 3.0, 40.0)


# --- renderers


def test_the_reference_finds_every_pixel_of_a_wall_by_hand():
    build = Builder()
    build.quads(build.thing("wall"), np.array([[(-1, -1, -4), (1, -1, -4), (1, 1, -4), (-1, 1, -4)]]), (255, 0, 0))
    seen = View(np.zeros(3), 0.0, 0.0, near=2.0, far=10.0, fov=90.0)
    pixels, passes = NumpyRenderer(build.made(), Size(80, 80)).draw(seen)
    # At 90 degrees a wall of 2 that is 4 away takes a quarter of the height: pixels 30 to 49.
    inside = np.zeros((80, 80), bool)
    inside[30:50, 30:50] = True
    assert (passes.ids == inside).all()
    assert passes.depth[40, 40] == pytest.approx((1 / 4 - 1 / 10) / (1 / 2 - 1 / 10))
    assert (passes.depth[~inside] == 0).all()
    assert tuple(passes.normal[40, 40]) == (128, 128, 255)  # it faces the eye
    assert passes.names == {1: "wall"}
    assert pixels[40, 40, 0] > 60
    assert pixels[40, 40, 1:].max() == 0


def test_normals_have_the_colours_of_bae():
    build = Builder()
    build.box(build.thing("wall"), (-1, -1, -1), (1, 1, 1), (200, 200, 200))
    passes = NumpyRenderer(build.made(), Size(200, 200)).draw(view((4.0, 4.0, 5.0), (0, 0, 0)))[1]
    assert {1} == set(np.unique(passes.ids[90:110, 90:110]))
    left, right = passes.normal[130, 70].astype(int), passes.normal[130, 130].astype(int)
    assert left[0] > 128 > right[0]  # red is left
    assert passes.normal[70, 100][1] > 200  # green is up


def test_what_reaches_behind_the_eye_is_drawn_up_to_the_eye():
    build = Builder()
    floor = np.array([[(-50, -1, 50), (50, -1, 50), (50, -1, -50), (-50, -1, -50)]])
    build.quads(build.thing("ground"), floor, (9, 9, 9))
    passes = NumpyRenderer(build.made(), SIZE).draw(View(np.zeros(3), 0.0, 0.0, 1.0, 200.0))[1]
    assert (passes.ids[-1] == 1).all()
    assert (passes.ids[0] == 0).all()
    assert (np.diff(passes.depth[40:, 48]) > 0).all()  # nearer and nearer towards the lower edge


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("way", ["orbit", "path"])
def test_opengl_draws_what_the_reference_draws(opengl, name, way):
    geometry = SCENES[name]()
    camera = Camera(geometry.staged, way)
    seen = [camera.advance(0.25) for _ in range(8)][-1]
    gl, reference = GlRenderer(geometry, SIZE), NumpyRenderer(geometry, SIZE)
    (pixels, passes), (expected, known) = gl.draw(seen), reference.draw(seen)
    gl.close()
    same = passes.ids == known.ids
    assert same.mean() >= 0.995
    off = np.abs(passes.depth - known.depth)[same]
    assert np.quantile(off, 0.999) < 1e-4
    assert (np.abs(passes.normal.astype(int) - known.normal).max(-1) <= 2).mean() > 0.995
    assert (np.abs(pixels.astype(int) - expected).max(-1) <= 3).mean() > 0.99
    assert (passes.projection == known.projection).all()


def test_opengl_draws_from_whichever_thread_asks(opengl):
    source, drawn = SceneSource("car", size=SIZE, renderer="gl", pace=False), []
    worker = threading.Thread(target=lambda: drawn.append(source.read()))
    worker.start()
    worker.join(10)
    assert drawn[0].shape == (72, 96, 3)
    assert source.read().std() > 5
    source.close()
    source.close()
    with pytest.raises(SourceEnded):
        source.read()


# --- motion


def place_on(seen, size, column, row, height):
    """Where the ray through the middle of a pixel meets the plane y = height."""
    tall = np.tan(np.radians(seen.fov) / 2)
    right = (column + 0.5 - size.width / 2) / (size.height / 2) * tall
    up = (size.height / 2 - row - 0.5) / (size.height / 2) * tall
    ray = np.array([right, up, -1.0]) @ seen.axes
    return seen.eye + ray * (height - seen.eye[1]) / ray[1]


def test_motion_takes_each_place_to_where_it_was():
    renderer, (first, second) = NumpyRenderer(blocks(), SIZE), (view((3.0, 2.5, 6.0)), view((2.2, 2.3, 6.2)))
    before, now = (renderer.draw(each)[1] for each in (first, second))
    motion = now.motion_since(before)
    ground = np.argwhere((now.ids == 1) & motion.seen)
    assert len(ground) > 500
    for row, column in ground[::50]:
        place = np.append(place_on(second, SIZE, column, row, 0.0), 1.0)
        was = before.projection @ place
        assert motion.flow[row, column] == pytest.approx(was[:2] / was[3] - (column, row), abs=2e-3)
    # At another size the eye is the same; what is seen of it has other pixels.
    half = now.fitted(Size(48, 36)).motion_since(before.fitted(Size(48, 36)))
    assert np.abs(half.flow[18, 24] * 2 - motion.flow[36:38, 48:50].mean((0, 1))).max() < 0.5
    assert now.fitted(Size(48, 36)).motion_since(before) is None


def around(mask, reach=2):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


def test_the_picture_before_warped_by_the_motion_is_the_picture():
    renderer = NumpyRenderer(blocks(), Size(192, 144))
    (first, before), (second, now) = (renderer.draw(view(eye)) for eye in ((3.0, 2.5, 6.0), (2.0, 2.2, 6.4)))
    motion = now.motion_since(before)
    off = np.abs(motion.warp(first).astype(int) - second).max(-1)
    # At an edge of either picture a pixel shows two things.
    edge_before = motion.warp(around(before.lines() > 0).astype(np.uint8) * 255) > 0
    inside = motion.seen & ~around(now.lines() > 0) & ~edge_before & (now.ids > 0)
    assert inside.mean() > 0.3
    assert off[inside].max() <= 2
    assert np.abs(first.astype(int) - second).max(-1)[inside].max() > 30  # without the warp it is another picture
    # What came out from behind the boxes was not seen before, and is told apart.
    assert off[~motion.seen & (now.ids > 0)].mean() > 5 * off[motion.seen & (now.ids > 0)].mean()


def test_an_eye_that_stands_still_gives_no_motion():
    source = SceneSource("car", size=SIZE, speed=0, renderer="numpy", pace=False)
    source.read()
    before = source.passes
    source.read()
    motion = source.passes.motion_since(before)
    assert np.abs(motion.flow).max() < 1e-3
    assert motion.seen.all()


# --- the eye


def test_an_orbit_turns_by_itself_until_it_is_taken_hold_of():
    camera = Camera(blocks().staged)
    first, second = camera.advance(0.1), camera.advance(0.1)
    assert np.linalg.norm(second.eye - first.eye) > 0.05
    middle = np.array([0, 0.7, 0.5])
    assert np.linalg.norm(second.eye - middle) == pytest.approx(np.linalg.norm(first.eye - middle))
    camera.turn(0.5, 0.1)
    third, fourth = camera.advance(0.1), camera.advance(0.1)
    assert (third.eye == fourth.eye).all()
    assert third.yaw == pytest.approx(second.yaw + 0.5)
    camera.zoom(3)
    assert np.linalg.norm(camera.advance(0).eye - middle) == pytest.approx(0.9**3 * np.linalg.norm(third.eye - middle))
    assert (third.near, third.far) == (camera.advance(0).near, camera.advance(0).far)
    camera.home()
    assert (camera.advance(0).eye == Camera(blocks().staged).advance(0).eye).all()
    assert camera.pause()
    assert not camera.pause()


def test_who_flies_goes_where_he_looks_while_a_key_is_held():
    camera = Camera(blocks().staged, "fly")
    start = camera.advance(0.1)
    assert (camera.advance(0.1).eye == start.eye).all()
    camera.push(0, 0, 1)
    moved = camera.advance(0.1).eye - start.eye
    ahead = -start.axes[2]
    assert moved / np.linalg.norm(moved) == pytest.approx(ahead)
    camera.push(0, 0, 0)
    assert (camera.advance(0.1).eye == start.eye + moved).all()


def test_a_path_comes_back_to_where_it_began_and_never_jumps():
    camera = Camera(city().staged, "path", speed=3.0)
    eyes = np.array([camera.advance(0.25).eye for _ in range(60)])
    steps = np.linalg.norm(np.diff(eyes, axis=0), axis=-1)
    assert steps.max() < 3 * np.median(steps)
    camera.turn(0.3, 0)
    assert camera.advance(0).yaw - Camera(city().staged, "path").advance(0).yaw != 0


def test_what_a_camera_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="camera='walk', expected one of: orbit, fly, path"):
        Camera(blocks().staged, "walk")
    with pytest.raises(ConfigError, match="near=9 and far=2"):
        Camera(blocks().staged, near=9, far=2)
    with pytest.raises(ConfigError, match="fov=190"):
        Camera(blocks().staged, fov=190)


# --- the source


def test_a_scene_is_a_source_like_others():
    source = open_source("scene:terrain,camera=path,size=96x72,renderer=numpy,frames=3,fps=20,pace=0")
    pictures = [source.read() for _ in range(3)]
    assert all(each.shape == (72, 96, 3) and each.dtype == np.uint8 and each.flags.c_contiguous for each in pictures)
    assert (pictures[0] != pictures[2]).any()
    assert source.passes.number == 2
    assert source.origin.time == pytest.approx(0.1)
    assert source.origin.done == 1.0
    with pytest.raises(SourceEnded, match="all 3 pictures"):
        source.read()
    assert source_present("scene:city")
    assert not source_present("scene:nowhere.glb")
    again = open_source("scene:terrain,camera=path,size=96x72,renderer=numpy,frames=3,fps=20,pace=0")
    assert (again.read() == pictures[0]).all()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("scene", "expected a file or one of: city, car, terrain"),
        ("scene:city,camera=walk", "camera: got 'walk', expected one of: orbit, fly, path"),
        ("scene:city,renderer=vulkan", "expected one of: auto, gl, numpy"),
        ("scene:city,size=8x8", "got size=8x8, expected 16x16"),
        ("scene:city,frames=0", "frames=0, expected at least 1"),
        ("scene:city,speed=nan", "speed=nan"),
    ],
)
def test_options_that_are_wrong_are_refused_by_name(spec, text):
    with pytest.raises(ConfigError, match=text):
        open_source(spec)


def test_without_opengl_it_is_drawn_all_the_same_and_says_so(monkeypatch):
    def missing(geometry, size):
        raise SourceUnavailable("scene: no OpenGL 3.3 here; install it")

    monkeypatch.setattr("inkstream.stream.sources.scene.source.GlRenderer", missing)
    source = SceneSource("car", size=SIZE)
    assert source.notice == "drawn without OpenGL, which is slow; no OpenGL 3.3 here; install it"
    assert source.about == "numpy"
    with pytest.raises(SourceUnavailable, match="no OpenGL"):
        SceneSource("car", size=SIZE, renderer="gl")


# --- files


def write(path, vertices, faces):
    lines = [f"v {' '.join(str(each) for each in vertex)}" for vertex in vertices]
    path.write_text("\n".join([*lines, *(f"f {' '.join(str(each + 1) for each in face)}" for face in faces)]) + "\n")
    return path


SQUARE = ([(0, 0, 0), (2, 0, 0), (2, 1, 0), (0, 1, 0)], [(0, 1, 2), (0, 2, 3)])


@pytest.fixture
def mesh(tmp_path):
    pytest.importorskip("trimesh", reason="needs trimesh")
    return write(tmp_path / "square.obj", *SQUARE)


@pytest.mark.parametrize("ending", [".glb", ".obj", ".ply", ".stl"])
def test_a_mesh_of_every_format_is_drawn_upright(tmp_path, ending):
    trimesh = pytest.importorskip("trimesh", reason="needs trimesh")
    tower = trimesh.creation.box((1, 4, 1) if ending in (".glb", ".obj") else (1, 1, 4))
    tower.visual.vertex_colors = np.tile(np.uint8([200, 40, 30, 255]), (len(tower.vertices), 1))
    plain = {"include_normals": False} if ending in (".glb", ".obj") else {}
    made = tower.export(file_type=ending[1:], **plain)
    (tmp_path / f"tower{ending}").write_bytes(made.encode() if isinstance(made, str) else made)
    source = SceneSource(tmp_path / f"tower{ending}", size=Size(64, 64), renderer="numpy", pace=False)
    pixels = source.read()
    rows, columns = np.nonzero(source.passes.ids)
    assert np.ptp(rows) > 1.8 * np.ptp(columns)
    if ending in (".glb", ".ply"):  # the others have no colours of faces
        assert pixels[32, 32, 0] > 2 * pixels[32, 32, 2]


def test_a_mesh_that_cannot_be_drawn_says_why_and_what_to_do(tmp_path, mesh):
    cases = {
        "empty.obj": "v 0 0 0\nv 1 0 0\n",
        "nan.obj": mesh.read_text().replace("v 2 0 0", "v nan 0 0"),
        "point.obj": "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n",
        "broken.glb": "glTF, but not really",
    }
    texts = {
        "empty.obj": "no faces.*in Blender",
        "nan.obj": "1 of 2 faces have corners that are no numbers.*export",
        "point.obj": "all corners are in one place",
        "broken.glb": "broken.glb cannot be read",
    }
    for name, text in cases.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(SourceUnavailable, match=texts[name]):
            SceneSource(tmp_path / name, renderer="numpy")
    with pytest.raises(SourceUnavailable, match="there is no file"):
        SceneSource(tmp_path / "nowhere.glb")
    with pytest.raises(SourceUnavailable, match=r"got 'house.blend', expected a file that ends in .glb"):
        SceneSource(tmp_path / "house.blend")


def test_ten_million_faces_are_refused_before_they_are_read(tmp_path):
    pytest.importorskip("trimesh", reason="needs trimesh")
    text = b'{"accessors":[{"count":30000000}],"meshes":[{"primitives":[{"indices":0,"attributes":{"POSITION":0}}]}]}'
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A)
    (tmp_path / "huge.glb").write_bytes(head + text)
    (tmp_path / "huge.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 9\nelement face 10000000\nend_header\n")
    (tmp_path / "huge.obj").write_bytes(b"v 0 0 0\n" + b"f 1 1 1\n" * 2_000_001)
    for name, count in (("huge.glb", "10,000,000"), ("huge.ply", "10,000,000"), ("huge.obj", "2,000,001")):
        with pytest.raises(SourceUnavailable, match=f"got {count} faces, expected at most 2,000,000; .*Decimate"):
            SceneSource(tmp_path / name)


def test_a_file_that_is_written_again_is_read_again_and_a_broken_one_changes_nothing(mesh):
    now = [0.0]
    source = SceneSource(mesh, size=SIZE, renderer="numpy", speed=0, pace=False, clock=lambda: now[0])
    first = source.read()
    now[0] += 1.0
    mesh.write_text("v 0 0 0\n")
    with pytest.raises(FrameError, match=r"no faces.*the scene stays as it was"):
        source.read()
    now[0] += 1.0
    assert (source.read() == first).all()
    now[0] += 1.0
    write(mesh, SQUARE[0], SQUARE[1][:1])
    assert (source.read() != first).any()


def test_more_geometry_than_ids_is_no_surprise():
    with pytest.raises(SourceUnavailable, match="no faces"):
        Geometry(np.zeros((0, 3, 3), np.float32), np.zeros((0, 3, 3), np.float32), *(np.zeros(0),) * 2, {})


# --- rendered


def test_the_embedded_model_renders_a_scene_as_what_its_things_are():
    run = load_config("scene")
    prompt = "a glossy red coupe car, front three-quarter view, on road, day"
    kept, known = [], {}

    class Watched(SceneSource):
        def read(self):
            pixels = super().read()
            known[self.passes.number] = self.passes
            return pixels

    source = Watched("car", size=Size(256, 256), renderer="numpy", frames=2, fps=2, pace=False)
    with Stream.from_pretrained(run.model, run.stream.changed(prompt=prompt, acceleration="eager")) as stream:
        Session(source, stream, ["null"], on_output=[kept.append]).run()
    assert [each.source_id for each in kept] == [0, 1]
    for output in kept:
        passes, pixels = known[output.source_id], output.pixels.astype(int)
        red = pixels[..., 0] - pixels[..., 1:].max(-1)
        where = {
            name: np.isin(passes.ids, [k for k, v in passes.names.items() if v == name]) for name in ("body", "ground")
        }
        assert red[where["body"]].mean() > 40 + red[where["ground"]].mean()
        blue = pixels[..., 2] - pixels[..., 0]
        assert blue[passes.ids == 0].mean() > 15 + blue[where["ground"]].mean()  # the sky
    assert np.abs(kept[0].pixels.astype(int) - kept[1].pixels).mean() > 1
