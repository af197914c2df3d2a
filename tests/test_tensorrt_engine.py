"""The TensorRT engine as a whole: from a pipeline to engines, by way of the cache, on a fake library."""

import ast
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from diffusers import UNet2DConditionModel
from doubles.lora import tiny_lora
from doubles.tensorrt import HostMemory, fake
from doubles.tiny_models import tiny_sd
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from inkstream import engines
from inkstream.engines import signed
from inkstream.engines.cache import EngineCache
from inkstream.engines.shapes import Shapes
from inkstream.engines.trt.engine import available, make_job, unusable
from inkstream.engines.trt.make import Job, Maker
from inkstream.engines.trt.memory import CudaMemory
from inkstream.engines.units import positional_units
from inkstream.lora.switch import LoraSet
from inkstream.stream import Stream
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.frame import Size


@pytest.fixture(params=["10.12.0.36", "11.4.0.106"])
def trt(request, monkeypatch):
    module = fake(request.param)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


@pytest.fixture
def trt11(monkeypatch):
    module = fake("11.4.0.106")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines", signed.Signature(tmp_path / "plan.key"))


class Unit(nn.Module):
    """``relu(conv(x)) scale``: a unit small enough to be exported by hand."""

    def __init__(self, seed=0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x, scale):
        return torch.relu(self.conv(x)) * scale

    def export(self, folder, size=8):
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Mul", ["r", "scale"], ["y"]),
        ]
        info = helper.make_tensor_value_info
        weights = {"w": self.conv.weight, "b": self.conv.bias}
        graph = helper.make_graph(
            nodes,
            "unit",
            [info("x", TensorProto.FLOAT, [1, 3, size, size]), info("scale", TensorProto.FLOAT, [1])],
            [info("y", TensorProto.FLOAT, [1, 4, size, size])],
            [numpy_helper.from_array(value.detach().cpu().numpy(), name) for name, value in weights.items()],
        )
        path = folder / "unit.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
        return path


def job(unit, size=8, **changes):
    shapes = {"x": (1, 3, size, size), "scale": (1,)}
    generator = torch.Generator().manual_seed(size)
    settings = {
        "name": "denoise",
        "unit": unit,
        "shapes": shapes,
        "example": (torch.randn(shapes["x"], generator=generator), torch.tensor([0.7])),
        "export": lambda folder: unit.export(folder, size),
        "precision": "fp32",
        "graph": "graph",
        "weights": str(unit.conv.weight.sum().item()),
        "size": Size(size, size),
    }
    return Job(**{**settings, **changes})


def right(engine, job):
    with torch.no_grad():
        torch.testing.assert_close(engine(*job.example), job.unit(*job.example))


def count(trt, *names):
    return [trt.world.calls.count(name) for name in names]


# --- from the cache, refitted, or built


def test_an_engine_is_built_once_and_found_again(trt, cache):
    wanted = job(Unit())
    right(Maker(HostMemory(trt), cache).engine(wanted), wanted)
    right(Maker(HostMemory(trt), cache).engine(wanted), wanted)
    assert count(trt, "build") == [1]


def test_other_weights_sizes_precisions_and_gpus_are_other_plans(trt, cache):
    maker = Maker(HostMemory(trt), cache)
    wanted = job(Unit())
    keys = [maker.key(wanted)]
    keys += [maker.key(job(Unit(1))), maker.key(job(Unit(), 16)), maker.key(replace(wanted, precision="fp16"))]
    keys += [maker.key(replace(wanted, controlnets=1)), maker.key(replace(wanted, loras=("ink",)))]
    keys += [maker.key(replace(wanted, refit=True))]
    keys += [Maker(HostMemory(fake(trt.__version__, "sm_120")), cache).key(wanted)]
    assert len({key.digest for key in keys}) == len(keys)


