"""What others may import: the names of ``inkstream.stream``, which stay."""

import subprocess
import sys

import inkstream.stream
from inkstream.stream.base import errors

NAMES = {
    *("Stream", "StreamConfig", "ControlNetConfig", "IPAdapterConfig", "RegionConfig", "load_config", "Session"),
    *("Frame", "Output", "Size", "as_rgb", "Source", "Sink", "open_source", "open_sink"),
    *("InkstreamError", "ConfigError", "ModelError", "UnsafeWeightsError", "LoraError", "EngineError", "MemoryFull"),
    "StreamClosed",
    *("DataError", "FrameError", "SourceError", "SourceUnavailable", "SourceLost", "SourceEnded"),
    *("SinkError", "SinkUnavailable", "SinkClosed"),
}


def test_the_public_names_are_these_and_each_is_there():
    assert set(inkstream.stream.__all__) == NAMES
    for name in NAMES:
        assert getattr(inkstream.stream, name).__name__ == name
    assert not hasattr(inkstream.stream, "nothing")


def test_every_error_is_public():
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert kinds <= NAMES


def test_the_import_alone_brings_nothing_heavy():
    script = (
        "import sys, inkstream.stream\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'cv2', 'numpy', 'pydantic', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
