"""What the panel has to turn: each knob shows a setting and changes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, get_args

from ...base.config import STEADY, Mode, StreamConfig
from ...base.reading import Brings
from .dials import Dials

MODES = {
    "sketch": "from lines",
    "paint": "from colours and lines",
    "img2img": "over the picture",
    "txt2img": "from words alone",
}
# Of a sheet that has not the shape of the picture.
FITS = {"crop": "crop, the rest is cut off", "letterbox": "letterbox, all of it", "stretch": "stretched"}
MOST_SEED = 9999  # that the dice throw: people read it out to each other
STEP_COUNTS = (1, 2, 3, 4)
LONGEST_FADE = 120  # frames


class Row(NamedTuple):
    """A knob as it is seen."""

    label: str
    text: str
    """Its value, in words."""
    part: float | None = None
    """Where a slider stands, 0 to 1; None: it has none."""
    key: str = ""
    """The key that does the same without the panel."""


class Knob(Protocol):
    """Something to turn."""

    def row(self) -> Row:
        """How it stands."""
        ...

    def turn(self, by: int) -> None:
        """Turn by so many notches, down or up."""
        ...

    def set(self, part: float) -> None:
        """Put a slider to a place, 0 to 1; nothing where there is none."""
        ...

    def press(self) -> None:
        """What Enter or a click on its name does."""
        ...


class Slider:
    """A number between two ends; a press puts it to ``home``."""

    def __init__(
        self,
        label: str,
        read: Callable[[], float],
        write: Callable[[float], object],
        ends: tuple[float, float],
        notch: float,
        home: float,
        words: Callable[[float], str] = "{:g}".format,
        key: str = "",
    ) -> None:
        self._label, self._read, self._write, self._key = label, read, write, key
        self._ends, self._notch, self._home, self._words = ends, notch, home, words

    def row(self) -> Row:
        """See ``Knob``."""
        low, high = self._ends
        value = self._read()
        return Row(self._label, self._words(value), min(1.0, max(0.0, (value - low) / (high - low))), self._key)

    def turn(self, by: int) -> None:
        """See ``Knob``."""
        self._put(self._read() + by * self._notch)

    def set(self, part: float) -> None:
        """See ``Knob``."""
        low, high = self._ends
        self._put(low + min(1.0, max(0.0, part)) * (high - low))

    def press(self) -> None:
        """Back to where it belongs."""
        self._put(self._home)

    def _put(self, value: float) -> None:
        low, high = self._ends
        value = round(min(high, max(low, round(value / self._notch) * self._notch)), 6)
        if value != self._read():
            self._write(value)


class Choice:
    """One of several values; a press takes the next."""

    def __init__(
        self,
        label: str,
        read: Callable[[], Any],
        write: Callable[[Any], object],
        values: Sequence[Any],
        words: Callable[[Any], str],
    ) -> None:
        self._label, self._read, self._write, self._values, self._words = label, read, write, list(values), words

    def row(self) -> Row:
        """See ``Knob``."""
        return Row(self._label, self._words(self._read()))

    def turn(self, by: int) -> None:
        """See ``Knob``."""
        now = self._read()
        at = self._values.index(now) + by if now in self._values else 0
        if 0 <= at < len(self._values) and self._values[at] != now:
            self._write(self._values[at])

    def set(self, part: float) -> None:
        """It has no slider."""

    def press(self) -> None:
        """The next one, after the last the first."""
        now = self._read()
        at = self._values.index(now) + 1 if now in self._values else 0
        self._write(self._values[at % len(self._values)])


class Steadiness(Slider):
    """How firmly the picture stays; a press lets the program choose."""

    def __init__(self, dials: Dials) -> None:
        def read() -> float:
            value = dials.value("steadiness")
            return value if isinstance(value, int | float) else STEADY

        def words(value: float) -> str:
            return "auto" if dials.value("steadiness") == "auto" else f"{value:g}" if value else "off"

        self._dials = dials
        write = lambda value: dials.turn(steadiness=value)
        super().__init__("steadiness", read, write, (0.0, 100.0), 5.0, STEADY, words)

    def press(self) -> None:
        """See ``Knob``."""
        if self._dials.value("steadiness") != "auto":
            self._dials.turn(steadiness="auto")


class Seed:
    """The seed; a press throws the dice."""

    def __init__(self, dials: Dials) -> None:
        self._dials = dials

    def row(self) -> Row:
        """See ``Knob``."""
        seed = self._dials.value("seed")
        return Row("seed", str(seed) if isinstance(seed, int) else "a blend", None, "D")

    def turn(self, by: int) -> None:
        """See ``Knob``."""
        seed = self._dials.value("seed")
        self._dials.turn(seed=max(0, seed + by) if isinstance(seed, int) else 0)

    def set(self, part: float) -> None:
        """It has no slider."""

    def press(self) -> None:
        """Another seed, drawn."""
        before = self._dials.value("seed")
        self._dials.turn(seed=random.choice([seed for seed in range(MOST_SEED + 1) if seed != before]))


def make_knobs(config: StreamConfig, brings: Brings, dials: Dials) -> list[Knob]:
    """Those that a stream with these settings has: influence, styles, seed, steps, mode, fading, strength of lines."""
    influence = Slider(
        "influence of the drawing",
        lambda: float(dials.value("drawing_influence") or 0.0),
        lambda value: dials.turn(drawing_influence=value),
        (0.0, 100.0),
        5.0,
        50.0,
        key="+ -",
    )
    knobs: list[Knob] = [influence]
    loaded = () if config.fuse_lora else tuple(config.lora_dict)
    knobs += [_style(name, dials) for name in dict.fromkeys((*brings.styles, *loaded))]
    knobs.append(Seed(dials))
    lists = step_lists(config, brings.steps)
    knobs.append(
        Choice(
            "steps",
            lambda: tuple(dials.value("t_index_list") or ()),
            lambda value: dials.turn(t_index_list=list(value)),
            list(lists.values()),
            lambda value: str(len(value)),
        )
    )
    if len(config.controlnets) > 0:
        modes = get_args(Mode)
        knobs.append(
            Choice("mode", lambda: dials.value("mode"), lambda mode: dials.turn(mode=mode), modes, lambda m: MODES[m])
        )
    if config.mode != "txt2img":
        fits = tuple(FITS)
        knobs.append(Choice("fit", lambda: dials.value("fit"), lambda fit: dials.turn(fit=fit), fits, FITS.__getitem__))
    knobs.append(
        Slider(
            "a new prompt fades in over",
            lambda: float(dials.value("prompt_transition_frames") or 0),
            lambda value: dials.turn(prompt_transition_frames=int(value)),
            (0.0, LONGEST_FADE),
            5.0,
            0.0,
            lambda value: f"{value:g} pictures" if value else "at once",
        )
    )
    if config.mode != "txt2img":
        knobs.append(Steadiness(dials))
    return knobs


def feedback_knobs(feedback: Any) -> list[Knob]:
    """How much of the last picture shines through, and how it moves; see ``Controls``."""

    def knob(label: str, name: str, ends: tuple[float, float], notch: float, home: float, words: str) -> Slider:
        write = lambda value: setattr(feedback, name, value)
        return Slider(label, lambda: float(getattr(feedback, name)), write, ends, notch, home, words.format)

    return [
        knob("feedback", "amount", (0.0, 0.95), 0.05, 0.0, "{:.2f}"),
        knob("feedback zooms by", "zoom", (0.9, 1.1), 0.005, 1.0, "{:.3f}"),
        knob("feedback turns by", "turn", (-5.0, 5.0), 0.25, 0.0, "{:.2f} degrees"),
        knob("feedback goes right by", "right", (-0.05, 0.05), 0.005, 0.0, "{:.3f}"),
        knob("feedback goes down by", "down", (-0.05, 0.05), 0.005, 0.0, "{:.3f}"),
    ]


def step_lists(config: StreamConfig, own: Mapping[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """Number of steps -> ``t_index_list``: the model's ``own``, or from the present first step on, evenly spread."""
    if own and config.num_inference_steps == 50 and not config.from_picture:
        return {1: (0,), **own} if 1 not in own else dict(own)
    first, total = (config.t_index_list or (0,))[0], config.num_inference_steps
    spread = {n: tuple(first + i * (total - first) // n for i in range(n)) for n in STEP_COUNTS if total - first >= n}
    return {**spread, len(config.t_index_list): tuple(config.t_index_list)}


def _style(name: str, dials: Dials) -> Slider:
    def read() -> float:
        return float((dials.value("lora_dict") or {}).get(name, 0.0))

    def write(value: float) -> None:
        dials.turn(lora_dict={**(dials.value("lora_dict") or {}), name: value})

    label = PurePath(name).stem if name.endswith(".safetensors") else name.rsplit("/", 1)[-1]
    return Slider(f"style {label}", read, write, (0.0, max(1.0, read())), 0.05, 0.0, "{:.2f}".format)
