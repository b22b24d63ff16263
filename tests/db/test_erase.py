"""After an erasure no trace of the content is left, and nothing else is touched."""

from __future__ import annotations

import threading
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from werkzeug.serving import make_server

from db.blobs import open_blobs
from db.erase import erase_document, find_document
from db.errors import UnknownDocument
from db.models import (
    Dataset,
    DatasetMember,
    Document,
    DocumentWords,
    Erasure,
    Job,
    PageImage,
    Prediction,
    SyncRun,
    WebhookDelivery,
)
from fieldloop.commands.erase import erase
from tests import factories
from tests.factories import at

MARK = "Xyzzy-4711"


def fill(session, blobs, project, mark, number):
    """A document whose every text carries the mark."""
    model = factories.model_version(session, project, number)
    document = factories.document(session, project, name=f"{mark}.pdf", notes=mark)
    version = factories.document_version(
        session, document, sha256=blobs.put(mark.encode()), error_message=mark
    )
    session.add(DocumentWords(document_version_id=version.id, data=mark.encode(), word_count=1))
    for page, content in enumerate((f"{mark} page", "a blank page that every document has")):
        session.add(
            PageImage(
                document_version_id=version.id,
                page=page,
                sha256=blobs.put(content.encode()),
                media_type="image/png",
                width_px=1,
                height_px=1,
                width_pt=1.0,
                height_pt=1.0,
            )
        )
    task = factories.task(session, version, label_studio_id=100 + number, data={"name": mark})
    extraction = factories.extraction(session, version, model)
    factories.extraction_value(session, extraction, "total", mark)
    session.add(
        Prediction(
            task_id=task.id,
            extraction_id=extraction.id,
            model_version=model.name,
            result_sha256="0",
            pushed_at=at(1),
        )
    )
    first = factories.annotation_event(
        session, task, label_studio_id=number, result=[{"text": mark}], extraction_id=extraction.id
    )
    event = factories.annotation_event(
        session, task, label_studio_id=number, previous_event_id=first.id, changes=[{"after": mark}]
    )
    factories.annotation_value(session, event, "total", mark, predicted_text=mark)
    factories.annotation(session, event, notes=mark, result=[{"text": mark}])
    dataset = Dataset(
        project_id=project.id, sha256=mark, schema_version=1, document_count=1, created_by="t"
    )
    dataset.sha256 = uuid.uuid4().hex
    session.add(dataset)
    session.flush()
    session.add(
        DatasetMember(
            dataset_id=dataset.id,
            position=0,
            document_version_id=version.id,
            annotation_event_id=event.id,
            fold=0,
        )
    )
    for shape in (
        {"annotation": {"id": number, "result": [mark]}},
        {"annotation": {"task": 100 + number, "result": [mark]}},
        {"task": {"id": 100 + number, "data": mark}},
        {"tasks": [{"id": 100 + number, "data": mark}]},
        {"data": {"fieldloop": {"document_id": str(document.id)}, "text": mark}},
    ):
        session.add(
            WebhookDelivery(
                action="X", project_label_studio_id=7, payload=shape, key=uuid.uuid4().hex
            )
        )
    parent = Job(kind="read", subject=str(version.id), error=mark, created_by="t")
    session.add(parent)
    session.flush()
    session.add(Job(kind="other", subject=f"n{number}", created_by="t", parent_id=parent.id))
    session.add(
        SyncRun(
            project_id=project.id,
            kind="verify",
            differences=[{"annotation": number, "ours": mark}, {"annotation": 999, "ours": "-"}],
        )
    )
    session.flush()
    return document


def places(session, mark):
    """Every column of every table that holds the mark, as text, JSON or bytes."""
    columns = session.execute(
        text(
            "SELECT table_name, column_name, data_type FROM information_schema.columns JOIN"
            " information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type IN ('text', 'jsonb', 'bytea', 'character varying')"
        )
    ).all()
    assert len(columns) > 100
    found = set()
    for table, column, kind in columns:
        as_text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
        if session.scalar(
            text(f"SELECT count(*) FROM {table} WHERE {as_text} LIKE :mark"), {"mark": f"%{mark}%"}
        ):
            found.add(f"{table}.{column}")
    # A hash of a value is as good as the value to whoever can guess it.
    if session.scalar(
        text(
            "SELECT count(*) FROM annotation_values WHERE value_hash = hashtextextended(:mark, 0)"
        ),
        {"mark": mark},
    ):
        found.add("annotation_values.value_hash")
    return found


