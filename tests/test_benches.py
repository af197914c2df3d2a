"""The benches measure what they say: on tiny models, with clocks that can be trusted, and with planted faults."""

import importlib.util
import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from doubles.tiny_models import empty_part
from typer.testing import CliRunner

from inkstream import engines
from inkstream.bench import (
    changes,
    compare,
    fidelity,
    fps,
    goals,
    latency,
    paper,
    scale,
    soak,
    start,
    steadiness,
    torch_vs_trt,
)
from inkstream.bench.bench import Wanted
from inkstream.bench.models import Models, plain_run, row_of, spread
from inkstream.bench.older import compare as compare_results
from inkstream.bench.rows import cells
from inkstream.bench.shapes import load_shape, random_pipeline, shapes
from inkstream.bench.synthetic import FakeStream
from inkstream.bench.timing import Memory, StreamRender, alternate, drive, in_process, matmul_peak, pages, ratio
from inkstream.bench.work import gflop_per_frame, unet_rows
from inkstream.stream import Stream, StreamConfig
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ConfigError, EngineError, InkstreamError
from inkstream.stream.base.frame import Size
from inkstream.stream.base.results import machine_name

SMALL = Size(64, 64)


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(scope="module")
def models():
    return Models(plain_run("ink-tiny", SMALL, ["dtype=float32", "device=cpu", "acceleration=eager"]), "ink-tiny")


@pytest.fixture(autouse=True)
def quiet_tokenizer(caplog):
    """Tokens are bytes in these models, so that even a short prompt may be cut, which diffusers says every time."""
    caplog.set_level(logging.ERROR)


def shown_and_drawn(bench, result):
    """A result survives its file, has a table, and a plot where matplotlib is."""
    read = json.loads(json.dumps(result, allow_nan=False))
    assert bench.table(read).row_count > 0
    if importlib.util.find_spec("matplotlib"):
        assert len(bench.draw(read).axes) >= 1


# --- shapes


@pytest.mark.parametrize("name", [name for name in shapes() if name != "ink-tiny"])
def test_shapes_have_the_published_numbers_of_weights(name):
    for part, count in load_shape(name)["parameters"].items():
        assert sum(weight.numel() for weight in empty_part(name, part).parameters()) == count, part
    assert load_shape(name)["parameters"] or name == "sd15-quarter"


@pytest.mark.parametrize(
    ("name", "side", "nets", "expected"),
    [("sd15", 512, 1, 803 + 283)],
)
def test_work_of_a_frame_is_that_of_the_published_networks(name, side, nets, expected):
    """GFLOP of UNet (and ControlNet), counted on networks that have no weights."""
    pipe = SimpleNamespace(
        unet=empty_part(name, "unet"),
        vae=empty_part(name, "vae"),
        controlnet=empty_part(name, "controlnet") if nets else None,
        tokenizer=SimpleNamespace(model_max_length=77),
        vae_scale_factor=8,
    )
    config = StreamConfig(width=side, height=side, t_index_list=(32,), cfg_type="none", controlnets=[{}] * nets)
    work = gflop_per_frame(pipe, config)
    assert work["denoise"] + work["embed"] == pytest.approx(expected, rel=0.002)
    assert (work["encode"], work["decode"]) == (pytest.approx(122, rel=0.01), pytest.approx(141, rel=0.01))


@pytest.mark.parametrize(("cfg_type", "rows"), [("none", 4), ("self", 4), ("initialize", 5), ("full", 8)])
def test_work_grows_with_the_rows_of_the_guidance(cfg_type, rows):
    config = StreamConfig(t_index_list=(0, 10, 20, 30), cfg_type=cfg_type)
    assert unet_rows(config) == rows
    assert unet_rows(config.changed(frame_buffer_size=2)) == 2 * rows


def test_work_is_that_of_one_frame(models):
    work = []
    for frames in (1, 3):
        config = models.variant(controlnets=0, cfg_type="initialize", frame_buffer_size=frames)
        work.append(gflop_per_frame(models.pipe(config), config)["total"])
    assert work[0] == pytest.approx(work[1])


