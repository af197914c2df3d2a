"""Adapters act on frames on their way, what belongs to a frame stays with its row, and no file brings code along."""

import numpy as np
import pytest
import torch
from doubles.pages import growing_pages, same
from doubles.pages import rendered as render_pages
from doubles.tiny_models import tiny_sd
from test_whole import Recorder

from inkstream.adapters import Adapter, register, trust
from inkstream.stream import Session, Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ConfigError, EngineError
from inkstream.stream.base.frame import Frame
from inkstream.stream.loop.line import DelayLine
from inkstream.stream.sinks.fake import FakeSink

SMALL = {"width": 64, "height": 64, "warmup": 0, "acceleration": "eager", "use_tiny_vae": False, "prompt": "a car"}
THREE = {"t_index_list": [10, 20, 40], "cfg_type": "none"}


class Numbered(Adapter):
    """Leaves the number of each frame in its rows, and notes which frame each row says it is."""

    def __init__(self, strength=0.0):
        self.count, self.seen, self.strength = 0, [], strength
        Numbered.last = self

    def rows(self, latent, steps):
        return {"number": (1, 1, 1), "map": latent[1:]}

    def memory(self, latent, steps):
        return {"before": (1, 1, 1)}

    def image_before(self, picture, frame):
        self.count += 1
        frame.rows["number"] = np.full((1, 1, 1), self.count, np.float32)
        frame.rows["map"] = np.full((8, 8), self.count, np.float32)
        frame.notes["number"] = self.count
        return picture

    def latent_after(self, latent, rows, memory, on):
        assert (rows["number"][:, 0, 0] == rows["map"][:, 0, :1]).all() and len(rows["number"]) == len(latent)
        self.seen.append(rows["number"].flatten().tolist())
        return latent + self.strength * rows["number"]

    def image_after(self, picture, frame):
        made = picture.copy()
        made[0, 0] = frame.notes["number"]
        return made


class Mirror(Adapter):
    """Renders the mirrored drawing, and mirrors its picture back; brightens latents that begin."""

    def image_before(self, picture, frame):
        return picture[:, ::-1]

    def latent_before(self, latent, rows):
        return latent + 0.2

    def image_after(self, picture, frame):
        return picture[:, ::-1]


@pytest.fixture(autouse=True)
def known():
    for kind in (Numbered, Mirror):
        register(kind.__name__.lower(), kind)


# --- the delay line


def test_row_k_has_what_its_frame_brought_k_ticks_before():
    line, steps, frames = DelayLine(), 3, 2
    brought = [
        {"maps": torch.full((2, 4), float(tick)), "features": torch.full((1, 2, 3), float(tick))} for tick in range(5)
    ]
    line.begin(brought[0], steps)
    places = [value.data_ptr() for value in line.values()]
    for tick, each in enumerate(brought):
        line.enter(each)
        for row in range(min(tick, steps - 1) + 1):
            assert (line["maps"][2 * row : 2 * row + 2] == tick - row).all()
            assert (line["features"][:, 2 * row : 2 * row + 2] == tick - row).all()
        line.shift(frames)
    assert [value.data_ptr() for value in line.values()] == places, "nothing ever moves in memory"
    assert line["features"].shape == (1, 6, 3)


def test_in_a_stream_every_row_knows_its_frame_and_a_filler_is_nobody():
    with Stream(tiny_sd(), **SMALL, **THREE, adapters=["numbered"]) as stream:
        shown = [stream(page, gated=False) for page in growing_pages(5)] + stream.drain()
        seen = Numbered.last.seen
        assert seen[2:5] == [[3, 2, 1], [4, 3, 2], [5, 4, 3]] and seen[5:] == [[0, 5, 4], [0, 0, 5]]
        assert [each.pixels[0, 0, 0] for each in shown if each is not None] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("more", [{}, {"frame_buffer_size": 2}, {"use_denoising_batch": False}])
@pytest.mark.parametrize("cfg_type", ["none", "full"])
def test_it_is_the_same_in_a_batch_in_turn_and_recorded_whole(more, cfg_type, monkeypatch):
    from dataclasses import replace

    from doubles.units import change_units

    settings = {**SMALL, **THREE, "cfg_type": cfg_type, "guidance_scale": 1.5}
    acting = [{"name": "numbered", "params": {"strength": 0.02}}, "mirror"]
    with Stream(tiny_sd(), **settings, adapters=acting) as stream:
        expected = render_pages(stream, count=6)
    with Stream(tiny_sd(), **settings) as stream:
        assert not same(expected, render_pages(stream, count=6))
    if not more:
        change_units(monkeypatch, lambda units: replace(units, record=Recorder()))
    with Stream(tiny_sd(), **settings, **more, adapters=acting) as stream:
        assert same(expected, render_pages(stream, count=6))


# --- whose code runs


