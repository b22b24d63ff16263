"""Documents and their versions: what came in, what was read, which task shows it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import Document, DocumentVersion, DocumentWords, PageImage, ReadingState, Task


class Outcome(enum.StrEnum):
    """What an upload did."""

    NEW = "new"  # a document nobody had seen
    NEW_VERSION = "new_version"  # other bytes under a known name
    UNCHANGED = "unchanged"  # these bytes are already in the project, under this or another name


@dataclass(frozen=True)
class Upload:
    """One file to register: its bytes are already in the blob store under ``sha256``."""

    name: str
    sha256: str
    size_bytes: int
    media_type: str
    by: str
    source: str
    collection: str | None = None
    notes: str | None = None


@dataclass(frozen=True)
class Registered:
    document: Document
    version: DocumentVersion
    outcome: Outcome


def register(session: Session, project_id: int, upload: Upload) -> Registered:
    """The document version for these bytes; made if the project does not have it.

    The same bytes are one version of one document, whatever the file is called; other bytes under a known
    name are that document's next version. Two uploads at once give one row: the second waits for the first.
    """
    # Serialises uploads of one project for the length of this short transaction: version numbers count
    # up without a hole, and two uploads of one file cannot both be new.
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('fieldloop.documents'), :project)"),
        {"project": project_id},
    )
    known = session.scalar(
        select(DocumentVersion).where(
            DocumentVersion.project_id == project_id, DocumentVersion.sha256 == upload.sha256
        )
    )
    if known is not None:
        return Registered(session.get_one(Document, known.document_id), known, Outcome.UNCHANGED)
    document = session.scalar(
        select(Document).where(Document.project_id == project_id, Document.name == upload.name)
    )
    outcome = Outcome.NEW if document is None else Outcome.NEW_VERSION
    if document is None:
        document = Document(
            project_id=project_id,
            name=upload.name,
            collection=upload.collection,
            created_by=upload.by,
            notes=upload.notes,
        )
        session.add(document)
        session.flush()
    newest = session.scalar(
        select(func.max(DocumentVersion.number)).where(DocumentVersion.document_id == document.id)
    )
    version = DocumentVersion(
        document_id=document.id,
        project_id=project_id,
        number=(newest or 0) + 1,
        sha256=upload.sha256,
        size_bytes=upload.size_bytes,
        media_type=upload.media_type,
        uploaded_by=upload.by,
        source=upload.source,
        notes=upload.notes,
    )
    session.add(version)
    session.flush()
    return Registered(document, version, outcome)


@dataclass(frozen=True)
class PageRow:
    """A page image as stored: the blob's hash and the page's size in pixels and points."""

    page: int
    sha256: str
    media_type: str
    width_px: int
    height_px: int
    width_pt: float
    height_pt: float


@dataclass(frozen=True)
class Reading:
    """What the reader found; ``words`` in the packed form of ``db.words``."""

    words: bytes
    word_count: int
    pages: Sequence[PageRow]
    page_count: int
    reader: str
    seconds: float
    warnings: Sequence[dict[str, Any]] = ()
    needs_ocr: bool = False


def record_reading(session: Session, version_id: UUID, reading: Reading) -> None:
    """Keep the words and page images of a version; reading it again replaces them."""
    words = {"data": reading.words, "word_count": reading.word_count}
    session.execute(
        insert(DocumentWords)
        .values(document_version_id=version_id, **words)
        .on_conflict_do_update(index_elements=["document_version_id"], set_=words)
    )
    session.execute(delete(PageImage).where(PageImage.document_version_id == version_id))
    session.add_all(
        PageImage(
            document_version_id=version_id,
            page=row.page,
            sha256=row.sha256,
            media_type=row.media_type,
            width_px=row.width_px,
            height_px=row.height_px,
            width_pt=row.width_pt,
            height_pt=row.height_pt,
        )
        for row in reading.pages
    )
    session.execute(
        update(DocumentVersion)
        .where(DocumentVersion.id == version_id)
        .values(
            state=ReadingState.NEEDS_OCR if reading.needs_ocr else ReadingState.READ,
            error_code=None,
            error_message=None,
            warnings=list(reading.warnings),
            page_count=reading.page_count,
            reader=reading.reader,
            read_at=func.clock_timestamp(),
            read_seconds=reading.seconds,
        )
    )


def record_failure(session: Session, version_id: UUID, *, code: str, message: str) -> None:
    """This document cannot be read, for the reason given; nothing else is touched."""
    session.execute(
        update(DocumentVersion)
        .where(DocumentVersion.id == version_id)
        .values(
            state=ReadingState.FAILED,
            error_code=code,
            error_message=message,
            read_at=func.clock_timestamp(),
        )
    )


def words_of(session: Session, version_id: UUID) -> bytes | None:
    """The packed words of a version, None where it was not read."""
    return session.scalar(
        select(DocumentWords.data).where(DocumentWords.document_version_id == version_id)
    )


def images_of(session: Session, version_id: UUID) -> list[PageImage]:
    """Its page images in page order."""
    return list(
        session.scalars(
            select(PageImage)
            .where(PageImage.document_version_id == version_id)
            .order_by(PageImage.page)
        )
    )


def task_of(session: Session, version_id: UUID) -> Task | None:
    """The task that shows this version, if there is one that was not deleted."""
    return session.scalar(
        select(Task)
        .where(Task.document_version_id == version_id, Task.deleted_at.is_(None))
        .order_by(Task.id.desc())
        .limit(1)
    )


def newest_version(session: Session, document_id: UUID) -> DocumentVersion | None:
    return session.scalar(
        select(DocumentVersion)
        .where(DocumentVersion.document_id == document_id)
        .order_by(DocumentVersion.number.desc())
        .limit(1)
    )


class Stage(enum.StrEnum):
    """How far a document is, for people: reading, tasks, jobs and reviews taken together."""

    PROCESSING = "processing"  # being read, extracted, or made into a task
    READY = "ready"  # a task waits for a reviewer
    REVIEWED = "reviewed"
    SKIPPED = "skipped"  # reviewers only ever skipped it
    FAILED = "failed"  # it cannot be read, or the last job on it failed for good
    ERASED = "erased"


@dataclass(frozen=True)
class Listing:
    """One page of documents as the view ``documents_overview`` shows them, each with its ``stage``."""

    total: int
    rows: list[dict[str, Any]]


_STAGE = """CASE WHEN state = 'erased' THEN 'erased' WHEN state = 'failed' THEN 'failed' WHEN reviewed THEN 'reviewed'
    WHEN skipped THEN 'skipped' WHEN task_id IS NOT NULL THEN 'ready' WHEN job_state = 'failed' THEN 'failed'
    ELSE 'processing' END AS stage"""
# The last job on a version without a task: why it failed, or waits for another try.
_LAST_JOB = """
LEFT JOIN LATERAL (
    SELECT l.state AS job_state, l.error_code AS job_error_code, l.error AS job_error FROM jobs l
    WHERE {task} IS NULL AND l.subject = {version}::text ORDER BY l.created_at DESC, l.id LIMIT 1
) j ON true
"""
# Some documents, looked up one by one: the columns of documents_overview, the stage, and the error to show.
_ROWS = f"""
SELECT document_id, project_id, project, document, collection, document_version_id, version, state,
       coalesce(error_code, job_error_code) AS error_code, coalesce(error_message, job_error) AS error_message,
       pages, uploaded_at, uploaded_by, task_id, label_studio_task_id, model_version, score, reviewed, skipped,
       reviewers, reviewed_at, status, {_STAGE}
