"""The preview's keys, with SDL's dummy driver."""

import numpy as np
import pytest
from doubles.preview import BLUE, LIVE, RED, VALUES, output, seen

from inkstream.stream.base.errors import SinkClosed
from inkstream.stream.base.frame import Size
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sinks.window.brush import Brush
from inkstream.stream.sinks.window.desktop import NativeWindow
from inkstream.stream.sinks.window.helpview import CLOSE_ROW, pages
from inkstream.stream.sinks.window.memory import Memory
from inkstream.stream.sinks.window.scene import KEYS


def test_input_inset_small_then_side_by_side_then_off(window, pygame, press):
    press(shown=output())
    assert not (seen(pygame) == BLUE).all(axis=2).any()
    press("i")
    small = (seen(pygame) == BLUE).all(axis=2)
    assert 0.02 < small.mean() < 0.1
    assert small[200:, 250:].any()
    press("i")
    side = (seen(pygame) == BLUE).all(axis=2)
    assert side.shape == (300, 802)  # wider, so that the render is as large as before
    assert side.mean() > 0.35
    assert not side[:, 400:].any()
    press("i")
    assert seen(pygame).shape == (300, 400, 3)
    assert not (seen(pygame) == BLUE).all(axis=2).any()


def test_an_output_without_input_is_shown_whole(window, pygame, press):
    press("i", "i", shown=output(drawing=None))
    assert (seen(pygame)[150, 300:500] == RED).all()


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
    assert {"Space", "I", "S", "Esc, or hold Q"} <= {name for _, rows in KEYS for name, _ in rows}


def test_h_goes_through_the_pages_of_the_help_in_a_small_window(window, pygame, press):
    press("h", shown=output())  # 400x300
    assert window.shown.help == 1 and window.shown.toast == "", "nothing stands over the keys that H shows"
    first = seen(pygame)
    press("h")
    assert window.shown.help == 2 and not np.array_equal(seen(pygame), first)
    for _ in range(5):
        if window.shown.help:
            press("h")
    assert window.shown.help == 0


@pytest.mark.parametrize(
    ("size", "count"), [((384, 384), 2), ((640, 640), 1), ((1280, 720), 1), ((1920, 1080), 1), ((200, 150), None)]
)
def test_the_help_has_every_key_in_letters_that_can_be_read_and_inside_of_the_window(pygame, window, size, count):
    brush = Brush(pygame)
    brush.fit(size)
    found = pages(brush, size)
    assert count is None or len(found) == count
    rows = [row for page in found for column in page.columns for group in column for row in group.rows]
    assert [(row.key, " ".join(row.meaning)) for row in rows] == [each for _, rows in KEYS for each in rows]
    for page in found:
        assert brush.font("a", page.scale).size("Hor?")[1] >= 13
        assert len(page.columns) * page.wide <= size[0]
        high = (
            min(sum(group.lines for group in column) for column in page.columns) * CLOSE_ROW * page.scale * brush.unit
        )
        assert size[1] < 200 or high <= size[1]


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


def test_ctrl_q_and_the_closed_window_end_at_once(window, pygame, press):
    with pytest.raises(SinkClosed):
        press("CTRL+q")
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    with pytest.raises(SinkClosed):
        window.write(None, LIVE)


def test_escape_asks_before_it_ends(window, press):
    press("ESCAPE", shown=output())
    assert window.shown.question == "Close? Enter: yes, Esc: no"
    press("ESCAPE")
    assert window.shown.question == ""
    press("ESCAPE", "i")  # any other key is no answer, and does nothing else
    assert (window.shown.question, window.shown.inset) == ("", "off")
    press("ESCAPE")
    with pytest.raises(SinkClosed):
        press("RETURN")


def released(pygame, key: str) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=getattr(pygame, f"K_{key}"), mod=0, unicode=key))


def test_q_ends_when_it_is_held_for_a_second_and_not_before(window, pygame, press, clock):
    press("q", shown=output())
    assert "holding" in window.shown.question
    clock.now += 0.9
    press()
    released(pygame, "q")
    press()
    assert window.shown.question == "" and "hold Q" in window.shown.toast
    clock.now += 5
    press("q")
    pygame.event.post(pygame.event.Event(pygame.WINDOWFOCUSLOST))  # it may come up in another window
    press()
    clock.now += 5
    press("q")
    clock.now += 1.01
    press()
    assert window.shown.question == "let go of Q to close"  # or the next window would get the key
    released(pygame, "q")
    with pytest.raises(SinkClosed):
        press()


def test_t_keeps_it_on_top_and_the_next_one_too(window, pygame, press, tmp_path, clock, monkeypatch):
    press("t", shown=output())
    assert window.shown.toast == "this desktop does not keep windows on top"
    asked = []
    monkeypatch.setattr(NativeWindow, "keep_on_top", lambda self, on: asked.append(on) or True)
    press("t")
    assert window.shown.toast == "always on top"
    window.close()
    again = WindowSink(size=Size(80, 60), clock=clock, state=tmp_path)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_t, mod=0, unicode="t"))
    again.write(output(), LIVE)
    again.close()
    assert asked == [True, True, False]
    assert Memory("preview", tmp_path).left.top is False


def test_full_screen_and_back(window, pygame, press):
    press("F11", shown=output())
    assert pygame.display.get_surface().get_size() == pygame.display.get_desktop_sizes()[0]
    press("ESCAPE")  # leaves full screen, not the program
    press()
    assert pygame.display.get_surface().get_size() == (400, 300)


def test_letters_are_found_by_their_place_where_a_layout_has_none(window, pygame, press):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=ord("ш"), mod=0, unicode="ш", scancode=pygame.KSCAN_I))
    press(shown=output())
    assert window.shown.inset == "small"


def test_what_the_session_said_before_the_first_picture_is_read_before_the_hint(window, press, clock):
    cut = "cropped: top and bottom are cut off, of 200x300 pixels the middle 200x200 are rendered; set fit=letterbox"
    said = Status(state="live", values=VALUES, message=cut)
    press(status=said)
    press(shown=output(), status=said)
    assert window.shown.toast == cut
    clock.now += 5
    press(status=said)
    assert window.shown.toast == cut, "long words stay longer"
    clock.now += 3
    press(status=said)
    press(status=said)
    assert window.shown.toast == "H shows the keys"
