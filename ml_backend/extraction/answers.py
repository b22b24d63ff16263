"""Decoded spans → the values and absences a caller sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ml_backend.extraction.announced import Lead, led
from ml_backend.extraction.decoding import HOPELESS, SUGGEST, Candidate, Ranked, decode, margin_of
from ml_backend.extraction.document import boxes_of, text_of
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.extents import Extents
from ml_backend.extraction.fields import Alternative, FieldSpec, Span, Value
from ml_backend.extraction.normalize import normalize

if TYPE_CHECKING:
    from ml_backend.extraction.learning import State

ALTERNATIVES = 3


def answer(
    encoded: Encoded, state: State, specs: Sequence[FieldSpec]
) -> tuple[list[Value], dict[str, float]]:
    """Values above the suggestion level, and for the others how sure it is that nothing is there."""
    values: list[Value] = []
    absent: dict[str, float] = {}
    context = encoded.sheet.context
    if state.model is None or context is None:
        return values, {spec.name: (1.0 if context is None else 0.5) for spec in specs}
    extents = Extents(encoded, state.shapes, state.spans.lengths)
    odds = state.model.log_odds(encoded)
    ranked = decode(extents, odds, state.pairs, state.spans)
    by_label = led(encoded, odds, ranked, state.lead)
    for f, spec in enumerate(specs):
        if not state.learnt[f]:
            absent[spec.name] = 0.5  # never seen: it cannot tell
            continue
        # A label points at one value: fields with several stay with what was learnt.
        lead = None if spec.multiple or f not in by_label else state.lead[f]
        if lead is not None:
            best = by_label[f]
            if best.candidates:
                values.append(_led_value(encoded, state, spec, f, best, lead))
            else:
                absent[spec.name] = lead.absent
            continue
        best = ranked[f]
        if not best.candidates or best.score < SUGGEST:
            absent[spec.name] = 1.0 - _confidence(state, f, best) if best.candidates else 1.0
            continue
        values.append(_value(encoded, state, spec, f, best))
        if spec.multiple:
            values += _further(encoded, state, spec, f, best)
    return values, absent


def _confidence(state: State, f: int, best: Ranked) -> float:
    return state.calibration.confidence(f, best.certainty, margin_of(best))


def _spans(encoded: Encoded, candidate: Candidate) -> tuple[Span, ...]:
    return tuple(Span(page, box) for page, box in boxes_of(encoded.tokens, candidate.tokens))


def _value(encoded: Encoded, state: State, spec: FieldSpec, f: int, best: Ranked) -> Value:
    confidence = _confidence(state, f, best)
    others = () if spec.multiple else _alternatives(encoded, state, f, best, 1.0 - confidence)
    return _made(encoded, state, spec, f, best.candidates[0], confidence, others)


def _led_value(
    encoded: Encoded, state: State, spec: FieldSpec, f: int, best: Ranked, lead: Lead
) -> Value:
    """What stands by the field's label, where that has proved the better guide."""
    others = _alternatives(encoded, state, f, best, 1.0 - lead.confidence)
    value = _made(encoded, state, spec, f, best.candidates[0], lead.confidence, others)
    return replace(value, filled=value.filled and lead.fills)


def _alternatives(
    encoded: Encoded, state: State, f: int, best: Ranked, most: float
) -> tuple[Alternative, ...]:
    """The next best candidates; none is more likely than `most`."""
    return tuple(
        Alternative(
            text_of(encoded.tokens, c.tokens),
            _spans(encoded, c),
            min(state.calibration.confidence(f, c.score * c.sure, 0.0), most),
        )
        for c in best.candidates[1 : 1 + ALTERNATIVES]
        if c.score >= HOPELESS
    )


def _further(encoded: Encoded, state: State, spec: FieldSpec, f: int, best: Ranked) -> list[Value]:
    """The other values of a field that may have several."""
    return [
        _made(
            encoded, state, spec, f, c, state.calibration.confidence(f, c.score * c.sure, 1.0), ()
        )
        for c in best.candidates[1:]
        if c.score >= 0.3
    ]


def _made(
    encoded: Encoded,
    state: State,
    spec: FieldSpec,
    f: int,
    candidate: Candidate,
    confidence: float,
    alternatives: tuple[Alternative, ...],
) -> Value:
    text = text_of(encoded.tokens, candidate.tokens)
    normal = normalize(text, spec)
    return Value(
        field=spec.name,
        text=text,
        normalised=normal.value,
        problem=normal.problem,
        spans=_spans(encoded, candidate),
        confidence=confidence,
        alternatives=alternatives,
        filled=confidence >= state.calibration.fill[f],
    )
