"""The passes of the mirror over one project: back-fill, catch-up, and the sweep for what is gone.

Each holds the project's turn, fetches outside of transactions, and writes a chunk with the cursor that covers
it in one transaction. Any of them may be broken off anywhere and begun again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from db import jobs, mirror, sync_runs
from db.leader import Turn, turn
from db.models import EventSource
from db.nudges import nudge
from sync.apply import apply
from sync.look import Look, Written
from sync.looking import check_identity, confirm, fetch, snapshots
from sync.services import Mirrored, Services
from sync.source import Listed
from sync.states import moment

CATCH_UP, BACKFILL, DELIVERIES = "catch_up", "backfill", "deliveries"
LOOK_BACK = timedelta(seconds=90)
"""Transactions of Label Studio end in another order than their times say, and its clock may step."""
CHUNK = 100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write(session: Session, project: Mirrored, look: Look) -> tuple[Written, list[UUID]]:
    """Apply a look, and ask for a training where it brought events; the jobs to nudge after the commit."""
    # Of any project: all webhooks come through one door.
    look.deliveries_lost_at = moment(sync_runs.newest_position(session, DELIVERIES, "lost_at"))
    written = apply(session, project.id, look, project.reader)
    if written.lost:
        doubt_deliveries(session, project)
    return written, consider_training(session, project.id) if written.events else []


def doubt_deliveries(session: Session, project: Mirrored) -> None:
    """Webhooks got lost just now: for a while the states they tell are not taken for complete."""
    now = mirror.clock(session).isoformat()
    sync_runs.move_cursor(session, project.id, DELIVERIES, {"lost_at": now})


def consider_training(session: Session, project_id: int) -> list[UUID]:
    """Have the policy asked; it knows about bursts."""
    job = jobs.enqueue(
        session,
        kind="consider_training",
        subject=str(project_id),
        project_id=project_id,
        created_by="sync",
    )
    return [job.id]


def look_at(
    services: Services, project: Mirrored, held: Turn, tasks: Collection[int], source: EventSource
) -> Written:
    """Fetch these tasks and write what is new."""
    total = Written()
    wanted = sorted(tasks)
    for start in range(0, len(wanted), CHUNK):
        look = fetch(services, project, wanted[start : start + CHUNK], source)
        confirm(services, project, held, look)
        with held.begin() as session:
            written, started = write(session, project, look)
        nudge(services.redis, started)
        total += written
    return total


# Back-fill


def needs_backfill(session: Session, project: Mirrored) -> bool:
    return sync_runs.cursor(session, project.id, CATCH_UP) is None


def backfill(services: Services, project: Mirrored, *, seconds: float) -> tuple[Written, bool]:
    """Copy what was there before us, for about this long; what was written, and whether it is complete.

    Catching up then starts from the last change that was visible before the first page was read, so nothing
    falls between the two.
    """
    total = Written()
    deadline = time.monotonic() + seconds
    with turn(services.engine, project.id) as held:
        identity = project.source.identity()
        newest = project.source.newest_change()
        with held.begin() as session:
            check_identity(session, project, identity)
            position = sync_runs.cursor(session, project.id, BACKFILL)
            if position is None:
                position = {"id": 0, "from": (newest or EPOCH).isoformat()}
                sync_runs.move_cursor(session, project.id, BACKFILL, position)
        after = int(position["id"])
        # The next page is on its way while this one is written.
        with ThreadPoolExecutor(1, thread_name_prefix="backfill") as pool:
            coming = pool.submit(project.source.tasks_after, after)
            while True:
                rows, last = coming.result()
                if rows:
                    after = int(rows[-1]["id"])
                if not last:
                    coming = pool.submit(project.source.tasks_after, after)
                look = Look(EventSource.BACKFILL, present=snapshots(services, rows))
                confirm(services, project, held, look)
                with held.begin() as session:
                    written, started = write(session, project, look)
                    sync_runs.move_cursor(session, project.id, BACKFILL, {**position, "id": after})
                    if last:
                        start = {"updated_at": position["from"], "id": 0}
                        sync_runs.move_cursor(session, project.id, CATCH_UP, start)
                nudge(services.redis, started)
                total += written
                if last:
                    return total, True
                if time.monotonic() >= deadline:
                    coming.cancel()
                    return total, False


# Catch-up


@dataclass
class Patience:
    """Changes that were seen once and not yet fetched: a webhook that announces them may be on its way."""

    seen: dict[int, datetime] = field(default_factory=dict)


def catch_up(
    services: Services, project: Mirrored, patience: Patience | None = None
) -> tuple[Written, int]:
    """Fetch every task that changed since the cursor; what was written, and how many had changed.

    With ``patience`` a change is fetched when it is seen for the second time.
    """
    total = Written()
    with turn(services.engine, project.id) as held:
        with held.begin() as session:
            position = sync_runs.cursor(session, project.id, CATCH_UP)
        reached = moment((position or {}).get("updated_at")) or EPOCH
        since = reached - LOOK_BACK if reached > EPOCH + LOOK_BACK else EPOCH
        changed: dict[int, datetime] = {}
        newest = reached
        for listed in project.source.changed_since(since):
            with held.begin() as session:
                changed |= _differing(session, project, listed)
                now = mirror.clock(session)
            # A time that lies ahead of our clock must not carry the cursor along with it.
            newest = max([newest, *(min(task.updated_at, now) for task in listed)])
        ready = set(changed)
        if patience is not None:
            ready = {number for number, at in changed.items() if number in patience.seen}
            patience.seen = {n: at for n, at in changed.items() if n not in ready}
            newest = min([newest, *patience.seen.values()])
        total += look_at(services, project, held, ready, EventSource.SWEEP)
        if newest > reached:
            with held.begin() as session:
                after = {"updated_at": newest.isoformat(), "id": max(changed, default=0)}
                sync_runs.move_cursor(session, project.id, CATCH_UP, after)
    return total, len(changed)


def _differing(
    session: Session, project: Mirrored, listed: Sequence[Listed]
) -> dict[int, datetime]:
    recorded = mirror.updated_at_of_tasks(session, project.id, [task.id for task in listed])
    return {task.id: task.updated_at for task in listed if recorded.get(task.id) != task.updated_at}


# What is gone


def sweep(services: Services, project: Mirrored) -> tuple[Written, dict[str, int]]:
    """Compare the ids and times of all tasks with the record; fetch what differs, look twice at what lacks."""
    with turn(services.engine, project.id) as held:
        identity = project.source.identity()
        with held.begin() as session:
            check_identity(session, project, identity)
        changed: set[int] = set()
        missing: set[int] = set()
        after, seen = 0, 0
        while True:
            listed, last = project.source.index_after(after)
            seen += len(listed)
            upto = None if last else listed[-1].id
            with held.begin() as session:
                recorded = mirror.tasks_between(session, project.id, after, upto)
            there = {task.id: task.updated_at for task in listed}
            changed |= {n for n, at in there.items() if recorded.get(n) != at}
            missing |= recorded.keys() - there.keys()
            if last:
                break
            after = listed[-1].id
        # Only now: a sweep that broke off has shown nothing about what is missing.
        written = look_at(services, project, held, changed | missing, EventSource.SWEEP)
    return written, {"seen": seen, "differing": len(changed), "missing": len(missing)}
