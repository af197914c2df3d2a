"""The page for people who move from StreamDiffusion accounts for every parameter and key."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import inkstream.stream.compat as compat
from inkstream.stream import StreamConfig
from inkstream.stream.compat import livepeer

PAGE = (Path(__file__).parent.parent / "docs" / "from-streamdiffusion.md").read_text("utf-8")


def named(title: str) -> set[str]:
    """Every name in a section of the page."""
    section = re.split(r"^#{2,3} ", PAGE.split(f"## {title}\n", 1)[1], flags=re.MULTILINE)[0]
    return set(re.findall(r"`([\w.]+)`", section))


def parameters(kind) -> set[str]:
    names = set()
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if name in ("__init__", "__call__") or not name.startswith("_"):
            names |= set(inspect.signature(method).parameters)
    return names - {"self"}


def test_every_parameter_of_streamdiffusion_is_on_the_page():
    known = parameters(compat.StreamDiffusion) - {"settings"}  # of ``use``, which is ours
    assert known - named("StreamDiffusion") == set()


def test_every_parameter_of_the_wrapper_is_on_the_page():
    assert (
        parameters(compat.StreamDiffusionWrapper) - named("StreamDiffusion") - named("StreamDiffusionWrapper") == set()
    )


def test_every_parameter_of_the_functions_is_on_the_page():
    shown = named("StreamDiffusion") | named("StreamDiffusionWrapper")
    for name in compat.__all__:
        function = getattr(compat, name)
        if inspect.isfunction(function) and name not in ("denormalize", "numpy_to_pil", "pt_to_numpy"):
            assert set(inspect.signature(function).parameters) - shown - {"stream", "image"} == set(), name


def test_every_key_of_livepeer_is_on_the_page():
    keys = {*livepeer.SAME, *livepeer.NOT, *livepeer.CONTROLNET_SAME, *livepeer.MISSING, *livepeer.PREPROCESSORS}
    keys |= {name for name, _ in livepeer.PREPROCESSORS.values()}
    keys |= set(livepeer.RULES) | {"preprocessor", "preprocessor_params"}
    assert keys - named("From livepeer's StreamDiffusion") == set()


def test_settings_that_the_page_gives_to_stream_are_settings():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") and "also of `Stream`" in line]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(names) > 20
    assert names - set(StreamConfig.model_fields) == set()


# What each program of StreamDiffusion imports of it, a line for each module.
PROGRAMS = {
    "examples/benchmark/multi.py": [["postprocess_image"], ["StreamDiffusionWrapper"]],
    "examples/benchmark/single.py": [["StreamDiffusionWrapper"]],
    "examples/img2img/multi.py": [["StreamDiffusionWrapper"]],
    "examples/img2img/single.py": [["StreamDiffusionWrapper"]],
    "examples/optimal-performance/multi.py": [["postprocess_image"], ["StreamDiffusionWrapper"]],
    "examples/optimal-performance/single.py": [["receive_images"], ["StreamDiffusionWrapper"]],
    "examples/screen/main.py": [["pil2tensor"], ["receive_images"], ["StreamDiffusionWrapper"]],
    "examples/txt2img/multi.py": [["StreamDiffusionWrapper"]],
    "examples/txt2img/single.py": [["StreamDiffusionWrapper"]],
    "examples/vid2vid/main.py": [["StreamDiffusionWrapper"]],
    "demo/realtime-img2img/img2img.py": [["StreamDiffusionWrapper"]],
    "demo/realtime-txt2img/main.py": [["StreamDiffusionWrapper"]],
    "demo/vid2vid/app.py": [["StreamDiffusionWrapper"]],
}


def test_what_the_programs_import_is_in_one_place_and_the_page_counts_their_lines():
    assert {name for lines in PROGRAMS.values() for names in lines for name in names} <= set(compat.__all__)
    counts = [len(lines) for lines in PROGRAMS.values()]
    assert [counts.count(number) for number in (1, 2, 3)] == [9, 3, 1]
    assert "Its 13 programs (ten in `examples`, three in `demo`) run with one line changed" in PAGE
    assert "Nine import from one module" in PAGE and "Four import from two or three" in PAGE


def test_one_line_above_the_imports_of_a_program_is_enough():
    """In a process of its own: other tests import the real one."""
    program = """
import inkstream.stream.compat.modules
from streamdiffusion import StreamDiffusion
from streamdiffusion.acceleration.tensorrt import accelerate_with_tensorrt
from streamdiffusion.image_utils import pil2tensor, postprocess_image
from streamdiffusion.pipeline import StreamDiffusion as Again
from utils.viewer import receive_images
from utils.wrapper import StreamDiffusionWrapper
from inkstream.stream import compat
assert StreamDiffusion is Again is compat.StreamDiffusion
assert StreamDiffusionWrapper is compat.StreamDiffusionWrapper
assert (pil2tensor, postprocess_image) == (compat.pil2tensor, compat.postprocess_image)
assert (receive_images, accelerate_with_tensorrt) == (compat.receive_images, compat.accelerate_with_tensorrt)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_l19_defaults_that_differ_are_said_where_people_move():
    config = StreamConfig()
    wrapper = inspect.signature(compat.StreamDiffusionWrapper).parameters
    rows = {line.split("|")[1].strip(): line for line in named_rows("To the engine itself")}
    assert config.fit == "crop"
    assert "| stretched | `crop`: its middle is used | stretched |" in rows["`fit`: a picture of another shape"]
    assert (config.use_lcm_lora, wrapper["use_lcm_lora"].default) == (False, True)
    assert rows["`use_lcm_lora`"].endswith("| off | as there |")
    assert config.similar_image_filter_threshold == 0.998
    assert rows["the similarity filter"].endswith("| off | on, at 0.998 of the most changed tile | off |")
    assert (config.acceleration, wrapper["acceleration"].default) == ("auto", "auto")


def named_rows(title: str) -> list[str]:
    section = re.split(r"^#{2,3} ", PAGE.split(f"## {title}\n", 1)[1], flags=re.MULTILINE)[0]
    return [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| |")]
