"""The life of a job: queued, claimed under a lease, renewed, finished or failed and tried again.

Postgres is the truth. Whoever is nudged claims the job here first; a nudge that comes twice, late or for a
job that is gone finds nothing to claim. ``attempts`` is the fencing number: a worker whose lease ran out
and whose job was taken over can no longer change it.

Asking for work that runs at this moment means: once more, since the running job may have looked already. The
wish stands in its arguments under ``AGAIN``, and ``finish`` makes a job of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, case, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import Job, JobState

BACKOFF_CAP = timedelta(minutes=5)
AGAIN = "again"
_OPEN = (JobState.QUEUED, JobState.RUNNING)
_now = func.clock_timestamp


def enqueue(
    session: Session,
    *,
    kind: str,
    subject: str,
    created_by: str,
    project_id: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    parent_id: UUID | None = None,
    max_attempts: int = 5,
    run_after: timedelta | None = None,
) -> Job:
    """The open job of this kind and subject; a new one if there is none.

    ``run_after`` is a delay from now. A queued job keeps its arguments and runs at the earlier of the two
    times; a running one is done once more when it is over.
    """
    values = {
        "kind": kind,
        "subject": subject,
        "created_by": created_by,
        "project_id": project_id,
        "arguments": dict(arguments or {}),
        "parent_id": parent_id,
        "max_attempts": max_attempts,
    }
    due = _now() if run_after is None else _now() + run_after
    new = (
        insert(Job)
        .values(**values, run_after=due)
        .on_conflict_do_nothing(
            index_elements=["kind", "subject"],
            index_where=text("state IN ('queued', 'running')"),
        )
        .returning(Job)
    )
    open_one = and_(Job.kind == kind, Job.subject == subject)
    while True:
        job = (
            session.scalar(new)
            or _change(
                session,
                and_(open_one, Job.state == JobState.QUEUED),
                {"run_after": func.least(Job.run_after, due)},
            )
            or _change(
                session,
                and_(open_one, Job.state == JobState.RUNNING),
                {"arguments": Job.arguments.concat({AGAIN: True})},
            )
        )
        # None of them: the open job changed its state between the statements, so one of them works now.
        if job is not None:
            return job


def claim(session: Session, job_id: UUID, *, worker: str, lease: timedelta) -> Job | None:
    """Take the job if it is due, or if its worker let the lease run out; None otherwise.

    A job whose worker died in its last attempt is failed for good here, as ``worker_lost``.
    """
    job = session.scalar(
        select(Job)
        .where(Job.id == job_id, _claimable())
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if job is None:
        return None
    values: dict[str, Any]
    if job.attempts >= job.max_attempts:
        values = {
            "state": JobState.FAILED,
            "error_code": "worker_lost",
            "error": f"The worker died in each of {job.attempts} attempts; its log says more.",
            "lease_until": None,
            "finished_at": _now(),
        }
    else:
        values = {
            "state": JobState.RUNNING,
            "attempts": job.attempts + 1,
            "worker": worker,
            "lease_until": _now() + lease,
            "started_at": _now(),
        }
    claimed = _change(session, Job.id == job_id, values)
    return claimed if claimed is not None and claimed.state is JobState.RUNNING else None


def renew(session: Session, job_id: UUID, lease: timedelta, *, attempt: int | None = None) -> bool:
    """Push the end of the lease to ``lease`` from now; False if the job is no longer running.

    With ``attempt`` (``job.attempts`` as claimed) also False if another worker took the job over.
    """
    condition = and_(Job.id == job_id, Job.state == JobState.RUNNING)
    if attempt is not None:
        condition = and_(condition, Job.attempts == attempt)
    return _change(session, condition, {"lease_until": _now() + lease}) is not None


def progress(
    session: Session, job_id: UUID, *, done: int, total: int | None = None, step: str | None = None
) -> None:
    """Say how far a running job is, for people who watch."""
    _change(
        session,
        and_(Job.id == job_id, Job.state == JobState.RUNNING),
        {"progress": {"done": done, "total": total, "step": step}},
    )


def finish(session: Session, job: Job) -> bool:
    """Mark a claimed job done; False if it was cancelled or taken over meanwhile, and then nothing changes.

    If it was asked for again while it ran, its like is queued.
    """
    values = {
        "state": JobState.DONE,
        "lease_until": None,
        "error_code": None,
        "error": None,
        "finished_at": _now(),
    }
    done = _change(session, _still_ours(job), values)
    if done is not None:
        _once_more(session, done)
    return done is not None


def postpone(
    session: Session,
    job: Job,
    wait: timedelta,
    *,
    code: str | None = None,
    message: str | None = None,
) -> bool:
    """Put a claimed job back for ``wait``, at no cost of an attempt; False if it is no longer ours.

    For what is not the job's fault: its time has not come, or a service it needs is away (``message`` says
    which). If it was asked for again while it ran, it is due at once.
    """
    values = {
        "state": JobState.QUEUED,
        "lease_until": None,
        # The fencing number must not go back, so the limit goes up.
        "max_attempts": Job.max_attempts + 1,
        "run_after": case(
            (Job.arguments.has_key(AGAIN), _now()),
            else_=_now() + wait,
        ),
        "arguments": Job.arguments.op("-")(literal(AGAIN, Text)),
        "error_code": code,
        "error": message,
    }
    return _change(session, _still_ours(job), values) is not None


def fail(session: Session, job: Job, *, code: str, message: str, retry: bool) -> bool:
    """Record a failure of a claimed job; True if it will be tried again.

    With ``retry`` it is queued again after 2, 4, 8 … seconds, at most BACKOFF_CAP, until its attempts are
    used up. A job that was cancelled or taken over meanwhile is left alone.
    """
    again = retry and job.attempts < job.max_attempts
    values: dict[str, Any] = {"error_code": code, "error": message, "lease_until": None}
    if again:
        values |= {"state": JobState.QUEUED, "run_after": _now() + backoff(job.attempts)}
    else:
        values |= {"state": JobState.FAILED, "finished_at": _now()}
    failed = _change(session, _still_ours(job), values)
    if failed is not None and not again:
        _once_more(session, failed)
    return failed is not None and again


def _once_more(session: Session, ended: Job) -> None:
    """Queue the like of a job that was asked for again while it ran."""
    if ended.arguments.get(AGAIN):
        enqueue(
            session,
            kind=ended.kind,
            subject=ended.subject,
            project_id=ended.project_id,
            arguments={name: value for name, value in ended.arguments.items() if name != AGAIN},
            created_by=ended.created_by,
            parent_id=ended.parent_id,
            max_attempts=ended.max_attempts,
        )


def cancel(session: Session, job_id: UUID) -> bool:
    """Cancel an open job; a worker that runs it finds out when it renews or finishes. False: not open."""
    values = {"state": JobState.CANCELLED, "lease_until": None, "finished_at": _now()}
    return _change(session, and_(Job.id == job_id, Job.state.in_(_OPEN)), values) is not None


def due(session: Session, limit: int = 100) -> list[UUID]:
    """Jobs that could be claimed now, longest waiting first: what a rescuer nudges again."""
    return list(
        session.scalars(
            select(Job.id).where(_claimable()).order_by(Job.run_after, Job.id).limit(limit)
        )
    )


def tried_before(session: Session, job: Job) -> bool:
    """Whether an attempt, of this job or of an earlier one for the same work, may have ended halfway."""
    halfway = select(Job.id).where(
        Job.kind == job.kind,
        Job.subject == job.subject,
        or_(Job.attempts > 1, Job.state.in_((JobState.FAILED, JobState.CANCELLED))),
    )
    return session.scalar(halfway.limit(1)) is not None


def backoff(attempts: int) -> timedelta:
    """How long to wait after this many attempts."""
    return min(timedelta(seconds=2 ** min(attempts, 30)), BACKOFF_CAP)


def _claimable() -> Any:
    return or_(
        and_(Job.state == JobState.QUEUED, Job.run_after <= _now()),
        and_(Job.state == JobState.RUNNING, Job.lease_until < _now()),
    )


def _still_ours(job: Job) -> Any:
    return and_(Job.id == job.id, Job.state == JobState.RUNNING, Job.attempts == job.attempts)


def _change(session: Session, condition: Any, values: Mapping[str, Any]) -> Job | None:
    return session.scalar(
        update(Job).where(condition).values(**values).returning(Job),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
