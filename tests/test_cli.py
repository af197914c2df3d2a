"""The command line: what it prints, what it writes, and the codes it leaves with."""

import _thread
import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app import commands
from inkstream.stream.app.cli import app
from inkstream.stream.app.commands import run
from inkstream.stream.base.configfile import load_config, parse_config
from inkstream.stream.base.errors import ModelError, SinkUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.drawing import DemoSource


class Loaded(FakeStream):
    """What the commands load in place of a model; remembers what it was asked."""

    asked: list = []  # noqa: RUF012 - emptied for each test
    seen: list = []  # noqa: RUF012 - (frame id, prompt it was rendered with)
    options: dict = {}  # noqa: RUF012 - of the stream without a network
    interrupt_at = None
    fails = None

    @classmethod
    def from_pretrained(cls, model, config=None, *, progress=None):
        progress("loading everything", 0.5)
        if cls.fails:
            raise cls.fails
        cls.asked.append((model, config))
        stream = cls(**cls.options)
        stream.config = stream.config.changed(prompt=config.prompt, seed=config.seed)
        return stream

    def __call__(self, frame, gated=True):
        self.seen.append((frame.id, self.config.prompt))
        if len(self.seen) == self.interrupt_at:
            _thread.interrupt_main()
        return super().__call__(frame, gated)


@pytest.fixture
def stream(monkeypatch, tmp_path):
    monkeypatch.setattr("inkstream.stream.loop.stream.Stream", Loaded)
    monkeypatch.setattr(Loaded, "asked", [])
    monkeypatch.setattr(Loaded, "seen", [])
    monkeypatch.chdir(tmp_path)
    return Loaded


