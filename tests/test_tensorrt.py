"""TensorRT: building, loading, running and refitting engines, against the documented interface of 10.12 and 11."""

import sys

import numpy as np
import onnx
import pytest
import torch
from doubles.tensorrt import HostMemory, fake
from onnx import TensorProto, helper, numpy_helper

from inkstream.engines.trt.build import build_plan
from inkstream.engines.trt.library import library, why_not
from inkstream.engines.trt.onnx import OnnxFile, touched
from inkstream.engines.trt.run import LoadedPlan, PlanUnfit, check_numbers
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.frame import Size
from inkstream.stream.base.progress import silent

VERSIONS = ("10.12.0.36", "11.4.0.106")
SHAPES = {"x": (1, 3, 8, 8), "scale": (1,)}
LIMIT = 1e-3


@pytest.fixture(params=VERSIONS)
def trt(request, monkeypatch):
    """A fake library of each version, in the place of the real one."""
    module = fake(request.param)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


def weights(seed=0):
    generator = np.random.default_rng(seed)
    return {
        "conv.weight": generator.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "conv.bias": generator.normal(size=4).astype(np.float32),
        "gain": generator.normal(size=(1, 4, 1, 1)).astype(np.float32),
    }


def network(path, values=None, free=(), external=None):
    """``relu(conv(x) gain) scale`` as an ONNX file; ``free`` names the axes of x that are not fixed."""
    shape = [f"axis{axis}" if axis in free else size for axis, size in enumerate(SHAPES["x"])]
    result = [*shape[:1], 4, *shape[2:]]
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], pads=[1] * 4, name="conv"),
        helper.make_node("Mul", ["c", "gain"], ["g"]),
        helper.make_node("Relu", ["g"], ["r"]),
        helper.make_node("Mul", ["r", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(value, name) for name, value in (values or weights()).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = {"save_as_external_data": True, "location": external, "size_threshold": 0} if external else {}
    onnx.save(model, path, **options)
    return path


def reference(values):
    conv, bias, gain = (torch.from_numpy(values[name]) for name in ("conv.weight", "conv.bias", "gain"))
    return lambda x, scale: torch.relu(torch.conv2d(x, conv, bias, padding=1) * gain) * scale


def inputs(size=8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, size, size, generator=generator), torch.tensor([0.7])


class Kept:
    """Timings in memory."""

    def __init__(self):
        self.data = b""

    def load(self):
        return self.data

    def update(self, merge):
        self.data = merge(self.data)


def plan_of(model, shapes=SHAPES, refit=False, progress=silent, timings=None):
    return build_plan(OnnxFile.open(model), shapes, refit, progress, timings or Kept())


def load(trt, plan, shapes=SHAPES):
    return LoadedPlan(plan, HostMemory(trt), shapes, "denoise", Size(8, 8), "fp32")


@pytest.fixture
def model(tmp_path):
    return network(tmp_path / "network.onnx")


# --- building and running


def test_a_plan_computes_what_the_network_does(trt, model):
    engine = load(trt, plan_of(model))
    for seed in range(3):
        values = inputs(seed=seed)
        torch.testing.assert_close(engine(*values), reference(weights())(*values))
    assert check_numbers(engine, reference(weights()), inputs(), LIMIT) < 1e-5


def test_every_network_is_strongly_typed_and_no_precision_is_a_flag(trt, model):
    plan_of(model)
    (built,) = trt.world.builds
    assert built["strongly_typed"]
    assert (built["level"], built["tiling"]) == (4, "MODERATE")
    assert built["flags"] == []  # neither TF32 nor REFIT


@pytest.mark.parametrize(
    "misuse",
    [
        lambda trt, builder: builder.max_batch_size,
        lambda trt, builder: setattr(builder.create_builder_config(), "max_workspace_size", 1),
        lambda trt, builder: trt.IInt8Calibrator,
        lambda trt, builder: trt.BuilderFlag.FP16,
    ],
)
def test_the_fake_refuses_what_is_not_documented(trt, misuse):
    builder = trt.Builder(library().logger)
    with pytest.raises(AttributeError):
        misuse(trt, builder)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda trt, builder: trt.Builder("logger"),
        lambda trt, builder: 1 << trt.BuilderFlag.REFIT,
        lambda trt, builder: builder.create_network(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED),
        lambda trt, builder: builder.create_builder_config().set_flag(4),
    ],
)
def test_the_fake_is_as_strict_about_types_as_the_bindings(trt, misuse):
    builder = trt.Builder(library().logger)
    with pytest.raises(TypeError):
        misuse(trt, builder)


