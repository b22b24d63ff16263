"""What models learn from: the reviewed documents, frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from db.models import (
    Annotation,
    Dataset,
    DatasetMember,
    DocumentVersion,
    ReadingState,
    Task,
)

FOLDS = 5
NOT_LEARNT = ("Wrong type", "Unreadable")
"""A reviewer's choices that say: this document is no example."""


@dataclass(frozen=True)
class Member:
    """One reviewed document: its version, and the annotation state that speaks for it."""

    document_version_id: UUID
    annotation_event_id: int
    sha256: str

    @property
    def fold(self) -> int:
        """The held-out fold, from the hash of the bytes: a document never changes sides."""
        return int(self.sha256[:8], 16) % FOLDS


def reviewed(session: Session, project_id: int) -> list[Member]:
    """The reviewed documents of a project in a fixed order: one annotation each, the latest submitted.

    Skipped and deleted annotations, deleted tasks, documents that are not read and those a reviewer called
    unreadable or of the wrong type are left out.
    """
    rows = session.execute(
        select(DocumentVersion.id, Annotation.last_event_id, DocumentVersion.sha256)
        .join(Task, Task.document_version_id == DocumentVersion.id)
        .join(Annotation, Annotation.task_id == Task.id)
        .where(
            Task.project_id == project_id,
            Task.deleted_at.is_(None),
            Annotation.deleted_at.is_(None),
            ~Annotation.was_cancelled,
            or_(Annotation.status.is_(None), Annotation.status.not_in(NOT_LEARNT)),
            DocumentVersion.state.in_((ReadingState.READ, ReadingState.NEEDS_OCR)),
        )
        .ext(distinct_on(DocumentVersion.id))
        .order_by(
            DocumentVersion.id,
            Annotation.ground_truth.desc(),
            Annotation.source_updated_at.desc(),
            Annotation.id.desc(),
        )
    )
    return sorted((Member(*row) for row in rows), key=lambda member: member.sha256)


def freeze_dataset(
    session: Session,
    project_id: int,
    schema_version: int,
    members: Sequence[Member],
    *,
    created_by: str,
    also: Sequence[str] = (),
) -> Dataset:
    """The dataset of exactly these members; the same content again is the same row.

    ``also``: hashes of whatever else the fit reads, so that an equal dataset means an equal model.
    """
    content = [
        schema_version,
        [[m.sha256, m.annotation_event_id, m.fold] for m in members],
        list(also),
    ]
    sha256 = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    dataset: Dataset | None = session.scalar(
        insert(Dataset)
        .values(
            project_id=project_id,
            sha256=sha256,
            schema_version=schema_version,
            document_count=len(members),
            created_by=created_by,
        )
        .on_conflict_do_nothing()
        .returning(Dataset)
    )
    if dataset is None:
        return session.scalars(
            select(Dataset).where(Dataset.project_id == project_id, Dataset.sha256 == sha256)
        ).one()
    session.add_all(
        DatasetMember(
            dataset_id=dataset.id,
            position=position,
            document_version_id=member.document_version_id,
            annotation_event_id=member.annotation_event_id,
            fold=member.fold,
        )
        for position, member in enumerate(members)
    )
    session.flush()
    return dataset
