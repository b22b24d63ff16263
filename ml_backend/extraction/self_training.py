"""Learn from unreviewed documents: what the model is sure of there becomes weak training data.

A value is trusted more where it stands by the same print as in similar documents. Fields it is not
sure of stay unknown: neither positives nor negatives. Span lengths and field pairs are learnt from
reviewed documents only, so that cut names do not breed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.anchors import Print, Reference, known_positions
from ml_backend.extraction.chains import Shape
from ml_backend.extraction.decoding import Pair, Ranked, best_first, decode
from ml_backend.extraction.document import Floats, Ints
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.extents import Extents
from ml_backend.extraction.features import at
from ml_backend.extraction.spans import SpanModel
from ml_backend.extraction.targets import NO, UNKNOWN, YES, Target, mark_copies, rows_to_learn
from ml_backend.extraction.token_model import Rows, TokenModel, take_rows

SCHEDULE = (0.8, 0.6, 0.4, 0.3)
WORDS_NEED = 0.5
WEIGHT = 0.5
NEGATIVES = 0.08
TELLING = 0.15
VOTE = 0.5
VOTE_SIMILARITY = 0.45
REVIEWED_VOTES = 3.0
VOTED = 12
FARTHEST_ABOVE = 6
"""Tokens passed on the way up to the nearest print."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Per token the hash of the nearest print left in the line and of the print above, 0 for none."""

    left: NDArray[np.uint64]
    above: NDArray[np.uint64]


def anchors_of(encoded: Encoded) -> Anchors:
    known, context, tokens = encoded.known, encoded.sheet.context, encoded.tokens
    n = len(tokens)
    if known is None or context is None:
        return Anchors(np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64))
    last = np.maximum.accumulate(np.where(known.template, np.arange(n), -1))
    left = np.concatenate(([-1], last[:-1]))
    left = np.where((left >= 0) & (tokens.line[left] == tokens.line), left, -1)
    above = context.above
    for _ in range(FARTHEST_ABOVE):
        variable = (above >= 0) & ~known.template[above]
        above = np.where(variable, context.above[above], above)
    above = np.where((above >= 0) & known.template[above], above, -1)
    return Anchors(at(tokens.norm, left), at(tokens.norm, above))


class Stands:
    """Where every document's value of one field stands: by which print, and how much that counts."""

    def __init__(self, documents: int) -> None:
        self.left = np.zeros(documents, dtype=np.uint64)
        self.above = np.zeros(documents, dtype=np.uint64)
        self.weight = np.zeros(documents)

    def put(self, document: int, anchors: Anchors, token: int, weight: float) -> None:
        self.left[document] = anchors.left[token]
        self.above[document] = anchors.above[token]
        self.weight[document] = weight


def likeness(prints: Sequence[Print], reference: Reference) -> Floats:
    """(d, d) Jaccard similarities of first pages."""
    rows = []
    for own in prints:
        vector = np.zeros(len(reference.words), dtype=np.float32)
        at, known = known_positions(own.first_page, reference.words)
        vector[at[known]] = 1
        rows.append(vector)
    if not rows:
        return np.zeros((0, 0))
    incidence = np.stack(rows)
    shared = (incidence @ incidence.T).astype(np.float64)
    sizes = np.asarray([len(p.first_page) for p in prints], dtype=np.float64)
    result: Floats = shared / np.maximum(sizes[:, None] + sizes[None, :] - shared, 1)
    np.fill_diagonal(result, 0)
    return result


@dataclass(frozen=True, slots=True)
class Lesson:
    """What self-training needs besides a model: reviewed and unreviewed documents, encoded."""

    reviewed: Sequence[tuple[Encoded, Target]]
    unreviewed: Sequence[Encoded]
    shapes: Sequence[Shape]
    pairs: Sequence[Pair]
    spans: SpanModel
    reference: Reference
    seed: int


def self_train(
    model: TokenModel, lesson: Lesson, fit: Callable[[list[Rows], TokenModel], TokenModel]
) -> tuple[TokenModel, list[Rows]]:
    """The model after the whole schedule, and the weak rows of the last round."""
    everything = [e for e, _ in lesson.reviewed] + list(lesson.unreviewed)
    alike = likeness([e.sheet.print for e in everything], lesson.reference)
    anchors = [anchors_of(e) for e in everything]
    extents = [Extents(e, lesson.shapes, lesson.spans.lengths) for e in lesson.unreviewed]
    first_unreviewed = len(lesson.reviewed)
    weak: list[Rows] = []
    rng = np.random.default_rng(lesson.seed + 1)
    for threshold in SCHEDULE:
        odds = [model.log_odds(e) for e in lesson.unreviewed]
        stands = _reviewed_stands(lesson, anchors)
        for d, (x, o) in enumerate(zip(extents, odds, strict=True), first_unreviewed):
            for f, best in enumerate(decode(x, o, lesson.pairs, lesson.spans, best_only=True)):
                if best.candidates:
                    stands[f].put(d, anchors[d], best.candidates[0].start, best.score)
        weak = []
        for d, (x, o) in enumerate(zip(extents, odds, strict=True), first_unreviewed):
            if not len(x.encoded):
                continue
            shift = _votes(o, anchors[d], alike[d], stands)
            ranked = decode(x, o, lesson.pairs, lesson.spans, shift, best_only=True)
            target = _weak_target(x.encoded, ranked, threshold, lesson.shapes)
            if (target.state == YES).any():
                chosen = rows_to_learn(x.encoded.tokens, target, NEGATIVES, TELLING, rng)
                weak.append(take_rows(x.encoded, target.state, chosen, WEIGHT))
        model = fit(weak, model)
    return model, weak


def _reviewed_stands(lesson: Lesson, anchors: Sequence[Anchors]) -> list[Stands]:
    stands = [Stands(len(anchors)) for _ in lesson.shapes]
    for d, (_, target) in enumerate(lesson.reviewed):
        for own, spans in zip(stands, target.spans, strict=True):
            if spans:
                own.put(d, anchors[d], int(spans[0][0]), REVIEWED_VOTES)
    return stands


def _votes(odds: Floats, own: Anchors, alike: Floats, stands: Sequence[Stands]) -> Floats:
    """Additions to the odds of each field's best tokens, by similar documents' anchors."""
    shift = np.zeros_like(odds)
    near = np.flatnonzero(alike >= VOTE_SIMILARITY)
    for f, all_ in enumerate(stands):
        votes = alike[near] * all_.weight[near]
        total = float(votes.sum())
        if total <= 0:
            continue
        top = best_first(odds[:, f], VOTED)
        same = (own.left[top, None] == all_.left[near]).astype(np.float64)
        same += own.above[top, None] == all_.above[near]
        agreed = 0.5 * (same @ votes)
        shift[top, f] = 2 * VOTE * (np.log(agreed / total + 0.05) - np.log(0.5))
    return shift


def _weak_target(
    e: Encoded, ranked: Sequence[Ranked], threshold: float, shapes: Sequence[Shape]
) -> Target:
    state = np.full((len(e), len(ranked)), UNKNOWN, dtype=np.int8)
    spans: list[tuple[Ints, ...]] = []
    for f, (found, shape) in enumerate(zip(ranked, shapes, strict=True)):
        needed = threshold if shape.single else max(threshold, WORDS_NEED)
        if not found.candidates or found.certainty < needed:
            spans.append(())
            continue
        span = np.asarray(found.candidates[0].tokens, dtype=np.intp)
        state[:, f] = NO
        mark_copies(e.tokens, span, state[:, f])
        state[span, f] = YES
        spans.append((span,))
    return Target(state, tuple(spans), (False,) * len(ranked), 0)
