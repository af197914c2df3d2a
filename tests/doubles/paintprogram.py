"""Real paint programs on a display, with a window manager, and what a source gives of them."""

import itertools
import os
import shutil
import subprocess
import time
from contextlib import closing
from pathlib import Path

import cv2
import mss
import numpy as np
import pytest
from PIL import Image

from doubles.x11 import window_manager
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
                self.running.append(window_manager(Path(home), lambda words: self.start(*words)))
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


def begin(name, display, home, sheet=None):
    """A program of ``CASES`` with a sheet, an empty one by default, and its layout and size.

    Also the keys for: fit, about 33, 50, 100, 200 and 400 %, each from the one before; and for filling the sheet.
    """
    program, theme, layout, size = CASES[name]
    needs("xdotool", "openbox", program)
    empty = np.full((SIDE, SIDE, 3), 255, np.uint8)
    Image.fromarray(empty if sheet is None else sheet).save(home / "sheet.png")
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
