"""The backend on real parts: Postgres, Redis, blobs in a folder, and a Label Studio that speaks HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from db.blobs import BlobStore
from db.config import Settings
from db.label_studio import LabelStudio
from db.session import SessionFactory
from ml_backend import errors, ml_api, page_images
from ml_backend.services import Services
from tests.conftest import Database
from tests.ml_backend import world
from tests.ml_backend.fake_label_studio import FakeLabelStudio

SECRET = "a-webhook-secret-of-tests"


def make_settings(**values: object) -> Settings:
    settings = Settings.from_environ(
        {
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "BLOB_URL": "file:///nowhere",
            "LABEL_STUDIO_URL": world.URL,
            "LABEL_STUDIO_API_KEY": "an-api-key-of-tests",
            "FIELDLOOP_WEBHOOK_SECRET": SECRET,
            "FIELDLOOP_SIGNING_KEY": "a-signing-key-of-tests",
        }
    )
    return dataclasses.replace(settings, **values)  # type: ignore[arg-type]


@pytest.fixture
def services(
    session_factory: SessionFactory,
    blobs: BlobStore,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> Services:
    """Services inside the test's transaction; Label Studio cannot be reached."""
    # One connection serves the whole test: the thread that renews leases must stay away from it.
    monkeypatch.setattr("ml_backend.jobs.RENEW_SECONDS", 3600.0)
    return Services(
        settings=make_settings(),
        sessions=session_factory,
        blobs=blobs,
        redis=redis,
        label_studio=LabelStudio("http://127.0.0.1:1", "an-api-key-of-tests", attempts=1),
    )


@pytest.fixture
def fake() -> Iterator[FakeLabelStudio]:
    """A server with the few calls of Label Studio's API that the backend makes."""
    with FakeLabelStudio() as server:
        yield server


@pytest.fixture
def with_fake(services: Services, fake: FakeLabelStudio) -> Services:
    """The services with that server as their Label Studio."""
    return dataclasses.replace(
        services,
        settings=dataclasses.replace(services.settings, label_studio_url=fake.url),
        label_studio=LabelStudio(fake.url, "an-api-key-of-tests", attempts=2),
    )


@pytest.fixture
def committed(committed_database: Database, blobs: BlobStore, redis: Redis) -> Services:
    """Services on a database of its own, for several connections."""
    return Services(
        settings=make_settings(database_url=committed_database.url),
        sessions=committed_database.session_factory,
        blobs=blobs,
        redis=redis,
        label_studio=LabelStudio("http://127.0.0.1:1", "an-api-key-of-tests", attempts=1),
    )


def make_app(services: Services) -> Flask:
    """The application's part that Label Studio and browsers inside it talk to."""
    app = Flask(__name__)
    errors.install(app)
    app.register_blueprint(ml_api.blueprint(services))
    app.register_blueprint(page_images.blueprint(services))
    return app


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return make_app(services).test_client()


@pytest.fixture
def payload() -> Callable[[str], dict[str, object]]:
    """A request as a real Label Studio sent it, from ../shared."""
    import json

    folder = Path(__file__).parents[2].parent / "shared" / "label-studio" / "payloads"
    if not folder.is_dir():
        pytest.skip(f"the captured requests are not there: {folder}")

    def load(name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((folder / f"{name}.json").read_text())
        return found.get("body", found)  # type: ignore[return-value]

    return load
