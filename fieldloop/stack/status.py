"""The state of the stack and of the record, as one value: what ``fieldloop status`` shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import psycopg
from redis import Redis, RedisError

from db.config import Settings
from db.migrate import head
from fieldloop.stack import parts as probe
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.probes import Record, WorkerSeen, memory, read_record, uptime, workers
from fieldloop.stack.processes import Identity

# The mirror's leader says that it lives every few seconds.
LEADER_SILENCE = 30.0
_OURS = ("backend", "worker", "sync")


class Code(IntEnum):
    """Exit codes of ``fieldloop status``."""

    WELL = 0
    WRONG = 1
    NOT_RUNNING = 3


@dataclass(frozen=True)
class PartState:
    """A part of the local stack, now."""

    name: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    memory_bytes: int | None
    restarts: int
    address: str
    health: str
    """"ok", or what is wrong."""


@dataclass(frozen=True)
class Status:
    """All of it."""

    supervised: bool
    """Whether a supervisor of this state folder lives."""
    phase: str
    parts: tuple[PartState, ...]
    record: Record | None
    workers: tuple[WorkerSeen, ...]
    problems: tuple[str, ...]
    code: Code

    @property
    def own_memory_bytes(self) -> int:
        """What our own programs hold: backend, worker and mirror."""
        return sum(part.memory_bytes or 0 for part in self.parts if part.name in _OURS)


def take(folder: StateFolder, settings: Settings) -> Status:
    """Look at everything once; ``settings`` may lack what is not known."""
    supervised = folder.is_locked()
    run = folder.read_run()
    problems: list[str] = []
    record = _record(settings, problems)
    seen = _workers(settings, problems)
    rows: Mapping[str, Mapping[str, Any]] = run.get("parts", {})
    states = tuple(
        _part(name, row, settings, seen, record)
        for name, row in rows.items()
        if not row.get("step") or row.get("state") not in {"done", "waiting"}
    )
    if supervised:
        problems += [
            f"{part.name}: {part.health}."
            for part in states
            if part.health not in {"ok", "starting"}
        ]
    elif states:
        problems.append("The supervisor was killed; `fieldloop up` or `fieldloop down` cleans up.")
    if not supervised and not settings.database_url:
        return Status(False, "", states, None, (), tuple(problems), Code.NOT_RUNNING)
    if record is not None:
        problems += _of_record(record)
    code = Code.WRONG if problems else Code.WELL
    if not supervised and record is None:
        code = Code.NOT_RUNNING
    return Status(
        supervised, str(run.get("phase", "")), states, record, seen, tuple(problems), code
    )


def _record(settings: Settings, problems: list[str]) -> Record | None:
    if not settings.database_url:
        return None
    try:
        return read_record(settings.database_url)
    except psycopg.Error as error:
        problems.append(f"DATABASE_URL: {_first_line(error)}.")
        return None


def _workers(settings: Settings, problems: list[str]) -> tuple[WorkerSeen, ...]:
    if not settings.redis_url:
        return ()
    try:
        with Redis.from_url(
            settings.redis_url, socket_timeout=3, socket_connect_timeout=2
        ) as redis:
            seen = tuple(worker for worker in workers(redis) if worker.alive)
    except RedisError as error:
        problems.append(f"REDIS_URL: {_first_line(error)}.")
        return ()
    if not seen:
        problems.append("No worker was heard from: documents are not read and models not trained.")
    return seen


def _of_record(record: Record) -> list[str]:
    problems = []
    if record.revision != head():
        problems.append(
            f"The database is at revision {record.revision or 'none'}, this program needs {head()}: "
            "run `fieldloop migrate`."
        )
    if record.revision is not None:
        if record.inbox_dead:
            problems.append(
                f"{record.inbox_dead} webhook events were given up; webhook_deliveries.last_error says why."
            )
        if record.leader is not None and record.leader["silent_seconds"] > LEADER_SILENCE:
            problems.append("Nobody mirrors Label Studio; see `fieldloop logs sync`.")
        elif record.leader is not None and record.leader["message"]:
            problems.append(f"The mirror waits: {record.leader['message']}")
    return problems


def _part(
    name: str,
    row: Mapping[str, Any],
    settings: Settings,
    seen: tuple[WorkerSeen, ...],
    record: Record | None,
) -> PartState:
    pid, started = row.get("pid"), row.get("started")
    alive = bool(pid and started and Identity(pid, started).is_alive())
    return PartState(
        name=name,
        state=str(row.get("state", "")),
        pid=pid if alive else None,
        uptime_seconds=uptime(started) if alive and started else None,
        memory_bytes=memory(pid) if alive and pid else None,
        restarts=int(row.get("restarts", 0)),
        address=str(row.get("address", "")),
        health=_health(name, row, alive, settings, seen, record),
    )


def _health(
    name: str,
    row: Mapping[str, Any],
    alive: bool,
    settings: Settings,
    seen: tuple[WorkerSeen, ...],
    record: Record | None,
) -> str:
    state = row.get("state")
    if state in {"starting", "waiting"}:
        return "starting"
    if not alive:
        return "restarting" if state == "restarting" else "ended"
    answers: dict[str, Callable[[], bool]] = {
        "postgres": lambda: record is not None,
        "redis": lambda: probe.redis_answers(settings.redis_url),
        "label-studio": lambda: probe.http_answers(f"{settings.label_studio_url}/health"),
        "backend": lambda: probe.http_answers(f"{settings.backend_url}/health"),
        "worker": lambda: bool(seen),
    }
    return "ok" if answers.get(name, probe.always)() else "does not answer"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
