"""The sheet of paper in real paint programs, with a window manager: found, followed, and hovered over."""

import itertools
import os
import shutil
import subprocess
import time
from contextlib import closing

import cv2
import mss
import numpy as np
import pytest
from doubles.x11 import Painter, x_server
from PIL import Image

from inkstream.stream.base.errors import SourceUnavailable
from inkstream.stream.sources import open_source
from inkstream.stream.sources.screen.canvas import find_sheet
from inkstream.stream.sources.screen.x11 import X11Windows

SIDE = 600  # pixels of the sheet each way


class Program:
    """A paint program on a display, with a pointer that draws."""

    def __init__(self, display, home, command, kind, size):
        self.environment = {**os.environ, "DISPLAY": display, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        self.environment = {name: value for name, value in self.environment.items() if not name.startswith("XDG_C")}
        self.running = []
        try:
            if shutil.which("openbox"):
                self.running.append(self.start("openbox"))
                self.manager()
            self.running.append(self.start(*command))
            self.arrange(kind, size)
        except BaseException:
            self.close()
            raise

    def arrange(self, kind, size):
        self.window = self.largest(kind)
        self.xdotool("windowsize", self.window, *size, "windowmove", self.window, 4, 24)
        self.xdotool("windowactivate", self.window, "windowfocus", self.window)
        for tools in self.xdotool("search", "--onlyvisible", "--name", "Settings Toolbar"):
            self.xdotool("windowunmap", tools)
        self.point(size[0] + 20, size[1] + 60)

    def start(self, *command):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(list(map(str, command)), env=self.environment, start_new_session=True, **quiet)

    def xdotool(self, *words):
        words = ["xdotool", *map(str, words)]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout.split()

    def manager(self, limit=30):
        """Wait for the window manager: windows that come while it begins may never be shown."""
        end = time.monotonic() + limit
        while not self.xdotool("get_desktop"):
            assert time.monotonic() < end, f"no window manager after {limit} s"
            time.sleep(0.1)

    def largest(self, kind, limit=120):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            sizes = {}
            for window in self.xdotool("search", "--onlyvisible", "--class", kind):
                lines = self.xdotool("getwindowgeometry", "--shell", window)
                geometry = dict(line.split("=") for line in lines)
                sizes[window] = int(geometry.get("WIDTH", 0)) * int(geometry.get("HEIGHT", 0))
            if max(sizes.values(), default=0) > 300 * 300:
                return max(sizes, key=lambda window: sizes[window])
            time.sleep(0.3)
        raise AssertionError(f"no window of {kind} after {limit} s")

    def point(self, x, y):
        self.xdotool("mousemove", x, y)

    def stroke(self, start, *places):
        words = ["mousemove", *start, "sleep", 0.1, "mousedown", 1, "sleep", 0.1]
        for before, place in itertools.pairwise((start, *places)):
            for step in range(1, 9):
                way = (round(a + (b - a) * step / 8) for a, b in zip(before, place, strict=True))
                words += ["mousemove", *way, "sleep", 0.02]
        return self.start("xdotool", *words, "mouseup", 1)

    def close(self):
        for process in reversed(self.running):
            process.kill()
            process.wait(20)


class Watcher:
    """What a source gives of a program."""

    def __init__(self, program, text=""):
        self.program = program
        self.source = open_source(f"screen:window={program.window},fps=30{text}")
        self.last = self.source.read()

    def until(self, condition, limit=30):
        end = time.monotonic() + limit
        while not condition(self.last):
            assert time.monotonic() < end, f"it did not happen in {limit} s; {self.source.notice}"
            self.last = self.source.read()
        return self.last

    def changes(self, pictures):
        """How many of the next pictures differ from the one before."""
        new = 0
        for _ in range(pictures):
            before, self.last = self.last, self.source.read()
            new += before is not self.last and not np.array_equal(before, self.last)
        return new

    def still(self, pictures=45, limit=60):
        """Wait until so many pictures in a row are equal, and give the last."""
        end = time.monotonic() + limit
        while self.changes(pictures):
            assert time.monotonic() < end, "the picture still changes"
        return self.last

    def settle(self):
        """Wait for an answer to a key, if there comes one, and until it is there."""
        for _ in range(90):
            if self.changes(1):
                break
        return self.still(30)

    def screen(self):
        """All that a person sees."""
        with mss.MSS(display=self.program.environment["DISPLAY"]) as grabber:
            return np.ascontiguousarray(np.asarray(grabber.grab(grabber.monitors[0]))[..., 2::-1])

    def corner(self):
        """Where the sheet's upper left corner is on the screen."""
        with closing(X11Windows(self.program.environment["DISPLAY"])) as desktop:
            window = desktop.look(int(self.program.window))
            found = find_sheet(desktop.picture(window, False))
        assert found is not None
        return window.content.x + found.rect.x, window.content.y + found.rect.y


def keep(picture, name, folder):
    folder.mkdir(exist_ok=True)
    Image.fromarray(picture).save(folder / f"{name}.png")


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


@pytest.fixture
def display(monkeypatch):
    with x_server(screen="1920x1080x24") as (name, _):
        monkeypatch.setenv("DISPLAY", name)
        for variable in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "WINDOWID"):
            monkeypatch.delenv(variable, raising=False)
        yield name


