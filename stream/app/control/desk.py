"""What steers a running session from outside, for everybody who does: OSC, MIDI, HTTP, keys.

Changes go out one after the other, in the order in which they came, whoever made them. While one is being made, those
that come wait together, the newest value of each setting: so two faders that move at once never fall behind, and who
came last wins.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, cast

from ...base.config import StreamConfig
from ...base.errors import ConfigError
from ...base.frame import Output
from ...base.names import did_you_mean, short
from ...base.plain import reason
from ...base.variants import SEEDS
from ...session.driver import StreamLike
from ...session.session import Session
from ...sinks.browser import Encoded, jpeg
from ..studio.backend import Changed, Doing, NotNow
from ..studio.heard import Heard
from ..studio.settings import Refused, changes_of, values_of
from ..studio.steering import LOADING, Steering
from . import addresses

Done = Callable[[str], None]
LOST_AFTER = 120.0  # seconds after which a change that was never answered is no longer waited for
COMMANDS = {
    "freeze": "keep the picture, or go on; 1 or 0 says which, nothing takes the other",
    "unfreeze": "go on",
    "hold": "keep the picture while it is 1",
    "keep": "keep the picture in files",
    "seed/dice": "another seed",
    "finish": "make the still at its best",
    "cancel": "end finishing",
    "cue/next": "the next cue",
    "cue/back": "the one before",
    "cue/go": "the cue of this number, from 1",
    "tap": "a beat: tap the tempo",
    "tempo": "beats a minute",
}
SETTING = ("freeze", "hold", "cue/go", "tempo")  # commands whose number says something; 0 is a button let go for others


class Touched(NamedTuple):
    """A parameter or command that somebody used, and who: what a fader may be taught."""

    path: str
    by: str


class _Unencoded:
    """A picture in the place of ``Encoded``, which becomes JPEG when somebody asks for it."""

    def __init__(self, output: Output) -> None:
        self.output = output

    @property
    def jpeg(self) -> bytes:
        return jpeg(self.output.pixels)


class Desk:
    """One for each run. It does what it is asked for once a session is adopted; changes of settings wait until then.

    ``steering`` does what the studio does; ``owned``: it is this desk's alone, and no page's. ``feeds``: it needs to be
    given the pictures, because no sink of its own takes them.
    ``on_values`` are called with all settings after each change, on the thread that makes it, and with a lock held by
    nobody; ``on_touched`` with what somebody used. Calls that say so raise Refused, or NotNow.
    """

    def __init__(self, steering: Steering, config: StreamConfig, owned: bool = True, feeds: bool = True) -> None:
        self.steering = steering
        self.on_values: list[Callable[[Mapping[str, Any]], None]] = []
        self.on_touched: list[Callable[[Touched], None]] = []
        self.surfaces: list[Any] = []
        """All that listen, to be closed by who opened them."""
        self._start, self._owned, self._feeds = config, owned, feeds
        self._lock = threading.RLock()
        self._stream: StreamLike | None = None
        self._session: Session | None = None
        self._wanted: StreamConfig | None = None  # what was asked for and is not made yet; None: nothing is
        self._names: set[str] = set()  # of settings that wait until the one under way is made
        self._waiting: list[Done] = []
        self._under_way: tuple[frozenset[str], list[Done], float] | None = None
        self._making = False  # it is being made just now
        self._frozen = False
        self._seen: dict[str, Any] = {}  # all settings by their paths, as they were made last

    # --- of the run

    def heard(self, stream: StreamLike) -> Any:
        """The stream as the session is to be given it."""
        return Heard(self.steering.heard(stream) if self._owned else stream, self._begins, self._changed)

    def adopt(self, session: Session, stream: StreamLike) -> None:
        """From now on this session is steered, which runs ``heard(stream)``."""
        with self._lock:
            self._session, self._stream = session, stream
            if self._owned:
                self.steering.adopt(session, stream)
            if self._frozen:
                session.freeze(True)
            self._send()
        values = self.values().values
        self._seen = dict(addresses.leaves(values))
        self._tell(values)

    def look(self, output: Output) -> None:
        """Every picture: the newest is what is kept."""
        if self._feeds:
            self.steering.sink.newest = cast(Encoded, _Unencoded(output))

    @property
    def ready(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    # --- settings

    @property
    def config(self) -> StreamConfig:
        """The settings as they are asked for."""
        with self._lock:
            now = self._stream.config if self._stream is not None else self._start
            if self._wanted is None:
                return now
            names = self._names | (self._under_way[0] if self._under_way is not None else set())
            return _with(now, {name: getattr(self._wanted, name) for name in names}) or self._wanted

    def values(self) -> Changed:
        """The settings as they are asked for, as JSON has them."""
        return Changed(values_of(self.config), self._stream.revision if self._stream is not None else 0)

    def change(self, patch: Mapping[str, Any], done: Done | None = None, by: str = "http") -> None:
        """A merge patch, all or nothing. ``done`` is told "", or why it was not made after all. Raises Refused."""
        with self._lock:
            config = self.config
            styles = self._session.brings().styles if self._session else ()
            changes = changes_of(config, patch, styles)
            if not changes:
                if done is not None:
                    done("")
                return
            self._wanted = config.changed(**changes)
            self._names |= changes.keys()
            if done is not None:
                self._waiting.append(done)
            self._send()
        for name in patch:
            self.touched(name, by)

    def put(self, path: str, said: Sequence[Any], by: str, done: Done | None = None) -> None:
        """Set what is at an address to what a message says. Raises Refused."""
        self.set(path, addresses.value_of(addresses.find(path), said), by, done)

    def set(self, path: str, value: Any, by: str, done: Done | None = None) -> None:
        """Set what is at an address. Raises Refused."""
        with self._lock:
            self.change(addresses.patch_of(self.values().values, path, value), done, "")
        self.touched(path, by)

    def value(self, path: str) -> Any:
        """What is at an address."""
        return addresses.at(self.values().values, path)

    def touched(self, path: str, by: str) -> None:
        """Somebody used a parameter or command."""
        if by:
            for each in list(self.on_touched):
                each(Touched(path, by))

    # --- commands

    def command(self, name: str, said: Sequence[Any], by: str) -> Any:
        """Do one of ``COMMANDS``; a button that is let go (0) does nothing. Raises Refused, NotNow, ConfigError."""
        number = _number(name, said[0]) if said else None
        if number == 0 and name not in SETTING:
            return None
        self.touched(name, by)
        if name in ("freeze", "hold"):
            return self.freeze(not self.frozen if number is None else number >= 0.5)
        if name == "unfreeze":
            return self.freeze(False)
        if name == "keep":
            return self.keep(None)
        if name == "seed/dice":
            return self.seed(None)
        if name == "finish":
            return self.finish(None, 2, None)
        if name == "cancel":
            return self.steering.cancel()
        player = self._running().cues
        if name in ("cue/next", "cue/back"):
            return player.go(1 if name == "cue/next" else -1)
        if name == "tap":
            return player.tap()
        if number is None:
            raise Refused("setting", f"{name}: got nothing, expected a number", name)
        if name == "tempo":
            return player.set_tempo(number)
        if name == "cue/go":
            return player.to(int(number))
        raise Refused("unknown", f"{short(name)}: unknown command{did_you_mean(name, COMMANDS)}", name[:80])

    # --- what the studio's REST asks of a session

    def freeze(self, frozen: bool) -> None:
        """Take no new picture, or go on."""
        self._frozen = frozen
        self.steering.freeze(frozen)

    @property
    def frozen(self) -> bool:
        """Whether it was asked to keep the picture, by whomever."""
        return self._frozen if self._session is None else self._session.frozen

    def seed(self, seed: int | None) -> int:
        """Another seed; None draws one. Returns it."""
        drawn = random.randrange(SEEDS) if seed is None else seed
        self.change({"seed": drawn}, by="")
        return drawn

    def keep(self, moment: int | None) -> None:
        """Keep a picture in files; raises NotNow."""
        self.steering.keep(moment)

    def rewind(self, moment: int) -> None:
        """Go back to the settings of a moment; raises NotNow."""
        self.steering.rewind(moment)

    def finish(self, moment: int | None, scale: int, steps: int | None) -> None:
        """Make the still at its best; raises NotNow."""
        self.steering.finish(moment, scale, steps)

    def cancel(self) -> None:
        """End finishing."""
        self.steering.cancel()

    def doing(self) -> Doing:
        """What it is doing now."""
        if self._session is None:
            return self.steering.doing()
        status = self._session.status
        state = "frozen" if self.frozen else str(status.state)
        return Doing(state, status.message, status.done, status.fps, status.latency_ms, status.notes)

    def history(self, before: int | None, count: int) -> list[dict[str, Any]]:
        """Pictures of the last minutes."""
        return self.steering.history(before, count)

    def picture(self, what: str, moment: int | None = None, side: int | None = None) -> bytes:
        """A file of a picture; raises NotNow."""
        return self.steering.picture(what, moment, side)

    def figures(self) -> dict[str, Any]:
        """What was measured."""
        return {} if self._session is None else self._session.metrics.summary()

    def cue(self) -> dict[str, Any]:
        """Which cue is on, and the tempo."""
        player = self._running().cues
        at, count = player.place
        return {"cue": at, "count": count, "tempo": round(player.tempo, 2)}

    def say(self, text: str) -> None:
        """Tell whoever watches."""
        if self._session is not None:
            self._session.say(text)

    def _running(self) -> Session:
        if self._session is None:
            raise NotNow("loading", LOADING)
        return self._session

    # --- one change after the other

    def _send(self) -> None:
        """Give the session what waits, unless one is under way; the lock is held."""
        if self._session is None or self._wanted is None or not self._names:
            return
        now = time.monotonic()
        if self._under_way is not None and now - self._under_way[2] < LOST_AFTER:
            return
        names, done = self._names, self._waiting
        self._names, self._waiting = set(), []
        changes = {name: getattr(self._wanted, name) for name in names}
        if "lora_dict" in changes:  # what it does not name any more has the scale 0
            assert self._stream is not None
            changes["lora_dict"] = {**dict.fromkeys(self._stream.config.lora_dict, 0.0), **changes["lora_dict"]}
        self._under_way, self._making = (frozenset(names), done, now), False
        self._session.update(**changes)

    def _begins(self, names: frozenset[str]) -> None:
        with self._lock:
            self._making = self._under_way is not None and self._under_way[0] == names

    def _changed(self, error: Exception | None) -> None:
        if self._session is None or self._stream is None or self._session.trying:
            return
        finished: list[Done] = []
        values = values_of(self._stream.config)
        with self._lock:
            ours, before = self._making, self._seen
            self._seen = dict(addresses.leaves(values))
            if self._making and self._under_way is not None:
                finished, self._under_way, self._making = self._under_way[1], None, False
                if error is not None and self._names:  # what waits was asked for beside what failed
                    kept = {name: getattr(self._wanted, name) for name in self._names}
                    self._wanted = _with(self._stream.config, kept)
                if not self._names or self._wanted is None:
                    self._wanted = None
                    finished, self._waiting, self._names = [*finished, *self._waiting], [], set()
                self._send()
        self._tell(values)
        for done in finished:
            done("" if error is None else reason(error))
        changed = [path for path, value in self._seen.items() if before.get(path) != value]
        if not ours and before and len(changed) == 1:  # on a page, or by a key of the window
            self.touched(changed[0], "hand")

    def _tell(self, values: Mapping[str, Any]) -> None:
        for each in list(self.on_values):
            each(values)


def _with(config: StreamConfig, changes: Mapping[str, Any]) -> StreamConfig | None:
    try:
        return config.changed(**changes)
    except ConfigError:
        return None


def _number(name: str, said: Any) -> float:
    if isinstance(said, bool):
        return float(said)
    if not isinstance(said, int | float) or not isfinite(said):
        raise Refused("setting", f"{name}: got {short(said)}, expected a number", name)
    return float(said)
