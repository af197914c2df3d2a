"""Settings that were liked, on the number keys, for each model its own; and the keys for the cues of a show."""

from __future__ import annotations

from typing import Any

from ...base.cues import CueList
from ...base.errors import ConfigError
from ...base.names import quoted
from .dials import Dials
from .tools import Reach

KEPT = ("prompt", "negative_prompt", "seed", "drawing_influence", "mode", "t_index_list", "lora_dict")


class Favourites:
    """Nine places for settings, kept in the user's state folder."""

    def __init__(self, reach: Reach, dials: Dials) -> None:
        self._reach, self._dials = reach, dials

    def names(self) -> dict[int, str]:
        """What lies in which place, by its prompt."""
        return {slot: _title(settings) for slot, settings in self._all().items()}

    def keep(self, slot: int) -> None:
        """Put the present settings into a place, 1 to 9."""
        config = self._reach.status.config
        if config is None:
            self._reach.say("there is nothing to keep yet")
            return
        settings = config.model_dump(mode="json", include=set(KEPT))
        if self._reach.memory.favour(self._model(), slot, settings):
            self._reach.say(f"kept as favourite {slot}: {_title(settings)}")
        else:
            self._reach.say(f"favourite {slot} is kept until the window closes; it cannot be written down")

    def recall(self, slot: int) -> None:
        """Go back to the settings in a place; says it when there are none."""
        settings, config = self._all().get(slot), self._reach.status.config
        if settings is None or config is None:
            self._reach.say(f"nothing is kept as {slot}; Ctrl+{slot} keeps the present settings there")
            return
        try:
            lora = {**dict.fromkeys(config.lora_dict, 0.0), **(settings.get("lora_dict") or {})}
            changes = config.changes_to(config.changed(**{**settings, "lora_dict": lora}))
        except (ConfigError, TypeError) as error:
            self._reach.say(f"favourite {slot} does not fit: {error}")
            return
        if not changes or self._dials.turn(**changes):
            self._reach.say(f"favourite {slot}: {_title(settings)}")

    def _all(self) -> dict[int, dict[str, Any]]:
        kept = self._reach.memory.favourites(self._model())
        return {slot: {name: value for name, value in each.items() if name in KEPT} for slot, each in kept.items()}

    def _model(self) -> str:
        making = self._reach.output.making if self._reach.output else None
        return making.model if making else ""


class Cues:
    """The keys for a show's cues, which the session plays. ``cues`` is the list that this window was given, or None."""

    def __init__(self, reach: Reach, cues: CueList | None) -> None:
        self._reach, self._cues = reach, cues

    def begin(self) -> None:
        """The show begins with its first cue, as soon as there is somebody to ask."""
        player = self._player()
        if self._cues is not None and player is not None and self._reach.status.config is not None:
            player.load(self._cues)
            self._cues = None

    def go(self, by: int = 1) -> None:
        """To the next cue, or with -1 the one before; the session says which, and that there is none."""
        player = self._player()
        if player is None:
            self._reach.say("nothing can be changed here")
        else:
            player.go(by)

    def _player(self) -> Any:
        return getattr(self._reach.controls, "cues", None)


def _title(settings: dict[str, Any]) -> str:
    """What people know settings by: their prompt, or the first of a blend."""
    prompt = settings.get("prompt")
    while isinstance(prompt, list | tuple) and prompt:
        prompt = prompt[0]
    return quoted(prompt, 40) if isinstance(prompt, str) and prompt else "no prompt"