def inked(picture, before, start, end):
    """Whether a stroke is seen all along a straight line between two places of the sheet, as no brush outline is."""
    if picture.shape != before.shape:
        return False
    changed = cv2.dilate((np.abs(picture.astype(int) - before).max(2) > 60).astype(np.uint8), np.ones((5, 5), np.uint8))
    xs, ys = (np.linspace(a, b, 41)[4:-4].round().astype(int) for a, b in zip(start, end, strict=True))
    return bool(changed[ys, xs].mean() > 0.9)


def hover(program, watcher, corner, size, rounds):
    """Move over the sheet and across its borders, and count the pictures that changed."""
    new = 0
    for number in range(rounds):
        for x, y in ((0.2, 0.2), (0.8, 0.3), (0.4, 0.9), (1.05, 0.5), (0.5, 0.5)):
            program.point(round(corner[0] + x * size[0]) + number, round(corner[1] + y * size[1]))
            new += watcher.changes(6)
        new += watcher.changes(15)
    return new


@pytest.mark.desktop_full
def test_mtpaint_gives_its_sheet_alone_and_hovering_changes_nothing(display, tmp_path):
    needs("xdotool", "mtpaint")
    drawing = np.full((300, 400, 3), (250, 245, 230), np.uint8)
    cv2.circle(drawing, (200, 150), 90, (20, 60, 160), 12)
    cv2.polylines(drawing, [np.array([(170, 40), (240, 110), (250, 50), (180, 120)])], False, (160, 30, 20), 3)
    Image.fromarray(drawing).save(tmp_path / "drawing.png")
    program = Program(display, tmp_path, ["mtpaint", tmp_path / "drawing.png"], "mtpaint", (900, 700))
    try:
        watcher = Watcher(program)
        watcher.until(lambda picture: picture.shape == drawing.shape and np.array_equal(picture, drawing))
        assert watcher.source.notice == ""
        corner = watcher.corner()
        program.xdotool("mousemove", corner[0] - 280, corner[1] - 160, "click", 1, "sleep", 0.2)  # the pencil
        assert hover(program, watcher, corner, (400, 300), 2) == 0
        x, y = corner[0] + 60, corner[1] + 40
        program.xdotool("mousemove", corner[0] + 320, corner[1] + 270, "sleep", 0.5, "click", 1)  # a tap
        watcher.until(lambda picture: (picture[269:272, 319:322] < 100).any(), limit=5)
        program.xdotool("key", "ctrl+z", "mousemove", 1000, 900)
        watcher.until(lambda picture: np.array_equal(picture, drawing), limit=5)
        hand = program.stroke((x, y), (x + 40, y + 30), (x + 90, y + 10))
        watcher.until(lambda picture: inked(picture, drawing, (60, 40), (100, 70)), limit=5)
        assert hand.wait(10) == 0
        program.xdotool("mousemove", 1000, 900)
        drawn = watcher.still(20)
        changed = np.argwhere((drawn != drawing).any(2))
        assert changed.min(0)[0] >= 30 and changed.max(0)[0] <= 80 and len(changed) > 20
        program.xdotool("mousemove", corner[0] + 200, corner[1] + 60, "key", "5")  # 400 %, round the pointer
        assert watcher.settle().shape == drawing.shape and np.abs(watcher.last.astype(int) - drawn).mean() < 1.5
        before = watcher.last
        hand = program.stroke((500, 400), (580, 440))
        watcher.until(lambda picture: not np.array_equal(picture, before), limit=10)
        assert hand.wait(10) == 0
        program.xdotool("mousemove", 1000, 900)
        closer = watcher.still(30)
        keep(closer, "mtpaint-zoomed", tmp_path.parent / "sheets")
        ys, xs = np.nonzero(np.abs(closer.astype(int) - drawn).max(2) > 60)  # one stroke, and nothing else
        assert len(ys) >= 20 and np.ptp(ys) in range(8, 13) and np.ptp(xs) in range(18, 23)
        program.xdotool("mousemove", corner[0] + 200, corner[1] + 60, "key", "4", "mousemove", 1000, 900)
        whole = watcher.settle()
        assert whole.shape == closer.shape and np.abs(whole.astype(int) - closer).max(2).mean() < 0.1
        drawn = whole
        program.xdotool("mousemove", *corner, "key", "3")  # 50 %
        smaller = watcher.until(lambda picture: picture.shape == (150, 200, 3), limit=10)
        assert np.abs(smaller.astype(int) - cv2.resize(drawn, (200, 150))).mean() < 12
        watcher.source.close()
    finally:
        program.close()


