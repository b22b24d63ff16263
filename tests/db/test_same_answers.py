"""What was reshaped for speed answers as it did before: both definitions on the same random records.

The definitions before are those that the migrations' ways back restore, the last one first.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import select, text

from db.erase import erase_document
from db.models import Annotation, AnnotationEvent, EventKind, ValueOutcome
from tests import factories
from tests.factories import at

SQL = Path(__file__).parents[2] / "migrations" / "sql"
BEFORE = tuple(
    SQL / f"{name}_down.sql" for name in ("0007_agreement", "0006_overviews", "0005_fast")
)
FUNCTIONS = ("annotations_as_of", "field_values_as_of", "extractions_as_of")
VIEWS = (
    "annotation_history",
    "documents_overview",
    "reviewer_agreement",
    "corrections_by_field",
)
REVIEWERS = ("ana@example.org", "bea@example.org", "Cem@example.org", "", None)
FIELDS = ("total", "date", "lines.amount")


@pytest.fixture
def slow(session):
    """A schema with the definitions of before; first in the search path they are the ones that answer."""
    session.execute(text("CREATE SCHEMA slow"))
    session.execute(text("SET LOCAL search_path = slow, public"))
    for script in BEFORE:
        driver = session.connection().connection.driver_connection
        driver.execute(script.read_text(encoding="utf-8"))
    session.execute(text("SET LOCAL search_path = public"))
    made = session.scalars(
        text(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'slow'::regnamespace"
            " UNION SELECT relname FROM pg_class WHERE relnamespace = 'slow'::regnamespace"
        )
    )
    assert {*made} == {*FUNCTIONS, *VIEWS}


def make_record(session, chance):
    """Two projects with everything a history can hold: late, restored, cancelled, deleted, nameless, unversioned."""
    documents = []
    for _ in range(2):
        project = factories.project(session)
        models = [factories.model_version(session, project, number) for number in range(3)]
        for model in chance.choices(models, k=chance.randrange(4)):
            factories.point_live(session, model, recorded_at=at(chance.randrange(12)))
        for _ in range(3):
            document = factories.document(session, project)
            documents.append(document)
            for number in range(1, chance.randrange(1, 3) + 1):
                version = factories.document_version(
                    session, document, number=number, uploaded_at=at(chance.randrange(6))
                )
                extractions = [
                    factories.extraction(
                        session,
                        version,
                        model,
                        recorded_at=at(chance.randrange(12)),
                        score=chance.choice((None, 0.5)),
                    )
                    for model in chance.sample(models, chance.randrange(4))
                ]
                for extraction in extractions:
                    factories.extraction_value(session, extraction, "total", "1")
                for _ in range(chance.randrange(3)):
                    make_task(session, chance, version, extractions)
        orphan = factories.task(
            session,
            factories.document_version(session, factories.document(session, project)),
            label_studio_id=chance.randrange(10**6),
            document_version_id=None,
        )
        make_annotations(session, chance, orphan, [])
    return documents


def make_task(session, chance, version, extractions):
    task = factories.task(
        session,
        version,
        label_studio_id=chance.randrange(10**6),
        first_seen_at=at(0),
        deleted_at=at(20) if chance.random() < 0.2 else None,
    )
    make_annotations(session, chance, task, extractions)


def make_annotations(session, chance, task, extractions):
    for label_studio_id in range(1, chance.randrange(4) + 1):
        last = None
        for _ in range(chance.randrange(1, 6)):
            late = last is not None and chance.random() < 0.25
            event = factories.annotation_event(
                session,
                task,
                label_studio_id=label_studio_id,
                kind=chance.choice(list(EventKind)),
                occurred_at=at(chance.randrange(12)),
                recorded_at=at(chance.randrange(12)),
                actor=chance.choice(REVIEWERS),
                was_cancelled=chance.random() < 0.2,
                late=late,
                extraction_id=chance.choice([None, *(e.id for e in extractions)]),
            )
            for field in chance.choices(FIELDS, k=chance.randrange(5)):
                value = chance.choice(("1", "2", None))
                factories.annotation_value(
                    session,
                    event,
                    field,
                    value,
                    normalised=chance.choice((value, None)),
                    outcome=chance.choice(list(ValueOutcome)),
                )
            last = last if late else event
        factories.annotation(
            session,
            last,
            source_created_at=at(task.id),
            created_by=chance.choice(REVIEWERS),
            updated_by=chance.choice(REVIEWERS),
            status=chance.choice((None, "OK", "Second look")),
            lead_time=chance.choice((None, 1.0, 7.5)),
            deleted_at=at(20) if chance.random() < 0.2 else None,
        )


def move_on(session, chance):
    """Some annotations get another last state, from another reviewer or another model."""
    for row in session.scalars(select(Annotation)).all():
        if chance.random() < 0.5:
            events = session.scalars(
                select(AnnotationEvent.id).where(
                    AnnotationEvent.task_id == row.task_id,
                    AnnotationEvent.label_studio_id == row.label_studio_id,
                )
            ).all()
            row.last_event_id = chance.choice(events)
    session.flush()


def answers(session, schema, query, values):
    session.execute(text(f"SET LOCAL search_path = {schema}"))
    found = sorted(str(tuple(row)) for row in session.execute(text(query), values))
    session.execute(text("SET LOCAL search_path = public"))
    return found


def same(session, query, **values):
    """How many rows both definitions give, which must be equal."""
    before = answers(session, "slow, public", query, values)
    now = answers(session, "public", query, values)
    assert now == before, (query, values)
    return len(now)


def compare(session):
    """The number of rows of each view and function, summed over many moments."""
    rows = {view: same(session, f"SELECT * FROM {view}") for view in VIEWS}
    for document in session.scalars(text("SELECT id FROM documents")).all():
        for view in VIEWS[:2]:
            same(session, f"SELECT * FROM {view} WHERE document_id = :d", d=document)
    rows["aggregate"] = same(
        session,
        "SELECT state, reviewed, skipped, count(*), count(*) FILTER (WHERE reviewed AND task_id > 0)"
        " FROM documents_overview GROUP BY 1, 2, 3",
    )
    tasks = session.scalars(text("SELECT id FROM tasks")).all()
    for name in FUNCTIONS:
        rows[name] = 0
        for clock in ("record", "source"):
            for minute in (-1, *range(0, 13, 2)):
                call = f"SELECT * FROM {name}(:t, :clock)"
                rows[name] += same(session, call, t=at(minute), clock=clock)
            rows[name] += same(session, call, t="infinity", clock=clock)
            assert same(session, call, t=None, clock=clock) == 0
            if name != "extractions_as_of":
                for task in tasks:
                    same(session, f"{call} WHERE task_id = :k", t=at(6), clock=clock, k=task)
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_before_and_after_an_erasure(session, slow, seed):
    documents = make_record(session, random.Random(seed))
    full = compare(session)
    assert min(full.values()) > 0, "this record proves nothing"
    move_on(session, random.Random(seed))
    compare(session)
    erase_document(session, documents[seed], reason="a test", erased_by="test")
    left = compare(session)
    assert left["documents_overview"] == full["documents_overview"] - 1
