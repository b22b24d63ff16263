"""Token log-odds → values: choose a span around the best token, then let pairs of fields agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml_backend.extraction.chains import Shape, chain_around
from ml_backend.extraction.document import Floats, Ints, Tokens
from ml_backend.extraction.extents import Extents
from ml_backend.extraction.features import Context
from ml_backend.extraction.spans import Choices, SpanModel, chances
from ml_backend.extraction.targets import Target

PAIR_REACH = 4
PAIR_SHARE = 0.5
CANDIDATES = 8
GROWTH = 3.9
"""Log-odds added to each token before growing: -3.9 is a probability of 0.02."""
SUGGEST = 0.05
"""Score from which a value is answered at all."""
JUDGED = 3
"""Values of a field whose extent is chosen among all candidates; the rest just grow."""
HOPELESS = 0.01
"""Score below which a value but the best just grows too: nobody gets to see it. Not of fields that stand together,
where what stands beside the other's value may win."""


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


def _chosen(found: Choices, odds: Floats, spans: SpanModel, f: int) -> Candidate:
    p = chances(found.judged(odds, spans.known[f]), spans.weights[f])
    best = int(np.argmax(p))
    tokens = found.chain[found.first[best] : found.last[best] + 1].tolist()
    return Candidate(tuple(tokens), 0.0, float(p[best]))


def best_first(odds: Floats, most: int) -> Ints:
    """The places of the `most` highest, as a stable sort of all of them gives."""
    if len(odds) <= most:
        return np.argsort(-odds, kind="stable")
    least = np.partition(odds, len(odds) - most)[len(odds) - most]
    high = np.flatnonzero(odds >= least)
    return high[np.argsort(-odds[high], kind="stable")][:most]


def candidates(
    extents: Extents, f: int, odds: Floats, spans: SpanModel, *, alone: bool, best_only: bool
) -> list[Candidate]:
    """Values of field `f` that do not overlap, best first. `alone`: it stands with no other field; `best_only`: then
    only the best is looked for, and one more for its score."""
    encoded, shape = extents.encoded, extents.shapes[f]
    most, judged = (2, 1) if best_only and alone else (CANDIDATES, JUDGED)
    least = HOPELESS if alone else 0.0
    order = best_first(odds, CANDIDATES * (1 if shape.single else 4))
    taken: set[int] = set()
    found: list[Candidate] = []
    for start, chance in zip(order.tolist(), sigmoid(odds[order]).tolist(), strict=True):
        if start in taken:
            continue
        sure = 1.0
        hopeful = chance >= least and len(found) < judged
        if not shape.single and (hopeful or not found):
            picked = _chosen(extents.through(f, start), odds, spans, f)
            span, sure = picked.tokens, picked.sure
        else:
            span = grow(encoded.tokens, extents.context, odds, start, shape)
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
    extents: Extents,
    odds: Floats,
    pairs: Sequence[Pair],
    spans: SpanModel,
    shift: Floats | None = None,
    best_only: bool = False,
) -> list[Ranked]:
    """One ranking per field. `shift` is added to the odds when choosing (a vote), not to scores.

    `best_only`: of a field on its own no more is found than its best value and how far the next one is behind.
    """
    if extents.encoded.sheet.context is None:
        return [Ranked() for _ in extents.shapes]
    chosen = odds if shift is None else odds + shift
    paired = {f for pair in pairs for f in (pair.first, pair.second)}
    found = [
        candidates(extents, f, chosen[:, f], spans, alone=f not in paired, best_only=best_only)
        for f in range(len(extents.shapes))
    ]
    ranked = [Ranked(tuple(c), c[0].score if c else 0.0) for c in found]
    for pair in pairs:
        _settle(extents.encoded.tokens, found, ranked, pair)
    return ranked


def _settle(tokens: Tokens, found: list[list[Candidate]], ranked: list[Ranked], pair: Pair) -> None:
    best, choice = -np.inf, (0, 0)
    firsts = [(c, math.log(max(c.score, 1e-9)), *_place(tokens, c)) for c in found[pair.first]]
    seconds = [(c, math.log(max(c.score, 1e-9)), *_place(tokens, c)) for c in found[pair.second]]
    for i, (a, score_a, line_a, day_a) in enumerate(firsts):
        for j, (b, score_b, line_b, day_b) in enumerate(seconds):
            offset = b.start - a.start
            score = score_a + score_b
            if not set(a.tokens).isdisjoint(b.tokens):
                score -= 3.0
            elif line_a == line_b and abs(offset) <= PAIR_REACH:
                score += pair.offsets[offset + PAIR_REACH]
            else:
                score += pair.apart
            if pair.ordered and day_a > day_b:
                score -= 2.0
            if score > best:
                best, choice = score, (i, j)
    if best == -np.inf:
        return
    own_a, own_b = found[pair.first][choice[0]], found[pair.second][choice[1]]
    together = float(np.sqrt(own_a.score * own_b.score))
    for f, at, own in ((pair.first, choice[0], own_a), (pair.second, choice[1], own_b)):
        rest = [c for k, c in enumerate(found[f]) if k != at]
        ranked[f] = Ranked((own, *rest), max(own.score, together))


def _place(tokens: Tokens, candidate: Candidate) -> tuple[int, float]:
    """Line and day (NaN for none) of its first token."""
    return int(tokens.line[candidate.start]), float(tokens.day[candidate.start, 0])


def margin_of(ranked: Ranked) -> float:
    """How far the best is ahead of the next, 0..1."""
    if len(ranked.candidates) < 2:
        return 1.0
    return float(max(ranked.score - ranked.candidates[1].score, 0.0))
