"""What a request asks for: its project, its page, its dates, and who asks; refused in a sentence if it cannot be."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Request
from sqlalchemy.orm import Session

from db import projects
from db.models import Project
from ml_backend.errors import BadRequest

MOST_ROWS = 500
LONGEST_TEXT = 2000
LONGEST_BY = 200


def project_of(session: Session, named: str | None) -> Project:
    """The project of this title or id; the only one, or the first, if none is named. Raises BadRequest."""
    if named and unprintable(named):
        raise BadRequest("bad_parameter", "'project' holds control characters.")
    project = projects.the_project(session, named or None)
    if project is None and named and len(named) < 10 and named.isdecimal():
        project = session.get(Project, int(named))
    if project is None and named:
        raise BadRequest(
            "unknown_project",
            f"There is no project {named[:200]!r}; GET /api/projects lists them.",
            404,
        )
    if project is None:
        raise BadRequest("no_project", "No project is set up yet; run `fieldloop init` first.", 409)
    return project


def unprintable(value: str) -> bool:
    """Whether a text holds what Postgres refuses or a screen cannot show: control characters, lone surrogates."""
    return any(
        (c < " " and c not in "\n\r\t") or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in value
    )


def number(values: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int) -> int:
    """A whole number of the query within its bounds. Raises BadRequest."""
    given = values.get(name)
    if given is None or not given.strip():
        return default
    text = given.strip()
    if not (text.isascii() and text.isdecimal() and least <= int(text[:12]) <= most):
        raise BadRequest(
            "bad_parameter", f"{name!r} must be a whole number from {least} to {most}."
        )
    return int(text[:12])


def choice(values: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    """One of the allowed words, None if nothing is given. Raises BadRequest."""
    given = values.get(name, "").strip()
    if not given:
        return None
    if given not in allowed:
        raise BadRequest("bad_parameter", f"{name!r} must be one of {', '.join(allowed)}.")
    return given


def text(
    values: Mapping[str, str], name: str, *, longest: int = LONGEST_TEXT, needed: str | None = None
) -> str | None:
    """A free text without control characters; ``needed``: why there must be one. Raises BadRequest."""
    given = values.get(name)
    clean = given.strip() if isinstance(given, str) else ""
    if not clean:
        if needed is not None:
            raise BadRequest("missing_" + name, f"{name!r} is missing: {needed}.")
        return None
    if len(clean) > longest:
        raise BadRequest(
            "bad_parameter", f"{name!r} has {len(clean)} characters; the limit is {longest}."
        )
    if unprintable(clean):
        raise BadRequest("bad_parameter", f"{name!r} holds control characters.")
    return clean


def who(request: Request, values: Mapping[str, str] | None = None) -> str | None:
    """Who asks: 'by' of the form or body, the header X-Fieldloop-User, or the user name of the login."""
    given = text(values or {}, "by", longest=LONGEST_BY)
    if given is None:
        given = text({"by": request.headers.get("X-Fieldloop-User", "")}, "by", longest=LONGEST_BY)
    login = request.authorization
    if given is None and login is not None and login.type == "basic" and login.username:
        given = text({"by": login.username}, "by", longest=LONGEST_BY)
    return given


def decision(request: Request, values: Mapping[str, str]) -> tuple[str, str]:
    """Who decides and why: a model goes live through the gate or by a named person with a note."""
    by = who(request, values)
    if by is None:
        raise BadRequest(
            "missing_by",
            "'by' is missing: say who decides, there, in the header X-Fieldloop-User or as the user name of the login.",
        )
    note = text(values, "note", needed="say why, so that those who come later understand")
    return by, note or ""


def body(request: Request) -> dict[str, str]:
    """The texts of a small JSON object or form. Raises BadRequest."""
    request.max_content_length = 64 * 1024
    if request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return dict(request.form.items())
    if not request.get_data():
        return {}
    found = request.get_json(force=True, silent=True)
    if not isinstance(found, dict):
        raise BadRequest("malformed_json", "The body is not a JSON object.")
    return {str(key): str(value) for key, value in found.items() if value is not None}