def test_addresses_stay_and_nothing_is_allocated_by_a_call(trt, model):
    engine = load(trt, plan_of(model))
    output = engine(*inputs())
    for seed in range(3):
        assert engine(*inputs(seed=seed)) is output
    assert trt.world.calls.count("bind") == 3  # two inputs and the output


def test_weights_beside_the_file_are_found(trt, tmp_path):
    model = network(tmp_path / "network.onnx", external="network.bin")
    engine = load(trt, plan_of(model))
    torch.testing.assert_close(engine(*inputs()), reference(weights())(*inputs()))


# --- shapes


def test_a_plan_for_other_shapes_is_named(trt, model):
    plan = plan_of(model)
    with pytest.raises(EngineError, match=r"x as \(1, 3, 8, 8\), asked \(1, 3, 16, 16\).*inkstream build"):
        load(trt, plan, {**SHAPES, "x": (1, 3, 16, 16)})
    with pytest.raises(EngineError, match=r"takes \['scale', 'x'\], got shapes for \['x'\]"):
        load(trt, plan, {"x": (1, 3, 8, 8)})


def test_a_call_with_another_size_says_what_to_do(trt, model):
    engine = load(trt, plan_of(model))
    message = 'denoise engine built for 8x8 fp32, asked 16x16: run "inkstream build --size 16x16"'
    with pytest.raises(EngineError, match=message):
        engine(*inputs(16))
    with pytest.raises(EngineError, match="asked 16x8"):
        engine(torch.zeros(1, 3, 8, 16), torch.ones(1))
    with pytest.raises(EngineError, match=r'takes x 1x3x8x8, asked 2x3x8x8: run "inkstream build" with these settings'):
        engine(torch.zeros(2, 3, 8, 8), torch.ones(1))


def test_a_tensor_elsewhere_is_refused_rather_than_copied(trt, model):
    engine = load(trt, plan_of(model))
    with pytest.raises(EngineError, match="got a tensor on meta, expected cpu"):
        engine(torch.empty(1, 3, 8, 8, device="meta"), torch.ones(1))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({**SHAPES, "x": (1, 3, 16, 16)}, r"x is exported as \(1, 3, 8, 8\), asked \(1, 3, 16, 16\)"),
        ({**SHAPES, "x": (1, 3, 8)}, "export it again"),
        ({"x": (1, 3, 8, 8)}, r"it takes \['scale', 'x'\]"),
    ],
)
def test_shapes_that_the_file_does_not_have_are_refused_before_building(trt, model, shapes, message):
    with pytest.raises(EngineError, match=message):
        plan_of(model, shapes)
    assert trt.world.calls == []


def test_a_file_with_open_sizes_is_refused(trt, tmp_path):
    with pytest.raises(EngineError, match=r"x is exported as \(1, 3, -1, -1\), asked \(1, 3, 8, 8\)"):
        plan_of(network(tmp_path / "network.onnx", free=(2, 3)))


# --- what goes wrong


def test_a_version_that_is_too_old_or_too_new_is_named(monkeypatch):
    for version in ("10.11.0.33", "8.6.1", "12.0.0.1"):
        module = fake(VERSIONS[0])
        module.__version__ = version
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        assert f"got version {version}, expected 10.12 to 11" in why_not()


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert "install it with: pip install tensorrt-cu" in why_not()


