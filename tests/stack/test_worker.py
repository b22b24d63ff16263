"""The worker over a real Redis and a real record: crashes, stops, floods and droughts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from redis import Redis
from rq import Worker as RqWorker

from db import jobs
from db.models import Job, JobState
from db.nudges import nudge, queue
from db.session import make_engine, make_session_factory
from fieldloop.stack import parts, valkey
from tests.conftest import Database, new_database
from tests.stack.programs import free_port

HERE = Path(__file__).parent


class Work:
    """A worker process, the record it works on and the Redis it listens to."""

    def __init__(self, database: Database, redis_url: str, log: Path) -> None:
        self.database = database
        self.redis_url = redis_url
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: object) -> None:
        environ = {
            **os.environ,
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.redis_url,
            "BLOB_URL": "file:///tmp/none",
            "LABEL_STUDIO_URL": "http://127.0.0.1:1",
            "LABEL_STUDIO_API_KEY": "none",
            "FIELDLOOP_WEBHOOK_SECRET": "x" * 16,
            "FIELDLOOP_SIGNING_KEY": "x" * 16,
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "work.py"), *map(str, arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
            )

    def add(self, kind: str, subject: str = "1", *, tell: bool = True) -> UUID:
        with self.database.session_factory.begin() as session:
            job = jobs.enqueue(session, kind=kind, subject=subject, created_by="test")
        if tell:
            with Redis.from_url(self.redis_url) as redis:
                nudge(redis, [job.id])
        return job.id

    def job(self, job_id: UUID) -> Job:
        with self.database.session_factory() as session:
            return session.get_one(Job, job_id)

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}\n{self.log.read_text()}"
            time.sleep(0.05)

    def until_state(self, job_id: UUID, state: JobState) -> None:
        self.until(lambda: self.job(job_id).state is state, f"job {state}")

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@pytest.fixture
def work(committed_database: Database, redis_url: str, tmp_path: Path) -> Iterator[Work]:
    made = Work(committed_database, redis_url, tmp_path / "log")
    yield made
    _kill(made)


@pytest.fixture(scope="module")
def standing(
    postgres_url: str,
    template_database: str,
    _redis_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Work]:
    """One worker for the tests that leave it running."""
    redis_url = f"{_redis_server}/12"
    with new_database(postgres_url, template_database) as url:
        engine = make_engine(url)
        database = Database(url, engine, make_session_factory(engine))
        made = Work(database, redis_url, tmp_path_factory.mktemp("worker") / "log")
        made.start()
        made.until(lambda: _workers(redis_url), "a worker that is heard from")
        yield made
        _kill(made)
        engine.dispose()
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()


def _kill(work: Work) -> None:
    if work.process is not None and work.process.poll() is None:
        children = psutil.Process(work.process.pid).children(recursive=True)
        for process in (work.process, *children):
            process.kill()
        work.process.wait()


@pytest.mark.parametrize("end", ["crash", "memory"])
def test_a_job_that_dies_costs_the_worker_nothing_and_is_tried_again(
    standing: Work, end: str
) -> None:
    bad, good = standing.add(end), standing.add("ok", subject=end)
    standing.until_state(good, JobState.DONE)
    standing.until(lambda: standing.job(bad).attempts >= 2, "a second attempt")
    assert standing.running()


def test_sigterm_lets_a_short_job_end(work: Work) -> None:
    work.start()
    job = work.add("nap")
    work.until_state(job, JobState.RUNNING)
    assert work.stop() == 0
    assert work.job(job).state is JobState.DONE


def test_sigterm_puts_a_long_job_back(work: Work) -> None:
    work.start(1, 0.2)
    job = work.add("sleep")
    work.until_state(job, JobState.RUNNING)
    assert work.stop() == 0
    stopped = work.job(job)
    assert stopped.state is JobState.QUEUED
    assert stopped.error == "put back"


def test_sigterm_ends_a_job_that_will_not_stop(work: Work) -> None:
    work.start(1, 0.2)
    job = work.add("stubborn")
    work.until_state(job, JobState.RUNNING)
    pid = int(work.job(job).worker or 0)
    assert work.stop() == 0
    assert not psutil.pid_exists(pid)


def test_an_idle_worker_is_heard_from_and_stops_at_once_with_code_0(work: Work) -> None:
    heard = parts.WorkerHeard(work.redis_url)
    heard.begin()
    assert not heard()
    work.start()
    work.until(heard, "a worker that is heard from")
    heard.since += 3600
    assert not heard()  # it was there before
    assert work.stop() == 0
    assert not _workers(work.redis_url)


def test_a_stop_that_python_dropped_on_the_way_is_remembered(work: Work) -> None:
    work.start(-1)
    assert work.process is not None
    assert work.process.wait(timeout=60) == 0
    assert not _workers(work.redis_url)


def test_a_flushed_redis_loses_no_job_and_no_worker(standing: Work) -> None:
    job = standing.add("ok", subject="flushed")
    with Redis.from_url(standing.redis_url) as redis:
        redis.flushdb()
    standing.until_state(job, JobState.DONE)
    standing.until(lambda: _workers(standing.redis_url), "the worker registered again")
    assert standing.running()


def test_a_job_nobody_was_told_of_is_found(standing: Work) -> None:
    job = standing.add("ok", subject="untold", tell=False)
    standing.until_state(job, JobState.DONE)


def test_redis_may_be_away_at_the_start_and_in_between(
    committed_database: Database, tmp_path: Path
) -> None:
    port = free_port()
    work = Work(committed_database, f"redis://127.0.0.1:{port}/0", tmp_path / "log")
    server = None
    try:
        work.start()
        work.until(lambda: "Redis is away" in work.log.read_text(), "a word about it")
        server = _redis(port, tmp_path)
        first = work.add("ok", tell=False)
        work.until_state(first, JobState.DONE)
        busy = work.add("nap", tell=False)
        work.until_state(busy, JobState.RUNNING)
        server.kill()
        server.wait()
        work.until_state(busy, JobState.DONE)
        second = work.add("ok", subject="2", tell=False)
        server = _redis(port, tmp_path)
        work.until_state(second, JobState.DONE)
        assert work.process is not None
        assert work.process.poll() is None
        server.kill()
        server.wait()
        assert work.stop() == 0
    finally:
        _kill(work)
        if server is not None:
            server.kill()
            server.wait()


def test_several_processes_run_jobs_at_once_and_are_replaced(work: Work) -> None:
    work.start(2, 0.2)
    first, second = work.add("sleep", "1"), work.add("sleep", "2")
    work.until_state(first, JobState.RUNNING)
    work.until_state(second, JobState.RUNNING)
    assert work.process is not None
    for child in psutil.Process(work.process.pid).children():
        for horse in child.children():
            horse.kill()
        child.kill()
    third = work.add("ok")
    work.until_state(third, JobState.DONE)
    assert work.stop() == 0
    assert not psutil.pid_exists(work.process.pid)


@pytest.mark.parametrize("processes", [1, 2])
def test_told_to_stop_while_a_process_is_being_made_it_stops(work: Work, processes: int) -> None:
    """A job's process, or one of several workers: it is not yet known to the one that is told."""
    job = work.add("sleep")
    work.start(processes, 0.2, "fork")
    assert work.process is not None
    assert work.process.wait(timeout=60) == 0
    assert work.job(job).state is not JobState.RUNNING


def test_burst_runs_what_is_due_and_ends(work: Work) -> None:
    due = work.add("ok", tell=False)
    with work.database.session_factory.begin() as session:
        later = jobs.enqueue(
            session, kind="ok", subject="2", created_by="test", run_after=timedelta(hours=1)
        ).id
    work.start(0)
    assert work.process is not None
    assert work.process.wait(timeout=60) == 0
    assert work.log.read_text().splitlines()[-1] == "1"
    assert work.job(due).state is JobState.DONE
    assert work.job(later).state is JobState.QUEUED


def _workers(url: str) -> list[RqWorker]:
    with Redis.from_url(url) as redis:
        return [*RqWorker.all(queue=queue(redis))]


def _redis(port: int, folder: Path) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [
            *(str(valkey.program()), "--port", str(port), "--bind", "127.0.0.1"),
            *("--save", "", "--dir", str(folder)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 30
    while not parts.redis_answers(f"redis://127.0.0.1:{port}"):
        assert time.monotonic() < deadline, "Redis did not start"
        time.sleep(0.02)
    return server
