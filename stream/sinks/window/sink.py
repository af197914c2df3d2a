"""The window sink: what it shows of each picture, and what its keys do (``KEYS`` in ``scene`` lists them)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from ...base.errors import ConfigError, SinkClosed
from ...base.frame import Output, Rect, Size
from ...base.metrics import IN_WORDS
from ...base.preview import PREVIEW_TITLE
from .. import Controls, Status
from .desktop import NativeWindow, hide_from_capture, open_display
from .focus import open_focus
from .keep import Keeper
from .keys import Keyboard
from .leave import Leaving
from .lifeline import Lifeline
from .memory import Memory
from .overlay import Painter
from .prompt import printable
from .scene import Inset, Layout, Scene
from .stand import Stand
from .writing import Writing

TOAST_SECONDS, FADE_SECONDS = 4.0, 0.4
STATISTICS_EVERY = 0.25  # seconds; faster numbers cannot be read
INFLUENCE_STEP = 5
LASTING = ("stalled", "reconnecting")  # states whose reason stays until they end
SETTLED_AFTER = 1.0  # seconds until the session's own value of the influence is believed again


class WindowSink:
    """Shows the newest output as large as it fits, and takes keys. One window for each process.

    ``size`` is the window's size, else ``scale`` times the size of outputs (default 1.5), or as it was left. It opens
    where it was left, or beside the source (``Status.area``). ``inset`` shows the input: off, small, side. ``top``
    keeps the window above others where the desktop allows it; None: as it was left. ``clean`` shows pictures and
    nothing else, for captures, in a ``layout``: the render alone, or a stage of render, sketch and prompt.
    ``capturable`` lets screen captures see the window on Windows too, where it hides from them otherwise, unless it
    opens ``clean`` (unverified). Kept pictures go to ``save_dir``; what the window remembers to ``state``, by default
    the user's state folder.

    Raises SinkUnavailable, with a hint, when there is no display.
    """

    interval: float | None = 1 / 60
    on_main_thread = True

    def __init__(
        self,
        size: Size | None = None,
        scale: float = 1.5,
        fullscreen: bool = False,
        stats: bool = False,
        inset: Inset = "off",
        top: bool | None = None,
        capturable: bool = False,
        save_dir: str | Path = "inkstream-output",
        clean: bool = False,
        layout: Layout = "alone",
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = datetime.now,
        state: Path | None = None,
    ) -> None:
        for name, value, kinds in (("inset", inset, Inset), ("layout", layout, Layout)):
            if value not in get_args(kinds):
                raise ConfigError(f"window: got {name}={value!r}, expected one of: {', '.join(get_args(kinds))}")
        if not 0.1 <= scale <= 16:
            raise ConfigError(f"window: got scale={scale:g}, expected 0.1 to 16")
        self.controls: Controls | None = None
        self.called = ""  # the text that it was opened from, if any
        self._clock = clock
        self._inset: Inset = inset
        self._clean = clean
        self._layout: Layout = layout
        self._stats, self._help, self._frozen = stats, False, False
        self._statistics: tuple[tuple[str, str], ...] = ()
        self._statistics_at = -math.inf
        self._toast, self._toast_until = "", -math.inf
        self._message = ""
        self._notes: tuple[str, ...] = ()
        self._influence: tuple[float, float] | None = None  # asked for with a key, and when
        self._status = Status()
        self._output: Output | None = None
        self._held: int | None = None  # revision of the picture that was frozen
        self._pictures = self._seen = 0
        self._seen_after = 0.0  # ms from capture to the screen
        self._shown = Scene(title=PREVIEW_TITLE)
        self._lost = True  # what was drawn may no longer be on the screen
        self._closed = False
        exact = clean and size is not None
        first = size or Size(*(round(scale * side) for side in self._status.size))
        self._pygame = open_display(PREVIEW_TITLE, first, exact)
        self._lifeline = Lifeline(self._pygame)
        self._keeper = Keeper(save_dir, now)
        self._painter = Painter(self._pygame)
        window, memory = NativeWindow(self._pygame), Memory("clean" if clean else "preview", state)
        self._memory = memory
        self._stand = Stand(self._pygame, window, memory, size, scale, exact, clock)
        focus = open_focus(self._pygame)
        self._writing = Writing(self._pygame, window, memory, focus, self._painter.fonts, self._say, clock)
        self._leaving = Leaving(clock)
        self._keyboard = Keyboard(self._pygame)
        self._actions = self._by_name()
        if not capturable and not clean:
            hide_from_capture(self._pygame)
        if (memory.left.top if top is None else top) and not self._stand.keep_on_top(True):
            self._say("this desktop does not keep windows on top")
        if fullscreen:
            self._toggle_fullscreen()
        self._draw()

    def write(self, output: Output | None, status: Status) -> None:
        """Handle keys, and draw if there is something new to see.

        Raises SinkClosed when the user is done, SinkUnavailable when the display is gone or does not answer.
        """
        if self._closed:
            return
        with self._lifeline.watched():
            self._turn(output, status)

    def _turn(self, output: Output | None, status: Status) -> None:
        self._status = status
        self._stand.settle(Size(*status.size), status.area, self._side)
        self._stand.show()
        self._take(output)
        self._writing.look()
        for event in self._pygame.event.get():
            self._handle(event)
        if status.message != self._message:
            self._message = status.message
            if status.message:
                self._say(status.message)
        elif self._message and status.state in LASTING and self._toast_until <= self._clock() + FADE_SECONDS:
            self._say(self._message)  # it is still so
        if status.notes != self._notes:
            self._notes = status.notes
            self._say("\n".join(status.notes))
        for words in self._keeper.news():
            self._say(words)
        self._stand.remember()
        self._draw()

    def close(self) -> None:
        """Close the window and finish what is being saved."""
        if self._closed:
            return
        self._closed = True
        if not self._lifeline.lost:
            self._stand.remember(now=True)
        self._pygame.font.quit()
        self._lifeline.quit()
        self._keeper.close()

    # --- what is shown

    @property
    def shown(self) -> Scene:
        """Everything that is on the screen now, in words and numbers: for who cannot see it, and for tests."""
        return self._shown

    @property
    def place(self) -> Rect:
        """Where the window's content is on the desktop, in its pixels."""
        return self._stand.place

    @property
    def _side(self) -> bool:
        return self._inset == "side" and not self._clean

    def _take(self, output: Output | None) -> None:
        if output is None or output is self._output:
            return
        if self._frozen and output.revision == self._held:
            return  # was under way when the user said stop; what a changed prompt makes of it is shown, though
        if self._output is None:
            self._say("H shows the keys")
        self._output = output
        self._pictures += 1

    def _draw(self) -> None:
        scene = self._see(self._clock())
        if scene == self._shown and not self._lost:
            return
        if scene.title != self._shown.title:
            self._pygame.display.set_caption(scene.title)
        self._painter.draw(self._pygame.display.get_surface(), scene, self._output)
        self._pygame.display.flip()
        self._shown, self._lost = scene, False
        if self._output is not None and self._pictures != self._seen:
            self._seen = self._pictures
            self._seen_after = 1e3 * (self._clock() - self._output.captured_at)

    def _see(self, now: float) -> Scene:
        size = self._pygame.display.get_surface().get_size()
        strength = 0.0
        if now < self._toast_until:
            strength = math.ceil(8 * min(1.0, (self._toast_until - now) / FADE_SECONDS)) / 8
        toast, question, line = self._toast if strength else "", self._leaving.question, self._writing.seen()
        if self._clean:
            said = question or (f"prompt: {line.text[: line.cursor]}|{line.text[line.cursor :]}" if line else toast)
            title = f"{PREVIEW_TITLE}: {' '.join(said.split())}" if said else PREVIEW_TITLE
            caption = _caption(self._status.values.get("prompt")) if self._layout == "stage" else ""
            return Scene(size, self._pictures, clean=self._layout, caption=caption, title=title)
        if self._stats and now >= self._statistics_at + STATISTICS_EVERY:
            self._statistics, self._statistics_at = self._count(), now
        return Scene(
            size=size,
            picture=self._pictures,
            inset=self._inset,
            state="frozen" if self._frozen else self._status.state,
            statistics=self._statistics if self._stats else (),
            help=self._help,
            toast=toast,
            toast_strength=strength,
            prompt=line,
            step=self._status.step if self._output is None else "",
            done=self._status.done if self._output is None else None,
            question=question,
            title=PREVIEW_TITLE,
        )

    def _count(self) -> tuple[tuple[str, str], ...]:
        status = self._status
        rows = [
            ("fps", f"{status.fps:.1f}"),
            ("capture to render", f"{status.latency_ms:.0f} ms"),
            ("capture to screen", f"{self._seen_after:.0f} ms"),
            ("size", "{}x{}".format(*status.size)),
        ]
        rows += [(IN_WORDS.get(name, name.replace("_", " ")), _worded(value)) for name, value in status.values.items()]
        return tuple(rows)

    def _say(self, words: str) -> None:
        self._toast = "\n".join(printable(line) for line in words.splitlines() if line.strip())
        self._toast_until = self._clock() + TOAST_SECONDS if self._toast else -math.inf

    # --- what is asked for

    def _handle(self, event: Any) -> None:
        pygame = self._pygame
        if event.type == pygame.QUIT:
            self._quit()
        elif event.type in (pygame.VIDEOEXPOSE, pygame.VIDEORESIZE, pygame.WINDOWEXPOSED):
            self._lost = True
        elif event.type in (pygame.WINDOWMOVED, pygame.WINDOWRESIZED):
            self._stand.changed()
        elif event.type == pygame.WINDOWFOCUSLOST:
            self._leaving.let_go()
        elif self._writing.line is not None:
            self._writing.handle(event, self.controls, self._status, stay=self._stand.fullscreen)
        elif event.type == pygame.KEYUP and self._keyboard.letter(event) == pygame.K_q:
            self._let_go()
        elif event.type == pygame.KEYDOWN:
            self._press(event)

    def _press(self, event: Any) -> None:
        action = self._keyboard.asked(event)
        if action is None:
            return
        if self._clean and action in ("help", "inset", "statistics"):
            self._say("not in the clean output: O leaves it, L changes its layout")
            return
        if self._leaving.asked and action != "quit":
            self._leaving.asked = False
            if action == "save":  # Enter
                self._quit()
            return
        self._actions[action]()

    def _by_name(self) -> dict[str, Callable[[], None]]:
        """What ``ACTIONS`` in ``keys`` do."""
        return {
            "help": self._toggle_help,
            "fullscreen": self._toggle_fullscreen,
            "inset": self._next_inset,
            "statistics": self._toggle_statistics,
            "clean": self._toggle_clean,
            "layout": self._next_layout,
            "top": self._toggle_top,
            "freeze": self._freeze,
            "save": self._save,
            "prompt": lambda: self._writing.start(self.controls, self._status),
            "hold": self._leaving.hold,
            "quit": self._quit,
            "escape": self._escape,
            "more": partial(self._influence_by, INFLUENCE_STEP),
            "less": partial(self._influence_by, -INFLUENCE_STEP),
        }

    def _quit(self) -> None:
        raise SinkClosed("window: closed by the user")

    def _escape(self) -> None:
        """Leave the help, else full screen, else ask whether this is the end."""
        if self._help:
            self._toggle_help()
        elif self._stand.fullscreen:
            self._toggle_fullscreen()
        else:
            self._leaving.asked = True

    def _let_go(self) -> None:
        if self._leaving.due:
            self._quit()
        if self._leaving.question and not self._leaving.asked:
            self._say("hold Q for a second to close")
        self._leaving.let_go()

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _toggle_statistics(self) -> None:
        self._stats = not self._stats
        self._statistics_at = -math.inf

    def _next_inset(self) -> None:
        modes = get_args(Inset)
        self._inset = modes[(modes.index(self._inset) + 1) % len(modes)]
        self._stand.widen(self._side)
        if self._inset != "off" and self._output is not None and self._output.input is None:
            self._say("this picture came without its input")

    def _toggle_clean(self) -> None:
        self._clean, self._help = not self._clean, False
        self._stand.widen(self._side)
        if not self._clean:
            self._say("the output is no longer clean")

    def _next_layout(self) -> None:
        layouts = get_args(Layout)
        if not self._clean:
            self._say("O shows the clean output, which has layouts")
            return
        self._layout = layouts[(layouts.index(self._layout) + 1) % len(layouts)]

    def _toggle_top(self) -> None:
        on = not self._stand.top
        if not self._stand.keep_on_top(on):
            self._say("this desktop does not keep windows on top")
            return
        self._memory.leave(top=on)
        self._say("always on top" if on else "no longer on top")

    def _toggle_fullscreen(self) -> None:
        self._stand.toggle_fullscreen()
        self._lost = True

    def _freeze(self) -> None:
        self._frozen = not self._frozen
        self._held = self._output.revision if self._output else None
        if self.controls:
            self.controls.freeze(self._frozen)

    def _save(self) -> None:
        if self._output is None:
            self._say("there is nothing to save yet")
        elif not self._keeper.save(self._output, self._status):
            self._say("not saved: the disk is still busy with the last pictures")

    def _influence_by(self, step: float) -> None:
        value = self._status.values.get("drawing_influence")
        if self._influence is not None and self._clock() < self._influence[1] + SETTLED_AFTER:
            value = self._influence[0]  # keys may come faster than the session answers
        if self.controls is None or value is None:
            self._say("the influence of the drawing cannot be changed here")
            return
        value = min(100.0, max(0.0, value + step))
        self._influence = (value, self._clock())
        self.controls.update(drawing_influence=value)
        self._say(f"influence of the drawing {value:g}")


def _caption(prompt: Any) -> str:
    """A prompt, or a blend of several, as people read it."""
    if isinstance(prompt, str):
        return printable(prompt)
    parts = prompt if isinstance(prompt, list | tuple) else ()
    return printable(" + ".join(str(part[0]) for part in parts if part))


def _worded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(str(value))
