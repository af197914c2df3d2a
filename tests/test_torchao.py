"""INT8 and FP8 in the compile engine: near to eager, beside the pipeline's own weights, and judged by one command.

Inductor takes minutes, so the graphs run as PyTorch traced them.
"""

import importlib.util
import json

import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.tiny_models import tiny_sd
from typer.testing import CliRunner

from inkstream.bench.quantize import PRECISIONS, Row, precisions, verdict
from inkstream.engines import compile as compiled
from inkstream.engines import quantising
from inkstream.engines.quantize import torchao
from inkstream.engines.quantize.torchao import quantise, weights_mb
from inkstream.engines.shapes import Shapes
from inkstream.stream import Stream
from inkstream.stream.app.cli import app
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.measures import psnr
from inkstream.stream.sources.drawing import prompt_for, sketch, subjects

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
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
SHAPES = Shapes(1, 2, SIDE, SIDE, (4, 8, 8), (77, 32), controlnets=1, features=32, encodes=False)


@pytest.fixture
def traced(monkeypatch):
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    monkeypatch.setattr(compiled, "available", lambda where="": "")


@pytest.fixture
def without_torchao(monkeypatch):
    find = importlib.util.find_spec
    absent = lambda name, *more: None if name == "torchao" else find(name, *more)
    monkeypatch.setattr(torchao.importlib.util, "find_spec", absent)


def pictures(stream, count=2):
    outputs, names = [], subjects()
    for index in range(count):
        subject = names[index % len(names)]
        stream.update(prompt=prompt_for(subject))
        outputs += [stream(sketch(subject, stream.size.width, index)), *stream.drain()]
    return np.stack([output.pixels for output in outputs if output is not None])


def denoise(pipe=None, shapes=SHAPES):
    pipe = pipe or tiny_sd(controlnets=1)
    return compiled.positional_units(pipe, [pipe.controlnet], shapes)["denoise"]


class Attending(torch.nn.Module):
    """One linear layer, where a UNet has those of its attention."""

    def __init__(self, dtype):
        super().__init__()
        self.unet = torch.nn.ModuleDict({"attentions": torch.nn.ModuleList([torch.nn.Linear(32, 32, dtype=dtype)])})

    def forward(self, rows):
        return self.unet["attentions"][0](rows)


def snr(got, expected):
    return float(10 * torch.log10(expected.square().mean() / (got - expected).square().mean()))


def quantised_paths(unit):
    return {path for path, layer in unit.named_modules() if hasattr(getattr(layer, "weight", None), "qdata")}


@pytest.mark.slow
def test_the_embedded_model_in_int8_shows_what_eager_shows(traced):
    run = load_config("ink-tiny", {"width": 128, "height": 128, "warmup": 0, "device": "cpu"})
    eager = Stream.from_pretrained(run.model, run.stream.changed(acceleration="eager", dtype="float32"))
    int8 = Stream.from_pretrained(run.model, run.stream.changed(acceleration="compile", dtype="int8"))
    assert int8.engine.name == "compile"
    assert "; int8 in " in int8.engine.about
    assert 25.0 <= psnr(pictures(int8, 3), pictures(eager, 3)) < 60.0


def test_the_weights_of_the_pipeline_stay_as_they_are(traced):
    pipe = tiny_sd(controlnets=1, levels=1)
    before = [(weight, weight.clone()) for part in (pipe.unet, pipe.controlnet) for weight in part.parameters()]
    plain = Stream(pipe, acceleration="eager", **SETTINGS)
    expected = pictures(plain, 1)
    stream = Stream(pipe, acceleration="compile", dtype="int8", **SETTINGS)
    assert not np.array_equal(pictures(stream, 1), expected)
    after = [weight for part in (pipe.unet, pipe.controlnet) for weight in part.parameters()]
    assert all(weight is now and torch.equal(copy, now) for (weight, copy), now in zip(before, after, strict=True))
    assert np.abs(pictures(plain, 1).astype(int) - expected).max() <= 1  # weights lie in another order


