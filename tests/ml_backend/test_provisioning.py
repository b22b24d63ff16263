"""Setting projects up in a real Label Studio."""

from __future__ import annotations

import dataclasses
import threading
import uuid

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from werkzeug.serving import make_server

from db import documents as record
from db import jobs, registry
from db.label_studio import LabelStudio
from db.label_studio_errors import Unauthorized
from db.models import Field, Job, JobState, Project, Task, WebhookDelivery
from db.projects import by_title
from ml_backend import jobs as worker
from ml_backend.auth import SECRET_HEADER
from ml_backend.provisioning import ProvisioningFailed, provision
from ml_backend.schema import parse
from ml_backend.services import Services
from tests.ml_backend import world
from tests.ml_backend.conftest import SECRET, make_app, make_settings

pytestmark = pytest.mark.label_studio

FIELDS = [
    {"name": "customer", "type": "text"},
    {"name": "order_id", "type": "identifier", "label": {"en": "Order", "pt": "Pedido"}},
    {"name": "amount", "type": "number"},
    {"name": "item", "type": "table", "columns": [{"name": "price", "type": "number"}]},
]
DATA = {"pages": ["http://x/1.png"], "warnings": "", "look": "", "help": "", "absent_options": []}


@dataclasses.dataclass
class Backend:
    """Our backend on a port of this machine."""

    services: Services
    url: str


@pytest.fixture
def backend(committed, label_studio):
    app = Flask(__name__)  # replaced once the port is known
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    services = dataclasses.replace(
        committed,
        settings=make_settings(label_studio_url=label_studio.url, backend_url=url, public_url=url),
        label_studio=label_studio.client,
    )
    server.app = make_app(services)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Backend(services, url)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def services(backend):
    return backend.services


@pytest.fixture
def schema():
    return schema_of(FIELDS, f"Orders {uuid.uuid4().hex[:8]}")


def schema_of(fields, title, **values):
    return parse({"project": title, "fields": fields, **values})


def changed(services, **settings):
    """The same services with other settings."""
    return dataclasses.replace(
        services, settings=dataclasses.replace(services.settings, **settings)
    )


def labels_of(row):
    parts = row["label_config"].split("<Label ")[1:]
    return [part.split('alias="')[1].split('"')[0] for part in parts]


def run_jobs(services, kinds):
    while True:
        with services.sessions.begin() as session:
            due = [j for j in jobs.due(session) if session.get(Job, j).kind in kinds]
        if not due:
            return
        for job_id in due:
            worker.execute(services, job_id)


def test_a_project_is_set_up_and_hears_itself(services, schema):
    report = provision(services, schema)
    assert report.verified
    assert report.model_version.endswith("-0-zero-shot")
    studio, number = services.label_studio, report.label_studio_id
    row = studio.project(number)
    assert row["title"] == schema.title
    assert labels_of(row) == ["customer", "order_id", "amount", "item.price"]
    (backend,) = studio.get("/api/ml/", {"project": number})
    assert (backend["state"], backend["is_interactive"]) == ("CO", True)
    (webhook,) = studio.get("/api/webhooks/", {"project": number})
    assert webhook["url"] == f"{services.settings.backend_url}/webhook"
    assert webhook["headers"] == {SECRET_HEADER: SECRET}
    with services.sessions.begin() as session:
        project = by_title(session, schema.title)
        assert (project.label_studio_id, project.label_studio_url) == (number, studio.url)
        assert (project.ml_backend_id, project.webhook_id) == (backend["id"], webhook["id"])
        actions = set(session.scalars(select(WebhookDelivery.action)))
        assert actions == {"PROJECT_UPDATED"}
        stored = str(session.scalars(select(WebhookDelivery.payload)).first())
        assert SECRET not in stored


def test_setting_up_again_changes_nothing(services, schema):
    first = provision(services, schema)
    before = services.label_studio.project(first.label_studio_id)
    second = provision(services, schema)
    assert (second.changes, second.notes, second.verified) == ([], [], True)
    after = services.label_studio.project(first.label_studio_id)
    assert before == after
    assert len(services.label_studio.get("/api/webhooks/", {"project": before["id"]})) == 1
    with services.sessions.begin() as session:
        assert session.scalar(select(func.max(Field.schema_version))) == 1
        assert session.scalar(select(func.count()).select_from(Project)) == 1


