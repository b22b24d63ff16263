from __future__ import annotations

import numpy as np
import pytest

from ml_backend.extraction.calibration import (
    CAUTIOUS_FILL,
    MOST_INVENTED,
    Outcome,
    calibrate,
    expected_calibration_error,
)


def outcomes(rng, field, *, right, invented, count=60):
    """Scores around ``right`` for values that are there, around ``invented`` for masked ones."""

    def scores(middle):
        return np.clip(rng.normal(middle, 0.08, count), 0.01, 0.99).tolist()

    return [
        *(Outcome(field, score, score, True) for score in scores(right)),
        *(Outcome(field, score, 0.1, False) for score in scores(0.3)[: count // 6]),
        *(Outcome(field, score, score, False, masked=True) for score in scores(invented)),
    ]


@pytest.fixture
def seen():
    rng = np.random.default_rng(1)
    return [
        *outcomes(rng, 0, right=0.9, invented=0.15),
        *outcomes(rng, 1, right=0.9, invented=0.75),
    ]


def filled(calibration, outcome):
    confidence = calibration.confidence(outcome.field, outcome.score, outcome.margin)
    return confidence >= calibration.fill[outcome.field]


def test_a_field_with_rivals_has_the_higher_level(seen):
    calibration = calibrate(seen, 2)
    assert calibration.fill[0] < calibration.fill[1]


def test_few_absent_values_are_answered_and_most_present_ones_are(seen):
    calibration = calibrate(seen, 2)
    masked = [filled(calibration, o) for o in seen if o.masked]
    right = [filled(calibration, o) for o in seen if o.right]
    # Each field's counts are drawn a little to those of both, so the share is met about, not exactly.
    assert np.mean(masked) <= MOST_INVENTED + 0.02
    assert np.mean(right) > 0.7


def test_without_absent_values_the_level_is_cautious(seen):
    calibration = calibrate([o for o in seen if not o.masked], 2)
    assert calibration.fill == (CAUTIOUS_FILL, CAUTIOUS_FILL)


def test_confidence_is_near_the_share_that_is_right(seen):
    calibration = calibrate(seen, 2)
    there = [o for o in seen if not o.masked]
    confidence = [calibration.confidence(o.field, o.score, o.margin) for o in there]
    assert expected_calibration_error(confidence, [o.right for o in there]) < 0.08
