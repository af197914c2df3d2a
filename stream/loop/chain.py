"""The adapters of a stream, one after the other; and what they need declared, so that rows and memory can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Adapter, Passage, Shapes
from ...adapters.registry import open_adapters
from ...adapters.steadiness import Steadiness, may_hold
from ..base.config import StreamConfig
from ..base.errors import EngineError, InkstreamError
from ..base.frame import Origin
from ..base.passes import Passes
from .line import zeros

Passages = tuple[Passage, ...]
Memory = list[dict[str, Tensor]]  # of each adapter: name -> (K, *shape)


class Chain:
    """Adapters in their order, for latents (4, h, w) and K steps. Without any, nothing here costs anything."""

    def __init__(
        self, adapters: Sequence[Adapter] = (), latent: tuple[int, int, int] = (4, 1, 1), steps: int = 1
    ) -> None:
        self.adapters = tuple(adapters)
        self._for = latent, steps
        self._rows: list[Shapes] = []
        self._memory: list[Shapes] = []
        self._declare()
        self._before = self._overridden("latent_before")
        self._after = self._overridden("latent_after")

    @property
    def unsettled(self) -> bool:
        """Whether the last frame should come again when the hand rests."""
        return any(each.unsettled for each in self.adapters)

    def meet(self, origin: Origin, leave: Callable[[], None]) -> None:
        """Frames of that origin come next: where an adapter needs other rows for them, ``leave`` takes out what is in
        flight, and these are declared. Raises EngineError where an adapter fails."""
        if all(self._hook(each, "suits", origin) for each in self.adapters):
            return
        leave()
        for each in self.adapters:
            self._hook(each, "meet", origin)
        self._declare()

    def _declare(self) -> None:
        self._rows = [self._hook(each, "rows", *self._for) for each in self.adapters]
        self._memory = [self._hook(each, "memory", *self._for) for each in self.adapters]

    # --- on the host, with one frame

    def image_before(
        self, picture: np.ndarray, config: StreamConfig, begins: bool, origin: Origin, passes: Passes | None = None
    ) -> tuple[np.ndarray, Passages]:
        """(H, W, 3) uint8 in and out, and the frame's passages; ``passes`` at its size. Raises EngineError where an
        adapter fails."""
        passages = tuple(Passage(config, begins, origin, passes) for _ in self.adapters)
        for adapter, passage in zip(self.adapters, passages, strict=True):
            picture = self._picture(adapter, "image_before", picture, passage)
        return picture, passages

    def image_after(self, picture: np.ndarray, passages: Passages) -> np.ndarray:
        """(H, W, 3) uint8 in and out. A frame rendered again at rest has passed more adapters than there are here."""
        for adapter, passage in zip(self.adapters, passages, strict=False):
            picture = self._picture(adapter, "image_after", picture, passage)
        return picture

    def brought(self, frames: Sequence[Passages | None], device: torch.device) -> dict[str, Tensor]:
        """What F frames bring for their rows, (F, *shape) each; a filler (None) brings zeros. Raises EngineError."""
        brought = {}
        for index, (adapter, shapes) in enumerate(zip(self.adapters, self._rows, strict=True)):
            for name, shape in shapes.items():
                values = np.zeros((len(frames), *shape), np.float32)
                for value, passages in zip(values, frames, strict=True):
                    if passages is not None:
                        value[:] = _row(adapter, passages[index].rows, name, shape)
                brought[f"{index}.{name}"] = torch.from_numpy(values).to(device)
        return brought

    # --- on the device, with rows

    def memory(self, steps: int, device: torch.device) -> Memory:
        """What adapters keep from tick to tick, at its beginning."""
        return [zeros(shapes, steps, device) for shapes in self._memory]

    def latent_before(self, latent: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Latents (F, 4, h, w) of frames that enter, without noise, and what they bring."""
        for index in self._before:
            latent = self._hook(self.adapters[index], "latent_before", latent, self._own(index, rows))
        return latent

    def latent_after(
        self,
        latent: Tensor,
        rows: Mapping[str, Tensor],
        memory: Memory,
        on: int,
        steps: slice = slice(None),
    ) -> Tensor:
        """Clean latents of some ``steps``, F frames each; the first ``on`` go on. Memory is that of all steps."""
        for index in self._after:
            own = {name: value[steps] for name, value in memory[index].items()}
            latent = self._hook(self.adapters[index], "latent_after", latent, self._own(index, rows), own, on)
        return latent

    def _own(self, index: int, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: rows[f"{index}.{name}"] for name in self._rows[index]}

    def _overridden(self, hook: str) -> list[int]:
        plain = getattr(Adapter, hook)
        return [index for index, each in enumerate(self.adapters) if getattr(type(each), hook) is not plain]

    def _picture(self, adapter: Adapter, hook: str, picture: np.ndarray, passage: Passage) -> np.ndarray:
        made = self._hook(adapter, hook, picture, passage)
        if not (isinstance(made, np.ndarray) and made.shape == picture.shape and made.dtype == np.uint8):
            got = f"{made.shape} {made.dtype}" if isinstance(made, np.ndarray) else type(made).__name__
            raise EngineError(f"{_name(adapter)}.{hook}: gave {got}, expected {picture.shape} uint8; mend the adapter")
        return np.ascontiguousarray(made)

    def _hook(self, adapter: Adapter, hook: str, *given: Any) -> Any:
        """What a hook gives. Whatever a user's own raises is said with its name, and ends no stream: EngineError."""
        call: Callable[..., Any] = getattr(adapter, hook)
        try:
            return call(*given)
        except (InkstreamError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise EngineError(
                f"{_name(adapter)}.{hook}: {type(error).__name__}: {error}; mend it, or take it out of adapters"
            ) from error


def make_chain(config: StreamConfig, latent: tuple[int, int, int], steady: bool = True) -> Chain:
    """The adapters of an admitted configuration, those that it names first; at rest nothing is held (``steady``).

    Raises ConfigError for one that nobody made known.
    """
    adapters = open_adapters(config.adapters)
    if steady and may_hold(config):
        adapters.append(Steadiness())
    return Chain(adapters, latent, len(config.t_index_list))


def _row(adapter: Adapter, rows: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name not in rows:
        raise EngineError(f"{_name(adapter)}: image_before left no rows[{name!r}], which it declares; mend the adapter")
    value = np.asarray(rows[name], np.float32)
    if value.shape != tuple(shape):
        raise EngineError(f"{_name(adapter)}: rows[{name!r}] got {value.shape}, declared {tuple(shape)}")
    return value


def _name(adapter: Adapter) -> str:
    return f"adapter {type(adapter).__name__}"
