"""The cache of built engines: what is found, what is refused, and what a killed build leaves."""

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkstream.engines import signed
from inkstream.engines.cache import EngineCache, EngineKey, EnginePlan, PlanRefused
from inkstream.stream.base.errors import EngineError

KEY = EngineKey(
    unit="denoise",
    graph="g" * 64,
    weights="w" * 64,
    profile="sample 1x4x64x64",
    precision="fp16",
    library="tensorrt 11.4.0.106",
    device="sm_90 NVIDIA H200",
    driver="cuda 13",
    loras=("ink.safetensors 0.8",),
    controlnets=1,
    flags=("level 4", "refit"),
)
PLAN = EnginePlan(b"a plan" * 100, {"initializers": {"w": "1"}})
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of files")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def make(tmp_path):
    def make(folder="engines", key="plan.key", **settings):
        return EngineCache(tmp_path / folder, signed.Signature(tmp_path / key), **settings)

    return make


@pytest.fixture
def cache(make):
    return make()


def never():
    raise AssertionError("it was built again")


# --- keys


def test_a_difference_in_any_part_is_another_plan(cache):
    cache.get(KEY, lambda: PLAN)
    for part in fields(EngineKey):
        value = getattr(KEY, part.name)
        other = {str: "another", int: 2, tuple: ("another",)}[type(value)]
        changed = replace(KEY, **{part.name: other})
        assert cache.load(changed) is None, part.name
        assert cache.path(changed) != cache.path(KEY), part.name
    assert cache.load(KEY) == PLAN


def test_a_unit_cannot_lead_out_of_the_folder(cache):
    assert cache.path(replace(KEY, unit="../../x")).parent == cache.folder


def test_it_is_built_once_and_found_by_another_process(cache, make):
    assert cache.get(KEY, lambda: PLAN) == PLAN
    assert make().get(KEY, never) == PLAN


def test_a_build_that_fails_leaves_nothing(cache):
    def fail():
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        cache.get(KEY, fail)
    assert cache.load(KEY) is None
    assert cache.get(KEY, lambda: PLAN) == PLAN  # and no lock stays


# --- what is refused


def damaged(cache, change):
    cache.get(KEY, lambda: PLAN)
    path = cache.path(KEY)
    path.write_bytes(change(path.read_bytes()))
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_change_of_any_bit_is_refused(cache, place, bit):
    cache.prune(everything=True)

    def flip(data):
        at = int(place * len(data))
        return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]

    damaged(cache, flip)
    with pytest.raises(PlanRefused, match="it was not loaded"):
        cache.load(KEY)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused(cache, part):
    cache.prune(everything=True)
    damaged(cache, lambda data: data[: int(part * len(data))])
    with pytest.raises(PlanRefused, match="it was not loaded"):
        cache.load(KEY)


def test_a_longer_file_is_refused(cache):
    damaged(cache, lambda data: data + b"x")
    with pytest.raises(PlanRefused, match=r"got \d+ bytes, expected \d+"):
        cache.load(KEY)


def test_a_plan_from_another_computer_is_refused_though_its_key_lies_beside_it(make, tmp_path):
    theirs = make("theirs", "theirs/plan.key")
    theirs.get(KEY, lambda: PLAN)
    mine = EngineCache(theirs.folder, signed.Signature(tmp_path / "plan.key"))
    with pytest.raises(PlanRefused, match="another user or on another computer"):
        mine.load(KEY)


def test_a_plan_under_the_name_of_another_is_refused(cache):
    other = replace(KEY, unit="decode")
    cache.get(other, lambda: PLAN)
    cache.path(other).rename(cache.path(KEY))
    with pytest.raises(PlanRefused, match="another engine"):
        cache.load(KEY)
    assert "not what this version" in cache.entries()[0].fault


@posix
def test_a_link_or_a_device_in_place_of_a_plan_is_refused(cache, tmp_path):
    cache.get(KEY, lambda: PLAN)
    path = cache.path(KEY)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlanRefused, match="not a plain file"):
        cache.load(KEY)
    path.unlink()
    os.mkfifo(path)  # would block for ever when opened
    with pytest.raises(PlanRefused, match="not a plain file"):
        cache.load(KEY)


def test_a_refused_plan_is_said_removed_and_built_again(cache, caplog):
    damaged(cache, lambda data: data[:-1] + b"!")
    with caplog.at_level(logging.WARNING):
        assert cache.get(KEY, lambda: EnginePlan(b"new")).data == b"new"
    assert "altered after it was built" in caplog.text
    assert cache.load(KEY).data == b"new"


# --- the key of the user