def test_random_pipelines_are_reproducible_and_render():
    first, again = (random_pipeline("ink-tiny", controlnets=1) for _ in range(2))
    for part in ("unet", "vae", "text_encoder", "controlnet"):
        pairs = zip(getattr(first, part).parameters(), getattr(again, part).parameters(), strict=True)
        assert all(torch.equal(a, b) and a.isfinite().all() for a, b in pairs)
    stream = Stream(first, width=64, height=64, t_index_list=(30,), similar_image_filter_threshold=None)
    outputs = [stream(page).pixels for page in pages(SMALL, 2)]
    assert outputs[0].std() > 1 and not np.array_equal(*outputs)


def test_unknown_shapes_are_named():
    with pytest.raises(ConfigError, match=r"shape: got 'sd3', expected one of: ink-tiny, .*sdxl"):
        random_pipeline("sd3")


# --- driving and timing


def test_a_skipped_frame_never_counts_as_rendered():
    """Half of the frames repeat the one before: they cost nothing, and they are no frames per second."""
    clock = Clock()
    stream = FakeStream(1, delay=0.1, size=SMALL, clock=clock, sleep=clock.sleep)
    drawing = [page for page in pages(SMALL, 10) for _ in range(2)]
    driven = drive(stream, drawing, 20, clock=clock)
    assert (driven.rendered, driven.skipped, len(driven.turns)) == (10, 10, 10)
    assert driven.summary()["fps"] == pytest.approx(10.0), "10 frames in 10 turns of 0.1 s, not 20"
    assert driven.summary()["p50_ms"] == pytest.approx(100.0)


def test_a_still_picture_has_no_frame_rate():
    stream = FakeStream(1, size=SMALL)
    drive(stream, pages(SMALL, 1), 1)
    driven = drive(stream, pages(SMALL, 1), 50, first_id=1)
    assert (driven.rendered, driven.skipped) == (0, 50)
    assert driven.summary()["fps"] == 0.0 and driven.summary()["p50_ms"] is None


def test_contenders_take_turns_and_a_slow_one_shows():
    clock, order = Clock(), []

    def contender(name, seconds):
        def render(page):
            order.append(name)
            clock.sleep(seconds)

        return render

    made = {"a": contender("a", 0.010), "b": contender("b", 0.030)}
    times = alternate(made, pages(SMALL, 3), rounds=3, frames=2, clock=clock)
    assert order == ["a", "a", "b", "b"] * 3
    found = ratio(times["b"], times["a"])
    assert [round(found[key], 6) for key in ("ratio", "ratio_low", "ratio_high")] == [3.0, 3.0, 3.0]


def test_pages_are_all_different():
    drawing = pages(Size(96, 64), 16)
    assert all(page.shape == (64, 96, 3) for page in drawing)
    assert len({page.tobytes() for page in drawing}) == 16


def test_memory_notices_what_was_there_for_a_moment():
    memory = Memory()
    before = memory.peak()
    block = np.ones(25_000_000)  # 200 MB
    del block
    after = memory.peak()
    assert after - before > 100, f"{memory.since}: {before:.0f} to {after:.0f} MB"


def test_what_a_process_of_its_own_logs_is_logged_here(caplog):
    in_process(logging.getLogger("inkstream.somewhere").error, "too slow")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("inkstream.somewhere", "too slow")]


def test_the_machine_is_measured():
    found = matmul_peak("cpu", seconds=0.0, side=128)
    assert set(found) == {"float32", "bfloat16"} and all(value > 0 for value in found.values())


# --- benches


