"""The record → examples to learn from: words, labels, and the pool of documents nobody reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.datasets import Member
from db.documents import images_of, words_of
from db.models import (
    Annotation,
    AnnotationEvent,
    AnnotationValue,
    DocumentVersion,
    DocumentWords,
    ReadingState,
    Task,
    ValueOutcome,
)
from db.regions import PageSize, read_result
from db.words import unpack
from ml_backend.extraction.fields import Document, FieldSpec, Label, Labels
from ml_backend.field_specs import names_of
from ml_backend.held_out import Example


def example_of(session: Session, member: Member, specs: Sequence[FieldSpec]) -> Example | None:
    """A reviewed document as the annotation state of ``member`` has it; None where its words are gone."""
    data = words_of(session, member.document_version_id)
    if data is None:
        return None
    event = session.get_one(AnnotationEvent, member.annotation_event_id)
    values = session.scalars(
        select(AnnotationValue)
        .where(
            AnnotationValue.event_id == event.id, AnnotationValue.outcome != ValueOutcome.REMOVED
        )
        .order_by(AnnotationValue.id)
    )
    known = set(names_of(specs))
    labels = tuple(
        Label(
            field=value.field,
            page=value.page,
            box=(value.x0, value.y0, value.x1, value.y1),
            text=value.text or None,
            row=value.row,
        )
        for value in values
        if value.field in known
    )
    sizes = [
        PageSize(image.width_pt, image.height_pt)
        for image in images_of(session, member.document_version_id)
    ]
    absent = frozenset(read_result(event.result, sizes).absent) & known
    return Example(
        key=f"{member.sha256}/{member.annotation_event_id}",
        fold=member.fold,
        document=Document(str(member.document_version_id), unpack(data)),
        labels=Labels(labels, absent, complete=True),
    )


def pool_of(session: Session, project_id: int, limit: int) -> list[UUID]:
    """The newest read documents of a project that have no annotation, at most ``limit``.

    In the order of their hashes, so that the order documents came in does not show in the model.
    """
    annotated = (
        select(Annotation.id)
        .join(Task, Task.id == Annotation.task_id)
        .where(Task.document_version_id == DocumentVersion.id, Annotation.deleted_at.is_(None))
        .exists()
    )
    rows = session.execute(
        select(DocumentVersion.sha256, DocumentVersion.id)
        .where(
            DocumentVersion.project_id == project_id,
            DocumentVersion.state == ReadingState.READ,
            ~annotated,
        )
        .order_by(DocumentVersion.uploaded_at.desc(), DocumentVersion.id)
        .limit(limit)
    )
    return [version for _, version in sorted((row.sha256, row.id) for row in rows)]


def documents_of(session: Session, version_ids: Sequence[UUID]) -> list[Document]:
    """Their words, in the given order; those without any are left out."""
    rows = session.execute(
        select(DocumentWords.document_version_id, DocumentWords.data).where(
            DocumentWords.document_version_id.in_(version_ids)
        )
    )
    words = {row.document_version_id: row.data for row in rows}
    return [Document(str(key), unpack(words[key])) for key in version_ids if key in words]


def words_hashes(session: Session, version_ids: Sequence[UUID]) -> list[str]:
    """SHA-256 of the stored words of each, "" where there are none: reading anew may change them."""
    rows = session.execute(
        select(
            DocumentWords.document_version_id,
            func.encode(func.sha256(DocumentWords.data), "hex").label("sha256"),
        ).where(DocumentWords.document_version_id.in_(version_ids))
    )
    hashes: dict[UUID, str] = {row.document_version_id: row.sha256 for row in rows}
    return [hashes.get(key, "") for key in version_ids]
