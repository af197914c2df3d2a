"""Every example runs, on the embedded model."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from doubles.tiny_models import tiny_sd

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_designer():
    summary = load("designer").main(
        "demo:live=0,frames=6", "a metallic blue van car, side view, on snow, day", sink="null"
    )
    assert summary["frames_rendered"] == 6


def test_streamer():
    summary = load("streamer").main("demo:live=0,frames=6", sinks=("fake", "null"))
    assert summary["frames_rendered"] == 6


def test_engineer():
    summary = load("engineer").main(frames=6)
    assert summary["frames_rendered"] >= 6
    assert summary["stages"]["denoise"]["p50_ms"] > 0


@pytest.mark.parametrize("count", [1, 5])
def test_from_streamdiffusion(count):
    frames = [np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8) for i in range(count)]
    pictures = list(load("from_streamdiffusion").render(tiny_sd(), frames, "a red car", width=64, height=64))
    assert [picture.shape for picture in pictures] == [(64, 64, 3)] * count


def test_own_source(tmp_path):
    summary = load("own_source").main(f"images:{tmp_path / 'ball'}", frames=5)
    assert summary["frames_rendered"] == 5
    assert len(list((tmp_path / "ball").rglob("*.png"))) == 5


def test_nothing_is_left_out():
    tested = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'load("{path.stem}")' in tested
