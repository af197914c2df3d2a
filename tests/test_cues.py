"""The cues of a show: their file, and how they are played."""

import threading

import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.cues import Cue, Length, read_cues
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Size
from inkstream.stream.session.cues import CuePlayer
from inkstream.stream.session.session import Session

SHOW = """
tempo: 120
loop: true
cues:
  - a red car
  - prompt: a castle at night
    seed: 7
    fade: 2 s
    hold: 8 beats
  - name: harbour
    prompt: {a boat: 0.7, a lighthouse: 0.3}
    seed: [[3, 0.5], [4, 0.5]]
    fade: 4 beats
"""


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Stage:
    """Who is asked, with a player whose clock is turned by hand; its thread waits for real time and so stays out."""

    def __init__(self, cues):
        self.config = StreamConfig.build(seed=2)
        self.updates, self.said, self.clock = [], [], Clock()
        self.player = CuePlayer(self.update, lambda: self.config, lambda: 20.0, self.said.append, self.clock)
        self.player.load(cues)

    def update(self, **changes):
        self.updates.append(changes)
        self.config = self.config.changed(**changes)

    def after(self, seconds):
        self.clock.now += seconds
        return self.player.tick()


@pytest.fixture
def cues(tmp_path):
    (tmp_path / "show.yaml").write_text(SHOW, encoding="utf-8")
    return read_cues(tmp_path / "show.yaml")


@pytest.fixture
def stage(cues):
    made = Stage(cues)
    yield made
    made.player.close()


def test_a_file_says_prompts_seeds_and_lengths_in_seconds_or_beats(cues):
    assert cues.loop and cues.tempo == 120
    first, second, third = cues.cues
    assert first == Cue(prompt="a red car")
    assert (second.seed, second.fade, second.hold) == (7, Length(2.0), Length(8.0, "beats"))
    assert second.hold.seconds(120) == 4.0
    assert third.prompt == (("a boat", 0.7), ("a lighthouse", 0.3)) and third.seed == ((3, 0.5), (4, 0.5))
    assert (third.title, second.title) == ("harbour", "a castle at night")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cues: []", "cues: got"),
        ("cues:\n  - prompt: a car\n    fade: soon\n", "show.yaml:3:11: cues.0.fade: got 'soon', expected seconds or"),
        ("cues:\n  - prompt: a car\n    hold: 99999\n", "at most 3600"),
        ("cues:\n  - name: nothing\n", "got neither prompt nor seed"),
        ("cues:\n  - prompt: a <lora:>\n", "show.yaml:2:"),
        ("cues:\n  - a car\ntempo: 5\n", "tempo: got 5"),
        ("cues:\n  - promt: a car\n", "unknown setting; did you mean 'prompt'?"),
        ("cues: !!python/object:os.system [a]\n", "tags are not read"),
    ],
)
def test_a_wrong_file_names_the_line(tmp_path, text, said):
    (tmp_path / "show.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_cues(tmp_path / "show.yaml")
    assert said in str(error.value)


def test_a_prompt_fades_by_the_picture_and_a_seed_by_the_clock(stage):
    assert stage.updates == [{"prompt": "a red car", "prompt_transition_frames": 0}]
    assert stage.player.go() and stage.player.place == (2, 3)
    assert stage.updates[1:] == [{"prompt": "a castle at night", "prompt_transition_frames": 40}]
    assert stage.after(0.05) == pytest.approx(0.05)  # nothing is due yet
    stage.after(0.95)
    assert stage.updates[-1] == {"seed": [(2, 0.5), (7, 0.5)]}
    stage.after(1.0)
    assert stage.updates[-1] == {"seed": 7} and stage.config.seed == 7


def test_the_next_cue_comes_by_itself_and_after_the_last_the_first(stage):
    stage.player.go()
    stage.after(2.0)
    assert stage.after(1.9) == pytest.approx(0.1) and stage.player.place == (2, 3)
    stage.after(0.1)  # 8 beats at 120 a minute
    assert stage.player.place == (3, 3) and stage.config.prompt == (("a boat", 0.7), ("a lighthouse", 0.3))
    stage.after(2.0)
    assert stage.config.seed == ((3, 0.5), (4, 0.5)) and stage.after(60.0) is None
    assert stage.player.go() and stage.player.place == (1, 3)
    assert stage.player.go(-1) and stage.player.place == (3, 3)
    assert stage.said[-1] == "cue 3 of 3: harbour"


def test_a_cue_is_called_by_its_number_and_the_ends_of_a_list_that_does_not_loop_are_said(cues):
    stage = Stage(cues.model_copy(update={"loop": False}))
    assert stage.player.to(3) and not stage.player.go() and stage.said[-1] == "that was the last cue"
    assert stage.player.to(1) and not stage.player.go(-1) and stage.said[-1] == "that was the first cue"
    with pytest.raises(ConfigError, match="got 4, expected 1 to 3"):
        stage.player.to(4)
    stage.player.close()


def test_a_tempo_is_tapped_and_lengths_in_beats_follow_it(stage):
    for _ in range(5):
        tempo = stage.player.tap()
        stage.clock.now += 1.0
    assert tempo == pytest.approx(60.0)
    stage.player.to(3)
    assert stage.updates[-1]["prompt_transition_frames"] == 80  # 4 beats of a second, at 20 fps
    stage.clock.now += 10.0
    assert stage.player.tap() == pytest.approx(60.0)  # a first beat alone says no tempo
    with pytest.raises(ConfigError, match="got 5, expected 20 to 400"):
        stage.player.set_tempo(5)


def test_who_changes_the_seed_meanwhile_has_the_last_word(stage):
    stage.player.go()
    stage.after(1.0)
    stage.player.overruled({"seed": 99})
    stage.update(seed=99)
    assert stage.after(0.5) > 1 and stage.config.seed == 99  # only the next cue is due


def test_a_session_plays_them_by_its_own_clock_and_ends_with_it(tmp_path):
    (tmp_path / "show.yaml").write_text("cues:\n- {prompt: one, hold: 0.05 s}\n- {prompt: two, seed: 5, fade: 0.2 s}\n")
    stream = FakeStream(steps=1, size=Size(64, 64))
    with Session("fake:pattern=noise,fps=30,size=64x64", stream, ["null"]) as session:
        session.cues.load(read_cues(tmp_path / "show.yaml"))
        session.start()
        while stream.config.prompt != "two" or stream.config.seed != 5:
            assert not session.wait(0.01)
        assert session.status.message == "cue 2 of 2: two"
        named = [each for each in threading.enumerate() if each.name == "inkstream cues"]
        assert len(named) == 1
    named[0].join(2.0)
    assert not named[0].is_alive()
