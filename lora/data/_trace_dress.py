"""What the parts of a building are made of for the path tracer: everything but the walls with windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._blender import Stage
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces
from ._solids import (
    ATTIC,
    BEAM,
    BED,
    BLOCK,
    CHIMNEY,
    CONE,
    FENCE,
    FLAT,
    GLAZED,
    HEDGE,
    LABELS,
    LAMP,
    LEAF,
    MARK,
    MERLON,
    PATH,  # fmt: skip
    ROAD,
    ROOF,
    ROUND,
    STONE,
    WALL,
    WATER,
    WHOLE,
    Solid,
)
from ._trace_glass import LIT, pane
from ._trace_ground import asphalt, concrete, worn_paint
from ._trace_meadow import PETALS, flower
from ._trace_plants import leaf_cards, leaves_material
from ._trace_walls import roof_material, wall_material
from ._trace_water import water
from .grammar import LAMPS_ON

AROUND = 40  # corners of what is round
BEVELS = {STONE: 0.03, MERLON: 0.03, FENCE: 0.008, BEAM: 0.012, LEAF: 0.01}
STEEL = {"red": (0.34, 0.035, 0.022), "grey": (0.22, 0.23, 0.24), "green": (0.06, 0.14, 0.09)}
DARK_BEAMS = ("street", "castle", "church", "villa")


class Dress:
    """The materials of one building, made when they are first asked for."""

    def __init__(self, stage: Stage, scene: Scene, air: Any) -> None:
        self.stage, self.scene, self.air = stage, scene, air
        self._known: dict[tuple[Any, ...], Any] = {}

    def of(self, kind: int, turned: bool, solid: Solid | None = None) -> Any:
        """The material of a kind on a side that looks along z, or, ``turned``, along x."""
        axis = solid.round if solid is not None and kind in (ROUND, CONE) else None
        key = (kind, turned, axis)
        if key not in self._known:
            self._known[key] = self._made(kind, turned, axis)
        return self._known[key]

    def _made(self, kind: int, turned: bool, axis: tuple[float, ...] | None) -> Any:
        stage, tags = self.stage, self.scene.tags
        if kind in (WALL, ATTIC, BLOCK, MERLON, ROUND, CHIMNEY):
            if tags["style"] == "temple" and kind == ROUND:
                return concrete(stage, (0.60, 0.56, 0.48))
            if tags["material"] == "steel":
                return plain(stage, "steel", STEEL[tags["colour"]], 0.42, 0.0, 0.2)
            return wall_material(stage, tags["material"], tags["colour"], tags["style"], turned, axis)
        if kind in (ROOF, CONE):
            return roof_material(stage, tags["roof"], turned, axis)
        if kind == BEAM:
            if tags["material"] == "steel":
                return plain(stage, "steel", STEEL[tags["colour"]], 0.42, 0.0, 0.2)
            dark = tags["style"] in DARK_BEAMS
            return plain(stage, "beam", (0.045, 0.047, 0.05) if dark else (0.66, 0.65, 0.61), 0.4, 0.6 if dark else 0.0)
        if kind == LAMP:
            night = tags["time"] in LAMPS_ON
            return plain(stage, "lamp", (1.0, 0.74, 0.42), 0.3, glow=9.0 * LIT if night else 0.25)
        makers = {
            FLAT: lambda: plain(
                stage, "slab", (0.58, 0.57, 0.55) if tags["style"] == "villa" else (0.30, 0.29, 0.28), 0.8
            ),
            GLAZED: lambda: pane(stage, self.scene, turned),
            LEAF: lambda: _boards(stage, turned, tags["style"]),
            STONE: lambda: concrete(stage, (0.46, 0.44, 0.40)),
            HEDGE: lambda: plain(stage, "inner hedge", (0.012, 0.022, 0.008), 1.0),
            FENCE: lambda: _painted(stage),
            PATH: lambda: paving(stage, self.air),
            ROAD: lambda: asphalt(stage, self.air),
            MARK: lambda: worn_paint(stage, self.air),
            WATER: lambda: water(stage, self.air, 0.12),
        }
        return makers[kind]()

    def put(self, solid: Solid, base: int) -> None:
        """Put one solid on the stage; its faces are parts from ``base`` on."""
        if solid.kind == HEDGE:
            self._hedge(solid, base)
        elif solid.kind == BED:
            self._bed(solid, base)
        elif solid.round is not None:
            self._round(solid, base)
        else:
            self._flat(solid, base)
        if solid.kind == GLAZED:
            self._bars(solid, base)

    def _flat(self, solid: Solid, base: int) -> None:
        whole = Faces()
        order = whole.convex(solid.planes)
        groups: dict[tuple[bool, int], Faces] = {}
        gable = self.scene.tags["roof"] == "gable"
        for index, plane in order.items():
            normal = solid.planes[plane][:3]
            turned, face = abs(normal[0]) > abs(normal[2]), plane
            if solid.kind == ATTIC:
                face = {True: 0 if normal[0] > 0 else 1, False: 4 if normal[2] > 0 else 5}[turned]
            merged = solid.kind in WHOLE or (solid.kind == ROOF and gable)
            groups.setdefault((turned, 0 if merged else face), Faces()).polygon(
                [whole.points[k] for k in whole.faces[index]]
            )
        if solid.kind in BEVELS and solid.kind in WHOLE:  # one mesh, so that its edges can be rounded
            self.stage.faces(
                "part", whole, self.of(solid.kind, False), LABELS[solid.kind], base, bevel=BEVELS[solid.kind]
            )
            return
        for (turned, face), faces in groups.items():
            self.stage.faces("part", faces, self.of(solid.kind, turned), LABELS[solid.kind], base + face)

    def _round(self, solid: Solid, base: int) -> None:
        assert solid.round is not None
        x, z, foot, top = solid.round
        y0, y1 = solid.box[2:4]
        turn = 2 * math.pi * np.arange(AROUND) / AROUND
        rings = [(0.0, y0), (foot, y0), (top, y1)] + ([(0.0, y1)] if top > 0.01 else [])
        points = np.stack([np.stack([x + r * np.cos(turn), 0 * turn + y, z + r * np.sin(turn)], -1) for r, y in rings])
        shaft = Faces.grid(points[1:3][:, ::-1], closed=True)
        label, material = LABELS[solid.kind], self.of(solid.kind, False, solid)
        self.stage.faces("round", shaft, material, label, base, smooth=50)
        for ring, y in ((points[1], y0), (points[2], y1)):
            if np.ptp(ring[:, 0]) > 0.02:
                cap = Faces()
                cap.polygon([tuple(p) for p in (ring[::-1] if y == y1 else ring).tolist()])
                plate = self.of(FLAT if solid.kind == CONE else STONE, False)
                self.stage.faces("cap", cap, plate, label, base)

    def _hedge(self, solid: Solid, base: int) -> None:
        x0, x1, y0, y1, z0, z1 = solid.box
        inner = Faces()
        inner.box((x0 + 0.08, y0, z0 + 0.08), (x1 - 0.08, y1 - 0.08, z1 - 0.08))
        self.stage.faces("hedge", inner, self.of(HEDGE, False), "bush", base)
        count = int(min(26000, 2600 * (x1 - x0)))
        cards = leaf_cards(solid.box, self.scene.seed, 0.045, count)
        self.stage.faces("hedge leaves", cards, leaves_material(self.stage, "bushes"), "bush", base)

    def _bed(self, solid: Solid, base: int) -> None:
        x0, x1, _, high, z0, z1 = solid.box
        earth = Faces()
        earth.box((x0, 0.0, z0), (x1, 0.06, z1))
        self.stage.faces("bed", earth, plain(self.stage, "earth", (0.045, 0.030, 0.020), 0.95), "flowers", base)
        rng = np.random.default_rng(self.scene.seed + 7)
        for number in (0, 1, 3):
            count = int(26 * (x1 - x0))
            at = np.stack([rng.uniform(x0, x1, count), 0 * np.zeros(count), rng.uniform(z0, z1, count)], 1)
            bloom = flower(self.stage, PETALS[number], number, base)
            self.stage.copies(bloom, at, high * rng.uniform(0.8, 1.15, count), number, 0.2)
        leaves = leaf_cards((x0, x1, 0.0, 0.55 * high, z0, z1), self.scene.seed, 0.045, int(900 * (x1 - x0)))
        self.stage.faces("bed leaves", leaves, leaves_material(self.stage, "bushes"), "flowers", base)

    def _bars(self, solid: Solid, base: int) -> None:
        """A frame around a pane and bars in it."""
        x0, x1, y0, y1, z0, z1 = solid.box
        if solid.round is not None:
            x, z, radius, _ = solid.round
            posts = Faces()
            for k in range(8):
                a = 2 * math.pi * k / 8
                px, pz = x + radius * math.cos(a), z + radius * math.sin(a)
                posts.box((px - 0.06, y0, pz - 0.06), (px + 0.06, y1, pz + 0.06))
            self.stage.faces("posts", posts, self.of(BEAM, False), "window", base)
            return
        across = z1 - z0 > x1 - x0
        low, high = (z0, z1) if across else (x0, x1)
        pointed = len(solid.planes) > 6
        bar = 0.05 if not pointed else 0.045
        count = max(1, round((high - low) / solid.spacing))
        edges = [low + (high - low) * k / count for k in range(count + 1)]
        frame = Faces()
        out = 0.03

        def add(a: float, b: float, c: float, d: float) -> None:
            if across:
                frame.box((x0 - out, c, a), (x1 + out, d, b))
            else:
                frame.box((a, c, z0 - out), (b, d, z1 + out))

        top = y1 if not pointed else y1 - 0.70 * 0.75 * (high - low)
        for k, at in enumerate(edges):
            inner = 0 < k < count
            add(at - bar / 2, at + bar / 2, y0, (y1 - 0.05 if inner else top) if pointed else y1)
        if not pointed:
            add(low, high, y1 - bar, y1)
        add(low - 0.08, high + 0.08, y0 - 0.10, y0)
        if pointed and solid.spacing < 5:
            for share in (0.3, 0.55):
                add(low, high, y0 + share * (y1 - y0) - 0.02, y0 + share * (y1 - y0) + 0.02)
        style = self.scene.tags["style"]
        metal = plain(self.stage, "mullion", (0.035, 0.037, 0.04), 0.35, 0.7)
        white = plain(self.stage, "frame", (0.70, 0.69, 0.66), 0.4)
        made = metal if style in ("villa", "church", "castle", "tower") else white
        self.stage.faces("bars", frame, made, "window", base + 4 if not across else base, bevel=0.006)


def paving(stage: Stage, air: Any) -> Any:
    """Slabs of stone, laid in courses."""
    s = Shader(stage, "paving")
    at = s.place()
    parts = s.node("SeparateXYZ", {0: at}).outputs
    flat = s.node("CombineXYZ", {0: parts[0], 1: parts[1], 2: 0.0}).outputs[0]
    bent = s.node(
        "VectorMath",
        {0: flat, 1: s.scaled(s.node("TexNoise", {"Vector": flat, "Scale": 3.0}).outputs["Color"], 0.03)},
        operation="ADD",
    ).outputs[0]
    node = s.node("TexBrick", {"Vector": bent, "Color1": (0.34, 0.31, 0.27), "Color2": (0.22, 0.205, 0.185),
                               "Mortar": (0.10, 0.095, 0.08), "Scale": 1.0, "Mortar Size": 0.014, "Mortar Smooth": 0.3,
                               "Brick Width": 0.62, "Row Height": 0.40})  # fmt: skip
    grain = s.noise(at, 30.0, 5, 0.65)
    tone = s.shaded(s.shaded(node.outputs["Color"], grain, 0.8, 1.2), s.noise(at, 0.8, 5), 0.85, 1.12)
    height = s.math("SUBTRACT", s.math("MULTIPLY", grain, 0.25), node.outputs["Fac"])
    return s.done(s.hazed(s.surface(Base_Color=tone, Roughness=0.85, Normal=s.bump(height, 0.012)), air, 1900.0))


def _painted(stage: Stage) -> Any:
    s = Shader(stage, "painted wood")
    worn = s.noise(s.scaled(s.place(), (1, 1, 0.2)), 12.0, 6, 0.65)
    colour = s.mix(s.between(worn, 0.60, 0.72), (0.70, 0.69, 0.66), (0.32, 0.28, 0.23))
    return s.done(s.surface(Base_Color=colour, Roughness=0.55))


def _boards(stage: Stage, turned: bool, style: str) -> Any:
    """A door of boards; a garage's is white and ribbed."""
    s = Shader(stage, "door")
    at = s.place()
    parts = s.node("SeparateXYZ", {0: at}).outputs
    garage = style == "garage"
    along = s.math("DIVIDE", parts[2] if garage else parts[1 if turned else 0], 0.45 if garage else 0.19)
    gap = s.between(s.math("FRACT", along), 0.0, 0.09, 0.0, 1.0)
    grain = s.noise(s.scaled(at, (14, 14, 0.8)), 1.6, 6, 0.6)
    low, high = ((0.62, 0.61, 0.59), (0.68, 0.67, 0.65)) if garage else ((0.050, 0.021, 0.010), (0.135, 0.062, 0.028))
    if style == "barn":
        low, high = (0.085, 0.045, 0.024), (0.19, 0.11, 0.06)
    tone = s.mix(s.between(grain, 0.35, 0.65), low, high)
    shade = s.mixed(gap, 0.35, 1.0)
    tone = s.mix(1.0, tone, s.node("CombineColor", {0: shade, 1: shade, 2: shade}).outputs[0], "MULTIPLY")
    height = s.math("ADD", gap, s.math("MULTIPLY", grain, 0.1))
    return s.done(s.surface(Base_Color=tone, Roughness=0.45, Normal=s.bump(height, 0.012)))
