"""What was drawn in before: programs, and what was on the screen last in each."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...base.blends import texts_of
from ...base.errors import ConfigError, DataError, FrameError
from ...base.files import json_bytes, open_regular, write_whole
from ...base.plain import reason
from ...base.private import make_private, user_state

log = logging.getLogger(__name__)
FILE = "start.json"
SEEN = "start-last"  # how the names of pictures begin that say how it was in a program
MOST_PROGRAMS = 3
THUMB = 320  # pixels of the longer side


class Last(NamedTuple):
    """How it was in a program the last time."""

    prompt: str = ""
    """The words; empty: nobody knows."""
    like: Path | None = None
    """A small picture of what was on the screen last, with its recipe; None where there is none."""
    picture: np.ndarray | None = None
    """That picture, (H, W, 3) uint8 RGB."""


def programs() -> tuple[str, ...]:
    """The programs that were drawn in, the newest first."""
    return tuple(_prompts())


def last(program: str) -> Last:
    """How it was in a program the last time."""
    from ...base.kept import read_recipe
    from ...base.pictures import read_picture

    prompts, path = _prompts(), _path(program)
    if program not in prompts:
        return Last()
    try:
        read_recipe(path)
        return Last(prompts[program], path, read_picture(path))
    except (ConfigError, FrameError, OSError) as error:
        log.debug("no settings of %s: %s", program, reason(error))
        return Last(prompts[program])


def remember(program: str, prompt: str = "") -> None:
    """A program is drawn in now. ``prompt`` says what, and that nothing else is known; empty: all is as before."""
    known = _prompts()
    if prompt:
        with contextlib.suppress(OSError):  # then it is not there either when it is looked for
            _path(program).unlink(missing_ok=True)
    _write(program, prompt or known.get(program, ""))


def learn(program: str, process: int, since: datetime) -> bool:
    """Remember what was on the screen last in a run, the process of a number that began then, by its history.

    False where that has nothing: it was off, or no picture came.
    """
    from ...base.kept import png_with
    from ...history.store import session_of

    try:
        rewind = session_of(process)
        seen = rewind.get(0) if rewind is not None else None
        if rewind is None or seen is None or rewind.began is None or rewind.began < since.replace(microsecond=0):
            return False
        newest = rewind.entries[0]
        making = newest.reel.making(newest.moment).as_live()  # and not in the middle of a fade
        path = make_private(user_state()) / _path(program).name
        write_whole(path, png_with(thumbnail(seen.render), making.recipe()))
    except (DataError, ConfigError, OSError) as error:
        log.info("what was on the screen is not remembered: %s", reason(error))
        return False
    _write(program, " + ".join(texts_of(making.stream.prompt)))
    return True


def written() -> str:
    """The prompt that was written last in a preview, or nothing."""
    from ...sinks.window.memory import Memory

    return next(reversed(Memory("preview").prompts), "")


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) made so small that many fit on a page."""
    height, width = picture.shape[:2]
    scale = min(1.0, THUMB / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _path(program: str) -> Path:
    """A name that says nothing to others, for any name of a program."""
    number = hashlib.sha256(program.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return user_state() / f"{SEEN}-{number}.png"


def _write(program: str, prompt: str) -> None:
    known = {program: prompt, **{name: said for name, said in _prompts().items() if name != program}}
    kept = dict(list(known.items())[:MOST_PROGRAMS])
    try:
        write_whole(make_private(user_state()) / FILE, json_bytes({"programs": [*kept], "prompts": kept}))
        for path in set(user_state().glob(f"{SEEN}-*.png")) - {_path(name) for name in kept}:
            path.unlink(missing_ok=True)
    except OSError as error:
        log.info("what is drawn in is not remembered: %s", reason(error))


def _prompts() -> dict[str, str]:
    """Program -> prompt, the newest first."""
    try:
        with open_regular(user_state() / FILE) as file:
            table = json.loads(file.read(1 << 16))
            names, prompts = table["programs"], table.get("prompts")
        found = [name for name in names if isinstance(name, str) and name][:MOST_PROGRAMS]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        log.info("what was drawn in before is not known: %s", reason(error))
        return {}
    said = prompts if isinstance(prompts, dict) else {}
    return {name: text if isinstance(text := said.get(name), str) else "" for name in found}
