"""What a model makes of a prompt, for whoever writes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .completion import NOTHING, Together
from .understood import Understood

MOST_WORDS = 8  # that are named


@dataclass(frozen=True)
class Reading:
    """``unknown`` are the words that it does not know, each with what says nearly the same in its own, or "".

    ``heeded``: whether these words act on the picture all the same. ``cut`` is how the part begins that there was no
    room for.
    """

    unknown: tuple[tuple[str, str], ...] = ()
    heeded: bool = False
    cut: str = ""
    added: tuple[str, ...] = ()
    """What the seed says besides (``complete_prompt``), in the model's words."""
    taken: tuple[tuple[str, str], ...] = ()
    """Words in other languages, and others that mean the same, each with the model's word that is taken for it."""
    lost: tuple[str, ...] = ()
    """What is not to be there, and is only not asked for, because the model's captions never say such things."""
    guessed: str = ""
    """What the drawing was taken for, where nothing is written."""

    def lines(self) -> tuple[str, ...]:
        """It in one line for the words, and one for what is cut."""
        said = [f"read from the drawing: {self.guessed}"] if self.guessed else []
        if len(self.unknown) == 1:
            ((word, better),) = self.unknown
            said.append(f'"{word}" is not known{"" if self.heeded else ", and left out"}')
            said[-1] += f'; try "{better}"' if better else ""
        elif self.unknown:
            words = ", ".join(f"{word} ({better})" if better else word for word, better in self.unknown[:MOST_WORDS])
            more = f" and {len(self.unknown) - MOST_WORDS} more" if len(self.unknown) > MOST_WORDS else ""
            said.append(f"not known{'' if self.heeded else ', and left out'}: {words}{more}")
        if self.cut:
            said.append(f'too long: what comes from "{self.cut}" on is cut')
        return tuple(said)

    def hints(self) -> tuple[str, ...]:
        """What is good to know while one writes."""
        said = [", ".join(f"{word} = {meant}" for word, meant in self.taken[:MOST_WORDS])] if self.taken else []
        said += [f"not asked for: {', '.join(self.lost[:MOST_WORDS])}"] if self.lost else []
        return (*said, *((f"the seed adds: {', '.join(self.added)}",) if self.added else ()))


@dataclass(frozen=True)
class Brings:
    """What a model brings along for whoever steers it."""

    words: tuple[str, ...] = ()
    """Those that it knows; empty: it takes any."""
    styles: tuple[str, ...] = ()
    """Names that ``lora_dict`` takes without a file."""
    steps: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """The ``t_index_list`` that is best for each number of steps, where the model says one."""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The words that can stand in the same place of a prompt, by what they say: colour, time, ..."""
    together: Together = NOTHING
    """Which of them go together."""
    understand: Callable[[str], Understood] = Understood
    """What a prompt is in these words."""
