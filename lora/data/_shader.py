"""Materials for the path tracer, written as sums of textures instead of as wires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Colour = Sequence[float]


FOG = 0.3  # of the clear air's reach: below it, what is near fades, too


class Shader:
    """The nodes of one material, or of the world; every method gives the output of a node."""

    def __init__(self, stage: Any, name: str, world: bool = False) -> None:
        data = stage.bpy.data
        self.stage = stage
        self.owner = data.worlds.new(name) if world else data.materials.new(name)
        self.owner.use_nodes = True
        self.tree = self.owner.node_tree
        self.tree.nodes.clear()
        self.out = self.tree.nodes.new("ShaderNodeOutputWorld" if world else "ShaderNodeOutputMaterial")
        self._in_fog = not world and name != "disc" and stage.air < FOG
        self._behind_air = False

    def node(self, kind: str, inputs: dict[Any, Any] | None = None, **settings: Any) -> Any:
        """A node of a kind; inputs by name or number are values or outputs of others."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in settings.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            self._put(node.inputs[name], value)
        return node

    def _put(self, socket: Any, value: Any) -> None:
        if hasattr(value, "is_linked"):
            self.tree.links.new(value, socket)
        elif socket.type == "RGBA":
            socket.default_value = (*value, 1.0) if len(value) == 3 else tuple(value)
        else:
            socket.default_value = value

    def place(self, scale: float | Sequence[float] = 1.0) -> Any:
        """Metres in the object, times ``scale``."""
        found = self.node("TexCoord").outputs["Object"]
        return self.scaled(found, scale)

    def scaled(self, vector: Any, scale: float | Sequence[float]) -> Any:
        by = (scale,) * 3 if isinstance(scale, int | float) else tuple(scale)
        return self.node("VectorMath", {0: vector, 1: by}, operation="MULTIPLY").outputs[0]

    def noise(self, vector: Any, scale: float, detail: float = 6.0, rough: float = 0.55, bend: float = 0.0) -> Any:
        """From 0 to 1, about 0.5."""
        inputs = {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": rough, "Distortion": bend}
        return self.node("TexNoise", inputs).outputs[0]

    def cells(self, vector: Any, scale: float, feature: str = "F1") -> Any:
        """Distance to the nearest of scattered points."""
        return self.node("TexVoronoi", {"Vector": vector, "Scale": scale}, feature=feature).outputs["Distance"]

    def wave(self, vector: Any, scale: float, bend: float, axis: str = "X", profile: str = "SIN") -> Any:
        """Bands from 0 to 1 across an axis."""
        inputs = {"Vector": vector, "Scale": scale, "Distortion": bend, "Detail": 2.0}
        return self.node("TexWave", inputs, bands_direction=axis, wave_profile=profile).outputs["Fac"]

    def math(self, operation: str, a: Any, b: Any = 0.0, clamp: bool = False) -> Any:
        return self.node("Math", {0: a, 1: b}, operation=operation, use_clamp=clamp).outputs[0]

    def between(self, value: Any, low: float, high: float, first: float = 0.0, last: float = 1.0) -> Any:
        """``first`` below ``low``, ``last`` above ``high``, smooth between."""
        inputs = {"Value": value, "From Min": low, "From Max": high, "To Min": first, "To Max": last}
        return self.node("MapRange", inputs, interpolation_type="SMOOTHSTEP", clamp=True).outputs[0]

    def mix(self, share: Any, a: Any, b: Any, blend: str = "MIX") -> Any:
        """Colours."""
        return self.node("Mix", {0: share, 6: a, 7: b}, data_type="RGBA", blend_type=blend).outputs[2]

    def mixed(self, share: Any, a: Any, b: Any) -> Any:
        """Numbers."""
        return self.node("Mix", {0: share, 2: a, 3: b}, data_type="FLOAT").outputs[0]

    def shaded(self, colour: Any, value: Any, low: float, high: float) -> Any:
        """A colour times ``low`` where ``value`` is 0 to times ``high`` where it is 1."""
        share = self.between(value, 0.25, 0.75, low, high)
        grey = self.node("CombineColor", {0: share, 1: share, 2: share}).outputs[0]
        return self.mix(1.0, colour, grey, "MULTIPLY")

    def bump(self, height: Any, metres: float, below: Any = None) -> Any:
        inputs = {"Strength": 1.0, "Distance": metres, "Height": height}
        return self.node("Bump", inputs if below is None else {**inputs, "Normal": below}).outputs[0]

    def surface(self, **inputs: Any) -> Any:
        """The principled shader; names as Blender's, with _ for a space."""
        named = {name.replace("_", " "): value for name, value in inputs.items() if value is not None}
        return self.node("BsdfPrincipled", {_SPELLED.get(name, name): value for name, value in named.items()}).outputs[
            0
        ]

    def hazed(self, surface: Any, haze: Colour, far: float, most: float = 0.9) -> Any:
        """A surface behind air: the colour of the haze takes over with the distance in metres, sooner in fog."""
        self._behind_air = True
        distance = self.node("CameraData").outputs["View Distance"]
        far, most = far * self.stage.air, 1 - (1 - most) * min(1.0, 2 * self.stage.air)
        deep = self.math("DIVIDE", distance, -far)
        if not self._in_fog:  # what is near keeps its colours, as eyes see it
            deep = self.math("MULTIPLY", deep, self.math("DIVIDE", distance, self.math("ADD", distance, 0.25 * far)))
        share = self.math("SUBTRACT", 1.0, self.math("EXPONENT", deep))
        share = self.math("MULTIPLY", share, most)
        air = self.node("Emission", {"Color": haze, "Strength": 1.0}).outputs[0]
        return self.node("MixShader", {0: share, 1: surface, 2: air}).outputs[0]

    def done(self, surface: Any) -> Any:
        """Ends it with a shader; gives the material. In fog, everything is behind air."""
        if self._in_fog and not self._behind_air:
            surface = self.hazed(surface, self.stage.haze, 1900.0)
        self.tree.links.new(surface, self.out.inputs["Surface"])
        return self.owner


_SPELLED = {"IOR Level": "Specular IOR Level"}


def plain(
    stage: Any, name: str, colour: Colour, rough: float, metal: float = 0.0, coat: float = 0.0, glow: float = 0.0
) -> Any:
    """A material without any texture."""
    shader = Shader(stage, name)
    inputs: dict[str, Any] = {"Base_Color": colour, "Roughness": rough, "Metallic": metal, "Coat_Weight": coat}
    if glow:
        inputs |= {"Emission_Color": colour, "Emission_Strength": glow}
    return shader.done(shader.surface(**inputs))
