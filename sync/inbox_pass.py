"""Draining the inbox: deliveries → the tasks they speak of, fetched and written, with the states they witnessed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy.exc

from db import inbox, mirror
from db.label_studio import LabelStudioError
from db.leader import turn
from db.models import EventSource
from db.nudges import nudge
from sync.deliveries import Reasons, read_delivery, witnesses
from sync.look import Look, Written
from sync.looking import confirm, fetch
from sync.passes import CHUNK, write
from sync.reconcile import Witness
from sync.services import Mirrored, Services

BATCH = 500
# Events behind a batch that are looked through for what the answers of Label Studio may hold already.
ARRIVED = 2_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """A pending webhook event."""

    id: int
    action: str
    project: int | None
    payload: dict[str, Any]


@dataclass
class Drained:
    """What a drain did, and what it asks for beyond the tasks it fetched; projects by ``projects.id``."""

    deliveries: int = 0
    written: Written = field(default_factory=Written)
    sweep: set[int] = field(default_factory=set)
    catch_up: set[int] = field(default_factory=set)
    check_project: set[int] = field(default_factory=set)


def drain(services: Services, projects: Sequence[Mirrored], *, limit: int = BATCH) -> Drained:
    """Apply the oldest pending deliveries. Raises LabelStudioError; then they stay pending, and no attempt counts."""
    with services.sessions.begin() as session:
        pending = [
            Delivery(row.id, row.action, row.project_label_studio_id, dict(row.payload))
            for row in inbox.pending(session, limit)
        ]
    drained = Drained(deliveries=len(pending))
    if not pending:
        return drained
    by_number = {project.label_studio_id: project for project in projects}
    groups: dict[int | None, list[Delivery]] = {}
    for delivery in pending:
        groups.setdefault(delivery.project, []).append(delivery)
    for number, deliveries in groups.items():
        project = by_number.get(number) if number is not None else None
        if project is not None:
            _apply(services, project, deliveries, drained)
        elif number is None:
            _from_anywhere(services, projects, deliveries, drained)
        else:
            note = f"Label Studio's project {number} is not one of ours; `fieldloop init` sets a project up."
            with services.sessions.begin() as session:
                inbox.finish(session, [d.id for d in deliveries], note=note)
    return drained


def _from_anywhere(
    services: Services,
    projects: Sequence[Mirrored],
    deliveries: Sequence[Delivery],
    drained: Drained,
) -> None:
    """Events that name no project, as with ``send_payload`` off: every project may be meant."""
    everything = {project.id for project in projects}
    drained.catch_up |= everything
    if any("DELETED" in delivery.action for delivery in deliveries):
        drained.sweep |= everything
    note = "The event names no project; all of them were looked through."
    with services.sessions.begin() as session:
        inbox.finish(session, [delivery.id for delivery in deliveries], note=note)


def _apply(
    services: Services, project: Mirrored, deliveries: Sequence[Delivery], drained: Drained
) -> None:
    try:
        _apply_together(services, project, deliveries, drained)
    except (LabelStudioError, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError):
        raise
    except Exception as error:
        if len(deliveries) > 1:
            # One of them cannot be applied; alone it stops nobody else.
            log.warning(
                "%d deliveries are applied one by one: %s", len(deliveries), type(error).__name__
            )
            for delivery in deliveries:
                _apply(services, project, [delivery], drained)
            return
        log.exception("delivery %d (%s) failed", deliveries[0].id, deliveries[0].action)
        with services.sessions.begin() as session:
            inbox.fail(
                session,
                [deliveries[0].id],
                error=f"{type(error).__name__}; the log of sync has the details.",
                now=mirror.clock(session),
            )


def _apply_together(
    services: Services, project: Mirrored, deliveries: Sequence[Delivery], drained: Drained
) -> None:
    reasons = Reasons()
    for delivery in deliveries:
        read_delivery(reasons, delivery.id, delivery.action, delivery.payload)
    if reasons.sweep:
        drained.sweep.add(project.id)
    if reasons.catch_up:
        drained.catch_up.add(project.id)
    if reasons.project:
        drained.check_project.add(project.id)
    with turn(services.engine, project.id) as held:
        with held.begin() as session:
            homes = mirror.tasks_of_annotations(session, project.id, reasons.deleted_annotations)
        wanted = sorted(reasons.tasks | reasons.deleted_tasks.keys() | set(homes.values()))
        # Label Studio answers for the next tasks while these are read.
        with ThreadPoolExecutor(2, thread_name_prefix="fetch") as pool:
            looks = [
                *pool.map(
                    lambda chunk: fetch(services, project, chunk, EventSource.SWEEP),
                    _chunks(wanted),
                )
            ]
        arrived = _just_arrived(services, project, deliveries, wanted)
        confirmed = []
        for look in looks:
            _tell(services, look, reasons, arrived)
            look.deleted_tasks = arrived.deleted_tasks | reasons.deleted_tasks
            look.deleted_annotations = arrived.deleted_annotations | reasons.deleted_annotations
            look.gone = {task: reasons.told_tasks.get(task) for task in look.gone}
            confirmed.append(confirm(services, project, held, look))
        with held.begin() as session:
            started = []
            for look in confirmed:
                written, jobs = write(session, project, look)
                drained.written += written
                started += jobs
            plain = [d.id for d in deliveries if d.id not in reasons.notes]
            inbox.finish(session, plain)
            for delivery_id, note in reasons.notes.items():
                inbox.finish(session, [delivery_id], note=note)
        nudge(services.redis, started)


def _just_arrived(
    services: Services,
    project: Mirrored,
    deliveries: Sequence[Delivery],
    tasks: Sequence[int],
) -> Reasons:
    """What came in while Label Studio was asked: the answer may hold its states, and they were announced.

    These deliveries stay pending and are read in their turn; reading a state twice adds nothing.
    """
    reasons = Reasons()
    last = max(delivery.id for delivery in deliveries)
    with services.sessions.begin() as session:
        arrived = [
            (row.id, row.action, dict(row.payload))
            for row in inbox.pending_about(
                session, project.label_studio_id, tasks, after=last, limit=ARRIVED
            )
        ]
    for number, action, payload in arrived:
        read_delivery(reasons, number, action, payload)
    return reasons


def _tell(services: Services, look: Look, reasons: Reasons, arrived: Reasons) -> None:
    """Add the witnesses of the tasks of a look.

    What arrived tells of a time after the look as well; a state later than the one that was fetched has to wait
    for its turn, or it would be taken for one that came too late.
    """
    found: dict[int, list[Witness]] = {}
    for task in [*look.present, *look.gone]:
        states = look.present[task].annotations if task in look.present else ()
        fetched = {state.id: state.updated_at for state in states}
        told = [
            *reasons.told.get(task, ()),
            *(
                one
                for one in arrived.told.get(task, ())
                if one.updated_at <= fetched.get(one.id, one.updated_at)
            ),
        ]
        if told:
            found[task] = witnesses(told, states, services.people)
    look.witnesses = found


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
