"""The preview window: with SDL's dummy driver, and once on a real X server with real keys."""

import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError, SinkClosed, SinkUnavailable
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.base.kept import read_recipe
from inkstream.stream.base.making import Making
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sinks.window.keep import MOST_WAITING, Keeper
from inkstream.stream.sinks.window.overlay import KEYS, STATES
from inkstream.stream.sinks.window.prompt import PromptLine

NOON = datetime(2031, 2, 3, 12, 0, 0)
VALUES = {"prompt": "a fox", "drawing_influence": 50.0, "rendered": 12}
LIVE = Status(state="live", values=VALUES)
RED, BLUE = (220, 40, 40), (40, 40, 220)
MAKING = Making("ink-tiny", StreamConfig.build(prompt="a red car"))


def output(colour=RED, number: int = 1, revision: int = 1, drawing=BLUE, size=(64, 64)) -> Output:
    pixels = np.full((size[1], size[0], 3), colour, np.uint8)
    drawn = None if drawing is None else np.full((64, 64, 3), drawing, np.uint8)
    return Output(pixels, number, float(number), revision, drawn, making=MAKING)


class Session:
    """What the session's controls were asked for."""

    def __init__(self) -> None:
        self.updates: list[dict] = []
        self.freezes: list[bool] = []

    def update(self, **changes) -> None:
        self.updates.append(changes)

    def freeze(self, frozen: bool) -> None:
        self.freezes.append(frozen)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    return pytest.importorskip("pygame")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def window(pygame, tmp_path, clock):
    sink = WindowSink(size=Size(400, 300), save_dir=tmp_path / "kept", clock=clock, now=lambda: NOON)
    sink.controls = Session()
    yield sink
    sink.close()


@pytest.fixture
def press(pygame, window):
    """Press keys, by name, and let the window handle them."""

    def press(*names: str, shown: Output | None = None, status: Status = LIVE) -> None:
        for name in names:
            *modifiers, key = name.split("+") if len(name) > 1 else [name]
            bits = sum(getattr(pygame, f"KMOD_{each}") for each in modifiers)
            code = getattr(pygame, f"K_{key}", None) or ord(key)
            text = key if len(key) == 1 else ""
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code, mod=bits, unicode=text))
        window.write(shown, status)

    return press


def seen(pygame) -> np.ndarray:
    """What the window shows: ``(H, W, 3)`` uint8 RGB."""
    return pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)


def toast_with(window: WindowSink, words: str) -> str:
    """The toast, once it has these words in it: saving takes a moment."""
    tick, end = threading.Event(), time.perf_counter() + 20
    while words not in window.shown.toast:
        assert time.perf_counter() < end, f"never said, the last toast: {window.shown.toast!r}"
        tick.wait(0.002)
        window.write(None, LIVE)
    return window.shown.toast


# --- what is shown


def test_it_is_called_by_the_main_thread_60_times_a_second(window, pygame):
    assert window.on_main_thread
    assert window.interval == pytest.approx(1 / 60)
    assert pygame.display.get_caption()[0] == "inkstream preview"


def test_a_calm_slate_before_the_first_picture(window, pygame):
    window.write(None, Status())
    picture = seen(pygame)
    assert picture[0, 0].max() < 40
    assert picture.max() > 150
    assert picture.mean() < 45


def test_the_picture_is_as_large_as_it_fits_and_keeps_its_aspect(window, pygame, clock):
    window.write(output(), LIVE)
    clock.now += 60  # without toasts
    window.write(output(), LIVE)
    picture = seen(pygame)
    assert (picture[150, 52:348] == RED).all()
    assert (picture[299, 52:348] == RED).all()
    assert picture[150, :48].max() < 40
    assert picture[150, 352:].max() < 40


def test_scaling_is_smooth(window, pygame):
    checker = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((8, 8)))[..., None].repeat(3, 2) * 255
    window.write(Output(checker.astype(np.uint8), 1, 0.0, 1), LIVE)
    assert len(np.unique(seen(pygame)[150, 60:340])) > 10


