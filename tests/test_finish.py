"""Finishing: the still at its best, in more steps and larger, beside a stream or from a file."""

import json
import os
import threading
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd, tiny_sdxl
from test_cli import command
from test_driver import picture, until
from test_history import recorded

from inkstream.bench.synthetic import FakeStream
from inkstream.lora.data import scenes
from inkstream.lora.upscaler import Upscaler, bicubic, enlarged, read_upscaler, upscaler_of, write_upscaler
from inkstream.models import embedded
from inkstream.stream import Session, Stream
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ConfigError, ModelError
from inkstream.stream.base.frame import Output
from inkstream.stream.base.kept import png_with, read_making, read_recipe, recipe_of
from inkstream.stream.base.making import Making
from inkstream.stream.finish.finisher import Finisher
from inkstream.stream.finish.painter import Painter
from inkstream.stream.finish.still import Kept, finish
from inkstream.stream.history.store import HistoryRecorder
from inkstream.stream.loop.tiled import Tile, blended, tiles_of
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.drawing import sketch

SIDE = 64
SMALL = {"width": SIDE, "height": SIDE, "warmup": 0, "acceleration": "eager", "use_tiny_vae": False, "prompt": "a car"}
DRAWING = cv2.ellipse(np.full((SIDE, SIDE, 3), 255, np.uint8), (30, 34), (22, 12), 0, 0, 360, (0, 0, 0), 2)


def kept(pipe, **settings):
    """A picture that a stream has made, and the stream's output."""
    with Stream(pipe, **SMALL, **settings) as stream:
        output = [stream(DRAWING), *stream.drain()][-1]
    return Kept.of(output), output


# --- tiles


@pytest.mark.parametrize(
    ("size", "tile", "overlap"), [((8, 8), 8, 2), ((16, 24), 8, 2), ((17, 9), 8, 7), ((5, 30), 8, 3)]
)
def test_tiles_cover_everything_and_overlap(size, tile, overlap):
    tiles = tiles_of(*size, (tile, tile), overlap)
    seen = np.zeros(size, int)
    for each in tiles:
        assert (each.height, each.width) == (min(tile, size[0]), min(tile, size[1]))
        seen[each.y : each.y + each.height, each.x : each.x + each.width] += 1
    assert seen.min() >= 1 and len(set(tiles)) == len(tiles)
    columns = sorted({each.x for each in tiles})
    assert all(b - a <= tile - overlap for a, b in pairwise(columns))


def test_what_tiles_agree_on_is_not_changed_by_blending():
    whole = torch.rand(1, 3, 20, 28)
    tiles = tiles_of(20, 28, (8, 8), 3)
    assert torch.allclose(blended(((tile, tile.of(whole)) for tile in tiles), (20, 28), 3), whole, atol=1e-6)
    (one,) = tiles_of(20, 28, (32, 32), 3)
    assert blended([(one, whole)], (20, 28), 3) is whole


def test_weights_fall_towards_the_border_of_a_tile():
    black, white = torch.zeros(1, 1, 4, 8), torch.ones(1, 1, 4, 8)
    made = blended([(Tile(0, 0, 4, 8), black), (Tile(0, 4, 4, 8), white)], (4, 12), 4)[0, 0, 2]
    assert made[:4].eq(0).all() and made[-4:].eq(1).all()
    assert (made[4:8].diff() > 0).all() and made[4:8].sum() == pytest.approx(2.0, abs=1e-5)


@pytest.mark.parametrize("settings", [{}, {"cfg_type": "full", "guidance_scale": 2.0}, {"cfg_type": "initialize"}])
@pytest.mark.parametrize("make", [tiny_sd, tiny_sdxl])
def test_a_tile_that_is_the_whole_gives_the_plain_picture(make, settings):
    config = StreamConfig.build(**SMALL, t_index_list=[10, 30], controlnets=[{}], **settings)
    painter = Painter(make(controlnets=1), config)
    with Stream(make(controlnets=1), config.changed(use_denoising_batch=False)) as stream:
        plain = stream(DRAWING)
    assert (painter.paint(DRAWING, lambda share: None) == plain.pixels).all()


