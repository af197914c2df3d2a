"""An entry in the desktop's menu, for this user, that opens the start page: written, and taken away again.

Linux: a desktop entry and icons where the "Desktop Entry Specification" 1.5 and "Icon Theme Specification" 0.13 look
for them, below ``XDG_DATA_HOME``. Windows: a shortcut in the user's start menu, made by ``WScript.Shell``. macOS: a
small application in ``~/Applications``. The last two are written against their documentation; unverified. Every file
that is written has a mark inside, and only files with that mark are ever replaced or removed.
"""

from __future__ import annotations

import contextlib
import io
import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from ..base.errors import InkstreamError
from ..base.files import open_regular, write_whole
from ..base.plain import reason
from .start.icons import drop_outline, icon

NAME, ABOUT = "inkstream", "Draw in any program, and watch the drawing become a finished picture"
MARK = "made by inkstream install-desktop"
MODULE = "inkstream.stream.app.cli"
SIDES = (48, 64, 128, 256)  # pixels of icons
INK, PAPER = (104, 146, 214), (22, 22, 22)
MOST = 1 << 20  # bytes of a file that may be ours
WITHIN = 20.0  # seconds
_LINK = """
$link = (New-Object -ComObject WScript.Shell).CreateShortcut($env:INKSTREAM_LINK)
$link.TargetPath = $env:INKSTREAM_PROGRAM
$link.Arguments = $env:INKSTREAM_WORDS
$link.WorkingDirectory = $env:USERPROFILE
$link.IconLocation = $env:INKSTREAM_ICON
$link.Description = $env:INKSTREAM_ABOUT
$link.Save()
"""


def install(platform: str = sys.platform) -> list[Path]:
    """Make the entry, or make it anew; returns the files. Raises InkstreamError where one is there that is not ours."""
    written = _files(platform)
    for path in written:
        _check_ours(path)
    for path, data in written.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
            if path.parent.name == "MacOS":
                path.chmod(0o755)
        except OSError as error:
            raise InkstreamError(f"install-desktop: {path} cannot be written: {reason(error)}") from error
    made = list(written)
    if platform == "win32":
        link = _start_menu() / f"{NAME}.lnk"
        _check_ours(link)
        _make_link(link, made[0])
        made.insert(0, link)
    _tell_desktop(platform)
    return made


def remove(platform: str = sys.platform) -> list[Path]:
    """Take away what ``install`` made; returns the files that were there. Raises InkstreamError for others' files."""
    paths = [*_files(platform), *([_start_menu() / f"{NAME}.lnk"] if platform == "win32" else [])]
    there = [path for path in paths if os.path.lexists(path)]
    for path in there:
        _check_ours(path)
    for path in there:
        try:
            path.unlink()
        except OSError as error:
            raise InkstreamError(f"install-desktop: {path} cannot be removed: {reason(error)}") from error
    if platform == "darwin":
        _remove_empty(_application())
    _tell_desktop(platform)
    return there


def _files(platform: str) -> dict[Path, bytes]:
    """Every file of the entry and what is in it."""
    if platform == "win32":
        return {_data_home(platform) / "inkstream" / f"{NAME}.ico": _pictures("ICO")}
    if platform == "darwin":
        inside = _application() / "Contents"
        program = shlex.join([sys.executable, "-m", MODULE, "start"])
        return {
            inside / "MacOS" / NAME: f'#!/bin/sh\n# {MARK}\ncd "$HOME" && exec {program}\n'.encode(),
            inside / "Resources" / f"{NAME}.icns": _pictures("ICNS"),
            inside / "Info.plist": _plist(),
        }
    home = _data_home(platform)
    icons = home / "icons" / "hicolor"
    found = {home / "applications" / f"{NAME}.desktop": _entry().encode()}
    for side in SIDES:
        found[icons / f"{side}x{side}" / "apps" / f"{NAME}.png"] = _png(side)
    return found | {icons / "scalable" / "apps" / f"{NAME}.svg": _svg().encode()}


def _entry() -> str:
    """https://specifications.freedesktop.org/desktop-entry-spec/1.5"""
    lines = {
        "Type": "Application",
        "Version": "1.1",
        "Name": NAME,
        "GenericName": "Live render of a drawing",
        "Comment": ABOUT,
        "TryExec": _escaped(sys.executable),
        "Exec": " ".join(map(_argument, [sys.executable, "-m", MODULE, "start"])),
        "Icon": NAME,
        "Terminal": "false",
        "Categories": "Graphics;2DGraphics;",
        "Keywords": "draw;paint;sketch;render;",
        "StartupWMClass": NAME,
    }
    return f"# {MARK}\n[Desktop Entry]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())


def _escaped(value: str) -> str:
    """A value of the type string: its own backslashes are written twice."""
    return value.replace("\\", "\\\\")


def _argument(word: str) -> str:
    """A word of ``Exec``: in quotes with four characters escaped, percent signs twice, and then escaped as a string."""
    quoted = "".join(f"\\{each}" if each in '"`$\\' else each for each in word).replace("%", "%%")
    return _escaped(f'"{quoted}"')


def _svg() -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in drop_outline())
    red, green, blue = PAPER
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {MARK} -->\n'
        '<svg xmlns="http://www.w3.org/2000/svg" width="128" height="128" viewBox="0 0 100 100">\n'
        f'  <rect x="2" y="2" width="96" height="96" rx="20" fill="rgb({red},{green},{blue})"/>\n'
        f'  <g transform="translate(15 13) scale(0.7)"><polygon points="{points}" fill="rgb{INK}"/></g>\n</svg>\n'
    )


