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


def test_gradio_space_renders_what_is_drawn_and_nothing_else():
    example = load("gradio_space")
    demo = example.Demo()
    try:
        sheet = np.zeros((512, 512, 4), np.uint8)  # clear, as a sketchpad gives it
        empty = demo.render({"composite": sheet}, example.PROMPT, 0, 50)
        assert empty.shape == (256, 256, 3) and np.array_equal(empty, demo.render(None, example.PROMPT, 0, 50))
        sheet[150:380, 100:106] = sheet[150:156, 100:400] = (20, 20, 20, 255)
        drawn = demo.render({"composite": sheet}, example.PROMPT, 0, 50)
        assert (drawn != empty).any() and (drawn != demo.render({"composite": sheet}, "a stone house", 3, 80)).any()
        assert np.array_equal(demo.render({"composite": sheet}, "a (stone house", 3.0, 80.0).shape, (256, 256, 3))
        assert demo.render({"composite": np.zeros((4000, 40, 4), np.uint8)}, "", 0, 50) is None
        assert demo.render({"composite": np.zeros((2, 2, 9), np.uint8)}, "", 0, 50) is None
    finally:
        demo.stream.close()


@pytest.mark.slow  # gradio brings fifty packages, which the usual tests do without
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore")  # it leaves sockets open
def test_gradio_space_serves_a_page_and_no_files(tmp_path):
    pytest.importorskip("gradio", reason='needs gradio: pip install "inkstream[gradio]"')
    import httpx
    from gradio_client import Client, handle_file
    from PIL import Image

    example = load("gradio_space")
    demo = example.Demo()
    page = example.build(demo)
    Image.new("RGBA", (512, 512), (255, 255, 255, 255)).save(tmp_path / "sheet.png")
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, max_file_size="2mb", allowed_paths=[])
    try:
        sheet = {"background": None, "layers": [], "composite": handle_file(tmp_path / "sheet.png")}
        made = Client(address, verbose=False).predict(sheet, example.PROMPT, 1, 50, api_name="/render")
        path = made["path"] if isinstance(made, dict) else made
        with Image.open(path) as render:
            assert render.size == (256, 256)
        for asked in (__file__, "/etc/passwd", "../../etc/passwd"):
            assert httpx.get(f"{address}gradio_api/file={asked}").status_code in (403, 404), asked
    finally:
        page.close()
        demo.stream.close()


def test_nothing_is_left_out():
    tested = Path(__file__).read_text("utf-8")
    elsewhere = {"blender_gbuffer": "test_gbuffer_source.py"}
    for path in EXAMPLES.glob("*.py"):
        other = elsewhere.get(path.stem)
        where = tested if other is None else Path(__file__).with_name(other).read_text("utf-8")
        assert (f'load("{path.stem}")' if other is None else path.name) in where
