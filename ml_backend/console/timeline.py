"""What happened to a document, in order: who brought it, what read it, who changed what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ml_backend.documents_api.detail import VersionDetail

LONGEST = 120
"""Characters of a value shown in a change; the rest is on the page itself."""


@dataclass(frozen=True)
class Change:
    """One difference between two states of an annotation; ``key`` of the catalogue."""

    key: str
    field: str | None
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Moment:
    """One thing that happened; ``key`` and ``values`` make its sentence."""

    at: datetime
    who: str | None
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    notes: Sequence[tuple[str, Mapping[str, object]]] = ()
    problem: str | None = None


def moments(
    versions: Sequence[VersionDetail], history: Sequence[Mapping[str, Any]]
) -> list[Moment]:
    """Newest first. ``history``: rows of ``annotation_history``."""
    found: list[Moment] = []
    for one in versions:
        version = one.version
        found.append(
            Moment(
                version.uploaded_at,
                version.uploaded_by,
                "history.uploaded",
                {"n": version.number},
                problem=version.notes,
            )
        )
        if version.read_at is not None:
            found.append(_read(one))
        found += [
            Moment(row.recorded_at, None, "history.extracted", {"model": model.name})
            for row, model in one.extractions
        ]
        found += [
            Moment(task.first_seen_at, None, "history.task", {"id": task.label_studio_id})
            for task in one.tasks
        ]
    found += [_state(row) for row in history]
    return sorted(found, key=lambda moment: moment.at, reverse=True)


def _read(one: VersionDetail) -> Moment:
    version = one.version
    at = version.read_at or version.uploaded_at
    if version.error_code is not None:
        return Moment(at, None, "history.unreadable", problem=version.error_message)
    seconds = "–" if version.read_seconds is None else f"{version.read_seconds:.1f}"
    values = {"n": version.page_count or 0, "seconds": seconds}
    return Moment(at, version.reader, "history.read", values)


def _state(row: Mapping[str, Any]) -> Moment:
    notes: list[tuple[str, Mapping[str, object]]] = []
    if row["was_cancelled"]:
        notes.append(("history.skipped", {}))
    if row["model_version"]:
        notes.append(("history.from", {"model": row["model_version"]}))
    if row["lead_time"]:
        notes.append(("history.lead", {"seconds": round(row["lead_time"])}))
    if row["gap"]:
        notes.append(("history.gap", {}))
    if row["source"] != "webhook":
        notes.append(("history.via", {"source": row["source"]}))
    return Moment(
        row["occurred_at"],
        row["reviewer"],
        f"history.{row['kind']}",
        changes=[_change(item) for item in row["changes"] if isinstance(item, Mapping)],
        notes=notes,
    )


_KEYS = {
    "text": "change.text",
    "field": "change.field",
    "place": "change.moved",
    "added": "change.added",
    "removed": "change.removed",
    "status": "change.status",
    "absent": "change.absent",
    "notes": "change.notes",
}


def _change(item: Mapping[str, Any]) -> Change:
    what = str(item.get("change"))
    name = item.get("field")
    return Change(
        _KEYS.get(what, "change.other"),
        str(name) if name else None,
        what,
        _short(item.get("before")),
        _short(item.get("after")),
    )


def _short(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
