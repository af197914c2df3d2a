"""The studio's page beside a run: what is drawn there is a source, and where it is seen a sink."""

from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from doubles.studio import Talk, asking, plain, run_config

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app.opening import Opening
from inkstream.stream.app.studio.beside import page_of
from inkstream.stream.base.errors import ConfigError, FrameError, SourceEnded
from inkstream.stream.base.frame import Size
from inkstream.stream.session.session import Session
from inkstream.stream.sinks import Status, check_sink, open_sink
from inkstream.stream.sinks.browser import wanted
from inkstream.stream.sources import open_source


@contextmanager
def running(source, sinks, model_comes=True):
    """A run with its page, as the command makes it; gives page and session."""
    run = run_config()
    with ExitStack() as stack:
        opening = Opening(source, sinks, run, stack)
        page = stack.enter_context(page_of(opening, source, sinks, run))
        stream = FakeStream(steps=1, size=Size(64, 64))
        session = Session(opening.source, page.heard(stream), opening.sinks, on_status=page.look)
        page.adopt(session, stream)
        session.start()
        stack.callback(session.stop)
        yield page, session


def test_what_is_drawn_in_the_browser_is_rendered_and_seen_there():
    with running("canvas:", ["browser:port=0", "null"]) as (page, session), Talk(page.server) as drawer:
        assert drawer.welcome["canvas"] is True
        drawer.draw(plain(200))
        assert abs(int(drawer.see()[1].mean()) - 55) <= 2
        drawer.say(type="set", request=1, changes={"prompt": "seen by all sinks"})
        drawer.hear("done", request=1)
        while session.status.config.prompt != "seen by all sinks":
            session.wait(0.01)
        with Talk(page.server, "page00002") as other:  # who names no drawing comes to the one that there is
            assert other.session == drawer.session
            other.see()


def test_pictures_from_elsewhere_are_seen_and_steered_in_the_browser():
    with ExitStack() as stack:
        source = "fake:pattern=noise,fps=30,size=64x64"
        page, _ = stack.enter_context(running(source, ["browser:port=0,quality=95"]))
        seen, rest = stack.enter_context(Talk(page.server)), stack.enter_context(asking(page.server))
        assert seen.welcome["canvas"] is False
        first, second = seen.see(), seen.see()
        assert not np.array_equal(first[1], second[1])
        rest.patch(f"/sessions/{seen.session}/params", json={"prompt": "from a script"})
        assert seen.hear("settings", revision=1)["values"]["prompt"] == "from a script"
        with Talk(page.server, "viewer001", seen.welcome["view"], "view") as viewer:
            viewer.see()


def test_a_program_puts_pictures_into_a_canvas_and_takes_them_from_a_browser():
    canvas, browser = open_source("canvas:"), open_sink("browser:quality=90")
    with pytest.raises(FrameError, match="expected"):
        canvas.put(np.zeros((4, 4), np.uint8))
    assert canvas.put(plain(1), "first") is False and canvas.put(plain(2), "second") is True
    assert int(canvas.read()[0, 0, 0]) == 2 and canvas.origin.mark == "second"
    canvas._again = 0.01
    assert int(canvas.read()[0, 0, 0]) == 2  # again, while nothing comes
    with Session(canvas, FakeStream(steps=1, size=Size(64, 64)), [browser]) as session:
        session.start()
        canvas.put(plain(250), "third")
        taken = []
        browser.take = taken.append
        while not any(each.output.origin.mark == "third" for each in [*taken, browser.newest] if each):
            session.wait(0.01)
    canvas.close()
    assert canvas.put(plain(3)) is False
    with pytest.raises(SourceEnded):
        canvas.read()
    browser.write(None, Status())
    browser.close()


def test_options_of_the_page_are_read_and_those_of_a_server_refused_without_one():
    assert wanted(check_sink("browser:port=7000,share,tls,quality=70")) == (70, 7000, None, True, True)
    with pytest.raises(ConfigError, match="inkstream run, not a program, serves it"):
        open_sink("browser:share")
    with pytest.raises(ConfigError, match="quality: got 0"):
        open_sink("browser:quality=0")
