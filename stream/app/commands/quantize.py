"""``inkstream quantize``: networks in INT8 and FP8, and what they win and cost."""

from __future__ import annotations

from typing import Annotated

import typer

from ...base.options import ConfigOption, JsonOption, ModelOption, SetOption, check_writable, load_run
from ...base.progress import note, shown
from .common import FAULT, console, kept_as


def quantize(
    config: ConfigOption = "ink-tiny",
    source: Annotated[
        str, typer.Option("--source", metavar="SPEC", help="Whose frames calibrate OpenVINO: demo, or any source.")
    ] = "demo",
    samples: Annotated[int, typer.Option(min=1, max=2000, help="How many frames calibrate.")] = 64,
    judged: Annotated[int, typer.Option("--judge", min=2, max=2000, help="How many sketches judge.")] = 50,
    frames: Annotated[int, typer.Option(min=1, max=10_000, help="Frames timed of each precision, in each round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How often the precisions take turns.")] = 5,
    model: ModelOption = None,
    sets: SetOption = None,
    json: JsonOption = None,
) -> None:
    """Quantise the networks of a configuration, and say what that wins and costs: INT8, on NVIDIA GPUs also FP8.

    On a CPU OpenVINO's are made and kept, on an NVIDIA GPU those of the compile engine are tried. They are used where
    dtype is int8 or float8, which is never so by itself. The table has the speed of a frame, the size of what is kept
    or read, the memory that loading it takes, and how far the pictures of the demo's sketches are from those of PyTorch
    in float32.

    Example:

        inkstream quantize --config ink-tiny --json price.json
        inkstream run --config ink-tiny --set dtype=int8
    """
    check_writable(json, "--json")
    run = load_run(config, sets, model=model)
    from ....bench.quantize import Verdict, measure, table
    from ...base.files import json_bytes

    with shown() as progress:
        result = measure(run, source, samples, judged, frames, rounds, progress)
    kept = json is None or kept_as("figures", json, json_bytes(result)) is not None
    console().print(table(result))
    for row in result["rows"]:
        for why in row["kept"]:
            note(why)
    for name, why in result["refused"].items():
        note(f"{name} is not measured: {why}")
    typer.echo(f"load of the machine {result['load_before']:.1f} to {result['load_after']:.1f}")
    for each in result["verdicts"]:
        typer.echo(str(Verdict(**each)))
    if not kept:
        raise typer.Exit(FAULT)
