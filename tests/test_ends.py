"""What people are told of sources and sinks is what their parsers read."""

import inspect
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inkstream.stream.app.cli import app
from inkstream.stream.app.ends import as_markdown, as_text, kinds
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.spec import Option, flag, parse_spec
from inkstream.stream.sinks import KINDS as SINKS
from inkstream.stream.sinks import open_sink
from inkstream.stream.sources import KINDS as SOURCES
from inkstream.stream.sources import open_source

PAGE = Path(__file__).parent.parent / "docs" / "sources-and-sinks.md"
DECLARED = [(what, name, kind) for what, found in kinds().items() for name, kind in found.items()]
each_kind = pytest.mark.parametrize(("what", "name", "kind"), DECLARED, ids=lambda value: str(value)[:12])


def test_every_kind_is_declared():
    assert {name for what, name, _ in DECLARED if what == "source"} == set(SOURCES)
    assert {name for what, name, _ in DECLARED if what == "sink"} == set(SINKS)


@each_kind
def test_the_parser_takes_what_is_declared_and_nothing_else(what, name, kind):
    with pytest.raises(ConfigError) as caught:
        (open_source if what == "source" else open_sink)(f"{name}:no_such_option=1")
    assert f"{name} takes: {', '.join(kind.options) or 'none'}" in str(caught.value)


@each_kind
def test_every_option_is_one_of_the_class_that_is_made(what, name, kind):
    parameters = inspect.signature(kind.makes).parameters
    assert [option for option in kind.options if option not in parameters and option != "path"] == []


@each_kind
def test_every_example_can_be_read(what, name, kind):
    for text in kind.examples:
        spec = parse_spec(text)
        assert spec.kind == name
        spec.take(kind.options)


def test_a_flag_is_declared_as_one():
    options = [option for _, _, kind in DECLARED for option in kind.options.values()]
    assert all(isinstance(option, Option) and bool(option.value) == (option.read is not flag) for option in options)


def test_the_list_has_every_option_with_its_default():
    result = CliRunner().invoke(app, ["run", "--help-sources"])
    assert result.exit_code == 0 and result.stdout == as_text() + "\n"
    for _, name, kind in DECLARED:
        assert f"\n{name}: " in result.stdout
        assert all(option == "path" or f"    {option}" in result.stdout for option in kind.options)
    assert "how often it is looked at, in a second (default 30)" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


@pytest.mark.parametrize("what", ["source", "sink"])
def test_the_page_has_the_same_table(what):
    assert as_markdown(what) in PAGE.read_text("utf-8"), f"docs/{PAGE.name} must have:\n{as_markdown(what)}"
