"""A sink that only counts: ``null``. For measuring, and for running without a screen."""

from __future__ import annotations

from ..base.frame import Output
from ..base.spec import Kind, Spec
from . import Status


class NullSink:
    """Counts what it is given in ``written`` and keeps nothing."""

    interval: float | None = None
    on_main_thread = False

    def __init__(self) -> None:
        self.written = 0

    def write(self, output: Output | None, status: Status) -> None:
        """Count one picture."""
        self.written += output is not None

    def close(self) -> None:
        """Nothing to let go of; the count stays."""


def open(spec: Spec) -> NullSink:
    """``null``; takes no options."""
    spec.take(KIND.options)
    return NullSink()


KIND = Kind("counts pictures and keeps none: to measure, and to run without a screen", ("null",), {}, NullSink)