def test_the_newest_picture_replaces_the_one_before(window, pygame):
    window.write(output(RED), LIVE)
    window.write(output(BLUE), LIVE)
    window.write(None, LIVE)
    assert (seen(pygame)[150, 200] == BLUE).all()


def test_nothing_is_drawn_when_nothing_changed(window, pygame, monkeypatch, clock):
    draws, flip = [], pygame.display.flip
    monkeypatch.setattr(pygame.display, "flip", lambda: (draws.append(1), flip()))
    same = output()
    window.write(same, LIVE)
    for _ in range(20):
        window.write(same, LIVE)
    assert len(draws) == 1
    window.write(same, Status(state="idle", values=VALUES))
    window.write(output(), Status(state="idle", values=VALUES))
    assert len(draws) == 3
    clock.now += 60  # the toast goes
    window.write(None, Status(state="idle", values=VALUES))
    assert len(draws) == 4
    pygame.event.post(pygame.event.Event(pygame.WINDOWEXPOSED))  # the desktop may have lost what was drawn
    window.write(None, Status(state="idle", values=VALUES))
    assert len(draws) == 5


def test_the_first_outputs_give_the_window_its_shape(pygame, tmp_path):
    sink = WindowSink(scale=0.5, save_dir=tmp_path)
    sink.write(None, Status(size=(800, 400)))
    assert pygame.display.get_surface().get_size() == (400, 200)
    sink.write(None, Status(size=(400, 400)))
    assert pygame.display.get_surface().get_size() == (400, 200)
    sink.close()


@pytest.mark.parametrize(("asked", "given"), [((4000, 2000), (680, 340)), ((512, 1020), (256, 510))])
def test_a_window_never_gets_larger_than_the_screen(pygame, tmp_path, monkeypatch, asked, given):
    monkeypatch.setattr(pygame.display, "get_desktop_sizes", lambda: [(800, 600)])
    sink = WindowSink(size=Size(*asked), save_dir=tmp_path)
    assert pygame.display.get_surface().get_size() == given
    sink.close()


def test_every_state_is_said_in_its_own_colour(window, pygame):
    dots = {}
    for state in ("live", "settling", "idle", "stalled", "reconnecting", "warming", "stopped"):
        assert STATES[state][0]
        window.write(output(), Status(state=state))
        corner = seen(pygame)[10:40, 10:34].astype(int)
        assert (np.abs(corner - STATES[state][1]).max(axis=2) < 12).any(), state
        dots[state] = seen(pygame)[10:40, 10:150].tobytes()
    assert len(set(dots.values())) == len(dots)  # the words differ, also where two colours are the same


def test_a_message_is_shown_for_a_few_seconds(window, pygame, clock):
    window.write(output(), LIVE)
    clock.now += 60
    window.write(None, LIVE)
    before = seen(pygame)
    said = Status(state="live", values=VALUES, message="refused: prompt is too long")
    window.write(None, said)
    assert window.shown.toast == "refused: prompt is too long"
    assert not np.array_equal(seen(pygame), before)
    clock.now += 3
    window.write(None, said)
    assert window.shown.toast
    clock.now += 0.85
    window.write(None, said)
    assert 0 < window.shown.toast_strength < 1
    clock.now += 2
    window.write(None, said)
    assert np.array_equal(seen(pygame), before)
    window.write(None, LIVE)
    window.write(None, said)  # the same words, said again
    assert window.shown.toast


