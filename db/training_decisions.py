"""Why a project did or did not retrain, and what the policy looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.datasets import reviewed
from db.models import (
    AnnotationEvent,
    DatasetMember,
    RetrainDecision,
    RunState,
    TrainingRun,
)

_now = func.clock_timestamp


def record_decision(
    session: Session,
    project_id: int,
    *,
    train: bool,
    reason: str,
    figures: Mapping[str, Any],
    run_id: UUID | None = None,
) -> bool:
    """Keep the policy's answer if it differs from its last one; a repeated answer says nothing new."""
    last = session.scalar(
        select(RetrainDecision)
        .where(RetrainDecision.project_id == project_id)
        .order_by(RetrainDecision.id.desc())
        .limit(1)
    )
    if last is not None and not train and not last.train and last.reason == reason:
        return False
    session.add(
        RetrainDecision(
            project_id=project_id,
            train=train,
            reason=reason,
            figures=dict(figures),
            training_run_id=run_id,
        )
    )
    session.flush()
    return True


@dataclass(frozen=True)
class TrainingSituation:
    """What the retrain policy looks at. Times in seconds, None where it never happened."""

    reviewed: int
    new_answers: int
    """Reviewed documents whose answer the last run did not read, and answers it read that are gone."""
    since_last_event: float | None
    oldest_new_answer: float | None
    since_last_run: float | None
    running: bool
    queued: bool


def training_situation(session: Session, project_id: int) -> TrainingSituation:
    """The figures of a project, by Postgres's clock."""
    members = reviewed(session, project_id)
    now = {member.document_version_id: member.annotation_event_id for member in members}
    then = _last_read(session, project_id)
    new = [event for version, event in now.items() if then.get(version) != event]
    gone = then.keys() - now.keys()
    age = func.extract("epoch", _now() - func.max(AnnotationEvent.recorded_at))
    newest = session.scalar(select(age).where(AnnotationEvent.project_id == project_id))
    age = func.extract("epoch", _now() - func.min(AnnotationEvent.recorded_at))
    oldest = session.scalar(select(age).where(AnnotationEvent.id.in_(new))) if new else None
    ended = session.scalar(
        select(func.extract("epoch", _now() - func.max(TrainingRun.finished_at))).where(
            TrainingRun.project_id == project_id
        )
    )
    states = set(
        session.scalars(
            select(TrainingRun.state).where(
                TrainingRun.project_id == project_id,
                TrainingRun.state.in_((RunState.QUEUED, RunState.RUNNING)),
            )
        )
    )
    return TrainingSituation(
        reviewed=len(members),
        new_answers=len(new) + len(gone),
        since_last_event=None if newest is None else float(newest),
        oldest_new_answer=None if oldest is None else float(oldest),
        since_last_run=None if ended is None else float(ended),
        running=RunState.RUNNING in states,
        queued=RunState.QUEUED in states,
    )


def _last_read(session: Session, project_id: int) -> dict[UUID, int]:
    """Document version → annotation state, as the last run that froze a dataset read them.

    By content, not by time: an event may be recorded before a run starts and be committed after it looked.
    """
    dataset = session.scalar(
        select(TrainingRun.dataset_id)
        .where(TrainingRun.project_id == project_id, TrainingRun.dataset_id.is_not(None))
        .order_by(TrainingRun.requested_at.desc())
        .limit(1)
    )
    members = session.scalars(select(DatasetMember).where(DatasetMember.dataset_id == dataset))
    return {member.document_version_id: member.annotation_event_id for member in members}
