"""Plots of results: one look for all of them. matplotlib is needed only here."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Sequence
from typing import Any

from ..stream.base.errors import ConfigError

INK, SOFT, FAINT = "#22262b", "#6b7480", "#dfe3e8"
OURS = "#1d5fa8"
HEADER, MARGIN = 0.85, 1.45  # inches: above the panels, and above and below them
# Ours first; the others are told apart without competing with it.
COLOURS = (OURS, "#9aa5b1", "#dfa768", "#5ba197", "#b98196", "#8f86b8", "#c9bd78", "#5d6a78")


def check_library() -> None:
    """Raise ConfigError, with what to do, where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError('a plot needs matplotlib: pip install "inkstream[bench]"')


def figure(result: dict[str, Any], title: str, panels: int = 1, height: float = 3.6, width: float = 0.0) -> tuple:
    """A figure with its panels side by side, a title, and machine and configuration in small print.

    ``height`` and ``width`` in inches; width 0 means as the panels need. Returns the figure and the panels.
    """
    from matplotlib.figure import Figure

    width = width or (7.2 if panels == 1 else 4.2 * panels)
    made = Figure(figsize=(width, height + MARGIN), dpi=144, facecolor="white")
    small = _small_print(result, int(width * 19))
    whole, left = height + MARGIN, 0.09 / width
    top, bottom = 1 - HEADER / whole, (0.62 + 0.15 * small.count("\n")) / whole
    made.text(left, 1 - 0.13 / whole, title, size=11.5, weight="bold", color=INK, va="top")
    made.text(left, 0.09 / whole, small, size=6, color=SOFT, va="bottom", linespacing=1.35)
    axes = made.subplots(1, panels, squeeze=False)[0]
    made.subplots_adjust(left=0.085 * 7.2 / width, right=0.985, top=top, bottom=bottom, wspace=0.26)
    for axis in axes:
        _quiet(axis)
    return made, list(axes)


def _quiet(axis: Any) -> None:
    axis.set_facecolor("white")
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(length=0, labelsize=7.5, labelcolor=SOFT)
    axis.grid(axis="y", color=FAINT, linewidth=0.7)
    axis.set_axisbelow(True)


def name(axis: Any, title: str, x: str = "", y: str = "") -> None:
    """Title and axis labels of a panel."""
    axis.set_title(title, loc="left", size=8.5, color=INK, pad=6)
    axis.set_xlabel(x, size=7.5, color=SOFT)
    axis.set_ylabel(y, size=7.5, color=SOFT)


def bars(
    axis: Any, groups: list[str], series: dict[str, list[float | None]], digits: str = ".2f", first: int = 0
) -> None:
    """Bars side by side for each group, one for each series; None leaves a gap. Values are written above.

    ``first`` is the colour of the first series; 1 where ours is not among them.
    """
    space = 0.8 / max(1, len(series))
    for number, (label, values) in enumerate(series.items()):
        places = [group + (number - (len(series) - 1) / 2) * space for group in range(len(groups))]
        pairs = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
        colour = COLOURS[(first + number) % len(COLOURS)]
        axis.bar([p for p, _ in pairs], [v for _, v in pairs], width=space * 0.86, color=colour, label=label)
        for place, value in pairs:
            text = axis.annotate(f"{value:{digits}}", (place, value), (0, 2), textcoords="offset points", size=5.8)
            text.set(ha="center", va="bottom", color=SOFT)
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.3})
    axis.set_xticks(range(len(groups)), groups)
    axis.margins(y=0.14)


def rows(axis: Any, labels: list[str], values: list[float], unit: str, digits: str = ".1f") -> None:
    """Horizontal bars, the first at the top, each with its value."""
    axis.barh(range(len(labels)), values, height=0.62, color=OURS)
    for place, value in enumerate(values):
        axis.text(value, place, f" {value:{digits}} {unit}", va="center", size=6.5, color=SOFT)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.grid(axis="x", color=FAINT, linewidth=0.7)
    axis.margins(x=0.12)


def lines(axis: Any, series: dict[str, tuple[Sequence[float], Sequence[float]]], dots: bool = True) -> None:
    """Lines through (x, y) for each series."""
    for number, (label, (x, y)) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(x, y, color=colour, linewidth=1.4, label=label, marker="o" if dots else None, markersize=3.5)
    axis.margins(x=0.05)


def level(axis: Any, value: float, label: str = "") -> None:
    """A horizontal line that means something."""
    axis.axhline(value, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.9)
    if label:
        axis.text(0.005, value, label, transform=axis.get_yaxis_transform(), va="bottom", size=6.5, color=INK)


def legend(made: Any, axis: Any) -> None:
    """What the colours of a panel mean, in a line below the title of its figure."""
    handles, labels = axis.get_legend_handles_labels()
    style = {"frameon": False, "fontsize": 7, "labelcolor": INK, "handlelength": 1.1, "columnspacing": 1.4}
    place = (0.02 / made.get_figwidth(), 1 - 0.33 / made.get_figheight())
    made.legend(handles, labels, loc="upper left", bbox_to_anchor=place, ncols=len(labels), **style)


def _small_print(result: dict[str, Any], columns: int) -> str:
    about = result["machine"]
    where = [about.get("gpu") or f"{about['processor']}, {about['cores']} cores", about["platform"]]
    where += [f"torch {about['torch']}", f"load {about['load']}", result["measured_at"]]
    told = {key: value for key, value in result["configuration"].items() if not isinstance(value, dict | list)}
    settings = ", ".join(f"{key} {value}" for key, value in told.items() if value is not None)
    return "\n".join(textwrap.wrap(", ".join(where), columns)[:2] + textwrap.wrap(settings, columns)[:2])
