"""A folder into which another program writes what it knows of its picture, again and again.

- ``colour`` is the picture; ``depth``, ``normal``, ``ids``, ``edges`` and ``motion`` may lie beside it, each as
  ``.png``, ``.npy`` or ``.exr`` (not compressed). One ``.exr`` may have them all, as Blender writes it.
- A program that writes several files at once writes ``frame.json`` last. It may say ``number`` (it counts pictures) and
  ``projection``, the 16 numbers of ``Passes.projection`` row by row, with which motion is exact; then the depth is that
  of ``Passes``, too. Without ``frame.json`` a picture is new when ``colour`` is.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from ...base.errors import ConfigError, DataError, FrameError, SourceEnded, SourceLost, SourceUnavailable
from ...base.exr import read_exr
from ...base.frame import Size
from ...base.pacing import Clock, Pacer
from ...base.passes import Passes

Depth = Literal["near", "far", "z"]
Normals = Literal["left", "right"]
DEPTHS, NORMALS = ("near", "far", "z"), ("left", "right")
FORMATS = (".npy", ".exr", ".png")
NAMES = {
    "colour": ("colour", "color", "beauty", "rgb", "combined"),
    "depth": ("depth", "z"),
    "normal": ("normal", "normals"),
    "ids": ("ids", "id", "indexob", "object"),
    "edges": ("edges", "lines"),
    "motion": ("motion", "flow"),
}
FRAME = "frame.json"
MOST_BYTES = 1 << 29
STAMP_BYTES = 1 << 16


class FolderSource:
    """Pictures from a folder, each with its passes; live, and still while nothing new is written.

    A picture whose passes differ in size, or cannot be read, is one unusable frame (FrameError, which names the file),
    and the next one is waited for. Lengths (``depth`` z) become depths between ``near`` and ``far``, which stay as the
    first picture has them.
    """

    live = moves = True

    def __init__(
        self,
        path: str | Path,
        depth: Depth = "near",
        normals: Normals = "left",
        near: float | None = None,
        far: float | None = None,
        fps: float = 60.0,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        self._folder = Path(path).expanduser()
        if not self._folder.is_dir():
            raise SourceUnavailable(f"gbuffer: there is no folder {str(path)!r}; make it, or start what writes into it")
        if near is not None and far is not None and not 0 < near < far:
            raise ConfigError(f"gbuffer: got near={near:g} and far={far:g}, expected 0 < near < far")
        self.passes: Passes | None = None
        self._depth: Depth = depth
        self._normals: Normals = normals
        self._near, self._far = near, far
        self._stop = stop or threading.Event()
        self._pacer = Pacer.of_fps(fps, clock, self._stop)
        self._seen: Any = None  # what told the last picture from the one before
        self._count = 0

    def read(self) -> np.ndarray:
        """The next picture, (H, W, 3) uint8 RGB; waits until one is written."""
        while self._pacer.wait():
            if not self._folder.is_dir():
                raise SourceLost(f"gbuffer: the folder {str(self._folder)!r} is gone")
            files = self._files()
            stamp = self._stamp(files)
            if stamp is None or stamp == self._seen:
                continue
            self._seen = stamp
            return self._take(files)
        raise SourceEnded("gbuffer: closed")

    def close(self) -> None:
        self._stop.set()

    def _files(self) -> dict[str, Path]:
        """Which file has each pass."""
        there = {each.name.lower(): each for each in self._folder.iterdir() if each.suffix.lower() in FORMATS}
        found = {}
        for name, words in NAMES.items():
            usable = [there[word + ending] for word in words for ending in FORMATS if word + ending in there]
            if usable:
                found[name] = usable[0]
        if "colour" not in found and (whole := [each for each in there.values() if each.suffix.lower() == ".exr"]):
            found["colour"] = max(whole, key=lambda each: each.name)  # the newest of a numbered row
        return found

    def _stamp(self, files: dict[str, Path]) -> Any:
        """What changes with every picture; None while there is none."""
        told = self._folder / FRAME
        try:
            about = (told if told.exists() else files["colour"]).stat()
        except (KeyError, OSError):  # nothing was written yet, or it is being replaced
            return None
        return about.st_mtime_ns, about.st_ino, about.st_size

    def _take(self, files: dict[str, Path]) -> np.ndarray:
        said = self._said()
        maps: dict[str, np.ndarray] = {}
        for name, path in files.items():
            for what, each in _read(path, name).items():
                maps.setdefault(what, each)
        if "colour" not in maps:
            raise FrameError(f"gbuffer: {self._folder} has no colour; write colour.png, colour.npy or colour.exr")
        sizes = {name: Size.of(each) for name, each in maps.items()}
        if len(set(sizes.values())) > 1:
            parts = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise FrameError(f"gbuffer: got {parts}, expected one size; render all passes at the same resolution")
        number = said.get("number", self._count)
        self._count = (number if isinstance(number, int) else self._count) + 1
        projection = _matrix(said.get("projection"))
        depth = maps.get("depth")
        self.passes = Passes(
            None if depth is None else depth if projection is not None else self._scaled(depth),
            None if "normal" not in maps else normals_of(maps["normal"], self._normals),
            None if "ids" not in maps else ids_of(maps["ids"]),
            None if "edges" not in maps else _grey(maps["edges"]),
            projection=projection if depth is not None else None,
            flow=None if "motion" not in maps else np.ascontiguousarray(maps["motion"][..., :2], np.float32),
            number=self._count - 1,
        )
        return colour_of(maps["colour"])

    def _said(self) -> dict[str, Any]:
        path = self._folder / FRAME
        if not path.exists():
            return {}
        try:
            said = json.loads(path.read_bytes()[:STAMP_BYTES])
        except (OSError, ValueError) as error:
            raise FrameError(
                f"gbuffer: {FRAME} is no JSON ({error}); write it whole, under another name, and rename it"
            ) from error
        if not isinstance(said, dict):
            raise FrameError(f'gbuffer: {FRAME} has {type(said).__name__}, expected {{"number": 1, ...}}')
        return said

    def _scaled(self, depth: np.ndarray) -> np.ndarray:
        if self._depth != "z":
            level = depth_of(depth)
            return level if self._depth == "near" else np.where(level >= 1.0, 0.0, 1.0 - level).astype(np.float32)
        flat = np.asarray(depth if depth.ndim == 2 else depth[..., 0], np.float32)
        usable = np.isfinite(flat) & (flat > 0) & (flat < 1e9)  # Blender has 1e10 where there is nothing
        if self._near is None or self._far is None:
            if not usable.any():
                return np.zeros(flat.shape, np.float32)
            low, high = np.percentile(flat[usable], [1, 99])
            self._near = self._near if self._near is not None else float(low)
            self._far = self._far if self._far is not None else max(float(high) * 1.5, self._near * 1.01)
        inverse = np.where(usable, 1 / np.where(usable, flat, 1.0), 0.0)
        scaled = (inverse - 1 / self._far) / (1 / self._near - 1 / self._far)
        return np.where(usable, np.maximum(scaled, 0.0), 0.0).astype(np.float32)


def colour_of(pixels: np.ndarray) -> np.ndarray:
    """Any picture or pass as (H, W, 3) uint8 RGB; light that is linear, as in EXR, is made visible."""
    three = (
        pixels[..., :3] if pixels.ndim == 3 and pixels.shape[-1] >= 3 else np.repeat(_flat(pixels)[..., None], 3, -1)
    )
    if three.dtype == np.uint16:
        three = (three >> 8).astype(np.uint8)
    elif three.dtype != np.uint8:
        linear = np.clip(np.nan_to_num(three.astype(np.float32)), 0, 1)
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-6) ** (1 / 2.4) - 0.055)
        three = (255 * srgb).round().astype(np.uint8)
    return np.ascontiguousarray(three)


def depth_of(levels: np.ndarray) -> np.ndarray:
    """Grey levels as depths of 0 to 1: (H, W) float32."""
    flat = _flat(levels)
    most = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(flat.dtype, 1.0)
    return np.clip(np.nan_to_num(flat.astype(np.float32) / most), 0.0, 1.0).astype(np.float32)


def normals_of(levels: np.ndarray, red: Normals) -> np.ndarray:
    """Normals in BAE's colours, (H, W, 3) uint8, of colours, or of numbers -1 to 1 (x right, y up, z to the eye)."""
    if levels.ndim != 3 or levels.shape[-1] < 3:
        raise FrameError(f"gbuffer: normal has {levels.shape}, expected three channels: red, green and blue")
    three = levels[..., :3]
    if three.dtype.kind == "f":
        return np.clip((three * [-1, 1, 1] + 1) * 127.5, 0, 255).round().astype(np.uint8)
    if three.dtype == np.uint16:
        three = (three >> 8).astype(np.uint8)
    three = three.astype(np.uint8)
    if red == "right":
        three = np.dstack([255 - three[..., 0], three[..., 1:]])
    return np.ascontiguousarray(three)