def test_scales_of_a_lora_change_live_beside_quantised_layers(tmp_path, traced):
    style = str(tiny_lora(tiny_sd(levels=1), tmp_path / "style.safetensors"))
    lora = {"lora_dict": {style: 0.0}}
    eager = Stream(tiny_sd(controlnets=1, levels=1), acceleration="eager", **SETTINGS, **lora)
    int8 = Stream(tiny_sd(controlnets=1, levels=1), acceleration="compile", dtype="int8", **SETTINGS, **lora)
    engine, without = int8.engine, pictures(int8, 1)
    for stream in (eager, int8):
        stream.update(lora_dict={style: 0.8})
    styled = pictures(int8, 1)
    assert int8.engine is engine
    assert psnr(styled, pictures(eager, 1)) >= 25.0
    assert psnr(styled, without) < 25.0
    shapes = Shapes(
        1, 2, SIDE, SIDE, (4, 8, 8), (77, 32), 1, 32, loras=tuple(int8.pipe.unet.peft_config), encodes=False
    )
    unit = denoise(int8.pipe, shapes)
    quantise(unit, shapes.example("denoise"), "int8")
    paths = quantised_paths(unit)
    assert any(path.endswith(".to_q.base_layer") for path in paths)
    assert not any(".lora_" in path for path in paths)


def test_attention_and_feed_forward_are_quantised_and_nothing_else():
    unit, plain = denoise(), denoise()
    full = weights_mb([plain])
    example = SHAPES.example("denoise")
    about = quantise(unit, example, "int8")
    paths = quantised_paths(unit)
    assert about == f"int8 in {len(paths)} of {len(paths)} linear layers"
    assert all(".attentions." in path for path in paths)
    assert {path.rpartition(".")[2] for path in paths} == {"to_q", "to_k", "to_v", "0", "proj", "2"}
    assert any("controlnets.0" in path for path in paths) and any(".unet." in path for path in paths)
    assert 0.25 * full < weights_mb([unit]) < full
    with torch.no_grad():
        assert 20.0 < snr(unit(*example), plain(*example)) < 60.0


@pytest.mark.parametrize(("least", "names"), [((1, 100), {"2"}), ((64, 1), {"to_q", "0", "proj", "2", "to_k", "to_v"})])
def test_layers_that_are_too_small_stay(monkeypatch, least, names):
    monkeypatch.setitem(torchao.LEAST, "cpu", least)
    unit = denoise()
    about = quantise(unit, SHAPES.example("denoise"), "int8")
    paths = quantised_paths(unit)
    found, of = (int(part) for part in about.removeprefix("int8 in ").removesuffix(" linear layers").split(" of "))
    assert found == len(paths) < of
    assert {path.rpartition(".")[2] for path in paths} == names


def test_layers_that_the_kernels_refuse_stay():
    shapes = Shapes(1, 2, SIDE, SIDE, (4, 8, 8), (77, 40), controlnets=1, features=32, encodes=False)
    unit = denoise(tiny_sd(controlnets=1, cross_attention_dim=40), shapes)
    quantise(unit, shapes.example("denoise"), "int8")
    paths = quantised_paths(unit)
    assert any("attn1.to_k" in path for path in paths)
    assert not any("attn2.to_k" in path or "attn2.to_v" in path for path in paths)


def test_when_nothing_is_worth_it_the_fault_says_so(monkeypatch):
    monkeypatch.setitem(torchao.LEAST, "cpu", (256, 1024))
    unit = denoise()
    with pytest.raises(EngineError, match=r"expected at least one with 256 rows, 1024 inputs.*set dtype to auto"):
        quantise(unit, SHAPES.example("denoise"), "int8")
    assert not quantised_paths(unit)


@pytest.mark.parametrize(
    ("precision", "dtype", "expected"),
    [
        ("int8", torch.float16, "float16, expected bfloat16 or float32"),
        ("float8", torch.float32, "float32, expected bf"),
    ],
)
def test_networks_whose_numbers_the_kernels_cannot_give_are_refused(monkeypatch, precision, dtype, expected):
    monkeypatch.setattr(torchao, "refused", lambda precision, device: "")
    with pytest.raises(EngineError, match=f"dtype {precision}: got networks in {expected}"):
        quantise(Attending(dtype), [torch.ones(256, 32, dtype=dtype)], precision)


