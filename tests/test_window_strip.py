"""The preview's film strip: the last minutes to look at, keep, go back to and compare; with SDL's dummy driver."""

import os
import threading
import time
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
from doubles.preview import NOON, Session, output, seen
from PIL import Image

from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.frame import Origin, Output, Rect, Size
from inkstream.stream.base.kept import read_recipe
from inkstream.stream.base.making import Making
from inkstream.stream.history.store import HistoryRecorder, Rewind
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window.film import MOST_LARGE, MOST_THUMBS, Film, Wanted
from inkstream.stream.sinks.window.filmplan import Span, off_rail, on_rail, plan
from inkstream.stream.sinks.window.moments import Wipe, ago, said

CAR = Making("ink-tiny", StreamConfig.build(prompt="a red car", seed=3))
BOAT = Making("ink-tiny", StreamConfig.build(prompt="a blue boat", seed=8, drawing_influence=70.0))
NOW = StreamConfig.build(prompt="a blue boat", seed=8, drawing_influence=70.0)
BEGAN, EACH = 40.0, 0.5  # seconds: when the first picture was seen, and from one to the next
COUNT, CHANGE = 60, 20  # pictures, and the first one of a boat


def grey(number: int) -> int:
    return 20 + 3 * number % 210


def moment(number: int, making=None) -> Output:
    at = BEGAN + EACH * number
    pixels, drawn = np.full((64, 64, 3), grey(number), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    drawn[number % 64] = 0
    making = making or (CAR if number < CHANGE else BOAT)
    return Output(pixels, number, at, 0, drawn, at, origin=Origin(), making=making)


def record(recorder: HistoryRecorder, outputs) -> None:
    for each in outputs:
        recorder.take(each)
        with recorder._changed:
            assert recorder._changed.wait_for(lambda: not (recorder._waiting or recorder._busy), 20)


@pytest.fixture
def recorder(tmp_path):
    made = HistoryRecorder(tmp_path / "history", now=lambda: NOON)
    yield made
    made.close()


class Model(Session):
    """A session with a past, which does what it is asked for."""

    def __init__(self, history) -> None:
        super().__init__()
        self.history = history
        self.config = NOW

    def update(self, **changes) -> None:
        super().update(**changes)
        self.config = self.config.changed(**changes)


class Hand:
    """Keys and the mouse, and a look at what comes of it."""

    def __init__(self, window, press, pygame, model) -> None:
        self.window, self.pygame, self.model, self._press = window, pygame, model, press
        self.live, self.more = output((10, 200, 10), number=COUNT), {}

    @property
    def status(self) -> Status:
        return Status(state="live", config=self.model.config, values={"prompt": ""}, **self.more)

    def __call__(self, *names: str) -> None:
        for name in [[each] for each in names] or [[]]:
            self._press(*name, shown=self.live, status=self.status)

    def until(self, wanted) -> None:
        tick, end = threading.Event(), time.perf_counter() + 20
        while not wanted():
            assert time.perf_counter() < end, self.window.shown
            tick.wait(0.002)
            self.window.write(self.live, self.status)

    @property
    def view(self):
        return self.window.shown.tool

    def thumb(self) -> int:
        """What the chosen thumb shows; -1: nothing yet."""
        chosen = next(cell.thumb for cell in self.view.cells if cell.box == self.view.chosen)
        return -1 if chosen is None else int(chosen.pixels[20, 20, 0])

    def shows(self, number: int) -> None:
        """Wait until this moment is the large picture."""
        self.until(lambda: self.view is not None and abs(int(seen(self.pygame)[60, 200, 0]) - grey(number)) <= 2)

    def mouse(self, kind: str, place, **more) -> None:
        self.pygame.event.post(self.pygame.event.Event(getattr(self.pygame, kind), pos=place, **more))
        self()


@pytest.fixture
def hand(window, press, pygame, recorder, clock):
    record(recorder, map(moment, range(COUNT)))
    clock.now = BEGAN + EACH * (COUNT - 1) + 4
    window.controls = Model(recorder)
    return Hand(window, press, pygame, window.controls)


def test_the_strip_shows_the_last_minutes_and_keys_step_through_them(hand, window):
    hand("b")
    hand.shows(COUNT - 1)
    view = hand.view
    assert (view.when, view.words, window.shown.state) == ("0:04 ago", "a blue boat", "rewound")
    assert view.ends == ("0:33 ago", "0:04 ago") and len(view.changes) == 1
    hand.until(lambda: all(cell.thumb is not None for cell in hand.view.cells))
    shades = [int(cell.thumb.pixels[20, 20, 0]) for cell in hand.view.cells]
    assert shades == sorted(shades) and len(set(shades)) == len(shades) >= 4
    hand("LEFT")
    hand.shows(COUNT - 2)
    assert hand.view.when == "0:04 ago"
    hand("SHIFT+LEFT")
    hand.shows(COUNT - 2 - max(10, 60 // len(view.cells)))
    hand("CTRL+LEFT")
    hand.shows(CHANGE)
    hand.until(lambda: abs(hand.thumb() - grey(CHANGE)) <= 2)  # and not the picture in its middle
    hand("LEFT")
    hand.shows(CHANGE - 1)
    assert hand.view.words == "a red car"
    hand("CTRL+RIGHT")
    hand.shows(CHANGE)
    hand("HOME")
    hand.shows(0)
    hand("LEFT")
    hand.shows(0)
    hand("END", "RIGHT")
    hand.shows(COUNT - 1)
    hand("ESCAPE")
    assert hand.view is None and window.shown.question == "" and window.shown.state == "live"
    assert tuple(seen(hand.pygame)[60, 200]) == (10, 200, 10)


def test_an_arrow_opens_it_and_it_closes_where_it_was_opened(hand):
    hand("LEFT")
    hand.shows(COUNT - 1)
    hand("b")
    assert hand.view is None


def test_thumbs_stand_for_fewer_pictures_when_it_is_looked_at_more_closely(hand):
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME")
    begin, end = hand.view.part
    assert (begin, end) == (hand.view.plan.rail.x, hand.view.plan.rail.x + hand.view.plan.rail.width)
    hand(*["UP"] * 8)
    assert hand.view.cursor is None  # each stands for itself
    assert hand.view.part[1] < end
    hand("RIGHT")
    assert hand.view.chosen.x > hand.view.cells[0].box.x
    hand.shows(1)
    hand(*["DOWN"] * 8)
    assert hand.view.part[1] == end


def test_the_mouse_scrubs_on_thumbs_and_on_the_line_and_the_wheel_steps(hand):
    hand("b")
    hand.shows(COUNT - 1)
    film, rail = hand.view.plan.film, hand.view.plan.rail
    hand.mouse("MOUSEBUTTONDOWN", (rail.x, rail.y + 4), button=1)
    hand.shows(0)
    hand.mouse("MOUSEMOTION", (rail.x + rail.width // 2, 5), rel=(1, 0), buttons=(1, 0, 0))
    hand.shows(off_rail(rail.x + rail.width // 2, 0, COUNT - 1, rail))
    hand.mouse("MOUSEBUTTONUP", (0, 0), button=1)
    hand.mouse("MOUSEMOTION", (rail.x, rail.y), rel=(1, 0), buttons=(0, 0, 0))  # nobody drags it any more
    hand.shows(off_rail(rail.x + rail.width // 2, 0, COUNT - 1, rail))
    hand.mouse("MOUSEBUTTONDOWN", (film.x + 1, film.y + 3), button=1)
    hand.mouse("MOUSEBUTTONUP", (0, 0), button=1)
    hand.shows(0)
    step = max(1, -(-COUNT // len(hand.view.cells)) // 8)
    hand.pygame.event.post(hand.pygame.event.Event(hand.pygame.MOUSEWHEEL, x=0, y=-3))
    hand()
    hand.shows(3 * step)


def test_what_comes_meanwhile_is_added_and_what_is_looked_at_stays(hand, recorder):
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME", "RIGHT", "RIGHT")
    hand.shows(2)
    knob = hand.view.knob
    record(recorder, map(moment, range(COUNT, COUNT + 15)))
    hand.until(lambda: hand.view.knob < knob)
    hand.shows(2)
    hand("END")
    hand.shows(COUNT + 14)


def test_keeping_keeps_the_moment_as_it_was_recorded(hand, window, tmp_path):
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME", "RIGHT", "RIGHT", "RIGHT")
    hand.shows(3)
    hand("RETURN")
    hand.until(lambda: "saved" in window.shown.toast)
    assert window.shown.toast.endswith("20310203-120001-a-red-car.png, as it was recorded")
    names = [f"20310203-120001-a-red-car{end}" for end in ("-input.png", ".ora", ".png")]
    assert sorted(os.listdir(tmp_path / "kept")) == names
    kept = np.asarray(Image.open(tmp_path / "kept" / names[2]))
    rewind = Rewind(hand.model.history.session)
    assert (kept == rewind.get(COUNT - 1 - 3).render).all()
    assert (np.asarray(Image.open(tmp_path / "kept" / names[0])) == moment(3).input).all()
    recipe = read_recipe(tmp_path / "kept" / names[2])
    assert recipe["stream"]["prompt"] == "a red car" and recipe["stream"]["seed"] == 3
    known = recipe["picture"]
    assert known.pop("saved").startswith("2031-02-03T12:00:00")
    assert known.pop("seen").startswith("2031-02-03T12:00:01")
    assert known == {"frame": 3, "from": "history", "input": names[0]}


def test_going_back_brings_the_settings_of_the_moment(hand, window):
    hand("b")
    hand.shows(COUNT - 1)
    hand("g")
    assert "still those of this picture" in window.shown.toast and hand.model.updates == []
    hand("HOME")
    hand.shows(0)
    hand("g")
    assert hand.view is None
    assert hand.model.updates == [{"prompt": "a red car", "seed": 3, "drawing_influence": 50.0}]
    words = "back to the settings of 0:33 ago: prompt 'a red car', drawing influence 50, seed 3"
    assert sorted(window.shown.toast.split(": ", 1)[1].split(", ")) == sorted(words.split(": ", 1)[1].split(", "))
    assert window.shown.toast.startswith("back to the settings of 0:33 ago: ")
    hand("b")
    hand.shows(COUNT - 1)  # nothing of the past is lost by it


def test_what_was_said_of_the_old_prompt_does_not_hide_what_is_said_of_going_back(hand, window):
    hand.more = {"notes": ("'blue' is unknown",)}
    hand("b")
    assert "unknown" in window.shown.toast
    hand.shows(COUNT - 1)
    hand("HOME")
    hand.shows(0)
    hand("g")
    hand.more = {}
    hand()
    assert "back to the settings" in window.shown.toast


def test_compare_wipes_between_the_moment_and_now(hand, window, pygame):
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME")
    hand.shows(0)
    hand("w")
    divider = hand.view.divider
    assert (divider.left, divider.right, window.shown.state) == ("0:33 ago", "now", "comparing")
    assert divider.x == divider.area.x + divider.area.width // 2

    def sides():
        picture, row = seen(pygame), 80
        return [tuple(map(int, picture[row, hand.view.divider.x + by])) for by in (-30, 30)]

    past, now = sides()
    assert max(abs(each - grey(0)) for each in past) <= 8 and now == (10, 200, 10)
    hand("RIGHT")
    assert hand.view.divider.x > divider.x
    area = divider.area
    hand.mouse("MOUSEBUTTONDOWN", (area.x + area.width // 4, area.y + 20), button=1)
    hand.mouse("MOUSEMOTION", (area.x + area.width * 3 // 4, 5), rel=(1, 0), buttons=(1, 0, 0))
    hand.mouse("MOUSEBUTTONUP", (0, 0), button=1)
    assert hand.view.divider.x == pytest.approx(area.x + area.width * 3 / 4, abs=area.width / 64)
    hand("m")  # as in a mirror: what stands left stays left
    assert sides() == [past, now]
    hand.live = output((200, 10, 10), number=COUNT + 1)
    hand()
    assert sides() == [past, (200, 10, 10)]
    hand("ESCAPE")
    assert window.shown.state == "rewound" and hand.view.divider is None


def test_two_moments_are_compared_when_one_is_marked(hand, window):
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME")
    hand.shows(0)
    hand("x", "END")
    hand.shows(COUNT - 1)
    assert hand.view.marked is not None and hand.view.marked.x < hand.view.chosen.x
    hand("w")
    hand.until(lambda: hand.view.divider is not None)
    assert (hand.view.divider.left, hand.view.divider.right) == ("0:33 ago", "0:04 ago")
    hand("w", "HOME", "x")
    assert hand.view.marked is None and "no longer marked" in window.shown.toast


def test_a_moment_is_finished_as_a_live_picture_is(hand):
    asked = []
    finishing = lambda *what, folder: asked.append(what) or True
    hand.model.finishing = SimpleNamespace(progress=lambda: None, start=finishing)
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME")
    hand.shows(0)
    hand("f")
    ((given, scale),) = asked
    assert scale == 2 and given.making.stream.prompt == "a red car" and (given.input == moment(0).input).all()


def test_opened_and_closed_a_hundred_times_it_leaves_nothing(hand, window):
    def readers():
        return [each for each in threading.enumerate() if each.name == "inkstream film"]

    for _ in range(50):
        hand("b", "b")
    hand("b")
    hand.shows(COUNT - 1)
    hand.until(lambda: len(readers()) == 1)
    window.close()
    for each in readers():
        each.join(20)
    assert not readers()


def test_the_prompt_line_takes_the_place_of_the_strip(hand, window):
    hand("b")
    hand.shows(COUNT - 1)
    hand("p")
    assert hand.view is None and window.shown.prompt is not None


@pytest.mark.parametrize(
    ("history", "said_"),
    [
        (None, "--history or INKSTREAM_HISTORY is 0"),
        ("nothing", "nothing is recorded yet"),
        ("failed", "not recorded: No space left"),
        ("gone", "nothing is recorded yet"),
    ],
)
def test_where_there_is_no_past_it_says_why(window, press, pygame, tmp_path, history, said_):
    recorder = None if history is None else HistoryRecorder(tmp_path / "history")
    if history == "failed":
        recorder.failed = "No space left on device"
    elif history == "gone":
        recorder.began, recorder.session = 0.0, tmp_path / "none"
    hand = Hand(window, press, pygame, Model(recorder))
    window.controls = hand.model
    hand("b")
    hand.until(lambda: said_ in window.shown.toast)
    assert hand.view is None
    hand("ESCAPE")
    assert window.shown.question != ""  # no tool is open


def test_a_damaged_picture_is_said_and_the_others_are_there(hand, recorder, window):
    (path,) = recorder.session.iterdir()
    data = path.read_bytes()
    place = Rewind(recorder.session).entries[-3].reel._renders[2].place
    path.write_bytes(data[:place] + b"\0" * 8 + data[place + 8 :])
    hand("b")
    hand.shows(COUNT - 1)
    hand("HOME", "RIGHT", "RIGHT")
    hand.until(lambda: "let go of" in hand.view.words)
    hand("RETURN")
    assert "let go of" in window.shown.toast
    hand("RIGHT")
    hand.shows(3)


def test_no_more_pictures_stay_decoded_than_are_looked_at(recorder):
    record(recorder, (moment(number, CAR) for number in range(70)))
    film, tick = Film(recorder.session), threading.Event()
    end = time.perf_counter() + 20
    while len(film.entries) < 70:
        assert time.perf_counter() < end
        tick.wait(0.002)
    entries = film.entries
    for turn in range(6):
        size = Size(20 + turn, 20)
        film.want(Wanted((entries[turn],), tuple(entries), size))
        while film.thumb(entries[-1], size) is None:
            assert time.perf_counter() < end
            tick.wait(0.002)
        assert film.large(entries[turn]) is not None
    assert len(film._thumbs) == MOST_THUMBS and len(film._large) == MOST_LARGE
    film.close()


# --- plain geometry and words


@pytest.mark.parametrize("window", [(512, 512), (1280, 720), (1920, 1080), (200, 160), (300, 900)])
@pytest.mark.parametrize("picture", [(512, 512), (1024, 256), (256, 1024)])
def test_the_strip_stays_inside_the_window(window, picture):
    unit = int(min(30, max(11, min(window[0], window[1] * 1.4) / 46)))
    made = plan(Size(*window), unit, Size(*picture))
    for box in (made.sheet, made.rail, made.film):
        assert box.x >= 0 and box.y + box.height <= window[1]
    assert made.count >= 1 and made.sheet.width <= window[0]
    if min(window) >= 500:
        assert made.sheet.height < 0.32 * window[1] and made.count >= 3


@pytest.mark.parametrize("count", [1, 2, 5, 11])
@pytest.mark.parametrize(("oldest", "newest"), [(0, 0), (0, 3), (7, 900), (123, 12_000)])
def test_all_pictures_have_room_and_every_place_gives_one(oldest, newest, count):
    span = Span.whole(oldest, newest, count)
    assert span.left <= oldest // span.stride and newest // span.stride == span.left + count - 1
    made = plan(Size(1280, 720), 21, Size(64, 64))._replace(count=count)
    for number in (oldest, newest, (oldest + newest) // 2):
        box = span.place(number // span.stride, made)
        assert abs(span.number_at(box.x + 1, made) - number) <= span.stride
        assert oldest <= off_rail(on_rail(number, oldest, newest, made.rail), oldest, newest, made.rail) <= newest
    near = span.zoomed(True, newest, span.stride).with_(newest, oldest, newest, count)
    assert near.stride == max(1, span.stride // 2) and near.left <= newest // near.stride < near.left + count


def test_times_and_changes_are_said_as_people_read_them():
    assert [ago(seconds) for seconds in (-1, 0.4, 7.9, 133, 600)] == [
        "0:00 ago",
        "0:00 ago",
        "0:07 ago",
        "2:13 ago",
        "10:00 ago",
    ]
    changes = {"prompt": [("a car", 0.5), ("a boat", 0.5)], "lora_dict": {"m/night": 0.8, "clay": 0.0}}
    assert said({**changes, "t_index_list": (0, 25), "seed": 4, "mode": "sketch"}) == (
        "prompt 'a car', styles night 0.80, 2 steps, and 2 more"
    )
    assert said({"lora_dict": {"clay": 0.0}, "controlnets": [object()]}) == "no style, controlnets"


def test_pictures_of_different_sizes_are_compared_at_the_larger():
    small, large = output((1, 2, 3), size=(32, 32)), output((9, 8, 7), size=(64, 64))
    wipe = Wipe()
    both = wipe.of(small, large, False)
    assert both.pixels.shape == (64, 64, 3)
    assert (both.pixels[:, :32] == (1, 2, 3)).all() and (both.pixels[:, 32:] == (9, 8, 7)).all()
    assert wipe.of(small, large, False) is both
    wipe.move(2.0)
    assert (wipe.of(small, large, False).pixels == (1, 2, 3)).all()


def test_a_picture_of_a_hand_that_rested_has_the_settings_that_it_drew_with(hand, recorder, window):
    rested = replace(BOAT, stream=BOAT.stream.changed(t_index_list=(0, 10, 20))).rested_from(BOAT.stream)
    record(recorder, [moment(COUNT, rested), moment(COUNT + 1, BOAT)])
    assert [each.number for each in Rewind(recorder.session).entries if each.changed] == [CHANGE]
    hand("b")
    hand.shows(COUNT + 1)
    hand("LEFT")
    hand.shows(COUNT)
    hand("g")
    assert "still those of this picture" in window.shown.toast


def test_numbers_of_entries_stay_when_older_ones_go(tmp_path):
    recorder = HistoryRecorder(tmp_path, seconds=100, now=lambda: datetime(2031, 1, 1))
    record(recorder, (moment(number, CAR if number < 100 else BOAT) for number in range(200)))
    rewind = Rewind(recorder.session)
    first = rewind.entries[0]
    assert [each.number for each in rewind.entries] == list(range(199, -1, -1))
    assert [each.number for each in rewind.entries if each.changed] == [100]
    for start in range(200, 600, 100):
        record(recorder, map(moment, range(start, start + 100)))
        rewind.refresh()
    recorder.close()
    numbers = [each.number for each in rewind.entries]
    assert numbers == list(range(599, numbers[-1] - 1, -1)) and numbers[-1] > 0
    again = [each for each in rewind.entries if each.number == first.number]
    assert again in ([first], [])
    assert Rect(*rewind.get(0).render.shape[:2], 0, 0)[:2] == (64, 64)
