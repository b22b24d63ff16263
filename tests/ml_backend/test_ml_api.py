"""The contract of a Label Studio ML backend, over HTTP."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import func, select, text, update

from db import extractions, inbox, registry
from db.erase import erase_document
from db.models import Document, Extraction, Job, ModelKind, ModelVersion, WebhookDelivery
from db.words import make_page
from ml_backend.auth import SECRET_HEADER
from ml_backend.live_models import ensure_live
from tests.ml_backend import world
from tests.ml_backend.conftest import SECRET

HEADERS = {SECRET_HEADER: SECRET}
PROJECT = "12.1795378027"


def predict(client, tasks, project=PROJECT, **values):
    body = {"tasks": tasks, "project": project, "params": {"context": None}, **values}
    answer = client.post("/predict", json=body, headers=HEADERS)
    assert answer.status_code == 200, answer.json
    return answer.json["results"]


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


@pytest.fixture
def project(session):
    return world.project(session)


# Health and setup


@pytest.mark.parametrize("path", ["/health", "/", f"/ml/{SECRET}/health", f"/ml/{SECRET}/"])
def test_health_needs_neither_secret_nor_database(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json["status"]) == (200, "UP")


def test_setup_names_the_live_model_and_takes_what_label_studio_sends(client, project, payload):
    body = payload("ml-setup")
    body["project"] = PROJECT
    answer = client.post(f"/ml/{SECRET}/setup", json=body)
    assert (answer.status_code, answer.json) == (200, {"model_version": "orders-0-zero-shot"})


def test_setup_makes_the_first_model_once(client, project, session):
    for _ in range(3):
        client.post("/setup", json={"project": PROJECT}, headers=HEADERS)
    assert [m.name for m in session.scalars(select(ModelVersion))] == ["orders-0-zero-shot"]


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [
        ("99.1", 404, "unknown_project"),
        ("99999999999999.1", 400, "no_project"),
        ("-3", 400, "no_project"),
        ("x.1", 400, "no_project"),
        ("", 400, "no_project"),
        (None, 400, "no_project"),
        ([], 400, "no_project"),
        ({"title": "no id"}, 400, "no_project"),
    ],
)
def test_a_project_that_is_not_ours_is_a_sentence(client, project, named, status, code):
    for path in ("/setup", "/predict"):
        body = {"project": named, "tasks": []}
        answer = client.post(path, json=body, headers=HEADERS)
        assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
        assert (
            answer.json["error"]["message"].endswith(".") or "(" in answer.json["error"]["message"]
        )


def test_a_project_is_known_by_label_studio_address_and_id_together(client, session):
    world.project(session, url="http://another-label-studio")
    answer = client.post("/setup", json={"project": PROJECT}, headers=HEADERS)
    assert answer.status_code == 404


# Secrets


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
@pytest.mark.parametrize("given", [{}, {SECRET_HEADER: "wrong"}, {SECRET_HEADER: SECRET + "x"}])
def test_without_the_secret_nothing_is_done_and_the_setting_is_named(
    client, project, session, path, given
):
    answer = client.post(path, json={"action": "TASKS_CREATED", "project": PROJECT}, headers=given)
    assert answer.status_code == 401
    assert "FIELDLOOP_WEBHOOK_SECRET" in answer.json["error"]["message"]
    assert SECRET not in answer.text
    assert count(session, WebhookDelivery) == 0


@pytest.mark.parametrize("path", ["setup", "predict", "webhook"])
def test_a_wrong_secret_in_the_address_is_not_found(client, project, session, path):
    answer = client.post(f"/ml/wrong-{SECRET}/{path}", json={"project": PROJECT})
    assert answer.status_code == 404
    assert "error" in answer.json
    assert client.get("/ml/wrong/versions").status_code == 404
    assert count(session, WebhookDelivery) == 0


def test_the_secret_is_taken_as_header_address_basic_password_or_query(client, project):
    event = {"action": "PROJECT_UPDATED", "project": {"id": 12}}
    ways = [
        client.post("/webhook", json=event, headers=HEADERS),
        client.post(f"/ml/{SECRET}/webhook", json=event),
        client.post("/webhook", json=event, auth=("label-studio", SECRET)),
        client.post(f"/webhook?secret={SECRET}", json=event),
    ]
    assert [answer.status_code for answer in ways] == [201] * 4


def test_no_secret_or_token_ever_reaches_a_log(client, project, caplog, payload):
    caplog.set_level("DEBUG")
    body = payload("ml-setup") | {"project": PROJECT, "access_token": "token-of-the-creator"}
    client.post(f"/ml/{SECRET}/setup", json=body)
    client.post(f"/ml/{SECRET}/predict", json={"project": PROJECT, "tasks": "no list"})
    client.post("/webhook", data=b"{", headers=HEADERS)
    client.post(f"/ml/{SECRET}/nothing-here", json={})
    event = {"action": "PROJECT_UPDATED", "project": {"id": 12, "token": "token-of-the-creator"}}
    client.post(f"/ml/{SECRET}/webhook", json=event)
    assert SECRET not in caplog.text
    assert "token-of-the-creator" not in caplog.text


# Versions


def test_versions_are_those_of_the_record_newest_first(client, session, project):
    assert client.get("/versions", headers=HEADERS).json == {"versions": []}
    ensure_live(session, project.id)
    other = world.project(session, title="Other", label_studio_id=13)
    ensure_live(session, other.id)
    assert client.get(f"/ml/{SECRET}/versions").json == {
        "versions": ["other-0-zero-shot", "orders-0-zero-shot"]
    }
    assert client.get("/versions?project=12.1", headers=HEADERS).json == {
        "versions": ["orders-0-zero-shot"]
    }
    assert client.get("/versions?project=99", headers=HEADERS).status_code == 404


# Predictions


def test_a_batch_has_one_answer_per_task_in_order_and_never_null(client, session, project):
    known = world.form_version(session, project, 1)
    other_project = world.project(session, title="Other", label_studio_id=13)
    foreign = world.form_version(session, other_project, 2)
    tasks = [
        world.task_payload(1, known.id),
        world.task_payload(2, None),
        world.task_payload(3, uuid.uuid4()),
        world.task_payload(4, foreign.id),
        world.task_payload(5, "no-uuid"),
        world.task_payload(6, known.id),
        None,
        "task",
        {},
        {"data": None},
        {"data": {"fieldloop": []}},
    ]
    results = predict(client, tasks)
    assert len(results) == len(tasks)
    assert all(isinstance(one, dict) and isinstance(one["result"], list) for one in results)
    assert {one["model_version"] for one in results} == {"orders-0-zero-shot"}
    assert results[0]["result"]
    assert results[0] == results[5]
    assert 0 < results[0]["score"] <= 1
    assert all(one["result"] == [] and one["score"] == 0 for one in results[1:5] + results[6:])
    # Nothing was recorded for the document of the other project.
    assert list(session.scalars(select(Extraction.document_version_id))) == [known.id]


def test_a_prediction_is_drawn_as_the_record_has_it(client, session, project):
    version = world.form_version(session, project, 1)
    (answer,) = predict(client, [world.task_payload(1, version.id)])
    (stored, model) = extractions.newest(session, version.id)
    values = extractions.values_of(session, stored.id)
    assert model.name == answer["model_version"]
    assert answer["score"] == pytest.approx(min(v.confidence for v in values), abs=1e-4)
    boxes = [e for e in answer["result"] if e["type"] == "rectanglelabels"]
    texts = {e["id"]: e for e in answer["result"] if e["type"] == "textarea"}
    assert [b["id"] for b in boxes] == [v.region_id for v in values]
    for box, value in zip(boxes, values, strict=True):
        assert box["value"]["rectanglelabels"] == [value.field]
        assert texts[box["id"]]["value"]["text"] == [value.text]
        assert box["item_index"] == value.page
        assert (box["original_width"], box["original_height"]) == world.PIXELS
        x0, y0, _, _ = value.spans[0]["box"]
        assert box["value"]["x"] == pytest.approx(x0 / 600 * 100, abs=0.01)
        assert box["value"]["y"] == pytest.approx(y0 / 800 * 100, abs=0.01)
        assert 0 <= box["value"]["x"] <= box["value"]["x"] + box["value"]["width"] <= 100


def test_what_was_read_once_is_not_read_again(client, session, project):
    version = world.form_version(session, project, 1)
    tasks = [world.task_payload(1, version.id)]
    assert predict(client, tasks) == predict(client, tasks)
    assert count(session, Extraction) == 1


def test_an_erased_document_gives_an_empty_answer_and_nothing_comes_back(client, session, project):
    version = world.form_version(session, project, 1)
    erase_document(session, session.get(Document, version.document_id), reason="r", erased_by="t")
    (answer,) = predict(client, [world.task_payload(1, version.id)])
    assert answer["result"] == []
    assert count(session, Extraction) == 0


def test_one_document_that_cannot_be_read_costs_no_other_its_prediction(client, session, project):
    broken = world.form_version(session, project, 1)
    whole = world.form_version(session, project, 2)
    session.execute(
        text("UPDATE document_words SET data = 'x' WHERE document_version_id = :v"),
        {"v": broken.id},
    )
    results = predict(client, [world.task_payload(n, v.id) for n, v in ((1, broken), (2, whole))])
    assert results[0]["result"] == []
    assert results[1]["result"]


def test_many_tasks_in_one_request(client, session, project, monkeypatch):
    monkeypatch.setattr("ml_backend.predicting.BATCH", 2)
    versions = [world.form_version(session, project, seed) for seed in range(7)]
    results = predict(client, [world.task_payload(n, v.id) for n, v in enumerate(versions)])
    assert len(results) == 7
    assert all(one["result"] for one in results)


def test_a_real_batch_request_of_strange_tasks_is_answered(client, project, payload):
    body = payload("ml-predict-batch") | {"project": PROJECT}
    answer = client.post(f"/ml/{SECRET}/predict", json=body)
    assert [one["result"] for one in answer.json["results"]] == [[]] * len(body["tasks"])


def test_no_tasks_no_answers(client, project):
    assert predict(client, []) == []


def test_a_field_that_was_removed_is_no_longer_predicted(client, session, project):
    version = world.form_version(session, project, 1)
    tasks = [world.task_payload(1, version.id)]
    before = predict(client, tasks)[0]["result"]
    gone = next(e["value"]["rectanglelabels"][0] for e in before if e["type"] == "rectanglelabels")
    # The live model stays: it is a trained one that still knows the field.
    live = registry.live_model(session, project.id)
    session.execute(
        update(ModelVersion).where(ModelVersion.id == live.id).values(kind=ModelKind.TRAINED)
    )
    world.set_schema(session, project, [r for r in world.ROWS if r.name != gone], by="test")
    (after,) = predict(client, tasks)
    shown = {
        e["value"]["rectanglelabels"][0] for e in after["result"] if e["type"] == "rectanglelabels"
    }
    assert gone not in shown
    assert shown


def test_one_model_version_string_everywhere(client, session, project):
    version = world.form_version(session, project, 1)
    setup = client.post("/setup", json={"project": PROJECT}, headers=HEADERS).json
    (answer,) = predict(client, [world.task_payload(1, version.id)])
    (_, model) = extractions.newest(session, version.id)
    versions = client.get("/versions", headers=HEADERS).json["versions"]
    live = registry.live_model(session, project.id)
    assert {setup["model_version"], answer["model_version"], model.name, live.name} == set(versions)


def test_a_promotion_takes_effect_on_the_next_prediction(client, session, project):
    version = world.form_version(session, project, 1)
    tasks = [world.task_payload(1, version.id)]
    first = predict(client, tasks)[0]["model_version"]
    world.set_schema(session, project, world.ROWS[:-1], by="test")
    second = predict(client, tasks)[0]["model_version"]
    assert (first, second) == ("orders-0-zero-shot", "orders-1-zero-shot")
    registry.point_alias(
        session, session.scalar(select(ModelVersion).filter_by(name=first)), by="ana",
        notes="back",
    )  # fmt: skip
    # A zero-shot version of an older schema does not serve: a new one takes its place.
    assert predict(client, tasks)[0]["model_version"] == "orders-2-zero-shot"


# Bad bodies


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 200_000, b"{" + b'"a":{' * 100_000],
)
@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
def test_malformed_json_is_a_400_in_json(client, project, session, path, body):
    answer = client.post(path, data=body, headers=HEADERS)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "malformed_json"
    assert count(session, WebhookDelivery) == 0


@pytest.mark.parametrize("tasks", [None, "x", {"id": 1}, 7])
def test_predict_wants_a_list_of_tasks(client, project, tasks):
    answer = client.post("/predict", json={"project": PROJECT, "tasks": tasks}, headers=HEADERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "no_tasks")


def test_a_huge_body_is_refused_before_it_is_read(client, project, monkeypatch):
    monkeypatch.setattr("ml_backend.ml_api.MAX_EVENT_BYTES", 1000)
    event = {"action": "PROJECT_UPDATED", "project": {"id": 12}, "more": "x" * 2000}
    answer = client.post("/webhook", json=event, headers=HEADERS)
    assert answer.status_code == 413
    assert "error" in answer.json


def test_a_method_or_page_that_is_not_there_is_json_too(client):
    assert client.get("/predict").json["error"]["code"] == "method_not_allowed"
    assert client.post("/nothing").json["error"]["code"] == "not_found"


# The inbox


@pytest.mark.parametrize(
    "name",
    [
        "webhook-ANNOTATION_CREATED",
        "webhook-ANNOTATIONS_CREATED",
        "webhook-ANNOTATION_UPDATED",
        "webhook-ANNOTATIONS_DELETED",
        "webhook-TASKS_CREATED",
        "webhook-TASKS_DELETED",
        "webhook-PROJECT_UPDATED",
    ],
)
def test_every_event_is_in_the_record_before_the_answer(client, session, payload, name):
    event = payload(name)
    answer = client.post("/webhook", json=event, headers=HEADERS)
    assert answer.status_code == 201
    stored = session.get(WebhookDelivery, answer.json["delivery"])
    assert stored.action == event["action"]
    assert stored.project_label_studio_id == event["project"]["id"]
    assert not inbox.SECRET_KEYS & {key.lower() for key in stored.payload["project"]}


def test_an_event_without_payload_is_kept_each_time(client, session):
    for _ in range(2):
        answer = client.post("/webhook", json={"action": "ANNOTATION_CREATED"}, headers=HEADERS)
        assert answer.status_code == 201
    assert count(session, WebhookDelivery) == 2


def test_events_of_unknown_kinds_and_shapes_are_kept(client, session):
    odd = [
        {},
        {"action": None},
        {"action": ["x"], "project": "x"},
        {"action": "NEW_IN_1_24", "project": {"id": 2**40}},
        {"action": "X", "text": "nul \u0000 and \ud800", "number": 1e308},
    ]
    for event in odd:
        body = json.dumps(event)
        assert client.post("/webhook", data=body, headers=HEADERS).status_code == 201, event
    assert client.post("/webhook", data='{"n": NaN}', headers=HEADERS).status_code == 201
    assert count(session, WebhookDelivery) == len(odd) + 1


# Training


def test_start_training_asks_for_a_run_and_nudges(client, session, project, payload, redis):
    event = payload("webhook-START_TRAINING")
    event["project"]["id"] = 12
    answer = client.post(f"/ml/{SECRET}/webhook", json=event)
    assert answer.status_code == 201
    job = session.get(Job, uuid.UUID(answer.json["job"]))
    assert (job.kind, job.project_id, job.arguments["forced"]) == (
        "consider_training", project.id, True,
    )  # fmt: skip
    again = client.post(f"/ml/{SECRET}/webhook", json=event)
    assert again.json == answer.json
    assert redis.llen("rq:queue:fieldloop") == 2


def test_start_training_of_a_project_that_is_not_ours(client, session, project):
    event = {"action": "START_TRAINING", "project": {"id": 99}}
    answer = client.post("/webhook", json=event, headers=HEADERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "unknown_project")
    answer = client.post("/webhook", json={"action": "START_TRAINING"}, headers=HEADERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "no_project")
    assert count(session, Job) == 0


def test_start_training_without_redis_still_counts(client, session, project, services):
    services.redis.connection_pool.disconnect()
    services.redis.connection_pool.connection_kwargs["port"] = 1
    event = {"action": "START_TRAINING", "project": {"id": 12}}
    assert client.post("/webhook", json=event, headers=HEADERS).status_code == 201
    assert count(session, Job) == 1


def test_words_without_any_text_are_an_empty_prediction(client, session, project):
    version = world.read_version(session, project, [make_page(0, 600, 800)])
    (answer,) = predict(client, [world.task_payload(1, version.id)])
    assert answer["result"] == []
