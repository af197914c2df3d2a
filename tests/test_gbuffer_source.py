"""What other programs know of their pictures: from a folder, side by side, and from the Blender add-on."""

import importlib.util
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from inkstream.stream.base.errors import ConfigError, FrameError, SourceEnded, SourceLost, SourceUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.base.passes import depth_picture
from inkstream.stream.sources import open_source, source_present
from inkstream.stream.sources.gbuffer import BesideSource, FolderSource
from inkstream.stream.sources.scene.geometry import Builder
from inkstream.stream.sources.scene.reference import NumpyRenderer
from inkstream.stream.sources.scene.view import looking

SIZE = Size(64, 48)


def png(path, pixels):
    blue_first = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])
    path.write_bytes(cv2.imencode(".png", blue_first)[1].tobytes())


def drawn(eye=(3.0, 2.5, 6.0)):
    """A scene's picture and its passes."""
    build = Builder()
    build.box(build.thing("ground"), (-6, -0.1, -6), (6, 0, 6), (120, 130, 110))
    build.box(build.thing("wall"), (-1, 0, -1), (1, 2, 1), (200, 60, 40))
    seen = looking(np.array(eye), np.array([0, 0.6, 0]), 3.0, 40.0)
    return *NumpyRenderer(build.made(), SIZE).draw(seen), seen


@pytest.fixture
def folder(tmp_path):
    pixels, passes, _ = drawn()
    png(tmp_path / "Colour.png", pixels)
    png(tmp_path / "depth.png", (passes.depth.clip(0, 1) * 65535).astype(np.uint16))
    png(tmp_path / "normal.png", passes.normal)
    png(tmp_path / "ids.png", np.uint8([[0, 0, 0], [0, 255, 0], [255, 40, 0]])[passes.ids])
    return tmp_path


def test_a_folder_of_pngs_is_a_picture_with_its_passes(folder):
    pixels, passes, _ = drawn()
    source = open_source(f"gbuffer:{folder}")
    assert (source.read() == pixels).all()
    assert np.abs(source.passes.depth - passes.depth.clip(0, 1)).max() < 1e-4
    assert (source.passes.normal == passes.normal).all()
    assert (source.passes.ids == passes.ids).all()
    assert source.live
    assert source_present(f"gbuffer:{folder}")
    png(folder / "Colour.png", 255 - pixels)
    assert (source.read() == 255 - pixels).all()
    assert source.passes.number == 1
    source.close()
    with pytest.raises(SourceEnded):
        source.read()


def test_passes_that_differ_in_size_are_one_unusable_picture_and_the_next_goes_on(folder):
    source = FolderSource(folder)
    source.read()
    png(folder / "depth.png", np.zeros((10, 20), np.uint8))
    png(folder / "Colour.png", np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(
        FrameError, match=r"colour 64x48, depth 20x10, .*expected one size; render all passes at the same"
    ):
        source.read()
    png(folder / "depth.png", np.zeros((48, 64), np.uint8))
    png(folder / "Colour.png", np.full((48, 64, 3), 9, np.uint8))
    assert source.read().max() == 9


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("Colour.png", b"\x89PNG\r\n\x1a\n half of it", "Colour.png is no PNG, or not all of it"),
        ("depth.npy", b"\x93NUMPY", "depth.npy cannot be read"),
        ("depth.exr", b"v/1\x01", "depth.exr cannot be read"),
        ("frame.json", b"{", "frame.json is no JSON"),
        ("frame.json", b"[1]", "frame.json has list"),
        ("frame.json", b'{"projection": [1, 2]}', "projection: .*expected 16 numbers"),
    ],
)
def test_a_broken_file_is_named(folder, name, content, text):
    (folder / name).write_bytes(content)
    with pytest.raises(FrameError, match=text):
        FolderSource(folder).read()


def test_a_pickle_is_not_opened(folder):
    np.save(folder / "depth.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FrameError, match=r"depth\.npy cannot be read"):
        FolderSource(folder).read()


def test_lengths_become_depths_whose_ends_stay(tmp_path):
    z = np.full((48, 64), 4.0, np.float32)
    z[:, 32:], z[:4] = 8.0, 1e10  # Blender's nothing
    np.save(tmp_path / "z.npy", z)
    png(tmp_path / "colour.png", np.zeros((48, 64, 3), np.uint8))
    source = FolderSource(tmp_path, depth="z", near=2.0, far=16.0)
    source.read()
    expected = [(1 / each - 1 / 16) / (1 / 2 - 1 / 16) for each in (4, 8)]
    assert source.passes.depth[20, [10, 40]] == pytest.approx(expected)
    assert (source.passes.depth[:4] == 0).all()
    found = FolderSource(tmp_path, depth="z")
    found.read()
    assert found.passes.depth[20, 10] == pytest.approx(1.0)  # the nearest is white
    first = found.passes.depth.copy()
    np.save(tmp_path / "z.npy", z * 2)
    png(tmp_path / "colour.png", np.ones((48, 64, 3), np.uint8))
    found.read()
    assert (found.passes.depth[20] < first[20]).all()  # farther is darker: nothing is stretched anew
    far = FolderSource(tmp_path, depth="far")
    np.save(tmp_path / "z.npy", np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1)))
    far.read()
    assert far.passes.depth[0, 0] == 1.0
    assert far.passes.depth[0, -1] == 0.0