@pytest.mark.parametrize("size", [(1, 1), (20, 300), (300, 20), (64, 48), (1200, 700)])
def test_everything_can_be_drawn_at_any_size(pygame, tmp_path, size):
    sink = WindowSink(size=Size(*size), stats=True, save_dir=tmp_path)
    sink.controls = Session()
    words = "line one of a very long message that fits no window at all " * 9 + "\n\nsecond line\x00\ud800"
    values = {"prompt": "p" * 5000, "drawing_influence": 50.0, "ünï": "墨\n" * 100, "list": [1, 2], "none": None}
    for inset in ("small", "side"):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_i, mod=0, unicode="i"))
        sink.write(output(size=(33, 77)), Status(state="stalled", message=words + inset, values=values))
        assert sink.shown.inset == inset
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_h, mod=0, unicode="h"))
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_p, mod=0, unicode="p"))
        sink.write(None, Status(state="live", values=values))
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE, mod=0, unicode=""))
        sink.write(None, Status(state="live", values=values))
    sink.close()


def test_a_resized_window_is_drawn_anew(window, pygame):
    window.write(output(), LIVE)
    pygame.display.set_mode((200, 600), pygame.RESIZABLE)
    window.write(None, LIVE)
    picture = seen(pygame)
    assert picture.shape == (600, 200, 3)
    assert (picture[300, 5:195] == RED).all()
    assert picture[30, 100].max() < 40


# --- keys


def test_input_inset_small_then_side_by_side_then_off(window, pygame, press):
    press(shown=output())
    assert not (seen(pygame) == BLUE).all(axis=2).any()
    press("i")
    small = (seen(pygame) == BLUE).all(axis=2)
    assert 0.02 < small.mean() < 0.1
    assert small[200:, 250:].any()
    press("i")
    side = (seen(pygame) == BLUE).all(axis=2)
    assert side.mean() > 0.2
    assert not side[:, 200:].any()
    press("i")
    assert not (seen(pygame) == BLUE).all(axis=2).any()


def test_an_output_without_input_is_shown_whole(window, pygame, press):
    press("i", "i", shown=output(drawing=None))
    assert (seen(pygame)[150, 150:250] == RED).all()


def test_statistics_come_and_go_and_are_renewed_slowly(window, press, clock):
    press("s", shown=output())
    rows = dict(window.shown.statistics)
    assert rows["prompt"] == "a fox"
    assert rows["drawing influence"] == "50"
    assert rows["rendered"] == "12"
    fast = Status(state="live", fps=23.45, latency_ms=81.0, size=(640, 360), values=VALUES)
    press(status=fast)
    assert dict(window.shown.statistics) == rows
    clock.now += 0.3
    press(status=fast)
    rows = dict(window.shown.statistics)
    assert (rows["fps"], rows["capture to render"], rows["size"]) == ("23.4", "81 ms", "640x360")
    press("s")
    assert window.shown.statistics == ()


def test_capture_to_screen_is_measured_when_the_picture_appears(window, press, clock):
    clock.now = 8.25
    press("s", shown=output(number=8))
    for _ in range(2):  # later drawings of the same picture do not count
        clock.now += 5
        press("h")
    assert dict(window.shown.statistics)["capture to screen"] == "250 ms"


@pytest.mark.parametrize("key", ["h", "?", "F1", "SHIFT+SLASH"])
def test_help_shows_every_key(window, pygame, press, key):
    press(shown=output())
    before = seen(pygame)
    press(key)
    assert window.shown.help
    assert np.abs(seen(pygame).astype(int) - before).mean() > 20
    press("ESCAPE")  # closes the help only
    assert not window.shown.help
    assert {"Space", "I", "S", "Q or Esc"} <= {name for name, _ in KEYS}


def test_space_freezes_what_is_seen_until_space(window, pygame, press):
    press(shown=output(RED))
    press("SPACE")
    assert window.controls.freezes == [True]
    assert window.shown.state == "frozen"
    press(shown=output(BLUE, number=2))  # was under way
    assert (seen(pygame)[150, 200] == RED).all()
    press(shown=output((40, 220, 40), number=2, revision=2))  # what a new prompt makes of it
    assert (seen(pygame)[150, 200] == (40, 220, 40)).all()
    press(shown=output((90, 220, 90), number=2, revision=2))  # and the same, settled
    assert (seen(pygame)[150, 200] == (90, 220, 90)).all()
    press("SPACE", shown=None)
    assert window.controls.freezes == [True, False]
    press(shown=output(BLUE, number=3))
    assert (seen(pygame)[150, 200] == BLUE).all()


