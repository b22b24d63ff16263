"""Nudges: telling a worker, through RQ, that a job waits in Postgres.

A nudge carries nothing but the job's id. It may come twice, late or never: whoever is nudged claims the job in
Postgres first (``db.jobs.claim``), and ``nudge_due`` nudges again what nobody claimed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from redis import Redis, RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from db import jobs, training_runs

QUEUE = "fieldloop"
_HANDLER = "ml_backend.jobs.run"  # by name: who nudges need not have the worker's code
_KEEP_SECONDS = 60
_TIMEOUT_SECONDS = 3600  # the hard end of one attempt; leases, not this, find dead workers

log = logging.getLogger(__name__)


def queue(redis: Redis) -> Queue:
    """The queue all nudges go through."""
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def nudge(redis: Redis, job_ids: Iterable[UUID]) -> None:
    """Nudge a worker for each job. Call it after the commit that made them.

    Redis away is no error: the jobs are in Postgres, and a rescuer nudges them when it is back.
    """
    for job_id in job_ids:
        try:
            queue(redis).enqueue(
                _HANDLER,
                str(job_id),
                job_timeout=_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=_KEEP_SECONDS,
                description=f"job {job_id}",
            )
        except RedisError as error:
            log.warning("Redis did not take a nudge, a rescuer will repeat it: %s", error)
            return


def nudge_due(redis: Redis, session: Session, limit: int = 100) -> int:
    """Nudge the jobs that could be claimed now and have no nudge waiting; how many.

    Training runs whose worker died are seen to as well (``training_runs.reap_runs``): commit afterwards. No job is
    nudged while more nudges than jobs wait in the queue: the workers are busy, not forgotten.
    """
    training_runs.reap_runs(session)
    due = jobs.due(session, limit)
    if not due:
        return 0
    try:
        waiting = queue(redis).count
    except RedisError as error:
        log.warning("Redis is away, %d jobs wait for it: %s", len(due), error)
        return 0
    missing = due[waiting:] if waiting < len(due) else []
    nudge(redis, missing)
    return len(missing)
