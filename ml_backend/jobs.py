"""One job, from its claim to its end: what RQ calls, for every kind of work.

The job's row in Postgres decides: a nudge for a job that is not due, taken by another worker or over finds
nothing to claim. While a job runs its lease is renewed from a thread of its own; a worker that dies lets it
run out, and the job is taken up again.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy.exc
from sqlalchemy.orm import Session

from db import jobs, training_decisions, training_runs
from db.config import Settings
from db.errors import RecordError
from db.label_studio_errors import LabelStudioError
from db.models import Job, JobState, Project
from db.nudges import nudge
from ml_backend import pipeline, trainer
from ml_backend.extraction.errors import ExtractionError
from ml_backend.policy import Policy, decide
from ml_backend.services import Services

LEASE = timedelta(seconds=30)
RENEW_SECONDS = 8.0
LONGEST_WAIT = timedelta(minutes=1)
TRAINING_ATTEMPTS = 3
MIRROR_SECONDS = 10.0

log = logging.getLogger(__name__)


class JobTaken(Exception):
    """The job was cancelled, or its lease ran out and another worker has it."""


@dataclass(frozen=True)
class Work:
    """A claimed job and how to say how far it is."""

    services: Services
    job: Job

    def progress(self, step: str, done: int, total: int | None = None) -> None:
        with self.services.sessions.begin() as session:
            jobs.progress(session, self.job.id, done=done, total=total, step=step)

    @property
    def subject(self) -> UUID:
        return UUID(self.job.subject)


def run(job_id: str) -> None:
    """Entry point of RQ, by name. Raises nothing: how the job ended stands in its row."""
    execute(_services(), UUID(job_id))


@functools.cache
def _services() -> Services:
    return Services.open(Settings.from_environ(), name="fieldloop-worker")


def execute(services: Services, job_id: UUID) -> bool:
    """Claim and do one job; False if there was nothing to claim."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    with services.sessions.begin() as session:
        job = jobs.claim(session, job_id, worker=worker, lease=LEASE)
        if job is None:
            _bury(session, job_id)
            return False
    work = Work(services, job)
    handler = HANDLERS.get(job.kind)
    try:
        if handler is None:
            _fail(work, "unknown_kind", f"No part of this version does {job.kind!r}.", retry=False)
            return True
        with _kept_alive(work):
            follow_ups = handler(work)
    except Again as again:
        with services.sessions.begin() as session:
            jobs.postpone(session, job, timedelta(seconds=again.seconds))
    except JobTaken:
        log.warning("job %s (%s) was taken away; its result is dropped", job.id, job.kind)
    except LabelStudioError as error:
        if error.passing:
            _wait(work, error)
        else:
            _fail(work, type(error).__name__, str(error), retry=True)
    except (RecordError, ExtractionError) as error:
        _fail(work, type(error).__name__, str(error), retry=True)
    except sqlalchemy.exc.OperationalError:
        # Postgres went away: nothing can be recorded now, and the lease runs out by itself.
        log.warning("job %s (%s) lost the database; it will be taken up again", job.id, job.kind)
    except Exception as error:
        log.exception("job %s (%s) failed", job.id, job.kind)
        _fail(
            work,
            type(error).__name__,
            f"{type(error).__name__}; the worker's log has the details.",
            retry=True,
        )
    else:
        with services.sessions.begin() as session:
            jobs.finish(session, job)
        nudge(services.redis, follow_ups)
    return True


@dataclass
class Again(Exception):
    """Not yet: ask again after ``seconds``. No failure, and no attempt used up."""

    seconds: float


def _wait(work: Work, error: LabelStudioError) -> None:
    """Label Studio is away, or its token is wrong: the job waits for as long as that lasts."""
    wait = min(jobs.backoff(work.job.attempts), LONGEST_WAIT)
    with work.services.sessions.begin() as session:
        jobs.postpone(session, work.job, wait, code=type(error).__name__, message=str(error))
    log.warning("job %s (%s) waits: %s", work.job.id, work.job.kind, error)


def _fail(work: Work, code: str, message: str, *, retry: bool) -> None:
    with work.services.sessions.begin() as session:
        again = jobs.fail(session, work.job, code=code, message=message, retry=retry)
        if not again:
            _bury(session, work.job.id)
    log.warning("job %s (%s): %s", work.job.id, work.job.kind, message)


