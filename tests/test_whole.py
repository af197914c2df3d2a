"""A frame recorded as one piece of work gives the pictures of the batch that it was recorded from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.pages import growing_pages, rendered, same
from doubles.tiny_models import tiny_sd, tiny_sdxl

from inkstream.bench.random_lora import tiny_lora
from inkstream.stream import Stream
from inkstream.stream.loop.whole import WholeFrame

BASE = {
    "width": 64,
    "height": 64,
    "device": "cpu",
    "acceleration": "eager",
    "similar_image_filter_threshold": None,
    "prompt": "a red car",
}


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


def recorded(stream, recorder):
    """The same stream on units that record."""
    networks = stream._networks
    made = networks.units
    networks.units = lambda config: replace(made(config), record=recorder)
    stream._plan = replace(stream._plan, steps=stream._make_steps(stream.config))
    assert isinstance(stream._plan.steps, WholeFrame)
    return stream


@pytest.mark.parametrize("mode", ["img2img", "sketch", "txt2img"])
@pytest.mark.parametrize("cfg_type", ["none", "full", "self", "initialize"])
def test_it_gives_the_pictures_of_the_batch(mode, cfg_type):
    settings = {**BASE, "mode": mode, "cfg_type": cfg_type, "guidance_scale": 1.4, "t_index_list": (10, 25, 40)}
    nets = 1 if mode == "sketch" else 0
    recorder = Recorder()
    expected = rendered(Stream(tiny_sd(controlnets=nets), **settings))
    assert same(expected, rendered(recorded(Stream(tiny_sd(controlnets=nets), **settings), recorder)))
    assert recorder.records == 1


@pytest.mark.parametrize("more", [{"do_add_noise": False}, {"frame_buffer_size": 2}, {"t_index_list": (30,)}])
def test_other_shapes_of_a_batch(more):
    settings = {**BASE, "mode": "img2img", "t_index_list": (10, 30), "cfg_type": "self", "guidance_scale": 1.2, **more}
    recorder = Recorder()
    expected = rendered(Stream(tiny_sd(vae="kl"), **settings))
    assert same(expected, rendered(recorded(Stream(tiny_sd(vae="kl"), **settings), recorder)))
    assert recorder.records == 1


def test_changes_record_nothing_again(tmp_path):
    lora = str(tiny_lora(tiny_sdxl(), tmp_path / "style.safetensors", strength=0.3))
    settings = {**BASE, "mode": "img2img", "t_index_list": (10, 30), "cfg_type": "full", "guidance_scale": 1.5}
    changes = [
        {"prompt": "a blue house", "seed": 5},
        {"lora_dict": {lora: 0.9}, "guidance_scale": 2.0},
        {"t_index_list": (5, 45), "delta": 0.7},
    ]
    recorder = Recorder()
    expected = rendered(Stream(tiny_sdxl(), lora_dict={lora: 0.2}, **settings), changes)
    stream = recorded(Stream(tiny_sdxl(), lora_dict={lora: 0.2}, **settings), recorder)
    assert same(expected, rendered(stream, changes))
    assert recorder.records == 1
    stream.update(t_index_list=(5, 20, 45))  # another number of rows
    stream(next(growing_pages(1)))
    assert recorder.records == 2


def test_a_picture_that_cannot_be_shown_is_not(monkeypatch):
    stream = Stream(tiny_sd(), mode="img2img", t_index_list=(30,), **BASE)
    units = stream.engine
    broken = {"now": False}

    def decode(latent):
        image = units.decode(latent)
        return image * float("nan") if broken["now"] else image

    made = stream._networks.units
    monkeypatch.setattr(stream._networks, "units", lambda config: replace(made(config), decode=decode))
    recorded(stream, Recorder())
    first, second, third = growing_pages(3)
    assert stream(first) is not None
    broken["now"] = True
    assert stream(second) is None and stream.metrics.counter("outputs_refused") == 1
    broken["now"] = False
    assert stream(third) is not None


def test_what_was_let_go_is_recorded_anew():
    recorder = Recorder()
    stream = recorded(Stream(tiny_sd(), mode="img2img", t_index_list=(10, 30), **BASE), recorder)
    for page in growing_pages(3):
        stream(page)
    stream.close()
    assert stream.pending == 0
    outputs = [stream(page) for page in growing_pages(3)]
    assert [output is not None for output in outputs] == [False, True, True] and recorder.records == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs gpu: there is no CUDA device")
def test_on_a_gpu_the_frame_is_one_graph():
    settings = {**BASE, "device": "cuda", "mode": "img2img", "t_index_list": (10, 30)}
    expected = rendered(Stream(tiny_sd().to("cuda"), **settings))
    stream = Stream(tiny_sd().to("cuda"), **{**settings, "acceleration": "compile"})
    assert isinstance(stream._plan.steps, WholeFrame)
    found = rendered(stream)
    assert expected.keys() == found.keys()
    assert max(np.abs(expected[key] - found[key]).mean() for key in expected) < 2
