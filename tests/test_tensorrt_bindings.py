"""The names that inkstream uses of TensorRT, looked up in the published bindings.

The libraries are not on the package index, but their Python bindings are. Every name must be in the binary of each
version. Where there is a C compiler, the bindings are also loaded, over libraries that hold nothing: then classes,
methods and values of enumerations are compared one by one, and the subclasses that inkstream makes of the library's
classes are made for real.
"""

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from doubles.tensorrt import fake

from inkstream import engines

# package, version: the oldest that is supported, and the newest of 11 that was looked at
PUBLISHED = [("tensorrt-cu12-bindings", "10.12.0.36"), ("tensorrt-cu13-bindings", "11.4.0.106")]
GONE_IN_11 = ("EXPLICIT_BATCH", "IInt8Calibrator", "IAlgorithmSelector", "OBEY_PRECISION_CONSTRAINTS")
SOURCES = sorted((Path(engines.__file__).parent / "trt").glob("*.py"))


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda published: published[1])
def wheel(request):
    """The unpacked bindings and their version."""
    package, version = request.param
    folder = request.config.cache.mkdir(f"{package}-{version}")
    if not (folder / "tensorrt_bindings").is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            done = subprocess.run(
                [*command, "--dest", str(folder), f"{package}=={version}"],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("needs tensorrt-bindings: the package index does not answer")
        if done.returncode:
            pytest.skip(f"needs tensorrt-bindings: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
            archive.extractall(folder / "unpacking")
        (folder / "unpacking" / "tensorrt_bindings").rename(folder / "tensorrt_bindings")  # whole or not at all
    return folder, version


def binary(folder):
    return next(path for path in (folder / "tensorrt_bindings").iterdir() if path.suffix in (".so", ".pyd"))


def surface(version):
    """Class -> its public names, of the fake of this version; the tests fail when the product uses any other."""
    module = fake(version)
    classes = {name: kind for name, kind in vars(module).items() if inspect.isclass(kind)}
    return {
        name: sorted(
            list(kind.__members__) if hasattr(kind, "__members__") else {n for n in dir(kind) if not n.startswith("_")}
        )
        for name, kind in classes.items()
    }


def chains():
    """Every ``trt.Something.more`` in the product's source, as ("Something", "more")."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            parts = []
            while isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            if isinstance(node, ast.Name):
                parts.append(node.id)
            parts.reverse()
            if "trt" in parts[:-1]:
                found.add(tuple(parts[parts.index("trt") + 1 :]))
    return found


# The fake's has the methods of Python's bytes, which are not those of the bindings'.
OURS = {"IHostMemory": set()}


def test_every_name_in_the_source_is_in_the_fake():
    used = chains()
    assert ("BuilderFlag", "REFIT") in used  # it does find them
    for version in ("10.12.0.36", "11.4.0.106"):
        for chain in used:
            place = fake(version)
            for name in chain[:2]:
                place = getattr(place, name)


def test_every_name_is_in_the_published_binary(wheel):
    folder, version = wheel
    data, looked_up = binary(folder).read_bytes(), 0
    named = lambda name: f"{name}\0".encode() in data  # a linker keeps INPUT as the end of a longer name
    for kind, names in surface(version).items():
        for name in (kind, *OURS.get(kind, names)):
            assert named(name), f"{kind}.{name} is not in TensorRT {version}"
            looked_up += 1
    assert looked_up > 80
    for name in GONE_IN_11:  # the search does tell the versions apart
        assert named(name) == (version < "11")


LOOK = """
import json, sys
import tensorrt_bindings as trt
found = {}
for name in json.loads(sys.argv[1]):
    kind = getattr(trt, name)
    members = getattr(kind, "__members__", None)
    found[name] = {n: int(v) for n, v in members.items()} if members is not None else {
        n: (getattr(kind, n).__doc__ or "") for n in dir(kind) if not n.startswith("_")}
print(json.dumps(found))
"""

MAKE = """
import sys
import tensorrt_bindings as trt
sys.modules["tensorrt"] = trt
import numpy as np
from inkstream.engines.trt.build import TILING, make_monitor
from inkstream.engines.trt.library import library
from inkstream.stream.base.errors import EngineError

lib = library()
lib.logger.log(trt.ILogger.Severity.ERROR, "as the library would")
assert lib.logger.last() == "as the library would"
said = []
monitor = make_monitor(trt, lambda text, part: said.append(part))
monitor.phase_start("outer", None, 2)
assert monitor.step_complete("outer", 0) is True
assert said == [0.0, 0.5]
array = np.ones(3, np.float32)
weights = trt.Weights(trt.DataType.FLOAT, array.ctypes.data, array.size)
assert (weights.size, weights.nbytes, weights.dtype.name) == (3, 12, "FLOAT")
if lib.major < 11:
    assert 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) == 2
getattr(trt.TilingOptimizationLevel, TILING)
assert trt.Dims((1, 3)) == (1, 3) and tuple(trt.Dims((1, 3))) == (1, 3)
try:
    lib.made("starting the builder", trt.Builder, lib.logger)  # the library that holds nothing gives no builder
except EngineError as error:
    assert "starting the builder failed" in str(error), error
else:
    raise AssertionError("a builder out of nothing")
print("fine")
"""

# All that the bindings take from the libraries; each function gives nothing.
NOTHING = "\n".join(
    f"void *{name}(void) {{ return 0; }}"
    for name in (
        *("createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL"),
        *("createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getNvOnnxParserVersion"),
        *("getBuilderPluginRegistry", "getPluginRegistry", "initLibNvInferPlugins"),
    )
)


@pytest.fixture(scope="module")
def loaded(wheel, tmp_path_factory):
    """A function that runs a script beside the real bindings, which are loaded over empty libraries."""
    folder, version = wheel
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs cc, on Linux")
    place = tmp_path_factory.mktemp("bindings")
    (place / "nothing.c").write_text(NOTHING)
    for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        file = f"lib{name}.so.{version.split('.')[0]}"
        command = [compiler, "-shared", "-fPIC", "-o", place / file, place / "nothing.c", f"-Wl,-soname,{file}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def run(script, *arguments):
        environment = {"LD_LIBRARY_PATH": str(place), "PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout, version

    return run


def test_the_fake_has_the_classes_signatures_and_values_of_the_bindings(loaded):
    names = json.dumps(list(surface("11.4.0.106")))
    out, version = loaded(LOOK, names)
    real, module = json.loads(out), fake(version)
    for kind, names in surface(version).items():
        for name in OURS.get(kind, names):
            assert name in real[kind], f"{kind}.{name} is not in TensorRT {version}"
            mine = getattr(getattr(module, kind), name)
            if isinstance(real[kind][name], int):
                assert int(mine) == real[kind][name], f"{kind}.{name}"
            elif inspect.isfunction(mine) and "*args" not in real[kind][name]:
                parameters = re.findall(r"[(,] ?(\w+): ", real[kind][name].splitlines()[0])
                assert list(inspect.signature(mine).parameters) == parameters, f"{kind}.{name}"


def test_what_inkstream_makes_of_the_bindings_can_be_made(loaded):
    assert loaded(MAKE)[0].strip() == "fine"
