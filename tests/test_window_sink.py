"""What the preview shows, with SDL's dummy driver."""

import numpy as np
import pytest
from doubles.preview import BLUE, LIVE, RED, VALUES, Session, output, seen

from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.window import WindowSink
from inkstream.stream.sinks.window.scene import STATES


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


def test_why_there_is_no_picture_stays_until_there_is_one(window, clock):
    lost = Status(state="reconnecting", values=VALUES, message="window 'drawing' is minimised; next try in 1 s")
    window.write(output(), LIVE)
    for _ in range(30):
        clock.now += 0.7
        window.write(None, lost)
        assert window.shown.toast == lost.message
    window.write(None, LIVE)
    clock.now += 10
    window.write(None, LIVE)
    assert window.shown.toast == ""


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
