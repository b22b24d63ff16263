"""/api/projects, /api/models, /api/runs, /api/train, /api/rollback: what was learnt, and who decides what is live."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from db import browse, projects
from db.documents import collections, stages
from db.models import Project, TrainingRun
from ml_backend.documents_api import asking, doing
from ml_backend.documents_api.shapes import answer
from ml_backend.errors import BadRequest
from ml_backend.services import Services
from ml_backend.studio_links import project_link


def add(views: Blueprint, services: Services) -> None:
    """Add the routes to the blueprint."""

    @views.get("/api/projects")
    def all_projects() -> Response:
        with services.sessions.begin() as session:
            progress = browse.review_progress(session)
            live = browse.live_models(session)
            rows = [
                _project(services, session, project, progress.get(project.id), live.get(project.id))
                for project in projects.all_projects(session)
            ]
        return answer({"projects": rows})

    @views.get("/api/models")
    def models() -> Response:
        with services.sessions.begin() as session:
            project = asking.project_of(session, request.args.get("project"))
            rows = browse.models(session, project.id)
            fields = browse.field_figures(session, [row["model_version_id"] for row in rows])
            moves = browse.alias_moves(session, project.id)
        return answer(
            {
                "project": {"id": project.id, "title": project.title},
                "live": next((row["model_version"] for row in rows if row["is_live"]), None),
                "models": [
                    model_json(row) | {"fields": fields[row["model_version_id"]]} for row in rows
                ],
                "moves": moves,
            }
        )

    @views.post("/api/models/<name>/promote")
    def promote(name: str) -> Response:
        values = asking.body(request)
        by, note = asking.decision(request, values)
        with services.sessions.begin() as session:
            project = asking.project_of(session, values.get("project"))
        version = doing.promote(services, project.id, name, by=by, note=note)
        return answer({"live": version.name, "by": by, "note": note})

    @views.post("/api/rollback")
    def rollback() -> Response:
        values = asking.body(request)
        by, note = asking.decision(request, values)
        with services.sessions.begin() as session:
            project = asking.project_of(session, values.get("project"))
        version = doing.rollback(services, project.id, by=by, note=note)
        return answer({"live": version.name, "by": by, "note": note})

    @views.get("/api/runs")
    def runs() -> Response:
        limit = asking.number(request.args, "limit", 50, least=1, most=asking.MOST_ROWS)
        offset = asking.number(request.args, "offset", 0, most=2**31 - 1)
        trained = asking.choice(request.args, "trained", ("true", "false"))
        with services.sessions.begin() as session:
            project = asking.project_of(session, request.args.get("project"))
            total, rows = browse.training(
                session,
                project.id,
                trained=None if trained is None else trained == "true",
                limit=limit,
                offset=offset,
            )
            ids = [row["training_run_id"] for row in rows if row["training_run_id"] is not None]
            measured = browse.run_figures(session, ids)
            notes = browse.run_notes(session, ids)
            progress = browse.progress(session, ids)
        return answer(
            {
                "project": {"id": project.id, "title": project.title},
                "total": total,
                "limit": limit,
                "offset": offset,
                "runs": [run_json(row, measured, notes, progress) for row in rows],
            }
        )

    @views.get("/api/runs/<uuid:run_id>")
    def run(run_id: UUID) -> Response:
        with services.sessions.begin() as session:
            found = session.get(TrainingRun, run_id)
            if found is None:
                raise BadRequest("unknown_run", "There is no training run of this id.", 404)
            row = browse.training_run(session, run_id)
            measured = browse.run_figures(session, [run_id])
            notes = browse.run_notes(session, [run_id])
            progress = browse.progress(session, [run_id])
        return answer(run_json(row, measured, notes, progress))

    @views.post("/api/train")
    def train() -> Response:
        values = asking.body(request)
        by = asking.who(request, values) or "api"
        notes = asking.text(values, "notes")
        with services.sessions.begin() as session:
            project = asking.project_of(session, values.get("project"))
        asked = doing.start_training(services, project.id, by=by, notes=notes)
        return answer({"job": asked.job_id, "reason": asked.reason}, 202)


def _project(
    services: Services,
    session: Session,
    project: Project,
    progress: dict[str, Any] | None,
    live: dict[str, Any] | None,
) -> dict[str, Any]:
    schema = projects.schema_of(session, project.id, project.schema_version)
    return {
        "id": project.id,
        "title": project.title,
        "label_studio_id": project.label_studio_id,
        "label_studio_url": project_link(services.settings, project.label_studio_id)
        if project.label_studio_id is not None
        else None,
        "schema_version": project.schema_version,
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "label": {"en": field.label_en, "pt": field.label_pt},
                "format": field.format,
                "required": field.required,
                "multiple": field.multiple,
            }
            for field in schema
        ],
        "live_model": live and live["model_version"],
        "live_since": live and live["live_since"],
        "documents": stages(session, project.id),
        "collections": collections(session, project.id),
        "review": None
        if progress is None
        else {
            name: progress[name]
            for name in ("tasks", "reviewed", "skipped", "waiting", "reviewers", "last_reviewed_at")
        },
        "created_at": project.created_at,
        "deleted_at": project.deleted_at,
    }


def model_json(row: dict[str, Any]) -> dict[str, Any]:
    """A model version with its newest measurement over all fields."""
    figures = ("f1", "f1_low", "f1_high", "precision", "recall", "calibration_error", "support")
    return {
        "name": row["model_version"],
        "number": row["number"],
        "kind": row["kind"],
        "live": row["is_live"],
        "schema_version": row["schema_version"],
        "documents": row["documents"],
        "metrics": {name: row[name] for name in figures},
        "gate": {"passed": row["gate_passed"], "reason": row["gate_reason"]},
        "run_id": row["training_run_id"],
        "artefact": {"sha256": row["artefact_sha256"], "bytes": row["artefact_bytes"]},
        "created_at": row["created_at"],
        "created_by": row["created_by"],
        "notes": row["notes"],
    }


def run_json(
    row: dict[str, Any],
    measured: dict[UUID, dict[str, Any]],
    notes: dict[UUID, str],
    progress: dict[UUID, dict[str, Any]],
) -> dict[str, Any]:
    """A run, or with "trained": false a decision not to run."""
    key = row["training_run_id"]
    return {
        "id": key,
        "trained": row["trained"],
        "at": row["at"],
        "reason": row["reason"],
        "by": row["decided_by"],
        "notes": notes.get(key),
        "state": row["state"],
        "progress": progress.get(key) or None,
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "seconds": row["seconds"],
        "documents": row["documents"],
        "model": row["model_version"],
        "gate": {"passed": row["gate_passed"], "reason": row["gate_reason"]},
        "error": row["error"],
        "metrics": measured.get(key, {}),
        "figures": row["figures"],
    }
