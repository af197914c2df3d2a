"""A device whose memory is full: the loop rolls back, frees, goes one step down, says so, and ends when it must."""

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd
from doubles.units import change_units

from inkstream import engines
from inkstream.bench.synthetic import FakeStream
from inkstream.stream import Session, Stream, StreamConfig
from inkstream.stream.base.errors import MemoryFull
from inkstream.stream.base.frame import Size
from inkstream.stream.loop import memory
from inkstream.stream.loop.memory import is_memory_full, memory_named, smaller_batch, smaller_picture
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

PAGE = np.full((64, 64, 3), 255, np.uint8)


def full(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


class Device:
    """What the networks of a stream run on. It holds so many numbers of latents at a time."""

    def __init__(self, monkeypatch):
        self.calls, self.limit = [], 10**9
        change_units(monkeypatch, lambda units: replace(units, denoise=partial(self.denoise, units.denoise)))

    def denoise(self, denoise, sample, *rest, **more):
        self.calls.append(tuple(sample.shape))
        if sample.numel() > self.limit:
            full()
        return denoise(sample, *rest, **more)


@pytest.fixture
def device(monkeypatch):
    return Device(monkeypatch)


@pytest.fixture
def stream(monkeypatch, device):
    monkeypatch.setattr(memory, "LEAST_SIDE", 64)  # so that the way down is walked on small pictures
    settings = {"width": 192, "height": 192, "warmup": 0, "device": "cpu", "acceleration": "eager"}
    return Stream(tiny_sd(), t_index_list=(10, 20, 30), similar_image_filter_threshold=None, **settings)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_full_memory(error, expected):
    assert is_memory_full(error) == expected


def test_the_way_down_gets_smaller_and_ends():
    config = StreamConfig.build(width=768, height=512, frame_buffer_size=3, t_index_list=(0, 10, 20))
    seen = []
    while step := smaller_batch(config) or smaller_picture(config):
        seen.append(step[1])
        config = config.changed(**step[1])
        assert len(seen) < 10
    assert seen == [
        {"frame_buffer_size": 1},
        {"use_denoising_batch": False},
        {"width": 576, "height": 384},
        {"width": 384, "height": 256},
        {"width": 256, "height": 256},
    ]
    tiny = StreamConfig.build(width=128, height=320, t_index_list=(0,))
    assert smaller_picture(tiny) == ("128x256 instead of 128x320", {"width": 128, "height": 256})


def test_a_frame_that_does_not_fit_leaves_nothing_behind(stream, device):
    for _ in range(2):
        assert stream(PAGE) is None
    device.limit = 4 * 24 * 24
    with pytest.raises(MemoryFull, match=r"the memory is full \(CUDA out of memory.*use a smaller size"):
        stream(PAGE)
    assert stream.pending == 0 and stream.metrics.counter("frames_dropped") == 2
    with pytest.raises(MemoryFull):  # the same again, and no other fault
        stream(PAGE)
    device.limit = 10**9
    assert sum(stream(PAGE) is not None for _ in range(3)) == 1, "and as from the start when there is memory again"


def test_one_step_down_and_on_it_goes(stream, device):
    device.limit = 4 * 24 * 24
    with pytest.raises(MemoryFull):
        stream(PAGE)
    assert stream.step_down() == "steps one after the other instead of in one batch"
    assert stream(PAGE).pixels.shape == (192, 192, 3)
    device.limit = 4 * 8 * 8  # somebody else takes memory meanwhile
    with pytest.raises(MemoryFull):
        stream(PAGE)
    assert stream.step_down() == "128x128 instead of 192x192"
    with pytest.raises(MemoryFull):
        stream(PAGE)
    assert stream.step_down() == "64x64 instead of 128x128"
    assert stream(PAGE).pixels.shape == (64, 64, 3)
    device.limit = 0
    with pytest.raises(MemoryFull):
        stream(PAGE)
    with pytest.raises(MemoryFull, match="nothing smaller than 64x64, one frame at a time, is left"):
        stream.step_down()
    assert device.calls[-1] == (1, 4, 8, 8)


def test_an_autoencoder_works_in_tiles_before_pictures_get_smaller(monkeypatch):
    pipe = tiny_sd(vae="kl")
    pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 64, 8
    stream = Stream(pipe, width=128, height=128, t_index_list=(20,), warmup=0, device="cpu", acceleration="eager")
    assert stream.step_down() == "an autoencoder that works in tiles"
    assert stream.pipe.vae.use_tiling
    assert not pipe.vae.use_tiling
    assert stream(PAGE).pixels.shape == (128, 128, 3)
    with pytest.raises(MemoryFull, match="nothing smaller"):
        stream.step_down()


def test_a_change_that_does_not_fit_is_rolled_back(stream, monkeypatch):
    before = stream.config
    monkeypatch.setattr(engines, "build", full)
    with pytest.raises(MemoryFull):
        stream.update(width=256, height=256)
    assert (stream.config, stream.revision) == (before, 0)
    assert sum(stream(PAGE) is not None for _ in range(3)) == 1, "it goes on as it was"


def test_nothing_holds_what_did_not_fit():
    held = []

    class Large:
        def __del__(self):
            held.append("gone")

    def work():
        large = Large()
        full(large)

    with pytest.raises(MemoryFull), memory_named():
        work()
    assert held == ["gone"]


def test_a_session_goes_on_with_less_and_says_so(caplog):
    caplog.set_level(logging.WARNING)
    stream, sink = FakeStream(1, size=Size(512, 512), memory=300 * 300), FakeSink()
    session = Session(FakeSource(Size(512, 512), frames=6, live=False), stream, [sink])
    session.run()
    assert session.error is None
    assert [each.output.pixels.shape for each in sink.written] == [(256, 256, 3)] * 6, "and every frame came out"
    said = [record.message for record in caplog.records if "memory is full" in record.message]
    assert said == [
        "the device's memory is full, so it goes on with 384x384 instead of 512x512",
        "the device's memory is full, so it goes on with 256x256 instead of 384x384",
    ]


def test_a_session_ends_where_nothing_smaller_is_left():
    stream = FakeStream(1, size=Size(256, 256), memory=1)
    session = Session(FakeSource(Size(256, 256), frames=6, live=False), stream, [FakeSink()])
    with pytest.raises(MemoryFull, match="nothing smaller than 256x256 is left"):
        session.run(seconds=10)
