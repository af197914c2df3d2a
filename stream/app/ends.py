"""All sources and sinks with all their options, as their modules declare them: for ``--help-sources`` and the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap

from ..base.spec import Kind, Option

WIDTH = 96  # characters of a line
NAMES = 24  # of which names take so many
CALLED = {"source": "Sources: --source", "sink": "Sinks: --sink, again for each"}
RULES = (
    "Write KIND, KIND:VALUE, or KIND:VALUE,NAME=VALUE,FLAG. A flag is on when it is named; FLAG=0 switches it off. "
    'A value with commas or equals signs goes in double quotes: screen:window="Krita, untitled".'
)


def kinds() -> dict[str, dict[str, Kind]]:
    """``{"source": {"screen": Kind, ...}, "sink": {...}}``."""
    from ..sinks import kinds_of_sink
    from ..sources import kinds_of_source

    return {"source": kinds_of_source(), "sink": kinds_of_sink()}


def as_text() -> str:
    """For a terminal."""
    lines = [*wrap(RULES, WIDTH)]
    for what, found in kinds().items():
        lines += ["", CALLED[what]]
        for name, kind in found.items():
            lines += ["", *wrap(f"{name}: {kind.about}", WIDTH, subsequent_indent="  ")]
            lines += wrap(
                f"for example {'   '.join(kind.examples)}", WIDTH, initial_indent="  ", subsequent_indent="  "
            )
            for left, right in _rows(kind):
                first, *more = wrap(right, WIDTH - NAMES - 4)
                lines.append(f"    {left:{NAMES}}{first}")
                if len(left) >= NAMES:
                    lines[-1] = f"    {left}"
                    more = [first, *more]
                lines += [" " * (NAMES + 4) + each for each in more]
    return "\n".join(lines)


def as_markdown(what: str) -> str:
    """A table for the pages; ``what`` is source or sink."""
    lines = [f"| {what} | option | |", "|---|---|---|"]
    for name, kind in kinds()[what].items():
        examples = ", ".join(f"`{each}`" for each in kind.examples)
        lines.append(f"| **{name}** | | {_cell(kind.about)}: {examples} |")
        lines += [f"| | `{_cell(left)}` | {_cell(right)} |" for left, right in _rows(kind)]
    return "\n".join(lines)


def _rows(kind: Kind) -> Iterator[tuple[str, str]]:
    """Each option as it is written, and what it is for."""
    options: Mapping[str, Option] = kind.options
    for name, option in options.items():
        written = option.value if name == "path" else f"{name}={option.value}" if option.value else name
        default = kind.default(name)
        yield written, option.about + (f" (default {default})" if default else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
