"""Remove a document on request, everywhere: the law may ask for it, and only then is history taken out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.errors import UnknownDocument
from db.models import Document, Erasure

# In this order no row is left pointing at one that is gone.
_DELETIONS = (
    ("annotations", "task_id = ANY(:tasks)"),
    ("annotation_values", "event_id = ANY(:events)"),
    (
        "dataset_members",
        "annotation_event_id = ANY(:events) OR document_version_id = ANY(:versions)",
    ),
    ("annotation_events", "task_id = ANY(:tasks)"),
    ("predictions", "task_id = ANY(:tasks) OR extraction_id = ANY(:extractions)"),
    ("tasks", "id = ANY(:tasks)"),
    ("extraction_values", "extraction_id = ANY(:extractions)"),
    ("extractions", "id = ANY(:extractions)"),
    ("page_images", "document_version_id = ANY(:versions)"),
    ("document_words", "document_version_id = ANY(:versions)"),
    ("document_versions", "id = ANY(:versions)"),
    ("documents", "id = :document"),
)
# A delivery names a task or an annotation by its id, bare or inside an object or a list of them.
_DELIVERIES = """
    project_label_studio_id IS NOT DISTINCT FROM :project_label_studio_id
    AND (jsonb_path_exists(payload, '$.task.id ? (@ == $tasks[*])', cast(:ids AS jsonb))
      OR jsonb_path_exists(payload, '$.tasks[*].id ? (@ == $tasks[*])', cast(:ids AS jsonb))
      OR jsonb_path_exists(payload, '$.tasks[*] ? (@ == $tasks[*])', cast(:ids AS jsonb))
      OR jsonb_path_exists(payload, '$.annotation.task ? (@ == $tasks[*])', cast(:ids AS jsonb))
      OR jsonb_path_exists(payload, '$.annotation.id ? (@ == $annotations[*])', cast(:ids AS jsonb))
      OR jsonb_path_exists(payload, '$.annotations[*].task ? (@ == $tasks[*])', cast(:ids AS jsonb))
      OR jsonb_path_exists(payload, '$.annotations[*].id ? (@ == $annotations[*])', cast(:ids AS jsonb)))
    OR payload::text LIKE ANY(:mentions)
"""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed, or in a dry run would be."""

    document_id: UUID
    counts: dict[str, int]
    """Rows by table, and blobs."""
    blobs: tuple[str, ...]
    """Hashes nobody else uses: delete them from the store after the transaction is committed."""
    models: tuple[str, ...]
    """Model versions that learnt from it. They stay; a model may remember words of its documents."""
    label_studio_tasks: tuple[int, ...]
    """Tasks to delete in Label Studio, or the mirror will find them there again."""


def find_document(session: Session, wanted: str) -> Document:
    """The document of this id or name. Raises UnknownDocument, also when two projects use the name."""
    try:
        found = session.get(Document, UUID(wanted))
        matches = [found] if found else []
    except ValueError:
        matches = list(session.query(Document).filter(Document.name == wanted))
    if not matches:
        raise UnknownDocument(wanted)
    if len(matches) > 1:
        raise UnknownDocument(wanted, "several projects have a document of this name; give its id")
    return matches[0]


