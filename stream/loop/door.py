"""Whether a frame enters, and whether anything that was before counts for it."""

from __future__ import annotations

import numpy as np

from ..base.config import StreamConfig
from .gate import Gate


class Door:
    """A gate, and what it forgets with the frames that were before. It belongs to the thread that renders."""

    def __init__(self, config: StreamConfig) -> None:
        self._gate = self._gate_of(config)
        self._begins = True

    @property
    def begins(self) -> bool:
        """Whether nothing before the next frame counts."""
        return self._begins

    def renew(self, config: StreamConfig) -> None:
        """Settings have changed. The new gate has seen nothing, so that the last frame, given again, is rendered."""
        self._gate, self._begins = self._gate_of(config), True

    def reset(self) -> None:
        """Frames were lost, or gave nothing to be seen: the same picture may come again, and begins anew."""
        self._gate.reset()
        self._begins = True

    def begin(self) -> None:
        """The last frame was rendered in another way: the next begins anew, if it is another."""
        self._begins = True

    def lets_in(self, fitted: np.ndarray) -> bool:
        """Whether a picture differs from the last one that entered."""
        return self._gate.changed(fitted)

    def entered(self, fitted: np.ndarray) -> None:
        """This one has."""
        self._gate.accept(fitted)
        self._begins = False

    @staticmethod
    def _gate_of(config: StreamConfig) -> Gate:
        return Gate(config.similar_image_filter_threshold, config.similar_image_filter_max_skip_frame)