SOURCE = """
from pathlib import Path
import numpy as np
from inkstream.adapters import Adapter

Path(__file__).with_name("ran").touch()

class Negative(Adapter):
    def image_after(self, picture, frame):
        return 255 - picture
"""


def test_a_configuration_runs_no_code_until_somebody_asked_for_it(tmp_path):
    file, spec = tmp_path / "mine.py", f"{tmp_path / 'mine.py'}:Negative"
    file.write_text(SOURCE)
    (tmp_path / "mine.yaml").write_text(f"model: ink-tiny\nstream:\n  adapters: ['{spec}']\n")
    config = load_config(tmp_path / "mine.yaml").stream
    with pytest.raises(ConfigError, match=r"adapters.0: .*--adapter"):
        Stream(tiny_sd(), config.changed(**SMALL))
    assert not (tmp_path / "ran").exists()
    with Stream(tiny_sd(), **SMALL, t_index_list=[30]) as stream:
        plain = stream(np.zeros((64, 64, 3), np.uint8)).pixels
        with pytest.raises(ConfigError, match="--adapter"):
            stream.update(adapters=[spec])
        assert not (tmp_path / "ran").exists() and trust(spec) == spec and (tmp_path / "ran").exists()
        stream.update(adapters=[spec])
        assert (stream(np.zeros((64, 64, 3), np.uint8)).pixels == 255 - plain).all()


@pytest.mark.parametrize(
    ("text", "spec", "said"),
    [
        ("", "mine.txt:Negative", "expected FILE.py:CLASS"),
        ("", "other.py:Negative", "there is no file"),
        ("raise OSError('no disk')", "mine.py:Negative", "OSError: no disk"),
        (SOURCE, "mine.py:Negatve", "Negative"),
        ("Negative = 3", "mine.py:Negative", "expected a class made from"),
    ],
)
def test_what_is_no_adapter_is_refused_by_name(text, spec, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ConfigError, match=said):
        trust(spec)


def test_a_name_that_nobody_knows_and_params_that_do_not_fit_are_refused():
    for adapters, said in (
        (["numberd"], "numbered"),
        ([{"name": "mirror", "params": {"angle": 3}}], "params of 'mirror'"),
    ):
        with pytest.raises(ConfigError, match=said):
            Stream(tiny_sd(), StreamConfig.build(**SMALL, adapters=adapters))


# --- what fails


class Failing(Adapter):
    def image_before(self, picture, frame):
        raise ZeroDivisionError("by nothing")


class Wrong(Adapter):
    def image_before(self, picture, frame):
        return picture[:10]


class Silent(Adapter):
    def rows(self, latent, steps):
        return {"map": (1,)}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Failing, r"adapter Failing.image_before: ZeroDivisionError: by nothing; mend it"),
        (Wrong, r"Wrong.image_before: gave \(10, 64, 3\) uint8, expected \(64, 64, 3\)"),
        (Silent, r"left no rows\['map'\]"),
    ],
)
def test_one_that_fails_is_named(kind, said):
    register("failing", kind)
    with Stream(tiny_sd(), **SMALL, t_index_list=[30], adapters=["failing"]) as stream:
        with pytest.raises(EngineError, match=said):
            stream(np.zeros((64, 64, 3), np.uint8))
        stream.update(adapters=[])
        assert stream(np.zeros((64, 64, 3), np.uint8)) is not None


def test_one_that_fails_is_taken_out_again_and_the_picture_goes_on():
    register("failing", Failing)

    class Drawing:
        live, given = False, 0

        def read(self):
            from inkstream.stream.base.errors import SourceEnded

            self.given += 1
            if self.given > 6:
                raise SourceEnded("enough")
            if self.given == 3:
                stream.update(adapters=["failing"])
            return np.full((64, 64, 3), 20 * self.given, np.uint8)

        def close(self):
            pass

    sink = FakeSink(keep=100)
    with Stream(tiny_sd(), **SMALL, t_index_list=[30]) as stream:
        Session(Drawing(), stream, [sink]).run()
        assert stream.config.adapters == ()
    assert [each.output.source_id for each in sink.written if each.output is not None][-1] == 5


def test_frames_know_whether_anything_before_them_counts():
    asked = []

    class Asking(Adapter):
        def image_before(self, picture, frame):
            asked.append((frame.begins, frame.config.seed))
            return picture

    register("asking", Asking)
    with Stream(tiny_sd(), **SMALL, t_index_list=[30], adapters=["asking"], seed=1) as stream:
        pages = list(growing_pages(6))
        stream(pages[0]), stream(pages[1])
        stream.update(seed=5)
        stream(Frame(pages[1], 1)), stream(pages[2])
        stream.update(prompt="a house", prompt_transition_frames=2)
        stream(pages[3]), stream(pages[4]), stream(pages[5])
    assert asked == [(True, 1), (False, 1), (True, 5), (False, 5), (True, 5), (True, 5), (False, 5)]
