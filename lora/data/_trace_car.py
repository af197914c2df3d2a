"""Cars for the path tracer: the form of ``_car_form`` as a mesh, cut into panels, glass and lamps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from . import _car_panels as panels
from ._blender import Stage
from ._car_form import Bodies, Form
from ._car_panels import Surface
from ._scene import Scene
from ._shader import plain
from ._solid_mesh import Faces, Shell, surface_nets
from ._table import Table
from ._trace_cabin import furnish, pipes, wing
from ._trace_paint import clear, glass, lamp_bowl, mesh_grille, paint, roof_paint, tail
from ._trace_wheels import put_wheels

GAP = 19  # the part that is seen through gaps between panels
CELL = 0.024  # metres of the grid on which the form is worked out
BODY, GLASS, SCREEN, BACK, LAMP, TAIL, GRILLE, PLATE, TRIM, WHEEL = range(20, 30)
RECESS = 0.006  # metres that glass lies deeper
BRIGHT_FRAMES = ("sedan", "limousine", "wagon", "classic car")


def build_car(stage: Stage, scene: Scene) -> None:
    """Put a scene's car on the stage."""
    stage.scene.view_layers[0].pass_alpha_threshold = 0.0  # glass is seen, and not what is behind it
    stage.scene.cycles.transparent_max_bounces = 6
    stage.scene.cycles.denoising_prefilter = "ACCURATE"  # through glass, what guides the denoiser is noisy itself
    p = Table.of([dict(scene.shape)], torch.device("cpu"))
    shell = _form(Bodies([scene.shape], torch.device("cpu")), p, scene)
    night = scene.tags["time"] in ("night", "dusk", "fog", "rain")
    _panels(stage, shell, p, scene, night)
    put_wheels(stage, scene, WHEEL + 20)
    furnish(stage, scene, TRIM)
    if night:
        for hand in (-1, 1):
            x, y, z = scene.shape["half"] + 0.02, scene.shape["nose"] - 0.12, hand * (scene.shape["width"] - 0.27)
            stage.lamp("SPOT", (x, y, z), (x + 7, 0.0, z), 110.0, 0.04, spot_size=1.1, spot_blend=0.8,
                       color=(1.0, 0.93, 0.80))  # fmt: skip


def _form(bodies: Bodies, p: Table, scene: Scene) -> Shell:
    """The outer surface, closed; it knows position, normal, and the distances of ``Form``. Both sides are alike."""
    half, roof, width = scene.shape["half"], scene.shape["roof"], scene.shape["width"]
    cell = CELL * (1.6 if scene.tags["style"] == "bus" else 1.0)
    low = np.array([-half - 0.14, 0.04, -1.5 * cell])
    count = np.ceil((np.array([half + 0.14, roof + 0.14, width + 0.20]) - low) / cell).astype(int) + 1
    axes = [torch.arange(n) * cell + float(start) for n, start in zip(count, low, strict=True)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1).float()
    values = torch.cat([_distances(bodies, part, p).all for part in grid.split(1 << 18, 1)])
    points, triangles = surface_nets(values.numpy().reshape(count), low, cell)
    at = torch.from_numpy(points.T.copy())
    for _ in range(5):  # onto the surface itself
        slope = _slope(bodies, at, p, 0.006)
        steep = (slope * slope).sum(0).clamp_min(0.2)
        at = at - slope * (_distances(bodies, at, p).all / steep).clamp(-0.01, 0.01)
    normal = torch.nn.functional.normalize(_slope(bodies, at, p, 0.004), dim=0)
    known = torch.cat([at, normal, torch.stack(_distances(bodies, at, p))]).T.numpy().astype(np.float32)
    right, _ = Shell(known, triangles).cut(known[:, 2])
    left = right.known.copy()
    left[:, [2, 5]] *= -1
    return Shell(np.concatenate([right.known, left]),
                 np.concatenate([right.triangles, right.triangles[:, ::-1] + len(left)]))  # fmt: skip


def _distances(bodies: Bodies, point: torch.Tensor, p: Table) -> Form:
    one = torch.zeros(point.shape[1], dtype=torch.int64)
    return bodies.form(point, one, p.at(one), closed=True)


def _slope(bodies: Bodies, point: torch.Tensor, p: Table, step: float) -> torch.Tensor:
    """(3, N): how the distance grows along each axis."""
    total = torch.zeros_like(point)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        offset = torch.tensor(corner)[:, None]
        total = total + offset * _distances(bodies, point + step * offset, p).all / (4 * step)
    return total


def _of(shell: Shell, p: Table, field: Any) -> np.ndarray:
    """A field of ``_car_panels`` on a shell's points."""
    known = torch.from_numpy(shell.known.T.copy())
    each = p.at(torch.zeros(known.shape[1], dtype=torch.int64))
    return field(Surface.of(known[:3], known[3:6], Form(*known[6:]), each)).numpy()


