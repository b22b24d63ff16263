"""Token log-odds → values: choose a span around the best token, then let pairs of fields agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.document import Floats, Ints, Tokens
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.features import Context
from ml_backend.extraction.spans import Marks, SpanModel, chances, choices, marks_of
from ml_backend.extraction.targets import Target

PAIR_REACH = 4
PAIR_SHARE = 0.5
CANDIDATES = 8
GROWTH = 3.9
"""Log-odds added to each token before growing: -3.9 is a probability of 0.02."""
JUDGED = 3
"""Values of a field whose extent is chosen among all candidates; the rest just grow."""


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """`score`: probability of the best token; `sure`: that the value begins and ends where it
    does. `tokens` in reading order."""

    tokens: tuple[int, ...]
    score: float
    sure: float = 1.0

    @property
    def start(self) -> int:
        return self.tokens[0]


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))))


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


def grow(
    tokens: Tokens, context: Context, odds: Floats, start: int, shape: Shape
) -> tuple[int, ...]:
    """The best-scoring run through `start`: odds plus GROWTH summed, longest first on a tie."""
    if shape.single:
        return (start,)
    chain = chain_around(tokens, context, start, shape)
    at = chain.index(start)
    gains = np.clip(odds[chain] + GROWTH, -6.0, 6.0)
    forward = np.cumsum(gains[at + 1 : at + shape.longest])
    backward = np.cumsum(gains[max(at - shape.longest + 1, 0) : at][::-1])
    right = int(np.argmax(forward)) + 1 if len(forward) and forward.max() > 0 else 0
    left = int(np.argmax(backward)) + 1 if len(backward) and backward.max() > 0 else 0
    return tuple(chain[at - left : at + right + 1])


@dataclass(frozen=True, slots=True)
class Extent:
    """What decides how far a field's value reaches in one document."""

    marks: Marks
    spans: SpanModel
    field: int

    def chosen(self, chain: Sequence[int], at: int, odds: Floats, longest: int) -> Candidate:
        run = np.asarray(chain, dtype=np.intp)
        lengths, known = self.spans.lengths[self.field], self.spans.known[self.field]
        found = choices(self.marks, odds, run, at, longest, lengths, known)
        p = chances(found.features, self.spans.weights[self.field])
        best = int(np.argmax(p))
        tokens = run[found.first[best] : found.last[best] + 1].tolist()
        return Candidate(tuple(tokens), 0.0, float(p[best]))


def candidates(
    encoded: Encoded,
    context: Context,
    odds: Floats,
    shape: Shape,
    extent: Extent | None,
    most: int = CANDIDATES,
) -> list[Candidate]:
    """Up to `most` values that do not overlap, best first."""
    tokens = encoded.tokens
    order = np.argsort(-odds, kind="stable")[: most * (1 if shape.single else 4)]
    taken: set[int] = set()
    found: list[Candidate] = []
    chances = sigmoid(odds[order]).tolist()
    for start, chance in zip(order.tolist(), chances, strict=True):
        if start in taken:
            continue
        sure = 1.0
        if extent is not None and len(found) < JUDGED:
            chain = chain_around(tokens, context, start, shape)
            picked = extent.chosen(chain, chain.index(start), odds, shape.longest)
            span, sure = picked.tokens, picked.sure
        else:
            span = grow(tokens, context, odds, start, shape)
        if taken.intersection(span):
            span = (start,)
        taken.update(span)
        found.append(Candidate(span, chance, sure))
        if len(found) == most:
            break
    return found


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields that stand beside each other in most reviewed documents.

    `offsets[k]` is the log share of the second starting k - PAIR_REACH tokens after the first;
    `ordered` means the first's day never lies after the second's.
    """

    first: int
    second: int
    apart: float
    offsets: tuple[float, ...]
    ordered: bool


def learn_pairs(tokens: Sequence[Tokens], targets: Sequence[Target], fields: int) -> list[Pair]:
    """Disjoint pairs, the steadiest first."""
    found: list[tuple[float, Pair]] = []
    for f in range(fields):
        for g in range(fields):
            if f == g:
                continue
            both = near = ordered = compared = 0
            histogram = np.full(2 * PAIR_REACH + 1, 0.1)
            for sheet, target in zip(tokens, targets, strict=True):
                if len(target.spans[f]) != 1 or len(target.spans[g]) != 1:
                    continue
                a, b = int(target.spans[f][0][0]), int(target.spans[g][0][0])
                both += 1
                if sheet.line[a] == sheet.line[b] and abs(b - a) <= PAIR_REACH:
                    near += 1
                    histogram[b - a + PAIR_REACH] += 1
                if not (np.isnan(sheet.day[a, 0]) or np.isnan(sheet.day[b, 0])):
                    compared += 1
                    ordered += bool(sheet.day[a, 0] <= sheet.day[b, 0])
            if both < 2 or near / both <= PAIR_SHARE:
                continue
            if (compared and ordered < compared / 2) or (not compared and f > g):
                continue  # the pair the other way round says the same
            offsets = np.log(histogram / histogram.sum())
            share = (near + 0.5) / (both + 1)
            pair = Pair(
                f,
                g,
                float(np.log(1 - share) - 1),
                tuple(float(x) for x in offsets),
                compared >= 2 and ordered >= 0.9 * compared,
            )
            found.append((near / both, pair))
    taken: set[int] = set()
    chosen: list[Pair] = []
    for _, pair in sorted(found, key=lambda item: (-item[0], item[1].first, item[1].second)):
        if not taken & {pair.first, pair.second}:
            chosen.append(pair)
            taken |= {pair.first, pair.second}
    return chosen


@dataclass(frozen=True, slots=True)
class Ranked:
    """A field's candidates best first, and the score the best is reported with."""

    candidates: tuple[Candidate, ...] = field(default=())
    score: float = 0.0

    @property
    def certainty(self) -> float:
        """That the best is the value, and the whole of it."""
        return self.score * self.candidates[0].sure if self.candidates else 0.0


