"""Folders appear whole or not at all, and a kill at any moment leaves a whole one."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkstream.stream.base import folders
from inkstream.stream.base.folders import replacing_folder, tidy
from inkstream.stream.base.private import user_state

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows forks no processes, and links need rights there")

# Replaces folders, in a process each that is killed before the call number ``at`` of those that change names; the last
# one comes to its end.
CHILD = """
import os, sys
from pathlib import Path
from inkstream.stream.base import folders

root, exchange = Path(sys.argv[1]), sys.argv[2] == "True"


def killed(call):
    def counted(*arguments, **settings):
        global at
        if at == 0:
            os._exit(9)
        at -= 1
        return call(*arguments, **settings)
    return counted


if not exchange:
    folders._exchanged = lambda one, other: False
folders._exchanged = killed(folders._exchanged)
os.rename, os.unlink, os.rmdir = killed(os.rename), killed(os.unlink), killed(os.rmdir)
number, code = 0, 9
while code:
    process = os.fork()
    if process == 0:
        at = number
        with folders.replacing_folder(root / str(number) / "model") as part:
            (part / "weights").write_text("new")
            (part / "notes").write_text("new")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, 9), code
    number += 1
print(number)
"""
MOST = 20  # more than there are such calls


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_is_replaced_at_once_or_stays(tmp_path):
    target = tmp_path / "deep" / "model"
    with replacing_folder(target) as part:
        (part / "weights").write_text("old")
    with pytest.raises(RuntimeError), replacing_folder(target) as part:
        (part / "weights").write_text("half")
        raise RuntimeError
    assert (target / "weights").read_text() == "old"
    with replacing_folder(target) as part:
        (part / "more").write_text("new")
    assert names(target) == ["more"]
    assert names(target.parent) == ["model"]


@posix
@pytest.mark.parametrize("exchange", [True, False])
def test_t11_killed_at_any_rename_a_whole_copy_survives_and_the_next_start_uses_it(tmp_path, exchange):
    old, new = {"weights": "old", "notes": "old"}, {"weights": "new", "notes": "new"}
    for number in range(MOST):
        (tmp_path / str(number) / "model").mkdir(parents=True)
        for name, text in old.items():
            (tmp_path / str(number) / "model" / name).write_text(text)
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(exchange)]
    count = int(subprocess.run(command, check=True, timeout=60, capture_output=True).stdout)
    seen = []
    for number in range(count):
        folder = tmp_path / str(number)
        tidy(folder)
        assert names(folder) == ["model"], number
        assert content(folder / "model") in (old, new), number
        seen.append(content(folder / "model") == new)
    assert 4 <= count < MOST
    assert seen == sorted(seen)  # the old one up to some moment, and from there on the new one
    assert (seen[0], seen[-1]) == (False, True)


def test_t11_the_exchange_leaves_no_moment_without_a_copy(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").write_text("")
    if not folders._exchanged(tmp_path / "a", tmp_path / "b"):
        pytest.skip("needs exchange of names, which this system does not have")
    assert names(tmp_path / "b") == ["x"]


def test_t11_where_the_second_rename_fails_the_old_copy_comes_back(tmp_path, monkeypatch):
    target = tmp_path / "model"
    target.mkdir()
    (target / "weights").write_text("old")
    rename = os.rename

    def fails(one, other):
        if str(one).endswith(".part") and not target.exists():
            raise OSError(5, "Input/output error")
        rename(one, other)

    monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(OSError, match="Input/output"), replacing_folder(target) as part:
        (part / "weights").write_text("new")
    assert content(target) == {"weights": "old"}
    assert names(tmp_path) == ["model"]


def test_only_what_killed_writers_left_is_removed(tmp_path):
    mine = [".hidden.part", ".git", "draft.part", ".a.old", ".model.12-zz.part"]
    for name in (*mine, ".model.12-0123abcd.part", ".other.7-0123abcd.part"):
        (tmp_path / name).mkdir()
    assert tidy(tmp_path, "model")
    assert names(tmp_path) == sorted([*mine, ".other.7-0123abcd.part"])
    assert tidy(tmp_path)
    assert not tidy(tmp_path)
    assert names(tmp_path) == sorted(mine)


def test_t15_many_threads_replace_one_folder_and_none_is_mixed(tmp_path, monkeypatch):
    target = tmp_path / "model"

    def write(number):
        for _ in range(10):
            with replacing_folder(target) as part:
                for name in ("a", "b"):
                    (part / name).write_text(str(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(set(content(target).values())) == 1
    assert names(tmp_path) == ["model"]


@posix
@pytest.mark.parametrize("exchange", [True, False])
def test_what_a_link_leads_to_stays_and_a_file_is_not_taken_for_a_folder(tmp_path, exchange, monkeypatch):
    if not exchange:
        monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "mine").write_text("mine")
    for name in ("disk", "nowhere"):
        (tmp_path / name[0]).symlink_to(tmp_path / name)
        with replacing_folder(tmp_path / name[0]) as part:
            (part / "weights").write_text("new")
        assert content(tmp_path / name[0]) == {"weights": "new"}
    assert content(tmp_path / "disk") == {"mine": "mine"}
    assert names(tmp_path) == ["d", "disk", "n"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError, match="expected a folder"), replacing_folder(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have their own places")
def test_what_is_remembered_lies_where_the_desktop_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert user_state() == tmp_path / "inkstream"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_state() == tmp_path / ".local" / "state" / "inkstream"
