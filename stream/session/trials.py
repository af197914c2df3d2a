"""Trying settings on the frame that is there: for who asked, and for no sink."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..base.config import StreamConfig
from ..base.errors import InkstreamError
from ..base.frame import Output
from ..base.plain import reason
from .driver import StreamLike

log = logging.getLogger(__name__)
PATIENCE = 20.0  # seconds for one picture, a network that must be built for it included
NONE_CAME = "no picture came; it takes a frame to try settings on"
Tell = Callable[[int, Output | None, str], None]


class Trials:
    """Renders the newest frame under other settings, one after the other, and then goes back to those that there were.

    ``hold`` stops new frames from being taken, and lets them come again as they did; ``wake`` has the engine look.
    While it lasts, pictures of tried settings are taken out of the stream by ``takes``.
    """

    def __init__(
        self, stream: StreamLike, stop: threading.Event, hold: Callable[[bool], None], wake: Callable[[], None]
    ) -> None:
        self._stream, self._stop, self._hold, self._wake = stream, stop, hold, wake
        self.active = False
        self._changed = threading.Condition()
        self._after, self._until = math.inf, -math.inf  # pictures of the revisions between them belong to a trial
        self._newest: Output | None = None

    def takes(self, output: Output) -> bool:
        """Whether a picture belongs to a trial, and so to no sink."""
        with self._changed:
            if not self._after < output.revision <= self._until:
                return False
            self._newest = output
            self._changed.notify_all()
            return True

    def run(self, changes: Sequence[Mapping[str, Any]], tell: Tell) -> None:
        """Try each of the changes; ``tell`` gets its number with its picture, or with why there is none.

        Those that need a LoRA which is not there yet come last: frames go on while it is loaded. Runs on the thread
        that makes changes, so that none comes in between; returns early when the session stops.
        """
        ready = [number for number, change in enumerate(changes) if not self._missing([change])]
        later = [number for number in range(len(changes)) if number not in ready]
        for some in filter(None, (ready, later)):
            if some is later:
                self._load([changes[number] for number in some])
            if not self._stop.is_set():
                self._run({number: changes[number] for number in some}, tell)

    def _run(self, changes: Mapping[int, Mapping[str, Any]], tell: Tell) -> None:
        before = self._stream.config
        self.active = True
        self._hold(True)
        with self._changed:
            self._after, self._until = self._stream.revision, math.inf
        try:
            for number, change in changes.items():
                if self._stop.is_set():
                    return
                self._try(number, before, change, tell)
        finally:
            with self._changed:  # so that no picture of the settings that there were is taken out
                self._until, self._newest = -math.inf, None
                try:
                    self._go_to(before)
                    self._until = self._stream.revision - 1
                finally:
                    self.active = False
                    self._hold(False)
                    self._wake()

    def _load(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Have all LoRAs ready, at once and at scale 0, while frames go on: an engine may have to be built for them."""
        missing = self._missing(changes)
        if missing:
            try:
                self._stream.update(lora_dict=dict.fromkeys(missing, 0.0))
            except InkstreamError as error:  # each is told its own
                log.info("not loaded at once: %s", error)

    def _missing(self, changes: Sequence[Mapping[str, Any]]) -> list[str]:
        named = [name for change in changes for name in change.get("lora_dict") or {}]
        return [name for name in named if name not in self._stream.config.lora_dict]

    def _try(self, number: int, before: StreamConfig, change: Mapping[str, Any], tell: Tell) -> None:
        try:
            revision = self._go_to(before.changed(**{**change, "prompt_transition_frames": 0}))
        except InkstreamError as error:
            tell(number, None, reason(error))
            return
        self._wake()
        with self._changed:
            self._changed.wait_for(lambda: self._has(revision) or self._stop.is_set(), PATIENCE)
            output = self._newest if self._has(revision) else None
        tell(number, output, "" if output else NONE_CAME)

    def _go_to(self, wanted: StreamConfig) -> int:
        """Have the stream run other settings, without a fade; returns their revision."""
        changes = self._stream.config.changes_to(wanted)
        transition = changes.pop("prompt_transition_frames", None)
        if transition == 0:  # before the prompt, else after it: or the prompt would fade in
            self._stream.update(prompt_transition_frames=0)
        if changes:
            self._stream.update(**changes)
        if transition:
            self._stream.update(prompt_transition_frames=transition)
        return self._stream.revision

    def _has(self, revision: int) -> bool:
        return self._newest is not None and self._newest.revision >= revision
