"""The console's pages."""

from __future__ import annotations

from flask import Blueprint, request

from ml_backend.auth import check_origin, check_token
from ml_backend.services import Services


def blueprint(services: Services) -> Blueprint:
    """/console/…"""
    views = Blueprint("console", __name__, template_folder="templates", static_folder="static")

    @views.before_request
    def guard() -> None:
        check_token(request, services.settings.api_token)
        check_origin(request)

    @views.get("/console")
    def home() -> str:
        return "Fieldloop"

    return views
