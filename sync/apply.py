"""A look → rows. One transaction of the caller's: reads what the record says, lets ``reconcile`` decide, writes.

Nothing here asks Label Studio, and nothing decides what is true: that was settled before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import mirror, mirror_rows
from db.extractions import record_prediction
from db.json_values import digest, plain
from db.mirror import TaskRow
from db.models import EventSource
from sync.look import Look, Written
from sync.origins import Origins
from sync.reconcile import Circumstances, Entry, Recorded, Witness, reconcile
from sync.rows import Planned, write
from sync.states import Snapshot, State
from sync.values import FieldReader

_TASK = (
    *("id", "project_id", "label_studio_id", "document_version_id", "data", "source_created_at"),
    *("source_updated_at", "first_seen_at", "deleted_at", "is_labeled"),
)


def apply(session: Session, project_id: int, look: Look, reader: FieldReader) -> Written:
    """Write what a look found. Applying it again adds nothing."""
    mirror.lock_tasks(session, project_id)
    return _Application(session, project_id, look, reader).run()


class _Application:
    def __init__(self, session: Session, project_id: int, look: Look, reader: FieldReader) -> None:
        self._session = session
        self._project_id = project_id
        self._look = look
        self._reader = reader
        self._now = mirror.clock(session)
        self._written = Written()
        self._versions: dict[int, UUID] = {}
        """Document version by ``tasks.id``."""
        self._earlier: dict[int, dict[int, Snapshot]] = {}
        """Number → ``tasks.id`` and what is known of earlier tasks it stood for: numbers come back after a restore
        or a deletion of all."""

    def run(self) -> Written:
        tasks = self._tasks()
        planned = self._plan(tasks)
        if any(_is_unannounced(entry) for plan in planned for entry in plan.entries):
            # A webhook is missing among these, so the others are not taken for complete either.
            self._look.deliveries_lost_at = self._now
            planned = self._plan(tasks)
        origins = Origins.load(
            self._session,
            {pk: task for earlier in self._earlier.values() for pk, task in earlier.items()}
            | dict(tasks.values()),
            self._versions,
            needed={plan.task_id for plan in planned if plan.entries},
        )
        for found in origins.unrecorded:
            record_prediction(
                self._session,
                task_id=found.task_id,
                extraction_id=found.extraction_id,
                model_version=found.shown.model_version,
                result_sha256=digest(sorted(found.shown.region_ids)),
                label_studio_id=found.shown.id,
                pushed_at=found.shown.created_at,
            )
        write(
            self._session,
            self._project_id,
            planned,
            self._versions,
            origins,
            self._reader,
            self._written,
        )
        return self._written

    # Tasks

    def _tasks(self) -> dict[int, tuple[int, Snapshot]]:
        """Bring the tasks up to date; Label Studio's id → ``tasks.id`` and the task."""
        look, now = self._look, self._now
        ids = [*look.present, *look.gone]
        rows: dict[int, list[TaskRow]] = {}
        for row in mirror.tasks_of(self._session, self._project_id, ids):
            rows.setdefault(row.label_studio_id, []).append(row)
        named = {s.document_version for s in look.present.values()}
        named |= {s.document_version for s in look.gone.values() if s is not None}
        ours = mirror.known_versions(
            self._session, self._project_id, [v for v in named if v is not None]
        )
        found: dict[int, tuple[int, Snapshot]] = {}
        new: list[tuple[Snapshot, datetime | None]] = []
        changes: list[dict[str, Any]] = []
        ends: list[dict[str, Any]] = []
        for number, snapshot in look.present.items():
            same, others = _same_task(rows.get(number, []), snapshot)
            ends += [self._gone(row) for row in others if row.deleted_at is None]
            if same is None:
                new.append((snapshot, None))
                continue
            found[number] = (same.id, snapshot)
            version = same.document_version_id or _one_of(snapshot.document_version, ours)
            if version is not None:
                self._versions[same.id] = version
            changes.append(
                {
                    "id": same.id,
                    "data": dict(snapshot.data),
                    "source_created_at": snapshot.created_at,
                    "source_updated_at": snapshot.updated_at,
                    "is_labeled": snapshot.is_labeled,
                    "document_version_id": version,
                }
            )
        for number, told in look.gone.items():
            standing = [row for row in rows.get(number, []) if row.deleted_at is None]
            ends += [self._gone(row) for row in standing]
            same = next(iter(reversed(standing or rows.get(number, []))), None)
            if same is not None:
                found[number] = (same.id, told or _empty(same))
                if same.document_version_id is not None:
                    self._versions[same.id] = same.document_version_id
            elif told is not None:
                new.append((told, now))
        found |= self._new_tasks(new, ours)
        for number, known in rows.items():
            earlier = [row for row in known if row.id != found[number][0]]
            self._earlier[number] = {row.id: _empty(row) for row in earlier}
            self._versions |= {row.id: v for row in earlier if (v := row.document_version_id)}
        mirror_rows.update_tasks(self._session, changes)
        mirror_rows.end_tasks(self._session, ends)
        return found

    def _gone(self, row: TaskRow) -> dict[str, Any]:
        self._written.tasks_deleted += 1
        return {"id": row.id, "deleted_at": max(self._now, row.first_seen_at)}

    def _new_tasks(
        self, new: list[tuple[Snapshot, datetime | None]], ours: set[UUID]
    ) -> dict[int, tuple[int, Snapshot]]:
        ids = mirror_rows.take_ids(self._session, "tasks", len(new))
        rows = []
        for key, (snapshot, deleted_at) in zip(ids, new, strict=True):
            version = _one_of(snapshot.document_version, ours)
            if version is not None:
                self._versions[key] = version
            rows.append(
                (
                    *(key, self._project_id, snapshot.id, version),
                    plain(dict(snapshot.data)),
                    *(snapshot.created_at, snapshot.updated_at, self._now, deleted_at),
                    snapshot.is_labeled,
                )
            )
        mirror_rows.copy_rows(self._session, "tasks", _TASK, rows)
        self._written.tasks_added += len(new)
        return {s.id: (key, s) for key, (s, _) in zip(ids, new, strict=True)}

    # What happened to the annotations

    def _plan(self, tasks: dict[int, tuple[int, Snapshot]]) -> list[Planned]:
        look = self._look
        told = {s.id for _, snapshot in tasks.values() for s in snapshot.annotations}
        witnessed = {w.state.id for found in look.witnesses.values() for w in found}
        here = {
            number: {task_id, *self._earlier.get(number, ())}
            for number, (task_id, _) in tasks.items()
        }
        rows = mirror.annotations_of(
            self._session, self._project_id, set().union(*here.values()), told | witnessed
        )
        by_id: dict[int, list[Recorded]] = {}
        by_task: dict[int, set[int]] = {}
        for row in rows:
            by_id.setdefault(row.label_studio_id, []).append(_recorded(row))
            by_task.setdefault(row.task_id, set()).add(row.label_studio_id)
        for last in self._histories(told - by_id.keys()):
            by_id[last.id] = [last]
        marks = mirror.marks_of(self._session, self._project_id, witnessed) if witnessed else {}
        planned: list[Planned] = []
        for number, (task_id, snapshot) in sorted(tasks.items()):
            present = {state.id: state for state in snapshot.annotations}
            witnesses: dict[int, list[Witness]] = {}
            for witness in look.witnesses.get(number, ()):
                witnesses.setdefault(witness.state.id, []).append(witness)
            recorded = set().union(*(by_task.get(pk, set()) for pk in here[number]))
            for key in sorted(present.keys() | witnesses.keys() | recorded):
                planned += self._annotation(
                    (task_id, number),
                    here[number],
                    key,
                    snapshot,
                    present.get(key),
                    by_id.get(key, []),
                    witnesses.get(key, []),
                    frozenset(marks.get(key, ())),
                )
        return planned

    def _histories(self, annotations: set[int]) -> list[Recorded]:
        """Annotations that have a history but no current row: somebody took it away."""
        if not annotations:
            return []
        return [
            Recorded(
                row_id=None,
                id=last.label_studio_id,
                task_id=last.task_id,
                created_at=birth,
                updated_at=last.source_updated_at,
                sha256=last.content_sha256,
                ground_truth=False,
                last_event_id=last.id,
                occurred_at=last.occurred_at,
                deleted=True,
                reviewer=last.actor,
            )
            for last in mirror.last_events_of(self._session, self._project_id, annotations)
            for birth in self._births(last.label_studio_id)
        ]

    def _births(self, annotation: int) -> list[datetime]:
        return [
            state.created_at
            for snapshot in self._look.present.values()
            for state in snapshot.annotations
            if state.id == annotation
        ]

    def _annotation(
        self,
        task: tuple[int, int],
        here: set[int],
        key: int,
        snapshot: Snapshot,
        present: State | None,
        rows: list[Recorded],
        witnesses: list[Witness],
        marks: frozenset[tuple[datetime, str]],
    ) -> list[Planned]:
        task_id, number = task
        look = self._look
        circumstances = Circumstances(look.source, self._now, look.deliveries_lost_at)
        created = {w.state.created_at for w in witnesses}
        known = _matching(rows, present, created, here)
        planned: list[Planned] = []
        if present is not None:
            # The same id with another birth is another annotation; sqlite gives ids out again.
            planned += [
                self._ended(
                    row, snapshot, circumstances, "Its id came back for another annotation."
                )
                for row in rows
                if row is not known and not row.deleted
            ]
            if known is not None and known.task_id != task_id and not known.deleted:
                moved = self._ended(
                    known, snapshot, circumstances, f"It was moved to task {number}."
                )
                planned.append(moved)
                known = replace(known, deleted=True, occurred_at=moved.entries[-1].occurred_at)
        elif known is not None and not known.deleted and key not in look.gone_annotations:
            return []  # nobody looked for it, or it lives on in another task
        elif known is not None:
            task_id = known.task_id  # an earlier task of this number may be the one it stood in
        elif (
            any(row.created_at in created for row in rows)  # it lives in another task
            or key not in look.gone_annotations
            or not created
        ):
            return []
        # States of an earlier annotation of the same number are left out; its end is recorded already.
        birth = present.created_at if present else known.created_at if known else max(created)
        entries = reconcile(
            known,
            present,
            [w for w in witnesses if w.state.created_at == birth],
            circumstances,
            marks=marks,
            deletion=look.deleted_annotations.get(key, look.deleted_tasks.get(number)),
        )
        refresh = None
        if (
            present is not None
            and known is not None
            and not known.deleted
            and not any(not e.late for e in entries)
            and present.ground_truth != known.ground_truth
        ):
            refresh = present
        if entries or refresh:
            planned.append(Planned(task_id, key, known, snapshot, entries, refresh))
        return planned

    def _ended(
        self, known: Recorded, snapshot: Snapshot, circumstances: Circumstances, why: str
    ) -> Planned:
        (entry,) = reconcile(known, None, (), circumstances)
        entry = replace(entry, problems=(why,))
        return Planned(known.task_id, known.id, known, snapshot, [entry])