def picture(side: int) -> np.ndarray:
    """The icon: a drop of ink on a dark square with round corners, (side, side, 4) uint8 RGBA."""
    import cv2

    finer = 4 * side
    sheet = np.zeros((finer, finer), np.uint8)
    edge, radius = round(0.02 * finer), round(0.2 * finer)
    for x in (edge + radius, finer - edge - radius):
        for y in (edge + radius, finer - edge - radius):
            cv2.circle(sheet, (x, y), radius, 255, -1)
    cv2.rectangle(sheet, (edge + radius, edge), (finer - edge - radius, finer - edge), 255, -1)
    cv2.rectangle(sheet, (edge, edge + radius), (finer - edge, finer - edge - radius), 255, -1)
    drawn = np.empty((side, side, 4), np.uint8)
    drawn[..., :3] = PAPER
    drawn[..., 3] = cv2.resize(sheet, (side, side), interpolation=cv2.INTER_AREA)
    small = round(0.7 * side)
    drop = icon("drop", small, INK)
    left, top = (side - small) // 2, round(0.13 * side)
    share = drop[..., 3:].astype(np.float32) / 255
    part = drawn[top : top + small, left : left + small, :3]
    part[:] = np.rint(part * (1 - share) + drop[..., :3] * share).astype(np.uint8)
    return drawn


def _png(side: int) -> bytes:
    from PIL import Image, PngImagePlugin

    told = PngImagePlugin.PngInfo()
    told.add_text("Software", MARK)
    file = io.BytesIO()
    Image.fromarray(picture(side)).save(file, "PNG", pnginfo=told)
    return file.getvalue()


def _pictures(format: str) -> bytes:
    """An icon of several sizes in one file, with our mark at its end, where readers of these formats do not look."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture(SIDES[-1])).save(file, format)
    return file.getvalue() + MARK.encode()


def _plist() -> bytes:
    """https://developer.apple.com/documentation/bundleresources/information-property-list"""
    about = {
        "CFBundleName": NAME,
        "CFBundleIdentifier": "org.inkstream.start",
        "CFBundlePackageType": "APPL",
        "CFBundleExecutable": NAME,
        "CFBundleIconFile": NAME,
        "CFBundleGetInfoString": MARK,
        "NSHighResolutionCapable": True,
    }
    return plistlib.dumps(about)


def _data_home(platform: str) -> Path:
    if platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if os.path.isabs(given) else Path.home() / ".local" / "share"


def _application() -> Path:
    return Path.home() / "Applications" / f"{NAME}.app"


def _start_menu() -> Path:
    roaming = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    return Path(roaming) / "Microsoft" / "Windows" / "Start Menu" / "Programs"


def _check_ours(path: Path) -> None:
    """Raises InkstreamError where a file is there that somebody else made."""
    if not os.path.lexists(path):
        return
    try:
        with open_regular(path) as file:
            data = file.read(MOST)
    except OSError as error:
        raise InkstreamError(f"install-desktop: {path} is there and cannot be read: {reason(error)}") from error
    if MARK.encode() not in data and MARK.encode("utf-16-le") not in data:
        raise InkstreamError(
            f"install-desktop: {path} is there, and inkstream did not make it; move it away, and try again"
        )


def _make_link(link: Path, picture: Path) -> None:
    """A shortcut, by https://learn.microsoft.com/troubleshoot/windows-client/admin-development/create-desktop-shortcut"""
    quiet = Path(sys.executable).with_name("pythonw.exe")  # without a console
    values = {
        "INKSTREAM_LINK": str(link),
        "INKSTREAM_PROGRAM": str(quiet if quiet.is_file() else sys.executable),
        "INKSTREAM_WORDS": f"-m {MODULE} start",
        "INKSTREAM_ICON": f"{picture},0",
        "INKSTREAM_ABOUT": f"{ABOUT} ({MARK})",
    }
    command = ["powershell", "-NoProfile", "-NonInteractive", "-Command", _LINK]
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            command, env={**os.environ, **values}, check=True, capture_output=True, text=True, timeout=WITHIN
        )
    except subprocess.CalledProcessError as error:
        raise InkstreamError(f"install-desktop: no shortcut was made: {error.stderr.strip()[:200]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InkstreamError(f"install-desktop: no shortcut was made: {reason(error)}") from error


def _remove_empty(application: Path) -> None:
    """The folders of an application from which every file was taken away; one that holds more stays."""
    for folder in (*(application / "Contents" / name for name in ("MacOS", "Resources")), application / "Contents"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if application.is_dir() and not any(application.iterdir()):
        application.rmdir()


def _tell_desktop(platform: str) -> None:
    """Let a running desktop see it now: it looks at when the folder of the icon theme was changed."""
    home = _data_home(platform)
    if platform in ("win32", "darwin") or not (home / "applications").is_dir():
        return
    if (home / "icons" / "hicolor").is_dir():
        os.utime(home / "icons" / "hicolor")
    program = shutil.which("update-desktop-database")
    if program is not None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # desktops look for themselves, too, only later
            subprocess.run(
                [program, "-q", str(home / "applications")], check=False, capture_output=True, timeout=WITHIN
            )
