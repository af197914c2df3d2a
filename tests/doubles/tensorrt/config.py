"""What the fake TensorRT's builder is told: flags, levels, timing caches."""

from __future__ import annotations

import json
from typing import Any

from .plan import World
from .types import BuilderFlag, IHostMemory, IProgressMonitor, Strict, TilingOptimizationLevel, subclassed, typed


class ITimingCache(Strict):
    """How fast which kernels were."""

    def __init__(self, version: str, device: str, entries: set[str]) -> None:
        self._version, self._device, self._entries = version, device, entries

    def serialize(self) -> IHostMemory:
        """The cache as bytes."""
        return IHostMemory(json.dumps([self._version, self._device, sorted(self._entries)]).encode())

    def combine(self, input_cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Take the entries of another cache of the same version and device."""
        typed(ignore_mismatch, bool, "combine")
        same = (self._version, self._device) == (input_cache._version, input_cache._device)
        self._entries |= input_cache._entries if same else set()
        return same


class IBuilderConfig(Strict):
    """What the builder is told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._flags = {BuilderFlag.TF32}
        self._level = 3
        self._tiling = TilingOptimizationLevel.NONE
        self._monitor: IProgressMonitor | None = None
        self._cache: ITimingCache | None = None

    def set_flag(self, flag: Any) -> None:
        """Switch on."""
        self._flags.add(typed(flag, BuilderFlag, "set_flag"))

    def clear_flag(self, flag: Any) -> None:
        """Switch off."""
        self._flags.discard(typed(flag, BuilderFlag, "clear_flag"))

    def create_timing_cache(self, serialized_timing_cache: Any) -> ITimingCache:
        """A timing cache, from bytes or new."""
        text = bytes(memoryview(serialized_timing_cache))
        version, device, entries = json.loads(text) if text else (self._world.version, self._world.device, [])
        return ITimingCache(version, device, set(entries))

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Use a timing cache; False when it belongs to another version or GPU."""
        typed(ignore_mismatch, bool, "set_timing_cache")
        own = (self._world.version, self._world.device)
        if own != (typed(cache, ITimingCache, "set_timing_cache")._version, cache._device):
            return False
        self._cache = cache
        return True

    @property
    def builder_optimization_level(self) -> int:
        """0 to 5; more takes longer and may run faster."""
        return self._level

    @builder_optimization_level.setter
    def builder_optimization_level(self, level: int) -> None:
        self._level = typed(level, int, "builder_optimization_level")

    @property
    def tiling_optimization_level(self) -> Any:
        """How hard tilings are searched."""
        return self._tiling

    @tiling_optimization_level.setter
    def tiling_optimization_level(self, level: Any) -> None:
        self._tiling = typed(level, TilingOptimizationLevel, "tiling_optimization_level")

    @property
    def progress_monitor(self) -> IProgressMonitor | None:
        """Who is told how far the build is."""
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: IProgressMonitor) -> None:
        self._monitor = subclassed(monitor, IProgressMonitor, "progress_monitor")