def test_fps_has_a_row_for_every_combination(models):
    result = fps.measure(models, ["eager"], [1, 2], [SMALL], ["none"], [0], frames=4, matmul_seconds=0.0, alone=False)
    assert [(row["steps"], row["cfg_type"]) for row in result["rows"]] == [(1, "none"), (2, "none")]
    for row in result["rows"]:
        assert row["engine"] == "eager" and row["size"] == "64x64" and row["controlnets"] == 0
        assert row["rendered"] == 4 and row["skipped"] == 0
        assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["fps"] > 0 and row["compile_s"] > 0 and row["warmup_s"] > 0 and row["peak_mb"] > 0
        part = row["gflop"] * row["fps"] / 1e3 / row["matmul_tflops"]
        assert row["peak_fraction"] == (pytest.approx(part) if part <= 1 else None)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(("peaks", "fraction"), [((1e-9, 2e3), True), ((3e3, 1.0), True), ((1e-9, 1e-9), False)])
def test_l20_a_fraction_of_a_peak_is_one_or_is_not_said(models, monkeypatch, peaks, fraction):
    measured = iter(peaks)
    monkeypatch.setattr(fps, "matmul_peak", lambda *_, dtypes, **__: {str(dtypes[0])[6:]: next(measured)})
    row = fps.measure_row(models, "eager", {"size": SMALL}, 3, 0.0)
    assert row["matmul_tflops"] == max(peaks)
    assert (0 < row["peak_fraction"] < 1) if fraction else row["peak_fraction"] is None
    filled = fps.table({"configuration": {"model": "", "dtype": ""}, "matmul_tflops": {}, "rows": [row]})
    assert len(filled.rows) == 1


def test_an_engine_that_cannot_run_is_skipped_with_its_reason(models, monkeypatch):
    def refuse(name, device="cpu", refused=None):
        raise EngineError("it needs a driver of this century")

    monkeypatch.setattr(engines, "choose", refuse)
    result = fps.measure(models, ["eager"], [1], [SMALL], ["none"], [0], frames=2, matmul_seconds=0.0, alone=False)
    assert result["rows"][0]["skipped_because"] == "it needs a driver of this century"
    assert "fps" not in result["rows"][0]
    shown = fps.table(result)
    assert "driver of this century" in str(shown.caption)
    with pytest.raises(ConfigError, match="--engine: got 'warp', expected some of: auto, "):
        fps.measure_row(models, "warp", {}, 2, 1.0)


def run_cli(bench, *options):
    app = typer.Typer()
    app.command()(bench.main)
    return CliRunner().invoke(app, list(options), catch_exceptions=False)


def test_command_line_writes_draws_keeps_and_compares(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fps, "matmul_peak", lambda *_, **__: {"float32": 1.0})
    options = ["--shape", "ink-tiny", "--set", "dtype=float32", "--engine", "eager", "--size", "64", "--frames", "3"]
    options += ["--together"]
    done = run_cli(fps, *options, "--json", "new.json", "--plot", "new.png", "--keep")
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "new.json").read_text())
    assert written["bench"] == "fps" and written["rows"][0]["fps"] > 0
    assert written["machine"]["torch"] and written["configuration"]["stream"]["width"] == 256
    assert "compile" in done.output and "configuration: model ink-tiny" in done.output.replace('"', "")
    kept = tmp_path / "bench" / "results" / machine_name(written["machine"])
    assert json.loads((kept / "fps.json").read_text()) == written
    assert (tmp_path / "new.png").read_bytes().startswith(b"\x89PNG") and (kept / "fps.png").is_file()
    for row in written["rows"]:
        row["p50_ms"] *= 1e-3  # as if it had been a thousand times as fast
    (tmp_path / "old.json").write_text(json.dumps(written))
    done = run_cli(fps, *options, "--compare", "old.json")
    assert done.exit_code == 0 and "worse" in done.output and "p50_ms" in done.output


def test_what_cannot_be_written_is_refused_before_it_is_measured(tmp_path):
    for options in ({"json": tmp_path / "no" / "a.json"}, {"plot": tmp_path / "no" / "a.png"}):
        with pytest.raises(ConfigError, match="there is no folder"):
            Wanted(**options)
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(ConfigError, match="is no result of a bench"):
        Wanted(compare=other)
    with pytest.raises(ConfigError, match="cannot be read"):
        Wanted(compare=tmp_path / "none.json")


def test_a_plot_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "inkstream\[bench\]"'):
        Wanted(plot=tmp_path / "a.png")


