"""Options of what steers a stream from outside: the same for ``run`` and ``studio``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...base.cues import CueList

STEERED = "What steers it"

ControlOption = Annotated[
    list[str] | None,
    typer.Option(
        "--control",
        metavar="CONTROL",
        rich_help_panel=STEERED,
        help="osc:9000, midi:learn, midi:NAME, http:7860, or keys (for the whole desktop). Can be repeated.",
    ),
]
CuesOption = Annotated[
    Path | None,
    typer.Option(
        "--cues",
        metavar="FILE",
        dir_okay=False,
        rich_help_panel=STEERED,
        help="The cues of a show (YAML): prompts and seeds that fade into each other, called or by the clock.",
    ),
]


def read_show(path: Path) -> CueList:
    """The cues of a show; raises ConfigError."""
    from ...base.cues import read_cues

    return read_cues(path)
