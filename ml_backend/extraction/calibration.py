"""Scores → confidences that mean what they say, and the level above which a value is filled in.

Learnt from predictions for reviewed documents by models that had not seen them. With few of them
the answer stays near a cautious prior instead of following noise.

The level is each field's own: an amount has a rival in nearly every document, a contract number has none.
Together they keep what is invented for absent values below one share, at the least loss of right values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRIOR_SLOPE = 0.8
PRIOR_BIAS = 0.4
PRIOR_STRENGTH = 6.0
FIELD_STRENGTH = 4.0
MOST_INVENTED = 0.034
LEAST_FILL, MOST_FILL, LEVELS = 0.5, 0.99, 99
CAUTIOUS_FILL = 0.9
FEWEST_MASKED = 20
SHARED_OUTCOMES = 8.0
PRICES = tuple(0.05 * 1.25**step for step in range(40))
"""Right values that one invented value is worth, tried from the smallest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction for a document the model had not seen. `masked`: its value had been removed
    from the page, so that any answer is invented."""

    field: int
    score: float
    margin: float
    right: bool
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """confidence = sigmoid(slope · logit(score) + spread · margin + bias[field])."""

    slope: float
    spread: float
    bias: tuple[float, ...]
    fill: tuple[float, ...]
    """Per field, the confidence from which a value is filled in."""

    def confidence(self, field: int, score: float, margin: float) -> float:
        x = self.slope * _logit(score) + self.spread * margin + self.bias[field]
        return float(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def _logit(score: float) -> float:
    clipped = min(max(score, 1e-4), 1 - 1e-4)
    return float(np.log(clipped / (1 - clipped)))


def uncalibrated(fields: int) -> Calibration:
    return Calibration(PRIOR_SLOPE, 0.0, (PRIOR_BIAS,) * fields, (CAUTIOUS_FILL,) * fields)


def calibrate(outcomes: Sequence[Outcome], fields: int) -> Calibration:
    seen = [o for o in outcomes if not o.masked]
    if len(seen) < 4:
        return uncalibrated(fields)
    x = np.zeros((len(seen), 3 + fields))
    for i, outcome in enumerate(seen):
        x[i, 0] = _logit(outcome.score)
        x[i, 1] = outcome.margin
        x[i, 2] = 1.0
        x[i, 3 + outcome.field] = 1.0
    y = np.asarray([o.right for o in seen], dtype=np.float64)
    prior = np.zeros(3 + fields)
    prior[0], prior[2] = PRIOR_SLOPE, PRIOR_BIAS
    strength = np.full(3 + fields, FIELD_STRENGTH)
    strength[0], strength[1], strength[2] = PRIOR_STRENGTH, PRIOR_STRENGTH, 0.5
    w = _ridge_logistic(x, y, prior, strength)
    w[0], w[1] = max(w[0], 0.05), max(w[1], 0.0)
    bias = tuple(float(w[2] + b) for b in w[3:])
    drawn = Calibration(float(w[0]), float(w[1]), bias, (CAUTIOUS_FILL,) * fields)
    return replace(drawn, fill=_fill_levels(drawn, outcomes, fields))


def _ridge_logistic(x: Floats, y: Floats, prior: Floats, strength: Floats) -> Floats:
    w = prior.copy()
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (p - y) + strength * (w - prior)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(strength)
        step = np.linalg.solve(hessian, gradient)
        w = w - step
        if float(np.abs(step).max()) < 1e-6:
            break
    return w


def _fill_levels(
    calibration: Calibration, outcomes: Sequence[Outcome], fields: int
) -> tuple[float, ...]:
    """Per field the level; over all fields, at most MOST_INVENTED of the masked values are answered above it.

    What a level costs and keeps is counted on the field's own outcomes and, for `SHARED_OUTCOMES` more, on
    those of all fields. Each invented value is worth the same number of right ones in every field; the
    smallest such number that keeps the share is taken.
    """
    invented = [o for o in outcomes if o.masked]
    if len(invented) < FEWEST_MASKED:
        return (CAUTIOUS_FILL,) * fields
    levels: Floats = np.linspace(LEAST_FILL, MOST_FILL, LEVELS, dtype=np.float64)
    answered = _above(calibration, invented, levels, fields)
    kept = _above(calibration, [o for o in outcomes if o.right], levels, fields)
    for price in PRICES:
        chosen = np.argmax(kept - price * answered, axis=1)
        if answered[np.arange(fields), chosen].sum() <= MOST_INVENTED * len(invented):
            return tuple(float(levels[at]) for at in chosen)
    return (MOST_FILL,) * fields


def _above(
    calibration: Calibration, outcomes: Sequence[Outcome], levels: Floats, fields: int
) -> Floats:
    """(fields, levels): how many outcomes of the field lie above each level, drawn to the share of all fields."""
    found = np.zeros((fields, len(levels)))
    own = np.zeros(fields)
    for o in outcomes:
        found[o.field] += calibration.confidence(o.field, o.score, o.margin) >= levels
        own[o.field] += 1
    everywhere = found.sum(axis=0) / max(own.sum(), 1.0)
    drawn = (found + SHARED_OUTCOMES * everywhere) / (own[:, None] + SHARED_OUTCOMES)
    counts: Floats = drawn * own[:, None]
    return counts


def expected_calibration_error(
    confidence: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """Mean distance between confidence and share right, over equally wide bins, weighted by size."""
    if not len(confidence):
        return 0.0
    c = np.asarray(confidence, dtype=np.float64)
    r = np.asarray(right, dtype=np.float64)
    at = np.minimum((c * bins).astype(np.intp), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = at == b
        if inside.any():
            total += float(inside.sum()) * abs(float(c[inside].mean() - r[inside].mean()))
    return total / len(c)
