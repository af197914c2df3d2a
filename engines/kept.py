"""Built graphs from the engine cache, or without one where nothing can be kept."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..stream.base.errors import EngineError
from ..stream.base.progress import Progress
from .cache import EngineCache, Plan, PlanKey, private_folder

log = logging.getLogger(__name__)


def kept(cache: EngineCache, key: PlanKey, build: Callable[[], Plan], progress: Progress) -> Plan:
    """The plan of a key from the cache, else built, and kept there if the folder can be written to.

    Raises what ``build`` raises.
    """
    try:
        private_folder(cache.folder)
    except EngineError as error:
        log.warning("the engine runs, but will be built again next time: %s", error)
        return build()
    return cache.get(key, build, progress)
