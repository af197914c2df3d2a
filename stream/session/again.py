"""A stream that goes through the settings of a journal, each from the very frame on that it began with."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ..base.frame import Frame, Output
from ..history.journal import DRAWN_WITH, Journal
from .around import Around
from .driver import StreamLike


class Again(Around):
    """The other stream with the changes that a journal says.

    ``taken``: which of the journal's pictures each frame is. ``fixed`` are settings that stay as they are here. With
    ``other`` the stream runs another model or preset than the journal, and only what belongs to who drew is changed.
    """

    def __init__(
        self,
        stream: StreamLike,
        journal: Journal,
        taken: Sequence[int],
        fixed: Container[str] = (),
        other: bool = False,
    ) -> None:
        super().__init__(stream)
        self._journal = journal
        self._taken = taken
        self._fixed = fixed
        self._other = other
        self._made = journal.first

    def __call__(self, frame: Frame, gated: bool = True) -> Output | None:
        if frame.id < len(self._taken):
            made = self._journal.making(self._taken[frame.id])
            if made is not self._made:
                self._made = made
                found = made.changes_from(self._stream.config).items()
                changes = {name: value for name, value in found if self._follows(name)}
                if changes:
                    self._stream.update(**changes)
        return self._stream(frame, gated)

    def _follows(self, name: str) -> bool:
        return name not in self._fixed and (not self._other or name in DRAWN_WITH)