def ids_of(levels: np.ndarray) -> np.ndarray:
    """Numbers, or colours that stand for things, as ids, (H, W) uint16; 0 and black are nothing."""
    if levels.ndim == 2 or levels.shape[-1] < 3:
        flat = _flat(levels)
        return (
            np.clip(np.nan_to_num(flat), 0, 65535).round().astype(np.uint16)
            if flat.dtype.kind == "f"
            else flat.astype(np.uint16)
        )
    three = (levels[..., :3] >> (8 if levels.dtype == np.uint16 else 0)).astype(np.uint32)
    code = three[..., 0] << 16 | three[..., 1] << 8 | three[..., 2]
    _, place = np.unique(np.append(0, code), return_inverse=True)  # black is the first
    return place[1:].reshape(code.shape).astype(np.uint16)


def _flat(levels: np.ndarray) -> np.ndarray:
    return levels if levels.ndim == 2 else levels[..., 0]


def _grey(levels: np.ndarray) -> np.ndarray:
    return colour_of(levels).max(axis=-1)


def _matrix(numbers: Any) -> np.ndarray | None:
    if numbers is None:
        return None
    try:
        matrix = np.array(numbers, float).reshape(4, 4)
        np.linalg.inv(matrix)
    except (ValueError, TypeError, np.linalg.LinAlgError) as error:
        raise FrameError(f"gbuffer: projection: {error}; expected 16 numbers, a matrix that can be inverted") from error
    return matrix


