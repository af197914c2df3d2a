"""``inkstream evaluate``: how good a model is, in figures and on one page of pictures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.errors import ConfigError
from ...base.options import RESULTS, JsonOption, SetOption, check_writable
from ...base.progress import Progress, note, shown
from .common import kept_as

if TYPE_CHECKING:
    from ....lora.evaluate.rendering import Renderer
    from ....lora.words import Vocabulary

STYLES = "Styles"
FAILED = 1  # the exit code for a model that does not follow drawings or prompts


def evaluate(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="An embedded model's name, a folder, a hub id, or a .safetensors file."),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="A folder of pairs (inkstream prepare) or of scenes (inkstream scenes render), or scenes:SEED:COUNT.",
        ),
    ] = "scenes:1000000",
    steps: Annotated[str, typer.Option(metavar="1,2,4", help="Numbers of steps to hold against the truth.")] = "1,2,4",
    count: Annotated[
        int | None,
        typer.Option(min=2, help="How many samples. [default: 96, or as scenes:SEED:COUNT says]", show_default=False),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=64,
            max=2048,
            help="Side of the pictures in pixels. Usually what the model was trained on.",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            show_default=False,
            help="What sees pictures for perceptual and Fréchet distances: a CLIP model on this computer, or random.",
        ),
    ] = None,
    goals: Annotated[
        bool, typer.Option("--goals", help="Hold it to the embedded model's goals. The embedded model always is.")
    ] = False,
    loras: Annotated[
        list[str] | None,
        typer.Option(
            "--lora",
            metavar="FOLDER",
            show_default=False,
            rich_help_panel=STYLES,
            help="output_dir/model of inkstream train lora: say what it changes instead. Can be repeated.",
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style",
            metavar="FOLDER",
            show_default=False,
            rich_help_panel=STYLES,
            help="The pairs that these learned from.",
        ),
    ] = None,
    sets: SetOption = None,
    json: JsonOption = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE.png",
            dir_okay=False,
            rich_help_panel=RESULTS,
            help="Write a page of sketches, renders and truths.",
        ),
    ] = None,
    look: Annotated[
        Path | None,
        typer.Option(
            "--look",
            metavar="FOLDER",
            file_okay=False,
            rich_help_panel=RESULTS,
            help="Write pages to look at: 48 drawings, three prompts each, with and without palette, 1, 2 and 4 steps.",
        ),
    ] = None,
) -> None:
    """Measure how well a model follows drawings and prompts, against true pictures.

    Pictures are rendered as users see them, by a stream in mode sketch with one fixed noise; by eager PyTorch, unless
    --set acceleration says otherwise. Without --data the scenes are some that no training uses. It leaves with 1 when
    the model does not follow the drawing or the prompt at all.

    Examples:

        inkstream evaluate ink-tiny --data scenes:1000000:96 --sheet sheet.png
        inkstream evaluate out/base --data my-pairs --json figures.json --goals
        inkstream evaluate ink-tiny --lora training/style/model --style pairs --count 24
    """
    counts = _counts(steps)
    check_writable(json, "--json")
    check_writable(sheet, "--sheet")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise ConfigError(f"--sheet: got {str(sheet)!r}, expected a name that ends with .png")
    if bool(loras) != bool(style):
        raise ConfigError("got --lora or --style alone, expected both: what was trained, and the pairs it learned from")
    from ....bench.bench import Wanted
    from ....lora.data.folder import Pairs
    from ....lora.evaluate import style as styles
    from ....lora.evaluate.data import check_data, open_data
    from ....lora.evaluate.evaluation import USUAL_STEPS
    from ....lora.evaluate.evaluation import evaluate as judge
    from ....lora.evaluate.features import open_features
    from ....lora.evaluate.rendering import Renderer, native_side, run_for
    from ....lora.evaluate.table import table
    from ....lora.load import load_pipeline
    from ....lora.words import vocabulary_of
    from ....models import embedded
    from ...base.configfile import parse_set
    from ...base.files import png

    check_data(data, count)
    overrides = dict(parse_set(text) for text in sets or [])
    with shown() as progress:
        if loras and style:
            taught = Pairs(style, "train")
            opened = open_data(data, taught[0].picture.shape[0], count, progress)
            usual = USUAL_STEPS if USUAL_STEPS in counts else counts[0]
            made = styles.compare(model, loras, taught, opened.samples, opened.name, usual, overrides, progress)
        else:
            run = run_for(model, overrides)
            pipe = load_pipeline(run.model, run.stream, progress)
            with closing(Renderer(pipe, size or native_side(pipe), run.stream, progress)) as renderer:
                words = vocabulary_of(pipe)
                opened = open_data(data, renderer.side, count, progress, words)
                seen = open_features(features, pipe.device)
                if look is not None:
                    _write_look(look.expanduser(), renderer, words, progress)
                held = goals or model in embedded()
                made = judge(renderer, opened, model, counts, seen, progress, goals=held)
    result = made.result
    kept = sheet is None or kept_as("sheet", sheet, png(made.sheet())) is not None
    Wanted(json).publish(result, styles.table(result) if loras else table(result))
    for fault in result.get("faults", ()):
        note(f"fails: {fault}")
    if result.get("faults") or not kept:
        raise typer.Exit(FAILED)


def _write_look(folder: Path, renderer: Renderer, words: Vocabulary | None, progress: Progress) -> None:
    from ....lora.evaluate.look import drawings, pages
    from ...base.files import new_folder, png, write_new

    folder = new_folder(folder, "--look")
    for number, page in enumerate(pages(renderer, list(drawings(renderer.side, words=words)), progress), 1):
        write_new(folder / f"look-{number}.png", png(page))
    note(f"look: {folder}")


def _counts(text: str) -> tuple[int, ...]:
    """The numbers of steps that were asked for, each once, in order."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1000 for part in parts):
        raise ConfigError(f"--steps: got {text!r}, expected numbers of steps with commas between, for example 1,2,4")
    return tuple(sorted({int(part) for part in parts}))
