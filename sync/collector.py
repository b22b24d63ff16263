"""How often Python looks for cycles among its objects."""

from __future__ import annotations

import gc

_BETWEEN = 50_000


def collect_rarely() -> None:
    """For the whole process.

    A batch holds hundreds of thousands of small objects, none of them in a cycle; by Python's own thresholds a
    third of the mirror's processor time goes into looking through them again and again.
    """
    gc.set_threshold(_BETWEEN, 20, 20)
