"""The path tracer as one more painter of scenes: its parts without Blender, and with it what it paints."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from inkstream.lora.data import _film, painters
from inkstream.lora.data import _solid_mesh as solid
from inkstream.lora.data import cache as caches
from inkstream.lora.data._trace_building import pierced, plan, sides
from inkstream.lora.data.cache import SceneCache
from inkstream.lora.data.palette import NUMBER
from inkstream.lora.data.scenes import render, sample_scene
from inkstream.lora.data.traced import from_passes
from inkstream.stream.base.errors import ConfigError, DataError
from inkstream.stream.base.exr import read_exr

needs_bpy = pytest.mark.skipif(find_spec("bpy") is None, reason="needs bpy")


# --- meshes


def ball(cell=0.1):
    at = np.arange(-1.3, 1.3, cell)
    grid = np.stack(np.meshgrid(at, at, at, indexing="ij"))
    return solid.surface_nets((np.sqrt((grid**2).sum(0)) - 1).astype(np.float32), (-1.3,) * 3, cell)


def area(shell):
    a, b, c = (shell.points[shell.triangles[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def volume(points, triangles):
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return (a * np.cross(b, c)).sum() / 6


def test_the_surface_of_a_ball_is_closed_and_looks_outwards():
    points, triangles = ball()
    assert np.abs(np.linalg.norm(points, axis=1) - 1).max() < 0.01
    assert volume(points, triangles) == pytest.approx(4 / 3 * np.pi, rel=0.02)
    edges = np.concatenate([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    counts = np.unique(np.sort(edges, 1), axis=0, return_counts=True)[1]
    assert (counts == 2).all(), "every edge has two triangles"


def test_a_cut_parts_a_surface_exactly_and_loses_nothing():
    points, triangles = ball()
    shell = solid.Shell(np.concatenate([points, points], 1), triangles)
    above, below = shell.cut(points[:, 1] - 0.25)
    assert above.points[:, 1].min() == pytest.approx(0.25, abs=1e-6)
    assert below.points[:, 1].max() == pytest.approx(0.25, abs=1e-6)
    assert area(above) + area(below) == pytest.approx(area(shell), rel=1e-4)
    assert area(above) == pytest.approx(2 * np.pi * 0.75, rel=0.02)  # a cap of a ball
    assert np.allclose(above.moved(0.5).points, above.points + 0.5 * above.normals)
    nothing, everything = shell.cut(points[:, 1] - 9)
    assert not len(nothing.triangles) and area(everything) == pytest.approx(area(shell), rel=1e-5)


def test_planes_become_the_solid_between_them():
    faces = solid.Faces()
    slope = 2**-0.5
    planes = [(0, -1, 0, 0.0), (0, slope, slope, -slope), (0, slope, -slope, -slope), (1, 0, 0, -2.0), (-1, 0, 0, -2.0)]
    order = faces.convex(planes)  # a roof: 4 long, 2 wide, 1 high
    assert sorted(order.values()) == [0, 1, 2, 3, 4]
    assert sorted(len(face) for face in faces.faces) == [3, 3, 4, 4, 4]
    points = np.array(faces.points)
    triangles = np.array([(f[0], f[k], f[k + 1]) for f in faces.faces for k in range(1, len(f) - 1)])
    assert volume(points, triangles) == pytest.approx(4.0)


def test_walls_have_their_windows_as_the_fast_painter_counts_them():
    scene = next(s for s in map(sample_scene, range(100)) if s.tags.get("style") == "house")
    from inkstream.lora.data._building_shape import solids

    walls = solids(scene.shape, scene.tags)[0]
    front = sides(walls)[4]
    windows, door = plan(front, walls, "house", False, True)
    columns = round(front.width / walls.spacing)
    assert door is not None and columns <= len(windows) < 2 * columns
    wall = pierced(front, [*windows, door])
    flat = [face for face in wall.faces if len({round(wall.points[k][2], 6) for k in face}) == 1]
    points = np.array(wall.points)
    covered = sum(np.ptp(points[list(face)][:, 0]) * np.ptp(points[list(face)][:, 1]) for face in flat)
    holes = sum((b - a) * (d - c) for a, b, c, d in [*windows, door])
    assert covered == pytest.approx(front.width * front.height - holes, rel=1e-5)


# --- files and film


def exr(channels, compression=0, flags=0):
    """The bytes of a file with these (H, W) float32 channels, written as the format's description says."""
    height, width = next(iter(channels.values())).shape
    names = sorted(channels)
    listed = b"".join(name.encode() + b"\0" + struct.pack("<iiii", 2, 0, 1, 1) for name in names) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [("channels", "chlist", listed), ("compression", "compression", bytes([compression]))]
    attributes += [("dataWindow", "box2i", window), ("displayWindow", "box2i", window)]
    head = struct.pack("<ii", 20000630, 2 | flags)
    for name, kind, value in attributes:
        head += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    head += b"\0"
    lines, table, at = b"", b"", len(head) + 8 * height
    for row in range(height):
        data = b"".join(channels[name][row].astype("<f4").tobytes() for name in names)
        table += struct.pack("<Q", at + len(lines))
        lines += struct.pack("<ii", row, len(data)) + data
    return head + table + lines


