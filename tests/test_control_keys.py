"""Keys that work whatever window has the keyboard, on a real X server."""

import shutil
import subprocess
import sys

import pytest
from doubles.control import steered

from inkstream.stream.app import doctor
from inkstream.stream.app.control import hotkeys
from inkstream.stream.app.control.hotkeys import read_key
from inkstream.stream.app.control.probing import midi_devices
from inkstream.stream.base.errors import ConfigError


def test_keys_are_read_as_people_write_them():
    assert read_key("ctrl+alt+F") == (12, ord("f")) and read_key("f9") == (0, 0xFFC6)
    assert read_key("Shift+Super+space") == (65, 0x20)
    for text, said in (("k", "expected ctrl, alt"), ("ctrl+oops", "for example"), ("hyper+k", "for example")):
        with pytest.raises(ValueError, match=said):
            read_key(text)


@pytest.mark.desktop
def test_a_key_does_its_command_with_and_without_num_lock_and_another_programs_key_is_said(xvfb, tmp_path, capfd):
    if shutil.which("xdotool") is None:
        pytest.skip("needs xdotool")

    def press(key):
        subprocess.run(["xdotool", "key", key], env={"DISPLAY": xvfb, "PATH": "/usr/bin:/bin"}, check=True, timeout=20)

    with steered(tmp_path) as run:
        keys = hotkeys.Hotkeys(run.desk, xvfb)
        try:
            press("ctrl+alt+f")
            run.until(lambda: run.desk.frozen)
            press("ctrl+alt+f")
            run.until(lambda: not run.desk.frozen)
            press("ctrl+alt+d")
            run.until(lambda: len(run.stream.made) == 1)
            press("ctrl+alt+n")
            run.until(lambda: "there is no list of cues" in run.session.status.message)
            second = hotkeys.Hotkeys(run.desk, xvfb, keep="f9")
            second.close()
            assert "another program has ctrl+alt+f (freeze)" in capfd.readouterr().err
        finally:
            keys.close()


def test_where_no_keys_can_be_taken_that_is_said_with_another_way(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="expected X11; bind a key of your desktop to: curl"):
        hotkeys.display()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(ConfigError, match="Wayland gives no program such keys"):
        hotkeys.display()


def test_the_doctor_says_what_could_steer(monkeypatch):
    found = {each.name: each for each in doctor.controls()}
    assert found.keys() == {"http:7860", "osc:9000", "MIDI", "keys"}

    class Backend:
        def get_input_names(self):
            return ["nanoKONTROL 1", "nanoKONTROL 1"]

    assert midi_devices(Backend()) == (["nanoKONTROL 1"], "")
