"""The entry in the desktop's menu: written as its specification says, for this user, and taken away again."""

import configparser
import os
import plistlib
import shlex
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from inkstream.stream.app import shortcut
from inkstream.stream.app.cli import app
from inkstream.stream.base.errors import InkstreamError


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home with nothing in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_linux_gets_an_entry_and_icons_and_they_go_again(home):
    result = CliRunner().invoke(app, ["install-desktop"])
    assert result.exit_code == 0, result.output
    entry = configparser.RawConfigParser()
    entry.optionxform = str
    entry.read(home / "data" / "applications" / "inkstream.desktop")
    values = entry["Desktop Entry"]
    assert values["Type"] == "Application" and values["Icon"] == "inkstream" and values["Terminal"] == "false"
    assert shlex.split(values["Exec"]) == [sys.executable, "-m", "inkstream.stream.app.cli", "start"]
    icons = home / "data" / "icons" / "hicolor"
    for side in shortcut.SIDES:
        with Image.open(icons / f"{side}x{side}" / "apps" / "inkstream.png") as picture:
            assert picture.size == (side, side) and picture.mode == "RGBA"
    assert (icons / "scalable" / "apps" / "inkstream.svg").is_file()
    assert CliRunner().invoke(app, ["install-desktop"]).exit_code == 0, "made anew"
    gone = CliRunner().invoke(app, ["install-desktop", "--remove"])
    assert gone.exit_code == 0 and gone.stderr.count("removed: ") == 2 + len(shortcut.SIDES)
    assert [name for name in tree(home) if "inkstream" in name] == []
    assert "there was no entry" in CliRunner().invoke(app, ["install-desktop", "--remove"]).stderr


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="needs desktop-file-validate")
def test_the_entry_is_valid(home):
    entry = next(path for path in shortcut.install("linux") if path.suffix == ".desktop")
    checked = subprocess.run(["desktop-file-validate", entry], capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and not checked.stdout, checked.stdout


@pytest.mark.parametrize("name", ["applications/inkstream.desktop", "icons/hicolor/48x48/apps/inkstream.png"])
def test_what_others_made_stays(home, name):
    theirs = home / "data" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[Desktop Entry]\nName=another inkstream\n")
    for work in (shortcut.install, shortcut.remove):
        with pytest.raises(InkstreamError, match=r"is there, and inkstream did not make it; move it away"):
            work("linux")
    assert tree(home) == [f"data/{name}"] and "another" in theirs.read_text()


def test_a_program_in_a_folder_with_odd_letters_is_written_as_the_specification_says(home, monkeypatch):
    monkeypatch.setattr(sys, "executable", '/opt/my "py" $1 100%\\bin/python`x')
    shortcut.install("linux")
    lines = (home / "data" / "applications" / "inkstream.desktop").read_text().splitlines()
    (line,) = (each for each in lines if each.startswith("Exec="))
    unescaped = line.removeprefix("Exec=").replace("\\\\", "\\")  # as a string
    word = unescaped[1 : unescaped.index('" "')]  # and as a quoted argument
    for escaped, plain in (('\\"', '"'), ("\\$", "$"), ("\\`", "`"), ("\\\\", "\\"), ("%%", "%")):
        word = word.replace(escaped, plain)
    assert word == sys.executable


def test_macos_gets_an_application(home):
    made = shortcut.install("darwin")
    inside = home / "Applications" / "inkstream.app" / "Contents"
    about = plistlib.loads((inside / "Info.plist").read_bytes())
    program = inside / "MacOS" / about["CFBundleExecutable"]
    assert program in made and os.access(program, os.X_OK) and sys.executable in program.read_text()
    assert (inside / "Resources" / "inkstream.icns").read_bytes()[:4] == b"icns"
    shortcut.remove("darwin")
    assert not (home / "Applications" / "inkstream.app").exists()


def test_windows_gets_a_shortcut(home, monkeypatch):
    monkeypatch.setenv("APPDATA", str(home / "roaming"))
    monkeypatch.setenv("LOCALAPPDATA", str(home / "local"))
    asked = []

    def powershell(command, env, **_):
        asked.append((command, env))
        with open(env["INKSTREAM_LINK"], "wb") as file:
            file.write(b"L\0\0\0" + env["INKSTREAM_ABOUT"].encode("utf-16-le"))

    monkeypatch.setattr(subprocess, "run", powershell)
    link, picture = shortcut.install("win32")
    (command, values) = asked[0]
    assert command[0] == "powershell" and "CreateShortcut" in command[-1]
    assert values["INKSTREAM_WORDS"] == "-m inkstream.stream.app.cli start"
    assert link.is_file() and "Start Menu" in str(link)
    with Image.open(picture) as drawn:
        assert drawn.format == "ICO"
    assert shortcut.remove("win32") == [picture, link] and tree(home) == []


def test_a_shortcut_that_cannot_be_made_is_said(home, monkeypatch):
    monkeypatch.setenv("APPDATA", str(home / "roaming"))
    monkeypatch.setenv("LOCALAPPDATA", str(home / "local"))

    def powershell(command, **_):
        raise subprocess.CalledProcessError(1, command, stderr="scripts are not allowed here")

    monkeypatch.setattr(subprocess, "run", powershell)
    with pytest.raises(InkstreamError, match="scripts are not allowed here"):
        shortcut.install("win32")


def test_the_icon_is_a_drop_on_a_square_with_round_corners():
    drawn = shortcut.picture(128)
    assert drawn[0, 0, 3] == 0 and drawn[64, 4, 3] == 255
    drop = (np.abs(drawn[..., :3].astype(int) - shortcut.INK).max(2) < 8).astype(np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(drop)
    assert count == 2 and 0.1 < drop.mean() < 0.4
    x, _, width, _, _ = boxes[1]
    assert abs(x + width / 2 - 64) <= 2