def test_a_tampered_plan_never_reaches_the_library(trt, cache, caplog):
    maker, wanted = Maker(HostMemory(trt), cache), job(Unit())
    maker.engine(wanted)
    path = cache.path(maker.key(wanted))
    path.write_bytes(path.read_bytes().replace(b"relu", b"rely").replace(b"Relu", b"Tanh"))
    trt.world.calls.clear()
    with caplog.at_level(logging.WARNING):
        engine = maker.engine(wanted)
    assert trt.world.calls[:2] == ["build", "deserialize"]  # what is deserialised is the new one
    assert "altered" in caplog.text
    right(engine, wanted)


@pytest.mark.parametrize("change", [lambda data: data[:-5], lambda data: b"", lambda data: b"FAKETRT0" + data])
def test_a_truncated_or_foreign_plan_never_reaches_the_library(trt, cache, change):
    maker, wanted = Maker(HostMemory(trt), cache), job(Unit())
    maker.engine(wanted)
    path = cache.path(maker.key(wanted))
    path.write_bytes(change(path.read_bytes()))
    trt.world.calls.clear()
    right(maker.engine(wanted), wanted)
    assert trt.world.calls[0] == "build"


def test_a_plan_that_the_driver_does_not_take_is_built_again(trt, cache, caplog):
    maker, wanted = Maker(HostMemory(trt), cache), job(Unit())
    maker.engine(wanted)
    old, trt.world.device = trt.world.device, "sm_90 after an update of the driver"
    with caplog.at_level(logging.WARNING):
        right(maker.engine(wanted), wanted)
    assert count(trt, "build") == [2]
    assert "incompatible device; it is built again" in caplog.text
    assert old


def test_a_gpu_that_takes_no_plan_at_all_is_a_named_error_not_a_loop(trt, cache):
    trt.world.faults.add("deserialize")
    with pytest.raises(EngineError, match=r"loading the denoise engine built for 8x8 fp32 failed: .*incompatible"):
        Maker(HostMemory(trt), cache).engine(job(Unit()))
    assert count(trt, "build") == [1]
    assert [entry.parts["unit"] for entry in cache.entries()] == ["timings"]


@pytest.mark.parametrize("fault", ["context", "memory"])
def test_without_memory_nothing_is_built_again(trt, cache, fault):
    maker, wanted = Maker(HostMemory(trt), cache), job(Unit())
    maker.engine(wanted)
    trt.world.faults.add(fault)
    with pytest.raises(EngineError, match=r"(giving memory to|loading) the denoise engine.*out of memory"):
        maker.engine(wanted)
    assert count(trt, "build") == [1]
    assert cache.load(maker.key(wanted)) is not None


def test_an_engine_that_computes_something_else_is_neither_used_nor_kept(trt, cache):
    unit = Unit()
    wrong = replace(job(unit), export=Unit(1).export)
    with pytest.raises(EngineError, match=r"denoise engine that was built is wrong.*acceleration: compile"):
        Maker(HostMemory(trt), cache).engine(wrong)
    assert [entry.parts["unit"] for entry in cache.entries()] == ["timings"]


def test_kernels_are_timed_once_for_each_version_and_gpu(trt, cache):
    maker = Maker(HostMemory(trt), cache)
    for size in (8, 16):
        maker.engine(job(Unit(), size))
    assert [built["timings_known"] for built in trt.world.builds] == [0, 3]
    (path,) = (entry.path for entry in cache.entries() if entry.parts["unit"] == "timings")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    maker.engine(job(Unit(), 24))
    assert trt.world.builds[-1]["timings_known"] == 0


def test_it_is_known_whether_an_engine_would_have_to_be_built(trt, cache):
    maker, unit = Maker(HostMemory(trt), cache), Unit()
    wanted = job(unit, refit=True)
    assert not maker.quick(wanted)
    maker.engine(wanted)
    assert maker.quick(wanted)
    assert maker.quick(job(Unit(1), refit=True)), "other weights are refitted"
    assert not maker.quick(job(Unit(1))), "a plan that was not made to be refitted"
    assert not maker.quick(job(unit, 16, refit=True)), "another size"


