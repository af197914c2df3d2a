"""``inkstream`` in a process of its own, with a stream that has no network: ``python -m doubles.program OPTIONS``.

``NOISY`` in the environment makes libraries talk in every frame, in every way they have; ``LOADING`` makes loading wait
in C for so many seconds, where no signal handler of Python runs. The files ``running`` and ``loading`` say how far
it is.
"""

import ctypes
import logging
import os
import sys
import types
import warnings
from pathlib import Path

from inkstream.bench.synthetic import FakeStream


class Loaded(FakeStream):
    """What the commands load in place of a model."""

    @classmethod
    def from_pretrained(cls, model, config=None, *, progress=None):
        if os.environ.get("LOADING"):
            Path("loading").touch()
            ctypes.CDLL(None).sleep(int(os.environ["LOADING"]))
        return cls(steps=1)

    def __call__(self, frame, gated=True):
        if os.environ.get("NOISY"):
            for write in (sys.stderr.write if sys.stderr else print, lambda text: os.write(2, text.encode())):
                write("a library \x1b[31m talks " * 200)
            warnings.warn(f"a library warns {frame.id}", stacklevel=1)
            logging.getLogger("some.library").error("a library logs")
        if frame.id >= 5:  # the fifth itself may be one that a busy machine leaves out
            Path("running").touch()
        return super().__call__(frame, gated)


if __name__ == "__main__":
    stand_in = types.ModuleType("inkstream.stream.loop.stream")
    stand_in.Stream = Loaded
    sys.modules[stand_in.__name__] = stand_in
    from inkstream.stream.app.cli import main

    main()
