"""Files and folders appear whole or not at all, whoever writes beside them."""

import json
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkstream.stream.base.files import (
    new_array,
    open_regular,
    regular_file,
    replacing,
    write_json,
    write_new,
    write_whole,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_at_once_or_stays(tmp_path):
    target = tmp_path / "figures.json"
    write_json(target, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(target, {"a": float("nan")})
    assert json.loads(target.read_text()) == {"a": 1}
    with pytest.raises(RuntimeError), replacing(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert json.loads(target.read_text()) == {"a": 1}
    assert names(tmp_path) == ["figures.json"]


def test_many_threads_never_meet_in_one_file(tmp_path):
    target, failures = tmp_path / "shared", []

    def write(letter):
        try:
            for _ in range(20):
                write_whole(target, letter * 1000, letter * 1000)
                found = target.read_bytes()
                assert (len(found), len(set(found))) == (2000, 1)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            failures.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(tmp_path) == ["shared"]


def test_new_files_never_take_the_place_of_another(tmp_path):
    given = [write_new(tmp_path / "a.png", data, durable=True).name for data in (b"one", b"two")]
    assert given == ["a.png", "a-2.png"]
    assert names(tmp_path) == ["a-2.png", "a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"one"


def test_permissions_are_those_asked_for(tmp_path):
    path = write_whole(tmp_path / "key", b"secret", mode=0o600)
    assert path.stat().st_mode & 0o077 == 0


# --- what is read


@posix
@pytest.mark.parametrize("kind", ["a FIFO", "a device", "a folder", "a socket"])
@pytest.mark.parametrize("linked", [False, True])
def test_t12_only_regular_files_are_read(tmp_path, kind, linked):
    path = tmp_path / "x.png"
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    if linked:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    with pytest.raises(OSError, match="expected a regular file") as refused:
        regular_file(path)
    assert refused.value.strerror == f"got {kind}, expected a regular file"
    with pytest.raises(OSError):  # a socket cannot even be opened
        open_regular(path)


def test_t12_a_link_to_a_regular_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert regular_file(tmp_path / "link") == tmp_path / "link"
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"data"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "missing")


# --- what is written


@posix
def test_t15_what_a_link_leads_to_stays_and_a_device_stays_a_device(tmp_path):
    (tmp_path / "real").write_text("old")
    for target in ("real", "nowhere", "/dev/null"):
        (tmp_path / "link").symlink_to(target)
        write_whole(tmp_path / "link", b"new")
        assert not (tmp_path / "link").is_symlink()
        (tmp_path / "link").unlink()
    (tmp_path / "link.npy").symlink_to("real")
    new_array(tmp_path / "link.npy", (2, 3), "u1")[:] = 1
    assert (tmp_path / "real").read_text() == "old"
    assert not (tmp_path / "nowhere").exists()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="got a FIFO, expected a regular file"):
        write_whole(tmp_path / "fifo", b"new")
    with pytest.raises(OSError, match="got a device"):
        write_whole("/dev/null", b"new")
    assert not any(name.endswith(".part") for name in names(tmp_path))


def test_t15_a_name_may_be_as_long_as_the_file_system_takes(tmp_path):
    for name in ("a" * 255, "ä" * 127):
        assert write_whole(tmp_path / name, b"x").read_bytes() == b"x"


def test_t15_many_threads_never_lose_a_new_file(tmp_path, monkeypatch):
    def no_links(*names):
        raise OSError(95, "Operation not supported")

    for folder in ("linked", "without links"):
        (tmp_path / folder).mkdir()
        in_threads(8, lambda number, folder=folder: write_new(tmp_path / folder / "a.png", b"%d" % number))
        assert sorted(path.read_text() for path in (tmp_path / folder).iterdir()) == list("01234567")
        monkeypatch.setattr(os, "link", no_links)  # as on many memory cards


def in_threads(count, work):
    """What ``work(number)`` gives in as many threads at once; raises what it raises."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))