# --- refit


def test_other_weights_are_refitted_instead_of_built(trt, cache):
    maker = Maker(HostMemory(trt), cache)
    first, second = (job(Unit(seed), refit=True, loras=(f"lora{seed}",)) for seed in (0, 1))
    running = maker.engine(first)
    right(maker.engine(second), second)
    right(running, first)  # the one that a stream runs is left alone
    assert count(trt, "build", "refit") == [1, 1]
    right(maker.engine(second), second)  # and the next start finds it
    assert count(trt, "build", "refit") == [1, 1]


@pytest.mark.parametrize("fault", ["refit", "refit-lies", "forget-refit"])
def test_a_refit_that_goes_wrong_becomes_a_build(trt, cache, fault, caplog):
    maker = Maker(HostMemory(trt), cache)
    maker.engine(job(Unit(0), refit=True))
    trt.world.faults.add(fault)
    second = job(Unit(1), refit=True)
    right(maker.engine(second), second)
    assert count(trt, "build") == [2]
    assert "cannot be refitted, so it is built" in caplog.text


def test_a_refit_that_forgot_a_small_change_is_found_out(trt, cache, caplog):
    maker, unit, changed = Maker(HostMemory(trt), cache), Unit(), Unit()
    maker.engine(job(unit, refit=True))
    with torch.no_grad():
        changed.conv.weight *= 1.005
    trt.world.faults.add("forget-refit")
    second = job(changed, refit=True)
    right(maker.engine(second), second)
    assert count(trt, "build") == [2]
    assert "relative error" in caplog.text


def test_what_was_written_out_after_a_refit_is_not_refitted_again(trt, cache, caplog):
    maker = Maker(HostMemory(trt), cache)
    jobs = [job(Unit(seed), refit=True) for seed in range(3)]
    maker.engine(jobs[0])
    maker.engine(jobs[1])
    cache.remove(maker.key(jobs[0]))
    right(maker.engine(jobs[2]), jobs[2])
    assert count(trt, "build") == [2]
    assert "cannot be refitted" not in caplog.text  # it was not even tried


# --- the units of a pipeline


def denoise(lora=None, controlnets=0, **lora_settings):
    """The denoise unit of a small pipeline, with one LoRA of this name in it, and its shapes."""
    pipe = tiny_sd(controlnets=controlnets)
    loras = LoraSet(pipe)
    if lora is not None:
        with tempfile.TemporaryDirectory() as folder:
            loras.load(tiny_lora(pipe, Path(folder) / f"{lora}.safetensors", **lora_settings))
    nets = [pipe.controlnet] if controlnets else []
    shapes = Shapes(1, 2, 64, 64, (4, 8, 8), (77, 32), len(nets), 32 * len(nets), loras=loras.names)
    return positional_units(pipe, nets, shapes)["denoise"], shapes


def test_loras_of_the_same_shape_are_the_same_network():
    ink, paint, odd = (
        make_job("denoise", *denoise(name, seed=seed)) for seed, name in enumerate(("ink", "paint", "0"))
    )
    assert ink.graph == paint.graph == odd.graph
    assert ink.weights != paint.weights
    assert ink.loras == ("ink",)
    assert ink.refit
    for other in (denoise("ink", rank=2), denoise("ink", conv=True), denoise(), denoise("ink", controlnets=1)):
        assert make_job("denoise", *other).graph != ink.graph


def test_an_autoencoders_plan_serves_every_set_of_loras_and_controlnets():
    pipe = tiny_sd(controlnets=1)
    plain = Shapes(1, 2, 64, 64, (4, 8, 8), (77, 32))
    full = replace(plain, controlnets=1, features=32, loras=("ink",))
    jobs = [make_job("decode", positional_units(pipe, [], plain)["decode"], shapes) for shapes in (plain, full)]
    assert len({(job.graph, job.weights, job.loras, job.controlnets, job.refit) for job in jobs}) == 1


