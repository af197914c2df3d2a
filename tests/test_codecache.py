"""Compiled code comes from a place that nobody else can write to, and only as this user left it."""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from inkstream.engines import signed
from inkstream.engines.cache import EngineCache, EngineKey
from inkstream.engines.codecache import compiled, pack, unpack
from inkstream.engines.compile import available
from inkstream.stream.base import private
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.progress import silent

KEY = EngineKey("compiled", "g", "", "p", "fp32", "torch", "cpu")
NOBODY = 65534
VARIABLES = (*private.CODE_CACHES, *(variable for _, _, variable in private.OFF))
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of files")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be two users")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's cache folder and a temporary folder that all users share, and nothing made in this process yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    monkeypatch.setattr(private, "_code", None)
    for name in VARIABLES:
        monkeypatch.setenv(name, str(shared / "theirs"))
    return tmp_path


@pytest.fixture
def cache(own):
    return EngineCache(own / "engines", signed.Signature(own / "plan.key"))


def compiler(text, ran):
    """A compiler that leaves a file where PyTorch's would, unless it is there."""

    def compile_all():
        file = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"], "ab", "code.so")
        if not file.exists():
            ran.append(text)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            (file.parent / "code.lock").write_text("")
        return file.read_text()

    return compile_all


# --- where


@posix
def test_t1_every_cache_of_code_is_in_a_folder_of_this_process_alone(own):
    import torch._dynamo.config as dynamo
    import torch._inductor.config as inductor
    from torch._inductor.runtime.cache_dir_utils import cache_dir, triton_cache_dir

    inductor.cpp_cache_precompile_headers = dynamo.caching_precompile = True
    folder = private.code_folder("x")
    assert folder.is_relative_to(own / "cache")
    assert not [path for path in (own / "tmp").rglob("*") if path.is_file()]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [Path(cache_dir()), Path(triton_cache_dir(0))] == [folder, folder]
    assert inductor.cpp_cache_precompile_headers is dynamo.caching_precompile is False
    assert private.code_folder("y").parent == folder.parent


@posix
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o755])
def test_t1_a_folder_that_others_can_change_is_not_used(own, mode):
    """One above it, too: who may rename a folder may put another in its place. Sticky folders forbid that."""
    above = own / "above"
    inside = above / "a" / "b"
    inside.mkdir(parents=True, mode=0o700)
    (above / "a").chmod(0o700)
    above.chmod(mode)
    if mode == 0o775 and os.geteuid() == 0:
        os.chown(above, 0, NOBODY)
    elif mode == 0o775:
        pytest.skip("needs root, to have a group with others in it")
    refused = private.others_can_change(inside)
    assert bool(refused) == (mode in (0o777, 0o775))
    if refused:
        assert refused == f"others can write to {os.path.realpath(above)}"
    assert bool(private.others_can_change(above)) == (mode != 0o755)


@as_root
def test_t1_a_folder_of_another_user_is_not_used(own):
    (own / "cache" / "inkstream" / "code").mkdir(parents=True)
    for path in (own / "cache" / "inkstream" / "code", own / "cache"):
        os.chown(path, NOBODY, NOBODY)
        assert "belongs to another user" in private.others_can_change(own / "cache" / "inkstream" / "code")
        folder = private.code_folder()
        assert folder.is_relative_to(own / "tmp")  # sticky, and a name that cannot be guessed
        private._code = None
    (own / "tmp").chmod(0o777)
    with pytest.raises(EngineError, match=r"compiled code has no safe place: .* belongs to another user; others can"):
        private.code_folder()


@posix
def test_t1_a_link_is_judged_by_where_it_leads(own):
    (own / "open").mkdir()
    (own / "open").chmod(0o777)
    (own / "link").symlink_to(own / "open")
    assert private.others_can_change(own / "link")


@posix
def test_t1_an_open_mask_opens_nothing(own):
    before = os.umask(0)
    try:
        folder = private.code_folder("x")
        assert not private.others_can_change(folder)
        assert folder.is_relative_to(own / "cache")  # its parents are private, too
    finally:
        os.umask(before)


@posix
def test_t1_folders_of_killed_processes_go_and_those_of_others_stay(own):
    code = own / "cache" / "inkstream" / "code"
    program = """
import os, sys
from inkstream.stream.base.private import code_folder
print(code_folder("x").parent, flush=True)
sys.stdin.readline()
os._exit(9)
"""
    run = [sys.executable, "-c", program]
    dead = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    gone, _ = dead.communicate("\n", timeout=60)
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        stays = living.stdout.readline()
        (code / "inkstream-code-mine-1").mkdir()
        private.code_folder()
        left = {path.name for path in code.iterdir()}
        assert Path(gone.strip()).name not in left
        assert {Path(stays.strip()).name, "inkstream-code-mine-1"} <= left
        living.communicate("\n", timeout=60)


# --- what


