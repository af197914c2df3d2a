"""Leads from page to page, starts what was chosen, and is there again when that has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ...base.frame import Rect
from ...base.plain import plain, reason
from ...base.signals import INTERRUPTED
from . import last, offers, page
from .child import Child
from .page import BACK, CLOSE, Page
from .window import StartWindow

OPENING = 1.2  # seconds that the page stays while a run comes up, whose own window is there after about one
LIST_EVERY = 2.0  # seconds between two looks which windows are open
WAITING = 0.5  # seconds
PICK = "screen:pick"
INPUT = "-input"  # at the end of the name of what a picture was made from
CANCELLED = "pick: cancelled"  # as the picker says it
Ask = tuple[str, ...]


class Guide:
    """The start page's way.

    ``open_window`` opens a window at a place, ``run`` starts a command; ``prepare`` is called when a page is there.
    """

    def __init__(
        self,
        open_window: Callable[[Rect | None], StartWindow] = StartWindow,
        run: Callable[..., Child] = Child,
        clock: Callable[[], float] = time.monotonic,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._open, self._run, self._clock, self._prepare = open_window, run, clock, prepare
        self._window: StartWindow | None = None
        self._place: Rect | None = None
        self._child: Child | None = None
        self._ran: Child | None = None  # the last command that was started
        self._note = ""  # what happened last
        self._way: list[Ask] = []  # what was asked for to get here

    def run(self) -> int:
        """Until somebody closes the page; returns an exit code. Raises SinkUnavailable where there is no display."""
        ask: Ask = ("home",)
        try:
            while True:
                ask = self._answer(ask)
                if ask[:1] == ("end",):
                    return int(ask[1])
        finally:
            if self._child is not None:
                self._child.end()
            if self._window is not None:
                self._window.close()

    def _answer(self, ask: Ask) -> Ask:
        """Do what is asked for; gives what is asked for next."""
        if ask == CLOSE:
            return ("end", "0")
        if ask == BACK:
            self._way = self._way[:-1]
            return self._way.pop() if self._way else ("end", "0")
        kind, more = ask[0], ask[1:]
        if kind == "home":
            self._way = [ask]
            note, self._note = self._note, ""
            return self._show(page.home(note))
        self._way.append(ask)
        if kind == "windows":
            return self._windows(*more)
        if kind == "recent":
            return self._show(offers.recent())
        if kind == "session":
            self._way.pop()
            return self._session(int(more[0]))
        if kind == "again":
            self._way.pop()
            found = offers.windows().items
            return next((item.do for item in found if item.do[2:3] == more), ("windows", "", more[0]))
        if kind == "subject":
            source, program, like = more
            if like:
                self._way.pop()
                return ("run", source, program, like, "")
            return self._show(offers.subjects(source, program, like))
        if kind == "doctor":
            return self._doctor()
        if kind == "demo":
            folder = offers.pictures_folder()
            return self._start("Opening the demo", ["demo", "--output", str(folder / "inkstream-demo.mp4")], folder)
        return self._draw(*more)

    # --- pages

    def _show(self, shown: Page, look: Callable[[], Page | Ask | None] = lambda: None) -> Ask:
        if self._window is None:
            self._window = self._open(self._place)
        if self._ran is None or self._ran.code is not None:
            self._prepare()
        return self._window.ask(shown, look)

    def _windows(self, like: str = "", missing: str = "") -> Ask:
        looked = [self._clock()]

        def look() -> Page | None:
            if self._clock() < looked[0] + LIST_EVERY:
                return None
            looked[0] = self._clock()
            return offers.windows(like, missing)

        return self._show(offers.windows(like, missing), look)

    def _session(self, number: int) -> Ask:
        path = offers.like_session(number)
        if path is None:
            self._note = "That drawing has been let go of meanwhile."
            return ("home",)
        return ("windows", str(path))

    def _doctor(self) -> Ask:
        child = self._child = self._run(["doctor", "--json"], results=True)

        def look() -> Page | None:
            if child.code is None or child is not self._child:
                return None
            self._child = None
            try:
                return page.report(json.loads(child.output))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                return page.failed(child.reasons() or [reason(error)])

        chosen = self._show(page.looking(), look)
        self._end_child()
        return chosen

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()

    # --- runs

    def _draw(self, source: str, program: str, like: str, prompt: str) -> Ask:
        folder = offers.pictures_folder()
        place = str(folder).replace('"', '""')
        words = ["run", "--source", source, "--sink", f'window:save_dir="{place}"']
        words += ["--like", like] if like else ["--prompt", prompt]
        if not program:
            return self._start("Opening the preview", words, folder)
        last.remember(program)
        before, since, self._ran = last.written(), datetime.now(), None
        try:
            return self._start("Opening the preview", words, folder)
        finally:
            self._learn(program, prompt, before, since)

    def _learn(self, program: str, prompt: str, before: str, since: datetime) -> None:
        """Remember what came of a run in a program: what was on the screen last, else the words, where it went well.

        ``since``: when it was begun, with ``prompt``, and ``before`` was the prompt that was written last.
        """
        if self._ran is None or last.learn(program, self._ran.number, since):
            return
        written = last.written()
        if self._ran.code in (0, INTERRUPTED):
            last.remember(program, written if written != before else prompt)

    def _start(self, what: str, words: list[str], folder: Path) -> Ask:
        """Run a command, and say what came of it."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return self._show(page.failed([f"{folder} cannot be made: {reason(error)}"]))
        there = set(folder.iterdir())
        if PICK in words and self._window is not None:  # the page must not be in the picture that is picked from
            self._hide()
        child = self._child = self._ran = self._run(words)
        if self._window is not None:
            until = self._clock() + OPENING
            ready = lambda: ("there",) if child.code is not None or self._clock() >= until else None
            chosen = self._show(page.starting(what), ready)
            if chosen in (BACK, CLOSE):
                self._end_child()
                return ("home",) if chosen == BACK else CLOSE
            if child.code is None:
                self._hide()
        while child.wait(WAITING) is None:
            continue
        self._child = None
        self._note = _kept(folder, there)
        if child.code == 0 or any(CANCELLED in line for line in child.said):
            return ("home",)
        if child.code == INTERRUPTED:  # from outside, which means all of it
            return ("end", str(INTERRUPTED))
        return self._show(page.failed(child.reasons()))

    def _hide(self) -> None:
        assert self._window is not None
        self._place = self._window.place
        self._window.close()
        self._window = None


def _kept(folder: Path, before: set[Path]) -> str:
    """Which pictures and recordings are new in a folder, in words."""
    new = [path for path in folder.iterdir() if path not in before and not path.name.startswith(".")]
    # What lies beside a picture, its input and its layers, belongs to it.
    whole = {path.stem for path in new if path.suffix == ".png"}
    new = [path for path in new if path.suffix != ".ora" or path.stem not in whole]
    new = [path for path in new if not path.stem.endswith(INPUT) or path.stem.removesuffix(INPUT) not in whole]
    new.sort(key=lambda path: (path.suffix not in (".mp4", ".png"), path.name))
    if not new:
        return ""
    more = f" and {len(new) - 1} more" if len(new) > 1 else ""
    home = Path.home()
    place = f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
    return f"Kept in {plain(place, 120)}: {plain(new[0].name, 60)}{more}"
