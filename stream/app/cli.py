"""The command line. Exit codes: 0, 1 fault, 2 usage or configuration, 130 interrupted."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..base import terminal
from ..base.errors import ConfigError, InkstreamError
from ..base.plain import one_line, reason
from ..base.signals import INTERRUPTED, interrupts, interrupts_for_good, leave, too_late
from .commands import (
    bench,
    build,
    cluster,
    config,
    demo,
    doctor,
    engines,
    evaluate,
    finish,
    history,
    install,
    midi,
    models,
    palette,
    prepare,
    quantize,
    render,
    run,
    scenes,
    start,
    studio,
    train,
)

FAULT, USAGE = 1, 2
_UsageError = typer.BadParameter.__bases__[0]  # typer 0.29 brings a click of its own
_ClickException: Any = _UsageError.__bases__[0]


class _Commands(TyperGroup):
    """Turns whatever ends a command into one short message and an exit code."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:
        """Run one command, and leave with its exit code."""
        with interrupts(_raise):
            code = self._code(list(sys.argv[1:] if args is None else args), prog_name, extra)
            code = _flushed(code)
        terminal.drain()
        leave(code)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without any word it is ``start`` where there is a display, else the help."""
        return super().parse_args(ctx, args or (["start"] if start.display_there() else []))

    def invoke(self, ctx: Any) -> Any:
        _set_up_logging(ctx.params.get("debug", False))
        return super().invoke(ctx)

    def _code(self, args: list[str], prog_name: str | None, extra: dict[str, Any]) -> int:
        try:
            return super().main(args, prog_name, **{**extra, "standalone_mode": False}) or 0
        except KeyboardInterrupt:
            return INTERRUPTED
        except typer.Abort:
            return FAULT
        except _ClickException as error:
            return _refused(error, args)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is shown a traceback unasked
            if "--debug" in args:
                traceback.print_exc()
            if isinstance(error, OSError) and error.filename is None and _flushed(0):
                return FAULT  # of what was printed, and that was said
            terminal.say(f"error: {_words(error)}")
            return USAGE if isinstance(error, ConfigError) else FAULT


def _raise(_: int) -> None:
    raise KeyboardInterrupt


def _words(error: Exception) -> str:
    if isinstance(error, InkstreamError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{one_line(error.filename)}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError) or ("torch" in sys.modules and _is_memory_full(error)):
        return "this computer has no memory left for it; choose a smaller size or model, or close other programs"
    if isinstance(error, ImportError):
        return f"a part of this installation cannot be loaded: {reason(error)}; see: inkstream doctor"
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # as pathlib says it
        return "this user has no home folder; set HOME to a folder"
    return f"unforeseen: {reason(error)}; inkstream --debug ... says where it comes from"


def _is_memory_full(error: Exception) -> bool:
    from ..loop.memory import is_memory_full  # which there may be no memory for, where it did not load before

    return is_memory_full(error)


def _refused(error: Any, args: list[str]) -> int:
    """Say what was wrong with the words of a command, and where to read which there are."""
    from ..base.wording import ours

    where = error.ctx.command_path if getattr(error, "ctx", None) is not None else "inkstream"
    names = getattr(getattr(error, "param", None), "opts", [])
    if type(error).__name__ == "NoArgsIsHelpError":
        text = error.format_message()
        terminal.stderr().write(f"{text}\n" if text else "")
    elif type(error).__name__ == "BadParameter" and names:
        terminal.say(
            f"error: {names[0]}: {_got(names, args)}{one_line(ours(error.message)).rstrip('.')}; see: {where} --help"
        )
    else:
        terminal.say(f"error: {one_line(error.format_message()).rstrip('.')}; see: {where} --help")
    return error.exit_code


def _got(names: list[str], args: list[str]) -> str:
    """What stands behind an option, as far as it can be told: the last word counts."""
    for index in range(len(args) - 1, -1, -1):
        name, equals, value = args[index].partition("=")
        if name in names and (equals or index + 1 < len(args)):
            return f"got {value if equals else args[index + 1]!r}, "
    return ""


def _flushed(code: int) -> int:
    """What was printed is written out now, while Ctrl-C still works; gives the exit code."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.errno == errno.EPIPE:
            return max(code, _nobody_reads())
        terminal.say(f"error: what was printed cannot be written: {reason(error)}")
        _close_stdout()
        return code or FAULT
    return code


def _nobody_reads() -> int:
    """Whoever read what is printed has gone, ``head`` for example; there is nobody to tell."""
    _close_stdout()
    return FAULT


def _close_stdout() -> None:
    """Let what cannot be written go nowhere, so that Python does not try once more at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _set_up_logging(debug: bool) -> None:
    """What inkstream logs is said in short lines; what libraries log only with ``--debug``."""
    told = terminal.Told(debug)
    if debug:
        logging.captureWarnings(True)
        logging.basicConfig(level=logging.INFO, handlers=[told], force=True)
        return
    root, ours = logging.getLogger(), logging.getLogger("inkstream")
    for logger in (root, ours):
        for handler in [each for each in logger.handlers if isinstance(each, terminal.Told | logging.NullHandler)]:
            logger.removeHandler(handler)
    root.addHandler(logging.NullHandler())  # else the warnings of libraries are written to stderr
    told.setLevel(terminal.NOTE)
    terminal.notes.setLevel(terminal.NOTE)
    ours.addHandler(told)


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
        bool, typer.Option("--debug", help="Show where an error comes from, what is going on, and what libraries say.")
    ] = False,
) -> None:
    """Draw in any program, and watch the render while the pen is still moving.

    Start with:  inkstream, which opens a page to choose from, or  inkstream demo

    It leaves with 0 when all went well, 1 after a fault, 2 when something was asked for wrongly, 130 when it was
    interrupted: Ctrl-C ends it cleanly within two seconds, a second one at once.
    """


app.command()(start.start)
app.command()(demo.demo)
app.command()(run.run)
app.command()(studio.studio)
app.command()(render.render)
app.command()(finish.finish)
app.command()(doctor.doctor)
app.command("install-desktop")(install.install_desktop)
app.command()(build.build)
app.command()(quantize.quantize)
app.command()(evaluate.evaluate)
app.command()(prepare.prepare)
app.command()(train.train)
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.add_typer(engines.app, name="engines")
app.add_typer(history.app, name="history")
app.add_typer(scenes.app, name="scenes")
app.add_typer(palette.app, name="palette")
app.add_typer(midi.app, name="midi")
app.add_typer(cluster.app, name="cluster")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """The entry point of ``inkstream``."""
    terminal.guard(everything="--debug" in sys.argv[1:])
    interrupts_for_good(_raise)
    try:
        try:
            app(prog_name="inkstream")
        finally:
            too_late()  # which may be interrupted itself
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