def test_without_torchao_the_fault_names_what_to_install(traced, without_torchao):
    with pytest.raises(EngineError, match=r'dtype int8: it needs torchao.*: pip install "inkstream\[torchao\]"'):
        Stream(tiny_sd(), acceleration="compile", dtype="int8", **{**SETTINGS, "mode": "img2img"})
    result = CliRunner().invoke(app, ["quantize", "--set", "acceleration=compile", "--set", "device=cpu"])
    assert "needs torchao" in result.output


def test_what_fp8_needs_is_said(monkeypatch):
    assert "expected a CUDA device; set device to cuda" in torchao.refused("float8", CPU)
    gpu = torch.device("cuda")
    for version, fault in (((8, 6), "got compute capability 8.6, expected at least 8.9"), ((8, 9), ""), ((9, 0), "")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, version=version: version)
        assert torchao.refused("float8", gpu).startswith(fault)
        assert bool(torchao.refused("float8", gpu)) == bool(fault)
        assert torchao.refused("int8", gpu) == ""


def test_fp8_as_torchao_computes_it(monkeypatch):
    """On a CPU, which nobody would: torchao's and our own checks of the device are taken out."""
    monkeypatch.setattr("torchao.quantization.quant_api._check_hardware_support", lambda granularity: None)
    monkeypatch.setattr(torchao, "refused", lambda precision, device: "")
    example = SHAPES.example("denoise")
    pipe = tiny_sd(controlnets=1).to(torch.bfloat16)
    unit, plain = denoise(pipe), denoise(pipe)
    assert quantise(unit, example, "float8").startswith("float8 in ")
    weights = {layer.weight.qdata.dtype for path, layer in unit.named_modules() if path in quantised_paths(unit)}
    assert weights == {torch.float8_e4m3fn}
    with torch.no_grad():
        assert 12.0 < snr(unit(*example), plain(*example)) < 60.0


@pytest.mark.slow
def test_the_command_measures_and_judges(tmp_path, traced):
    tiny_sd(controlnets=1, levels=1).save_pretrained(tmp_path / "model")
    file = tmp_path / "price.json"
    small = ["--set", "width=64", "--set", "height=64", "--set", "device=cpu", "--set", "acceleration=compile"]
    few = ["--judge", "2", "--frames", "1", "--rounds", "1", "--json", str(file)]
    result = CliRunner().invoke(app, ["quantize", "--model", str(tmp_path / "model"), *small, *few])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    fp32, _, int8 = found["rows"]
    assert [row["precision"] for row in found["rows"]] == ["fp32", "bf16", "int8"]
    assert (found["engine"], found["refused"], found["samples"]) == ("compile", {}, 0)
    assert int8["psnr_db"] < fp32["psnr_db"]
    assert 0 < int8["size_mb"] < fp32["size_mb"]
    assert "linear layers" in int8["kept"][0]
    (judged,) = found["verdicts"]
    assert (judged["precision"], judged["recommended"]) == ("int8", not judged["failed"])
    assert f"int8 is {'' if judged['recommended'] else 'not '}recommended" in result.output


def test_what_is_compared_on_which_device(monkeypatch):
    run = load_config("ink-tiny", {})
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    gpu = torch.device("cuda")
    assert precisions(run, quantising("auto", "int8", "cuda"), gpu) == ["fp32", "fp16", "int8", "fp8"]
    assert precisions(run, "compile", CPU) == ["fp32", "bf16", "int8"]
    assert precisions(run, "openvino:cpu", CPU) == ["fp32", "bf16", "int8"]


def test_fp8_is_recommended_by_the_name_of_its_dtype():
    rows = [Row(name, ms, 1.0, 1.0, 40.0, 1.0, 1.0) for name, ms in (("fp32", 9), ("fp16", 5), ("fp8", 4))]
    assert str(verdict(rows[2], *rows[:2])) == "fp8 is recommended here: set dtype to float8"
    assert set(PRECISIONS.values()) >= {"int8", "float8"}
