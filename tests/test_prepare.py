"""Pairs out of a folder of pictures: every part of the way, and the whole of it, also killed half-way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from doubles.pictures import COLOURS, save, thing
from doubles.tiny_models import tiny_sd
from PIL import Image
from typer.testing import CliRunner

from inkstream.lora.data.captions import Grammars, said_by_names
from inkstream.lora.data.early import Early
from inkstream.lora.data.folder import Pairs
from inkstream.lora.data.prepare import Preparation, prepare
from inkstream.stream.app.cli import app
from inkstream.stream.base.errors import ConfigError, DataError

SMALL = {"size": 64, "sketches": 2}


@pytest.fixture
def photos(tmp_path):
    """Eight pictures in two folders, in four formats, with all kinds of captions."""
    folder = tmp_path / "photos"
    save(folder / "houses" / "red house 1.png", thing("red", 1))
    save(folder / "houses" / "blue-brick-house2.jpg", thing("blue", 2), quality=92)
    save(folder / "houses" / "house10.webp", thing("green", 3), lossless=True)
    save(folder / "houses" / "IMG_4.bmp", thing("yellow", 4))
    save(folder / "barns" / "a.png", thing("green", 5))
    save(folder / "barns" / "b.png", thing("red", 6))
    save(folder / "barns" / "c.png", thing("blue", 7))
    save(folder / "barns" / "d.png", thing("yellow", 8))
    (folder / "barns" / "a.txt").write_text("an old barn\n\na barn in a field \n", "utf-8")
    (folder / "houses" / "IMG_4.json").write_text('{"material": ["wood", "stone"], "time": "night"}', "utf-8")
    return folder


def photographed(page, rng):
    """A page in the light of one lamp, on yellowish paper, with a camera's noise."""
    y, x = np.mgrid[0 : 1 : page.shape[0] * 1j, 0 : 1 : page.shape[1] * 1j]
    lit = page * (0.95 - 0.4 * x - 0.15 * y)[..., None] * np.array([1.0, 0.96, 0.87])
    return np.clip(lit + rng.normal(0, 4, page.shape), 0, 255).astype(np.uint8)


