"""The start page: what stands on it, how it is gone through, and what comes of what is chosen."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from doubles.preview import BLUE, RED, output
from doubles.x11 import x_server
from typer.testing import CliRunner

from inkstream.stream.app.cli import app
from inkstream.stream.app.start import last, offers, page
from inkstream.stream.app.start.child import Child, Spare
from inkstream.stream.app.start.guide import Guide
from inkstream.stream.app.start.icons import NAMES, icon
from inkstream.stream.app.start.page import BACK, CLOSE, Item, Page
from inkstream.stream.app.start.view import CHOSEN, View
from inkstream.stream.app.start.window import StartWindow
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import SourceUnavailable
from inkstream.stream.base.frame import Rect
from inkstream.stream.base.kept import png_with, read_making, recipe_of
from inkstream.stream.base.making import Making
from inkstream.stream.history.store import HistoryRecorder
from inkstream.stream.sources.screen.window import Window
from inkstream.stream.sources.screen.x11 import X11Windows


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home with nothing in it."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(path):
    """A picture as the preview keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made_of = output()
    path.write_bytes(png_with(made_of.pixels, recipe_of(made_of)))
    return path


def until(condition, timeout=5.0):
    """Wait until ``condition()`` holds."""
    tick, end = threading.Event(), time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        tick.wait(0.02)


class Desktop:
    """Windows as a desktop has them, the lowest first; ``own`` ones are the terminal's."""

    def __init__(self, *windows):
        self._windows = list(windows)
        self.closed = False

    def windows(self):
        return self._windows

    def picture(self, window, cursor):
        return np.full((300, 400, 3), 200, np.uint8) if window.program != "Shy" else None

    def close(self):
        self.closed = True


def opened(id, title, program="", size=(600, 400), **more):
    place = Rect(0, 0, *size)
    return Window(id, title, place, place, program=program, **more)


# --- what there is to choose from


def test_windows_that_one_can_draw_in_are_listed_those_of_the_last_time_first(home):
    last.remember("Gimp")
    last.remember("krita")
    desktop = Desktop(
        opened(1, "drawing.kra - Krita", "krita"),
        opened(2, "Untitled - GIMP", "Gimp"),
        opened(3, "letter - Writer", "Shy"),
        opened(4, "palette", "krita", (100, 300)),
        opened(5, "inkstream preview", "inkstream"),
        opened(6, "inkstream", "inkstream", pid=os.getpid()),
        opened(7, "terminal", "xterm", own=True),
        opened(8, "minimised", "krita", shown=False),
        opened(9, "", "panel"),
    )
    shown = offers.windows(connect=lambda: desktop)
    titles = [item.title for item in shown.items]
    assert titles == ["drawing.kra - Krita", "Untitled - GIMP", "letter - Writer", "A part of the screen"]
    assert shown.items[0].do == ("subject", "screen:window=0x1", "krita", "")
    assert shown.items[0].picture.shape == (240, 320, 3) and shown.items[2].picture is None
    assert shown.items[-1].do == ("subject", "screen:pick", "", "")
    assert desktop.closed


def test_where_windows_cannot_be_listed_it_is_said_and_a_part_can_be_picked():
    def refuse():
        raise SourceUnavailable("this is Wayland")

    shown = offers.windows("like.png", connect=refuse)
    assert "this is Wayland" in shown.about and [item.do[3] for item in shown.items] == ["like.png"]


def test_recent_lists_programs_kept_pictures_and_nothing_else(home):
    assert "Nothing yet" in offers.recent().about
    last.remember("krita")
    folder = home / "Pictures" / "inkstream"
    older, newer = kept(folder / "a.png"), kept(home / "inkstream-output" / "b.png")
    os.utime(older, (1e9, 1e9))
    cv2.imwrite(str(folder / "holiday.png"), np.zeros((8, 8, 3), np.uint8))
    (folder / "broken.png").write_bytes(newer.read_bytes()[:200])
    shown = offers.recent()
    assert [item.do for item in shown.items] == [("again", "krita"), ("windows", str(newer)), ("windows", str(older))]
    assert shown.items[1].title == "a red car" and "9 September 2001" in shown.items[2].about


def test_a_session_of_the_history_can_be_gone_on_from(home):
    recorder = HistoryRecorder()
    recorder.take(output())
    recorder.close()
    (item,) = offers.recent().items
    assert item.do == ("session", "0") and item.title == "a red car" and "1 picture" in item.about
    path = offers.like_session(0)
    assert read_making(path).stream.prompt == "a red car"
    assert offers.like_session(3) is None


