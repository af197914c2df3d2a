"""Files and folders appear whole or not at all, whoever writes beside them."""

import json
import threading

import pytest

from inkstream.stream.base.files import replacing, replacing_folder, write_json, write_new, write_whole


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
