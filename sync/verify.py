"""Comparing the mirror with a fresh full export of Label Studio, annotation by annotation, hash by hash.

The export is another road than the one the mirror is filled by. What differs is looked at again until it is
certain that the mirror is not just on its way; what still differs is recorded, and repaired by appending.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from sqlalchemy.orm import Session

from db import mirror, sync_runs
from db.leader import turn
from db.models import EventSource
from sync.inbox_pass import drain
from sync.look import Written
from sync.looking import check_identity
from sync.passes import look_at
from sync.services import Mirrored, Services
from sync.states import Unreadable, content_hash, read_annotation

KIND = "verify"
EXPORTED_AT_ONCE = 200
SETTLING_SECONDS = 3.0
SETTLING_ROUNDS = 3
MOST_DIFFERENCES = 1000

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Difference:
    """``what``: task_missing, task_extra, missing, extra, content, damaged or unreadable; "extra" is too much in the mirror."""

    task: int
    annotation: int | None
    what: str
    label_studio: str | None = None
    record: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "annotation": self.annotation,
            "what": self.what,
            "label_studio": self.label_studio,
            "record": self.record,
        }


@dataclass
class Verdict:
    """How a comparison ended. ``remaining``: what is wrong still, after repairing."""

    project: str
    tasks: int = 0
    annotations: int = 0
    differences: list[Difference] = field(default_factory=list)
    repaired: Written = field(default_factory=Written)
    remaining: list[Difference] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        return not self.differences and not self.history

    @property
    def sound(self) -> bool:
        """Whether record and Label Studio agree now."""
        return not self.remaining and not self.history


def verify(
    services: Services,
    project: Mirrored,
    *,
    repair: bool = True,
    settle: float = SETTLING_SECONDS,
    progress: Progress = lambda done: None,
) -> Verdict:
    """Compare, wait for what is on its way, repair, compare again; kept as a run of the kind ``verify``.

    Raises LabelStudioError where Label Studio cannot be asked; the run says so.
    """
    started = time.monotonic()
    with services.sessions.begin() as session:
        run = sync_runs.start_run(session, project.id, KIND)
    verdict = Verdict(project.title)
    try:
        _compare_and_repair(services, project, verdict, repair, settle, progress)
    except Exception as error:
        verdict.seconds = time.monotonic() - started
        with services.sessions.begin() as session:
            sync_runs.finish_run(session, run, ok=False, counts=_counts(verdict), error=str(error))
        raise
    verdict.seconds = time.monotonic() - started
    with services.sessions.begin() as session:
        sync_runs.finish_run(
            session,
            run,
            ok=verdict.sound,
            counts=_counts(verdict),
            differences=[found.as_dict() for found in verdict.differences[:MOST_DIFFERENCES]],
            error=None if verdict.sound else _sentence(verdict),
        )
    return verdict


def _compare_and_repair(
    services: Services,
    project: Mirrored,
    verdict: Verdict,
    repair: bool,
    settle: float,
    progress: Progress,
) -> None:
    identity = project.source.identity()
    with services.sessions.begin() as session:
        check_identity(session, project, identity)
    found = _everything(services, project, verdict, progress)
    for _ in range(SETTLING_ROUNDS):
        if not found:
            break
        # The leader, or what the inbox holds, may be about to say the same.
        drain(services, [project])
        time.sleep(settle)
        found = _some(services, project, {difference.task for difference in found})
    verdict.differences = found
    verdict.remaining = found
    if found and repair:
        tasks = {difference.task for difference in found}
        damaged = {d.annotation for d in found if d.what == "damaged" and d.annotation}
        with turn(services.engine, project.id) as held:
            if damaged:
                with held.begin() as session:
                    mirror.distrust(session, project.id, damaged)
            verdict.repaired = look_at(services, project, held, tasks, EventSource.VERIFY)
        verdict.remaining = _some(services, project, tasks)
    with services.sessions.begin() as session:
        verdict.history = mirror.flaws_of_history(session, project.id)


def _everything(
    services: Services, project: Mirrored, verdict: Verdict, progress: Progress
) -> list[Difference]:
    found: list[Difference] = []
    after = 0
    while True:
        listed, last = project.source.index_after(after)
        upto = None if last else listed[-1].id
        with services.sessions.begin() as session:
            recorded = mirror.tasks_between(session, project.id, after, upto)
        ids = sorted({task.id for task in listed} | recorded.keys())
        verdict.tasks += len(listed)
        for start in range(0, len(ids), EXPORTED_AT_ONCE):
            chunk = ids[start : start + EXPORTED_AT_ONCE]
            differences, annotations = _compare(services, project, chunk)
            found += differences
            verdict.annotations += annotations
            progress(len(chunk))
        if last:
            return found
        after = listed[-1].id


def _some(services: Services, project: Mirrored, tasks: Collection[int]) -> list[Difference]:
    found: list[Difference] = []
    ids = sorted(tasks)
    for start in range(0, len(ids), EXPORTED_AT_ONCE):
        found += _compare(services, project, ids[start : start + EXPORTED_AT_ONCE])[0]
    return found


def _compare(
    services: Services, project: Mirrored, tasks: Sequence[int]
) -> tuple[list[Difference], int]:
    """The differences of these tasks, and how many annotations Label Studio has on them."""
    exported = {int(row["id"]): row for row in project.source.export(tasks)}
    with services.sessions.begin() as session:
        recorded = mirror.updated_at_of_tasks(session, project.id, tasks)
        standing = mirror.standing_contents(session, project.id, tasks)
    found = [
        Difference(task, None, "task_missing" if task in exported else "task_extra")
        for task in tasks
        if (task in exported) != (task in recorded)
    ]
    theirs: dict[tuple[int, int, str], str] = {}
    for task, row in exported.items():
        for item in row.get("annotations") or []:
            try:
                state = read_annotation(item, services.people)
            except Unreadable as error:
                found.append(Difference(task, None, "unreadable", str(error)))
                continue
            theirs[task, state.id, state.created_at.isoformat()] = state.sha256
    ours: dict[tuple[int, int, str], str] = {}
    for ours_now in standing:
        born = ours_now.source_created_at.astimezone(UTC).isoformat()
        ours[ours_now.task, ours_now.label_studio_id, born] = ours_now.content_sha256
    found += [
        Difference(one.task, one.label_studio_id, "damaged", None, one.content_sha256)
        for one in standing
        if "result" not in one.extra
        and content_hash(one.result, one.was_cancelled) != one.content_sha256
    ]
    for key in sorted(theirs.keys() | ours.keys()):
        wanted, kept = theirs.get(key), ours.get(key)
        if wanted != kept:
            what = "extra" if wanted is None else "missing" if kept is None else "content"
            found.append(Difference(key[0], key[1], what, wanted, kept))
    return found, len(theirs)


def _counts(verdict: Verdict) -> dict[str, int]:
    return {
        "tasks": verdict.tasks,
        "annotations": verdict.annotations,
        "differences": len(verdict.differences),
        "remaining": len(verdict.remaining),
        "repairs": verdict.repaired.events,
        "history": len(verdict.history),
    }


def _sentence(verdict: Verdict) -> str:
    parts = []
    if verdict.remaining:
        parts.append(f"{len(verdict.remaining)} differences remain after repairing.")
    parts += verdict.history
    return " ".join(parts)


def last_verified(session: Session, project: Mirrored) -> float | None:
    """Seconds since the last comparison ended; None before the first."""
    return sync_runs.seconds_since_last(session, project.id, KIND)
