"""The worker: takes nudges from Redis and runs each job in a process of its own, forked when it is due.

A forked process starts a job at once, since what is slow to import is in memory already, and shares those
pages with its siblings. Whatever happens to it (a limit, a crash in a library, the system out of memory) ends
that one job; the job's lease runs out and it is taken up again.

RQ ends a worker at the first surprise from Redis. This one goes on: Redis is only a nudge, and what it lost
is nudged again from Postgres.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import sqlalchemy.exc
from redis import Redis, RedisError
from rq import Worker as RqWorker
from rq import worker_registration
from rq.exceptions import StopRequested
from rq.job import Job as Nudge
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from db import jobs
from db.config import Settings
from db.nudges import QUEUE, nudge_due, queue
from db.session import normalised_url
from ml_backend.preload import preload

# What the handler of the nudges lives in; imported once, before the first fork.
HANDLERS = "ml_backend.jobs"
# While idle a worker is heard from this often, and looks for jobs that nobody nudged.
HEARTBEAT_SECONDS = 5
GRACE_SECONDS = 20.0
# After the grace: the job's process may still write down that it was stopped.
_LAST_WORDS_SECONDS = 4.0
_LONGEST_PAUSE = 10.0
_RQ_TTL_MARGIN = 15  # RQ waits for a nudge this much shorter than a worker is believed alive

log = logging.getLogger(__name__)


class _Worker(RqWorker):  # type: ignore[misc]  # RQ's types are not looked into
    """RQ's forking worker, deaf to a Redis that comes and goes."""

    max_connection_wait_time = _LONGEST_PAUSE
    log_result_lifespan = False

    grace = GRACE_SECONDS
    rescue: Callable[[], object] = staticmethod(lambda: None)
    stop: Stop

    def subscribe(self) -> None:
        """Jobs are cancelled in Postgres: RQ's channel for orders would cost a thread and a connection."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        super().heartbeat(timeout, pipeline)
        if pipeline is not None:
            return
        if self.stop.requested:  # what the signal raised got lost on the way
            raise StopRequested
        key = worker_registration.WORKERS_BY_QUEUE_KEY % QUEUE
        if self.birth_date and not self.connection.sismember(key, self.key):  # Redis was flushed
            self.connection.hset(self.key, mapping=self.serialize())
            worker_registration.register(self)
        self.rescue()

    def maintain_heartbeats(self, job: Any, execution: Any) -> None:
        # Raised from here, the error would leave the job's process without a parent to wait for it.
        with suppress(RedisError):
            super().maintain_heartbeats(job, execution)

    def handle_warm_shutdown_request(self) -> None:
        self.stop.requested = True
        log.info("told to stop%s", ", the job that runs may end first" if self.horse_pid else "")
        self._bring_to_an_end()

    def monitor_work_horse(self, job: Any, queue: Any, execution: Any) -> None:
        if self.stop.requested:  # while the job's process was being made, of which nobody knew yet
            self._bring_to_an_end()
        super().monitor_work_horse(job, queue, execution)

    def _bring_to_an_end(self) -> None:
        if self.horse_pid:
            threading.Thread(target=self._cut_short, args=(self.horse_pid,), daemon=True).start()

    def set_shutdown_requested_date(self) -> None:
        with suppress(RedisError):
            super().set_shutdown_requested_date()

    def setup_work_horse_signals(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _stop_job)

    def _cut_short(self, pid: int) -> None:
        """Let the job end by itself; then ask it to; then end it with whatever it has started."""
        if self._outlasts(pid, self.grace):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if self._outlasts(pid, _LAST_WORDS_SECONDS):
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)

    def _outlasts(self, pid: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.horse_pid != pid:
                return False
            time.sleep(0.05)
        return True


def _stop_job(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # As if the job's time had not come: it is put back, and this attempt does not count.
    raise importlib.import_module(HANDLERS).Again(1.0)


class _Stopped(BaseException):
    """A signal came while no worker of RQ's was there to take it."""


