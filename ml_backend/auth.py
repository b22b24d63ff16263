"""Who may ask: the shared secret of Label Studio, the token of the API and the console."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from flask import Request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from ml_backend.errors import BadRequest

SECRET_HEADER = "X-Fieldloop-Secret"  # noqa: S105 - the name of a header


def check_secret(request: Request, secret: str) -> None:
    """Label Studio's calls carry the secret in a header, as a Basic password or in the query."""
    basic = request.authorization
    given = (
        request.headers.get(SECRET_HEADER)
        or (basic.password if basic is not None and basic.type == "basic" else None)
        or request.args.get("secret")
        or ""
    )
    if not same(given, secret):
        raise BadRequest(
            "wrong_secret",
            f"The header {SECRET_HEADER} is missing or not FIELDLOOP_WEBHOOK_SECRET; "
            "`fieldloop init` writes the right one into Label Studio.",
            401,
        )


def check_token(request: Request, token: str | None) -> None:
    """The API token as Bearer or as the password of Basic; nothing is asked where none is set."""
    if token is None:
        return
    authorization = request.authorization
    given = ""
    if authorization is not None:
        given = (
            authorization.token if authorization.type == "bearer" else authorization.password
        ) or ""
    if not same(given, token):
        raise Unauthorized(
            "Give FIELDLOOP_API_TOKEN as a Bearer token, or as the password when the browser asks.",
            www_authenticate=WWWAuthenticate("basic", {"realm": "Fieldloop"}),
        )


def check_origin(request: Request) -> None:
    """A browser may change things only from our own pages: another site cannot post in a user's name."""
    origin = request.headers.get("Origin")
    if request.method in {"GET", "HEAD", "OPTIONS"} or not origin:
        return
    if urlsplit(origin).netloc != request.host:
        raise BadRequest(
            "foreign_origin", "This request came from a page of another site and was refused.", 403
        )


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, without telling by time how much of them is."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
