"""One writer for all: who opens a file to write, or removes one, by itself is named here, with the reason.

``stream/base/files.py`` and ``folders.py`` write under names of their own and rename, never follow a name to a device,
and never leave half a file; whoever writes in another way must have a reason for it.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("stream", "adapters", "engines", "lora", "bench", "configs", "models")
WRITES = {"write_text", "write_bytes", "save_file", "save_pretrained", "savefig", "imwrite", "open_memmap", "savez"}
WRITES |= {"dump", "copytree", "copyfile", "copy2", "extractall", "NamedTemporaryFile", "mkstemp", "truncate"}
REMOVES = {"unlink", "remove", "rmtree", "rmdir", "rename", "replace", "move"}
# Methods with these names that are no files: of text, of dataclasses, of windows.
NO_FILES = {"replace", "remove", "move", "dump", "rename", "truncate"}

IN_A_FOLDER_THAT_APPEARS_WHOLE = "into a folder of replacing_folder, model_folder or checkpoints"
IN_A_FOLDER_OF_ITS_OWN = "into a temporary folder that nobody else knows"
WRITERS = {
    "stream/base/files.py": "the writer",
    "stream/base/folders.py": "the writer",
    "stream/base/private.py": "the folder of this process, and those of dead ones, by their locks",
    "stream/history/records.py": "a file of its own, added to record by record so that a kill takes nothing back",
    "stream/history/recorder.py": "its own journal, when nothing was drawn in it",
    "stream/history/store.py": "recorded parts and folders of sessions by their form, when their time or room is over",
    "stream/app/start/last.py": "small pictures of what was seen last in a program, by the form of their names",
    "stream/app/studio/rooms.py": "drawings in which nothing was drawn, by the form of their names, under their locks",
    "stream/app/control/maps.py": "a map of this user's, by its name, when its user forgets it",
    "stream/app/shortcut.py": "the entry of the menu and its icons, by the mark that they bear, and folders left empty",
    "stream/sinks/video.py": "opened exclusively, and written on while it runs; its own file, when it stayed empty",
    "engines/signed.py": "the scratch folder; a link in place of the key, by its name",
    "engines/cache.py": "plans and locks by their form, under their lock",
    "engines/codecache.py": IN_A_FOLDER_OF_ITS_OWN,
    "lora/data/_journal.py": "added to line by line, under a lock; a line that was cut off is cut away",
    "lora/data/prepare.py": "pictures by their form, that its own list does not name any more, under a lock",
    "lora/tokens.py": IN_A_FOLDER_OF_ITS_OWN,
    "lora/reader.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/upscaler.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/adapters.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/assembly.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/autoencoder.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/base.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/caches.py": "filled block by block, under a lock",
    "lora/train/checkpoint.py": "checkpoints by their form, under the lock of the training",
    "lora/train/controlnet.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/lcm.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/storage.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/tokens.py": IN_A_FOLDER_THAT_APPEARS_WHOLE,
    "lora/train/trackers.py": "added to line by line, under the lock of the training",
    "bench/bench.py": "a figure into memory",
    "bench/changes.py": IN_A_FOLDER_OF_ITS_OWN,
    "bench/timing.py": "the kernel's own file",
}


def calls(path):
    """Names of calls in a file that write or remove files."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if "devnull" in ast.unparse(node) or "BytesIO()" in ast.unparse(node):
            continue
        modes = node.args[0 if owner and owner != "os" else 1 :]
        modes += [keyword.value for keyword in node.keywords if keyword.arg == "mode"]
        texts = [each.value for each in modes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        opens = name in ("open", "fdopen") and any(set(each) & set("wax+") and len(each) <= 3 for each in texts)
        flags = owner == "os" and name == "open"
        in_files = owner in ("os", "shutil", "tempfile") or name not in NO_FILES
        removes = name in REMOVES and (in_files or (owner in ("path", "part", "file") and len(node.args) == 1))
        if opens or flags or removes or (name in WRITES and in_files):
            yield f"{node.lineno}: {ast.unparse(node)[:100]}"


def test_t15_nobody_writes_files_beside_the_one_writer():
    found = {}
    for path in sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        found[name] = list(calls(path))
    others = [f"{name}:{call}" for name, each in found.items() if name not in WRITERS for call in each]
    assert not others, "\n".join(others)
    gone = [name for name in WRITERS if not found.get(name)]
    assert not gone, f"write nothing by themselves any more: {gone}"


def test_the_search_finds_what_it_looks_for(tmp_path):
    lines = ['open("a", "w")', 'path.open("ab")', 'path.write_text("")', "os.replace(a, b)", "shutil.rmtree(a)"]
    lines += ["path.unlink()", "os.open(a, b)", "numpy.lib.format.open_memmap(a)", "save_file(a, b)", "part.rename(b)"]
    harmless = ['open("a")', 'open("a", "rb")', 'text.replace("a", "b")', "replace(config, a=1)", "names.remove(a)"]
    (tmp_path / "a.py").write_text("\n".join([*lines, *harmless]))
    assert [int(call.split(":")[0]) for call in calls(tmp_path / "a.py")] == list(range(1, len(lines) + 1))