def test_influence_goes_in_steps_of_five_and_keys_may_be_faster_than_the_session(window, press, clock):
    press("UP", "UP", "+", "DOWN", "-")
    assert [each["drawing_influence"] for each in window.controls.updates] == [55, 60, 65, 60, 55]
    clock.now += 2
    press("UP", status=Status(values={"drawing_influence": 98.0}))
    clock.now += 2
    press("MINUS", status=Status(values={"drawing_influence": 3.0}))
    assert [each["drawing_influence"] for each in window.controls.updates[-2:]] == [100, 0]
    assert "0" in window.shown.toast


def test_keys_without_a_session_say_so(pygame, window, press):
    window.controls = None
    press("UP", shown=output())
    assert "cannot be changed" in window.shown.toast
    press("p")
    assert window.shown.prompt is None
    press("SPACE")
    assert window.shown.state == "frozen"


@pytest.mark.parametrize("key", ["q", "ESCAPE", "CTRL+q"])
def test_keys_that_quit(press, key):
    with pytest.raises(SinkClosed):
        press(key)


def test_closing_the_window_quits(window, pygame):
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    with pytest.raises(SinkClosed):
        window.write(None, LIVE)


@pytest.mark.parametrize("key", ["f", "F11"])
def test_full_screen_and_back(window, pygame, press, key):
    press(key, shown=output())
    assert pygame.display.get_surface().get_size() == pygame.display.get_desktop_sizes()[0]
    press("ESCAPE")  # leaves full screen, not the program
    press()
    assert pygame.display.get_surface().get_size() == (400, 300)


def test_letters_are_found_by_their_place_where_a_layout_has_none(window, pygame, press):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=ord("ш"), mod=0, unicode="ш", scancode=pygame.KSCAN_I))
    press(shown=output())
    assert window.shown.inset == "small"


# --- the prompt


def typed(pygame, text: str) -> None:
    pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=text))


@pytest.mark.parametrize("key", ["p", "TAB", "/"])
def test_a_prompt_is_written_and_applied(window, pygame, press, key):
    press(key, shown=output())
    assert window.shown.prompt == ("a fox", 5, "")
    typed(pygame, " in snow, квест")
    press("q", "s", "SPACE")  # letters now, not actions
    press("RETURN")
    assert window.controls.updates == [{"prompt": "a fox in snow, квест"}]
    assert window.shown.prompt is None
    with pytest.raises(SinkClosed):
        press("q")


def test_escape_leaves_the_prompt_as_it_was(window, pygame, press):
    press("p", shown=output())
    typed(pygame, " gone")
    press("ESCAPE")
    assert window.shown.prompt is None
    assert window.controls.updates == []


def test_f14_a_prompt_that_cannot_be_read_stays_in_its_line_with_the_reason(window, pygame, press):
    press("p", shown=output())
    typed(pygame, " (red:1.2.3)")
    press("RETURN")
    assert window.controls.updates == [] and window.shown.prompt[0] == "a fox (red:1.2.3)"
    assert window.shown.toast == "got the weight '1.2.3', expected a number, as in (words:1.3)"
    press("BACKSPACE", "BACKSPACE", "BACKSPACE")
    typed(pygame, ")")
    press("RETURN")
    assert window.controls.updates == [{"prompt": "a fox (red:1.2)"}] and window.shown.prompt is None


