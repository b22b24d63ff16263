"""Which candidates of a field have their extent chosen, and which just grow."""

from __future__ import annotations

import numpy as np
import pytest

from ml_backend.extraction.decoding import HOPELESS, Candidate, candidates
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.extents import Extents
from tests.extraction.forms import FIELDS, form


@pytest.fixture(scope="module")
def asked():
    """A text field's candidates on a form where one word is likely and another far below what anybody sees."""
    taught = [form(seed) for seed in range(12)]
    extractor = FieldExtractor(FIELDS).fit([f.document for f in taught], [f.labels for f in taught])
    state = extractor.state_
    encoded = extractor.encode(form(99).document)
    odds = np.full(len(encoded), -12.0)
    odds[[2, len(encoded) - 2]] = 3.0, -6.0

    def ask(*, alone: bool, best_only: bool = False) -> list[Candidate]:
        extents = Extents(encoded, state.shapes, state.spans.lengths)
        return candidates(extents, 0, odds, state.spans, alone=alone, best_only=best_only)

    return ask


def test_a_hopeless_rival_just_grows(asked):
    best, rival = asked(alone=True)[:2]
    assert rival.score < HOPELESS
    assert (best.sure < 1, rival.sure) == (True, 1.0)


def test_of_fields_that_stand_together_a_rival_is_judged(asked):
    """It may win by what stands beside it, and must not be called surer than it is."""
    best, rival = asked(alone=False)[:2]
    assert rival.score < HOPELESS
    assert best.sure < 1
    assert rival.sure < 1


def test_for_learning_only_the_best_and_the_next_are_found(asked):
    assert [c.score for c in asked(alone=True, best_only=True)] == [
        c.score for c in asked(alone=True)[:2]
    ]
    assert len(asked(alone=False, best_only=True)) == len(asked(alone=False))