def test_a_network_it_cannot_read_is_named(trt, model):
    parsed = onnx.load(model)
    parsed.graph.node[0].input[0] = "nowhere"
    onnx.save(parsed, model)
    with pytest.raises(EngineError, match=r"cannot read it: node_1 \(Conv\).*nowhere"):
        plan_of(model)


def test_a_build_that_fails_gives_the_librarys_reason(trt, model):
    trt.world.faults.add("build")
    with pytest.raises(EngineError, match=r"building network\.onnx failed: Could not find any implementation"):
        plan_of(model)


def test_a_plan_of_another_version_or_gpu_is_unfit(trt, model, monkeypatch):
    plan = plan_of(model)
    for other in (fake("10.13.0.35"), fake(trt.__version__, "sm_120")):
        monkeypatch.setitem(sys.modules, "tensorrt", other)
        with pytest.raises(PlanUnfit, match=r"version tag does not match|incompatible device"):
            load(other, plan)


@pytest.mark.parametrize(("fault", "message"), [("context", "out of memory"), ("execute", "illegal memory access")])
def test_a_failing_gpu_is_named(trt, model, fault, message):
    plan = plan_of(model)
    trt.world.faults.add(fault)
    with pytest.raises(EngineError, match=f"denoise engine built for 8x8 fp32.*{message}"):
        load(trt, plan)(*inputs())


# --- progress


def test_progress_rises_to_the_end(trt, model):
    said = []
    plan_of(model, progress=lambda text, part: said.append((text, part)))
    parts = [part for _, part in said]
    assert parts == sorted(parts)
    assert parts[0] == 0.0
    assert parts[-1] == 1.0
    assert {text for text, _ in said} == {"Building Engine from subgraph", "Tactic selection"}


@pytest.mark.parametrize("when", [0.2, 1.0])
def test_what_progress_raises_stops_the_build_and_comes_out(trt, model, when):
    calls = []

    def interrupt(text, part):
        calls.append(part)
        if part >= when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_of(model, progress=interrupt)
    assert sum(part >= when for part in calls) <= 8  # the phases that were open come to their end
    assert trt.world.builds == []


# --- timings


def test_timings_of_a_build_serve_the_next(trt, model):
    kept = Kept()
    for _ in range(2):
        plan_of(model, timings=kept)
    assert [built["timings_known"] for built in trt.world.builds] == [0, 3]


def test_timings_of_another_gpu_are_not_used(trt, model, monkeypatch):
    kept = Kept()
    plan_of(model, timings=kept)
    other = fake(trt.__version__, "sm_120")
    monkeypatch.setitem(sys.modules, "tensorrt", other)
    plan_of(model, timings=kept)
    assert other.world.builds[0]["timings_known"] == 0


def test_timings_of_builds_at_the_same_time_are_merged(trt, model):
    kept = Kept()
    plan_of(model, timings=kept)
    first = kept.data
    kept.load = lambda: b""  # this build began before the other one had finished
    kept.data = first.replace(b"Relu", b"Gelu")
    plan_of(model, timings=kept)
    assert b"Relu" in kept.data
    assert b"Gelu" in kept.data


# --- refit


def refittable(trt, tmp_path):
    return load(trt, plan_of(network(tmp_path / "network.onnx"), refit=True))


def test_touched_weights_are_replaced_and_nothing_is_built(trt, tmp_path):
    engine = refittable(trt, tmp_path)
    new = {**weights(), "gain": weights(5)["gain"]}
    engine.refit({"gain": new["gain"]}, new.__getitem__)
    assert [built["flags"] for built in trt.world.builds] == [["REFIT"]]
    assert trt.world.calls[-2:] == ["idle", "refit"]  # nothing runs meanwhile
    assert check_numbers(engine, reference(new), inputs(), LIMIT) < 1e-5
    with pytest.raises(EngineError, match="relative error"):
        check_numbers(engine, reference(weights()), inputs(), LIMIT)


