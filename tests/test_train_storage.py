"""What a training leaves on the disk: nothing of others is touched, and a full disk loses nothing."""

import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from doubles.pairs import Shapes

from inkstream.lora.data.cache import SceneCache
from inkstream.lora.train import autoencoder, caches, storage
from inkstream.lora.train.checkpoint import Checkpoints
from inkstream.lora.train.from_scratch import AutoencoderConfig
from inkstream.lora.train.loop import Loop
from inkstream.stream.base import files
from inkstream.stream.base.errors import ConfigError, DataError, ModelError
from inkstream.stream.base.locks import locked
from inkstream.stream.base.progress import silent

SIZE = 32
TRAIN, HELD = Shapes(16, SIZE), Shapes(2, SIZE, seed=1)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")


def settings_of(folder, **more):
    return AutoencoderConfig(
        output_dir=str(folder),
        data={"path": "none", "size": SIZE},
        mixed_precision="no",
        device="cpu",
        train_batch_size=4,
        channels=8,
        encoder_blocks=(1, 1, 1, 1),
        decoder_blocks=(1, 1, 1, 1),
        crop=32,
        validation_minutes=None,
        checkpointing_minutes=None,
        **{"max_train_steps": 2, **more},
    )


def training(folder, **more):
    settings = settings_of(folder, **more)
    return Loop(autoencoder.AutoencoderTask.of(settings, TRAIN, HELD), settings, say=lambda line: None)


