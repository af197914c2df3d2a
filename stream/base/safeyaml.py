"""YAML as data, never code: every value keeps its place in the file, and every fault is a ConfigError that names it.

The scalars are those of the YAML 1.2 core schema, so ``no`` and ``12:30`` are text and ``1e-3`` is a number. Tags,
several documents in a file, duplicate keys and keys that are not text are refused. So are files that would grow when
read: above 1 MiB of text, 32 levels or 10,000 values (a value counts each time an alias repeats it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .errors import ConfigError
from .files import open_regular

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 10_000
_TAG = "tag:yaml.org,2002:"
_CORE_SCHEMA = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
]


class Place(NamedTuple):
    """Where something is written: a file (or what stands for one), line and column counted from 1; 0 is unknown."""

    name: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}" if self.line else self.name


@dataclass
class Document:
    """A value read from YAML and where its parts are written; parts are named by dotted paths, the whole by ``""``."""

    value: Any
    places: dict[str, Place] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)

    def place(self, path: str, key: bool = False) -> Place:
        """The place of a part, of its key when asked for, or of the nearest part around it that is written."""
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places.get(path, Place("configuration"))


class _Refused(Exception):
    def __init__(self, mark: yaml.Mark, text: str):
        super().__init__(text)
        self.mark = mark


class _Loader(yaml.SafeLoader):
    """PyYAML's reader, stopped before it makes nodes of what is refused."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise _Refused(event.start_mark, f"got the tag {event.tag!r}, expected plain data: tags are not read")
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(event.start_mark, f"got more than {MAX_DEPTH} levels, expected a flatter file")
        if self._count > MAX_VALUES:
            raise _Refused(event.start_mark, f"got more than {MAX_VALUES:,} values, expected fewer")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer for the same scalars; repeats what is shared instead of writing aliases."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent(self, data: Any) -> None:
        node = self.represent_data(data)
        if isinstance(node, yaml.CollectionNode) and node.value:
            node.flow_style = False
        self.serialize(node)

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # PyYAML would fold such text over lines, and lines are indented anew by whoever nests the result.
        style = '"' if any(mark in data for mark in "\n\r\x85\u2028\u2029") else None
        return self.represent_scalar(_TAG + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
for _name, _pattern, _first in _CORE_SCHEMA:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


class _Builder:
    """Turns nodes into values, and counts what aliases repeat."""

    def __init__(self, name: str):
        self.document = Document(None, {"": Place(name, 1, 1)})
        self._name = name
        self._count = 0

    def build(self, node: Any, path: str = "", depth: int = 0) -> Any:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_VALUES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES:,} values"
            raise _Refused(node.start_mark, f"got aliases that grow to more than {limit}; write the values out")
        self.document.places[path] = self._at(node)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node.value, node.tag, node.start_mark)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, _join(path, index), depth + 1) for index, item in enumerate(node.value)]
        values: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag != _TAG + "str":
                raise _Refused(key.start_mark, f"got the key {_written(key)}, expected a name; put text into quotes")
            if key.value in values:
                raise _Refused(key.start_mark, f"got the key {key.value!r} twice, expected it once")
            inner = _join(path, key.value)
            self.document.keys[inner] = self._at(key)
            values[key.value] = self.build(value, inner, depth + 1)
        return values

    def _at(self, node: Any) -> Place:
        return Place(self._name, node.start_mark.line + 1, node.start_mark.column + 1)


def _join(path: str, part: str | int) -> str:
    return f"{path}.{part}" if path else str(part)


def _written(node: Any) -> str:
    return node.value or "''" if isinstance(node, yaml.ScalarNode) else f"({node.id})"


def read_scalar(text: str, name: str) -> Any:
    """Read text that is one plain scalar whatever characters it holds: None, bool, int, float or str."""
    resolver = _Loader("")
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    resolver.dispose()
    try:
        return _scalar(text, tag, None)
    except _Refused as error:
        raise ConfigError(f"{name}: {error}") from None


def _scalar(text: str, tag: str, mark: Any) -> Any:
    kind = tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float") and len(text) > 400:
        raise _Refused(mark, f"got a number of {len(text)} digits, expected a shorter one")
    if kind == "int":
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def read(text: str, name: str) -> Document:
    """Read one YAML document; ``name`` stands for the file in messages. Raises ConfigError with its place."""
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{name}: got more than {MAX_BYTES // 1024} KiB, expected a configuration file")
    builder = _Builder(name)
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        builder.document.value = None if node is None else builder.build(node)
    except _Refused as error:
        raise ConfigError(f"{Place(name, error.mark.line + 1, error.mark.column + 1)}: {error}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        column = error.position - text.rfind("\n", 0, error.position)
        character = text[error.position : error.position + 1]
        raise ConfigError(f"{Place(name, line + 1, column)}: got the character {character!r}, expected text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
        raise ConfigError(f"{place}: not YAML: {', '.join(filter(None, (error.context, error.problem)))}") from None
    except (ValueError, OverflowError) as error:  # PyYAML lets these out for escapes and versions beyond all numbers
        mark = loader.get_mark() if loader else None
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
        raise ConfigError(f"{place}: not YAML: {error}") from None
    finally:
        if loader:
            loader.dispose()
    return builder.document


def read_file(path: Path) -> Document:
    """Read one YAML file. Raises ConfigError with the place of what is wrong in it, OSError when it cannot be read."""
    with open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: got more than {MAX_BYTES >> 10} KiB, expected a configuration file")
    try:
        return read(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: got the byte {data[error.start]:#04x}, expected UTF-8 text") from None


def write(value: Any) -> str:
    """Write plain data as YAML that ``read`` reads back equal; inner lists and mappings of scalars are on one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=2**30)
