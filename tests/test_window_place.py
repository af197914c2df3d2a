"""Where the preview opens, and what it remembers: geometry, the file, and a window of SDL's dummy driver."""

import json

import pytest
from doubles.preview import LIVE, VALUES, output
from hypothesis import given
from hypothesis import strategies as some

from inkstream.stream.base.frame import Rect, Size
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sinks.window.desktop import NativeWindow
from inkstream.stream.sinks.window.memory import FILE, Memory
from inkstream.stream.sinks.window.pictures import halved, stage, widened
from inkstream.stream.sinks.window.place import Border, beside, common, covers, shaped, usable
from inkstream.stream.sinks.window.stand import opening

BORDER = Border(2, 30, 2, 2)
HD = Rect(0, 0, 1920, 1080)
SIZE = Size(384, 384)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Rect(100, 100, 900, 800), Rect(1002, 130, 384, 384)),  # right of it, upper edges in line
        (Rect(900, 100, 1000, 800), Rect(514, 130, 384, 384)),  # left
        (Rect(0, 0, 1920, 600), Rect(2, 630, 384, 384)),  # below
        (Rect(0, 480, 1920, 600), Rect(2, 94, 384, 384)),  # above
        (Rect(100, 900, 900, 170), Rect(1002, 694, 384, 384)),  # moved up, so that all of it is on the screen
        (Rect(0, 0, 1600, 1080), Rect(1602, 30, 316, 316)),  # no room: smaller
    ],
)
def test_beside_the_source(source, expected):
    assert beside(SIZE, source, [HD], BORDER) == expected


def test_a_window_whose_size_was_asked_for_covers_rather_than_shrinks():
    size, source = Size(1280, 720), Rect(0, 0, 1000, 1040)
    assert beside(size, source, [HD], BORDER).width < 1000
    whole = beside(size, source, [HD], BORDER, shrinks=False)
    assert whole.size == size and common(whole, HD) == 1280 * 720


def test_a_source_that_fills_its_screen_sends_it_to_another():
    other = Rect(1920, 0, 1280, 1024)
    place = beside(SIZE, HD, [HD, other], BORDER)
    assert common(place, other) == 384 * 384
    alone = beside(SIZE, HD, [HD], BORDER)
    assert common(alone, HD) == 384 * 384, "nowhere to go: seen whole all the same"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Rect(0, 0, 1200, 1080), Rect(1202, 30, 640, 640)),  # as large as it would like to be
        (Rect(0, 0, 1400, 1080), Rect(1402, 30, 516, 516)),  # all that there is, which is enough
        (Rect(0, 0, 1600, 1080), Rect(1922, 30, 640, 640)),  # less than enough: on the other screen
        (HD, Rect(1922, 30, 640, 640)),
    ],
)
def test_a_window_that_would_like_to_be_larger_stays_on_the_screen_that_has_enough(source, expected):
    assert beside(Size(640, 640), source, [HD, Rect(1920, 0, 1280, 1024)], BORDER, 0.6) == expected


def test_where_there_is_no_room_it_is_small_and_covers_no_more_than_before():
    assert beside(Size(640, 640), Rect(0, 0, 1680, 1080), [HD], BORDER, 0.6).size == (236, 236)
    assert beside(Size(640, 640), HD, [HD], BORDER, 0.6).size == (384, 384)


@given(
    some.builds(
        Rect, some.integers(-200, 1900), some.integers(-200, 1000), some.integers(50, 2500), some.integers(50, 2500)
    ),
    some.builds(Size, some.integers(100, 700), some.integers(100, 700)),
)
def test_wherever_the_source_is_it_is_covered_only_where_there_is_no_room(source, size):
    place = beside(size, source, [HD], BORDER)
    assert place.x >= HD.x and place.y >= HD.y
    # its shape, but for a pixel of each side
    assert abs(place.width * size.height - place.height * size.width) <= size.width + size.height
    if covers(place, source, BORDER):
        sides = (HD.width - source.x - source.width, source.x, HD.height - source.y - source.height, source.y)
        assert sides[0] < size.width + 4 and sides[1] < size.width + 4
        assert sides[2] < size.height + 32 and sides[3] < size.height + 32


