"""The Label Studio side of a project: its row, our ML backend, our webhook, our page. Changes only what differs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import requests

from db.errors import RecordError
from db.label_studio import LabelStudio
from db.label_studio_errors import Forbidden, LabelStudioError, NotFound
from ml_backend.auth import SECRET_HEADER
from ml_backend.label_config import OUR_MARK
from ml_backend.services import Services

BACKEND_TITLE = "Fieldloop"
PROBE_SECONDS = 3.0
_INSTRUCTION = (
    "<p>Check the values beside the page, correct what is wrong, draw what is missing, submit with Ctrl+Enter.</p>"
    "<p>Confira os valores ao lado da página, corrija o que estiver errado, desenhe o que faltar e envie com "
    "Ctrl+Enter.</p>"
)
# Of the Data Manager's columns, those that tell a reviewer nothing.
_HIDDEN_COLUMNS = (
    *("data.pages", "data.warnings", "data.look", "data.help", "data.absent_options"),
    *("data.fieldloop", "inner_id", "cancelled_annotations", "total_predictions"),
    *("annotations_results", "annotations_ids", "predictions_results", "file_upload"),
    *(
        "storage_filename",
        "created_at",
        "updated_at",
        "updated_by",
        "avg_lead_time",
        "draft_exists",
    ),
)


class ProvisioningFailed(RecordError):
    """A step could not be done; the message names the setting and the fix."""


@dataclass
class Report:
    """What was done, or with ``dry_run`` would be, in sentences; no changes: everything was right already."""

    project: str
    dry_run: bool = False
    project_id: int | None = None
    label_studio_id: int | None = None
    model_version: str | None = None
    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verified: bool = False

    def change(self, done: str, would: str) -> bool:
        """Say what is changed; False: this is a dry run, leave it."""
        self.changes.append(would if self.dry_run else done)
        return not self.dry_run


def existing_project(
    studio: LabelStudio, linked: int | None, title: str, report: Report
) -> dict[str, Any] | None:
    """The project's row: the one it is linked to, else one of its title that is ours or empty.

    Raises ProvisioningFailed if somebody else's project has the title: its config would be overwritten.
    """
    if linked is not None:
        try:
            return studio.project(linked)
        except NotFound:
            report.change(
                f"project {linked} in Label Studio is gone; another one takes its place",
                f"put another project in the place of {linked}, which is gone from Label Studio",
            )
    found = next((row for row in studio.projects() if row.get("title") == title), None)
    if found is None:
        return None
    row = studio.project(int(found["id"]))
    if OUR_MARK not in str(row.get("label_config")) and row.get("task_number"):
        raise ProvisioningFailed(
            f"Label Studio has a project {title!r} with {row['task_number']} tasks that Fieldloop did not make; "
            "rename that project in Label Studio, or change 'project' in the field schema file."
        )
    return row


def set_up_project(
    studio: LabelStudio, row: dict[str, Any] | None, title: str, config: str, report: Report
) -> dict[str, Any] | None:
    """Make the project, or change what differs; its row, None in a dry run that would make it."""
    wanted: dict[str, Any] = {
        "label_config": config,
        "expert_instruction": _INSTRUCTION,
        "show_instruction": False,
        "show_skip_button": True,
        "enable_empty_annotation": True,
        "show_collab_predictions": True,
        "sampling": "Uncertainty sampling",
    }
    if row is None:
        if report.change(
            "created the project in Label Studio", "create the project in Label Studio"
        ):
            return studio.project(
                studio.create(lambda sdk: sdk.projects.create(title=title, **wanted))
            )
        return None
    different = {key: value for key, value in wanted.items() if not _same(row.get(key), value)}
    names = ", ".join(sorted(different))
    if different and report.change(
        f"updated in Label Studio: {names}", f"update in Label Studio: {names}"
    ):
        return studio.update_project(int(row["id"]), different)
    return row


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):  # Label Studio keeps its own blanks in a label config
        return "".join(str(found).split()) == "".join(wanted.split())
    return bool(found == wanted)


def ml_url(services: Services) -> str:
    """The address Label Studio calls: the secret is part of it, since it sends no header of ours."""
    return f"{services.settings.backend_url}/ml/{services.settings.webhook_secret}"


@dataclass(frozen=True)
class Backend:
    """Our ML backend as Label Studio has it. ``before``: the address it had until now."""

    id: int | None
    before: str | None


def connect_backend(services: Services, project: int, report: Report) -> Backend:
    """Connect the ML backend, interactive. Raises ProvisioningFailed."""
    studio, url = services.label_studio, ml_url(services)
    rows = studio.get("/api/ml/", {"project": project})
    ours = next((row for row in rows if row.get("title") == BACKEND_TITLE), None)
    others = [row for row in rows if row.get("title") != BACKEND_TITLE]
    if others and (ours is None or int(others[0]["id"]) < int(ours["id"])):
        report.notes.append(
            f"The ML backend {others[0].get('title')!r} was connected before ours; Label Studio asks only the "
            "first one for predictions. Remove it under Settings, Model."
        )
    before = None if ours is None else str(ours.get("url"))
    right = ours is not None and before == url and bool(ours.get("is_interactive"))
    if right and ours is not None and ours.get("state") == "CO":
        return Backend(int(ours["id"]), before)
    if not report.change("connected the ML backend", "connect the ML backend"):
        return Backend(None, before)
    values = {"project": project, "url": url, "title": BACKEND_TITLE, "is_interactive": True}
    try:
        if ours is None:
            number = studio.create(lambda sdk: sdk.ml.create(**values))
        else:
            number = int(studio.send("PATCH", f"/api/ml/{ours['id']}", values)["id"])
    except Forbidden as error:
        raise _refused(services) from error
    except LabelStudioError as error:
        if error.passing:
            raise
        raise ProvisioningFailed(_why_not_connected(services, project)) from error
    return Backend(number, before)


def _refused(services: Services) -> ProvisioningFailed:
    return ProvisioningFailed(
        f"Label Studio refuses {services.settings.backend_url}: its guard against private addresses is on. "
        "Start it with USE_DEFAULT_BANNED_SUBNETS=false, or give a public address in FIELDLOOP_BACKEND_URL."
    )


def _why_not_connected(services: Services, project: int) -> str:
    """Ask the backend what Label Studio has just asked it: the answer tells what is wrong."""
    settings = services.settings
    where = f"{settings.backend_url} (FIELDLOOP_BACKEND_URL)"
    try:
        answer = requests.post(
            f"{ml_url(services)}/setup", json={"project": f"{project}.0"}, timeout=PROBE_SECONDS
        )
        code = answer.json()["error"]["code"] if answer.status_code != 200 else ""
    except requests.RequestException as error:
        if isinstance(error, requests.JSONDecodeError):
            return f"What answers at {where} is not Fieldloop's backend; correct the setting."
        return f"Nothing answers at {where}; start the backend, or correct the setting."
    except (KeyError, TypeError, ValueError):
        return f"What answers at {where} is not Fieldloop's backend; correct the setting."
    if not code:
        return (
            f"Label Studio cannot reach the backend at {where}, though this command can: give an address that "
            "is right from where Label Studio runs."
        )
    if code == "unknown_project":
        return (
            f"The backend at {where} does not know the project: its DATABASE_URL or LABEL_STUDIO_URL is not the "
            "one of this command."
        )
    if code in {"not_found", "wrong_secret"}:
        return (
            f"The backend at {where} runs with another FIELDLOOP_WEBHOOK_SECRET than this command; give both "
            "the same and restart the backend."
        )
    return f"The backend at {where} is not well: {answer.json()['error']['message']}"


def set_up_webhook(
    services: Services, project: int, backend: Backend, report: Report
) -> int | None:
    """Our webhook, with the secret in a header. The one Label Studio adds for the ML backend is taken away:
    it carries no header, and would deliver every event twice while the reviewer waits."""
    studio, settings = services.label_studio, services.settings
    wanted = {
        "url": f"{settings.backend_url}/webhook",
        "headers": {SECRET_HEADER: settings.webhook_secret},
        "send_payload": True,
        "send_for_all_actions": True,
        "is_active": True,
    }
    unwanted = {f"{ml_url(services)}/webhook", f"{backend.before}/webhook"}
    own_backend = re.compile(re.escape(settings.backend_url) + "/ml/[^/]+/webhook")
    kept: dict[str, Any] | None = None
    for row in studio.get("/api/webhooks/", {"project": project}):
        address = str(row.get("url"))
        is_ours = address == wanted["url"] or SECRET_HEADER in (row.get("headers") or {})
        if is_ours and kept is None:
            kept = row
        elif (is_ours or address in unwanted or own_backend.fullmatch(address)) and report.change(
            "removed a webhook that is not needed", "remove a webhook that is not needed"
        ):
            studio.send("DELETE", f"/api/webhooks/{row['id']}/")
    if kept is not None and all(kept.get(key) == value for key, value in wanted.items()):
        return int(kept["id"])
    done, would = ("added", "add") if kept is None else ("corrected", "correct")
    if not report.change(f"{done} the webhook", f"{would} the webhook"):
        return None
    try:
        if kept is None:
            return studio.create(lambda sdk: sdk.webhooks.create(project=project, **wanted))
        return int(studio.send("PATCH", f"/api/webhooks/{kept['id']}/", wanted)["id"])
    except Forbidden as error:
        raise _refused(services) from error


def serve_files(services: Services, project: int, report: Report) -> None:
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
    if not report.change(
        "Label Studio serves the page that turns a reviewer's switches on",
        "let Label Studio serve the page that turns a reviewer's switches on",
    ):
        return
    values = {**wanted, "project": project}
    try:
        if ours is None:
            studio.create(lambda sdk: sdk.import_storage.local.create(**values))
        else:
            studio.send("PATCH", f"/api/storages/localfiles/{ours['id']}/", values)
    except LabelStudioError as error:
        raise ProvisioningFailed(
            f"Label Studio cannot serve the folder {folder} (FIELDLOOP_LABEL_STUDIO_FILES): it must exist where "
            "Label Studio runs, directly in its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, with "
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true; or unset the setting."
        ) from error


def set_up_view(services: Services, project: int, report: Report) -> None:
    """A first tab of the Data Manager for reviewers: least certain documents first, without what is only for
    the editor. Tabs that are there stay as people arranged them."""
    studio = services.label_studio
    if studio.get("/api/dm/views/", {"project": project}):
        return
    if report.change("added the reviewers' tab", "add the reviewers' tab"):
        hidden = [f"tasks:{column}" for column in _HIDDEN_COLUMNS]
        view: dict[str, Any] = {
            "title": "Fieldloop",
            "type": "list",
            "target": "tasks",
            "ordering": ["tasks:predictions_score"],
            "filters": {"conjunction": "and", "items": []},
            "hiddenColumns": {"explore": hidden, "labeling": hidden},
        }
        studio.create(lambda sdk: sdk.views.create(project=project, data=view))
