"""The played reviewer against the real Label Studio: what it submits is stored as an editor's annotation is."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from db.regions import PageSize, Region, read_result, write_region
from fieldloop.commands.init import DEMO_FIELDS
from fieldloop.demo.generator import FIELDS, Sample, generate
from fieldloop.demo.reviewer import Reviewer, ReviewFailed
from ml_backend.label_config import label_config
from ml_backend.schema import load
from tests.label_studio import LabelStudioServer

pytestmark = pytest.mark.label_studio
PIXELS = (1240, 1754)
PAYLOAD = Path(__file__).parents[3] / "shared/label-studio/payloads/task-after-review-submit.json"


@pytest.fixture(scope="module")
def page_images() -> Iterator[str]:
    """The address of a server that gives a page's picture, and 404 for anything with "lost" in it."""
    drawn = io.BytesIO()
    Image.new("L", PIXELS, 255).save(drawn, "PNG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = "lost" not in self.path
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(drawn.getvalue()) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(drawn.getvalue())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def sample() -> Sample:
    return next(s for s in generate(1, 40, ["label_left"]) if len(s.truth.pages) == 2)


@pytest.fixture
def project(label_studio: LabelStudioServer) -> Iterator[int]:
    schema = load(DEMO_FIELDS)
    made = label_studio.client.send(
        "POST",
        "/api/projects/",
        {"title": "Played reviews", "label_config": label_config(schema.rows)},
    )
    yield int(made["id"])
    label_studio.client.send("DELETE", f"/api/projects/{made['id']}/")


def predicted(sample: Sample) -> list[dict[str, Any]]:
    """The truth with one wrong text, one misplaced box, one invented value and one missing."""
    result: list[dict[str, Any]] = []
    for number, value in enumerate(sample.truth.values):
        box, text = value.box, value.text
        if value.field == "total":
            text = "1.00"
        if value.field == "supplier_name":
            box, text = (box[0], box[1], box[0] + 12, box[3]), text[:2]
        if value.field == "document_number":
            continue
        region = Region(f"value{number}", value.field, value.page, box, text, "", score=0.8)
        result += write_region(region, PageSize(*sample.truth.pages[value.page]), PIXELS)
    invented = Region("invented", "payment_terms", 0, (5, 5, 60, 15), "soon", "", score=0.5)
    return result + write_region(invented, PageSize(*sample.truth.pages[0]), PIXELS)


def make_task(server: LabelStudioServer, project: int, sample: Sample, images: str) -> int:
    pages = [f"{images}/{number}.png" for number in range(len(sample.truth.pages))]
    absent = [{"value": name} for name in FIELDS]
    data = {"pages": pages, "warnings": "", "look": "", "help": "", "absent_options": absent}
    older = {"result": [], "score": 0.1, "model_version": "older"}
    newer = {"result": predicted(sample), "score": 0.5, "model_version": "newer"}
    (task,) = server.client.create_tasks(project, [{"data": data, "predictions": [older]}])
    server.client.create_predictions(project, [{"task": task, **newer}])
    return task


def test_a_review_is_stored_as_an_editors_would_be(
    label_studio: LabelStudioServer, project: int, sample: Sample, page_images: str
) -> None:
    task = make_task(label_studio, project, sample, page_images)
    done = Reviewer(label_studio.client).review(task, sample.truth, FIELDS)
    stored = label_studio.client.task(task)
    (annotation,) = stored["annotations"]
    newest = max(stored["predictions"], key=lambda one: one["id"])
    assert annotation["id"] == done.annotation
    assert done.model_version == "newer"
    assert annotation["parent_prediction"] == newest["id"]
    assert annotation["lead_time"] == pytest.approx(done.changes.seconds)
    assert annotation["was_cancelled"] is False
    assert (done.changes.retyped, done.changes.moved) == (2, 1)
    assert (done.changes.removed, done.changes.drawn) == (1, 1)
    reading = read_result(
        annotation["result"], [PageSize(*size) for size in sample.truth.pages], fields=FIELDS
    )
    assert reading.problems == ()
    assert sorted((r.field, r.page, r.text) for r in reading.regions) == sorted(
        (v.field, v.page, v.text) for v in sample.truth.values
    )
    origins = {region.field: region.origin for region in reading.regions}
    assert origins["total"] == "prediction"
    assert origins["supplier_name"] == "prediction-changed"
    assert origins["document_number"] == "manual"
    assert reading.status == "OK"


def test_its_entries_have_the_shape_label_studios_editor_writes(
    label_studio: LabelStudioServer, project: int, sample: Sample, page_images: str
) -> None:
    if not PAYLOAD.exists():
        pytest.skip(
            f"{PAYLOAD.name} is not there: the notes with captured requests lie beside the checkout"
        )
    captured = json.loads(PAYLOAD.read_text("utf-8"))["annotations"][0]["result"]
    task = make_task(label_studio, project, sample, page_images)
    Reviewer(label_studio.client).review(task, sample.truth, FIELDS)
    (annotation,) = label_studio.client.task(task)["annotations"]
    for kind in ("rectanglelabels", "textarea"):
        editors = [frozenset(entry) for entry in captured if entry["type"] == kind]
        for entry in annotation["result"]:
            if entry["type"] == kind:
                assert set(entry) | {"score"} == editors[0] | {"score"}


def test_a_page_image_that_does_not_come_is_said_with_the_setting(
    label_studio: LabelStudioServer, project: int, sample: Sample, page_images: str
) -> None:
    task = make_task(label_studio, project, sample, f"{page_images}/lost")
    with pytest.raises(ReviewFailed, match="FIELDLOOP_PUBLIC_URL"):
        Reviewer(label_studio.client).review(task, sample.truth, FIELDS)
    assert label_studio.client.task(task)["annotations"] == []


def test_a_task_of_another_document_is_refused(
    label_studio: LabelStudioServer, project: int, sample: Sample, page_images: str
) -> None:
    task = make_task(label_studio, project, sample, page_images)
    longer = replace(sample.truth, pages=sample.truth.pages * 2)
    with pytest.raises(ReviewFailed, match="shows 2 pages"):
        Reviewer(label_studio.client).review(task, longer, FIELDS)
