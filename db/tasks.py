"""Label Studio's tasks as the record knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.json_values import storable
from db.mirror import lock_tasks
from db.models import Task


@dataclass(frozen=True)
class NewTask:
    """A task we made; its times in Label Studio are filled in by the mirror."""

    project_id: int
    label_studio_id: int
    document_version_id: UUID
    data: Mapping[str, Any]
    source_created_at: datetime | None = None


def remember_task(session: Session, new: NewTask) -> Task:
    """The row of a task we made; the mirror may have seen it first.

    The pair of project and Label Studio id is not unique in time (ids can be used again), so only a row that is
    not deleted is the same task.
    """
    lock_tasks(session, new.project_id)
    task = session.scalar(
        select(Task)
        .where(
            Task.project_id == new.project_id,
            Task.label_studio_id == new.label_studio_id,
            Task.deleted_at.is_(None),
        )
        .order_by(Task.id.desc())
        .limit(1)
        .with_for_update()
    )
    if task is None:
        task = Task(
            project_id=new.project_id,
            label_studio_id=new.label_studio_id,
            document_version_id=new.document_version_id,
            data=storable(dict(new.data)),
            source_created_at=new.source_created_at,
        )
        session.add(task)
    elif task.document_version_id is None:
        task.document_version_id = new.document_version_id
    session.flush()
    return task