def seams(pixels, places):
    """How much larger the steps at these columns and rows are than those everywhere."""
    found = []
    for axis in (0, 1):
        steps = np.abs(np.diff(pixels.astype(float), axis=axis)).mean(axis=(1 - axis, 2))
        found.append(steps[[place - 1 for place in places]].mean() / steps.mean())
    return max(found)


def test_a_flat_picture_has_no_seams(monkeypatch):
    """Where tiles do not overlap there are, so that this would see them."""
    flat, config = picture(128), StreamConfig.build(**SMALL, t_index_list=[20, 40], controlnets=[{}])
    large = np.full((3 * SIDE, 3 * SIDE, 3), 128, np.uint8)
    places = [SIDE, 2 * SIDE]
    hard = _seams_of(config, flat, large, places, 0.0, monkeypatch)
    soft = _seams_of(config, flat, large, places, 0.25, monkeypatch)
    assert hard > 1.5 and soft < 1.15, (hard, soft)


def _seams_of(config, flat, large, places, overlap, monkeypatch):
    monkeypatch.setattr("inkstream.stream.finish.painter.OVERLAP", overlap)
    painter = Painter(tiny_sd(controlnets=1), config)
    made = painter.paint(flat, lambda share: None, 3, large, mode="img2img")
    if overlap:
        factor = SIDE // 8
        tiles = tiles_of(3 * factor, 3 * factor, (factor, factor), painter.overlap // 8)
        places = sorted(
            {8 * each.x for each in tiles if each.x} | {8 * (each.x + each.width) for each in tiles} - {3 * SIDE}
        )
    return seams(made, places)


# --- stills


def test_a_diffusion_model_paints_the_enlarged_picture_anew():
    moment, output = kept(tiny_sd(controlnets=1), t_index_list=[10, 30], controlnets=[{}], mode="sketch")
    said = []
    still = finish(tiny_sd(controlnets=1), moment, 2, 3, lambda text, part=None: said.append((text, part)))
    assert still.pixels.shape == (2 * SIDE, 2 * SIDE, 3)
    assert still.how["how"] == "tiled img2img" and len(still.how["t_index_list"]) == 3 and still.how["tile"] == "64x64"
    parts = [part for _, part in said if part is not None]
    assert parts == sorted(parts) and parts[-1] < 1 and len(parts) > 40
    small = cv2.resize(still.pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), output.pixels.ravel())[0, 1] > 0.5, "it is the same picture still"
    painter = Painter(tiny_sd(controlnets=1), moment.making.stream)
    large = cv2.resize(moment.render, (2 * SIDE, 2 * SIDE))
    drawn = [painter.paint(each, lambda share: None, 2, large, mode="img2img") for each in (DRAWING, DRAWING[::-1])]
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() > 10, "the drawing steers the tiles"


def test_the_recipe_of_a_still_says_what_was_done_and_makes_its_base_again():
    pipe = tiny_sd()
    moment, _ = kept(pipe, t_index_list=[20, 40], settle_steps=3)
    still = finish(pipe, moment, 1, 6)
    recipe = still.recipe(of="a.png")
    assert recipe["picture"] == {"finished": {"scale": 1, "drawing": True}, "of": "a.png"}
    making = Making.of(json.loads(json.dumps(recipe)))
    assert len(making.stream.t_index_list) == 6 and making.as_live().stream.t_index_list == (20, 40)
    with Stream(tiny_sd(), making.stream) as stream:
        assert (stream(DRAWING).pixels == still.pixels).all()


