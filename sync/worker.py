"""The mirror as a process: one leader works, the others stand by; nothing that goes away ends it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy.exc
from redis import RedisError

from db import mirror, sync_runs
from db.errors import RecordError
from db.label_studio import LabelStudioError
from db.leader import Leadership
from db.nudges import nudge_due
from sync import passes
from sync.inbox_pass import BATCH, drain
from sync.look import Written
from sync.passes import Patience
from sync.services import Mirrored, Services, mirrored_projects

STANDBY_SECONDS = 2.0
IDLE_SECONDS = 0.2
BACKFILL_SLICE = 5.0
LONGEST_PAUSE = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """Seconds between passes."""

    catch_up: float = 2.0
    counters: float = 10.0
    sweep: float = 120.0
    """Between sweeps of ids; longer where one takes long, so that Label Studio is not kept busy by us."""
    rescue: float = 5.0
    beat: float = 2.0
    projects: float = 5.0


@dataclass
class _Due:
    """When the passes of a project are due next, by the monotonic clock."""

    catch_up: float = 0.0
    counters: float = 0.0
    sweep: float = 0.0
    patience: Patience = field(default_factory=Patience)


class Worker:
    """Runs until ``stop`` is set."""

    def __init__(
        self, services: Services, stop: threading.Event, rhythm: Rhythm | None = None
    ) -> None:
        self._services = services
        self._stop = stop
        self._rhythm = rhythm or Rhythm()
        self._leadership = Leadership(services.database_url)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._due: dict[int, _Due] = {}
        self._projects: list[Mirrored] = []
        self._next: dict[str, float] = {}
        self._pause = 0.0
        self._state: tuple[str, str | None] = ("mirroring", None)

    def run(self) -> None:
        """Stand by, lead, and stand by again if the lock is lost."""
        standing_by = False
        while not self._stop.is_set():
            if not self._leadership.acquire():
                if not standing_by:
                    log.info("another process mirrors; standing by")
                standing_by = True
                self._stop.wait(STANDBY_SECONDS)
                continue
            standing_by = False
            log.info("mirroring as %s", self._holder)
            try:
                self._lead()
            finally:
                self._leadership.release()
        log.info("stopped")

    def _lead(self) -> None:
        self._next.clear()
        while not self._stop.is_set() and self._leadership.held:
            try:
                busy = self.step()
            except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
                log.warning("Postgres is away: %s", type(error).__name__)
                self._wait_longer()
                continue
            except (LabelStudioError, RecordError) as error:
                self._waiting(str(error))
                continue
            except Exception:
                log.exception("a pass failed; the next one follows")
                self._wait_longer()
                continue
            self._pause = 0.0
            if not busy:
                self._stop.wait(IDLE_SECONDS)

    def step(self) -> bool:
        """Whatever is due; whether there is more to do at once."""
        self._every("projects", self._rhythm.projects, self._load_projects)
        self._every("rescue", self._rhythm.rescue, self._rescue)
        self._every("beat", self._rhythm.beat, self._beat)
        drained = drain(self._services, self._projects)
        busy = drained.deliveries >= BATCH
        if drained.deliveries:
            log.info("drained %d deliveries: %s", drained.deliveries, _counts(drained.written))
        for project in self._projects:
            due = self._due.setdefault(project.id, _Due())
            if project.id in drained.sweep:
                due.sweep = 0.0
            if project.id in drained.catch_up:
                due.catch_up = 0.0
            busy = self._passes(project, due) or busy
        self._now("mirroring", None)
        return busy

    def _passes(self, project: Mirrored, due: _Due) -> bool:
        with self._services.sessions.begin() as session:
            backfills = passes.needs_backfill(session, project)
        if backfills:
            self._now("backfilling", None)
            written, complete = passes.backfill(self._services, project, seconds=BACKFILL_SLICE)
            log.info("backfill of project %d: %s", project.id, _counts(written))
            return not complete
        if time.monotonic() >= due.catch_up:
            self._catch_up(project, due)
        if time.monotonic() >= due.counters:
            due.counters = time.monotonic() + self._rhythm.counters
            number = project.source.counters().get("task_number")
            with self._services.sessions.begin() as session:
                if number is not None and number != mirror.count_tasks(session, project.id):
                    due.sweep = 0.0
        if time.monotonic() >= due.sweep:
            self._sweep(project, due)
        return False

    def _catch_up(self, project: Mirrored, due: _Due) -> None:
        started = time.monotonic()
        written, changed = passes.catch_up(self._services, project, due.patience)
        due.catch_up = time.monotonic() + self._rhythm.catch_up
        self._record(project, "catch_up", started, {**written.counts(), "differing": changed})

    def _sweep(self, project: Mirrored, due: _Due) -> None:
        started = time.monotonic()
        written, counts = passes.sweep(self._services, project)
        took = time.monotonic() - started
        due.sweep = time.monotonic() + max(self._rhythm.sweep, 20 * took)
        self._record(project, "deletions", started, {**written.counts(), **counts, "seen": 0})

    def _record(self, project: Mirrored, kind: str, started: float, counts: dict[str, int]) -> None:
        seconds = time.monotonic() - started
        with self._services.sessions.begin() as session:
            sync_runs.record_run(session, project.id, kind, seconds=seconds, ok=True, counts=counts)
        if any(counts.values()):
            log.info("%s of project %d: %s", kind, project.id, counts)

    def _load_projects(self) -> None:
        with self._services.sessions.begin() as session:
            self._projects = mirrored_projects(session, self._services)

    def _rescue(self) -> None:
        try:
            with self._services.sessions.begin() as session:
                nudge_due(self._services.redis, session)
        except RedisError as error:
            log.warning("Redis is away: %s", type(error).__name__)

    def _beat(self) -> None:
        with self._services.sessions.begin() as session:
            sync_runs.beat(session, self._holder, *self._state)

    def _every(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        if time.monotonic() >= self._next.get(name, 0.0):
            act()
            self._next[name] = time.monotonic() + seconds

    def _now(self, state: str, message: str | None) -> None:
        if self._state != (state, message):
            self._state = (state, message)
            self._beat()

    def _waiting(self, message: str) -> None:
        log.warning("waiting: %s", message)
        try:
            self._now("waiting", message)
            # Jobs wait for nobody's Label Studio.
            self._rescue()
            self._beat()
        except sqlalchemy.exc.SQLAlchemyError as error:
            log.warning("Postgres is away: %s", type(error).__name__)
        self._wait_longer()

    def _wait_longer(self) -> None:
        self._pause = min(max(1.0, 2 * self._pause), LONGEST_PAUSE)
        self._stop.wait(self._pause)


def _counts(written: Written) -> str:
    return ", ".join(f"{n} {name}" for name, n in written.counts().items() if n) or "nothing new"