def test_changes_between_results():
    def of(ms, mb):
        rows = [{"engine": "eager", "steps": steps, "p50_ms": ms, "fps": 1e3 / ms, "mb": mb} for steps in (1, 2)]
        return {"bench": "x", "keys": ["engine", "steps"], "figures": {"p50_ms": "less", "fps": "more"}, "rows": rows}

    found = compare_results(of(20.0, 1), of(10.0, 1))
    assert len(found) == 4 and {change.verdict for change in found} == {"better"}
    assert all(change.gain == pytest.approx(2.0) for change in found)
    assert {change.verdict for change in compare_results(of(10.0, 1), of(20.0, 1))} == {"worse"}
    assert {change.verdict for change in compare_results(of(10.0, 1), of(10.1, 1))} == {"same"}
    with pytest.raises(ConfigError, match="got a result of y, expected one of x"):
        compare_results({**of(1.0, 1), "bench": "y"}, of(1.0, 1))


def test_compare_renders_the_same_pictures_and_sees_a_planted_delay(reference, models):
    """The reference is slowed down by much more than a frame takes; nobody else is."""

    def slow(name, render):
        if name != "streamdiffusion":
            return render
        unet = render.stream.unet
        forward, clock = unet.forward, torch.zeros(1)

        def delayed(*args, **kwargs):
            import time

            time.sleep(0.25)
            clock.add_(1)
            return forward(*args, **kwargs)

        unet.forward = delayed
        return render

    result = compare.measure(models, ["none"], [1], rounds=2, frames=1, wrap=slow)
    rows = {row["contender"]: row for row in result["rows"]}
    assert rows["streamdiffusion"]["ratio"] > 2 * rows["streamdiffusion channels_last"]["ratio"]
    assert rows["streamdiffusion"]["p50_ms"] > 250
    for name in ("streamdiffusion", "streamdiffusion channels_last", "diffusers"):
        assert rows[name]["psnr_db"] > 45, name
        assert rows[name]["ratio_low"] <= rows[name]["ratio"] <= rows[name]["ratio_high"]
    assert "--compile-reference" in rows["streamdiffusion compile"]["skipped_because"]
    assert rows[compare.OURS]["fps"] > 0 and "ratio" not in rows[compare.OURS]
    shown_and_drawn(compare, result)


@pytest.mark.parametrize(("cfg_type", "steps"), [("self", 4), ("initialize", 2)])
def test_compare_holds_every_guidance_to_the_same_pictures(reference, models, cfg_type, steps):
    result = compare.measure(models, [cfg_type], [steps], rounds=2, frames=1)
    rows = {row["contender"]: row for row in result["rows"]}
    assert rows["streamdiffusion"]["psnr_db"] > 45
    assert rows["diffusers"]["skipped_because"] == f"has no {cfg_type} guidance"


def test_without_the_reference_compare_says_how_to_get_it(models, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "streamdiffusion.pipeline", None)
    with pytest.raises(ConfigError, match=r"pip install --no-deps streamdiffusion==0\.1\.1"):
        compare.measure(models, ["none"], [1])


def test_compare_refuses_what_the_reference_cannot_run(reference):
    run = plain_run("sdxl", SMALL, ["device=cpu"])
    with pytest.raises(ConfigError, match="the reference runs Stable Diffusion 1 and 2 only"):
        compare.measure(Models(run, "sdxl"), ["none"], [1])
    with pytest.raises(ConfigError, match="name a --shape"):
        compare.measure(Models(run), ["none"], [1])


def test_paper_puts_the_published_ratios_beside(models):
    result = paper.measure(models, batch_steps=(1, 2), guidance_steps=(4,), rounds=2, frames=1)
    rows = {(row["table"], row["steps"], row["what"]): row for row in result["rows"]}
    assert rows["stream batch", 2, "sequential / batch"]["published"] == 1.5
    assert rows["steps", 2, "2 steps / 1"]["published"] == pytest.approx(30.61 / 21.34)
    assert rows["guidance", 4, "full / self"]["published"] == pytest.approx(1.90, abs=0.01)
    assert rows["guidance", 4, "initialize / self"]["published"] == pytest.approx(31.65 / 26.19)
    assert rows["guidance", 4, "none / self"]["published"] == 1.0
    assert all(row["ratio"] > 0 for row in result["rows"])
    shown_and_drawn(paper, result)


