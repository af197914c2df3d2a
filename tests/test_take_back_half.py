"""A change that gives no usable pictures is taken back in float16, where a LoRA at scale 0 may still give NaN."""

import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd
from safetensors.torch import load_file, save_file

from inkstream.stream import Stream
from inkstream.stream.base.errors import EngineError

pytestmark = pytest.mark.slow  # it takes many frames until a stream gives up

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
    with pytest.raises(EngineError, match="10 unusable pictures in a row"):
        pictures(stream, pages)
    assert stream.take_back() == "prompt, lora_dict"
    assert stream.config == before
    after = pictures(stream, pages[:4])
    assert len(after) == 4
    for one, other in zip(after.values(), expected.values(), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    with pytest.raises(EngineError, match="no other settings"):
        stream.take_back()
    stream.update(lora_dict={loud: 0.0})  # loaded again, at rest: infinity times 0 is no number
    with pytest.raises(EngineError):
        pictures(stream, pages)
    assert stream.take_back() == "lora_dict"
    assert len(pictures(stream, pages[:4])) == 4


def test_a_stream_that_never_gave_a_picture_has_nothing_to_go_back_to(loud):
    stream = Stream(half(), **SETTINGS, lora_dict={loud: 1.0})
    with pytest.raises(EngineError, match="10 unusable pictures in a row"):
        pictures(stream, list(growing_pages(24)))
    with pytest.raises(EngineError, match="no other settings"):
        stream.take_back()


def test_t8_frames_in_flight_are_no_second_reason(loud):
    """Four steps of four frames: more unusable pictures are under way than would end the stream."""
    stream = Stream(half(), **SETTINGS | {"t_index_list": (10, 20, 30, 40)}, frame_buffer_size=4)
    pages = list(growing_pages(64))
    assert len(pictures(stream, pages[:8])) == 8
    stream.update(lora_dict={loud: 1.0})
    with pytest.raises(EngineError, match="unusable pictures in a row"):
        pictures(stream, pages)
    assert stream.take_back() == "lora_dict"
    assert len(pictures(stream, pages[:8])) == 8
