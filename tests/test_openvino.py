"""OpenVINO: the pictures of eager on the embedded model, in both precisions; nothing copied; nothing reported."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from doubles.tiny_models import tiny_sd, tiny_sdxl

from inkstream.engines import Options, openvino
from inkstream.engines import build as build_units
from inkstream.engines.shapes import Shapes
from inkstream.engines.times import TimesOutside
from inkstream.engines.units import positional_units
from inkstream.stream import Stream
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.measures import psnr
from inkstream.stream.sources.drawing import prompt_for, sketch, subjects

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="needs openvino"),
]
PAGES = [(subject, sketch(subject, 256, seed)) for seed in range(2) for subject in subjects()][:6]
SMALL = Shapes(1, 2, 64, 64, (4, 8, 8), (77, 32), encodes=False)


def rendered(**settings):
    """(6, 256, 256, 3): the embedded model's pictures of six sketches, each with its own prompt; and the stream."""
    run = load_config("ink-tiny")
    stream = Stream.from_pretrained("ink-tiny", run.stream, similar_image_filter_threshold=None, warmup=0, **settings)
    outputs = []
    for number, (subject, page) in enumerate(PAGES):
        stream.update(prompt=prompt_for(subject, number))
        outputs.append(stream(page))
    outputs += stream.drain()
    return np.stack([output.pixels for output in outputs if output]), stream


@pytest.fixture(scope="module")
def of_eager(one_thread):
    return rendered(acceleration="eager", dtype="float32")[0]


@pytest.mark.parametrize(("dtype", "least"), [pytest.param("float32", 60, marks=pytest.mark.slow), ("bfloat16", 45)])
def test_embedded_model_looks_as_under_eager(of_eager, engine_dir, dtype, least):
    """The goals are 40 and 30 dB. bfloat16 has 52; with timesteps rounded to it as well there would be 38."""
    pictures, stream = rendered(acceleration="openvino", dtype=dtype, engine_dir=engine_dir)
    assert len(pictures) == len(PAGES)
    assert min(map(psnr, pictures, of_eager)) >= least
    capable = "BF16" in openvino.core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    expected = "bf16" if dtype == "bfloat16" and capable else "f32"
    assert stream.engine.about.endswith(f", {expected}")


@pytest.fixture(scope="module")
def small(one_thread, engine_dir):
    """Units of a small pipeline under OpenVINO and under eager."""
    pipe = tiny_sd()
    options = Options(folder=engine_dir)
    return tuple(build_units(name, pipe, [], SMALL, options) for name in ("openvino", "eager"))


def test_a_call_reads_and_writes_where_the_tensors_are(small):
    units, eager = small
    given = list(SMALL.example("denoise"))
    results = set()
    with torch.inference_mode():
        for number in range(3):
            given[0].fill_(number / 2)  # in place: nobody tells the engine
            result = units.denoise(*given, (), ())
            assert torch.allclose(result, eager.denoise(*given, (), ()), atol=1e-4)
            results.add(result.data_ptr())
    assert len(results) == 1


def test_inputs_of_any_layout_and_precision_are_taken(small):
    units, eager = small
    sample, timestep, text = SMALL.example("denoise")
    strided = sample.to(memory_format=torch.channels_last)
    whole = timestep.round().long()
    half = text.bfloat16()
    with torch.inference_mode():
        result = units.denoise(strided, whole, half, (), ())
        assert torch.allclose(result, eager.denoise(strided, whole, half, (), ()), atol=1e-4)
        other = units.denoise(strided, whole - 50, half, (), ())
        assert torch.allclose(other, eager.denoise(strided, whole - 50, half, (), ()), atol=1e-4)


def test_another_shape_is_refused(small):
    units, _ = small
    sample, timestep, text = SMALL.example("denoise")
    with pytest.raises(EngineError, match=r"denoise was built for .*\(2, 4, 8, 8\), got \(3, 4, 8, 8\)"):
        units.denoise(torch.cat([sample, sample[:1]]), timestep, text, (), ())