def command(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


# --- the program


def test_help_is_shown_before_anything_heavy_is_imported():
    script = (
        "import sys, time; started = time.perf_counter()\n"
        "from inkstream.stream.app.cli import main\n"
        "sys.argv = ['inkstream', '--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'diffusers', 'cv2', 'numpy', 'pydantic', 'yaml', 'PIL', 'pygame', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(time.perf_counter() - started)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
    assert float(done.stdout.splitlines()[-1]) < 5  # half a second when nothing else runs


@pytest.mark.parametrize(
    "words", ["demo", "run", "doctor", "prepare", "models", "config", "bench", "models fetch", "config show"]
)
def test_every_command_explains_itself(words):
    assert "Usage: " in command(*words.split(), "--help").stdout


def test_version():
    assert command("--version").stdout == "inkstream 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [["nope"], ["run", "--nope"], ["demo", "--frames", "0"], ["config", "show", "nope"]]
)
def test_wrong_usage_leaves_with_2(arguments):
    assert command(*arguments, code=2).stderr


def test_a_configuration_error_is_one_line_without_a_traceback():
    result = command("config", "show", "ink-tiny", "--set", "widht=1", code=2)
    assert result.stderr == "error: --set widht: stream.widht: unknown setting; did you mean 'width'?\n"
    assert result.stdout == ""


def test_a_fault_leaves_with_1_and_debug_shows_where_it_came_from(stream, monkeypatch):
    monkeypatch.setattr(stream, "fails", ModelError("ink-tiny: damaged"))
    result = command("run", "--source", "fake", "--sink", "null", code=1)
    assert "error: ink-tiny: damaged\n" in result.stderr
    assert "Traceback" not in result.stderr
    result = command("--debug", "run", "--source", "fake", "--sink", "null", code=1)
    assert "Traceback" in result.stderr
    assert "error: ink-tiny: damaged\n" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_loading_leaves_with_130(stream, monkeypatch, number):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    monkeypatch.setattr(stream, "from_pretrained", lambda *_, **__: signal.raise_signal(number))
    try:
        command("run", "--source", "fake", "--sink", "null", code=130)
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


# --- config, models, bench


def test_config_list_names_every_preset_and_its_purpose():
    text = command("config", "list").stdout
    assert "ink-tiny       The embedded model: " in text
    assert "inference_lcm  Automotive studio: " in text


def test_config_show_prints_a_file_that_loads_back():
    text = command("config", "show", "sd15-lcm", "--set", "controlnets.0.conditioning_scale=0.5", "--model", "m").stdout
    shown = parse_config(text)
    assert shown == load_config("sd15-lcm", {"controlnets.0.conditioning_scale": 0.5}, model="m")
    assert "  # Weight of guidance; 1 or less means none.\n  guidance_scale: " in text


def test_models_list_and_path_know_the_embedded_model():
    assert "ink-tiny" in command("models", "list").stdout
    path = Path(command("models", "path", "ink-tiny").stdout.strip())
    assert (path / "model_index.json").is_file()
    assert (
        "fetch it with: inkstream models fetch nobody/nothing"
        in command("models", "path", "nobody/nothing", code=1).stderr
    )


def test_models_fetch_prints_where_the_model_lies(monkeypatch, tmp_path):
    def fetch(model, progress):
        progress(f"fetching {model}", None)
        progress(f"fetching {model}", 0.5)
        return tmp_path / model

    monkeypatch.setattr("inkstream.lora.registry.fetch", fetch)
    assert command("models", "fetch", "sd-turbo").stdout.strip() == str(tmp_path / "sd-turbo")


def test_a_bench_gets_its_own_options(monkeypatch):
    got = []

    class Bench:
        @staticmethod
        def main(frames: int = 3, fail: bool = False) -> None:
            """Counts frames."""
            got.append(frames)
            if fail:
                raise ModelError("nothing to measure")

    monkeypatch.setitem(sys.modules, "inkstream.bench.loop", Bench)
    command("bench", "loop", "--frames", "10")
    command("bench", "loop")
    assert "error: nothing to measure" in command("bench", "loop", "--fail", code=1).stderr
    assert got == [10, 3, 3]
    assert "Counts frames." in command("bench", "loop", "--help").stdout
    assert "--nope" in command("bench", "loop", "--nope", code=2).stderr


# --- run


def test_run_carries_every_picture_to_every_sink_and_prints_the_figures(stream, tmp_path):
    result = command(
        *(
            "run",
            "--source",
            "fake:frames=12,live=0,size=64,mark=0,pattern=noise",
            "--sink",
            "null",
            "--sink",
            "images:out",
        ),
        *("--config", "ink-tiny", "--model", "another", "--prompt", "a boat", "--seed", 5, "--set", "delta=0.5"),
        *("--json", "figures.json"),
    )
    (model, config), *others = stream.asked
    assert not others
    assert (model, config.prompt, config.seed, config.delta, config.mode) == ("another", "a boat", 5, 0.5, "sketch")
    assert len(list((tmp_path / "out").iterdir())) == 12
    for word in ("denoise", "p50", "p95", "p99", "end to end", "unique pictures a second", "12 frames rendered"):
        assert word in result.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["frames_rendered"] == 12
    assert figures["stages"]["end_to_end"]["count"] == 24
    assert figures["configuration"]["stream"]["delta"] == 0.5
    assert figures["torch"]


def test_a_prompt_may_be_a_blend_and_what_is_wrong_in_it_is_said_of_the_option(stream):
    command("run", "-s", "fake:frames=2,size=64", "-t", "null", "-p", '[["a red car", 0.3], ["a blue car", 0.7]]')
    command("run", "-s", "fake:frames=2,size=64", "-t", "null", "-p", "[[fog]] a car")
    prompts = [config.prompt for _, config in stream.asked]
    assert prompts == [(("a red car", 0.3), ("a blue car", 0.7)), "[[fog]] a car"]
    said = command("run", "-s", "fake:frames=2,size=64", "-t", "null", "-p", "a car BREAK night", code=2).stderr
    assert said.startswith("error: --prompt: stream.prompt: got BREAK")


def test_pictures_that_cannot_be_rendered_are_a_fault_where_they_are_files(stream, tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), np.full((64, 64, 3), 9, np.uint8))
    (tmp_path / "bad.png").write_bytes(b"rubbish")
    command("run", "-s", "images:.", "-t", "images:out", code=1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]


