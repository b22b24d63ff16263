"""From reviewed documents to everything a fitted extractor holds: weights, shapes of values, pairs
of fields, calibration. Deterministic for the same input and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.anchors import Reference
from ml_backend.extraction.announced import Lead, Told, Trial, announced, leads
from ml_backend.extraction.calibration import (
    Calibration,
    Outcome,
    calibrate,
    uncalibrated,
)
from ml_backend.extraction.chains import Shape, shape_of_field
from ml_backend.extraction.decoding import SUGGEST, Pair, decode, learn_pairs, margin_of
from ml_backend.extraction.document import Floats, Ints, text_of
from ml_backend.extraction.encoding import Encoded, Sheet, SheetCache, encode
from ml_backend.extraction.evaluation import same_value
from ml_backend.extraction.extents import Extents
from ml_backend.extraction.fields import FieldSpec, Labels
from ml_backend.extraction.masking import blanks, masked_outcomes, rows_of
from ml_backend.extraction.self_training import Lesson, self_train
from ml_backend.extraction.spans import (
    Case,
    SpanModel,
    length_shares,
    teach,
    untaught,
    value_hash,
)
from ml_backend.extraction.targets import (
    Target,
    rows_to_learn,
    target_of,
)
from ml_backend.extraction.token_model import NEVER, Rows, TokenModel, fit_tokens, take_rows

NEGATIVES = 0.15
FOLDS = ((60, 5), (120, 3))
"""Up to so many reviewed documents so many folds, of more two: half of many still teach what all of them do."""


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
    cache: SheetCache
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
    lead: tuple[Lead | None, ...] = ()
    """Per field, whether its label answers instead; nothing for none at all."""


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
    shapes = shapes_of(encoded, targets, len(fields))
    untold = State(
        model=None,
        reference=lessons.reference,
        shapes=shapes,
        pairs=(),
        spans=untaught_spans(encoded, targets, shapes),
        calibration=uncalibrated(len(fields)),
        learnt=tuple(any(target.spans[f] for target in targets) for f in range(len(fields))),
        empty_boxes=sum(target.empty_boxes for target in targets),
    )
    if not any(untold.learnt):
        return untold
    return _Learning(lessons, settings, encoded, targets, untold).run()


class _Learning:
    """One fit: the model and its folds; what is held out judges extents, confidences and leads."""

    def __init__(
        self,
        lessons: Lessons,
        settings: Settings,
        encoded: Sequence[Encoded],
        targets: Sequence[Target],
        untold: State,
    ) -> None:
        self._lessons = lessons
        self._settings = settings
        self._encoded = encoded
        self._targets = targets
        self._fields = len(lessons.fields)
        pairs = learn_pairs([e.tokens for e in encoded], targets, self._fields)
        self._state = replace(untold, pairs=tuple(pairs))
        self._folds = _folds(len(encoded), settings.seed)
        self._extents = [Extents(e, untold.shapes, untold.spans.lengths) for e in encoded]
        written = [i for i, e in enumerate(encoded) if len(e)]
        rng = np.random.default_rng(settings.seed)
        self._rows = [
            take_rows(e, t.state, rows_to_learn(e.tokens, t, NEGATIVES, 1.0, rng), 1.0, i)
            for i, (e, t) in enumerate(zip(encoded, targets, strict=True))
            if len(e)
        ]
        self._blanks = blanks(lessons, targets, written, settings.seed)
        for blank in self._blanks:
            i = blank.document
            self._rows.append(rows_of(blank, targets[i], lessons.sheets[i], len(encoded), rng))

    def run(self) -> State:
        model, *without = self._fit((), [(), *self._folds])
        held = _held_out(self._encoded, self._folds, without)
        spans = self._taught(held)
        if self._settings.self_train and self._lessons.pool:
            model, weak = self_train(
                model, self._lesson(spans), lambda more, start: self._fit(more, [()], start)[0]
            )
            # The folds only calibrate: a third of the weak rows tells them enough.
            few = weak[:: 3 if len(weak) > 30 else 1]
            held = _held_out(self._encoded, self._folds, self._fit(few, self._folds))
            spans = self._taught(held)
        return self._judged(replace(self._state, model=model, spans=spans), held)

    def _fit(
        self,
        weak: Sequence[Rows],
        left_out: Sequence[Sequence[int]],
        start: TokenModel | None = None,
    ) -> list[TokenModel]:
        rows = [*self._rows, *weak]
        return fit_tokens(rows, self._fields, left_out, c=self._settings.c, start=start)

    def _taught(self, held: Mapping[int, TokenModel]) -> SpanModel:
        return _taught_spans(self._state.spans, self._extents, self._targets, held)

    def _lesson(self, spans: SpanModel) -> Lesson:
        lessons, state = self._lessons, self._state
        first = len(self._encoded)
        unreviewed = [
            encode(sheet, lessons.reference, i, lessons.hints(sheet))
            for i, sheet in enumerate(lessons.pool, first)
        ]
        reviewed = list(zip(self._encoded, self._targets, strict=True))
        return Lesson(
            reviewed,
            unreviewed,
            state.shapes,
            state.pairs,
            spans,
            lessons.reference,
            self._settings.seed,
        )

    def _judged(self, state: State, held: Mapping[int, TokenModel]) -> State:
        """With confidences and leads, by what models answer that had not seen the documents."""
        outcomes, trials = _outcomes(
            state, self._lessons.fields, self._extents, self._targets, held
        )
        masked, blank_trials = masked_outcomes(state, self._blanks, held)
        return replace(
            state,
            calibration=calibrate([*outcomes, *masked], self._fields),
            lead=leads([*trials, *blank_trials], self._fields),
        )


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
    parts = min(count, next((parts for most, parts in FOLDS if count <= most), 2))
    order = np.random.default_rng(seed + 7).permutation(count)
    return [sorted(part.tolist()) for part in np.array_split(order, parts)]


def _held_out(
    encoded: Sequence[Encoded], folds: Sequence[Sequence[int]], models: Sequence[TokenModel]
) -> dict[int, TokenModel]:
    """Document → a model that has not seen it, be it whole or without some of its values."""
    return {
        i: model
        for fold, model in zip(folds, models, strict=True)
        if (model.bias > NEVER).any()
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
        known.append(np.unique(np.concatenate(_values(encoded, targets, f))))
    return untaught(len(shapes), lengths, known)


def _values(
    encoded: Sequence[Encoded], targets: Sequence[Target], f: int
) -> list[NDArray[np.uint64]]:
    """Sorted hashes of the field's values, per document."""
    return [
        np.unique(
            np.asarray([value_hash(e.tokens.squeezed[s]) for s in t.spans[f]], dtype=np.uint64)
        )
        for e, t in zip(encoded, targets, strict=True)
    ]