def test_without_its_drawing_a_picture_is_enlarged_as_it_is():
    moment, output = kept(tiny_sd(controlnets=1), t_index_list=[10, 30], controlnets=[{}], mode="sketch")
    lost = Kept(moment.render, None, moment.making)
    still = finish(tiny_sd(controlnets=1), lost, 2, 2)
    assert still.pixels.shape == (2 * SIDE, 2 * SIDE, 3) and still.how["drawing"] is False
    assert (finish(tiny_sd(controlnets=1), lost, 1).pixels == output.pixels).all()


@pytest.mark.parametrize(
    ("scale", "steps", "said"), [(3, None, "scale: got 3"), (2, 51, "expected 1 to 50"), (2, 0, "1 to")]
)
def test_what_cannot_be_is_refused(scale, steps, said):
    making = Making("ink-tiny", StreamConfig.build(**SMALL))
    with pytest.raises(ConfigError, match=said):
        finish(None, Kept(DRAWING, DRAWING, making), scale, steps)
    with pytest.raises(ConfigError, match="at most 64 megapixels"):
        finish(None, Kept(DRAWING, None, Making("x", StreamConfig.build(width=4096, height=4096))), 4)


# --- the upscaler


def test_a_new_upscaler_interpolates_and_tiles_do_not_show(monkeypatch):
    network = Upscaler(8, 2).eval()
    pixels = cv2.resize(DRAWING, (150, 90))
    plain = bicubic(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)[0].permute(1, 2, 0)
    made = enlarged(network, pixels)
    assert np.abs(made - ((plain.clamp(-1, 1) + 1) * 127.5).numpy()).max() <= 0.51
    torch.nn.init.normal_(network.leave.weight, std=0.2)
    whole = enlarged(network, pixels)
    assert not (whole == made).all()
    shares = []
    monkeypatch.setattr("inkstream.lora.upscaler.TILE", 32)
    assert np.abs(enlarged(network, pixels, shares.append).astype(int) - whole).max() <= 1
    assert shares == sorted(shares) and len(shares) == 16 and shares[-1] == 1


