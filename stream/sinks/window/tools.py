"""What opens over the preview, one at a time, and takes the keys and the mouse while it is open: a tool.

A tool that can be drawn says what is seen of it (``seen``), and ``PAINTED`` in ``toolviews`` says who draws that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...base.frame import Output
from .. import Controls, Status
from ..keep import Keeper
from .desktop import NativeWindow
from .memory import Memory
from .seeing import Modes


@dataclass
class Reach:
    """What a tool can reach: the session behind ``controls``, the newest of what came from it, and the window."""

    pygame: Any
    window: NativeWindow
    memory: Memory
    keeper: Keeper
    say: Callable[[str], None]
    """Shows words for some seconds."""
    clock: Callable[[], float]
    """Seconds."""
    controls: Controls | None = None
    status: Status = field(default_factory=Status)
    output: Output | None = None
    """The newest picture of the stream."""
    modes: Modes = field(default_factory=Modes)
    """What the user chose to see."""
    unit: Callable[[], int] = lambda: 16
    """Pixels of a letter's height just now: what is drawn is measured in it."""


class Tool(Protocol):
    """Something over the picture that has keys and a mouse while it is open."""

    open: bool

    def toggle(self) -> None:
        """Open, or close; says why it cannot be opened."""
        ...

    def handle(self, event: Any) -> bool:
        """Take one event of pygame while open; False leaves it to the window's own keys."""
        ...

    def look(self) -> None:
        """Called at every turn of the window, open or not."""
        ...

    def seen(self) -> object | None:
        """What there is to draw, as a frozen value: two equal ones give the same pixels. None: nothing."""
        ...

    def picture(self) -> Output | None:
        """What is shown in place of the newest picture; None: that one."""
        ...

    def close(self) -> None:
        """The window closes: let go of what is open."""
        ...


class Toolbox:
    """The window's tools by name; at most one is open."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = dict(tools)

    @property
    def open(self) -> Tool | None:
        """The tool that is open."""
        return next((tool for tool in self._tools.values() if tool.open), None)

    def actions(self) -> dict[str, Callable[[], None]]:
        """What opens or closes each tool, by the tool's name."""
        return {name: lambda name=name: self._toggle(name) for name in self._tools}

    def handle(self, event: Any) -> bool:
        """Give an event to the tool that is open; whether it took it."""
        tool = self.open
        return tool is not None and tool.handle(event)

    def look(self) -> None:
        """Let every tool see what is new."""
        for tool in self._tools.values():
            tool.look()

    def shut(self) -> bool:
        """Close the open tool; whether there was one."""
        tool = self.open
        if tool is not None:
            tool.toggle()
        return tool is not None

    def close(self) -> None:
        """Let every tool let go."""
        for tool in self._tools.values():
            tool.close()

    def _toggle(self, name: str) -> None:
        tool = self._tools[name]
        if not tool.open:
            self.shut()
        tool.toggle()
