"""MIDI with devices that a test plays: faders, buttons, soft takeover, learning, and a device that is unplugged."""

import pytest
from doubles.control import Devices, steered

from inkstream.stream.base.errors import ConfigError

pytest.importorskip("mido", reason='MIDI needs mido: pip install "inkstream[control]"')
pytest.importorskip("starlette", reason="needs inkstream[studio]")
midi = pytest.importorskip("inkstream.stream.app.control.midi")
maps = pytest.importorskip("inkstream.stream.app.control.maps")
mapping = pytest.importorskip("inkstream.stream.app.control.mapping")
MAP = """
controls:
  - {control: cc 21 channel 1, address: drawing_influence}
  - {control: cc 22 channel 1, address: guidance_scale, low: 1, high: 3}
  - {control: pitch channel 2, address: controlnets/0/conditioning_scale, low: 0, high: 1}
  - {control: note 36 channel 10, address: seed/dice}
  - {control: note 37 channel 10, address: prompt, value: a castle at night}
  - {control: note 38 channel 10, address: hold}
  - {control: cc 64 channel 1, address: do_add_noise}
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "map.yaml").write_text(MAP, encoding="utf-8")
    with steered(tmp_path, controlnets=[{}]) as run:
        run.devices = Devices("nanoKONTROL 1", "Midi Through Port-0")
        run.midi = midi.Midi(run.desk, map=tmp_path / "map.yaml", backend=run.devices)
        yield run
        run.midi.close()


def fader(run, value, control=21):
    run.devices.play("control_change", channel=0, control=control, value=value)


def test_a_fader_takes_a_value_over_where_it_stands_and_nothing_jumps(run):
    influence = lambda: run.stream.config.drawing_influence
    fader(run, 0)
    fader(run, 20)
    assert run.desk.config.drawing_influence == 50.0  # where it was
    fader(run, 70)  # past it
    run.until(lambda: influence() == pytest.approx(55.118, abs=0.01))
    fader(run, 80)
    run.until(lambda: influence() == pytest.approx(62.992, abs=0.01))
    run.desk.put("drawing_influence", [10.0], "osc")
    run.until(lambda: influence() == 10.0)
    fader(run, 90)
    fader(run, 85)
    assert run.desk.config.drawing_influence == 10.0  # somebody else has moved it
    fader(run, 12)
    run.until(lambda: influence() == pytest.approx(9.449, abs=0.01))


def test_ends_of_a_map_and_of_a_bend_are_reached(run):
    fader(run, 0, 22)
    fader(run, 127, 22)
    run.devices.play("pitchwheel", channel=1, pitch=8191)
    run.devices.play("pitchwheel", channel=1, pitch=-8192)
    run.until(lambda: run.stream.config.guidance_scale == 3.0)
    run.until(lambda: run.stream.config.controlnets[0].conditioning_scale == 0.0)


def test_buttons_do_commands_set_values_and_switch(run):
    pad = lambda note, velocity=100: run.devices.play("note_on", channel=9, note=note, velocity=velocity)
    pad(36)
    pad(36, 0)  # let go
    run.until(lambda: len(run.stream.made) == 1 and "seed" in run.stream.made[0])
    pad(37)
    run.until(lambda: run.stream.config.prompt == "a castle at night")
    pad(38)
    run.until(lambda: run.desk.frozen)
    run.devices.play("note_off", channel=9, note=38)
    run.until(lambda: not run.desk.frozen)
    fader(run, 127, 64)
    fader(run, 127, 64)  # still down
    run.until(lambda: run.stream.config.do_add_noise is False)
    assert run.stream.made[-1] == {"do_add_noise": False}


@pytest.mark.parametrize("by", ["osc", "a hand", "name"])
def test_a_control_learns_what_is_touched_next_and_still_knows_it_the_next_time(run, tmp_path, by):
    fader(run, 64, 30)
    run.until(lambda: "cc 30 channel 1: what is it for?" in run.session.status.message)
    if by == "osc":
        run.desk.put("controlnets/0/conditioning_scale", [0.5], "osc")
    elif by == "name":
        run.desk.touched("controlnets/0/conditioning_scale", "name")
    else:
        run.session.update(controlnets=[{"conditioning_scale": 0.5}])
    control = midi.Control("cc", 30, 1)
    run.until(lambda: control in run.midi.known())
    assert run.midi.known()[control].address == "controlnets/0/conditioning_scale"
    run.until(lambda: "kept in" in run.session.status.message)
    again = mapping.read(tmp_path / "map.yaml")
    assert again.by_control()[control].address == "controlnets/0/conditioning_scale" and len(again.controls) == 8


def test_what_no_fader_can_have_is_said_and_the_control_waits_on(run):
    fader(run, 64, 30)
    run.desk.put("prompt", ["a fox"], "osc")
    run.until(lambda: "no fader can have it" in run.session.status.message)
    run.desk.touched("keep", "name")
    run.until(lambda: midi.Control("cc", 30, 1) in run.midi.known())


def test_a_device_that_is_unplugged_is_taken_again(run, monkeypatch):
    first = run.devices.open["nanoKONTROL 1"]
    assert "Midi Through Port-0" not in run.devices.open
    run.devices.names.remove("nanoKONTROL 1")
    run.midi._look()
    assert first.closed
    run.devices.names.append("nanoKONTROL 1")
    run.midi._look()
    assert run.devices.open["nanoKONTROL 1"] is not first


def test_a_device_that_is_not_there_is_refused_with_those_that_are(run, tmp_path):
    with pytest.raises(ConfigError, match=r"got no such device, expected one of: 'nanoKONTROL 1'"):
        midi.Midi(run.desk, "Launchpad", map=tmp_path / "map.yaml", backend=run.devices)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{control: cc 300 channel 1, address: seed/dice}", "expected for example: cc 21 channel 1"),
        ("{control: cc 3 channel 17, address: seed/dice}", "a channel from 1 to 16"),
        ("{control: cc 3 channel 1, address: drawing_influense}", "did you mean 'drawing_influence'"),
        ("{control: cc 3 channel 1, address: prompt}", "or a value for a button"),
        ("{control: cc 3 channel 1, address: guidance_scale, low: 1}", "expected both"),
        ("{control: cc 3 channel 1, adress: keep}", "unknown setting; did you mean 'address'?"),
    ],
)
def test_a_wrong_map_names_the_line(tmp_path, entry, said):
    (tmp_path / "map.yaml").write_text(f"controls:\n  - {entry}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        mapping.read(tmp_path / "map.yaml")
    assert "map.yaml:2:" in str(error.value) and said in str(error.value)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """This user's maps."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sys.platform", "linux")
    return mapping.folder()


