"""The window sink: what it shows of each picture, and what its keys do (``KEYS`` in ``overlay`` lists them)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from ...base.errors import ConfigError, SinkClosed
from ...base.frame import Output, Size
from ...base.preview import PREVIEW_TITLE
from ...base.prompt import parse_prompt
from .. import Controls, Status
from .desktop import NativeWindow, fitting, hide_from_capture, open_display
from .keep import Keeper
from .lifeline import Lifeline
from .overlay import Inset, Painter, Scene
from .prompt import PromptLine, printable

TOAST_SECONDS, FADE_SECONDS = 4.0, 0.4
STATISTICS_EVERY = 0.25  # seconds; faster numbers cannot be read
INFLUENCE_STEP = 5
SETTLED_AFTER = 1.0  # seconds until the session's own value of the influence is believed again


class WindowSink:
    """Shows the newest output as large as it fits, and takes keys. One window for each process.

    ``size`` is the window's size, else ``scale`` times the size of outputs (default 1.5). ``inset`` shows the input:
    off, small, side. ``top`` keeps the window above others where the desktop allows it. ``capturable`` lets screen
    captures see the window on Windows too, where it hides from them otherwise (unverified). Kept pictures go to
    ``save_dir``.

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
        top: bool = False,
        capturable: bool = False,
        save_dir: str | Path = "inkstream-output",
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        if inset not in get_args(Inset):
            raise ConfigError(f"window: got inset={inset!r}, expected one of: {', '.join(get_args(Inset))}")
        if not 0.1 <= scale <= 16:
            raise ConfigError(f"window: got scale={scale:g}, expected 0.1 to 16")
        self.controls: Controls | None = None
        self._clock = clock
        self._size, self._scale = size, scale
        self._inset: Inset = inset
        self._stats, self._help, self._frozen, self._fullscreen = stats, False, False, False
        self._prompt: PromptLine | None = None
        self._asked: tuple[str, Any] | None = None  # the prompt that was written last, and the one there was before
        self._statistics: tuple[tuple[str, str], ...] = ()
        self._statistics_at = -math.inf
        self._toast, self._toast_until = "", -math.inf
        self._message = ""
        self._influence: tuple[float, float] | None = None  # asked for with a key, and when
        self._status = Status()
        self._output: Output | None = None
        self._held: int | None = None  # revision of the picture that was frozen
        self._pictures = self._seen = 0
        self._seen_after = 0.0  # ms from capture to the screen
        self._shown = Scene()
        self._lost = True  # what was drawn may no longer be on the screen
        self._closed = False
        self._pygame = open_display(PREVIEW_TITLE, size or Size(*(round(scale * side) for side in self._status.size)))
        self._lifeline = Lifeline(self._pygame)
        self._keeper = Keeper(save_dir, now)
        self._painter = Painter(self._pygame)
        self._window = NativeWindow(self._pygame)
        self._actions = self._keys()
        if not capturable:
            hide_from_capture(self._pygame)
        if top and not self._window.keep_on_top():
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
        self._fit_to(status)
        self._take(output)
        for event in self._pygame.event.get():
            self._handle(event)
        if status.message != self._message:
            self._message = status.message
            if status.message:
                self._say(status.message)
        for words in self._keeper.news():
            self._say(words)
        self._draw()

    def close(self) -> None:
        """Close the window and finish what is being saved."""
        if self._closed:
            return
        self._closed = True
        self._pygame.font.quit()
        self._lifeline.quit()
        self._keeper.close()

    # --- what is shown

    @property
    def shown(self) -> Scene:
        """Everything that is on the screen now, in words and numbers: for who cannot see it, and for tests."""
        return self._shown

    def _take(self, output: Output | None) -> None:
        if output is None or output is self._output:
            return
        if self._frozen and output.revision == self._held:
            return  # was under way when the user said stop; what a changed prompt makes of it is shown, though
        if self._output is None:
            self._say("H shows the keys")
        self._output = output
        self._pictures += 1

    def _fit_to(self, status: Status) -> None:
        """Give the window the shape of the outputs, once, unless the user chose one."""
        if self._size is not None:
            return
        self._size = fitting(self._pygame, Size(*(round(self._scale * side) for side in status.size)))
        if not self._fullscreen and self._pygame.display.get_surface().get_size() != self._size:
            self._window.resize(self._size)

    def _draw(self) -> None:
        now = self._clock()
        scene = self._see(now)
        if scene == self._shown and not self._lost:
            return
        self._painter.draw(self._pygame.display.get_surface(), scene, self._output)
        self._pygame.display.flip()
        self._shown, self._lost = scene, False
        if self._output is not None and self._pictures != self._seen:
            self._seen = self._pictures
            self._seen_after = 1e3 * (self._clock() - self._output.captured_at)

    def _see(self, now: float) -> Scene:
        strength = 0.0
        if now < self._toast_until:
            strength = math.ceil(8 * min(1.0, (self._toast_until - now) / FADE_SECONDS)) / 8
        if self._stats and now >= self._statistics_at + STATISTICS_EVERY:
            self._statistics, self._statistics_at = self._count(), now
        line = self._prompt
        return Scene(
            size=self._pygame.display.get_surface().get_size(),
            picture=self._pictures,
            inset=self._inset,
            state="frozen" if self._frozen else self._status.state,
            statistics=self._statistics if self._stats else (),
            help=self._help,
            toast=self._toast if strength else "",
            toast_strength=strength,
            prompt=line and (line.text, line.cursor, line.composing),
        )

    def _count(self) -> tuple[tuple[str, str], ...]:
        status = self._status
        rows = [
            ("fps", f"{status.fps:.1f}"),
            ("capture to render", f"{status.latency_ms:.0f} ms"),
            ("capture to screen", f"{self._seen_after:.0f} ms"),
            ("size", "{}x{}".format(*status.size)),
        ]
        rows += [(name.replace("_", " "), _worded(value)) for name, value in status.values.items()]
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
        elif self._prompt is not None:
            self._write_prompt(event, self._prompt)
        elif event.type == pygame.KEYDOWN:
            self._press(event)

    def _press(self, event: Any) -> None:
        pygame = self._pygame
        key = self._letter(event)
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META):
            if key == pygame.K_s:
                self._save()
            elif key == pygame.K_q:
                self._quit()
            return
        if event.mod & pygame.KMOD_ALT:
            return
        if event.unicode == "?" or (key == pygame.K_SLASH and event.mod & pygame.KMOD_SHIFT):
            self._toggle_help()
            return
        action = self._actions.get(key) or self._actions.get(event.unicode)
        if action:
            action()

    def _letter(self, event: Any) -> int:
        """The key; where a layout has no Latin letters, the one that a US keyboard has in that place."""
        first, place = self._pygame.KSCAN_A, getattr(event, "scancode", 0)
        if 0x80 <= event.key < 0x40000000 and first <= place <= self._pygame.KSCAN_Z:
            return self._pygame.K_a + place - first
        return event.key

    def _keys(self) -> dict[Any, Callable[[], None]]:
        """Actions by key, and by character for what keyboards of other countries have on other keys."""
        pygame = self._pygame
        more, less = partial(self._influence_by, INFLUENCE_STEP), partial(self._influence_by, -INFLUENCE_STEP)
        return {
            pygame.K_h: self._toggle_help,
            pygame.K_F1: self._toggle_help,
            pygame.K_f: self._toggle_fullscreen,
            pygame.K_F11: self._toggle_fullscreen,
            pygame.K_i: self._next_inset,
            pygame.K_s: self._toggle_statistics,
            pygame.K_SPACE: self._freeze,
            pygame.K_RETURN: self._save,
            pygame.K_KP_ENTER: self._save,
            pygame.K_p: self._start_prompt,
            pygame.K_TAB: self._start_prompt,
            pygame.K_SLASH: self._start_prompt,
            "/": self._start_prompt,
            pygame.K_q: self._quit,
            pygame.K_ESCAPE: self._escape,
            **dict.fromkeys((pygame.K_UP, pygame.K_PLUS, pygame.K_EQUALS, pygame.K_KP_PLUS, "+"), more),
            **dict.fromkeys((pygame.K_DOWN, pygame.K_MINUS, pygame.K_KP_MINUS, "-"), less),
        }

    def _quit(self) -> None:
        raise SinkClosed("window: closed by the user")

    def _escape(self) -> None:
        """Leave the help, else full screen, else the program."""
        if self._help:
            self._toggle_help()
        elif self._fullscreen:
            self._toggle_fullscreen()
        else:
            self._quit()

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _toggle_statistics(self) -> None:
        self._stats = not self._stats
        self._statistics_at = -math.inf

    def _next_inset(self) -> None:
        modes = get_args(Inset)
        self._inset = modes[(modes.index(self._inset) + 1) % len(modes)]
        if self._inset != "off" and self._output is not None and self._output.input is None:
            self._say("this picture came without its input")

    def _toggle_fullscreen(self) -> None:
        self._fullscreen = not self._fullscreen
        self._window.set_fullscreen(self._fullscreen)
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

    # --- the prompt

    def _start_prompt(self) -> None:
        if self.controls is None:
            self._say("the prompt cannot be changed here")
            return
        prompt = self._status.values.get("prompt")
        text = prompt if isinstance(prompt, str) else ""
        if self._asked is not None and self._asked[1] == prompt:  # it was refused: there it is, to be mended
            text = self._asked[0]
        self._prompt = PromptLine(text)
        self._pygame.key.start_text_input()
        self._pygame.key.set_repeat(400, 40)

    def _end_prompt(self) -> None:
        self._prompt = None
        self._pygame.key.set_repeat()
        self._pygame.key.stop_text_input()

    def _write_prompt(self, event: Any, line: PromptLine) -> None:
        done = line.handle(self._pygame, event, self._window.clipboard)
        text = line.text.strip()
        if done == "apply":
            try:
                parse_prompt(text)
            except ValueError as error:
                self._say(str(error))
                return
        if done:
            self._end_prompt()
            self._asked = None
        if done == "apply" and self.controls:
            self._asked = text, self._status.values.get("prompt")
            self.controls.update(prompt=text)


def _worded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(str(value))
