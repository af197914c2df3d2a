"""What a gateway has seen of its workers, for ``/metrics``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..studio.backend import Figure
from .host import Bundle, Hello, State
from .slots import Place


@dataclass
class _Worker:
    fps: float  # as it measured them at its start
    states: Mapping[str, State] = field(default_factory=dict)  # of this gateway's drawings
    memory: tuple[int, int] = (0, 0)  # bytes: what it has, what is free


class Seen:
    """Not for several threads at once."""

    def __init__(self) -> None:
        self.moved = 0
        self.lost = 0
        self.refused = 0
        self._workers: dict[str, _Worker] = {}

    def joined(self, worker: str, hello: Hello) -> None:
        """A worker is there."""
        self._workers[worker] = _Worker(hello.fps)

    def gone(self, worker: str) -> None:
        """A worker is lost."""
        self.lost += 1
        self.forget(worker)

    def forget(self, worker: str) -> None:
        """A worker has ended that was not needed."""
        self._workers.pop(worker, None)

    def heard(self, worker: str, bundle: Bundle) -> None:
        """What it says once a second."""
        known = self._workers.get(worker)
        if known is not None and bundle.memory is not None:
            known.memory, known.states = bundle.memory, bundle.states

    def figures(self, places: Mapping[str, Place]) -> list[Figure]:
        """Of all workers that there are."""
        found: list[Figure] = [
            Figure("inkstream_moved_total", {}, self.moved),
            Figure("inkstream_workers_lost_total", {}, self.lost),
            Figure("inkstream_turned_away_total", {}, self.refused),
        ]
        for name, place in places.items():
            known = self._workers.get(name, _Worker(0.0))
            doing = [state.doing for state in known.states.values()]
            slowest = max((each.latency_ms for each in doing), default=0.0)
            of = {"worker": name}
            found += [
                Figure("inkstream_worker_slots", of, place.slots),
                Figure("inkstream_worker_drawings", of, place.mine + place.others),
                Figure("inkstream_worker_draining", of, place.draining),
                Figure("inkstream_worker_measured_fps", of, known.fps),
                Figure("inkstream_worker_fps", of, sum(each.fps for each in doing)),
                Figure("inkstream_worker_latency_milliseconds", of, slowest),
                Figure("inkstream_worker_memory_bytes", {**of, "of": "used"}, known.memory[0]),
                Figure("inkstream_worker_memory_bytes", {**of, "of": "free"}, known.memory[1]),
            ]
        return found
