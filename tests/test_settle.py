"""When the hand rests the last frame is rendered again, once, in more steps; a stroke never waits for that."""

import threading

import numpy as np
import pytest
from doubles.tiny_models import tiny_sd
from test_driver import Pushed, Turns, picture, until
from test_journal import rendered

from inkstream.stream import Session, Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import MemoryFull
from inkstream.stream.base.frame import Frame
from inkstream.stream.base.kept import recipe_of
from inkstream.stream.base.making import Making
from inkstream.stream.history.journal import Journal
from inkstream.stream.history.recorder import JournalRecorder
from inkstream.stream.loop.rest import at_rest
from inkstream.stream.session.driver import SETTLE_AFTER
from inkstream.stream.sinks.fake import FakeSink

SMALL = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "use_tiny_vae": False, "prompt": "a car"}


def settled(stream):
    """The picture at rest, and how many steps it took."""
    for steps in range(1, 50):
        output = stream.settle()
        if output is not None:
            return output, steps
    raise AssertionError("it never came")


# --- what is rendered


@pytest.mark.parametrize(
    "settings",
    [
        {"t_index_list": [20, 40]},
        {"t_index_list": [20, 40], "cfg_type": "full", "guidance_scale": 2.0},
        {"t_index_list": [20, 40], "cfg_type": "self"},
        {"t_index_list": [20], "frame_buffer_size": 2},
        {"t_index_list": [10, 30], "use_denoising_batch": False, "mode": "sketch", "controlnets": [{}]},
    ],
    ids=["img2img", "full", "self", "in buffers", "sketch"],
)
def test_a_picture_at_rest_is_what_its_recipe_makes_bit_for_bit(settings):
    nets = len(settings.get("controlnets", []))
    with Stream(tiny_sd(controlnets=nets), settle_steps=5, **SMALL, **settings) as stream:
        live = [stream(picture(level)) for level in (20, 90)]
        live += stream.drain()
        engine, before = stream.engine, stream.config
        assert stream.settles
        output, steps = settled(stream)
        assert (steps, output.source_id, output.revision) == (5, 1, 0) and not stream.settles
        assert stream.settle() is None and stream.engine is engine and stream.config is before
        after = [stream(picture(level), gated=False) for level in (20, 90)] + stream.drain()
    made = output.making.stream
    assert len(made.t_index_list) == 5 and made.t_index_list[0] == before.t_index_list[0]
    with Stream(tiny_sd(controlnets=nets), Making.of(recipe_of(output)).stream) as again:
        (same,) = [again(output.input), *again.drain()][-1:]
        assert (same.pixels == output.pixels).all() and not again.settles
    with_rest, without = ([each.pixels for each in found if each is not None] for found in (live, after))
    assert np.array_equal(with_rest, without), "the frames that stream are as if there had been no rest"
    assert not (with_rest[-1] == output.pixels).all()


def test_who_goes_on_from_a_picture_at_rest_gets_the_steps_of_before():
    with Stream(tiny_sd(), settle_steps=4, t_index_list=[20, 40], **SMALL) as stream:
        live = [stream(picture(20)), *stream.drain()][-1]
        output, _ = settled(stream)
        for making in (output.making, Making.of(recipe_of(output))):
            assert making.as_live().stream == live.making.stream == live.making.as_live().stream
            assert set(making.changes_from(stream.config)) == {"t_index_list", "use_denoising_batch"}
        assert not output.making.as_live().changes_from(stream.config)


def test_only_what_is_worth_it_is_rendered_again():
    config = StreamConfig.build(t_index_list=[20, 40], settle_steps=4)
    pipe = tiny_sd()
    assert at_rest(pipe, config).t_index_list == (20, 27, 35, 42)
    assert at_rest(pipe, config.changed(settle_steps=50)).t_index_list == tuple(range(20, 50))
    for change in ({"settle_steps": 2}, {"settle_steps": 0}, {"mode": "txt2img"}, {"t_index_list": [47, 48, 49]}):
        assert at_rest(pipe, config.changed(**change)) is None


def test_the_steps_are_those_that_the_model_is_best_in():
    from inkstream.models import embedded

    pipe = tiny_sd()
    pipe.tokenizer.name_or_path = str(embedded()["ink-tiny"] / "tokenizer")
    config = StreamConfig.build(t_index_list=[0, 13], settle_steps=4)
    assert at_rest(pipe, config).t_index_list == (0, 4, 12, 16)
    assert at_rest(pipe, config.changed(t_index_list=[10, 30])).t_index_list == (10, 20, 30, 40)


