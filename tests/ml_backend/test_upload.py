"""``fieldloop upload`` as a program against the real application over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from werkzeug.serving import make_server

from db.blobs import BlobStore
from db.models import Document, DocumentVersion, Job
from fieldloop.commands.upload import upload
from fieldloop.uploading import files_under
from ml_backend.app import create_app
from ml_backend.services import Services
from tests import factories
from tests.conftest import Database
from tests.ml_backend.console_data import PDF, project_with_fields, services_on

TOKEN = "t" * 20
Run = Callable[..., Result]


@pytest.fixture
def database(committed_database: Database) -> Database:
    with committed_database.session_factory.begin() as session:
        project_with_fields(session)
    return committed_database


@pytest.fixture
def services(database: Database, redis: Any, blobs: BlobStore) -> Services:
    return services_on(database.session_factory, redis, blobs, FIELDLOOP_API_TOKEN=TOKEN)


@pytest.fixture
def backend(services: Services) -> Iterator[str]:
    """The address of the running application."""
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(backend: str) -> Run:
    def run(*arguments: object, **environ: str) -> Result:
        values = {"FIELDLOOP_BACKEND_URL": backend, "FIELDLOOP_API_TOKEN": TOKEN} | environ
        return CliRunner().invoke(upload, [str(one) for one in arguments], env=values)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two documents, one of them deeper; a hidden file, a hidden folder, and a text."""
    root = tmp_path / "in box"
    (root / "2026" / ".git").mkdir(parents=True)
    (root / "a.pdf").write_bytes(PDF)
    (root / "2026" / 'b "ção".pdf').write_bytes(PDF + b"b")
    (root / "2026" / ".git" / "c.pdf").write_bytes(PDF + b"c")
    (root / ".hidden.pdf").write_bytes(PDF + b"d")
    (root / "notes.txt").write_text("no document")
    return root


def test_a_folder_with_all_that_is_in_it(run: Run, folder: Path, database: Database) -> None:
    result = run(folder, "--collection", "ACME", "--notes", "March", "--by", "ana", "--json")
    assert result.exit_code == 1  # the text was refused
    found = {Path(one["path"]).name: one for one in json.loads(result.stdout)["files"]}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "a.pdf": "new",
        'b "ção".pdf': "new",
        "notes.txt": "refused",
    }
    assert found["notes.txt"]["error"]["code"] == "unsupported_type"
    assert "no PDF, PNG, JPEG or TIFF" in result.stderr
    with database.session_factory() as session:
        documents = session.scalars(select(Document).order_by(Document.name)).all()
        assert [one.name for one in documents] == ["a.pdf", 'b "ção".pdf']
        assert {(one.collection, one.notes, one.created_by) for one in documents} == {
            ("ACME", "March", "ana")
        }
        assert {one.source for one in session.scalars(select(DocumentVersion))} == {"cli"}
        assert len(session.scalars(select(Job)).all()) == 2


def test_a_second_time_nothing_changes(run: Run, folder: Path) -> None:
    run(folder / "a.pdf")
    result = run(folder / "a.pdf")
    assert result.exit_code == 0
    assert "1 files: 1 unchanged." in result.stdout


def test_a_dry_run_only_lists(run: Run, folder: Path, database: Database) -> None:
    result = run(folder, "--dry-run")
    assert result.exit_code == 0
    assert "3 files would be uploaded." in result.stderr
    rows = json.loads(run(folder, "--dry-run", "--json").stdout)["files"]
    assert sorted(row["bytes"] for row in rows) == sorted([11, len(PDF), len(PDF) + 1])
    with database.session_factory() as session:
        assert session.scalars(select(Document)).all() == []


def test_a_file_beyond_the_limit_is_refused_and_the_others_go_on(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "sizes"
    folder.mkdir()
    (folder / "1-huge.pdf").write_bytes(PDF + b"0" * 3_000_000)
    (folder / "2-large.pdf").write_bytes(PDF + b"0" * 110_000)
    (folder / "3-empty.pdf").write_bytes(b"")
    (folder / "4-good.pdf").write_bytes(PDF)
    result = run(folder, "--json")
    assert result.exit_code == 1
    codes = [one["error"] and one["error"]["code"] for one in json.loads(result.stdout)["files"]]
    # The first is beyond the limit of a whole request: the backend may hang up before it has heard all of it.
    assert codes[0] in {"request_too_large", "broken_off"}
    assert codes[1:] == ["too_large", "empty", None]


def test_waiting_ends_when_tasks_exist_or_documents_failed(
    run: Run, folder: Path, database: Database
) -> None:
    """A thread stands in for the workers: it makes a task of one document and fails the other."""
    (folder / "notes.txt").unlink()
    stop = threading.Event()

    def work() -> None:
        done = 0
        while done < 2 and not stop.wait(0.05):
            with database.session_factory.begin() as session:
                for version in session.scalars(
                    select(DocumentVersion).where(DocumentVersion.state == "received")
                ):
                    done += 1
                    if version.size_bytes == len(PDF):
                        version.state = "read"
                        factories.task(session, version, 42)
                    else:
                        version.state = "failed"
                        version.error_code, version.error_message = "damaged", "It is damaged."

    worker = threading.Thread(target=work)
    worker.start()
    try:
        result = run(folder, "--wait", "--json")
    finally:
        stop.set()
        worker.join()
    assert result.exit_code == 1
    found = {Path(one["path"]).name: one for one in json.loads(result.stdout)["files"]}
    assert found["a.pdf"]["stage"] == "ready"
    assert found["a.pdf"]["task_url"].endswith("task=42")
    assert found['b "ção".pdf']["error"] == {"code": "damaged", "message": "It is damaged."}


def test_waiting_ends_when_nothing_moves(run: Run, folder: Path) -> None:
    result = run(folder / "a.pdf", "--wait", "--patience", "0")
    assert result.exit_code == 1
    assert "processing: nothing moves; see `fieldloop status`." in result.stderr


def test_without_a_backend_the_setting_is_named(run: Run, folder: Path) -> None:
    result = run(folder, FIELDLOOP_BACKEND_URL="http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "http://127.0.0.1:1 (FIELDLOOP_BACKEND_URL)" in str(result.exception)
    assert "fieldloop up" in str(result.exception)


def test_a_wrong_token_is_named_before_anything_is_sent(
    run: Run, folder: Path, database: Database
) -> None:
    result = run(folder, FIELDLOOP_API_TOKEN="wrong")
    assert "FIELDLOOP_API_TOKEN" in str(result.exception)
    with database.session_factory() as session:
        assert session.scalars(select(Document)).all() == []


def test_an_unknown_project_is_named(run: Run, folder: Path) -> None:
    result = run(folder, "--project", "Nothing")
    assert "There is no project 'Nothing'" in str(result.exception)


def test_a_path_that_is_not_there(run: Run, tmp_path: Path) -> None:
    result = run(tmp_path / "nothing")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_files_named_twice_are_sent_once_and_links_to_parents_do_not_loop(folder: Path) -> None:
    (folder / "2026" / "up").symlink_to(folder)
    found = files_under([folder / "a.pdf", folder, folder / ".hidden.pdf"])
    assert [path.name for path in found] == ["a.pdf", "notes.txt", 'b "ção".pdf', ".hidden.pdf"]
