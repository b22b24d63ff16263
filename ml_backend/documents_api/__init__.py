"""What people and programs ask over HTTP: documents, models, runs, jobs, quick test, metrics.

One blueprint under ``/api``, and ``/metrics`` for Prometheus. The console's forms call the same functions.
"""

from __future__ import annotations

from flask import Blueprint, request

from ml_backend.documents_api import access, documents, metrics, models, quick_test, work
from ml_backend.services import Services


def blueprint(services: Services) -> Blueprint:
    """/api/… and /metrics; asks for FIELDLOOP_API_TOKEN where one is set."""
    views = Blueprint("documents_api", __name__)

    @views.before_request
    def guard() -> None:
        access.check(request, services.settings)

    for part in (documents, models, work, quick_test, metrics):
        part.add(views, services)
    return views
