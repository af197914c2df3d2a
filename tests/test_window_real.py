"""The preview on a real X server with real keys, and without any display."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from doubles.pasting import Paster
from PIL import Image

from inkstream.stream.base.errors import SinkUnavailable
from inkstream.stream.sinks.window import WindowSink

PREVIEW = """
import sys, threading, time
import numpy as np
from pathlib import Path
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import SinkClosed
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.base.making import Making
from inkstream.stream.history.store import HistoryRecorder
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink

class Session:
    history = HistoryRecorder(Path(sys.argv[1], "history"))
    def update(self, **changes): print("update", changes, flush=True)
    def freeze(self, frozen): print("freeze", frozen, flush=True)

sink = WindowSink(size=Size(400, 300), save_dir=sys.argv[1], top=True)
sink.controls = Session()
pixels = np.full((64, 64, 3), (220, 40, 40), np.uint8)
now, making = time.perf_counter(), Making("ink-tiny", StreamConfig.build(prompt="a fox"))
output = Output(pixels, 1, now, 1, pixels, now, making=making)
Session.history.take(output)
Session.history.close(10)
status = Status(state="live", values={"prompt": "", "drawing_influence": 50.0})
tick = threading.Event()
for _ in range(5):
    sink.write(output, status)
    tick.wait(sink.interval)
print("ready", flush=True)
asked, state, copied = False, sink.shown.state, False
try:
    while True:
        sink.write(output, status)
        if sink.shown.prompt is not None and not asked:
            asked = True
            print("asks for the prompt", flush=True)
        if sink.shown.state != state:
            state = sink.shown.state
            print("shows", state, flush=True)
        if "copied" in sink.shown.toast and not copied:
            copied = True
            print(sink.shown.toast, flush=True)
        tick.wait(sink.interval)
except SinkClosed:
    sink.close()
    print("closed", flush=True)
"""


@pytest.mark.desktop
@pytest.mark.skipif(not shutil.which("xdotool"), reason="needs xdotool")
def test_real_keys_on_a_real_display(tmp_path, xvfb):
    environment = {**os.environ, "DISPLAY": xvfb}
    environment.pop("SDL_VIDEODRIVER", None)

    def keys(*words: str) -> None:
        subprocess.run(["xdotool", *words], env=environment, check=True, timeout=30)

    with subprocess.Popen(
        [sys.executable, "-c", PREVIEW, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as preview:
        try:
            lines = iter(preview.stdout.readline, "")
            assert next(lines) == "ready\n"
            keys("search", "--class", "inkstream", "windowfocus", "key", "Up")
            assert next(lines) == "update {'drawing_influence': 55.0}\n"
            keys("key", "space")
            assert (next(lines), next(lines)) == ("freeze True\n", "shows frozen\n")
            for key, shows in (("Left", "rewound"), ("w", "comparing"), ("Escape", "rewound"), ("b", "frozen")):
                keys("key", key)
                assert next(lines) == f"shows {shows}\n"
            keys("key", "ctrl+c")
            assert next(lines) == "copied; paste it into the paint program as a layer\n"
            with closing(Paster(xvfb)) as other:
                pasted = np.asarray(Image.open(io.BytesIO(other.paste("image/png"))))
            assert pasted.shape == (64, 64, 3) and (pasted == (220, 40, 40)).all()
            keys("key", "p")
            assert next(lines) == "asks for the prompt\n"  # nobody types before it is seen
            keys("type", "--delay", "30", "a red fox")
            keys("key", "Return")
            assert next(lines) == "update {'prompt': 'a red fox'}\n"
            keys("key", "ctrl+s", "keydown", "q", "sleep", "1.3", "keyup", "q")
            assert next(lines) == "closed\n"
            assert len(list(Path(tmp_path).glob("*.png"))) == 2
            assert preview.wait(20) == 0
        finally:
            preview.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such question")
def test_without_a_display_it_says_so_and_nothing_else(capfd, monkeypatch):
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SinkUnavailable, match="no display was found; run it on a desktop"):
        WindowSink()
    assert capfd.readouterr() == ("", "")


NO_DISPLAY = """
from inkstream.stream.base.errors import SinkUnavailable
from inkstream.stream.sinks import open_sink
try:
    open_sink("window")
except SinkUnavailable as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
@pytest.mark.parametrize("driver", [None, "x11"])
def test_without_a_display_the_sink_says_so_with_a_hint(driver):
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER")
    environment = {name: value for name, value in os.environ.items() if name not in gone}
    if driver:
        environment["SDL_VIDEODRIVER"] = driver
    ran = subprocess.run(
        [sys.executable, "-c", NO_DISPLAY], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.startswith("window: ")
    assert "virtualcam, video:out.mp4 or images:out" in ran.stdout
