"""What commands and benches share of the command line: options, the configuration they make, and what they check."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import ConfigError

if TYPE_CHECKING:
    from .configfile import RunConfig

PICTURE = "What is drawn"
RUNNING = "How long"
RESULTS = "Results"
DEFAULT_CONFIG = "ink-tiny"

ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        "-c",
        metavar="NAME|FILE",
        rich_help_panel=PICTURE,
        help="A preset (inkstream config list), a YAML file or a kept picture.",
    ),
]
LikeOption = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="PICTURE.png",
        rich_help_panel=PICTURE,
        help="Go on as a picture was made that inkstream kept: its model and all its settings; other options win.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        rich_help_panel=PICTURE,
        help="Another model: a folder, a hub id, a .safetensors file, or an embedded one.",
    ),
]
PromptOption = Annotated[str | None, typer.Option("--prompt", "-p", rich_help_panel=PICTURE, help="What it shows.")]
SeedOption = Annotated[
    int | None, typer.Option(min=-1, rich_help_panel=PICTURE, help="Seed of the fixed noise; -1 draws one.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        rich_help_panel=PICTURE,
        help="Change one setting, for example guidance_scale=1.4 or controlnets.0.conditioning_scale=0.5. "
        "Can be repeated; inkstream config show lists them all.",
    ),
]
AdapterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        metavar="FILE.py:CLASS",
        rich_help_panel=PICTURE,
        help="Act on frames with an adapter of your own: the code in the file is run. Can be repeated; settings under "
        "adapters may name it.",
    ),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", dir_okay=False, rich_help_panel=RESULTS, help="Write the figures to a file, too."
    ),
]


def chosen_config(config: str, like: Path | None) -> str:
    """What ``--config`` and ``--like`` name, of which one may be given. Raises ConfigError, also for no picture."""
    if like is None:
        return config
    if config != DEFAULT_CONFIG:
        raise ConfigError(f"--like: got it beside --config {config}, expected one of them: both say all settings")
    from .kept import read_recipe

    read_recipe(like.expanduser())
    return str(like.expanduser())


def load_run(
    config: str,
    sets: list[str] | None = None,
    *,
    model: str | None = None,
    prompt: str | None = None,
    seed: int | None = None,
) -> RunConfig:
    """The configuration with everything that was asked for on top; raises ConfigError."""
    from .configfile import load_config

    said = {name: f"--{name}" for name, value in (("prompt", prompt), ("seed", seed)) if value is not None}
    return load_config(config, asked_for(sets, prompt, seed), model=model, said=said)


def asked_for(sets: list[str] | None, prompt: str | None, seed: int | None) -> dict[str, Any]:
    """Settings that options give, by dotted path; raises ConfigError."""
    from .configfile import parse_set

    overrides = dict(parse_set(text) for text in sets or [])
    options = {"prompt": None if prompt is None else _blend_or_text(prompt), "seed": seed}
    return overrides | {name: value for name, value in options.items() if value is not None}


def _blend_or_text(text: str) -> Any:
    """``[["a car", 0.3], ["a house", 0.7]]`` as the blend that it is; square brackets around words are a weight."""
    from .configfile import parse_set

    if not re.match(r"""\s*\[\s*\[\s*["']""", text):
        return text
    return parse_set(f"prompt={text}")[1]


def listed(text: str) -> list[str]:
    """``"eager, openvino"`` -> ["eager", "openvino"]."""
    return [part.strip() for part in text.split(",")]


def numbers(option: str, text: str) -> list[int]:
    """``"1,2,4"`` -> [1, 2, 4]; raises ConfigError that names the option."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"{option}: got {text!r}, expected whole numbers with commas between, for example 1,2,4"
        ) from None


def check_writable(path: Path | None, option: str) -> None:
    """Refuse a file that could not be written, before an hour of work depends on it; raises ConfigError.

    A file that is there already is no hindrance: what is written gets another name (``files.write_new``).
    """
    if path is None:
        return
    target = path.expanduser().absolute()
    folder = target.parent
    if not folder.is_dir():
        raise ConfigError(f"{option}: got {str(path)!r}, but there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{option}: got {str(path)!r}, but {folder} cannot be written to; choose another folder")
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{option}: got {str(path)!r}: {error.strerror}; choose another name") from None
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise ConfigError(f"{option}: got {str(path)!r}, which is no file; expected the name of a new file")
