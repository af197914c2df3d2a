"""``inkstream doctor``: it finds what is there, says what to do about what is not, and never breaks."""

import json

import pytest
from typer.testing import CliRunner

from inkstream.stream.app import doctor
from inkstream.stream.app.cli import app
from inkstream.stream.app.doctor import Finding, as_data, demo_runs, examine
from inkstream.stream.base.errors import SinkUnavailable, SourceUnavailable


def broken():
    yield Finding("first", True, "fine")
    raise OSError("the driver fell over")


def found(probe):
    return {finding.name: finding for finding in probe}


def test_a_failing_probe_is_a_line_with_its_reason_and_keeps_what_it_found():
    report = examine({"broken": broken, "works": lambda: [Finding("thing", True, "there")]})
    assert [finding.text for finding in report["broken"]] == ["fine", "OSError: the driver fell over"]
    assert report["broken"][1].found is False
    assert report["works"] == [Finding("thing", True, "there")]


@pytest.mark.parametrize(
    ("demo", "runs"), [([Finding("demo", True, "")], True), ([Finding("demo", False, "")], False), ([], False)]
)
def test_the_report_says_whether_the_demo_runs(demo, runs):
    assert demo_runs({"demo": demo}) is runs
    assert as_data({"demo": demo})["demo"] is runs


@pytest.mark.parametrize(("works", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_is_that_of_the_demo(monkeypatch, works, code):
    probes = {"broken": broken, "demo": lambda: [Finding("embedded demo", works, "3 pictures\nin a row", "look here")]}
    monkeypatch.setattr(doctor, "PROBES", probes)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == code
    assert "missing  broken         OSError: the driver fell over" in result.stdout
    assert f"{'found  ' if works else 'missing'}  embedded demo  3 pictures\n{' ' * 26}in a row" in result.stdout
    assert f"{' ' * 26}look here" in result.stdout
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == code
    data = json.loads(result.stdout)
    assert data["demo"] is works
    assert data["areas"]["broken"][0] == {"name": "first", "found": True, "text": "fine", "hint": ""}


def test_a_missing_package_is_found_missing_with_the_way_to_get_it(monkeypatch):
    assert found(doctor.packages())["torch"].found is True
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no-such-package"))
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-extra": "pip install it"})
    lines = found(doctor.packages())
    assert lines["numpy"].found is True
    assert (lines["no-such-package"].found, lines["no-such-package"].hint) == (False, "pip install no-such-package")
    assert (lines["no-such-extra"].found, lines["no-such-extra"].hint) == (None, "pip install it")


def test_devices_name_the_cpu_and_every_gpu(monkeypatch):
    import torch

    class About:
        name, total_memory, major, minor = "Large GPU", 24_000_000_000, 8, 9

    assert "threads" in found(doctor.devices())["CPU"].text
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: About)
    lines = found(doctor.devices())
    assert lines["cuda:1"].text == "Large GPU, 24.0 GB, compute capability 8.9"


@pytest.mark.skipif(not doctor.sys.platform.startswith("linux"), reason="displays have names on Linux only")
def test_displays_without_and_with_a_display(monkeypatch, xvfb):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert found(doctor.displays())["display"].found is False
    monkeypatch.setenv("DISPLAY", xvfb)
    assert found(doctor.displays())["monitor 1"].text == "1280x800 at 0,0"


class Camera:
    closed = 0

    def close(self):
        Camera.closed += 1


def test_cameras_are_those_that_give_a_picture(tmp_path):
    for name in ("video0", "video2", "video10", "videocard"):
        (tmp_path / name).touch()
    tried = []

    def opener(index, timeout):
        tried.append(index)
        if index == 2:
            raise SourceUnavailable("camera 2: taken by another program")
        return Camera()

    Camera.closed = 0
    lines = found(doctor.cameras(tmp_path, opener, "linux"))
    assert tried == [0, 2, 10]
    assert {name: line.found for name, line in lines.items()} == {
        "camera 0": True,
        "camera 2": False,
        "camera 10": True,
    }
    assert Camera.closed == 2
    assert "taken" in lines["camera 2"].text


def test_where_cameras_are_not_listed_they_are_counted_up_to_the_first_gap(tmp_path):
    def opener(index, timeout):
        if index:
            raise SourceUnavailable("no camera")
        return Camera()

    assert list(found(doctor.cameras(tmp_path, opener, "win32"))) == ["camera 0"]
    assert list(found(doctor.cameras(tmp_path, opener, "linux"))) == ["cameras"]


def test_a_virtual_camera_that_cannot_be_fed_is_no_fault(monkeypatch):
    def refuse(text):
        raise SinkUnavailable("no driver: load it")

    monkeypatch.setattr("inkstream.stream.sinks.open_sink", refuse)
    line = found(doctor.virtual_cameras())["virtual camera"]
    assert (line.found, line.text) == (None, "no driver: load it")
    monkeypatch.setattr("inkstream.stream.sinks.open_sink", lambda text: Camera())
    assert found(doctor.virtual_cameras())["virtual camera"].found is True


def test_without_opengl_scenes_say_what_to_install(monkeypatch):
    def missing(geometry, size):
        raise SourceUnavailable("scene: no OpenGL 3.3 here (egl: no libEGL); install the system's OpenGL")

    monkeypatch.setattr("inkstream.stream.sources.scene.source.GlRenderer", missing)
    line = found(doctor.scenes())["OpenGL"]
    assert line.found is None
    assert line.text == "no OpenGL 3.3 here (egl: no libEGL); scenes are drawn by numpy, which is slow"
    assert line.hint == "install the system's OpenGL"


def test_models_engines_and_folders_of_this_installation():
    assert "embedded" in found(doctor.models())["ink-tiny"].text
    assert found(doctor.engines())["eager"].found is True
    lines = found(doctor.folders())
    assert lines["presets"].text.endswith("configs")
    assert "GB free" in lines["downloaded models"].text


def test_the_embedded_demo_renders_a_picture():
    line = found(doctor.demo())["embedded demo"]
    assert line.found is True
    assert "first picture in" in line.text
