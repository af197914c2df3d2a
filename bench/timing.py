"""What the benches share: driving streams, alternating contenders, and the memory and the speed of the machine."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import psutil
import torch

from ..stream.base.frame import Frame, Size
from ..stream.base.metrics import percentiles
from ..stream.base.progress import Progress, silent
from ..stream.sources.fake import FakeSource

if TYPE_CHECKING:
    from ..stream.session.session import Session

PAGES = 16
STROKES_PER_PAGE = 8
MB = 1e6
T = TypeVar("T")


# --- time


def pages(size: Size, count: int = PAGES) -> list[np.ndarray]:
    """A drawing as it grows: ``count`` pictures (H, W, 3) uint8 RGB, each a few strokes further than the one before."""
    pen = FakeSource(size, pattern="stroke", live=False)
    drawing = [pen.read() for _ in range(count * STROKES_PER_PAGE)]
    return drawing[STROKES_PER_PAGE - 1 :: STROKES_PER_PAGE]


@dataclass(frozen=True)
class Driven:
    """What came of driving a stream. A frame that the gate skipped is in ``skipped`` and nowhere else."""

    turns: list[float]  # seconds of each turn that rendered something new
    gpu: list[float]  # seconds that the GPU worked in each of them; empty without CUDA
    rendered: int  # different source frames that came out
    emitted: int  # pictures that came out
    skipped: int  # frames that the gate found unchanged
    seconds: float  # of the whole

    def summary(self) -> dict[str, Any]:
        """``fps`` (different frames rendered a second), ``unique_fps`` (the same), percentiles of the turns."""
        rate = self.rendered / self.seconds if self.seconds > 0 else 0.0
        found: dict[str, Any] = {"fps": rate, "unique_fps": rate, "rendered": self.rendered, "skipped": self.skipped}
        if self.gpu:
            found["gpu_ms"] = median(self.gpu) * 1e3
        return {**found, **percentiles(self.turns)}


def drive(
    stream: Any,
    drawing: Sequence[np.ndarray],
    frames: int,
    first_id: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Driven:
    """Give ``frames`` frames of a drawing to a stream, as fast as it takes them.

    A turn is one full buffer of frames (``frame_buffer_size``), and ends when its pictures are on the host.
    """
    buffer, cuda = stream.config.frame_buffer_size, _cuda(stream)
    skipped_before = stream.metrics.counter("frames_skipped")
    turns, gpu, seen, emitted, number = [], [], set(), 0, first_id
    began = clock()
    while number < first_id + frames:
        known = len(seen)
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if cuda else []
        start = clock()
        if marks:
            marks[0].record()
        for _ in range(buffer):
            output = stream(Frame(drawing[number % len(drawing)], id=number, captured_at=start))
            number += 1
            if output is not None:
                emitted += 1
                seen.add(output.source_id)
        if marks:
            marks[1].record()
            marks[1].synchronize()
        spent = clock() - start
        if len(seen) > known:
            turns.append(spent)
            gpu += [marks[0].elapsed_time(marks[1]) / 1e3] if marks else []
    skipped = stream.metrics.counter("frames_skipped") - skipped_before
    return Driven(turns, gpu, len(seen), emitted, skipped, clock() - began)


def _cuda(stream: Any) -> bool:
    pipe = getattr(stream, "pipe", None)
    return pipe is not None and pipe.device.type == "cuda"


def run_whole(session: Session, frames: int) -> None:
    """Run a session until it has rendered ``frames``; raises KeyboardInterrupt where a signal ended it before.

    So nothing is said of frames that were not rendered.
    """
    session.run(frames=frames)
    if session.interrupted:
        raise KeyboardInterrupt


class StreamRender:
    """A stream as a function: one turn of it, which is one full buffer of frames, all of the same picture.

    Returns the newest picture, or None while the batch fills.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._number = 0

    def __call__(self, pixels: np.ndarray) -> np.ndarray | None:
        newest = None
        for _ in range(self.stream.config.frame_buffer_size):
            output = self.stream(Frame(pixels, id=self._number))
            self._number += 1
            newest = newest if output is None else output.pixels
        return newest


def alternate(
    contenders: Mapping[Any, Callable[[Any], Any]],
    drawing: Sequence[Any],
    rounds: int,
    frames: int,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress = silent,
) -> dict[Any, list[list[float]]]:
    """Time contenders in turn, A B A B: for each the seconds of every call, by round.

    Each round gives ``frames`` pictures to every contender, so that all of them meet the same swings of the machine's
    speed. Contenders return when their picture is on the host.
    """
    times: dict[Any, list[list[float]]] = {name: [] for name in contenders}
    for number in range(rounds):
        progress(f"{len(contenders)} take turns", number / rounds)
        for name, render in contenders.items():
            spent = []
            for frame in range(frames):
                page = drawing[(number * frames + frame) % len(drawing)]
                start = clock()
                render(page)
                spent.append(clock() - start)
            times[name].append(spent)
    return times


