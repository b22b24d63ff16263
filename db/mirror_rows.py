"""How the mirror writes tasks, annotations and their history: many rows at a time, one statement per table.

Rows go in by COPY with ids taken beforehand, because one task brings forty of them and an insert that returns
ids takes four times as long. Current states take their results from the events that brought them: Postgres
then neither reads nor compresses the same JSON twice. Whoever writes holds ``mirror.lock_tasks`` of the
project, so ids rise in the order of commits and no two writers make the same row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from psycopg import sql
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from db.json_values import plain

Table = Literal["tasks", "annotation_events", "annotation_values"]

_CURRENT = """
    project_id bigint, task_id bigint, label_studio_id integer, last_event_id bigint, content_event_id bigint,
    created_by text, updated_by text, source_created_at timestamptz, source_updated_at timestamptz,
    was_cancelled boolean, ground_truth boolean, lead_time double precision, content_sha256 text, status text,
    absent jsonb, notes text, deleted_at timestamptz, extra jsonb
"""
_INSERT = text(f"""
    INSERT INTO annotations (
        project_id, task_id, label_studio_id, last_event_id, created_by, updated_by, source_created_at,
        source_updated_at, was_cancelled, ground_truth, lead_time, result, content_sha256, status, absent,
        notes, deleted_at, extra)
    SELECT r.project_id, r.task_id, r.label_studio_id, r.last_event_id, r.created_by, r.updated_by,
           r.source_created_at, r.source_updated_at, r.was_cancelled, r.ground_truth, r.lead_time, e.result,
           r.content_sha256, r.status, r.absent, r.notes, r.deleted_at, r.extra
    FROM json_to_recordset(CAST(:rows AS json)) AS r({_CURRENT})
    JOIN annotation_events e ON e.id = r.content_event_id
    ORDER BY r.last_event_id
""")  # noqa: S608 - its parts are written in this file
_REPLACE = text(f"""
    UPDATE annotations a
    SET project_id = r.project_id, task_id = r.task_id, label_studio_id = r.label_studio_id,
        last_event_id = r.last_event_id, created_by = r.created_by, updated_by = r.updated_by,
        source_created_at = r.source_created_at, source_updated_at = r.source_updated_at,
        was_cancelled = r.was_cancelled, ground_truth = r.ground_truth, lead_time = r.lead_time,
        result = e.result, content_sha256 = r.content_sha256, status = r.status, absent = r.absent,
        notes = r.notes, deleted_at = r.deleted_at, extra = r.extra
    FROM json_to_recordset(CAST(:rows AS json)) AS r(id bigint, {_CURRENT})
    JOIN annotation_events e ON e.id = r.content_event_id
    WHERE a.id = r.id
""")  # noqa: S608
_END = text("""
    UPDATE annotations a SET last_event_id = r.last_event_id, deleted_at = r.deleted_at
    FROM json_to_recordset(CAST(:rows AS json)) AS r(id bigint, last_event_id bigint, deleted_at timestamptz)
    WHERE a.id = r.id
""")
_MARK = text("""
    UPDATE annotations a SET ground_truth = r.ground_truth
    FROM json_to_recordset(CAST(:rows AS json)) AS r(id bigint, ground_truth boolean)
    WHERE a.id = r.id
""")
_TASKS = text("""
    UPDATE tasks t
    SET data = r.data, source_created_at = r.source_created_at, source_updated_at = r.source_updated_at,
        is_labeled = r.is_labeled, document_version_id = r.document_version_id, deleted_at = NULL
    FROM json_to_recordset(CAST(:rows AS json)) AS r(
        id bigint, data jsonb, source_created_at timestamptz, source_updated_at timestamptz, is_labeled boolean,
        document_version_id uuid)
    WHERE t.id = r.id
      AND (t.data, t.source_created_at, t.source_updated_at, t.is_labeled, t.document_version_id, t.deleted_at)
          IS DISTINCT FROM (r.data, r.source_created_at, r.source_updated_at, r.is_labeled,
                            r.document_version_id, CAST(NULL AS timestamptz))
""")
_TASKS_GONE = text("""
    UPDATE tasks t SET deleted_at = r.deleted_at
    FROM json_to_recordset(CAST(:rows AS json)) AS r(id bigint, deleted_at timestamptz)
    WHERE t.id = r.id
""")


def take_ids(session: Session, table: Table, count: int) -> list[int]:
    """The next ids of a table, rising; ids that are not used leave a hole, as a rolled back insert does."""
    if count == 0:
        return []
    return list(
        session.scalars(
            text(
                "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count) ORDER BY 1"
            ),
            {"table": table, "count": count},
        )
    )


def copy_rows(
    session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows by COPY, which also takes ids that are otherwise always generated. JSON as ``plain``."""
    driver = session.connection().connection.driver_connection
    assert driver is not None  # noqa: S101 - for the type checker: the session is connected
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver.cursor() as cursor, cursor.copy(statement) as out:
        for row in rows:
            out.write_row(row)


def insert_annotations(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """New current states. ``content_event_id``: the event, written before, whose result is theirs."""
    _with_rows(session, _INSERT, rows)


def update_annotations(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Change current states. A row names its ``id`` and either a whole state, as for ``insert_annotations``,
    or only what changed without one: ``last_event_id`` and ``deleted_at``, or ``ground_truth``."""
    merged: dict[int, dict[str, Any]] = {}
    for row in rows:
        merged.setdefault(row["id"], {}).update(row)
    whole = [row for row in merged.values() if "content_event_id" in row]
    parts = [row for row in merged.values() if "content_event_id" not in row]
    _with_rows(session, _REPLACE, whole)
    _with_rows(session, _END, [row for row in parts if "last_event_id" in row])
    _with_rows(session, _MARK, [row for row in parts if "ground_truth" in row])


def update_tasks(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Tasks as they are now; each row names its ``id`` and everything Label Studio may have changed. A task
    that is as recorded is not written again."""
    _with_rows(session, _TASKS, rows)


def end_tasks(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Tasks that are gone: ``id`` and ``deleted_at``."""
    _with_rows(session, _TASKS_GONE, rows)


def _with_rows(session: Session, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement over rows that go to the server as one JSON: one round trip and one plan for all."""
    if rows:
        session.execute(statement, {"rows": plain(rows)})
