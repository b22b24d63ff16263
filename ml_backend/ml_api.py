"""The HTTP contract of a Label Studio ML backend, and the inbox of its webhooks.

Label Studio calls these without a signature, so the backend is registered under ``/ml/<secret>``; the same
addresses without it want the secret in a header. Health and setup look nothing up that could be slow: Label
Studio waits for both whenever somebody opens a page of its Data Manager.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, jsonify, request
from sqlalchemy import select

from db import documents as record
from db import extractions
from db.jobs import enqueue
from db.models import ModelVersion, Project
from db.nudges import nudge
from db.projects import by_label_studio_id
from db.words import unpack
from ml_backend.auth import check_secret, same
from ml_backend.errors import BadRequest
from ml_backend.field_specs import specs_of
from ml_backend.interactive import answer, drawn, types_of
from ml_backend.live_models import ensure_live, live_predictor
from ml_backend.predicting import predict_versions, sheets_of
from ml_backend.regions import Prediction
from ml_backend.services import Services
from ml_backend.webhook_intake import Intake

MAX_EVENT_BYTES = 32 * 1024 * 1024
MAX_PREDICT_BYTES = 256 * 1024 * 1024
START_TRAINING = "START_TRAINING"
_PROJECT_ID = re.compile(r"[0-9]{1,9}")


def blueprint(services: Services) -> Blueprint:
    """/health, and /setup /predict /webhook /versions, each also under /ml/<secret>."""
    views = Blueprint("ml", __name__)
    secret = services.settings.webhook_secret
    intake = Intake(services.sessions)

    def guarded(given: str | None) -> None:
        if given is None:
            check_secret(request, secret)
        elif not same(given, secret):
            abort(404)

    @views.get("/health")
    @views.get("/ml/<given>/health")
    @views.get("/")
    @views.get("/ml/<given>/")
    def health(given: str | None = None) -> Response:
        return jsonify({"status": "UP", "model_class": "Fieldloop"})

    @views.post("/setup")
    @views.post("/ml/<given>/setup")
    def setup(given: str | None = None) -> Response:
        guarded(given)
        project = _project(services, _body(MAX_EVENT_BYTES).get("project"))
        with services.sessions.begin() as session:
            return jsonify({"model_version": ensure_live(session, project.id).name})

    @views.get("/versions")
    @views.get("/ml/<given>/versions")
    def versions(given: str | None = None) -> Response:
        guarded(given)
        # Label Studio does not say for which project it asks; ?project=<id> narrows the answer.
        wanted = select(ModelVersion.name).order_by(ModelVersion.id.desc())
        if "project" in request.args:
            project = _project(services, request.args["project"])
            wanted = wanted.where(ModelVersion.project_id == project.id)
        with services.sessions.begin() as session:
            return jsonify({"versions": list(session.scalars(wanted))})

    @views.post("/predict")
    @views.post("/ml/<given>/predict")
    def predict(given: str | None = None) -> Response:
        guarded(given)
        body = _body(MAX_PREDICT_BYTES)
        tasks = body.get("tasks")
        if not isinstance(tasks, list):
            raise BadRequest("no_tasks", "The body needs a list 'tasks'.")
        project = _project(services, body.get("project"))
        context = _context(body)
        if context is None:
            return jsonify({"results": _batch(services, project, tasks)})
        return jsonify({"results": [_drawn(services, project, tasks, context)]})

    @views.post("/webhook")
    @views.post("/ml/<given>/webhook")
    def webhook(given: str | None = None) -> tuple[Response, int]:
        guarded(given)
        event = _body(MAX_EVENT_BYTES)
        if event.get("action") == START_TRAINING:
            return jsonify({"job": str(_start_training(services, event))}), 201
        return jsonify({"delivery": intake.store(event)}), 201

    return views


def _body(limit: int) -> dict[str, Any]:
    request.max_content_length = limit
    try:
        body = request.get_json(force=True, silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise BadRequest("malformed_json", "The body is not a JSON object.")
    return body


def _project(services: Services, named: Any) -> Project:
    """The project Label Studio speaks of, as "12.1700000000" or its row."""
    number = named.get("id") if isinstance(named, Mapping) else str(named or "").partition(".")[0]
    if not _PROJECT_ID.fullmatch(str(number)):
        raise BadRequest(
            "no_project", "The request names no project ('project': '<id>.<created>')."
        )
    wanted = int(str(number))
    with services.sessions.begin() as session:
        project = by_label_studio_id(session, services.settings.label_studio_url, wanted)
    if project is None:
        raise BadRequest(
            "unknown_project",
            f"Label Studio's project {wanted} is not one of ours; `fieldloop init` sets a project up.",
            404,
        )
    return project


def _context(body: Mapping[str, Any]) -> list[Any] | None:
    """The regions of an interactive request; None for all others."""
    params = body.get("params")
    context = params.get("context") if isinstance(params, Mapping) else None
    if not isinstance(context, Mapping):
        return None
    result = context.get("result")
    return result if isinstance(result, list) else []


def _version_of(task: Any) -> UUID | None:
    data = task.get("data") if isinstance(task, Mapping) else None
    ours = data.get("fieldloop") if isinstance(data, Mapping) else None
    if not isinstance(ours, Mapping):
        return None
    try:
        return UUID(str(ours.get("document_version_id")))
    except ValueError:
        return None


def _batch(services: Services, project: Project, tasks: Sequence[Any]) -> list[dict[str, Any]]:
    """One entry per task, in order. A task that is not ours, or cannot be read, gets an empty result: a null
    entry would make Label Studio fail to open it."""
    predictor = live_predictor(services, project.id)
    wanted = [_version_of(task) for task in tasks]
    known = list(dict.fromkeys(version for version in wanted if version is not None))
    found = predict_versions(services, predictor, known)
    nothing = Prediction([], 0.0)
    predictions = [nothing if key is None else found.get(key, nothing) for key in wanted]
    return [
        {"result": one.result, "score": one.score, "model_version": predictor.name}
        for one in predictions
    ]


def _drawn(
    services: Services, project: Project, tasks: Sequence[Any], context: Sequence[Any]
) -> dict[str, Any]:
    """The answer to a box a reviewer drew; empty if there is none to answer, or its page is not known."""
    entry, version = drawn(context), _version_of(tasks[0]) if tasks else None
    result: list[dict[str, Any]] = []
    with services.sessions.begin() as session:
        live = ensure_live(session, project.id)
        ours = set() if version is None else extractions.readable(session, project.id, [version])
        if entry is None or version not in ours:
            return {"result": result, "score": 0.0, "model_version": live.name}
        specs = specs_of(session, project.id)
        data = record.words_of(session, version)
        images = record.images_of(session, version)
    if data is not None:
        result = answer(entry, unpack(data), sheets_of(images), types_of(specs))
    return {"result": result, "model_version": live.name}


def _start_training(services: Services, event: Mapping[str, Any]) -> UUID:
    project = _project(services, event.get("project"))
    with services.sessions.begin() as session:
        job = enqueue(
            session,
            kind="consider_training",
            # A subject of its own: an ordinary question that waits for quiet must not swallow this one.
            subject=f"{project.id}:forced",
            project_id=project.id,
            arguments={"forced": True, "by": "label_studio"},
            created_by="label_studio",
        )
    nudge(services.redis, [job.id])
    return job.id
