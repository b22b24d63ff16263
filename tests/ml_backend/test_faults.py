"""What a client sees when a part is away, and page images by signed address."""

from __future__ import annotations

import dataclasses
import socket
import uuid

import pytest
from sqlalchemy import create_engine

from db.label_studio import LabelStudio
from db.label_studio_errors import Forbidden, LabelStudioError, NotFound, Unauthorized, Unreachable
from db.models import PageImage
from db.session import make_engine, make_session_factory
from ml_backend.auth import SECRET_HEADER
from ml_backend.page_links import is_signed, page_path
from tests.ml_backend import world
from tests.ml_backend.conftest import SECRET, make_app

HEADERS = {SECRET_HEADER: SECRET}


@pytest.fixture
def without_postgres(services):
    engine = make_engine("postgresql://nobody:hunter2secret@127.0.0.1:1/none")
    yield make_app(
        dataclasses.replace(services, sessions=make_session_factory(engine))
    ).test_client()
    engine.dispose()


@pytest.mark.parametrize("path", ["/setup", "/predict", "/webhook"])
def test_without_postgres_nothing_is_acknowledged(without_postgres, caplog, path):
    body = {"project": "12.1", "tasks": [], "action": "TASKS_CREATED"}
    answer = without_postgres.post(path, json=body, headers=HEADERS)
    assert answer.status_code == 503
    assert answer.json["error"]["code"] == "database_unavailable"
    assert answer.headers["Retry-After"]
    assert "hunter2secret" not in answer.text + caplog.text


@pytest.fixture
def hung_postgres(services):
    """It takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # No limit of the driver's own: only that of the intake is left to end the wait.
        engine = create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{port}/none")
        yield make_app(
            dataclasses.replace(services, sessions=make_session_factory(engine))
        ).test_client()
    engine.dispose()


@pytest.mark.timeout(60)
def test_a_postgres_that_hangs_holds_no_reviewer_up(hung_postgres):
    for _ in range(3):
        answer = hung_postgres.post("/webhook", json={"action": "TASKS_CREATED"}, headers=HEADERS)
        assert answer.status_code == 503
        assert answer.json["error"]["code"] == "database_unavailable"
    assert hung_postgres.get("/health").status_code == 200


def test_without_postgres_the_backend_is_still_healthy(without_postgres):
    assert without_postgres.get("/health").status_code == 200


def test_a_surprise_is_no_traceback(client, session, monkeypatch):
    world.project(session)
    monkeypatch.setattr("ml_backend.ml_api.ensure_live", lambda *given: 1 / 0)
    answer = client.post("/setup", json={"project": "12.1"}, headers=HEADERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text


def test_a_model_that_is_gone_says_so(client, session, monkeypatch):
    project = world.project(session)
    from db import registry
    from db.models import ModelKind

    made = registry.NewModel(ModelKind.TRAINED, 1, "test", artefact_sha256="a" * 64)
    registry.point_alias(
        session, registry.register_model(session, project.id, "x", made), by="t", notes="t"
    )
    body = {"project": "12.1", "tasks": [world.task_payload(1, None)], "params": {"context": None}}
    answer = client.post("/predict", json=body, headers=HEADERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "blob_missing")
    assert "restore it from a backup" in answer.json["error"]["message"]


# Page images


@pytest.fixture
def image(session, services):
    version = world.form_version(session, world.project(session), 1)
    row = session.get(PageImage, (version.id, 0))
    row.sha256 = services.blobs.put(b"\x89PNG bytes of the page")
    session.flush()
    return version


def test_a_signed_address_gives_the_picture_to_any_origin(client, services, image):
    path = page_path(services.settings.signing_key, image.id, 0)
    answer = client.get(path)
    assert (answer.status_code, answer.data) == (200, b"\x89PNG bytes of the page")
    assert answer.mimetype == "image/png"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "immutable" in answer.headers["Cache-Control"]
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_another_signature_gives_nothing(client, services, image):
    key = services.settings.signing_key
    other_page = page_path(key, image.id, 1).partition("?")[2]
    for query in ("", "sig=", f"sig={'0' * 32}", other_page, "sig=%ff%00"):
        assert client.get(f"/pages/{image.id}/0?{query}").status_code == 403
    old = page_path("another-key-of-the-past", image.id, 0)
    assert client.get(old).status_code == 403
    assert not is_signed(key, image.id, 0, old.partition("sig=")[2])


def test_a_page_that_is_gone_is_a_sentence(client, services, image):
    missing = page_path(services.settings.signing_key, uuid.uuid4(), 0)
    assert client.get(missing).json["error"]["code"] == "no_page"


# Label Studio's client


def test_a_read_is_asked_again_and_a_write_is_not(fake, monkeypatch):
    monkeypatch.setattr("db.label_studio_http.FIRST_PAUSE", 0.0)
    client = LabelStudio(fake.url, "k" * 40)
    number = fake.add_task({}, [])
    fake.fail("GET", f"/api/tasks/{number}", 503, times=2)
    assert client.task(number)["id"] == number
    fake.fail("POST", "/import", 503)
    with pytest.raises(LabelStudioError) as error:
        client.create_tasks(12, [{"data": {}, "predictions": []}])
    assert error.value.passing
    assert sum(path.endswith("/import") for _, path in fake.calls) == 1


@pytest.mark.parametrize(
    ("status", "kind", "passing"),
    [
        (400, LabelStudioError, False),
        (401, Unauthorized, True),
        (403, Forbidden, False),
        (404, NotFound, False),
        (500, LabelStudioError, False),
        (502, LabelStudioError, True),
        (302, Unauthorized, True),
    ],
)
def test_what_a_refusal_means(fake, monkeypatch, status, kind, passing):
    fake.fail("POST", "/import", status)
    with pytest.raises(kind) as error:
        LabelStudio(fake.url, "k" * 40).create_tasks(12, [{"data": {}, "predictions": []}])
    assert error.value.passing is passing
    assert "k" * 40 not in str(error.value)


def test_nothing_there_and_something_else_there(fake):
    with pytest.raises(Unreachable, match="LABEL_STUDIO_URL") as error:
        LabelStudio("http://user:pw@127.0.0.1:1", "k" * 40, attempts=1).whoami()
    assert "pw" not in str(error.value)
    with pytest.raises(NotFound):
        LabelStudio(fake.url, "k" * 40, attempts=1).whoami()
