"""How fast the mirror is, and how much of that is ours: ``python -m bench.mirror`` (``make bench-mirror``).

Prints one Markdown row per figure with its target. Against a real Label Studio: a full mirror of many tasks of
twenty fields, and a catch-up of a hundred changes among them. Against one in memory, in a process of its own:
the rate at which the inbox is applied, and the memory of ``fieldloop sync`` at 1,000 and 100,000 tasks.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import redis as redis_client

from db import inbox
from db.migrate import upgrade
from db.models import Project
from db.projects import FieldRow, set_schema
from db.session import make_engine, make_session_factory
from fieldloop.commands._field_reader import SchemaReader
from sync.collector import collect_rarely
from sync.inbox_pass import drain
from sync.passes import LOOK_BACK, backfill, catch_up
from sync.services import Mirrored, People, Services, mirrored_projects
from tests.conftest import new_database
from tests.label_studio import running_label_studio
from tests.local_servers import running_postgres, running_redis
from tests.sync.fake_label_studio import TOKEN, Studio, serving
from tests.sync.mirroring import region

FIELDS = [f"field_{number:02}" for number in range(20)]
CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """One row of the answer."""

    what: str
    figure: str
    target: str
    met: bool

    def row(self) -> str:
        return f"| {self.what} | {self.figure} | {self.target} | {'yes' if self.met else 'NO'} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.mirror", description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks in the real Label Studio")
    parser.add_argument("--events", type=int, default=5_000, help="events in the inbox")
    parser.add_argument("--memory", type=int, default=100_000, help="tasks for the memory figure")
    parser.add_argument("--skip-label-studio", action="store_true")
    given = parser.parse_args()
    failed = 0
    collect_rarely()  # as `fieldloop sync` does
    print("| figure | measured | target | met |\n|---|---|---|---|", flush=True)
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        queue = stack.enter_context(running_redis())
        for figure in _figures(given, postgres, queue):
            failed += not figure.met
            print(figure.row(), flush=True)
    sys.exit(1 if failed else 0)


def _figures(given: argparse.Namespace, postgres: str, queue: str) -> Iterator[Figure]:
    yield from inbox_rate(postgres, queue, given.events)
    yield from memory(postgres, queue, given.memory)
    if not given.skip_label_studio:
        with running_label_studio(postgres) as server:
            yield from against_label_studio(postgres, queue, server, given.tasks)


def result(seed: int) -> list[dict[str, Any]]:
    """Twenty fields, forty entries, about eleven kilobytes."""
    return [
        entry
        for number, name in enumerate(FIELDS)
        for entry in region(f"{seed % 97}-{number}", name, f"{seed + number}.00", x=number * 3.0)
    ]


# Real


def against_label_studio(postgres: str, queue: str, server: Any, tasks: int) -> Iterator[Figure]:
    client = server.client
    config = "".join(f'<Label value="{name}"/>' for name in FIELDS)
    number = client.send(
        "POST",
        "/api/projects/",
        {
            "title": "Bench",
            "label_config": f'<View><RectangleLabels name="label" toName="img">{config}</RectangleLabels>'
            '<Image name="img" valueList="$pages"/><TextArea name="text" toName="img" perRegion="true"/></View>',
        },
    )["id"]
    data = {"pages": ["http://pages/1.png", "http://pages/2.png", "http://pages/3.png"]}
    for start in range(0, tasks, 250):
        rows = [
            {"data": data, "annotations": [{"result": result(n)}]}
            for n in range(start, min(start + 250, tasks))
        ]
        client.create_tasks(number, rows)
    imported = time.monotonic()
    with _mirror(postgres, queue, server.url, server.token, number) as (services, project):
        started = time.monotonic()
        after, last = 0, False
        while not last:
            page, last = project.source.tasks_after(after)
            after = int(page[-1]["id"])
        alone = time.monotonic() - started
        started = time.monotonic()
        written, _ = backfill(services, project, seconds=3600)
        wall = time.monotonic() - started
        share = max(wall - alone, 0.0) / wall
        yield Figure(
            f"full mirror of {tasks:,} tasks of 20 fields",
            f"{wall:.1f} s, of which Label Studio alone {alone:.1f} s: our share {share:.1%} "
            f"({written.added + written.changed:,} annotations, {tasks / wall:.0f} tasks/s)",
            "our share < 10 %",
            share < 0.10,
        )
        first, *ids = [task.id for task in project.source.index_after(0)[0]][:101]
        # The import is over for longer than the look-back before the last change, as in any project at work.
        time.sleep(max(imported + LOOK_BACK.total_seconds() - time.monotonic(), 0.0))
        client.create_annotation(first, {"result": result(first)})
        catch_up(services, project)
        with ThreadPoolExecutor(2) as pool:
            list(
                pool.map(lambda task: client.create_annotation(task, {"result": result(task)}), ids)
            )
        started = time.monotonic()
        written, _ = catch_up(services, project)
        took = time.monotonic() - started
        yield Figure(
            f"catch-up of 100 changed tasks among {tasks:,}",
            f"{took:.2f} s ({written.events} new states)",
            "< 2 s",
            took < 2.0 and written.events == 100,
        )


# In memory


def inbox_rate(postgres: str, queue: str, events: int) -> Iterator[Figure]:
    """Every event is of an annotation of its own, so none is saved by another."""
    with (
        _studio(tasks=events, annotated=False) as studio,
        _mirror(postgres, queue, studio.url, TOKEN, 1) as (services, project),
    ):
        backfill(services, project, seconds=3600)
        told = studio.annotate_all()
        with services.sessions.begin() as session:
            for event in told:
                inbox.store(session, event)
        started = time.monotonic()
        applied = 0
        while True:
            drained = drain(services, [project])
            if not drained.deliveries:
                break
            applied += drained.written.events
        took = time.monotonic() - started
        asked = studio.busy_seconds()
        yield Figure(
            "inbox, events of 20 fields applied",
            f"{applied / took:.0f}/s ({applied:,} in {took:.1f} s; {asked:.1f} s of it in the studio in memory)",
            "≥ 500/s",
            applied == events and applied / took >= 500,
        )


def memory(postgres: str, queue: str, many: int) -> Iterator[Figure]:
    """The most memory ``fieldloop sync once`` holds, on few and on many tasks."""
    few = many // 100
    sizes = []
    for tasks in (few, many):
        with (
            _studio(tasks=tasks, annotated=True) as studio,
            _mirror(postgres, queue, studio.url, TOKEN, 1) as (services, _),
        ):
            sizes.append(_peak_of_once(services, queue, studio.url))
    grown = sizes[1] - sizes[0]
    yield Figure(
        f"memory of sync at {few:,} and at {many:,} tasks",
        f"{sizes[0]:.0f} MB and {sizes[1]:.0f} MB",
        "flat: < 40 MB more",
        grown < 40,
    )


def _peak_of_once(services: Services, queue: str, url: str) -> float:
    """Megabytes; measured by the child about itself."""
    # VmHWM, not ru_maxrss: the latter begins with what the parent had when it forked.
    program = (
        "import sys; from fieldloop.cli import main\n"
        "try: main(['sync', 'once'], standalone_mode=False)\n"
        "finally: print([line for line in open('/proc/self/status') if 'VmHWM' in line][0].split()[1], file=sys.stderr)"
    )
    environ = {
        **os.environ,
        "DATABASE_URL": services.database_url,
        "REDIS_URL": queue,
        "LABEL_STUDIO_URL": url,
        "LABEL_STUDIO_API_KEY": TOKEN,
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.split()[-1]) / 1024


@contextmanager
def _mirror(
    postgres: str, queue: str, url: str, token: str, number: int
) -> Iterator[tuple[Services, Mirrored]]:
    """A fresh record with one project of this Label Studio."""
    from db.label_studio import LabelStudio

    with new_database(postgres) as database, redis_client.Redis.from_url(queue) as redis:
        upgrade(database)
        engine = make_engine(database)
        sessions = make_session_factory(engine)
        client = LabelStudio(url, token)
        services = Services(database, engine, sessions, redis, client, SchemaReader, People(client))
        with sessions.begin() as session:
            project = Project(
                title="Bench",
                label_studio_url=client.url,
                label_studio_id=number,
                created_by="bench",
            )
            session.add(project)
            session.flush()
            rows = [FieldRow(name, "number", name, name) for name in FIELDS]
            set_schema(session, project, rows, by="bench")
        with sessions.begin() as session:
            (mirrored,) = mirrored_projects(session, services)
        try:
            yield services, mirrored
        finally:
            engine.dispose()


@dataclass(frozen=True)
class _Remote:
    """A studio in memory in another process."""

    url: str
    line: Connection

    def annotate_all(self) -> list[dict[str, Any]]:
        self.line.send("annotate")
        told: list[dict[str, Any]] = self.line.recv()
        return told

    def busy_seconds(self) -> float:
        self.line.send("busy")
        seconds: float = self.line.recv()
        return seconds


@contextmanager
def _studio(*, tasks: int, annotated: bool) -> Iterator[_Remote]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, tasks, annotated), daemon=True
    )
    process.start()
    try:
        yield _Remote(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _serve(line: Connection, tasks: int, annotated: bool) -> None:
    studio = Studio()
    studio.create_project("Bench")
    busy = 0.0
    answer = studio.answer

    def timed(*arguments: Any) -> Any:
        nonlocal busy
        started = time.monotonic()
        try:
            return answer(*arguments)
        finally:
            busy += time.monotonic() - started

    studio.answer = timed  # type: ignore[method-assign]
    data = {"data": {"pages": ["http://pages/1.png"]}}
    row = {**data, "annotations": [{"result": region("r", FIELDS[0])}]} if annotated else data
    studio.import_tasks(1, [row] * tasks)
    studio.outbox.clear()
    # Its processor time is not what is measured, and there are only so many cores.
    with serving(studio, encode=msgspec.json.encode) as url:
        line.send(url)
        while True:
            if line.recv() == "busy":
                line.send(busy)
                continue
            for task in list(studio.tasks):
                studio.annotate(task, result(task))
            busy = 0.0
            line.send(studio.outbox)


if __name__ == "__main__":
    main()