def _panels(stage: Stage, shell: Shell, p: Table, scene: Scene, night: bool) -> None:
    """Cut the surface into what it is made of."""
    style = scene.tags["style"]
    trim = plain(stage, "trim", (0.012, 0.012, 0.013), 0.35, coat=0.3)
    black = plain(stage, "rubber", (0.010, 0.010, 0.011), 0.55)
    chrome = plain(stage, "chrome", (0.75, 0.76, 0.78), 0.10, 1.0)
    body = paint(stage, scene)
    opening = _of(shell, p, panels.well)
    _, rest = shell.cut(opening)
    stage.shell("flange", _flange(rest, _of(rest, p, panels.well)), black, "body", BODY)
    lining = rest.moved(-0.030)
    for field in (panels.side_window, panels.windscreen, panels.rear_window, panels.bed):
        _, lining = lining.cut(_of(lining, p, field))
    stage.shell("lining", lining, black, "body", GAP)
    panes = {"side": (panels.side_window, GLASS, 0.34), "front": (panels.windscreen, SCREEN, 0.60),
             "back": (panels.rear_window, BACK, 0.30)}  # fmt: skip
    for name, (field, number, through) in panes.items():
        inside, rest = rest.cut(_of(rest, p, field))
        if not len(inside.triangles):
            continue
        edge = _of(inside, p, field)
        wide = 0.016 if name == "side" else 0.024
        frame, pane = inside.cut(wide - edge)
        bright = name == "side" and style in BRIGHT_FRAMES
        stage.shell("frame", frame.moved(0.002 if bright else -0.002), chrome if bright else trim, "body", BODY)
        stage.shell(name, pane.moved(-RECESS), glass(stage, through), "glass", number)
    rest = _lamps(stage, rest, p, night, trim)
    inside, rest = rest.cut(_of(rest, p, panels.grille))
    frame, inside = inside.cut(0.013 - _of(inside, p, panels.grille))
    stage.shell("edge", frame.moved(0.004), chrome if style in BRIGHT_FRAMES else trim, "body", GRILLE)
    stage.shell("grille", inside.moved(-0.035), mesh_grille(stage, scene), "trim", GRILLE)
    pieces = [
        ("plate", panels.plate, plain(stage, "plate", (0.62, 0.62, 0.58), 0.4), "trim", PLATE, 0.008),
        ("bed", panels.bed, plain(stage, "liner", (0.022, 0.022, 0.024), 0.7), "trim", TRIM, 0.0),
        ("low", panels.low_trim, plain(stage, "plastic", (0.018, 0.018, 0.019), 0.5), "trim", BODY, -0.004),
    ]
    for name, field, material, label, part, outwards in pieces:
        inside, rest = rest.cut(_of(rest, p, field))
        stage.shell(name, inside.moved(outwards), material, label, part)
    _, rest = rest.cut(_of(rest, p, panels.seams))
    if scene.tags["finish"] == "two-tone":
        upper, rest = rest.cut(_of(rest, p, lambda s: torch.minimum(s.y - s.p.belt - 0.02, panels.on_cabin(s))))
        stage.shell("roof", upper, roof_paint(stage), "body", BODY)
    stage.shell("body", rest, body, "body", BODY)
    _handles(stage, scene, chrome if style in BRIGHT_FRAMES else body, rest)
    _mirrors(stage, scene, body, trim)
    pipes(stage, scene, chrome, TRIM)
    if scene.shape["race"]:
        wing(stage, scene, trim, BODY + 60)


def _lamps(stage: Stage, rest: Shell, p: Table, night: bool, trim: Any) -> Shell:
    """Lamps behind their glass: a dark bowl, a bright line around it, and lenses in it; gives what is left."""
    inside, rest = rest.cut(_of(rest, p, panels.headlamp))
    edge = _of(inside, p, panels.headlamp)
    lens = clear(stage)
    bright = plain(stage, "line of light", (1.0, 0.97, 0.92), 0.4, glow=9.0 if night else 2.2)
    stage.shell("bowl", inside.moved(-0.055), lamp_bowl(stage), "light", LAMP)
    line, _ = inside.cut(np.minimum(edge - 0.010, 0.021 - edge))
    stage.shell("line", line.moved(-0.012), bright, "light", LAMP)
    rim, pane = inside.cut(0.007 - edge)
    stage.shell("rim", rim.moved(-0.002), trim, "light", LAMP)
    stage.shell("lens", pane, lens, "light", LAMP)
    _projectors(stage, pane, night)
    inside, rest = rest.cut(_of(rest, p, panels.tail_lamp))
    edge = _of(inside, p, panels.tail_lamp)
    rim, pane = inside.cut(0.006 - edge)
    stage.shell("rim", rim.moved(-0.002), trim, "light", TAIL)
    red = plain(stage, "red line", (1.0, 0.035, 0.02), 0.4, glow=6.0 if night else 1.1)
    line, pane = pane.cut(np.minimum(_of(pane, p, panels.tail_lamp) - 0.012, 0.026 - _of(pane, p, panels.tail_lamp)))
    stage.shell("line", line.moved(0.001), red, "light", TAIL)
    stage.shell("tail", pane.moved(0.001), tail(stage, night), "light", TAIL)
    return rest