@pytest.fixture
def two_documents(committed_database, tmp_path, monkeypatch):
    blobs = open_blobs(tmp_path.as_uri())
    with committed_database.session_factory.begin() as session:
        project = factories.project(session, label_studio_id=7)
        fill(session, blobs, project, MARK, 1)
        fill(session, blobs, project, "Another-1", 2)
    monkeypatch.setenv("DATABASE_URL", committed_database.url)
    monkeypatch.setenv("BLOB_URL", tmp_path.as_uri())
    return committed_database.session_factory, blobs


def test_nothing_of_the_content_remains(two_documents):
    factory, blobs = two_documents
    with factory() as session:
        before = places(session, MARK)
        others = places(session, "Another-1")
    assert len(before) >= 15
    assert "annotation_values.value_hash" in before
    assert len(list(blobs.iterate())) == 5

    result = CliRunner().invoke(erase, [f"{MARK}.pdf", "--reason", "asked by mail", "--yes"])

    # Label Studio still has the task: the document is not gone everywhere, and the exit code says so.
    assert result.exit_code == 1
    assert "task 101" in result.output
    with factory() as session:
        assert places(session, MARK) == set()
        assert places(session, "Another-1") == others
        audit = session.query(Erasure).one()
        assert audit.reason == "asked by mail"
        assert audit.counts["annotation_events"] == 2
        assert audit.counts["webhook_deliveries"] == 5
        assert audit.counts["blobs"] == 2
        run = session.query(SyncRun).order_by(SyncRun.id).first()
        assert run.differences == [{"annotation": 999, "ours": "-"}]
    # The page both documents share is still there.
    assert {blobs.get(key) for key in blobs.iterate()} == {
        b"Another-1",
        b"Another-1 page",
        b"a blank page that every document has",
    }


def test_its_tasks_go_from_label_studio_too(two_documents, monkeypatch):
    deleted = []

    def label_studio(environ, respond):
        deleted.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        respond("204 No Content", [])
        return [b""]

    server = make_server("127.0.0.1", 0, label_studio, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LABEL_STUDIO_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token")
    try:
        result = CliRunner().invoke(erase, [f"{MARK}.pdf", "--reason", "x", "--yes"])
    finally:
        server.shutdown()
        server.server_close()
    assert result.exit_code == 0, result.output
    assert deleted == [("DELETE", "/api/tasks/101/")]


def test_a_dry_run_removes_nothing(two_documents):
    factory, blobs = two_documents
    with factory() as session:
        before = places(session, MARK)
    result = CliRunner().invoke(erase, [f"{MARK}.pdf", "--reason", "x", "--dry-run"])
    assert "dry run" in result.output
    assert "2 annotation_events" in result.output
    with factory() as session:
        assert places(session, MARK) == before
        assert session.query(Erasure).count() == 0
    assert len(list(blobs.iterate())) == 5


def test_history_is_closed_again_afterwards(two_documents):
    factory, _ = two_documents
    with factory() as session:
        erase_document(session, find_document(session, f"{MARK}.pdf"), reason="x", erased_by="t")
        with pytest.raises(Exception, match="append-only"):
            session.execute(text("DELETE FROM annotation_events"))


def test_unknown_and_ambiguous_names(session):
    with pytest.raises(UnknownDocument, match="no document"):
        find_document(session, "nothing.pdf")
    for _ in range(2):
        factories.document(session, name="same.pdf")
    with pytest.raises(UnknownDocument, match="give its id"):
        find_document(session, "same.pdf")
    wanted = session.query(Document).first()
    assert find_document(session, str(wanted.id)) is wanted
    result = CliRunner().invoke(erase, ["x.pdf"])
    assert "--reason" in result.output
