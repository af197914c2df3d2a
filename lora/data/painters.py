"""Who paints scenes: the fast painter, which needs nothing, or a path tracer, which needs Blender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...stream.base.errors import ConfigError
from .render import LOOK, Renders

if TYPE_CHECKING:
    from ._scene import Scene

Paint = Callable[["Sequence[Scene]", int], Renders]
TRACED_LOOK = 6  # grows whenever traced pictures change
INSTALL = "pip install --no-deps bpy==5.0.1 zstandard"  # with what it asks for, numpy would go back to 1


@dataclass(frozen=True)
class Painter:
    """One way to paint scenes."""

    look: int
    """Grows whenever its pictures change, so that no set of them mixes two looks."""
    needs: str = ""
    """A module that it cannot do without."""

    def check(self) -> None:
        """Raise ConfigError where what it needs is missing."""
        if self.needs and find_spec(self.needs) is None:
            raise ConfigError(
                f"traced scenes need Blender as a module of Python, which is missing: {INSTALL} (Python 3.11 only)"
            )


PAINTERS = {"fast": Painter(LOOK), "traced": Painter(TRACED_LOOK, "bpy")}


def painter_of(name: str) -> Paint:
    """What renders scenes to pictures of a size. Raises ConfigError where what it needs is missing."""
    PAINTERS[name].check()
    if name == "traced":
        from .traced import render
    else:
        from .render import render
    return render
