"""Blender's Cycles behind a few plain calls: a stage with a camera, meshes with a class and a part, one render.

Blender (GPL) is a module of Python here, used to make data and imported when it is asked for. Points come as
everywhere in these scenes, y up and z towards the viewer; Blender has z up.
"""

from __future__ import annotations

import importlib
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...stream.base.exr import read_exr
from ._camera import View
from ._solid_mesh import Faces, Shell
from .palette import NUMBER

SAMPLES = 2  # a pixel of a render that is half as large again: 4.5 for each pixel that is kept; 4 look the same
BOUNCES = 4
PARTS = 32  # an object's number is its part times this, and its class


def blender() -> Any:
    """The module ``bpy``; whether it is there is for ``painters`` to say."""
    return importlib.import_module("bpy")


def turned(points: np.ndarray) -> np.ndarray:
    """(N, 3) of ours as Blender has them."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1)


class Stage:
    """An empty scene of Blender's; whatever was there before is gone."""

    def __init__(self, size: int, seed: int) -> None:
        self.bpy = blender()
        self.bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = self.bpy.context.scene
        self.air = 1.0  # how far one sees, against clear air
        self.haze: tuple[float, float, float] = (0.6, 0.6, 0.6)  # the colour of far air
        self.wet = False  # whether it rains on what is outside
        render = self.scene.render
        render.engine = "CYCLES"
        cycles = self.scene.cycles
        cycles.device, cycles.samples, cycles.seed = "CPU", SAMPLES, seed % 2**31
        cycles.use_adaptive_sampling = False
        cycles.use_light_tree = False  # which costs more than it gives where lamps are few
        cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
        cycles.denoising_prefilter = cycles.denoising_quality = "FAST"
        cycles.max_bounces = BOUNCES
        cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces = 2, 3, 3
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect = 4.0
        cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.2
        render.threads_mode, render.threads = "FIXED", 1
        render.resolution_x = render.resolution_y = size
        render.resolution_percentage = 100
        layer = self.scene.view_layers[0]
        layer.use_pass_z = layer.use_pass_normal = layer.use_pass_object_index = True
        settings = render.image_settings
        if hasattr(settings, "media_type"):
            settings.media_type = "MULTI_LAYER_IMAGE"
        settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"
        if hasattr(settings, "use_exr_interleave"):
            settings.use_exr_interleave = True

    # --- what is there

    def shell(self, name: str, shell: Shell, material: Any, label: str, part: int) -> Any:
        """A surface with normals of its own."""
        if not len(shell.triangles):
            return None
        mesh = self._mesh(name, shell.points, [*map(tuple, shell.triangles.tolist())], True)
        normals = turned(shell.normals)
        mesh.normals_split_custom_set_from_vertices(normals.tolist())
        return self._object(name, mesh, material, label, part)

    def faces(
        self,
        name: str,
        faces: Faces,
        material: Any,
        label: str,
        part: int,
        *,
        smooth: float = 0.0,
        bevel: float = 0.0,
    ) -> Any:
        """Polygons; edges below ``smooth`` degrees are rounded off, others get a bevel of that many metres."""
        if not faces.faces:
            return None
        mesh = self._mesh(name, np.array(faces.points, np.float32), faces.faces, smooth > 0)
        if 0 < smooth < 180:
            mesh.set_sharp_from_angle(angle=math.radians(smooth))
        thing = self._object(name, mesh, material, label, part)
        if bevel:
            change = thing.modifiers.new("bevel", "BEVEL")
            change.width, change.segments, change.limit_method = bevel, 2, "ANGLE"
            change.use_clamp_overlap = change.harden_normals = True
        return thing

    def copies(self, thing: Any, points: np.ndarray, sizes: np.ndarray, seed: int, lean: float = 0.0) -> None:
        """``thing`` again at each of ``points`` (N, 3), ``sizes`` (N,) times as large, turned around at random.

        The thing itself is not seen any more. ``lean`` tips copies over by up to so many radians.
        """
        rng = np.random.default_rng(seed)
        angle = rng.uniform(0, 2 * math.pi, len(points))
        at = turned(np.asarray(points, np.float64))
        up = rng.normal(0, math.tan(lean) if lean else 0, (len(at), 3)) * 0.5
        up[:, 2] = 1
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        flat = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], 1)
        right = flat - up * (flat * up).sum(1, keepdims=True)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        ahead = np.cross(up, right)
        half = (np.asarray(sizes) / 2)[:, None]  # a copy is as large as the root of its face's area
        corners = np.stack([at - (right + ahead) * half, at + (right - ahead) * half], 1)
        corners = np.concatenate([corners, np.stack([at + (right + ahead) * half, at - (right - ahead) * half], 1)], 1)
        faces = np.arange(4 * len(at)).reshape(-1, 4)
        mesh = self._mesh("places", corners.reshape(-1, 3), [*map(tuple, faces.tolist())], False, turn=False)
        holder = self.bpy.data.objects.new("places", mesh)
        self.scene.collection.objects.link(holder)
        holder.instance_type, holder.use_instance_faces_scale = "FACES", True
        holder.show_instancer_for_render = False
        thing.parent = holder

    def _mesh(
        self, name: str, points: np.ndarray, faces: Sequence[tuple[int, ...]], smooth: bool, turn: bool = True
    ) -> Any:
        mesh = self.bpy.data.meshes.new(name)
        lengths = np.array([len(face) for face in faces], np.int32)
        mesh.vertices.add(len(points))
        mesh.vertices.foreach_set("co", np.ascontiguousarray(turned(points) if turn else points, np.float32).ravel())
        mesh.loops.add(int(lengths.sum()))
        mesh.loops.foreach_set("vertex_index", np.concatenate([np.array(face, np.int32) for face in faces]))
        mesh.polygons.add(len(faces))
        mesh.polygons.foreach_set("loop_start", np.concatenate([[0], lengths.cumsum()[:-1]]).astype(np.int32))
        mesh.polygons.foreach_set("use_smooth", np.full(len(faces), smooth))
        mesh.update(calc_edges=True)
        return mesh

    def _object(self, name: str, mesh: Any, material: Any, label: str, part: int) -> Any:
        thing = self.bpy.data.objects.new(name, mesh)
        if material is not None:
            mesh.materials.append(material)
        thing.pass_index = self.number(label, part)
        self.scene.collection.objects.link(thing)
        return thing

    @staticmethod
    def number(label: str, part: int) -> int:
        """What an object of a class and a part is called in the passes."""
        return part * PARTS + NUMBER[label]

    def put(self, thing: Any, at: Sequence[float], size: float, turn: float, label: str, part: int) -> None:
        """Stand ``thing`` at a point, ``size`` times as large, turned by ``turn`` radians."""
        if thing is None:
            return
        thing.location = turned(np.array([at], float))[0].tolist()
        thing.scale, thing.rotation_euler = (size,) * 3, (0.0, 0.0, turn)
        thing.pass_index = self.number(label, part)

    def again(self, thing: Any, at: Sequence[float], size: float, turn: float, label: str, part: int) -> None:
        """The same mesh once more, as ``put`` puts it."""
        if thing is None:
            return
        other = thing.copy()
        self.scene.collection.objects.link(other)
        self.put(other, at, size, turn, label, part)

    # --- light and camera

    def sun(self, toward: Sequence[float], colour: Sequence[float], strength: float, angle: float) -> None:
        """Light from the direction ``toward``; ``strength`` is W/m2, ``angle`` in degrees is how large it is."""
        light = self.bpy.data.lights.new("sun", "SUN")
        light.color, light.energy, light.angle = tuple(colour), strength, math.radians(angle)
        self._aim(light, (0.0, 0.0, 0.0), [-value for value in toward])

    def lamp(
        self, kind: str, at: Sequence[float], toward: Sequence[float], watts: float, size: float, **more: Any
    ) -> None:
        """An AREA or a SPOT at a point, aimed at another; ``more`` are settings of Blender's."""
        light = self.bpy.data.lights.new("lamp", kind)
        light.energy = watts
        setattr(light, "size" if kind == "AREA" else "shadow_soft_size", size)
        for name, value in more.items():
            setattr(light, name, value)
        self._aim(light, at, [b - a for a, b in zip(at, toward, strict=True)])

    def _aim(self, light: Any, at: Sequence[float], along: Sequence[float]) -> None:
        mathutils = importlib.import_module("mathutils")
        thing = self.bpy.data.objects.new("light", light)
        (place,), (way,) = turned(np.array([at], float)), turned(np.array([along], float))
        thing.location = place.tolist()
        thing.rotation_euler = mathutils.Vector(way.tolist()).to_track_quat("-Z", "Y").to_euler()
        self.scene.collection.objects.link(thing)

    def look(self, view: View, near: float = 0.05) -> None:
        """Look as ``view`` says."""
        mathutils = importlib.import_module("mathutils")
        camera = self.bpy.data.cameras.new("camera")
        camera.sensor_fit, camera.angle = "HORIZONTAL", view.field
        camera.shift_x, camera.shift_y = (view.centre[k] - view.place[k] for k in (0, 1))
        camera.clip_start, camera.clip_end = near, 1e5
        thing = self.bpy.data.objects.new("camera", camera)
        right, up, forward = turned(np.array(view.axes))
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = right, up, -forward
        matrix[:3, 3] = turned(np.array([view.eye]))[0]
        thing.matrix_world = mathutils.Matrix(matrix.tolist())
        self.scene.collection.objects.link(thing)
        self.scene.camera = thing

    # --- the picture

    def rendered(self) -> dict[str, np.ndarray]:
        """Everything that is seen: "light" (S, S, 3) linear, "depth" (S, S) metres along the view axis, "normal"
        (S, S, 3) in the world as ours, "part" and "label" (S, S) int32; depth is inf where there is nothing."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "render.exr"
            self.scene.render.filepath = str(path)
            self.bpy.ops.render.render(write_still=True)
            channels = read_exr(path)

        def of(name: str, parts: str) -> np.ndarray:
            found = {key.split(".", 1)[-1]: value for key, value in channels.items()}
            return np.stack([found[f"{name}.{part}"] for part in parts], -1)

        normal = of("Normal", "XYZ")
        depth = of("Depth", "Z" if any(key.endswith("Depth.Z") for key in channels) else "V")[..., 0]
        index = of("Object Index", "X" if any(key.endswith("Object Index.X") for key in channels) else "V")[..., 0]
        number = index.round().astype(np.int32)
        return {
            "light": of("Combined", "RGB"),
            "depth": np.where(depth > 4e4, np.inf, depth).astype(np.float32),
            "normal": np.stack([normal[..., 0], normal[..., 2], -normal[..., 1]], -1),
            "part": number // PARTS,
            "label": number % PARTS,
        }
