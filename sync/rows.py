"""Planned events → rows of events, values and current states, written at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import mirror, mirror_rows
from db.documents import words_of
from db.json_values import plain
from db.models import EventKind, EventSource, ValueOutcome
from db.regions import PageSize, read_result
from db.words import PageWords, WordsDamaged, unpack
from sync.look import Written
from sync.origins import Origin, Origins
from sync.reconcile import Entry, Recorded
from sync.states import Snapshot, State
from sync.values import Context, FieldReader, Understood, differences, needs_words, understand

MOST_PROBLEMS = 100
_OUTCOMES = {outcome: outcome.value for outcome in ValueOutcome}
_EVENT = (
    *("id", "project_id", "task_id", "label_studio_id", "kind", "source", "occurred_at", "actor"),
    *("was_cancelled", "lead_time", "result", "content_sha256", "parent_prediction_id"),
    *("extraction_id", "previous_event_id", "changes", "gap", "problems", "delivery_id"),
    *("source_updated_at", "late"),
)
_VALUE = (
    *("event_id", "region_id", "field", "row", "text", "text_source", "normalised", "problem"),
    *("page", "x0", "y0", "x1", "y1", "outcome", "predicted_text", "confidence"),
)


@dataclass
class Planned:
    """An annotation of a task and the events it gets. ``task_id`` is ``tasks.id``."""

    task_id: int
    label_studio_id: int
    known: Recorded | None
    snapshot: Snapshot
    entries: Sequence[Entry]
    refresh: State | None = None
    """The state to take over without an event: only what has no history changed."""


def write(
    session: Session,
    project_id: int,
    planned: Sequence[Planned],
    versions: dict[int, UUID],
    origins: Origins,
    reader: FieldReader,
    written: Written,
) -> None:
    """Append the events, their values, and set the current states; counts into ``written``."""
    rows = _Rows(session, project_id, versions, origins, reader, written)
    rows.begin(planned)
    rows.write(planned)


class _Rows:
    def __init__(
        self,
        session: Session,
        project_id: int,
        versions: dict[int, UUID],
        origins: Origins,
        reader: FieldReader,
        written: Written,
    ) -> None:
        self._session = session
        self._project_id = project_id
        self._origins = origins
        self._reader = reader
        self._written = written
        self._sheets = _Sheets(session, versions)
        self._values: list[tuple[Any, ...]] = []
        self._inserts: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._last: dict[int | None, int] = {}
        """``annotations.id`` → its last event, where this look gave it one already."""
        self._before: dict[int, mirror.Content] = {}
        self._ids: Iterator[int] = iter(())

    def begin(self, planned: Sequence[Planned]) -> None:
        """Read all that is needed, and take ids for the events."""
        count = sum(len(plan.entries) for plan in planned)
        self._ids = iter(mirror_rows.take_ids(self._session, "annotation_events", count))
        self._before = mirror.contents_of(
            self._session,
            {plan.known.last_event_id for plan in planned if plan.known and plan.entries},
        )
        self._sheets.load(
            (plan.task_id, entry.state)
            for plan in planned
            for entry in plan.entries
            if entry.state is not None
        )

    def write(self, planned: Sequence[Planned]) -> None:
        """One statement per table. While Postgres takes in an event the next one is worked out."""
        session = self._session
        mirror_rows.copy_rows(
            session,
            "annotation_events",
            _EVENT,
            (event for plan in planned for event in self._events(plan)),
        )
        mirror_rows.copy_rows(session, "annotation_values", _VALUE, self._values)
        mirror_rows.insert_annotations(session, self._inserts)
        mirror_rows.update_annotations(session, self._updates)

    def _events(self, plan: Planned) -> Iterator[tuple[Any, ...]]:
        """Its events as rows; what else they bring is set aside until they are written."""
        known = plan.known
        if plan.refresh is not None and known is not None and known.row_id is not None:
            self._updates.append({"id": known.row_id, "ground_truth": plan.refresh.ground_truth})
        if not plan.entries:
            return
        content = self._before.get(known.last_event_id) if known else None
        previous = self._last.get(known.row_id, known.last_event_id) if known else None
        current: dict[str, Any] = {}
        for entry in plan.entries:
            event_id = next(self._ids)
            self._written.events += 1
            if entry.state is None:
                assert content is not None  # noqa: S101 - what ends was there before
                yield self._deletion(plan, entry, event_id, previous, content, current)
                previous = event_id
                continue
            state = entry.state
            origin = self._origins.of(plan.task_id, state)
            context = self._sheets.context(plan.task_id, state, origin)
            understood = understand(state, context, self._reader)
            changes: list[dict[str, Any]] = []
            if content is not None and not entry.late:
                changes = differences(
                    read_result(content.result, context.pages),
                    read_result(state.result, context.pages),
                )
            problems = [*entry.problems, *([origin.problem] if origin.problem else ())]
            problems += understood.problems
            yield self._state(
                plan,
                entry,
                state,
                event_id,
                None if entry.late else previous,
                origin,
                changes,
                problems,
            )
            self._value_rows(event_id, understood)
            if entry.late:
                self._written.late += 1
                continue
            previous = event_id
            content = mirror.Content(
                state.result,
                state.was_cancelled,
                state.sha256,
                state.lead_time,
                state.parent_prediction,
                origin.extraction_id,
            )
            current = self._current(plan, state, understood, event_id)
            self._count(entry)
        if known is not None and known.row_id is not None and previous is not None:
            self._last[known.row_id] = previous
        if not current:
            return
        if known is None or known.row_id is None:
            self._inserts.append(current)
        else:
            self._updates.append({"id": known.row_id, **current})

    def _state(
        self,
        plan: Planned,
        entry: Entry,
        state: State,
        event_id: int,
        previous: int | None,
        origin: Origin,
        changes: list[dict[str, Any]],
        problems: list[str],
    ) -> tuple[Any, ...]:
        return (
            *(event_id, self._project_id, plan.task_id, plan.label_studio_id),
            *(entry.kind.value, entry.source.value, entry.occurred_at, state.updated_by),
            *(state.was_cancelled, state.lead_time, state.text),
            *(state.sha256, state.parent_prediction, origin.extraction_id, previous),
            *(plain(changes), entry.gap),
            *(plain(problems[:MOST_PROBLEMS]), entry.delivery_id),
            *(state.updated_at, entry.late),
        )

    def _deletion(
        self,
        plan: Planned,
        entry: Entry,
        event_id: int,
        previous: int | None,
        content: mirror.Content,
        current: dict[str, Any],
    ) -> tuple[Any, ...]:
        actor = current.get("updated_by", plan.known.reviewer if plan.known else None)
        current |= {"last_event_id": event_id, "deleted_at": entry.occurred_at}
        self._count(entry)
        return (
            *(event_id, self._project_id, plan.task_id, plan.label_studio_id),
            *(entry.kind.value, entry.source.value, entry.occurred_at, actor),
            *(content.was_cancelled, content.lead_time, plain(content.result)),
            *(content.content_sha256, content.parent_prediction_id, content.extraction_id),
            *(previous, "[]", entry.gap, plain(list(entry.problems))),
            *(entry.delivery_id, None, False),
        )

    def _value_rows(self, event_id: int, understood: Understood) -> None:
        self._values += [
            (
                *(event_id, value.region_id, value.field, value.row, value.text),
                *(value.text_source, value.normalised, value.problem, value.page, *value.box),
                *(_OUTCOMES[value.outcome], value.predicted_text, value.confidence),
            )
            for value in understood.values
        ]

    def _current(
        self, plan: Planned, state: State, understood: Understood, event_id: int
    ) -> dict[str, Any]:
        return {
            "project_id": self._project_id,
            "task_id": plan.task_id,
            "label_studio_id": plan.label_studio_id,
            "last_event_id": event_id,
            "content_event_id": event_id,
            "created_by": state.created_by,
            "updated_by": state.updated_by,
            "source_created_at": state.created_at,
            "source_updated_at": state.updated_at,
            "was_cancelled": state.was_cancelled,
            "ground_truth": state.ground_truth,
            "lead_time": state.lead_time,
            "content_sha256": state.sha256,
            "status": understood.status,
            "absent": list(understood.absent),
            "notes": understood.notes,
            "deleted_at": None,
            "extra": dict(state.extra),
        }

    def _count(self, entry: Entry) -> None:
        written = self._written
        if entry.kind is EventKind.DELETED:
            written.deleted += 1
        elif entry.kind is EventKind.RESTORED:
            written.restored += 1
        elif entry.kind is EventKind.CREATED:
            written.added += 1
        else:
            written.changed += 1
        if entry.source in {EventSource.SWEEP, EventSource.VERIFY}:
            written.lost = True


class _Sheets:
    """Pages and words of document versions, read once per look and before anything is written: while rows go
    in, the connection cannot be asked."""

    def __init__(self, session: Session, versions: dict[int, UUID]) -> None:
        self._session = session
        self._versions = versions
        self._pages: dict[UUID, list[PageSize]] = {}
        self._words: dict[UUID, dict[int, PageWords]] = {}

    def load(self, states: Iterable[tuple[int, State]]) -> None:
        """Read what ``context`` will be asked of."""
        named: set[UUID] = set()
        for task_id, state in states:
            version = self._versions.get(task_id)
            if version is None:
                continue
            named.add(version)
            if version not in self._words and needs_words(state):
                self._words[version] = self._read(version)
        for version, sizes in mirror.page_sizes_of(self._session, named).items():
            self._pages[version] = [PageSize(*size) for size in sizes]

    def context(self, task_id: int, state: State, origin: Origin) -> Context:
        version = self._versions.get(task_id)
        if version is None:
            return Context(predicted=origin.predicted or {})
        return Context(
            pages=self._pages.get(version, []),
            words=self._words[version] if needs_words(state) else {},
            predicted=origin.predicted or {},
        )

    def _read(self, version: UUID) -> dict[int, PageWords]:
        data = words_of(self._session, version)
        try:
            pages = [] if data is None else unpack(data)
        except WordsDamaged:
            pages = []
        return {page.number: page for page in pages}