def test_the_folder_of_pictures_is_the_users(home):
    assert offers.pictures_folder() == home / "inkstream"
    (home / "Bilder").mkdir()
    (home / ".config").mkdir()
    (home / ".config" / "user-dirs.dirs").write_text('XDG_PICTURES_DIR="$HOME/Bilder"\n')
    assert offers.pictures_folder() == home / "Bilder" / "inkstream"


@pytest.mark.parametrize("text", ["{", "[]", '{"programs": 3}', '{"programs": [3, ""]}', '{"programs": {}}'])
def test_a_spoilt_memory_of_programs_is_as_good_as_none(home, text):
    (home / "state" / "inkstream").mkdir(parents=True)
    (home / "state" / "inkstream" / "start.json").write_text(text)
    assert last.programs() == ()


@pytest.mark.parametrize("prompts", ["3", '{"krita": 3}', "[]"])
def test_spoilt_words_of_a_program_are_as_good_as_none(home, prompts):
    (home / "state" / "inkstream").mkdir(parents=True)
    (home / "state" / "inkstream" / "start.json").write_text(f'{{"programs": ["krita"], "prompts": {prompts}}}')
    assert last.programs() == ("krita",) and last.last("krita").prompt == ""


def test_times_are_said_as_people_say_them():
    now = datetime(2031, 5, 3, 12, 0)
    times = (datetime(2031, 5, 3, 9, 5), datetime(2031, 5, 2, 23, 59), datetime(2030, 12, 24, 18, 0))
    assert [offers.said_when(each, now) for each in times] == ["today 9:05", "yesterday 23:59", "24 December 2030"]


def test_a_report_begins_with_what_matters():
    finding = {"name": "torch", "found": True, "text": "2.13", "hint": ""}
    gone = {"name": "embedded demo", "found": False, "text": "no picture", "hint": "install it anew"}
    shown = page.report({"demo": False, "areas": {"packages": [finding], "demo": [gone]}})
    assert [item.title for item in shown.items] == ["demo", "embedded demo", "packages", "torch"]
    assert (shown.items[1].mark, shown.items[1].hint) == ("bad", "install it anew")
    assert "does not run" in shown.about and "works" in page.report({"demo": True, "areas": {}}).about


# --- the window

ROWS = Page("rows", "Rows", "", tuple(Item(f"row {number}", "about", ("row", str(number))) for number in range(30)))


@pytest.fixture
def start(pygame, clock):
    window = StartWindow(clock=clock)
    clock.now += 1
    yield window
    window.close()


def press(pygame, *keys):
    for key in keys:
        event = pygame.event.Event(pygame.KEYDOWN, key=getattr(pygame, f"K_{key}"), mod=0, unicode="")
        pygame.event.post(event)


def test_keys_choose(start, pygame):
    first = page.home()
    for keys, do in (
        (["RETURN"], ("windows",)),
        (["DOWN", "RETURN"], ("demo",)),
        (["UP", "SPACE"], ("windows",)),
        (["4"], ("doctor",)),
        (["ESCAPE"], BACK),
        (["TAB", "TAB", "KP_ENTER"], ("recent",)),
    ):
        press(pygame, *keys)
        assert start.ask(first) == do
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert start.ask(first) == CLOSE
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q, mod=pygame.KMOD_CTRL, unicode=""))
    assert start.ask(first) == CLOSE


def test_what_is_typed_where_it_is_asked_what_it_will_be_is_the_prompt(start, pygame):
    asked = offers.subjects("screen:window=0x1", "krita", "")

    def shown(steps):
        """The page's own row, once these were handled; a space, a letter and a figure are text with their keys."""
        for step in steps:
            if len(step) == 1:
                press(pygame, step if step.isalnum() else "SPACE")
                pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=step))
            else:
                press(pygame, step)
        answers = iter([None, None, ("nothing",)])
        assert start.ask(asked, lambda: next(answers)) == ("nothing",)
        return start._seen().items[-1]

    hint = asked.items[-1].about
    assert asked.items[-1].title == "In your words" and shown(" ").about == hint
    assert shown("2 cats").about == "2 cats|"
    assert shown(["BACKSPACE", "LEFT", "r"]).about == "2 car|t"
    assert shown(["ESCAPE"]).about == hint
    press(pygame, "RETURN")
    assert shown(["BACKSPACE"]).about == hint and start.page.note == "nothing is written yet"
    shown([*"(a:1.2.3)", "RETURN"])
    assert "1.2.3" in start.page.note
    shown(["ESCAPE"])
    for letter in "a red house":
        shown([letter])
    for key, selected in ((pygame.K_a, (0, 11)), (pygame.K_END, (11, 11))):
        control = pygame.KMOD_CTRL if key == pygame.K_a else 0
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=control, unicode=""))
        assert shown([]).about == "a red house|" and shown([]).selected == selected
    press(pygame, "RETURN")
    assert start.ask(asked) == ("run", "screen:window=0x1", "krita", "", "a red house")