def test_an_upscaler_is_written_and_read_and_checked(tmp_path):
    network = Upscaler(8, 2)
    torch.nn.init.normal_(network.leave.weight, std=0.2)
    write_upscaler(network, tmp_path)
    again = read_upscaler(tmp_path)
    assert torch.allclose(again.leave.weight, network.leave.weight, atol=1e-3) and not again.leave.weight.requires_grad
    config = json.loads((tmp_path / "config.json").read_text())
    for change, said in (
        ({"blocks": 3}, "other tensors"),
        ({"channels": 10**6}, "expected kind"),
        ({"kind": "x"}, "kind"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelError, match=said):
            read_upscaler(tmp_path)
    assert upscaler_of(tiny_sd()) is None


def test_the_upscaler_of_the_embedded_model_knows_more_than_bicubic_interpolation():
    folder = embedded()["ink-tiny"]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 24 * 2**20
    network = read_upscaler(folder / "upscaler")
    truth = torch.from_numpy(
        scenes.render([scenes.sample_scene(5_000_000 + number) for number in range(3)], 256).pixels()
    )
    x = truth.permute(0, 3, 1, 2) / 127.5 - 1
    small = torch.nn.functional.avg_pool2d(x, 2)
    plain, better = (((made.clamp(-1, 1) - x) ** 2).mean((1, 2, 3)) for made in (bicubic(small), network(small)))
    assert (10 * (plain / better).log10() > 1.0).all(), "dB"


def still_of(run, page, **settings):
    with Stream.from_pretrained(run.model, run.stream.changed(**settings)) as stream:
        for _ in range(3):
            output = stream(page, gated=False)
        return finish(stream.given, Kept.of(output), 2)


def test_the_embedded_model_is_enlarged_with_its_ink():
    """Above the middle of the influence the drawn lines lie over the picture, as finely as that is large."""
    run = load_config("ink-tiny", {"acceleration": "eager", "warmup": 0, "drawing_influence": 90, "t_index_list": [0]})
    page = sketch("sedan", 256)
    with Stream.from_pretrained(run.model, run.stream) as stream:
        output = stream(page)
        moment, said = Kept.of(output), []
        same = finish(stream.given, moment, 1, 1)
        still = finish(stream.given, moment, 2, None, lambda text, part=None: said.append(text))
    assert (same.pixels == output.pixels).all()
    assert still.pixels.shape == (512, 512, 3) and still.how == {"scale": 2, "drawing": True, "how": "upscaler"}
    assert len(still.making.stream.t_index_list) == 4, "the most that it is good in"
    painted = still_of(run, page, mode="paint", t_index_list=[36, 44])
    assert painted.making.stream.t_index_list == (36, 44), "more steps would wash out what was painted"
    lines = cv2.resize(page, (512, 512), interpolation=cv2.INTER_CUBIC).max(2) < 60
    assert lines.sum() > 1000 and still.pixels[lines].mean() < 0.6 * still.pixels[~lines].mean()


# --- beside a stream


def a_finisher(folder, pipe_of=lambda making, progress: tiny_sd()):
    return Finisher(pipe_of, folder)


def test_a_picture_is_finished_beside_a_stream_and_saved(tmp_path):
    _, output = kept(tiny_sd(), t_index_list=[20, 40])
    finisher = a_finisher(tmp_path / "out")
    with Session("fake:size=64", FakeStream(1), [FakeSink()], finisher=finisher) as session:
        session.start()
        assert session.finishing.possible and session.finishing.progress() is None
        assert session.finish(output, 2, 2)
        news = []
        until(lambda: news.extend(session.finishing.news()) or news)
        until(lambda: news[0].said in session.status.message)
        assert session.finishing.progress() is None
    (path,) = (tmp_path / "out").iterdir()
    assert path == news[0].path and path.name.endswith("-a-car-2x.png")
    assert cv2.imread(str(path)).shape == (128, 128, 3)
    assert read_recipe(path)["picture"]["finished"]["scale"] == 2 and read_making(path).stream.prompt == "a car"


def test_it_is_cancelled_at_once_and_leaves_nothing(tmp_path):
    _, output = kept(tiny_sd(), t_index_list=[20, 40])
    reached, go_on = threading.Event(), threading.Event()

    def slow(making, progress):
        progress("loading", 0.0)
        reached.set()
        go_on.wait(20)
        return tiny_sd()

    finisher = a_finisher(tmp_path / "out", slow)
    assert finisher.start(output, 4) and not finisher.start(output, 4)
    assert reached.wait(20) and finisher.progress() == ("loading", 0.0)
    finisher.cancel()
    go_on.set()
    until(lambda: finisher.progress() is None)
    (news,) = finisher.news()
    assert (news.path, news.said) == (None, "not finished: cancelled") and not (tmp_path / "out").exists()
    assert finisher.start(output, 1)
    until(lambda: finisher.progress() is None)
    assert finisher.news()[0].path is not None
    finisher.close()


def test_a_full_memory_is_named_and_ends_nothing_else(tmp_path, monkeypatch):
    _, output = kept(tiny_sd(), t_index_list=[20, 40])

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("inkstream.stream.finish.painter.TiledSteps.render", full)
    finisher = a_finisher(tmp_path)
    assert finisher.start(output, 2)
    until(lambda: finisher.progress() is None)
    assert "not finished: the memory is full" in finisher.news()[0].said


def test_what_fails_is_said_and_the_stream_goes_on(tmp_path):
    def missing(making, progress):
        raise ModelError("the model is gone")

    (tmp_path / "file").write_text("")
    _, output = kept(tiny_sd(), t_index_list=[20, 40])
    for finisher, said in (
        (a_finisher(tmp_path, missing), "the model is gone"),
        (a_finisher(tmp_path / "file"), "File exists"),
    ):
        with Session("fake:size=64", FakeStream(1), [FakeSink()], finisher=finisher) as session:
            session.start()
            assert session.finish(output, 1)
            until(lambda said=said, session=session: said in session.status.message)
            assert session.error is None and not session.finished
            assert not session.finish(Output(DRAWING, 0, 0.0, 0)) and "without its settings" in session.status.message
    with Session("fake:size=64", FakeStream(1), [FakeSink()]) as session:
        assert not session.finish(output) and not session.finishing.possible
        assert "inkstream finish" in session.status.message and session.finishing.news() == []


def test_the_stream_beside_it_is_not_changed():
    """Both on one pipeline, each with networks of its own, at the same time."""
    pipe = tiny_sd(controlnets=1)
    settings = {"t_index_list": [10, 30], "controlnets": [{}]}
    moment, _ = kept(pipe, **settings)
    done = []
    thread = threading.Thread(target=lambda: done.append(finish(pipe, moment, 2, 2)))
    with Stream(pipe, **SMALL, **settings, use_denoising_batch=False, similar_image_filter_threshold=None) as stream:
        alone = stream(DRAWING).pixels
        thread.start()
        beside = [stream(DRAWING).pixels]
        while thread.is_alive():
            beside.append(stream(DRAWING).pixels)
        thread.join()
    assert all((each == alone).all() for each in beside) and len(done) == 1
    assert (done[0].pixels == finish(pipe, moment, 2, 2).pixels).all()


# --- the command


def _interrupted(*_):
    raise KeyboardInterrupt


def test_the_command_finishes_a_kept_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = StreamConfig.build(**SMALL, t_index_list=[20, 40])
    tiny_sd().save_pretrained(tmp_path / "model")
    with Stream.from_pretrained(str(tmp_path / "model"), config) as stream:
        output = [stream(DRAWING), *stream.drain()][-1]
    (tmp_path / "kept.png").write_bytes(png_with(output.pixels, recipe_of(output, input="drawn.png")))
    (tmp_path / "drawn.png").write_bytes(png_with(DRAWING, None))
    result = command("finish", "kept.png", "--steps", 2)
    assert "finished: kept-2x.png" in result.stderr and "no drawing" not in result.stderr
    assert cv2.imread("kept-2x.png").shape == (128, 128, 3)
    assert read_recipe(tmp_path / "kept-2x.png")["picture"]["of"] == "kept.png"
    os.remove("drawn.png")
    result = command("finish", "kept.png", "--scale", 1, "-o", "same.png")
    assert "no drawing is beside it" in result.stderr
    assert (cv2.imread("same.png") == cv2.imread("kept.png")).all()
    recorder = HistoryRecorder(tmp_path / "state" / "inkstream" / "history")
    recorded(recorder, [replace(output, making=replace(output.making, model=str(tmp_path / "model")))])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    result = command("finish", "--history", 1, "-o", "then.png")
    assert read_recipe(tmp_path / "then.png")["picture"]["of"].startswith("history 2")
    assert (cv2.imread("then.png") == cv2.imread("kept-2x.png")).mean() < 1, "8 steps, not 2"
    there = sorted(os.listdir())
    with monkeypatch.context() as patch:
        patch.setattr("inkstream.stream.finish.painter.TiledSteps.render", _interrupted)
        command("finish", "kept.png", code=130)
        command("finish", "--history", 1, code=130)
    assert sorted(os.listdir()) == there, "nothing is left half written"
    for words, said in (
        ((), "expected one picture"),
        (("kept-2x.png",), "got 128x128 pixels, its recipe says 64x64: it is finished already"),
        (("--history", 1, "--back", 3), "--back: got 3, expected 0 to 0"),
        (("--history", 2), "session 2, expected 1 to 1"),
        (("kept.png", "--scale", 3), "scale: got 3"),
        (("kept.png", "-o", "none/x.png"), "there is no folder"),
        (("none.png",), "cannot be read"),
    ):
        assert said in command("finish", *words, code=2).stderr
    assert "ink-tiny" in embedded()