def erase_document(session: Session, document: Document, *, reason: str, erased_by: str) -> Erased:
    """Delete every row about the document and leave one in ``erasures``.

    For a dry run roll the transaction back. Raises ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("An erasure needs a reason.")
    found = _Found(session, document)
    blobs = found.unshared_blobs(session)
    models = tuple(
        session.scalars(
            text(
                "SELECT DISTINCT m.name FROM model_versions m JOIN dataset_members d USING (dataset_id)"
                " WHERE d.document_version_id = ANY(:versions) ORDER BY 1"
            ),
            {"versions": found.versions},
        )
    )
    session.expunge(document)
    session.execute(text("SET LOCAL fieldloop.erase = 'on'"))
    counts = {
        "webhook_deliveries": _delete(session, "webhook_deliveries", _DELIVERIES, found.bound),
        "jobs": _delete_jobs(session, found),
        "sync_runs": _forget_differences(session, found),
    }
    for table, condition in _DELETIONS:
        counts[table] = _delete(session, table, condition, found.bound)
    session.execute(text("SET LOCAL fieldloop.erase = 'off'"))
    counts["blobs"] = len(blobs)
    session.add(
        Erasure(
            document_id=found.document,
            sha256s=sorted(found.hashes),
            erased_by=erased_by,
            reason=reason,
            counts=counts,
        )
    )
    session.flush()
    return Erased(found.document, counts, blobs, models, tuple(found.label_studio_tasks))


class _Found:
    """The ids of everything that belongs to a document."""

    def __init__(self, session: Session, document: Document) -> None:
        self.document = document.id
        self.project = document.project_id

        def ids(query: str, **values: Any) -> list[Any]:
            return list(session.scalars(text(query), values))

        # Nobody adds a version, a task or an annotation while we look.
        ids("SELECT id FROM documents WHERE id = :d FOR UPDATE", d=self.document)
        self.versions = ids(
            "SELECT id FROM document_versions WHERE document_id = :d FOR UPDATE", d=self.document
        )
        self.hashes = ids(
            "SELECT sha256 FROM document_versions WHERE document_id = :d", d=self.document
        )
        self.tasks = ids(
            "SELECT id FROM tasks WHERE document_version_id = ANY(:v) FOR UPDATE", v=self.versions
        )
        self.label_studio_tasks = ids(
            "SELECT label_studio_id FROM tasks WHERE id = ANY(:t) ORDER BY 1", t=self.tasks
        )
        self.events = ids("SELECT id FROM annotation_events WHERE task_id = ANY(:t)", t=self.tasks)
        self.label_studio_annotations = ids(
            "SELECT DISTINCT label_studio_id FROM annotation_events WHERE task_id = ANY(:t)",
            t=self.tasks,
        )
        self.extractions = ids(
            "SELECT id FROM extractions WHERE document_version_id = ANY(:v)", v=self.versions
        )
        self.mentions = [str(self.document), *map(str, self.versions)]
        (project_label_studio_id,) = ids(
            "SELECT label_studio_id FROM projects WHERE id = :p", p=self.project
        )
        self.bound = {
            "document": self.document,
            "versions": self.versions,
            "tasks": self.tasks,
            "events": self.events,
            "extractions": self.extractions,
            "project_label_studio_id": project_label_studio_id,
            "mentions": [f"%{mention}%" for mention in self.mentions],
            "ids": json.dumps(
                {"tasks": self.label_studio_tasks, "annotations": self.label_studio_annotations}
            ),
        }

    def unshared_blobs(self, session: Session) -> tuple[str, ...]:
        query = """
            SELECT sha256 FROM (
                SELECT sha256 FROM document_versions WHERE id = ANY(:versions)
                UNION SELECT sha256 FROM page_images WHERE document_version_id = ANY(:versions)
            ) ours
            WHERE NOT EXISTS (SELECT FROM document_versions o
                              WHERE o.sha256 = ours.sha256 AND o.id <> ALL(:versions))
              AND NOT EXISTS (SELECT FROM page_images o
                              WHERE o.sha256 = ours.sha256 AND o.document_version_id <> ALL(:versions))
              AND NOT EXISTS (SELECT FROM model_versions o WHERE o.artefact_sha256 = ours.sha256)
            ORDER BY 1
        """
        return tuple(session.scalars(text(query), {"versions": self.versions}))


def _delete(session: Session, table: str, condition: str, values: dict[str, Any]) -> int:
    names = {name: value for name, value in values.items() if f":{name}" in condition}
    statement = f"WITH gone AS (DELETE FROM {table} WHERE {condition} RETURNING 1) SELECT count(*) FROM gone"  # noqa: S608 - both are written above
    return int(session.scalar(text(statement), names) or 0)


def _delete_jobs(session: Session, found: _Found) -> int:
    ours = "subject = ANY(:names) OR arguments::text LIKE ANY(:mentions)"
    values = {"names": found.mentions, "mentions": found.bound["mentions"]}
    session.execute(
        text(
            f"UPDATE jobs SET parent_id = NULL WHERE parent_id IN (SELECT id FROM jobs WHERE {ours})"  # noqa: S608 - written above
        ),
        values,
    )
    return _delete(session, "jobs", ours, values)


def _forget_differences(session: Session, found: _Found) -> int:
    ids = {*found.label_studio_tasks, *found.label_studio_annotations, *found.tasks}
    changed = 0
    query = (
        "SELECT id, differences FROM sync_runs WHERE differences <> '[]'"
        " AND (project_id = :project OR project_id IS NULL)"
    )
    for run_id, differences in session.execute(text(query), {"project": found.project}).all():
        kept = [entry for entry in differences if not _mentions(entry, ids, found.mentions)]
        if len(kept) < len(differences):
            changed += 1
            session.execute(
                text("UPDATE sync_runs SET differences = cast(:kept AS jsonb) WHERE id = :id"),
                {"kept": json.dumps(kept), "id": run_id},
            )
    return changed


def _mentions(entry: Any, ids: set[int], names: Sequence[str]) -> bool:
    if isinstance(entry, dict):
        return any(_mentions(value, ids, names) for value in entry.values())
    if isinstance(entry, list):
        return any(_mentions(value, ids, names) for value in entry)
    if isinstance(entry, str):
        return any(name in entry for name in names)
    return isinstance(entry, int) and entry in ids
