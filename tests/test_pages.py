"""README and docs name files that exist, and commands and options that the command line has."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from inkstream.stream.app.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
BLOCK = re.compile(r"^ *```sh$(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^ *|&& )inkstream (.+)", re.MULTILINE)
INLINE = re.compile(r"`inkstream ([^`]+)`")
HELP = ("-h", "--help")


def unknown_of(words: list[str]) -> list[str]:
    """The words of a command line that are neither a command nor an option of theirs."""
    command: Any = get_command(app)
    unknown = []
    for word in words:
        if word.startswith("-"):
            options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            unknown += [] if word in {*options, *HELP} else [word]
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return [*unknown, word]
            command = command.commands[word]
            if command.context_settings.get("ignore_unknown_options"):  # a bench, which reads its options itself
                bench = typer.Typer()
                bench.command()(importlib.import_module(f"inkstream.bench.{word}").main)
                command = get_command(bench)
    return unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_commands_exist(page):
    text = page.read_text("utf-8")
    links = [link for link in LINK.findall(text) if not link.startswith("http")]
    assert [link for link in links if not (page.parent / link).exists()] == []
    commands = [*COMMAND.findall("\n".join(BLOCK.findall(text))), *INLINE.findall(text)]
    assert {line: unknown for line in commands if (unknown := unknown_of(shlex.split(line, comments=True)))} == {}


def test_a_wrong_command_and_a_wrong_option_are_seen():
    assert unknown_of(["run", "--sauce", "screen"]) == ["--sauce"]
    assert unknown_of(["engines", "prone"]) == ["prone"]
    assert unknown_of(["bench", "fps", "--compare", "OLD.json"]) == []
