"""Memory that a training step frees stays with the process, as the next step asks for as much again.

glibc gives large blocks back to the system at once, and gets them again page by page, each of them zeroed. Keeping them
made the base model's training 7 to 8 % faster on two cores, in turns with the usual settings.
"""

from __future__ import annotations

import ctypes
import platform

# malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
TOP_PAD = 256 << 20  # bytes by which the heap grows at least


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, until it ends; False where its C library is not glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, TOP_PAD))
    return all(mallopt(name, value) == 1 for name, value in settings)