KRITA = "[theme]\nTheme={}\n"
CASES = {
    "krita-dark": ("krita", "Krita dark", None, (1800, 1000)),
    "krita-bright": ("krita", "Krita bright", None, (1500, 900)),
    "krita-big-paint": ("krita", "Krita dark", "Big_Paint", (1500, 900)),
    "krita-minimal": ("krita", "Krita blender", "Minimal", (1300, 900)),
    "gimp-dark": ("gimp", "Dark", None, (1800, 1000)),
    "gimp-light": ("gimp", "Light", None, (1300, 900)),
    "gimp-bare": ("gimp", "Gray", "Tab", (1300, 900)),
}


def begin(name, display, home):
    """A program of ``CASES`` with an empty sheet, and the keys for: fit, about 33, 50, 100, 200 and 400 %, fill."""
    program, theme, layout, size = CASES[name]
    needs("xdotool", "openbox", program)
    Image.new("RGB", (SIDE, SIDE), "white").save(home / "sheet.png")
    if program == "krita":
        (home / ".config").mkdir()
        (home / ".config" / "kritarc").write_text(KRITA.format(theme))
        command = ["krita", "--nosplash", *(["--workspace", layout] if layout else []), home / "sheet.png"]
        keys = [["2"], ["1", *["minus"] * 3], ["equal"], ["1"], ["equal"] * 2, ["equal"] * 2], "shift+BackSpace"
    else:
        (home / ".config" / "GIMP" / "2.10").mkdir(parents=True)
        (home / ".config" / "GIMP" / "2.10" / "gimprc").write_text(f'(theme "{theme}")\n')
        command = ["gimp", "-s", "-n", home / "sheet.png"]
        keys = [["shift+ctrl+j"], ["1", *["minus"] * 3], ["plus"], ["1"], ["2"], ["3"]], "ctrl+comma"
    running = Program(display, home, command, program, size)
    return running, layout, size, *keys


