"""A worker with handlers of its own, as a process of its own: ``python work.py [PROCESSES] [GRACE] [TROUBLE]``.

No processes: what is due is worked off. Fewer: it is told to stop where Python drops what the signal raises.
TROUBLE ``fork``: it is told to stop right after a fork, before it has written down the new process.

The job's kind says what it does. Only the handlers are the test's; queue, forks and record are real.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import signal
import sys
import time
import types
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from rq.exceptions import StopRequested

from db import jobs
from db.config import Settings
from db.session import make_engine, make_session_factory
from fieldloop.stack import worker
from fieldloop.stack.herd import Herd

settings = Settings.from_environ()


class Again(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)


def run(job_id: str) -> None:
    sessions = make_session_factory(make_engine(settings.database_url))
    with sessions.begin() as session:
        job = jobs.claim(session, UUID(job_id), worker=str(os.getpid()), lease=timedelta(seconds=2))
    if job is None:
        return
    try:
        _do(job.kind)
    except Again:
        with sessions.begin() as session:
            jobs.fail(session, job, code="again", message="put back", retry=True)
        return
    with sessions.begin() as session:
        jobs.finish(session, job)


def _do(kind: str) -> None:
    if kind == "sleep":
        time.sleep(600)
    elif kind == "nap":
        time.sleep(1.5)
    elif kind == "stubborn":
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            try:
                time.sleep(1)
            except Again:
                continue
    elif kind == "crash":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.string_at(0)
    elif kind == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (2**20, 2**20))
        bytearray(2**30)


def _lose_signal(rescuer: worker.Rescuer) -> None:
    del rescuer
    worker.Rescuer.__call__ = lambda self: None  # type: ignore[method-assign]  # once
    with suppress(StopRequested):
        os.kill(os.getpid(), signal.SIGTERM)


def _fork_and_be_told() -> int:
    pid = fork()
    if pid:
        os.kill(os.getpid(), signal.SIGTERM)
    return pid


fork = os.fork
if sys.argv[3:] == ["fork"]:
    os.fork = _fork_and_be_told
handlers = types.ModuleType(worker.HANDLERS)
handlers.run, handlers.Again = run, Again  # type: ignore[attr-defined]
sys.modules[worker.HANDLERS] = handlers
logging.basicConfig(level=logging.INFO)
processes = int(sys.argv[1]) if len(sys.argv) > 1 else 1
grace = float(sys.argv[2]) if len(sys.argv) > 2 else worker.GRACE_SECONDS
if processes == 0:
    print(worker.work_off(settings))  # noqa: T201
elif processes < 0:
    worker.Rescuer.__call__ = _lose_signal  # type: ignore[method-assign]
    worker.work(settings, grace=grace)
elif processes == 1:
    worker.work(settings, grace=grace)
else:
    Herd(processes, lambda: worker.work(settings, grace=grace)).run()
