"""Learn from unreviewed documents: what the model is sure of there becomes weak training data.

A value is trusted more where it stands by the same print as in similar documents. Fields it is not
sure of stay unknown: neither positives nor negatives. Span lengths and field pairs are learnt from
reviewed documents only, so that cut names do not breed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.extraction.anchors import Print, Reference, known_positions
from ml_backend.extraction.decoding import Pair, Ranked, Shape, decode
from ml_backend.extraction.document import Floats, Ints
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.lexicon import SHARED
from ml_backend.extraction.spans import Marks, SpanModel, marks_of
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


@dataclass(frozen=True, slots=True)
class Anchored:
    """Where a value stood: the print left of it and above it, and how much that counts."""

    left: int
    above: int
    weight: float


def anchors_of(encoded: Encoded, tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Hash of the nearest print left in the line and of the print above, 0 for none."""
    known, context, sheet = encoded.known, encoded.sheet.context, encoded.tokens
    if known is None or context is None:
        return [(0, 0)] * len(tokens)
    norm = SHARED.columns()[0][sheet.lexeme, 0]
    out = []
    for i in tokens:
        j = i - 1
        while j >= 0 and sheet.line[j] == sheet.line[i] and not known.template[j]:
            j -= 1
        left = int(norm[j]) if j >= 0 and sheet.line[j] == sheet.line[i] else 0
        up, steps = int(context.above[i]), 0
        while up >= 0 and not known.template[up] and steps < 6:
            up, steps = int(context.above[up]), steps + 1
        out.append((left, int(norm[up]) if up >= 0 and known.template[up] else 0))
    return out


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
    fields = len(lesson.shapes)
    everything = [e for e, _ in lesson.reviewed] + list(lesson.unreviewed)
    alike = likeness([e.sheet.print for e in everything], lesson.reference)
    near = [np.flatnonzero(row >= VOTE_SIMILARITY) for row in alike]
    first_unreviewed = len(lesson.reviewed)
    fixed: list[list[Anchored | None]] = [[] for _ in range(fields)]
    for encoded, target in lesson.reviewed:
        for f in range(fields):
            spans = target.spans[f]
            anchor = anchors_of(encoded, [int(spans[0][0])])[0] if spans else None
            fixed[f].append(Anchored(*anchor, REVIEWED_VOTES) if anchor else None)
    words = not all(shape.single for shape in lesson.shapes)
    marks = [marks_of(e) if words and len(e) else None for e in lesson.unreviewed]
    weak: list[Rows] = []
    rng = np.random.default_rng(lesson.seed + 1)
    for threshold in SCHEDULE:
        odds = [model.log_odds(e) for e in lesson.unreviewed]
        plain = [
            _decoded(e, o, lesson, None, m)
            for e, o, m in zip(lesson.unreviewed, odds, marks, strict=True)
        ]
        stands = [list(column) for column in fixed]
        for e, ranked in zip(lesson.unreviewed, plain, strict=True):
            for f in range(fields):
                best = ranked[f].candidates[0] if ranked[f].candidates else None
                stands[f].append(
                    Anchored(*anchors_of(e, [best.start])[0], ranked[f].score) if best else None
                )
        weak = []
        for d, (e, o) in enumerate(zip(lesson.unreviewed, odds, strict=True)):
            if not len(e):
                continue
            shift = _votes(e, o, near[first_unreviewed + d], alike[first_unreviewed + d], stands)
            ranked = _decoded(e, o, lesson, shift, marks[d])
            target = _weak_target(e, ranked, threshold, lesson.shapes)
            if (target.state == YES).any():
                chosen = rows_to_learn(e.tokens, target, NEGATIVES, TELLING, rng)
                weak.append(take_rows(e, target.state, chosen, WEIGHT))
        model = fit(weak, model)
    return model, weak


def _decoded(
    e: Encoded, odds: Floats, lesson: Lesson, shift: Floats | None, marks: Marks | None
) -> list[Ranked]:
    return decode(e, odds, lesson.shapes, lesson.pairs, lesson.spans, shift, marks)


def _votes(
    e: Encoded, odds: Floats, near: Ints, alike: Floats, stands: list[list[Anchored | None]]
) -> Floats:
    """Additions to the odds of each field's best tokens, by similar documents' anchors."""
    shift = np.zeros_like(odds)
    if not len(near):
        return shift
    for f in range(odds.shape[1]):
        votes = [(alike[d], stands[f][d]) for d in near.tolist()]
        total = sum(j * s.weight for j, s in votes if s is not None)
        if total <= 0:
            continue
        top = np.argsort(-odds[:, f], kind="stable")[:VOTED]
        for i, (left, above) in zip(top.tolist(), anchors_of(e, top.tolist()), strict=True):
            agreed = sum(
                j * s.weight * (0.5 * (s.left == left) + 0.5 * (s.above == above))
                for j, s in votes
                if s is not None
            )
            shift[i, f] = 2 * VOTE * (np.log(agreed / total + 0.05) - np.log(0.5))
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