def test_weights_that_were_merged_are_given_together(trt, tmp_path):
    engine = refittable(trt, tmp_path)
    new = {**weights(), "conv.weight": weights(5)["conv.weight"]}
    asked = []

    def others(name):
        asked.append(name)
        return new[name]

    engine.refit({"conv.weight": new["conv.weight"]}, others)
    assert asked == ["conv.bias"]
    check_numbers(engine, reference(new), inputs(), LIMIT)


def test_what_changed_between_two_exports_is_found(tmp_path):
    new = {**weights(), "gain": weights(5)["gain"]}
    before = OnnxFile.open(network(tmp_path / "a.onnx"))
    after = OnnxFile.open(network(tmp_path / "b.onnx", new))
    places = touched(before.weights, after.weights)
    assert [after.weights[place].name for place in places] == ["gain"]
    np.testing.assert_array_equal(after.array(places[0]), new["gain"])
    larger = {**weights(), "gain": np.ones((1, 4, 1, 2), np.float32)}
    assert touched(before.weights, OnnxFile.open(network(tmp_path / "c.onnx", larger)).weights) is None


def test_a_library_that_refits_wrongly_is_found_out(trt, tmp_path):
    engine = refittable(trt, tmp_path)
    new = weights(5)
    for fault in ("refit-lies", "forget-refit"):
        trt.world.faults = {fault}
        engine.refit(new, new.__getitem__)
        with pytest.raises(EngineError, match="relative error"):
            check_numbers(engine, reference(new), inputs(), LIMIT)


def test_a_refit_that_fails_gives_the_librarys_reason(trt, tmp_path):
    engine = refittable(trt, tmp_path)
    trt.world.faults.add("refit")
    with pytest.raises(EngineError, match="refitting the denoise engine built for 8x8 fp32 failed: missing weights"):
        engine.refit(weights(5), weights(5).__getitem__)


def test_a_weight_that_nothing_gives_is_named(trt, tmp_path):
    engine = refittable(trt, tmp_path)
    with pytest.raises(EngineError, match=r"nothing gives 'conv\.bias'"):
        engine.refit({"conv.weight": weights(5)["conv.weight"]}, {}.__getitem__)
    check_numbers(engine, reference(weights()), inputs(), LIMIT)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gain": np.ones(5, np.float32)}, "got 5 values of float32 for 'gain', expected 4 of FLOAT"),
        ({"gain": np.ones(4, np.float16)}, "got 4 values of float16"),
        ({"nothing": np.ones(4, np.float32)}, "'nothing', expected"),
    ],
)
def test_a_weight_that_does_not_fit_changes_nothing(trt, tmp_path, values, message):
    engine = refittable(trt, tmp_path)
    with pytest.raises(EngineError, match=message):
        engine.refit(values, values.__getitem__)
    check_numbers(engine, reference(weights()), inputs(), LIMIT)


def test_an_engine_that_was_not_built_for_it_cannot_be_refitted(trt, model):
    engine = load(trt, plan_of(model))
    with pytest.raises(EngineError, match="not built with BuilderFlag REFIT"):
        engine.refit({}, {}.__getitem__)


def test_a_refit_with_bfloat16_weights_keeps_their_bits(tmp_path):
    tensor = helper.make_tensor("w", TensorProto.BFLOAT16, [3], [1.0, -2.0, 0.5])
    graph = helper.make_graph([], "g", [], [], [tensor])
    onnx.save(helper.make_model(graph), tmp_path / "b.onnx")
    file = OnnxFile.open(tmp_path / "b.onnx")
    assert file.weights[0].dtype == "BFLOAT16"
    assert file.array(0).view(np.uint16).tolist() == [0x3F80, 0xC000, 0x3F00]
