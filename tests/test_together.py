"""Streams that go through one model's networks together: each gets its own, at the price of fewer calls."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd

from inkstream.bench import together as bench
from inkstream.engines import Options, together
from inkstream.engines.shapes import Shapes
from inkstream.engines.together import Pool
from inkstream.engines.units import Units
from inkstream.stream import Stream
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.measures import psnr

SHAPES = Shapes(1, 2, 64, 64, (4, 8, 8), (5, 16), controlnets=1, features=8)
SIDE = 64


class Network:
    """Stands for what is built: adds 1 to what it is given, counts calls, and may be held up or fail."""

    unet = vae = object()

    def __init__(self, monkeypatch):
        self.calls, self.built, self.fails = [], [], None
        self.free = threading.Event()
        self.free.set()
        monkeypatch.setattr(together, "build", self.build)

    def build(self, name, pipe, controlnets, shapes, options):
        self.built.append(shapes.frames)

        def denoise(sample, timestep, text, features, scales, **added):
            assert len(sample) == len(timestep) == len(text) == features.shape[1] == scales.shape[1] == shapes.rows
            return self.run("denoise", sample + timestep.view(-1, 1, 1, 1) * scales[0].view(-1, 1, 1, 1))

        def embed(conditions):
            assert conditions.shape[1] == shapes.frames
            return self.run("embed", conditions[..., ::8, ::8].repeat(1, 1, 3, 1, 1)[:, :, :8] + 1)

        return Units(
            lambda image: self.run("encode", image + 1),
            embed,
            denoise,
            lambda latent: self.run("decode", latent + 1),
            name,
            record=lambda run: run,
        )

    def run(self, unit, result):
        self.free.wait(20)
        self.calls.append((unit, len(result)))
        if self.fails:
            raise self.fails
        return result

    def joined(self, pool):
        return pool.build("some", self, [], SHAPES, Options())


@pytest.fixture
def network(monkeypatch):
    return Network(monkeypatch)


def row(value, count=2):
    return {
        "sample": torch.full((count, 4, 8, 8), float(value)),
        "timestep": torch.full((count,), 10.0 * value),
        "text": torch.zeros(count, 5, 16),
        "features": torch.zeros(1, count, 8, 8, 8),
        "scales": torch.ones(1, count),
    }


def asked(units, value):
    return units.denoise(*row(value).values())


def test_one_stream_is_served_as_without_a_pool(network):
    units = network.joined(Pool())
    assert network.built == [1] and units.record is None, "a recorded frame would be one stream's"
    assert asked(units, 3).eq(33).all() and units.decode(torch.ones(1, 4, 8, 8)).eq(2).all()
    assert network.calls == [("denoise", 2), ("decode", 1)]


def test_what_comes_while_the_network_is_busy_goes_together(network):
    pool = Pool()
    units = [network.joined(pool) for _ in range(3)]
    assert network.built == [1, 2, 4], "as many as there are, and one alone"
    network.free.clear()
    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(asked, each, value) for value, each in enumerate(units)]
        group = next(iter(pool._groups.values()))
        while len(group._waiting) + (1 if group._leading else 0) < 3 and not network.calls:
            pass
        network.free.set()
        for value, each in enumerate(found):
            assert each.result(20).eq(value + 10 * value).all(), "each has its own"
    assert sum(1 for _ in network.calls) <= 2


def test_streams_that_were_together_stay_together(network):
    pool = Pool()
    units = [network.joined(pool) for _ in range(2)]
    start = threading.Barrier(2)

    def work(each, value):
        start.wait(20)
        return [bool(asked(each, value + step).eq(11 * (value + step)).all()) for step in range(200)]

    network_run = network.run
    network.run = lambda unit, result: (threading.Event().wait(0.002), network_run(unit, result))[1]
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(work, each, 1000 * value) for value, each in enumerate(units)]
        assert all(all(each.result(60)) for each in both)
    assert len(network.calls) < 300, "of 400 calls most were made together"


def test_frames_and_rows_are_split_where_they_are(network):
    pool = Pool()
    one, _two = network.joined(pool), network.joined(pool)
    conditions = torch.rand(1, 1, 3, 64, 64)
    assert one.embed(conditions).shape == (1, 1, 8, 8, 8)
    assert one.encode(torch.zeros(1, 3, 64, 64)).eq(1).all()


def test_what_fails_is_raised_by_all_that_were_in_it_and_the_next_is_served(network):
    pool = Pool()
    units = [network.joined(pool) for _ in range(2)]
    network.fails = EngineError("no")
    with ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(asked, each, 1) for each in units]:
            with pytest.raises(EngineError, match="no"):
                each.result(20)
    network.fails = None
    assert asked(units[1], 2).eq(22).all()


def test_who_has_left_is_waited_for_no_more(network):
    pool = Pool()
    units = [network.joined(pool) for _ in range(2)]
    group = next(iter(pool._groups.values()))
    del units[1]
    gc.collect()
    assert len(group.members) == 1
    del units
    gc.collect()
    again = network.joined(pool)
    assert asked(again, 1).eq(11).all()


def test_seats_are_a_number_of_streams():
    with pytest.raises(ValueError, match="seats: got 0, expected 1 or more"):
        Pool(0)


def page(colour):
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    picture[20:44, 16:48] = colour
    return picture


@pytest.mark.parametrize("steps", [(0,), (0, 25)])
def test_streams_with_settings_of_their_own_give_what_they_give_alone(steps):
    """Three streams at once, each with its own prompt, seed, scale and pictures."""
    pipe = tiny_sd(controlnets=1)
    settings = [
        {"prompt": "a red house", "seed": 1, "controlnets": [{"preprocessor": "scribble"}]},
        {"prompt": "b", "seed": 2, "controlnets": [{"preprocessor": "scribble", "conditioning_scale": 0.4}]},
        {"prompt": "", "seed": 3, "controlnets": [{"preprocessor": "scribble"}]},
    ]
    common = {"width": SIDE, "height": SIDE, "mode": "sketch", "t_index_list": steps, "acceleration": "eager"}
    common |= {"cfg_type": "none", "guidance_scale": 1.0, "similar_image_filter_threshold": None, "warmup": 0}
    pages = [page((value, 90, 255 - value)) for value in (0, 80, 160, 240)]

    def pictures(stream):
        found = [stream(each) for each in pages]
        return [output.pixels.copy() for output in [*found, *stream.drain()] if output is not None]

    alone = [pictures(Stream(pipe, **common, **own)) for own in settings]
    pool = Pool()
    streams = [Stream(pipe, pool=pool, **common, **own) for own in settings]
    with ThreadPoolExecutor(3) as threads:
        shared = list(threads.map(pictures, streams))
    for mine, other in zip(alone, shared, strict=True):
        assert len(mine) == len(other) == len(pages)
        assert min(psnr(a, b) for a, b in zip(mine, other, strict=True)) > 45
    assert not np.array_equal(shared[0][0], shared[1][0])


@pytest.mark.slow  # three programs load a model
def test_the_bench_holds_every_way_against_processes(monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "WAYS", {name: bench.WAYS[name] for name in ("processes", "together")})
    result = bench.measure("ink-tiny", counts=(2,), seconds=0.3)
    rows = {row["way"]: row for row in result["rows"]}
    assert rows["processes"]["ratio"] == 1.0 and all(row["slowest_fps"] > 0 for row in rows.values())
    if rows["processes"]["memory_mb"] is not None:
        assert rows["together"]["memory_mb"] < 0.8 * rows["processes"]["memory_mb"]
    assert bench.table(result).row_count == 2
