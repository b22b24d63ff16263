"""What the mirror did and how far it is: runs, cursors, and the state of its leader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.json_values import storable
from db.models import SyncCursor, SyncRun, SyncState

_now = func.clock_timestamp
STALE_SECONDS = 30.0
"""A leader that has said nothing for so long is gone."""


def cursor(session: Session, project_id: int, name: str) -> dict[str, Any] | None:
    """How far the pass ``name`` has come; None before its first."""
    row = session.get(SyncCursor, (project_id, name), populate_existing=True)
    return None if row is None else dict(row.position)


def newest_position(session: Session, name: str, key: str) -> str | None:
    """The highest ``key`` in the positions of this name, over all projects."""
    return session.scalar(
        select(func.max(SyncCursor.position[key].astext)).where(SyncCursor.name == name)
    )


def move_cursor(session: Session, project_id: int, name: str, position: Mapping[str, Any]) -> None:
    """Remember how far the pass has come: in the transaction of the rows this covers."""
    values = {"position": dict(position), "moved_at": _now()}
    session.execute(
        insert(SyncCursor)
        .values(project_id=project_id, name=name, **values)
        .on_conflict_do_update(index_elements=["project_id", "name"], set_=values)
    )


def drop_cursors(session: Session, project_id: int) -> None:
    """Forget how far every pass has come: the next ones begin anew."""
    session.execute(
        text("DELETE FROM sync_cursors WHERE project_id = :project"), {"project": project_id}
    )


def start_run(session: Session, project_id: int | None, kind: str) -> int:
    """The id of a new run of this kind: backfill, catch_up, deletions or verify."""
    run = SyncRun(project_id=project_id, kind=kind)
    session.add(run)
    session.flush()
    return run.id


def finish_run(
    session: Session,
    run_id: int,
    *,
    ok: bool,
    counts: Mapping[str, int],
    differences: Sequence[Mapping[str, Any]] = (),
    error: str | None = None,
) -> None:
    run = session.get_one(SyncRun, run_id)
    run.finished_at = _now()
    run.ok = ok
    run.counts = dict(counts)
    run.differences = [storable(dict(entry)) for entry in differences]
    run.error = error


def record_run(
    session: Session,
    project_id: int | None,
    kind: str,
    *,
    seconds: float,
    ok: bool,
    counts: Mapping[str, int],
    error: str | None = None,
) -> None:
    """Keep a pass that is over. A pass like the one before (nothing found, same outcome) replaces it: passes
    come every few seconds, and a table of nothings helps nobody."""
    last = session.scalar(
        select(SyncRun)
        .where(SyncRun.project_id == project_id, SyncRun.kind == kind)
        .order_by(SyncRun.id.desc())
        .limit(1)
        .with_for_update()
    )
    quiet = not any(counts.values())
    if (
        last is None
        or not quiet
        or last.ok != ok
        or last.error != error
        or any(last.counts.values())
    ):
        last = SyncRun(project_id=project_id, kind=kind)
        session.add(last)
    last.started_at = _now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    last.finished_at = _now()
    last.ok = ok
    last.counts = dict(counts)
    last.error = error
    session.flush()


def seconds_since_last(session: Session, project_id: int, kind: str) -> float | None:
    """Seconds since the last run of this kind ended; None before the first."""
    found: float | None = session.scalar(
        select(func.extract("epoch", _now() - func.max(SyncRun.finished_at))).where(
            SyncRun.project_id == project_id, SyncRun.kind == kind
        )
    )
    return None if found is None else float(found)


def close_open_runs(session: Session, kind: str) -> None:
    """Runs of this kind that no process can be making any more: whoever made them died."""
    session.execute(
        update(SyncRun)
        .where(SyncRun.kind == kind, SyncRun.finished_at.is_(None))
        .values(
            finished_at=_now(), ok=False, error="The process that made this run ended before it."
        )
    )


def beat(session: Session, holder: str, state: str, message: str | None) -> None:
    """The leader says who it is and how it fares."""
    values = {
        "holder": holder,
        "state": state,
        "message": message,
        "leader_since": _now(),
        "since": _now(),
        "beat_at": _now(),
    }
    statement = insert(SyncState).values(id=1, **values)
    new = statement.excluded
    same_holder = SyncState.holder == new.holder
    same_state = same_holder & (SyncState.state == new.state)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "holder": new.holder,
                "state": new.state,
                "message": new.message,
                "beat_at": new.beat_at,
                "leader_since": case((same_holder, SyncState.leader_since), else_=new.leader_since),
                "since": case((same_state, SyncState.since), else_=new.since),
            },
        )
    )
