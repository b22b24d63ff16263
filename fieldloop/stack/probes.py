"""What the record, the queue and the machine say about themselves; each answer in seconds, changing nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil
import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row
from redis import Redis

from db.nudges import queue
from db.session import libpq_conninfo

# Statements of a probe may not hold anything up.
_OPTIONS = "-c statement_timeout=5s -c default_transaction_read_only=on"
# A worker is heard from every few seconds, busy or idle; RQ writes the time down.
WORKER_SILENCE = 60.0


@dataclass(frozen=True)
class Record:
    """The record in figures."""

    revision: str | None
    documents: Mapping[str, int] = field(default_factory=dict)
    """By state, of their newest version."""
    awaiting_review: int = 0
    reviewed: int = 0
    jobs_open: int = 0
    jobs_running: int = 0
    jobs_failed: int = 0
    inbox_pending: int = 0
    inbox_dead: int = 0
    sync: tuple[dict[str, Any], ...] = ()
    """A row of ``sync_health`` per project."""
    leader: dict[str, Any] | None = None
    """The row of ``sync_state``."""
    live: tuple[dict[str, Any], ...] = ()
    """The live model of each project."""
    training: Mapping[str, int] = field(default_factory=dict)
    """Runs by state."""
    last_training: dict[str, Any] | None = None


@dataclass(frozen=True)
class WorkerSeen:
    """A worker that Redis has heard from."""

    name: str
    host: str
    pid: int
    state: str
    silent_seconds: float

    @property
    def alive(self) -> bool:
        return self.silent_seconds < WORKER_SILENCE


def read_record(url: str) -> Record:
    """Ask Postgres. Raises psycopg.Error where it cannot be asked; an empty database is a Record too."""
    with psycopg.connect(
        libpq_conninfo(url),
        connect_timeout=5,
        options=_OPTIONS,
        application_name="fieldloop-status",
        autocommit=True,
        row_factory=dict_row,
    ) as connection:
        revision = _revision(connection)
        if revision is None:
            return Record(None)
        documents = _counts(
            connection, "SELECT state AS name, count(*) FROM documents_overview GROUP BY state"
        )
        review = _one(
            connection,
            "SELECT count(*) FILTER (WHERE reviewed) AS reviewed,"
            " count(*) FILTER (WHERE task_id IS NOT NULL AND NOT reviewed AND NOT skipped) AS waiting"
            " FROM documents_overview",
        )
        jobs = _counts(connection, "SELECT state AS name, count(*) FROM jobs GROUP BY state")
        inbox = _counts(
            connection,
            "SELECT state AS name, count(*) FROM webhook_deliveries WHERE state <> 'done' GROUP BY state",
        )
        return Record(
            revision=revision,
            documents=documents,
            awaiting_review=review["waiting"],
            reviewed=review["reviewed"],
            jobs_open=jobs.get("queued", 0) + jobs.get("running", 0),
            jobs_running=jobs.get("running", 0),
            jobs_failed=jobs.get("failed", 0),
            inbox_pending=inbox.get("pending", 0),
            inbox_dead=inbox.get("dead", 0),
            sync=_rows(connection, "SELECT * FROM sync_health ORDER BY project_id"),
            leader=_leader(connection),
            live=_rows(connection, "SELECT * FROM live_models ORDER BY project_id"),
            training=_counts(
                connection, "SELECT state AS name, count(*) FROM training_runs GROUP BY state"
            ),
            last_training=next(
                iter(
                    _rows(
                        connection,
                        "SELECT project, state, requested_by, started_at, finished_at, gate_passed, gate_reason, error"
                        " FROM training_runs r JOIN (SELECT id AS project_id, title AS project FROM projects) p"
                        " USING (project_id) ORDER BY requested_at DESC LIMIT 1",
                    )
                ),
                None,
            ),
        )


def workers(redis: Redis) -> list[WorkerSeen]:
    """The workers of our queue. Raises RedisError where it cannot be asked."""
    from rq import Worker

    now = datetime.now(UTC)
    found = []
    for worker in Worker.all(queue=queue(redis)):
        heard = worker.last_heartbeat
        silent = (now - heard).total_seconds() if heard else float("inf")
        found.append(
            WorkerSeen(
                worker.name, worker.hostname or "", worker.pid or 0, worker.get_state(), silent
            )
        )
    return sorted(found, key=lambda seen: seen.name)


def memory(pid: int) -> int | None:
    """Bytes that a process and whatever it has started hold; pages they share count once. None: it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None
    total = 0
    for member in family:
        with suppress(psutil.Error):
            try:
                total += member.memory_full_info().pss
            except (psutil.AccessDenied, AttributeError):
                total += member.memory_info().rss
    return total


def uptime(started: float) -> float:
    """Seconds since a moment given by the clock."""
    return max(0.0, time.time() - started)


def _revision(connection: psycopg.Connection[dict[str, Any]]) -> str | None:
    try:
        rows = _rows(connection, "SELECT version_num FROM alembic_version")
    except errors.UndefinedTable:
        return None
    return str(rows[0]["version_num"]) if rows else None


def _leader(connection: psycopg.Connection[dict[str, Any]]) -> dict[str, Any] | None:
    try:
        rows = _rows(
            connection,
            "SELECT holder, leader_since, state, message, since, beat_at,"
            " extract(epoch FROM clock_timestamp() - beat_at)::float AS silent_seconds FROM sync_state",
        )
    except errors.UndefinedTable:
        return None
    return rows[0] if rows else None


def _counts(connection: psycopg.Connection[dict[str, Any]], query: str) -> dict[str, int]:
    return {str(row["name"]): int(row["count"]) for row in _rows(connection, query)}


def _one(connection: psycopg.Connection[dict[str, Any]], query: str) -> dict[str, Any]:
    return _rows(connection, query)[0]


def _rows(connection: psycopg.Connection[dict[str, Any]], query: str) -> tuple[dict[str, Any], ...]:
    # The texts are ours; nothing is put into them.
    return tuple(connection.execute(sql.SQL(query)).fetchall())
