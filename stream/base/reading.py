"""What a model makes of a prompt, for whoever writes one."""

from __future__ import annotations

from dataclasses import dataclass

MOST_LINES = 4


@dataclass(frozen=True)
class Reading:
    """``unknown`` are the words that it does not know, each with what says nearly the same in its own, or "".

    ``heeded``: whether these words act on the picture all the same. ``cut`` is how the part begins that there was no
    room for.
    """

    unknown: tuple[tuple[str, str], ...] = ()
    heeded: bool = False
    cut: str = ""

    def instead(self, word: str) -> str:
        """What can be said in place of an unknown word, or ""."""
        return dict(self.unknown).get(word, "")

    def lines(self) -> tuple[str, ...]:
        """It in a few lines, each of which stands alone."""
        end = "" if self.heeded else ", and left out"
        said = [f'"{word}" is not known{end}; try "{better}"' for word, better in self.unknown if better]
        rest = [f'"{word}"' for word, better in self.unknown if not better]
        if rest:
            said.append(f"{', '.join(rest)} {'is' if len(rest) == 1 else 'are'} not known{end}")
        if self.cut:
            said.append(f'too long: what comes from "{self.cut}" on is cut')
        return (
            (*said[: MOST_LINES - 1], f"and {len(said) - MOST_LINES + 1} more") if len(said) > MOST_LINES else (*said,)
        )
