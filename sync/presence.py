"""A project that was deleted in Label Studio, and one that is there again."""

from __future__ import annotations

import logging

from db import mirror, sync_runs
from db.label_studio_errors import NotFound
from db.leader import turn
from db.models import EventSource, Project
from sync.look import Look, Written
from sync.looking import check_identity
from sync.passes import CHUNK, write
from sync.services import Mirrored, Services

log = logging.getLogger(__name__)


def is_gone(services: Services, project: Mirrored) -> bool:
    """Whether Label Studio, asked in three ways, has no such project: by its number, in the list of all, and
    with a token that it knows. Raises LabelStudioError where it does not answer plainly."""
    try:
        project.source.identity()
    except NotFound:
        services.label_studio.whoami()
        return not project.source.is_listed()
    return False


def record_gone(services: Services, project: Mirrored) -> Written:
    """Mark the project deleted, and its tasks and annotations with it; their whole history stays."""
    total = Written()
    with turn(services.engine, project.id) as held:
        while True:
            with held.begin() as session:
                tasks = mirror.some_tasks(session, project.id, CHUNK)
                if not tasks:
                    session.get_one(Project, project.id).deleted_at = mirror.clock(session)
                    sync_runs.drop_cursors(session, project.id)
                    break
                standing = mirror.standing_annotations(session, project.id, tasks)
                look = Look(
                    EventSource.SWEEP,
                    gone=dict.fromkeys(tasks),
                    gone_annotations=set(standing),
                )
                written, _ = write(session, project, look)
                total += written
    log.warning(
        "project %d is gone from Label Studio: %d tasks and %d annotations were marked deleted",
        project.id,
        total.tasks_deleted,
        total.deleted,
    )
    return total


def back_again(services: Services, project: Mirrored) -> bool:
    """Whether a project that was gone answers again; then it is mirrored anew."""
    try:
        identity = project.source.identity()
    except NotFound:
        return False
    with services.sessions.begin() as session:
        check_identity(session, project, identity)
        session.get_one(Project, project.id).deleted_at = None
    return True
