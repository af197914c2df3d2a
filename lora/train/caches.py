"""What frozen networks give, kept in memory-mapped files: latents of pictures, embeddings of captions.

A file belongs to the data and the network that made it: both are in its name, so that another network, or other
pictures, make another file. One that was broken off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...stream.base.errors import DataError
from ...stream.base.files import new_array, write_json
from ...stream.base.locks import Busy, locked
from ...stream.base.progress import Progress, silent
from ..data.sample import Samples, texts_of
from .models import Codec
from .sheets import to_pictures

if TYPE_CHECKING:
    from .config import TrainConfig

PATIENCE = 6 * 3600.0  # seconds that a process waits for another one that fills a file
AHEAD = 16  # pictures that are encoded together
DECODING = ("decoder", "post_quant")  # parts of autoencoders that latents do not depend on


def fingerprint(*parts: Any) -> str:
    """16 hexadecimal digits that follow from networks (their weights), arrays and texts."""
    made = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, nn.Module):
            for name, value in sorted(part.state_dict().items()):
                made.update(name.encode())
                made.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        elif isinstance(part, np.ndarray):
            made.update(np.ascontiguousarray(part).tobytes())
        else:
            made.update(repr(part).encode())
    return made.hexdigest()


def data_fingerprint(samples: Samples) -> str:
    """That of a set of pairs: its length, and up to 16 of its samples."""
    places = np.unique(np.linspace(0, len(samples) - 1, 16).astype(int))
    seen = [samples[int(place)] for place in places]
    return fingerprint(len(samples), *(sample.picture for sample in seen), *(sample.captions for sample in seen))


class Latents:
    """Latents of all pictures, and of their mirrored ones, as a network encodes them, times its scaling factor.

    A convolution does not commute exactly with mirroring, so that both are kept where both are used: float16,
    (N, 2, C, h, w), else (N, 1, C, h, w).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._array: Any = None

    def read(self, index: int, flipped: bool) -> np.ndarray:
        """(C, h, w) float16 of one picture."""
        if self._array is None:
            self._array = np.load(self.path, mmap_mode="r")
        return self._array[index, int(flipped)]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_array": None}  # a worker maps the file itself

    @classmethod
    def made(
        cls,
        folder: Path,
        samples: Samples,
        key: str,
        encode: Callable[[Tensor], Tensor],
        progress: Progress = silent,
        mirrored: bool = True,
    ) -> Latents:
        """Those of ``samples``, from the folder where they are there. ``encode``: (B, 3, H, W) in [-1, 1] -> latents.

        ``key`` names the network that encodes; ``mirrored``: of the mirrored pictures, too. Raises OSError where the
        disk does not take them.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"latents-{data_fingerprint(samples)}-{key}{'' if mirrored else '-one-way'}.npy"
        if not path.is_file():
            fill(path, len(samples), lambda start, stop: _encoded(samples, encode, start, stop, mirrored), progress)
        return cls(path)


def latents_of(
    vae: Any, config: TrainConfig, samples: Samples, device: torch.device, progress: Progress = silent
) -> Latents:
    """Those of whole pictures as a frozen autoencoder encodes them, kept in the output folder's ``cache``."""
    codec = Codec(vae)

    def encode(pictures: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision == "bf16"):
            return codec.encode(pictures)

    encoding = [module for name, module in sorted(vae.named_children()) if not name.startswith(DECODING)]
    key = fingerprint(*encoding, codec.scale, codec.shift, config.mixed_precision)
    return Latents.made(config.folder / "cache", samples, key, encode, progress, config.data.flip > 0)


def _encoded(samples: Samples, encode: Callable[[Tensor], Tensor], start: int, stop: int, mirrored: bool) -> np.ndarray:
    """(stop - start, 2, C, h, w) float16; without ``mirrored`` (stop - start, 1, C, h, w)."""
    pictures = np.stack([samples[index].picture for index in range(start, stop)])
    ways = (pictures, np.ascontiguousarray(pictures[:, :, ::-1])) if mirrored else (pictures,)
    return torch.stack([encode(to_pictures(torch.from_numpy(each))).cpu().half() for each in ways], 1).numpy()