def test_scale_gives_cost_and_work_of_a_frame(models):
    values = {"sessions": [1, 2], "controlnets": [0, 1], "regions": [0, 1]}
    result = scale.measure(models, values, rounds=2, frames=1)
    rows = {(row["what"], row["value"]): row for row in result["rows"]}
    assert rows["sessions", 2]["work"] == pytest.approx(1.0), "of one frame"
    assert rows["controlnets", 1]["gflop"] > rows["controlnets", 0]["gflop"]
    assert 1 < rows["regions", 1]["work"] < 1.5, "of places for four"
    assert rows["sessions", 1]["cost"] == 1.0 and rows["sessions", 2]["ms_per_frame"] > 0
    shown_and_drawn(scale, result)


def test_torch_alone_is_said_to_be_the_fastest_where_it_is(models):
    result = torch_vs_trt.measure(models, "eager", frames=3, rounds=2, alone=False)
    assert [row["engine"] for row in result["rows"]] == ["eager"]
    assert "tensorrt" in result["not_here"] or torch.cuda.is_available()
    assert "no faster engine" in torch_vs_trt.table(result).caption
    assert {"fps", "p50_ms", "p99_ms", "compile_s", "peak_mb"} <= result["rows"][0].keys()
    shown_and_drawn(torch_vs_trt, result)


def test_torch_has_its_ratio_to_an_engine(models, monkeypatch):
    monkeypatch.setattr(torch_vs_trt, "contenders", lambda *_: [("eager", "float32")])
    monkeypatch.setattr(torch_vs_trt, "against", lambda *_: {("eager", "float32"): {"ratio": 2.0}})
    result = torch_vs_trt.measure(models, "onnxruntime", frames=2, rounds=1, alone=False)
    assert [row["ratio"] for row in result["rows"]] == [2.0]


def test_an_engine_and_torch_take_turns(models, monkeypatch):
    monkeypatch.setattr(torch_vs_trt, "engine_named", lambda *_: ("eager", ""))
    assert torch_vs_trt.contenders(models, "eager") == [("eager", "float32")]
    half = models.in_dtype("bfloat16")
    assert torch_vs_trt.contenders(half, "other") == [
        ("eager", "float32"),
        ("eager", "bfloat16"),
        ("other", "bfloat16"),
    ]
    assert half.in_dtype("bfloat16") is half
    found = torch_vs_trt.against(half, "eager", frames=4, rounds=2)
    assert found.keys() == {("eager", "float32")}
    (each,) = found.values()
    assert 0 < each["ratio_low"] <= each["ratio_high"]
    assert 0.1 < each["ratio"] < 10, "torch against itself in another precision"


def test_a_fresh_process_has_as_many_threads():
    assert in_process(torch.get_num_threads) == torch.get_num_threads()
    with pytest.raises(ConfigError, match="got 'nothing'"):
        in_process(Models, plain_run("ink-tiny", SMALL, ["device=cpu"]), "nothing")


def test_changes_are_made_and_lose_nothing(models):
    result = changes.measure(models, ("eager", "tensorrt"), changes=3, frames_per_change=2)
    row, absent = result["rows"]
    assert (row["engine"], row["frames_lost"], row["rebuilt"], row["in_order"]) == ("eager", 0, 0, True)
    assert row["frames_entered"] == changes.WARM_FRAMES + 3 * 2 * 2
    assert 0 < row["p50_ms"] <= row["max_ms"] and row["max_over_p50"] == row["max_ms"] / row["p50_ms_without"]
    assert torch.cuda.is_available() or "skipped_because" in absent
    shown_and_drawn(changes, result)


