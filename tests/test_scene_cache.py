"""The cache of rendered scenes: what it holds, and that it survives being killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from inkstream.lora.data import cache as caches
from inkstream.lora.data.cache import SceneCache
from inkstream.lora.data.palette import CLASSES
from inkstream.lora.data.scenes import captions, render, sample_scene
from inkstream.stream.base.errors import ConfigError, DataError

COUNT, SIZE, SEED = 40, 32, 100
ARRAYS = ("picture", "clean", "labels", "sketch")


def contents(folder):
    held = {name: np.load(folder / f"{name}.npy") for name in ARRAYS}
    return held, (folder / "captions.jsonl").read_text(), (folder / "scenes.json").read_text()


def same(one, other):
    assert one[1:] == other[1:]
    for name in ARRAYS:
        assert np.array_equal(one[0][name], other[0][name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A cache that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, SceneCache(folder, SEED, COUNT, SIZE, drawings=2, workers=0)


def test_it_is_a_set_of_samples(whole):
    _, cache = whole
    assert len(cache) == COUNT
    for index in (0, 17, COUNT - 1):
        scene, sample = sample_scene(SEED + index), cache[index]
        assert sample.captions == captions(scene) and sample.tags == scene.tags
        alone = render([scene], SIZE)
        assert np.abs(sample.picture / 255 - alone.picture[0].permute(1, 2, 0).numpy()).max() <= 1.5 / 255
        assert np.array_equal(sample.labels, alone.labels[0].numpy()) and sample.labels.max() < len(CLASSES)
        assert np.array_equal(sample.clean, alone.lines[0].numpy())
        assert sample.sketch.any() and np.array_equal(sample.sketch, cache.sample(index, index % 2).sketch)
        assert not np.array_equal(cache.sample(index, 0).sketch, cache.sample(index, 1).sketch)
    for index, drawing in ((COUNT, 0), (-1, 0), (0, 2)):
        with pytest.raises(IndexError, match="expected 0 to"):
            cache.sample(index, drawing)


def test_samples_are_copies(whole):
    _, cache = whole
    sample = cache[3]
    sample.picture[:] = 0
    assert cache[3].picture.any()


def test_it_goes_on_where_it_stopped(whole, tmp_path):
    class Stop(Exception):
        pass

    def stop(text, part=None):
        if part is not None and part > 0.3:
            raise Stop

    with pytest.raises(Stop):
        SceneCache(tmp_path, SEED, COUNT, SIZE, drawings=2, workers=0, progress=stop)
    done = np.load(tmp_path / "done.npy")
    assert 0 < done.sum() < len(done)
    kept = np.load(tmp_path / "picture.npy")[:16].copy()
    told = []
    SceneCache(
        tmp_path, SEED, COUNT, SIZE, drawings=2, workers=0, progress=lambda text, part: told.append((text, part))
    )
    assert told[0] == ("rendering scenes", pytest.approx(done.mean())) and told[-1][1] == 1
    assert np.array_equal(kept, np.load(tmp_path / "picture.npy")[:16])
    same(contents(tmp_path), contents(whole[0]))


@pytest.mark.skipif(os.name == "nt", reason="kills a group of processes, which Windows does not have")
def test_killed_in_the_middle_it_ends_as_if_nothing_happened(whole, tmp_path):
    """Two processes render; all are killed; two others end the work."""
    folder = tmp_path / "cache"
    script = tmp_path / "fill.py"
    script.write_text(
        "import sys\n"
        "from inkstream.lora.data.cache import SceneCache\n"
        "if __name__ == '__main__':\n"
        f"    SceneCache(sys.argv[1], {SEED}, {COUNT}, {SIZE}, drawings=2, workers=2)\n"
    )
    process = subprocess.Popen([sys.executable, str(script), str(folder)], start_new_session=True)
    try:
        ends = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < ends:
            if (folder / "scenes.json").exists() and np.load(folder / "picture.npy", mmap_mode="r")[0].any():
                break
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    SceneCache(folder, SEED, COUNT, SIZE, drawings=2, workers=2)
    same(contents(folder), contents(whole[0]))


def test_half_begun_it_begins_anew(whole, tmp_path):
    (tmp_path / "scenes.lock").write_text("")
    (tmp_path / "captions.jsonl").write_text("half a li")
    np.save(tmp_path / "picture.npy", np.ones((2, 2), np.uint8))
    SceneCache(tmp_path, SEED, COUNT, SIZE, drawings=2, workers=0)
    same(contents(tmp_path), contents(whole[0]))


def test_opened_again_it_renders_nothing(whole, monkeypatch):
    monkeypatch.setattr(caches, "_render_block", None)
    again = SceneCache(whole[0], SEED, COUNT, SIZE, drawings=2)
    assert np.array_equal(again[5].picture, whole[1][5].picture)


def test_the_first_of_a_folder_are_taken_while_others_are_not_there_yet(whole, tmp_path):
    folder = tmp_path / "cache"
    some = SceneCache(folder, SEED, 5, SIZE, drawings=2, workers=0)
    assert len(some) == 5 and len(some.texts()) == 5
    with pytest.raises(ConfigError, match=r"got scenes with {'count': 5}, expected {'count': 6}"):
        SceneCache(folder, SEED, 6, SIZE, drawings=2)
    larger = tmp_path / "larger"

    def stop(text, part=None):
        if part:
            raise KeyError

    with pytest.raises(KeyError):
        SceneCache(larger, SEED, COUNT, SIZE, drawings=2, workers=0, progress=stop)
    told = []
    first = SceneCache(larger, SEED, 5, SIZE, drawings=2, progress=lambda text, part: told.append(text))
    assert not told and np.array_equal(first[4].picture, whole[1][4].picture)  # a block was there already
    with pytest.raises(IndexError):
        first.sample(5, 0)
    SceneCache(larger, SEED, 20, SIZE, drawings=2, workers=0)
    assert np.load(larger / "done.npy").sum() == 2 < len(np.load(larger / "done.npy"))


def test_a_folder_says_itself_what_it_holds(whole, tmp_path):
    again = SceneCache.kept(whole[0], 3)
    assert len(again) == 3 and again.drawings == 2 and np.array_equal(again[2].picture, whole[1][2].picture)
    assert len(SceneCache.kept(whole[0])) == COUNT
    with pytest.raises(
        ConfigError, match=f"got {COUNT} scenes, expected {COUNT + 1}; make them with: inkstream scenes"
    ):
        SceneCache.kept(whole[0], COUNT + 1)
    with pytest.raises(ConfigError, match="got no scenes, expected some"):
        SceneCache.kept(tmp_path)


def test_another_cache_is_not_overwritten(whole):
    with pytest.raises(ConfigError, match=r"got scenes with {'seed': 100}, expected {'seed': 101}; use another folder"):
        SceneCache(whole[0], SEED + 1, COUNT, SIZE, drawings=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed: got -1, expected 0 or more"),
        ({"count": 0}, "count: got 0, expected 1 or more"),
        ({"size": 33}, "size: got 33, expected a multiple of 4"),
        ({"workers": 1000}, "workers: got 1000, expected 0 to 32"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        SceneCache(**{"folder": tmp_path / "new", "seed": 1, "count": 4, "size": SIZE, **change})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("scenes.json", b"{", "delete"),
        ("scenes.json", b'{"seed": 1}', "delete"),
        ("picture.npy", b"no array", "delete"),
        ("captions.jsonl", b"{}\n", "delete"),
        ("captions.jsonl", b"", "got 0 lines, expected 4"),
    ],
)
def test_damage_is_named(tmp_path, file, data, message):
    SceneCache(tmp_path, 1, 4, SIZE, workers=0)
    (tmp_path / file).write_bytes(data)
    with pytest.raises(DataError, match=rf"{file}.*{message}"):
        SceneCache(tmp_path, 1, 4, SIZE, workers=0)


def test_an_array_of_another_shape_is_named(tmp_path):
    SceneCache(tmp_path, 1, 4, SIZE, workers=0)
    np.save(tmp_path / "labels.npy", np.zeros((3, SIZE, SIZE), np.uint8))
    with pytest.raises(DataError, match=r"labels.npy: got uint8 \(3, 32, 32\), expected uint8 \(4, 32, 32\)"):
        SceneCache(tmp_path, 1, 4, SIZE, workers=0)


def test_captions_are_lines_of_json(whole):
    rows = [json.loads(line) for line in (whole[0] / "captions.jsonl").read_text().splitlines()]
    assert len(rows) == COUNT
    assert (
        rows[7]["captions"] == list(captions(sample_scene(SEED + 7)))
        and rows[7]["tags"]["kind"] in rows[7]["tags"].values()
    )