def fill(
    path: Path, count: int, rows: Callable[[int, int], np.ndarray], progress: Progress, text: str = "latents"
) -> None:
    """Fill an array file block by block, and give it its name when it is full. One process does; others wait for it.

    Raises DataError where one works on it for hours, or the disk does not take it.
    """
    try:
        with locked(path.with_suffix(".lock"), PATIENCE, progress):
            if not path.is_file():
                _fill(path, count, rows, progress, text)
    except Busy as busy:
        raise DataError(f"{path.name} is made by another process: {busy}; stop it, or choose another folder") from busy
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}; make room, or choose another folder"
        ) from error


def _fill(path: Path, count: int, rows: Callable[[int, int], np.ndarray], progress: Progress, text: str) -> None:
    part, done_path = path.with_suffix(".part"), path.with_suffix(".done")
    array, done = _begun(part, done_path, count)
    for start in range(done, count, AHEAD):
        block = rows(start, min(start + AHEAD, count))
        if array is None:
            done_path.unlink(missing_ok=True)
            array = new_array(part, (count, *block.shape[1:]), block.dtype)
        array[start : start + len(block)] = block
        progress(text, (start + len(block)) / count)
        if (start // AHEAD) % 16 == 15:
            array.flush()
            write_json(done_path, start + len(block))
    array.flush()
    del array
    part.replace(path)
    done_path.unlink(missing_ok=True)


def _begun(part: Path, done_path: Path, count: int) -> tuple[Any, int]:
    """An array that was broken off, and how much of it is there; (None, 0) where there is none to go on with."""
    try:
        done = json.loads(done_path.read_text())
        array = np.load(part, mmap_mode="r+")
    except (OSError, ValueError):
        return None, 0
    fits = isinstance(done, int) and 0 < done <= len(array) == count
    return (array, done) if fits else (None, 0)


class Texts:
    """Embeddings of captions, each computed once: several tensors for a caption, (L, D) and (P,) for example."""

    def __init__(self, folder: Path | None, key: str, encode: Callable[[list[str]], Sequence[Tensor]]) -> None:
        self.folder, self.key, self.encode = folder, key, encode
        self._rows: dict[str, int] = {}
        self._arrays: list[np.ndarray] = []

    def prepare(self, captions: Iterable[str], progress: Progress = silent) -> None:
        """Encode all of these, and the empty one; from the folder where they are there."""
        wanted = sorted({"", *captions})
        self._rows = {caption: row for row, caption in enumerate(wanted)}
        name = f"texts-{fingerprint(wanted)}-{self.key}"
        example = self.encode([""])
        self._arrays = []
        for number in range(len(example)):
            rows = lambda start, stop, number=number: self._block(wanted[start:stop], number)
            if self.folder is None:
                made = np.concatenate([rows(start, start + AHEAD) for start in range(0, len(wanted), AHEAD)])
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                path = self.folder / f"{name}-{number}.npy"
                if not path.is_file():
                    fill(path, len(wanted), rows, progress, "captions")
                made = np.load(path, mmap_mode="r")
            self._arrays.append(made)

    def _block(self, captions: list[str], number: int) -> np.ndarray:
        return self.encode(captions)[number].detach().float().cpu().numpy()

    def __call__(self, captions: Sequence[str], device: Any = "cpu") -> list[Tensor]:
        """The tensors of these captions, (B, ...) float32; captions that were not prepared are encoded now."""
        if all(caption in self._rows for caption in captions):
            rows = [self._rows[caption] for caption in captions]
            return [torch.from_numpy(np.array(array[rows])).to(device) for array in self._arrays]
        return [each.detach().float().to(device) for each in self.encode(list(captions))]


def captions_of(samples: Samples) -> list[str]:
    """All captions of a set of pairs, each once, in order."""
    return sorted({caption for captions in texts_of(samples) for caption in captions})
