"""``inkstream install-desktop``: an entry in the desktop's menu, so that nobody needs a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from ...base.progress import note


def install_desktop(
    remove: Annotated[bool, typer.Option("--remove", help="Take the entry and its icons away again.")] = False,
) -> None:
    """Put inkstream into this user's menu of programs, with its icon: it opens the start page.

    Nothing that others made is replaced or removed. Made from this very installation: run it again after you moved it.

    Examples:

        inkstream install-desktop
        inkstream install-desktop --remove
    """
    from .. import shortcut

    if remove:
        gone = shortcut.remove()
        for path in gone:
            note(f"removed: {path}")
        if not gone:
            note("there was no entry of inkstream")
        return
    made = shortcut.install()
    for path in made:
        note(f"made: {path}")
    note("inkstream is in the menu of programs now, under Graphics; inkstream install-desktop --remove takes it away")
