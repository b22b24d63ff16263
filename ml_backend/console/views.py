"""The console's blueprint: its guard, its headers, its errors, and the pages of the other files."""

from __future__ import annotations

import logging

import sqlalchemy.exc
from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.wrappers import Response as BaseResponse

from ml_backend.console import documents, jobs, quick_test, training, upload
from ml_backend.console.frame import frame_of, problem_page, secured
from ml_backend.documents_api import access
from ml_backend.errors import BadRequest
from ml_backend.services import Services

log = logging.getLogger(__name__)


def blueprint(services: Services) -> Blueprint:
    """/console/…; asks for FIELDLOOP_API_TOKEN as the browser's password where one is set."""
    views = Blueprint(
        "console",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/console/static",
    )

    @views.before_app_request
    def home() -> BaseResponse | None:
        """A browser at the bare address looks for the console; Label Studio there asks for health."""
        if request.path == "/" and request.method == "GET" and request.accept_mimetypes:
            best = request.accept_mimetypes.best_match(["application/json", "text/html"])
            if best == "text/html":
                return redirect("/console")
        return None

    @views.before_request
    def guard() -> None:
        access.check(request, services.settings)

    views.after_request(secured)
    _tell_errors(views, services)
    for part in (documents, upload, training, quick_test, jobs):
        part.add(views, services)

    @views.get("/console/<path:rest>")
    def nothing(rest: str) -> Response:
        raise BadRequest("not_found", f"There is no page /console/{rest[:200]}.", 404)

    return views


def _tell_errors(views: Blueprint, services: Services) -> None:
    """People get a page, not JSON; without a database a plain one, since the frame needs it too."""

    @views.errorhandler(BadRequest)
    def refused(error: BadRequest) -> Response:
        return problem_page(frame_of(services), error)

    @views.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response | HTTPException:
        if isinstance(error, Unauthorized):
            return error  # with its header: the browser asks for name and password
        code = error.name.lower().replace(" ", "_")
        shown = BadRequest(code, error.description or error.name, error.code or 500)
        return problem_page(frame_of(services), shown)

    @views.errorhandler(sqlalchemy.exc.OperationalError)
    @views.errorhandler(sqlalchemy.exc.TimeoutError)
    def database(error: Exception) -> Response:
        log.warning("the database does not answer: %s", type(error).__name__)
        return Response(
            "The database does not answer; nothing was stored. Reload in a moment.\n"
            "O banco de dados não responde; nada foi gravado. Recarregue em instantes.\n",
            503,
            {"Retry-After": "5"},
            mimetype="text/plain",
        )

    @views.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("unexpected %s", type(error).__name__, exc_info=error)
        shown = BadRequest(
            "internal", "Something went wrong here; the server's log has the details.", 500
        )
        return problem_page(frame_of(services), shown)
