"""A worker as it runs in a process of its own."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path

from ...base.capacity import slots_of
from ...base.configfile import RunConfig
from ...base.logs import logged
from ..studio.inprocess import InProcess, Loaded, Maker
from .config import ClusterConfig
from .host import Host
from .measuring import Measuring


def made_for(run: RunConfig, config: ClusterConfig, folder: str, history: float) -> str:
    """The same for workers that were begun for the same, so that one of them may serve for another."""
    same = config.model_copy(update={"workers": 1, "limit": 0, "spare": 0, "silence": 1.0, "tls": "", "address": ""})
    given = (run.model_dump_json(), same.model_dump_json(), folder, str(history))
    return hashlib.sha256("\0".join(given).encode()).hexdigest()[:16]


class Served(Host):
    """Called ``name`` in its log. Loads the model of ``run``, and measures how many drawings it takes. ``make`` as for
    ``InProcess``.
    """

    def __init__(
        self,
        run: RunConfig,
        config: ClusterConfig,
        folder: str,
        history: float = 0,
        make: Maker | None = None,
        name: str = "",
    ) -> None:
        self._log = ExitStack()  # until the process ends
        if config.logs:
            self._log.enter_context(logged(Path(config.logs) / f"{name}.jsonl"))
        measuring = Measuring(make or Loaded(run))
        most = 2 * config.most  # those that are being closed, too
        backend = InProcess(run, measuring, most=most, history=history, folder=folder, warm=True)

        def slots() -> tuple[int, float]:
            measured = measuring.measured
            if measured is None:
                return 0, 0.0
            return slots_of(measured, config.fps, config.duty, config.most), measured.fps

        super().__init__(backend, slots, backend.loading)
        self._made_for = made_for(run, config, folder, history)

    def about(self) -> str:
        """See ``made_for``."""
        return self._made_for

    def close(self) -> None:
        """Close everything, and the log."""
        super().close()
        self._log.close()