@pytest.mark.parametrize("path", sorted(maps.READY.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_ready_made_map_says_what_it_is_for_and_gives_each_control_one_task(path):
    found = mapping.read(path)
    assert found.about and found.device and maps.for_device(f"{found.device} MIDI 1") == path.stem
    assert len(found.by_control()) == len(found.controls) > 10
    assert {"drawing_influence", "keep", "cue/next"} <= {each.address for each in found.controls}


def test_what_is_learned_on_top_of_a_ready_made_map_is_kept_beside_it_and_forgotten_again(
    run, own, capsys, monkeypatch
):
    monkeypatch.setattr(midi, "LOOK_EVERY", 0.05)
    ready = mapping.read(maps.READY / "nanokontrol2.yaml")
    run.midi.close()
    run.devices = Devices("nanoKONTROL2 MIDI 1")
    run.midi = midi.Midi(run.desk, map=maps.path_of("nanokontrol2"), backend=run.devices)
    fader(run, 60, 0)
    fader(run, 80, 0)
    run.until(lambda: run.stream.config.drawing_influence == pytest.approx(62.992, abs=0.01))
    fader(run, 64, 16)
    run.desk.touched("delta", "name")
    kept = maps.read(own / "nanokontrol2.yaml")
    assert kept == ready.having(run.midi.known()[midi.Control("cc", 16, 1)]) and len(ready.controls) + 1 == len(
        kept.controls
    )
    assert maps.find("nanokontrol2").own and "cc 16 channel 1 does nothing now" in maps.forget(
        "nanokontrol2", "cc 16 channel 1"
    )
    run.until(lambda: midi.Control("cc", 16, 1) not in run.midi.known())  # it hears of that while it runs
    assert maps.forget("nanokontrol2") == "nanokontrol2 is as it came"
    assert not maps.find("nanokontrol2").own and maps.read(own / "nanokontrol2.yaml") == ready
    assert "map=" not in capsys.readouterr().err  # it has one


def test_a_device_with_a_ready_made_map_is_told_of_it(run, own, capsys):
    midi.Midi(run.desk, backend=Devices("nanoKONTROL2 MIDI 1", "Launchpad")).close()
    said = capsys.readouterr().err
    assert "nanoKONTROL2 MIDI 1; a map for it is there: map=nanokontrol2" in said and "Launchpad\n" in said


def test_maps_have_names_and_unknown_ones_are_refused(run, own):
    assert maps.path_of("show") == own / "show.yaml" and maps.path_of("./show.yaml").name == "show.yaml"
    mapping.write(own / "show.yaml", mapping.Mapping.model_validate({"about": "Friday"}))
    names = {each.name: each.own for each in maps.all_of_them()}
    assert names == {"apc-mini": 0, "mpk-mini-mk3": 0, "nanokontrol2": 0, "show": 1, "x-touch-mini": 0}
    assert maps.forget("show") == "show is forgotten" and not (own / "show.yaml").exists()
    with pytest.raises(ConfigError, match="did you mean 'apc-mini'"):
        maps.find("apc-mimi")
    with pytest.raises(ConfigError, match="nothing was learned on top of it"):
        maps.forget("apc-mini")
    with pytest.raises(ConfigError, match="cc 99 channel 1 does nothing; look with: inkstream midi show apc-mini"):
        maps.forget("apc-mini", "cc 99 channel 1")
    with pytest.raises(ConfigError, match="expected a file, or one of: apc-mini"):
        midi.Midi(run.desk, "nanoKONTROL", map=maps.path_of("shwo"), backend=run.devices)
