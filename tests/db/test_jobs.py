"""The life of a job, with two workers on two connections."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from db import jobs
from db.models import Job, JobState

LEASE = timedelta(seconds=30)


def enqueue(session, subject="d1", **values):
    return jobs.enqueue(session, kind="read", subject=subject, created_by="test", **values)


def test_the_same_work_is_open_once_and_again_when_done(session):
    first = enqueue(session, arguments={"page": 1})
    assert enqueue(session).id == first.id
    claimed = jobs.claim(session, first.id, worker="w", lease=LEASE)
    assert enqueue(session).id == first.id
    assert jobs.finish(session, claimed)
    assert enqueue(session).id != first.id


def test_asking_for_running_work_does_it_once_more(session):
    """The running job may have looked at the record before the one who asks changed it."""
    first = jobs.claim(session, enqueue(session, arguments={"page": 1}).id, worker="w", lease=LEASE)
    enqueue(session)
    assert jobs.finish(session, first)
    (again,) = jobs.due(session)
    job = session.get(Job, again)
    assert again != first.id
    assert (job.subject, job.arguments, job.attempts) == ("d1", {"page": 1}, 0)
    assert jobs.finish(session, jobs.claim(session, again, worker="w", lease=LEASE))
    assert jobs.due(session) == []


def test_asking_for_a_job_that_waits_brings_it_forward_and_never_back(session):
    waiting = enqueue(session, run_after=timedelta(minutes=10)).id
    assert enqueue(session, run_after=timedelta(hours=1)).id == waiting
    left = session.scalar(text("SELECT run_after - clock_timestamp() FROM jobs"))
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert jobs.due(session) == []
    assert enqueue(session).id == waiting
    assert jobs.due(session) == [waiting]


def test_a_postponed_job_keeps_its_attempts_and_its_fence(session):
    job = jobs.claim(session, enqueue(session, max_attempts=2).id, worker="w", lease=LEASE)
    for _ in range(10):
        held = job.attempts
        assert jobs.postpone(session, job, timedelta(0), code="away", message="It is away.")
        assert jobs.due(session) == [job.id]
        assert (job.state, job.error_code) == (JobState.QUEUED, "away")
        job = jobs.claim(session, job.id, worker="w", lease=LEASE)
        assert job.attempts == held + 1
    assert jobs.fail(session, job, code="x", message="x", retry=True)  # one real attempt is left
    assert not jobs.postpone(session, job, timedelta(0))


def test_a_postponed_job_that_was_asked_for_again_is_due_at_once(session):
    job = jobs.claim(session, enqueue(session, arguments={"a": 1}).id, worker="w", lease=LEASE)
    enqueue(session)
    assert jobs.postpone(session, job, timedelta(hours=1))
    assert jobs.due(session) == [job.id]
    assert session.get(Job, job.id).arguments == {"a": 1}


def test_two_enqueue_at_once_get_one_job(committed_database):
    ids, barrier = [], threading.Barrier(4)

    def run():
        barrier.wait()
        with committed_database.session_factory.begin() as session:
            ids.append(enqueue(session).id)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_only_one_of_two_workers_claims(committed_database):
    factory = committed_database.session_factory
    with factory.begin() as session:
        job_id = enqueue(session).id
    with factory.begin() as one, factory.begin() as two:
        claimed = jobs.claim(one, job_id, worker="one", lease=LEASE)
        assert claimed.worker == "one"
        assert jobs.claim(two, job_id, worker="two", lease=LEASE) is None
    with factory.begin() as session:
        assert jobs.claim(session, job_id, worker="two", lease=LEASE) is None


def test_a_dead_worker_loses_its_job_and_cannot_end_it(committed_database):
    factory = committed_database.session_factory
    with factory.begin() as session:
        job_id = enqueue(session).id
    with factory.begin() as session:
        dead = jobs.claim(session, job_id, worker="dead", lease=timedelta(0))
    with factory.begin() as session:
        assert jobs.due(session) == [job_id]
        alive = jobs.claim(session, job_id, worker="alive", lease=LEASE)
        assert alive.attempts == 2
    with factory.begin() as session:
        assert not jobs.renew(session, job_id, LEASE, attempt=dead.attempts)
        assert not jobs.finish(session, dead)
        assert not jobs.fail(session, dead, code="late", message="late", retry=True)
        assert jobs.renew(session, job_id, LEASE, attempt=alive.attempts)
        assert jobs.finish(session, alive)
        assert session.get(Job, job_id).state is JobState.DONE


def test_failures_back_off_and_end(session):
    job_id = enqueue(session, max_attempts=2).id
    job = jobs.claim(session, job_id, worker="w", lease=LEASE)
    assert jobs.fail(session, job, code="timeout", message="It took 60 s.", retry=True)
    assert jobs.due(session) == []
    assert job.state is JobState.QUEUED
    waits = session.scalar(text("SELECT run_after - clock_timestamp() FROM jobs"))
    assert timedelta(seconds=1) < waits <= timedelta(seconds=2)
    assert jobs.claim(session, job_id, worker="w", lease=LEASE) is None
    session.execute(text("UPDATE jobs SET run_after = clock_timestamp()"))
    job = jobs.claim(session, job_id, worker="w", lease=LEASE)
    assert not jobs.fail(session, job, code="timeout", message="It took 60 s.", retry=True)
    assert (job.state, job.error_code) == (JobState.FAILED, "timeout")


def test_an_error_that_retrying_cannot_mend_fails_at_once(session):
    job = jobs.claim(session, enqueue(session).id, worker="w", lease=LEASE)
    assert not jobs.fail(session, job, code="encrypted", message="It is encrypted.", retry=False)
    assert job.state is JobState.FAILED
    assert job.finished_at is not None


def test_a_job_that_kills_every_worker_is_given_up(session):
    job_id = enqueue(session, max_attempts=1).id
    assert jobs.claim(session, job_id, worker="w", lease=timedelta(0)) is not None
    assert jobs.claim(session, job_id, worker="w", lease=LEASE) is None
    job = session.get(Job, job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "worker_lost")
    assert jobs.due(session) == []


def test_delayed_and_cancelled_jobs_are_not_due(session):
    later = enqueue(session, "later", run_after=timedelta(hours=1)).id
    gone = enqueue(session, "gone").id
    assert jobs.cancel(session, gone)
    assert not jobs.cancel(session, gone)
    assert jobs.due(session) == []
    assert jobs.claim(session, later, worker="w", lease=LEASE) is None
    assert jobs.claim(session, gone, worker="w", lease=LEASE) is None


def test_progress_is_seen(session):
    job = jobs.claim(session, enqueue(session).id, worker="w", lease=LEASE)
    jobs.progress(session, job.id, done=2, total=5, step="pages")
    assert session.get(Job, job.id).progress == {"done": 2, "total": 5, "step": "pages"}


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 2), (5, 32), (9, 300), (10_000, 300)])
def test_back_off_is_capped(attempts, seconds):
    assert jobs.backoff(attempts) == timedelta(seconds=seconds)
