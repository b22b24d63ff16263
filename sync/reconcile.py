"""(what the record says, what Label Studio says, what webhooks told on the way) → events to append. Pure.

Label Studio as it is now decides what an annotation's current state is; webhooks only witness the states it
passed through. So the outcome does not depend on which webhooks came, how often, or in which order:

* a state witnessed between the recorded one and the present one becomes a step of the history;
* a state witnessed after a later one was recorded is kept as *late*: history, but never current;
* a state nobody announced is marked as a gap, because others may have gone unseen before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.models import EventKind, EventSource
from sync.states import State

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The current state of an annotation in the record."""

    row_id: int | None
    """None: there is a history, but its current row was lost."""
    id: int
    task_id: int
    created_at: datetime
    updated_at: datetime
    sha256: str
    ground_truth: bool
    last_event_id: int
    occurred_at: datetime
    deleted: bool
    reviewer: str | None = None

    @property
    def mark(self) -> tuple[datetime, str]:
        return self.updated_at, self.sha256


@dataclass(frozen=True, slots=True)
class Witness:
    """A state of an annotation as a webhook carried it."""

    state: State
    delivery_id: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to append. ``state`` None: the annotation is gone, with its last content."""

    kind: EventKind
    state: State | None
    source: EventSource
    occurred_at: datetime
    gap: bool
    late: bool = False
    delivery_id: int | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How this look came about."""

    source: EventSource
    """For states nobody announced."""
    now: datetime
    deliveries_lost_at: datetime | None = None
    """When we last found that webhooks get lost; None: never."""

    def unreliable(self, since: datetime | None) -> bool:
        """Whether webhooks were getting lost around or after ``since``."""
        lost = self.deliveries_lost_at
        return lost is not None and (since is None or lost + TRUST_AGAIN >= since)


TRUST_AGAIN = timedelta(minutes=10)
"""So long after a lost webhook the next ones are not taken for complete."""


def reconcile(
    known: Recorded | None,
    present: State | None,
    witnesses: Sequence[Witness],
    circumstances: Circumstances,
    *,
    marks: frozenset[tuple[datetime, str]] = frozenset(),
    deletion: int | None = None,
) -> list[Entry]:
    """The events that bring the history of one annotation of one task up to date, in order.

    ``present``: as Label Studio has it now; None: it is certainly gone. ``marks``: the states on record,
    needed where there are witnesses. ``deletion``: the delivery that announced the deletion, if one did.
    """
    standing = known is not None and not known.deleted
    announced = _announcements(witnesses)
    recorded = marks | ({known.mark} if known else set())
    fresh = [
        witness
        for witness in _once(witnesses)
        if witness.state.mark not in recorded
        and (present is None or witness.state.mark != present.mark)
    ]
    steps, late = _sorted_out(known, present, fresh)
    line = _Line(known, circumstances)
    for witness in steps:
        line.state(witness.state, witness.delivery_id)
    if present is None:
        if standing or (known is None and steps):
            line.deleted(deletion)
    elif known is not None and (known.deleted or _damaged(known, present)):
        line.restored(present, announced.get(present.mark))
    elif known is None or present.mark != known.mark:
        line.state(present, announced.get(present.mark))
    for witness in late:
        line.late(witness)
    return line.entries


def _damaged(known: Recorded, present: State) -> bool:
    """Label Studio never gives one time to two contents: then the record's is not what it was."""
    return known.updated_at == present.updated_at and known.sha256 != present.sha256


def _announcements(witnesses: Sequence[Witness]) -> dict[tuple[datetime, str], int]:
    found: dict[tuple[datetime, str], int] = {}
    for witness in witnesses:
        first = found.get(witness.state.mark, witness.delivery_id)
        found[witness.state.mark] = min(first, witness.delivery_id)
    return found


def _once(witnesses: Sequence[Witness]) -> list[Witness]:
    """Each state once, told by its first delivery, in the order of Label Studio's clock."""
    first: dict[tuple[datetime, str], Witness] = {}
    for witness in sorted(witnesses, key=lambda w: w.delivery_id):
        first.setdefault(witness.state.mark, witness)
    return sorted(first.values(), key=lambda w: w.state.mark)


def _sorted_out(
    known: Recorded | None, present: State | None, fresh: Sequence[Witness]
) -> tuple[list[Witness], list[Witness]]:
    """Those that lie between the recorded and the present state, and those that come too late."""
    if known is not None and known.deleted:
        return [], list(fresh)
    steps: list[Witness] = []
    late: list[Witness] = []
    for witness in fresh:
        after = known is None or witness.state.updated_at > known.updated_at
        before = present is None or witness.state.updated_at < present.updated_at
        (steps if after and before else late).append(witness)
    return steps, late


class _Line:
    """The history as it grows; its times never go back."""

    def __init__(self, known: Recorded | None, circumstances: Circumstances) -> None:
        self.entries: list[Entry] = []
        self._circumstances = circumstances
        self._known = known
        self._floor = known.occurred_at if known else None

    def state(self, state: State, delivery: int | None) -> None:
        occurred, problems = self._after(state.updated_at)
        self._append(
            Entry(
                kind=EventKind.CREATED if state.original else EventKind.UPDATED,
                state=state,
                source=self._source(delivery),
                occurred_at=occurred,
                gap=not state.original and self._unseen(delivery),
                delivery_id=delivery,
                problems=problems,
            )
        )

    def restored(self, state: State, delivery: int | None) -> None:
        occurred, _ = self._after(self._circumstances.now)
        changed = self._known is None or state.updated_at != self._known.updated_at
        self._append(
            Entry(
                kind=EventKind.RESTORED,
                state=state,
                source=self._source(delivery),
                occurred_at=occurred,
                gap=changed,
                delivery_id=delivery,
            )
        )

    def deleted(self, delivery: int | None) -> None:
        occurred, _ = self._after(self._circumstances.now)
        self._append(
            Entry(
                kind=EventKind.DELETED,
                state=None,
                source=self._source(delivery),
                occurred_at=occurred,
                gap=self._unseen(delivery),
                delivery_id=delivery,
            )
        )

    def late(self, witness: Witness) -> None:
        """Below the current state, whatever Label Studio's clock said."""
        state = witness.state
        top = self._floor
        occurred = state.updated_at if top is None else min(state.updated_at, top - TICK)
        self.entries.append(
            Entry(
                kind=EventKind.CREATED if state.original else EventKind.UPDATED,
                state=state,
                source=EventSource.WEBHOOK,
                occurred_at=occurred,
                gap=not state.original,
                late=True,
                delivery_id=witness.delivery_id,
                problems=("Its webhook was read only after a later state had been recorded.",),
            )
        )

    def _append(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._floor = entry.occurred_at

    def _source(self, delivery: int | None) -> EventSource:
        return self._circumstances.source if delivery is None else EventSource.WEBHOOK

    def _unseen(self, delivery: int | None) -> bool:
        """Whether states before this one may have gone unseen."""
        if delivery is None or self._floor is None:
            return True
        return self._circumstances.unreliable(self._floor)

    def _after(self, moment: datetime) -> tuple[datetime, tuple[str, ...]]:
        if self._floor is None or moment > self._floor:
            return moment, ()
        said = (f"Label Studio's clock went back: it says {moment.isoformat()}.",)
        return self._floor + TICK, said
