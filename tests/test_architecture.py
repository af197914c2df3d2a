"""The layers hold: what each part of the house may import, and how large a file may be.

``docs/architecture.md`` shows the same table to people, and one test holds it to this one.
"""

import ast
import re
import threading
from pathlib import Path

import numpy as np

from inkstream.stream.base.errors import SourceEnded

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
    "stream/history": "history",
    "stream/sources": "sources",
    "stream/sinks": "sinks",
    "stream/loop": "loop",
    "stream/finish": "finish",
    "stream/session": "session",
    "stream/compat": "compat",
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
    "history": {"base"},
    "sources": {"base"},
    "sinks": {"base", "adapters", "history"},
    "loop": {"base", "adapters", "engines", "weights"},
    "finish": {"base", "weights", "loop"},
    "session": {"base", "history", "sources", "sinks"},
    "compat": {"base", "weights", "sources", "sinks", "loop"},
    "lora/data": {"base", "adapters", "weights", "loop"},
    "lora/evaluate": {"base", "engines", "weights", "lora/data", "loop"},
    "lora/train": {"base", "weights", "lora/data", "lora/evaluate"},
    "bench": {"base", "adapters", "engines", "weights", "sources", "sinks", "loop", "session"},
    "app": {"base", "adapters", "engines", "weights", "history", "sources", "sinks", "loop", "session"}
    | {"finish", "compat", "lora/data", "lora/evaluate", "lora/train", "bench"},
}


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


def test_a_file_imports_what_its_layer_may():
    wrong = []
    for path in product_files():
        layer = layer_of(path)
        allowed = {"data"} if layer == "data" else {"data", layer} | MAY.get(layer, set(LAYERS.values()))
        wrong += [
            f"{path.relative_to(ROOT)}:{line} ({layer}) imports {other.relative_to(ROOT)} ({layer_of(other)})"
            for line, other, _ in imports(path)
            if layer_of(other) not in allowed
        ]
    assert not wrong, "\n".join(wrong)


def test_a_file_imports_no_private_module_or_name_of_another_folder():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name} of {other.relative_to(ROOT)}"
        for path in product_files()
        for line, other, name in imports(path)
        if other.parent != path.parent
        and any(each.startswith("_") and not each.startswith("__") for each in (other.stem, name))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_layers_stand_on_each_other():
    above, standing = dict(MAY), set()
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


def test_no_file_is_too_long():
    for path in product_files():
        assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES, path


# --- the page for newcomers tells the truth

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMES = {"lora": "weights", "stream/sources": "sources", "stream/sinks": "sinks", "stream/loop": "loop"}
NAMES |= {"stream/session": "session", "stream/base": "base", "stream/app": "app", "stream/compat": "compat"}
NAMES |= {"stream/history": "history", "stream/finish": "finish"}


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_has_the_table():
    shown = {}
    for line in section("The rooms").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith("`"):
            room = cells[0].strip("`")
            names = set() if cells[2] == "nothing" else set(cells[2].split(", "))
            shown[NAMES.get(room, room)] = {NAMES.get(name, name) for name in names}
    expected = {layer: {"everything"} if layer == "app" else may for layer, may in MAY.items()}
    assert shown == expected


def test_files_that_the_page_names_are_there():
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", PAGE):
        assert (ROOT / name).exists(), name


def test_a_frame_passes_the_files_that_the_page_names():
    from doubles.tiny_models import tiny_sd

    from inkstream.stream import Session, Stream

    stream = Stream(tiny_sd(controlnets=1), width=64, height=64, mode="img2img", cfg_type="self", acceleration="eager")
    passed, watching = set(), [False]
    folders = ("stream/sources/", "stream/sinks/", "adapters/", "engines/")

    def trace(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if watching[0] and event == "call" and path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PARTS:
            name = path.relative_to(ROOT).as_posix()
            passed.add(next((folder for folder in folders if name.startswith(folder)), name))

    class Drawing:
        live = False
        given = 0

        def read(self):
            self.given += 1
            if self.given > 12:
                raise SourceEnded("enough")
            watching[0] = 5 <= self.given < 10  # neither how it begins nor how it ends
            return np.full((64, 64, 3), 20 * self.given, np.uint8)

        def close(self):
            pass

    threading.settrace(trace)
    try:
        Session(Drawing(), stream, ["null"]).run()
    finally:
        threading.settrace(None)
    way = section("One frame").split("\nEncode, embed, denoise")[0]
    named = set(re.findall(r"`((?:stream|adapters|engines)/[\w/.]*)`", way))
    assert passed | {"stream/sources/"} == named  # the source here is the test's own