def test_a_second_start_compiles_nothing(small, engine_dir, monkeypatch):
    def refuse(*given, **more):
        raise RuntimeError("compiled again")

    monkeypatch.setattr(openvino.runtime(), "convert_model", refuse)  # what every graph is compiled from
    progress = []
    options = Options(folder=engine_dir, progress=lambda text, part: progress.append((text, part)))
    again = build_units("openvino", tiny_sd(), [], SMALL, options)
    given = SMALL.example("decode")
    assert torch.equal(again.decode(*given), small[0].decode(*given))
    assert progress == [("OpenVINO: denoise", 0.0), ("OpenVINO: decode", 0.5), ("OpenVINO", 1.0)]
    with pytest.raises(EngineError, match="compiled again"):
        build_units("openvino", tiny_sd(seed=1), [], SMALL, options)  # other weights


def test_what_it_cannot_compile_is_named(monkeypatch, tmp_path):
    def refuse(*given, **more):
        raise RuntimeError("Exception from src/a.cpp:1:\nno rule for operator aten::dream")

    monkeypatch.setattr(openvino.runtime(), "convert_model", refuse)
    with pytest.raises(EngineError, match="openvino: denoise cannot be compiled: RuntimeError: no rule for operator"):
        build_units("openvino", tiny_sd(), [], SMALL, Options(folder=str(tmp_path)))


def test_hardware_that_is_not_there_is_named():
    assert "finds no QPU, only CPU" in openvino.available("qpu")
    assert openvino.available() == openvino.available("cpu") == ""


@pytest.mark.parametrize("alike", [True, False])
def test_sinusoids_from_outside_change_nothing(alike):
    """Also where a ControlNet projects its timesteps in another way than the UNet."""
    pipe = tiny_sdxl(controlnets=1)
    if not alike:
        pipe.controlnet.time_proj.flip_sin_to_cos = False
    shapes = Shapes(1, 2, 64, 64, (4, 8, 8), (77, 64), controlnets=1, features=32, pooled=32, encodes=False)
    inside, outside = (positional_units(pipe, [pipe.controlnet], shapes)["denoise"] for _ in range(2))
    times = TimesOutside(outside.unit, outside.names)
    given = shapes.example("denoise")
    with torch.inference_mode():
        sinusoids = times.before(*given)
        assert torch.equal(times(*sinusoids), inside(*given))
        assert len(sinusoids[1]) == (1 if alike else 2)
        assert times.before(*given)[1] is sinusoids[1]  # kept while the timesteps are the same
        later = (given[0], given[1] - 10, *given[2:])
        assert torch.equal(times(*times.before(*later)), inside(*later))
        assert not torch.equal(inside(*later), inside(*given))


def test_openvino_is_imported_without_its_telemetry(tmp_path):
    """Importing it would report to Google Analytics, and leave an identity in the home folder."""
    code = (
        "import json, sys\n"
        "from inkstream.engines.openvino_library import runtime\n"
        "ov = runtime()\n"
        "assert ov.convert_model and runtime() is ov\n"
        "print(json.dumps([name for name in sys.modules if 'openvino_telemetry' in name]))\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert json.loads(done.stdout) == []
    assert list(tmp_path.glob("intel*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such stacks")
def test_a_signal_survives_what_another_thread_let_go():
    """OpenVINO frees the stack on which the main thread handles signals when its Core goes."""
    code = textwrap.dedent("""
        import faulthandler, gc, signal, threading
        from inkstream.engines.openvino_library import core

        faulthandler.enable()  # gives the main thread such a stack
        signal.signal(signal.SIGTERM, lambda number, _: print("handled", number))
        held = [core()]
        held[0].get_property("CPU", "FULL_DEVICE_NAME")  # loads what does it
        dropper = threading.Thread(target=lambda: (held.clear(), gc.collect()))
        dropper.start()
        dropper.join()
        signal.raise_signal(signal.SIGTERM)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"handled {signal.SIGTERM:d}\n"), done.stderr
