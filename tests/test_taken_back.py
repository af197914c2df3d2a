"""A change that gives no usable pictures is taken back: the stream goes on as it was before."""

import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd
from safetensors.torch import load_file, save_file

from inkstream.bench.synthetic import FakeStream
from inkstream.stream import Session, Stream
from inkstream.stream.base.errors import EngineError, UnusablePictures
from inkstream.stream.sinks.null import NullSink
from inkstream.stream.sources import open_source

SETTINGS = {"width": 64, "height": 64, "prompt": "a car", "warmup": 0, "acceleration": "none", "t_index_list": (20, 35)}


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """A LoRA that passes every check, and whose numbers are too much for the network all the same."""
    path = tiny_lora(tiny_sd(), tmp_path_factory.mktemp("lora") / "loud.safetensors")
    save_file({name: value * 250 for name, value in load_file(path).items()}, path)
    return path


def half():
    """In float16, where what exceeds 65,504 is infinite."""
    return tiny_sd().to(torch.float16)


def pictures(stream, pages):
    outputs = [stream(page, gated=False) for page in pages] + stream.drain()
    return {output.source_id: output.pixels for output in outputs if output is not None}


def test_t8_a_change_that_gives_no_pictures_is_taken_back(loud, tmp_path):
    pages = list(growing_pages(24))
    quiet = tiny_lora(tiny_sd(), tmp_path / "quiet.safetensors", seed=3)
    known = Stream(half(), **SETTINGS, lora_dict={quiet: 0.5})
    expected = pictures(known, pages[:4])
    stream = Stream(half(), **SETTINGS, lora_dict={quiet: 0.5})
    assert len(pictures(stream, pages[:4])) == 4
    before = stream.config
    stream.update(lora_dict={loud: 1.0, quiet: 0.1}, prompt="a house")
    with pytest.raises(UnusablePictures, match="10 unusable pictures in a row"):
        pictures(stream, pages)
    assert stream.take_back() == "prompt, lora_dict"
    assert stream.config == before
    after = pictures(stream, pages[:4])
    assert len(after) == 4
    for one, other in zip(after.values(), expected.values(), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    with pytest.raises(UnusablePictures, match="no configuration before"):
        stream.take_back()
    stream.update(lora_dict={loud: 0.0})  # loaded again, at rest: infinity times 0 is no number
    with pytest.raises(UnusablePictures):
        pictures(stream, pages)
    assert stream.take_back() == "lora_dict"
    assert len(pictures(stream, pages[:4])) == 4


def test_a_stream_that_never_gave_a_picture_has_nothing_to_go_back_to(loud):
    stream = Stream(half(), **SETTINGS, lora_dict={loud: 1.0})
    with pytest.raises(EngineError, match="10 unusable pictures in a row"):
        pictures(stream, list(growing_pages(24)))
    with pytest.raises(UnusablePictures, match="no configuration before"):
        stream.take_back()


def test_t8_a_session_says_so_and_goes_on(loud):
    stream = Stream(half(), **SETTINGS)
    said, sent = [], []

    class Sink(NullSink):
        def write(self, output, *more):
            super().write(output, *more)
            sent.extend([] if output is None else [output.revision])
            if len(sent) == 3 and output is not None:
                session.update(lora_dict={str(loud): 1.0})

    session = Session(
        open_source("fake:fps=60"), stream, [Sink()], on_status=lambda status: said.append(status.message)
    )
    session.run(frames=40)
    assert any(
        "nothing usable came of the last change, so it is taken back: lora_dict" in each for each in said if each
    )
    assert sent[-1] == 2 and stream.config.lora_dict == {}


def test_without_a_change_before_them_the_error_ends_the_session():
    class Broken(FakeStream):
        def __call__(self, frame, gated=True):
            raise UnusablePictures("10 unusable pictures in a row")

    with pytest.raises(UnusablePictures, match="10 unusable"):
        Session(open_source("fake:fps=60"), Broken(), [NullSink()]).run(frames=3)
