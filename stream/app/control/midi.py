"""MIDI: faders, knobs, pads and pedals. ``midi:learn``, ``midi:nanoKONTROL2,map=nanokontrol2``. No sequencer, no clock.

A fader takes a value over where it stands: it does nothing until it comes to where the value is (soft takeover), so
that nothing jumps when somebody else has moved it meanwhile. The library is mido on python-rtmidi.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Mapping as Values
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...base.config import explain
from ...base.errors import ConfigError, InkstreamError
from ...base.names import short
from ...base.plain import plain, reason
from ...base.progress import note
from ...base.spec import Kind, Option, flag
from . import addresses, mapping, maps
from .desk import COMMANDS, Desk, Touched
from .mapping import Control, Entry, Mapping

log = logging.getLogger(__name__)
EXTRA = 'pip install "inkstream[control]"'
NEAR = 2 / 127  # of a fader's way: so near is there
PRESSED = 0.5
LOOK_EVERY = 2.0  # seconds between two looks at which devices there are
LEARN = "learn"
LOOPED = "through"  # in the name of a port that only gives back what programs say


class Takeover:
    """Whether a fader has the value in its hand."""

    def __init__(self) -> None:
        self._last: float | None = None  # where the fader was
        self._wrote: float | None = None  # where the value was put by it

    def takes(self, place: float, now: float | None) -> bool:
        """The fader is moved to ``place`` while the value stands at ``now``, both 0 to 1; None: nobody can say."""
        held = self._wrote is not None and (now is None or abs(now - self._wrote) <= NEAR)
        if not held:
            crossed = self._last is not None and now is not None and (self._last - now) * (place - now) <= 0
            held = now is None or abs(place - now) <= NEAR or crossed
        self._last = place
        self._wrote = place if held else None
        return held


class Midi:
    """Listens to every device (``path`` is learn), or to those with ``path`` in their name.

    ``map`` is the file that says what controls do, see ``maps``; when somebody else has written to it, it is read anew.
    ``backend`` is a mido backend; else python-rtmidi is taken.
    Raises ConfigError where there is no such device or map, or the library is missing.
    """

    def __init__(
        self,
        desk: Desk,
        path: str = LEARN,
        learn: bool = False,
        map: Path | None = None,
        backend: Any = None,
    ) -> None:
        self._desk, self._wanted = desk, "" if path == LEARN else path
        self._learns = learn or path == LEARN
        self._file, self._named = map or maps.path_of(maps.USUAL), map is not None
        if map is not None and not self._learns and not maps.there(map):
            known = ", ".join(each.name for each in maps.all_of_them())
            raise ConfigError(f"--control midi: map: got {map.stem}, expected a file, or one of: {known}; or add learn")
        self._written = _written(self._file)
        self._map: Mapping = maps.read(self._file)
        self._does: dict[Control, Entry] = self._map.by_control()
        self._held: dict[Control, Takeover] = {}
        self._down: set[Control] = set()
        self._moved: Control | None = None  # what waits to be told what it is for
        self._lock = threading.RLock()
        self._backend = backend or system_midi()
        self._ports: dict[str, Any] = {}
        self._ended = threading.Event()
        self._look(first=True)
        desk.on_touched.append(self._touched)
        self._thread = threading.Thread(target=self._watch, name="inkstream midi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of all devices."""
        self._ended.set()
        self._thread.join(1.0)
        for port in self._ports.values():
            _closed(port)
        self._ports.clear()

    # --- devices

    def _look(self, first: bool = False) -> None:
        """Open what has come, and let go of what is gone."""
        names = list(dict.fromkeys(self._backend.get_input_names()))
        wanted = [each for each in names if self._wanted.lower() in each.lower()]
        if not self._wanted:
            wanted = [each for each in wanted if LOOPED not in each.lower()]
        elif first and not wanted:
            there = ", ".join(map(short, names)) or "none at all; connect one, and look with inkstream doctor"
            raise ConfigError(f"--control midi:{self._wanted}: got no such device, expected one of: {there}")
        for name in [each for each in self._ports if each not in names]:
            _closed(self._ports.pop(name))
            log.warning("MIDI: %s is gone", plain(name, 80))
        for name in wanted:
            if name not in self._ports:
                try:
                    self._ports[name] = self._backend.open_input(name, callback=self._heard)
                except OSError as error:
                    if first:
                        why = f"cannot be opened: {reason(error)}; is another program using it?"
                        raise ConfigError(f"--control midi: {name} {why}") from error
                    continue
                ready = "" if self._named else maps.for_device(name)
                note(f"MIDI: {plain(name, 80)}{ready and f'; a map for it is there: map={ready}'}")
        if first and not self._ports:
            note("MIDI: no device yet; it is taken when it is connected")

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            try:
                self._look()
                self._read_again()
            except Exception as error:  # noqa: BLE001 - drivers raise anything, and the stream goes on
                log.warning("MIDI: devices cannot be listed: %s", reason(error))
                return

    def _read_again(self) -> None:
        """Take what somebody wrote into the map, or forgot from it, meanwhile; what cannot be read changes nothing."""
        with self._lock:
            written = _written(self._file)
            if written == self._written:
                return
            self._written = written
            try:
                self._take(maps.read(self._file))
            except ConfigError as error:
                self._say(f"MIDI: {error}")

    def _take(self, map: Mapping) -> None:
        self._map, self._does = map, map.by_control()

    # --- what comes

    def _heard(self, message: Any) -> None:
        """One message, on the driver's thread; whatever is wrong with it is said, and ends nothing."""
        try:
            found = _read(message)
            if found is not None:
                with self._lock:
                    self._do(*found)
        except InkstreamError as error:
            self._say(f"MIDI: {error}")
        except Exception as error:
            log.warning("MIDI: %s", reason(error), exc_info=log.isEnabledFor(logging.DEBUG))

    def _do(self, control: Control, place: float) -> None:
        entry = self._does.get(control)
        if entry is None:
            if self._learns and control != self._moved and place > 0:
                self._moved = control
                self._say(f"{control}: what is it for? Touch that anywhere, or name it: OSC /midi/learn ADDRESS")
            return
        parameter = entry.parameter
        if parameter is None or entry.value is not None or parameter.kind == "switch":
            self._press(control, entry, place)
            return
        low, high = addresses.span(parameter, entry.ends)
        value = self._desk.value(entry.address)
        now = (value - low) / (high - low) if isinstance(value, int | float) else None
        if self._held.setdefault(control, Takeover()).takes(place, now):
            self._desk.set(entry.address, addresses.at_fader(parameter, place, entry.ends), "midi", self._refused)

    def _press(self, control: Control, entry: Entry, place: float) -> None:
        """A button goes down, or up; of a fader in its place its middle counts."""
        pressed = place >= PRESSED if control.kind in ("cc", "pitch") else place > 0
        if pressed == (control in self._down) and control.kind != "program":
            return
        (self._down.add if pressed else self._down.discard)(control)
        if entry.address == "hold":
            self._desk.command("hold", [int(pressed)], "midi")
        elif not pressed:
            return
        elif entry.address in COMMANDS:
            said = [] if entry.value is None else [entry.value]
            self._desk.command(entry.address, said, "midi")
        else:
            value = not self._desk.value(entry.address) if entry.value is None else entry.value
            self._desk.set(entry.address, value, "midi", self._refused)

    def _refused(self, why: str) -> None:
        if why:
            self._say(f"MIDI: {why}")

    # --- learning

    def _touched(self, touched: Touched) -> None:
        """Somebody used a parameter: that is what the control is for which was moved last."""
        with self._lock:
            control = self._moved
            if control is None or touched.by == "midi":
                return
            try:
                entry = Entry.model_validate({"control": control, "address": touched.path})
            except ValidationError as error:
                self._say(f"{control}: {explain(Entry, error)[0][1]}")
                return
            self._moved = None
            self._read_again()
            self._take(self._map.having(entry))
            self._held.pop(control, None)
            try:
                mapping.write(self._file, self._map)
                self._written = _written(self._file)
                self._say(f"{control} is {touched.path} from now on, kept in {self._file}")
            except OSError as error:
                self._say(f"{control} is {touched.path} for this run; {self._file} cannot be written: {reason(error)}")

    def _say(self, text: str) -> None:
        note(text)
        self._desk.say(text)

    def known(self) -> Values[Control, Entry]:
        """What controls do."""
        return dict(self._does)


