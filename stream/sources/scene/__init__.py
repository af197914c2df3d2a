"""A 3D scene that is drawn live, with everything that is known of its pictures."""

from .source import KIND, SceneSource, present
from .source import open_scene as open

__all__ = ["KIND", "SceneSource", "open", "present"]
