"""What other programs know of their pictures: colour, depth, normals and more, from a folder or side by side."""

from __future__ import annotations

from pathlib import Path

from ...base.errors import ConfigError
from ...base.spec import Kind, Option, Spec, one_of
from .beside import BesideSource
from .folder import DEPTHS, NORMALS, Depth, FolderSource, Normals

__all__ = ["BesideSource", "FolderSource", "open"]


def open(spec: Spec) -> FolderSource | BesideSource:
    """``gbuffer:FOLDER``, or ``gbuffer:beside="screen:window=Unity"``."""
    return gbuffer(**spec.take(KIND.options))


def gbuffer(
    path: str | Path | None = None,
    beside: str | None = None,
    order: str | None = None,
    depth: Depth = "near",
    normals: Normals = "left",
    near: float | None = None,
    far: float | None = None,
    fps: float = 60.0,
) -> FolderSource | BesideSource:
    """A folder, or another source whose pictures are cut; raises ConfigError for what belongs to the other of them."""
    if beside is not None:
        if path is not None or near is not None or far is not None:
            raise ConfigError("gbuffer: a folder, near and far do not go with beside, which takes another source")
        return BesideSource(beside, order or "colour|depth", depth)
    if not path:
        raise ConfigError("gbuffer: expected a folder, for example gbuffer:/dev/shm/view, or beside=SOURCE")
    if order is not None:
        raise ConfigError("gbuffer: order says what lies beside what, with beside=SOURCE")
    return FolderSource(path, depth, normals, near, far, fps)


def present(spec: Spec) -> bool | None:
    """Whether the folder is there; of another source nobody knows."""
    path = spec.take(KIND.options).get("path")
    return None if path is None else Path(path).expanduser().is_dir()


KIND = Kind(
    "what another program knows of its pictures: colour, depth, normals and things, from a folder or side by side",
    ("gbuffer:/dev/shm/view", 'gbuffer:beside="screen:window=Unity",order=colour|depth'),
    {
        "path": Option(str, "FOLDER", "where the program writes its passes, again and again"),
        "beside": Option(str, "SOURCE", "another source, whose picture has its passes side by side"),
        "order": Option(str, "NAMES", "of those from left to right: colour, depth, normal, ids, with | between them"),
        "depth": Option(one_of(DEPTHS), "|".join(DEPTHS), "near or far is bright, or z: lengths, as EXR and npy have"),
        "normals": Option(one_of(NORMALS), "|".join(NORMALS), "red is left, as ControlNets want it, or right"),
        "near": Option(float, "N", "of lengths, the one that is white; else as the first picture has them"),
        "far": Option(float, "N", "of lengths, the one that is black"),
        "fps": Option(float, "N", "how often the folder is looked at, in a second"),
    },
    gbuffer,
)
