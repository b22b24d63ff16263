"""When to train, as sentences."""

from __future__ import annotations

import dataclasses

import pytest

from db.training_decisions import TrainingSituation
from ml_backend.policy import Policy, decide

CALM = TrainingSituation(
    reviewed=10,
    new_answers=5,
    since_last_event=100.0,
    oldest_new_answer=120.0,
    since_last_run=500.0,
    running=False,
    queued=False,
)


def asked(*, forced=False, policy=Policy(), **values):  # noqa: B008 - frozen
    return decide(dataclasses.replace(CALM, **values), policy, forced=forced)


def test_enough_answers_and_quiet_start_a_run():
    assert asked().train
    assert asked().ask_again is None


@pytest.mark.parametrize(
    ("values", "reason", "again"),
    [
        ({"running": True}, "running", 5.0),
        ({"queued": True}, "queued", 5.0),
        ({"reviewed": 0}, "No document has been reviewed yet.", None),
        ({"reviewed": 4}, "4 reviewed documents; training starts at 5.", None),
        ({"new_answers": 0, "oldest_new_answer": None}, "Nothing new", None),
        ({"since_last_run": 10.0}, "only just ended", 20.0),
        ({"new_answers": 2}, "worth it from 3", 480.0),
        ({"reviewed": 100}, "worth it from 10", 480.0),
        ({"since_last_event": 5.0}, "20 s of quiet", 15.0),
        ({"since_last_event": 5.0, "oldest_new_answer": 595.0}, "20 s of quiet", 5.0),
    ],
)
def test_what_stops_a_run_and_when_to_ask_again(values, reason, again):
    decision = asked(**values)
    assert not decision.train
    assert reason in decision.reason
    assert decision.ask_again == again


@pytest.mark.parametrize("values", [{"new_answers": 1}, {"since_last_event": 0.0}])
def test_patience_ends_every_wait(values):
    assert asked(oldest_new_answer=600.0, **values).train


def test_the_first_run_has_no_run_before_it():
    assert asked(since_last_run=None).train


@pytest.mark.parametrize(
    "values",
    [{"reviewed": 1}, {"new_answers": 0}, {"since_last_event": 0.0}, {"since_last_run": 0.0}],
)
def test_a_person_is_only_stopped_by_the_impossible(values):
    assert asked(forced=True, **values).train
    assert not asked(forced=True, reviewed=0).train
    assert not asked(forced=True, running=True, **values).train


@pytest.mark.parametrize(
    "settings",
    [{}, {"training": None}, {"training": []}, {"training": {"debounce": "x", "min_new": -1}}],
)
def test_settings_that_make_no_sense_keep_the_defaults(settings):
    assert Policy.from_settings(settings) == Policy()
