"""What stands on the pages, in words: nothing here knows how it is drawn, or how it is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["home", "rows", "report"]
Mark = Literal["", "good", "bad", "plain"]
BACK, CLOSE = ("back",), ("close",)
FIRST = ("demo", "displays", "cameras", "virtual cameras", "devices", "engines", "models", "folders")  # of a report


@dataclass(frozen=True, eq=False)
class Item:
    """One thing on a page."""

    title: str
    about: str = ""
    do: tuple[str, ...] = ()
    """What choosing it asks for: a word that ``guide`` knows, and what goes with it. Empty: it is only read."""
    picture: np.ndarray | None = None
    """(H, W, 3) uint8 RGB."""
    icon: str = ""
    """Where there is no picture; a name that ``view`` can draw."""
    mark: Mark = ""
    """Of a finding: whether that is good."""
    hint: str = ""
    """Of a finding: what to do."""
    words: bool = False
    """Whether it takes what is typed on its page, which comes behind ``do``; at most one item of a page does."""
    selected: tuple[int, int] = (0, 0)
    """From where to where ``about`` is selected, where it is what is typed; equal: nothing is."""


@dataclass(frozen=True, eq=False)
class Page:
    """What a window shows."""

    name: str
    title: str
    about: str = ""
    items: tuple[Item, ...] = ()
    kind: Kind = "rows"
    busy: str = ""
    """What is waited for; empty: nothing."""
    note: str = ""
    """One line at the bottom: what happened last."""


def home(note: str = "") -> Page:
    """Where everything begins."""
    return Page(
        "home",
        "inkstream",
        "Draw in any program. Watch it become a finished picture.",
        (
            Item(
                "Draw", "Pick the window that you draw in: Krita, GIMP, MyPaint, any other.", ("windows",), icon="pen"
            ),
            Item("See the demo", "A hand draws cars, houses and hills. Nothing to set up.", ("demo",), icon="play"),
            Item("Go on", "From a picture that you kept, or from what you drew before.", ("recent",), icon="again"),
            Item("Check this computer", "What works here, what is missing, what to do.", ("doctor",), icon="check"),
        ),
        "home",
        note=note,
    )


def starting(what: str) -> Page:
    """While a run comes up."""
    return Page("starting", what, "It opens in a window of its own. Close that one to come back here.", busy="starting")


def failed(reasons: Iterable[str]) -> Page:
    """What a run ended with, and what to do now."""
    said = [Item(line, mark="bad") for line in reasons] or [Item("It ended without saying why.", mark="bad")]
    ways = (
        Item("Back to the start", "Try something else.", ("home",), icon="again"),
        Item("Check this computer", "What works here, what is missing, what to do.", ("doctor",), icon="check"),
    )
    return Page("failed", "That did not work", items=(*said, *ways))


def looking() -> Page:
    """While the doctor looks."""
    about = "It renders one picture and tries the cameras, which takes a few seconds."
    return Page("doctor", "Check this computer", about, kind="report", busy="looking")


def report(found: Mapping[str, Any]) -> Page:
    """What the doctor found; ``found`` as ``inkstream doctor --json`` prints it."""
    runs = bool(found.get("demo"))
    about = "inkstream works on this computer." if runs else "The demo does not run here yet; red lines say what to do."
    items: list[Item] = []
    marks: dict[Any, Mark] = {True: "good", False: "bad", None: "plain"}
    areas = found.get("areas", {})
    order = [name for name in FIRST if name in areas]
    for area in (*order, *(name for name in areas if name not in order)):
        findings = areas[area]
        items.append(Item(str(area)))
        for each in findings:
            mark, hint = marks.get(each["found"], "plain"), str(each.get("hint", ""))
            items.append(Item(str(each["name"]), str(each["text"]), mark=mark, hint=hint))
    return Page("doctor", "Check this computer", about, tuple(items), "report")
