"""Addresses of pages in Label Studio, for people. Pure.

A drawn box fills itself only if three switches are on in the reviewer's browser, and only a page at Label
Studio's own address can turn them on. Where Label Studio serves the folder that holds our ``open.html`` (the
setting FIELDLOOP_LABEL_STUDIO_FILES) links lead through that page; elsewhere straight to the task.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from db.config import Settings

OPEN_PAGE = "open.html"


def task_link(settings: Settings, project: int, task: int) -> str:
    """Where a person reviews a task; ``project`` and ``task`` are Label Studio's ids."""
    page = open_page(settings, project=project, task=task)
    if page is None:
        return f"{settings.label_studio_public_url}/projects/{project}/data?task={task}"
    # By way of the login page: it sends on whoever is logged in, and the others after they are.
    return f"{settings.label_studio_public_url}/user/login/?next={quote(page, safe='')}"


def project_link(settings: Settings, project: int) -> str:
    """Where a person sees all tasks of a project; the least certain open ones come first in its stream."""
    page = open_page(settings, project=project)
    if page is None:
        return f"{settings.label_studio_public_url}/projects/{project}/data"
    return f"{settings.label_studio_public_url}/user/login/?next={quote(page, safe='')}"


def open_page(settings: Settings, **target: int) -> str | None:
    """Path and query of the page that turns the switches on; None where Label Studio does not serve it."""
    folder = settings.label_studio_files
    if folder is None:
        return None
    query = {
        "d": f"{folder.name}/{OPEN_PAGE}",
        **{name: str(value) for name, value in target.items()},
    }
    return f"/data/local-files/?{urlencode(query)}"
