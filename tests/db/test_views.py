"""The operators' views on a small record, with figures worked out by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from db.models import (
    Dataset,
    Metric,
    RetrainDecision,
    SyncRun,
    TrainingRun,
    ValueOutcome,
    WebhookDelivery,
)
from tests import factories
from tests.factories import at


def one(session, query):
    return dict(session.execute(text(query)).mappings().one())


@pytest.fixture
def record(session):
    """Two documents; the first reviewed by Ana and by Bea, who differ in the date; the second waits."""
    project = factories.project(session, title="Invoices", label_studio_id=7)
    model = factories.model_version(session, project)
    factories.point_live(session, model)
    for name in ("a.pdf", "b.pdf"):
        version = factories.document_version(
            session, factories.document(session, project, name=name)
        )
        task = factories.task(session, version, label_studio_id=len(name) + ord(name[0]))
        extraction = factories.extraction(session, version, model, score=0.5)
        if name == "b.pdf":
            continue
        for number, (reviewer, date) in enumerate(
            (("ana@example.org", "2026-01-02"), ("bea@example.org", "2026-02-01")), start=1
        ):
            event = factories.annotation_event(
                session, task, label_studio_id=number, actor=reviewer, extraction_id=extraction.id
            )
            factories.annotation_value(session, event, "total", "10.00", predicted_text="10.00")
            factories.annotation_value(
                session, event, "date", date, predicted_text="3", outcome=ValueOutcome.CORRECTED
            )
            factories.annotation_value(
                session, event, "note", None, predicted_text="x", outcome=ValueOutcome.REMOVED
            )
            factories.annotation(session, event, lead_time=10.0 * number, status="OK")
    return project


def test_progress(session, record):
    found = one(session, "SELECT * FROM review_progress")
    assert (found["documents"], found["tasks"], found["reviewed"], found["waiting"]) == (2, 2, 1, 1)
    assert (found["annotations"], found["reviewers"], found["median_lead_time"]) == (2, 2, 15.0)


def test_overview(session, record):
    found = one(session, "SELECT * FROM documents_overview WHERE document = 'a.pdf'")
    assert found["reviewed"]
    assert found["reviewers"] == "ana@example.org, bea@example.org"
    assert (found["status"], found["score"], found["pages"]) == ("OK", 0.5, None)
    waiting = one(session, "SELECT * FROM documents_overview WHERE document = 'b.pdf'")
    assert (waiting["reviewed"], waiting["skipped"], waiting["reviewers"]) == (False, False, None)


def test_corrections(session, record):
    found = session.execute(
        text("SELECT field, outcome, predicted, corrected, reviewer FROM corrections ORDER BY 1, 5")
    ).all()
    assert found == [
        ("date", "corrected", "3", "2026-01-02", "ana@example.org"),
        ("date", "corrected", "3", "2026-02-01", "bea@example.org"),
        ("note", "removed", "x", None, "ana@example.org"),
        ("note", "removed", "x", None, "bea@example.org"),
    ]
    shares = session.execute(
        text(
            'SELECT field, sum("values"), min(accepted_share) FROM corrections_by_field GROUP BY 1 ORDER BY 1'
        )
    ).all()
    assert shares == [("date", 2, 0.0), ("note", 2, 0.0), ("total", 2, 1.0)]


def test_agreement(session, record):
    found = session.execute(
        text(
            "SELECT field, reviewer_a, compared, agreed, agreement FROM reviewer_agreement ORDER BY 1"
        )
    ).all()
    assert found == [
        ("date", "ana@example.org", 1, 0, 0.0),
        ("total", "ana@example.org", 1, 1, 1.0),
    ]


@pytest.mark.parametrize(
    ("one", "two", "agreed"),
    [
        ([("1,0", "1.0")], [("1.0", "1.0")], True),  # written differently, the same value
        ([("a", None)], [("A", None)], False),
        ([(None, None)], [("", None)], True),
        ([("1", "1"), ("2", "2")], [("2", "2"), ("1", "1")], True),  # in any order
        ([("1", "1"), ("1", "1")], [("1", "1")], False),  # as often
        ([("1", "1"), ("1", "1")], [("2", "2"), ("2", "2")], False),
        ([("1", "1")], [], False),  # only one of them found it
    ],
)
def test_agreement_is_of_all_values_of_a_field(session, one, two, agreed):
    document = factories.document(session, factories.project(session))
    task = factories.task(session, factories.document_version(session, document))
    for number, values in enumerate((one, two)):
        event = factories.annotation_event(
            session, task, label_studio_id=number, actor=f"{number}@example.org"
        )
        for written, normalised in values:
            factories.annotation_value(session, event, "total", written, normalised=normalised)
        factories.annotation_value(session, event, "total", "9", outcome=ValueOutcome.REMOVED)
        factories.annotation(session, event)
    found = session.execute(text("SELECT compared, agreed FROM reviewer_agreement")).all()
    assert found == [(1, int(agreed))]


def test_current_values_are_those_of_now(session, record):
    now = session.execute(text("SELECT value_id FROM field_values ORDER BY 1")).all()
    past = session.execute(
        text("SELECT value_id FROM field_values_as_of('infinity') ORDER BY 1")
    ).all()
    assert now == past
    assert len(now) == 4


def test_models_and_trainings(session, record):
    dataset = Dataset(
        project_id=record.id, sha256="0" * 64, schema_version=1, document_count=6, created_by="t"
    )
    session.add(dataset)
    session.flush()
    run = TrainingRun(
        project_id=record.id,
        dataset_id=dataset.id,
        state="succeeded",
        reason="6 reviewed",
        requested_by="policy",
        requested_at=at(0),
        started_at=at(1),
        finished_at=at(3),
        gate_passed=False,
        gate_reason="0.80 is not above 0.81",
    )
    session.add(run)
    session.flush()
    trained = factories.model_version(
        session, record, 1, training_run_id=run.id, dataset_id=dataset.id
    )
    for field, name, value in ((None, "f1", 0.8), (None, "recall", 0.7), ("total", "f1", 1.0)):
        session.add(
            Metric(
                training_run_id=run.id,
                model_version_id=trained.id,
                role="candidate",
                field=field,
                name=name,
                value=value,
                support=20,
            )
        )
    session.add(
        RetrainDecision(project_id=record.id, train=False, reason="only 2 new", recorded_at=at(9))
    )
    session.flush()

    board = one(session, "SELECT * FROM model_leaderboard WHERE number = 1")
    assert (board["f1"], board["recall"], board["support"], board["is_live"]) == (
        0.8,
        0.7,
        20,
        False,
    )
    assert (board["documents"], board["gate_reason"]) == (6, "0.80 is not above 0.81")
    assert one(session, "SELECT * FROM live_models")["model_version"] == f"p{record.id}-0"
    history = session.execute(
        text("SELECT trained, reason, seconds, model_version FROM training_history ORDER BY at")
    ).all()
    assert history == [(True, "6 reviewed", 120.0, trained.name), (False, "only 2 new", None, None)]


def test_sync_health(session, record):
    for key, project, state in (
        ("1", 7, "pending"),
        ("2", 7, "dead"),
        ("3", 99, "pending"),
        ("4", 7, "done"),
    ):
        session.add(
            WebhookDelivery(
                action="X", project_label_studio_id=project, payload={}, key=key, state=state
            )
        )
    session.add(
        SyncRun(
            project_id=record.id, kind="verify", ok=False, finished_at=at(5), differences=[{}, {}]
        )
    )
    session.flush()
    ours = one(session, "SELECT * FROM sync_health WHERE project = 'Invoices'")
    assert (ours["pending"], ours["dead"], ours["last_verify_ok"]) == (1, 1, False)
    assert ours["last_verify_differences"] == 2
    assert ours["last_event_at"] is not None
    assert one(session, "SELECT pending FROM sync_health WHERE project IS NULL") == {"pending": 1}