def test_every_channel_of_a_render_is_read(tmp_path):
    rng = np.random.default_rng(0)
    channels = {name: rng.random((5, 7), np.float32) for name in ("a.Depth.Z", "a.Combined.R", "a.Combined.G")}
    (tmp_path / "a.exr").write_bytes(exr(channels))
    found = read_exr(tmp_path / "a.exr")
    assert found.keys() == channels.keys()
    assert all(np.array_equal(found[name], channels[name]) for name in channels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"PNG" + data, "the number"),
        (lambda data: data[:-9], "not compressed"),
        (lambda data: data[:40], "not compressed"),
    ],
)
def test_a_damaged_render_is_named(tmp_path, change, message):
    (tmp_path / "a.exr").write_bytes(change(exr({"Z": np.zeros((4, 4), np.float32)})))
    with pytest.raises(DataError, match=rf"a\.exr.*{message}"):
        read_exr(tmp_path / "a.exr")


@pytest.mark.parametrize(("how", "message"), [({"compression": 3}, "compressed"), ({"flags": 0x1000}, "several parts")])
def test_another_form_of_the_format_is_refused(tmp_path, how, message):
    (tmp_path / "a.exr").write_bytes(exr({"Z": np.zeros((4, 4), np.float32)}, **how))
    with pytest.raises(DataError, match=message):
        read_exr(tmp_path / "a.exr")


def test_film_is_neutral_rises_and_never_clips_hard():
    levels = np.geomspace(1e-3, 6, 64, dtype=np.float32)
    picture = _film.developed(np.repeat(levels[None, :, None], 3, 2))
    assert np.abs(picture - picture[..., :1]).max() < 0.004, "grey stays grey"
    assert (np.diff(picture[0, :, 0]) > 0).all() and picture.min() >= 0 and picture.max() <= 1
    middle = _film.developed(np.full((1, 1, 3), 0.18, np.float32))[0, 0, 0]
    assert middle == pytest.approx(0.49, abs=0.02)  # as AgX shows the middle grey
    bright = _film.developed(np.full((1, 1, 3), 0.18, np.float32), exposure=1.0)[0, 0, 0]
    assert bright > middle + 0.1
    red = _film.developed(np.array([[[40.0, 0.5, 0.5]]], np.float32))[0, 0]
    assert red[0] > red[1] > 0.4, "what shines goes towards white"


def test_rain_is_bright_and_fine():
    grey = np.full((128, 128, 3), 0.4, np.float32)
    wet = _film.rained(grey, 3)
    assert wet.min() >= 0.4 - 1e-6 and wet.max() < 0.9
    assert 0.01 < (wet[..., 0] > 0.44).mean() < 0.6
    assert np.array_equal(wet, _film.rained(grey, 3)) and not np.array_equal(wet, _film.rained(grey, 4))


# --- from passes to pairs


def passes(side=96):
    """A wall of class "wall" before the sky, with a window in it."""
    part, label = np.zeros((side, side), np.int32), np.full((side, side), NUMBER["sky"], np.int32)
    depth, normal = np.full((side, side), np.inf, np.float32), np.zeros((side, side, 3), np.float32)
    part[40:, 20:80], label[40:, 20:80], depth[40:, 20:80], normal[40:, 20:80] = 34, NUMBER["wall"], 7.0, (0, 0, 1)
    part[52:70, 40:60], label[52:70, 40:60] = 10, NUMBER["window"]
    light = np.full((side, side, 3), 0.2, np.float32)
    return {"light": light, "depth": depth, "normal": normal, "part": part, "label": label}


