"""The scenes that need no file: a city and a terrain. The same seed gives the same scene, in metres."""

from __future__ import annotations

import numpy as np

from .geometry import Builder, Geometry, Stage

ROAD, WALK, LAWN = (86, 88, 94), (178, 176, 170), (126, 158, 88)
WALLS = ((196, 110, 78), (216, 196, 160), (232, 226, 214), (150, 160, 172), (120, 134, 150), (206, 160, 110))
ROOFS = ((104, 98, 96), (136, 80, 62), (84, 92, 104))
GLASS = (70, 98, 140)
LEAVES, TRUNK = (66, 118, 60), (98, 74, 54)
STOREY = 3.2
BLOCK, STREET = 26.0, 11.0
BLOCKS = 4


def city(seed: int = 0) -> Geometry:
    """Blocks of houses and towers with windows, streets, lawns and trees; the path goes through the streets."""
    random, build = np.random.default_rng(seed), Builder()
    pitch = BLOCK + STREET
    half = BLOCKS * pitch / 2
    edge = 9 * half
    ground = build.thing("ground")
    build.quads(
        ground,
        [[-edge, -0.3, edge], [edge, -0.3, edge], [edge, -0.3, -edge], [-edge, -0.3, -edge]],  # pyright: ignore
        LAWN,
    )
    road = build.thing("road")
    out = half + STREET / 2
    build.box(road, (-out, -0.2, -out), (out, 0.0, out), ROAD)
    walk, trees = build.thing("ground"), build.thing("tree")
    for row in range(BLOCKS):
        for column in range(BLOCKS):
            x, z = (-half + STREET / 2 + each * pitch for each in (column, row))
            build.box(walk, (x, 0.0, z), (x + BLOCK, 0.15, z + BLOCK), WALK)
            if random.random() < 0.14:
                _park(build, trees, random, x, z)
                continue
            near = 1 - np.hypot(column - 1.5, row - 1.5) / 2.2  # towers stand in the middle
            for part in range(2):
                _house(build, random, x + 1.5 + part * BLOCK / 2, z + 1.5, BLOCK / 2 - 2.5, BLOCK - 3.0, near)
    for street in range(1, BLOCKS):
        kerb = -half + street * pitch - STREET / 2 - 0.9
        for block in range(BLOCKS):
            for along in (0.2, 0.5, 0.8):
                at = -half + STREET / 2 + block * pitch + along * BLOCK
                _tree(build, trees, random, kerb, at, 0.15)
    near, far = 0.0, pitch  # streets have their middles at multiples of the pitch
    corners = [(near, far), (far, far), (far, -far), (near, -far), (-far, -far), (-far, near), (near, near)]
    way = _street_path(np.array(corners), 4.0)
    return build.made(Stage(np.array([0.0, 9.0, 0.0]), half, 26.0, way, inwards=False, near=5.0))


def terrain(seed: int = 0) -> Geometry:
    """Mountains, meadows, a lake and trees; the path goes round above the lake."""
    random, build = np.random.default_rng(seed), Builder()
    count, span = 72, 240.0
    axis = np.linspace(-span / 2, span / 2, count)
    x, z = np.meshgrid(axis, axis, indexing="ij")
    far = np.hypot(x, z) / (span / 2)
    octaves = [0.5**each * _waves(random, x / span * 2.0**each * 2.2, z / span * 2.0**each * 2.2) for each in range(5)]
    hills = np.sum(octaves, axis=0)
    height = 62.0 * np.clip(far, 0, 1.2) ** 1.6 * (0.45 + 0.8 * np.abs(hills)) + 9.0 * hills - 4.0
    points = np.stack([x, height, z], -1)
    level = (height[:-1, :-1] + height[1:, :-1] + height[1:, 1:] + height[:-1, 1:]) / 4
    slope = np.hypot(*np.gradient(height, axis[1] - axis[0]))[:-1, :-1]
    kinds = np.select([level < 0.8, level > 46, (slope > 0.85) | (level > 30)], [0, 3, 2], 1)
    shades = np.array([(206, 190, 142), (112, 148, 74), (128, 120, 114), (240, 244, 250)], float)
    tone = 1 + 0.08 * (random.random(level.shape) - 0.5)
    colours = np.clip(shades[kinds] * tone[..., None], 0, 255).astype(np.uint8)
    normals = _grid_normals(points)
    for kind, name in enumerate(("sand", "grass", "rock", "mountain")):
        build.patch(build.thing(name), points, normals, colours, kinds == kind)
    lake = build.thing("lake")
    build.quads(
        lake,
        [[-span / 2, 0, span / 2], [span / 2, 0, span / 2], [span / 2, 0, -span / 2], [-span / 2, 0, -span / 2]],  # pyright: ignore
        (74, 128, 168),
    )
    trees = build.thing("tree")
    spots = np.argwhere((kinds == 1) & (slope < 0.6) & (level > 1.5) & (level < 24))
    for i, j in random.permutation(spots)[:70]:
        _conifer(build, trees, random, float(x[i, j]), float(height[i, j]), float(z[i, j]))
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radius = span * (0.24 + 0.06 * np.sin(3 * turn))
    way = np.stack([radius * np.cos(turn), 24 + 5 * np.sin(2 * turn), radius * np.sin(turn)], -1)
    return build.made(Stage(np.array([0.0, 16.0, 0.0]), span / 7, 14.0, way, inwards=False, near=14.0))


