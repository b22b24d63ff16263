"""The console's pages over the Flask application, on a real Postgres, Redis and blob store."""

from __future__ import annotations

import io
import json
import re
import string
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.blobs import BlobStore
from db.models import Document, DocumentVersion, Job, Project
from db.session import SessionFactory
from ml_backend.app import create_app
from ml_backend.services import Services
from tests import factories
from tests.ml_backend.console_data import PDF, Story, project_with_fields, services_on, tell

PAGES = [
    "/console",
    "/console/upload",
    "/console/training",
    "/console/training?decisions=1",
    "/console/models",
    "/console/quick-test",
    "/console/jobs",
    "/console/jobs?show=all",
]
STRINGS = Path("ml_backend/console/strings")
if not STRINGS.is_dir():
    STRINGS = Path(__file__).parents[2] / STRINGS


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


class TestCatalogues:
    def test_both_languages_say_the_same_things(self) -> None:
        english, portuguese = (
            json.loads((STRINGS / f"{code}.json").read_text()) for code in ("en", "pt-BR")
        )
        # "problem.…" are translations of errors, which are written in English where they are raised.
        assert {key for key in portuguese if not key.startswith("problem.")} == set(english)
        for key, words in english.items():
            one, other = (
                list(text.values()) if isinstance(text, dict) else [text]
                for text in (words, portuguese[key])
            )
            assert len(one) == len(other), key
            assert _fields(one) == _fields(other), key

    def test_every_key_of_the_templates_is_there(self) -> None:
        english = json.loads((STRINGS / "en.json").read_text())
        used = set()
        for path in (STRINGS.parent / "templates").rglob("*.html"):
            used |= set(re.findall(r"""\bt\(["']([a-z_.0-9]+)["'][,)]""", path.read_text()))
        assert used
        assert used <= set(english)


def _fields(texts: list[str]) -> set[str]:
    return {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}


