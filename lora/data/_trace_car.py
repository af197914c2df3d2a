"""Cars for the path tracer: the form of ``_car_shape`` as a mesh, cut into panels, glass and lamps, on real wheels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ._blender import Stage
from ._car import PAINTS
from ._car_shape import Bodies, cabin_width
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces, Shell, surface_nets
from ._table import Table

GAP = 19  # the part that is seen through gaps between panels
CELL = 0.026  # metres of the grid on which the form is worked out
BODY, GLASS, SCREEN, BACK, LAMP, TAIL, GRILLE, PLATE, TRIM, WHEEL = range(20, 30)
SEAM = 0.0075  # metres: half of a gap between panels
RECESS = 0.012  # metres that glass lies deeper
TINTS = {"red": (0.42, 0.008, 0.010), "orange": (0.72, 0.16, 0.008), "yellow": (0.80, 0.47, 0.010)}
TINTS |= {"green": (0.010, 0.13, 0.035), "teal": (0.004, 0.20, 0.215), "blue": (0.008, 0.045, 0.36)}
TINTS |= {"purple": (0.12, 0.015, 0.21), "white": (0.80, 0.80, 0.80), "black": (0.006, 0.006, 0.007)}
TINTS |= {"silver": (0.33, 0.345, 0.36)}
FINISHES = {"glossy": (0.28, 0.0, 1.0), "metallic": (0.30, 0.80, 1.0), "matte": (0.48, 0.15, 0.0)}  # rough, metal, coat
assert TINTS.keys() == PAINTS.keys()


def build_car(stage: Stage, scene: Scene) -> None:
    """Put a scene's car on the stage."""
    # Low noses would let the wheel arches cut through the wings, which shows where there are real shadows.
    nose = max(scene.shape["nose"], 2.16 * scene.shape["wheel"] + 0.04)
    scene = replace(scene, shape={**scene.shape, "nose": nose, "cowl": max(scene.shape["cowl"], nose + 0.08)})
    p = Table.of([dict(scene.shape)], torch.device("cpu"))
    bodies = Bodies(p, [scene.tags["style"]])
    shell = _form(bodies, p, scene)
    night = scene.tags["time"] == "night"
    black = plain(stage, "rubber", (0.010, 0.010, 0.011), 0.55)
    stage.shell("lining", shell.moved(-0.035), black, "body", GAP)
    _panels(stage, shell, p, scene, night)
    _wheels(stage, scene)
    if night:
        for hand in (-1, 1):
            x, y, z = scene.shape["half"] + 0.12, scene.shape["nose"] - 0.17, hand * (scene.shape["width"] - 0.27)
            stage.lamp("SPOT", (x, y, z), (x + 6, 0.0, z), 120.0, 0.05, spot_size=1.25, spot_blend=0.7,
                       color=(1.0, 0.90, 0.72))  # fmt: skip


def _form(bodies: Bodies, p: Table, scene: Scene) -> Shell:
    """The outer surface; it knows position, normal, and the five distances of ``Bodies.parts``."""
    half, roof, width = scene.shape["half"], scene.shape["roof"], scene.shape["width"]
    low = np.array([-half - 0.12, 0.08, -width - 0.22])
    count = np.ceil((np.array([half + 0.12, roof + 0.14, width + 0.22]) - low) / CELL).astype(int) + 1
    axes = [torch.arange(n) * CELL + float(start) for n, start in zip(count, low, strict=True)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1).float()
    values = torch.cat([_distances(bodies, part, p)[0] for part in grid.split(1 << 19, 1)])
    points, triangles = surface_nets(values.numpy().reshape(count), low, CELL)
    at = torch.from_numpy(points.T.copy())
    for _ in range(4):  # onto the surface itself
        slope = _slope(bodies, at, p)
        steep = (slope * slope).sum(0).clamp_min(0.2)
        at = at - slope * (_distances(bodies, at, p)[0] / steep).clamp(-0.01, 0.01)
    normal = torch.nn.functional.normalize(_slope(bodies, at, p), dim=0)
    known = torch.cat([at, normal, torch.stack(_distances(bodies, at, p))])
    return Shell(known.T.numpy().astype(np.float32).copy(), triangles)


def _distances(bodies: Bodies, point: torch.Tensor, p: Table) -> tuple[torch.Tensor, ...]:
    one = torch.zeros(point.shape[1], dtype=torch.int64)
    return bodies.parts(point, one, p.at(one))


