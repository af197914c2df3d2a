"""Places of workers: how many there are, who gets one, who waits, and what a drawing is opened with again."""

import pytest

from inkstream.stream.app.cluster.config import load_cluster
from inkstream.stream.app.cluster.slots import FORGET, Ledger, Queue
from inkstream.stream.app.cluster.snapshot import Snapshot, left_as
from inkstream.stream.app.studio.backend import Changed, Mark, Rendered
from inkstream.stream.app.studio.settings import values_of
from inkstream.stream.base.capacity import Measured, slots_of
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError

GB = 1 << 30


def test_places_follow_from_what_was_measured():
    assert slots_of(Measured(94, 0, GB), fps=12, duty=0.4, most=64) == 13  # a card that renders 94 a second
    assert slots_of(Measured(94, GB, 3 * GB), fps=12, duty=0.4, most=64) == 2  # its memory is what ends first
    assert slots_of(Measured(94, 0, GB), fps=12, duty=0.4, most=5) == 5
    assert slots_of(Measured(0.5, 0, GB), fps=12, duty=1, most=64) == 1


def test_drawings_go_where_most_is_free_and_the_spare_is_for_the_lost():
    ledger = Ledger(spare=1)
    for name in ("a", "b"):
        ledger.joined(name, 2)
    assert ledger.slots == 2 and ledger.open == 2
    assert {ledger.take(), ledger.take()} == {"a", "b"}
    assert ledger.take() is None and ledger.open == 0
    ledger.lost("a")
    assert ledger.take(again=True) == "b" and ledger.take(again=True) is None
    ledger.give("b")
    assert ledger.open == 1  # the last worker keeps nothing back
    ledger.workers["b"].others = 1
    assert ledger.open == 0
    ledger.workers["b"].others, ledger.workers["b"].draining = 0, True
    assert not ledger.has_place and ledger.take(again=True) is None


def test_who_waited_longest_is_the_next():
    queue = Queue()
    assert queue.turn("a", 1, 0.0) == 0
    assert queue.turn("b", 0, 1.0) == 1 and queue.turn("c", 0, 2.0) == 2
    assert queue.turn("d", 1, 3.0) == 3  # b's turn, who asked first
    assert queue.turn("c", 2, 4.0) == 0
    assert queue.turn("b", 1, 5.0) == 0
    assert queue.turn("e", 0, 6.0) == 2  # after d
    assert queue.turn("e", 0, 3.0 + FORGET + 0.1) == 1  # who does not ask again does not wait


def test_when_a_place_gets_free_is_estimated_from_those_before():
    queue = Queue()
    assert queue.estimate(1, 10.0) is None
    for at in (0.0, 20.0, 40.0):
        queue.gave_back(at)
    assert queue.estimate(2, 60.0) == pytest.approx(40.0)


def test_a_snapshot_has_what_was_asked_for_and_revisions_go_on():
    config = StreamConfig.build(width=64, height=64)
    snapshot = Snapshot("ink-tiny", config, [["one", 0, 1000]])
    snapshot.changed(Changed(values_of(config), 4))
    snapshot.asked({"seed": 7})
    snapshot.changed(Changed(values_of(config), 5))  # of an earlier change: the asked one stays
    assert snapshot.left()["stream"]["seed"] == 7 and snapshot.left()["history"] == [["one", 0, 1000]]
    said = snapshot.moved()
    assert said.revision == 6 and said.values["seed"] == 7
    assert snapshot.changed(Changed(values_of(snapshot.config), 0)).revision == 6
    assert snapshot.rendered(Rendered(b"x", Mark(), 3, 64, 64)).settings == 9
    snapshot.asked({"seed": 8})
    snapshot.answered(made=False)
    assert snapshot.config.seed == 7


def test_settings_of_another_model_are_left_but_for_the_hands():
    start = StreamConfig.build(width=64, height=64)
    left = {"model": "other", "stream": {**values_of(start), "prompt": "a barn", "guidance_scale": 3.0}}
    assert left_as(None, start, "ink-tiny") is start
    assert left_as(left, start, "other").guidance_scale == 3.0
    other = left_as(left, start, "ink-tiny")
    assert other.guidance_scale == start.guidance_scale and other.prompt == left_as(left, start, "other").prompt
    assert left_as({"stream": {"nonsense": 1}}, start, "ink-tiny") is start


def test_the_file_of_a_cluster_says_where_it_is_wrong(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text("workers: 3\ngpus: 1\n")
    assert load_cluster(path).workers == 3 and load_cluster(None).spare == 1
    path.write_text("workers: 3\nworker: 1\n")
    with pytest.raises(ConfigError, match=r"cluster.yaml:2:1.*worker"):
        load_cluster(path)
