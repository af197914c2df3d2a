"""The layers hold: what each part of the house may import, and how large a file may be.

``docs/architecture.md`` shows the same table to people, and one test holds it to this one.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("stream", "adapters", "engines", "lora", "bench", "configs", "models")
MOST_LINES = 400

# folder -> layer; the longest that fits counts
LAYERS = {
    "configs": "data",
    "models": "data",
    "stream/base": "base",
    "adapters": "adapters",
    "engines": "engines",
    "lora": "weights",
    "stream/sources": "sources",
    "stream/sinks": "sinks",
    "stream/loop": "loop",
    "stream/session": "session",
    "lora/data": "lora/data",
    "lora/evaluate": "lora/evaluate",
    "lora/train": "lora/train",
    "bench": "bench",
    "stream/app": "app",
    "stream": "facade",
}
# layer -> the layers that it may import, beside itself and data; in the order in which they stand on each other
MAY = {
    "base": set(),
    "adapters": {"base"},
    "engines": {"base"},
    "weights": {"base"},
    "sources": {"base", "sinks"},
    "sinks": {"base", "sources"},
    "loop": {"base", "adapters", "engines", "weights"},
    "session": {"base", "sources", "sinks"},
    "lora/data": {"base", "adapters", "weights", "loop"},
    "lora/evaluate": {"base", "engines", "weights", "lora/data", "loop"},
    "lora/train": {"base", "weights", "lora/data", "lora/evaluate"},
    "bench": {"base", "adapters", "engines", "weights", "sources", "sinks", "loop", "session"},
    "app": {"base", "adapters", "engines", "weights", "sources", "sinks", "loop", "session"}
    | {"lora/data", "lora/evaluate", "lora/train", "bench"},
}
# What sources and sinks share is one layer: they stand side by side.


def product_files():
    return sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("inkstream", *(parts[:-1] if parts[-1] == "__init__" else parts)))


MODULES = {module_of(path): path for path in product_files()}


def layer_of(path):
    place = path.relative_to(ROOT).as_posix()
    return LAYERS[max((folder for folder in LAYERS if place.startswith(f"{folder}/")), key=len)]


def imports(path):
    """(line, file, name) for everything of ours that a file imports, wherever in it; the name is empty for a module."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        found = []
        if isinstance(node, ast.Import):
            found = [(name.name, "") for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            levels = package.split(".")
            base = ".".join([*levels[: len(levels) - node.level + 1], *filter(None, [node.module])])
            base = base if node.level else node.module or ""
            names = [(f"{base}.{each.name}", each.name) for each in node.names]
            found = [(full, "") if full in MODULES else (base, name) for full, name in names]
        yield from ((node.lineno, MODULES[name], what) for name, what in found if name in MODULES)


@pytest.mark.parametrize("path", product_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_what_its_layer_may(path):
    layer = layer_of(path)
    if layer in ("data", "facade"):
        allowed = {"data"} if layer == "data" else set(LAYERS.values())
    else:
        allowed = MAY[layer] | {layer, "data"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} ({layer}) imports {other.relative_to(ROOT)} ({layer_of(other)})"
        for line, other, _ in imports(path)
        if layer_of(other) not in allowed
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", product_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_no_private_module_or_name_of_another_folder(path):
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name} of {other.relative_to(ROOT)}"
        for line, other, name in imports(path)
        if other.parent != path.parent
        and any(each.startswith("_") and not each.startswith("__") for each in (other.stem, name))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_layers_stand_on_each_other():
    """Apart from sources and sinks, which are one floor."""
    above = {layer: may - {"sources", "sinks"} if layer in ("sources", "sinks") else may for layer, may in MAY.items()}
    standing: set[str] = set()
    while above:
        floor = {layer for layer, may in above.items() if may <= standing}
        assert floor, f"in a circle: {sorted(above)}"
        standing |= floor
        above = {layer: may for layer, may in above.items() if layer not in floor}


def test_the_foundation_imports_no_torch():
    for path in (ROOT / "stream" / "base").rglob("*.py"):
        top = [
            node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = {name.name for node in top if isinstance(node, ast.Import) for name in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom) and not node.level}
        heavy = {name.split(".")[0] for name in names} & {"torch", "diffusers", "transformers", "peft"}
        assert not heavy, f"{path.relative_to(ROOT)} imports {heavy}"


def test_every_part_is_typed():
    for part in PARTS:
        assert (ROOT / part / "py.typed").is_file(), part


@pytest.mark.parametrize("path", product_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_too_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