def in_process(work: Callable[..., T], *arguments: Any) -> T:
    """What ``work(*arguments)`` gives in a fresh process with as many threads of PyTorch as this one has.

    What it logs is logged here.
    """
    context = multiprocessing.get_context("spawn")
    records = context.Queue()
    listener = QueueListener(records, _Here())
    listener.start()
    try:
        with ProcessPoolExecutor(1, mp_context=context, initializer=_log_to, initargs=(records,)) as pool:
            return pool.submit(_fresh, torch.get_num_threads(), work, *arguments).result()
    finally:
        listener.stop()


class _Here(logging.Handler):
    """Takes records of another process for one's own."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


def _log_to(records: Any) -> None:
    logging.getLogger().addHandler(QueueHandler(records))


def _fresh(threads: int, work: Callable[..., T], *arguments: Any) -> T:
    torch.set_num_threads(threads)
    return work(*arguments)


def cpu_clock(threads: int | None, cpu_time: bool) -> Callable[[], float]:
    """The clock of a comparison, with PyTorch set to ``threads``; ``cpu_time``: the CPU time of its only thread."""
    if cpu_time or threads is not None:
        torch.set_num_threads(1 if cpu_time else threads or 1)
    return time.thread_time if cpu_time else time.perf_counter


def clock_name(clock: Callable[[], float]) -> str:
    """What a clock counts, for the result."""
    return "CPU time of one thread" if clock is time.thread_time else "wall clock"


def ratio(slow: list[list[float]], fast: list[list[float]]) -> dict[str, float]:
    """How many times as long ``slow`` takes: the ratio of the medians, and the least and most of the single rounds."""
    by_round = [median(a) / median(b) for a, b in zip(slow, fast, strict=True)]
    return {"ratio": median(flat(slow)) / median(flat(fast)), "ratio_low": min(by_round), "ratio_high": max(by_round)}


def flat(rounds: Iterable[Iterable[float]]) -> list[float]:
    """All times of all rounds."""
    return [seconds for spent in rounds for seconds in spent]


# --- memory


class Memory:
    """The most memory that the process held between construction and ``peak``, in MB of 10^6 bytes.

    On CUDA it is that of PyTorch's allocator or, where an engine allocates by itself, what the driver counts for the
    device. Otherwise it is resident memory: on Linux the kernel's high-water mark, set back at the start; elsewhere the
    system keeps it for the whole life of the process, and ``since`` says so.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        self.since = "start of the row"
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)
            self._free = torch.cuda.mem_get_info(self._device)[0]
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")  # proc(5): sets the high-water mark back to the present
        except OSError:
            self.since = "start of the process"

    def peak(self) -> float:
        """The most memory until now."""
        if self._device.type == "cuda":
            by_driver = self._free - torch.cuda.mem_get_info(self._device)[0]
            return max(torch.cuda.max_memory_allocated(self._device), by_driver) / MB
        status = Path("/proc/self/status")
        if status.is_file():
            marks = re.search(r"VmHWM:\s+(\d+) kB", status.read_text("ascii", "replace"))
            if marks:
                return int(marks[1]) * 1024 / MB
        about = psutil.Process().memory_info()
        return getattr(about, "peak_wset", about.rss) / MB


def resident() -> float:
    """Memory of the process now, in MB."""
    return psutil.Process().memory_info().rss / MB


def held(device: torch.device) -> float:
    """What is in use now, in MB: by PyTorch on the GPU where that is the device, else by the process."""
    gc.collect()
    if device.type != "cuda":
        return resident()
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(device) / MB


# --- the machine


def matmul_peak(
    device: torch.device | str,
    seconds: float = 0.5,
    side: int | None = None,
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.bfloat16),
) -> dict[str, float]:
    """TFLOP/s of large matrix products in each precision: the best of as many as fit in ``seconds`` each."""
    device = torch.device(device)
    side = side or (8192 if device.type == "cuda" else 2048)
    found = {}
    for dtype in dtypes:
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        out, best, began = torch.empty_like(a), float("inf"), time.perf_counter()
        while best == float("inf") or time.perf_counter() - began < seconds:
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            elif device.type == "mps":
                torch.mps.synchronize()
            best = min(best, time.perf_counter() - start)
        found[str(dtype).removeprefix("torch.")] = 2 * side**3 / best / 1e12
    return found
