"""Engines: which one is chosen and why, that all give the same pictures, and that live changes build nothing."""

import importlib.util
import io
import sys
import threading
import zipfile

import numpy as np
import pytest
import torch
from doubles.lora import tiny_lora
from doubles.pages import growing_pages
from doubles.tiny_models import tiny_sd

from inkstream import engines
from inkstream.engines import choose, onnxruntime, openvino
from inkstream.engines import compile as compiled
from inkstream.engines.cache import EngineCache
from inkstream.engines.shapes import Shapes
from inkstream.engines.signed import Signature
from inkstream.engines.units import Embed, Units
from inkstream.stream import Stream, StreamConfig
from inkstream.stream.base.errors import EngineError
from inkstream.stream.loop.batch import Entry, Shared, StreamBatch
from inkstream.stream.loop.codec import levels_of_conditions, to_condition
from inkstream.stream.loop.guidance import make_guidance
from inkstream.stream.loop.networks import Networks
from inkstream.stream.loop.whole import WholeFrame

pytestmark = pytest.mark.usefixtures("one_thread")
FASTEST = dict(engines.FASTEST)  # before conftest makes auto mean eager
SIDE = 64
BASE = {"width": SIDE, "height": SIDE, "warmup": 0, "similar_image_filter_threshold": None}
SKETCH = {**BASE, "mode": "sketch", "t_index_list": (0, 25), "cfg_type": "full", "guidance_scale": 1.5}
REAL = {"openvino": openvino, "onnxruntime": onnxruntime, "compile": compiled}
BUILT = ["openvino", *(pytest.param(name, marks=pytest.mark.slow) for name in ("onnxruntime", "compile"))]


class Kind:
    """An engine's module that answers as told: why it is not available, or an EngineError that its build raises."""

    def __init__(self, name, answer, slow=""):
        self.name, self.answer, self.slow = name, answer, slow

    def available(self, where=""):
        return self.answer if isinstance(self.answer, str) else ""

    def slow_start(self, pipe, controlnets, shapes, options):
        return self.slow

    def build(self, pipe, controlnets, shapes, options):
        if isinstance(self.answer, EngineError):
            raise self.answer
        return Units(*[lambda value: value] * 4, name=self.name, about=options.where)


@pytest.fixture
def kinds(monkeypatch):
    """Puts these engines, {name: answer}, in the place of all that there are, and gives their modules."""

    def install(**answers):
        modules = {name: Kind(name, answer) for name, answer in answers.items()}
        monkeypatch.setattr(engines, "FASTEST", FASTEST)
        monkeypatch.setattr(engines, "MODULES", {name: f".a_test_s_{name}" for name in answers})
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, f"inkstream.engines.a_test_s_{name}", module)
        return modules

    return install


class Pipe:
    """As much of a pipeline as choosing needs."""

    class unet:
        device = torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "answers", "name", "reasons"),
    [
        ("cpu", {"tensorrt": "", "openvino": "", "eager": ""}, "openvino", {}),
        ("cpu", {"openvino": "not installed", "eager": ""}, "eager", {"openvino": "not installed"}),
        ("cpu", {"compile": "", "eager": ""}, "eager", {}),
        ("cuda", {"tensorrt": "", "compile": "", "eager": ""}, "tensorrt", {}),
        ("cuda", {"tensorrt": "old", "compile": "", "eager": ""}, "compile", {"tensorrt": "old"}),
        ("cuda", {"compile": "no Triton", "openvino": "", "eager": ""}, "eager", {"compile": "no Triton"}),
        ("mps", {"openvino": "", "compile": "", "eager": ""}, "eager", {}),
    ],
)
def test_auto_takes_the_fastest_and_says_why_not_the_others(kinds, device, answers, name, reasons):
    kinds(**answers)
    choice = choose("auto", device)
    assert (choice.name, choice.passed_over) == (name, reasons)
    assert all(f"not {other}: {why}" in str(choice) for other, why in reasons.items())