def test_f14_a_refused_prompt_is_there_to_be_mended(window, pygame, press):
    press("p", shown=output())
    typed(pygame, " <lora:nihgt:1>")
    press("RETURN")
    said = "not changed: prompt: got the LoRA 'nihgt', expected one of lora_dict; did you mean 'night'?"
    press("p", shown=output(), status=Status(state="live", values=VALUES, message=said))
    assert window.shown.toast == said
    assert window.shown.prompt[0] == "a fox <lora:nihgt:1>"
    press("ESCAPE", "p")
    assert window.shown.prompt[0] == "a fox", "after Esc it is forgotten"
    typed(pygame, " in snow")
    press("RETURN")
    press("p", shown=output(), status=Status(state="live", values={**VALUES, "prompt": "from a program"}))
    assert window.shown.prompt[0] == "from a program"


def test_a_long_message_is_wrapped_and_not_cut(window, pygame, press):
    painter = window._painter
    press(shown=output())
    words = "not changed: prompt: got the LoRA 'nihgt', expected one of lora_dict; did you mean 'night'?"
    lines = painter._wrapped(words, 200, 0.95)
    assert len(lines) > 1 and " ".join(lines) == words
    assert all(painter._font(line, 0.95).size(line)[0] <= 200 for line in lines)


def test_an_input_method_composes_in_the_line(window, pygame, press):
    press("p", "CTRL+u")
    pygame.event.post(pygame.event.Event(pygame.TEXTEDITING, text="すみ", start=0, length=2))
    press("RETURN")  # takes the composition, not the line
    assert window.shown.prompt == ("", 0, "すみ")
    typed(pygame, "墨")
    press("RETURN")
    assert window.controls.updates == [{"prompt": "墨"}]


def test_a_blend_of_prompts_starts_an_empty_line(window, press):
    press("p", status=Status(values={"prompt": (("a", 1.0), ("b", 2.0))}))
    assert window.shown.prompt == ("", 0, "")


def test_editing_a_line(pygame):
    line = PromptLine("one two")

    def key(name: str, mod: int = 0) -> None:
        event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}"), mod=mod, unicode="")
        assert line.handle(pygame, event, lambda: "  pasted\ntext ") is None

    key("BACKSPACE")
    assert line.text == "one tw"
    key("BACKSPACE", pygame.KMOD_CTRL)
    assert line.text == "one "
    key("HOME")
    key("LEFT")
    key("DELETE")
    key("RIGHT")
    line.insert("-")
    assert (line.text, line.cursor) == ("n-e ", 2)
    key("END")
    key("v", pygame.KMOD_CTRL)
    assert line.text == "n-e pasted text"
    key("u", pygame.KMOD_CTRL)
    key("BACKSPACE")
    assert (line.text, line.cursor) == ("", 0)


# --- keeping


def test_saving_keeps_output_input_and_recipe(window, press, tmp_path):
    press("CTRL+s", shown=output(number=7, revision=3))
    assert toast_with(window, "saved").endswith("20310203-120000-a-red-car.png")
    folder = tmp_path / "kept"
    names = [f"20310203-120000-a-red-car{end}" for end in ("-input.png", ".ora", ".png")]
    assert sorted(os.listdir(folder)) == names
    assert (cv2.imread(str(folder / names[2]))[..., ::-1] == RED).all()
    assert (cv2.imread(str(folder / names[0]))[..., ::-1] == BLUE).all()
    recipe = read_recipe(folder / names[2])
    assert (recipe["model"], recipe["stream"]["prompt"]) == ("ink-tiny", "a red car")
    known = recipe["picture"]
    assert known.pop("saved").startswith("2031-02-03T12:00:00")
    assert known == {"frame": 7, "revision": 3, "input": names[0]}


def test_saving_saves_what_is_seen(window, press, tmp_path):
    press("SPACE", shown=output(RED))
    press("RETURN", shown=output(BLUE, number=2))
    toast_with(window, "saved")
    assert (cv2.imread(str(tmp_path / "kept" / "20310203-120000-a-red-car.png"))[..., ::-1] == RED).all()


def test_saving_again_never_replaces(window, press, tmp_path):
    press("RETURN", "RETURN", "RETURN", shown=output(drawing=None))
    toast_with(window, "car-3.png")
    names = sorted(os.listdir(tmp_path / "kept"))
    assert names == sorted(
        f"20310203-120000-a-red-car{more}{end}" for more in ("", "-2", "-3") for end in (".ora", ".png")
    )


