"""The short form of ``make chaos``: the real stack, a crowd, and a quarter of a minute of trouble."""

from __future__ import annotations

import pytest

from tests.sync.chaos.run import run_seed
from tests.sync.chaos.stack import running_stack


@pytest.mark.label_studio
def test_nothing_is_lost_invented_or_recorded_twice(label_studio):
    with running_stack(label_studio) as stack:
        outcome = run_seed(stack, 11, seconds=15, people=3)
    assert outcome.judgement.faults == []
    assert outcome.judgement.events > 0
    assert sum(outcome.kills.values()) > 0
