"""Memory that was freed, given back to the system: the allocator alone keeps most of it for later."""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def _trimmer() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``; other C libraries have no need of it, or no such function."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return trim


_trim = _trimmer()


def give_back() -> None:
    """Return what lies free in the heap to the system, where the C library can."""
    if _trim is not None:
        _trim(0)