def test_a_key_that_was_down_before_the_window_came_chooses_nothing(pygame, clock):
    window = StartWindow(clock=clock)
    press(pygame, "RETURN", "RETURN", "ESCAPE")
    answers = iter([None, ("nothing",)])
    assert window.ask(page.home(), lambda: next(answers)) == ("nothing",)
    clock.now += 5
    pygame.event.post(pygame.event.Event(pygame.WINDOWFOCUSGAINED))
    press(pygame, "SPACE")
    answers = iter([None, ("nothing",)])
    assert window.ask(page.home(), lambda: next(answers)) == ("nothing",)
    clock.now += 5
    press(pygame, "RETURN", "SPACE")  # they repeat
    answers = iter([None, ("nothing",)])
    assert window.ask(page.home(), lambda: next(answers)) == ("nothing",)
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=pygame.K_RETURN, mod=0))
    press(pygame, "RETURN")
    assert window.ask(page.home()) == ("windows",)
    window.close()


def test_the_mouse_chooses_and_scrolls(start, pygame):
    view = View(pygame)
    surface = pygame.display.get_surface()
    places, most = view.draw(surface, ROWS, 0, 0, 0.0)
    assert places[0].index == -1 and most > 1000
    for place in (places[0], places[3]):
        click = pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=place.rect.center)
        pygame.event.post(click)
        assert start.ask(ROWS) == (BACK if place.index < 0 else ("row", str(place.index)))
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, y=-1000, x=0))
    places, _ = view.draw(surface, ROWS, 0, most, 0.0)
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=places[-1].rect.center))
    assert start.ask(ROWS) == ("row", "29")


def test_a_mouse_that_lies_where_the_page_opens_chooses_nothing_until_it_is_moved(start, pygame):
    places, _ = View(pygame).draw(pygame.display.get_surface(), page.home(), 0, 0, 0.0)
    second = next(place.rect for place in places if place.index == 1)
    for _ in range(2):
        pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=second.center, rel=(0, 0), buttons=(0, 0, 0)))
    press(pygame, "RETURN")
    assert start.ask(page.home()) == ("windows",)
    moved = (second.centerx + 1, second.centery)
    pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=moved, rel=(1, 0), buttons=(0, 0, 0)))
    press(pygame, "RETURN")
    assert start.ask(page.home()) == ("demo",)


def test_a_row_that_is_reached_with_keys_is_seen_whole(start, pygame):
    press(pygame, *["DOWN"] * 25, "RETURN")
    assert start.ask(ROWS) == ("row", "25")
    view, surface = View(pygame), pygame.display.get_surface()
    _, most = view.draw(surface, ROWS, 25, 0, 0.0)
    begin, end, room = view.span(surface, ROWS, 25)
    assert begin - room < end and most >= end - room > 0


def test_what_is_selected_of_the_words_is_seen_in_each_of_their_lines(pygame):
    pygame.font.init()
    surface, view = pygame.Surface((480, 400)), View(pygame)
    text = "a red house at dusk with a long line of trees behind it, seen from the front|"

    def drawn(first, last):
        item = Item("In your words", text, ("run",), icon="pen", words=True, selected=(first, last))
        view.draw(surface, Page("subject", "What will it be?", items=(item,)), 0, 0, 0.3)
        blue = (pygame.surfarray.array3d(surface) == CHOSEN).all(2)
        return np.flatnonzero(blue.any(0)), int(blue.sum())

    assert drawn(5, 5)[1] == 0
    rows, whole = drawn(0, len(text) - 1)
    assert np.ptp(rows) > 20  # two lines
    assert 0 < drawn(20, 30)[1] < whole / 3
    pygame.font.quit()


