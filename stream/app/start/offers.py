"""What there is to choose from: windows that are open, and what was kept, seen or drawn in before."""

from __future__ import annotations

import heapq
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.errors import ConfigError, DataError, FrameError, SourceLost, SourceUnavailable
from ...base.files import open_regular, write_whole
from ...base.plain import plain, reason
from ...base.private import make_private, user_state
from . import last
from .last import thumbnail
from .page import Item, Page

if TYPE_CHECKING:
    from ...sources.screen.windows import WindowSystem

log = logging.getLogger(__name__)
LIKE = "start-like.png"  # the recipe of a session that is gone on from
FOLDER = "inkstream"  # in the user's folder of pictures
OTHER = "inkstream-output"  # where commands keep pictures, below the folder that they were started in
SMALLEST = 240  # pixels of a window's side: what is smaller is nothing that one draws in
MOST_PICTURES, MOST_SESSIONS = 12, 6
MOST_LOOKED_AT = 200  # files, the newest
AS_IT_WAS = ", with its seed, styles and all settings"
SUBJECTS = (("sedan", "A car", "car"), ("house", "A house", "house"), ("mountains", "A landscape", "hills"))


def pictures_folder() -> Path:
    """Where pictures that are kept from here go; it may not exist yet.

    On Linux as xdg-user-dirs says it: https://www.freedesktop.org/wiki/Software/xdg-user-dirs
    """
    home = Path.home()
    folder = home / "Pictures"
    if sys.platform.startswith("linux"):
        given = os.environ.get("XDG_CONFIG_HOME", "")
        base = Path(given) if os.path.isabs(given) else home / ".config"
        try:
            with open_regular(base / "user-dirs.dirs") as file:
                text = file.read(1 << 16).decode("utf-8", "replace")
        except OSError:  # there need not be one
            text = ""
        found = re.search(r'^\s*XDG_PICTURES_DIR="((?:\$HOME)?/[^"]*)"', text, re.MULTILINE)
        if found:
            folder = Path(found[1].replace("$HOME", str(home), 1))
    return (folder if folder.is_dir() else home) / FOLDER


# --- windows


def windows(like: str = "", missing: str = "", connect: Callable[[], WindowSystem] | None = None) -> Page:
    """The windows that are open, the one that was drawn in the last time first, and a part of the screen.

    ``like``: a kept picture whose settings are gone on with; ``missing``: a program that was asked for and is not open.
    What cannot be asked of a desktop is said on the page.
    """
    from ...sources.screen.windows import open_window_system

    part = Item(
        "A part of the screen",
        "Drag a rectangle over what you draw in.",
        ("subject", "screen:pick", "", like),
        icon="part",
    )
    about = "Choose the window that you draw in. Its sheet of paper is found by itself."
    try:
        with closing((connect or open_window_system)()) as system:
            found = list(_open_windows(system, like))
    except (SourceUnavailable, SourceLost) as error:
        return Page("windows", "Where do you draw?", f"Windows cannot be listed here: {error}", (part,))
    if not found:
        about = "No other window is open. Start your paint program and open a drawing; it appears here."
    if missing:
        about = f"{missing} is not open. Start it and open your drawing; its window appears here."
    known = {name: place for place, name in enumerate(last.programs())}
    found.sort(key=lambda item: known.get(item.do[2], len(known)))
    return Page("windows", "Where do you draw?", about, (*found, part))


def _open_windows(system: WindowSystem, like: str) -> Iterator[Item]:
    """An item for each; those above first."""
    for window in reversed(system.windows()):
        mine = window.pid == os.getpid() or window.is_preview or window.own
        if mine or not window.title.strip() or not window.shown or min(window.content.size) < SMALLEST:
            continue
        picture = system.picture(window, False)
        size = f"{window.content.width} x {window.content.height}"
        about = plain(f"{window.program}, {size}" if window.program else size, 80)
        source = f"screen:window={window.id:#x}"
        thumb = None if picture is None else thumbnail(picture)
        icon = "pen" if picture is None else ""
        yield Item(plain(window.title, 80), about, ("subject", source, window.program, like), thumb, icon)


