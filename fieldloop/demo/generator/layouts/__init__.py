"""The layouts: one module each, one supplier's template each."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fieldloop.demo.generator.facts import CONTRACT, INVOICE, ORDER, Facts
from fieldloop.demo.generator.layouts import (
    boxed_form,
    contract,
    dense,
    dot_matrix,
    label_above,
    label_left,
    landscape,
    letterhead,
)
from fieldloop.demo.generator.sheet import A4, LETTER, Sheet
from fieldloop.demo.generator.wording import Words

Draw = Callable[[Sheet, Facts, Words, random.Random], None]


@dataclass(frozen=True)
class Layout:
    """``items``: fewest and most table rows of a short, a long and a very long document."""

    draw: Draw
    kinds: tuple[str, ...]
    items: tuple[tuple[int, int], ...]
    size: tuple[float, float] = A4
    signed_share: float = 0.0
    euro_sign: bool = True


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "label_left": Layout(label_left.draw, (INVOICE, ORDER), ((2, 9), (26, 60), (90, 130))),
        "label_above": Layout(
            label_above.draw, (INVOICE, ORDER), ((2, 8), (24, 50), (80, 115)), LETTER
        ),
        "boxed_form": Layout(
            boxed_form.draw, (INVOICE, ORDER), ((3, 10), (24, 60), (130, 180)), A4, 0.6
        ),
        "letterhead": Layout(
            letterhead.draw,
            (INVOICE, ORDER),
            ((1, 7), (22, 45), (90, 120)),
            euro_sign=False,
        ),
        "dense": Layout(dense.draw, (INVOICE, ORDER), ((12, 40), (70, 120), (200, 270))),
        "contract": Layout(
            contract.draw, (CONTRACT,), ((2, 5), (18, 40), (90, 120)), A4, 0.8, euro_sign=False
        ),
        "dot_matrix": Layout(
            dot_matrix.draw, (INVOICE, ORDER), ((2, 10), (30, 70), (120, 160)), LETTER
        ),
        "landscape": Layout(
            landscape.draw, (ORDER, INVOICE), ((2, 9), (20, 45), (60, 85)), (A4[1], A4[0]), 0.7
        ),
    }
)
