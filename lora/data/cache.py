"""Scenes kept on disk for training.

A cache is a folder: ``scenes.json`` says what it holds, ``captions.jsonl`` has a line for each scene, and four arrays
are read through memory maps: ``picture.npy`` (N, S, S, 3), ``clean.npy`` and ``labels.npy`` (N, S, S), ``sketch.npy``
(N, drawings, S, S), all uint8. At 256 a scene takes 330 kB, and 66 kB for each drawing;
8,000 scenes with three drawings take 4.2 GB. A folder can be moved, and read where nothing could render it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from ...stream.base.errors import ConfigError, DataError
from ...stream.base.files import new_array, write_json, write_whole
from ...stream.base.locks import Busy, locked
from ...stream.base.progress import Progress, silent
from .grammar import KINDS
from .painters import PAINTERS, painter_of
from .render import check_size
from .sample import Sample
from .scenes import Scene, captions, drawings, sample_scene

ABOUT, CAPTIONS, DONE, LOCK = "scenes.json", "captions.jsonl", "done.npy", "scenes.lock"
FILES = (CAPTIONS, DONE, "picture.npy", "clean.npy", "labels.npy", "sketch.npy")
PATIENCE = 12 * 3600.0  # seconds that a process waits for another one that renders
BLOCK = {"fast": 16, "traced": 1}  # scenes that are rendered, or rendered again, together
MOST_WORKERS = 32
Mode = Literal["r", "r+"]


class _Plan(NamedTuple):
    """Everything that a cache's contents follow from."""

    seed: int
    count: int
    size: int
    drawings: int
    look: int
    painter: str = "fast"
    kind: str = ""  # of all scenes; none: of all kinds

    def scene(self, row: int) -> Scene:
        return sample_scene(self.seed + row, self.kind or None)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        flat = (self.count, self.size, self.size)
        return {"picture": (*flat, 3), "clean": flat, "labels": flat, "sketch": (self.count, self.drawings, *flat[1:])}

    @property
    def blocks(self) -> int:
        return self.block(self.count - 1) + 1

    def block(self, row: int) -> int:
        """The block that a scene is in."""
        return row // BLOCK[self.painter]