@posix
def test_folder_plans_and_key_are_the_users_alone(cache, tmp_path):
    cache.get(KEY, lambda: PLAN)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    for file in (tmp_path / "plan.key", *cache.folder.iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@posix
def test_a_key_that_others_can_read_is_replaced_and_plans_are_built_again(cache, make, tmp_path, caplog):
    cache.get(KEY, lambda: PLAN)
    old = (tmp_path / "plan.key").read_bytes()
    (tmp_path / "plan.key").chmod(0o644)
    assert make().get(KEY, lambda: EnginePlan(b"new")).data == b"new"
    assert (tmp_path / "plan.key").read_bytes() != old
    assert "other users can read" in caplog.text


def test_a_key_cut_off_by_a_crash_is_replaced(cache, make, tmp_path):
    cache.get(KEY, lambda: PLAN)
    (tmp_path / "plan.key").write_bytes(b"short")
    with pytest.raises(PlanRefused):
        make().load(KEY)
    assert len((tmp_path / "plan.key").read_bytes()) == 32


def test_the_users_cache_folder_is_the_systems(monkeypatch, tmp_path):
    for name, platform in (("XDG_CACHE_HOME", "linux"), ("LOCALAPPDATA", "win32")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(name, str(tmp_path))
        assert EngineCache().folder == tmp_path / "inkstream" / "engines"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert EngineCache().folder.parts[-4:] == ("Library", "Caches", "inkstream", "engines")


# --- killed, and several at once

CHILD = """
import os, signal, sys
from pathlib import Path
from inkstream.engines import signed
from inkstream.engines.cache import EngineCache, EnginePlan, EngineKey

folder, moment = Path(sys.argv[1]), sys.argv[2]
signature = signed.Signature(folder / "plan.key")
signature.write(folder / "first", {}, b"")  # the key exists before the build begins
cache = EngineCache(folder / "engines", signature)
key = EngineKey("denoise", "g", "w", "p", "fp16", "lib", "sm_90")


def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def build():
    with open(folder / "builds", "a") as builds:
        builds.write("1\\n")
    with cache.scratch(key) as scratch:
        (scratch / "network.onnx").write_bytes(b"x")
        if moment == "building":
            die()
    return EnginePlan(b"finished" * 1000)


fsync, move = os.fsync, os.replace


def half_written(handle):
    os.ftruncate(handle, os.fstat(handle).st_size // 2)
    fsync(handle)
    die()


if moment == "writing":
    os.fsync = half_written
elif moment == "before the rename":
    os.replace = lambda *names: die()
elif moment == "after the rename":
    os.replace = lambda *names: (move(*names), die())
if moment == "never":
    sys.stdin.readline()
print(cache.get(key, build).data == b"finished" * 1000)
"""
CHILDS_KEY = EngineKey("denoise", "g", "w", "p", "fp16", "lib", "sm_90")


def child(folder, moment):
    command = [sys.executable, "-c", CHILD, str(folder), moment]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("moment", ["building", "writing", "before the rename", "after the rename"])
def test_killed_in_the_middle_nothing_half_made_is_loaded(cache, make, tmp_path, moment):
    process = child(tmp_path, moment)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-getattr(signal, "SIGKILL", 0), signal.SIGTERM), errors
    left = cache.load(CHILDS_KEY)
    if moment == "after the rename":
        assert left.data == b"finished" * 1000
        return
    assert left is None
    assert [entry.fault for entry in cache.entries()] == []
    waiting = make(patience=0.0)  # the dead process holds no lock
    assert waiting.get(CHILDS_KEY, lambda: PLAN) == PLAN
    names = [path.name for path in cache.folder.iterdir() if not path.name.endswith(".lock")]
    assert names == [cache.path(CHILDS_KEY).name]  # and what it left half-made is gone


@pytest.mark.parametrize("moment", ["building", "writing"])
def test_prune_removes_what_a_killed_build_left(cache, tmp_path, moment):
    child(tmp_path, moment).communicate(timeout=60)
    assert any(path.suffix == ".part" for path in cache.folder.iterdir())
    cache.prune()
    assert list(cache.folder.iterdir()) == []


def test_processes_that_want_the_same_plan_build_it_once(tmp_path):
    processes = [child(tmp_path, "never") for _ in range(3)]
    results = [process.communicate("go\n", timeout=60) for process in processes]
    assert [out.strip() for out, _ in results] == ["True"] * 3, results
    assert (tmp_path / "builds").read_text() == "1\n"


def test_the_second_waits_and_says_so(cache, make):
    said, building, go_on = [], threading.Event(), threading.Event()

    def slow():
        building.set()
        assert go_on.wait(10)
        return PLAN

    def say(text, part):
        said.append(text)
        go_on.set()

    first = threading.Thread(target=cache.get, args=(KEY, slow))
    first.start()
    assert building.wait(10)
    with pytest.raises(EngineError, match="stop it and try again"):
        make(patience=0.0).get(KEY, never)
    assert cache.prune(everything=True) == []  # what is being built is left alone
    assert make().get(KEY, never, say) == PLAN
    first.join(10)
    (text,) = said
    assert text.startswith("denoise: waiting since ") and "denoise-" in text and text.endswith(" holds")


def test_updates_by_several_threads_are_all_kept(cache):
    threads = [threading.Thread(target=cache.update, args=(KEY, lambda data, n=n: data + bytes([n]))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(cache.load(KEY).data) == list(range(8))


def test_a_full_disk_keeps_the_engine_running_and_the_cache_whole(cache, tmp_path, monkeypatch, caplog):
    def full(handle):
        raise OSError(28, "No space left on device")

    signed.Signature(tmp_path / "plan.key").write(tmp_path / "first", {}, b"")  # the key exists before it is full
    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING):
        assert cache.get(KEY, lambda: PLAN) == PLAN
    assert "No space left" in caplog.text
    assert "engines prune" in caplog.text
    assert not any(path.suffix in (".plan", ".tmp") for path in cache.folder.iterdir())


def test_where_no_folder_can_be_made_an_engine_is_built_and_not_kept(make, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    assert make("file/engines").get(KEY, lambda: PLAN) == PLAN
    assert "will be built again next time" in caplog.text


# --- looking and tidying


def test_the_scratch_folder_is_private_and_goes_away(cache):
    def build():
        with cache.scratch(KEY) as folder:
            if sys.platform != "win32":
                assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "network.onnx").write_bytes(b"x")
        return PLAN

    cache.get(KEY, build)
    assert {path.suffix for path in cache.folder.iterdir()} <= {".plan", ".lock"}


def test_a_plan_that_the_library_does_not_take_can_be_removed(cache):
    cache.get(KEY, lambda: PLAN)
    cache.remove(KEY)
    cache.remove(KEY)
    assert cache.load(KEY) is None


def test_entries_say_what_a_plan_is(cache):
    cache.get(KEY, lambda: PLAN)
    (entry,) = cache.entries()
    assert entry.parts["unit"] == "denoise"
    assert entry.parts["flags"] == ["level 4", "refit"]
    assert entry.notes == {"initializers": {"w": "1"}}
    assert entry.size == cache.path(KEY).stat().st_size
    assert not entry.fault


def test_only_verifying_reads_every_byte(cache):
    damaged(cache, lambda data: data[:-1] + b"!")
    assert not cache.entries()[0].fault
    assert "altered" in cache.entries(verify=True)[0].fault


def test_similar_plans_differ_in_weights_and_loras_alone(make):
    clock = Clock()
    cache = make(clock=clock)
    for name, changes in {
        "older": {"weights": "x"},
        "newer": {"weights": "y", "loras": ()},
        "other": {"precision": "bf16", "weights": "x"},
    }.items():
        clock.now += 10
        cache.get(replace(KEY, **changes), lambda name=name: EnginePlan(name.encode()))
    found = cache.similar(KEY, "weights", "loras")
    assert [cache.load(key).data for key, _ in found] == [b"newer", b"older"]
    assert [key for key, _ in cache.similar(KEY, "weights")] == [replace(KEY, weights="x")]
    cache.get(KEY, lambda: PLAN)
    assert KEY not in dict(cache.similar(KEY, "weights", "loras"))


def filled(make, **settings):
    clock = Clock()
    cache = make(clock=clock, **settings)
    for day, unit in enumerate(("encode", "denoise", "decode")):
        clock.now = 86400.0 * day
        cache.get(replace(KEY, unit=unit), lambda: PLAN)
    return cache, clock


def units(entries):
    return sorted(entry.parts.get("unit", "?") for entry in entries)


def test_prune_by_age_counts_from_the_last_use(make):
    cache, clock = filled(make)
    clock.now = 86400.0 * 5
    cache.load(replace(KEY, unit="encode"))
    clock.now = 86400.0 * 6
    assert units(cache.prune(older_than=86400.0 * 2)) == ["decode", "denoise"]
    assert units(cache.entries()) == ["encode"]


def test_prune_by_size_takes_the_longest_unused_first(make):
    cache, _ = filled(make)
    size = cache.entries()[0].size
    assert units(cache.prune(keep_bytes=2 * size + 50)) == ["encode"]
    assert units(cache.prune(keep_bytes=0)) == ["decode", "denoise"]


def test_prune_what_cannot_be_used_here(make):
    cache, _ = filled(make)
    path = cache.path(replace(KEY, unit="encode"))
    path.write_bytes(path.read_bytes()[:-1])
    foreign = lambda entry: "another GPU" if entry.parts["unit"] == "decode" else ""
    removed = cache.prune(unusable=foreign)
    assert sorted(entry.path.name.split("-")[0] for entry in removed) == ["decode", "encode"]
    assert units(cache.entries()) == ["denoise"]


def test_prune_all_touches_nothing_that_is_not_ours(make):
    cache, _ = filled(make)
    (cache.folder / "notes.txt").write_text("mine")
    assert len(cache.prune(everything=True)) == 3
    assert [path.name for path in cache.folder.iterdir()] == ["notes.txt"]


def test_a_signed_file_of_another_version_is_named(cache, tmp_path):
    cache.get(KEY, lambda: PLAN)
    signature, path = signed.Signature(tmp_path / "plan.key"), cache.path(KEY)
    description, data = signature.read(path)
    signature.write(path, {**description, "parts": {**description["parts"], "of_a_later_version": 1}}, data)
    assert "not what this version of inkstream builds" in cache.entries()[0].fault