FROM documents_overview o {_LAST_JOB.format(task="o.task_id", version="o.document_version_id")}
"""  # noqa: S608 - fixed sentences
# What names, collections and reading states decide needs neither tasks nor reviews.
_PLAIN = """
SELECT d.id AS document_id, d.project_id, d.name AS document, d.collection, v.id AS version_id,
       v.state::text AS state, v.uploaded_at
FROM documents d
JOIN (
    SELECT DISTINCT ON (document_id) document_id, id, state, uploaded_at FROM document_versions
    ORDER BY document_id, number DESC
) v ON v.document_id = d.id
"""
# All documents with what else they are filtered and ordered by, in whole sets: the view would look up each.
_SETS = f"""
SELECT document_id, project_id, document, collection, state, uploaded_at, score,
       coalesce(reviewed, false) AS reviewed, {_STAGE}
FROM ({_PLAIN}) p
LEFT JOIN (
    SELECT t.document_version_id, max(t.id) AS task_id, bool_or(NOT a.was_cancelled) AS reviewed,
           bool_and(a.was_cancelled) AS skipped
    FROM tasks t LEFT JOIN annotations a ON a.task_id = t.id AND a.deleted_at IS NULL
    WHERE t.deleted_at IS NULL GROUP BY 1
) k ON k.document_version_id = p.version_id
LEFT JOIN (
    SELECT DISTINCT ON (document_version_id) document_version_id, score FROM extractions
    ORDER BY document_version_id, id DESC
) x ON x.document_version_id = p.version_id
{_LAST_JOB.format(task="k.task_id", version="p.version_id")}
"""  # noqa: S608 - fixed sentences
SORTS = {
    "uploaded": "uploaded_at DESC, document_id",
    "name": "lower(document), document_id",
    # The least certain first, and those not yet read last: the order in which review teaches most.
    "score": "score NULLS LAST, document_id",
}


def overview(
    session: Session,
    *,
    project_id: int | None = None,
    state: str | None = None,
    stage: str | None = None,
    collection: str | None = None,
    search: str | None = None,
    reviewed: bool | None = None,
    sort: str = "uploaded",
    limit: int = 50,
    offset: int = 0,
) -> Listing:
    """Documents, newest upload first unless ``sort`` names another of SORTS.

    ``search`` looks for a part of the name.
    """
    values: dict[str, Any] = {
        "project_id": project_id,
        "state": state,
        "stage": stage,
        "collection": collection,
        "reviewed": reviewed,
    }
    values = {name: value for name, value in values.items() if value is not None}
    conditions = ["true", *(f"{name} = :{name}" for name in values)]
    if search:
        conditions.append("document ILIKE '%' || :search || '%'")
        # The wildcards of LIKE are ordinary characters in a file name.
        values["search"] = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    where = " AND ".join(conditions)  # fixed sentences only; values are bound
    plain = stage is None and reviewed is None and sort != "score"
    source = _PLAIN if plain else _SETS
    total = session.execute(
        text(f"SELECT count(*) FROM ({source}) o WHERE {where}"),  # noqa: S608
        values,
    ).scalar_one()
    ids = session.scalars(
        text(
            f"SELECT document_id FROM ({source}) o WHERE {where} "  # noqa: S608
            f"ORDER BY {SORTS[sort]} LIMIT :limit OFFSET :offset"
        ),
        values | {"limit": limit, "offset": offset},
    )
    return Listing(total, _rows_of(session, list(ids)))


def overview_of(session: Session, document_id: UUID) -> dict[str, Any] | None:
    """The row of one document, None if there is none."""
    rows = _rows_of(session, [document_id])
    return rows[0] if rows else None


def _rows_of(session: Session, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    rows = session.execute(
        text(f"SELECT * FROM ({_ROWS}) o WHERE document_id = ANY(:ids)"),  # noqa: S608
        {"ids": list(ids)},
    ).mappings()
    found = {row["document_id"]: dict(row) for row in rows}
    return [found[key] for key in ids if key in found]


def stages(session: Session, project_id: int) -> dict[str, int]:
    """How many documents of a project are at each stage; every stage is named."""
    counted = session.execute(
        text(
            f"SELECT stage, count(*) AS documents FROM ({_SETS}) o WHERE project_id = :project_id GROUP BY stage"  # noqa: S608
        ),
        {"project_id": project_id},
    )
    found = {str(row.stage): int(row.documents) for row in counted}
    return {stage.value: found.get(stage.value, 0) for stage in Stage}


def collections(session: Session, project_id: int) -> list[str]:
    """The collections in use, by name."""
    return list(
        session.scalars(
            select(Document.collection)
            .where(Document.project_id == project_id, Document.collection.is_not(None))
            .distinct()
            .order_by(Document.collection)
        )
    )


def read_again(session: Session, version_id: UUID) -> bool:
    """Forget that a version could not be read, so that it is read anew; False if it had not failed."""
    changed = session.scalar(
        update(DocumentVersion)
        .where(DocumentVersion.id == version_id, DocumentVersion.state == ReadingState.FAILED)
        .values(state=ReadingState.RECEIVED, error_code=None, error_message=None, read_at=None)
        .returning(DocumentVersion.id)
    )
    return changed is not None
