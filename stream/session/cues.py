"""The cues of a show, played: called by hand, or by the clock."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..base.blends import shares
from ..base.config import StreamConfig
from ..base.cues import FASTEST, SLOWEST, Cue, CueList
from ..base.errors import ConfigError

STEP = 0.1  # seconds between two steps of a seed's fade: each is a change of settings
USUAL_FPS = 15.0  # for a fade, where nobody has counted yet
MOST_FRAMES = 10_000  # that a prompt may take to fade in
TAPS, TAP_WITHIN = 8, 60.0 / SLOWEST  # how many taps a tempo is made of, and seconds between two of them

Blend = list[tuple[int, float]]


class CuePlayer:
    """One list of cues, of which one is on. All calls return at once, and may come from any thread.

    ``update(**changes)`` changes settings, ``config()`` says what they are, ``fps()`` how many pictures come a second
    (prompts fade by the picture), ``say(text)`` tells people. Its thread starts with the first list.
    """

    def __init__(
        self,
        update: Callable[..., None],
        config: Callable[[], StreamConfig],
        fps: Callable[[], float],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tempo = 120.0
        """Beats a minute."""
        self._update, self._config, self._fps, self._say, self._clock = update, config, fps, say, clock
        self._changed = threading.Condition(threading.RLock())
        self._list: CueList | None = None
        self._at = -1
        self._next_at: float | None = None  # when the next cue comes by itself
        self._fading: tuple[float, float, Blend, Blend, Any] | None = (
            None  # began, seconds, from, to, and what is asked
        )
        self._stepped = 0.0
        self._taps: deque[float] = deque(maxlen=TAPS)
        self._thread: threading.Thread | None = None
        self._closed = False

    # --- what can be asked

    def load(self, cues: CueList) -> None:
        """Take a list, and begin with its first cue, at once."""
        with self._changed:
            self._list, self._at, self.tempo = cues, 0, cues.tempo
            self._enter(cues.cues[0], at_once=True)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="inkstream cues", daemon=True)
                self._thread.start()

    @property
    def place(self) -> tuple[int, int]:
        """Which cue is on, from 1, of how many; (0, 0) without a list."""
        return (self._at + 1, len(self._list.cues)) if self._list else (0, 0)

    def go(self, by: int = 1) -> bool:
        """To the next cue, or with -1 the one before; says which, and that there is none. Returns whether there was."""
        with self._changed:
            if self._list is None:
                self._say("there is no list of cues; --cues FILE takes one")
                return False
            at, count = self._at + by, len(self._list.cues)
            if self._list.loop:
                at %= count
            elif not 0 <= at < count:
                self._next_at = None
                self._say("that was the last cue" if by > 0 else "that was the first cue")
                return False
            return self._to(at)

    def to(self, number: int) -> bool:
        """To a cue by its number, from 1. Raises ConfigError where there is none of that number."""
        with self._changed:
            count = len(self._list.cues) if self._list else 0
            if not 1 <= number <= count:
                expected = f"1 to {count}" if count else "a list of cues first: --cues FILE"
                raise ConfigError(f"cue: got {number}, expected {expected}")
            return self._to(number - 1)

    def tap(self) -> float:
        """A beat, tapped by hand: the mean of the last ones is the tempo, which is returned."""
        with self._changed:
            now = self._clock()
            if self._taps and now - self._taps[-1] > TAP_WITHIN:
                self._taps.clear()
            self._taps.append(now)
            if len(self._taps) > 1:
                took = self._taps[-1] - self._taps[0]
                beats = len(self._taps) - 1
                self.tempo = min(FASTEST, max(SLOWEST, 60.0 * beats / max(took, 1e-3)))
                self._say(f"tempo: {self.tempo:.0f}")
            return self.tempo

    def set_tempo(self, tempo: float) -> None:
        """Beats a minute, from the next cue on. Raises ConfigError."""
        if not SLOWEST <= tempo <= FASTEST:
            raise ConfigError(f"tempo: got {tempo:g}, expected {SLOWEST:g} to {FASTEST:g} beats a minute")
        self.tempo = tempo

    def overruled(self, names: Any) -> None:
        """Somebody else changes settings: a seed that fades goes no further."""
        if "seed" in names:
            with self._changed:
                self._fading = None

    def close(self) -> None:
        """End; nothing comes by itself any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # --- how it goes on

    def tick(self) -> float | None:
        """Do what is due; returns the seconds until something will be, None where nothing will."""
        with self._changed:
            now = self._clock()
            if self._fading is not None and now >= self._stepped + STEP:
                self._step(now)
            if self._next_at is not None and now >= self._next_at:
                self.go(1)
                now = self._clock()
            due = [self._stepped + STEP] if self._fading is not None else []
            due += [self._next_at] if self._next_at is not None else []
            return max(0.0, min(due) - now) if due else None

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(self.tick())

    def _to(self, at: int) -> bool:
        assert self._list is not None
        self._at = at
        cue = self._list.cues[at]
        self._enter(cue)
        self._say(f"cue {at + 1} of {len(self._list.cues)}: {cue.title}")
        return True

    def _enter(self, cue: Cue, at_once: bool = False) -> None:
        now = self._clock()
        fade = 0.0 if at_once else cue.fade.seconds(self.tempo)
        changes: dict[str, Any] = {}
        self._fading = None
        if cue.prompt is not None:
            frames = min(MOST_FRAMES, round(fade * (self._fps() or USUAL_FPS))) if fade else 0
            changes |= {"prompt": cue.prompt, "prompt_transition_frames": frames}
        if cue.seed is not None and fade < STEP:
            changes["seed"] = cue.seed
        elif cue.seed is not None:
            self._fading = (now, fade, _blend(self._config().seed), _blend(cue.seed), cue.seed)
            self._stepped = now
        self._next_at = None if cue.hold is None else now + cue.hold.seconds(self.tempo)
        if changes:
            self._update(**changes)
        self._changed.notify_all()

    def _step(self, now: float) -> None:
        """One step of a seed that fades: the noise is a blend of both."""
        assert self._fading is not None
        began, fade, old, new, asked = self._fading
        part = (now - began) / fade
        self._stepped = now
        if part >= 1:
            self._fading = None
            self._update(seed=asked)
            return
        weights: dict[int, float] = {}
        for blend, share in ((old, 1 - part), (new, part)):
            for seed, weight in blend:
                weights[seed] = weights.get(seed, 0.0) + weight * share
        self._update(seed=[(seed, round(weight, 4)) for seed, weight in weights.items()])


def _blend(seed: int | tuple[tuple[int, float], ...]) -> Blend:
    return [(seed, 1.0)] if isinstance(seed, int) else shares(seed)