def _read(path: Path, name: str) -> dict[str, np.ndarray]:
    """The passes in a file; all but one in an EXR of many."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FrameError(f"gbuffer: {path.name} has over {MOST_BYTES >> 20} MB")
        if path.suffix.lower() == ".exr":
            return _sorted(read_exr(path), name)
        if path.suffix.lower() == ".npy":
            return {name: np.load(path, allow_pickle=False)}
        levels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, EOFError, DataError, cv2.error) as error:
        raise FrameError(f"gbuffer: {path.name} cannot be read: {error}") from error
    if levels is None:
        raise FrameError(
            f"gbuffer: {path.name} is no PNG, or not all of it; write it under another name, then rename it"
        )
    if levels.ndim == 3:  # OpenCV has blue first
        levels = np.ascontiguousarray(levels[..., [2, 1, 0, *range(3, levels.shape[-1])]])
    return {name: levels}


def _sorted(channels: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Channels such as ``ViewLayer.Depth.Z`` by their passes; plain ones (R, G, B) are those of the file's ``name``."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for full, each in channels.items():
        *path, last = full.split(".")
        group = path[-1].lower().replace(" ", "") if path else name
        if not path and last.upper() == "Z" and len(channels) > 1:
            group = "depth"
        groups.setdefault(group, {})[last.upper()] = each
    found = {}
    for group, parts in groups.items():
        what = next((pass_ for pass_, words in NAMES.items() if group == pass_ or group in words), None)
        if what is None:
            continue
        order = [parts[each] for each in ("R", "G", "B") if each in parts] or [
            parts[each] for each in ("X", "Y", "Z", "V") if each in parts
        ]
        if order:
            found[what] = order[0] if len(order) == 1 else np.dstack(order)
    return found
