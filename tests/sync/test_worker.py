"""The mirror as a process: one leader, a standby that takes over, and parts that go away and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from db.leader import Leadership, turn
from db.models import SyncState
from sync.inbox_pass import drain
from sync.inbox_watch import InboxWatch
from sync.once import once
from sync.passes import doubt_deliveries
from sync.worker import Rhythm, Worker
from tests.conftest import Database
from tests.sync.fake_label_studio import TOKEN
from tests.sync.mirroring import (
    deliver,
    events_of,
    mirrored,
    region,
    standing,
    standing_tasks,
    truth,
)
from tests.sync.proxy import Fault

DATA = {"data": {"pages": ["http://pages/1.png"]}}
QUICK = Rhythm(catch_up=0.2, counters=0.2, sweep=0.5, rescue=0.2, beat=0.2, projects=0.2, gone=0.3)
CHECKOUT = Path(__file__).parents[2]


def until(condition, seconds=60.0):
    """Wait for it; a test that waits in vain fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def working(services, rhythm=QUICK):
    stop = threading.Event()
    worker = Worker(services, stop, rhythm)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()


def state_of(services) -> SyncState | None:
    with services.sessions.begin() as session:
        return session.get(SyncState, 1)


def test_from_the_back_fill_to_the_last_deletion(services, project, studio):
    tasks = studio.import_tasks(1, [DATA] * 5)
    studio.annotate(tasks[0], region("r1"))
    with working(services):
        until(lambda: standing(services) == truth(studio))
        studio.outbox.clear()
        annotation = studio.annotate(tasks[1], region("r1"))
        deliver(services, studio.outbox)
        until(lambda: standing(services) == truth(studio))
        studio.edit(annotation, result=region("r1", text="2"))
        until(lambda: standing(services) == truth(studio))
        studio.delete_tasks(tasks[:2], silent=True)
        until(lambda: standing_tasks(services) == set(studio.tasks))
        until(lambda: state_of(services).state == "mirroring")
    assert standing(services) == truth(studio)
    assert state_of(services).state == "stopped"


def test_label_studio_goes_away_and_comes_back(services, project, studio, proxy):
    (task,) = studio.import_tasks(1, [DATA])
    with working(services):
        until(lambda: standing_tasks(services) == {task})
        proxy.plan = lambda request: Fault(drop=True)
        until(lambda: state_of(services).state == "waiting")
        assert "LABEL_STUDIO_URL" in state_of(services).message
        studio.annotate(task, region("r1"))
        proxy.plan = lambda request: None
        until(lambda: standing(services) == truth(studio))
        until(lambda: state_of(services).state == "mirroring")


def test_a_project_deleted_in_label_studio_stops_no_other(services, project, studio):
    studio.create_project("Orders")
    mirrored(services, 2, "Orders")
    (one,) = studio.import_tasks(1, [DATA])
    (other,) = studio.import_tasks(2, [DATA])
    with working(services):
        until(lambda: standing_tasks(services) == {one, other})
        studio.delete_project(1)
        until(lambda: standing_tasks(services) == {other})
        studio.annotate(other, region("r1"))
        until(lambda: standing(services) == truth(studio))
    with services.sessions.begin() as session:
        gone = session.execute(text("SELECT title FROM projects WHERE deleted_at IS NOT NULL"))
        assert gone.scalars().all() == ["Invoices"]


def test_the_lock_is_lost_with_its_connection(committed_database: Database):
    first, second = Leadership(committed_database.url), Leadership(committed_database.url)
    assert first.acquire()
    assert not second.acquire()
    with committed_database.session_factory.begin() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'fieldloop-sync-leader' AND datname = current_database()"
            )
        )
    until(lambda: not first.held)
    assert second.acquire()
    first.release()
    assert second.held
    second.release()
    assert first.acquire()
    first.release()


def test_a_leader_that_is_stopped_loses_the_lock(committed_database: Database):
    program = (
        "import sys, time; from db.leader import Leadership\n"
        "leader = Leadership(sys.argv[1]); assert leader.acquire(); print('leads', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, committed_database.url],
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"leads\n"
        standby = Leadership(committed_database.url)
        assert not standby.acquire()
        child.send_signal(signal.SIGSTOP)
        until(standby.acquire)
        standby.release()
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def test_passes_over_one_project_follow_each_other(committed_database: Database):
    order: list[str] = []
    inside = threading.Event()

    def second():
        inside.wait()
        with turn(committed_database.engine, 1):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with turn(committed_database.engine, 1) as held:
        inside.set()
        with turn(committed_database.engine, 2):
            order.append("another project")
        with held.begin() as session:
            session.execute(text("SELECT 1"))
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["another project", "first", "second"]


@pytest.mark.parametrize("victim", ["leader", "standby"])
def test_two_processes_and_one_of_them_is_killed(
    committed_database, redis_url, services, project, studio, proxy, victim
):
    (task,) = studio.import_tasks(1, [DATA])
    environ = {
        **os.environ,
        "DATABASE_URL": committed_database.url,
        "REDIS_URL": redis_url,
        "LABEL_STUDIO_URL": proxy.url,
        "LABEL_STUDIO_API_KEY": TOKEN,
    }
    command = [sys.executable, "-m", "fieldloop", "sync", "run"]
    processes = [
        subprocess.Popen(command, env=environ, cwd=CHECKOUT, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    try:
        until(lambda: standing_tasks(services) == {task})
        holder = int(state_of(services).holder.rpartition(":")[2])
        leader, standby = sorted(processes, key=lambda process: process.pid != holder)
        assert leader.pid == holder
        (leader if victim == "leader" else standby).kill()
        studio.annotate(task, region("r1"))
        until(lambda: standing(services) == truth(studio))
        assert len(events_of(services)) == 1
        expected = standby if victim == "leader" else leader
        until(lambda: state_of(services).holder.endswith(f":{expected.pid}"))
        expected.terminate()
        assert expected.wait(timeout=60) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_inbox_is_watched_only_after_it_was_seen(proxy):
    watch = InboxWatch(proxy.url, every=0.05)
    up = Fault(status=200)
    proxy.plan = lambda request: Fault(status=503)
    watch.start()
    try:
        until(lambda: len(proxy.seen) >= 3)
        assert not watch.was_away()
        proxy.plan = lambda request: up
        seen = len(proxy.seen)
        until(lambda: len(proxy.seen) >= seen + 3)
        assert not watch.was_away()
        proxy.plan = lambda request: Fault(drop=True)
        until(watch.was_away)
    finally:
        watch.stop()


def test_states_told_while_the_inbox_was_away_are_doubted(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    annotation = studio.annotate(task, region("r1", text="1"))
    once(services, project)
    studio.outbox.clear()
    studio.edit(annotation, result=region("r1", text="lost"))
    studio.edit(annotation, result=region("r1", text="3"))
    with services.sessions.begin() as session:
        doubt_deliveries(session, project)
    deliver(services, studio.outbox[-1:])
    drain(services, [project])
    last = events_of(services)[-1]
    assert (last.source, last.gap) == ("webhook", True)
