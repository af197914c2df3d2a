"""A frame recorded as one piece of work gives the pictures of the batch that it was recorded from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages, rendered, same
from doubles.tiny_models import tiny_sd, tiny_sdxl
from doubles.units import change_units

from inkstream.stream import Stream

BASE = {
    "width": 64,
    "height": 64,
    "device": "cpu",
    "acceleration": "eager",
    "warmup": 0,
    "similar_image_filter_threshold": None,
    "prompt": "a red car",
}


@pytest.fixture(scope="module")
def pipes():
    """Pipelines that streams leave as they are, by the number of their ControlNets."""
    return tiny_sd(), tiny_sd(controlnets=1)


class Recorder:
    """As a device that records: plays back into the tensors of the record, and counts."""

    def __init__(self):
        self.records = 0

    def __call__(self, run):
        self.records += 1
        run()  # a warm-up, which moves everything on
        results = tuple(value.clone() for value in run())

        def play():
            for kept, new in zip(results, run(), strict=True):
                kept.copy_(new)
            return results

        return play


@pytest.fixture
def recorded(monkeypatch):
    """What makes a stream on units that record, and its recorder; every stream made later records as well."""

    def make(pipe, **settings):
        recorder = Recorder()
        change_units(monkeypatch, lambda units: replace(units, record=recorder))
        return Stream(pipe, **settings), recorder

    return make


@pytest.mark.parametrize("mode", ["img2img", "sketch", "txt2img"])
@pytest.mark.parametrize("cfg_type", ["none", "full", "self", "initialize"])
def test_it_gives_the_pictures_of_the_batch(mode, cfg_type, pipes, recorded):
    settings = {**BASE, "mode": mode, "cfg_type": cfg_type, "guidance_scale": 1.4, "t_index_list": (10, 25, 40)}
    pipe = pipes[mode == "sketch"]
    expected = rendered(Stream(pipe, **settings), count=6)
    stream, recorder = recorded(pipe, **settings)
    assert same(expected, rendered(stream, count=6))
    assert recorder.records == 1


@pytest.mark.parametrize("more", [{"do_add_noise": False}, {"frame_buffer_size": 2}, {"t_index_list": (30,)}])
def test_other_shapes_of_a_batch(more, recorded):
    settings = {**BASE, "mode": "img2img", "t_index_list": (10, 30), "cfg_type": "self", "guidance_scale": 1.2, **more}
    expected = rendered(Stream(tiny_sd(vae="kl"), **settings), count=6)
    stream, recorder = recorded(tiny_sd(vae="kl"), **settings)
    assert same(expected, rendered(stream, count=6))
    assert recorder.records == 1


def test_changes_record_nothing_again(tmp_path, recorded):
    lora = str(tiny_lora(tiny_sdxl(), tmp_path / "style.safetensors", strength=0.3))
    settings = {**BASE, "mode": "img2img", "t_index_list": (10, 30), "cfg_type": "full", "guidance_scale": 1.5}
    changes = [
        {"prompt": "a blue house", "seed": 5},
        {"lora_dict": {lora: 0.9}, "guidance_scale": 2.0},
        {"t_index_list": (5, 45), "delta": 0.7},
    ]
    expected = rendered(Stream(tiny_sdxl(), lora_dict={lora: 0.2}, **settings), changes)
    stream, recorder = recorded(tiny_sdxl(), lora_dict={lora: 0.2}, **settings)
    assert same(expected, rendered(stream, changes))
    assert recorder.records == 1
    stream.update(t_index_list=(5, 20, 45))  # another number of rows
    stream(next(growing_pages(1)))
    assert recorder.records == 2


def test_a_picture_that_cannot_be_shown_is_not(monkeypatch, pipes, recorded):
    factor = [1.0]
    change_units(monkeypatch, lambda units: replace(units, decode=lambda latent: units.decode(latent) * factor[0]))
    stream, _ = recorded(pipes[0], mode="img2img", t_index_list=(30,), **BASE)
    first, second, third = growing_pages(3)
    assert stream(first) is not None
    factor[0] = float("nan")
    assert stream(second) is None and stream.metrics.counter("outputs_refused") == 1
    factor[0] = 1.0
    assert stream(third) is not None


def test_what_was_let_go_is_recorded_anew(pipes, recorded):
    stream, recorder = recorded(pipes[0], mode="img2img", t_index_list=(10, 30), **BASE)
    for page in growing_pages(3):
        stream(page)
    stream.update(prompt="a car")
    stream.take_back()
    assert stream.pending == 0
    outputs = [stream(page) for page in growing_pages(3)]
    assert [output is not None for output in outputs] == [False, True, True] and recorder.records == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs gpu: there is no CUDA device")
def test_on_a_gpu_the_frame_is_one_graph():
    settings = {**BASE, "device": "cuda", "mode": "img2img", "t_index_list": (10, 30)}
    expected = rendered(Stream(tiny_sd().to("cuda"), **settings))
    stream = Stream(tiny_sd().to("cuda"), **{**settings, "acceleration": "compile"})
    assert stream.engine.record is not None
    found = rendered(stream)
    assert expected.keys() == found.keys()
    assert max(np.abs(expected[key] - found[key]).mean() for key in expected) < 2
