"""``fieldloop models``, ``train`` and ``fields`` on a real record."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from db import jobs, registry
from db.models import Job, ModelAlias, ModelKind, ModelVersion
from db.registry import NewModel
from fieldloop.cli import main
from ml_backend import jobs as worker
from ml_backend import live_models, trainer
from ml_backend.extraction.artifact import to_bytes
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Labels
from ml_backend.live_models import ensure_live, live_predictor
from tests.extraction.forms import FIELDS, form
from tests.ml_backend import world


@pytest.fixture(scope="module")
def fitted():
    forms = [form(seed) for seed in (0, 1)]
    return FieldExtractor(FIELDS).fit([f.document for f in forms], [f.labels for f in forms])


@pytest.fixture
def run(committed, redis_url, tmp_path, monkeypatch):
    """The program with the settings of this test; its output."""
    monkeypatch.setenv("FIELDLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": committed.settings.database_url,
        "REDIS_URL": redis_url,
        "BLOB_URL": (tmp_path / "blobs").as_uri(),
    }.items():
        monkeypatch.setenv(name, value)

    def call(*arguments, code=0):
        result = CliRunner().invoke(main, [*arguments])
        assert result.exit_code == code, result.output
        return result.output

    return call


@pytest.fixture
def project(committed):
    with committed.sessions.begin() as session:
        return world.project(session)


@pytest.fixture
def trained(committed, project, fitted):
    """A zero-shot version that is live, and a trained one that the gate kept back."""
    data = to_bytes(fitted)
    with committed.sessions.begin() as session:
        ensure_live(session, project.id)
        made = NewModel(
            ModelKind.TRAINED, 1, "test", artefact_sha256=committed.blobs.put(data),
            artefact_bytes=len(data),
        )  # fmt: skip
        return registry.register_model(session, project.id, "orders", made)


def test_a_promotion_and_a_rollback_take_effect_on_the_next_prediction(
    run, committed, project, trained
):
    before = live_predictor(committed, project.id).name
    said = run("models", "promote", trained.name, "--note", "right on layout B", "--by", "ana")
    assert trained.name in said
    assert live_predictor(committed, project.id).name == trained.name
    assert (
        json.loads(run("models", "rollback", "--note", "wrong totals", "--json"))["live"] == before
    )
    assert live_predictor(committed, project.id).name == before
    with committed.sessions.begin() as session:
        moves = list(session.scalars(select(ModelAlias).order_by(ModelAlias.id)))
        assert [(m.recorded_by, m.notes) for m in moves][1] == ("ana", "right on layout B")
        assert moves[2].recorded_by not in {"", "gate"}
        asked = set(session.scalars(select(Job.subject).where(Job.kind == "refresh_predictions")))
        assert asked == {str(move.model_version_id) for move in moves[1:]}
    assert committed.redis.llen("rq:queue:fieldloop") == 2


def test_a_promotion_needs_a_note(run, trained, committed, project):
    assert "--note" in run("models", "promote", trained.name, code=2)
    assert "note" in run("models", "promote", trained.name, "--note", "  ", code=1)
    assert live_predictor(committed, project.id).name != trained.name


def test_a_model_that_cannot_be_loaded_does_not_go_live(
    run, trained, committed, project, monkeypatch
):
    monkeypatch.setattr(live_models, "_CACHE", live_models._Cache())
    committed.blobs.delete(trained.artefact_sha256)
    assert "cannot be loaded" in run("models", "promote", trained.name, "--note", "x", code=1)
    assert live_predictor(committed, project.id).name != trained.name


def test_what_cannot_be_decided_is_a_sentence(run, project, trained):
    assert "no model version 'nope'" in run("models", "promote", "nope", "--note", "x", code=1)
    assert "no model version 'nope'" in run("models", "show", "nope", code=1)
    assert "no way back" in run("models", "rollback", "--note", "x", code=1)
    assert "no project 'Nope'" in run("models", "list", "--project", "Nope", code=1)


def test_models_are_listed_and_shown(run, project, trained):
    assert run("models") == run("models", "list")
    rows = json.loads(run("models", "list", "--json"))
    assert [row["model_version"] for row in rows] == [trained.name, "orders-0-zero-shot"]
    assert [row["is_live"] for row in rows] == [False, True]
    shown = json.loads(run("models", "show", "orders-0-zero-shot", "--json"))
    assert shown["moves"][0]["notes"] == "No model yet."
    assert "Live from" in run("models", "show", "orders-0-zero-shot")


def test_without_a_project_the_first_step_is_named(run, committed):
    assert "fieldloop init" in run("models", code=1)
    assert "fieldloop init" in run("train", code=1)


def test_a_run_is_asked_for(run, committed, project):
    assert "No document has been reviewed yet" in run("train", code=1)
    with committed.sessions.begin() as session:
        world.reviewed_forms(session, project, range(2))
    dry = json.loads(run("train", "--dry-run", "--json"))
    assert (dry["would_train"], dry["reviewed"], dry["new_answers"]) == (False, 2, 2)
    assert "training starts at 5" in run("train", "--dry-run")
    with committed.sessions.begin() as session:
        assert list(session.scalars(select(Job))) == []
    asked = json.loads(run("train", "--by", "ana", "--note", "new layout", "--json"))
    with committed.sessions.begin() as session:
        (job,) = session.scalars(select(Job))
        assert str(job.id) == asked["job"]
        assert job.arguments == {"forced": True, "by": "ana", "notes": "new layout"}


def serve(services, stop):
    while not stop.is_set():
        with services.sessions.begin() as session:
            session.execute(
                update(Job).where(Job.state == "queued").values(run_after=Job.created_at)
            )
            due = [
                j for j in jobs.due(session) if session.get(Job, j).kind != "refresh_predictions"
            ]
        for job_id in due:
            worker.execute(services, job_id)
        stop.wait(0.05)


@pytest.fixture
def serving(committed, monkeypatch):
    """A worker in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(committed, stop), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("serving")
