"""Draining the inbox: deliveries → the tasks they speak of, fetched and written, with the states they witnessed.

A batch is written in slices of tasks, each in a transaction of its own with the deliveries it completes; while
one slice is written, Label Studio answers for the next. A delivery that cannot be applied is found by halving
what is left of its batch, so that it stops nobody else.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import sqlalchemy.exc
from sqlalchemy.orm import Session

from db import inbox, mirror
from db.inbox import Delivery
from db.label_studio import LabelStudioError
from db.leader import Turn, turn
from db.models import EventSource
from db.nudges import nudge
from sync.deliveries import Reasons, Told, read_delivery, witnesses
from sync.look import Look, Written
from sync.looking import confirm, fetch
from sync.passes import write
from sync.services import Mirrored, Services

BATCH = 1_000
# Tasks written at once: their statements cost as much for one as for many.
SLICE = 200
# Slices that are asked for ahead of the one being written.
AHEAD = 2
# Events behind a batch that are looked through for what the answers of Label Studio may hold already.
ARRIVED = 2_000

log = logging.getLogger(__name__)


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
        pending = inbox.pending(session, limit)
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
    done: set[int] = set()
    try:
        _apply_together(services, project, deliveries, drained, done)
    except (LabelStudioError, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError):
        raise
    except Exception as error:
        if len(deliveries) > 1:
            left = [delivery for delivery in deliveries if delivery.id not in done]
            log.warning("%d deliveries are applied apart: %s", len(left), type(error).__name__)
            middle = (len(left) + 1) // 2
            for half in (left[:middle], left[middle:]):
                if half:
                    _apply(services, project, half, drained)
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
    services: Services,
    project: Mirrored,
    deliveries: Sequence[Delivery],
    drained: Drained,
    done: set[int],
) -> None:
    """``done``: gets the deliveries that are in the mirror, however this ends."""
    own = {delivery.id: _reasons_of(delivery) for delivery in deliveries}
    reasons = Reasons()
    for found in own.values():
        reasons.add(found)
    if reasons.sweep:
        drained.sweep.add(project.id)
    if reasons.catch_up:
        drained.catch_up.add(project.id)
    if reasons.project:
        drained.check_project.add(project.id)
    with turn(services.engine, project.id) as held:
        with held.begin() as session:
            homes = mirror.tasks_of_annotations(session, project.id, reasons.deleted_annotations)
        slices = _Slices.of(own, homes)
        batch = _Batch(services, project, held, reasons, max(own), slices.tasks)
        with closing(_fetched(services, project, slices.parts)) as looks:
            for look, finished in zip(looks, slices.finished, strict=True):
                batch.complete(look)
                with held.begin() as session:
                    written, jobs = _write(session, project, look)
                    inbox.finish_each(session, {i: reasons.notes.get(i) for i in finished})
                drained.written += written
                done |= set(finished)
                nudge(services.redis, jobs)


def _reasons_of(delivery: Delivery) -> Reasons:
    reasons = Reasons()
    read_delivery(reasons, delivery.id, delivery.action, delivery.payload)
    return reasons


def _write(session: Session, project: Mirrored, look: Look) -> tuple[Written, list[UUID]]:
    if look.present or look.gone:
        return write(session, project, look)
    return Written(), []


@dataclass(frozen=True)
class _Slices:
    """The tasks of a batch in parts, and with each part the deliveries that are complete once it is written."""

    tasks: list[int]
    parts: list[list[int]]
    finished: list[list[int]]

    @classmethod
    def of(cls, own: Mapping[int, Reasons], homes: Mapping[int, int]) -> _Slices:
        """``own``: by delivery. ``homes``: the tasks in which deleted annotations stood."""
        named = {
            delivery: reasons.tasks
            | reasons.deleted_tasks.keys()
            | {homes[key] for key in reasons.deleted_annotations if key in homes}
            for delivery, reasons in own.items()
        }
        tasks = sorted(set().union(*named.values()))
        # Where no task is named there is still something to finish.
        parts = [tasks[start : start + SLICE] for start in range(0, len(tasks), SLICE)] or [[]]
        part_of = {task: number // SLICE for number, task in enumerate(tasks)}
        finished: list[list[int]] = [[] for _ in parts]
        for delivery, of_it in named.items():
            finished[max((part_of[task] for task in of_it), default=0)].append(delivery)
        return cls(tasks, parts, finished)


def _fetched(
    services: Services, project: Mirrored, parts: Sequence[Sequence[int]]
) -> Generator[Look]:
    """A look at each part, in order, with the next ones on their way."""
    pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="fetch")

    def ask(part: Sequence[int]) -> Future[Look]:
        return pool.submit(fetch, services, project, part, EventSource.SWEEP)

    try:
        asked = deque(map(ask, parts[:AHEAD]))
        for number in range(len(parts)):
            look = asked.popleft().result()
            asked.extend(map(ask, parts[number + AHEAD : number + AHEAD + 1]))
            yield look
    finally:
        pool.shutdown(cancel_futures=True)


class _Batch:
    """What makes fetched looks complete: what the deliveries told, what arrived meanwhile, second looks."""

    def __init__(
        self,
        services: Services,
        project: Mirrored,
        held: Turn,
        reasons: Reasons,
        last: int,
        tasks: Sequence[int],
    ) -> None:
        self._services = services
        self._project = project
        self._held = held
        self._reasons = reasons
        self._last = last
        self._tasks = tasks
        self._arrived = Reasons()
        self._looked_through: list[int] = []
        self._brought: set[int] = set()
        """Tasks that second looks of earlier slices brought along, fetched later than their own slice."""

    def complete(self, look: Look) -> None:
        """Nothing is written here, and no transaction stays open."""
        self._renew(look)
        self._read_arrived()
        asked = {*look.present, *look.gone}
        reasons, arrived = self._reasons, self._arrived
        self._tell(look)
        look.deleted_tasks = arrived.deleted_tasks | reasons.deleted_tasks
        look.deleted_annotations = arrived.deleted_annotations | reasons.deleted_annotations
        look.gone = {task: reasons.told_tasks.get(task) for task in look.gone}
        confirm(self._services, self._project, self._held, look)
        self._brought |= {*look.present, *look.gone} - asked

    def _renew(self, look: Look) -> None:
        """An older look at a task must not be written after a newer one."""
        old = self._brought & {*look.present, *look.gone}
        if old:
            again = fetch(self._services, self._project, old, look.source)
            look.present = {k: v for k, v in look.present.items() if k not in old} | again.present
            look.gone = {k: v for k, v in look.gone.items() if k not in old} | again.gone

    def _read_arrived(self) -> None:
        """What came in while Label Studio was asked: the answer may hold its states, and they were announced.

        These deliveries stay pending and are read in their turn; reading a state twice adds nothing.
        """
        with self._services.sessions.begin() as session:
            arrived, self._looked_through = inbox.pending_about(
                session,
                self._project.label_studio_id,
                self._tasks,
                after=self._last,
                limit=ARRIVED,
                known=self._looked_through,
            )
        for delivery in arrived:
            self._arrived.add(_reasons_of(delivery))

    def _tell(self, look: Look) -> None:
        """Add the witnesses of the tasks of a look.

        What arrived tells of a time after the look as well; a state later than the one that was fetched has to
        wait for its turn, or it would be taken for one that came too late.
        """
        told: dict[int, list[Told]] = {}
        unseen: list[Told] = []
        for task in [*look.present, *look.gone]:
            states = look.present[task].annotations if task in look.present else ()
            fetched = {state.id: state.updated_at for state in states}
            told[task] = [
                *self._reasons.told.get(task, ()),
                *(
                    one
                    for one in self._arrived.told.get(task, ())
                    if one.updated_at <= fetched.get(one.id, one.updated_at)
                ),
            ]
            unseen += [
                one for one in told[task] if not one.whole and fetched.get(one.id) != one.updated_at
            ]
        rows = self._annotations_told(unseen)
        left_out = {id(one) for one in unseen if one.delivery_id not in rows}
        look.witnesses = {
            task: witnesses(
                [
                    replace(one, row=rows[one.delivery_id]) if one.delivery_id in rows else one
                    for one in ones
                    if id(one) not in left_out
                ],
                look.present[task].annotations if task in look.present else (),
                self._services.people,
            )
            for task, ones in told.items()
            if ones
        }

    def _annotations_told(self, unseen: Sequence[Told]) -> dict[int, dict[str, Any]]:
        """The results of states that Label Studio no longer shows; nothing of a delivery that was erased."""
        if not unseen:
            return {}
        with self._services.sessions.begin() as session:
            return inbox.annotations_told(session, {one.delivery_id for one in unseen})
