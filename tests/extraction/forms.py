"""Small made-up forms: an order with a customer, a number, two dates and a total."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ml_backend.extraction.fields import Box, Document, FieldSpec, FieldType, Label, Labels

FIELDS = (
    FieldSpec("customer", FieldType.TEXT),
    FieldSpec("order_id", FieldType.IDENTIFIER),
    FieldSpec("starts", FieldType.DATE),
    FieldSpec("ends", FieldType.DATE),
    FieldSpec("amount", FieldType.NUMBER),
)
NAMES = (
    "Alder Mills",
    "Birch and Sons",
    "Cedar House Ltd",
    "Dogwood",
    "Elm Street Bakers",
    "Fir Works",
)


def page(words: list[tuple[str, Box]], number: int = 0) -> Any:
    n = len(words)
    return SimpleNamespace(
        number=number,
        width=600.0,
        height=800.0,
        texts=tuple(text for text, _ in words),
        boxes=np.asarray([box for _, box in words], dtype=np.float32).reshape(-1, 4),
        font_names=("Sans",),
        fonts=np.zeros(n, dtype=np.uint16),
        sizes=np.full(n, 10, dtype=np.float32),
        sources=np.zeros(n, dtype=np.uint8),
        confidences=np.ones(n, dtype=np.float32),
        rulings=np.zeros((0, 4), dtype=np.float32),
        image_cover=0.0,
        ink=None,
    )


def placed(text: str, x: float, y: float) -> list[tuple[str, Box]]:
    words = []
    for word in text.split():
        words.append((word, (x, y, x + 6.0 * len(word), y + 9.0)))
        x += 6.0 * len(word) + 4.0
    return words


@dataclass(frozen=True)
class Form:
    document: Document
    labels: Labels
    truth: dict[str, str]


def form(seed: int, *, without: tuple[str, ...] = (), complete: bool = True) -> Form:
    """One order; the layout is one of three, chosen by the seed."""
    rng = random.Random(seed)
    first = rng.randint(1, 20)
    amounts = [rng.randint(10, 900) + 0.5 for _ in range(3)]
    truth = {
        "customer": f"{rng.choice(NAMES)} {rng.choice(NAMES)}",
        "order_id": str(rng.randint(100_000, 999_999)),
        "starts": f"03/{first:02d}/2024",
        "ends": f"04/{first + rng.randint(0, 7):02d}/2024",
        "amount": f"{sum(amounts):,.2f}",
    }
    x, y = ((60.0, 60.0), (80.0, 100.0), (60.0, 180.0))[seed % 3]
    printed = {
        "customer": ("Customer:", x, y),
        "order_id": ("Order No", x + 260, y),
        "starts": ("From", x, y + 24),
        "ends": ("To", x + 260, y + 24),
        "amount": ("Total", x + 260, y + 200),
    }
    words = placed("Order form of the Meadow Trading Company", 60, 30)
    words += placed("Please quote the number above in every letter", 60, y + 260)
    for i, amount in enumerate(amounts):
        words += placed(f"Item {i + 1} {amount:.2f}", x, y + 80 + 20 * i)
    labels = []
    for name, (label, left, top) in printed.items():
        words += placed(label, left, top)
        if name in without:
            continue
        value = placed(truth[name], left + 90, top)
        words += value
        boxes = np.asarray([box for _, box in value])
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        labels.append(
            Label(
                name,
                0,
                (float(low[0]), float(low[1]), float(high[0]), float(high[1])),
                truth[name],
            )
        )
    document = Document(f"form-{seed}", (page(words),))
    kept = {name: text for name, text in truth.items() if name not in without}
    return Form(document, Labels(tuple(labels), frozenset(without), complete), kept)
