"""``inkstream start``, and ``inkstream`` alone where there is a display: the page that everything begins on."""

from __future__ import annotations

import os
import sys

import typer


def display_there() -> bool:
    """Whether this session has a display to show a page on, as far as that can be told without opening one."""
    if sys.platform in ("win32", "darwin"):
        return not os.environ.get("SSH_CONNECTION")
    return any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def start() -> None:
    """Open the start page: pick the window you draw in, see the demo, go on from before, check this computer.

    inkstream alone does the same. A run that is started there comes back to it when its window is closed.
    """
    from contextlib import closing

    from ..start.child import Spare
    from ..start.guide import Guide

    with closing(Spare()) as spare:
        code = Guide(run=spare, prepare=spare.prepare).run()
    if code:
        raise typer.Exit(code)
