"""What of this computer inkstream can use: each probe looks at one thing and never brings the others down."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

NEEDED = (
    *("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "huggingface_hub", "numpy"),
    *("opencv-python-headless", "pillow", "pydantic", "PyYAML", "av", "mss", "pygame"),
)
OPTIONAL = {
    "openvino": "the fastest engine on a CPU: pip install openvino",
    "onnxruntime": 'ONNX files, and an engine for many devices: pip install "inkstream[onnx]"',
    "uvicorn": 'a page to draw on in the browser (inkstream studio): pip install "inkstream[studio]"',
    "ray": 'the studio for many: workers that render (inkstream cluster up): pip install "inkstream[cluster]"',
    "python-osc": 'consoles and other programs steer a run (--control osc:9000): pip install "inkstream[control]"',
    "python-rtmidi": 'MIDI faders steer a run (--control midi:learn): pip install "inkstream[control]"',
    "aiortc": 'the render as WebRTC, for browsers far away: pip install "inkstream[webrtc]"',
    "pyvirtualcam": 'a virtual camera for other programs: pip install "inkstream[virtualcam]"',
    "trimesh": '3D scenes from files (--source scene:house.glb): pip install "inkstream[scene]"',
}
CAMERAS_TRIED = 4  # where the system does not list its cameras
CAMERA_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for. ``found`` is None where it is only information; ``hint`` says what to do."""

    name: str
    found: bool | None
    text: str
    hint: str = ""


Probe = Callable[[], Iterable[Finding]]


def examine(probes: dict[str, Probe]) -> dict[str, list[Finding]]:
    """Run every probe; one that fails becomes a finding with its reason."""
    report: dict[str, list[Finding]] = {}
    for area, probe in probes.items():
        findings = report[area] = []
        try:
            findings.extend(probe())
        except Exception as error:  # noqa: BLE001 - a probe meets drivers and broken installations, which raise anything
            findings.append(Finding(area, False, f"{type(error).__name__}: {error}", "see the reason at the left"))
    return report


def as_data(report: dict[str, list[Finding]]) -> dict[str, Any]:
    """The report, ready for JSON; ``demo`` says whether the embedded demo can run."""
    areas = {area: [asdict(finding) for finding in findings] for area, findings in report.items()}
    return {"demo": demo_runs(report), "areas": areas}


def demo_runs(report: dict[str, list[Finding]]) -> bool:
    """Whether the embedded demo rendered a picture."""
    return any(finding.found for finding in report.get("demo", []))


def packages() -> Iterator[Finding]:
    """The packages that are needed, and what the optional ones would add."""
    yield Finding("Python", None, f"{sys.version.split()[0]} at {sys.executable}")
    yield Finding("inkstream", None, version("inkstream"))
    for name in NEEDED:
        found = _version(name)
        yield Finding(name, bool(found), found or "not installed", "" if found else f"pip install {name}")
    for name, use in OPTIONAL.items():
        found = _version(name)
        yield Finding(name, True if found else None, found or "not installed (optional)", "" if found else use)


def devices() -> Iterator[Finding]:
    """CPU and GPUs, as PyTorch sees them."""
    import torch

    features = [
        label
        for label, name in (
            ("AMX", "_is_amx_tile_supported"),
            ("bfloat16", "_is_avx512_bf16_supported"),
            ("VNNI", "_is_vnni_supported"),
        )
        if getattr(torch.cpu, name, lambda: False)()
    ]
    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding("CPU", True, f"{torch.get_num_threads()} threads, {', '.join([capability, *features])}")
    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        hint = "check the driver: nvidia-smi" if built else "for an NVIDIA GPU, install a CUDA build: pytorch.org"
        yield Finding("CUDA", None, f"no GPU (PyTorch {torch.__version__})", hint)
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        generation = f"compute capability {about.major}.{about.minor}"
        yield Finding(f"cuda:{index}", True, f"{about.name}, {about.total_memory / 1e9:.1f} GB, {generation}")
    if torch.backends.mps.is_available():
        yield Finding("mps", True, "Apple GPU")


def displays() -> Iterator[Finding]:
    """Monitors that can be captured and drawn on."""
    import mss

    if sys.platform.startswith("linux"):
        if os.environ.get("WAYLAND_DISPLAY"):
            yield Finding("Wayland", None, "programs cannot read this screen", "log in to an X11 session to capture it")
        if not os.environ.get("DISPLAY"):
            hint = "run it on a desktop, or without one: inkstream demo --headless"
            yield Finding("display", False, "DISPLAY is not set", hint)
            return
    with mss.MSS() as screens:
        for number, monitor in enumerate(screens.monitors[1:], 1):
            place = f"{monitor['width']}x{monitor['height']} at {monitor['left']},{monitor['top']}"
            yield Finding(f"monitor {number}", True, place)


def cameras(
    folder: Path = Path("/dev"), opener: Callable[[int, float], Any] | None = None, platform: str = sys.platform
) -> Iterator[Finding]:
    """Cameras that give a picture within two seconds. ``opener(index, timeout)`` opens one or raises."""
    from ..base.errors import SourceUnavailable

    opener = opener or _open_camera
    listed = platform.startswith("linux")
    numbers = [name.removeprefix("video") for name in sorted(path.name for path in folder.glob("video*"))]
    indices = [int(number) for number in numbers if number.isdecimal()] if listed else range(CAMERAS_TRIED)
    found = 0
    for index in sorted(indices):
        try:
            opener(index, CAMERA_TIMEOUT).close()
        except SourceUnavailable as error:
            if not listed:
                break  # they are numbered without gaps
            yield Finding(f"camera {index}", False, str(error))
            continue
        found += 1
        yield Finding(f"camera {index}", True, "gives pictures", f"use it with: --source camera:{index}")
    if not found:
        yield Finding("cameras", None, "no camera gives pictures", "connect one, and close programs that use it")