def _read(message: Any) -> tuple[Control, float] | None:
    """Which control a message is of, and where it is, 0 to 1; None for what steers nothing."""
    kind = message.type
    if kind == "control_change":
        return Control("cc", message.control, message.channel + 1), message.value / 127
    if kind in ("note_on", "note_off"):
        place = message.velocity / 127 if kind == "note_on" else 0.0
        return Control("note", message.note, message.channel + 1), place
    if kind == "program_change":
        return Control("program", message.program, message.channel + 1), 1.0
    if kind == "pitchwheel":
        return Control("pitch", 0, message.channel + 1), min(1.0, (message.pitch + 8192) / 16383)
    return None


def _written(path: Path) -> tuple[int, int]:
    """Which version of a file it is; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _closed(port: Any) -> None:
    try:
        port.close()
    except Exception as error:  # noqa: BLE001 - a device that is gone may fail in any way; nothing is left to be done
        log.debug("MIDI: closing failed: %s", reason(error))


def system_midi() -> Any:
    """mido's backend; raises ConfigError where there is none, or the system has no MIDI."""
    try:
        mido: Any = importlib.import_module("mido")
        backend = mido.Backend("mido.backends.rtmidi", load=True)
        backend.get_input_names()
    except ImportError as error:
        raise ConfigError(
            f"--control midi: mido and python-rtmidi cannot be imported ({error}); run: {EXTRA}"
        ) from error
    except Exception as error:
        raise ConfigError(f"--control midi: this system's MIDI does not answer: {reason(error)}") from error
    return backend


KIND = Kind(
    "MIDI faders, knobs and pads (needs inkstream[control])",
    ("midi:learn", "midi:nanoKONTROL2,map=nanokontrol2", "midi:nanoKONTROL,learn,map=show.yaml"),
    {
        "path": Option(
            str, "learn|NAME", "every device, and new controls are learned; or those with this in their name"
        ),
        "learn": Option(flag, "", "learn new controls of a named device, too"),
        "map": Option(maps.path_of, "NAME|FILE", "what controls do: inkstream midi list; else this user's usual one"),
    },
    Midi,
)
