"""The page for people who move from StreamDiffusion accounts for every parameter and key."""

import inspect
import re
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