def _bury(session: Session, job_id: UUID) -> None:
    """Let what a job worked on say so, if the job has failed for good."""
    job = session.get(Job, job_id, populate_existing=True)
    if job is None or job.state is not JobState.FAILED:
        return
    if job.kind == "train":
        training_runs.fail_run(session, UUID(job.subject), job.error or "")
    elif job.kind == "read_document":
        pipeline.give_up_reading(session, UUID(job.subject), job.error_code or "", job.error or "")


@contextmanager
def _kept_alive(work: Work) -> Iterator[None]:
    """Renew the lease while the block runs; JobTaken at its end if that was refused."""
    stop, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not stop.wait(RENEW_SECONDS):
            try:
                with work.services.sessions.begin() as session:
                    if not jobs.renew(session, work.job.id, LEASE, attempt=work.job.attempts):
                        lost.set()
                        return
                    if work.job.kind == "train":
                        training_runs.heartbeat(session, work.subject)
            except sqlalchemy.exc.SQLAlchemyError as error:
                log.warning(
                    "could not renew the lease of job %s: %s", work.job.id, type(error).__name__
                )

    thread = threading.Thread(target=renew, name=f"lease-{work.job.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if lost.is_set():
        raise JobTaken


def _read_document(work: Work) -> list[UUID]:
    return pipeline.read(work.services, work.subject, work.progress)


def _extract_document(work: Work) -> list[UUID]:
    return pipeline.extract(work.services, work.subject)


def _publish_task(work: Work) -> list[UUID]:
    return pipeline.publish(work.services, work.subject, again=_tried_before(work))


def _refresh_predictions(work: Work) -> list[UUID]:
    return pipeline.refresh(
        work.services, int(work.job.subject), work.progress, again=_tried_before(work)
    )


def _publish_missing(work: Work) -> list[UUID]:
    asked, later = pipeline.publish_missing(
        work.services, int(work.job.subject), replaced=bool(work.job.arguments.get("replaced"))
    )
    if later:
        nudge(work.services.redis, asked)
        raise Again(MIRROR_SECONDS)
    return asked


def _tried_before(work: Work) -> bool:
    with work.services.sessions.begin() as session:
        return jobs.tried_before(session, work.job)


def _consider_training(work: Work) -> list[UUID]:
    """Ask the policy; its answer and its reason are kept whenever they change."""
    project_id = work.job.project_id
    if project_id is None:
        raise RecordError(f"The job {work.job.id} names no project.")
    with work.services.sessions.begin() as session:
        training_runs.lock_project(session, project_id)
        training_runs.reap_runs(session, project_id=project_id)
        project = session.get_one(Project, project_id)
        situation = training_decisions.training_situation(session, project_id)
        forced = bool(work.job.arguments.get("forced"))
        decision = decide(situation, Policy.from_settings(project.settings), forced=forced)
        run_id: UUID | None = None
        started: list[UUID] = []
        if decision.train:
            run = training_runs.request_run(
                session,
                project_id,
                reason=decision.reason,
                requested_by=str(work.job.arguments.get("by", "policy")),
            )
            run_id = run.id
            job = jobs.enqueue(
                session,
                kind="train",
                subject=str(run.id),
                project_id=project_id,
                created_by=work.job.created_by,
                parent_id=work.job.id,
                max_attempts=TRAINING_ATTEMPTS,
            )
            started = [job.id]
        training_decisions.record_decision(
            session,
            project_id,
            train=decision.train,
            reason=decision.reason,
            figures={
                "reviewed": situation.reviewed,
                "new_answers": situation.new_answers,
                "forced": forced,
            },
            run_id=run_id,
        )
    if decision.ask_again is not None:
        raise Again(decision.ask_again)
    return started


def _train(work: Work) -> list[UUID]:
    def progress(step: str, done: int, total: int) -> None:
        with work.services.sessions.begin() as session:
            jobs.progress(session, work.job.id, done=done, total=total, step=step)
            training_runs.heartbeat(
                session, work.subject, {"step": step, "done": done, "total": total}
            )

    try:
        return trainer.train(work.services, work.subject, progress, take_over=work.job.attempts > 1)
    except trainer.RunBusy:
        raise Again(5.0) from None
    except trainer.RunLost:
        raise JobTaken from None


HANDLERS: dict[str, Callable[[Work], list[UUID]]] = {
    "read_document": _read_document,
    "extract_document": _extract_document,
    "publish_task": _publish_task,
    "publish_missing": _publish_missing,
    "refresh_predictions": _refresh_predictions,
    "consider_training": _consider_training,
    "train": _train,
}
