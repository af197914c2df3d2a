"""A change that makes pictures unusable is taken back, and the session goes on as it was."""

import numpy as np
import pytest
from doubles.lora import tiny_lora
from doubles.tiny_models import tiny_sd

from inkstream.stream import Stream
from inkstream.stream.base.errors import EngineError
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

SCALE = 1e30
SMALL = {"width": 64, "height": 64, "cfg_type": "none", "warmup": 0, "acceleration": "eager", "prompt": "a car"}


def drawing(number):
    return np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture
def huge(tmp_path):
    """A LoRA that gives no pictures at ``SCALE``."""
    return str(tiny_lora(tiny_sd(), tmp_path / "huge.safetensors", strength=5e3))


@pytest.mark.parametrize("steps", [(20,), (10, 30)])
def test_t8_a_lora_that_gives_no_pictures_is_taken_back(huge, steps):
    stream = Stream(tiny_sd(), t_index_list=steps, **SMALL)
    for number in range(4):
        stream(drawing(number))
    stream.update(lora_dict={huge: SCALE}, guidance_scale=1.5)
    with pytest.raises(EngineError, match="10 unusable pictures in a row"):
        for number in range(30):
            stream(drawing(number))
    assert stream.take_back() == "guidance_scale, lora_dict"
    assert not stream.config.lora_dict
    got = [output for output in map(stream, map(drawing, range(5))) if output is not None]
    got += stream.drain()
    fresh = Stream(tiny_sd(), t_index_list=steps, **SMALL)
    wanted = [output for output in [*map(fresh, map(drawing, range(5))), *fresh.drain()] if output is not None]
    assert [int(np.abs(a.pixels.astype(int) - b.pixels).max()) for a, b in zip(got[-4:], wanted[-4:], strict=True)] == [
        0
    ] * 4
    with pytest.raises(EngineError, match="no other settings"):
        stream.take_back()


def test_t8_the_session_says_what_it_took_back_and_goes_on(huge):
    stream, sink = Stream(tiny_sd(), t_index_list=(20,), **SMALL), FakeSink(keep=10_000)
    said = []
    source = FakeSource(stream.size, fps=200, pattern="noise")
    with Session(source, stream, [sink], on_status=lambda status: said.append(status.message)) as session:
        session.start()
        assert sink.wait(3)
        session.update(lora_dict={huge: SCALE})
        taken_back = "changed lora_dict: then no usable picture came, so that this is taken back"
        while not any(taken_back in message for message in said):
            assert not session.wait(0.02), session.error
        count = sink.count
        assert sink.wait(count + 3)
    assert session.error is None


def test_t8_a_model_that_never_gave_a_picture_ends_the_session(huge):
    stream = Stream(tiny_sd(), t_index_list=(20,), lora_dict={huge: SCALE}, **SMALL)
    session = Session(FakeSource(stream.size, frames=20, live=False, pattern="noise"), stream, [FakeSink()])
    with pytest.raises(EngineError, match="10 unusable pictures in a row"):
        session.run()
