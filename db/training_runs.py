"""Training runs, from the request to the end, also the end of those whose worker died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, cast, func, or_, select, text, update
from sqlalchemy.orm import Session

from db.models import (
    Job,
    JobState,
    RunState,
    TrainingRun,
)

SILENCE = timedelta(seconds=45)
"""A run without a sign of life for this long counts as dead."""
_now = func.clock_timestamp


def request_run(
    session: Session, project_id: int, *, reason: str, requested_by: str, seed: int = 0
) -> TrainingRun:
    """A queued run; the one already queued if there is one, since it will read the newest state anyway."""
    lock_project(session, project_id)
    waiting = queued_run(session, project_id)
    if waiting is not None:
        return waiting
    run = TrainingRun(project_id=project_id, reason=reason, requested_by=requested_by, seed=seed)
    session.add(run)
    session.flush()
    return run


def queued_run(session: Session, project_id: int) -> TrainingRun | None:
    """The run of a project that waits for a worker."""
    return session.scalar(
        select(TrainingRun)
        .where(TrainingRun.project_id == project_id, TrainingRun.state == RunState.QUEUED)
        .order_by(TrainingRun.requested_at)
        .limit(1)
    )


def lock_project(session: Session, project_id: int) -> None:
    """Decisions about a project's training are made one at a time; released at the end of the transaction."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('fieldloop.training'), :project)"),
        {"project": project_id},
    )


def start_run(session: Session, run_id: UUID, silence: timedelta = SILENCE) -> TrainingRun | None:
    """Take a queued run; None if it is not queued, or another run of the project is alive."""
    run = session.get_one(TrainingRun, run_id)
    lock_project(session, run.project_id)
    reap_runs(session, silence, project_id=run.project_id)
    busy = session.scalar(
        select(TrainingRun.id).where(
            TrainingRun.project_id == run.project_id, TrainingRun.state == RunState.RUNNING
        )
    )
    if busy is not None:
        return None
    return session.scalar(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state == RunState.QUEUED)
        .values(state=RunState.RUNNING, started_at=_now(), heartbeat_at=_now())
        .returning(TrainingRun),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )


def reap_runs(
    session: Session, silence: timedelta = SILENCE, *, project_id: int | None = None
) -> list[UUID]:
    """See to the runs whose worker died; returns their ids.

    A running run without a sign of life for ``silence`` is queued again if its job will be tried again, and
    failed otherwise. A queued run that no job will ever take up is failed too.
    """
    will_be_tried = (
        select(Job.id)
        .where(
            Job.kind == "train",
            Job.subject == cast(TrainingRun.id, Text),
            or_(
                Job.state == JobState.QUEUED,
                and_(Job.state == JobState.RUNNING, Job.attempts < Job.max_attempts),
            ),
        )
        .exists()
    )
    long_ago = _now() - silence
    silent = and_(
        TrainingRun.state == RunState.RUNNING,
        or_(TrainingRun.heartbeat_at.is_(None), TrainingRun.heartbeat_at < long_ago),
    )
    forgotten = and_(TrainingRun.state == RunState.QUEUED, TrainingRun.requested_at < long_ago)
    queued_again: dict[str, Any] = {
        "state": RunState.QUEUED,
        "started_at": None,
        "heartbeat_at": None,
        "progress": {},
    }
    failed = {
        "state": RunState.FAILED,
        "finished_at": _now(),
        "progress": {},
        "error": "The worker that ran it died each time it was tried; the worker's log says more.",
    }
    reaped: list[UUID] = []
    for condition, values in (
        (and_(silent, will_be_tried), queued_again),
        (and_(or_(silent, forgotten), ~will_be_tried), failed),
    ):
        statement = update(TrainingRun).where(condition).values(**values).returning(TrainingRun.id)
        if project_id is not None:
            statement = statement.where(TrainingRun.project_id == project_id)
        reaped += session.scalars(statement, execution_options={"synchronize_session": False})
    return reaped


def heartbeat(session: Session, run_id: UUID, progress: Mapping[str, Any] | None = None) -> bool:
    """A sign of life from a running run; False if it is not running any more and must stop."""
    values: dict[str, Any] = {"heartbeat_at": _now()}
    if progress is not None:
        values["progress"] = dict(progress)
    return _if_running(session, run_id, values)


def bind_dataset(
    session: Session, run_id: UUID, dataset_id: int, parameters: Mapping[str, Any]
) -> bool:
    """Say what a running run reads and how it fits; False if it is not running any more."""
    values = {"dataset_id": dataset_id, "parameters": dict(parameters), "heartbeat_at": _now()}
    return _if_running(session, run_id, values)


def finish_run(session: Session, run_id: UUID, *, gate_passed: bool, gate_reason: str) -> bool:
    """The run ended with a model version; False if it had been declared dead meanwhile."""
    values = {
        "state": RunState.SUCCEEDED,
        "finished_at": _now(),
        "gate_passed": gate_passed,
        "gate_reason": gate_reason,
        "progress": {},
    }
    return _if_running(session, run_id, values)


def fail_run(session: Session, run_id: UUID, error: str) -> bool:
    """The run ended without a model, for the reason given; one that never began too."""
    values = {"state": RunState.FAILED, "finished_at": _now(), "error": error, "progress": {}}
    return _if_running(session, run_id, values, (RunState.QUEUED, RunState.RUNNING))


def _if_running(
    session: Session,
    run_id: UUID,
    values: Mapping[str, Any],
    states: Sequence[RunState] = (RunState.RUNNING,),
) -> bool:
    changed = session.scalar(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state.in_(states))
        .values(**values)
        .returning(TrainingRun.id),
        execution_options={"synchronize_session": False},
    )
    return changed is not None