def test_steadiness_sees_what_changes_far_from_a_stroke():
    pages = steadiness.pieces("house", 64, 6)
    assert len(pages) == 7 and pages[0].min() == 255 and all((pages[k] != pages[k + 1]).any() for k in range(6))
    still, moving = ([np.full((64, 64, 3), 100 + each * number, np.uint8) for number in range(7)] for each in (0, 5))
    assert steadiness.strokes(pages, still, moving)["far_mean"] == 0
    found = steadiness.strokes(pages, moving, moving)
    assert found["far_mean"] == found["far_p95"] == found["far_p50"] == 5 and found["late_db"] == 100
    seen = np.stack(list(steadiness.noisy(*[pages[-1]] * 20)))
    assert 3 < seen.astype(float).std(axis=0).mean() < 5


def test_steadiness_follows_what_moves():
    walk = steadiness.orbit("car", 64, 3)
    own = [frame.pixels for frame in walk]
    follows = own[:1]
    for now, before in ((1, 0), (2, 1)):
        follows.append(walk[now].passes.motion_since(walk[before].passes).warp(follows[before]))
    found = steadiness.moving(walk, follows, own)
    assert found["warp_error"] == 0 and steadiness.moving(walk, own, own)["sharpness"] == 1
    slips = [np.roll(picture, 6 * number, axis=1) for number, picture in enumerate(own)]
    assert steadiness.moving(walk, slips, own)["warp_error"] > steadiness.moving(walk, own, own)["warp_error"] > 0


def test_steadiness_has_a_row_for_every_case(models):
    result = steadiness.measure(models, ["sedan"], count=3, engine="eager", turns=4)
    rows = {(row["case"], row["subject"], row["steadiness"]): row for row in result["rows"]}
    assert len(rows) == 16
    assert rows["strokes", "sedan", "100"]["far_mean"] <= rows["strokes", "sedan", "0"]["far_mean"]
    assert rows["camera", "sedan", "auto"]["of_0"] < 0.25 and rows["strokes", "sedan", "auto"]["rest_db"] > 90
    for case in ("orbit", "film"):
        assert rows[case, "car", "auto"]["of_0"] < rows[case, "car", "0"]["of_0"] == 1
    unused, strokes, scene, film = (row for row in result["rows"] if row["case"] == "cost of a frame")
    assert unused["ms"] < strokes["ms"] and unused["ops"] == 0 < strokes["ops"] < scene["ops"] == film["ops"]
    shown_and_drawn(steadiness, result)


def test_fidelity_finds_equal_pictures_equal_and_others_not():
    page = np.zeros((32, 32, 3), np.uint8)
    page[8:24, 8:24] = 200
    same = fidelity.quality([page, page], [page, page])
    assert (same.psnr_db, same.worst_db, same.edge_f1) == (100.0, 100.0, 1.0) and same.ssim == pytest.approx(1.0)
    other = fidelity.quality([page, np.roll(page, 8, 1)], [page, page])
    assert other.worst_db < other.psnr_db < 25 and other.ssim < 0.9 and other.edge_f1 < 1.0


def test_fidelity_has_a_row_for_every_engine_and_precision():
    settings = ["width=128", "height=128", "device=cpu"]
    run = load_config("ink-tiny", dict(text.split("=") for text in settings))
    result = fidelity.measure(run, ["eager", "tensorrt"], ["float32", "bfloat16"], count=2)
    assert [(row["engine"], row["dtype"]) for row in result["rows"]] == [
        ("eager", "bfloat16"),
        ("tensorrt", "float32"),
        ("tensorrt", "bfloat16"),
    ]
    row = result["rows"][0]
    assert row["met"] and row["psnr_db"] > 30 and row["ssim"] > 0.95
    shown_and_drawn(fidelity, result)


def test_a_rebuild_is_counted(models):
    stream = models.in_dtype("float32")
    made = changes.Timed(Stream(stream.pipe(stream.variant()), stream.variant()), "")
    made.begin()
    made.render(changing=True)
    made.stream.update(t_index_list=(0, 10, 20, 30))  # another number of rows
    made.render(changing=True)
    made.render(changing=True)
    assert made.rebuilt == 1


