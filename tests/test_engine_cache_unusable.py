"""A cache that cannot be used: engines run without it, that is said once, and nothing good is removed."""

import logging
import os
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from inkstream.engines import cache as caches
from inkstream.engines import signed
from inkstream.engines.cache import CacheUnavailable, EngineCache, EngineKey, EnginePlan, PlanRefused
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.locks import locked
from inkstream.stream.base.private import user_cache

KEYS = [EngineKey(unit, "g", "w", "p", "fp16", "lib", "sm_90") for unit in ("encode", "denoise", "decode")]
PLAN = EnginePlan(b"a plan")
NOBODY = 65534
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of files")


@pytest.fixture
def folder():
    """A folder that any user may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


@contextmanager
def as_nobody():
    """As a user without rights; a test run without them stays as it is."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture(autouse=True)
def said(caplog):
    caches._said.clear()
    caplog.set_level(logging.WARNING)


def cache_in(folder):
    return EngineCache(folder / "engines", signed.Signature(folder / "plan.key"), patience=0.05)


def filled(folder):
    with as_nobody():
        for key in KEYS:
            cache_in(folder).get(key, lambda: PLAN)


@contextmanager
def read_only(*folders):
    for each in folders:
        each.chmod(0o500)
    try:
        with as_nobody():
            yield
    finally:
        for each in folders:
            each.chmod(0o700)


def never():
    raise AssertionError("it was built again")


def runs_and_is_said_once(cache, caplog, what=""):
    for key in KEYS:
        assert cache.get(key, lambda: PLAN) == PLAN
    assert [record.levelname for record in caplog.records] == ["WARNING"], caplog.text
    assert "engines run, but will be built again next time" in caplog.text
    assert what in caplog.text


def test_t3_prune_of_a_read_only_cache_removes_nothing(folder):
    filled(folder)
    before = sorted((folder / "engines").iterdir())
    with read_only(folder, folder / "engines"):
        entries = cache_in(folder).entries(verify=True)
        assert [(entry.fault, entry.unknown) for entry in entries] == [("", "")] * 3
        assert cache_in(folder).prune(unusable=lambda entry: "") == []
        assert cache_in(folder).get(KEYS[0], never) == PLAN  # and what is there serves
    assert sorted((folder / "engines").iterdir()) == before


@pytest.mark.parametrize("why", ["its key cannot be read", "it cannot be read"])
def test_t3_what_cannot_be_judged_is_not_removed(folder, why, caplog):
    filled(folder)
    plan = cache_in(folder).path(KEYS[0])
    unreadable = folder / "plan.key" if why.startswith("its key") else plan
    if os.geteuid() == 0:
        os.chown(unreadable, 0, 0)  # as where root ran first
    unreadable.chmod(0o600 if os.geteuid() == 0 else 0)
    with read_only(folder):
        cache = cache_in(folder)
        assert any(entry.unknown for entry in cache.entries())
        assert cache.prune(unusable=lambda entry: "") == []
        with pytest.raises(CacheUnavailable):
            cache.load(KEYS[0])
        assert cache.get(KEYS[0], lambda: EnginePlan(b"new")).data == b"new"
    assert len(list((folder / "engines").glob("*.plan"))) == 3
    assert len(caplog.records) == 1


def test_t3_prune_leaves_what_has_not_the_name_of_a_plan(folder):
    filled(folder)
    engines = folder / "engines"
    (engines / "mine.plan").write_text("a plan for the garden")
    (engines / "mine.plan.lock").write_text("")
    (engines / f"encode-{'0' * 32}.plan").mkdir()
    (engines / ".garden.part").mkdir()
    with as_nobody():
        cache_in(folder).prune(everything=True, unusable=lambda entry: "")
    names = sorted(path.name for path in engines.iterdir())
    assert names == [".garden.part", f"encode-{'0' * 32}.plan", "mine.plan", "mine.plan.lock"]


def test_t3_what_was_proven_bad_is_removed(folder):
    filled(folder)
    path = cache_in(folder).path(KEYS[1])
    path.write_bytes(path.read_bytes()[:-1])
    with as_nobody():
        removed = cache_in(folder).prune(unusable=lambda entry: "")
    assert [entry.path for entry in removed] == [path]


def test_t4_a_read_only_cache(folder, caplog):
    (folder / "engines").mkdir()
    if os.geteuid() == 0:
        os.chown(folder / "engines", NOBODY, NOBODY)
    with read_only(folder, folder / "engines"):
        runs_and_is_said_once(cache_in(folder), caplog)
        with cache_in(folder).scratch(KEYS[0]) as scratch:  # what engines are made of finds another place
            assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
            (scratch / "network.onnx").write_bytes(b"x")


