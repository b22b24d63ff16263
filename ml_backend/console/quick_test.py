"""Quick test: one file, shown with what the live model reads in it; nothing is stored."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from db import projects
from ml_backend.console import layers
from ml_backend.console.frame import frame_of, page
from ml_backend.documents_api.incoming import receive
from ml_backend.documents_api.quick_test import Tested, run
from ml_backend.errors import BadRequest
from ml_backend.services import Services


def add(views: Blueprint, services: Services) -> None:
    """Add the pages to the blueprint."""

    @views.get("/console/quick-test")
    def quick_test() -> Response:
        return _page(services)

    @views.post("/console/quick-test")
    def quick_test_result() -> Response:
        frame = frame_of(services)
        try:
            with receive(request, max_file_bytes=services.settings.max_file_bytes) as form:
                tested = run(services, frame.the_project(), form.files)
        except BadRequest as error:
            return _page(services, error=error)
        return _page(services, tested)


def _page(
    services: Services, tested: Tested | None = None, error: BadRequest | None = None
) -> Response:
    frame = frame_of(services)
    if frame.project is None:
        return page(frame, "no_project.html")
    with services.sessions.begin() as session:
        schema = projects.schema_of(session, frame.project.id, frame.project.schema_version)
    layer = None
    if tested is not None:
        # The pictures are nowhere but in this answer.
        g.policy = {"img-src": "'self' data:"}
        layer = layers.Layer(
            "t",
            "prediction",
            tested.model_version,
            None,
            layers.predicted(tested.values),
            dict(tested.absent),
        )
    fields = [(row.name, row.type, row.required) for row in schema]
    plain, tables = layers.grouped(layer.values if layer is not None else (), fields)
    return page(
        frame,
        "quick_test.html",
        error.status if error is not None else 200,
        active="quick_test",
        problem=error,
        tested=tested,
        layer=layer,
        fields=plain,
        tables=tables,
        labels={row.name: (row.label_en, row.label_pt) for row in schema},
        limit=services.settings.max_file_bytes,
    )
