"""Setting a project up in the record and in Label Studio, and proving that both hear each other.

Every step looks at what is there and changes only what differs, so that running it again does nothing, and
running it after a field was added adds that field and touches no annotation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.errors import RecordError
from db.extractions import READABLE
from db.jobs import enqueue
from db.label_studio import Forbidden, LabelStudioError, NotFound
from db.models import DocumentVersion, Project, Task, WebhookDelivery
from db.nudges import nudge
from db.projects import by_title, ensure_project, schema_of, set_schema, set_settings
from ml_backend.auth import SECRET_HEADER
from ml_backend.label_config import label_config
from ml_backend.live_models import ensure_live
from ml_backend.schema import FieldSchema
from ml_backend.services import Services

BACKEND_TITLE = "Fieldloop"
ROUND_TRIP_SECONDS = 10.0
_INSTRUCTION = (
    "<p>Check the values beside the page, correct what is wrong, draw what is missing, submit with Ctrl+Enter.</p>"
    "<p>Confira os valores ao lado da página, corrija o que estiver errado, desenhe o que faltar e envie com "
    "Ctrl+Enter.</p>"
)


class ProvisioningFailed(RecordError):
    """A step could not be done; the message names the setting and the fix."""


@dataclass
class Report:
    """What was done, or with ``dry_run`` would be, in sentences; empty: everything was right already."""

    project: str
    project_id: int | None = None
    label_studio_id: int | None = None
    model_version: str | None = None
    changes: list[str] = field(default_factory=list)
    verified: bool = False


def provision(
    services: Services, schema: FieldSchema, *, dry_run: bool = False, by: str = "provisioning"
) -> Report:
    """Bring record and Label Studio to this schema. Raises ProvisioningFailed, LabelStudioError."""
    report = Report(schema.title)
    project = _record(services, schema, report, dry_run, by)
    if project is None:
        report.changes += [
            "create the project in Label Studio",
            "connect the ML backend",
            "add the webhook",
        ]
        return report
    row = _label_studio_project(services, project, schema, report, dry_run)
    if row is None:
        return report
    project_ls = int(row["id"])
    report.label_studio_id = project_ls
    if not dry_run:
        # Before the backend is connected: Label Studio then asks it about this very project.
        with services.sessions.begin() as session:
            stored = session.get_one(Project, project.id)
            stored.label_studio_url = services.settings.label_studio_url
            stored.label_studio_id = project_ls
    backend_id = _ml_backend(services, project_ls, report, dry_run)
    webhook_id = _webhook(services, project_ls, report, dry_run)
    _served_files(services, project_ls, report, dry_run)
    if dry_run:
        return report
    with services.sessions.begin() as session:
        stored = session.get_one(Project, project.id)
        stored.ml_backend_id = backend_id
        stored.webhook_id = webhook_id
        stored.label_config = label_config(schema.rows, schema.language)
        live = ensure_live(session, project.id, by=by)
        waiting = ask_for_tasks(session, project.id)
    report.model_version = live.name
    # Label Studio sets the version to the backend's title when one is added; tasks are ordered by it.
    shown = services.label_studio.project(project_ls).get("model_version")
    if shown != live.name and services.label_studio.set_model_version(project_ls, live.name):
        report.changes.append(f"set the model version to {live.name}")
    nudge(services.redis, waiting)
    _round_trip(services, project_ls)
    report.verified = True
    return report


def _record(
    services: Services, schema: FieldSchema, report: Report, dry_run: bool, by: str
) -> Project | None:
    with services.sessions.begin() as session:
        known = by_title(session, schema.title)
        if dry_run:
            current = [] if known is None else schema_of(session, known.id, known.schema_version)
            if known is None:
                report.changes.append(f"create the project {schema.title!r}")
            elif current != list(schema.rows):
                report.changes.append(
                    f"write version {known.schema_version + 1} of the field schema"
                )
            return known
        project = ensure_project(session, schema.title, by=by)
        if known is None:
            report.changes.append(f"created the project {schema.title!r}")
        before = {row.name for row in schema_of(session, project.id, project.schema_version)}
        if set_schema(session, project, schema.rows, by=by):
            after = {row.name for row in schema.rows}
            added, gone = sorted(after - before), sorted(before - after)
            said = f"wrote version {project.schema_version} of the field schema"
            if before and added:
                said += f", new: {', '.join(added)}"
            if gone:
                said += f", removed: {', '.join(gone)} (their values stay in the record)"
            report.changes.append(said)
        settings = {**project.settings, **schema.settings}
        if set_settings(session, project, settings):
            report.changes.append("updated the project's settings")
        report.project_id = project.id
        return project


def _label_studio_project(
    services: Services, project: Project, schema: FieldSchema, report: Report, dry_run: bool
) -> dict[str, Any] | None:
    studio = services.label_studio
    row = None
    if project.label_studio_id and project.label_studio_url == services.settings.label_studio_url:
        try:
            row = studio.project(project.label_studio_id)
        except NotFound:
            report.changes.append("its project in Label Studio is gone; a new one takes its place")
    if row is None:
        row = next((one for one in studio.projects() if one.get("title") == schema.title), None)
        row = None if row is None else studio.project(int(row["id"]))
    wanted: dict[str, Any] = {
        "label_config": label_config(schema.rows, schema.language),
        "expert_instruction": _INSTRUCTION,
        "show_instruction": False,
        "show_skip_button": True,
        "enable_empty_annotation": True,
        "show_collab_predictions": True,
        "sampling": "Uncertainty sampling",
    }
    if row is None:
        if dry_run:
            report.changes.append("create the project in Label Studio")
            return None
        made = studio.sdk.projects.create(title=schema.title, label_config=wanted["label_config"])
        report.changes.append(f"created project {made.id} in Label Studio")
        row = studio.project(int(made.id))
    different = {key: value for key, value in wanted.items() if not _same(row.get(key), value, key)}
    if different:
        names = ", ".join(sorted(different))
        report.changes.append(
            f"update in Label Studio: {names}" if dry_run else f"updated in Label Studio: {names}"
        )
        if not dry_run:
            row = studio.update_project(int(row["id"]), different)
    return row


def _same(found: Any, wanted: Any, key: str) -> bool:
    if key == "label_config":
        return "".join(str(found).split()) == "".join(str(wanted).split())
    return bool(found == wanted)


def ml_url(services: Services) -> str:
    """The address Label Studio calls: the secret is part of it, since it sends no header of ours."""
    return f"{services.settings.backend_url}/ml/{services.settings.webhook_secret}"


def _ml_backend(services: Services, project: int, report: Report, dry_run: bool) -> int | None:
    studio, url = services.label_studio, ml_url(services)
    rows = studio.get("/api/ml/", {"project": project})
    ours = next((row for row in rows if row.get("title") == BACKEND_TITLE), None)
    others = [row for row in rows if row.get("title") != BACKEND_TITLE]
    if others:
        report.changes.append(
            f"note: {len(others)} other ML backend(s) are connected; Label Studio asks only the first one"
        )
    right = ours is not None and ours.get("url") == url and bool(ours.get("is_interactive"))
    if right and ours is not None and ours.get("state") == "CO":
        return int(ours["id"])
    report.changes.append("connect the ML backend" if dry_run else "connected the ML backend")
    if dry_run:
        return None
    values = {"project": project, "url": url, "title": BACKEND_TITLE, "is_interactive": True}
    try:
        if ours is None:
            found = studio.send("POST", "/api/ml/", values)
        else:
            found = studio.send("PATCH", f"/api/ml/{ours['id']}", values)
    except Forbidden as error:
        raise ProvisioningFailed(
            f"Label Studio refuses {services.settings.backend_url}: its guard against private addresses is on. "
            "Start it with USE_DEFAULT_BANNED_SUBNETS=false, or give a public address in FIELDLOOP_BACKEND_URL."
        ) from error
    except LabelStudioError as error:
        raise ProvisioningFailed(
            f"Label Studio cannot reach the backend at {services.settings.backend_url} "
            "(FIELDLOOP_BACKEND_URL); is it running, and reachable from where Label Studio runs?"
        ) from error
    return int(found["id"])


def _webhook(services: Services, project: int, report: Report, dry_run: bool) -> int | None:
    """Our webhook, with the secret in a header. The one Label Studio adds for the ML backend is taken away:
    it carries no header, and would deliver every event twice while the reviewer waits."""
    studio, settings = services.label_studio, services.settings
    url = f"{settings.backend_url}/webhook"
    wanted = {
        "url": url,
        "headers": {SECRET_HEADER: settings.webhook_secret},
        "send_payload": True,
        "send_for_all_actions": True,
        "is_active": True,
    }
    rows = studio.get("/api/webhooks/", {"project": project})
    ours: dict[str, Any] | None = None
    for row in rows:
        address = str(row.get("url", ""))
        if address == url and ours is None:
            ours = row
        elif address == url or ("/ml/" in address and address.endswith("/webhook")):
            report.changes.append(
                "remove a webhook that is not needed"
                if dry_run
                else "removed a webhook that is not needed"
            )
            if not dry_run:
                studio.send("DELETE", f"/api/webhooks/{row['id']}/")
    if ours is not None and all(ours.get(key) == value for key, value in wanted.items()):
        return int(ours["id"])
    verb = "add" if ours is None else "correct"
    report.changes.append(f"{verb} the webhook" if dry_run else f"{verb}ed the webhook")
    if dry_run:
        return None
    if ours is None:
        ours = studio.send("POST", "/api/webhooks/", {**wanted, "project": project})
    else:
        ours = studio.send("PATCH", f"/api/webhooks/{ours['id']}/", wanted)
    return int(ours["id"])


def _served_files(services: Services, project: int, report: Report, dry_run: bool) -> None:
    """Let Label Studio serve our page that turns a reviewer's switches on: it serves a folder only to a
    project that has it as a storage. Nothing can be imported from it."""
    studio, folder = services.label_studio, services.settings.label_studio_files
    if folder is None:
        return
    wanted = {
        "path": str(folder),
        "title": "Fieldloop",
        "use_blob_urls": True,
        # Matches no name: "Sync storage" finds nothing.
        "regex_filter": "$^",
    }
    rows = studio.get("/api/storages/localfiles/", {"project": project})
    ours = next((row for row in rows if row.get("title") == wanted["title"]), None)
    if ours is not None and all(ours.get(key) == value for key, value in wanted.items()):
        return
    report.changes.append(
        "let Label Studio serve the page that turns a reviewer's switches on"
        if dry_run
        else "Label Studio serves the page that turns a reviewer's switches on"
    )
    if dry_run:
        return
    try:
        if ours is None:
            studio.send("POST", "/api/storages/localfiles/", {**wanted, "project": project})
        else:
            studio.send(
                "PATCH", f"/api/storages/localfiles/{ours['id']}/", {**wanted, "project": project}
            )
    except LabelStudioError as error:
        raise ProvisioningFailed(
            f"Label Studio cannot serve the folder {folder} (FIELDLOOP_LABEL_STUDIO_FILES): it must exist where "
            "Label Studio runs, directly in its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, with "
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true; or unset the setting."
        ) from error


def ask_for_tasks(session: Session, project_id: int) -> list[UUID]:
    """Jobs for documents that were read while Label Studio was not there to show them."""
    shown = select(Task.id).where(
        Task.document_version_id == DocumentVersion.id, Task.deleted_at.is_(None)
    )
    versions = session.scalars(
        select(DocumentVersion.id).where(
            DocumentVersion.project_id == project_id,
            DocumentVersion.state.in_(READABLE),
            ~shown.exists(),
        )
    )
    return [
        enqueue(
            session,
            kind="publish_task",
            subject=str(version),
            project_id=project_id,
            created_by="provisioning",
        ).id
        for version in versions.all()
    ]


def _round_trip(services: Services, project: int) -> None:
    """Change the project to what it is: Label Studio must tell our inbox so."""
    with services.sessions.begin() as session:
        last = session.scalar(select(func.max(WebhookDelivery.id))) or 0
    services.label_studio.update_project(project, {"show_skip_button": True})
    end = time.monotonic() + ROUND_TRIP_SECONDS
    while time.monotonic() < end:
        with services.sessions.begin() as session:
            heard = session.scalar(
                select(WebhookDelivery.id).where(
                    WebhookDelivery.id > last,
                    WebhookDelivery.action == "PROJECT_UPDATED",
                    WebhookDelivery.project_label_studio_id == project,
                )
            )
        if heard is not None:
            return
        time.sleep(0.1)
    raise ProvisioningFailed(
        f"Label Studio changed project {project}, but its webhook did not arrive within "
        f"{ROUND_TRIP_SECONDS:.0f} s at {services.settings.backend_url}/webhook (FIELDLOOP_BACKEND_URL): is the "
        "backend running there, reachable from where Label Studio runs, and not refused as a private address?"
    )
