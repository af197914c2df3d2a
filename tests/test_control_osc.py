"""OSC over loopback: settings, commands, what is answered, and what garbage does."""

import time

import numpy as np
import pytest
from doubles.control import Console, steered

from inkstream.stream.base.errors import ConfigError

pytest.importorskip("pythonosc", reason='OSC needs python-osc: pip install "inkstream[control]"')
pytest.importorskip("starlette", reason="needs inkstream[studio]")
osc = pytest.importorskip("inkstream.stream.app.control.osc")
PLACE = osc.Place("127.0.0.1", 0)


@pytest.fixture
def run(tmp_path):
    with steered(tmp_path, controlnets=[{}]) as run:
        run.osc = osc.Osc(run.desk, PLACE)
        yield run
        run.osc.close()


@pytest.fixture
def console(run):
    with Console(run.osc.port) as console:
        yield console


def test_a_setting_is_changed_by_its_path_and_the_change_is_told_to_others(run, console):
    with Console(run.osc.port) as other:
        other.say("/status")
        assert other.hear("/status")[0] in ("warming", "live")
        console.say("/prompt", "a harbour")
        assert other.hear("/prompt") == ["a harbour"]
        console.say("/controlnets/0/conditioning_scale", 0.5)
        assert other.hear("/controlnets/0/conditioning_scale") == [0.5]
        console.say("/seed", 3, 0.25, 4, 0.75)
        assert other.hear("/seed") == [3, 0.25, 4, 0.75]
        console.say("/drawing_influence")  # asks
        assert console.hear("/drawing_influence") == [50.0]
        assert run.stream.config.prompt == "a harbour"


def test_a_fader_is_mapped_to_the_parameter_and_its_place_comes_back(run, console):
    console.say("/fader/drawing_influence", 0.25)
    run.until(lambda: run.stream.config.drawing_influence == 25.0)
    run.session.update(drawing_influence=75.0)  # by hand, in the window
    assert console.hear("/drawing_influence") == [75.0]
    assert console.hear("/fader/drawing_influence") == [0.75]


@pytest.mark.parametrize(
    ("address", "values", "said"),
    [
        ("/drawing_influence", [500.0], "drawing_influence: got 500"),
        ("/guidance_scael", [1.0], "did you mean 'guidance_scale'?"),
        ("/acceleration", ["eager"], "cannot change while running"),
        ("/prompt", ["a <lora:"], "prompt:"),
        ("/lora_dict//etc/passwd", [1.0], "expected"),
        ("/cue/next", [1.0], "there is no list of cues"),
        ("/cue/go", ["x"], "expected a number"),
        ("/fader/prompt", [0.5], "no fader can have it"),
        ("/seed/dice/now", [1], "no parts"),
    ],
)
def test_what_is_wrong_is_answered_where_it_came_from_and_ends_nothing(run, console, address, values, said):
    console.say(address, *values)
    if address == "/cue/next":  # nothing is wrong with that, and people are told
        run.until(lambda: said in run.session.status.message)
    else:
        where, why = console.hear("/error")
        assert where == address and said in why
    console.say("/prompt", "still here")
    run.until(lambda: run.stream.config.prompt == "still here")


def test_garbage_and_large_messages_end_nothing(run, console):
    rng = np.random.default_rng(7)
    for size in (0, 1, 4, 16, 300, 9000):
        console.send(rng.bytes(size))
        console.send(b"/prompt\0" + rng.bytes(size))
        console.send(b"#bundle\0" + rng.bytes(size))
    console.say("/prompt", "x" * 60_000)
    assert console.hear("/error")[0] == "/prompt"
    console.say("/seed", 5)
    run.until(lambda: run.stream.config.seed == 5)


def test_buttons_do_something_when_they_are_pressed_and_nothing_when_they_are_let_go(run, console):
    seed = run.stream.config.seed
    console.say("/seed/dice", 0.0)
    console.say("/seed/dice", 1.0)
    run.until(lambda: run.stream.config.seed != seed)
    assert len(run.stream.made) == 1
    for value, frozen in (("/hold 1", True), ("/hold 0", False), ("/freeze", True), ("/freeze", False)):
        address, *number = value.split()
        console.say(address, *map(int, number))
        run.until(lambda frozen=frozen: run.desk.frozen is frozen)
    run.session.freeze(True)  # by a key of the window
    console.say("/freeze")
    run.until(lambda: not run.session.frozen)
    console.say("/keep", 1)
    run.until(lambda: list(run.desk.steering._keeper.folder.glob("*.png")))


def test_names_of_streamdiffusiontd_are_taken(run, console):
    console.say("/prompt_list", '[["a fox", 0.6], ["a wolf", 0.4]]')
    run.until(lambda: run.stream.config.prompt == (("a fox", 0.6), ("a wolf", 0.4)))
    console.say("/seed_list", "[[7, 1.0], [9, 1.0]]")
    run.until(lambda: run.stream.config.seed == ((7, 1.0), (9, 1.0)))
    console.say("/controlnet_weight", 0.25)
    run.until(lambda: run.stream.config.controlnets[0].conditioning_scale == 0.25)
    console.say("/t_list", 5)
    run.until(lambda: run.stream.config.t_index_list == (5,))
    console.say("/pause", 1)
    run.until(lambda: run.desk.frozen)
    console.say("/play", 1)
    run.until(lambda: not run.desk.frozen)


def test_a_bundle_of_the_future_is_done_now(run, console):
    from pythonosc.osc_bundle_builder import OscBundleBuilder
    from pythonosc.osc_message_builder import OscMessageBuilder

    bundle = OscBundleBuilder(time.time() + 3600)
    message = OscMessageBuilder("/seed")
    message.add_arg(11)
    bundle.add_content(message.build())
    console.send(bundle.build().dgram)
    run.until(lambda: run.stream.config.seed == 11)


def test_a_named_place_is_told_everything_and_a_taken_port_is_said(tmp_path):
    with steered(tmp_path) as run, Console(0) as desk_of_lights, Console(0) as somebody:
        named = osc.Osc(run.desk, PLACE, feedback=osc.Place("127.0.0.1", desk_of_lights.port))
        try:
            somebody._to = ("127.0.0.1", named.port)
            somebody.say("/prompt", "for all to see")
            assert desk_of_lights.hear("/prompt") == ["for all to see"]
            with pytest.raises(ConfigError, match="cannot listen there: Address already in use"):
                osc.Osc(run.desk, osc.Place("127.0.0.1", named.port))
        finally:
            named.close()


def test_two_faders_that_move_at_once_never_fall_behind_and_end_where_they_were_left(run, console):
    run.stream.gate.clear()  # a change takes long
    for number in range(400):
        console.say("/drawing_influence", number / 4)
        console.say("/guidance_scale", number / 100)
        if number % 40 == 39:  # as fast as they are taken; UDP drops what is faster
            run.until(lambda number=number: run.desk.config.guidance_scale == pytest.approx(number / 100))
    run.stream.gate.set()
    run.until(lambda: run.stream.config.guidance_scale > 3.9 and run.stream.config.drawing_influence > 99)
    assert len(run.stream.made) <= 8  # of 800
