"""``inkstream build``: engines made beforehand, so that a stream starts at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.options import ConfigOption, ModelOption, SetOption, load_run
from ...base.progress import note, shown

if TYPE_CHECKING:
    from ...loop.stream import Stream


def build(
    config: ConfigOption = "ink-tiny",
    model: ModelOption = None,
    sizes: Annotated[
        list[str] | None,
        typer.Option("--size", metavar="WxH", help="Size of the picture, 768x512 for example. Can be repeated."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="Which engine, tensorrt for example; else the fastest there is."),
    ] = None,
    sets: SetOption = None,
) -> None:
    """Build the engines of a configuration now, so that no stream has to wait for it.

    They are kept, and found again by every run with the same model, size, steps and ControlNets on this GPU. A stream
    that finds none builds its own when it starts, which takes minutes with TensorRT.

    Examples:

        inkstream build --config sd-turbo --engine tensorrt
        inkstream build -c sd15-lcm --size 512x512 --size 768x512
    """
    from ....engines import choose
    from ....lora.devices import resolve_device
    from ...base.frame import Size
    from ...loop.stream import Stream

    asked = [Size.parse(text) for text in sizes or []]
    wanted = [*(sets or []), *([f"acceleration={engine}"] if engine else [])]
    if asked:
        wanted += [f"width={asked[0].width}", f"height={asked[0].height}"]
    chosen = load_run(config, wanted, model=model)
    if chosen.stream.acceleration == "auto":  # which would not wait for what is to be built here
        fastest = choose("auto", resolve_device(chosen.stream).type).name
        chosen = chosen.model_copy(update={"stream": chosen.stream.changed(acceleration=fastest)})
    with shown() as progress:
        started = time.perf_counter()
        stream = Stream.from_pretrained(chosen.model, chosen.stream, progress=progress)
        try:
            _say(stream, started)
            for size in asked[1:]:
                started = time.perf_counter()
                stream.update(width=size.width, height=size.height)
                _say(stream, started)
        finally:
            stream.close()
    note("what is kept: inkstream engines list")


def _say(stream: Stream, started: float) -> None:
    """One line for each size, and one for each faster engine that could not be taken."""
    units = stream.engine
    seconds = time.perf_counter() - started
    about = f" ({units.about})" if units.about else ""
    typer.echo(f"{stream.size}: {units.name}{about}, ready after {seconds:.1f} s")
    for name, why in units.passed_over.items():
        note(f"not {name}: {why}")
