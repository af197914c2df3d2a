"""Meshes from files, read by trimesh: glTF, OBJ, PLY and STL."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ...base.errors import SourceUnavailable
from ...base.plain import reason
from .geometry import MOST_THINGS, Geometry, check_faces, face_normals, smooth_normals

FORMATS = (".glb", ".obj", ".ply", ".stl")
UPRIGHT = (".glb", ".obj")  # y is up in these; z in the others
CREASE = np.cos(np.radians(40.0))
PLAIN = (188, 186, 182)  # what has no colour
INSTALL = 'pip install "inkstream[scene]"'


def load(path: Path) -> Geometry:
    """Everything in a file, each of its objects a thing that is called what the file calls it, or its material.

    Raises SourceUnavailable with what to do for a file that is missing, that cannot be read, and for what cannot be
    drawn: no faces, corners that are no numbers, too many faces (before they are read, where the file says so).
    """
    if path.suffix.lower() not in FORMATS:
        raise SourceUnavailable(f"scene: got {path.name!r}, expected a file that ends in {', '.join(FORMATS)}")
    if not path.is_file():
        raise SourceUnavailable(f"scene: there is no file {str(path)!r}")
    try:
        import trimesh
    except ImportError as error:
        raise SourceUnavailable(f"scene: files are read by trimesh, which is not installed: {INSTALL}") from error
    try:
        faces = _faces_of(path)
        if faces is not None:
            check_faces(faces)
        scene = trimesh.load_scene(path, process=False)
    except SourceUnavailable:
        raise
    except Exception as error:  # what a broken file makes of its reader may be anything
        raise SourceUnavailable(f"scene: {path.name} cannot be read: {reason(error)}") from error
    return _merged(scene, path)


def _merged(scene: Any, path: Path) -> Geometry:
    points, normals, colours, ids, names = [], [], [], [], {}
    for node in scene.graph.nodes_geometry:
        transform, called = scene.graph[node]
        mesh = scene.geometry[called]
        faces = getattr(mesh, "faces", None)
        if faces is None or not len(faces):
            continue
        if len(names) == MOST_THINGS:
            raise SourceUnavailable(f"scene: {path.name} has over {MOST_THINGS:,} objects; join some of them")
        placed = np.asarray(mesh.vertices, np.float64) @ transform[:3, :3].T + transform[:3, 3]
        corners = placed[np.asarray(faces)]
        if path.suffix.lower() not in UPRIGHT:
            corners = corners[..., [0, 2, 1]] * [1, 1, -1]
        thing = len(names) + 1
        names[thing] = _name(str(node), mesh)
        points.append(corners)
        normals.append(_normals(corners))
        colours.append(_colours(mesh, len(faces)))
        ids.append(np.full(len(faces), thing, np.uint16))
    if not points:
        check_faces(0)
    return Geometry(
        np.concatenate(points).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
        np.concatenate(colours),
        np.concatenate(ids),
        names,
    )


def _normals(corners: np.ndarray) -> np.ndarray:
    """Smooth where faces meet at a flat angle, and creased where they do not: (N, 3, 3)."""
    if not np.isfinite(corners).all():
        return np.zeros(corners.shape)  # refused, with a count, by whoever makes a scene of it
    flat = np.repeat(face_normals(corners)[:, None], 3, 1)
    smooth = smooth_normals(corners)
    return np.where(((flat * smooth).sum(-1) >= CREASE)[..., None], smooth, flat)


def _colours(mesh: Any, faces: int) -> np.ndarray:
    """(N, 3) uint8, also of what has a texture."""
    visual = mesh.visual
    try:
        if getattr(visual, "kind", None) == "texture":
            visual = visual.to_color()
            visual.mesh = mesh
        elif getattr(visual, "kind", None) is None:
            return np.full((faces, 3), PLAIN, np.uint8)
        found = np.asarray(visual.face_colors)[:, :3].astype(np.uint8)
        return found if found.shape == (faces, 3) else np.full((faces, 3), PLAIN, np.uint8)
    except (
        ValueError,
        AttributeError,
        IndexError,
        TypeError,
        ImportError,
    ):  # no colour that trimesh finds
        return np.full((faces, 3), PLAIN, np.uint8)


def _name(node: str, mesh: Any) -> str:
    material = getattr(getattr(mesh.visual, "material", None), "name", None)
    dull = node.lower().startswith(("geometry", "mesh", "object", "node", "world", "cube", "plane"))
    return str(material if dull and material else node).lower().replace("_", " ").split(".")[0]


def _faces_of(path: Path) -> int | None:
    """How many faces a file says that it has, or has by its lines; None where that takes reading it."""
    with path.open("rb") as file:
        if path.suffix.lower() == ".glb":
            magic, _, _ = struct.unpack("<4sII", file.read(12))
            length, _ = struct.unpack("<I4s", file.read(8))
            if magic != b"glTF" or length > 1 << 28:
                return None
            return _faces_of_gltf(json.loads(file.read(length)))
        if path.suffix.lower() == ".ply":
            for line in file.read(1 << 16).split(b"end_header")[0].splitlines():
                if line.startswith(b"element face"):
                    return int(line.split()[2])
            return None
        if path.suffix.lower() == ".stl":
            head = file.read(84)
            count = struct.unpack("<I", head[80:84])[0] if len(head) == 84 else 0
            return count if path.stat().st_size == 84 + 50 * count else None
        count, before = 0, b"\n"
        while piece := file.read(1 << 24):
            count += (before[-2:] + piece).count(b"\nf ")
            before = piece
        return count


def _faces_of_gltf(data: dict[str, Any]) -> int | None:
    counts = [each.get("count", 0) for each in data.get("accessors", [])]
    faces = 0
    for mesh in data.get("meshes", []):
        for part in mesh.get("primitives", []):
            which = part.get("indices", part.get("attributes", {}).get("POSITION"))
            if part.get("mode", 4) == 4 and isinstance(which, int) and which < len(counts):
                faces += counts[which] // 3
    return faces or None
