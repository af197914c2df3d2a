"""``inkstream bench``: what the program measures about itself. A bench is a module of ``inkstream.bench``."""

from __future__ import annotations

import importlib

import typer

app = typer.Typer(no_args_is_help=True, help="Measure this computer with inkstream's own benches.")

# name -> module of inkstream.bench with ``main(arguments: list[str]) -> int | None``, and what it measures
BENCHES = {"loop": "The live loop: time per stage, pictures a second, latency."}


def _add(name: str, purpose: str) -> None:
    def bench(context: typer.Context) -> None:
        code = importlib.import_module(f"...bench.{name}", __package__).main(list(context.args))
        if code:
            raise typer.Exit(code)

    app.command(
        name,
        help=f"{purpose} Its own options: inkstream bench {name} --help",
        add_help_option=False,  # the bench explains its options itself
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    )(bench)


for _name, _purpose in BENCHES.items():
    _add(_name, _purpose)
