"""The documents API over the Flask application, on a real Postgres, Redis and blob store."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from db.blobs import BlobStore
from db.config import Settings
from db.label_studio import LabelStudio
from db.models import DocumentVersion, Job
from db.session import SessionFactory
from ml_backend.app import create_app
from ml_backend.services import Services
from tests import factories

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"


@pytest.fixture
def services(session_factory: SessionFactory, redis: Any, blobs: BlobStore) -> Services:
    settings = Settings.from_environ(
        {
            "LABEL_STUDIO_URL": "http://label-studio.invalid",
            "FIELDLOOP_WEBHOOK_SECRET": "w" * 20,
            "FIELDLOOP_SIGNING_KEY": "s" * 20,
            "FIELDLOOP_MAX_FILE_MB": "1",
        },
        needs=(),
    )
    return Services(
        settings, session_factory, blobs, redis, LabelStudio("http://label-studio.invalid", "x")
    )


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def test_an_uploaded_file_is_stored_registered_and_queued_for_reading(
    client: FlaskClient, session: Any, blobs: BlobStore, redis: Any
) -> None:
    factories.project(session)
    session.commit()
    answer = client.post("/api/documents", data={"files": [(io.BytesIO(PDF), "a.pdf")]})
    assert answer.status_code == 201
    (file,) = answer.json["files"]
    version = session.scalars(select(DocumentVersion)).one()
    assert file["outcome"] == "new"
    assert file["version_id"] == str(version.id)
    assert blobs.get(version.sha256) == PDF
    job = session.scalars(select(Job)).one()
    assert (job.kind, job.subject) == ("read_document", str(version.id))
    assert redis.llen("rq:queue:fieldloop") == 1
