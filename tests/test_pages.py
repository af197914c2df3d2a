"""README and docs name files that exist, and commands and options that the command line has."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from inkstream.lora.words import read_vocabulary
from inkstream.stream.app.cli import app
from inkstream.stream.base.prompt import parse_prompt

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


def prompts_of(text: str) -> list[str]:
    """The prompts in a page's commands, programs, settings, cues, and names of kept pictures."""
    quoted = re.findall(r"""(?:--prompt |prompt=|prompt: )["']([^"'\n]+)["']""", text)
    blends = [each for line in re.findall(r"prompt: \[\[.*", text) for each in re.findall(r'\["([^"]+)"', line)]
    cues = re.findall(r"`@\d+ ([^`]+)`", text)
    kept = [name.replace("-", " ") for name in re.findall(r"\b\d{8}-\d{6}-([a-z-]+)\.png", text)]
    return [parse_prompt(each).text.strip() for each in (*quoted, *blends, *cues, *kept) if each != "..."]


EXAMPLES = [*PAGES, *sorted((ROOT / "stream" / "app" / "commands").glob("*.py"))]


def test_what_examples_ask_for_the_embedded_model_knows():
    vocabulary = read_vocabulary(ROOT / "models" / "ink-tiny")
    prompts = [(page.name, each) for page in EXAMPLES for each in prompts_of(page.read_text("utf-8"))]
    assert {"README.md", "keeping.md", "prompts.md", "preview.md", "run.py"} <= {name for name, _ in prompts}
    assert {(name, *unknown): each for name, each in prompts if (unknown := vocabulary.unknown(each))} == {}


def test_a_recipe_that_shows_the_prompt_gives_one():
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    shown = [line for line in COMMAND.findall("\n".join(BLOCK.findall(text))) if "layout=stage" in line]
    assert len(shown) >= 2 and [line for line in shown if "--prompt" not in line] == []


def test_a_prompt_with_a_word_that_is_not_known_is_seen():
    text = """inkstream run --prompt "a sports car <lora:night:1>"
    prompt: [["a cat", 2], ["a dog", 1]] and `@2 a castle`, 20310203-120000-a-fast-car.png, update(prompt="boat")"""
    assert prompts_of(text) == ["a sports car", "boat", "a cat", "a dog", "a castle", "a fast car"]


def test_a_wrong_command_and_a_wrong_option_are_seen():
    assert unknown_of(["run", "--sauce", "screen"]) == ["--sauce"]
    assert unknown_of(["engines", "prone"]) == ["prone"]
    assert unknown_of(["bench", "fps", "--compare", "OLD.json"]) == []
