"""What ``torch.compile`` made, as one signed file of the engine cache.

PyTorch keeps compiled code as loose files that it loads without looking at them: libraries, pickles, Python. So it is
given a folder of this process alone, which is filled from a plan that was verified, and packed into one afterwards.
"""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..stream.base.errors import EngineError
from ..stream.base.private import code_folder
from ..stream.base.progress import Progress
from .cache import EngineCache, EngineKey, EnginePlan

log = logging.getLogger(__name__)
_PASSING = (".lock", ".tmp", ".part")  # ends of files that only a running compiler needs
Made = TypeVar("Made")


def compiled(cache: EngineCache, key: EngineKey, compile_all: Callable[[], Made], progress: Progress) -> Made:
    """What ``compile_all()`` gives, run with PyTorch's compile caches as they were after it ran for this key before.

    Raises EngineError, and what ``compile_all`` raises.
    """
    folder = code_folder(key.digest[:16])
    fresh: list[Made] = []

    def make() -> EnginePlan:
        fresh.append(compile_all())
        return EnginePlan(pack(folder))

    plan = cache.get(key, make, progress)
    if fresh:
        return fresh[0]
    unpack(plan.data, folder)
    before = _files(folder)
    made = compile_all()
    if not _files(folder).keys() <= before.keys():  # another compiler, or another processor
        try:
            cache.update(key, lambda _: pack(folder))
        except EngineError as error:
            log.info("what was compiled anew is not kept: %s", error)
    return made


def pack(folder: Path) -> bytes:
    """All files of a folder that are worth keeping."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in _files(folder).items():
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, 1)
    return data.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Write what ``pack`` packed into a folder; raises EngineError where that cannot be."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(folder)
    except OSError as error:
        raise EngineError(
            f"{folder}: compiled code cannot be unpacked ({error.strerror or error}); make room"
        ) from error


def _files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix not in _PASSING
    }
