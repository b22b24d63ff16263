"""Annotations and tasks as Label Studio tells them → values. Pure, and total: what cannot be read is named.

The API, the export and the webhooks tell the same annotation with different keys: ``completed_by`` is a number
here and an object there. What counts is the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from db.inbox import SECRET_KEYS
from db.json_values import canonical, storable

MAX_ID = 2**31
# An annotation is written once when it is made; its two times then differ by microseconds.
_AT_ONCE = timedelta(milliseconds=20)
_KNOWN = {
    *("id", "result", "was_cancelled", "ground_truth", "created_at", "updated_at", "lead_time"),
    *("completed_by", "updated_by", "parent_prediction", "task", "project", "prediction"),
    *("created_username", "created_ago", "result_count"),
}

People = Callable[[int], str | None]
"""User id → e-mail, None where nobody has that id."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of one annotation."""

    id: int
    created_at: datetime
    updated_at: datetime
    result: list[Any]
    was_cancelled: bool
    sha256: str
    text: str = "[]"
    """``result`` as canonical JSON, as it is stored."""
    ground_truth: bool = False
    lead_time: float | None = None
    created_by: str | None = None
    updated_by: str | None = None
    parent_prediction: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def original(self) -> bool:
        """Whether this is the state in which the annotation was made."""
        return abs(self.updated_at - self.created_at) <= _AT_ONCE

    @property
    def mark(self) -> tuple[datetime, str]:
        """What tells one state of an annotation from another."""
        return self.updated_at, self.sha256


@dataclass(frozen=True, slots=True)
class ShownPrediction:
    """A prediction of a task in Label Studio."""

    id: int
    model_version: str
    created_at: datetime | None
    region_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A task with all its annotations at one moment."""

    id: int
    created_at: datetime
    updated_at: datetime
    data: Mapping[str, Any]
    is_labeled: bool
    annotations: tuple[State, ...]
    predictions: tuple[ShownPrediction, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def document_version(self) -> UUID | None:
        """The version this task shows, if it is one of ours."""
        return document_version(self.data)


class Unreadable(ValueError):
    """A task or annotation without what makes it one: its id and its times."""


def content_hash(result: Any, was_cancelled: bool) -> str:
    """Equal content, equal hash. Expects ``storable`` values."""
    return _hash(canonical(result), was_cancelled)


def _hash(text: bytes, was_cancelled: bool) -> str:
    # The digest of [result, was_cancelled], without writing the result out a second time.
    return hashlib.sha256(b"[%b,%b]" % (text, b"true" if was_cancelled else b"false")).hexdigest()


def times_of(row: Any) -> tuple[int, datetime, datetime]:
    """Id, created_at and updated_at of an annotation. Raises Unreadable."""
    if not isinstance(row, Mapping):
        raise Unreadable("An annotation is not an object.")
    number = number_of(row.get("id"))
    created, updated = moment(row.get("created_at")), moment(row.get("updated_at"))
    if number is None or created is None or updated is None:
        raise Unreadable("An annotation has no usable id, created_at or updated_at.")
    return number, created, updated


def read_annotation(row: Any, people: People, *, stored: bool = False) -> State:
    """``stored``: the row comes from a jsonb column and needs no cleaning. Raises Unreadable."""
    number, created, updated = times_of(row)
    problems: list[str] = []
    extra = {
        str(name): value
        for name, value in row.items()
        if name not in _KNOWN and value not in (None, "", [], {})
    }
    result = row.get("result") if stored else storable(row.get("result"))
    if result is None:
        result = []
    elif not isinstance(result, list):
        problems.append("The result is not a list; it is kept under 'result' of annotations.extra.")
        extra["result"] = result
    cancelled = row.get("was_cancelled") is True
    text = canonical(result)
    creator = person(row.get("completed_by"), people)
    return State(
        id=number,
        created_at=created,
        updated_at=updated,
        result=result if isinstance(result, list) else [],
        was_cancelled=cancelled,
        sha256=_hash(text, cancelled),
        text=text.decode() if isinstance(result, list) else "[]",
        ground_truth=row.get("ground_truth") is True,
        lead_time=_seconds(row.get("lead_time")),
        created_by=creator,
        updated_by=person(row.get("updated_by"), people) or creator,
        parent_prediction=number_of(row.get("parent_prediction")),
        extra=storable(extra, without=SECRET_KEYS),
        problems=tuple(problems),
    )


def read_task(row: Any, people: People) -> Snapshot:
    """A task as the API lists it with ``fields=all``. Raises Unreadable, also where one annotation is."""
    if not isinstance(row, Mapping):
        raise Unreadable("A task is not an object.")
    annotations = row.get("annotations")
    if not isinstance(annotations, list):
        raise Unreadable("A task came without its list of annotations.")
    bare = read_bare_task(row)
    return Snapshot(
        id=bare.id,
        created_at=bare.created_at,
        updated_at=bare.updated_at,
        data=bare.data,
        is_labeled=bare.is_labeled,
        annotations=tuple(read_annotation(item, people) for item in annotations),
        predictions=_predictions(row.get("predictions")),
        problems=bare.problems,
    )


def read_bare_task(row: Any) -> Snapshot:
    """A task without its annotations, as webhooks carry it. Raises Unreadable."""
    if not isinstance(row, Mapping):
        raise Unreadable("A task is not an object.")
    number = number_of(row.get("id"))
    created, updated = moment(row.get("created_at")), moment(row.get("updated_at"))
    if number is None or created is None or updated is None:
        raise Unreadable("A task has no usable id, created_at or updated_at.")
    data = storable(row.get("data"), without=SECRET_KEYS)
    return Snapshot(
        id=number,
        created_at=created,
        updated_at=updated,
        data=data if isinstance(data, dict) else {"data": data},
        is_labeled=row.get("is_labeled") is True,
        annotations=(),
    )


def document_version(data: Mapping[str, Any]) -> UUID | None:
    """The document version the data of a task names."""
    ours = data.get("fieldloop")
    if not isinstance(ours, Mapping):
        return None
    try:
        return UUID(str(ours.get("document_version_id")))
    except ValueError:
        return None


def moment(value: Any) -> datetime | None:
    """A time of Label Studio's, with its zone; UTC where it has none."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def number_of(value: Any) -> int | None:
    """An id; some answers nest it in an object."""
    if isinstance(value, Mapping):
        value = value.get("id")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < MAX_ID:
        return None
    return value


def person(value: Any, people: People) -> str | None:
    """E-mail of a user that is told as an object or as a number."""
    if isinstance(value, Mapping) and isinstance(value.get("email"), str) and value["email"]:
        return str(value["email"])
    number = number_of(value)
    return None if number is None else people(number)


def _predictions(rows: Any) -> tuple[ShownPrediction, ...]:
    found: list[ShownPrediction] = []
    for row in rows if isinstance(rows, list) else []:
        number = number_of(row) if isinstance(row, Mapping) else None
        if number is None:
            continue
        result = row.get("result")
        ids = (
            str(entry["id"])
            for entry in (result if isinstance(result, list) else [])
            if isinstance(entry, Mapping) and "id" in entry
        )
        found.append(
            ShownPrediction(
                id=number,
                model_version=str(row.get("model_version") or ""),
                created_at=moment(row.get("created_at")),
                region_ids=frozenset(ids),
            )
        )
    return tuple(found)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e12 else None
