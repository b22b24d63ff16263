"""What a process of the mirror works with: opened once at its edge, handed down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.config import Settings
from db.label_studio import LabelStudio
from db.models import Project
from db.projects import FieldRow, all_projects, schema_of
from db.session import SessionFactory, make_engine, make_session_factory
from sync.source import Source
from sync.values import FieldReader

ReaderOf = Callable[[Sequence[FieldRow]], FieldReader]
NEEDS = ("DATABASE_URL", "REDIS_URL", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY")
_ASK_PEOPLE_AGAIN = 30.0


class People:
    """E-mails by user id, asked for when an id is new. Raises LabelStudioError."""

    def __init__(self, client: LabelStudio) -> None:
        self._client = client
        self._known: dict[int, str] = {}
        self._asked = -_ASK_PEOPLE_AGAIN
        self._lock = threading.Lock()

    def __call__(self, number: int) -> str | None:
        with self._lock:
            found = self._known.get(number)
            if found is None and time.monotonic() - self._asked >= _ASK_PEOPLE_AGAIN:
                self._known = self._client.users()
                self._asked = time.monotonic()
                found = self._known.get(number)
        return found or None


@dataclass(frozen=True)
class Services:
    """The record, the queue, Label Studio, and what the types of fields mean."""

    database_url: str
    engine: Engine
    sessions: SessionFactory
    redis: Redis
    label_studio: LabelStudio
    reader_of: ReaderOf
    people: People
    backend_url: str | None = None
    """Where webhooks come in; None: it is not watched."""

    @classmethod
    def open(cls, settings: Settings, reader_of: ReaderOf) -> Services:
        """Nothing is connected yet: each part connects when it is first used."""
        engine = make_engine(settings.database_url, application_name="fieldloop-sync")
        client = LabelStudio(settings.label_studio_url, settings.label_studio_api_key)
        return cls(
            database_url=settings.database_url,
            engine=engine,
            sessions=make_session_factory(engine),
            redis=Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=2),
            label_studio=client,
            reader_of=reader_of,
            people=People(client),
            backend_url=settings.backend_url,
        )

    def close(self) -> None:
        """Let go of what was connected."""
        self.engine.dispose()
        self.redis.close()


@dataclass(frozen=True)
class Mirrored:
    """A project that is mirrored."""

    id: int
    title: str
    label_studio_id: int
    source: Source
    reader: FieldReader
    gone: bool = field(default=False)
    """Whether it was found deleted in Label Studio."""


def mirrored_projects(session: Session, services: Services) -> list[Mirrored]:
    """The projects that are set up in this Label Studio, as they are now."""
    return [
        _mirrored(session, services, project, project.label_studio_id)
        for project in all_projects(session)
        if project.label_studio_id is not None
        and project.label_studio_url == services.label_studio.url
    ]


def _mirrored(
    session: Session, services: Services, project: Project, label_studio_id: int
) -> Mirrored:
    rows = schema_of(session, project.id, project.schema_version)
    return Mirrored(
        id=project.id,
        title=project.title,
        label_studio_id=label_studio_id,
        source=Source(services.label_studio, label_studio_id),
        reader=services.reader_of(rows),
        gone=project.deleted_at is not None,
    )
