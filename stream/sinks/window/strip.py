"""The film strip: the last minutes over the picture, to look at, keep, go back to and compare."""

from __future__ import annotations

from typing import Any

from ...base.frame import Output, Size
from ...base.plain import plain
from ...history.store import Entry
from ..keep import HISTORY
from .dials import Dials
from .film import Film, Large, Thumb, Wanted
from .filmplan import Plan, Span, off_rail, on_rail, plan
from .moments import Wipe, ago, said
from .pictures import render_at
from .stripview import Cell, Divider, StripView
from .tools import Reach

JUMP = 10  # pictures
PUSH, FAR = 0.02, 0.1  # of the width, that a key moves the divider
REPEAT = (300, 45)  # milliseconds until a key that is held repeats, and between repetitions
OFF = "the last minutes are not recorded here: inkstream run does so, unless --history or INKSTREAM_HISTORY is 0"
EMPTY = "nothing is recorded yet; what a live source shows from now on will be here"
UNREAD, LOST = "this picture is still being read", "the disk has let go of this picture"


class Strip:
    """Opens on the key B, or Left, or Right. While it is open the stream goes on, and the moment is shown instead."""

    def __init__(self, reach: Reach, dials: Dials) -> None:
        self.open = False
        self._reach, self._dials = reach, dials
        self._film: Film | None = None
        self._entries: list[Entry] = []  # the newest first
        self._number = -1  # of the picture that is looked at; -1: none yet
        self._span: Span | None = None
        self._shown: Large | None = None
        self._mark: Entry | None = None
        self._comparing = False
        self._wipe = Wipe()
        self._dragged = ""  # film, rail or divider
        self._changes: tuple[int, ...] = ()  # numbers of pictures before which settings changed

    # --- what a tool does

    def toggle(self) -> None:
        """Open, or close."""
        if self.open:
            self._shut()
            return
        history = getattr(self._reach.controls, "history", None)
        if history is None or history.session is None:
            why = getattr(history, "failed", "")
            self._reach.say(f"the last minutes are not recorded: {why}" if why else EMPTY if history else OFF)
            return
        self._film, self.open = Film(history.session), True
        self._number, self._span, self._entries, self._changes = -1, None, [], ()
        self._shown = self._mark = None
        self._reach.pygame.key.set_repeat(*REPEAT)
        self.look()

    def close(self) -> None:
        """Let go of the pictures."""
        if self._film is not None:
            self._film.close()
            self._film = None

    def look(self) -> None:
        """See what was added, and ask for what can be seen."""
        film = self._film
        if film is None:
            return
        if film.entries is not self._entries:
            self._entries = film.entries
            self._changes = tuple(entry.number for entry in reversed(self._entries) if entry.changed)
        if not self._entries:
            if film.ready:
                self._reach.say(film.trouble or EMPTY)
                self._shut()
            return
        if self._number < 0:
            self._number = self._newest
        self._number = min(max(self._number, self._oldest), self._newest)
        where = self._plan()
        span = self._span or Span.whole(self._oldest, self._newest, where.count)
        self._span = span = span.with_(self._number, self._oldest, self._newest, where.count)
        entry = self._entry(self._number)
        if self._mark is not None and self._mark.number < self._oldest:
            self._mark = None
        large = (entry,) if self._mark is None else (entry, self._mark)
        near = sorted(self._cells(where), key=lambda cell: abs(cell - self._number // span.stride))
        film.want(Wanted(large, (*large, *(self._stands_for(cell) for cell in near)), where.cell))
        self._shown = film.large(entry) or self._shown

    def picture(self) -> Output | None:
        """The moment, or both pictures that are compared."""
        pair = self._pair()
        if pair is not None:
            return self._wipe.of(pair[0], pair[1], self._reach.modes.mirror)
        return self._shown.output if self._shown else None

    def seen(self) -> StripView | None:
        """The thumbs that have room, and what is said of the moment."""
        film, where, span = self._film, self._plan(), self._span
        if film is None or span is None or not self._entries:
            return None
        cells = self._cells(where)
        oldest, newest, rail = self._oldest, self._newest, where.rail
        chosen = span.place(self._number // span.stride, where)
        within = (self._number % span.stride + 0.5) / span.stride
        mark = None if self._mark is None else span.place(self._mark.number // span.stride, where)
        ends = [
            on_rail(min(max(number, oldest), newest), oldest, newest, rail)
            for number in (span.left * span.stride, (span.left + where.count) * span.stride - 1)
        ]
        entry = self._entry(self._number)
        lost = LOST if film.lost(entry) else ""
        return StripView(
            state="comparing" if self._comparing else "rewound",
            top=where.sheet.y,
            plan=where,
            cells=tuple(Cell(span.place(cell, where), self._thumb(film, cell, where.cell)) for cell in cells),
            chosen=chosen,
            cursor=None if span.stride == 1 else chosen.x + int(within * chosen.width),
            marked=mark if mark and where.film.x <= mark.x < where.film.x + where.film.width else None,
            part=(ends[0], ends[1]),
            changes=tuple(dict.fromkeys(on_rail(number, oldest, newest, rail) for number in self._changes)),
            knob=on_rail(self._number, oldest, newest, rail),
            when=self._ago(entry),
            words=lost or plain(entry.prompt, 200),
            ends=(self._ago(self._entries[-1]), self._ago(self._entries[0])),
            divider=self._divider(),
        )

    def handle(self, event: Any) -> bool:
        """Take keys and the mouse."""
        pygame = self._reach.pygame
        if not self._entries:  # they are being read
            return event.type == pygame.KEYDOWN and event.key in (pygame.K_LEFT, pygame.K_RIGHT)
        if event.type == pygame.KEYDOWN:
            return self._key(event)
        if event.type == pygame.MOUSEBUTTONUP:
            dragged, self._dragged = self._dragged, ""
            return bool(dragged)
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._dragged = self._at(event.pos)
            return self._drag(event.pos)
        if event.type == pygame.MOUSEMOTION:
            return self._drag(event.pos)
        if event.type == pygame.MOUSEWHEEL:
            return self._wheel(event)
        return False

    # --- keys and the mouse

    def _key(self, event: Any) -> bool:
        pygame, key = self._reach.pygame, event.key
        shift, control = event.mod & pygame.KMOD_SHIFT, event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META)
        if key in (pygame.K_LEFT, pygame.K_RIGHT):
            way = 1 if key == pygame.K_RIGHT else -1
            if control:
                self._to_change(way)
            elif self._comparing:
                self._wipe.move(self._wipe.part + way * (FAR if shift else PUSH))
            else:
                self._go(self._number + way * (self._jump() if shift else 1))
        elif key in (pygame.K_PAGEUP, pygame.K_PAGEDOWN):
            self._go(self._number + (1 if key == pygame.K_PAGEDOWN else -1) * self._jump() * self._plan().count)
        elif key in (pygame.K_HOME, pygame.K_END):
            self._go(self._oldest if key == pygame.K_HOME else self._newest)
        elif key in (pygame.K_UP, pygame.K_DOWN):
            self._zoom(key == pygame.K_UP)
        elif key in (pygame.K_RETURN, pygame.K_KP_ENTER) or (key == pygame.K_s and control):
            self._keep()
        elif control or event.mod & pygame.KMOD_ALT:
            return False
        elif key == pygame.K_g:
            self._go_back()
        elif key == pygame.K_w or (key == pygame.K_ESCAPE and self._comparing):
            self._compare()
        elif key == pygame.K_x:
            self._set_mark()
        elif key in (pygame.K_p, pygame.K_TAB, pygame.K_SLASH):  # its line takes the place of the strip
            self._shut()
            return False
        else:
            return False
        return True

    def _at(self, place: tuple[int, int]) -> str:
        """What of the strip is at a place of the window."""
        where, divider = self._plan(), self._divider()
        for name, box in (("film", where.film), ("rail", where.rail)):
            if box.x - 8 <= place[0] < box.x + box.width + 8 and box.y <= place[1] < box.y + box.height:
                return name
        return "divider" if divider is not None and place[1] < where.sheet.y else ""

    def _drag(self, place: tuple[int, int]) -> bool:
        where, divider = self._plan(), self._divider()
        if self._dragged == "film" and self._span is not None:
            inside = min(max(place[0], where.film.x), where.film.x + where.film.width - 1)
            self._go(self._span.number_at(inside, where))
        elif self._dragged == "rail":
            self._go(off_rail(place[0], self._oldest, self._newest, where.rail))
        elif self._dragged == "divider" and divider is not None:
            self._wipe.move((place[0] - divider.area.x) / max(1, divider.area.width))
        return bool(self._dragged)

    def _wheel(self, event: Any) -> bool:
        pygame = self._reach.pygame
        by = getattr(event, "x", 0) - event.y  # towards the user: later
        if pygame.key.get_mods() & pygame.KMOD_CTRL:
            self._zoom(event.y > 0)
        elif self._span is not None and by:
            self._go(self._number + by * max(1, self._span.stride // 8))
        return True

    # --- what they do

    def _go(self, number: int) -> None:
        self._number = min(max(number, self._oldest), self._newest)

    def _to_change(self, way: int) -> None:
        if way < 0:
            self._go(max((each for each in self._changes if each < self._number), default=self._oldest))
        else:
            self._go(min((each for each in self._changes if each > self._number), default=self._newest))

    def _jump(self) -> int:
        return max(JUMP, self._span.stride if self._span else 0)

    def _zoom(self, finer: bool) -> None:
        if self._span is not None:
            most = Span.whole(self._oldest, self._newest, self._plan().count).stride
            self._span = self._span.zoomed(finer, self._number, most)

    def _keep(self) -> None:
        moment = self._moment()
        if moment is None:
            return
        time = moment.seen.time
        known = {"from": HISTORY, "revision": None, "seen": time and time.astimezone().isoformat(timespec="seconds")}
        if not self._reach.keeper.save(moment.output, self._reach.status, time, **known):
            self._reach.say("not saved: the disk is still busy with the last pictures")

    def _go_back(self) -> None:
        moment, config = self._moment(), self._reach.status.config
        if moment is None or config is None:
            return
        changes = moment.seen.making.as_live().changes_from(config)
        if not changes:
            self._reach.say("the settings are still those of this picture")
        elif self._dials.turn(**changes):
            self._reach.say(f"back to the settings of {self._ago(self._entry(self._number))}: {said(changes)}")
            self._shut()

    def _compare(self) -> None:
        self._comparing = not self._comparing
        if self._comparing and self._reach.output is None and self._mark is None:
            self._comparing = False

    def _set_mark(self) -> None:
        entry = self._entry(self._number)
        self._mark = None if entry is self._mark else entry
        self._reach.say("marked; W compares it with another picture" if self._mark else "no longer marked")

    def _shut(self) -> None:
        self.open = self._comparing = False
        self._dragged = ""
        self._entries, self._changes = [], ()
        self._shown = self._mark = self._span = None
        self._reach.pygame.key.set_repeat()
        self.close()

    # --- what is where

    @property
    def _oldest(self) -> int:
        return self._entries[-1].number

    @property
    def _newest(self) -> int:
        return self._entries[0].number

    def _entry(self, number: int) -> Entry:
        return self._entries[min(max(0, self._newest - number), len(self._entries) - 1)]

    def _stands_for(self, cell: int) -> Entry:
        """The picture in the middle of those that a thumb stands for."""
        assert self._span is not None
        return self._entry(cell * self._span.stride + self._span.stride // 2)

    def _thumb(self, film: Film, cell: int, size: Size) -> Thumb | None:
        """The thumb of the picture that is looked at or marked, where that is in it; else of the one in its middle."""
        assert self._span is not None
        for entry in (self._entry(self._number), self._mark):
            if entry is not None and entry.number // self._span.stride == cell:
                thumb = film.thumb(entry, size)
                if thumb is not None:
                    return thumb
        return film.thumb(self._stands_for(cell), size)

    def _cells(self, where: Plan) -> list[int]:
        """Thumbs that can be seen and stand for anything."""
        assert self._span is not None
        left, stride = self._span
        first, last = self._oldest // stride, self._newest // stride
        return [cell for cell in range(left, left + where.count) if first <= cell <= last]

    def _plan(self) -> Plan:
        size = Size(*self._reach.pygame.display.get_surface().get_size())
        output = self._reach.output
        picture = Size(1, 1) if output is None else Size.of(output.pixels)
        return plan(size, self._reach.unit(), picture)

    def _moment(self) -> Large | None:
        """What is looked at; says why not."""
        entry, film = self._entry(self._number), self._film
        moment = film and film.large(entry)
        if film is not None and moment is None:
            self._reach.say(LOST if film.lost(entry) else UNREAD)
        return moment

    def _pair(self) -> tuple[Output, Output] | None:
        """What is compared: the marked moment with this one, else this one with the newest picture."""
        if not self._comparing or self._film is None or self._shown is None:
            return None
        marked = None if self._mark is None else self._film.large(self._mark)
        if marked is not None:
            return marked.output, self._shown.output
        return None if self._reach.output is None else (self._shown.output, self._reach.output)

    def _divider(self) -> Divider | None:
        pair = self._pair()
        if pair is None:
            return None
        size = max(Size.of(each.pixels) for each in pair)
        window = Size(*self._reach.pygame.display.get_surface().get_size())
        area = render_at(window, size, self._reach.modes.side and pair[0].input is not None)
        x = area.x + round(area.width * self._wipe.column(size.width) / size.width)
        here = self._ago(self._entry(self._number))
        return Divider(area, x, *((self._ago(self._mark), here) if self._mark else (here, "now")))

    def _ago(self, entry: Entry) -> str:
        began = getattr(getattr(self._reach.controls, "history", None), "began", None)
        now = self._reach.clock() - began if began is not None else self._entries[0].moment.at
        return ago(now - entry.moment.at)