@dataclass
class Stop:
    """Whether a signal asked for the end.

    Its handler raises to end a wait at once. An exception that comes up in a destructor or a weak
    reference's callback is dropped by Python, so it is also written down here and looked at once a heartbeat.
    """

    requested: bool = False

    def raise_on_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        self.requested = True
        raise _Stopped


def work(settings: Settings, *, grace: float = GRACE_SECONDS) -> None:
    """Take and run jobs until SIGTERM or SIGINT. Returns only then, whatever Redis and Postgres do."""
    prepare()
    pauses = 0
    stop = Stop()
    rescuer = Rescuer(settings)
    while True:
        began = time.monotonic()
        worker = None
        try:
            stop.raise_on_signals()
            worker = _make(settings, rescuer, grace, stop)
            worker.work(logging_level="WARNING")
        except _Stopped:
            if worker is not None:  # it may have said that it is there already
                with suppress(RedisError):
                    worker.teardown()
            return
        except RedisError as error:
            log.warning("Redis is away: %s", error)
        except StopRequested:
            pass
        if worker is not None:
            _wait_for_job(worker)
        if stop.requested:
            return
        pauses = 0 if time.monotonic() - began > 60 else pauses + 1
        try:
            stop.raise_on_signals()
            time.sleep(min(2.0**pauses, _LONGEST_PAUSE) * random.uniform(0.75, 1))  # noqa: S311 - no secret
        except _Stopped:
            return


def work_off(settings: Settings) -> int:
    """Run whatever is due now, and what that leads to, then return; how many nudges were sent for it.

    Jobs that wait for a later moment are left. Raises RedisError where Redis cannot be reached.
    """
    prepare()
    rescuer = Rescuer(settings)
    count, last = 0, None
    while (due := rescuer.due()) and due != last:  # the same again: nobody could claim them
        last = due
        count += rescuer.nudge()
        _make(settings, rescuer, GRACE_SECONDS, Stop()).work(burst=True, logging_level="WARNING")
    return count


class Rescuer:
    """Nudges jobs that are due and that nobody was told of: after a back-off, or after Redis forgot them."""

    def __init__(self, settings: Settings) -> None:
        # No pool: a connection that is open while a job's process is forked would be open in both.
        self._engine = create_engine(
            normalised_url(settings.database_url),
            poolclass=NullPool,
            connect_args={"connect_timeout": 5, "application_name": "fieldloop-worker"},
        )
        self._redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=2)
        self._next = 0.0

    def __call__(self) -> None:
        """As often as a heartbeat at most; that Postgres is away is no reason to stop."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + HEARTBEAT_SECONDS * 0.9
        try:
            self.nudge()
        except sqlalchemy.exc.SQLAlchemyError as error:
            log.warning("Postgres did not say which jobs are due: %s", type(error).__name__)

    def nudge(self) -> int:
        with Session(self._engine) as session, session.begin():
            return nudge_due(self._redis, session)

    def due(self) -> set[object]:
        with Session(self._engine) as session:
            return {*jobs.due(session, limit=1000)}


def prepare() -> None:
    """Import what jobs need, once, before anything is forked."""
    preload(HANDLERS)


def _make(settings: Settings, rescuer: Rescuer, grace: float, stop: Stop) -> _Worker:
    connection = Redis.from_url(settings.redis_url, socket_connect_timeout=2)
    worker = _Worker(
        [queue(connection)],
        name=f"{os.uname().nodename}-{os.getpid()}-{random.getrandbits(24):06x}",
        connection=connection,
        job_class=Nudge,
        serializer=JSONSerializer,
        worker_ttl=HEARTBEAT_SECONDS + _RQ_TTL_MARGIN,
        job_monitoring_interval=HEARTBEAT_SECONDS,
        log_job_description=False,
    )
    worker.grace, worker.rescue, worker.stop = grace, rescuer, stop
    return worker


def _wait_for_job(worker: _Worker) -> None:
    """RQ gave up although a job runs: let it end before the next one is taken."""
    while pid := worker.horse_pid:
        try:
            worker.wait_for_horse()
        except OSError:
            log.warning("could not wait for process %d", pid)
        worker._horse_pid = 0