def test_a_named_engine_runs_or_says_why_not(kinds):
    kinds(tensorrt="", openvino="no wheels for this system", eager="")
    assert choose("none").name == choose("xformers", "mps").name == "eager"
    with pytest.raises(EngineError, match="acceleration 'openvino' cannot run here: no wheels for this system"):
        choose("openvino")
    with pytest.raises(EngineError, match="networks that are on cuda, and these are on cpu"):
        choose("tensorrt", "cpu")
    with pytest.raises(EngineError, match="got 'fast', expected one of: auto, tensorrt, openvino, eager, none"):
        choose("fast")


def test_what_an_engine_runs_on_can_be_named(kinds):
    kinds(openvino="", eager="")
    assert choose("openvino:gpu").where == "gpu"
    assert engines.build("openvino:gpu", Pipe, [], None).about == "gpu"


def test_every_engine_there_is_says_whether_it_can_run():
    found = {engine.name: engine.why_not for engine in engines.engines()}
    assert found["eager"] == ""
    assert {"openvino", "compile", "onnxruntime"} < set(found)
    assert "pip install" in onnxruntime.available("directml")
    assert "without :gpu" in compiled.available("gpu")


def test_auto_passes_over_an_engine_that_cannot_take_the_networks(kinds, caplog):
    kinds(openvino=EngineError("openvino: an operator is missing"), eager="")
    units = engines.build("auto", Pipe, [], None)
    assert units.name == "eager"
    assert units.passed_over == {"openvino": "openvino: an operator is missing"}
    assert "openvino cannot take these networks" in caplog.text
    with pytest.raises(EngineError, match="an operator is missing"):
        engines.build("openvino", Pipe, [], None)


def test_auto_lets_nobody_wait_for_minutes(kinds):
    modules = kinds(openvino="", eager="")
    modules["openvino"].slow = "no plan is kept for denoise"
    units = engines.build("auto", Pipe, [], None)
    assert (units.name, dict(units.passed_over)) == ("eager", {"openvino": "no plan is kept for denoise"})
    assert engines.build("openvino", Pipe, [], None).name == "openvino", "one that was asked for is built"
    modules["openvino"].slow = ""
    units = engines.build("auto", Pipe, [], None)
    assert (units.name, dict(units.passed_over)) == ("openvino", {})


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    find = importlib.util.find_spec
    missing = ("openvino", "onnxscript")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in missing else find(name, *rest))
    with pytest.raises(EngineError, match=r'openvino.* cannot run here: OpenVINO is not installed: pip install "openv'):
        Stream(tiny_sd(), acceleration="openvino", **BASE)
    with pytest.raises(
        EngineError, match="onnxruntime' cannot run here: onnxscript is not installed: pip install onnx"
    ):
        Stream(tiny_sd(), acceleration="onnxruntime", **BASE)


@pytest.fixture(scope="module")
def style(one_thread, tmp_path_factory):
    return str(tiny_lora(tiny_sd(), tmp_path_factory.mktemp("lora") / "style.safetensors", conv=True, time=True))


def changed_all_the_time(stream, style):
    """All pictures of a stream on which everything that is live changes before every frame, by their frame."""
    outputs, pages = [], list(growing_pages(4))
    for number in range(40):
        part = number / 40
        stream.update(
            prompt=f"a car {number % 7}",
            negative_prompt=f"fog {number % 3}",
            seed=number,
            guidance_scale=1.2 + part,
            controlnets=[{"conditioning_scale": 0.5 + part}],
            lora_dict={style: part},
        )
        outputs.append(stream(pages[number % 4]))
    outputs += stream.drain()
    return {output.source_id: output.pixels for output in outputs if output}


@pytest.fixture(scope="module")
def of_eager(style):
    stream = Stream(tiny_sd(controlnets=1), acceleration="eager", lora_dict={style: 0.0}, **SKETCH)
    return changed_all_the_time(stream, style)