def test_waiting_for_a_run_says_what_came_of_it(run, committed, project, monkeypatch, fitted):
    monkeypatch.setattr(trainer, "_fit", lambda plan, examples, cache: fitted)
    with committed.sessions.begin() as session:
        world.reviewed_forms(session, project, range(3))
    row = json.loads(run("train", "--wait", "--json"))
    assert row["state"] == "succeeded"
    with committed.sessions.begin() as session:
        assert row["model_version"] in set(session.scalars(select(ModelVersion.name)))
    again = run("train", "--wait")
    assert "was kept back. Not better" in again


@pytest.mark.usefixtures("serving")
def test_waiting_for_a_run_that_fails_exits_with_its_sentence(run, committed, project):
    with committed.sessions.begin() as session:
        version = world.form_version(session, project, 0)
        world.review(session, version, Labels(()))
    assert "mark at least one value" in run("train", "--wait", code=1)


def test_patience_ends(run, committed, project):
    with committed.sessions.begin() as session:
        world.reviewed_forms(session, project, range(1))
    assert "is a worker running?" in run("train", "--wait", "--patience", "0", code=1)


GOOD = """
project: Orders
training: {min_documents: 4}
fields:
  - {name: customer, type: text, label: {en: Buyer, pt: Comprador}, required: true}
  - {name: note, type: text}
"""


def test_a_schema_file_is_checked_without_any_server(run, tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "BLOB_URL"):
        monkeypatch.delenv(name)
    file = tmp_path / "fields.yaml"
    file.write_text(GOOD)
    assert "2 fields for 'Orders'; it can be used." in run("fields", "check", str(file))
    checked = json.loads(run("fields", "check", str(file), "--json"))
    assert checked["settings"] == {"training": {"min_documents": 4}}
    file.write_text(GOOD.replace("type: text}", "type: texte}"))
    said = run("fields", "check", str(file), code=1)
    assert "field 2 (note): 'type' must be one of text" in said


def test_a_schema_file_is_compared_with_the_record(run, project, tmp_path):
    file = tmp_path / "fields.yaml"
    file.write_text(GOOD)
    changes = json.loads(run("fields", "check", str(file), "--compare", "--json"))["changes"]
    assert changes == {
        "added": ["note"],
        "removed": ["order_id", "starts", "ends", "amount"],
        "changed": ["customer"],
    }
    assert "added: note" in run("fields", "check", str(file), "--compare")


def test_the_fields_of_a_project_are_shown(run, project):
    shown = json.loads(run("fields", "show", "--json"))
    assert [row["name"] for row in shown["fields"]] == [row.name for row in world.ROWS]
    assert "order_id" in run("fields")
    assert "no version 7" in run("fields", "show", "--version", "7", code=1)