def test_a_dry_run_says_what_it_would_do_and_does_nothing(services, schema):
    count = len(services.label_studio.projects())
    report = provision(services, schema, dry_run=True)
    assert report.changes == [
        f"create the project {schema.title!r}",
        "create the project in Label Studio",
        "connect the ML backend",
        "add the webhook",
    ]
    assert not report.verified
    assert len(services.label_studio.projects()) == count
    with services.sessions.begin() as session:
        assert session.scalar(select(func.count()).select_from(Project)) == 0

    number = provision(services, schema).label_studio_id
    more = schema_of([*FIELDS, {"name": "note", "type": "text"}], schema.title, language="pt")
    before = services.label_studio.project(number)
    report = provision(services, more, dry_run=True)
    assert report.changes == [
        "write version 2 of the field schema, new: note",
        "update the project's settings",
        "update in Label Studio: label_config",
    ]
    assert services.label_studio.project(number) == before
    assert provision(services, schema, dry_run=True).changes == []


def test_a_field_is_added_and_every_annotation_stays(services, schema):
    report = provision(services, schema)
    studio, number = services.label_studio, report.label_studio_id
    place = {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0}
    result = [
        {
            "id": "r1",
            "from_name": "label",
            "to_name": "img",
            "type": "rectanglelabels",
            "item_index": 0,
            "original_width": 100,
            "original_height": 100,
            "value": {**place, "rectanglelabels": ["customer"]},
        }
    ]
    (task,) = studio.create_tasks(number, [{"data": DATA}])
    made = studio.create_annotation(task, {"result": result})
    before = studio.annotation(made["id"])
    more = schema_of([*FIELDS, {"name": "note", "type": "text"}], schema.title)
    assert provision(services, more).changes == [
        "wrote version 2 of the field schema, new: note",
        "updated in Label Studio: label_config",
    ]
    assert labels_of(studio.project(number)) == [
        "customer", "order_id", "amount", "item.price", "note",
    ]  # fmt: skip
    assert studio.annotation(made["id"]) == before
    # And a field that has annotations may go: they stay as they are.
    fewer = schema_of(FIELDS[1:], schema.title)
    (said, *_) = provision(services, fewer).changes
    assert said == (
        "wrote version 3 of the field schema, removed: customer, note (their values stay in the record)"
    )
    assert studio.annotation(made["id"])["result"] == before["result"]
    assert "customer" not in labels_of(studio.project(number))
    with services.sessions.begin() as session:
        project = by_title(session, schema.title)
        names = session.scalars(select(Field.name).where(Field.schema_version == 1))
        assert "customer" in set(names)
        assert registry.live_model(session, project.id).schema_version == 3


def test_settings_the_file_no_longer_has_are_unset(services, schema):
    provision(services, schema_of(FIELDS, schema.title, training={"min_documents": 2}))
    with services.sessions.begin() as session:
        project = by_title(session, schema.title)
        assert project.settings == {"training": {"min_documents": 2}}
        project.settings = {**project.settings, "thresholds": {"amount": 0.9}}
    provision(services, schema)
    with services.sessions.begin() as session:
        assert by_title(session, schema.title).settings == {"thresholds": {"amount": 0.9}}


def test_documents_that_waited_are_published_with_their_prediction(services, schema):
    with services.sessions.begin() as session:
        project = world.project(session, label_studio_id=None, rows=schema.rows, title=schema.title)
        version = world.form_version(session, project, 1)
        jobs.enqueue(
            session,
            kind="extract_document",
            subject=str(version.id),
            project_id=project.id,
            created_by="test",
        )
    run_jobs(services, ("extract_document", "publish_task"))
    report = provision(services, schema)
    run_jobs(services, ("publish_missing", "publish_task"))
    (task,) = services.label_studio.all_tasks(report.label_studio_id)
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == report.model_version
    assert {e["type"] for e in prediction["result"]} == {"rectanglelabels", "textarea"}
    with services.sessions.begin() as session:
        row = record.task_of(session, version.id)
        assert row.label_studio_id == task["id"]
    # Once more: nothing to do. And a task somebody deleted is not put back.
    services.label_studio.send("DELETE", f"/api/tasks/{task['id']}/")
    with services.sessions.begin() as session:
        session.execute(update(Task).values(deleted_at=func.clock_timestamp()))
    provision(services, schema)
    run_jobs(services, ("publish_missing", "publish_task"))
    assert services.label_studio.task_ids(report.label_studio_id) == []


def test_a_task_made_by_an_attempt_that_died_is_found_in_a_real_project(services, schema):
    with services.sessions.begin() as session:
        project = world.project(session, label_studio_id=None, rows=schema.rows, title=schema.title)
        version = world.form_version(session, project, 1)
    number = provision(services, schema).label_studio_id
    ours = {**DATA, "fieldloop": {"document_version_id": str(version.id)}}
    (task,) = services.label_studio.create_tasks(number, [{"data": ours, "predictions": []}])
    with services.sessions.begin() as session:
        job = jobs.enqueue(session, kind="publish_task", subject=str(version.id), created_by="test")
        assert jobs.claim(session, job.id, worker="dead", lease=worker.timedelta(0))
    run_jobs(services, ("publish_missing", "extract_document", "publish_task"))
    assert services.label_studio.task_ids(number) == [task]
    with services.sessions.begin() as session:
        assert session.get(Job, job.id).state is JobState.DONE