def test_t4_root_ran_first(folder, caplog):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for key in KEYS:
        cache_in(folder).get(key, lambda: PLAN)
    with as_nobody():
        runs_and_is_said_once(cache_in(folder), caplog)
    assert len(list((folder / "engines").glob("*.plan"))) == 3


@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_t4_a_folder_in_the_place_of_plan_or_lock(folder, suffix, caplog):
    cache = cache_in(folder)
    for key in KEYS:
        place = Path(f"{cache.path(key)}{suffix}")
        place.mkdir(parents=True)
        (place / "mine").write_text("")
    runs_and_is_said_once(cache, caplog)
    assert len(list((folder / "engines").glob("*/mine"))) == 3


@pytest.mark.parametrize("when", ["from the first", "once it was used"])
def test_t4_no_inodes(folder, when, monkeypatch, caplog):
    cache, really = cache_in(folder), os.open
    if when == "once it was used":
        cache.get(KEYS[0], lambda: PLAN)
        cache.remove(KEYS[0])

    def no_room(path, flags, *rest, **settings):
        if flags & os.O_CREAT and str(path).startswith(str(folder)) and not os.path.exists(path):
            raise OSError(28, "No space left on device")
        return really(path, flags, *rest, **settings)

    monkeypatch.setattr(os, "open", no_room)
    runs_and_is_said_once(cache, caplog, "No space left on device")


def test_t4_an_unfit_plan_of_a_read_only_cache_is_not_given_again(folder, caplog):
    filled(folder)
    with read_only(folder, folder / "engines"):
        cache = cache_in(folder)
        cache.remove(KEYS[0])
        assert cache.get(KEYS[0], lambda: EnginePlan(b"new")).data == b"new"
    assert len(caplog.records) == 1


def test_t12_who_waits_for_a_build_is_told_for_what_and_for_whom(folder):
    cache, heard = cache_in(folder), []
    (folder / "engines").mkdir()
    lock = Path(f"{cache.path(KEYS[0])}.lock")
    with locked(lock), pytest.raises(EngineError) as refused:
        cache.get(KEYS[0], never, lambda text, part=None: heard.append(text))
    who = "this process" if sys.platform == "linux" else "another process"
    assert heard and str(lock) in heard[0] and "since" in heard[0] and who in heard[0]
    assert str(lock) in str(refused.value) and who in str(refused.value)


def test_t12_a_key_that_another_process_makes_for_ever_is_not_waited_for(folder, monkeypatch, caplog):
    monkeypatch.setattr(signed, "_KEY_PATIENCE", 0.05)
    with locked(folder / "plan.key.lock"):
        runs_and_is_said_once(cache_in(folder), caplog, "plan.key.lock")


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_key_that_is_no_file_is_not_followed_and_blocks_nobody(folder, kind, caplog):
    (folder / "theirs").write_bytes(b"x" * 32)
    (folder / "theirs").chmod(0o600)
    {"link": lambda path: path.symlink_to(folder / "theirs"), "fifo": os.mkfifo, "folder": Path.mkdir}[kind](
        folder / "plan.key"
    )
    for key in KEYS:
        assert cache_in(folder).get(key, lambda: PLAN) == PLAN
    assert (folder / "theirs").read_bytes() == b"x" * 32
    if kind == "link":
        assert not (folder / "plan.key").is_symlink()
        assert cache_in(folder).load(KEYS[0]) == PLAN


def test_a_fifo_in_the_place_of_a_plan_is_refused_at_once(folder):
    cache = cache_in(folder)
    cache.folder.mkdir()
    os.mkfifo(cache.path(KEYS[0]))
    with pytest.raises(PlanRefused, match="not a plain file"):
        cache.load(KEYS[0])


def test_t16_without_a_home_there_is_a_cache_all_the_same(monkeypatch, tmp_path):
    import pwd

    def nobody(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for home, xdg in ((None, None), ("", ""), ("relative", "relative"), (None, "relative/cache")):
        for name, value in (("HOME", home), ("XDG_CACHE_HOME", xdg)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        assert user_cache().is_absolute(), (home, xdg)
    assert user_cache() == tmp_path / f"inkstream-{os.getuid()}"
    assert EngineCache().get(KEYS[0], lambda: PLAN) == PLAN
    assert EngineCache().load(KEYS[0]) == PLAN
