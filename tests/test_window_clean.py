"""The clean output: pictures and a caption, and never anything else, whatever happens."""

import numpy as np
import pytest
from doubles.preview import BLUE, LIVE, RED, VALUES, Session, output, seen

from inkstream.stream.base.errors import ConfigError, SinkClosed
from inkstream.stream.base.frame import Size
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.slate import BACKGROUND
from inkstream.stream.sinks.window import WindowSink


@pytest.fixture
def clean(pygame, tmp_path, clock):
    sink = WindowSink(size=Size(640, 360), clean=True, save_dir=tmp_path / "kept", clock=clock, state=tmp_path)
    sink.controls = Session()
    yield sink
    sink.close()


def key(pygame, name: str) -> None:
    code = getattr(pygame, f"K_{name}")
    text = name if len(name) == 1 else ""
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code, mod=0, unicode=text))


def test_nothing_but_the_picture_whatever_is_said(clean, pygame):
    clean.write(output(), LIVE)
    only = seen(pygame)
    assert (only[:, 142:498] == RED).all() and (only[:, :138] == BACKGROUND).all()
    for state in ("stalled", "reconnecting", "warming", "stopped", "idle", "settling"):
        clean.write(None, Status(state=state, values=VALUES, message="screen: no frame for 5 s", step="loading"))
        assert np.array_equal(seen(pygame), only), state
    for name in ("h", "s", "i", "i", "SPACE", "UP", "t", "RETURN", "ESCAPE"):
        key(pygame, name)
        clean.write(None, LIVE)
        assert np.array_equal(seen(pygame), only), name
    assert "Close? Enter: yes, Esc: no" in pygame.display.get_caption()[0]
    key(pygame, "RETURN")
    with pytest.raises(SinkClosed):
        clean.write(None, LIVE)


def test_words_go_to_the_title_which_still_says_whose_window_it_is(clean, pygame, clock):
    clean.write(output(), LIVE)
    clock.now += 60
    clean.write(None, LIVE)
    assert pygame.display.get_caption()[0] == "inkstream preview"
    only = seen(pygame)
    key(pygame, "p")
    key(pygame, "END")
    pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=" in snow"))
    clean.write(None, LIVE)
    assert pygame.display.get_caption()[0] == "inkstream preview: prompt: a fox in snow|"
    assert np.array_equal(seen(pygame), only)
    key(pygame, "RETURN")
    clean.write(None, Status(state="live", values=VALUES, message="refused:\nno"))
    assert pygame.display.get_caption()[0] == "inkstream preview: refused: no"
    assert clean.controls.updates == [{"prompt": "a fox in snow"}]


def test_before_the_first_picture_there_are_no_words_and_no_black(clean, pygame):
    clean.write(None, Status(step="loading ink-tiny, about 3 s", done=0.5))
    assert seen(pygame).max() > 150 and seen(pygame).min() >= BACKGROUND
    assert clean.shown.step == ""


def test_o_makes_it_clean_and_takes_it_back(window, pygame, press, clock):
    press("i", "i", shown=output())
    assert window.shown.inset == "side" and seen(pygame).shape == (300, 802, 3)
    press("o")
    assert window.shown.clean == "alone" and seen(pygame).shape == (300, 400, 3)
    assert not (seen(pygame) == BLUE).all(axis=2).any()
    press("o")
    assert window.shown.clean is None and window.shown.inset == "side" and seen(pygame).shape == (300, 802, 3)


def test_a_stage_has_the_render_large_the_sketch_small_and_the_prompt(clean, pygame):
    clean.write(output(), LIVE)
    key(pygame, "l")
    clean.write(None, LIVE)
    assert clean.shown.clean == "stage" and clean.shown.caption == "a fox"
    picture = seen(pygame)
    render, sketch = (picture == RED).all(axis=2), (picture == BLUE).all(axis=2)
    assert 0.4 < render.mean() < 0.55 and 0.05 < sketch.mean() < 0.2
    words = (picture > 200).all(axis=2)
    assert 0.0001 < words.mean() < 0.02 and not words[:, :360].any()
    blend = {**VALUES, "prompt": (("a fox", 1.0), ("a\nbear", 2.0))}
    clean.write(None, Status(state="live", values=blend))
    assert clean.shown.caption == "a fox + a bear"


@pytest.mark.parametrize("text", ["", "a " * 900, "画" * 400, "x" * 3000])
@pytest.mark.parametrize("size", [(1, 1), (1280, 720), (40, 300)])
def test_any_prompt_fits_any_stage(pygame, tmp_path, text, size):
    sink = WindowSink(size=Size(*size), clean=True, layout="stage", save_dir=tmp_path, state=tmp_path)
    values = {**VALUES, "prompt": text}
    for made in (output(), output(size=(1024, 576)), output(drawing=None)):
        sink.write(made, Status(state="live", values=values))
    sink.close()


@pytest.mark.parametrize("size", ["1280x720", "1920x1080"])
def test_a_size_for_broadcasts_is_exact_although_the_screen_is_smaller(pygame, tmp_path, size):
    sink = open_sink(f"window:clean,size={size},layout=stage,save_dir={tmp_path}")
    sink.write(output(), LIVE)
    assert str(Size(*pygame.display.get_surface().get_size())) == size
    sink.close()


def test_a_stage_has_the_shape_of_a_broadcast_until_the_user_gives_it_another(pygame, tmp_path, clock, monkeypatch):
    monkeypatch.setattr(pygame.display, "get_desktop_sizes", lambda: [(1920, 1080)])
    options = {"clean": True, "layout": "stage", "save_dir": tmp_path, "state": tmp_path, "clock": clock}

    def opened(**more) -> Size:
        sink = WindowSink(**options, **more)
        sink.write(output(), LIVE)
        size = sink.place.size
        if not more:
            clock.now += 60
            resized = pygame.event.Event(pygame.WINDOWRESIZED)
            pygame.display.set_mode((1000, 560), pygame.RESIZABLE)
            pygame.event.post(resized)
            sink.write(None, LIVE)
        sink.close()
        return size

    assert opened(scale=1) == (512, 512)
    assert opened() == (1280, 720)
    assert opened() == (1000, 560)
    assert opened(size=Size(1280, 720)) == (1280, 720)
    monkeypatch.setattr(pygame.display, "get_desktop_sizes", lambda: [(800, 600)])
    (tmp_path / "preview.json").unlink()
    assert opened() == (680, 382)


def test_a_layout_that_there_is_not(pygame):
    with pytest.raises(ConfigError, match="layout='wide', expected one of: alone, stage"):
        open_sink("window:layout=wide")
    assert not pygame.display.get_init()


class OtherProgram:
    """A program that had the keyboard before."""

    def __init__(self):
        self.given = []

    def other(self):
        return 7

    def give(self, window):
        self.given.append(window)


def test_after_a_prompt_no_other_window_is_raised_over_what_is_on_air(clean, pygame):
    clean._writing._focus = program = OtherProgram()
    for given in ([], [7]):
        clean.write(output(), LIVE)
        key(pygame, "p")
        clean.write(None, LIVE)
        key(pygame, "RETURN")
        clean.write(None, LIVE)
        assert program.given == given
        key(pygame, "o")  # no longer clean