def test_a_place_off_every_screen_is_not_used():
    assert usable(Rect(2000, 100, 400, 400), [HD], BORDER) is None
    assert usable(Rect(1000, 100, 400, 400), [HD], BORDER) == Rect(1000, 100, 400, 400)
    assert usable(Rect(1600, -20, 400, 400), [HD], BORDER) == Rect(1518, 30, 400, 400)  # mostly there: moved wholly on
    assert usable(Rect(10, 10, 400, 400), [], BORDER) is None


def test_sizes_keep_the_aspect_of_the_render_and_two_stand_side_by_side():
    assert shaped(Size(400, 400), Size(512, 512)) == (400, 400)
    assert shaped(Size(400, 400), Size(1024, 256)) == (800, 200)
    assert halved(widened(Size(384, 384))) == (384, 384)


@pytest.mark.parametrize("window", [(720, 1280), (1080, 1920), (500, 800)])
def test_a_stage_that_is_higher_than_wide_has_sketch_and_caption_below(window):
    plan = stage(Size(*window), Size(512, 512), Size(900, 700))
    assert plan.beside and plan.render.width == plan.render.height > 0.9 * window[0]
    for a, b in ((plan.render, plan.sketch), (plan.render, plan.caption), (plan.sketch, plan.caption)):
        assert common(a, b) == 0
    whole = Rect(0, 0, *window)
    assert all(common(each, whole) == each.width * each.height for each in plan[:3])
    assert plan.sketch.x == plan.render.x and plan.sketch.y == plan.caption.y > plan.render.y
    alone = stage(Size(*window), Size(512, 512), None)
    assert alone.caption.x == alone.render.x and alone.caption.width == alone.render.width


@pytest.mark.parametrize("window", [(1280, 720), (1920, 1080)])
def test_a_stage_shows_render_sketch_and_caption_without_one_over_the_other(window):
    plan = stage(Size(*window), Size(512, 512), Size(900, 700))
    assert plan.beside
    for a, b in ((plan.render, plan.sketch), (plan.render, plan.caption), (plan.sketch, plan.caption)):
        assert common(a, b) == 0
    whole = Rect(0, 0, *window)
    assert all(common(each, whole) == each.width * each.height for each in plan[:3])
    assert plan.render.width == plan.render.height > 0.9 * window[1]
    assert plan.sketch.x == plan.caption.x and plan.sketch.y == plan.render.y, "they stand in line"
    wide = stage(Size(*window), Size(1024, 576), Size(900, 700))
    assert not wide.beside and wide.render == whole
    assert common(wide.sketch, wide.caption) == 0


# --- what is remembered


