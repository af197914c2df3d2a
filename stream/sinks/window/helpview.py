"""The keys as the help shows them: by who needs them, on as many pages as a small window takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..slate import INK
from .brush import READABLE, Brush
from .scene import KEYS, QUIET, TEXT, Colour

SCALES = (0.86, 0.78, 0.7, 0.62)  # units: of letters, the first one that gets all onto one page
ROW, CLOSE_ROW = 1.75, 1.35  # times the height of letters between two lines, and where room is scarce
BETWEEN, BELOW = 0.6, 1.5  # lines between two groups, and for what stands below a page


class Row(NamedTuple):
    """A key, and what it does in one line or more."""

    key: str
    meaning: tuple[str, ...]


class Group(NamedTuple):
    """Rows that stand together below a title."""

    title: str
    rows: tuple[Row, ...]

    @property
    def lines(self) -> float:
        """How many lines it takes, with what comes between it and the next."""
        return bool(self.title) + sum(len(row.meaning) for row in self.rows) + BETWEEN


class Page(NamedTuple):
    """What is seen at once."""

    columns: tuple[tuple[Group, ...], ...]
    scale: float
    """Of its letters, in units."""
    keys: int
    """Pixels from a key to what it does."""
    wide: int
    """Pixels of a column."""

    @property
    def lines(self) -> float:
        """Of the longest column."""
        return max(sum(group.lines for group in column) for column in self.columns)


def pages(brush: Brush, size: tuple[int, int]) -> list[Page]:
    """The keys for a window of ``size`` pixels: on one page if letters that can be read allow it."""
    scales = [scale for scale in SCALES if round(scale * brush.unit) >= READABLE] or SCALES[:1]
    found = [_pages(brush, size, scale) for scale in scales]
    return next((each for each in found if len(each) == 1), found[0])


def _pages(brush: Brush, size: tuple[int, int], scale: float) -> list[Page]:
    """In two columns where there is room."""
    unit = brush.unit
    measured = lambda text: brush.font(text, scale).size(text)[0]
    keys = max(measured(key) for _, rows in KEYS for key, _ in rows) + unit
    widest = max(measured(meaning) for _, rows in KEYS for _, meaning in rows)
    count = 2 if size[0] >= 2 * (keys + widest) + 6 * unit else 1
    room = max(2 * unit, min(widest, size[0] - 2 * unit - keys))
    groups = [
        Group(title, tuple(Row(key, tuple(brush.wrapped(meaning, room, scale))) for key, meaning in rows))
        for title, rows in KEYS
    ]
    page = lambda columns: Page(tuple(map(tuple, columns)), scale, keys, keys + room)
    lines = lambda part: sum(group.lines for group in part)
    at = min(range(1, len(groups)), key=lambda at: max(lines(groups[:at]), lines(groups[at:])))
    whole = page((groups[:at], groups[at:]) if count == 2 else (groups,))
    most = (size[1] - 2 * unit) / (CLOSE_ROW * scale * unit)  # lines that a column has
    if whole.lines <= most:
        return [whole]
    columns = _columns(groups, max(2.0, most - BELOW))
    return [page(columns[first : first + count]) for first in range(0, len(columns), count)]


def _columns(groups: list[Group], most: float) -> list[list[Group]]:
    """Groups one below the other in columns of at most so many lines; a longer one goes on in the next."""
    columns: list[list[Group]] = [[]]
    room = most
    for group in groups:
        if group.lines - BETWEEN > room and columns[-1]:
            columns.append([])
            room = most
        title, rows = group
        while rows:
            count, left = 0, room - bool(title)
            while count < len(rows) and (not count or len(rows[count].meaning) <= left):
                left -= len(rows[count].meaning)
                count += 1
            columns[-1].append(Group(title, rows[:count]))
            title, rows, room = "", rows[count:], left - BETWEEN
            if rows:
                columns.append([])
                room = most
    return columns


def draw_help(brush: Brush, surface: Any, number: int) -> None:
    """Draw a page of the keys, 1 the first, over the middle of the window; the last one where there are fewer."""
    unit, (width, height) = brush.unit, surface.get_size()
    found = pages(brush, (width, height))
    number = min(number, len(found))
    page, below = found[number - 1], BELOW if len(found) > 1 else 0.0
    count = page.lines - BETWEEN + below
    high = page.scale * unit
    step = max(round(CLOSE_ROW * high), min(round(ROW * high), int((height - 2 * unit) / count)))
    margin = 2 * unit if width >= page.wide + 4 * unit else unit
    side = len(page.columns) * (page.wide + margin) + margin
    box = brush.pygame.Rect(0, 0, min(width, side), min(height, round(step * count) + 2 * unit))
    box.center = width // 2, height // 2
    brush.panel(surface, box, 248, unit)

    def put(words: str, colour: Colour, left: tuple[int, int]) -> None:
        text = brush.text(words, colour, page.scale)
        surface.blit(text, text.get_rect(midleft=left))

    for index, column in enumerate(page.columns):
        x, y = box.x + margin + index * (page.wide + margin), box.y + unit + step // 2
        for group in column:
            line = y
            if group.title:
                put(group.title, INK, (x, line))
                line += step
            for row in group.rows:
                put(row.key, TEXT, (x, line))
                for part in row.meaning:
                    put(part, QUIET, (x + page.keys, line))
                    line += step
            y += round(group.lines * step)
    if len(found) > 1:
        words = f"{number} of {len(found)}   H: {'more' if number < len(found) else 'closes'}   Esc: closes"
        text = brush.text(words, QUIET, page.scale)
        surface.blit(text, text.get_rect(center=(box.centerx, box.bottom - round(1.1 * unit))))
