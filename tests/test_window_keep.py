"""Keeping pictures from the preview."""

import os
import threading

import cv2
from doubles.preview import BLUE, LIVE, NOON, RED, output, toast_with

from inkstream.stream.base.frame import Size
from inkstream.stream.base.kept import read_recipe
from inkstream.stream.sinks.keep import MOST_WAITING, Keeper
from inkstream.stream.sinks.window import WindowSink


def test_saving_keeps_output_input_and_recipe(window, press, tmp_path):
    press("CTRL+s", shown=output(number=7, revision=3))
    assert toast_with(window, "saved").endswith("20310203-120000-a-red-car.png")
    folder = tmp_path / "kept"
    names = [f"20310203-120000-a-red-car{end}" for end in ("-input.png", ".ora", ".png")]
    assert sorted(os.listdir(folder)) == names
    assert (cv2.imread(str(folder / names[2]))[..., ::-1] == RED).all()
    assert (cv2.imread(str(folder / names[0]))[..., ::-1] == BLUE).all()
    recipe = read_recipe(folder / names[2])
    assert (recipe["model"], recipe["stream"]["prompt"]) == ("ink-tiny", "a red car")
    known = recipe["picture"]
    assert known.pop("saved").startswith("2031-02-03T12:00:00")
    assert known == {"frame": 7, "revision": 3, "input": names[0]}


def test_saving_saves_what_is_seen(window, press, tmp_path):
    press("SPACE", shown=output(RED))
    press("RETURN", shown=output(BLUE, number=2))
    toast_with(window, "saved")
    assert (cv2.imread(str(tmp_path / "kept" / "20310203-120000-a-red-car.png"))[..., ::-1] == RED).all()


def test_saving_again_never_replaces(window, press, tmp_path):
    press("RETURN", "RETURN", "RETURN", shown=output(drawing=None))
    toast_with(window, "car-3.png")
    names = sorted(os.listdir(tmp_path / "kept"))
    assert names == sorted(
        f"20310203-120000-a-red-car{more}{end}" for more in ("", "-2", "-3") for end in (".ora", ".png")
    )


def test_there_may_be_nothing_to_save(window, press):
    press("RETURN")
    assert "nothing to save" in window.shown.toast


def test_a_folder_that_refuses_becomes_a_toast(pygame, tmp_path, clock):
    (tmp_path / "file").write_text("")
    sink = WindowSink(size=Size(400, 300), save_dir=tmp_path / "file" / "kept", clock=clock)
    sink.write(output(), LIVE)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_RETURN, mod=0, unicode=""))
    sink.write(None, LIVE)
    assert toast_with(sink, "saved").startswith("not saved: ")
    sink.close()


def test_a_slow_disk_neither_blocks_the_window_nor_grows_a_queue(tmp_path, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr("inkstream.stream.sinks.keep.png_with", lambda *what: (go_on.wait(30), b"png")[1])
    keeper = Keeper(tmp_path, now=lambda: NOON)
    taken = [keeper.save(output(number=number, drawing=None), LIVE) for number in range(MOST_WAITING + 3)]
    assert taken == [True] * MOST_WAITING + [False] * 3
    assert keeper.news() == []
    go_on.set()
    keeper.close()
    assert len(list(tmp_path.glob("*.png"))) == MOST_WAITING  # nothing that was asked for is lost at the end