def test_what_comes_meanwhile_takes_the_place_of_the_page(start, pygame):
    pages = [None, Page("waiting", "Ready", "", (Item("now", "", ("now",)),)), ("there",)]
    assert start.ask(Page("waiting", "Wait", busy="waiting"), lambda: pages.pop(0)) == ("there",)
    assert start.page.title == "Ready"


@pytest.mark.parametrize("size", [(1040, 660), (1900, 1000), (480, 400), (300, 900)])
def test_every_page_is_drawn_at_every_size(pygame, size):
    pygame.font.init()
    surface, view = pygame.Surface(size), View(pygame)
    finding = {"name": "a long name of something" * 2, "found": None, "text": "word " * 60, "hint": "do this"}
    pages = (
        page.home("Kept in ~/Pictures: a.png"),
        page.failed(["it broke", "x" * 300]),
        page.report({"demo": True, "areas": {"demo": [finding] * 9}}),
        page.looking(),
        offers.subjects("screen:pick", "", ""),
        ROWS,
    )
    for shown in pages:
        places, _ = view.draw(surface, shown, 0, 0, 0.3)
        drawn = pygame.surfarray.array3d(surface)
        assert drawn.max() > 150 and len(np.unique(drawn)) > 20
        assert all(surface.get_rect().contains(place.rect.clip(surface.get_rect())) for place in places)
    pygame.font.quit()


@pytest.mark.parametrize("name", NAMES)
def test_every_icon_is_a_drawing_with_smooth_edges(name):
    drawn = icon(name, 48, (10, 20, 30))
    assert drawn.shape == (48, 48, 4) and (drawn[..., :3] == (10, 20, 30)).all()
    assert 0.03 < (drawn[..., 3] > 128).mean() < 0.9 and len(np.unique(drawn[..., 3])) > 5


# --- the way


class Screen:
    """Answers each page with the next of ``answers``: what to choose, or a function of the page that says it."""

    place = Rect(10, 20, 800, 600)

    def __init__(self, answers):
        self.answers, self.pages, self.opened, self.closed = answers, [], [], 0

    def __call__(self, place):
        self.opened.append(place)
        return self

    def ask(self, shown, look=lambda: None):
        self.pages.append(shown)
        answer = self.answers.pop(0)
        return answer(shown, look) if callable(answer) else answer

    def close(self):
        self.closed += 1


class Run:
    """A command that ends with a code after ``waits`` looks; writes a file when it begins."""

    number = os.getpid()
    words: list = []  # noqa: RUF012 - emptied for each test

    def __init__(self, code=0, said=(), output=b"", waits=2, makes=()):
        self.result, self.said, self.output, self.waits, self.makes = code, said, output, waits, makes
        self.ended = False

    def __call__(self, words, results=False):
        self.words.append(list(words))
        for path in self.makes:
            path.write_bytes(b"")
        return self

    @property
    def code(self):
        self.waits -= 1
        return None if self.waits > 0 else self.result

    def wait(self, seconds):
        return self.code

    def end(self):
        self.ended = True

    def reasons(self):
        return list(self.said)


@pytest.fixture
def words(monkeypatch):
    monkeypatch.setattr(Run, "words", [])
    return Run.words


