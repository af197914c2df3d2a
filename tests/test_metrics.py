"""What is measured is exact, bounded, cheap, and counts no skipped frame as rendered."""

import json
import threading
import time

import numpy as np
import pytest

from inkstream.stream.base.metrics import COUNTERS, STAGES, Metrics


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_percentiles_are_exact_over_the_window():
    metrics = Metrics(window=1000)
    values = np.random.default_rng(0).permutation(np.arange(1, 3001))
    for value in values:
        metrics.record("denoise", value / 1000)
    stage = metrics.summary()["stages"]["denoise"]
    window = np.sort(values[-1000:])
    assert stage["count"] == 3000
    assert stage["p50_ms"] == pytest.approx(window[499])
    assert stage["p95_ms"] == pytest.approx(window[949])
    assert stage["p99_ms"] == pytest.approx(window[989])
    assert stage["max_ms"] == pytest.approx(window[999])


def test_a_single_record_is_every_percentile():
    metrics = Metrics()
    metrics.record("sink", 0.25)
    stage = metrics.summary()["stages"]["sink"]
    assert stage == {"count": 1, "p50_ms": 250.0, "p95_ms": 250.0, "p99_ms": 250.0, "max_ms": 250.0}


def test_an_empty_summary_has_every_name_and_is_json():
    summary = Metrics().summary()
    assert list(summary["stages"]) == list(STAGES)
    assert all(summary[name] == 0 for name in COUNTERS)
    assert summary["stages"]["encode"] == {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}
    assert json.loads(json.dumps(summary)) == summary


def test_span_measures_with_the_given_clock_and_leaves_out_what_failed():
    clock = Clock()
    metrics = Metrics(clock)
    with metrics.span("prepare"):
        clock.now += 0.5
    with pytest.raises(KeyError), metrics.span("prepare"):
        raise KeyError
    stage = metrics.summary()["stages"]["prepare"]
    assert (stage["count"], stage["max_ms"]) == (1, 500.0)


def test_unique_and_emitted_rates_differ():
    metrics = Metrics()
    for number in range(11):  # 10 unique frames a second, each rendered twice
        now = number / 10
        assert metrics.rendered(number, now - 0.03, now) is True
        assert metrics.rendered(number, now - 0.03, now + 0.05) is False
        for repeat in range(3):
            metrics.emitted("camera", now + repeat / 30)
        metrics.emitted("video", now)
    metrics.count("frames_skipped", 5)
    summary = metrics.summary()
    assert summary["unique_fps"] == pytest.approx(10)
    assert summary["emitted_fps"] == pytest.approx(30)
    assert summary["sinks"]["video"] == {"written": 11, "fps": pytest.approx(10)}
    assert summary["frames_rendered"] == 11, "neither repeats nor skipped frames are rendered frames"
    assert summary["frames_skipped"] == metrics.counter("frames_skipped") == 5


def test_recent_rate_and_latency():
    metrics = Metrics()
    assert metrics.recent(0.0) == (0.0, 0.0)
    for number in range(301):  # 30 fps for 10 s; the latency doubles after 5 s
        now = number / 30
        metrics.rendered(number, now - (0.02 if now < 5 else 0.04), now)
        if number == 15:
            fps, latency = metrics.recent(now)
            assert fps == pytest.approx(30), "also in the first second"
            assert latency == pytest.approx(20)
    fps, latency = metrics.recent(10.0)
    assert fps == pytest.approx(30, abs=0.6)
    assert latency == pytest.approx(40)
    assert metrics.recent(60.0) == (0.0, pytest.approx(40)), "idle: no new pictures, the last latency stays"


def test_a_picture_rendered_again_has_no_latency():
    metrics = Metrics()
    metrics.rendered(7, 0.0, 0.02)
    metrics.rendered(7, 0.0, 50.0)
    assert metrics.recent(50.0)[1] == pytest.approx(20)


def test_other_stages_and_counters_can_be_added():
    metrics = Metrics()
    metrics.record("warm up", 2.0)
    metrics.count("oops", 3)
    summary = metrics.summary()
    assert summary["stages"]["warm up"]["p50_ms"] == 2000.0
    assert summary["oops"] == 3
    assert metrics.counter("never") == 0


def test_counting_from_many_threads_loses_nothing():
    metrics = Metrics(window=64)

    def work():
        for _ in range(2000):
            metrics.count("frames_captured")
            metrics.record("capture", 0.001)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summary = metrics.summary()
    assert summary["frames_captured"] == summary["stages"]["capture"]["count"] == 16_000


def test_memory_is_bounded():
    import tracemalloc

    metrics = Metrics(window=256)

    def work(count):
        for number in range(count):
            metrics.record("denoise", 0.1)
            metrics.rendered(number, 0.0, float(number))
            metrics.emitted("window", float(number))

    work(1000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work(5000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 64 * 1024


def test_a_record_is_cheap():
    metrics = Metrics()
    best = float("inf")
    for _ in range(20):  # the best of several, because others use this machine too
        start = time.perf_counter()
        for _ in range(500):
            metrics.record("encode", 0.001)
        best = min(best, (time.perf_counter() - start) / 500)
    assert best < 3e-6


def test_the_window_has_a_least_size():
    with pytest.raises(ValueError, match="window"):
        Metrics(window=1)
