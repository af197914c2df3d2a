"""Image prompts: pictures become tokens beside those of the text, once each, and a recipe carries them to its rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ...engines.images import cross_attentions, with_images
from ...lora.ipadapter import IPAdapter, load_ip_adapter
from ..base.conditioning import IPAdapterConfig
from ..base.config import StreamConfig
from ..base.errors import ConfigError, EngineError, FrameError, ModelError
from ..base.pictures import read_picture
from ..base.progress import Progress, silent
from .recipe import ImageTokens

KEPT = 32  # pictures of which the tokens are kept
_Weights = tuple[str, str | None, str | None, str | None]  # what decides which weights an entry means
_Stamp = tuple[int, int]  # when a file changed, and its size


class ImagePrompts:
    """The IP-Adapters of one pipeline, in whose place of the UNet a twin comes that takes them."""

    def __init__(self, pipe: Any, progress: Progress = silent) -> None:
        """``pipe`` gets another UNet. Give it a copy (``copy.copy``) of a pipeline that shall stay as it is."""
        self._pipe, self._progress = pipe, progress
        self._loaded: dict[_Weights, IPAdapter] = {}  # those of the newest configuration
        self._order: tuple[_Weights, ...] = ()  # an entry each; two may have the same weights
        self._placed = False  # whether the UNet takes regions
        self._encoders: dict[Path, Any] = {}
        self._tokens: dict[tuple[IPAdapter, str], tuple[_Stamp, tuple[torch.Tensor, torch.Tensor]]] = {}

    @property
    def counts(self) -> tuple[int, ...]:
        """Tokens of each image prompt."""
        return tuple(self._loaded[each].count for each in self._order)

    def load(self, config: StreamConfig) -> None:
        """Have the IP-Adapters of a configuration and no others, and a UNet that takes its regions. Where they are
        others than before, the pipeline gets another UNet. Raises ModelError, also for a UNet that can take none."""
        order, placed = tuple(map(_weights_of, config.ip_adapters)), bool(config.regions)
        if (order, placed) == (self._order, self._placed):
            return
        unet = self._pipe.unet
        shapes = [attn.inner_kv_dim for _, attn in cross_attentions(unet)]
        loaded = {}
        for index, (each, entry) in enumerate(zip(order, config.ip_adapters, strict=True)):
            known = loaded.get(each) or self._loaded.get(each)
            try:
                loaded[each] = known or load_ip_adapter(entry, self._pipe, shapes, self._encoders, self._progress)
            except ModelError as error:
                raise type(error)(*error.after(f"ip_adapters.{index}: ")) from error
        adapters = [loaded[each] for each in order]
        try:
            self._pipe.unet = with_images(unet, [(each.count, each.weights) for each in adapters], placed)
        except EngineError as error:
            raise ModelError(*error.args) from error
        encoders = [each.encoder for each in adapters]
        self._encoders = {place: each for place, each in self._encoders.items() if each in encoders}
        self._tokens = {key: each for key, each in self._tokens.items() if key[0] in adapters}
        self._loaded, self._order, self._placed = loaded, order, placed

    def state(self) -> Any:
        """What is loaded now, for ``restore``; the UNet is not in it."""
        return self._loaded, self._order, self._placed, dict(self._encoders), dict(self._tokens)

    def restore(self, state: Any) -> None:
        """Be again as when ``state`` was taken."""
        self._loaded, self._order, self._placed, self._encoders, self._tokens = state

    def tokens(self, config: StreamConfig) -> ImageTokens | None:
        """The tokens of a loaded configuration's pictures; None without IP-Adapters.

        A picture is read again where its file has changed, and need not be there any more otherwise. Raises ConfigError
        for one that cannot be read.
        """
        if not self._order:
            return None
        device, width = self._pipe.unet.device, self._pipe.unet.config.cross_attention_dim
        some, none, scales = [], [], []
        for index, (each, entry) in enumerate(zip(self._order, config.ip_adapters, strict=True)):
            adapter = self._loaded[each]
            if entry.image is None:
                blank = torch.zeros(1, adapter.count, width, device=device)
                found = blank, blank
            else:
                found = self._seen(adapter, entry.image, index)
            some.append(found[0])
            none.append(found[1])
            scales.append(entry.scale if entry.image is not None else 0.0)
        return ImageTokens(torch.cat(some, 1), torch.cat(none, 1), torch.tensor(scales, device=device))

    def _seen(self, adapter: IPAdapter, image: str, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        key, path = (adapter, image), Path(os.path.expanduser(image))
        stamp, known = _stamp(path), self._tokens.pop(key, None)
        if known is None or stamp not in (None, known[0]):
            try:
                picture = read_picture(path)
            except FrameError as error:
                raise ConfigError(f"ip_adapters.{index}.image: {image}: {error}") from error
            known = stamp or (0, 0), adapter.tokens(picture)
        self._tokens[key] = known  # the newest last
        for old in list(self._tokens)[:-KEPT]:
            del self._tokens[old]
        return known[1]


def _weights_of(entry: IPAdapterConfig) -> _Weights:
    return entry.model_id, entry.subfolder, entry.weight_name, entry.image_encoder_folder


def _stamp(path: Path) -> _Stamp | None:
    """None where there is no such file now."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size
