"""INT8: what calibrates is what entered the units, what is kept is found again, and a worse trade is called one."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd
from typer.testing import CliRunner

from inkstream.bench.quantize import Row, record, verdict
from inkstream.engines import quantising
from inkstream.engines.quantize import calibrate
from inkstream.engines.quantize.calibrate import Samples, calibrated_by
from inkstream.lora.devices import resolve_dtype
from inkstream.stream import Stream, StreamConfig
from inkstream.stream.app.cli import app
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.measures import edge_f1, psnr, ssim
from inkstream.stream.sources.drawing import prompt_for, sketch, subjects

SIDE = 64
SETTINGS = {
    "width": SIDE,
    "height": SIDE,
    "warmup": 0,
    "similar_image_filter_threshold": None,
    "mode": "sketch",
    "t_index_list": (0, 25),
    "cfg_type": "none",
    "guidance_scale": 1.0,
}


def needs(*names):
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")


def drawings(count, side=SIDE):
    names = subjects()
    return [(sketch(names[i % len(names)], side, i), prompt_for(names[i % len(names)])) for i in range(count)]


def tiny(**settings):
    return Stream(tiny_sd(controlnets=1), **{**SETTINGS, **settings})


def pictures(stream, count):
    outputs = []
    for picture, prompt in drawings(count, stream.size.width):
        stream.update(prompt=prompt)
        outputs += [stream(picture), *stream.drain()]
    return np.stack([output.pixels for output in outputs if output is not None])


@pytest.fixture(scope="module")
def recorded():
    stream = tiny(acceleration="eager", dtype="float32")
    return record(stream, drawings(6), "test")


def test_calibration_records_what_entered_the_units():
    stream = tiny(acceleration="eager", dtype="float32")
    entered = []
    handle = stream.engine.decode.register_forward_pre_hook(lambda unit, given: entered.append(given[0].clone()))
    samples = record(stream, drawings(3))
    handle.remove()
    calls = {name: len(each) for name, each in samples.inputs.items()}
    assert (calls.pop("embed") >= 4, calls) == (True, {"denoise": 4, "decode": 3})
    assert all(
        torch.equal(call["latent"], value) for call, value in zip(samples.inputs["decode"], entered, strict=True)
    )
    first = samples.inputs["denoise"][0]
    assert set(first) >= {"sample", "timestep", "text", "features", "scales"}
    assert not torch.equal(first["text"][0], samples.inputs["denoise"][2]["text"][0])  # each drawing's own prompt
    stream(drawings(1)[0][0])
    assert len(samples.inputs["denoise"]) == 4  # nothing is recorded any more


def test_the_recipe_follows_every_recorded_value(recorded):
    changed = {name: [dict(call) for call in calls] for name, calls in recorded.inputs.items()}
    changed["decode"][0]["latent"] = changed["decode"][0]["latent"] + 1e-3
    recipes = {recorded.recipe, Samples("test", changed).recipe, Samples("other", recorded.inputs).recipe}
    assert len(recipes) == 3
    assert Samples("test", recorded.inputs).recipe == recorded.recipe


def test_calibration_wants_an_eager_stream_and_frames():
    stream = tiny(acceleration="eager")
    with pytest.raises(EngineError, match="got no frame"):
        record(stream, [])


@pytest.mark.parametrize(
    ("ms", "db", "failed"),
    [
        (10.0, 25.0, ()),
        (8.0, 40.0, ()),
        (10.1, 30.0, ("times as fast",)),
        (12.0, 30.0, ("1.00 times as fast",)),
        (5.0, 24.9, ("24.9 dB",)),
        (5.0, float("nan"), ("dB",)),
        (20.0, 10.0, ("0.60 times as fast", "10.0 dB")),
    ],
)
def test_a_worse_trade_is_not_called_an_improvement(ms, db, failed):
    bf16 = Row("bf16", 12.0, 40.0, 100.0, 40.0, 0.99, 0.98)
    fp32 = Row("fp32", 30.0, 40.0, 100.0, 90.0, 1.0, 1.0)
    found = verdict(Row("int8", ms, 10.0, 80.0, db, 0.9, 0.9), fp32, bf16)
    assert found.recommended == (not failed)
    assert len(found.failed) == len(failed)
    assert all(part in text for part, text in zip(failed, found.failed, strict=True))
    assert ("not recommended" in str(found)) == bool(failed)


def test_int8_must_also_beat_float32_where_that_is_faster_than_bfloat16():
    fp32, bf16, int8 = (
        Row(name, ms, 1.0, 1.0, 40.0, 1.0, 1.0) for name, ms in (("fp32", 11), ("bf16", 15), ("int8", 10))
    )
    assert verdict(int8, fp32, bf16).failed == ("1.10 times as fast as fp32, at least 1.2 are asked",)


def test_measures_of_pictures():
    a = sketch("house" if "house" in subjects() else subjects()[0], 128)
    b = np.full_like(a, 255)
    assert (psnr(a, a), ssim(a, a), edge_f1(a, a)) == (100.0, pytest.approx(1.0), 1.0)
    assert psnr(np.zeros_like(a), b) == 0.0
    assert (edge_f1(b, a), edge_f1(b, b)) == (0.0, 1.0)
    assert edge_f1(np.roll(a, 2, axis=1), a) > 0.95 > edge_f1(np.roll(a, 6, axis=1), a)
    assert ssim(a, 255 - a) < 0.5


def test_what_is_to_be_quantised_is_loaded_in_what_its_kernels_take():
    cpu = torch.device("cpu")
    for dtype in ("int8", "float8"):
        assert resolve_dtype(StreamConfig(dtype=dtype), torch.device("cuda")) == torch.bfloat16
    assert resolve_dtype(StreamConfig(dtype="int8"), cpu) == resolve_dtype(StreamConfig(dtype="auto"), cpu)


@pytest.mark.parametrize(
    ("name", "precision", "device", "expected"),
    [
        ("auto", "int8", "cpu", "openvino"),
        ("auto", "int8", "cuda", "compile"),
        ("auto", "float8", "cuda", "compile"),
        ("openvino:gpu", "int8", "cpu", "openvino:gpu"),
        ("compile", "int8", "cpu", "compile"),
    ],
)
def test_which_engine_quantises(name, precision, device, expected):
    assert quantising(name, precision, device) == expected


@pytest.mark.parametrize(
    ("name", "precision", "device", "fault"),
    [
        ("none", "int8", "cpu", "dtype int8: got acceleration 'none', expected one of: auto, openvino, compile;"),
        ("openvino", "float8", "cuda", "got acceleration 'openvino', expected one of: auto, compile;"),
        ("openvino", "int8", "cuda", "got networks on cuda, and openvino takes it on cpu; set device"),
        ("auto", "float8", "cpu", "dtype float8: got networks on cpu, and compile takes it on cuda; set device"),
        ("auto", "int8", "mps", "got networks on mps, and openvino takes it on cpu; set device, or dtype to auto"),
    ],
)
def test_an_engine_that_cannot_quantise_says_what_can(name, precision, device, fault):
    with pytest.raises(EngineError, match=fault):
        quantising(name, precision, device)


@pytest.mark.parametrize(("acceleration", "dtype"), [("eager", "int8"), ("auto", "float8")])
def test_a_stream_never_runs_another_precision_than_it_was_told(acceleration, dtype):
    with pytest.raises(EngineError, match=f"dtype {dtype}: got"):
        tiny(dtype=dtype, acceleration=acceleration, device="cpu")


def test_without_calibration_int8_says_what_to_do(tmp_path):
    needs("openvino")
    with pytest.raises(EngineError, match="inkstream quantize"):
        tiny(dtype="int8", acceleration="auto", engine_dir=str(tmp_path))


def test_without_nncf_the_fault_names_what_to_install(recorded, tmp_path, monkeypatch):
    needs("openvino")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        calibrate.importlib.util, "find_spec", lambda name, *a: None if name == "nncf" else find(name, *a)
    )
    with (
        pytest.raises(EngineError, match=r'needs nncf, not installed: pip install "inkstream\[quantize\]"'),
        calibrated_by(recorded),
    ):
        tiny(dtype="int8", engine_dir=str(tmp_path))


def test_int8_shows_what_eager_shows_and_a_second_start_quantises_nothing(recorded, tmp_path, monkeypatch):
    needs("nncf", "openvino")
    with calibrated_by(recorded):
        tiny(dtype="int8", engine_dir=str(tmp_path)).close()
    reporters = [name for name in sys.modules if name.startswith("openvino_telemetry")]
    assert not reporters  # nobody is told that something is quantised
    monkeypatch.setattr(calibrate.Quantiser, "__call__", None)
    stream = tiny(dtype="int8", engine_dir=str(tmp_path))
    assert (stream.engine.name, "int8" in stream.engine.about) == ("openvino", True)
    expected = pictures(tiny(acceleration="eager", dtype="float32"), 4)
    got = pictures(stream, 4)
    assert 25.0 <= psnr(got, expected) < 60.0  # above that nothing was quantised


def test_a_unit_that_loses_too_much_stays_as_it_is(recorded, tmp_path, monkeypatch):
    needs("nncf", "openvino")
    monkeypatch.setattr(calibrate, "LEAST_SNR", 1000.0)
    with calibrated_by(recorded):
        tiny(dtype="int8", engine_dir=str(tmp_path)).close()
    again = tiny(dtype="int8", engine_dir=str(tmp_path))
    assert "decode is not INT8" in again.engine.about
    assert psnr(pictures(again, 2), pictures(tiny(acceleration="eager", dtype="float32"), 2)) > 40.0


def test_the_embedded_model_in_int8_shows_what_eager_shows(tmp_path):
    needs("nncf", "openvino")
    run = load_config("ink-tiny", {"width": 128, "height": 128, "warmup": 0, "engine_dir": str(tmp_path)})
    eager = Stream.from_pretrained(run.model, run.stream.changed(acceleration="eager", dtype="float32"))
    with calibrated_by(record(eager, drawings(3, 128))):
        int8 = Stream.from_pretrained(run.model, run.stream.changed(dtype="int8"))
    assert "is not INT8" not in int8.engine.about
    eager.close()
    eager = Stream.from_pretrained(run.model, run.stream.changed(acceleration="eager", dtype="float32"))
    assert 25.0 <= psnr(pictures(int8, 4), pictures(eager, 4)) < 60.0


def test_the_command_measures_and_judges(tmp_path):
    needs("nncf", "openvino")
    tiny_sd(controlnets=1).save_pretrained(tmp_path / "model")
    file, folder = tmp_path / "price.json", tmp_path / "engines"
    small = ["--set", "width=64", "--set", "height=64", "--set", f"engine_dir={folder}", "--json", str(file)]
    few = ["--samples", "2", "--judge", "2", "--frames", "2", "--rounds", "2"]
    model = ["--config", "ink-tiny", "--model", str(tmp_path / "model")]
    result = CliRunner().invoke(app, ["quantize", *model, *few, *small])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    fp32, _, int8 = found["rows"]
    assert [row["precision"] for row in found["rows"]] == ["fp32", "bf16", "int8"]
    assert fp32["psnr_db"] > 40.0
    assert int8["psnr_db"] < fp32["psnr_db"]
    assert 0 < int8["size_mb"] < fp32["size_mb"]
    assert [each["precision"] for each in found["verdicts"]] == ["int8"]
    assert found["verdicts"][0]["recommended"] == (not found["verdicts"][0]["failed"])
    assert "recommended" in result.output
