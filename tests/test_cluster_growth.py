"""More workers while people wait, and fewer when nobody needs them."""

import sys
from types import ModuleType

from doubles.cluster import Near, until
from doubles.studio import run_config

from inkstream.stream.app.cluster.config import ClusterConfig
from inkstream.stream.app.cluster.gateway import Gateway
from inkstream.stream.app.cluster.growth import Grows, Growth
from inkstream.stream.app.cluster.rays import ask_for_nodes
from inkstream.stream.app.cluster.slots import Place


def workers(count, taken, slots=4):
    return {f"worker-{number}": Place(slots, mine=taken if number == 0 else 0) for number in range(count)}


def test_more_are_wanted_at_once_and_fewer_when_they_were_not_needed_for_long():
    growth = Growth(2, 5, spare=1, rest=100.0)
    assert growth.wanted({}, 50, 0.0) == 2  # nobody knows yet what one of them can take
    assert growth.wanted(workers(2, 3), 0, 1.0) == 2
    assert growth.wanted(workers(2, 5), 0, 2.0) == 3  # two for those who draw, and one to spare
    assert growth.wanted(workers(3, 8), 3, 3.0) == 4  # those who wait count
    assert growth.wanted(workers(4, 16), 40, 4.0) == 5  # and no more than there may be
    assert growth.wanted({}, 0, 5.0) == 5  # all are lost: they come again
    assert growth.wanted(workers(5, 2), 0, 10.0) == 5
    assert growth.wanted(workers(5, 7), 0, 60.0) == 5  # a moment in which three were needed
    assert growth.wanted(workers(5, 0), 0, 103.0) == 5
    assert growth.wanted(workers(5, 0), 0, 105.0) == 3
    assert growth.wanted(workers(3, 0), 0, 206.0) == 2  # and never less than there are to be


def test_ray_is_asked_for_nodes_of_all_workers_at_once(monkeypatch):
    asked = []
    sdk = ModuleType("ray.autoscaler.sdk")
    sdk.request_resources = lambda bundles: asked.append(bundles)
    monkeypatch.setitem(sys.modules, "ray.autoscaler.sdk", sdk)
    ask_for_nodes(ClusterConfig(workers=3, limit=8, cores=4, gpus=1))
    ask_for_nodes(ClusterConfig(workers=2, limit=8, cores=2))
    ask_for_nodes(ClusterConfig(workers=2))  # as many as there are: nothing is asked for
    assert asked == [[{"CPU": 4, "GPU": 1.0}] * 3, [{"CPU": 2}] * 2]


def test_a_gateway_has_more_workers_and_empties_those_that_end(monkeypatch):
    monkeypatch.setattr("inkstream.stream.app.cluster.gateway.LOOK", 0.02)
    near = [Near(f"worker-{number}", slots=2) for number in range(3)]
    asked = []

    def resize(count):
        asked.append(count)
        return near[:count]

    growth = Growth(1, 3, spare=1, rest=0.0)
    made = Gateway(run_config(), lambda: near[:1], spare=0, silence=1.0, grows=Grows(growth, resize))
    made.start()
    try:
        until(lambda: len(made._ledger.workers) == 1)
        lives = [made.open(None, lambda news: None) for _ in range(2)]
        until(lambda: len(made._ledger.workers) == 2 and asked == [2])
        lives += [made.open(None, lambda news: None) for _ in range(2)]
        until(lambda: len(made._ledger.workers) == 3 and asked == [2, 3])
        made.leave(lives.pop(0))  # both of the first: those of the others go there
        made.leave(lives.pop(0))
        until(lambda: asked[-1] == 2 and set(made._ledger.workers) == {"worker-0", "worker-1"})
        made.leave(lives.pop(0))
        made.leave(lives.pop(0))
        until(lambda: asked[-1] == 1 and set(made._ledger.workers) == {"worker-0"})
        until(lambda: not any(worker.taken for worker in near))
    finally:
        made.close()
        for worker in near:
            worker.close()
