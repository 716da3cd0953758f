"""Memory of frames that are gone goes back to the system, on Linux with glibc; elsewhere nothing.

Frames are large, live short, and are freed by other threads than made them. Between them stand
small things that stay, so what a burst of waiting frames has taken (a disk that hesitates for half
a second holds thirty of them) would be kept by the allocator for good: 12 MB after some minutes at
60 frames a second of 640x480.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

# Of `mallopt`, in malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
# The largest that glibc takes on 64 bits: as mappings, frames would cost a page fault for each
# 4 kB, which at 640x480 was 1.2 ms a frame (x86-64, in a virtual machine).
_MOST_MMAP_BYTES: Final = 32 << 20
_LEAST_BYTES: Final = 1 << 20


@cache
def _libc() -> Any:
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
    except OSError:
        return None


def expect_frames_of(size_bytes: int) -> None:
    """Let the allocator keep room for two frames beyond those that are in use, and no more.

    By itself it keeps twice what the largest thing took that was ever freed: a model, a table.
    """
    if (libc := _libc()) is not None:
        libc.mallopt(_MMAP_THRESHOLD, _MOST_MMAP_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, max(_LEAST_BYTES, 5 * size_bytes // 2))


def give_back() -> None:
    """Give back what is free between things in use; takes about a millisecond."""
    if (libc := _libc()) is not None:
        libc.malloc_trim(0)
