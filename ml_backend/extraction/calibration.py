"""Scores → confidences that mean what they say, and the level above which a value is filled in.

Learnt from predictions for reviewed documents by models that had not seen them. With few of them
the answer stays near a cautious prior instead of following noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRIOR_SLOPE = 0.8
PRIOR_BIAS = 0.4
PRIOR_STRENGTH = 6.0
FIELD_STRENGTH = 4.0
MOST_INVENTED = 0.045
SURE = 0.97
LEAST_FILL, MOST_FILL = 0.5, 0.98


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
    fill: float

    def confidence(self, field: int, score: float, margin: float) -> float:
        x = self.slope * _logit(score) + self.spread * margin + self.bias[field]
        return float(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def _logit(score: float) -> float:
    clipped = min(max(score, 1e-4), 1 - 1e-4)
    return float(np.log(clipped / (1 - clipped)))


def uncalibrated(fields: int) -> Calibration:
    return Calibration(PRIOR_SLOPE, 0.0, (PRIOR_BIAS,) * fields, 0.9)


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
    drawn = Calibration(float(w[0]), float(w[1]), tuple(float(w[2] + b) for b in w[3:]), 1.0)
    return Calibration(drawn.slope, drawn.spread, drawn.bias, _fill_level(drawn, outcomes))


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


def _fill_level(calibration: Calibration, outcomes: Sequence[Outcome]) -> float:
    """Lowest confidence that keeps values invented for masked fields within MOST_INVENTED."""
    invented = sorted(
        (calibration.confidence(o.field, o.score, o.margin) for o in outcomes if o.masked),
        reverse=True,
    )
    if len(invented) < 20:
        return 0.9
    allowed = int(MOST_INVENTED * len(invented))
    level = invented[allowed] + 1e-6 if allowed < len(invented) else LEAST_FILL
    return float(min(max(level, LEAST_FILL), MOST_FILL))


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