def ready(shown, look):
    """Wait on a page as the window does, until it is answered from inside."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        answer = look()
        if isinstance(answer, tuple):
            return answer
    raise AssertionError(f"{shown.title}: no answer")


def test_a_demo_is_shown_and_the_page_is_there_again_with_what_was_kept(home, words):
    made = home / "inkstream" / "inkstream-demo.mp4"
    screen = Screen([("demo",), ready, CLOSE])
    assert Guide(screen, Run(waits=1000, makes=[made]), clock=iter(range(1000)).__next__).run() == 0
    assert words == [["demo", "--output", str(made)]]
    assert [each.name for each in screen.pages] == ["home", "starting", "home"]
    assert screen.pages[-1].note == "Kept in ~/inkstream: inkstream-demo.mp4"
    assert screen.opened == [None, Screen.place] and screen.closed == 2


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["a-red-car-input.png", "a-red-car.ora", "a-red-car.png"], "a-red-car.png"),
        (["b-input.png", "b.ora", "b.png", "a-input.png", "a.ora", "a.png"], "a.png and 1 more"),
        (["a.png", "show.mp4", "sound.wav"], "a.png and 2 more"),
        (["an-input.png", "lonely.ora"], "an-input.png and 1 more"),
    ],
)
def test_pictures_are_counted_and_not_the_files_of_each(home, words, names, note):
    screen = Screen([("demo",), ready, CLOSE])
    Guide(screen, Run(makes=[home / "inkstream" / name for name in names])).run()
    assert screen.pages[-1].note == f"Kept in ~/inkstream: {note}"


def test_a_window_is_drawn_in_and_remembered(home, words, monkeypatch):
    desktop = Desktop(opened(7, "sheet", "krita"))
    monkeypatch.setattr("inkstream.stream.sources.screen.windows.open_window_system", lambda: desktop)
    first = lambda shown, look: shown.items[0].do
    screen = Screen([("windows",), first, first, ready, CLOSE])
    Guide(screen, Run()).run()
    prompt = "a glossy blue sedan car, side view, on road, sunset"
    sink = f'window:save_dir="{home / "inkstream"}"'
    assert words == [["run", "--source", "screen:window=0x7", "--sink", sink, "--prompt", prompt]]
    assert last.programs() == ("krita",) and last.last("krita").prompt == prompt


def test_a_program_is_drawn_in_again_with_the_words_of_the_last_time_first(home, words, monkeypatch):
    from inkstream.stream.sinks.window.memory import Memory

    desktop = Desktop(opened(7, "sheet", "krita"))
    monkeypatch.setattr("inkstream.stream.sources.screen.windows.open_window_system", lambda: desktop)
    first = lambda shown, look: shown.items[0].do

    def write(shown, look):  # in the preview
        Memory("preview").wrote("a red brick house")
        return ready(shown, look)

    screen = Screen([("windows",), first, first, write, ("recent",), first, first, ready, CLOSE])
    Guide(screen, Run()).run()
    assert [each[-1] for each in words] == ["a glossy blue sedan car, side view, on road, sunset", "a red brick house"]
    again = next(each for each in screen.pages if each.name == "recent").items[0]
    assert (again.title, again.about) == ("Draw in krita again", "a red brick house")
    asked = [each for each in screen.pages if each.name == "subject"]
    assert [item.title for item in asked[1].items] == ["As last time", *(item.title for item in asked[0].items)]
    last.remember("krita")
    assert last.last("krita").prompt == "a red brick house" and last.last("gimp").prompt == ""


def recorded(making, faded=1.0):
    """A run in this process that ends with a picture of these settings."""

    def run(shown, look):
        recorder = HistoryRecorder()
        recorder.take(output(RED))
        recorder.take(replace(output(BLUE, 2), making=making, faded=faded))
        recorder.close()
        return ready(shown, look)

    return run


def test_as_last_time_is_what_was_on_the_screen_last_with_every_setting(home, words, monkeypatch):
    """However the user came there: a variation, a favourite, a cue, the prompt's line, the panel."""
    desktop = Desktop(opened(8, "other", "gimp"), opened(7, "sheet", "krita"))
    monkeypatch.setattr("inkstream.stream.sources.screen.windows.open_window_system", lambda: desktop)
    stream = StreamConfig.build(prompt="a stone house, night", seed=77, drawing_influence=70, lora_dict={"night": 0.8})
    left = recorded(Making("ink-tiny", stream, before="a red car"), faded=0.4)  # in the middle of a fade
    item = lambda number: lambda shown, look: shown.items[number].do
    answers = [("windows",), item(0), item(2), left, ("recent",), item(0), item(0), ready, ("windows",), item(1), BACK]
    screen = Screen([*answers, BACK, CLOSE])
    Guide(screen, Run()).run()
    first, second = words
    assert first[-2] == "--prompt" and second[-2] == "--like"
    making = read_making(Path(second[-1]))
    assert making.stream == stream and making.model == "ink-tiny"
    again = next(each for each in screen.pages if each.name == "recent").items[0]
    assert again.about == "a stone house, night" and np.abs(again.picture.astype(int) - BLUE).max() < 12
    subject, later, other = (each for each in screen.pages if each.name == "subject")
    assert later.items[0].about == "a stone house, night, with its seed, styles and all settings"
    assert [each.title for each in later.items[1:]] == [each.title for each in subject.items]
    assert "As last time" not in [each.title for each in other.items], "that was another program"
    assert last.last("krita").like, "a run of which nothing is known takes nothing back"


