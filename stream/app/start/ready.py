"""A process of inkstream that has imported what takes its time before it is told what to do.

The start page keeps one while somebody reads, so that what is chosen there is on the screen seconds sooner. It is told
by one line of JSON on its standard input, the words of a command; where the input ends without one, it ends, too.
"""

from __future__ import annotations

import gc
import json
import os
import sys

from ...base.signals import INTERRUPTED
from ..ahead import import_aside
from ..cli import main as command


def main() -> None:
    """Import, wait for the words, and be the command."""
    gc.disable()
    import_aside()
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    if not line:
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # as every command that the page starts
    os.close(nothing)
    sys.argv = ["inkstream", *json.loads(line)]
    gc.freeze()
    gc.enable()
    command()


if __name__ == "__main__":
    main()
