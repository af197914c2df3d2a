"""What takes its time at a start is begun before it is needed."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..base.quiet import quiet
from ..base.signals import left_behind

log = logging.getLogger(__name__)
_importing: threading.Thread | None = None


@contextmanager
def ahead() -> Iterator[None]:
    """Python's part of loading begins, on a thread of its own, while the block opens what is to be seen first."""
    with hurried():
        thread = import_aside()
        try:
            yield
        except BaseException:
            left_behind(thread)
            raise


@contextmanager
def hurried() -> Iterator[None]:
    """Inside the block Python does not look for garbage: a fifth of the time of loading, and what is made there stays.

    It is not looked through later, either, so a live stream does not stop for it.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if before:
            gc.enable()


def import_aside() -> threading.Thread:
    """Import on a thread of its own what every stream needs, once in a process, and give the thread."""
    global _importing
    if _importing is None:
        _importing = threading.Thread(target=_import, name="inkstream importing", daemon=True)
        _importing.start()
    return _importing


def imported() -> None:
    """Wait until what was begun to be imported is there.

    Two threads may not import the same libraries at once: diffusers puts another module in its own place while it is
    imported, and who waits for the first one finds nothing in it.
    """
    if _importing is not None:
        _importing.join()


def _import() -> None:
    try:
        with quiet():
            # Their libraries make these when they are asked for by name.
            from diffusers import AutoencoderTiny, StableDiffusionControlNetPipeline  # noqa: F401
            from transformers import CLIPTextModel  # noqa: F401

            from ..loop import stream  # noqa: F401
            from ..session import session  # noqa: F401
    except Exception:
        log.debug("importing ahead failed", exc_info=True)