def _slope(bodies: Bodies, point: torch.Tensor, p: Table) -> torch.Tensor:
    """(3, N): how the distance grows along each axis."""
    total = torch.zeros_like(point)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        offset = torch.tensor(corner)[:, None]
        total = total + offset * _distances(bodies, point + 0.008 * offset, p)[0] / 0.032
    return total


def _panels(stage: Stage, shell: Shell, p: Table, scene: Scene, night: bool) -> None:
    """Cut the surface into what it is made of."""
    glass, trim = _glass(stage), plain(stage, "trim", (0.012, 0.012, 0.013), 0.35, coat=0.3)
    rest = shell
    for name, field in _panes(p).items():
        inside, rest = rest.cut(field(rest))
        frame, pane = inside.cut(0.026 - field(inside))
        stage.shell("frame", frame.moved(-0.003), trim, "body", BODY)
        number = {"side": GLASS, "front": SCREEN, "back": BACK}[name]
        stage.shell(name, pane.moved(-RECESS), glass, "glass", number)
    pieces: list[tuple[str, Any, str, int, float]] = [
        ("head", _lamp(stage, night), "light", LAMP, -0.012),
        ("tail", _tail(stage, night), "light", TAIL, -0.006),
        ("grille", _mesh_grille(stage), "trim", GRILLE, -0.022),
        ("plate", plain(stage, "plate", (0.62, 0.62, 0.58), 0.4), "trim", PLATE, 0.006),
        ("low", trim, "trim", BODY, -0.002),
        ("bed", plain(stage, "liner", (0.022, 0.022, 0.024), 0.7), "trim", TRIM, 0.0),
    ]
    fields = _fittings(p)
    for name, material, label, part, outwards in pieces:
        inside, rest = rest.cut(fields[name](rest))
        if name in ("head", "tail", "grille"):
            frame, inside = inside.cut(0.016 - fields[name](inside))
            stage.shell("edge", frame.moved(-0.004), trim, "body" if name == "grille" else label, part)
        stage.shell(name, inside.moved(outwards), material, label, part)
    _, rest = rest.cut(_seams(p)(rest))
    stage.shell("body", rest, _paint(stage, scene), "body", BODY)
    _handles(stage, scene, plain(stage, "chrome", (0.75, 0.76, 0.78), 0.12, 1.0), rest)


Field = Callable[[Shell], np.ndarray]


def _of(shell: Shell) -> tuple[np.ndarray, ...]:
    """x, y, |z|, the normal's x, y, and z outwards; distances to body, cabin, the cabin's profile, wheel arches."""
    k = shell.known.T
    return k[0], k[1], np.abs(k[2]), k[3], k[4], k[5] * np.sign(k[2]), k[7], k[8], k[9], k[10]


def _least(*fields: np.ndarray) -> np.ndarray:
    return np.minimum.reduce(fields)


def _panes(p: Table) -> dict[str, Field]:
    """Glass: fields that are above 0 on it, in metres or thereabouts."""
    belt, roof, cowl, top = (float(getattr(p, name)) for name in ("belt", "roof", "cowl", "screen_top"))
    end, van, wagon, doors = (float(getattr(p, name)) for name in ("roof_end", "van", "wagon", "four_doors"))
    middle = top - 0.75 if van else (top + end) / 2 - 0.02
    last = (end + middle) / 2 - 0.1 if wagon else end - 0.02

    def cabin(body: np.ndarray, inner: np.ndarray) -> np.ndarray:
        return body - 0.004 - inner

    def side(shell: Shell) -> np.ndarray:
        x, y, _, _, _, nz, body, inner, profile, _ = _of(shell)
        field = _least(cabin(body, inner), (nz - 0.60) * 0.2, -0.062 - profile, y - belt - 0.035)
        field = np.minimum(field, np.abs(x - middle) - 0.030)
        if doors:
            field = np.minimum(field, np.abs(x - last) - 0.026)
        return np.minimum(field, x - middle) if van else field

    def front(shell: Shell) -> np.ndarray:
        _, y, z, nx, _, _, body, inner, _, _ = _of(shell)
        across = cabin_width(torch.from_numpy(y.copy()), p).numpy() - 0.055 - z
        return _least(cabin(body, inner), across, (nx - 0.28) * 0.2, y - cowl - 0.015, roof - 0.055 - y)

    def back(shell: Shell) -> np.ndarray:
        _, y, z, nx, _, _, body, inner, _, _ = _of(shell)
        across = cabin_width(torch.from_numpy(y.copy()), p).numpy() - 0.075 - z
        return _least(cabin(body, inner), across, (-0.26 - nx) * 0.2, y - belt - 0.05, roof - 0.08 - y)

    return {"side": side, "front": front, "back": back}


