"""Setting a project up in the record and in Label Studio, and proving that both hear each other.

Every step looks at what is there and changes only what differs, so that running it again does nothing, and
running it after a field was added adds that field and touches no annotation.
"""

from __future__ import annotations

import time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.jobs import enqueue
from db.models import Project, WebhookDelivery
from db.nudges import nudge
from db.projects import (
    FieldRow,
    by_label_studio_id,
    by_title,
    ensure_project,
    schema_of,
    set_schema,
    set_settings,
)
from ml_backend.label_config import label_config
from ml_backend.live_models import ensure_live
from ml_backend.schema import SETTINGS, FieldSchema
from ml_backend.services import Services
from ml_backend.studio_setup import (
    ProvisioningFailed,
    Report,
    connect_backend,
    existing_project,
    serve_files,
    set_up_project,
    set_up_view,
    set_up_webhook,
)

ROUND_TRIP_SECONDS = 10.0

__all__ = ["ProvisioningFailed", "Report", "provision"]


def provision(
    services: Services, schema: FieldSchema, *, dry_run: bool = False, by: str = "provisioning"
) -> Report:
    """Bring record and Label Studio to this schema. Raises ProvisioningFailed, LabelStudioError."""
    report = Report(schema.title, dry_run)
    studio, settings = services.label_studio, services.settings
    with services.sessions.begin() as session:
        known = by_title(session, schema.title)
    linked = known.label_studio_id if known and known.label_studio_url == studio.url else None
    config = label_config(schema.rows, schema.language)
    # Label Studio is looked at first: what it refuses must leave the record as it was.
    found = existing_project(studio, linked, schema.title, report)
    project_id = _record(services, schema, report, by)
    row = set_up_project(studio, found, schema.title, config, report)
    if row is None or project_id is None:
        report.change("connected the ML backend", "connect the ML backend")
        report.change("added the webhook", "add the webhook")
        return report
    number = int(row["id"])
    report.label_studio_id = number
    if not dry_run:
        # Before the backend is connected: Label Studio then asks it about this very project.
        with services.sessions.begin() as session:
            _link(session, project_id, settings.label_studio_url, number)
    backend = connect_backend(services, number, report)
    webhook_id = set_up_webhook(services, number, backend, report)
    serve_files(services, number, report)
    set_up_view(services, number, report)
    if dry_run:
        return report
    replaced = linked is not None and linked != number
    with services.sessions.begin() as session:
        project = session.get_one(Project, project_id)
        project.ml_backend_id = backend.id
        project.webhook_id = webhook_id
        project.label_config = config
        live = ensure_live(session, project_id, by=by)
        jobs = [
            enqueue(
                session,
                kind="publish_missing",
                subject=str(project_id),
                project_id=project_id,
                arguments={"replaced": replaced},
                created_by=by,
            ).id
        ]
        # Label Studio shows and orders tasks by one version, the backend's title when one is added.
        if row.get("model_version") != live.name and row.get("task_number"):
            jobs.append(
                enqueue(
                    session,
                    kind="refresh_predictions",
                    subject=str(live.id),
                    project_id=project_id,
                    created_by=by,
                ).id
            )
    report.model_version = live.name
    nudge(services.redis, jobs)
    _round_trip(services, number)
    report.verified = True
    return report


def _record(services: Services, schema: FieldSchema, report: Report, by: str) -> int | None:
    """Bring the record to the schema; the project's id, None in a dry run that would make it."""
    with services.sessions.begin() as session:
        project = by_title(session, schema.title)
        if project is None:
            title = repr(schema.title)
            if not report.change(f"created the project {title}", f"create the project {title}"):
                return None
            project = ensure_project(session, schema.title, by=by)
        report.project_id = project.id
        old = schema_of(session, project.id, project.schema_version)
        if old != list(schema.rows):
            what = _schema_change(project.schema_version + 1, old, schema)
            if report.change(f"wrote {what}", f"write {what}"):
                set_schema(session, project, schema.rows, by=by)
        # What the file says no more is no longer set; other settings are not the file's.
        kept = {key: value for key, value in project.settings.items() if key not in SETTINGS}
        wanted = {**kept, **schema.settings}
        if dict(project.settings) != wanted and report.change(
            "updated the project's settings", "update the project's settings"
        ):
            set_settings(session, project, wanted)
        return project.id


def _schema_change(version: int, old: list[FieldRow], schema: FieldSchema) -> str:
    before, after = {row.name for row in old}, {row.name for row in schema.rows}
    said = f"version {version} of the field schema"
    if before and after - before:
        said += f", new: {', '.join(sorted(after - before))}"
    if before - after:
        said += f", removed: {', '.join(sorted(before - after))} (their values stay in the record)"
    return said


def _link(session: Session, project_id: int, url: str, number: int) -> None:
    other = by_label_studio_id(session, url, number)
    if other is not None and other.id != project_id:
        raise ProvisioningFailed(
            f"Project {number} of Label Studio belongs to {other.title!r}; give it back its title in Label Studio."
        )
    project = session.get_one(Project, project_id)
    if (project.label_studio_url, project.label_studio_id) != (url, number):
        project.label_studio_url, project.label_studio_id = url, number
        project.deleted_at = None


def _round_trip(services: Services, number: int) -> None:
    """Change the project to what it is: Label Studio must tell our inbox so."""
    with services.sessions.begin() as session:
        last = session.scalar(select(func.max(WebhookDelivery.id))) or 0
    services.label_studio.update_project(number, {"show_skip_button": True})
    end = time.monotonic() + ROUND_TRIP_SECONDS
    while time.monotonic() < end:
        with services.sessions.begin() as session:
            heard = session.scalar(
                select(WebhookDelivery.id).where(
                    WebhookDelivery.id > last,
                    WebhookDelivery.action == "PROJECT_UPDATED",
                    WebhookDelivery.project_label_studio_id == number,
                )
            )
        if heard is not None:
            return
        time.sleep(0.1)
    raise ProvisioningFailed(
        f"Label Studio changed project {number}, but its webhook did not arrive within "
        f"{ROUND_TRIP_SECONDS:.0f} s at {services.settings.backend_url}/webhook (FIELDLOOP_BACKEND_URL): is the "
        "backend running there, reachable from where Label Studio runs, with the FIELDLOOP_WEBHOOK_SECRET and "
        "the DATABASE_URL of this command?"
    )
