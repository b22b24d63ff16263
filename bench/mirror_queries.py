"""How long every view and as-of function takes on a record with a million annotation events.

``python -m bench.mirror_queries --events 1000000`` starts a server with the settings of the local stack, makes the
record and prints one Markdown row per query, and the plans with ``--plans FILE``. BENCH_DATABASE_URL names another
server's database, empty or made by an earlier run: then only the queries run. By document or task the aim is 20 ms,
for aggregates over everything 1 s.
"""

# ruff: noqa: S608 - every name in these queries is written in this file
from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from db.migrate import upgrade
from db.session import libpq_conninfo
from fieldloop.stack.postgres import TUNING
from tests.local_servers import running_postgres

START = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = ("number", "date", "total", "supplier")
STATES = 5  # states per annotation, on average
REVIEWERS = [f"reviewer{number}@example.org" for number in range(8)]
POINT, AGGREGATE = 0.020, 1.0  # seconds
PLANS_BEGIN = """# Plans of the documented queries

Made by `python -m bench.mirror_queries --events 1000000 --plans docs/reference/query-plans.md` on a record with a million
annotation events, by a Postgres with the settings of the local stack. Other programs may have run meanwhile: read the
shapes, not the times. The figures are in [benchmarks](../benchmarks.md#mirror).
"""


