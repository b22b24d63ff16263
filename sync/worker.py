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
from db.label_studio_errors import LabelStudioError, NotFound, Unauthorized, Unreachable
from db.leader import Leadership
from db.nudges import nudge_due
from sync import passes
from sync.inbox_pass import BATCH, Drained, drain
from sync.inbox_watch import InboxWatch
from sync.look import Written
from sync.looking import AnotherProject
from sync.passes import Patience
from sync.presence import back_again, is_gone, record_gone
from sync.services import Mirrored, Services, mirrored_projects
from sync.verify import last_verified, verify

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
    verify: float = 6 * 3600.0
    """Between comparisons with a full export; 0: only when asked for."""
    first_verify: float = 600.0
    """After becoming leader, where the last comparison is older than ``verify``."""
    gone: float = 15.0
    """Between the two times a project must be found gone before it is believed."""
    rescue: float = 5.0
    beat: float = 2.0
    projects: float = 5.0


@dataclass
class _Due:
    """When the passes of a project are due next, by the monotonic clock."""

    catch_up: float = 0.0
    counters: float = 0.0
    sweep: float = 0.0
    verify: float = 0.0
    look_again: float = 0.0
    """A project that failed, or is gone, is left alone until then."""
    gone_since: float | None = None
    failures: int = 0
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
        url = services.backend_url
        self._watch = None if url is None else InboxWatch(url)
        self._messages: list[str] = []
        self._backfilling = False
        self._state: tuple[str, str | None] = ("mirroring", None)

    def run(self) -> None:
        """Stand by, lead, and stand by again if the lock is lost."""
        if self._watch is not None:
            self._watch.start()
        try:
            self._lead_or_stand_by()
        finally:
            if self._watch is not None:
                self._watch.stop()
        log.info("stopped")

    def _lead_or_stand_by(self) -> None:
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
                self._say_goodbye()
                self._leadership.release()

    def _lead(self) -> None:
        self._next.clear()
        self._due.clear()
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
        """Whatever is due; whether there is more to do at once. Raises LabelStudioError where nothing can be asked."""
        self._every("projects", self._rhythm.projects, self._load_projects)
        self._every("rescue", self._rhythm.rescue, self._rescue)
        self._every("beat", self._rhythm.beat, self._beat)
        self._look_at_the_inbox()
        self._messages.clear()
        drained = self._drain()
        busy = drained.deliveries >= BATCH
        for project in self._projects:
            due = self._due.setdefault(project.id, self._first_due())
            if project.id in drained.sweep:
                due.sweep = 0.0
            if project.id in drained.catch_up:
                due.catch_up = 0.0
            if project.id in drained.check_project:
                due.look_again = 0.0
            if time.monotonic() < due.look_again:
                continue
            busy = self._guarded(project, due) or busy
            if self._stop.is_set() or not self._leadership.held:
                return False
        if self._messages:
            self._now("waiting", self._messages[0])
        elif not self._backfilling:
            self._now("mirroring", None)
        return busy

    def _look_at_the_inbox(self) -> None:
        if self._watch is not None and self._watch.was_away():
            with self._services.sessions.begin() as session:
                for project in self._projects:
                    passes.doubt_deliveries(session, project)

    def _drain(self) -> Drained:
        present = [project for project in self._projects if not project.gone]
        drained = drain(self._services, present)
        if drained.deliveries:
            log.info("drained %d deliveries: %s", drained.deliveries, _counts(drained.written))
        return drained

    def _guarded(self, project: Mirrored, due: _Due) -> bool:
        """The passes of one project; what is wrong with it alone stops no other project."""
        try:
            busy = self._passes(project, due)
        except (Unreachable, Unauthorized):
            raise
        except NotFound as error:
            self._not_found(project, due, error)
            return False
        except (LabelStudioError, AnotherProject) as error:
            due.failures += 1
            due.look_again = time.monotonic() + min(2.0**due.failures, LONGEST_PAUSE)
            self._messages.append(str(error))
            log.warning("project %d: %s", project.id, error)
            with self._services.sessions.begin() as session:
                sync_runs.record_run(
                    session,
                    project.id,
                    "catch_up",
                    seconds=0,
                    ok=False,
                    counts={},
                    error=str(error),
                )
            return False
        due.failures = 0
        due.gone_since = None
        return busy

    def _not_found(self, project: Mirrored, due: _Due, error: NotFound) -> None:
        """Something was not found: if it is the project itself, twice over some time, it is gone."""
        now = time.monotonic()
        due.look_again = now + 2.0
        if not is_gone(self._services, project):
            due.gone_since = None
            log.warning("project %d: %s", project.id, error)
        elif due.gone_since is None:
            due.gone_since = now
        elif now - due.gone_since >= self._rhythm.gone:
            record_gone(self._services, project)
            self._next.pop("projects", None)

    def _passes(self, project: Mirrored, due: _Due) -> bool:
        if project.gone:
            due.look_again = time.monotonic() + self._rhythm.gone
            if back_again(self._services, project):
                self._next.pop("projects", None)
            return False
        with self._services.sessions.begin() as session:
            self._backfilling = passes.needs_backfill(session, project)
        if self._backfilling:
            return self._backfill(project)
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
        if self._rhythm.verify and time.monotonic() >= due.verify:
            self._verify(project, due)
        return False

    def _backfill(self, project: Mirrored) -> bool:
        self._now("backfilling", None)
        started = time.monotonic()
        written, complete = passes.backfill(self._services, project, seconds=BACKFILL_SLICE)
        self._record(project, "backfill", started, written.counts())
        self._backfilling = not complete
        return not complete

    def _first_due(self) -> _Due:
        return _Due(verify=time.monotonic() + self._rhythm.first_verify)

    def _verify(self, project: Mirrored, due: _Due) -> None:
        due.verify = time.monotonic() + self._rhythm.verify
        with self._services.sessions.begin() as session:
            ago = last_verified(session, project)
        if ago is not None and ago < self._rhythm.verify:
            due.verify = time.monotonic() + self._rhythm.verify - ago
            return
        verdict = verify(self._services, project)
        if not verdict.equal:
            log.warning(
                "verify of project %d: %d differences, %d remain",
                project.id,
                len(verdict.differences),
                len(verdict.remaining),
            )

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
            told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            log.info("%s of project %d: %s", kind, project.id, told)

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

    def _say_goodbye(self) -> None:
        if self._leadership.held:
            try:
                self._now("stopped", None)
            except sqlalchemy.exc.SQLAlchemyError:
                log.debug("Postgres is away, nobody hears the goodbye")

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
