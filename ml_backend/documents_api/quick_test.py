"""/api/quick-test: one file, read and extracted by the live model; shown, and nothing stored."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, request

from db.extractions import ValueRow
from db.models import Project
from db.words import pack, unpack
from ml_backend.documents_api import asking, intake
from ml_backend.documents_api.incoming import Part, receive
from ml_backend.documents_api.shapes import answer, value
from ml_backend.errors import BadRequest
from ml_backend.extracting import to_rows
from ml_backend.extraction.fields import Document as Words
from ml_backend.live_models import live_predictor
from ml_backend.services import Services

AT_ONCE = 2
"""Quick tests a web process does at the same time; each reads a whole document."""
MOST_PICTURES = 20
"""Pages whose pictures are shown."""
PATIENCE_SECONDS = 100.0
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class TestedPage:
    """A page and its picture; sizes in points, as displayed."""

    page: int
    width: float
    height: float
    media_type: str
    data: bytes

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Tested:
    name: str
    model_version: str
    pages: Sequence[TestedPage]
    """The first of them, with pictures."""
    page_count: int
    values: Sequence[ValueRow]
    absent: dict[str, float]
    warnings: Sequence[dict[str, Any]]
    read_seconds: float
    extract_seconds: float


def add(views: Blueprint, services: Services) -> None:
    """Add the route to the blueprint."""

    @views.post("/api/quick-test")
    def quick_test() -> Response:
        images = asking.choice(request.args, "images", ("true", "false")) == "true"
        with receive(request, max_file_bytes=services.settings.max_file_bytes) as form:
            with services.sessions.begin() as session:
                project = asking.project_of(session, form.values.get("project"))
            tested = run(services, project, form.files)
        return answer(_json(tested, images))


def run(services: Services, project: Project, parts: Sequence[Part]) -> Tested:
    """Read and extract the one file. Raises BadRequest for anything that hinders it."""
    # Loaded with the first test: a web process that is never asked for one does not hold the reader.
    from ml_backend.reading.limits import Limits
    from ml_backend.reading.page_read import PageRead
    from ml_backend.reading.reader import DocumentError, read_document

    if len(parts) != 1:
        raise BadRequest("one_file", "A quick test takes exactly one file.")
    (part,) = parts
    try:
        name = intake.file_name(part.name)
        media_type = intake.check_file(part.file, limit=services.settings.max_file_bytes)
    except intake.Refused as error:
        raise BadRequest(error.code, str(error), error.status) from error
    predictor = live_predictor(services, project.id)
    limits = Limits.of(services.settings)
    limits = replace(limits, wall_seconds=min(limits.wall_seconds, PATIENCE_SECONDS))
    pages: list[TestedPage] = []

    def keep(page: PageRead) -> None:
        if len(pages) < MOST_PICTURES:
            image, words = page.image, page.words
            pages.append(
                TestedPage(image.page, words.width, words.height, image.media_type, image.data)
            )

    if not _places.acquire(timeout=20):
        raise BadRequest("busy", "Other quick tests are running; try again in a moment.", 503)
    try:
        started = time.monotonic()
        try:
            result = read_document(
                part.file.content(),
                media_type=media_type,
                ocr_languages=str(project.settings.get("ocr_languages") or "por+eng"),
                on_page=keep,
                limits=limits,
            )
        except DocumentError as error:
            raise BadRequest(error.code, str(error), 422) from error
        read = time.monotonic()
        # The form in which words are stored rounds a little; what is shown is what storing would give.
        words = Words("quick-test", unpack(pack(result.pages)))
        (extraction,) = predictor.predict([words])
        extracted = time.monotonic()
    finally:
        _places.release()
    return Tested(
        name=name,
        model_version=predictor.name,
        pages=pages,
        page_count=len(result.pages),
        values=to_rows(extraction, predictor.name),
        absent={field: float(sure) for field, sure in extraction.absent.items()},
        warnings=[
            {"code": one.code, "page": one.page, "message": one.message} for one in result.warnings
        ],
        read_seconds=read - started,
        extract_seconds=extracted - read,
    )


def _json(tested: Tested, images: bool) -> dict[str, Any]:
    return {
        "name": tested.name,
        "model_version": tested.model_version,
        "stored": False,
        "page_count": tested.page_count,
        "pages": [
            {"page": page.page, "width": page.width, "height": page.height}
            | ({"image": page.data_url} if images else {})
            for page in tested.pages
        ],
        "values": [value(row) for row in tested.values],
        "absent": tested.absent,
        "warnings": list(tested.warnings),
        "seconds": {"read": tested.read_seconds, "extract": tested.extract_seconds},
    }