def _house(build: Builder, random: np.random.Generator, x: float, z: float, wide: float, deep: float, near: float):
    storeys = int(np.clip(round(3 + 9 * max(near, 0.0) * random.random() + 2 * random.random()), 2, 13))
    height, base = storeys * STOREY + 1.0, 0.15
    colour, top = WALLS[random.integers(len(WALLS))], ROOFS[random.integers(len(ROOFS))]
    wall, window, roof = build.thing("wall"), build.thing("window"), build.thing("roof")
    build.box(wall, (x, base, z), (x + wide, base + height, z + deep), colour)
    if storeys < 6 and random.random() < 0.6:
        _gable(build, roof, x, base + height, z, wide, deep, top)
    else:
        build.box(roof, (x - 0.3, base + height, z - 0.3), (x + wide + 0.3, base + height + 0.6, z + deep + 0.3), top)
    tall, broad = random.uniform(1.5, 2.0), random.uniform(1.1, 2.0)
    quads = []
    for along, length in (("x", wide), ("z", deep)):
        number = max(2, int(length / (broad + 1.6)))
        middles = (np.arange(number) + 0.5) * length / number
        for level in range(storeys):
            low = base + 0.9 + level * STOREY
            for middle in middles:
                a, b = middle - broad / 2, middle + broad / 2
                for side in (-0.06, (deep if along == "x" else wide) + 0.06):
                    flat = [(a, low), (b, low), (b, low + tall), (a, low + tall)]
                    quads.append([(x + u, v, z + side) if along == "x" else (x + side, v, z + u) for u, v in flat])
    build.quads(window, np.array(quads), GLASS)


def _gable(build: Builder, roof: int, x: float, y: float, z: float, wide: float, deep: float, colour) -> None:
    out, rise = 0.5, wide * 0.45
    a, b, c = x - out, x + wide / 2, x + wide + out
    front, back = z - out, z + deep + out
    low, high = y - out * 0.8, y + rise
    build.quads(roof, [[(a, low, front), (b, high, front), (b, high, back), (a, low, back)]], colour)  # pyright: ignore
    build.quads(roof, [[(c, low, back), (b, high, back), (b, high, front), (c, low, front)]], colour)  # pyright: ignore
    for at in (z, z + deep):
        build.add(roof, [[(x, y, at), (x + wide, y, at), (b, y + rise, at)]], tuple(round(0.85 * v) for v in colour))  # pyright: ignore


def _park(build: Builder, trees: int, random: np.random.Generator, x: float, z: float) -> None:
    lawn = build.thing("grass")
    build.box(lawn, (x + 1.5, 0.15, z + 1.5), (x + BLOCK - 1.5, 0.3, z + BLOCK - 1.5), (118, 162, 80))
    for _ in range(9):
        _tree(build, trees, random, x + random.uniform(4, BLOCK - 4), z + random.uniform(4, BLOCK - 4), 0.3)


def _tree(build: Builder, trees: int, random: np.random.Generator, x: float, z: float, y: float) -> None:
    tall, round_ = random.uniform(1.6, 2.4), random.uniform(1.3, 1.9)
    build.grid(trees, _turned([(0.16, 0), (0.14, tall)], 5, x, y, z), TRUNK)
    profile = [
        (0.05, tall - 0.3),
        (round_ * 0.8, tall + 0.3),
        (round_, tall + round_),
        (round_ * 0.7, tall + 1.7 * round_),
    ]
    shade = tuple(round(each * random.uniform(0.85, 1.15)) for each in LEAVES)
    build.grid(trees, _turned([*profile, (0.02, tall + 2.1 * round_)], 7, x, y, z), shade)


def _conifer(build: Builder, trees: int, random: np.random.Generator, x: float, y: float, z: float) -> None:
    tall = random.uniform(4.0, 7.5)
    shade = tuple(round(each * random.uniform(0.7, 1.0)) for each in LEAVES)
    build.grid(trees, _turned([(0.25, -0.5), (0.2, tall * 0.2)], 4, x, y, z), TRUNK)
    build.grid(trees, _turned([(tall * 0.26, tall * 0.15), (tall * 0.15, tall * 0.55)], 6, x, y, z), shade)
    build.grid(trees, _turned([(tall * 0.2, tall * 0.45), (0.02, tall)], 6, x, y, z), shade)


def _turned(profile: list[tuple[float, float]], sides: int, x: float, y: float, z: float) -> np.ndarray:
    """A surface of revolution around an upright axis: (len(profile), sides + 1, 3)."""
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    radius, up = np.array(profile, float).T
    ring = np.stack([np.cos(turn), np.zeros_like(turn), np.sin(turn)], -1)
    return np.array([x, y, z]) + radius[:, None, None] * ring + np.stack([0 * up, up, 0 * up], -1)[:, None]


def _street_path(corners: np.ndarray, height: float) -> np.ndarray:
    """Places a few metres apart along straight streets, cutting their corners: (N, 3)."""
    points = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        way = end - start
        length = float(np.hypot(*way))
        cut = min(5.0, length / 3)
        for share in np.linspace(cut / length, 1 - cut / length, max(2, int(length / 12))):
            points.append([*(start + share * way)])
    flat = np.array(points)
    return np.stack([flat[:, 0], np.full(len(flat), height), flat[:, 1]], -1)


def _waves(random: np.random.Generator, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Smooth noise of about -1 to 1: lattice values with cubic ramps between them."""
    table = random.uniform(-1, 1, (64, 64))
    i, j = np.floor(x).astype(int), np.floor(z).astype(int)
    u, v = x - i, z - j
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    a, b, c, d = (table[(i + di) % 64, (j + dj) % 64] for di, dj in ((0, 0), (1, 0), (0, 1), (1, 1)))
    return (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v


def _grid_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals of a surface through (U, V, 3) points, up."""
    along, across = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normals = np.cross(across, along)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)
