"""The window sink: what it shows of each picture, and what its keys do (``KEYS`` in ``scene`` lists them)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from ...base.cues import CueList
from ...base.errors import ConfigError, SinkClosed
from ...base.frame import Output, Rect, Size
from ...base.preview import PREVIEW_TITLE
from .. import Controls, Status
from ..keep import Keeper
from .clipboard import Copier
from .desktop import NativeWindow, hide_from_capture, open_display
from .dials import Dials
from .favourites import Cues, Favourites
from .finish import Finish
from .focus import open_focus
from .keys import Keyboard
from .knobs import Seed
from .leave import Leaving
from .lifeline import Lifeline
from .memory import Memory
from .overlay import Painter
from .panel import SLOTS
from .record import Recorder
from .scene import Colour, Inset, Layout, Scene
from .seeing import Modes, Seeing
from .stand import STAGE, Stand, opening
from .toolkit import make_tools
from .tools import Reach, Tool, Toolbox
from .writing import Writing

INFLUENCE_STEP = 5
KEYS_HINT = "H shows the keys"


class WindowSink:
    """Shows the newest output as large as it fits, and takes keys. One window for each process.

    ``size`` is the window's size, else as it was left, or ``scale`` times the size of outputs (None: 1.5, and where
    there is room more, until the shorter side has 640 pixels; a clean stage has 1280x720). It opens where it was left,
    or beside the source (``Status.area``). ``inset`` shows the input: off, small, side. ``top`` keeps the window above
    others where the desktop allows it; None: as it was left. ``clean`` shows pictures and nothing else, for captures,
    in a ``layout``: the render alone, or a stage of render, sketch and prompt, before a ``background`` (RGB, 0 to 255;
    None: dark); with ``cut`` the render is seen only where something is drawn. Either opens ``clean``. ``cues`` are the
    prompts of a show, which a key goes through.
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
        scale: float | None = None,
        fullscreen: bool = False,
        stats: bool = False,
        inset: Inset = "off",
        top: bool | None = None,
        capturable: bool = False,
        save_dir: str | Path = "inkstream-output",
        clean: bool = False,
        layout: Layout = "alone",
        cues: CueList | None = None,
        background: Colour | None = None,
        cut: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = datetime.now,
        state: Path | None = None,
    ) -> None:
        for name, value, kinds in (("inset", inset, Inset), ("layout", layout, Layout)):
            if value not in get_args(kinds):
                raise ConfigError(f"window: got {name}={value!r}, expected one of: {', '.join(get_args(kinds))}")
        if scale is not None and not 0.1 <= scale <= 16:
            raise ConfigError(f"window: got scale={scale:g}, expected 0.1 to 16")
        self.called = ""  # the text that it was opened from, if any
        self._clock = clock
        clean = clean or background is not None or cut
        self._modes = Modes(inset, clean, layout, stats, background=background, cut=cut)
        self._seeing = Seeing(self._modes, clock)
        self._drawn: Output | None = None
        self._came = False  # a picture, since the last look
        self._held: int | None = None  # revision of the picture that was frozen
        self._pictures = 0
        self._shown = Scene(title=PREVIEW_TITLE)
        self._lost = True  # what was drawn may no longer be on the screen
        self._closed = False
        exact, staged = clean and size is not None, clean and layout == "stage"
        first = size or (STAGE if staged and scale is None else opening(Size(*Status().size), scale))
        self._pygame = open_display(PREVIEW_TITLE, first, exact)
        self._lifeline = Lifeline(self._pygame)
        self._keeper = Keeper(save_dir, now)
        self._copier = Copier(self._pygame)
        self._painter = Painter(self._pygame)
        kind = "stage" if staged else "clean" if clean else "preview"
        window, memory = NativeWindow(self._pygame), Memory(kind, state)
        self._stand = Stand(self._pygame, window, memory, size, scale, exact, clock, staged)
        focus = open_focus(self._pygame)
        self._writing = Writing(self._pygame, window, memory, focus, self._painter.fonts, self._seeing.say, clock)
        self._leaving = Leaving(clock)
        self._reach = Reach(self._pygame, window, memory, self._keeper, self._seeing.say, clock)
        self._reach.unit, self._reach.modes = (lambda: self._painter.unit), self._modes
        self._dials = Dials(self._reach)
        self._favourites = Favourites(self._reach, self._dials)
        self._finish = Finish(self._reach)
        self._cues = Cues(self._reach, cues)
        self._tools = Toolbox(make_tools(self._reach, self._dials, self._favourites))
        self._keyboard = Keyboard(self._pygame)
        self._actions = self._by_name()
        if not capturable and not clean:
            hide_from_capture(self._pygame)
        if (memory.left.top if top is None else top) and not self._stand.keep_on_top(True):
            self._seeing.say("this desktop does not keep windows on top")
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
        self._reach.status = status
        self._stand.settle(Size(*status.size), status.area, self._modes.side)
        self._stand.show()
        self._take(output)
        self._cues.begin()
        self._tools.look()
        self._writing.look()
        for event in self._lifeline.events():
            self._handle(event)
        self._seeing.heed(status)
        for words in (*self._keeper.news(), *self._copier.news()):
            self._seeing.say(words)
        self._stand.remember()
        self._draw()

    def close(self) -> None:
        """Close the window and finish what is being saved."""
        if self._closed:
            return
        self._closed = True
        self._tools.close()
        self._copier.close()
        if not self._lifeline.lost:
            self._stand.remember(now=True)
        self._lifeline.quit()  # letters stay: a recording of the stage may still have pictures to draw
        self._keeper.close()

    # --- what is shown

    @property
    def controls(self) -> Controls | None:
        """What the session gives to ask it for changes; None until it does."""
        return self._reach.controls

    @controls.setter
    def controls(self, controls: Controls | None) -> None:
        self._reach.controls = controls

    @property
    def shown(self) -> Scene:
        """Everything that is on the screen now, in words and numbers: for who cannot see it, and for tests."""
        return self._shown

    @property
    def place(self) -> Rect:
        """Where the window's content is on the desktop, in its pixels."""
        return self._stand.place

    def _take(self, output: Output | None) -> None:
        if output is None or output is self._reach.output:
            return
        if self._modes.frozen and output.revision == self._held:
            return  # was under way when the user said stop; what a changed prompt makes of it is shown, though
        if self._reach.output is None and not self._modes.clean:
            self._seeing.hint(KEYS_HINT)
        self._reach.output, self._came = output, True

    @property
    def _tool(self) -> Tool | None:
        return None if self._modes.clean else self._tools.open

    def _chosen(self) -> Output | None:
        """The picture that is looked at: the open tool's, else the newest."""
        return (self._tool.picture() if self._tool else None) or self._reach.output

    def _draw(self) -> None:
        tool, output = self._tool, self._chosen()
        came, self._came = self._came, False
        if output is not self._drawn:
            self._drawn, self._pictures = output, self._pictures + 1
        size = self._pygame.display.get_surface().get_size()
        question, line = self._leaving.question, self._writing.seen()
        seen, busy = tool.seen() if tool else None, self._finish.seen()
        scene = self._seeing.scene(size, self._pictures, output, self._reach.status, question, line, seen, busy)
        if scene == self._shown and not self._lost:
            return
        if scene.title != self._shown.title:
            self._pygame.display.set_caption(scene.title)
        self._painter.draw(self._pygame.display.get_surface(), scene, output)
        self._pygame.display.flip()
        self._shown, self._lost = scene, False
        if came and output and output is self._reach.output:  # not what was behind a tool, or is shown again
            self._seeing.seen_after = 1e3 * (self._clock() - output.captured_at)

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
            stay = self._stand.fullscreen or self._modes.clean  # what is on air is covered by nobody
            self._writing.handle(event, self.controls, self._reach.status, stay)
        elif not self._modes.clean and self._tools.handle(event):
            return
        elif event.type == pygame.KEYUP and self._keyboard.letter(event) == pygame.K_q:
            self._let_go()
        elif event.type == pygame.KEYDOWN:
            self._press(event)

    def _press(self, event: Any) -> None:
        action = self._keyboard.asked(event)
        if action is None:
            return
        if self._modes.clean and (action in ("help", "inset", "statistics") or action in self._tools.actions()):
            self._seeing.say("not in the clean output: O leaves it, L changes its layout")
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
            "copy": self._copy,
            "mirror": self._toggle_mirror,
            "prompt": lambda: self._writing.start(self.controls, self._reach.status),
            "hold": self._leaving.hold,
            "quit": self._quit,
            "escape": self._escape,
            "more": partial(self._influence_by, INFLUENCE_STEP),
            "less": partial(self._influence_by, -INFLUENCE_STEP),
            "dice": Seed(self._dials).press,
            "finish": lambda: self._finish.press(self._chosen(), 2),
            "finish larger": lambda: self._finish.press(self._chosen(), 4),
            "cue": self._cues.go,
            "cue before": partial(self._cues.go, -1),
            "record": Recorder(self._reach, lambda: self._painter.fonts).press,
            **{f"recall {slot}": partial(self._favourites.recall, slot) for slot in SLOTS},
            **{f"favour {slot}": partial(self._favourites.keep, slot) for slot in SLOTS},
            **self._tools.actions(),
        }

    def _quit(self) -> None:
        raise SinkClosed("window: closed by the user")

    def _escape(self) -> None:
        """Leave the help, else an open tool, else full screen, else ask whether this is the end."""
        if self._modes.help:
            self._modes.help = 0
        elif not self._modes.clean and self._tools.shut():
            return
        elif self._stand.fullscreen:
            self._toggle_fullscreen()
        else:
            self._leaving.asked = True

    def _let_go(self) -> None:
        if self._leaving.due:
            self._quit()
        if self._leaving.question and not self._leaving.asked:
            self._seeing.say("hold Q for a second to close")
        self._leaving.let_go()

    def _toggle_help(self) -> None:
        self._seeing.unsay(KEYS_HINT)
        pages = self._painter.help_pages(self._pygame.display.get_surface().get_size())
        self._modes.help = self._modes.help + 1 if self._modes.help < pages else 0

    def _toggle_statistics(self) -> None:
        self._modes.statistics = not self._modes.statistics
        self._seeing.count_anew()

    def _toggle_mirror(self) -> None:
        self._modes.mirror = not self._modes.mirror
        seen = "what is sent from this window, too" if self._modes.clean else "what is kept and sent is not"
        self._seeing.say(f"seen as in a mirror; {seen}" if self._modes.mirror else "no mirror")

    def _next_inset(self) -> None:
        modes, output = get_args(Inset), self._reach.output
        self._modes.inset = modes[(modes.index(self._modes.inset) + 1) % len(modes)]
        self._stand.widen(self._modes.side)
        if self._modes.inset != "off" and output is not None and output.input is None:
            self._seeing.say("this picture came without its input")

    def _toggle_clean(self) -> None:
        self._modes.clean, self._modes.help = not self._modes.clean, 0
        self._stand.widen(self._modes.side)
        if not self._modes.clean:
            self._seeing.say("the output is no longer clean")

    def _next_layout(self) -> None:
        layouts = get_args(Layout)
        if not self._modes.clean:
            self._seeing.say("O shows the clean output, which has layouts")
            return
        self._modes.layout = layouts[(layouts.index(self._modes.layout) + 1) % len(layouts)]

    def _toggle_top(self) -> None:
        on = not self._stand.top
        if not self._stand.keep_on_top(on):
            self._seeing.say("this desktop does not keep windows on top")
            return
        self._reach.memory.leave(top=on)
        self._seeing.say("always on top" if on else "no longer on top")

    def _toggle_fullscreen(self) -> None:
        self._stand.toggle_fullscreen()
        self._lost = True

    def _freeze(self) -> None:
        self._modes.frozen = not self._modes.frozen
        self._held = self._reach.output.revision if self._reach.output else None
        if self.controls:
            self.controls.freeze(self._modes.frozen)

    def _save(self) -> None:
        output = self._chosen()
        if output is None:
            self._seeing.say("there is nothing to save yet")
        elif not self._keeper.save(output, self._reach.status):
            self._seeing.say("not saved: the disk is still busy with the last pictures")

    def _copy(self) -> None:
        output = self._chosen()
        if output is None:
            self._seeing.say("there is nothing to copy yet")
        else:
            self._copier.copy(output.pixels)

    def _influence_by(self, step: float) -> None:
        value = self._dials.value("drawing_influence")
        if self.controls is None or value is None:
            self._seeing.say("the influence of the drawing cannot be changed here")
            return
        value = min(100.0, max(0.0, value + step))
        self._dials.turn(drawing_influence=value)
        self._seeing.say(f"influence of the drawing {value:g}")
