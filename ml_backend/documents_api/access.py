"""The door of the API and the console: the token, and no page of another site."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request

from db.config import Settings
from ml_backend.auth import check_origin, check_token


def check(request: Request, settings: Settings) -> None:
    """Raises Unauthorized or BadRequest.

    Behind a proxy the request names another host than the reader's browser does: FIELDLOOP_PUBLIC_URL counts too.
    """
    check_token(request, settings.api_token)
    if request.headers.get("Origin") != _origin(settings.public_url):
        check_origin(request)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