def decode(
    encoded: Encoded,
    odds: Floats,
    shapes: Sequence[Shape],
    pairs: Sequence[Pair],
    spans: SpanModel,
    shift: NDArray[np.float64] | None = None,
    marks: Marks | None = None,
) -> list[Ranked]:
    """One ranking per field. `shift` is added to the odds when choosing (a vote), not to scores.
    `marks`: the document's, where the caller has them already."""
    context = encoded.sheet.context
    if context is None:
        return [Ranked() for _ in shapes]
    chosen = odds if shift is None else odds + shift
    if marks is None and not all(shape.single for shape in shapes):
        marks = marks_of(encoded)
    found = []
    for f, shape in enumerate(shapes):
        extent = None if shape.single or marks is None else Extent(marks, spans, f)
        found.append(candidates(encoded, context, chosen[:, f], shape, extent))
    ranked = [Ranked(tuple(c), c[0].score if c else 0.0) for c in found]
    for pair in pairs:
        _settle(encoded.tokens, found, ranked, pair)
    return ranked


def _settle(tokens: Tokens, found: list[list[Candidate]], ranked: list[Ranked], pair: Pair) -> None:
    best, choice = -np.inf, (0, 0)
    for i, a in enumerate(found[pair.first]):
        for j, b in enumerate(found[pair.second]):
            offset = b.start - a.start
            score = float(np.log(max(a.score, 1e-9)) + np.log(max(b.score, 1e-9)))
            if set(a.tokens) & set(b.tokens):
                score -= 3.0
            elif tokens.line[a.start] == tokens.line[b.start] and abs(offset) <= PAIR_REACH:
                score += pair.offsets[offset + PAIR_REACH]
            else:
                score += pair.apart
            if pair.ordered and tokens.day[a.start, 0] > tokens.day[b.start, 0]:
                score -= 2.0
            if score > best:
                best, choice = score, (i, j)
    if best == -np.inf:
        return
    a, b = found[pair.first][choice[0]], found[pair.second][choice[1]]
    together = float(np.sqrt(a.score * b.score))
    for f, at, own in ((pair.first, choice[0], a), (pair.second, choice[1], b)):
        rest = [c for k, c in enumerate(found[f]) if k != at]
        ranked[f] = Ranked((own, *rest), max(own.score, together))


def margin_of(ranked: Ranked) -> float:
    """How far the best is ahead of the next, 0..1."""
    if len(ranked.candidates) < 2:
        return 1.0
    return float(max(ranked.score - ranked.candidates[1].score, 0.0))
