"""How long values of a field are, and which tokens one through a given token may consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.extraction.document import Ints, Tokens
from ml_backend.extraction.features import Context


@dataclass(frozen=True, slots=True)
class Shape:
    """How long values of a field are, from the reviewed documents alone.

    `gap` is the widest blank inside a value, in ems; `lines` the most lines one covers.
    """

    longest: int = 1
    lines: int = 1
    gap: float = 0.75

    @property
    def single(self) -> bool:
        return self.longest == 1


def shape_of_field(spans: Sequence[tuple[Tokens, Ints]]) -> Shape:
    if not spans:
        return Shape()
    longest = max(len(span) for _, span in spans)
    lines = [len(np.unique(tokens.line[span])) for tokens, span in spans]
    gaps: list[float] = [0.75]
    for tokens, span in spans:
        left, right = span[:-1], span[1:]
        same = tokens.line[left] == tokens.line[right]
        blank = tokens.box[right, 0] - tokens.box[left, 2]
        em = np.maximum(tokens.size[left], tokens.box[left, 3] - tokens.box[left, 1])
        gaps += (blank / np.maximum(em, 1))[same].tolist()
    often = sum(n > 1 for n in lines) >= max(2, 0.04 * len(lines))
    return Shape(
        longest=longest if longest == 1 else longest + 2,
        lines=max(lines) if often else min(max(lines), 2),
        gap=min(float(np.quantile(gaps, 0.95)), 4.0),
    )


def chain_around(tokens: Tokens, context: Context, start: int, shape: Shape) -> list[int]:
    """Tokens a value through `start` may consist of, in reading order."""
    segments = context.segments
    own = int(context.rank[start])
    runs = [own]
    if shape.gap > 0.8:
        runs = _along_line(tokens, context, own, shape.gap)
    chain = [i for run in runs for i in range(segments.first[run], segments.end[run])]
    if shape.lines > 1:
        upper: list[int] = []
        run = own
        for _ in range(shape.lines - 1):
            above = int(segments.above[run])
            if above < 0 or not _stacked(tokens, context, above, run):
                break
            upper = [*range(segments.first[above], segments.end[above]), *upper]
            run = above
        run = own
        lower: list[int] = []
        for _ in range(shape.lines - 1):
            below = int(segments.below[run])
            if below < 0 or not _stacked(tokens, context, run, below):
                break
            lower += range(segments.first[below], segments.end[below])
            run = below
        chain = [*upper, *chain, *lower]
    return chain


def _along_line(tokens: Tokens, context: Context, own: int, gap: float) -> list[int]:
    segments = context.segments
    runs = [own]
    for step in (-1, 1):
        run = own
        while (
            0 <= run + step < len(segments.first)
            and segments.line[run + step] == segments.line[own]
        ):
            left, right = (run + step, run) if step < 0 else (run, run + step)
            a, b = segments.end[left] - 1, segments.first[right]
            em = max(tokens.size[a], tokens.box[a, 3] - tokens.box[a, 1], 1.0)
            if tokens.box[b, 0] - tokens.box[a, 2] > gap * em:
                break
            run += step
            runs = [run, *runs] if step < 0 else [*runs, run]
    return runs


def _stacked(tokens: Tokens, context: Context, upper: int, lower: int) -> bool:
    a, b = context.segments.first[upper], context.segments.first[lower]
    height = max(tokens.box[a, 3] - tokens.box[a, 1], tokens.box[b, 3] - tokens.box[b, 1], 1.0)
    return bool(tokens.box[b, 1] - tokens.box[a, 3] <= 1.2 * height)