def bad_files(folder):
    """Files that are no use, each with what is said of it."""
    folder.mkdir(parents=True)
    data = cv2.imencode(".png", thing())[1].tobytes()
    archive = b"PK\x05\x06" + bytes(18)  # an empty one
    (folder / "truncated.png").write_bytes(data[: len(data) // 2])
    (folder / "zip.png").write_bytes(data + archive)
    (folder / "text.jpg").write_bytes(b"no picture at all")
    save(folder / "tiny.png", np.zeros((4, 4, 3), np.uint8))
    return {
        "truncated.png": "is a PNG that is cut off",
        "zip.png": "is a picture and a ZIP archive at once",
        "text.jpg": "is a text, expected PNG, JPEG",
        "tiny.png": "4x4 pixels, expected at least 16",
    }


def tree(folder):
    """Every file of a folder but the journal: name -> bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".prepare" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# --- the whole


def test_a_folder_becomes_pairs(photos, tmp_path):
    told = []
    summary = prepare(
        photos, tmp_path / "out", Preparation(**SMALL), progress=lambda text, part=None: told.append(text)
    )
    assert summary.pictures == 8 and summary.pairs == {"train": 16, "validation": 0} and not summary.dropped
    assert told[0] == "0 of 8 pictures" and told[-1] == "choosing"
    pairs = Pairs(tmp_path / "out")
    assert len(pairs) == 16
    by_caption = {}
    for sample in (pairs[index] for index in range(16)):
        assert sample.picture.shape == (64, 64, 3) and sample.sketch.shape == (64, 64)
        assert 0.004 < (sample.sketch > 96).mean() < 0.5
        by_caption.setdefault(sample.captions, []).append(sample)
    texts = {text for captions in by_caption for text in captions}
    assert {"an old barn", "a barn in a field", "house of blue made of brick", "a red house"} <= texts
    about = json.loads((tmp_path / "out" / "prepare.json").read_text("utf-8"))
    assert about["quality"]["score"] == "plain figures" and len(about["kept"]) == 8
    night = [row for row in pairs.rows if row.tags.get("time") == "night"]
    assert night and night[0].tags["material"] == "wood" and "yellow" in night[0].tags["color"]


def test_the_same_folder_gives_the_same_bytes(photos, tmp_path):
    for name in ("one", "other"):
        prepare(photos, tmp_path / name, Preparation(**SMALL))
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_a_split_stays_when_pictures_are_added(photos, tmp_path):
    recipe = Preparation(**SMALL, validation=0.4)
    prepare(photos, tmp_path / "out", recipe)
    before = {
        split: {row.file_name for row in Pairs(tmp_path / "out", split).rows} for split in ("train", "validation")
    }
    assert before["train"] and before["validation"]
    for seed in range(10, 16):
        save(photos / "sheds" / f"{seed}.png", thing(list(COLOURS)[seed % 4], seed))
    prepare(photos, tmp_path / "out", recipe)
    for split, names in before.items():
        assert names < {row.file_name for row in Pairs(tmp_path / "out", split).rows}
    prepare(photos, tmp_path / "new", recipe)
    assert tree(tmp_path / "out") == tree(tmp_path / "new")


def test_bad_files_are_named_and_left_out(photos, tmp_path):
    expected = bad_files(photos / "bad")
    save(photos / "houses" / "zz copy.png", thing("red", 1))
    (photos / "barns" / "b.json").write_text("{", "utf-8")
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(photos / "houses" / "plain house.png")
    summary = prepare(photos, tmp_path / "out", Preparation(**SMALL))
    said = {Path(name).name: reason for name, _, reason in summary.dropped}
    assert expected.keys() <= said.keys()
    assert all(text in said[name] for name, text in expected.items())
    assert "looks like houses/red house 1.png" in said["zz copy.png"]
    assert "b.json: not JSON" in said["b.png"]
    assert "no lines can be found" in said["plain house.png"]
    assert summary.pictures == 7
    assert summary.reasons["a duplicate"] == 1 and summary.reasons["no lines"] == 1


def test_only_the_best_are_kept_and_come_back(photos, tmp_path):
    out = tmp_path / "out"
    summary = prepare(photos, out, Preparation(**SMALL, keep=0.5))
    about = json.loads((out / "prepare.json").read_text("utf-8"))
    thresholds = about["quality"]["thresholds"]
    assert summary.reasons["below the best of its class"] >= 2 and set(thresholds) == {"houses", "barns"}
    for each in about["kept"].values():
        assert (each["score"] >= thresholds[each["class"]]) == (each["file"] not in summary.dropped)
    pictures = len(list((out / "train" / "pictures").iterdir()))
    assert pictures == summary.pictures < 8
    prepare(photos, out, Preparation(**SMALL))
    prepare(photos, tmp_path / "all", Preparation(**SMALL))
    assert tree(out) == tree(tmp_path / "all")


def test_an_own_sketch_is_used_and_placed_as_its_picture(tmp_path):
    picture = np.full((200, 300, 3), 250, np.uint8)
    cv2.rectangle(picture, (150, 50), (250, 150), (40, 80, 190), -1)
    drawn = np.full((400, 600, 3), 245, np.uint8)
    cv2.rectangle(drawn, (300, 100), (500, 300), (40, 40, 40), 5)
    save(tmp_path / "in" / "blue house.png", picture)
    save(tmp_path / "in" / "blue house.sketch.jpg", photographed(drawn, np.random.default_rng(0)))
    summary = prepare(tmp_path / "in", tmp_path / "out", Preparation(size=128, sketches=1))
    assert summary.pairs["train"] == 1
    (sample,) = [Pairs(tmp_path / "out")[0]]
    blue = (sample.picture[..., 2].astype(int) - sample.picture[..., 0] > 60).astype(np.uint8)
    edge = cv2.morphologyEx(blue, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8))
    lines = sample.sketch > 128
    assert lines.sum() > 200 and edge[lines].mean() > 0.95
    save(tmp_path / "in" / "blue house.sketch.jpg", drawn[:, :400])
    with pytest.raises(DataError, match="sketch of another shape"):
        prepare(tmp_path / "in", tmp_path / "again", Preparation(size=128))


def test_settings_that_changed_and_foreign_folders_are_refused(photos, tmp_path):
    prepare(photos, tmp_path / "out", Preparation(**SMALL))
    with pytest.raises(ConfigError, match=r"was begun with other settings \(seed\)"):
        prepare(photos, tmp_path / "out", Preparation(**SMALL, seed=1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(ConfigError, match="holds other things"):
        prepare(photos, tmp_path / "mine", Preparation(**SMALL))
    with pytest.raises(ConfigError, match="where the pictures are"):
        prepare(photos, photos, Preparation(**SMALL))
    with pytest.raises(ConfigError, match="got no pictures there"):
        prepare(tmp_path / "mine", tmp_path / "out2", Preparation(**SMALL))


def test_photos_without_any_caption_become_pairs(tmp_path):
    folder = tmp_path / "photos"
    save(folder / "IMG_2041.png", thing("red", 1))
    save(folder / "3f0a9c77.png", thing("blue", 2))
    save(folder / "Old lighthouse_02.png", thing("green", 3))
    save(folder / "harbour" / "DSC00017.png", thing("yellow", 4))
    summary = prepare(folder, tmp_path / "out", Preparation(**SMALL))
    assert (summary.pictures, summary.by_name, summary.unknown) == (4, 2, 2)
    found = {row.captions[0] for row in Pairs(tmp_path / "out").rows}
    assert {"a red picture", "a blue picture"} <= found
    assert any(text.startswith("old lighthouse") for text in found)
    assert any(text.startswith("harbour") for text in found)
    own = Preparation(**SMALL, grammars=Grammars.of(["a {structure}"]))
    with pytest.raises(DataError, match=r"no picture of 4 was kept \(4 no caption\).*nothing says its structure"):
        prepare(folder, tmp_path / "own", own)


def test_where_nothing_was_kept_other_settings_begin_anew(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    for number in (1, 2):
        save(folder / f"IMG_{number}.png", thing("red" if number == 1 else "blue", number))
    refused = Preparation(**SMALL, grammars=Grammars.of(["a {structure}"]))
    for _ in range(2):
        with pytest.raises(DataError, match="2 no caption"):
            prepare(folder, out, refused)
    assert prepare(folder, out, Preparation(**SMALL, seed=3)).pictures == 2
    with pytest.raises(ConfigError, match=r"was begun with other settings \(seed\)"):
        prepare(folder, out, Preparation(**SMALL, seed=4))


def test_a_caption_that_comes_later_is_taken(tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    save(folder / "IMG_1.png", thing("red", 1))
    own = Preparation(**SMALL, grammars=Grammars.of(["a {structure}"]))
    with pytest.raises(DataError, match="1 no caption"):
        prepare(folder, out, own)
    (folder / "IMG_1.txt").write_text("a barn", "utf-8")
    assert prepare(folder, out, own).pictures == 1


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["IMG_2041"], ""),
        (["holiday", "P1010023"], "holiday"),
        (["OldHouse3"], "old house"),
        (["photos", "20230101_120000"], ""),
        (["Düne am Meer (2)"], "düne am meer"),
        (["boats", "red boat - Copy"], "red boat"),
        ([], ""),
    ],
)
def test_what_names_say(names, said):
    assert said_by_names(names) == said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 32}, "size: got 32, expected 64 to 4096"),
        ({"lines": ("hed",)}, "lines: got 'hed', expected some of: canny, xdog"),
        ({"strengths": (9.0,)}, "hand: got"),
        ({"keep": 0.0}, "keep: got 0"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_a_recipe_that_cannot_be_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        Preparation(**change)


def test_output_inside_the_input_is_not_read_again(photos):
    for _ in range(2):
        assert prepare(photos, photos / "out", Preparation(**SMALL)).pictures == 8


SLOW = """
import sys, time
from inkstream.lora.data import _making, prepare as work
real = _making.write_atomically
def slow(path, data):
    time.sleep(0.004)
    real(path, data)
_making.write_atomically = slow
work.prepare(sys.argv[1], sys.argv[2], work.Preparation(size=64, sketches=2))
"""


def test_killed_at_any_moment_it_goes_on_and_nobody_can_tell(photos, tmp_path):
    prepare(photos, tmp_path / "whole", Preparation(**SMALL))
    expected, out = tree(tmp_path / "whole"), tmp_path / "out"
    rng = np.random.default_rng(0)
    killed = 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SLOW), str(photos), str(out)])
        deadline = time.monotonic() + 60
        journal = out / ".prepare" / "journal.jsonl"
        had = journal.stat().st_size if journal.is_file() else 0
        while process.poll() is None and time.monotonic() < deadline:
            if journal.is_file() and journal.stat().st_size > had:
                time.sleep(float(rng.uniform(0, 0.03)))
                break
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait(timeout=30)
    assert killed >= 2
    with journal.open("ab") as file:
        file.write(b'{"file": "houses/re')  # and the last line was half written
    prepare(photos, out, Preparation(**SMALL))
    assert tree(out) == expected


def test_a_full_disk_is_said_and_leaves_nothing_half(photos, tmp_path, monkeypatch):
    real, left = os.replace, [5]

    def full(*names):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(*names)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="No space left on device; make room"):
        prepare(photos, tmp_path / "out", Preparation(**SMALL))
    monkeypatch.undo()
    prepare(photos, tmp_path / "out", Preparation(**SMALL))
    prepare(photos, tmp_path / "whole", Preparation(**SMALL))
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_two_at_once_in_one_folder_is_an_error(photos, tmp_path):
    from filelock import FileLock

    prepare(photos, tmp_path / "out", Preparation(**SMALL))
    with FileLock(tmp_path / "out" / ".prepare" / "lock"), pytest.raises(DataError, match="another inkstream prepare"):
        prepare(photos, tmp_path / "out", Preparation(**SMALL))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.timeout(60)
def test_t12_devices_and_pipes_among_the_pictures_are_left_out_and_named(photos, tmp_path):
    (photos / "endless.png").symlink_to("/dev/zero")
    os.mkfifo(photos / "pipe.png")
    (photos / "folder.png").mkdir()
    first = next(path for path in sorted(photos.rglob("*.png")) if path.is_file())
    for suffix in (".txt", ".json", ".sketch.png"):
        with contextlib.suppress(FileExistsError):
            os.mkfifo(first.with_name(f"{first.stem}{suffix}"))
    summary = prepare(photos, tmp_path / "out", Preparation(**SMALL))
    reasons = {name: reason for name, _, reason in summary.dropped}
    assert "got a device, expected a regular file" in reasons["endless.png"]
    assert "got a FIFO, expected a regular file" in reasons["pipe.png"]
    assert "folder.png" not in reasons and summary.pictures >= 7


# --- a generation ended early


@pytest.mark.parametrize("controlnets", [0, 1])
def test_sketches_from_a_generation_that_was_ended_early(photos, tmp_path, controlnets):
    early = Early(tiny_sd(controlnets=controlnets), 2, 64, "cpu")
    picture = cv2.resize(thing(), (64, 64))
    one, same, longer = (
        maker(picture, "a house") for maker in (early, early, Early(tiny_sd(controlnets=controlnets), 5, 64, "cpu"))
    )
    assert one.shape == (64, 64, 3) and (one == same).all() and (one != longer).any()
    assert (early(picture, "a barn") != one).any()
    prepare(photos, tmp_path / "out", Preparation(**SMALL), early=early, early_name="2 tiny")
    made = (tmp_path / "out" / ".prepare" / "journal.jsonl").read_text("utf-8").splitlines()[1:]
    how = [text for line in made for text in json.loads(line)["sketches"]]
    assert 2 <= sum(text.startswith("early, ") for text in how) < len(how)
    early.close()


def test_an_early_end_that_is_none_is_named():
    with pytest.raises(ConfigError, match="--early: got 9 steps, expected 1 to 8"):
        Early(tiny_sd(), 9, 64)


# --- the command


def test_the_command_says_what_became_of_everything(photos, tmp_path):
    bad_files(photos / "bad")
    arguments = ["prepare", photos, "-o", tmp_path / "out", "--size", "64", "--sketches", "1", "--validation", "0"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "left out: cannot be read" in result.stdout and "pairs in train" in result.stdout
    assert "truncated.png: is a PNG that is cut off" in result.stderr
    assert len(Pairs(tmp_path / "out")) == 8


def test_the_command_says_once_that_captions_are_missing(tmp_path):
    for number, colour in enumerate(("red", "blue", "green")):
        save(tmp_path / "photos" / f"IMG_{number}.png", thing(colour, number))
    arguments = ["prepare", tmp_path / "photos", "-o", tmp_path / "out", "--size", "64", "--sketches", "1"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("'a picture'") == 1 and "3 pictures are called 'a picture'" in result.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--lines", "hed"], "lines: got 'hed'"),
        (["--hand", "x"], "--hand: got 'x'"),
        (["--caption", "a {b"], "--caption: got 'a {b'"),
        (["--early", "9", "ink-tiny"], "--early: got 9 steps"),
        (["--grammar", "nothing.yaml"], "--grammar: nothing.yaml: cannot be read"),
    ],
)
def test_wrong_usage_of_the_command_leaves_with_2(photos, tmp_path, more, message):
    result = CliRunner().invoke(app, ["prepare", str(photos), "-o", str(tmp_path / "out"), *more])
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "out").exists()


def test_t12_what_is_no_regular_file_is_left_out_at_once(photos, tmp_path):
    os.mkfifo(photos / "pipe.png")
    (photos / "zero.png").symlink_to("/dev/zero")
    (photos / "folder.png").mkdir()
    arguments = ["prepare", photos, "-o", tmp_path / "out", "--size", "64", "--sketches", "1"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "pipe.png: got a FIFO, expected a regular file" in result.stderr
    assert "zero.png: got a device, expected a regular file" in result.stderr
