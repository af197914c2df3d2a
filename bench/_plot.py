"""Plots of results: one look for all of them. matplotlib is needed only here."""

from __future__ import annotations

import importlib.util
import textwrap
from typing import Any

from ..stream.errors import ConfigError

INK, SOFT, FAINT = "#22262b", "#6b7480", "#dfe3e8"
OURS = "#1d5fa8"
# Ours first; the others are told apart without competing with it.
COLOURS = (OURS, "#e0913a", "#7f8b99", "#4a9a8e", "#b4607a", "#8c7ab8", "#c2b04a", "#5d6a78")


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
    made = Figure(figsize=(width, height + 1.1), dpi=144, facecolor="white")
    small = _small_print(result, int(width * 19))
    top, bottom = 1 - 0.62 / (height + 1.1), (0.62 + 0.15 * small.count("\n") + 0.15) / (height + 1.1)
    made.text(0.012, 1 - 0.14 / (height + 1.1), title, size=11.5, weight="bold", color=INK, va="top")
    made.text(0.012, 0.09 / (height + 1.1), small, size=6, color=SOFT, va="bottom", linespacing=1.35)
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


def bars(axis: Any, groups: list[str], series: dict[str, list[float | None]], digits: str = ".2f") -> None:
    """Bars side by side for each group, one for each series; None leaves a gap. Values are written above."""
    space = 0.8 / max(1, len(series))
    for number, (label, values) in enumerate(series.items()):
        places = [group + (number - (len(series) - 1) / 2) * space for group in range(len(groups))]
        pairs = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
        colour = COLOURS[number % len(COLOURS)]
        axis.bar([p for p, _ in pairs], [v for _, v in pairs], width=space * 0.86, color=colour, label=label)
        for place, value in pairs:
            axis.text(place, value, f"{value:{digits}}", ha="center", va="bottom", size=5.8, color=SOFT)
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


def lines(axis: Any, series: dict[str, tuple[list[float], list[float]]], dots: bool = True) -> None:
    """Lines through (x, y) for each series."""
    for number, (label, (x, y)) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(x, y, color=colour, linewidth=1.4, label=label, marker="o" if dots else None, markersize=3.5)
    axis.margins(x=0.05)


def level(axis: Any, value: float, label: str = "") -> None:
    """A horizontal line that means something."""
    axis.axhline(value, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    if label:
        axis.text(0.995, value, label, transform=axis.get_yaxis_transform(), ha="right", va="bottom", size=6, color=SOFT)


def legend(axis: Any, columns: int = 1, place: str = "best") -> None:
    """What the colours mean."""
    axis.legend(loc=place, ncols=columns, frameon=False, fontsize=6.8, labelcolor=INK, handlelength=1.2)


def _small_print(result: dict[str, Any], columns: int) -> str:
    about = result["machine"]
    where = [about.get("gpu") or f"{about['processor']}, {about['cores']} cores", about["platform"]]
    where += [f"torch {about['torch']}", f"load {about['load']}", result["measured_at"]]
    told = {key: value for key, value in result["configuration"].items() if not isinstance(value, dict | list)}
    settings = ", ".join(f"{key} {value}" for key, value in told.items() if value is not None)
    return "\n".join(textwrap.wrap(", ".join(where), columns)[:2] + textwrap.wrap(settings, columns)[:2])