def test_lines_classes_and_depth_agree():
    scene = sample_scene(3, "building")
    picture, labels, depth, normals, lines = from_passes(passes(), scene, 64)
    assert picture.shape == (3, 64, 64) and 0.3 < float(picture.mean()) < 0.7
    assert {int(each) for each in labels.unique()} == {NUMBER[name] for name in ("sky", "wall", "window")}
    assert np.array_equal((depth.numpy() == np.inf), (labels.numpy() == NUMBER["sky"]))
    assert np.allclose(np.linalg.norm(normals.numpy(), axis=0), 1, atol=1e-5)
    drawn = lines.numpy() > 100
    change = np.zeros_like(drawn)
    change[:, 1:] |= np.diff(labels.numpy().astype(int), axis=1) != 0
    change[1:] |= np.diff(labels.numpy().astype(int), axis=0) != 0
    assert drawn[change].mean() > 0.95, "there is a line wherever the class changes"
    assert drawn.mean() < 0.2


def test_specks_of_one_pixel_draw_no_line():
    seen = passes()
    clean = from_passes(seen, sample_scene(3, "building"), 64)
    rng = np.random.default_rng(1)
    for y, x in rng.integers(3, 93, (12, 2)).tolist():
        seen["label"][y, x], seen["part"][y, x] = NUMBER["ground"], 1
    again = from_passes(seen, sample_scene(3, "building"), 64)
    assert (clean[4] != again[4]).float().mean() < 0.02


def test_lines_around_the_sun_are_drawn_in_the_sky_alone():
    scene = next(s for s in (sample_scene(n, "landscape") for n in range(200)) if s.shape["sun_rays"])
    sky = {name: value.copy() for name, value in passes().items()}
    sky["part"][:], sky["label"][:] = 0, NUMBER["sky"]
    assert from_passes(sky, scene, 64)[4].any()
    sky["part"][:], sky["label"][:] = 8, NUMBER["grass"]
    assert not from_passes(sky, scene, 64)[4].any()


# --- the folder


@pytest.fixture
def painted(monkeypatch):
    """The traced painter's place is taken by the fast one, so that folders are tried without Blender."""
    monkeypatch.setattr(caches, "painter_of", lambda name: render)
    monkeypatch.setitem(painters.PAINTERS, "traced", painters.Painter(painters.TRACED_LOOK))


def filled(folder, **more):
    return SceneCache(folder, 0, 5, 32, drawings=1, painter="traced", workers=0, **more)


def test_a_folder_of_one_kind_is_read_without_saying_the_kind(painted, tmp_path):
    cache = filled(tmp_path / "a", kind="car")
    assert {cache[k].tags["kind"] for k in range(5)} == {"car"}
    (tmp_path / "a").rename(tmp_path / "b")
    again = filled(tmp_path / "b")
    assert all(np.array_equal(again[k].picture, cache[k].picture) for k in range(5))
    with pytest.raises(ConfigError, match=r"got scenes with {'kind': 'car'}, expected {'kind': 'building'}"):
        filled(tmp_path / "b", kind="building")
    with pytest.raises(ConfigError, match=r"'painter': 'traced'.*expected.*'painter': 'fast'"):
        SceneCache(tmp_path / "b", 0, 5, 32, drawings=1, workers=0)


def test_a_traced_folder_goes_on_after_every_scene(painted, tmp_path):
    class Stop(Exception):
        pass

    def stop(text, part=None):
        if part is not None and part > 0.3:
            raise Stop

    with pytest.raises(Stop):
        filled(tmp_path / "a", progress=stop)
    assert np.load(tmp_path / "a" / "done.npy").tolist() == [1, 1, 0, 0, 0]
    parts, whole = filled(tmp_path / "a"), filled(tmp_path / "b")
    assert all(np.array_equal(parts[k].picture, whole[k].picture) for k in range(5))


def test_training_reads_the_folder(painted, tmp_path):
    from inkstream.lora.train.config import DataConfig
    from inkstream.lora.train.data import open_data

    filled(tmp_path / "a", kind="landscape")
    about = json.loads((tmp_path / "a" / "scenes.json").read_text())
    assert about["painter"] == "traced" and about["kind"] == "landscape"
    cache = SceneCache(tmp_path / "c", 0, 5, 32, painter="traced", workers=0)
    config = DataConfig(path=str(tmp_path / "c"), scenes=5, size=32, validation=2, painter="traced")
    train, held = open_data(config)
    assert len(train) == 3 and np.array_equal(train[1].picture, cache[1].picture) and len(held) == 2


