"""ONNX files of the units: what they compute, and which of them are refused."""

import importlib.util

import numpy as np
import pytest
import torch

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    *(
        pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"needs {name}")
        for name in ("onnx", "onnxscript", "onnxruntime")
    ),
]
onnx = pytest.importorskip("onnx", reason="needs onnx")

from doubles.tiny_models import tiny_sd, tiny_sdxl  # noqa: E402

from inkstream.engines import export, onnxruntime  # noqa: E402
from inkstream.engines.onnxfile import open_onnx  # noqa: E402
from inkstream.engines.shapes import RESULTS, Shapes  # noqa: E402
from inkstream.engines.units import positional_units  # noqa: E402
from inkstream.stream import Stream  # noqa: E402
from inkstream.stream.base.configfile import load_config  # noqa: E402
from inkstream.stream.base.errors import EngineError  # noqa: E402
from inkstream.stream.sources.drawing import prompt_for, sketch, subjects  # noqa: E402

TOLERANCE = 1e-3


def run(path, values):
    """What ONNX Runtime computes for named inputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == list(values)
    return session.run(None, {name: value.numpy() for name, value in values.items()})[0]


def sizes(frames, rows, width, height, **more):
    return Shapes(frames, rows, width, height, (4, height // 8, width // 8), **more)


@pytest.mark.slow
def test_sdxl_with_two_controlnets_computes_the_same(tmp_path):
    pipe = tiny_sdxl(controlnets=2)
    shapes = sizes(1, 2, 64, 64, text=(77, 64), controlnets=2, features=32, pooled=32, encodes=False)
    unit = positional_units(pipe, pipe.controlnet.nets, shapes)["denoise"]
    path = export.export_unit(unit, "denoise", shapes, tmp_path / "denoise.onnx")
    model = open_onnx(path)
    assert [(given.domain, given.version) for given in model.opset_import] == [("", export.OPSET)]
    assert [value.name for value in model.graph.output] == [RESULTS["denoise"]]
    fixed = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in model.graph.input}
    assert fixed == {name: list(shape) for name, shape in shapes.inputs("denoise").items()}
    values = dict(zip(fixed, shapes.example("denoise"), strict=True))
    with torch.inference_mode():
        expected = unit(*values.values()).numpy()
    result = run(path, values)
    assert np.abs(result - expected).max() <= TOLERANCE
    without = run(path, {**values, "scales": torch.zeros_like(values["scales"])})
    assert np.abs(without - result).max() > 10 * TOLERANCE


def test_embedded_model_under_onnxruntime_looks_as_under_eager(engine_dir):
    run_, pictures = load_config("ink-tiny"), []
    for name in ("eager", "onnxruntime"):
        settings = {"dtype": "float32", "acceleration": name, "engine_dir": engine_dir, "warmup": 0}
        stream = Stream.from_pretrained("ink-tiny", run_.stream, similar_image_filter_threshold=None, **settings)
        outputs = []
        for number, subject in enumerate(subjects()[:4]):
            stream.update(prompt=prompt_for(subject, number))
            outputs.append(stream(sketch(subject, 256, number)))
        outputs += stream.drain()
        pictures.append(np.stack([output.pixels for output in outputs if output]).astype(float))
    assert len(pictures[1]) == 4
    error = ((pictures[0] - pictures[1]) ** 2).mean(axis=(1, 2, 3))
    assert (10 * np.log10(255**2 / np.maximum(error, 1e-9))).min() >= 60  # decibels; the goal is 40


def test_providers_are_chosen_like_engines(monkeypatch):
    import onnxruntime as ort

    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    name, passed_over = onnxruntime.choose_provider("cuda")
    assert name == "cuda"
    assert "no TensorrtExecutionProvider" in passed_over["tensorrt"]
    name, passed_over = onnxruntime.choose_provider("cpu")
    assert (name, sorted(passed_over)) == ("cpu", ["coreml", "directml"])
    with pytest.raises(EngineError, match="no TensorrtExecutionProvider: pip install"):
        onnxruntime.choose_provider("cuda", "tensorrt")
    with pytest.raises(EngineError, match="got the provider 'cuda' for networks on cpu, expected directml or coreml"):
        onnxruntime.choose_provider("cpu", "cuda")


def small_decoder():
    shapes = sizes(1, 1, 64, 64, text=(77, 32))
    return positional_units(tiny_sd(), [], shapes)["decode"], "decode", shapes


@pytest.fixture(scope="module")
def decoder(one_thread):
    """A small unit as an ONNX program, its inputs, and what it should give."""
    unit, name, shapes = small_decoder()
    values = dict(zip(shapes.inputs(name), shapes.example(name), strict=True))
    with torch.inference_mode():
        expected = unit(*values.values()).numpy()
    return export.to_onnx(unit, name, shapes), values, expected


@pytest.fixture
def external(decoder, tmp_path):
    """The same with its weights in a file beside it."""
    program, _, _ = decoder
    path = tmp_path / "decode.onnx"
    program.save(str(path), external_data=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["decode.onnx", "decode.onnx.data"]
    return path


def test_large_weights_lie_beside_the_graph(decoder, tmp_path, monkeypatch):
    program, values, expected = decoder
    monkeypatch.setattr(export, "LARGEST", 1000)
    path = export.export_unit(*small_decoder(), tmp_path / "decode.onnx")
    assert open_onnx(path).graph.initializer
    assert np.abs(run(path, values) - expected).max() <= TOLERANCE
    assert path.stat().st_size < path.with_name("decode.onnx.data").stat().st_size
    assert export.to_bytes(program) is None


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "/etc/passwd",
        "inner/../../secret.bin",
        "..",
        "C:\\secret.bin",
        "..\\secret.bin",
        "",
        "gone.bin",
    ],
)
def test_weights_from_elsewhere_are_refused(external, location):
    (external.parent.parent / "secret.bin").write_bytes(bytes(1 << 20))
    model = onnx.load(str(external), load_external_data=False)
    tensor = next(t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL)
    next(entry for entry in tensor.external_data if entry.key == "location").value = location
    external.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match="expected a plain file in the same folder; it was not loaded"):
        open_onnx(external)


def test_weights_behind_a_link_are_refused(external):
    data = external.with_name("decode.onnx.data")
    elsewhere = data.rename(external.parent.parent / "elsewhere.data")
    try:
        data.symlink_to(elsewhere)
    except OSError:
        pytest.skip("needs symlinks")
    with pytest.raises(EngineError, match="expected a plain file"):
        open_onnx(external)


@pytest.mark.parametrize("entry", [("offset", "99999999"), ("length", "99999999"), ("offset", "-8"), ("length", "x")])
def test_weights_beyond_their_file_are_refused(external, entry):
    model = onnx.load(str(external), load_external_data=False)
    tensor = next(t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL)
    key, value = entry
    next(given for given in tensor.external_data if given.key == key).value = value
    external.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match=r"decode\.onnx: the weight"):
        open_onnx(external)


@pytest.mark.parametrize("place", ["attribute", "inner graph", "function", "sparse"])
def test_weights_that_hide_are_found(external, place):
    """A reader that looks at the graph's own weights only would follow these."""
    stolen = onnx.TensorProto(name="hidden", data_type=onnx.TensorProto.FLOAT, dims=[1])
    stolen.data_location = onnx.TensorProto.EXTERNAL
    stolen.external_data.add(key="location", value="../secret.bin")
    model = onnx.load(str(external), load_external_data=False)
    constant = onnx.helper.make_node("Constant", [], ["hidden"])
    constant.attribute.append(onnx.helper.make_attribute("value", onnx.TensorProto()))
    constant.attribute[0].t.CopyFrom(stolen)
    if place == "attribute":
        model.graph.node.append(constant)
    elif place == "inner graph":
        node = onnx.helper.make_node("If", ["c"], ["y"])
        graph = onnx.GraphProto(name="then", initializer=[stolen])
        node.attribute.append(onnx.helper.make_attribute("then_branch", graph))
        model.graph.node.append(node)
    elif place == "function":
        model.functions.append(onnx.FunctionProto(name="f", domain="d", node=[constant]))
    else:
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=stolen))
    external.write_bytes(model.SerializeToString())
    with pytest.raises(EngineError, match="the weight 'hidden' lies in"):
        open_onnx(external)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"PK\x03\x04 no model"])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r"broken\.onnx: not an ONNX file"):
        open_onnx(path)
    with pytest.raises(EngineError, match=r"missing\.onnx: not an ONNX file"):
        open_onnx(tmp_path / "missing.onnx")


def test_what_cannot_be_exported_is_named():
    unit, name, shapes = small_decoder()
    unit.unit.forward = lambda latent: latent.item()
    with pytest.raises(EngineError, match="decode cannot be exported to ONNX"):
        export.to_onnx(unit, name, shapes)
