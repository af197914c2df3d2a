"""What is seen before the model is there: steps in people's words, errors, and an end in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
import typer

from inkstream.stream.app.opening import FILE, Opening, Preview, Steps, behind
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ModelError, SinkClosed, SinkUnavailable
from inkstream.stream.base.private import user_state
from inkstream.stream.base.progress import silent
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window.scene import Scene


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return load_config("ink-tiny")


class Window:
    """What a window was given; ``at`` calls it raises ``error``."""

    def __init__(self, at: int = -1, error: Exception | None = None) -> None:
        self.given: list[Status] = []
        self.shown = Scene()
        self._at, self._error = at, error

    def write(self, output, status) -> None:
        self.given.append(status)
        if len(self.given) == self._at and self._error:
            raise self._error


def test_steps_are_said_in_peoples_words_with_the_time_that_they_took_before(run, clock):
    steps = Steps(run, clock=clock)
    assert steps.words() == "starting\nthe first start takes longer than the next ones"
    assert steps.status().size == (256, 256)
    clock.now += 2
    steps("loading ink-tiny", None)
    assert steps.words().startswith("loading ink-tiny\n")
    clock.now += 4
    steps("OpenVINO: unet", 0.25)
    assert steps.words() == "preparing ink-tiny for this computer\n6 s so far; the next start will be quicker"
    assert steps.status().done == 0.25
    clock.now += 6
    steps.done()
    assert list(json.loads((user_state() / FILE).read_text()).values()) == [
        {"starting": 2.0, "loading": 4.0, "building": 6.0}
    ]
    again = Steps(run, clock=clock)
    assert again.words() == "starting\nabout 12 s more" and again.status().done == 0.0
    clock.now += 2
    again("loading ink-tiny", None)
    clock.now += 3
    assert again.words() == "loading ink-tiny\nabout 7 s more"
    assert again.status().done == pytest.approx(5 / 12)
    again("OpenVINO: unet", 0.25)
    clock.now += 5.5
    assert again.words() == "preparing ink-tiny for this computer\na moment more"
    clock.now += 60  # it is another time than the last one
    assert "so far" in again.words()


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 3}', '{"ink-tiny auto 256x256": {"loading": "no"}}'])
def test_a_spoilt_memory_of_times_is_as_good_as_none(run, text):
    user_state().mkdir(parents=True)
    (user_state() / FILE).write_text(text)
    assert "first start" in Steps(run).words()


def test_work_goes_on_behind_a_window_that_lives(run):
    window, told = Window(), []
    preview = Preview(window, Steps(run))

    def work(progress):
        progress("loading ink-tiny", 0.5)
        while not (window.given and window.given[-1].step.startswith("loading ink-tiny")):
            time.sleep(0.005)
        return "made"

    assert behind(preview, work, lambda *each: told.append(each)) == "made"
    assert told == [("loading ink-tiny", 0.5)]


def test_what_goes_wrong_is_shown_before_it_is_raised(run, monkeypatch):
    monkeypatch.setattr("inkstream.stream.app.opening.FAILED_FOR", 0.2)
    window = Window()

    def work(progress):
        raise ModelError("ink-tiny: no such folder")

    with pytest.raises(ModelError, match="no such folder"):
        behind(Preview(window, Steps(run)), work, silent)
    assert window.given[-1].step == "this did not work; Esc closes\nink-tiny: no such folder"
    assert window.given[-1].state == "stopped"
    closed = Window(at=1, error=SinkClosed("closed"))
    with pytest.raises(ModelError):
        behind(Preview(closed, Steps(run)), work, silent)


def test_a_window_that_is_closed_while_it_loads_ends_the_command(run):
    free = []
    with pytest.raises(typer.Exit) as ended:
        behind(
            Preview(Window(at=2, error=SinkClosed("closed")), Steps(run)),
            lambda progress: [time.sleep(0.005) for _ in iter(lambda: bool(free), True)],
            silent,
        )
    free.append(1)
    assert ended.value.exit_code == 0


def test_the_window_is_opened_first_and_everything_else_left_to_the_session(run, pygame, tmp_path):
    with ExitStack() as stack:
        opening = Opening("demo", ["null", f"window:scale=1,save_dir={tmp_path}", "fake"], run, stack)
        assert opening.source == "demo" and opening.sinks[::2] == ["null", "fake"]
        assert opening.preview is not None and opening.sinks[1] is opening.preview.window
        window = opening.preview.window
        assert window.called == f"window:scale=1,save_dir={tmp_path}"
        assert window.shown.step.startswith("starting") and window.shown.size == (256, 256)
    assert pygame.display.get_surface() is None


def test_without_a_display_other_sinks_go_on_and_a_window_alone_ends_at_once(run, monkeypatch):
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform != "linux":
        pytest.skip("elsewhere there is no such question")
    with ExitStack() as stack:
        opening = Opening("demo", ["window", "null"], run, stack)
        assert opening.preview is None and opening.sinks == ["window", "null"]
        with pytest.raises(SinkUnavailable, match="no display"):
            Opening("demo", ["window"], run, stack)


LOADING = """
import sys, types

class Stream:
    def from_pretrained(*what, progress):
        progress("loading something large", None)
        print("loading", flush=True)
        while True:
            sum(range(100_000))

sys.modules["inkstream.stream.loop.stream"] = types.ModuleType("stream")  # without torch, which takes its time
sys.modules["inkstream.stream.loop.stream"].Stream = Stream
from inkstream.stream.app.cli import main
sys.argv = ["inkstream", "run", "--source", "fake", "--sink", "window"]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_while_it_loads_ends_with_130_and_no_word(tmp_path):
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy", "XDG_STATE_HOME": str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", LOADING], env=environment, stdout=pipe, stderr=pipe, text=True) as it:
        try:
            assert it.stdout.readline() == "loading\n"
            it.send_signal(signal.SIGINT)
            assert it.wait(20) == 130
            assert "Traceback" not in it.stderr.read()
        finally:
            it.kill()


WINDOW_FIRST = """
import os, sys, threading

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch" and threading.current_thread() is threading.main_thread():
            print("torch", flush=True)
            os._exit(1)

sys.meta_path.insert(0, Watch())
from inkstream.stream.sinks.window.sink import WindowSink

def opened(self, **options):
    print("window", flush=True)
    os._exit(0)

WindowSink.__init__ = opened
from inkstream.stream.app.cli import main
sys.argv = ["inkstream", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("words", [["run", "-s", "demo"], ["demo"]])
def test_the_window_waits_for_no_heavy_import(tmp_path, words):
    command = [sys.executable, "-c", WINDOW_FIRST, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "window\n", done.stderr