def test_only_what_changes_is_refittable():
    unit, shapes = denoise()
    job = make_job("denoise", unit, shapes)
    assert not job.refit
    assert (job.precision, job.size) == ("fp32", (64, 64))
    assert job.shapes == {"sample": (2, 4, 8, 8), "timestep": (2,), "text": (2, 77, 32)}


def test_a_precision_that_tensorrt_lacks_is_named():
    unit, shapes = denoise()
    with pytest.raises(EngineError, match=r"denoise: got a network in torch\.float64, expected one of torch\.float32"):
        make_job("denoise", unit.double(), shapes)


def test_looking_at_the_engine_needs_neither_onnx_nor_tensorrt():
    folder = Path(engines.__file__).parent
    for path in (folder / "trt").glob("*.py"):
        imports = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {
            getattr(node, "module", None) or node.names[0].name for node in imports if not getattr(node, "level", 0)
        }
        assert not {name.split(".")[0] for name in names} & {"onnx", "onnxruntime", "google"}, path.name


def test_without_a_gpu_it_says_so(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("needs no-gpu: there is one")
    assert "CUDA" in available() or "GPU" in available()
    with pytest.raises(EngineError, match=r"it takes networks that are on cuda"):
        engines.choose("tensorrt", "cpu")
    with pytest.raises(EngineError, match="runs on an NVIDIA GPU, got device cpu"):
        CudaMemory(torch.device("cpu"))
    assert "without :dla" in available("dla")


def test_plans_for_another_gpu_or_version_are_unusable_here(trt, cache, monkeypatch):
    monkeypatch.setattr("inkstream.engines.trt.engine.cuda_missing", lambda: "")
    monkeypatch.setattr("inkstream.engines.trt.engine.CudaMemory", lambda device: HostMemory(trt))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    Maker(HostMemory(trt), cache).engine(job(Unit()))
    assert cache.prune(unusable=unusable) == []
    entry = cache.entries()[0]
    for part, value in (("library", "tensorrt 10.0.1"), ("device", "sm_75 NVIDIA T4")):
        other = replace(entry, parts={**entry.parts, part: value})
        assert value in unusable(other)
    assert unusable(replace(entry, parts={**entry.parts, "library": "openvino 1"})) == ""
    monkeypatch.setattr("inkstream.engines.trt.engine.cuda_missing", lambda: "no GPU")
    assert unusable(other) == ""  # another day it may be there again


@pytest.fixture
def runs_here(trt11, monkeypatch, tmp_path):
    """The engine on the fake library and on CPU memory, as if a GPU were there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("inkstream.engines.trt.engine.CudaMemory", lambda device: HostMemory(trt11))
    monkeypatch.setattr("inkstream.engines.trt.engine.cuda_missing", lambda: "")
    monkeypatch.setitem(engines.DEVICES, "tensorrt", ("cpu",))
    return trt11


def pictures(stream, count=4):
    generator = np.random.default_rng(0)
    frames = [generator.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(count)]
    return [output.pixels for output in (stream(frame) for frame in frames) if output is not None]


def small(seed=0):
    """A pipeline whose UNet is exported in two seconds."""
    pipe = tiny_sd()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipe.unet = UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(32,),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D",),
            mid_block_type=None,
            up_block_types=("UpBlock2D",),
            cross_attention_dim=32,
            norm_num_groups=8,
        ).eval()
    return pipe


def test_a_stream_shows_what_eager_shows_and_changes_build_nothing(runs_here, monkeypatch, tmp_path):
    pipe, calls, said = small(), runs_here.world.calls, []
    ink, paint = (str(tiny_lora(pipe, tmp_path / f"{n}.safetensors", seed=n, strength=1.0)) for n in range(2))
    settings = {"width": 64, "height": 64, "prompt": "a boat", "engine_dir": str(tmp_path / "mine"), "warmup": 0}
    monkeypatch.setattr(engines, "FASTEST", {"cpu": ("tensorrt", "eager")})

    def of(name, lora):
        say = lambda text, part: said.append((text, part))
        return Stream(small(), acceleration=name, lora_dict={lora: 0.8}, progress=say, **settings)

    def same(ours, eager):
        shown = pictures(ours), pictures(eager)
        for got, expected in zip(*shown, strict=True):
            assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1
        return shown[0][-1]

    waits = of("auto", ink).engine.passed_over["tensorrt"]  # nobody should wait for minutes unasked
    assert (
        waits == 'no plan is kept for encode, denoise, decode, and building takes minutes: run "inkstream build" once'
    )
    ours, eager = of("tensorrt", ink), of("eager", ink)
    assert ours.engine.about == "TensorRT 11.4.0.106 on Fake, fp32"
    assert calls.count("build") == 3  # encode, denoise, decode
    texts, parts = zip(*said, strict=True)
    assert list(parts) == sorted(parts) and parts[-1] == 1.0
    for unit in ("encode", "denoise", "decode"):
        assert {f"TensorRT: exporting {unit}", f"TensorRT: building {unit}: Tactic selection"} <= set(texts)
    seen = [same(ours, eager)]
    for change in ({"prompt": "a house"}, {"guidance_scale": 1.4}, {"seed": 5}, {"lora_dict": {ink: 0.2}}):
        for stream in (ours, eager):
            stream.update(**change)
        seen.append(same(ours, eager))
    assert len({picture.tobytes() for picture in seen}) == len(seen)  # every change does show
    same(of("auto", paint), of("eager", paint))  # another LoRA of the same shape
    assert (calls.count("build"), calls.count("refit")) == (3, 1)


# --- on the real thing


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """The memory of a real GPU, with the real library."""
    why_not = available()
    if why_not:
        pytest.skip(f"needs tensorrt: {why_not}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return CudaMemory(torch.device("cuda"))


def on_gpu(seed=0, size=8, **changes):
    wanted = job(Unit(seed).cuda(), size, **changes)
    return replace(wanted, example=tuple(value.cuda() for value in wanted.example))


@pytest.mark.tensorrt
def test_real_engines_are_built_found_and_refitted(gpu, cache):
    maker = Maker(gpu, cache)
    first, second = on_gpu(0, refit=True), on_gpu(1, refit=True)
    for wanted in (first, second, first, second):
        right(maker.engine(wanted), wanted)
    assert len(cache.entries()) == 3  # two plans, and the timings


@pytest.mark.tensorrt
def test_a_real_engine_is_captured_in_a_cuda_graph_and_never_waits(gpu, cache):
    wanted = on_gpu()
    engine = Maker(gpu, cache).engine(wanted)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        engine(*wanted.example)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = engine(*wanted.example)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    wanted.example[0].normal_()
    graph.replay()
    with torch.no_grad():
        torch.testing.assert_close(output, wanted.unit(*wanted.example), rtol=1e-3, atol=1e-3)


@pytest.mark.tensorrt
@pytest.mark.parametrize(("dtype", "psnr"), [(torch.float32, 40), (torch.bfloat16, 30), (torch.float16, 30)])
def test_a_real_stream_shows_what_eager_shows(gpu, dtype, psnr):
    pipe = tiny_sd(controlnets=1).to("cuda", dtype)
    settings = {"width": 64, "height": 64, "prompt": "a boat"}
    ours, theirs = (pictures(Stream(pipe, acceleration=name, **settings)) for name in ("tensorrt", "eager"))
    error = np.mean((np.stack(ours).astype(float) - np.stack(theirs)) ** 2)
    assert 10 * np.log10(255**2 / max(error, 1e-9)) >= psnr
