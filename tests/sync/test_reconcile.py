"""Reconciliation, over every order, repetition and loss of webhooks that hypothesis thinks of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from db.models import EventKind, EventSource
from sync.reconcile import TRUST_AGAIN, Circumstances, Entry, Recorded, Witness, reconcile
from sync.states import State, content_hash

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def state(step: int, words: str, *, clock: timedelta = timedelta(0)) -> State:
    result = [{"id": "r", "value": {"text": [words]}}]
    return State(
        id=7,
        created_at=START,
        updated_at=START + timedelta(minutes=step) + clock,
        result=result,
        was_cancelled=False,
        sha256=content_hash(result, False),
    )


@dataclass
class Record:
    """The rows of one annotation, written as ``sync.apply`` writes them."""

    events: list[Entry] = field(default_factory=list)
    current: Recorded | None = None

    def look(self, present: State | None, witnesses: list[Witness], now: datetime) -> None:
        marks = frozenset(entry.state.mark for entry in self.events if entry.state)
        for entry in reconcile(
            self.current, present, witnesses, Circumstances(EventSource.SWEEP, now), marks=marks
        ):
            self.events.append(entry)
            if entry.late:
                continue
            if entry.state is None:
                assert self.current is not None
                self.current = replace(self.current, deleted=True, occurred_at=entry.occurred_at)
            else:
                self.current = Recorded(
                    row_id=1,
                    id=7,
                    task_id=1,
                    created_at=entry.state.created_at,
                    updated_at=entry.state.updated_at,
                    sha256=entry.state.sha256,
                    ground_truth=False,
                    last_event_id=len(self.events),
                    occurred_at=entry.occurred_at,
                    deleted=False,
                )


@dataclass(frozen=True)
class Story:
    """What happened in Label Studio, what became of its webhooks, and when somebody looked."""

    states: list[State]
    deleted: bool
    arrivals: list[tuple[int, int]]
    """(state, number of states made when its webhook was read), in the order of reading."""


@st.composite
def stories(draw: st.DrawFn, *, lossless: bool = False) -> Story:
    count = draw(st.integers(1, 6))
    words = [draw(st.sampled_from("ABC")) for _ in range(count)]
    states = [state(step, text) for step, text in enumerate(words)]
    copies = [n for n in range(count) for _ in range(draw(st.integers(1 if lossless else 0, 3)))]
    order = draw(st.permutations(copies))
    # A webhook is read when its state was made already, and the moments of reading do not go back.
    made = 0
    arrivals = []
    for number in order:
        made = draw(st.integers(max(made, number + 1), count))
        arrivals.append((number, made))
    return Story(states, draw(st.booleans()), arrivals)


def play(story: Story, looks_between: bool = False) -> Record:
    record = Record()
    for delivery, (number, made) in enumerate(story.arrivals, start=1):
        present = story.states[made - 1]
        now = present.updated_at + timedelta(seconds=1)
        record.look(present, [Witness(story.states[number], delivery)], now)
        if looks_between:
            record.look(present, [], now + timedelta(seconds=1))
    sweep(story, record)
    return record


def sweep(story: Story, record: Record) -> None:
    end = START + timedelta(hours=1)
    record.look(None if story.deleted else story.states[-1], [], end)


@given(stories(), st.booleans())
def test_any_loss_order_and_repetition_followed_by_one_sweep_gives_the_same_state(story, between):
    record = play(story, between)
    if story.deleted:
        assert record.current is None or record.current.deleted
        return
    last = story.states[-1]
    assert record.current is not None
    assert not record.current.deleted
    assert record.current.mark == last.mark


@given(stories(), st.booleans())
def test_a_second_sweep_adds_nothing(story, between):
    record = play(story, between)
    before = list(record.events)
    sweep(story, record)
    assert record.events == before


@given(stories())
def test_reading_every_webhook_again_adds_nothing(story):
    record = play(story)
    before = list(record.events)
    told = [
        Witness(story.states[number], delivery + 100)
        for delivery, (number, _) in enumerate(story.arrivals)
    ]
    end = START + timedelta(hours=2)
    record.look(None if story.deleted else story.states[-1], told, end)
    assert record.events == before


@given(stories(lossless=True), st.booleans())
def test_without_loss_every_state_is_in_the_history_exactly_once(story, between):
    record = play(story, between)
    marks = [entry.state.mark for entry in record.events if entry.state]
    assert sorted(marks) == sorted({s.mark for s in story.states})
    assert len(marks) == len(set(marks))


@given(stories(), st.booleans())
def test_only_states_that_were_are_recorded_and_their_times_never_go_back(story, between):
    record = play(story, between)
    real = {s.mark for s in story.states}
    assert {entry.state.mark for entry in record.events if entry.state} <= real
    line = [entry.occurred_at for entry in record.events if not entry.late]
    assert line == sorted(set(line))
    # By the clock of the source, the last state is the current one as well.
    if record.events:
        last = max(enumerate(record.events), key=lambda pair: (pair[1].occurred_at, pair[0]))[1]
        assert not last.late


@given(stories(), st.booleans())
def test_what_a_sweep_found_is_marked_where_others_may_have_gone_unseen(story, between):
    record = play(story, between)
    for entry in record.events:
        if entry.source is EventSource.SWEEP and entry.kind is not EventKind.CREATED:
            assert entry.gap


@given(st.permutations(range(5)), st.lists(st.integers(-30, 30), min_size=5, max_size=5))
def test_a_clock_that_jumps_changes_nothing_about_what_is_current(order, jumps):
    states = [
        state(step, "ABCDE"[step], clock=timedelta(minutes=jump)) for step, jump in enumerate(jumps)
    ]
    record = Record()
    for step, present in enumerate(states):
        record.look(present, [], START + timedelta(hours=step))
        assert record.current is not None
        assert record.current.mark == present.mark
    told = [Witness(states[number], delivery) for delivery, number in enumerate(order)]
    record.look(states[-1], told, START + timedelta(hours=9))
    assert record.current is not None
    assert record.current.mark == states[-1].mark
    line = [entry.occurred_at for entry in record.events if not entry.late]
    assert line == sorted(set(line))
    explained = [entry for entry in record.events if entry.problems]
    assert all("clock went back" in entry.problems[0] for entry in explained)


def test_webhooks_that_get_lost_make_the_next_ones_doubtful():
    first, second = state(0, "A"), state(1, "B")
    record = Record()
    record.look(first, [Witness(first, 1)], START)
    assert record.current is not None

    def gap(lost_at: datetime | None) -> bool:
        (entry,) = reconcile(
            record.current,
            second,
            [Witness(second, 2)],
            Circumstances(EventSource.SWEEP, START, lost_at),
        )
        return entry.gap

    assert not gap(None)
    assert gap(START)
    assert gap(START - TRUST_AGAIN)
    assert not gap(START - TRUST_AGAIN - timedelta(seconds=1))


def test_a_damaged_row_is_recorded_again():
    first = state(0, "A")
    record = Record()
    record.look(first, [], START)
    assert record.current is not None
    record.current = replace(record.current, sha256="damaged")
    record.look(first, [], START + timedelta(hours=1))
    assert [(entry.kind, entry.gap) for entry in record.events] == [
        (EventKind.CREATED, False),
        (EventKind.RESTORED, False),
    ]
