"""The fast renderer: OpenGL by moderngl, on a graphics card, or without one by Mesa's llvmpipe; it needs no window."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from ...base.errors import SourceUnavailable
from ...base.frame import Size
from ...base.passes import Passes
from ...base.plain import reason
from .geometry import Geometry
from .shading import AMBIENT, FACING, HAZE, HORIZON, SKYLIGHT, SUN, SUNLIGHT, ZENITH
from .view import View

INSTALL = 'pip install "inkstream[scene]"'
NO_DRIVER = "install the system's OpenGL (Debian and Ubuntu: apt install libegl1 libgl1 libgl1-mesa-dri)"
SHARED = 400_000  # faces up to which equal corners are looked for


def _glsl(numbers: Iterable[float]) -> str:
    return ", ".join(str(float(each)) for each in numbers)


VERTEX = """#version 330
uniform mat4 screen;
in vec3 place; in vec3 normal; in vec4 colour; in uint thing;
out vec3 at; out vec3 up; flat out vec3 paint; flat out uint what;
void main() {
    gl_Position = screen * vec4(place, 1.0);
    at = place; up = normal; paint = colour.rgb; what = thing;
}
"""
FRAGMENT = f"""#version 330
uniform vec3 eye; uniform mat3 axes;
in vec3 at; in vec3 up; flat in vec3 paint; flat in uint what;
layout(location = 0) out vec4 picture; layout(location = 1) out vec4 normal;
void main() {{
    vec3 n = normalize(up);
    if (dot(at - eye, n) > 0.0) n = -n;
    float light = {AMBIENT} + {SKYLIGHT} * (0.5 + 0.5 * n.y) + {SUNLIGHT} * max(dot(n, vec3({_glsl(SUN)})), 0.0);
    picture = vec4(paint * light, float(what & 255u) / 255.0);
    normal = vec4((n * axes * vec3(-1.0, 1.0, 1.0) + 1.0) * 0.5, float(what >> 8u) / 255.0);
}}
"""
SKY_VERTEX = """#version 330
uniform vec2 reach; out vec2 ray;
void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    ray = corner * reach;
    gl_Position = vec4(corner, 1.0, 1.0);
}
"""
SKY_FRAGMENT = f"""#version 330
uniform vec3 upwards; in vec2 ray;
layout(location = 0) out vec4 picture; layout(location = 1) out vec4 normal;
void main() {{
    float high = (upwards.x * ray.x - upwards.y * ray.y - upwards.z) / length(vec3(ray, 1.0));
    vec3 colour = mix(vec3({_glsl(HORIZON)}), vec3({_glsl(ZENITH)}), clamp(high * {HAZE}, 0.0, 1.0));
    picture = vec4(colour / 255.0, 0.0);
    normal = vec4(vec3({_glsl(FACING)}) / 255.0, 0.0);
}}
"""


class GlRenderer:
    """Draws one scene at one size, from any thread, one at a time. Raises SourceUnavailable where OpenGL is missing."""

    def __init__(self, geometry: Geometry, size: Size) -> None:
        self._names, self._size = geometry.names, size
        self._gl = load_moderngl()
        context = self._context = _standalone(self._gl)
        with context:
            self.about = str(context.info.get("GL_RENDERER", "OpenGL"))
            self._things = context.program(vertex_shader=VERTEX, fragment_shader=FRAGMENT)
            self._sky = context.program(vertex_shader=SKY_VERTEX, fragment_shader=SKY_FRAGMENT)
            corners, order = _corners(geometry)
            buffer = context.buffer(corners.tobytes())
            self._faces = context.vertex_array(
                self._things,
                [(buffer, "3f 3f 4f1 1u", "place", "normal", "colour", "thing")],
                index_buffer=None if order is None else context.buffer(order.tobytes()),
            )
            self._nothing = context.vertex_array(self._sky, [])
            maps = [context.texture(size, 4) for _ in range(2)]
            self._target = context.framebuffer(maps, context.depth_texture(size))
        self._picture, self._normal = (np.empty((size.height, size.width, 4), np.uint8) for _ in range(2))

    def draw(self, view: View, number: int = 0) -> tuple[np.ndarray, Passes]:
        """The picture, (H, W, 3) uint8 RGB, and its passes."""
        size, target = self._size, self._target
        projection = view.projection(size)
        depth = np.empty((size.height, size.width), np.float32)
        with self._context as context:
            target.use()
            target.clear(depth=1.0)
            context.enable(self._gl.DEPTH_TEST)
            context.depth_func = "<="
            self._things["screen"].write(_screen(projection, size, view.nearest))  # pyright: ignore
            self._things["eye"].value = tuple(view.eye)  # pyright: ignore
            self._things["axes"].write(view.axes.T.astype(np.float32, order="F").tobytes(order="F"))  # pyright: ignore
            self._faces.render()
            tall = np.tan(np.radians(view.fov) / 2)
            self._sky["reach"].value = (tall * size.width / size.height, tall)  # pyright: ignore
            self._sky["upwards"].value = tuple(view.axes[:, 1])  # pyright: ignore
            self._nothing.render(vertices=3)  # last, so that it is worked out only where there is nothing
            target.read_into(self._picture, components=4, attachment=0)
            target.read_into(self._normal, components=4, attachment=1)
            target.read_into(depth, components=1, attachment=-1, dtype="f4")
        # OpenGL's depth is linear in ours: 0 at ``nearest``, 1 at 0.
        depth *= -view.nearest
        depth += view.nearest
        ids = self._normal[..., 3].astype(np.uint16) << 8 | self._picture[..., 3]
        pixels, normal = (cv2.cvtColor(each, cv2.COLOR_RGBA2RGB) for each in (self._picture, self._normal))
        return pixels, Passes(depth, normal, ids, None, self._names, projection, None, number)

    def close(self) -> None:
        """Give back what the graphics card holds."""
        with self._context:
            self._target.release()
            self._faces.release()
        self._context.release()


def load_moderngl() -> ModuleType:
    """The package, which is optional. Raises SourceUnavailable with how to install it."""
    try:
        import moderngl
    except ImportError as error:
        raise SourceUnavailable(f"scene: OpenGL is reached by moderngl, which is not installed: {INSTALL}") from error
    return moderngl


def _standalone(gl: ModuleType) -> Any:
    """A context without a window, current in no thread."""
    ways = [{"backend": "egl"}, {}] if sys.platform.startswith("linux") else [{}]
    failed = []
    for way in ways:
        try:
            context = gl.create_context(standalone=True, require=330, **way)
        except Exception as error:  # noqa: BLE001 - drivers, and loaders that miss a library, raise anything
            failed.append(f"{way.get('backend', 'the desktop')}: {reason(error)}")
            continue
        context.__exit__(None, None, None)
        return context
    raise SourceUnavailable(f"scene: no OpenGL 3.3 here ({'; '.join(failed)}); {NO_DRIVER}")


def _corners(geometry: Geometry) -> tuple[np.ndarray, np.ndarray | None]:
    """Corners as the buffer takes them, equal ones once, and which ones each triangle has; None: all in order."""
    count = len(geometry.points) * 3
    corners = np.zeros(count, np.dtype([("place", "3f4"), ("normal", "3f4"), ("colour", "4u1"), ("thing", "u4")]))
    corners["place"] = geometry.points.reshape(-1, 3)
    corners["normal"] = geometry.normals.reshape(-1, 3)
    corners["colour"][:, :3] = np.repeat(geometry.colours, 3, axis=0)
    corners["thing"] = np.repeat(geometry.ids, 3)
    if count > 3 * SHARED:
        return corners, None
    _, first, order = np.unique(corners.view("V32"), return_index=True, return_inverse=True)
    return corners[first], order.reshape(-1).astype(np.uint32)


def _screen(projection: np.ndarray, size: Size, nearest: float) -> bytes:
    """What takes places to OpenGL's clip coordinates, as it reads it. Rows go down there: the first is the top one."""
    to_clip = np.array(
        [
            [2 / size.width, 0, 0, 1 / size.width - 1],
            [0, 2 / size.height, 0, 1 / size.height - 1],
            [0, 0, -2 / nearest, 1],
            [0, 0, 0, 1],
        ]
    )
    return (to_clip @ projection).T.astype(np.float32).tobytes()
