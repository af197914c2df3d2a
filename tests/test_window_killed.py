"""Killed at any moment while rewinding and keeping: nothing that was kept is lost, and nothing is ever half."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from inkstream.stream.base.kept import read_making, read_recipe
from inkstream.stream.history.store import sessions

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
import pygame
import PIL.PngImagePlugin, PIL.WebPImagePlugin
from inkstream.stream import Output, StreamConfig
from inkstream.stream.base.frame import Origin, Size
from inkstream.stream.base.making import Making
from inkstream.stream.history.store import HistoryRecorder
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sinks.keep import Keeper

save = Keeper._save
def told(self, task):
    kept = save(self, task)
    os.write(done, f"{task.known.get('from', 'live')} {kept}\\n".encode())
    return kept
Keeper._save = told

class Controls:
    def update(self, **changes): pass
    def freeze(self, frozen): pass

def session(folder, draw):
    recorder = Controls.history = HistoryRecorder(folder / "history", limit=2)
    window = WindowSink(size=Size(320, 240), save_dir=folder / "kept", state=folder)
    window.controls = Controls()
    keys = ["RETURN"] * 6 + ["LEFT"] * 6 + ["RIGHT", "HOME", "END", "b", "b", "g", "w", "UP", "DOWN"]
    for number in range(10**6):
        pixels = np.full((64, 64, 3), number % 256, np.uint8)
        now, making = time.perf_counter(), makings[number // 9 % 8]
        output = Output(pixels, number, now, 0, 255 - pixels, now, origin=Origin(), making=making)
        recorder.take(output)
        key = getattr(pygame, "K_" + draw.choice(keys))
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0, unicode=""))
        window.write(output, Status(state="live", config=making.stream, size=(64, 64)))
        time.sleep(0.001)

makings = [Making("ink-tiny", StreamConfig.build(prompt=f"car {number}")) for number in range(8)]
draw = random.Random(11)
for child in range(int(sys.argv[2])):
    read, done = os.pipe()
    number = os.fork()
    if not number:
        try:
            session(Path(sys.argv[1], str(child)), random.Random(child))
        finally:
            os._exit(1)
    os.close(done)
    first = b""
    while b"history" not in first:
        first += os.read(read, 1)
    time.sleep(draw.uniform(0, 0.15))
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    print(first.decode() + b"".join(iter(lambda: os.read(read, 65536), b"")).decode(), end="", flush=True)
    os.close(read)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are copies")
@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_nothing_that_was_kept_is_lost(times, tmp_path):
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(times)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = [line.split(" ", 1) for line in ran.stdout.splitlines() if line.endswith(".png")]  # the last may be half
    assert {kind for kind, _ in told} == {"live", "history"}
    past = 0
    for child in range(times):
        folder = tmp_path / str(child) / "kept"
        names = {name for name in os.listdir(folder) if not name.endswith(".part")}
        for name in names:
            path = folder / name
            if name.endswith(".ora"):
                with zipfile.ZipFile(path) as archive:
                    assert archive.testzip() is None and "stack.xml" in archive.namelist()
                continue
            with Image.open(path) as image:
                pixels = np.asarray(image)
            if name.endswith("-input.png"):
                continue
            known = read_recipe(path)["picture"]
            assert known["input"] in names
            drawn = np.asarray(Image.open(folder / known["input"]))
            off = np.abs(pixels.astype(int) - (255 - drawn)).max()
            assert off == 0 if "from" not in known else off <= 3  # what was recorded is WebP
            assert read_making(path).stream.prompt == f"car {known['frame'] // 9 % 8}"
            past += known.get("from") == "history"
        for rewind in sessions(tmp_path / str(child) / "history"):  # none where it was killed at its first picture
            assert all(rewind.get(index) is not None for index in range(0, len(rewind), 7))
    assert past >= times
    for _, path in told:
        assert os.path.exists(path) and os.path.exists(path.removesuffix(".png") + ".ora")