def test_a_run_without_a_history_is_remembered_by_its_words_alone(home, words, monkeypatch):
    desktop = Desktop(opened(7, "sheet", "krita"))
    monkeypatch.setattr("inkstream.stream.sources.screen.windows.open_window_system", lambda: desktop)
    item = lambda number: lambda shown, look: shown.items[number].do
    left = recorded(Making("ink-tiny", StreamConfig.build(prompt="a stone house, night")))
    Guide(Screen([("windows",), item(0), item(2), left, CLOSE]), Run()).run()
    assert last.last("krita").like
    failed = Run(1, ["window: it is minimised"])
    monkeypatch.setattr(Run, "number", 1)  # a process that recorded nothing
    Guide(Screen([("windows",), item(0), item(1), ready, CLOSE]), failed).run()
    assert last.last("krita").like and last.last("krita").prompt == "a stone house, night", "it never began"
    Guide(Screen([("windows",), item(0), item(1), ready, CLOSE]), Run()).run()
    assert last.last("krita") == ("a glossy blue sedan car, side view, on road, sunset", None, None)


def test_pictures_of_programs_that_are_forgotten_go_too(home):
    recorder = HistoryRecorder()
    recorder.take(output())
    recorder.close()
    began = datetime.now() - timedelta(minutes=1)
    names = ["krita", "gimp", "../..", "mypaint\n", "画"]
    assert all(last.learn(name, os.getpid(), began) for name in names)
    assert not last.learn("late", os.getpid(), began + timedelta(minutes=2)), "an older process of the same number"
    assert last.programs() == ("画", "mypaint\n", "../..") and last.last("../..").like
    assert len([*(home / "state" / "inkstream").glob("start-last-*.png")]) == 3
    last.last("画").like.write_bytes(b"no picture")
    assert last.last("画") == ("a red car", None, None) and last.last("krita") == ("", None, None)


def test_a_picture_is_gone_on_from(home, words, monkeypatch):
    monkeypatch.setattr("inkstream.stream.sources.screen.windows.open_window_system", lambda: Desktop())
    picture = kept(home / "inkstream-output" / "a.png")
    screen = Screen([("recent",), lambda shown, look: shown.items[0].do, lambda shown, look: shown.items[0].do, CLOSE])
    Guide(screen, Run()).run()
    assert words[0][:3] == ["run", "--source", "screen:pick"] and words[0][-2:] == ["--like", str(picture)]
    assert [each.name for each in screen.pages] == ["home", "recent", "windows", "home"], "no page while one picks"


def test_a_program_that_is_not_open_is_asked_for(home, words, monkeypatch):
    monkeypatch.setattr("inkstream.stream.sources.screen.windows.open_window_system", lambda: Desktop())
    last.remember("krita")
    screen = Screen([("recent",), ("again", "krita"), CLOSE])
    Guide(screen, Run()).run()
    assert "krita is not open" in screen.pages[-1].about


def test_what_fails_is_said_on_a_page_and_the_way_leads_back(home, words):
    screen = Screen([("run", "screen:window=0x1", "", "", "a car"), ready, BACK, CLOSE])
    run = Run(1, ["window: it is minimised"])
    assert Guide(screen, run).run() == 0
    assert screen.pages[2].title == "That did not work" and screen.pages[2].items[0].title == "window: it is minimised"
    assert screen.pages[3].name == "home"


def test_who_cancels_the_choice_of_a_part_is_told_nothing(home, words):
    screen = Screen([("run", "screen:pick", "", "", "a car"), CLOSE])
    assert Guide(screen, Run(1, ["error: pick: cancelled; start again"])).run() == 0
    assert [each.name for each in screen.pages] == ["home", "home"]


def test_a_run_that_was_interrupted_from_outside_ends_the_page_too(home, words):
    assert Guide(Screen([("demo",), ready]), Run(130)).run() == 130


def test_closing_while_a_run_comes_up_ends_it(home, words):
    run = Run(waits=1000)
    assert Guide(Screen([("demo",), CLOSE]), run).run() == 0
    assert run.ended


def test_the_doctor_is_asked_and_its_findings_shown(home, words):
    found = {"demo": True, "areas": {"demo": [{"name": "demo", "found": True, "text": "runs", "hint": ""}]}}
    seen = []

    def look_twice(shown, look):
        seen.extend(each for each in (look(), look(), look()) if each is not None)
        return CLOSE

    Guide(Screen([("doctor",), look_twice]), Run(0, output=json.dumps(found).encode())).run()
    assert words == [["doctor", "--json"]]
    assert len(seen) == 1 and seen[0].about == "inkstream works on this computer."