def virtual_cameras() -> Iterator[Finding]:
    """Whether a virtual camera can be fed."""
    from ..base.errors import SinkUnavailable
    from ..sinks import open_sink

    try:
        open_sink("virtualcam:size=640x480").close()
    except SinkUnavailable as error:
        yield Finding("virtual camera", None, str(error))
        return
    yield Finding("virtual camera", True, "opens", "use it with: --sink virtualcam")


def outputs() -> Iterator[Finding]:
    """Which other programs pictures can be handed to, beside windows and cameras."""
    import shutil

    from ..base.errors import SinkUnavailable
    from ..sinks import open_sink

    for kind in ("ndi", "spout", "syphon"):
        try:
            open_sink(f"{kind}:").close()
            yield Finding(kind, True, "there", f"use it with: --sink {kind}:")
        except SinkUnavailable as error:
            yield Finding(kind, None, str(error).removeprefix(f"{kind}: "))
    ffmpeg = shutil.which("ffmpeg")
    hint = "use it with: --sink rtmp://HOST/APP/KEY" if ffmpeg else "install the program ffmpeg to broadcast"
    yield Finding("ffmpeg", bool(ffmpeg) or None, ffmpeg or "not installed (optional)", hint)


def scenes() -> Iterator[Finding]:
    """What 3D scenes are drawn with."""
    from ..base.errors import SourceUnavailable
    from ..base.frame import Size
    from ..sources.scene import SceneSource

    try:
        source = SceneSource("car", size=Size(64, 64), renderer="gl", pace=False)
    except SourceUnavailable as error:
        why, _, hint = str(error).removeprefix("scene: ").partition(": " if "pip install" in str(error) else "; ")
        yield Finding("OpenGL", None, f"{why}; scenes are drawn by numpy, which is slow", hint)
        return
    try:
        source.read()
        yield Finding("OpenGL", True, source.about, "use it with: --config scene --source scene:city")
    finally:
        source.close()


def controls() -> Iterator[Finding]:
    """What could steer a run: usual ports, MIDI devices, keys of the whole desktop."""
    from .control.probing import keys_there, midi_devices, port_free

    for name, port in (("http", 7860), ("osc", 9000)):
        why = port_free(name, port)
        hint = f"use it with: --control {name}:{port}" if not why else f"another port does: --control {name}:{port + 1}"
        yield Finding(f"{name}:{port}", not why or None, why or "free", hint)
    devices, why = midi_devices()
    for each in devices:
        yield Finding("MIDI", True, each, "use it with: --control midi:learn")
    if not devices:
        yield Finding("MIDI", None, why or "no device", "" if why else "connect one")
    why = keys_there()
    yield Finding("keys", not why or None, why or "X11 gives them", "" if why else "use it with: --control keys")


def models() -> Iterator[Finding]:
    """Models that need no download."""
    from ...lora.registry import list_models

    for model in list_models():
        yield Finding(model.name, True, f"{model.origin}, {model.size / 1e6:.1f} MB, {model.path}")


def engines() -> Iterator[Finding]:
    """Ways to run the networks, and which one acceleration: auto takes."""
    from ...engines import choose
    from ...engines import engines as known
    from ...lora.devices import resolve_device
    from ..base.config import StreamConfig

    for engine in known():
        yield Finding(engine.name, not engine.why_not or None, engine.why_not or "ready")
    yield Finding("auto", True, str(choose("auto", resolve_device(StreamConfig.build()).type)))


def folders() -> Iterator[Finding]:
    """Where files are kept, and how much room there is."""
    import shutil

    from huggingface_hub.constants import HF_HUB_CACHE

    from ... import configs

    yield Finding("presets", None, str(Path(configs.__file__).parent))
    cache = Path(HF_HUB_CACHE)
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = f"{shutil.disk_usage(there).free / 1e9:.1f} GB free"
    yield Finding("downloaded models", None, f"{cache} ({free})", "set HF_HUB_CACHE to keep them elsewhere")


def demo() -> Iterator[Finding]:
    """Render one picture with the embedded model."""
    import numpy as np

    from ..base.configfile import load_config
    from ..loop.stream import Stream

    run = load_config("ink-tiny")
    started = time.perf_counter()
    stream = Stream.from_pretrained(run.model, run.stream)
    loading = time.perf_counter() - started
    try:
        paper = np.full((run.stream.height, run.stream.width, 3), 255, np.uint8)
        started = time.perf_counter()
        pictures = [output for output in (stream(paper), *stream.drain()) if output is not None]
        taken = (time.perf_counter() - started) * 1e3
    finally:
        stream.close()
    if not pictures:
        yield Finding("embedded demo", False, "the network gave no picture")
        return
    yield Finding("embedded demo", True, f"loads in {loading:.1f} s, first picture in {taken:.0f} ms", "inkstream demo")


PROBES: dict[str, Probe] = {
    "packages": packages,
    "devices": devices,
    "displays": displays,
    "cameras": cameras,
    "virtual cameras": virtual_cameras,
    "scenes": scenes,
    "outputs": outputs,
    "control": controls,
    "models": models,
    "engines": engines,
    "folders": folders,
    "demo": demo,
}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _open_camera(index: int, timeout: float) -> Any:
    import cv2

    from ..sources.camera import CameraSource

    cv2.setLogLevel(0)  # pyright: ignore[reportAttributeAccessIssue] - a camera that is not there is no news
    return CameraSource(index, timeout=timeout)