def _taught_spans(
    spans: SpanModel,
    extents: Sequence[Extents],
    targets: Sequence[Target],
    held: Mapping[int, TokenModel],
) -> SpanModel:
    """Learnt where held-out documents' values end."""
    words = [f for f, shape in enumerate(extents[0].shapes) if not shape.single]
    values = {f: _values([x.encoded for x in extents], targets, f) for f in words}
    cases: list[Case] = []
    for i, model in sorted(held.items()):
        if not any(targets[i].spans[f] for f in words):
            continue
        odds = model.log_odds(extents[i].encoded)
        for f in words:
            known = _known_elsewhere(values[f], i)
            for span in targets[i].spans[f]:
                found = extents[i].through(f, int(span[np.argmax(odds[span, f])]))
                right = np.flatnonzero(
                    (found.chain[found.first] == span[0])
                    & (found.chain[found.last] == span[-1])
                    & (found.last - found.first == len(span) - 1)
                )
                if len(right):
                    cases.append(Case(f, found.judged(odds[:, f], known), int(right[0])))
    return teach(spans, cases)


def _known_elsewhere(values: Sequence[NDArray[np.uint64]], i: int) -> NDArray[np.uint64]:
    """Hashes of the other documents' values: one known from its own document alone does not count as known."""
    return np.concatenate([values[i][:0], *(v for k, v in enumerate(values) if k != i)])


def is_right(
    encoded: Encoded, tokens: Sequence[int], spans: Sequence[Ints], spec: FieldSpec
) -> bool:
    """Whether the tokens say what one of the labelled `spans` says."""
    text = text_of(encoded.tokens, tokens)
    return any(same_value(text, text_of(encoded.tokens, span.tolist()), spec) for span in spans)


def _outcomes(
    state: State,
    specs: Sequence[FieldSpec],
    extents: Sequence[Extents],
    targets: Sequence[Target],
    held: Mapping[int, TokenModel],
) -> tuple[list[Outcome], list[Trial]]:
    """Of each value in a document the model had not seen: how the model fared, and how its label does."""
    outcomes: list[Outcome] = []
    trials: list[Trial] = []
    for i, model in sorted(held.items()):
        encoded, target = extents[i].encoded, targets[i]
        odds = model.log_odds(encoded)
        for f, best in enumerate(
            decode(extents[i], odds, state.pairs, state.spans, best_only=True)
        ):
            spans, spec = target.spans[f], specs[f]
            right = bool(best.candidates) and is_right(
                encoded, best.candidates[0].tokens, spans, spec
            )
            if best.candidates and (right or spans):
                outcomes.append(Outcome(f, best.certainty, margin_of(best), right))
            if spans or target.absent[f]:
                label = announced(encoded, odds, f)
                found = label is not None and is_right(encoded, label.tokens, spans, spec)
                told, learnt = Told(label is not None, found), Told(best.score >= SUGGEST, right)
                trials.append(Trial(f, bool(spans), told, learnt))
    return outcomes, trials
