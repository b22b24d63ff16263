"""What a process of the backend works with: opened once at its edge, handed down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis

from db.blobs import BlobStore, open_blobs
from db.config import Settings
from db.label_studio import LabelStudio
from db.session import SessionFactory, make_engine, make_session_factory


@dataclass(frozen=True)
class Services:
    """The record, the blobs, the queue and Label Studio."""

    settings: Settings
    sessions: SessionFactory
    blobs: BlobStore
    redis: Redis
    label_studio: LabelStudio

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, *, name: str) -> Iterator[Services]:
        """Services for the length of a command, with no connection left behind."""
        services = cls.open(settings, name=name)
        try:
            yield services
        finally:
            services.sessions.kw["bind"].dispose()
            services.redis.close()

    @classmethod
    def open(cls, settings: Settings, *, name: str = "fieldloop-backend") -> Services:
        """Nothing is connected yet: each part connects when it is first used."""
        return cls(
            settings=settings,
            sessions=make_session_factory(
                make_engine(settings.database_url, application_name=name)
            ),
            blobs=open_blobs(settings.blob_url),
            redis=Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=2),
            label_studio=LabelStudio(settings.label_studio_url, settings.label_studio_api_key),
        )
