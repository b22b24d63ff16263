"""The documents API over the Flask application, on a real Postgres, Redis and blob store."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.blobs import BlobStore
from db.models import AnnotationEvent, Document, DocumentVersion, Job, Project
from db.session import SessionFactory, make_engine, make_session_factory
from fieldloop.demo.generator import generate
from ml_backend.app import create_app
from ml_backend.documents_api.intake import Refused, file_name
from ml_backend.services import Services
from tests import factories
from tests.ml_backend.console_data import PDF, Story, project_with_fields, services_on, tell

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
ZIP = b"PK\x03\x04" + b"\0" * 40


@pytest.fixture
def services(session_factory: SessionFactory, redis: Any, blobs: BlobStore) -> Services:
    return services_on(session_factory, redis, blobs)


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def project(session: Session) -> Project:
    made = project_with_fields(session)
    session.commit()
    return made


@pytest.fixture
def story(session: Session, blobs: BlobStore) -> Story:
    return tell(session, blobs)


def send(client: FlaskClient, *files: tuple[str, bytes], **values: str) -> Any:
    data: dict[str, Any] = {"files": [(io.BytesIO(content), name) for name, content in files]}
    return client.post("/api/documents", data=data | values)


class TestUpload:
    def test_a_file_is_stored_registered_and_queued_for_reading(
        self, client: FlaskClient, project: Project, session: Session, blobs: BlobStore, redis: Any
    ) -> None:
        answer = send(
            client, ("a.pdf", PDF), collection="ACME", notes="March", by="ana", source="cli"
        )
        assert answer.status_code == 201
        (file,) = answer.json["files"]
        version = session.scalars(select(DocumentVersion)).one()
        document = session.scalars(select(Document)).one()
        assert file == {
            "name": "a.pdf",
            "outcome": "new",
            "document_id": str(document.id),
            "version_id": str(version.id),
            "version": 1,
            "error": None,
        }
        assert blobs.get(version.sha256) == PDF
        assert (version.media_type, version.size_bytes) == ("application/pdf", len(PDF))
        assert (version.uploaded_by, version.source) == ("ana", "cli")
        assert (document.collection, document.notes) == ("ACME", "March")
        job = session.scalars(select(Job)).one()
        assert (job.kind, job.subject, job.project_id) == (
            "read_document",
            str(version.id),
            project.id,
        )
        assert redis.llen("rq:queue:fieldloop") == 1

    def test_the_same_bytes_are_unchanged_and_other_bytes_a_new_version(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        send(client, ("a.pdf", PDF))
        again = send(client, ("renamed.pdf", PDF))
        assert again.status_code == 200
        assert again.json["files"][0]["outcome"] == "unchanged"
        assert again.json["files"][0]["name"] == "a.pdf"
        changed = send(client, ("a.pdf", PDF + b"%"))
        assert changed.status_code == 201
        assert (changed.json["files"][0]["outcome"], changed.json["files"][0]["version"]) == (
            "new_version",
            2,
        )
        assert len(session.scalars(select(Job)).all()) == 2

    def test_a_file_that_could_not_be_read_is_read_again_when_it_comes_again(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        send(client, ("a.pdf", PDF))
        version = session.scalars(select(DocumentVersion)).one()
        job = session.scalars(select(Job)).one()
        version.state, job.state = "failed", "done"
        session.commit()
        assert send(client, ("a.pdf", PDF)).json["files"][0]["outcome"] == "unchanged"
        session.refresh(version)
        assert version.state == "received"
        assert len(session.scalars(select(Job)).all()) == 2

    def test_bad_files_are_refused_one_by_one_and_disturb_nothing(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        answer = send(
            client,
            ("good.pdf", PDF),
            ("empty.pdf", b""),
            ("letter.docx", ZIP),
            ("text.pdf", b"just text"),
            ("big.pdf", PDF + b"0" * 110_000),
            ("scan.png", PNG),
        )
        assert answer.status_code == 207
        found = {file["name"]: file for file in answer.json["files"]}
        assert {name: file["outcome"] for name, file in found.items()} == {
            "good.pdf": "new",
            "empty.pdf": "refused",
            "letter.docx": "refused",
            "text.pdf": "refused",
            "big.pdf": "refused",
            "scan.png": "new",
        }
        codes = {name: file["error"]["code"] for name, file in found.items() if file["error"]}
        assert codes == {
            "empty.pdf": "empty",
            "letter.docx": "unsupported_type",
            "text.pdf": "unsupported_type",
            "big.pdf": "too_large",
        }
        assert "FIELDLOOP_MAX_FILE_MB" in found["big.pdf"]["error"]["message"]
        assert "save an office document as PDF" in found["letter.docx"]["error"]["message"]
        assert len(session.scalars(select(DocumentVersion)).all()) == 2

    @pytest.mark.parametrize(
        ("name", "code", "shown"),
        [
            ("../../etc/passwd.pdf", "bad_name", "../../etc/passwd.pdf"),
            ("a\tb.pdf", "bad_name", "a�b.pdf"),
            ("fdp.\u202eexe.pdf", "bad_name", "fdp.�exe.pdf"),
            ("n" * 996 + ".pdf", "name_too_long", "n" * 254 + "…"),
            ("folder/", "bad_name", "folder/"),
        ],
    )
    def test_a_hostile_name_is_refused_in_a_sentence(
        self,
        client: FlaskClient,
        project: Project,
        session: Session,
        name: str,
        code: str,
        shown: str,
    ) -> None:
        answer = send(client, (name, PDF))
        assert answer.status_code == 422
        assert answer.json["error"]["code"] == code
        assert answer.json["files"][0]["name"] == shown
        assert session.scalars(select(Document)).all() == []

    @pytest.mark.parametrize("name", ["sub/folder/ação.pdf", "ac\u0327a\u0303o.pdf", " ação.pdf "])
    def test_folders_are_left_out_of_the_name(
        self, client: FlaskClient, project: Project, name: str
    ) -> None:
        assert send(client, (name, PDF)).json["files"][0]["name"] == "ação.pdf"

    def test_names_of_other_systems(self) -> None:
        assert file_name("C:\\fakepath\\a.pdf") == "a.pdf"
        with pytest.raises(Refused):
            file_name("..\\a.pdf")

    def test_the_one_refused_file_decides_the_status(
        self, client: FlaskClient, project: Project
    ) -> None:
        assert send(client, ("a.pdf", b"")).status_code == 422
        assert send(client, ("a.pdf", ZIP)).status_code == 415
        assert send(client, ("a.pdf", PDF + b"0" * 110_000)).status_code == 413
        several = send(client, ("a.pdf", b""), ("b.pdf", ZIP))
        assert several.status_code == 422
        assert several.json["error"] == {
            "code": "all_refused",
            "message": "All 2 files were refused.",
        }

    def test_a_request_that_is_no_upload_is_told_so(
        self, client: FlaskClient, project: Project
    ) -> None:
        assert client.post("/api/documents", json={}).json["error"]["code"] == "not_multipart"
        assert client.post("/api/documents", data={"files": (io.BytesIO(b""), "")}).json[
            "error"
        ] == {"code": "no_files", "message": "The form holds no file; name the fields 'files'."}
        whole = (
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n\r\n%PDF-1.7'
        )
        broken = client.post(
            "/api/documents", data=whole, content_type="multipart/form-data; boundary=x"
        )
        assert (broken.status_code, broken.json["error"]["code"]) == (400, "malformed_form")
        boundless = client.post("/api/documents", data=b"x", content_type="multipart/form-data")
        assert boundless.json["error"]["code"] == "malformed_form"
        assert send(client, ("a.pdf", PDF), source="fax").json["error"]["code"] == "bad_parameter"

    def test_more_than_the_whole_limit_is_refused_before_it_is_read(
        self, client: FlaskClient, project: Project
    ) -> None:
        answer = client.post(
            "/api/documents",
            data=b"",
            content_type="multipart/form-data; boundary=x",
            environ_overrides={"CONTENT_LENGTH": str(3 * 1024 * 1024)},
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (413, "request_too_large")

    def test_too_many_parts_and_too_long_texts_are_refused_in_a_sentence(
        self, client: FlaskClient, project: Project
    ) -> None:
        many = send(client, *[(f"{n}.pdf", b"x") for n in range(1001)])
        assert (many.status_code, many.json["error"]["code"]) == (413, "request_too_large")
        assert "more than 1000 parts" in many.json["error"]["message"]
        head = b'--x\r\nContent-Disposition: form-data; name="notes"\r\n\r\n'
        text_too_long = client.post(
            "/api/documents",
            data=head + b"n" * 600_000 + b"\r\n--x--\r\n",
            content_type="multipart/form-data; boundary=x",
        )
        assert text_too_long.json["error"]["code"] == "request_too_large"
        text_long = send(client, ("a.pdf", PDF), notes="n" * 3000)
        assert (
            text_long.json["error"]["message"] == "'notes' has 3000 characters; the limit is 2000."
        )

    def test_without_a_project_the_answer_names_the_command(self, client: FlaskClient) -> None:
        answer = send(client, ("a.pdf", PDF))
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "no_project")
        assert "fieldloop init" in answer.json["error"]["message"]

    def test_projects_are_named_by_title_or_id(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        other = factories.project(session, title="Contracts")
        session.commit()
        send(client, ("a.pdf", PDF), project="Contracts")
        send(client, ("b.pdf", PDF + b"b"), project=str(other.id))
        assert {row.project_id for row in session.scalars(select(Document))} == {other.id}
        wrong = send(client, ("c.pdf", PDF), project="Nothing")
        assert (wrong.status_code, wrong.json["error"]["code"]) == (404, "unknown_project")

    def test_a_store_that_fails_refuses_the_file_and_registers_nothing(
        self, services: Services, project: Project, session: Session, tmp_path: Any
    ) -> None:
        folder = tmp_path / "blobs"
        for child in folder.iterdir():
            child.unlink()
        folder.rmdir()
        folder.write_text("a file where the store was")
        answer = send(create_app(services).test_client(), ("a.pdf", PDF))
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "storage_unavailable")
        assert session.scalars(select(Document)).all() == []


class TestListing:
    def test_filters_pages_and_counts(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        for number in range(3):
            made = factories.document(session, story.project, name=f"b{number}_.pdf")
            factories.document_version(session, made, state="received")
        broken = factories.document(session, story.project, name="broken.pdf")
        factories.document_version(
            session, broken, state="failed", error_code="encrypted", error_message="Locked."
        )
        session.commit()

        def names(**query: str) -> list[str]:
            found = client.get("/api/documents", query_string=query).json
            return [row["name"] for row in found["documents"]]

        everything = client.get("/api/documents").json
        assert everything["total"] == 5
        paged = names(limit="2") + names(limit="2", offset="2") + names(limit="2", offset="4")
        assert sorted(paged) == sorted(row["name"] for row in everything["documents"])
        assert len(set(paged)) == 5
        assert names(state="failed") == ["broken.pdf"]
        assert names(stage="processing", sort="name") == ["b0_.pdf", "b1_.pdf", "b2_.pdf"]
        assert names(reviewed="true") == ["invoice <1>.pdf"]
        assert names(collection="ACME") == ["invoice <1>.pdf"]
        assert len(names(name="_.PDF")) == 3
        assert names(name="%") == []
        assert names(project=story.project.title, sort="score")[0] == "invoice <1>.pdf"
        (row,) = client.get("/api/documents?state=failed").json["documents"]
        assert row["error"] == {"code": "encrypted", "message": "Locked."}
        assert row["stage"] == "failed"
        (row,) = client.get("/api/documents?reviewed=true").json["documents"]
        assert row["task_url"] == "http://label-studio.invalid/projects/7/data?task=42"

    def test_every_stage_is_counted_as_it_is_listed(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        for name, state in (("new", "received"), ("broken", "failed"), ("gone", "erased")):
            made = factories.document(session, story.project, name=name)
            factories.document_version(session, made, state=state)
        for name in ("ready", "skipped", "deleted annotation", "deleted task", "stuck", "waiting"):
            made = factories.document(session, story.project, name=name)
            version = factories.document_version(session, made)
            if name in {"stuck", "waiting"}:
                state = "failed" if name == "stuck" else "queued"
                subject = str(version.id)
                job = Job(
                    kind="publish_task", subject=subject, created_by="t", state=state, error="No."
                )
                session.add(job)
                continue
            task = factories.task(session, version, deleted_at=None, source_created_at=None)
            if name == "deleted task":
                session.execute(
                    text("UPDATE tasks SET deleted_at = clock_timestamp() WHERE id = :id"),
                    {"id": task.id},
                )
            elif name != "ready":
                event = factories.annotation_event(
                    session, task, label_studio_id=task.id + 500, was_cancelled=name == "skipped"
                )
                gone = event.occurred_at if name == "deleted annotation" else None
                factories.annotation(session, event, deleted_at=gone)
        session.commit()
        wanted = {
            "processing": {"new", "deleted task", "waiting"},
            "ready": {"ready", "deleted annotation"},
            "reviewed": {"invoice <1>.pdf"},
            "skipped": {"skipped"},
            "failed": {"broken", "stuck"},
            "erased": {"gone"},
        }
        (project,) = client.get("/api/projects").json["projects"]
        assert project["documents"] == {stage: len(names) for stage, names in wanted.items()}
        for stage, names in wanted.items():
            found = client.get(f"/api/documents?stage={stage}").json
            assert {row["name"] for row in found["documents"]} == names
            assert {row["stage"] for row in found["documents"]} == {stage}
        rows = client.get("/api/documents?stage=processing").json["documents"]
        assert {row["name"]: row["error"] and row["error"]["message"] for row in rows} == {
            "new": None,
            "deleted task": None,
            "waiting": "No.",
        }

    @pytest.mark.parametrize(
        "query",
        [
            *("limit=0", "limit=x", "limit=501", "offset=-1", "offset=²", "limit=" + "9" * 400),
            *("state=odd", "sort=odd", "reviewed=1", "collection=%00", "name=" + "n" * 300),
        ],
    )
    def test_a_bad_parameter_is_named(
        self, client: FlaskClient, project: Project, query: str
    ) -> None:
        answer = client.get(f"/api/documents?{query}")
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_parameter")
        assert repr(query.partition("=")[0]) in answer.json["error"]["message"]

    def test_a_failed_job_makes_the_document_failed_until_it_is_asked_again(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        version = factories.document_version(session, factories.document(session, project))
        session.add(
            Job(
                kind="publish_task",
                subject=str(version.id),
                project_id=project.id,
                state="failed",
                error_code="Unreachable",
                error="Label Studio does not answer.",
                created_by="worker",
            )
        )
        session.commit()
        (row,) = client.get("/api/documents").json["documents"]
        assert row["stage"] == "failed"
        assert row["error"]["message"] == "Label Studio does not answer."
        answer = client.post(f"/api/documents/{row['id']}/retry", json={"by": "ana"})
        assert answer.status_code == 202
        job = session.get_one(Job, uuid.UUID(answer.json["jobs"][0]))
        assert (job.kind, job.created_by) == ("publish_task", "ana")
        (row,) = client.get("/api/documents").json["documents"]
        assert (row["stage"], row["error"]) == ("processing", None)
        assert client.post(f"/api/documents/{row['id']}/retry").status_code == 409


class TestDetail:
    def test_everything_about_a_document(self, client: FlaskClient, story: Story) -> None:
        found = client.get(f"/api/documents/{story.document.id}").json
        assert (found["name"], found["stage"]) == ("invoice <1>.pdf", "reviewed")
        assert found["task_url"].endswith("/projects/7/data?task=42")
        (version,) = found["versions"]
        (extraction,) = version["extractions"]
        assert extraction["model_version"] == "invoices-0-zero-shot"
        (value,) = extraction["values"]
        assert (value["field"], value["text"], value["confidence"]) == ("total", "1.234,56", 0.41)
        assert (value["page"], value["box"]) == (0, [400.0, 700.0, 460.0, 712.0])
        assert value["alternatives"][0]["text"] == "99,00"
        (annotation,) = version["annotations"]
        assert annotation["updated_by"] == "ana@example.org"
        assert annotation["values"][0]["predicted_text"] == "1.234,56"
        assert version["pages"][0]["image"]["url"].startswith("http://127.0.0.1:9090/pages/")
        history = client.get(found["links"]["history"]).json["history"]
        assert history[0]["reviewer"] == "ana@example.org"
        assert history[0]["model_version"] == "invoices-0-zero-shot"
        assert history[0]["changes"][0]["field"] == "total"

    def test_older_extractions_come_without_values_unless_asked_for(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        factories.extraction(session, story.version, story.trained)
        session.commit()
        url = f"/api/documents/{story.document.id}"
        newest, older = client.get(url).json["versions"][0]["extractions"]
        assert newest["values"] == []
        assert "values" not in older
        older = client.get(f"{url}?values=all").json["versions"][0]["extractions"][1]
        assert len(older["values"]) == 1

    def test_the_file_comes_back_as_a_download(self, client: FlaskClient, story: Story) -> None:
        answer = client.get(f"/api/documents/{story.document.id}/file")
        assert answer.data == PDF
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert client.get(f"/api/documents/{story.document.id}/file?version=9").status_code == 404

    def test_a_lost_file_is_told(self, client: FlaskClient, story: Story, blobs: BlobStore) -> None:
        blobs.delete(story.version.sha256)
        answer = client.get(f"/api/documents/{story.document.id}/file")
        assert (answer.status_code, answer.json["error"]["code"]) == (410, "file_lost")

    @pytest.mark.parametrize("path", ["", "/file", "/history"])
    def test_an_unknown_document(self, client: FlaskClient, path: str) -> None:
        answer = client.get(f"/api/documents/{uuid.uuid4()}{path}")
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "unknown_document")

    def test_an_id_that_is_none_is_not_found_as_json(self, client: FlaskClient) -> None:
        answer = client.get("/api/documents/no-id")
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


class TestRetry:
    def test_a_document_that_could_not_be_read_is_read_again(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        version = factories.document_version(
            session,
            factories.document(session, project),
            state="failed",
            error_code="timeout",
            error_message="Slow.",
        )
        session.commit()
        answer = client.post(
            f"/api/documents/{version.document_id}/retry", headers={"X-Fieldloop-User": "rui"}
        )
        assert answer.status_code == 202
        session.refresh(version)
        assert (version.state, version.error_code) == ("received", None)
        job = session.scalars(select(Job)).one()
        assert (job.kind, job.created_by) == ("read_document", "rui")

    def test_a_failed_job_is_asked_for_anew(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        job = Job(
            kind="refresh_predictions",
            subject="12",
            project_id=project.id,
            arguments={"a": 1},
            state="failed",
            error="No.",
            created_by="worker",
        )
        session.add(job)
        session.commit()
        new = client.post(f"/api/jobs/{job.id}/retry").json["job"]
        again = session.get_one(Job, uuid.UUID(new))
        assert (again.kind, again.subject, again.arguments) == (
            "refresh_predictions",
            "12",
            {"a": 1},
        )
        assert client.post(f"/api/jobs/{new}/retry").json["error"]["code"] == "not_failed"
        rows = client.get("/api/jobs").json["jobs"]
        assert {row["id"]: row["superseded"] for row in rows} == {str(job.id): True, new: False}
        assert client.get("/api/jobs?state=failed").json["total"] == 1
        assert client.post(f"/api/jobs/{uuid.uuid4()}/retry").status_code == 404

    def test_a_failed_training_leads_to_a_new_run(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        job = Job(
            kind="train",
            subject=str(story.run.id),
            project_id=story.project.id,
            state="failed",
            created_by="worker",
        )
        session.add(job)
        session.commit()
        new = client.post(f"/api/jobs/{job.id}/retry", json={"by": "ana"}).json["job"]
        again = session.get_one(Job, uuid.UUID(new))
        assert (again.kind, again.arguments["by"]) == ("consider_training", "ana")


class TestModels:
    def test_projects_models_and_runs(self, client: FlaskClient, story: Story) -> None:
        (project,) = client.get("/api/projects").json["projects"]
        assert project["live_model"] == "invoices-0-zero-shot"
        assert project["documents"]["reviewed"] == 1
        assert project["collections"] == ["ACME"]
        assert [field["name"] for field in project["fields"]] == ["total", "due_date"]
        models = client.get("/api/models").json
        assert models["live"] == "invoices-0-zero-shot"
        trained, zero_shot = models["models"]
        assert zero_shot["live"]
        assert trained["metrics"]["f1"] == 0.5
        assert trained["fields"]["total"]["f1"] == {
            "value": 0.5,
            "low": 0.25,
            "high": 0.75,
            "support": 6,
        }
        runs = client.get("/api/runs").json
        assert runs["total"] == 1
        (run,) = runs["runs"]
        assert run["gate"]["reason"].startswith("Not better")
        assert run["metrics"]["candidate"]["total"]["f1"]["support"] == 6
        assert client.get(f"/api/runs/{run['id']}").json == run
        assert client.get(f"/api/runs/{uuid.uuid4()}").status_code == 404

    def test_a_named_person_promotes_with_a_note_and_rolls_back(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        story.trained.kind = "zero_shot"  # nothing to load: the bytes are not what this is about
        session.commit()
        url = f"/api/models/{story.trained.name}/promote"
        assert client.post(url, json={"note": "n"}).json["error"]["code"] == "missing_by"
        assert client.post(url, json={"by": "ana"}).json["error"]["code"] == "missing_note"
        done = client.post(url, json={"by": "ana", "note": "Better on ACME."})
        assert (done.status_code, done.json["live"]) == (200, story.trained.name)
        moves = client.get("/api/models").json["moves"]
        assert (moves[0]["recorded_by"], moves[0]["notes"]) == ("ana", "Better on ACME.")
        job = session.scalars(select(Job).where(Job.kind == "refresh_predictions")).one()
        assert job.subject == str(story.trained.id)
        again = client.post(url, json={"by": "ana", "note": "n"})
        assert (again.status_code, again.json["error"]["code"]) == (409, "already_live")
        back = client.post("/api/rollback", json={"by": "rui", "note": "Worse on Contoso."})
        assert back.json["live"] == story.zero_shot.name

    def test_a_model_that_cannot_be_loaded_does_not_go_live(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        story.trained.artefact_sha256 = "0" * 64
        session.commit()
        url = f"/api/models/{story.trained.name}/promote"
        answer = client.post(url, json={"by": "ana", "note": "n"})
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "model_unusable")
        assert client.get("/api/models").json["live"] == story.zero_shot.name

    def test_a_zero_shot_model_of_an_older_schema_does_not_go_live(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        old = factories.model_version(session, story.project, 5, name="old", schema_version=0)
        session.commit()
        answer = client.post(f"/api/models/{old.name}/promote", json={"by": "ana", "note": "n"})
        assert answer.json["error"]["code"] == "old_schema"

    def test_names_that_no_database_takes_are_refused(
        self, client: FlaskClient, story: Story
    ) -> None:
        decision = {"by": "ana", "note": "n"}
        assert client.post("/api/models/a%00b/promote", json=decision).status_code == 404
        for named in ("%00", "9" * 5000, "%ED%A0%80"):
            assert client.get(f"/api/models?project={named}").status_code in {400, 404}
        for note in ("\x00", "\ud800", "n" * 2001, {"a": "\x00"}):
            answer = client.post("/api/rollback", json=decision | {"note": note})
            assert answer.status_code in {400, 409}
        assert client.post("/api/rollback", data="[1]").json["error"]["code"] == "malformed_json"

    def test_there_is_no_way_back_from_the_first_model(
        self, client: FlaskClient, story: Story
    ) -> None:
        answer = client.post("/api/rollback", json={"by": "ana", "note": "n"})
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "no_previous_model")
        unknown = client.post("/api/models/nothing/promote", json={"by": "ana", "note": "n"})
        assert unknown.status_code == 404

    def test_training_is_asked_for_with_a_name_and_notes(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        answer = client.post("/api/train", json={"by": "ana", "notes": "After the new supplier."})
        assert answer.status_code == 202
        assert answer.json["reason"].startswith("Asked for by a person; 1 reviewed")
        job = session.get_one(Job, uuid.UUID(answer.json["job"]))
        assert (job.kind, job.subject) == ("consider_training", f"{story.project.id}:forced")
        assert job.arguments == {"forced": True, "by": "ana", "notes": "After the new supplier."}

    def test_nothing_reviewed_is_nothing_to_learn_from(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        answer = client.post("/api/train")
        assert (answer.status_code, answer.json["error"]["code"]) == (409, "nothing_to_learn")
        assert session.scalars(select(Job)).all() == []


class TestAccess:
    @pytest.fixture
    def guarded(self, session_factory: SessionFactory, redis: Any, blobs: BlobStore) -> FlaskClient:
        services = services_on(session_factory, redis, blobs, FIELDLOOP_API_TOKEN="t" * 20)
        return create_app(services).test_client()

    @pytest.mark.parametrize("path", ["/api/documents", "/api/projects", "/metrics", "/console"])
    def test_the_token_is_asked_for(self, guarded: FlaskClient, path: str) -> None:
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert guarded.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
        bearer = guarded.get(path, headers={"Authorization": "Bearer " + "t" * 20})
        assert bearer.status_code < 400
        assert guarded.get(path, auth=("ana", "t" * 20)).status_code < 400

    def test_the_user_of_the_login_is_who_did_it(
        self, guarded: FlaskClient, project: Project, session: Session
    ) -> None:
        data = {"files": [(io.BytesIO(PDF), "a.pdf")]}
        guarded.post("/api/documents", data=data, auth=("ana", "t" * 20))
        assert session.scalars(select(DocumentVersion)).one().uploaded_by == "ana"

    @pytest.mark.parametrize("origin", ["http://localhost", "http://127.0.0.1:9090"])
    def test_our_own_pages_may_also_behind_a_proxy(
        self, client: FlaskClient, project: Project, origin: str
    ) -> None:
        data = {"files": [(io.BytesIO(PDF), "a.pdf")]}
        answer = client.post("/api/documents", data=data, headers={"Origin": origin})
        assert answer.status_code == 201

    def test_a_page_of_another_site_changes_nothing(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        data = {"files": [(io.BytesIO(PDF), "a.pdf")]}
        answer = client.post(
            "/api/documents", data=data, headers={"Origin": "https://evil.example"}
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "foreign_origin")
        assert session.scalars(select(Document)).all() == []


class TestWithoutDatabase:
    @pytest.mark.parametrize("path", ["/api/documents", "/api/projects", "/metrics", "/console"])
    def test_the_answer_is_try_again(self, redis: Any, blobs: BlobStore, path: str) -> None:
        engine = make_engine("postgresql://nobody@127.0.0.1:1/none")
        services = services_on(make_session_factory(engine), redis, blobs)
        answer = create_app(services).test_client().get(path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "Traceback" not in answer.text
        engine.dispose()


class TestQuickTest:
    def test_one_file_is_read_and_extracted_and_nothing_is_stored(
        self, client: FlaskClient, project: Project, session: Session, blobs: BlobStore
    ) -> None:
        sample = next(iter(generate(seed=3, count=1)))
        answer = client.post(
            "/api/quick-test?images=true", data={"files": [(io.BytesIO(sample.pdf), "a.pdf")]}
        )
        assert answer.status_code == 200
        found = answer.json
        assert found["model_version"] == "invoices-0-zero-shot"
        assert len(found["pages"]) == found["page_count"] == len(sample.truth.pages)
        assert found["pages"][0]["image"].startswith("data:image/")
        (total,) = [value for value in found["values"] if value["field"] == "total"]
        (truth,) = [value for value in sample.truth.values if value.field == "total"]
        assert total["normalised"] == truth.normalised
        assert 0 < total["confidence"] <= 1
        x0, y0, x1, y1 = total["box"]
        assert truth.box[0] - 4 < x0 < x1 < truth.box[2] + 4
        assert truth.box[1] - 4 < y0 < y1 < truth.box[3] + 4
        assert session.scalars(select(Document)).all() == []
        assert session.scalars(select(Job)).all() == []
        assert list(blobs.iterate()) == []

    @pytest.mark.parametrize(
        ("files", "status", "code"),
        [
            ([("a.pdf", b"%PDF-1.7 broken")], 422, "damaged"),
            ([("a.pdf", b"")], 422, "empty"),
            ([("a.docx", ZIP)], 415, "unsupported_type"),
            ([("a.pdf", PDF), ("b.pdf", PDF)], 400, "one_file"),
        ],
    )
    def test_a_file_that_cannot_be_tested_is_told(
        self,
        client: FlaskClient,
        project: Project,
        files: list[tuple[str, bytes]],
        status: int,
        code: str,
    ) -> None:
        data: dict[str, Any] = {"files": [(io.BytesIO(content), name) for name, content in files]}
        answer = client.post("/api/quick-test", data=data | {"project": project.title})
        assert (answer.status_code, answer.json["error"]["code"]) == (status, code)


class TestMetrics:
    def test_what_operators_watch_is_counted(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        session.add(Job(kind="read_document", subject="x", created_by="test"))
        session.execute(
            text(
                "INSERT INTO webhook_deliveries (action, payload, key, state) VALUES ('a', '{}', 'k', 'dead')"
            )
        )
        session.execute(
            text(
                "INSERT INTO sync_runs (project_id, kind, finished_at, ok) VALUES (:p, 'catch_up', now(), true)"
            ),
            {"p": story.project.id},
        )
        session.commit()
        events = session.scalar(select(func.count()).select_from(AnnotationEvent))
        lines = client.get("/metrics").text.splitlines()
        assert 'fieldloop_jobs{kind="read_document",state="queued"} 1.0' in lines
        assert 'fieldloop_inbox_events{state="dead"} 1.0' in lines
        assert 'fieldloop_inbox_events{state="pending"} 0.0' in lines
        assert 'fieldloop_documents{project="Invoices",state="read"} 1.0' in lines
        assert 'fieldloop_tasks{project="Invoices",state="reviewed"} 1.0' in lines
        assert 'fieldloop_training_runs{project="Invoices",state="succeeded"} 1.0' in lines
        assert 'fieldloop_sync_last_run_ok{kind="catch_up",project="Invoices"} 1.0' in lines
        assert "fieldloop_sync_leader_up 0.0" in lines
        assert f'fieldloop_sync_events{{project="Invoices"}} {events}.0' in lines
        lag = next(line for line in lines if line.startswith("fieldloop_sync_lag_seconds{"))
        assert float(lag.rpartition(" ")[2]) >= 0