def subjects(source: str, program: str, like: str) -> Page:
    """What is being drawn: the model has to be told, and a name is easier to choose than to write."""
    from ...sources.drawing import prompt_for

    before = last.last(program)
    choices = [(title, prompt_for(name), icon) for name, title, icon in SUBJECTS]
    if before.prompt and not before.like:
        choices = [("As last time", before.prompt, "again"), *(each for each in choices if each[1] != before.prompt)]
    items = [
        Item(title, plain(said, 120), ("run", source, program, "", said), icon=icon) for title, said, icon in choices
    ]
    if before.like:
        about = f"{plain(before.prompt, 90)}{AS_IT_WAS}".lstrip(" ,")
        again = ("run", source, program, str(before.like), "")
        items.insert(0, Item("As last time", about, again, before.picture, "again"))
    own = "Type what it will be, as in: a red house on grass. Enter starts."
    items.append(Item("In your words", own, ("run", source, program, ""), icon="pen", words=True))
    about = "The small model that comes along knows cars, buildings and landscapes. P changes the words at any time."
    return Page("subject", "What will it be?", about, tuple(items))


# --- what was before


def recent(folders: Iterable[Path] | None = None) -> Page:
    """Programs that were drawn in, pictures that were kept, and sessions of which something is left."""
    items = [
        Item(f"Draw in {plain(name, 60)} again", plain(before.prompt, 80), ("again", name), before.picture, "pen")
        for name, before in ((name, last.last(name)) for name in last.programs())
    ]
    items += _kept(folders if folders is not None else (pictures_folder(), Path.cwd() / OTHER))
    items += _sessions()
    about = "Going on from a picture takes its model, its words and all its settings."
    if not items:
        about = "Nothing yet. Pictures that you keep (Enter in the preview) and your last drawings come here."
    return Page("recent", "Go on", about, tuple(items))


def _kept(folders: Iterable[Path]) -> Iterator[Item]:
    """Pictures with their recipe inside, the newest first."""
    from ...base.kept import read_recipe
    from ...base.pictures import read_picture

    paths = dict.fromkeys(path for folder in folders for path in folder.glob("*.png") if path.is_file())
    newest = heapq.nlargest(MOST_LOOKED_AT, ((path.stat().st_mtime, path) for path in paths))
    count = 0
    for at, path in newest:
        try:
            recipe = read_recipe(path)
            picture = thumbnail(read_picture(path))
        except (ConfigError, FrameError, OSError) as error:
            log.debug("%s is no picture to go on from: %s", path, reason(error))
            continue
        about = f"kept {said_when(datetime.fromtimestamp(at))}, {plain(path.name, 60)}"
        yield Item(_prompt(recipe) or plain(path.stem, 80), about, ("windows", str(path)), picture)
        count += 1
        if count == MOST_PICTURES:
            return


def _sessions() -> Iterator[Item]:
    from ...history.store import sessions

    for number, rewind in enumerate(sessions()[:MOST_SESSIONS]):
        try:
            seen = rewind.get(0)
        except DataError as error:
            log.info("a session cannot be read: %s", reason(error))
            continue
        if seen is not None:
            when = "" if rewind.began is None else f"drawn {said_when(rewind.began)}, "
            title = plain(rewind.prompts[0], 80) if rewind.prompts else "A drawing"
            count = len(rewind)
            about = f"{when}{count:,} picture{'' if count == 1 else 's'} in the history"
            yield Item(title, about, ("session", str(number)), thumbnail(seen.render))


def like_session(number: int) -> Path | None:
    """A file with the last picture of a session and its recipe, to go on from; None where it is gone meanwhile."""
    from ...base.kept import png_with, recipe_of
    from ...history.store import sessions

    found = sessions()
    seen = found[number].get(0) if number < len(found) else None
    if seen is None:
        return None
    path = make_private(user_state()) / LIKE
    write_whole(path, png_with(seen.render, recipe_of(seen.output())))
    return path


def _prompt(recipe: Any) -> str:
    stream = recipe.get("stream") if isinstance(recipe, dict) else None
    prompt = stream.get("prompt") if isinstance(stream, dict) else None
    return plain(prompt, 80) if isinstance(prompt, str) else ""


def said_when(when: datetime, now: datetime | None = None) -> str:
    """A time as people say it: ``today 14:03``, ``yesterday 9:12``, ``3 May 2031``."""
    days = ((now or datetime.now()).date() - when.date()).days
    clock = f"{when.hour}:{when:%M}"
    return {0: f"today {clock}", 1: f"yesterday {clock}"}.get(days, f"{when.day} {when:%B %Y}")