def test_a_new_model_reaches_open_tasks_of_a_real_project(services, schema):
    with services.sessions.begin() as session:
        project = world.project(session, label_studio_id=None, rows=schema.rows, title=schema.title)
        for seed in (1, 2):
            world.form_version(session, project, seed)
    number = provision(services, schema).label_studio_id
    kinds = ("publish_missing", "extract_document", "publish_task", "refresh_predictions")
    run_jobs(services, kinds)
    first = services.label_studio.project(number)["model_version"]
    more = schema_of([*FIELDS, {"name": "note", "type": "text"}], schema.title)
    live = provision(services, more).model_version
    run_jobs(services, kinds)
    for task in services.label_studio.all_tasks(number):
        assert {p["model_version"] for p in task["predictions"]} == {
            live.replace("-1-", "-0-"),
            live,
        }
    assert services.label_studio.project(number)["model_version"] == live != first
    assert provision(services, more).changes == []
    # A task that was deleted in between makes Label Studio refuse the whole batch; the others get theirs.
    gone, kept = services.label_studio.task_ids(number)
    services.label_studio.send("DELETE", f"/api/tasks/{gone}/")
    last = provision(services, schema).model_version
    run_jobs(services, kinds)
    shown = services.label_studio.task(kept)["predictions"]
    assert last in {p["model_version"] for p in shown}


def test_label_studio_asks_the_backend_for_predictions_and_versions(services, schema):
    report = provision(services, schema)
    studio = services.label_studio
    (backend,) = studio.get("/api/ml/", {"project": report.label_studio_id})
    versions = studio.get(f"/api/ml/{backend['id']}/versions")
    assert versions == {"versions": [report.model_version]}
    studio.send("POST", f"/api/ml/{backend['id']}/train")
    with services.sessions.begin() as session:
        (job,) = session.scalars(select(Job).where(Job.kind == "consider_training"))
        assert job.arguments["forced"]


# What can be wrong


def test_a_wrong_token_names_the_setting(services, schema, label_studio):
    wrong = dataclasses.replace(
        services, label_studio=LabelStudio(label_studio.url, "f" * 40, attempts=1)
    )
    with pytest.raises(Unauthorized, match="LABEL_STUDIO_API_KEY") as error:
        provision(wrong, schema)
    assert "f" * 40 not in str(error.value)
    with services.sessions.begin() as session:
        assert by_title(session, schema.title) is None


def test_label_studio_that_is_not_there_names_the_setting(services, schema):
    away = dataclasses.replace(services, label_studio=LabelStudio("http://127.0.0.1:1", "k" * 40))
    with pytest.raises(
        Exception, match=r"cannot be reached at http://127.0.0.1:1.*LABEL_STUDIO_URL"
    ):
        provision(away, schema)


def test_a_backend_that_does_not_run_names_the_setting(services, schema):
    with pytest.raises(ProvisioningFailed, match=r"Nothing answers at .*FIELDLOOP_BACKEND_URL"):
        provision(changed(services, backend_url="http://127.0.0.1:1"), schema)
    # What is mended later goes on from there.
    assert provision(services, schema).verified


def test_another_secret_than_the_backends_names_the_setting(services, schema):
    with pytest.raises(ProvisioningFailed, match="FIELDLOOP_WEBHOOK_SECRET") as error:
        provision(changed(services, webhook_secret="another-secret-of-tests"), schema)
    assert "another-secret-of-tests" not in str(error.value)
    assert SECRET not in str(error.value)
    report = provision(services, schema)
    assert report.verified
    hooks = services.label_studio.get("/api/webhooks/", {"project": report.label_studio_id})
    assert len(hooks) == 1


def test_something_else_at_the_backends_address(services, schema, label_studio):
    with pytest.raises(ProvisioningFailed, match="not Fieldloop's backend"):
        provision(changed(services, backend_url=label_studio.url), schema)


def test_an_address_that_label_studio_guards_against(services, schema):
    """The guard of the test's Label Studio is open for this machine, but not for link-local addresses."""
    with pytest.raises(ProvisioningFailed, match="USE_DEFAULT_BANNED_SUBNETS"):
        provision(changed(services, backend_url="http://169.254.7.7:9090"), schema)


