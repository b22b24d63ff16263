"""Webhook events → what to look at in Label Studio, and the states they witnessed. Pure; no input raises.

An event is first of all a reason to look. Bare ids, unknown kinds, events without content and malformed ones
are reasons too: where an event does not say what to look at, the whole project is looked through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sync.reconcile import Witness
from sync.states import (
    People,
    Snapshot,
    State,
    Unreadable,
    number_of,
    read_annotation,
    read_bare_task,
    times_of,
)

CREATED, CREATED_MANY, UPDATED = "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"
ANNOTATIONS_DELETED, TASKS_DELETED = "ANNOTATIONS_DELETED", "TASKS_DELETED"
# Singular spellings are not sent by 1.23; other releases and other tools do.
_ANNOTATIONS = {CREATED, CREATED_MANY, UPDATED, "ANNOTATIONS_UPDATED"}
_DELETED_ANNOTATIONS = {ANNOTATIONS_DELETED, "ANNOTATION_DELETED"}
_TASKS = {"TASKS_CREATED", "TASK_CREATED", "TASKS_UPDATED", "TASK_UPDATED"}
_DELETED_TASKS = {TASKS_DELETED, "TASK_DELETED"}
_PROJECT = {"PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED"}
_NOTHING = {"LABEL_LINK_CREATED", "LABEL_LINK_UPDATED", "LABEL_LINK_DELETED"}
KNOWN = _ANNOTATIONS | _DELETED_ANNOTATIONS | _TASKS | _DELETED_TASKS | _PROJECT | _NOTHING


@dataclass(frozen=True)
class Told:
    """An annotation as an event carried it, not read yet: mostly it is the state that is fetched anyway."""

    id: int
    updated_at: datetime
    row: Mapping[str, Any]
    delivery_id: int
    whole: bool = True
    """False: of an event of a single annotation, whose result was left in the inbox (``db.inbox.Delivery``)."""


@dataclass
class Reasons:
    """What some deliveries ask for; ids are Label Studio's."""

    tasks: set[int] = field(default_factory=set)
    """To fetch."""
    deleted_tasks: dict[int, int] = field(default_factory=dict)
    """Id → delivery that says it is gone."""
    deleted_annotations: dict[int, int] = field(default_factory=dict)
    told: dict[int, list[Told]] = field(default_factory=dict)
    """Annotations by task."""
    told_tasks: dict[int, Snapshot] = field(default_factory=dict)
    """Tasks as events carried them, for those that are gone before anybody could fetch them."""
    sweep: bool = False
    """Look for deletions."""
    catch_up: bool = False
    project: bool = False
    """Look whether the project is still there."""
    notes: dict[int, str] = field(default_factory=dict)
    """Delivery → what was special about it."""

    def add(self, other: Reasons) -> None:
        """What another delivery, a later one, asks for as well."""
        self.tasks |= other.tasks
        self.deleted_tasks |= other.deleted_tasks
        self.deleted_annotations |= other.deleted_annotations
        for task, told in other.told.items():
            self.told.setdefault(task, []).extend(told)
        self.told_tasks |= other.told_tasks
        self.sweep = self.sweep or other.sweep
        self.catch_up = self.catch_up or other.catch_up
        self.project = self.project or other.project
        self.notes |= other.notes


def witnesses(told: Iterable[Told], present: Iterable[State], people: People) -> list[Witness]:
    """The states that were told. One of the time of a present state is that state: Label Studio never gives
    one time to two contents."""
    standing = {(state.id, state.updated_at): state for state in present}
    return [
        Witness(
            standing.get((one.id, one.updated_at)) or read_annotation(one.row, people, stored=True),
            one.delivery_id,
        )
        for one in told
    ]


def read_delivery(
    reasons: Reasons, delivery_id: int, action: str, payload: Mapping[str, Any]
) -> None:
    """Add what one delivery asks for."""
    if action in _ANNOTATIONS:
        _annotations(reasons, delivery_id, payload)
    elif action in _DELETED_ANNOTATIONS:
        found = _ids(payload, "annotations", "annotation")
        reasons.deleted_annotations |= dict.fromkeys(found, delivery_id)
        _unless(found, reasons, delivery_id)
    elif action in _TASKS:
        found = _ids(payload, "tasks", "task")
        reasons.tasks |= found
        _unless(found, reasons, delivery_id)
    elif action in _DELETED_TASKS:
        found = _ids(payload, "tasks", "task")
        reasons.deleted_tasks |= dict.fromkeys(found, delivery_id)
        # Deletions come in hundreds, and other tasks may have inherited annotations.
        reasons.sweep = True
        _unless(found, reasons, delivery_id)
    elif action in _PROJECT:
        reasons.project = True
    elif action not in _NOTHING:
        reasons.notes[delivery_id] = (
            f"Events of the kind {action!r} are not known; the project was looked through."
        )
        reasons.catch_up = reasons.sweep = True


def _annotations(reasons: Reasons, delivery_id: int, payload: Mapping[str, Any]) -> None:
    rows, tasks = _list(payload, "annotation", "annotations"), _list(payload, "task", "tasks")
    whole = not isinstance(payload.get("annotation"), Mapping)
    problems: list[str] = []
    told: dict[int, Snapshot] = {}
    for row in tasks:
        try:
            task = read_bare_task(row)
        except Unreadable as error:
            problems.append(str(error))
            continue
        told[task.id] = task
    for row in rows:
        number = number_of(row.get("task")) if isinstance(row, Mapping) else None
        if number is None and len(told) == 1:
            number = next(iter(told))
        if number is None:
            problems.append("An annotation names no task.")
            continue
        reasons.tasks.add(number)
        try:
            annotation, _, updated_at = times_of(row)
        except Unreadable as error:
            problems.append(str(error))
            continue
        told_now = Told(annotation, updated_at, row, delivery_id, whole)
        reasons.told.setdefault(number, []).append(told_now)
    reasons.tasks |= told.keys()
    reasons.told_tasks |= told
    if not rows and not told:
        problems.append("The event names no annotation and no task.")
    if problems:
        reasons.notes[delivery_id] = (
            " ".join(dict.fromkeys(problems)) + " The project was looked through."
        )
        reasons.catch_up = True


def _unless(found: set[int], reasons: Reasons, delivery_id: int) -> None:
    """An event without ids, as with ``send_payload`` off, still says that something happened."""
    if not found:
        reasons.catch_up = reasons.sweep = True
        reasons.notes[delivery_id] = "The event names no ids; the project was looked through."


def _ids(payload: Mapping[str, Any], *keys: str) -> set[int]:
    numbers = (number_of(row) for row in _list(payload, *keys))
    return {number for number in numbers if number is not None}


def _list(payload: Mapping[str, Any], *keys: str) -> list[Any]:
    """The rows under the first of ``keys`` that is there; one row may come without a list."""
    for key in keys:
        value = payload.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            return [value]
    return []
