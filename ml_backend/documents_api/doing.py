"""What people ask the backend to do beside uploading: try again, train, promote, roll back.

The API and the console call these; each is one transaction and its nudges.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import browse, documents, jobs, registry, training_decisions, training_runs
from db.errors import BlobCorrupt, BlobMissing
from db.models import DocumentVersion, Job, JobState, ModelKind, ModelVersion, Project, ReadingState
from db.nudges import nudge
from ml_backend.documents_api.asking import unprintable
from ml_backend.errors import BadRequest
from ml_backend.extraction.artifact import ArtifactError
from ml_backend.field_specs import specs_of
from ml_backend.live_models import load
from ml_backend.policy import Policy, decide
from ml_backend.services import Services

READ = "read_document"
TRAIN = "train"


def retry_document(
    services: Services, document_id: UUID, *, by: str, number: int | None = None
) -> list[UUID]:
    """Ask anew for what failed on a document's version, the newest by default; the ids of the jobs.

    Raises BadRequest if nothing failed.
    """
    with services.sessions.begin() as session:
        version = version_of(session, document_id, number)
        asked = [job.id for job in _retry_version(session, version, by)]
    if not asked:
        raise BadRequest(
            "nothing_failed", "Nothing failed on this document; there is nothing to try again.", 409
        )
    nudge(services.redis, asked)
    return asked


def _retry_version(session: Session, version: DocumentVersion, by: str) -> list[Job]:
    if documents.read_again(session, version.id):
        return [_ask(session, READ, str(version.id), version.project_id, by)]
    failed = browse.failed_jobs(session, version.id)
    if failed:
        return [_again(session, job, by) for job in failed]
    known = browse.jobs_on(session, [str(version.id)])
    is_open = any(job.state in {JobState.QUEUED, JobState.RUNNING} for job in known)
    if is_open or version.state is ReadingState.ERASED:
        return []
    if documents.task_of(session, version.id) is not None:
        return []
    # No task and nobody at work on one, e.g. after a job was cancelled: begin where it stands.
    kind = READ if version.state is ReadingState.RECEIVED else "extract_document"
    return [_ask(session, kind, str(version.id), version.project_id, by)]


def version_of(session: Session, document_id: UUID, number: int | None) -> DocumentVersion:
    """The version of this number, or the newest. Raises BadRequest."""
    if number is None:
        version = documents.newest_version(session, document_id)
    else:
        version = session.scalar(
            select(DocumentVersion).where(
                DocumentVersion.document_id == document_id, DocumentVersion.number == number
            )
        )
    if version is None:
        which = "document of this id" if number is None else f"version {number} of this document"
        raise BadRequest("unknown_document", f"There is no {which}.", 404)
    return version


def retry_job(services: Services, job_id: UUID, *, by: str) -> UUID:
    """Ask anew for a job that failed or was cancelled; the id of the new one. Raises BadRequest."""
    with services.sessions.begin() as session:
        job = session.get(Job, job_id)
        if job is None:
            raise BadRequest("unknown_job", "There is no job of this id.", 404)
        if job.state not in {JobState.FAILED, JobState.CANCELLED}:
            raise BadRequest(
                "not_failed",
                f"The job is {job.state.value}; only a failed one is tried again.",
                409,
            )
        if job.kind == TRAIN:
            project_id = job.project_id
            if project_id is None:
                raise BadRequest(
                    "no_project", "The job names no project; start a run by hand.", 409
                )
            asked = _ask_to_train(session, project_id, by, "Again after a failed run.").id
        else:
            if job.kind == READ:
                documents.read_again(session, UUID(job.subject))
            asked = _again(session, job, by).id
    nudge(services.redis, [asked])
    return asked


@dataclass(frozen=True)
class Asked:
    """A run that was asked for: the job that asks the policy, and what it will answer as things are."""

    job_id: UUID
    reason: str


def start_training(services: Services, project_id: int, *, by: str, notes: str | None) -> Asked:
    """Ask for a training run now. Raises BadRequest if there is nothing to learn from."""
    with services.sessions.begin() as session:
        project = session.get_one(Project, project_id)
        situation = training_decisions.training_situation(session, project_id)
        decision = decide(situation, Policy.from_settings(project.settings), forced=True)
        if situation.reviewed == 0:
            raise BadRequest(
                "nothing_to_learn",
                "No document has been reviewed yet; submit at least one in Label Studio first.",
                409,
            )
        job = _ask_to_train(session, project_id, by, notes)
    nudge(services.redis, [job.id])
    return Asked(job.id, decision.reason)


def _ask_to_train(session: Session, project_id: int, by: str, notes: str | None) -> Job:
    return jobs.enqueue(
        session,
        kind="consider_training",
        # A subject of its own: an ordinary question that waits for quiet must not swallow this one.
        subject=f"{project_id}:forced",
        project_id=project_id,
        arguments={"forced": True, "by": by, "notes": notes or ""},
        created_by=by,
    )


def promote(services: Services, project_id: int, name: str, *, by: str, note: str) -> ModelVersion:
    """Make this model version live. Raises BadRequest if it is unknown, live already or unusable."""
    with services.sessions.begin() as session:
        version = model_of(session, project_id, name)
        project = session.get_one(Project, project_id)
        specs = specs_of(session, project_id, version.schema_version)
        current = project.schema_version
    if version.kind is ModelKind.ZERO_SHOT and version.schema_version != current:
        raise BadRequest(
            "old_schema",
            f"{name} reads fields by the schema of version {version.schema_version}; the project is at {current}.",
            409,
        )
    try:
        # A model that cannot be loaded must not go live: every prediction would fail.
        load(services.blobs, version, specs)
    except (BlobMissing, BlobCorrupt, ArtifactError) as error:
        raise BadRequest("model_unusable", f"{name} cannot be loaded. {error}", 409) from error
    return _point(services, project_id, version, by=by, note=note)


def rollback(services: Services, project_id: int, *, by: str, note: str) -> ModelVersion:
    """Make the model version live that was live before the present one. Raises BadRequest without one."""
    with services.sessions.begin() as session:
        before = registry.previous_live(session, project_id)
    if before is None:
        raise BadRequest(
            "no_previous_model", "No other model version has been live; there is no way back.", 409
        )
    return promote(services, project_id, before.name, by=by, note=note)


def _point(
    services: Services, project_id: int, version: ModelVersion, *, by: str, note: str
) -> ModelVersion:
    with services.sessions.begin() as session:
        training_runs.lock_project(session, project_id)
        live = registry.live_model(session, project_id)
        if live is not None and live.id == version.id:
            raise BadRequest("already_live", f"{version.name} is live already.", 409)
        registry.point_alias(session, version, by=by, notes=note)
        job = _ask(session, "refresh_predictions", str(version.id), project_id, by)
    nudge(services.redis, [job.id])
    return version


def model_of(session: Session, project_id: int, name: str) -> ModelVersion:
    """The model version of this name. Raises BadRequest."""
    version = None
    if not unprintable(name):
        version = session.scalar(
            select(ModelVersion).where(
                ModelVersion.project_id == project_id, ModelVersion.name == name
            )
        )
    if version is None:
        raise BadRequest(
            "unknown_model",
            f"There is no model version {name[:200]!r} in this project; GET /api/models lists them.",
            404,
        )
    return version


def _again(session: Session, job: Job, by: str) -> Job:
    return jobs.enqueue(
        session,
        kind=job.kind,
        subject=job.subject,
        project_id=job.project_id,
        arguments=job.arguments,
        created_by=by,
        max_attempts=job.max_attempts,
    )


def _ask(session: Session, kind: str, subject: str, project_id: int, by: str) -> Job:
    return jobs.enqueue(session, kind=kind, subject=subject, project_id=project_id, created_by=by)