def test_a_doctor_that_says_nothing_of_use_is_a_fault(home, words):
    seen = []

    def look(shown, look):
        seen.extend(each for each in (look(), look()) if each is not None)
        return CLOSE

    Guide(Screen([("doctor",), look]), Run(1, ["it broke"], b"no json")).run()
    assert seen[0].title == "That did not work" and seen[0].items[0].title == "it broke"


def test_going_back_leads_where_one_came_from(home, words):
    screen = Screen([("recent",), ("windows", ""), BACK, BACK, BACK])
    assert Guide(screen, Run()).run() == 0
    assert [each.name for each in screen.pages] == ["home", "recent", "windows", "recent", "home"]


# --- inkstream alone


@pytest.fixture
def alone(monkeypatch):
    """How often the page was opened by ``inkstream`` without a word."""
    opened_pages = []
    monkeypatch.setattr(Guide, "run", lambda self: opened_pages.append(self) or 0)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    return opened_pages


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_inkstream_alone_opens_the_page_where_there_is_a_display(alone, monkeypatch, name):
    monkeypatch.setenv(name, ":7")
    assert CliRunner().invoke(app, []).exit_code == 0 and len(alone) == 1
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("inkstream ") and len(alone) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
def test_inkstream_alone_prints_the_help_where_there_is_none(alone):
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2 and "Usage: " in result.output and not alone


# --- a command in a process of its own


def test_a_command_runs_and_says_why_it_failed(home):
    child = Child(["run", "--source", "video:nothing.mp4", "--sink", "nul"])
    assert child.wait(60) == 2
    assert "nul" in child.reasons()[0] and not child.reasons()[0].startswith("error")
    listed = Child(["run", "--help-sources"], results=True)
    assert listed.wait(60) == 0 and b"Sources: --source" in listed.output


def test_a_command_can_be_ended(home):
    child = Child(["run", "--source", "fake", "--sink", "null"])
    assert child.code is None
    child.end()
    assert child.code is not None


@pytest.mark.desktop
def test_on_a_real_display_it_is_there_and_esc_closes_it(home):
    if shutil.which("xdotool") is None:
        pytest.skip("needs xdotool")
    with x_server(screen="1280x800x24") as (display, _):
        environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
        process = subprocess.Popen([sys.executable, "-m", "inkstream.stream.app.cli"], env=environment)
        try:
            with closing(X11Windows(display)) as desktop:
                found = lambda: [each for each in desktop.windows() if each.title == "inkstream" and each.shown]
                until(found, 20)
                (shown,) = found()
                assert shown.program == "inkstream" and shown.content.size == (1040, 660)
                end = time.monotonic() + 20
                while process.poll() is None:
                    assert time.monotonic() < end, "it did not close"
                    subprocess.run(
                        ["xdotool", "key", "Escape"], env=environment, check=True
                    )  # the first may come early
                    desktop.windows()
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait(10)


def test_a_process_that_is_ready_is_told_what_to_do_and_is_the_command(capfd, home):
    with closing(Spare()) as spare:
        spare.prepare()
        spare.prepare()
        first = spare._ready
        child = spare(["run", "--source", "no such thing"])
        assert child.number == first.pid and spare._ready is None
        assert ended(child) == 2
        assert "--source: got 'no such thing'" in child.reasons()[0]
        assert ended(spare(["--version"])) == 0, "without one that is ready another one is started"
    assert capfd.readouterr().out.startswith("inkstream ")


def test_a_process_that_is_ready_ends_with_the_page_and_one_that_ended_is_replaced(home):
    spare = Spare()
    spare.prepare()
    gone = spare._ready
    gone.kill()
    gone.wait()
    assert ended(spare(["--version"])) == 0, "it is not needed"
    spare.prepare()
    left = spare._ready
    assert left is not gone and left.poll() is None
    spare.close()
    assert left.poll() is not None


def test_where_the_page_dies_the_process_that_is_ready_ends_by_itself(home):
    spare = Spare()
    spare.prepare()
    with spare._ready as left:
        left.stdin.close()
        assert left.wait(60) == 0


def ended(child):
    """The exit code of a child, once it has ended."""
    end = time.monotonic() + 60
    while (code := child.wait(0.5)) is None:
        assert time.monotonic() < end
    return code
