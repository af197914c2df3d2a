"""The panel: knobs in a column over the picture, for keys and the mouse."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...base.frame import Output, Rect
from ...base.reading import Brings
from .dials import Dials
from .favourites import Favourites
from .knobs import Knob, Row, feedback_knobs, make_knobs
from .tools import Reach

WIDTH, ROW, MARGIN = 22.0, 2.5, 1.0  # in units: letters' heights
SLOTS = range(1, 10)
Made = tuple[Any, ...]


class PanelView(NamedTuple):
    """The panel as it is drawn."""

    rows: tuple[Row, ...]
    chosen: int
    box: Rect
    first: int
    """The first row that has room."""
    places: tuple[Rect, ...]
    """Where the rows are that have room."""


class Panel:
    """Opens on the key C. Up and Down choose a knob, Left and Right turn it, Enter presses it; so does the mouse."""

    def __init__(self, reach: Reach, dials: Dials, favourites: Favourites) -> None:
        self.open = False
        self._reach, self._dials, self._favourites = reach, dials, favourites
        self._knobs: list[Knob] = []
        self._made: Made = ()  # what the knobs were made for
        self._chosen = 0
        self._dragged: int | None = None

    def toggle(self) -> None:
        """Open, or close."""
        if self._reach.controls is None or self._reach.status.config is None:
            self._reach.say("there is nothing to change yet")
            return
        self.open, self._dragged = not self.open, None
        self._reach.pygame.key.set_repeat(*((300, 60) if self.open else ()))
        self.look()

    def close(self) -> None:
        """Nothing is kept open."""

    def look(self) -> None:
        """Have the knobs that the stream has now."""
        config = self._reach.status.config
        if not self.open or config is None:
            return
        brings = getattr(self._reach.controls, "brings", Brings)()
        made = (tuple(config.lora_dict), config.fuse_lora, config.mode, len(config.controlnets), brings.styles)
        steps = (config.num_inference_steps, config.t_index_list)
        if (made, steps) != self._made:
            self._knobs, self._made = make_knobs(config, brings, self._dials), (made, steps)
            feedback = getattr(self._reach.controls, "feedback", None)
            if feedback is not None and config.from_picture:
                self._knobs += feedback_knobs(feedback)
            self._chosen = min(self._chosen, len(self._knobs) - 1)

    def picture(self) -> Output | None:
        """The newest picture stays."""
        return None

    def seen(self) -> PanelView:
        """The rows that have room, and the chosen one among them."""
        kept = self._favourites.names()
        rows = [knob.row() for knob in self._knobs]
        rows += [Row(f"favourite {slot}", kept[slot], None, str(slot)) for slot in SLOTS if slot in kept]
        width, height = self._reach.pygame.display.get_surface().get_size()
        unit = self._reach.unit()
        fits = max(1, min(len(rows), int((height / unit - 2 * MARGIN - 1) / ROW)))
        first = min(max(0, self._chosen - fits // 2), len(rows) - fits)
        wide, tall = min(width, round(WIDTH * unit)), round((fits * ROW + 1) * unit)
        box = Rect(width - wide - min(round(MARGIN * unit), width - wide), round(MARGIN * unit), wide, tall)
        step = ROW * unit
        places = tuple(
            Rect(box.x, box.y + round(0.5 * unit + index * step), wide, round(step)) for index in range(fits)
        )
        return PanelView(tuple(rows), self._chosen, box, first, places)

    def handle(self, event: Any) -> bool:
        """Take keys that choose and turn, and the mouse over the panel."""
        pygame = self._reach.pygame
        if event.type == pygame.KEYDOWN:
            return self._key(event)
        if event.type == pygame.MOUSEBUTTONUP:
            dragged, self._dragged = self._dragged, None
            return dragged is not None
        if event.type == pygame.MOUSEMOTION and self._dragged is not None:
            self._drag(event.pos)
            return True
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            return self._click(event.pos)
        if event.type == pygame.MOUSEWHEEL:
            return self._wheel(pygame.mouse.get_pos(), event.y)
        return False

    def _key(self, event: Any) -> bool:
        pygame = self._reach.pygame
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META):
            return False
        count = len(self.seen().rows)
        if event.key in (pygame.K_UP, pygame.K_DOWN):
            self._chosen = (self._chosen + (1 if event.key == pygame.K_DOWN else -1)) % count
        elif event.key in (pygame.K_LEFT, pygame.K_RIGHT):
            if self._chosen < len(self._knobs):
                self._knobs[self._chosen].turn(1 if event.key == pygame.K_RIGHT else -1)
        elif event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._press(self._chosen)
        else:
            return False
        return True

    def _press(self, index: int) -> None:
        if index < len(self._knobs):
            self._knobs[index].press()
        else:
            kept = [slot for slot in SLOTS if slot in self._favourites.names()]
            self._favourites.recall(kept[index - len(self._knobs)])

    def _at(self, place: tuple[int, int]) -> int | None:
        view = self.seen()
        for index, rect in enumerate(view.places):
            if rect.x <= place[0] < rect.x + rect.width and rect.y <= place[1] < rect.y + rect.height:
                return view.first + index
        return None

    def _click(self, place: tuple[int, int]) -> bool:
        index = self._at(place)
        if index is None:
            return False
        self._chosen = index
        if self.seen().rows[index].part is None:
            self._press(index)
        else:
            self._dragged = index
            self._drag(place)
        return True

    def _drag(self, place: tuple[int, int]) -> None:
        assert self._dragged is not None
        rail = rail_of(self.seen().box, self._reach.unit())
        if self._dragged < len(self._knobs):
            self._knobs[self._dragged].set((place[0] - rail.x) / max(1, rail.width))

    def _wheel(self, place: tuple[int, int], by: int) -> bool:
        index = self._at(place)
        if index is not None and index < len(self._knobs):
            self._chosen = index
            self._knobs[index].turn(1 if by > 0 else -1)
        return index is not None


def rail_of(box: Rect, unit: int) -> Rect:
    """From where to where sliders of a panel go, in its width."""
    return Rect(box.x + unit, box.y, max(1, box.width - 2 * unit), box.height)
