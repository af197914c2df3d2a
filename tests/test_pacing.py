"""A fixed cadence: no drift, no bursts, and waits that end when somebody says so."""

import threading
import time

import pytest
from doubles.time import FakeTime

from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.pacing import Pacer, wait_until


def test_the_grid_is_kept_without_drift():
    time_ = FakeTime()
    pacer = Pacer(0.1, time_, time_)
    arrivals = []
    for work in (0.0, 0.03, 0.09, 0.01, 0.05):
        assert pacer.wait()
        arrivals.append(time_.now - 1000)
        time_.now += work
    assert arrivals == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_debt_is_wiped_and_the_phase_kept():
    time_ = FakeTime()
    pacer = Pacer(0.1, time_, time_)
    pacer.wait()
    time_.now += 0.37  # three target times missed
    arrivals = []
    for _ in range(4):
        pacer.wait()
        arrivals.append(time_.now - 1000)
    assert arrivals == pytest.approx([0.37, 0.4, 0.5, 0.6])  # one at once, no burst, on the old grid


def test_who_waits_elsewhere_asks_for_the_seconds_left():
    time_ = FakeTime(10.0)
    pacer = Pacer(0.1, time_)
    assert pacer.left() == 0.0
    time_.now = 10.01
    pacer.done()
    assert pacer.left() == pytest.approx(0.09)
    assert pacer.left() == pytest.approx(0.09), "asking is not waiting"
    time_.now = 10.1
    pacer.done()
    # 0.55 s late: four targets are missed and not made up for, and the next is on the old grid.
    time_.now = 10.75
    assert pacer.left() == 0.0
    time_.now = 10.76
    pacer.done()
    assert pacer.left() == pytest.approx(0.04)
    # A clock that jumps an hour costs one call, not 36,000.
    time_.now = 3610.83
    assert pacer.left() == 0.0
    pacer.done()
    assert pacer.left() == pytest.approx(0.07)


def test_a_call_that_comes_early_counts_for_the_next_target():
    time_ = FakeTime()
    pacer = Pacer(0.1, time_)
    pacer.done()
    time_.now += 0.05
    pacer.done()  # the first one was for now, this one for 0.1 s
    assert pacer.left() == pytest.approx(0.15)


def test_a_hundred_thousand_calls_do_not_drift():
    time_ = FakeTime()
    pacer = Pacer.of_fps(60, time_, time_)
    for _ in range(100_000):
        pacer.wait()
    assert time_.now == pytest.approx(1000 + 99_999 / 60, abs=1e-6)


def test_stopping_ends_the_wait_at_once():
    pacer = Pacer(100.0)
    pacer.wait()
    threading.Timer(0.05, pacer.stop.set).start()
    start = time.perf_counter()
    assert not pacer.wait()
    assert time.perf_counter() - start < 10  # the target time is 100 s away
    assert not wait_until(0.0, time.perf_counter, pacer.stop), "even when the time has come"


@pytest.mark.parametrize("fps", [0, -1, 1e9, float("nan")])
def test_impossible_rates_are_refused(fps):
    with pytest.raises(ConfigError, match="fps"):
        Pacer.of_fps(fps)


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan")])
def test_impossible_intervals_are_refused(interval):
    with pytest.raises(ValueError, match="more than 0"):
        Pacer(interval)