def test_place_and_top_are_remembered_by_kind_and_prompts_by_all(tmp_path):
    memory = Memory("preview", tmp_path)
    assert memory.left.place is None and memory.prompts == ()
    memory.leave(place=Rect(-5, 6, 7, 8))
    memory.leave(top=True)
    for prompt in ("one", "two", "one", ""):
        memory.wrote(prompt)
    again = Memory("preview", tmp_path)
    assert again.left.place == (-5, 6, 7, 8) and again.left.top
    assert Memory("clean", tmp_path).left.place is None
    assert Memory("clean", tmp_path).prompts == ("two", "one")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"preview": 3, "prompts": "no"}',
        '{"preview": {"place": [1, 2, 3], "top": "yes"}, "prompts": [1, null]}',
        '{"preview": {"place": [1, 2, 0, 99999999]}}',
        '{"preview": {"place": [1e9, true, 5, 5]}}',
        "[" * 100_000,
    ],
)
def test_a_spoilt_file_is_as_good_as_none(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    memory = Memory("preview", tmp_path)
    assert memory.left.place is None and not memory.left.top and memory.prompts == ()
    memory.wrote("goes on")
    assert Memory("preview", tmp_path).prompts == ("goes on",)


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    memory = Memory("preview", tmp_path / "file")
    memory.wrote("a")
    memory.leave(top=True)
    assert memory.left.top


# --- a window


def test_a_first_picture_is_640_pixels_large_or_more_and_a_scale_is_obeyed():
    assert opening(Size(256, 256), None) == (640, 640)
    assert opening(Size(512, 256), None) == (1280, 640)
    assert opening(Size(512, 512), None) == (768, 768)
    assert opening(Size(256, 128), 1.5) == (384, 192)


@pytest.mark.parametrize("wide", [640, 520, 376, 200])
def test_a_window_takes_the_room_that_is_beside_the_source(pygame, tmp_path, clock, wide):
    window = opened(tmp_path, clock)
    window.write(output(), at(Rect(0, 0, 1024 - 4 - wide, 768)))
    assert window.place.size == (wide, wide) and window.place.x + wide <= 1024
    window.close()


def opened(tmp_path, clock, **options) -> WindowSink:
    return WindowSink(save_dir=tmp_path, state=tmp_path, clock=clock, **options)


def at(source: Rect | None, size=(256, 256)) -> Status:
    return Status(state="live", values=VALUES, size=size, area=source)


def test_a_window_opens_beside_its_source_and_follows_no_more(pygame, tmp_path, clock):
    window = opened(tmp_path, clock, scale=1.0)
    window.write(None, at(Rect(0, 0, 600, 768)))
    assert window.place == (602, 30, 256, 256)
    window.write(output(), at(Rect(400, 0, 600, 700)))  # it was moved; the preview stays where it is
    assert window.place == (602, 30, 256, 256)
    window.close()
    assert not (tmp_path / FILE).exists(), "a place that nobody chose is not remembered"


def test_a_place_that_the_user_chose_comes_back_unless_it_covers_the_source(pygame, tmp_path, clock):
    source = Rect(0, 0, 300, 700)
    window = opened(tmp_path, clock, scale=1.0)
    window.write(output(), at(source))
    clock.now += 5
    window._stand._window.move(Rect(650, 300, 300, 300))  # as a hand would
    pygame.event.post(pygame.event.Event(pygame.WINDOWMOVED, x=650, y=300))
    window.write(None, at(source))
    clock.now += 2
    window.write(None, at(source))
    assert json.loads((tmp_path / FILE).read_text())["preview"]["place"] == [650, 300, 300, 300]
    window.close()
    for where, expected in (
        (source, (650, 300, 300, 300)),
        (None, (650, 300, 300, 300)),
        (Rect(600, 0, 400, 768), (298, 30, 300, 300)),  # left of it
    ):
        window = opened(tmp_path, clock)
        window.write(None, at(where, (512, 512)))
        assert window.place == expected
        window.close()
    window = opened(tmp_path, clock)
    window.write(None, at(None, (512, 128)))
    assert window.place.size == (600, 150), "as large, with the aspect of the render"
    window.close()


def test_side_by_side_widens_stays_on_the_screen_and_comes_back(pygame, tmp_path, clock):
    window = opened(tmp_path, clock, scale=1.0)
    window.write(output(), at(Rect(0, 0, 100, 100), (400, 400)))
    before = window.place
    for key in "ii":
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=ord(key), mod=0, unicode=key))
    window.write(None, at(Rect(0, 0, 100, 100), (400, 400)))
    wide = window.place
    assert window.shown.inset == "side" and wide.size == widened(Size(400, 400))
    assert wide.x + wide.width <= 1024 and not covers(wide, Rect(0, 0, 100, 100), Border())
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=ord("i"), mod=0, unicode="i"))
    window.write(None, LIVE)
    assert window.place == before
    window.close()


def test_side_by_side_a_window_at_the_edge_comes_back_onto_the_screen(pygame, tmp_path, clock):
    window = opened(tmp_path, clock, scale=1.0)
    window.write(output(), at(None, (480, 480)))
    window._stand._window.move(Rect(540, 100, 480, 480))  # of 1024
    window._modes.inset = "small"
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=ord("i"), mod=0, unicode="i"))
    window.write(None, at(None, (480, 480)))
    assert window.shown.inset == "side" and window.place.size == widened(Size(480, 480))
    assert window.place.x + window.place.width <= 1024
    window.close()


def test_two_that_are_too_wide_for_the_screen_become_smaller_together(pygame, tmp_path, clock):
    window = opened(tmp_path, clock, scale=1.0, inset="side")
    window.write(output(), at(None, (900, 600)))
    assert window.place.width <= 1024
    window.close()


def test_without_sdls_library_it_opens_all_the_same(pygame, tmp_path, clock, monkeypatch):
    monkeypatch.setattr("inkstream.stream.sinks.window.desktop._candidates", lambda home: [])
    window = opened(tmp_path, clock, scale=1.0)
    window.write(output(), at(Rect(0, 0, 600, 768)))
    assert window.place.size == (256, 256)
    assert isinstance(window._stand._window, NativeWindow)
    window.close()
