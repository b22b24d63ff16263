"""Answers to requests that cannot be served: a status, a code and a sentence, never a traceback."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus

import sqlalchemy.exc
from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from db.errors import RecordError
from db.label_studio_errors import LabelStudioError
from ml_backend.extraction.errors import ExtractionError

_CAPITALS = re.compile(r"(?<!^)(?=[A-Z])")

log = logging.getLogger(__name__)


class BadRequest(Exception):
    """A request that cannot be served as it is; ``status`` is the HTTP status of the answer."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def problem(code: str, message: str, status: int) -> Response:
    """The JSON of an error, everywhere the same: {"error": {"code", "message"}}."""
    answer = jsonify({"error": {"code": code, "message": message}})
    answer.status_code = status
    return answer


def install(app: Flask) -> None:
    """Turn everything a view may raise into such an answer."""

    @app.errorhandler(BadRequest)
    def refused(error: BadRequest) -> Response:
        return problem(error.code, str(error), error.status)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        code = HTTPStatus(status).phrase.lower().replace(" ", "_")
        answer = problem(code, error.description or HTTPStatus(status).phrase, status)
        for name, value in error.get_headers():
            if name.lower() in {"www-authenticate", "allow", "retry-after"}:
                answer.headers[name] = value
        return answer

    @app.errorhandler(sqlalchemy.exc.OperationalError)
    @app.errorhandler(sqlalchemy.exc.TimeoutError)
    def database(error: Exception) -> Response:
        log.warning("the database does not answer: %s", type(error).__name__)
        answer = problem(
            "database_unavailable",
            "The database does not answer; try again.",
            503,
        )
        answer.headers["Retry-After"] = "5"
        return answer

    @app.errorhandler(LabelStudioError)
    def label_studio(error: LabelStudioError) -> Response:
        log.warning("Label Studio: %s", error)
        return problem("label_studio", str(error), 502)

    @app.errorhandler(RecordError)
    @app.errorhandler(ExtractionError)
    def known(error: Exception) -> Response:
        """What we raise on purpose says itself what is wrong and how to mend it."""
        log.warning("%s: %s", type(error).__name__, error)
        return problem(_CAPITALS.sub("_", type(error).__name__).lower(), str(error), 500)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("unexpected %s", type(error).__name__, exc_info=error)
        return problem(
            "internal", "Something went wrong here; the server's log has the details.", 500
        )
