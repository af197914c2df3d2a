"""A Blender add-on: what the 3D viewport shows becomes a render, live, with depth, normals and exact motion.

In Blender: Edit > Preferences > Add-ons > Install from Disk, this file. Then in the 3D viewport: N, Inkstream, Send.
Beside it:  inkstream run --config scene --source gbuffer:FOLDER   (the panel shows the folder)
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

bl_info = {
    "name": "Inkstream: send the viewport",
    "author": "inkstream",
    "version": (1, 0, 0),
    "blender": (4, 2, 0),
    "location": "3D Viewport > Sidebar > Inkstream",
    "category": "3D View",
}
SIZE = (512, 512)
FPS = 20
FOLDER = Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()) / "inkstream-view"


def view_depths(buffer, near, far, orthographic=False):
    """OpenGL's depth buffer (H, W), 0 to 1, as distances along the view; infinite where there is nothing."""
    buffer = np.asarray(buffer, np.float64)
    if orthographic:
        z = near + buffer * (far - near)
    else:
        z = near * far / (far - buffer * (far - near))
    return np.where(buffer < 1.0, z, np.inf)


def scaled(z, near, far):
    """Distances as inkstream has them: 1 at ``near``, 0 at ``far`` and where there is nothing, linear in 1 / z."""
    with np.errstate(divide="ignore"):
        return np.where(np.isfinite(z), (1 / z - 1 / far) / (1 / near - 1 / far), 0.0).astype(np.float32)


def normals(z, window):
    """Unit normals (H, W, 3) in the camera (x right, y up, z to the eye) from distances; towards the eye for nothing.

    ``window`` is the camera's projection matrix, whose first two diagonals are how much of the world a pixel sees.
    """
    height, width = z.shape
    x = ((np.arange(width) + 0.5) / width * 2 - 1) / window[0][0]
    y = (1 - (np.arange(height) + 0.5) / height * 2)[:, None] / window[1][1]
    z = np.where(np.isfinite(z), z, 1e6)
    places = np.stack([x * z, y * z, -z], -1)
    # Of the two neighbours the one that is less far away: so that no normal is made across an edge.
    across, down = (_nearer(places, axis) for axis in (1, 0))
    found = np.cross(down, across)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    found = np.where(length > 0, found / np.maximum(length, 1e-12), [0, 0, 1])
    return np.where(z[..., None] < 1e6, found, [0.0, 0.0, 1.0])


def _nearer(places, axis):
    before = places - np.roll(places, 1, axis)
    after = np.roll(places, -1, axis) - places
    ends = [slice(None)] * 3
    ends[axis] = slice(0, 1)
    before[tuple(ends)] = after[tuple(ends)]
    ends[axis] = slice(-1, None)
    after[tuple(ends)] = before[tuple(ends)]
    return np.where(np.abs(before[..., 2:]) < np.abs(after[..., 2:]), before, after)


def projection(view, window, size, near, far):
    """The 16 numbers, row by row, that take a place of the scene to w * (pixel x, pixel y, depth, 1); ``view`` and
    ``window`` are Blender's matrices. Only of a camera in perspective: w is then the distance."""
    width, height = size
    view, window = np.array(view, float), np.array(window, float)
    scale = 1 / (1 / near - 1 / far)
    to_pixels = np.array([[width / 2, 0, 0, (width - 1) / 2], [0, -height / 2, 0, (height - 1) / 2]])
    rows = to_pixels @ window[[0, 1, 2, 3]]
    w = window[3]
    depth = scale * (np.array([0, 0, 0, 1.0]) - w / far)
    return (np.stack([rows[0], rows[1], depth, w]) @ view).ravel().tolist()