def test_a_backend_on_another_database_names_the_setting(services, schema, committed_database):
    with services.sessions.begin() as session:
        world.project(session, label_studio_id=None, title=schema.title)
    elsewhere = changed(services, label_studio_url="http://another-name")
    with pytest.raises(ProvisioningFailed, match="DATABASE_URL or LABEL_STUDIO_URL"):
        provision(elsewhere, schema)


def test_a_webhook_that_never_arrives_names_the_setting(services, schema, monkeypatch):
    provision(services, schema)
    monkeypatch.setattr("ml_backend.provisioning.ROUND_TRIP_SECONDS", 0.0)
    with pytest.raises(ProvisioningFailed, match="FIELDLOOP_BACKEND_URL"):
        provision(services, schema)


def test_the_backend_moves_and_nothing_of_the_old_address_stays(services, schema, backend):
    number = provision(services, schema).label_studio_id
    moved = changed(services, backend_url=backend.url.replace("127.0.0.1", "localhost"))
    report = provision(moved, schema)
    assert report.changes == ["connected the ML backend", "corrected the webhook"]
    assert report.verified
    (hook,) = services.label_studio.get("/api/webhooks/", {"project": number})
    assert hook["url"].startswith("http://localhost")


def test_somebody_elses_project_of_that_title_is_left_alone(services, schema):
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    studio = services.label_studio
    theirs = studio.send("POST", "/api/projects/", {"title": schema.title, "label_config": config})
    studio.create_tasks(theirs["id"], [{"data": {"t": "x"}}])
    with pytest.raises(ProvisioningFailed, match="that Fieldloop did not make"):
        provision(services, schema)
    assert studio.project(theirs["id"])["label_config"] == config
    with services.sessions.begin() as session:
        assert by_title(session, schema.title) is None


def test_a_record_that_was_lost_finds_its_project_again(services, schema):
    number = provision(services, schema).label_studio_id
    with services.sessions.begin() as session:
        session.execute(update(Project).values(label_studio_id=None, label_studio_url=None))
    report = provision(services, schema)
    assert (report.label_studio_id, report.changes) == (number, [])


def test_a_project_deleted_in_label_studio_is_made_anew_with_its_documents(services, schema):
    with services.sessions.begin() as session:
        project = world.project(session, label_studio_id=None, rows=schema.rows, title=schema.title)
        version = world.form_version(session, project, 1)
    old = provision(services, schema).label_studio_id
    kinds = ("publish_missing", "extract_document", "publish_task")
    run_jobs(services, kinds)
    services.label_studio.send("DELETE", f"/api/projects/{old}/")
    report = provision(services, schema)
    assert report.verified
    assert report.label_studio_id != old
    assert report.changes[0] == (
        f"project {old} in Label Studio is gone; another one takes its place"
    )
    run_jobs(services, kinds)
    assert services.label_studio.task_ids(report.label_studio_id) == []  # the mirror has not looked
    with services.sessions.begin() as session:
        session.execute(update(Task).values(deleted_at=func.clock_timestamp()))
        session.execute(update(Job).values(run_after=func.clock_timestamp()))
    run_jobs(services, kinds)
    (task,) = services.label_studio.all_tasks(report.label_studio_id)
    assert task["data"]["fieldloop"]["document_version_id"] == str(version.id)


def test_another_ml_backend_in_the_way_is_pointed_out(services, schema, backend):
    studio = services.label_studio
    first = studio.send("POST", "/api/projects/", {"title": schema.title})
    with services.sessions.begin() as session:
        other = world.project(session, label_studio_id=None, title="Other")
        other.label_studio_id, other.label_studio_url = first["id"], studio.url
    values = {"project": first["id"], "url": f"{backend.url}/ml/{SECRET}", "title": "Theirs"}
    studio.send("POST", "/api/ml/", values)
    with services.sessions.begin() as session:
        session.execute(update(Project).values(label_studio_id=None))
    report = provision(services, schema)
    assert len(report.notes) == 1
    assert "'Theirs'" in report.notes[0]
    assert provision(services, schema).changes == []


def test_a_title_that_another_project_of_ours_uses(services, schema):
    number = provision(services, schema).label_studio_id
    taken = schema_of(FIELDS, schema.title + "x")
    services.label_studio.update_project(number, {"title": taken.title})
    with pytest.raises(ProvisioningFailed, match=f"belongs to '{schema.title}'"):
        provision(services, taken)


def test_two_projects_side_by_side(services, schema):
    other = schema_of([{"name": "total", "type": "number"}], schema.title + "b")
    first, second = provision(services, schema), provision(services, other)
    assert first.label_studio_id != second.label_studio_id
    assert labels_of(services.label_studio.project(second.label_studio_id)) == ["total"]