def test_t1_code_is_compiled_once_and_comes_back_signed(cache, monkeypatch):
    ran = []
    assert compiled(cache, KEY, compiler("one", ran), silent) == "one"
    monkeypatch.setattr(private, "_code", None)  # another process
    assert compiled(cache, KEY, compiler("two", ran), silent) == "one"
    assert ran == ["one"]
    assert len(cache.entries(verify=True)) == 1


@pytest.mark.parametrize("at", [0.3, 0.9])
def test_t1_code_that_was_altered_or_cut_off_is_compiled_again(cache, monkeypatch, at):
    ran = []
    compiled(cache, KEY, compiler("one", ran), silent)
    path = cache.path(KEY)
    data = path.read_bytes()
    for bad in (data[: int(at * len(data))], data[: int(at * len(data))] + b"?" + data[int(at * len(data)) + 1 :]):
        path.write_bytes(bad)
        monkeypatch.setattr(private, "_code", None)
        assert compiled(cache, KEY, compiler("two", ran), silent) == "two"
    assert ran == ["one", "two", "two"]


def test_t1_what_is_compiled_anew_is_kept_too(cache, monkeypatch):
    compiled(cache, KEY, lambda: None, silent)
    ran = []
    for _ in range(2):
        monkeypatch.setattr(private, "_code", None)
        assert compiled(cache, KEY, compiler("one", ran), silent) == "one"
    assert ran == ["one"]


def test_t1_pytorch_keeps_nothing_elsewhere(own, cache, monkeypatch):
    """The real compiler, with one small function."""
    import torch._inductor.config as inductor

    lacking = available()
    if lacking:
        pytest.skip(f"needs g++: {lacking}")
    monkeypatch.setattr(inductor, "compile_threads", 1)  # starting helpers takes longer than they save
    run = torch.compile(lambda value: value.sin() + 1, dynamic=False)
    given = torch.ones(4)
    assert torch.allclose(compiled(cache, KEY, lambda: run(given), silent), given.sin() + 1)
    assert not [path for path in (own / "tmp").rglob("*") if path.is_file()]
    names = [path.as_posix() for path in private._code.rglob("*")]
    assert any("/fxgraph/" in name for name in names) and any(name.endswith(".so") for name in names)
    assert not any("precompiled_headers" in name for name in names)


def test_only_files_are_packed_and_come_out_where_they_were(tmp_path):
    (tmp_path / "from" / "a").mkdir(parents=True)
    (tmp_path / "from" / "a" / "x").write_bytes(b"data")
    (tmp_path / "from" / "a" / "x.lock").write_bytes(b"")
    if sys.platform != "win32":
        (tmp_path / "from" / "secret").symlink_to("/etc/hostname")
    unpack(pack(tmp_path / "from"), tmp_path / "to")
    assert [path.relative_to(tmp_path / "to").as_posix() for path in (tmp_path / "to").rglob("*")] == ["a", "a/x"]


# --- attacked

PROGRAM = """
import sys
import torch
import torch._inductor.config as config

config.compile_threads = 1


def run(x, y):
    return (x @ y).softmax(-1) * torch.sigmoid(x)


given = torch.ones(8, 8), torch.ones(8, 8)
if sys.argv[1] == "plain":
    torch.compile(run)(*given)
else:
    from inkstream.engines import signed
    from inkstream.engines.cache import EngineCache, EngineKey
    from inkstream.engines.codecache import compiled

    key = EngineKey("compiled", "g", "", "p", "fp32", "torch", "cpu")
    cache = EngineCache(sys.argv[2], signed.Signature())
    compiled(cache, key, lambda: torch.compile(run)(*given), lambda text, part=None: None)
"""


class Hostile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.slow
@as_root
def test_t1_code_planted_in_the_shared_folder_never_runs(own):
    """Files of another user, where PyTorch looks by itself, run when they are unpickled; ours never looks there."""
    marker = own / "it ran"
    environment = {**os.environ, "TMPDIR": str(own / "tmp"), "XDG_CACHE_HOME": str(own / "cache")}
    for name in VARIABLES:
        environment.pop(name)

    def program(*arguments):
        return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=False, env=environment, timeout=280)

    assert program("plain").returncode == 0
    (theirs,) = (own / "tmp").glob("torchinductor_*")
    for path in [theirs, *theirs.rglob("*")]:
        if path.is_file() and path.parent.parent.parent.name == "fxgraph":
            path.write_bytes(pickle.dumps(Hostile(str(marker))))
        elif path.suffix == ".so":
            path.write_bytes(path.read_bytes()[:100])
        os.chown(path, NOBODY, NOBODY)
    planted = {path: path.stat().st_mtime_ns for path in theirs.rglob("*")}
    for _ in range(2):  # compiled, and from what was kept
        assert program("ours", str(own / "engines")).returncode == 0
    assert not marker.exists()
    assert {path: path.stat().st_mtime_ns for path in theirs.rglob("*")} == planted
    program("plain")
    assert marker.exists()  # so that it would have shown