def test_a_folder_from_before_there_were_painters_is_read(tmp_path):
    cache = SceneCache(tmp_path, 0, 2, 32, drawings=1, workers=0)
    about = json.loads((tmp_path / "scenes.json").read_text())
    del about["painter"], about["kind"]
    (tmp_path / "scenes.json").write_text(json.dumps(about))
    again = SceneCache(tmp_path, 0, 2, 32, drawings=1, workers=0)
    assert np.array_equal(again[1].picture, cache[1].picture)


def test_without_blender_nothing_is_begun(monkeypatch, tmp_path):
    monkeypatch.setattr(painters, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install --no-deps bpy"):
        filled(tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("what", "message"), [({"painter": "oil"}, "painter: got 'oil'"), ({"kind": "cat"}, "kind: got")]
)
def test_what_is_not_there_is_refused(tmp_path, what, message):
    with pytest.raises(ConfigError, match=message):
        SceneCache(tmp_path / "a", 0, 1, 32, **what)


def test_the_command_says_what_to_train_with(painted, tmp_path, capsys):
    from inkstream.stream.app.cli import app

    with pytest.raises(SystemExit) as ended:
        app(["scenes", "render", "--count", "2", "--size", "32", "--workers", "0", "-o", str(tmp_path / "a")])
    assert not ended.value.code
    said = capsys.readouterr().out
    assert "2 scenes are in" in said and "data.painter=traced" in said and "data.scenes=2" in said


# --- with Blender


def run(code, folder):
    """Blender takes a process for itself."""
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=200, env={**os.environ})
    return np.load(folder / "out.npz")


@needs_bpy
@pytest.mark.parametrize(("kind", "seed"), [("car", 4), ("building", 8), ("landscape", 3), ("thing", 6)])
def test_it_paints_what_the_scene_says(kind, seed, tmp_path):
    tags = {"ground": "road", "time": "day"} if kind == "car" else {}
    code = (
        "import numpy, torch\n"
        "from inkstream.lora.data.traced import render\n"
        "from inkstream.lora.data.scenes import sample_scene\n"
        f"r = render([sample_scene({seed}, {kind!r}, **{tags})], 64)\n"
        "numpy.savez('out.npz', p=r.pixels()[0], l=r.labels[0], d=r.depth[0], n=r.normals[0], lines=r.lines[0])\n"
    )
    found = run(code, tmp_path)
    fast = render([sample_scene(seed, kind, **tags)], 64)
    labels, expected = found["l"], fast.labels[0].numpy()
    assert (labels == expected).mean() > 0.72, "the same things are in the same places"
    ours, theirs = found["d"], fast.depth[0].numpy()
    known = [NUMBER[name] for name in ("body", "wall", "window", "ground", "thing")]
    main = (labels == expected) & np.isin(labels, known)
    main &= np.isfinite(theirs) & np.isfinite(ours)
    if kind != "landscape":
        assert np.median(np.abs(ours[main] / theirs[main] - 1)) < 0.03
    assert np.allclose(np.linalg.norm(found["n"], axis=0), 1, atol=1e-3)
    assert 0.02 < (found["lines"] > 100).mean() < 0.5
    assert 30 < found["p"].mean() < 220 and found["p"].std() > 15


@needs_bpy
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills a group of processes, which Windows does not have")
def test_killed_in_the_middle_it_ends_as_if_nothing_happened(tmp_path):
    words = [sys.executable, "-m", "inkstream.stream.app.cli", "scenes", "render", "--count", "3", "--size", "32"]
    words += ["--kind", "car", "--workers", "1", "--output"]
    subprocess.run([*words, "whole"], cwd=tmp_path, check=True, timeout=280)
    process = subprocess.Popen([*words, "cut"], cwd=tmp_path, start_new_session=True)
    try:
        ends = time.monotonic() + 200
        while process.poll() is None and time.monotonic() < ends:
            done = tmp_path / "cut" / "done.npy"
            if (tmp_path / "cut" / "scenes.json").exists() and np.load(done).any():
                break
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert np.load(tmp_path / "cut" / "done.npy").sum() < 3
    subprocess.run([*words, "cut"], cwd=tmp_path, check=True, timeout=280)
    for name in ("picture", "clean", "labels", "sketch"):
        assert np.array_equal(np.load(tmp_path / "whole" / f"{name}.npy"), np.load(tmp_path / "cut" / f"{name}.npy"))