class SceneCache:
    """``count`` scenes of the seeds from ``seed`` on, rendered once; a ``Samples``.

    Of a folder that was begun with more, the first ``count`` are taken, though the others may not be rendered yet.
    ``painter`` is one of PAINTERS, ``kind`` one of KINDS, for scenes of that kind alone; without it a folder keeps the
    kind that it has, and a new one has all kinds. Opening it renders what is missing, in ``workers`` processes
    (default: one for each core) with one thread each, and tells ``progress(text, part)``. Killed at any point, it goes
    on where it was; what comes out does not depend on how often that happened, nor on the number of processes.

    Each scene has several ``drawings``: ``cache[i]`` takes them in turn from one scene to the next, ``sample`` takes
    any. Raises ConfigError when the folder holds other scenes than these, or what paints them is not installed,
    DataError when its files are damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        seed: int,
        count: int,
        size: int = 256,
        *,
        drawings: int = 3,
        painter: str = "fast",
        kind: str | None = None,
        workers: int | None = None,
        progress: Progress = silent,
    ) -> None:
        check_size(size)
        for name, value, known in (("painter", painter, tuple(PAINTERS)), ("kind", kind, (None, *KINDS))):
            if value not in known:
                expected = ", ".join(filter(None, known))
                raise ConfigError(f"{name}: got {value!r}, expected one of: {expected}")
        for name, value, least in (("seed", seed, 0), ("count", count, 1), ("drawings", drawings, 1)):
            if value < least:
                raise ConfigError(f"{name}: got {value}, expected {least} or more")
        if workers is not None and not 0 <= workers <= MOST_WORKERS:
            raise ConfigError(f"workers: got {workers}, expected 0 to {MOST_WORKERS}; 0 renders in this process")
        self.folder = Path(folder).expanduser()
        self.drawings = drawings
        plan = _Plan(seed, count, size, drawings, PAINTERS[painter].look, painter, kind or "")
        held = _held(self.folder)
        if held is not None:
            plan = plan._replace(kind=held.kind if kind is None else kind, count=max(count, held.count))
        self._plan, self._count = plan, count
        if not _begun(self.folder, self._plan) or _left(self.folder, self._plan, count):
            PAINTERS[painter].check()
            with _alone(self.folder, progress):
                if not _begun(self.folder, self._plan):
                    _begin(self.folder, self._plan)
                _fill(self.folder, self._plan, count, _usual_workers() if workers is None else workers, progress)
        self._arrays = _open_arrays(self.folder, self._plan, "r")
        self._texts = _read_captions(self.folder, self._plan.count)[:count]

    @classmethod
    def kept(cls, folder: str | Path, count: int | None = None, progress: Progress = silent) -> SceneCache:
        """The first ``count`` scenes of a folder, or all, whatever they are; raises as the constructor does.

        ConfigError also where the folder holds none, or fewer.
        """
        held = _held(Path(folder).expanduser())
        if held is None or (count or 0) > held.count:
            got = "no scenes" if held is None else f"{held.count} scenes"
            raise ConfigError(
                f"{folder}: got {got}, expected {count or 'some'}; make them with: inkstream scenes render"
            )
        about = {"drawings": held.drawings, "painter": held.painter, "kind": held.kind or None}
        return cls(folder, held.seed, count or held.count, held.size, **about, progress=progress)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index, index % self.drawings)

    def sample(self, index: int, drawing: int) -> Sample:
        """The scene of ``seed + index`` with one of its drawings."""
        if not 0 <= index < len(self):
            raise IndexError(f"got {index}, expected 0 to {len(self) - 1}")
        if not 0 <= drawing < self.drawings:
            raise IndexError(f"got drawing {drawing}, expected 0 to {self.drawings - 1}")
        texts, tags = self._texts[index]
        picture, clean, labels = (np.array(self._arrays[name][index]) for name in ("picture", "clean", "labels"))
        return Sample(picture, np.array(self._arrays["sketch"][index, drawing]), texts, clean, labels, tags)

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return self._plan.size

    def scene(self, index: int) -> Scene:
        """What a picture shows."""
        return self._plan.scene(index)

    def texts(self) -> list[tuple[str, ...]]:
        """The captions of each scene."""
        return [captions for captions, _ in self._texts]

    def tags(self) -> list[Mapping[str, str]]:
        """The tags of each scene."""
        return [tags for _, tags in self._texts]


@contextmanager
def _alone(folder: Path, progress: Progress) -> Iterator[None]:
    """Make a folder, and be the only one that writes into it. Raises ConfigError, DataError.

    Where the names of a cache are there before any lock was, they are somebody's, and stay.
    """
    lock = folder / LOCK
    if not os.path.lexists(lock) and not os.path.lexists(folder / ABOUT):
        there = [name for name in FILES if os.path.lexists(folder / name)]
        if there:
            raise ConfigError(f"{folder}: got {there[0]} of something else there; keep scenes in another folder")
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(lock, PATIENCE, progress))
        except Busy as busy:
            raise DataError(f"{folder}: another process renders scenes there: {busy}; stop it and try again") from busy
        except OSError as error:
            raise DataError(
                f"{folder}: cannot be written to: {error.strerror or error}; choose another folder"
            ) from error
        try:
            yield
        except OSError as error:
            raise DataError(f"{folder}: scenes cannot be kept: {error.strerror or error}; make room") from error


def _usual_workers() -> int:
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_WORKERS)


def _held(folder: Path) -> _Plan | None:
    """What a folder was begun with."""
    path = folder / ABOUT
    if not path.exists():
        return None
    try:
        return _Plan(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: got {str(error)[:100]}, expected what a cache holds; delete {folder}") from None


def _begun(folder: Path, plan: _Plan) -> bool:
    """Whether the folder has this cache; raises ConfigError when it has another one."""
    held = _held(folder)
    if held is None:
        return False
    different = [name for name, value in plan._asdict().items() if getattr(held, name) != value]
    if different:
        got, wanted = ({name: getattr(each, name) for name in different} for each in (held, plan))
        raise ConfigError(f"{folder}: got scenes with {got}, expected {wanted}; use another folder, or delete this one")
    return True


def _begin(folder: Path, plan: _Plan) -> None:
    """Lay out empty arrays; the file that says what they hold comes last, so that a half-begun cache is begun anew."""
    scenes = map(plan.scene, range(plan.count))
    lines = (json.dumps({"captions": captions(scene), "tags": dict(scene.tags)}) + "\n" for scene in scenes)
    write_whole(folder / CAPTIONS, *(line.encode() for line in lines))
    for name, shape in {**plan.shapes(), "done": (plan.blocks,)}.items():
        new_array(folder / f"{name}.npy", shape, np.uint8).flush()
    write_json(folder / ABOUT, plan._asdict())


def _open_arrays(folder: Path, plan: _Plan, mode: Mode) -> dict[str, np.memmap]:
    return {name: _open_array(folder / f"{name}.npy", shape, mode) for name, shape in plan.shapes().items()}


def _open_array(path: Path, shape: tuple[int, ...], mode: Mode) -> np.memmap:
    if mode == "r+" and path.is_symlink():  # who packed a folder must not decide where we write
        raise DataError(f"{path}: got a link, expected a file; delete {path.parent} and render again")
    try:
        array = np.load(path, mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {str(error)[:150]}; delete {path.parent} and render again") from error
    if not isinstance(array, np.memmap) or array.shape != shape or array.dtype != np.uint8:
        raise DataError(
            f"{path}: got {array.dtype} {array.shape}, expected uint8 {shape}; delete {path.parent} and render again"
        )
    return array


def _read_captions(folder: Path, count: int) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    path = folder / CAPTIONS
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        texts = [(tuple(row["captions"]), row["tags"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: {str(error)[:100]}; delete {folder} and render again") from error
    if len(texts) != count:
        raise DataError(f"{path}: got {len(texts)} lines, expected {count}; delete {folder} and render again")
    return texts


def _left(folder: Path, plan: _Plan, count: int) -> list[int]:
    """Blocks that are still to be rendered for the first ``count`` scenes."""
    done = _open_array(folder / DONE, (plan.blocks,), "r")
    return [block for block in range(plan.block(count - 1) + 1) if not done[block]]


def _fill(folder: Path, plan: _Plan, count: int, workers: int, progress: Progress) -> None:
    """Render what is not done of the first ``count`` scenes; a block is marked only when all of it is on disk."""
    left, wanted = _left(folder, plan, count), plan.block(count - 1) + 1
    if not left:
        return
    done = _open_array(folder / DONE, (plan.blocks,), "r+")
    progress("rendering scenes", 1 - len(left) / wanted)
    for number, block in enumerate(_rendered(folder, plan, left, workers), start=1):
        done[block] = 1
        done.flush()
        progress("rendering scenes", 1 - (len(left) - number) / wanted)


def _rendered(folder: Path, plan: _Plan, blocks: list[int], workers: int) -> Iterator[int]:
    """Render blocks; gives each one's number when it is on disk."""
    if workers == 0:
        for block in blocks:
            with _one_thread():
                _render_block(folder, plan, block)
            yield block
        return
    started = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(blocks)), started, torch.set_num_threads, (1,)) as pool:
        waiting: set[Future[int]] = {pool.submit(_render_block, folder, plan, block) for block in blocks}
        try:
            while waiting:
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ready)
        except BrokenProcessPool as error:
            raise DataError(f"{folder}: a process that rendered was killed; free memory and run it again") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a process of its own: how work is split among threads may change a picture's last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _render_block(folder: Path, plan: _Plan, block: int) -> int:
    """Render one block into the arrays; any process may do it, and do it again."""
    arrays = _open_arrays(folder, plan, "r+")
    together = BLOCK[plan.painter]
    first = block * together
    rows = range(first, min(first + together, plan.count))
    scenes = [plan.scene(row) for row in rows]
    renders = painter_of(plan.painter)(scenes, plan.size)
    lines, labels = renders.lines.cpu().numpy(), renders.labels.cpu().numpy()
    for name, values in (("picture", renders.pixels()), ("clean", lines), ("labels", labels)):
        arrays[name][first : rows.stop] = values
    for index, (row, scene) in enumerate(zip(rows, scenes, strict=True)):
        arrays["sketch"][row] = np.stack(drawings(lines[index], scene.seed, plan.drawings))
    for array in arrays.values():
        array.flush()
    return block