def test_there_may_be_nothing_to_save(window, press):
    press("RETURN")
    assert "nothing to save" in window.shown.toast


def test_a_folder_that_refuses_becomes_a_toast(pygame, tmp_path, clock):
    (tmp_path / "file").write_text("")
    sink = WindowSink(size=Size(400, 300), save_dir=tmp_path / "file" / "kept", clock=clock)
    sink.write(output(), LIVE)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_RETURN, mod=0, unicode=""))
    sink.write(None, LIVE)
    assert toast_with(sink, "saved").startswith("not saved: ")
    sink.close()


def test_a_slow_disk_neither_blocks_the_window_nor_grows_a_queue(tmp_path, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr("inkstream.stream.sinks.window.keep.png_with", lambda *what: (go_on.wait(30), b"png")[1])
    keeper = Keeper(tmp_path, now=lambda: NOON)
    taken = [keeper.save(output(number=number, drawing=None), LIVE) for number in range(MOST_WAITING + 3)]
    assert taken == [True] * MOST_WAITING + [False] * 3
    assert keeper.news() == []
    go_on.set()
    keeper.close()
    assert len(list(tmp_path.glob("*.png"))) == MOST_WAITING  # nothing that was asked for is lost at the end


# --- opening and closing


def test_it_can_be_opened_again_but_not_twice(window, pygame, tmp_path):
    with pytest.raises(SinkUnavailable, match="one already"):
        WindowSink(save_dir=tmp_path)
    window.write(output(), LIVE)
    window.close()
    window.close()
    window.write(output(), LIVE)  # too late: nothing happens
    for _ in range(20):
        again = WindowSink(size=Size(80, 60), save_dir=tmp_path)
        again.write(output(), LIVE)
        again.close()


def test_options_from_text(pygame, tmp_path):
    sink = open_sink(f"window:size=320x200,inset,stats=1,save_dir={tmp_path}")
    sink.write(output(), LIVE)
    assert sink.shown.size == (320, 200)
    assert sink.shown.inset == "small"
    assert sink.shown.statistics
    sink.close()


@pytest.mark.parametrize("options", ["inset=huge", "scale=0", "scale=nan", "stats=perhaps", "size=wide"])
def test_bad_options_open_no_window(pygame, options):
    with pytest.raises(ConfigError, match=options.partition("=")[0]):
        open_sink(f"window:{options}")
    assert not pygame.display.get_init()


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


# --- on a real X server

PREVIEW = """
import sys, threading, time
import numpy as np
from inkstream.stream.base.errors import SinkClosed
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.base.kept import read_recipe
from inkstream.stream.base.making import Making
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink

class Session:
    def update(self, **changes): print("update", changes, flush=True)
    def freeze(self, frozen): print("freeze", frozen, flush=True)

sink = WindowSink(size=Size(400, 300), save_dir=sys.argv[1], top=True)
sink.controls = Session()
pixels = np.full((64, 64, 3), (220, 40, 40), np.uint8)
output = Output(pixels, 1, time.perf_counter(), 1, pixels)
status = Status(state="live", values={"prompt": "", "drawing_influence": 50.0})
tick = threading.Event()
for _ in range(5):
    sink.write(output, status)
    tick.wait(sink.interval)
print("ready", flush=True)
asked = False
try:
    while True:
        sink.write(output, status)
        if sink.shown.prompt is not None and not asked:
            asked = True
            print("asks for the prompt", flush=True)
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
            assert next(lines) == "freeze True\n"
            keys("key", "p")
            assert next(lines) == "asks for the prompt\n"  # nobody types before it is seen
            keys("type", "--delay", "30", "a red fox")
            keys("key", "Return")
            assert next(lines) == "update {'prompt': 'a red fox'}\n"
            keys("key", "ctrl+s", "q")
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
