"""Real servers for tests: one Postgres and one Redis per session, a clean state per test.

``TEST_DATABASE_URL`` (a superuser's or a CREATEDB role's address) and ``TEST_REDIS_URL`` replace them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis as redis_client
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from db.blobs import BlobStore, open_blobs
from db.migrate import upgrade
from db.session import SessionFactory, make_engine, make_session_factory, normalised_url
from tests.label_studio import LabelStudioServer, running_label_studio
from tests.local_servers import running_postgres, running_redis


@dataclass(frozen=True)
class Database:
    """A database of its own, where commits are real."""

    url: str
    engine: Engine
    session_factory: SessionFactory


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Address of the server; its database is the one to connect to for CREATE DATABASE."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with running_postgres() as url:
        yield url


@contextmanager
def new_database(server: str, template: str = "template0") -> Iterator[str]:
    """The address of a fresh database, dropped at the end together with who is still connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = make_url(normalised_url(server)).set(drivername="postgresql")
    conninfo = admin.render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield admin.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The address of a database without any migration."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    """Name of a migrated database to copy. Never connect to it: a connected database cannot be copied."""
    with new_database(postgres_url) as url:
        upgrade(url)
        name = make_url(url).database
        assert name is not None
        yield name


@pytest.fixture(scope="session")
def _shared_engine(postgres_url: str, template_database: str) -> Iterator[Engine]:
    with new_database(postgres_url, template_database) as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def connection(_shared_engine: Engine) -> Iterator[Connection]:
    """A transaction that is undone after the test."""
    with _shared_engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture
def session_factory(connection: Connection) -> SessionFactory:
    """Sessions inside that transaction: code under test may begin and commit, nothing stays."""
    return sessionmaker(
        connection, join_transaction_mode="create_savepoint", expire_on_commit=False
    )


@pytest.fixture
def session(session_factory: SessionFactory) -> Iterator[Session]:
    """One such session."""
    with session_factory() as session:
        yield session


@pytest.fixture
def committed_database(postgres_url: str, template_database: str) -> Iterator[Database]:
    """A fresh copy, for tests with several connections, real commits, locks or other processes."""
    with new_database(postgres_url, template_database) as url:
        engine = make_engine(url)
        yield Database(url, engine, make_session_factory(engine))
        engine.dispose()


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[str]:
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield given.rsplit("/", 1)[0] if given.count("/") > 2 else given
        return
    with running_redis() as url:
        yield url


@pytest.fixture
def redis_url(_redis_server: str) -> Iterator[str]:
    """Address of an empty Redis database that belongs to this test."""
    url = f"{_redis_server}/13"
    with redis_client.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def redis(redis_url: str) -> Iterator[redis_client.Redis]:
    """A client of that database."""
    with redis_client.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    """A blob store in a temporary folder."""
    return open_blobs((tmp_path / "blobs").as_uri())


@pytest.fixture(scope="session")
def label_studio(postgres_url: str) -> Iterator[LabelStudioServer]:
    """A real Label Studio; tests that ask for it carry the marker ``label_studio``."""
    with running_label_studio(postgres_url) as server:
        yield server
