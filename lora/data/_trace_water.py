"""Water for the path tracer: it mirrors what stands around it, and waves break the mirror near by."""

from __future__ import annotations

from typing import Any

from ._blender import Stage
from ._shader import Shader

HAZE = 4000.0  # metres in which air hides two thirds


def water(stage: Stage, air: Any, waves: float, scale: float = 1.0) -> Any:
    """A surface with waves of about ``waves`` metres; ``scale`` is how many times as large everything is."""
    s = Shader(stage, "water")
    at = s.place(1 / scale)
    long = s.noise(s.scaled(at, (0.5, 1.0, 1.0)), 0.45, 4, 0.55)
    small = s.noise(s.scaled(at, (0.7, 1.0, 1.0)), 2.6, 4, 0.6)
    calm = s.between(s.noise(at, 0.05, 3), 0.42, 0.6, 0.25, 1.0)
    height = s.math("MULTIPLY", s.math("ADD", long, s.math("MULTIPLY", small, 0.25)), calm)
    tone = s.mix(s.between(s.noise(at, 0.08, 4), 0.4, 0.6), (0.012, 0.035, 0.034), (0.020, 0.050, 0.042))
    normal = s.bump(height, waves * scale)
    made = s.surface(Base_Color=tone, Roughness=0.035, IOR_Level=0.5, IOR=1.33, Normal=normal)
    return s.done(s.hazed(made, air, HAZE, 0.6))
