"""From reviewed documents to everything a fitted extractor holds: weights, shapes of values, pairs
of fields, calibration. Deterministic for the same input and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ml_backend.extraction.anchors import Reference
from ml_backend.extraction.calibration import (
    Calibration,
    Outcome,
    calibrate,
    uncalibrated,
)
from ml_backend.extraction.decoding import (
    Pair,
    Shape,
    chain_around,
    decode,
    learn_pairs,
    margin_of,
    shape_of_field,
)
from ml_backend.extraction.document import Floats, text_of
from ml_backend.extraction.encoding import Encoded, Sheet, encode
from ml_backend.extraction.fields import FieldSpec, Labels
from ml_backend.extraction.masking import blanks, masked_outcomes, rows_of
from ml_backend.extraction.self_training import Lesson, self_train
from ml_backend.extraction.spans import (
    Case,
    SpanModel,
    choices,
    length_shares,
    marks_of,
    teach,
    untaught,
    value_hash,
)
from ml_backend.extraction.targets import (
    YES,
    Target,
    rows_to_learn,
    same_text,
    squeezed_of,
    target_of,
)
from ml_backend.extraction.token_model import Rows, TokenModel, fit_tokens, take_rows

NEGATIVES = 0.15
MANY = 60
"""Reviewed documents from which fewer folds are enough."""


@dataclass(frozen=True, slots=True)
class Settings:
    c: float
    seed: int
    self_train: bool


@dataclass(frozen=True, slots=True)
class Lessons:
    """`sheets` and `labels` go together; the reference lists `sheets`, then `pool`."""

    fields: tuple[FieldSpec, ...]
    labels: tuple[Labels, ...]
    sheets: tuple[Sheet, ...]
    pool: tuple[Sheet, ...]
    reference: Reference
    hints: Callable[[Sheet], Floats | None]
    day_first: bool


@dataclass(frozen=True, slots=True)
class State:
    """All a prediction needs. `model` is None where no token field could be learnt."""

    model: TokenModel | None
    reference: Reference
    shapes: tuple[Shape, ...]
    pairs: tuple[Pair, ...]
    spans: SpanModel
    calibration: Calibration
    learnt: tuple[bool, ...]
    empty_boxes: int = 0


def learn(lessons: Lessons, settings: Settings) -> State:
    fields = lessons.fields
    encoded = [
        encode(sheet, lessons.reference, i, lessons.hints(sheet))
        for i, sheet in enumerate(lessons.sheets)
    ]
    targets = [
        target_of(sheet.tokens, labels, fields)
        for sheet, labels in zip(lessons.sheets, lessons.labels, strict=True)
    ]
    empty = sum(target.empty_boxes for target in targets)
    learnt = tuple(any(target.spans[f] for target in targets) for f in range(len(fields)))
    shapes = shapes_of(encoded, targets, len(fields))
    if not any(learnt):
        nothing = untaught_spans(encoded, targets, shapes)
        return State(
            None, lessons.reference, shapes, (), nothing, uncalibrated(len(fields)), learnt, empty
        )
    pairs = tuple(learn_pairs([e.tokens for e in encoded], targets, len(fields)))
    rng = np.random.default_rng(settings.seed)
    rows = [
        take_rows(e, t.state, rows_to_learn(e.tokens, t, NEGATIVES, 1.0, rng), 1.0)
        if len(e)
        else None
        for e, t in zip(encoded, targets, strict=True)
    ]
    missing = blanks(lessons, targets, [i for i, e in enumerate(encoded) if len(e)], settings.seed)
    without: dict[int, list[Rows]] = {}
    for blank in missing:
        i = blank.document
        sheet = lessons.sheets[i]
        without.setdefault(i, []).append(rows_of(blank, targets[i], sheet, len(encoded), rng))
    present = [r for r in rows if r is not None]
    present += [r for own in without.values() for r in own]

    def fit(of: Sequence[Rows], start: TokenModel | None = None) -> TokenModel:
        return fit_tokens(of, len(fields), c=settings.c, start=start)

    model = fit(present)
    weak: list[Rows] = []
    folds = _folds(len(encoded), settings.seed)
    held = _held_out(encoded, rows, without, folds, fit)
    spans = untaught_spans(encoded, targets, shapes)
    spans = _taught_spans(spans, encoded, targets, shapes, held)
    if settings.self_train and lessons.pool:
        unreviewed = [
            encode(sheet, lessons.reference, len(encoded) + i, lessons.hints(sheet))
            for i, sheet in enumerate(lessons.pool)
        ]
        lesson = Lesson(
            list(zip(encoded, targets, strict=True)),
            unreviewed,
            shapes,
            pairs,
            spans,
            lessons.reference,
            settings.seed,
        )
        model, weak = self_train(model, lesson, lambda more, start: fit([*present, *more], start))
        # The folds only calibrate: a third of the weak rows tells them enough.
        few = weak[:: 3 if len(weak) > 30 else 1]
        held = _held_out(encoded, rows, without, folds, lambda own: fit([*own, *few]))
        spans = _taught_spans(spans, encoded, targets, shapes, held)
    state = State(
        model, lessons.reference, shapes, pairs, spans, uncalibrated(len(fields)), learnt, empty
    )
    outcomes = _outcomes(state, encoded, targets, held)
    outcomes += masked_outcomes(state, missing, held)
    return replace(state, calibration=calibrate(outcomes, len(fields)))


def shapes_of(
    encoded: Sequence[Encoded], targets: Sequence[Target], fields: int
) -> tuple[Shape, ...]:
    return tuple(
        shape_of_field(
            [(e.tokens, s) for e, t in zip(encoded, targets, strict=True) for s in t.spans[f]]
        )
        for f in range(fields)
    )


def _folds(count: int, seed: int) -> list[list[int]]:
    """Held-out documents of each fold; none for fewer than three documents."""
    if count < 3:
        return []
    parts = min(count, 5) if count <= MANY else 3
    order = np.random.default_rng(seed + 7).permutation(count)
    return [sorted(part.tolist()) for part in np.array_split(order, parts)]


def _held_out(
    encoded: Sequence[Encoded],
    rows: Sequence[Rows | None],
    without: Mapping[int, Sequence[Rows]],
    folds: Sequence[Sequence[int]],
    fit: Callable[[Sequence[Rows]], TokenModel],
) -> dict[int, TokenModel]:
    """Document → a model that has not seen it, be it whole or without some of its values."""

    def without_fold(fold: Sequence[int]) -> TokenModel | None:
        rest = [r for i, r in enumerate(rows) if r is not None and i not in fold]
        rest += [r for i, own in sorted(without.items()) if i not in fold for r in own]
        return fit(rest) if any((r.state == YES).any() for r in rest) else None

    # The products of a fit let go of the interpreter, so two folds use two cores.
    with ThreadPoolExecutor(2, thread_name_prefix="fold") as threads:
        fitted = [*threads.map(without_fold, folds)]
    return {
        i: model
        for fold, model in zip(folds, fitted, strict=True)
        if model is not None
        for i in fold
        if len(encoded[i])
    }


def untaught_spans(
    encoded: Sequence[Encoded], targets: Sequence[Target], shapes: Sequence[Shape]
) -> SpanModel:
    lengths, known = [], []
    for f, shape in enumerate(shapes):
        spans = [s for target in targets for s in target.spans[f]]
        lengths.append(length_shares([len(s) for s in spans], shape.longest))
        known.append(frozenset().union(*_values(encoded, targets, f)))
    return untaught(len(shapes), lengths, known)


def _values(encoded: Sequence[Encoded], targets: Sequence[Target], f: int) -> list[frozenset[int]]:
    """Hashes of the field's values, per document."""
    return [
        frozenset(value_hash(squeezed_of(e.tokens)[span]) for span in target.spans[f])
        for e, target in zip(encoded, targets, strict=True)
    ]


