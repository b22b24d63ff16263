"""How the mirror fares, from the record alone: for ``fieldloop sync status`` and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.models import SyncState
from db.sync_runs import STALE_SECONDS

WAITS_LONG = 60.0
"""Seconds after which an event in the inbox should have been read."""


@dataclass(frozen=True)
class Leader:
    """The process that mirrors. ``silent_for``: seconds since it last said so."""

    holder: str
    since: datetime
    state: str
    state_since: datetime
    message: str | None
    silent_for: float

    @property
    def alive(self) -> bool:
        return self.silent_for < STALE_SECONDS and self.state != "stopped"


@dataclass(frozen=True)
class ProjectHealth:
    """How far the mirror of a project is; times are seconds ago, None: never."""

    project_id: int
    title: str
    gone: bool
    tasks: int
    annotations: int
    events: int
    pending: int
    dead: int
    oldest_pending: float | None
    last_catch_up: float | None
    last_catch_up_ok: bool | None
    last_sweep: float | None
    last_verify: float | None
    last_verify_ok: bool | None
    last_error: str | None
    cursor_age: float | None
    """Seconds between now and the change in Label Studio up to which everything is mirrored."""
    gaps: int


@dataclass(frozen=True)
class Health:
    leader: Leader | None
    projects: tuple[ProjectHealth, ...]
    strangers: int
    """Events of projects that are not ours, waiting or given up."""

    @property
    def problems(self) -> list[str]:
        """What needs a look, in sentences."""
        found: list[str] = []
        if self.leader is None or not self.leader.alive:
            found.append("Nobody mirrors; start `fieldloop sync run`, or `fieldloop up`.")
        elif self.leader.state == "waiting":
            found.append(self.leader.message or "The mirror waits for Label Studio.")
        for project in self.projects:
            if project.gone:
                continue
            if project.dead:
                found.append(
                    f"{project.title}: {project.dead} events were given up; webhook_deliveries.last_error says why, "
                    "`fieldloop sync replay --dead` tries again."
                )
            if project.oldest_pending is not None and project.oldest_pending > WAITS_LONG:
                found.append(
                    f"{project.title}: an event has waited for {project.oldest_pending:.0f} s."
                )
            if project.last_verify_ok is False:
                found.append(
                    f"{project.title}: the last comparison found what it could not repair."
                )
            if project.last_catch_up_ok is False:
                found.append(f"{project.title}: {project.last_error or 'the last pass failed'}")
        return found

    def as_dict(self) -> dict[str, Any]:
        leader = self.leader
        return {
            "leader": None
            if leader is None
            else {
                "holder": leader.holder,
                "since": leader.since.isoformat(),
                "state": leader.state,
                "state_since": leader.state_since.isoformat(),
                "message": leader.message,
                "silent_for": round(leader.silent_for, 1),
                "alive": leader.alive,
            },
            "projects": [
                {name: getattr(project, name) for name in ProjectHealth.__dataclass_fields__}
                for project in self.projects
            ],
            "strangers": self.strangers,
            "problems": self.problems,
        }


_PROJECTS = """
SELECT p.id, p.title, p.deleted_at IS NOT NULL,
       (SELECT count(*) FROM tasks k WHERE k.project_id = p.id AND k.deleted_at IS NULL),
       (SELECT count(*) FROM annotations a WHERE a.project_id = p.id AND a.deleted_at IS NULL),
       (SELECT count(*) FROM annotation_events e WHERE e.project_id = p.id),
       coalesce(h.pending, 0), coalesce(h.dead, 0),
       extract(epoch FROM clock_timestamp() - h.oldest_pending)::double precision,
       extract(epoch FROM clock_timestamp() - h.last_catch_up_at)::double precision, h.last_catch_up_ok,
       extract(epoch FROM clock_timestamp() - h.last_deletion_sweep_at)::double precision,
       extract(epoch FROM clock_timestamp() - h.last_verify_at)::double precision, h.last_verify_ok,
       h.last_error,
       extract(epoch FROM clock_timestamp() - c.moved_at)::double precision,
       (SELECT count(*) FROM annotation_events e WHERE e.project_id = p.id AND e.gap)
FROM projects p
LEFT JOIN sync_health h ON h.project_id = p.id
LEFT JOIN sync_cursors c ON c.project_id = p.id AND c.name = 'catch_up'
WHERE p.label_studio_id IS NOT NULL
ORDER BY p.id
"""


def health_of(session: Session) -> Health:
    """How the mirror fares now."""
    leader = None
    row = session.get(SyncState, 1)
    if row is not None:
        silent = session.execute(
            text("SELECT extract(epoch FROM clock_timestamp() - beat_at) FROM sync_state")
        ).scalar_one()
        leader = Leader(
            row.holder, row.leader_since, row.state, row.since, row.message, float(silent)
        )
    projects = tuple(ProjectHealth(*found) for found in session.execute(text(_PROJECTS)))
    strangers = session.execute(
        text("SELECT coalesce(sum(pending + dead), 0) FROM sync_health WHERE project_id IS NULL")
    ).scalar_one()
    return Health(leader, projects, int(strangers))


@dataclass(frozen=True)
class Figure:
    """One gauge with its samples: ({label: value}, number)."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: tuple[tuple[tuple[str, ...], float], ...]


def sync_figures(session: Session) -> list[Figure]:
    """What Prometheus may know about the mirror; gauges, counted anew at every call."""
    return list(_figures(health_of(session)))


def _figures(health: Health) -> Iterator[Figure]:
    leader = health.leader
    alive = leader is not None and leader.alive
    yield Figure(
        "fieldloop_sync_leader_up",
        "1 while a process mirrors.",
        (),
        (((), float(alive)),),
    )
    yield Figure(
        "fieldloop_sync_leader_state",
        "1 for the state the leader is in.",
        ("state",),
        tuple(
            ((state,), float(alive and leader is not None and leader.state == state))
            for state in ("mirroring", "backfilling", "waiting")
        ),
    )
    columns: tuple[tuple[str, str, str], ...] = (
        ("tasks", "fieldloop_sync_tasks", "Tasks in the mirror."),
        ("annotations", "fieldloop_sync_annotations", "Annotations in the mirror."),
        ("events", "fieldloop_sync_events", "States of annotations in the history."),
        ("gaps", "fieldloop_sync_gaps", "States before which others may have gone unseen."),
        ("pending", "fieldloop_sync_pending", "Webhook events that wait."),
        ("dead", "fieldloop_sync_dead", "Webhook events that were given up."),
        ("oldest_pending", "fieldloop_sync_oldest_pending_seconds", "Age of the oldest one."),
        ("last_catch_up", "fieldloop_sync_catch_up_age_seconds", "Since the last catch-up ended."),
        ("last_sweep", "fieldloop_sync_sweep_age_seconds", "Since the last sweep for deletions."),
        ("last_verify", "fieldloop_sync_verify_age_seconds", "Since the last comparison."),
        ("last_verify_ok", "fieldloop_sync_verify_ok", "1 if it left no difference."),
        ("gone", "fieldloop_sync_project_gone", "1 if deleted in Label Studio."),
    )
    for attribute, name, explained in columns:
        yield Figure(
            name,
            explained,
            ("project",),
            tuple(
                ((project.title,), float(value))
                for project in health.projects
                if (value := getattr(project, attribute)) is not None
            ),
        )