def test_a_frame_or_a_change_ends_it():
    with Stream(tiny_sd(), settle_steps=4, t_index_list=[20], **SMALL) as stream:
        assert not stream.settles
        stream(picture(20))
        assert stream.settle() is None and stream.settle() is None
        stream(picture(90))
        output, steps = settled(stream)
        assert steps == 4 and (output.input == 90).all()
        stream(picture(91), gated=True)
        assert not stream.settles, "a frame like the one before is none"
        stream(picture(20))
        stream.settle()
        stream.update(prompt="a house")
        assert not stream.settles and stream.settle() is None
        stream(picture(20))
        output, steps = settled(stream)
        assert steps == 4 and output.making.stream.prompt == "a house" and output.revision == 1
        stream.update(settle_steps=0)
        stream(picture(90))
        assert not stream.settles


def test_an_unusable_picture_at_rest_leaves_the_one_that_was_there(monkeypatch):
    with Stream(tiny_sd(), settle_steps=3, t_index_list=[20], **SMALL) as stream:
        stream(picture(20))
        stream.settle(), stream.settle()
        units = stream.engine
        decode = units.decode
        object.__setattr__(units, "decode", lambda latent: decode(latent) * float("nan"))
        assert stream.settle() is None and not stream.settles
        object.__setattr__(units, "decode", decode)
        assert stream(picture(20)) is None, "it is still the last frame"


# --- when


def test_it_comes_once_when_the_hand_has_rested_and_never_again():
    turns = Turns(settle_steps=3)
    turns.frames = [Frame(picture(0), 0, 0.0), Frame(picture(90), 1, 0.3), *_same(90, 2, 0.35, 20)]
    turns.run(40)
    assert turns.outputs[:2] == [(0.0, 0), (0.3, 1)] and [number for _, number in turns.outputs] == [0, 1, 1]
    assert turns.outputs[2][0] >= 0.3 + SETTLE_AFTER
    turns.run(1)
    assert turns.waits[-1] is None or turns.waits[-1] > 1e6, "it waits for a frame"


def test_a_frame_that_comes_meanwhile_waits_for_one_step_at_most():
    turns = Turns(settle_steps=8)
    turns.stream._delay, turns.stream._sleep = 0.05, turns.sleep
    turns.frames = [Frame(picture(0), 0, 0.0), Frame(picture(90), 1, 0.56)]
    turns.run(12)
    assert turns.outputs[0] == (0.05, 0) and turns.outputs[1] == (0.65, 1), "0.56 is in the step from 0.55 to 0.6"


@pytest.mark.parametrize("rest", ["frozen", "a file", "off"])
def test_it_never_comes(rest):
    turns = Turns(live=rest != "a file", settle_steps=0 if rest == "off" else 3)
    turns.driver.frozen = rest == "frozen"
    turns.frames = [Frame(picture(0), 0, 0.0)]
    turns.run(8)
    assert turns.outputs == [(0.0, 0)]


def test_what_is_in_flight_comes_first():
    turns = Turns(steps=3, settle_steps=4)
    turns.frames = [Frame(picture(0), 0, 0.0)]
    turns.run(20)
    assert turns.outputs == [(0.0, 0), (SETTLE_AFTER, 0)]


def test_a_full_memory_ends_it_and_nothing_else():
    turns = Turns(settle_steps=3)
    said = []
    turns.driver._say = said.append

    def full():
        raise MemoryFull("no room")

    turns.stream.settle = full
    turns.frames = [Frame(picture(0), 0, 0.0), Frame(picture(90), 1, 1.0)]
    turns.run(6)
    assert [number for _, number in turns.outputs] == [0, 0, 1] and len(said) == 1
    assert turns.stream.config.settle_steps == 0


def _same(level, first, begin, count):
    """A screen that goes on being captured while nothing changes there."""
    return [Frame(picture(level), first + number, begin + number / 30) for number in range(count)]


def test_a_session_settles_and_its_journal_says_so_bit_for_bit(tmp_path):
    recorder, source, sink = JournalRecorder(tmp_path / "journal.ink"), Pushed(), FakeSink(keep=100)
    stream = Stream(tiny_sd(), settle_steps=4, t_index_list=[20, 40], **SMALL)
    with Session(source, stream, [sink], on_output=[recorder.take], stall_after=60) as session:
        session.start()
        for number, level in enumerate((20, 90, 160), 1):
            source.items.put(picture(level))
            until(lambda number=number: sink.count >= 2 * number)
        ran = stream.metrics.summary()["stages"]["settle"]["count"]
        threading.Event().wait(2 * SETTLE_AFTER)
        assert stream.metrics.summary()["stages"]["settle"]["count"] == ran == 12, "then it rests as well"
        assert session.summary()["frames_rendered"] == 3 and sink.count == 6
    assert recorder.close(20)
    journal = Journal(tmp_path / "journal.ink")
    seen = [each.output for each in sink.written if each.output is not None]
    assert [len(each.making.stream.t_index_list) for each in seen] == [2, 4] * 3
    with Stream(tiny_sd(), journal.first.stream) as again:
        once_more = rendered(journal, again)
    assert [(each.pixels == other.pixels).all() for each, other in zip(seen, once_more, strict=True)] == [True] * 6