def _fittings(p: Table) -> dict[str, Field]:
    """Lamps, grilles, plates and what is dark: fields that are above 0 there."""
    half, nose, belt, clear = (float(getattr(p, name)) for name in ("half", "nose", "belt", "clearance"))
    width, pickup, rear = (float(getattr(p, name)) for name in ("width", "pickup", "rear_foot"))
    low = nose - 0.27

    def rounded(dx: np.ndarray, dy: np.ndarray, radius: float) -> np.ndarray:
        """A box's inner distance with round corners; ``dx`` and ``dy`` are how far inside each pair of sides."""
        a, b = np.maximum(radius - dx, 0), np.maximum(radius - dy, 0)
        return np.minimum(np.minimum(dx, dy), radius - np.hypot(a, b))

    def head(shell: Shell) -> np.ndarray:
        x, y, z, *_ = _of(shell)
        rise = 0.30 * (half - x)  # it sweeps up and backwards
        high = _least(y - low - 0.05 - rise, nose - 0.075 + 0.25 * rise - y)
        return _least(rounded(_least(x - half + 0.46, z - 0.47), high, 0.05))

    def tail(shell: Shell) -> np.ndarray:
        x, y, z, nx, _, nz, *_ = _of(shell)
        outside = np.maximum(-nx, nz) - 0.2  # not on the inner walls of a bed
        lamp = rounded(_least(-half + 0.26 - x, z - 0.47), _least(y - belt + 0.36, belt - 0.14 - y), 0.04)
        return np.minimum(lamp, outside * 0.2)

    def grille(shell: Shell) -> np.ndarray:
        x, y, z, nx, *_ = _of(shell)
        ahead = _least(x - half + 0.3, (nx - 0.4) * 0.3)
        upper = rounded(0.42 - z, _least(y - low - 0.03, nose - 0.12 - y), 0.05)
        lower = rounded(0.66 - z, _least(y - clear - 0.10, clear + 0.27 - y), 0.05)
        return np.minimum(ahead, np.maximum(upper, lower))

    def plate(shell: Shell) -> np.ndarray:
        x, y, z, nx, *_ = _of(shell)
        at = np.where(x < 0, belt - 0.42, clear + 0.36)
        end = _least(np.abs(x) - half + 0.25, (np.abs(nx) - 0.45) * 0.3)
        return _least(end, rounded(0.26 - z, 0.056 - np.abs(y - at), 0.012))

    def dark(shell: Shell) -> np.ndarray:
        _, y, z, _, _, nz, *_, arches = _of(shell)
        well = _least(0.012 - arches, width - 0.06 - z, np.maximum((0.5 - nz) * 0.2, 0.62 - z))
        return np.maximum(clear + 0.085 - y, well)

    def bed(shell: Shell) -> np.ndarray:
        x, y, z, *_ = _of(shell)
        if not pickup:
            return np.full(len(x), -1.0, np.float32)
        return _least(rear - 0.165 - x, x + half - 0.13, width - 0.205 - z, y - 0.6)

    return {"head": head, "tail": tail, "grille": grille, "plate": plate, "low": dark, "bed": bed}


def _seams(p: Table) -> Field:
    """Gaps between panels: doors, bonnet, bumpers, boot, the roof's gutters."""
    half, belt, clear = (float(getattr(p, name)) for name in ("half", "belt", "clearance"))
    foot, top, end, doors = (
        float(getattr(p, name)) for name in ("screen_foot", "screen_top", "roof_end", "four_doors")
    )
    van, width, front = (float(getattr(p, name)) for name in ("van", "width", "front"))
    middle = top - 0.75 if van else (top + end) / 2 - 0.02
    last = end - 0.02 if doors else middle

    def field(shell: Shell) -> np.ndarray:
        x, y, z, nx, ny, nz, *_, arches = _of(shell)
        flank = _least((nz - 0.55) * 0.2, arches - 0.05)
        bend = 0.035 * np.sin(y * 3)
        upright = _least(np.abs(x - foot + 0.12 - bend), np.abs(x - middle - bend), np.abs(x - last - bend))
        door = _least(SEAM - upright, y - clear - 0.14, flank)
        sill = _least(SEAM - np.abs(y - clear - 0.145), foot - 0.12 - x, x - last, flank)
        bonnet = _least(SEAM - np.abs(z - width + 0.15 + 0.05 * (x - front)), x - foot, (ny - 0.35) * 0.2)
        bumper = _least(SEAM - np.abs(y - clear - 0.30 - 0.02 * z), np.abs(x) - half + 0.55, arches - 0.05)
        bumper = np.minimum(bumper, (np.maximum(nz, np.abs(nx)) - 0.3) * 0.2)
        lid = _least(SEAM - np.abs(z - width + 0.20), 0.5 - half - x, y - belt + 0.30, 1.2 - y, (-nx - 0.3) * 0.2)
        roof = _least(SEAM - np.abs(z - 0.50), (ny - 0.9) * 0.5, y - belt - 0.3)
        return np.maximum.reduce([door, sill, bonnet, bumper, lid, roof])

    return field


