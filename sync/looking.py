"""Looking at tasks in Label Studio, and believing what is missing only after a second look.

What a list lacks is asked for by its id. Only a plain "not found" counts, and only while the project answers
as the one we know, before and after: a failed page, a cut answer, a wrong token or an address that now leads
to another Label Studio deletes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.orm import Session

from db import mirror, sync_runs
from db.errors import RecordError
from db.leader import Turn
from db.models import EventSource
from sync.look import Look
from sync.services import Mirrored, Services
from sync.source import BY_ID, Identity
from sync.states import Snapshot, Unreadable, number_of, read_task

SECOND_LOOKS_AT_ONCE = 4
IDENTITY = "identity"

log = logging.getLogger(__name__)


class AnotherProject(RecordError):
    """Label Studio answers, but the project of this number is not the one that was mirrored."""

    def __init__(self, title: str, number: int) -> None:
        super().__init__(
            f"Project {number} in Label Studio is not the one {title!r} was mirrored from: it was created at another "
            "time. Is LABEL_STUDIO_URL right? If Label Studio was set up anew, run `fieldloop init`; nothing is "
            "taken for deleted meanwhile."
        )


def check_identity(session: Session, project: Mirrored, identity: Identity) -> None:
    """Raises AnotherProject. The first look, and one after `fieldloop init` chose another project, is believed."""
    now = {"id": identity.id, "created_at": identity.created_at}
    before = sync_runs.cursor(session, project.id, IDENTITY)
    if before == now:
        return
    if before is not None and before.get("id") == identity.id:
        raise AnotherProject(project.title, identity.id)
    sync_runs.drop_cursors(session, project.id)
    sync_runs.move_cursor(session, project.id, IDENTITY, now)


def snapshots(
    services: Services, rows: Iterable[Any], unreadable: list[str] | None = None
) -> dict[int, Snapshot]:
    """Tasks as listed → values by id. One that cannot be read is named and left as it was."""
    found: dict[int, Snapshot] = {}
    for row in rows:
        try:
            snapshot = read_task(row, services.people)
        except Unreadable as error:
            sentence = f"Task {row.get('id') if isinstance(row, dict) else '?'}: {error}"
            log.warning("%s", sentence)
            if unreadable is not None:
                unreadable.append(sentence)
            continue
        found[snapshot.id] = snapshot
    return found


def fetch(
    services: Services,
    project: Mirrored,
    tasks: Collection[int],
    source: EventSource,
) -> Look:
    """A look at these tasks: present, or certainly gone."""
    look = Look(source=source)
    missing: set[int] = set()
    for chunk in _chunks(sorted(tasks)):
        rows = project.source.tasks_by_id(chunk)
        look.present |= snapshots(services, rows)
        missing |= set(chunk) - {number_of(row) for row in rows}
    for task, exists in _ask(project.source.task_exists, sorted(missing)):
        if not exists:
            look.gone[task] = None
    return look


def confirm(services: Services, project: Mirrored, turn: Turn, look: Look) -> Look:
    """Take second looks at the annotations this look does not find where they were.

    Those that live on in another task bring that task into the look.
    """
    asked: set[int] = set()
    while True:
        with turn.begin() as session:
            where = mirror.standing_annotations(session, project.id, [*look.present, *look.gone])
        for task, witnesses in look.witnesses.items():
            if task in look.present or task in look.gone:
                for witness in witnesses:
                    where.setdefault(witness.state.id, task)
        shown = {state.id for snapshot in look.present.values() for state in snapshot.annotations}
        lost = sorted(where.keys() - shown - asked)
        if not lost:
            break
        asked |= set(lost)
        elsewhere: set[int] = set()
        for number, row in _ask(project.source.annotation, lost):
            if row is None:
                look.gone_annotations.add(number)
                continue
            home = number_of(row.get("task"))
            if home in look.gone:
                # Its task is being deleted just now; half of that is not believed, the next look sees the rest.
                look.gone.pop(home)
            elif home is not None and home not in look.present:
                elsewhere.add(home)
            elif home is not None and home == where[number]:
                # The list left out what is there: this copy of the task is not complete, the next one may be.
                look.present.pop(home)
        for chunk in _chunks(sorted(elsewhere)):
            look.present |= snapshots(services, project.source.tasks_by_id(chunk))
    if look.gone or look.gone_annotations:
        identity = project.source.identity()
        with turn.begin() as session:
            check_identity(session, project, identity)
    return look


def _ask(question: Any, ids: Sequence[int]) -> list[tuple[int, Any]]:
    if len(ids) < 2:
        return [(number, question(number)) for number in ids]
    with ThreadPoolExecutor(SECOND_LOOKS_AT_ONCE) as pool:
        return list(zip(ids, pool.map(question, ids), strict=True))


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(ids), BY_ID):
        yield ids[start : start + BY_ID]