def test_goals_are_not_measured_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = goals.measure()
    assert [row["skipped_because"] for row in result["rows"]] == ["not measured: this machine has no NVIDIA GPU"] * 5
    assert "inkstream bench goals" in goals.table(result).caption
    shown_and_drawn(goals, result)


def test_goals_are_measured_against_eager_in_the_same_run(reference, monkeypatch):
    monkeypatch.setattr(goals, "compiler_missing", lambda: "not in a test")
    tiny = {"shape": "ink-tiny", "floor_ms": 0.1, "gate_ms": 1e6, "target_ms": 1e5, "stretch_ms": 0.2}
    cases = [
        goals.Case("alone", steps=1, faster=(1.0, 1.0), **tiny),
        goals.Case("steered", steps=1, faster=(1.0, 1.0), controlnets=1, **tiny),
        goals.Case("together", steps=1, faster=None, sessions=2, **tiny),
    ]
    result = goals.measure(cases, SMALL, ["dtype=float32"], "eager", frames=4, rounds=2, anywhere=True)
    alone, steered, together = result["rows"]
    assert alone["against"].startswith("streamdiffusion") and steered["against"] == "our eager engine"
    assert alone["ratio"] > 0 and "ratio" not in together
    assert together["p50_ms"] <= 2 * together["ms_per_frame"] <= together["max_ms"], "each frame has half of a turn"
    assert alone["verdict"] == "", "the goals are for another machine"
    assert goals.verdict(alone, "NVIDIA H200") == "target"
    assert goals.verdict({**alone, "ms_per_frame": 1e7}, "NVIDIA H200") == "missed"
    shown_and_drawn(goals, result)


class Hoard:
    """A sink that keeps a megabyte of every picture."""

    interval = None
    on_main_thread = False

    def __init__(self):
        self.kept = []

    def write(self, output, status):
        self.kept.append(np.ones(125_000))

    def close(self):
        self.kept.clear()


def test_soak_sees_a_planted_leak():
    slopes = {}
    for sink in ("null", Hoard()):
        stream = FakeStream(1, delay=0.02, size=SMALL)
        result = soak.measure(stream, {"model": "none"}, seconds=1.2, every=0.1, sinks=[sink])
        row = result["rows"][0]
        slopes["leaks" if isinstance(sink, Hoard) else "sound"] = row["memory_slope_mb_per_min"]
        assert row["frames"] > 5 and row["p99_over_p50"] >= 1.0 and row["threads_growth"] <= 0
        assert len(result["samples"]) == row["samples"] > 3 and row["fps"] > 0
        shown_and_drawn(soak, result)
    assert slopes["leaks"] > 300, slopes
    assert abs(slopes["sound"]) < slopes["leaks"] / 3, slopes