def _is_unannounced(entry: Entry) -> bool:
    return entry.source in {EventSource.SWEEP, EventSource.VERIFY}


def _same_task(rows: list[TaskRow], snapshot: Snapshot) -> tuple[TaskRow | None, list[TaskRow]]:
    """The row of this very task, and rows of other tasks that had its number before."""
    for row in reversed(rows):
        if row.source_created_at == snapshot.created_at:
            return row, [other for other in rows if other is not row]
    for row in reversed(rows):
        # Made by us and not seen by the mirror until now.
        if row.source_created_at is None and row.deleted_at is None:
            return row, [other for other in rows if other is not row]
    return None, rows


def _one_of(version: UUID | None, ours: set[UUID]) -> UUID | None:
    return version if version in ours else None


def _empty(row: TaskRow) -> Snapshot:
    """A task that is gone, of which nothing is known but its row."""
    when = row.source_updated_at or row.first_seen_at
    return Snapshot(row.label_studio_id, when, when, row.data, row.is_labeled, ())


def _recorded(row: mirror.AnnotationRow) -> Recorded:
    return Recorded(
        row_id=row.row_id,
        id=row.label_studio_id,
        task_id=row.task_id,
        created_at=row.source_created_at,
        updated_at=row.source_updated_at,
        sha256=row.content_sha256,
        ground_truth=row.ground_truth,
        last_event_id=row.last_event_id,
        occurred_at=row.occurred_at,
        deleted=row.deleted,
        reviewer=row.updated_by,
    )


def _matching(
    rows: Sequence[Recorded], present: State | None, created: set[datetime], tasks: set[int]
) -> Recorded | None:
    """The recorded annotation meant here: the one born at the same time, else the one that stands."""
    if present is not None:
        return next((r for r in reversed(rows) if r.created_at == present.created_at), None)
    here = [row for row in rows if row.task_id in tasks]
    standing = [row for row in here if not row.deleted]
    if standing:
        return standing[-1]
    return next((r for r in reversed(here) if r.created_at in created), None)