def _handles(stage: Stage, scene: Scene, chrome: Any, body: Shell) -> None:
    """Door handles, where the doors end."""
    s = scene.shape
    van = s["van"] > 0
    middle = s["screen_top"] - 0.75 if van else (s["screen_top"] + s["roof_end"]) / 2 - 0.02
    places = [middle + 0.17] + ([s["roof_end"] + 0.15] if s["four_doors"] else [])
    handles, points = Faces(), body.points
    for x in places:
        for hand in (-1, 1):
            y = s["belt"] - 0.13
            near = points[
                (np.abs(points[:, 0] - x) < 0.12) & (np.abs(points[:, 1] - y) < 0.06) & (points[:, 2] * hand > 0)
            ]
            if len(near):
                z = float(np.abs(near[:, 2]).max())
                sides = sorted((hand * (z - 0.01), hand * (z + 0.022)))
                handles.box((x - 0.095, y - 0.016, sides[0]), (x + 0.095, y + 0.016, sides[1]))
    stage.faces("handles", handles, chrome, "body", BODY + 20, bevel=0.012)


# --- wheels


def _wheels(stage: Stage, scene: Scene) -> None:
    s = scene.shape
    r = s["wheel"]
    rubber, alloy = _rubber(stage), plain(stage, "alloy", (0.56, 0.57, 0.59), 0.22, 1.0, 0.4)
    disc, dark = plain(stage, "disc", (0.30, 0.29, 0.28), 0.35, 1.0), plain(stage, "hub", (0.02, 0.02, 0.02), 0.5)
    rim = 0.69 * r
    tyre = [(rim - 0.01, -0.10), (rim + 0.012, -0.108), (0.86 * r, -0.118), (0.95 * r, -0.112), (0.985 * r, -0.098),
            (r, -0.08)]  # fmt: skip
    for k in range(4):  # grooves around the tread
        at = -0.06 + 0.04 * k
        tyre += [(r, at - 0.008), (r - 0.008, at - 0.006), (r - 0.008, at + 0.006), (r, at + 0.008)]
    tyre += [(radius, -z) for radius, z in tyre[:6][::-1]]
    barrel = [(rim - 0.035, -0.10), (rim - 0.02, 0.075), (rim - 0.012, 0.098), (rim + 0.004, 0.106)]
    barrel += [(rim + 0.008, 0.10), (rim, -0.10)]
    for hand in (1, -1):
        for number, x in enumerate((s["front"], s["rear"])):
            centre = (x, r, hand * (s["width"] - 0.05 - 0.118))
            part = WHEEL + 20 + 4 * number + 2 * (hand > 0)
            ring, bright, brake, back = Faces(), Faces(), Faces(), Faces()
            ring.lathe(tyre, 72, centre, hand)
            bright.lathe(barrel, 64, centre, hand)
            bright.lathe([(0.001, 0.088), (0.20 * r, 0.084), (0.22 * r, 0.070)], 32, centre, hand)
            brake.lathe([(0.001, 0.0), (0.50 * r, 0.0), (0.50 * r, -0.02)], 48, centre, hand)
            back.lathe([(0.001, -0.03), (rim, -0.03)], 32, centre, hand)
            bright = bright.joined(_spokes(int(s["spokes"]), rim, centre, hand, number))
            stage.faces("tyre", ring, rubber, "wheel", part, smooth=50)
            stage.faces("rim", bright, alloy, "wheel", part + 1, smooth=35)
            stage.faces("brake", brake, disc, "wheel", part + 1, smooth=35)
            stage.faces("back", back, dark, "wheel", part + 1)