class TestEveryPage:
    @pytest.mark.parametrize("path", PAGES)
    def test_without_a_project_it_says_what_to_do(self, client: FlaskClient, path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 200
        if "jobs" not in path:
            assert "fieldloop init" in answer.text

    @pytest.mark.parametrize("path", PAGES)
    @pytest.mark.parametrize("lang", ["en", "pt-BR"])
    def test_it_renders_in_both_languages(
        self, client: FlaskClient, story: Story, path: str, lang: str
    ) -> None:
        answer = client.get(path, headers={"Accept-Language": lang})
        assert answer.status_code == 200
        assert f'<html lang="{lang}">' in answer.text
        # A key that the catalogue lacks would be shown as itself.
        assert re.findall(r">\s*[a-z_]+\.[a-z_]+\s*<", answer.text) == []

    def test_headers_let_nothing_foreign_run(self, client: FlaskClient, story: Story) -> None:
        answer = client.get(f"/console/documents/{story.document.id}")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-store"
        # What the policy would block must not be there at all.
        assert " style=" not in answer.text
        assert re.findall(r"<script(?! src=)", answer.text) == []
        assert re.findall(r"\son[a-z]+=", answer.text) == []

    def test_static_files_are_served_under_an_address_that_changes_with_them(
        self, client: FlaskClient, story: Story
    ) -> None:
        page = client.get("/console").text
        for address in re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page):
            assert "?v=" in address
            with client.get(address) as answer:
                assert answer.status_code == 200
                assert "immutable" in answer.headers["Cache-Control"]

    def test_the_language_link_is_remembered(self, client: FlaskClient, story: Story) -> None:
        client.get("/console?lang=pt-BR")
        assert '<html lang="pt-BR">' in client.get("/console").text
        client.get("/console?lang=en")
        assert '<html lang="en">' in client.get("/console").text

    @pytest.mark.parametrize(
        "path", ["/console/nothing", f"/console/documents/{uuid.uuid4()}", "/console?stage=odd"]
    )
    def test_an_error_is_a_page(self, client: FlaskClient, story: Story, path: str) -> None:
        answer = client.get(path)
        assert answer.status_code in {400, 404}
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "That did not work" in answer.text

    def test_an_unexpected_error_is_a_page_without_a_traceback(
        self, client: FlaskClient, story: Story, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("db.browse.models", lambda *_: 1 / 0)
        answer = client.get("/console/models")
        assert answer.status_code == 500
        assert "the server&#39;s log has the details" in answer.text
        assert "ZeroDivision" not in answer.text

    def test_a_browser_at_the_bare_address_finds_the_console(self, client: FlaskClient) -> None:
        browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        answer = client.get("/", headers=browser)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/console")
        assert client.get("/").json["status"] == "UP"
        assert client.get("/", headers={"Accept": "*/*"}).json["status"] == "UP"

    @pytest.mark.parametrize(
        "path",
        [
            "/console/upload",
            "/console/training",
            "/console/models/publish",
            "/console/models/rollback",
            "/console/quick-test",
            f"/console/jobs/{uuid.uuid4()}/retry",
            f"/console/documents/{uuid.uuid4()}/retry",
        ],
    )
    def test_another_site_cannot_post(self, client: FlaskClient, story: Story, path: str) -> None:
        answer = client.post(path, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "another site" in answer.text


class TestDocuments:
    def test_the_empty_list_tells_the_three_ways_in(
        self, client: FlaskClient, project: Project
    ) -> None:
        page = client.get("/console").text
        assert 'href="/console/upload"' in page
        assert "fieldloop upload FOLDER" in page
        assert "fieldloop demo" in page

    def test_the_list_shows_and_filters(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        broken = factories.document(session, story.project, name="broken.pdf")
        factories.document_version(
            session, broken, state="failed", error_code="encrypted", error_message="Locked."
        )
        session.commit()
        page = client.get("/console").text
        assert "invoice &lt;1&gt;.pdf" in page
        assert "http://label-studio.invalid/projects/7/data?task=42" in page
        assert "Locked." in page
        failed = client.get("/console?stage=failed").text
        assert "broken.pdf" in failed
        assert "invoice" not in failed
        portuguese = client.get("/console", headers={"Accept-Language": "pt-BR,pt;q=0.9"}).text
        assert "protegido por senha" in portuguese
        assert "No document matches" in client.get("/console?name=nothing").text

    def test_it_refreshes_itself_only_while_something_is_going_on(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        assert "data-refresh" not in client.get("/console").text
        made = factories.document(session, story.project)
        factories.document_version(session, made, state="received")
        session.commit()
        page = client.get("/console").text
        assert "data-refresh" in page
        assert '<noscript><meta http-equiv="refresh"' in page

    def test_a_document_shows_boxes_values_and_history(
        self, client: FlaskClient, story: Story
    ) -> None:
        page = client.get(f"/console/documents/{story.document.id}").text
        assert 'viewBox="0 0 595.0 842.0"' in page
        assert '<rect class="box low" x="398.5" y="698.5" width="63.0" height="15.0"' in page
        assert re.search(r'src="/pages/[0-9a-f-]+/0\?sig=[0-9a-f]{32}"', page)
        assert "1.234,56" in page
        assert "41%" in page
        assert "Total &lt;b&gt;" in page
        assert "ana@example.org" in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert" not in page
        assert "http://label-studio.invalid/projects/7/data?task=42" in page
        image = re.search(r'src="(/pages/[^"]+)"', page)
        assert image is not None
        assert client.get(image[1]).data == b"image"

    def test_a_review_is_a_layer_of_its_own(self, client: FlaskClient, story: Story) -> None:
        page = client.get(f"/console/documents/{story.document.id}").text
        review = re.search(r"\?show=(a\d+)", page)
        assert review is not None
        layer = client.get(f"/console/documents/{story.document.id}?show={review[1]}").text
        assert "corrected" in layer
        assert "predicted: 1.234,56" in layer

    def test_labels_follow_the_language(self, client: FlaskClient, story: Story) -> None:
        page = client.get(f"/console/documents/{story.document.id}?lang=pt-BR").text
        assert "Total geral" in page
        assert "Data de vencimento" in page

    def test_a_failed_document_is_tried_again_by_a_button(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        version = factories.document_version(
            session,
            factories.document(session, project),
            state="failed",
            error_code="damaged",
            error_message="Broken beyond repair.",
        )
        session.commit()
        url = f"/console/documents/{version.document_id}"
        page = client.get(url).text
        assert "Broken beyond repair." in page
        assert f'action="{url}/retry"' in page
        assert client.post(f"{url}/retry").headers["Location"] == url
        session.refresh(version)
        assert version.state == "received"
        assert "being processed" in client.get(url).text


class TestUpload:
    def test_without_a_script_the_form_answers_with_a_page(
        self, client: FlaskClient, project: Project, session: Session
    ) -> None:
        data = {
            "files": [(io.BytesIO(PDF), "a.pdf"), (io.BytesIO(b""), "b.pdf")],
            "collection": "ACME",
            "notes": "",
            "by": "Ana",
        }
        answer = client.post("/console/upload", data=data)
        assert answer.status_code == 207
        assert "The file is empty." in answer.text
        document = session.scalars(select(Document)).one()
        assert f"/console/documents/{document.id}" in answer.text
        version = session.scalars(select(DocumentVersion)).one()
        assert (version.uploaded_by, document.collection) == ("Ana", "ACME")
        assert 'value="Ana"' in client.get("/console/upload").text

    def test_the_script_gets_json_in_the_readers_language(
        self, client: FlaskClient, project: Project
    ) -> None:
        answer = client.post(
            "/console/upload",
            data={"files": [(io.BytesIO(b""), "b.pdf")]},
            headers={"Accept": "application/json", "Accept-Language": "pt-BR"},
        )
        assert answer.status_code == 422
        assert answer.json["files"][0]["error"]["message"] == "O arquivo está vazio."

    def test_no_file_at_all(self, client: FlaskClient, project: Project) -> None:
        data = {"files": (io.BytesIO(b""), ""), "by": "x"}
        assert "holds no file" in client.post("/console/upload", data=data).text


class TestTraining:
    def test_history_metrics_reasons_and_advice(self, client: FlaskClient, story: Story) -> None:
        page = client.get("/console/training").text
        assert "6 new states." in page
        assert "Not better: F1 0.500 against 0.600 on 6 documents." in page
        assert "25%–75%" in page
        assert "Not taken" in page

    def test_advice_for_the_live_model(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        factories.point_live(session, story.trained)
        session.commit()
        page = client.get("/console/training").text
        assert "measured on only 6 values" in page
        assert "Due date: no reviewed document holds it yet." in page

    def test_a_run_is_asked_for(self, client: FlaskClient, story: Story, session: Session) -> None:
        answer = client.post("/console/training", data={"by": "Ana", "notes": "New supplier"})
        assert answer.status_code == 303
        assert "A training run was asked for." in client.get(answer.headers["Location"]).text
        job = session.scalars(select(Job).where(Job.kind == "consider_training")).one()
        assert job.arguments == {"forced": True, "by": "Ana", "notes": "New supplier"}

    def test_nothing_to_learn_from_is_told_on_the_page(
        self, client: FlaskClient, project: Project
    ) -> None:
        answer = client.post("/console/training", data={"by": "", "notes": ""})
        assert answer.status_code == 409
        assert "No document has been reviewed yet" in answer.text

    def test_publish_and_roll_back(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        story.trained.kind = "zero_shot"  # nothing to load: the bytes are not what this is about
        session.commit()
        form = {"model": story.trained.name, "by": "Ana", "note": ""}
        refused = client.post("/console/models/publish", data=form)
        assert refused.status_code == 400
        assert "&#39;note&#39; is missing" in refused.text
        done = client.post("/console/models/publish", data=form | {"note": "Better."})
        assert done.status_code == 303
        page = client.get(done.headers["Location"]).text
        assert f"{story.trained.name} is live." in page
        assert f"Roll back to {story.zero_shot.name}" in page
        back = client.post("/console/models/rollback", data={"by": "Rui", "note": "Worse."})
        assert back.status_code == 303
        assert f"{story.zero_shot.name} is live." in client.get(back.headers["Location"]).text


class TestJobs:
    def test_failed_jobs_with_their_error_and_a_button(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        job = Job(
            kind="publish_task",
            subject=str(story.version.id),
            project_id=story.project.id,
            state="failed",
            error="Label Studio <does> not answer.",
            created_by="worker",
        )
        session.add(job)
        session.commit()
        page = client.get("/console/jobs").text
        assert "Label Studio &lt;does&gt; not answer." in page
        assert "invoice &lt;1&gt;.pdf" in page
        answer = client.post(f"/console/jobs/{job.id}/retry")
        assert answer.status_code == 303
        assert "It will be tried again." in client.get(answer.headers["Location"]).text
        assert "tried again since" in client.get("/console/jobs").text


class TestSeveralProjects:
    def test_the_project_chosen_is_remembered(
        self, client: FlaskClient, story: Story, session: Session
    ) -> None:
        other = factories.project(session, title="Contracts")
        session.commit()
        assert "invoice" in client.get("/console").text
        assert "No documents yet" in client.get(f"/console?project={other.id}").text
        assert "No documents yet" in client.get("/console").text
        document = client.get(f"/console/documents/{story.document.id}").text
        assert "projects/7/data?task=42" in document