@pytest.mark.desktop_full
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", CASES)
def test_the_sheet_at_every_zoom(name, display, tmp_path):
    program, layout, size, zooms, fill = begin(name, display, tmp_path)
    folder = tmp_path.parent / "sheets"
    try:
        whole = Watcher(program, ",area=window")
        whole.until(find_sheet, limit=90)  # the file is open
        whole.still(60)
        program.xdotool("mousemove", size[0] * 0.45, size[1] * 0.55, "key", "p" if "gimp" in name else "b")
        if layout == "Tab":
            program.xdotool("key", "Tab")
        whole.settle()
        for number, keys in enumerate(zooms):
            program.xdotool("key", *keys)
            picture = whole.settle()
            program.xdotool("key", fill)
            filled = whole.settle()
            program.xdotool("key", "ctrl+z")
            whole.settle()
            differs = cv2.morphologyEx((picture != filled).any(2).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7)))
            _, _, stats, _ = cv2.connectedComponentsWithStats(differs)
            x, y, width, height = stats[1 + stats[1:, 4].argmax()][:4]
            keep(picture, f"{name}-{number}", folder)
            found = find_sheet(picture)
            assert found is not None, keys
            a, b = found.rect, (x, y, x + width, y + height)
            across = min(a.x + a.width, b[2]) - max(a.x, b[0])
            down = min(a.y + a.height, b[3]) - max(a.y, b[1])
            assert across * down / (a.width * a.height + width * height - across * down) >= 0.98, (keys, a, b)
        whole.source.close()
    finally:
        program.close()


@pytest.mark.desktop_full
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", ["krita-dark", "krita-bright", "gimp-dark", "gimp-light"])
def test_ten_seconds_of_hovering_menus_and_a_cover_change_nothing(name, display, tmp_path):
    program, _, size, zooms, _ = begin(name, display, tmp_path)
    try:
        whole = Watcher(program, ",area=window")
        whole.until(find_sheet, limit=90)
        whole.still(60)
        whole.source.close()
        program.xdotool("windowfocus", program.window, "key", *zooms[0])
        program.xdotool("mousemove", size[0] * 0.5, size[1] * 0.5, "key", "p" if "gimp" in name else "b")
        program.point(1900, 1070)
        watcher = Watcher(program)
        empty = watcher.still(60)
        corner, sides = watcher.corner(), empty.shape[1::-1]
        assert hover(program, watcher, corner, sides, 7) == 0  # 7 x 45 pictures at 30 a second
        program.xdotool("mousemove", 60, 60, "key", "alt+f")  # the menu of files
        assert watcher.changes(130) == 0
        program.xdotool("key", "Escape", "sleep", 0.3, "key", "ctrl+o")  # a dialog
        assert watcher.changes(130) == 0
        keep(watcher.screen(), f"{name}-dialog", tmp_path.parent / "sheets")
        program.xdotool("key", "Escape")
        with_cover = Painter(display)
        with_cover.window("mail: a secret", (corner[0] + 20, corner[1] + 20, 300, 200), 0xFF0000)
        assert watcher.changes(240) == 0
        with_cover.close()
        watcher.still(30)
        start, end = (sides[0] // 4, 60), (sides[0] // 2, 120)
        (x, y), goal = (tuple(a + b for a, b in zip(corner, place, strict=True)) for place in (start, end))
        program.point(x, y)
        watcher.still(30)
        hand = program.stroke((x, y), goal)
        watcher.until(lambda picture: inked(picture, empty, start, end), limit=5)
        assert hand.wait(10) == 0
        keep(watcher.last, f"{name}-stroke", tmp_path.parent / "sheets")
        watcher.source.close()
    finally:
        program.close()


@pytest.mark.desktop_full
@pytest.mark.timeout(200)
def test_mypaint_has_a_sheet_without_an_end(display, tmp_path):
    needs("xdotool", "openbox", "mypaint")
    program = Program(display, tmp_path, ["mypaint"], "mypaint", (1400, 900))
    try:
        watcher = None
        while watcher is None:
            try:
                watcher = Watcher(program)
            except SourceUnavailable:
                program.window = program.largest("mypaint")
        picture = watcher.until(lambda seen: 1372 <= seen.shape[1] <= 1400 and seen.shape[0] < 850)
        assert np.array_equal(np.unique(picture.reshape(-1, 3), axis=0), [(168, 164, 152)])
        assert watcher.source.notice == ""
        watcher.source.close()
    finally:
        program.close()