@pytest.fixture
def file_limit():
    """Sets how large a file may become, which is as near to a full disk as a process can make it."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- a disk that takes no more


@posix
def test_t14_a_model_that_cannot_be_written_is_named_and_what_was_trained_stays(tmp_path, file_limit):
    runner = training(tmp_path)
    write = runner.write

    def full():
        file_limit(2000)
        try:
            return write()
        finally:
            file_limit(-1)

    runner.write = full
    with pytest.raises(ModelError) as refused:
        runner.run()
    why = os.strerror(errno.EFBIG)
    assert str(refused.value) == (
        f"{tmp_path / 'model'}: the model cannot be written: {why}; step-00000002 is kept: go on with --resume latest"
    )
    assert not (tmp_path / "model").exists() and not list(tmp_path.glob(".*.part"))
    assert training(tmp_path).run("latest").model == tmp_path / "model"


@posix
def test_t14_where_nothing_is_kept_that_is_said(tmp_path, file_limit, caplog):
    runner = training(tmp_path)
    one_step = runner.one_step

    def full_from_now_on(batches):
        file_limit(2000)
        return one_step(batches)

    runner.one_step = full_from_now_on
    with pytest.raises(ModelError, match="no checkpoint is kept"):
        runner.run()
    file_limit(-1)
    assert "checkpoint of step 2 not kept: File too large" in caplog.text


def test_t14_a_model_beside_a_checkpoint_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    runner = training(tmp_path, max_train_steps=4, checkpointing_steps=2, model_at_checkpoints=True)
    really, full = runner.task.write, [True]

    def write(folder):
        if full.pop() if full else False:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(folder)

    monkeypatch.setattr(runner.task, "write", write)
    assert runner.run().steps == 4
    assert "No space left on device" in caplog.text and "training goes on" in caplog.text
    assert (tmp_path / "model" / "training.json").is_file()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_t14_room_for_an_array_is_taken_before_it_is_written(tmp_path, monkeypatch):
    """A map of a file without room would end the process with SIGBUS."""
    array = files.new_array(tmp_path / "a.npy", (100, 1000), np.uint8)
    array[:] = 7
    assert os.stat(tmp_path / "a.npy").st_blocks * 512 >= 100_000

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    for make in (
        lambda: caches.fill(tmp_path / "b.npy", 4, lambda a, b: np.zeros((b - a, 3), np.uint8), silent),
        lambda: SceneCache(tmp_path / "scenes", 0, 1, 64, workers=0),
    ):
        with pytest.raises(DataError, match="No space left on device; make room"):
            make()
    assert not list(tmp_path.glob("b.*npy")) and not list(tmp_path.glob("*.part"))


# --- what is somebody else's


@pytest.mark.parametrize("name", ["model", "metrics.jsonl", "pictures", "checkpoints"])
def test_t15_a_training_does_not_touch_what_is_there(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("mine")
    with pytest.raises(ConfigError, match=f"output_dir: .*holds {name} of something else; choose another"):
        training(tmp_path).run()
    assert (tmp_path / name / "mine").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_t15_a_finished_model_is_not_replaced_unasked(tmp_path):
    training(tmp_path).run()
    for path in Checkpoints(tmp_path).all():
        path.rename(tmp_path / path.name)
    before = (tmp_path / "model" / "training.json").read_bytes()
    with pytest.raises(ConfigError, match="holds a model already"):
        training(tmp_path).run()
    assert (tmp_path / "model" / "training.json").read_bytes() == before


@pytest.mark.parametrize("name", ["captions.jsonl", "labels.npy", "picture.npy"])
def test_t15_scenes_do_not_touch_what_is_there(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"got {name} of something else"):
        SceneCache(tmp_path, 0, 1, 64, workers=0)
    assert (tmp_path / name).read_text() == "mine"


@posix
def test_t4_scenes_that_are_whole_serve_from_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    SceneCache(tmp_path, 0, 1, 64, workers=0)

    def read_only(*arguments, **settings):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("inkstream.lora.data.cache.locked", read_only)
    assert len(SceneCache(tmp_path, 0, 1, 64, workers=0)) == 1
    with pytest.raises(DataError, match="cannot be written to: Read-only file system"):
        SceneCache(tmp_path / "new", 0, 1, 64, workers=0)


@posix
def test_t15_scenes_are_not_rendered_through_a_link(tmp_path):
    """A folder from elsewhere, half rendered, whose arrays lead out of it."""
    SceneCache(tmp_path / "a", 0, 1, 64, workers=0)
    folder = tmp_path / "a"
    (folder / "picture.npy").rename(tmp_path / "mine.npy")
    (folder / "picture.npy").symlink_to(tmp_path / "mine.npy")
    done = np.load(folder / "done.npy")
    np.save(folder / "done.npy", done * 0)
    before = (tmp_path / "mine.npy").read_bytes()
    with pytest.raises(DataError, match=r"picture\.npy: got a link, expected a file"):
        SceneCache(folder, 0, 1, 64, workers=0)
    (folder / "scenes.json").unlink()
    SceneCache(folder, 0, 1, 64, workers=0)  # begun anew
    assert (tmp_path / "mine.npy").read_bytes() == before


# --- two at once


def test_t15_two_trainings_fill_one_file_of_latents_once(tmp_path):
    made = []

    def rows(start, stop):
        made.append(start)
        return np.full((stop - start, 3), start, np.float32)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: caches.fill(tmp_path / "l.npy", 40, rows, silent), range(4)))
    assert made == [0, 16, 32]
    assert np.load(tmp_path / "l.npy")[:, 0].tolist() == [0] * 16 + [16] * 16 + [32] * 8
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("damage", ["the count", "the array", "another length"])
def test_a_file_of_latents_that_was_broken_off_badly_is_made_anew(tmp_path, damage):
    path = tmp_path / "l.npy"
    np.lib.format.open_memmap(path.with_suffix(".part"), "w+", np.float32, (300, 3)).flush()
    path.with_suffix(".done").write_text("256")
    if damage == "the count":
        path.with_suffix(".done").write_text("25")
        path.with_suffix(".done").write_bytes(b"\xff{")
    elif damage == "the array":
        path.with_suffix(".part").write_bytes(b"short")
    caches.fill(path, 299 if damage == "another length" else 300, lambda a, b: np.ones((b - a, 3), np.float32), silent)
    assert np.load(path).min() == 1
    assert not path.with_suffix(".done").exists()


def test_t12_who_waits_is_told_for_what_and_for_how_long(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(caches, "PATIENCE", 0.05)
    monkeypatch.setattr("inkstream.lora.data.cache.PATIENCE", 0.05)
    places = {
        tmp_path / "run" / ".lock": lambda heard: _alone(tmp_path / "run", heard),
        tmp_path / "l.lock": lambda heard: caches.fill(tmp_path / "l.npy", 1, None, heard),
        tmp_path / "scenes" / "scenes.lock": lambda heard: SceneCache(tmp_path / "scenes", 0, 1, 64, progress=heard),
    }
    for lock, work in places.items():
        lock.parent.mkdir(exist_ok=True)
        heard = []
        with locked(lock), pytest.raises((ConfigError, DataError)) as refused:
            work(lambda text, part=None, heard=heard: heard.append(text))
        assert str(lock) in heard[0] and "waiting since" in heard[0]
        assert str(lock) in str(refused.value)
        if sys.platform == "linux":
            assert "this process" in str(refused.value)


def _alone(folder, progress):
    with storage.alone(folder, (), progress):
        raise AssertionError
