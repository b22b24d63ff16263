"""Documents: what an upload does, what a reading leaves, what the listing shows."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from db import documents
from db.documents import Outcome, PageRow, Reading, Upload
from db.models import DocumentVersion, ReadingState
from tests import factories
from tests.conftest import Database


def upload(name: str, content: bytes) -> Upload:
    sha256 = hashlib.sha256(content).hexdigest()
    return Upload(name, sha256, len(content), "application/pdf", by="ana", source="cli")


def test_an_upload_is_new_once_and_a_changed_file_is_a_new_version(session: Session) -> None:
    project = factories.project(session)
    first = documents.register(session, project.id, upload("a.pdf", b"one"))
    again = documents.register(session, project.id, upload("a.pdf", b"one"))
    renamed = documents.register(session, project.id, upload("b.pdf", b"one"))
    changed = documents.register(session, project.id, upload("a.pdf", b"two"))
    assert [r.outcome for r in (first, again, renamed, changed)] == [
        Outcome.NEW,
        Outcome.UNCHANGED,
        Outcome.UNCHANGED,
        Outcome.NEW_VERSION,
    ]
    assert renamed.document.name == "a.pdf"
    assert (first.version.number, changed.version.number) == (1, 2)
    assert changed.document.id == first.document.id
    newest = documents.newest_version(session, first.document.id)
    assert newest is not None
    assert newest.id == changed.version.id


def test_projects_keep_their_own_copies(session: Session) -> None:
    one, other = factories.project(session), factories.project(session)
    documents.register(session, one.id, upload("a.pdf", b"one"))
    assert documents.register(session, other.id, upload("a.pdf", b"one")).outcome is Outcome.NEW


def test_ten_uploads_of_one_file_at_once_are_one_version(committed_database: Database) -> None:
    with committed_database.session_factory.begin() as session:
        project_id = factories.project(session).id

    def send(_: int) -> Outcome:
        with committed_database.session_factory.begin() as session:
            return documents.register(session, project_id, upload("a.pdf", b"one")).outcome

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(send, range(10)))
    assert sorted(outcomes) == [Outcome.NEW] + [Outcome.UNCHANGED] * 9


def test_a_reading_replaces_the_one_before_and_clears_a_failure(session: Session) -> None:
    version = factories.document_version(session, state="received")
    documents.record_failure(session, version.id, code="encrypted", message="It has a password.")
    session.refresh(version)
    assert (version.state, version.error_code) == (ReadingState.FAILED, "encrypted")
    for words in (b"first", b"second"):
        page = PageRow(0, "ab" * 32, "image/png", 1240, 1754, 595.0, 842.0)
        documents.record_reading(session, version.id, Reading(words, 3, [page], 1, "pdfium 1", 0.2))
    session.refresh(version)
    assert (version.state, version.error_code, version.page_count) == (ReadingState.READ, None, 1)
    assert documents.words_of(session, version.id) == b"second"
    assert [image.width_px for image in documents.images_of(session, version.id)] == [1240]


def test_the_listing_filters_and_counts(session: Session) -> None:
    project = factories.project(session)
    for name in ("100%.pdf", "1000.pdf", "x_y.pdf"):
        documents.register(session, project.id, upload(name, name.encode()))
    everything = documents.overview(session, project_id=project.id, limit=2)
    assert (everything.total, len(everything.rows)) == (3, 2)
    found = documents.overview(session, project_id=project.id, search="0%")
    assert [row["document"] for row in found.rows] == ["100%.pdf"]
    assert documents.overview(session, project_id=project.id, state="read").total == 0
    assert documents.overview(session, project_id=project.id, reviewed=False).total == 3


def test_the_task_of_a_version_is_the_one_not_deleted(session: Session) -> None:
    version = factories.document_version(session)
    assert documents.task_of(session, version.id) is None
    task = factories.task(session, version, label_studio_id=7)
    found = documents.task_of(session, version.id)
    assert found is not None
    assert found.id == task.id
    assert session.get_one(DocumentVersion, version.id).number == 1