def test_soak_sees_a_stream_that_becomes_slower():
    samples = [
        {"at_s": second, "memory_mb": 100.0, "rendered": count, "threads": 4, "descriptors": 9}
        for second, count in enumerate([0, 10, 20, 30, 40, 45, 50, 55, 60, 65])
    ]
    row = soak.figures(samples, [0.1] * 40 + [0.2] * 50)
    assert row["fps_drift"] == pytest.approx(0.5) and row["p99_over_p50"] == pytest.approx(1.0)
    assert row["memory_slope_mb_per_min"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.desktop
def test_latency_from_the_event_to_the_pixel(xvfb):
    stream = FakeStream(1, delay=0.03, size=Size(128, 128))
    result = latency.measure(stream, {"model": "none"}, strokes=2, display=xvfb, scale=1.0, canvas=128, rest=0.1)
    rows = {row["stage"]: row for row in result["rows"]}
    whole = rows["stroke to pixel"]
    assert whole["count"] == 2 and whole["p50_ms"] <= whole["p95_ms"] <= whole["p99_ms"]
    assert rows["captured to rendered"]["p50_ms"] >= 30, "the stream takes 30 ms"
    assert whole["p50_ms"] > rows["captured to rendered"]["p50_ms"]
    for stroke in result["strokes_ms"]:
        parts = sum(value for stage, value in stroke.items() if stage != "stroke to pixel")
        assert parts == pytest.approx(stroke["stroke to pixel"])
    assert {"capture", "prepare", "denoise"} <= rows.keys()
    shown_and_drawn(latency, result)


@pytest.mark.desktop
def test_start_sees_the_window_and_then_the_first_render(xvfb, monkeypatch, tmp_path):
    script = """
import sys, time
import numpy as np
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.window import WindowSink
window = WindowSink()
for turn in range(1000):
    made = Output(np.full((64, 64, 3), 200, np.uint8), 1, 0.0, 1) if turn >= 20 else None
    window.write(made, Status(size=(128, 128), step="loading"))
    time.sleep(0.02)
"""
    (tmp_path / "ready.py").write_text(f"assert input()\n{script}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(start, "COMMAND", script)
    monkeypatch.setattr(start, "READY", "ready")
    monkeypatch.setattr(start, "READ_FOR", 1.0)
    result = start.measure("ink-tiny", 1, xvfb)
    rows = {row["case"]: row for row in result["rows"]}
    assert list(rows) == ["warm", "fresh home", "start page"]
    for row in rows.values():
        assert row["first_window_s"] + 0.3 < row["first_render_s"] <= row["slowest_render_s"]
    shown_and_drawn(start, result)
    monkeypatch.setattr(start, "COMMAND", "raise SystemExit('error: no such model')")
    with pytest.raises(InkstreamError, match="ended before anything was seen: error: no such model"):
        start.measure("ink-tiny", 1, xvfb)


def test_latency_needs_its_programs(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs xdotool|on X11 only"):
        latency.measure(FakeStream(1, size=SMALL), {"model": "none"}, strokes=1)


def test_every_bench_explains_itself_on_the_command_line():
    from inkstream.stream.app.commands.bench import BENCHES

    for name in ("fps", "compare", "paper", "latency", "start", "scale", "torch_vs_trt", "soak", "goals"):
        module = importlib.import_module(f"inkstream.bench.{name}")
        done = run_cli(module, "--help")
        assert done.exit_code == 0 and "--json" in done.output and "--plot" in done.output, name
        assert name in BENCHES


def test_steps_are_spread_evenly():
    assert spread(4, 50) == (0, 12, 25, 37) and spread(1, 50) == (0,)
    with pytest.raises(ConfigError, match="--steps: got 51, expected 1 to num_inference_steps = 50"):
        spread(51, 50)


def test_a_render_gives_none_while_the_batch_fills(models):
    config = models.variant(steps=2, controlnets=0, engine="eager", similar_image_filter_threshold=None)
    render = StreamRender(Stream(models.pipe(config), config))
    drawing = pages(SMALL, 3)
    assert render(drawing[0]) is None
    assert render(drawing[1]).shape == (64, 64, 3)


def test_progress_is_told_how_far_the_turns_are():
    heard = []
    told = lambda text, part=None: heard.append((text, part))
    alternate({"a": lambda page: None}, [0], rounds=2, frames=1, progress=told)
    assert heard == [("1 take turns", 0.0), ("1 take turns", 0.5)]


def test_a_row_has_figures_or_a_reason():
    def lacks_memory():
        raise torch.OutOfMemoryError("2 GiB more")

    about = {"engine": "a"}
    assert row_of(about, "", lambda: {"ms": 1.0}) == {"engine": "a", "ms": 1.0}
    assert row_of(about, "no driver", lambda: {"ms": 1.0}) == {"engine": "a", "skipped_because": "no driver"}
    assert row_of(about, "", lacks_memory)["skipped_because"] == "out of memory"


def test_a_cell_is_empty_where_its_figure_is_missing():
    columns = {"engine": "{engine}", "ms": "{ms:.1f}", "rounds": "{low:.0f} to {high:.0f}", "p99": "{p99:.1f}"}
    assert cells(columns, {"engine": "a", "ms": 1.25, "low": 1, "p99": None}) == ["a", "1.2", "", ""]
