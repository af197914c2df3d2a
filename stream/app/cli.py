"""The command line. Exit codes: 0, 1 fault, 2 usage or configuration, 130 interrupted."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..base.errors import ConfigError, InkstreamError
from ..base.signals import INTERRUPTED
from .commands import bench, build, config, demo, doctor, engines, evaluate, models, prepare, quantize, run, train


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a command like Ctrl-C also where no session handles it, while a model is loaded for example."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Commands(TyperGroup):
    """Turns errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        debug = ctx.params.get("debug", False)
        logging.basicConfig(level=logging.INFO if debug else logging.WARNING, format="%(levelname)s: %(message)s")
        try:
            with _terminable():
                return super().invoke(ctx)
        except InkstreamError as error:
            if debug:
                traceback.print_exc()
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"inkstream {version('inkstream')}")
        raise typer.Exit


@app.callback()
def _inkstream(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error comes from, and what is going on.")
    ] = False,
) -> None:
    """Draw in any program, and watch the render while the pen is still moving.

    Start with:  inkstream demo
    """


app.command()(demo.demo)
app.command()(run.run)
app.command()(doctor.doctor)
app.command()(build.build)
app.command()(quantize.quantize)
app.command()(evaluate.evaluate)
app.command()(prepare.prepare)
app.command()(train.train)
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.add_typer(engines.app, name="engines")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """The entry point of ``inkstream``."""
    app(prog_name="inkstream")


if __name__ == "__main__":
    sys.exit(main())
