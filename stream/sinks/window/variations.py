"""Six other pictures of the same drawing, to go on with one; and two settings side by side."""

from __future__ import annotations

import queue
import random
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...base.config import StreamConfig
from ...base.frame import Output, Rect, Size
from ...base.reading import Brings
from ...base.variants import variants
from .dials import Dials
from .pictures import gap
from .tools import Reach

COUNT = 6
WORDS = 2.0  # units of height for the words under a picture


@dataclass(eq=False)
class Tile:
    """A picture with what is said of it; another object for another picture."""

    label: str
    output: Output | None = None
    fault: str = ""
    """Why there is no picture."""


class TilesView(NamedTuple):
    """Pictures beside each other, over the whole window."""

    tiles: tuple[Tile, ...]
    places: tuple[Rect, ...]
    chosen: int
    hint: str


class _Tried:
    """Pictures that the session renders for a tool, as they come. What comes late, for an earlier question, is left."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._news: queue.SimpleQueue[tuple[int, int, Output | None, str]] = queue.SimpleQueue()
        self._asked = 0

    def ask(self, changes: list[dict[str, Any]]) -> bool:
        """Ask for pictures; False where nobody renders any, and then that is said."""
        try_out = getattr(self._reach.controls, "try_out", None)
        if try_out is None or self._reach.output is None or self._reach.status.config is None:
            self._reach.say("there is no picture yet to vary" if try_out else "nothing can be tried here")
            return False
        self._asked += 1
        question = self._asked
        try_out(changes, lambda number, output, why: self._news.put((question, number, output, why)))
        return True

    def news(self) -> list[tuple[int, Output | None, str]]:
        """What came since the last call, for the newest question."""
        found = []
        while not self._news.empty():
            question, number, output, why = self._news.get()
            if question == self._asked:
                found.append((number, output, why))
        return found


class _Tiles:
    """A tool that shows pictures which the session renders for it, one of them chosen."""

    def __init__(self, reach: Reach, dials: Dials) -> None:
        self.open = False
        self._reach, self._dials = reach, dials
        self._tried = _Tried(reach)
        self._tiles: tuple[Tile, ...] = ()
        self._chosen = 0

    def close(self) -> None:
        """Nothing is kept open."""

    def look(self) -> None:
        """Take pictures that have come."""
        for number, output, why in self._tried.news():
            tiles = list(self._tiles)
            tiles[number] = Tile(tiles[number].label, output, why)
            self._tiles = tuple(tiles)

    def picture(self) -> Output | None:
        """The chosen one, for who keeps it."""
        return self._tiles[self._chosen].output if self._tiles else None

    def _view(self, hint: str) -> TilesView:
        size = Size(*self._reach.pygame.display.get_surface().get_size())
        return TilesView(self._tiles, grid(size, len(self._tiles), self._reach.unit()), self._chosen, hint)


class Variations(_Tiles):
    """Opens on the key V. Arrows or the mouse choose, Enter or a click goes on with one, V draws six others."""

    def __init__(self, reach: Reach, dials: Dials, rng: random.Random | None = None) -> None:
        super().__init__(reach, dials)
        self._rng = rng or random.Random()
        self._changes: list[dict[str, Any]] = []

    def toggle(self) -> None:
        """Open with six new ones, or close."""
        self.open = not self.open and self._ask()

    def seen(self) -> TilesView:
        """All of them."""
        ready = sum(tile.output is not None or bool(tile.fault) for tile in self._tiles)
        hint = "Enter: go on with this   V: six others   Ctrl+S: keep   Esc: back"
        if ready < len(self._tiles):
            styles = any("lora_dict" in change for change in self._changes[ready:][:1])
            hint = f"rendering {ready + 1} of {len(self._tiles)}"
            hint += "   (the first time, styles are loaded before)" if styles else ""
        return self._view(hint)

    def handle(self, event: Any) -> bool:
        """Take keys and the mouse."""
        pygame, count = self._reach.pygame, len(self._tiles)
        if event.type == pygame.MOUSEMOTION:
            self._chosen = self._at(event.pos, self._chosen)
            return True
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._chosen = self._at(event.pos, -1) % count
            if self._at(event.pos, -1) >= 0:
                self._go_on()
            return True
        if event.type != pygame.KEYDOWN or event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META):
            return False
        columns = columns_of(self.seen().places)
        steps = {pygame.K_LEFT: -1, pygame.K_RIGHT: 1, pygame.K_UP: -columns, pygame.K_DOWN: columns}
        if event.key in steps:
            self._chosen = (self._chosen + steps[event.key]) % count
        elif event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._go_on()
        elif event.key == pygame.K_v:
            self._ask()
        elif pygame.K_1 <= event.key < pygame.K_1 + count:
            self._chosen = event.key - pygame.K_1
            self._go_on()
        else:
            return False
        return True

    def _ask(self) -> bool:
        config, brings = self._reach.status.config, getattr(self._reach.controls, "brings", Brings)()
        drawn = variants(config, brings, self._rng, COUNT) if config else []
        asked = self._tried.ask([each.changes for each in drawn])
        if asked:
            self._changes = [each.changes for each in drawn]
            self._tiles, self._chosen = tuple(Tile(each.label) for each in drawn), 0
        return asked

    def _go_on(self) -> None:
        tile = self._tiles[self._chosen]
        if tile.output is None:
            self._reach.say(tile.fault or "this one is not rendered yet")
        elif self._dials.turn(**self._changes[self._chosen]):
            self._reach.say(f"on with: {tile.label}")
            self.open = False

    def _at(self, place: tuple[int, int], otherwise: int) -> int:
        for index, rect in enumerate(self.seen().places):
            if rect.x <= place[0] < rect.x + rect.width and rect.y <= place[1] < rect.y + rect.height:
                return index
        return otherwise


class SideBySide(_Tiles):
    """Two settings on the same drawing: A remembers those of now, and A again shows them beside the present ones."""

    def __init__(self, reach: Reach, dials: Dials) -> None:
        super().__init__(reach, dials)
        self._kept: StreamConfig | None = None
        self._chosen = 1

    def toggle(self) -> None:
        """Remember, then open; or close."""
        if self.open:
            self.open = False
        elif self._kept is None:
            self._keep()
        else:
            self.open = self._ask()

    def seen(self) -> TilesView:
        """Both."""
        hint = "Left, Right: choose   Enter: go on with it   R: render again   A: remember B as A   Esc: back"
        return self._view(hint)

    def handle(self, event: Any) -> bool:
        """Take keys and the mouse."""
        pygame = self._reach.pygame
        if event.type == pygame.MOUSEMOTION:
            places = self.seen().places
            self._chosen = int(event.pos[0] >= places[1].x and event.pos[1] >= places[1].y)
            return True
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._go_on()
            return True
        if event.type != pygame.KEYDOWN or event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META):
            return False
        if event.key in (pygame.K_LEFT, pygame.K_RIGHT, pygame.K_UP, pygame.K_DOWN):
            self._chosen = 1 - self._chosen
        elif event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._go_on()
        elif event.key == pygame.K_r:
            self._ask()
        elif event.key == pygame.K_a:
            self._keep()
            self.open = False
        else:
            return False
        return True

    def _keep(self) -> None:
        self._kept = self._reach.status.config
        self._reach.say("remembered as A: change what you like, and A shows both" if self._kept else "nothing yet")

    def _changes(self) -> dict[str, Any]:
        kept, now = self._kept, self._reach.status.config
        return now.changes_to(kept) if kept and now else {}

    def _ask(self) -> bool:
        asked = self._tried.ask([self._changes(), {}])
        if asked:
            self._tiles, self._chosen = (Tile("A"), Tile("B, now")), 1
        return asked

    def _go_on(self) -> None:
        changes = self._changes()
        if self._chosen == 0 and changes and self._dials.turn(**changes):
            self._reach.say("back to A")
        self.open = False


def grid(size: Size, count: int, unit: int) -> tuple[Rect, ...]:
    """Where ``count`` pictures stand in a window with words under each, as large as they can be if square."""
    between, bottom = gap(size), round(1.8 * unit)
    words = round(WORDS * unit)

    def side(columns: int) -> float:
        rows = -(-count // columns)
        return min(
            (size.width - (columns + 1) * between) / columns,
            (size.height - bottom - (rows + 1) * between) / rows - words,
        )

    columns = max(range(1, count + 1), key=side)
    rows, edge = -(-count // columns), max(1, int(side(columns)))
    left = (size.width - columns * edge - (columns - 1) * between) // 2
    top = max(0, (size.height - bottom - rows * (edge + words) - (rows - 1) * between) // 2)
    corners = [(index % columns, index // columns) for index in range(count)]
    wide, high = edge + between, edge + words + between
    return tuple(Rect(left + column * wide, top + row * high, edge, edge + words) for column, row in corners)


def columns_of(places: tuple[Rect, ...]) -> int:
    """How many stand beside each other."""
    return sum(place.y == places[0].y for place in places)
