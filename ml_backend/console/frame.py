"""What every page of the console has around it: its project, its language, its headers, its errors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, make_response, render_template, request

from db import projects
from db.models import Project
from ml_backend.console.language import COOKIE, LANGUAGES, Language, language_of
from ml_backend.documents_api import asking
from ml_backend.errors import BadRequest
from ml_backend.services import Services
from ml_backend.studio_links import project_link, task_link

PROJECT_COOKIE = "fieldloop_project"
NAME_COOKIE = "fieldloop_name"
_YEAR = 365 * 24 * 3600
_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


@dataclass(frozen=True)
class Frame:
    """The surroundings of one page. ``project`` None: none is set up yet."""

    services: Services
    t: Language
    project: Project | None
    projects: list[Project]

    def the_project(self) -> Project:
        """Raises BadRequest without one."""
        if self.project is None:
            raise BadRequest(
                "no_project", "No project is set up yet; run `fieldloop init` first.", 409
            )
        return self.project

    @property
    def project_id(self) -> int:
        """Raises BadRequest without a project."""
        return self.the_project().id

    @property
    def label_studio(self) -> str:
        """Where the project opens in Label Studio."""
        settings = self.services.settings
        if self.project is None or self.project.label_studio_id is None:
            return settings.label_studio_public_url
        return project_link(settings, self.project.label_studio_id)

    def task_url(self, task: int | None) -> str | None:
        if task is None or self.project is None or self.project.label_studio_id is None:
            return None
        return task_link(self.services.settings, self.project.label_studio_id, task)


def frame_of(services: Services) -> Frame:
    """The frame of this request; the project is that of the link, the one looked at last, or the first."""
    with services.sessions.begin() as session:
        known = [p for p in projects.all_projects(session) if p.deleted_at is None]
    chosen = None
    for given in (request.args.get("project"), request.cookies.get(PROJECT_COOKIE)):
        chosen = next((p for p in known if str(p.id) == given or p.title == given), None)
        if chosen is not None:
            break
    return Frame(services, language_of(request), chosen or (known[0] if known else None), known)


def page(frame: Frame, template: str, status: int = 200, **values: Any) -> Response:
    """A rendered page with its headers; remembers language and project where the link named them."""
    around = {
        "t": frame.t,
        "frame": frame,
        "asset": asset,
        "languages": LANGUAGES,
        "here": here,
        "name": known_name(),
        "notice": None,
        "problem": None,
        "refresh": None,
        "active": None,
    }
    text = render_template(f"console/{template}", **(around | values))
    response = make_response(text, status)
    lang, project = request.args.get("lang"), request.args.get("project")
    if lang in LANGUAGES:
        _remember(response, COOKIE, lang)
    if project and frame.project is not None:
        _remember(response, PROJECT_COOKIE, str(frame.project.id))
    return response


def known_name() -> str:
    """Who sits here, as far as known: the user of the login, or the name given last."""
    login = request.authorization
    if login is not None and login.type == "basic" and login.username:
        return login.username
    return request.cookies.get(NAME_COOKIE, "")[: asking.LONGEST_BY]


def remember_name(response: Response, name: str | None) -> Response:
    if name:
        _remember(response, NAME_COOKIE, name)
    return response


def _remember(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(
        cookie, value, max_age=_YEAR, path="/console", samesite="Lax", httponly=True
    )


def problem_page(frame: Frame, error: BadRequest) -> Response:
    """The page of an error nothing better is shown for."""
    return page(frame, "error.html", error.status, problem=error)


def here(**changes: object) -> str:
    """This page's address with some of the query changed; None takes a part away."""
    values: dict[str, object] = dict(request.args.items())
    values.pop("lang", None)
    values |= changes
    query = urlencode({name: value for name, value in values.items() if value not in (None, "")})
    return request.path + (f"?{query}" if query else "")


@cache
def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it."""
    data = (Path(__file__).parent / "static" / name).read_bytes()
    return f"/console/static/{name}?v={hashlib.sha256(data).hexdigest()[:10]}"


def secured(response: Response) -> Response:
    """The headers of every answer of the console: nothing foreign runs, frames or learns the address."""
    policy: Mapping[str, str] = _POLICY | g.get("policy", {})
    response.headers["Content-Security-Policy"] = "; ".join(
        f"{name} {value}" for name, value in policy.items()
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    # Not no-referrer: with it browsers send "Origin: null", and our own forms could not be told from others'.
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint == "console.static":
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    else:
        response.headers["Cache-Control"] = "private, no-store"
        response.headers["Vary"] = "Accept-Language, Cookie"
    return response
