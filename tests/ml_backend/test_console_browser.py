"""The console in a real browser: what its script adds, and that nothing is lost without it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select
from werkzeug.serving import make_server

from db.blobs import BlobStore
from db.models import DocumentVersion
from ml_backend.app import create_app
from tests import factories
from tests.acceptance.browser import QUIET, chromium
from tests.conftest import Database
from tests.ml_backend.console_data import PDF, project_with_fields, services_on, tell

pytestmark = pytest.mark.browser


@pytest.fixture
def console(committed_database: Database, redis: Any, blobs: BlobStore) -> Iterator[str]:
    """The address of the console on a record of its own."""
    services = services_on(committed_database.session_factory, redis, blobs)
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/console"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def opened(*, script: bool = True, **options: Any) -> Iterator[Page]:
    """A page whose console stays silent: an error there, or a blocked resource, fails the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = browser.new_context(java_script_enabled=script, **options).new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and "status of 4" not in said.text
                else None
            ),
        )
        yield page
        browser.close()
    assert complaints == []


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(PDF)
    (folder / "b.pdf").write_bytes(PDF + b"b")
    (folder / "empty.pdf").write_bytes(b"")
    return folder


def test_files_are_sent_one_by_one_and_the_list_follows_them(
    console: str, committed_database: Database, inbox: Path
) -> None:
    with committed_database.session_factory.begin() as session:
        project_with_fields(session)
    with opened(locale="en-US") as page:
        page.goto(f"{console}/upload")
        page.set_input_files("input[name=files]", sorted(inbox.iterdir()))
        expect(page.locator(".results li")).to_have_count(3)
        page.fill("input[name=collection]", "ACME")
        page.click("button.primary")
        expect(page.locator("p[data-summary]")).to_have_text("2 taken in, 1 refused")
        expect(page.locator(".results li", has_text="empty.pdf")).to_contain_text(
            "The file is empty."
        )
        page.get_by_text("To the documents").click()
        row = page.locator("tbody tr", has_text="a.pdf")
        expect(row).to_contain_text("Processing")
        expect(row).to_contain_text("ACME")
        with committed_database.session_factory.begin() as session:
            for version in session.scalars(select(DocumentVersion)):
                version.state = "read"
                factories.task(session, version, version.size_bytes)
        # Nobody reloads: the page looks again by itself.
        expect(row).to_contain_text("Ready for review", timeout=20_000)


def test_boxes_and_rows_point_at_each_other_and_times_are_local(
    console: str, committed_database: Database, blobs: BlobStore
) -> None:
    with committed_database.session_factory.begin() as session:
        story = tell(session, blobs)
    with opened(locale="pt-BR", timezone_id="America/Sao_Paulo") as page:
        page.goto(f"{console}/documents/{story.document.id}")
        page.locator(".side tr[data-value]").first.hover()
        expect(page.locator("svg a.lit")).to_have_count(1)
        shown = page.locator("time").first
        title = shown.get_attribute("title")
        assert title is not None
        assert title.endswith("UTC")
        assert shown.text_content() != title
        # The page has no horizontal scroll on a telephone either.
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth") == 0


def test_without_a_script_everything_works(
    console: str, committed_database: Database, inbox: Path
) -> None:
    with committed_database.session_factory.begin() as session:
        project_with_fields(session)
    with opened(script=False, locale="pt-BR") as page:
        page.goto(f"{console}/upload")
        page.set_input_files("input[name=files]", sorted(inbox.iterdir()))
        page.click("button.primary")
        expect(page.locator(".results li")).to_have_count(3)
        expect(page.locator(".results")).to_contain_text("O arquivo está vazio.")
        page.locator(".results a").first.click()
        expect(page.locator("h1")).to_have_text("a.pdf")
        page.goto(f"{console}?name=b")
        expect(page.locator("tbody tr")).to_have_count(1)