def _taught_spans(
    spans: SpanModel,
    encoded: Sequence[Encoded],
    targets: Sequence[Target],
    shapes: Sequence[Shape],
    held: dict[int, TokenModel],
) -> SpanModel:
    """Learnt where held-out documents' values end; a value known from its own document alone does
    not count as known."""
    cases: list[Case] = []
    words = [f for f, shape in enumerate(shapes) if not shape.single]
    values = {f: _values(encoded, targets, f) for f in words}
    for i, model in sorted(held.items()):
        context = encoded[i].sheet.context
        if context is None or not any(targets[i].spans[f] for f in words):
            continue
        odds = model.log_odds(encoded[i])
        marks = marks_of(encoded[i])
        for f in words:
            others = frozenset().union(*(v for k, v in enumerate(values[f]) if k != i))
            for span in targets[i].spans[f]:
                at = int(span[np.argmax(odds[span, f])])
                chain = chain_around(encoded[i].tokens, context, at, shapes[f])
                run = np.asarray(chain, dtype=np.intp)
                found = choices(
                    marks,
                    odds[:, f],
                    run,
                    chain.index(at),
                    shapes[f].longest,
                    spans.lengths[f],
                    others,
                )
                right = np.flatnonzero(
                    (run[found.first] == span[0])
                    & (run[found.last] == span[-1])
                    & (found.last - found.first == len(span) - 1)
                )
                if len(right):
                    cases.append(Case(f, found.features, int(right[0])))
    return teach(spans, cases)


def is_right(encoded: Encoded, tokens: Sequence[int], target: Target, f: int) -> bool:
    text = text_of(encoded.tokens, tokens)
    for span in target.spans[f]:
        if same_text(text, text_of(encoded.tokens, span.tolist())):
            return True
        days = encoded.tokens.day[[tokens[0], int(span[0])], 0]
        amounts = encoded.tokens.amount[[tokens[0], int(span[0])]]
        if len(tokens) == len(span) == 1 and (days[0] == days[1] or amounts[0] == amounts[1]):
            return True
    return False


def _outcomes(
    state: State,
    encoded: Sequence[Encoded],
    targets: Sequence[Target],
    held: dict[int, TokenModel],
) -> list[Outcome]:
    found = []
    for i, model in sorted(held.items()):
        odds = model.log_odds(encoded[i])
        ranked = decode(encoded[i], odds, state.shapes, state.pairs, state.spans)
        for f, best in enumerate(ranked):
            if not best.candidates or not (targets[i].spans[f] or targets[i].absent[f]):
                continue
            right = is_right(encoded[i], best.candidates[0].tokens, targets[i], f)
            if right or targets[i].spans[f]:
                found.append(Outcome(f, best.certainty, margin_of(best), right))
    return found
