"""What to do about the accuracy of each field, from its figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENOUGH = 10
"""Values below which an accuracy says little."""
GOOD = 0.8
MOST = 6


@dataclass(frozen=True)
class Advice:
    """``key`` of the catalogue; ``n`` values measured; ``share`` of them found or right."""

    key: str
    field: str
    n: int = 0
    share: float = 0.0


def advise(
    fields: Sequence[tuple[str, str]], figures: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> list[Advice]:
    """The most useful advice first. ``fields``: (name, type) of the schema; ``figures``: field → metric → figure.

    Nothing was measured: nothing is advised.
    """
    if not figures:
        return []
    found: list[tuple[int, float, Advice]] = []
    for name, kind in fields:
        if kind == "table":
            continue
        measured = figures.get(name, {})
        support = int(measured.get("f1", {}).get("support", 0))
        recall, precision = (
            float(measured.get(which, {}).get("value", 1.0)) for which in ("recall", "precision")
        )
        if not support:
            found.append((2, 0.0, Advice("advice.unseen", name)))
        elif min(recall, precision) < GOOD and support >= ENOUGH:
            poor = ("recall", recall) if recall <= precision else ("precision", precision)
            found.append((0, poor[1], Advice(f"advice.{poor[0]}", name, support, poor[1])))
        elif support < ENOUGH:
            found.append((1, float(support), Advice("advice.few", name, support)))
    return [advice for _, _, advice in sorted(found, key=lambda item: item[:2])[:MOST]]
