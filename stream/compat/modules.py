"""Importing this module gives StreamDiffusion's own module names to what is here, until the program ends.

A program that imports from several of them needs no other change than ``import inkstream.stream.compat.modules`` above
its imports. An installed ``streamdiffusion`` is not looked at then.
"""

from __future__ import annotations

import sys
from types import ModuleType

from . import acceleration, diffusion, pictures, viewer, wrapper

_CONTENTS = {
    "streamdiffusion": diffusion,
    "streamdiffusion.pipeline": diffusion,
    "streamdiffusion.image_utils": pictures,
    "streamdiffusion.acceleration": acceleration,
    "streamdiffusion.acceleration.sfast": acceleration,
    "streamdiffusion.acceleration.tensorrt": acceleration,
    "utils": viewer,
    "utils.viewer": viewer,
    "utils.wrapper": wrapper,
}

for _name, _content in _CONTENTS.items():
    _module = ModuleType(_name, f"The names of StreamDiffusion's ``{_name}``, as ``inkstream.stream.compat`` has them.")
    _module.__path__ = []  # so that it may hold others
    vars(_module).update({name: value for name, value in vars(_content).items() if not name.startswith("_")})
    sys.modules[_name] = _module
