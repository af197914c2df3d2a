"""A real paint program, drawn in with a real pointer, and the render in a real window beside it."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import mss
import numpy as np
import pytest
from PIL import Image

from inkstream.stream import Frame, Stream
from inkstream.stream.base.configfile import load_config

CANVAS = 440
WINDOW = 480
RIGHT_SIDE = (WINDOW, 0, 1280 - WINDOW, 800)
PROMPT = "a red brick house with a gable roof, on grass, day"
# In canvas pixels: ground, walls, roof, door, windows.
HOUSE = [
    [(4, 258), (432, 254)],
    [(120, 190), (326, 192), (323, 344), (123, 341), (120, 190)],
    [(103, 192), (223, 103), (344, 196)],
    [(202, 343), (204, 275), (244, 275), (244, 343)],
    [(144, 215), (182, 215), (182, 254), (144, 254), (144, 215)],
    [(265, 215), (302, 215), (302, 254), (265, 254), (265, 215)],
]


def psnr(a, b):
    return -10 * np.log10(np.mean((a.astype(float) - b) ** 2) / 65025 + 1e-9)


class Desktop:
    """What a person does: look at the screen, move the pointer, press keys."""

    def __init__(self, display):
        self.environment = {
            **os.environ,
            "DISPLAY": display,
            "SDL_VIDEODRIVER": "x11",
            "SDL_VIDEO_WINDOW_POS": "620,40",
        }
        self.display = display

    def xdotool(self, *words):
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True, timeout=20
        )
        return done.stdout.split()

    def window(self, kind, name, of, seconds=60):
        """The id of a window of a process, once it is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and of.poll() is None:
            found = self.xdotool("search", kind, name)
            if found:
                return found[0]
            time.sleep(0.2)
        raise AssertionError(f"no window called {name!r} after {seconds} s; exit code {of.poll()}")

    def place(self, window, x, y, width=None, height=None):
        if width:
            self.xdotool("windowsize", window, width, height)
        self.xdotool("windowmove", window, x, y)
        time.sleep(0.5)

    def box(self, window):
        """Left, top, width and height of a window."""
        lines = self.xdotool("getwindowgeometry", "--shell", window)
        geometry = dict(line.split("=") for line in lines)
        return tuple(int(geometry[key]) for key in ("X", "Y", "WIDTH", "HEIGHT"))

    def look(self):
        """The whole screen, (H, W, 3) uint8 RGB."""
        with mss.MSS(display=self.display) as grabber:
            shot = grabber.grab(grabber.monitors[0])
        return np.ascontiguousarray(np.asarray(shot)[..., 2::-1])

    def draw(self, stroke, origin):
        """One stroke, in steps of a few pixels, as a pen gives them."""
        points = []
        for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
            count = max(2, int(np.hypot(x1 - x0, y1 - y0) / 12))
            points += [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
        for nudge in (0, 1, 2):  # the pencil is one pixel wide
            x, y = (round(value) + nudge + start for value, start in zip(points[0], origin, strict=True))
            words = ["mousemove", x, y, "mousedown", 1]
            for px, py in points:
                words += ["mousemove", round(px) + nudge + origin[0], round(py) + nudge + origin[1], "sleep", 0.01]
            self.xdotool(*words, "mouseup", 1)

    def settle(self, box, seconds=1.5, limit=60):
        """Wait until a part of the screen has not changed for a while, and give it."""
        x, y, width, height = box
        last, since, end = None, time.monotonic(), time.monotonic() + limit
        while time.monotonic() < end:
            part = self.look()[y : y + height, x : x + width]
            if last is None or psnr(part, last) < 45:
                last, since = part, time.monotonic()
            elif time.monotonic() - since > seconds:
                return part
            time.sleep(0.1)
        self.keep()
        raise AssertionError(f"the screen still changes after {limit} s")

    def keep(self):
        """Leave a screenshot among the artefacts, and give it."""
        screen, folder = self.look(), Path("artifacts")
        folder.mkdir(exist_ok=True)
        Image.fromarray(screen).save(folder / "desktop.png")
        return screen


@pytest.mark.desktop
@pytest.mark.timeout(280)
def test_paint_program_to_window_and_video(xvfb, tmp_path):
    for program in ("xdotool", "mtpaint"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    desktop, home = Desktop(xvfb), tmp_path / "home"
    home.mkdir()
    (home / ".mtpaint").write_text("backgroundGrey = 255\n")  # paper to the window's edge
    Image.new("RGB", (CANVAS, CANVAS), "white").save(home / "canvas.png")
    paint = subprocess.Popen(
        ["mtpaint", str(home / "canvas.png")],
        env={**desktop.environment, "HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    video, figures, log = tmp_path / "drawing.mp4", tmp_path / "figures.json", tmp_path / "log.txt"
    command = [sys.executable, "-c", "from inkstream.stream.app.cli import main; main()", "run"]
    command += ["--source", "screen:window=mtPaint", "--sink", "window:inset=small", "--sink", f"video:{video}"]
    command += ["--config", "ink-tiny", "--prompt", PROMPT, "--json", str(figures)]
    engine = None
    try:
        painting = desktop.window("--name", "mtPaint [0-9]", paint)
        desktop.place(painting, 0, 0, 630, 480)
        desktop.xdotool("mousemove", 17, 79, "click", 1, "sleep", 0.3)  # pencil
        desktop.xdotool("mousemove", 38, 167, "click", 1, "sleep", 0.3)  # black
        desktop.xdotool("mousemove", 300, 300, "key", "--window", painting, "Home", "sleep", 0.5)  # canvas alone
        desktop.place(painting, 0, 0, WINDOW, WINDOW)
        with log.open("w") as out:
            engine = subprocess.Popen(command, env=desktop.environment, stdout=out, stderr=subprocess.STDOUT)
        preview = desktop.window("--class", "inkstream", engine, 120)
        end = time.monotonic() + 120
        while "warming" not in log.read_text():  # a first start builds, and its window may hold still meanwhile
            assert engine.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        desktop.settle(RIGHT_SIDE, seconds=3)
        empty = desktop.settle(desktop.box(preview))

        corner = (WINDOW - CANVAS) // 2
        for stroke in HOUSE:
            desktop.draw(stroke, (corner, corner))
        box = desktop.box(preview)
        drawn = desktop.settle(box)
        screen = desktop.keep()
        time.sleep(3)  # idle: nothing to render any more
        engine.send_signal(signal.SIGINT)
        assert engine.wait(20) == 130, log.read_text()
    finally:
        for process in (engine, paint):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(10)

    canvas = screen[:WINDOW, :WINDOW]
    assert (canvas < 100).all(axis=2).mean() > 0.01, "the strokes did not reach the paint program"
    assert psnr(drawn, empty) < 22, "the render did not change with the drawing"

    config = load_config("ink-tiny")
    stream = Stream.from_pretrained(config.model, config.stream.changed(prompt=PROMPT))
    (complete,) = [output for output in (stream(Frame(canvas)), *stream.drain()) if output]
    with av.open(str(video)) as container:
        stamped = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert psnr(stamped[-1][1], complete.pixels) > 28, "the last stroke did not come out complete"
    scale = box[2] / 256
    shown = cv2.resize(drawn, (256, 256), interpolation=cv2.INTER_AREA)
    middle = slice(30, 170)  # without the inset and the state
    assert scale >= 1
    assert psnr(shown[middle, middle], complete.pixels[middle, middle]) > 22, "the window shows another picture"

    summary = json.loads(figures.read_text())
    summary = summary.get("figures", summary)
    rendered, at_rest = summary["frames_rendered"], stamped[-1][0] / 0.5  # the last picture again, twice a second
    assert rendered <= len(stamped) <= rendered + at_rest
    assert summary["frames_skipped"] > 60, "the engine did not go idle"
    pairs = itertools.pairwise(stamped)
    assert all(before[0] < after[0] for before, after in pairs)
