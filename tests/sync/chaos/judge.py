"""What a chaos run must leave: Label Studio and the record say the same, and the history tells how it came about.

The judge asks Label Studio and Postgres by itself; of the mirror's own code it borrows only the content hash.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from sync.states import content_hash
from tests.sync.chaos.crowd import Did
from tests.sync.chaos.stack import Stack

SETTLE_SECONDS = 90.0


@dataclass
class Judgement:
    """What was found; ``faults`` empty: passed."""

    annotations: int = 0
    events: int = 0
    late: int = 0
    gaps: int = 0
    unseen: int = 0
    """States of the crowd that nobody could record; each must be marked as a gap."""
    deleted: int = 0
    deliveries: int = 0
    settled_after: float = 0.0
    faults: list[str] = field(default_factory=list)


def judge(stack: Stack, project: int, title: str, did: list[Did], acked: set[int]) -> Judgement:
    """``project``: Label Studio's id; ``acked``: deliveries the web confirmed with 2xx."""
    found = Judgement()
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '60s'")
        _settle(stack, project, connection, found)
        _equal(stack, project, connection, found)
        _history(connection, project, did, found)
        _inbox(connection, acked, found)
    answer = stack.fieldloop("sync", "verify", "--project", title, "--no-repair", "--json")
    if answer.returncode != 0:
        found.faults.append(
            f"sync verify ended with {answer.returncode}: {answer.stdout[-600:]}{answer.stderr[-600:]}"
        )
    return found


def _ours(
    connection: psycopg.Connection[Any], project: int
) -> list[tuple[int, int, str, Any, bool]]:
    return connection.execute(
        "SELECT k.label_studio_id, a.label_studio_id, a.content_sha256, a.result, a.was_cancelled"
        " FROM annotations a JOIN tasks k ON k.id = a.task_id JOIN projects p ON p.id = a.project_id"
        " WHERE p.label_studio_id = %s AND a.deleted_at IS NULL",
        [project],
    ).fetchall()


def _theirs(stack: Stack, project: int) -> dict[tuple[int, int], str]:
    return {
        (task["id"], a["id"]): content_hash(_plain(a["result"]), a["was_cancelled"])
        for task in stack.studio.export(project)
        for a in task["annotations"]
    }


def _settle(
    stack: Stack, project: int, connection: psycopg.Connection[Any], found: Judgement
) -> None:
    """The running mirror gets some time; nobody helps it."""
    started = time.monotonic()
    wanted = _theirs(stack, project)
    tasks = {row["id"] for row in stack.studio.export(project)}
    while time.monotonic() - started < SETTLE_SECONDS:
        ours = {(task, a): sha for task, a, sha, _, _ in _ours(connection, project)}
        recorded = connection.execute(
            "SELECT k.label_studio_id FROM tasks k JOIN projects p ON p.id = k.project_id"
            " WHERE p.label_studio_id = %s AND k.deleted_at IS NULL",
            [project],
        ).fetchall()
        pending = connection.execute(
            "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'"
        ).fetchone()
        if ours == wanted and {row[0] for row in recorded} == tasks and pending == (0,):
            break
        time.sleep(0.5)
    found.settled_after = time.monotonic() - started


def _equal(
    stack: Stack, project: int, connection: psycopg.Connection[Any], found: Judgement
) -> None:
    theirs = _theirs(stack, project)
    rows = _ours(connection, project)
    found.annotations = len(theirs)
    ours = {(task, a): content_hash(result, skipped) for task, a, _, result, skipped in rows}
    lost = theirs.keys() - ours.keys()
    invented = ours.keys() - theirs.keys()
    wrong = {key for key in theirs.keys() & ours.keys() if theirs[key] != ours[key]}
    duplicated = len(rows) - len(ours)
    for name, what in (("lost", lost), ("invented", invented), ("wrong", wrong)):
        if what:
            found.faults.append(f"{len(what)} annotations {name}: {sorted(what)[:5]}")
    if duplicated:
        found.faults.append(f"{duplicated} annotations duplicated")


def _history(
    connection: psycopg.Connection[Any], project: int, did: list[Did], found: Judgement
) -> None:
    rows = connection.execute(
        "SELECT e.label_studio_id, e.kind, e.occurred_at, e.source_updated_at, e.content_sha256, e.gap, e.late,"
        " e.result IS NOT NULL, e.id"
        " FROM annotation_events e JOIN projects p ON p.id = e.project_id WHERE p.label_studio_id = %s"
        " ORDER BY e.occurred_at, e.id",
        [project],
    ).fetchall()
    found.events = len(rows)
    if not rows or not did:
        found.faults.append("nothing happened: the crowd was refused everything")
    found.late = sum(row[6] for row in rows)
    found.gaps = sum(row[5] for row in rows)
    found.deleted = sum(row[1] == "deleted" for row in rows)
    states = Counter((row[0], row[3], row[4]) for row in rows if row[1] in {"created", "updated"})
    twice = [key for key, count in states.items() if count > 1]
    if twice:
        found.faults.append(f"{len(twice)} states recorded twice: {twice[:3]}")
    if any(row[1] == "deleted" and not row[7] for row in rows):
        found.faults.append("a deletion without its last content")
    by_annotation: dict[int, list[Any]] = {}
    for row in rows:
        by_annotation.setdefault(row[0], []).append(row)
    for number, history in by_annotation.items():
        times = [row[2] for row in sorted(history, key=lambda r: r[8]) if not row[6]]
        if times != sorted(set(times)):
            found.faults.append(f"the states of annotation {number} overlap")
    unmarked = []
    for one in did:
        when = datetime.fromisoformat(one.updated_at)
        if states[one.annotation, when, one.sha256]:
            continue
        found.unseen += 1
        later = [row for row in by_annotation.get(one.annotation, []) if row[2] > when]
        # An annotation made and deleted between two looks, every webhook lost, leaves nothing to mark.
        if later and not later[0][5]:
            unmarked.append(one)
    if unmarked:
        found.faults.append(f"{len(unmarked)} gaps are not marked: {unmarked[:3]}")


def _inbox(connection: psycopg.Connection[Any], acked: set[int], found: Judgement) -> None:
    rows = connection.execute("SELECT id, state FROM webhook_deliveries").fetchall()
    kept = {row[0] for row in rows}
    found.deliveries = len(kept)
    missing = acked - kept
    if missing:
        found.faults.append(f"{len(missing)} deliveries were confirmed and are not there")
    left = Counter(row[1] for row in rows if row[1] != "done")
    if left:
        found.faults.append(f"the inbox holds {dict(left)}")


def _plain(value: Any) -> Any:
    """Whole floats as integers, as jsonb has them."""
    return json.loads(json.dumps(value), parse_float=_number)


def _number(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() else number
