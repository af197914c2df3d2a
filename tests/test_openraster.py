"""The layered file: the format's rules, and that paint programs open it."""

import io
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from inkstream.stream import Output, StreamConfig
from inkstream.stream.base.kept import read_recipe, recipe_of
from inkstream.stream.base.making import Making
from inkstream.stream.base.openraster import Layer, layers_of, openraster


@pytest.fixture
def output():
    across, down = np.meshgrid(np.arange(320), np.arange(200))
    render = np.stack([across % 256, down, (across + down) % 256], -1).astype(np.uint8)  # (200, 320, 3)
    sketch = np.full((200, 320, 3), 255, np.uint8)
    sketch[90:110, 40:280] = (10, 20, 30)
    return Output(render, 3, 0.0, 1, sketch, making=Making("ink-tiny", StreamConfig.build(prompt="a car")))


@pytest.fixture
def file(output, tmp_path):
    path = tmp_path / "kept.ora"
    path.write_bytes(openraster(layers_of(output), output.pixels, recipe_of(output)))
    return path


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_it_is_as_the_format_says(file, output, tmp_path):
    data = file.read_bytes()
    assert data[30:54] == b"mimetypeimage/openraster"  # first, stored, and without an extra field
    with zipfile.ZipFile(file) as archive:
        first, *rest = archive.infolist()
        assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
        names = {info.filename for info in rest}
        assert {"stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png"} <= names
        stack = ElementTree.fromstring(archive.read("stack.xml"))
        assert (stack.tag, stack.get("w"), stack.get("h")) == ("image", "320", "200")
        sketch, render = stack.findall("./stack/layer")
        assert (sketch.get("name"), render.get("name")) == ("sketch", "render")
        assert (sketch.get("visibility"), render.get("visibility")) == ("hidden", "visible")
        for layer, pixels in ((sketch, output.input), (render, output.pixels)):
            assert layer.get("src").startswith("data/") and layer.get("src") in names
            assert (decoded(archive.read(layer.get("src"))) == pixels).all()
        assert (decoded(archive.read("mergedimage.png")) == output.pixels).all()
        assert decoded(archive.read("Thumbnails/thumbnail.png")).shape == (160, 256, 3)
        merged = tmp_path / "merged.png"
        merged.write_bytes(archive.read("mergedimage.png"))
    assert read_recipe(merged)["stream"]["prompt"] == "a car"


def test_names_and_sizes_of_strangers_do_no_harm(output):
    data = openraster([Layer('<"&\u00e9 \U0001f58c', output.pixels)], output.pixels)
    stack = ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(data)).read("stack.xml"))
    assert stack.find("./stack/layer").get("name") == '<"&\u00e9 \U0001f58c'
    with pytest.raises(ValueError, match="layer small of 10x10, expected 320x200"):
        openraster([Layer("small", output.pixels[:10, :10])], output.pixels)


def test_a_sketch_of_another_size_is_fitted_and_there_may_be_none(output):
    large = Output(output.pixels.repeat(2, 0).repeat(2, 1), 1, 0.0, 1, output.input)
    assert {layer.pixels.shape for layer in layers_of(large)} == {(400, 640, 3)}
    assert [layer.name for layer in layers_of(Output(output.pixels, 1, 0.0, 1))] == ["render"]


def run(program, *arguments):
    if shutil.which(program) is None:
        pytest.skip(f"needs {program.rpartition('/')[2]}")
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


@pytest.fixture
def desk(xvfb, tmp_path, monkeypatch):
    """A display, and a home without settings."""
    monkeypatch.setenv("DISPLAY", xvfb)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.desktop_full
def test_krita_opens_it(file, output, tmp_path, desk):
    exported, layers = tmp_path / "krita.png", tmp_path / "again.ora"
    said = run("krita", file, "--export", "--export-filename", exported)
    assert exported.is_file(), said
    assert np.abs(decoded(exported.read_bytes()).astype(int) - output.pixels).max() <= 1
    said = run("krita", file, "--export", "--export-filename", layers)
    assert layers.is_file(), said
    stack = ElementTree.fromstring(zipfile.ZipFile(layers).read("stack.xml"))
    found = [(layer.get("name"), layer.get("visibility"), layer.get("composite-op")) for layer in stack.iter("layer")]
    assert found == [("sketch", "hidden", "svg:multiply"), ("render", "visible", "svg:src-over")]


MYPAINT = """
import sys
sys.path.insert(0, "/usr/lib/mypaint")
import gi
gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from lib.document import Document
document = Document()
document.load_ora(sys.argv[1])
for _, layer in document.layer_stack.walk():
    print("LAYER", layer.name, layer.visible)
document.save(sys.argv[2])
"""


@pytest.mark.desktop_full
def test_mypaint_opens_it(file, output, tmp_path, desk):
    if shutil.which("mypaint") is None:
        pytest.skip("needs mypaint")
    exported = tmp_path / "mypaint.png"
    said = run("/usr/bin/python3", "-c", MYPAINT, file, exported)
    assert exported.is_file(), said
    assert "LAYER sketch False\nLAYER render True" in said, said
    assert np.abs(decoded(exported.read_bytes())[:200, :320].astype(int) - output.pixels).max() <= 1


GIMP = """
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "{file}" "{file}"))))
  (gimp-file-save RUN-NONINTERACTIVE image (car (gimp-image-merge-visible-layers image CLIP-TO-IMAGE)) "{png}" "{png}"))
"""


@pytest.mark.desktop_full
def test_gimp_opens_it(file, output, tmp_path, desk):
    exported = tmp_path / "gimp.png"
    script = " ".join(GIMP.format(file=file, png=exported).split())
    said = run("gimp", "-i", "-b", script, "-b", "(gimp-quit 0)")
    if "Unknown file type" in said:
        pytest.skip("needs gimp with its OpenRaster plug-in, which Debian's GIMP 2.10 lacks")
    assert exported.is_file(), said
    assert np.abs(decoded(exported.read_bytes()).astype(int) - output.pixels).max() <= 1