def _projectors(stage: Stage, pane: Shell, night: bool) -> None:
    """Round lenses in a headlamp."""
    points = pane.points[pane.points[:, 2] > 0]
    if len(points) < 8:
        return
    order = points[:, 2]
    inner, outer = np.quantile(order, 0.25), np.quantile(order, 0.72)
    ball, ring = Faces(), Faces()
    for z in (inner, outer):
        near = points[np.abs(order - z) < 0.03]
        if not len(near):
            continue
        x, y = float(near[:, 0].mean()) - 0.035, float(near[:, 1].mean())
        radius = min(0.055, 0.36 * float(np.ptp(near[:, 1])))
        for hand in (-1, 1):
            for faces, profile in ((ball, [(0.8, 0.0), (0.6, 0.35), (0.3, 0.55), (0.001, 0.62)]),
                                   (ring, [(0.82, -0.3), (0.86, 0.15), (1.0, 0.2), (1.0, -0.3)])):  # fmt: skip
                turned = Faces()
                turned.lathe([(radius * r, radius * d) for r, d in profile], 24, (0.0, 0.0, 0.0))
                at = np.array([x, y, hand * z])
                merged = faces.joined(turned.changed(lambda p, at=at: p[:, [2, 1, 0]] * [1, 1, -1] + at))
                faces.points, faces.faces = merged.points, merged.faces
    shiny = plain(stage, "projector", (0.75, 0.80, 0.86), 0.04, 0.9, 1.0, 9.0 if night else 0.25)
    stage.faces("projector", ball, shiny, "light", LAMP, smooth=60)
    stage.faces("bezel", ring, plain(stage, "bezel", (0.35, 0.36, 0.38), 0.15, 1.0), "light", LAMP, smooth=60)


def _flange(shell: Shell, opening: np.ndarray) -> Shell:
    """The edge of a wheel's opening, turned inwards."""
    t = shell.triangles
    edges = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    border = np.abs(opening) < 2e-4
    edges = edges[border[edges].all(1)]
    here = shell.known[edges]  # (E, 2, K)
    deep = here.copy()
    deep[..., 2] -= 0.12 * np.sign(deep[..., 2])
    known = np.concatenate([here, deep], 1).reshape(-1, shell.known.shape[1])
    first = 4 * np.arange(len(edges))[:, None]
    triangles = np.concatenate([first + np.array(ring) for ring in ((1, 0, 2), (1, 2, 3))])
    return Shell(known, triangles)


def _handles(stage: Stage, scene: Scene, material: Any, body: Shell) -> None:
    """Door handles, where the doors end."""
    if scene.shape["bus"]:
        return
    p = Table.of([dict(scene.shape)], torch.device("cpu"))
    places = dict.fromkeys((float(x), float(y)) for x, y in panels.handles(p))
    handles, points = Faces(), body.points
    for x, y in places:
        for hand in (-1, 1):
            near = points[(np.abs(points[:, 0] - x) < 0.12) & (np.abs(points[:, 1] - y) < 0.05)
                          & (points[:, 2] * hand > 0)]  # fmt: skip
            if len(near):
                z = float(np.median(np.abs(near[:, 2])))
                sides = sorted((hand * (z - 0.01), hand * (z + 0.024)))
                handles.box((x - 0.10, y - 0.013, sides[0]), (x + 0.10, y + 0.013, sides[1]))
    stage.faces("handles", handles, material, "body", BODY + 20, smooth=40, bevel=0.011)


def _mirrors(stage: Stage, scene: Scene, body: Any, trim: Any) -> None:
    """Outside mirrors on their stalks, a flat glass at their backs."""
    s = scene.shape
    size = 1.0 + 0.9 * s["bus"] + 0.3 * s["van"]
    x, y, z = (
        s["screen_foot"] - 0.42 + 1.2 * s["bus"],
        s["belt"] + 0.10 + 0.5 * s["bus"],
        s["width"] + 0.03 - 0.11 * s["low"] * (1 + 0.5 * s["mid_engine"]),
    )
    turn, up = np.meshgrid(np.linspace(0, 2 * np.pi, 24, endpoint=False), np.linspace(-np.pi / 2, np.pi / 2, 13))

    def soft(value: np.ndarray) -> np.ndarray:
        return np.sign(value) * np.abs(value) ** 0.7

    shape = np.stack([np.maximum(0.085 * np.sin(up), -0.02), 0.062 * soft(np.cos(up) * np.sin(turn)),
                      0.105 * soft(np.cos(up) * np.cos(turn))], -1) * size  # fmt: skip
    for hand in (-1, 1):
        shell = Faces.grid(shape + np.array([x, y, hand * z]), closed=True)
        stage.faces("mirror", shell, body, "body", BODY + 22, smooth=180)
        stalk = Faces()
        ends = sorted((hand * (z - 0.30), hand * (z - 0.04)))
        stalk.box((x - 0.02, y - 0.075, ends[0]), (x + 0.03, y - 0.035, ends[1]))
        stage.faces("stalk", stalk, trim, "body", BODY + 22, smooth=40, bevel=0.01)