@pytest.mark.parametrize("name", BUILT)
def test_live_changes_build_nothing_and_look_as_under_eager(name, style, of_eager, engine_dir, monkeypatch):
    lacking = REAL[name].available()
    if lacking:
        pytest.skip(f"needs {'g++' if name == 'compile' else name}: {lacking}")
    monkeypatch.setattr(compiled, "BACKEND", "eager")  # Inductor takes minutes; see test_compiled_by_inductor
    built = []
    build = engines.build
    monkeypatch.setattr(engines, "build", lambda *given: built.append(given[0]) or build(*given))
    settings = {**SKETCH, "engine_dir": engine_dir, "lora_dict": {style: 0.0}}
    stream = Stream(tiny_sd(controlnets=1), acceleration=name, **settings)
    assert (built, stream.engine.name) == ([name], name)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    pictures = changed_all_the_time(stream, style)
    assert built == [name]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs
    assert sorted(pictures) == sorted(of_eager) == list(range(40))
    assert all(np.abs(pictures[i].astype(int) - of_eager[i]).max() <= 1 for i in pictures)
    with pytest.raises(EngineError, match="was not built"):
        stream.engine.encode(torch.zeros(1, 3, SIDE, SIDE))
    with pytest.raises(EngineError, match=r"decode was built for .*4, 8, 8.*got \(1, 4, 9, 8\)"):
        stream.engine.decode(torch.zeros(1, 4, 9, 8))


def test_a_new_shape_is_built_by_update_and_kept(monkeypatch):
    """Whoever changes the shape waits for the compiler, not the frames; the shape before is kept."""
    built = []
    build = engines.build
    monkeypatch.setattr(engines, "build", lambda *given: built.append(threading.current_thread()) or build(*given))
    stream, page = Stream(tiny_sd(controlnets=1), **{**SKETCH, "warmup": 2}), next(growing_pages(1))
    assert len(built) == 1
    for size in (72, 64, 72):
        waiter = threading.Thread(target=stream.update, kwargs={"width": size})
        waiter.start()
        while waiter.is_alive():
            stream(page)
            waiter.join(0.001)
        assert stream(page) is not None
        assert len(built) == 2
    assert built[1] is not threading.current_thread()
    stream.update(t_index_list=[0, 16, 32])
    assert len(built) == 3


def test_a_lora_loaded_live_leaves_frames_in_flight_as_they_were(style, monkeypatch):
    """Units that an engine was made from have no layer in common with the pipeline that the LoRA is put into."""
    monkeypatch.setattr(torch, "compile", lambda unit, **settings: unit)
    monkeypatch.setattr(compiled, "available", lambda where="": "")
    pages = list(growing_pages(4))
    stream = Stream(tiny_sd(), acceleration="compile", t_index_list=(20, 40), cfg_type="none", **BASE)
    outputs = [stream(page) for page in pages[:2]]
    stream.update(lora_dict={style: 0.8})
    outputs += [stream(page) for page in pages[2:]] + stream.drain()
    outputs = {output.source_id: output.pixels.astype(int) for output in outputs if output}
    for lora, numbers in (({}, (0, 1)), ({style: 0.8}, (2, 3))):
        settings = {**BASE, "t_index_list": (20, 40), "cfg_type": "none", "lora_dict": lora}
        alone = Stream(tiny_sd(), acceleration="eager", **settings)
        expected = [output.pixels for output in [*map(alone, pages), *alone.drain()] if output]
        assert all(np.abs(outputs[number] - expected[number]).max() <= 1 for number in numbers)