def write(folder, number, colour, depth, normal, matrix):
    """One picture: (H, W, 3) uint8, (H, W) float32, (H, W, 3) float32; each file whole, and ``frame.json`` last."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (("colour", colour), ("depth", depth), ("normal", normal.astype(np.float32))):
        with open(folder / f"{name}.tmp", "wb") as file:
            np.save(file, np.ascontiguousarray(array))
        os.replace(folder / f"{name}.tmp", folder / f"{name}.npy")
    said = {"number": number, **({} if matrix is None else {"projection": matrix})}
    (folder / "frame.tmp").write_text(json.dumps(said))
    os.replace(folder / "frame.tmp", folder / "frame.json")


class Sender:
    """Draws the viewport anew, off the screen, and writes it down. Only in a Blender that has a window."""

    def __init__(self, size=SIZE):
        import gpu

        self._size, self._number = size, 0
        self._offscreen = gpu.types.GPUOffScreen(*size)

    def send(self, context, folder):
        import gpu

        width, height = self._size
        region, space = context.region_data, context.space_data
        view, window = region.view_matrix.copy(), region.window_matrix.copy()
        # The viewport has another shape than the picture: of its longer side only the middle is sent.
        shape = context.region.width / max(1, context.region.height)
        window[0][0] *= max(shape, 1 / shape) if shape > 1 else 1
        window[1][1] *= max(shape, 1 / shape) if shape < 1 else 1
        self._offscreen.draw_view3d(
            context.scene, context.view_layer, space, context.region, view, window, do_color_management=True
        )
        with self._offscreen.bind():
            buffer = gpu.state.active_framebuffer_get()
            colour = np.array(buffer.read_color(0, 0, width, height, 4, 0, "UBYTE").to_list(), np.uint8)
            levels = np.array(buffer.read_depth(0, 0, width, height).to_list(), np.float32)
        colour, levels = colour.reshape(height, width, 4)[::-1, :, :3], levels.reshape(height, width)[::-1]
        near, far = space.clip_start, space.clip_end
        z = view_depths(levels, near, far, not region.is_perspective)
        white, black = max(near, region.view_distance * 0.4), max(far * 0.1, region.view_distance * 4)
        matrix = projection(view, window, self._size, white, black) if region.is_perspective else None
        write(Path(folder), self._number, colour, scaled(z, white, black), normals(z, window), matrix)
        self._number += 1

    def close(self):
        self._offscreen.free()


def register():
    import bpy

    class INKSTREAM_OT_send(bpy.types.Operator):
        """Send what this viewport shows to inkstream, until it is pressed again"""

        bl_idname = "inkstream.send"
        bl_label = "Send"
        running = None

        def invoke(self, context, event):
            kind = type(self)
            if kind.running is not None:
                kind.running.stop(context)
                return {"FINISHED"}
            self.sender, self.handle = Sender(), None
            space = context.space_data

            def draw():
                if bpy.context.space_data == space:
                    try:
                        self.sender.send(bpy.context, FOLDER)
                    except Exception as error:  # noqa: BLE001 - whatever a driver says, the viewport must go on
                        print("inkstream:", error)

            # Drawn when the viewport is drawn, and never more often than the timer asks for.
            self.handle = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")
            self.timer = context.window_manager.event_timer_add(1 / FPS, window=context.window)
            self.area = context.area
            kind.running = self
            context.window_manager.modal_handler_add(self)
            return {"RUNNING_MODAL"}

        def modal(self, context, event):
            if type(self).running is not self:
                return {"FINISHED"}
            if event.type == "TIMER":
                self.area.tag_redraw()
            return {"PASS_THROUGH"}

        def stop(self, context):
            bpy.types.SpaceView3D.draw_handler_remove(self.handle, "WINDOW")
            context.window_manager.event_timer_remove(self.timer)
            self.sender.close()
            type(self).running = None

    class INKSTREAM_PT_panel(bpy.types.Panel):
        bl_label = "Inkstream"
        bl_space_type = "VIEW_3D"
        bl_region_type = "UI"
        bl_category = "Inkstream"

        def draw(self, context):
            on = INKSTREAM_OT_send.running is not None
            self.layout.operator("inkstream.send", text="Stop" if on else "Send", icon="PAUSE" if on else "PLAY")
            self.layout.label(text=f"gbuffer:{FOLDER}")

    CLASSES.extend((INKSTREAM_OT_send, INKSTREAM_PT_panel))
    for each in CLASSES:
        bpy.utils.register_class(each)


def unregister():
    import bpy

    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
    CLASSES.clear()


CLASSES = []

if __name__ == "__main__":
    register()
