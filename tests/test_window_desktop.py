"""The preview beside a real paint program under a real window manager: place, focus, on top, and its end."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
from doubles.x11 import window_manager, x_server

PREVIEW = """
import json, sys, threading, time
import numpy as np
from pathlib import Path
from inkstream.stream.base.errors import SinkClosed
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sources.screen.source import ScreenSource

class Session:
    def update(self, **changes): print(json.dumps(changes), flush=True)
    def freeze(self, frozen): pass

source = ScreenSource(window="mtPaint")
area = source.area
sink = WindowSink(save_dir=sys.argv[1], state=Path(sys.argv[1]))
sink.controls = Session()
pixels = source.read()
output = Output(np.full((256, 256, 3), (220, 120, 40), np.uint8), 1, time.perf_counter(), 1, pixels)
status = Status(state="live", size=(256, 256), values={"prompt": "", "drawing_influence": 50.0}, area=area)
tick, said = threading.Event(), ""
try:
    while True:
        sink.write(output, status)
        place, scene = sink.place, sink.shown
        now = json.dumps({"place": list(place), "area": list(area), "prompt": scene.prompt is not None,
                          "question": scene.question, "toast": scene.toast, "inset": scene.inset,
                          "clean": scene.clean})
        if now != said:
            said = now
            print(now, flush=True)
        tick.wait(sink.interval)
except SinkClosed:
    sink.close()
    print('"closed"', flush=True)
"""


class Preview:
    """A preview in a process of its own, and the newest of what it says."""

    def __init__(self, environment, folder):
        command = [sys.executable, "-c", PREVIEW, str(folder)]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.said: list = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def wait(self, wanted):
        end = time.monotonic() + 30
        while not (self.said and wanted(self.said[-1])):
            assert time.monotonic() < end, self.said[-3:]
            assert self.process.poll() is None or self.said[-1] == "closed"
            time.sleep(0.02)
        return self.said[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.desktop_full
def test_a_preview_beside_a_paint_program_under_a_window_manager(tmp_path):
    for program in ("xdotool", "mtpaint", "openbox", "xprop"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    with x_server(screen="1600x900x24") as (display, _):
        environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11", "HOME": str(tmp_path)}

        def x(*words):
            done = subprocess.run(
                ["xdotool", *map(str, words)], env=environment, capture_output=True, text=True, timeout=20
            )
            return done.stdout.split()

        programs = []

        def until(wanted, words):
            end = time.monotonic() + 20
            while not wanted(found := x(*words)):
                assert time.monotonic() < end, (found, [program.poll() for program in programs])
                time.sleep(0.05)
            return found

        def start(words):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            programs.append(subprocess.Popen(words, env=environment, **quiet))

        try:
            window_manager(tmp_path, start)
            start(["mtpaint"])
            (painting, *_) = until(bool, ("search", "--onlyvisible", "--name", "mtPaint [0-9]"))
            x("windowsize", painting, 800, 600, "windowmove", painting, 100, 100, "windowactivate", "--sync", painting)
            with Preview(environment, tmp_path) as preview:
                told = preview.wait(lambda said: said["place"][2] == 640)
                (left, top, width, height), (x0, y0, w0, _) = told["place"], told["area"]
                assert left >= x0 + w0, "it opens right of the program, and covers nothing of it"
                assert top >= y0 and top + height <= 900 and left + width <= 1600

                x("windowactivate", "--sync", painting)  # the hand draws
                time.sleep(0.6)  # seconds in which the preview looks who has the keyboard
                (own, *_) = x("search", "--class", "inkstream")
                x("windowactivate", "--sync", own, "key", "p")
                preview.wait(lambda said: said["prompt"])
                x("type", "--delay", "20", "a red house")
                x("key", "Return")
                preview.wait(lambda said: said.get("prompt") is False or "question" not in said)
                assert {"prompt": "a red house"} in preview.said
                until(lambda found: found == [painting], ("getactivewindow",))

                x("windowactivate", "--sync", own, "key", "t")
                preview.wait(lambda said: said["toast"] == "always on top")
                state = subprocess.run(["xprop", "-id", own, "_NET_WM_STATE"], env=environment, capture_output=True)
                assert b"_NET_WM_STATE_ABOVE" in state.stdout

                x("key", "i", "key", "i")
                wide = preview.wait(lambda said: said["inset"] == "side" and said["place"] != told["place"])["place"]
                assert wide[0] >= x0 + w0 and wide[0] + wide[2] <= 1600, "it covers nothing now, either"
                x("key", "i")
                preview.wait(lambda said: said["inset"] == "off" and said["place"] == told["place"])

                time.sleep(0.7)  # what comes later is the hand's
                x("windowmove", own, 950, 200)
                moved = preview.wait(lambda said: said["place"][1] > 190)["place"]
                x("key", "Escape")
                preview.wait(lambda said: said["question"])
                x("key", "Escape")
                preview.wait(lambda said: not said["question"])
                x("keydown", "q")
                preview.wait(lambda said: said["question"] == "let go of Q to close")
                x("keyup", "q")
                preview.wait(lambda said: said == "closed")
            with Preview(environment, tmp_path) as preview:
                preview.wait(lambda said: said["place"] == moved)
                (own, *_) = until(bool, ("search", "--class", "inkstream"))
                x("windowactivate", "--sync", own, "key", "alt+F4")  # as the window's close button
                preview.wait(lambda said: said == "closed")
        finally:
            for program in programs:
                program.kill()
                program.wait()