@pytest.mark.slow
def test_t1_compiled_by_inductor_and_kept_as_a_signed_engine(tmp_path, monkeypatch):
    """The smallest unit, through the real compiler; what it compiled is kept for the next run, and nowhere else."""
    import torch._inductor.config as inductor

    lacking = compiled.available()
    if lacking:
        pytest.skip(f"needs g++: {lacking}")
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(shared))  # where PyTorch would look, and anybody could write
    monkeypatch.setattr(inductor, "compile_threads", 1)  # starting helpers takes longer than they save
    pipe = tiny_sd(controlnets=1)
    shapes = Shapes(1, 2, SIDE, SIDE, (4, 8, 8), (77, 32), controlnets=1, features=32, encodes=False)
    compile_it = torch.compile

    def only_embed(unit, **settings):
        return compile_it(unit, **settings) if unit.__code__.co_name == "embed" else unit

    monkeypatch.setattr(torch, "compile", only_embed)
    options = engines.Options(folder=str(tmp_path / "engines"))
    units, plain = engines.build("compile", pipe, [pipe.controlnet], shapes, options), Embed([pipe.controlnet])
    for seed in range(2):
        value = torch.rand(1, 1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            assert torch.allclose(units.embed(value), plain(value), atol=1e-5)
    assert not list(shared.iterdir())
    (entry,) = EngineCache(tmp_path / "engines").entries(verify=True)
    assert (entry.parts["unit"], entry.fault) == ("compiled", "")
    (plan,) = [path for path in (tmp_path / "engines").iterdir() if path.suffix == ".plan"]
    _, data = Signature().read(plan)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert any(name.startswith("fxgraph/") for name in names) and any(name.endswith(".so") for name in names)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs gpu: there is no CUDA device")
@pytest.mark.parametrize("name", ["eager", "compile"])
def test_no_host_synchronisation_inside_a_step(name, recwarn):
    """PyTorch itself counts them: a step of frames that are on the GPU already waits for nothing."""
    networks = Networks(tiny_sd(controlnets=1).to("cuda"))
    config = networks.admit(StreamConfig.build(acceleration=name, **SKETCH))
    units = networks.units(config)
    shared = Shared(units, make_guidance(config.cfg_type, config.guidance_scale), mode=config.mode)
    steps = WholeFrame(shared, units.record) if units.record else StreamBatch(shared)
    conditions = (levels_of_conditions if units.record else to_condition)([list(growing_pages(1))], "cuda")
    with torch.inference_mode():
        entry = Entry(None, conditions, networks.recipe(config, 0), [None])
        for _ in range(4):
            steps.step(entry)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            torch.zeros(1, device="cuda").item()
            counted = len([warning for warning in recwarn if "synchroniz" in str(warning.message)])
            assert counted == 1  # so that the count is not zero because nobody counts
            recwarn.clear()
            for _ in range(5):
                steps.step(entry)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert not [warning for warning in recwarn if "synchroniz" in str(warning.message)]


def test_shapes_know_every_input():
    shapes = Shapes(2, 3, 64, 96, (4, 12, 8), (77, 32), controlnets=2, features=16, loras=("a", "b"))
    assert shapes.units == ("encode", "embed", "denoise", "decode")
    assert shapes.inputs("encode") == {"image": (2, 3, 96, 64)}
    assert shapes.inputs("denoise") == {
        "sample": (3, 4, 12, 8),
        "timestep": (3,),
        "text": (3, 77, 32),
        "features": (2, 3, 16, 12, 8),
        "scales": (2, 3),
        "lora": (2, 3),
    }
    bare = Shapes(1, 1, 64, 64, (4, 8, 8), (77, 32), pooled=8, guidance=5, encodes=False)
    assert bare.units == ("denoise", "decode")
    assert list(bare.inputs("denoise")) == ["sample", "timestep", "text", "pooled", "time_ids", "guidance"]
    assert [value.shape for value in bare.example("denoise")] == [
        torch.Size(s) for s in bare.inputs("denoise").values()
    ]


def test_every_engine_of_the_configuration_is_known():
    accepted = StreamConfig.model_fields["acceleration"].annotation.__args__
    for name in accepted:
        plain = name.partition(":")[0]
        assert plain == "auto" or plain in engines.MODULES or plain in engines.ALIASES
    assert {"auto", *engines.MODULES, *engines.ALIASES} <= set(accepted)