def test_run_stops_after_frames_or_seconds(stream, tmp_path):
    command("run", "-s", "fake:live=0,size=64,pattern=noise", "-t", "null", "--frames", 5, "--json", "five.json")
    assert json.loads((tmp_path / "five.json").read_text())["frames_rendered"] == 5
    command("run", "-s", "fake:fps=50,size=64", "-t", "null", "--seconds", 0.3, "--json", "live.json")
    assert json.loads((tmp_path / "live.json").read_text())["frames_captured"] < 100


def test_one_failing_sink_does_not_stop_the_others(stream, tmp_path):
    (tmp_path / "taken").write_text("a file where a folder should be")
    result = command(
        *("run", "-s", "fake:frames=10,live=0,size=64,pattern=noise", "-t", "fake:fail_at=3", "-t", "images:out"),
        *("-t", "images:taken/out"),
    )
    assert len(list((tmp_path / "out").iterdir())) == 10
    assert "fake:fail_at=3: fake sink: failed at write 3" in result.stderr
    assert "images:taken/out: " in result.stderr


def test_run_fails_when_no_sink_is_left(stream):
    assert "no sink is left" in command("run", "-s", "fake:size=64", "-t", "fake:fail_at=1", code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-s", "scren"], "--source: got 'scren', expected one of: screen"),
        (["-t", "windw:scale=2"], "--sink: got 'windw:scale=2', expected one of: window"),
        (
            ["-s", "Car.PNG"],
            "--source: got 'Car.PNG', expected one of: screen, camera, video, images, demo, canvas, scene, gbuffer, ",
        ),
        (["-s", "fake", "-t", "null", "--json", "no/such/folder.json"], "--json: got 'no/such/folder.json'"),
        (["-s", "fake", "-t", "null", "--set", "seed"], "--set: got 'seed', expected NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_loaded(stream, arguments, message):
    assert f"error: {message}" in command("run", *arguments, code=2).stderr
    assert stream.asked == []


def test_the_share_of_a_file_that_is_rendered_is_shown_and_the_newest_does_not_win(stream, tmp_path, monkeypatch):
    bars = []

    @contextmanager
    def shown(text, remaining=False):
        bars.append([])
        yield lambda text, part=None: bars[-1].append(part)
        bars[-1].append("closed")

    monkeypatch.setattr(run, "shown", shown)
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((64, 64, 3), number, np.uint8))
    result = command("run", "-s", "images:.", "-t", "images:out")
    (shares,) = bars
    assert shares[-2:] == [1.0, "closed"] and shares[:-1] == sorted(shares[:-1])
    assert "newest wins" not in result.stdout
    assert "every frame is rendered" in result.stderr and "live" not in result.stderr
    assert "unique pictures a second" in result.stdout and "shown" not in result.stdout
    bars.clear()
    live = command("run", "-s", "fake:frames=10,size=64", "-t", "null")
    assert not bars
    assert "newest wins" not in live.stdout and "shown a second" in live.stdout


def test_a_wrong_option_of_a_source_leaves_with_2(stream):
    assert "unknown option 'fsp'" in command("run", "-s", "fake:fsp=3", "-t", "null", code=2).stderr


def test_an_interrupted_run_prints_its_figures_and_leaves_with_130(stream, monkeypatch):
    monkeypatch.setattr(stream, "interrupt_at", 5)
    result = command("run", "-s", "fake:fps=200,size=64,pattern=noise", "-t", "null", code=130)
    assert "unique pictures a second" in result.stdout


# --- demo


def test_demo_writes_recording_page_and_figures_and_follows_the_drawing(stream, tmp_path):
    result = command("demo", "--headless", "--frames", 120, "--json", "figures.json", "--seed", 3)
    assert "unique pictures a second" in result.stdout
    recording = cv2.VideoCapture(str(tmp_path / "inkstream-demo.mp4"))
    size = (recording.get(cv2.CAP_PROP_FRAME_WIDTH), recording.get(cv2.CAP_PROP_FRAME_HEIGHT))
    pictures = 0
    while recording.read()[0]:
        pictures += 1
    recording.release()
    assert (pictures, size) == (120, (128, 64))
    page = cv2.imread(str(tmp_path / "inkstream-demo.png"))
    assert page.shape[1] > 6 * 64
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["frames_rendered"] == 120
    assert Path(figures["files"]["recording"]).name == "inkstream-demo.mp4"
    assert Path(figures["files"]["page"]).name == "inkstream-demo.png"
    assert stream.asked[0][1].seed == 3

    hand, expected = DemoSource(seed=3, speed=commands.demo.HEADLESS_SPEED, live=False), []
    for number, _ in stream.seen:
        hand.read()
        expected.append((number, hand.prompt))
    assert stream.seen == expected
    assert len({prompt for _, prompt in expected}) >= 4  # three drawings are complete, and the next has begun


def test_demo_never_replaces_a_file(stream, tmp_path):
    for _ in range(2):
        command("demo", "--headless", "--frames", 2, "--output", "show.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"show.mp4", "show.png", "show-2.mp4", "show-2.png"}


def test_demo_keeps_a_prompt_that_was_asked_for(stream):
    command("demo", "--headless", "--frames", 60, "--set", "prompt=a boat", "--subject", "sedan")
    assert {prompt for _, prompt in stream.seen} == {"a boat"}


def test_demo_goes_on_with_smaller_pictures_when_the_memory_is_full(stream, monkeypatch, tmp_path):
    monkeypatch.setattr(stream, "options", {"size": Size(320, 320), "memory": 256 * 256})
    result = command("demo", "--headless", "--frames", 3, "--json", "figures.json")
    assert json.loads((tmp_path / "figures.json").read_text())["frames_rendered"] == 3
    assert cv2.VideoCapture(str(tmp_path / "inkstream-demo.mp4")).get(cv2.CAP_PROP_FRAME_HEIGHT) == 256, result.output


def test_demo_without_a_display_goes_on_without_a_window(stream, monkeypatch, tmp_path):
    def no_display(text):
        raise SinkUnavailable("no display was found")

    monkeypatch.setattr("inkstream.stream.app.commands.demo.open_window", no_display)
    result = command("demo", "--frames", 3)
    assert "no window (no display was found)" in result.stderr
    assert (tmp_path / "inkstream-demo.mp4").is_file()


def test_demo_with_a_window_is_live_and_ends_when_it_is_closed(stream, monkeypatch, tmp_path):
    window = FakeSink(close_at=20, interval=0.02, main=True)
    monkeypatch.setattr("inkstream.stream.app.commands.demo.open_window", lambda text: window)
    result = command("demo")
    assert window.closed
    assert window.outputs
    assert "rendered" in result.stdout
    assert (tmp_path / "inkstream-demo.mp4").is_file()


def test_demo_refuses_a_recording_that_cannot_be_before_a_model_is_loaded(stream):
    assert (
        "--output: got 'show.gif', expected a name that ends in .mp4"
        in command("demo", "-o", "show.gif", code=2).stderr
    )
    assert "subject: got 'nope'" in command("demo", "--headless", "--subject", "nope", code=2).stderr


def test_an_interrupted_demo_still_writes_its_files(stream, monkeypatch, tmp_path):
    monkeypatch.setattr(stream, "interrupt_at", 10)
    command("demo", "--headless", code=130)
    assert {path.suffix for path in tmp_path.iterdir()} == {".mp4", ".png"}
