"""Cameras that are taken, unplugged, forbidden or black: never another one's picture, and never a black one."""

import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from inkstream.stream.base.errors import SourceLost, SourceUnavailable
from inkstream.stream.sources.camera import CameraSource

BGR = np.zeros((48, 64, 3), np.uint8) + np.array([10, 20, 30], np.uint8)
BLACK = np.zeros_like(BGR)


class Driver:
    """Stands in for ``cv2.VideoCapture``: gives ``pictures``, each when ``turn`` is released, and repeats the last."""

    def __init__(self, *pictures, opens=True):
        self.pictures = list(pictures)
        self.opens = opens
        self.turn = threading.Semaphore(1)

    def __call__(self, index):
        self.index = index
        return self

    def isOpened(self):
        return self.opens

    def read(self):
        if len(self.pictures) > 1:
            self.turn.acquire(timeout=10)
            return True, self.pictures.pop(0)
        threading.Event().wait(0.002)
        return True, self.pictures[0]

    def release(self):
        pass


def plug(devices, number, name, place, part=0):
    """A camera as Linux shows it."""
    node = devices / f"video{number}"
    node.mkdir(parents=True)
    (node / "name").write_text(f"{name}\n")
    (node / "index").write_text(f"{part}\n")
    (devices / "usb" / place).mkdir(parents=True, exist_ok=True)
    (node / "device").symlink_to(devices / "usb" / place)


def test_a_camera_that_was_unplugged_is_waited_for_and_no_other_one_is_taken(tmp_path):
    plug(tmp_path, 0, "Overhead", "1-1")
    plug(tmp_path, 1, "Overhead", "1-1", part=1)
    plug(tmp_path, 2, "Face \x1b[2J", "1-2")
    source = CameraSource(0, capture=Driver(BGR), devices=tmp_path)
    assert source.about == "camera 0 ('Overhead')" and source.is_back() is True
    source.close()
    shutil.rmtree(tmp_path / "video0")
    (tmp_path / "video2").rename(tmp_path / "video0")  # the other one has its number now
    assert source.is_back() is False
    with pytest.raises(SourceUnavailable, match="camera 'Overhead' is not plugged in"):
        source.again()
    plug(tmp_path, 4, "Overhead", "1-1")
    assert source.is_back() is True
    back = source.again()
    assert back.index == 4 and back.read().shape == (48, 64, 3)
    back.close()
    other = CameraSource(0, capture=Driver(BGR), devices=tmp_path)
    assert other.about.isprintable()
    other.close()


def test_where_a_camera_cannot_be_known_only_opening_it_tells(tmp_path):
    source = CameraSource(0, capture=Driver(BGR), devices=tmp_path)
    assert source.about == "" and source.is_back() is None
    source.again().close()
    source.close()


def test_black_pictures_of_a_camera_are_none():
    driver = Driver(BLACK, BLACK, BGR, BLACK)
    driver.turn.release()
    driver.turn.release()
    source = CameraSource(capture=driver, timeout=0.5)
    assert source.read()[0, 0].tolist() == [30, 20, 10]
    with pytest.raises(SourceLost, match=r"camera 0 gave only black pictures for 0\.5 s"):
        source.read()
    source.close()
    with pytest.raises(SourceUnavailable, match=r"camera 0: gave only black pictures within 0\.3 s"):
        CameraSource(capture=Driver(BLACK), timeout=0.3)


@pytest.mark.parametrize(("allowed", "hint"), [(False, "may not open /dev/video3"), (True, "close other programs")])
def test_a_camera_that_may_not_be_opened_says_so(monkeypatch, allowed, hint):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "glob", lambda path, pattern: [Path("/dev/video3")])
    monkeypatch.setattr("os.access", lambda path, mode: allowed)
    with pytest.raises(SourceUnavailable, match=f"camera 3: cannot be opened: .*{hint}"):
        CameraSource(3, capture=Driver(opens=False))
