"""What the fake TensorRT's builder is told: flags, profiles of shapes, timing caches."""

from __future__ import annotations

import json
from typing import Any

from .plan import World
from .types import (
    BUILDER_FLAGS,
    Dims,
    HardwareCompatibilityLevel,
    IHostMemory,
    IProgressMonitor,
    MemoryPoolType,
    Strict,
    TilingOptimizationLevel,
    subclassed,
    typed,
)


class IOptimizationProfile(Strict):
    """Smallest, optimal and largest shapes."""

    def __init__(self) -> None:
        self._shapes: dict[str, list[tuple[int, ...]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        """Say what an input may be."""
        shapes = [tuple(Dims(tuple(shape))) for shape in (min, opt, max)]
        if not all(a <= b <= c for a, b, c in zip(*shapes, strict=True)):
            raise ValueError(f"{input}: inconsistent shapes {shapes}")
        self._shapes[typed(input, str, "set_shape")] = shapes

    def __bool__(self) -> bool:
        return bool(self._shapes)


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
        self._kinds = BUILDER_FLAGS[int(world.version.split(".")[0])]
        self._flags = {self._kinds.TF32}
        self._profiles: list[IOptimizationProfile] = []
        self._level = 3
        self._tiling = TilingOptimizationLevel.NONE
        self._compatibility = HardwareCompatibilityLevel.NONE
        self._monitor: IProgressMonitor | None = None
        self._cache: ITimingCache | None = None

    def _flag_names(self) -> set[str]:
        return {flag.name for flag in self._flags}

    def set_flag(self, flag: Any) -> None:
        """Switch on."""
        self._flags.add(typed(flag, self._kinds, "set_flag"))

    def clear_flag(self, flag: Any) -> None:
        """Switch off."""
        self._flags.discard(typed(flag, self._kinds, "clear_flag"))

    def get_flag(self, flag: Any) -> bool:
        """Whether it is on."""
        return typed(flag, self._kinds, "get_flag") in self._flags

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Its index, or -1 for one that is not valid."""
        if not typed(profile, IOptimizationProfile, "add_optimization_profile"):
            return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        """Limit a kind of memory to so many bytes."""
        typed(pool, MemoryPoolType, "set_memory_pool_limit")
        typed(pool_size, int, "set_memory_pool_limit")

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

    def get_timing_cache(self) -> ITimingCache | None:
        """The timing cache in use."""
        return self._cache

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
    def hardware_compatibility_level(self) -> Any:
        """On which other GPUs the plan is to run."""
        return self._compatibility

    @hardware_compatibility_level.setter
    def hardware_compatibility_level(self, level: Any) -> None:
        self._compatibility = typed(level, HardwareCompatibilityLevel, "hardware_compatibility_level")

    @property
    def progress_monitor(self) -> IProgressMonitor | None:
        """Who is told how far the build is."""
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: IProgressMonitor) -> None:
        self._monitor = subclassed(monitor, IProgressMonitor, "progress_monitor")