def _spokes(count: int, rim: float, centre: tuple[float, float, float], hand: float, turn: float) -> Faces:
    """Tapered bars from the hub to the rim, hollowed a little."""
    spokes = Faces()
    broad = 0.42 * rim * (5 / count) ** 0.8
    for k in range(count):
        angle = 2 * math.pi * (k + 0.25 * turn) / count + 0.3
        out, aside = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        rings = []
        for radius, width, front, deep in ((0.12, broad, 0.086, 0.05), (0.55 * rim, broad * 0.62, 0.080, 0.035),
                                           (rim - 0.012, broad * 0.80, 0.094, 0.03)):  # fmt: skip
            section = [(-0.5, front - 0.012), (-0.32, front), (0.32, front), (0.5, front - 0.012), (0.5, front - deep),
                       (-0.5, front - deep)]  # fmt: skip
            rings.append([(*(centre[:2] + out * radius + aside * share * width), centre[2] + hand * z)
                          for share, z in section])  # fmt: skip
        for one, two in pairwise(rings):
            for a in range(6):
                b = (a + 1) % 6
                ring = [one[a], two[a], two[b], one[b]]
                spokes.polygon(ring if hand > 0 else ring[::-1])
    return spokes


# --- materials


def _paint(stage: Stage, scene: Scene) -> Any:
    rough, metal, coat = FINISHES[scene.tags["finish"]]
    colour = TINTS[scene.tags["colour"]]
    s = Shader(stage, "paint")
    normal = None
    if metal > 0.5:  # flakes turn a little, and the colour is lighter than that of plain paint
        normal = s.bump(s.noise(s.place(), 700.0, 2), 0.0006)
        colour = tuple(min(0.9, 0.02 + 1.45 * value) for value in colour)
    return s.done(
        s.surface(
            Base_Color=colour, Roughness=rough, Metallic=metal, Coat_Weight=coat, Coat_Roughness=0.02, Normal=normal
        )
    )


def _glass(stage: Stage) -> Any:
    s = Shader(stage, "glass")
    return s.done(s.surface(Base_Color=(0.006, 0.008, 0.009), Roughness=0.02, Coat_Weight=1.0, Coat_Roughness=0.0))


def _rubber(stage: Stage) -> Any:
    s = Shader(stage, "tyre")
    return s.done(
        s.surface(Base_Color=(0.014, 0.014, 0.015), Roughness=0.62, Normal=s.bump(s.noise(s.place(), 80), 0.002))
    )


def _lamp(stage: Stage, night: bool) -> Any:
    """A reflector with ribs behind clear glass."""
    s = Shader(stage, "headlamp")
    at = s.place()
    cells = s.cells(s.scaled(at, (1, 1, 1)), 9.0)
    colour = s.mix(s.between(cells, 0.25, 0.6), (0.88, 0.90, 0.93), (0.10, 0.105, 0.115))
    glow = s.mix(s.between(cells, 0.15, 0.5), (1.0, 0.93, 0.80), (0.25, 0.22, 0.18))
    made = s.surface(
        Base_Color=colour, Metallic=0.85, Roughness=0.12, Coat_Weight=1.0, Coat_Roughness=0.0,
        Normal=s.bump(cells, 0.03), Emission_Color=glow, Emission_Strength=4.0 if night else 0.12,
    )  # fmt: skip
    return s.done(made)


def _tail(stage: Stage, night: bool) -> Any:
    s = Shader(stage, "tail lamp")
    ribs = s.wave(s.place(), 9.0, 0.0, "Z")
    colour = s.mix(s.between(ribs, 0.2, 0.8), (0.22, 0.002, 0.002), (0.55, 0.012, 0.010))
    made = s.surface(
        Base_Color=colour, Roughness=0.12, Coat_Weight=1.0, Coat_Roughness=0.0, Normal=s.bump(ribs, 0.008),
        Emission_Color=(1.0, 0.03, 0.015), Emission_Strength=1.6 if night else 0.10,
    )  # fmt: skip
    return s.done(made)


def _mesh_grille(stage: Stage) -> Any:
    """Bars in front of the dark."""
    s = Shader(stage, "grille")
    bars = s.wave(s.place(), 8.0, 0.0, "Z")
    colour = s.mix(s.between(bars, 0.45, 0.7), (0.004, 0.004, 0.004), (0.07, 0.07, 0.075))
    return s.done(s.surface(Base_Color=colour, Roughness=0.3, Metallic=0.4, Normal=s.bump(bars, 0.02)))