def test_a_folder_that_is_not_there_or_goes_is_said(tmp_path):
    with pytest.raises(SourceUnavailable, match="there is no folder"):
        FolderSource(tmp_path / "nowhere")
    (tmp_path / "view").mkdir()
    source = FolderSource(tmp_path / "view")
    (tmp_path / "view").rmdir()
    with pytest.raises(SourceLost, match="is gone"):
        source.read()


def test_side_by_side_is_cut_into_its_passes():
    pixels, passes, _ = drawn()

    class Screen:
        live, closed = True, False
        area = "there"

        def read(self):
            grey = np.repeat(depth_picture(passes.depth)[..., None], 3, -1)
            return np.hstack([pixels, grey, passes.normal])

        def close(self):
            self.closed = True

    screen = Screen()
    source = BesideSource(screen, "colour|depth|normal")
    assert (source.read() == pixels).all()
    assert np.abs(source.passes.depth - passes.depth.clip(0, 1)).max() < 3e-3
    assert (source.passes.normal == passes.normal).all()
    assert source.area == "there"
    source.close()
    assert screen.closed
    whole = open_source('gbuffer:beside="fake:pattern=solid,size=128x48,live=0"')
    assert whole.read().shape == (48, 64, 3)
    assert not whole.live
    narrow = open_source('gbuffer:beside="fake:pattern=solid,size=20x48,live=0"')
    with pytest.raises(FrameError, match="20 pixels wide, expected 2 parts of 16"):
        narrow.read()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("gbuffer", "expected a folder, for example"),
        ('gbuffer:beside="fake",order=depth|normal', "expected colour once"),
        ('gbuffer:beside="fake",order=colour', "expected two parts or more"),
        ('gbuffer:beside="fake",depth=z', "got depth=z, expected near or far"),
        ('gbuffer:beside="fake",near=2', "near and far do not go with beside"),
        ("gbuffer:/tmp,order=colour|depth", "order says what lies beside what"),
        ("gbuffer:/tmp,depth=deep", "expected one of: near, far, z"),
        ("gbuffer:/tmp,near=4,far=2", "near=4 and far=2"),
    ],
)
def test_what_cannot_be_meant_is_refused(spec, text):
    with pytest.raises(ConfigError, match=text):
        open_source(spec)


# --- the Blender add-on, without Blender: what it draws with is unverified, what it computes is not


@pytest.fixture(scope="module")
def addon():
    path = Path(__file__).parent.parent / "examples" / "blender_gbuffer.py"
    spec = importlib.util.spec_from_file_location("blender_gbuffer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def matrices(seen, size, near=0.1, far=100.0):
    """A view's matrices as Blender has them."""
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = seen.axes, -seen.axes @ seen.eye
    focus = 1 / np.tan(np.radians(seen.fov) / 2)
    window = np.zeros((4, 4))
    window[0, 0], window[1, 1] = focus * size.height / size.width, focus
    window[2, 2], window[2, 3], window[3, 2] = -(far + near) / (far - near), -2 * far * near / (far - near), -1
    return view, window


def test_the_addon_sends_the_depth_normals_and_projection_that_a_scene_has(addon, tmp_path):
    sent = []
    for number, eye in enumerate(((3.0, 2.5, 6.0), (2.4, 2.4, 6.2))):
        pixels, passes, seen = drawn(eye)
        view, window = matrices(seen, SIZE)
        matrix = addon.projection(view, window, SIZE, seen.near, seen.far)
        assert np.array(matrix).reshape(4, 4) == pytest.approx(passes.projection)
        with np.errstate(divide="ignore"):
            z = np.where(passes.ids > 0, 1 / (passes.depth * (1 / 3 - 1 / 40) + 1 / 40), np.inf)
        buffer = np.where(np.isfinite(z), (100 * 0.1 / np.where(np.isfinite(z), -z, 1) + 100) / (100 - 0.1), 1.0)
        found = addon.view_depths(buffer, 0.1, 100.0)
        assert found[passes.ids > 0] == pytest.approx(z[passes.ids > 0], rel=1e-4)
        addon.write(
            tmp_path, number, pixels, addon.scaled(found, seen.near, seen.far), addon.normals(found, window), matrix
        )
        source = FolderSource(tmp_path)
        assert (source.read() == pixels).all()
        assert source.passes.depth == pytest.approx(passes.depth, abs=1e-4)
        same = np.abs(source.passes.normal.astype(int) - passes.normal).max(-1) <= 3
        assert same.mean() > 0.9  # all but along edges
        sent.append((source.passes, passes))
    (before, known_before), (now, known) = sent
    expected = known.motion_since(known_before)
    assert now.motion_since(before).flow == pytest.approx(expected.flow, abs=0.02)
    assert json.loads((tmp_path / "frame.json").read_text())["number"] == 1
    assert sorted(os.listdir(tmp_path)) == ["colour.npy", "depth.npy", "frame.json", "normal.npy"]