def story(
    events: int, seed: int
) -> Iterator[tuple[int, int, int, str, datetime, datetime, str, int | None]]:
    """(task, annotation, state, kind, occurred, recorded, reviewer, previous event), in order of id."""
    chance = random.Random(seed)
    tasks = max(events // (STATES + 1), 1)
    last: dict[int, tuple[int, int]] = {}
    for number in range(1, events + 1):
        # One task in five is annotated by a second reviewer.
        task = chance.randrange(tasks) + 1
        annotation = task * 2 + (chance.random() < 0.5 if task % 5 == 0 else 0)
        state, previous = last.get(annotation, (0, None))
        kind = "created" if state == 0 else "deleted" if chance.random() < 0.01 else "updated"
        occurred = START + timedelta(seconds=20 * number)
        recorded = occurred + timedelta(seconds=chance.expovariate(1 / 5))
        reviewer = REVIEWERS[annotation % len(REVIEWERS)]
        yield task, annotation, state + 1, kind, occurred, recorded, reviewer, previous
        last[annotation] = (state + 1, number)


def uuid(kind: int, number: int) -> UUID:
    return UUID(int=(kind << 96) + number)


def fill(connection: psycopg.Connection, events: int, seed: int) -> None:
    """Everything by COPY; ids are given, so that the rows can be made in one pass each."""
    chance = random.Random(seed + 1)
    tasks = max(events // (STATES + 1), 1)
    execute = connection.execute
    execute(
        "INSERT INTO projects (title, label_studio_id, created_by) VALUES ('Bench', 1, 'bench')"
    )
    execute(
        "INSERT INTO model_versions (project_id, number, name, kind, schema_version, created_by)"
        " SELECT 1, n, 'bench-' || n, 'zero_shot', 1, 'bench' FROM generate_series(0, 4) n"
    )
    execute(
        "INSERT INTO model_aliases (project_id, alias, model_version_id, recorded_at, recorded_by, notes)"
        " SELECT 1, 'live', n, timestamptz '2026-01-01' + n * interval '10 days', 'bench', 'bench'"
        " FROM generate_series(1, 5) n"
    )

    def copy(target: str, rows: Iterator[tuple[object, ...]]) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as out:
            for row in rows:
                out.write_row(row)

    numbers = range(1, tasks + 1)
    copy(
        "documents (id, project_id, name, created_at, created_by)",
        ((uuid(1, n), 1, f"{n}.pdf", START, "bench") for n in numbers),
    )
    copy(
        "document_versions (id, document_id, project_id, number, sha256, size_bytes, media_type, state, uploaded_at, uploaded_by, source)",
        (
            (
                uuid(2, n),
                uuid(1, n),
                1,
                1,
                f"{n:064x}",
                1,
                "application/pdf",
                "read",
                START,
                "bench",
                "cli",
            )
            for n in numbers
        ),
    )
    copy(
        "tasks (project_id, label_studio_id, document_version_id, source_created_at, first_seen_at)",
        ((1, n, uuid(2, n), START, START) for n in numbers),
    )
    copy(
        "extractions (document_version_id, model_version_id, recorded_at, score)",
        (
            (uuid(2, n), 1 + m, START + timedelta(days=10 * m, seconds=n / 10), 0.5)
            for n in numbers
            for m in (0, 1)
        ),
    )
    copy(
        "extraction_values (extraction_id, region_id, field, text, page, confidence)",
        (
            (x, f"r{f}", name, "100.00", 0, 0.9)
            for x in range(1, 2 * tasks + 1)
            for f, name in enumerate(FIELDS)
        ),
    )
    result = json.dumps(
        [
            {"id": f"r{f}", "type": "textarea", "value": {"text": ["100.00"]}}
            for f in range(len(FIELDS))
        ]
    )
    copy(
        "annotation_events (project_id, task_id, label_studio_id, kind, source, occurred_at, recorded_at, actor, result, content_sha256, extraction_id, previous_event_id)",
        (
            (
                1,
                task,
                annotation,
                kind,
                "webhook",
                occurred,
                recorded,
                reviewer,
                result,
                f"{state:064x}",
                2 * task - 1,
                previous,
            )
            for task, annotation, state, kind, occurred, recorded, reviewer, previous in story(
                events, seed
            )
        ),
    )
    outcomes = ("accepted",) * 8 + ("corrected", "added")
    copy(
        "annotation_values (event_id, region_id, field, text, text_source, normalised, page, x0, y0, x1, y1, outcome)",
        (
            (
                n,
                f"r{f}",
                name,
                str(chance.randrange(3)),
                "reviewer",
                "100.00",
                0,
                1,
                1,
                2,
                2,
                chance.choice(outcomes),
            )
            for n in range(1, events + 1)
            for f, name in enumerate(FIELDS)
        ),
    )
    execute(
        "INSERT INTO annotations (project_id, task_id, label_studio_id, last_event_id, created_by, updated_by,"
        " source_created_at, source_updated_at, was_cancelled, lead_time, result, content_sha256, deleted_at)"
        " SELECT 1, task_id, label_studio_id, id, actor, actor, '2026-01-01', occurred_at, false, id % 100, result,"
        " content_sha256, CASE WHEN kind = 'deleted' THEN recorded_at END"
        " FROM (SELECT DISTINCT ON (label_studio_id) * FROM annotation_events ORDER BY label_studio_id, id DESC) e"
    )
    connection.commit()
    connection.autocommit = True
    execute("VACUUM ANALYZE")


def rows_of(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.rollback()
    return int(row[0]) if row else 0


def server(connection: psycopg.Connection) -> str:
    """Which Postgres answers, with what it is told of the machine."""
    values = dict(
        connection.execute("SELECT name, current_setting(name) FROM pg_settings").fetchall()
    )
    told = ", ".join(f"{name} {values[name]}" for name in TUNING)
    return f"Postgres {values['server_version']}: {told}"


def queries(events: int) -> list[tuple[str, str, float]]:
    """(name, SQL, limit in seconds)."""
    middle = f"'{(START + timedelta(seconds=10 * events)).isoformat()}'"
    task = max(events // (STATES + 1), 1) // 2
    document = f"document_id = '{uuid(1, task)}'"
    out = []
    for clock in ("record", "source"):
        for name in ("annotations", "field_values"):
            call = f"{name}_as_of({middle}, '{clock}')"
            out += [
                (
                    f"{name}_as_of by task, {clock}",
                    f"SELECT * FROM {call} WHERE task_id = {task}",
                    POINT,
                ),
                (
                    f"{name}_as_of by document, {clock}",
                    f"SELECT * FROM {call} WHERE {document}",
                    POINT,
                ),
                (f"{name}_as_of, all, {clock}", f"SELECT count(*) FROM {call}", AGGREGATE),
            ]
    for name in ("documents", "extractions", "extracted_values", "predictions"):
        call = f"{name}_as_of({middle})"
        out += [
            (f"{name}_as_of by document", f"SELECT * FROM {call} WHERE {document}", POINT),
            (f"{name}_as_of, all", f"SELECT count(*) FROM {call}", AGGREGATE),
        ]
    out.append(("live_model_as_of", f"SELECT * FROM live_model_as_of({middle})", POINT))
    for name in ("annotation_history", "field_values", "corrections", "documents_overview"):
        out.append((f"{name} by document", f"SELECT * FROM {name} WHERE {document}", POINT))
    for name in ("annotation_history", "field_values", "corrections"):
        out.append((f"{name} by task", f"SELECT * FROM {name} WHERE task_id = {task}", POINT))
    for name in (
        "corrections_by_field",
        "reviewer_agreement",
        "model_leaderboard",
        "training_history",
        "live_models",
        "review_progress",
        "sync_health",
    ):
        out.append((name, f"SELECT * FROM {name}", AGGREGATE))
    out.append(
        (
            "documents_overview by state",
            "SELECT state, reviewed, count(*) FROM documents_overview GROUP BY 1, 2",
            AGGREGATE,
        )
    )
    return out


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--plans", type=Path, help="file for the EXPLAIN plans")
    given = options.parse_args()
    with ExitStack() as stack:
        url = os.environ.get("BENCH_DATABASE_URL") or stack.enter_context(
            running_postgres(settings=TUNING)
        )
        upgrade(url)
        connection = stack.enter_context(psycopg.connect(libpq_conninfo(url)))
        began = time.perf_counter()
        found = rows_of(connection, "annotation_events")
        if found not in (0, given.events):
            sys.exit(f"The database of BENCH_DATABASE_URL holds {found} events; name an empty one.")
        if not found:
            fill(connection, given.events, given.seed)
        connection.autocommit = True
        how = "found" if found else f"made in {time.perf_counter() - began:.0f} s"
        print(f"{given.events} events, seed {given.seed}, {how}. {server(connection)}\n")
        print("| query | rows | median ms | limit ms | |\n|---|---:|---:|---:|---|")
        plans = []
        for name, sql, limit in queries(given.events):
            times = []
            for _ in range(given.repeat):
                began = time.perf_counter()
                rows = connection.execute(sql).fetchall()
                times.append(time.perf_counter() - began)
            median = statistics.median(times)
            verdict = "" if median < limit else "**slow**"
            print(
                f"| {name} | {len(rows)} | {median * 1000:.1f} | {limit * 1000:.0f} | {verdict} |",
                flush=True,
            )
            plan = "\n".join(
                row[0] for row in connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}")
            )
            plans.append(f"## {name}\n\n```\n{sql}\n\n{plan}\n```\n")
        if given.plans:
            given.plans.write_text("\n".join([PLANS_BEGIN, *plans]), encoding="utf-8")


if __name__ == "__main__":
    main()
