"""Bring a database to the revision of this program, one process at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.pool import NullPool

from db.errors import MigrationBusy
from db.session import normalised_url

# Beside the package in a checkout and in an installed wheel alike.
MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
LOCK_KEY = 0x6669656C64  # "field"; any number that nobody else locks
LOCK_TIMEOUT = (
    "4s"  # a migration waits this long for a table, then gives up rather than block its users
)
STATEMENT_TIMEOUT = "60s"
REWRITTEN = {"0007": "annotation_values"}
"""Tables that a revision writes anew. Until they are vacuumed no index alone answers, and rows only ever added are
not soon vacuumed by themselves."""


def alembic_config(connection: Connection | None = None) -> Config:
    """The configuration of Alembic's own commands, without a file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision this program knows."""
    found = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if found is None:
        raise FileNotFoundError(f"No migrations in {MIGRATIONS}; the installation is incomplete.")
    return found


def current(connection: Connection) -> str | None:
    """The revision of a database; None for one that was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str, revision: str = "head", *, wait: float = 120.0) -> None:
    """Migrate the database at ``url``; does nothing if it is there already.

    Processes that start together wait for each other, ``wait`` seconds at most (MigrationBusy).
    """
    with _outside(url) as beside:
        before = current(beside)
    with migration_connection(url, wait=wait) as connection:
        command.upgrade(alembic_config(connection), revision)
    if before is not None:
        _vacuum(url, [table for since, table in REWRITTEN.items() if before < since])


def downgrade(url: str, revision: str, *, wait: float = 120.0) -> None:
    """Undo migrations down to ``revision`` ("base": all of them, and everything recorded with them)."""
    with migration_connection(url, wait=wait) as connection:
        command.downgrade(alembic_config(connection), revision)


@contextmanager
def _outside(url: str) -> Iterator[Connection]:
    """A connection without transactions, for what Alembic's own must not see or cannot do."""
    engine = create_engine(
        normalised_url(url),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 5, "application_name": "fieldloop-migrate"},
    )
    with engine.connect() as connection:
        yield connection


def _vacuum(url: str, tables: list[str]) -> None:
    if not tables:
        return
    with _outside(url) as connection:
        for table in tables:
            connection.execute(text(f"VACUUM (ANALYZE) {table}"))


@contextmanager
def migration_connection(url: str, *, wait: float = 120.0) -> Iterator[Connection]:
    """A connection with timeouts fit for schema changes, while holding the migration lock."""
    address = normalised_url(url)
    options = f"-c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}"
    worker = create_engine(
        address,
        poolclass=NullPool,
        connect_args={
            "connect_timeout": 5,
            "application_name": "fieldloop-migrate",
            "options": options,
        },
    )
    with _lock(address, wait), worker.connect() as connection:
        yield connection


@contextmanager
def _lock(address: str, wait: float) -> Iterator[None]:
    # On a connection of its own: the lock must outlive the transaction of each migration, and must
    # be gone when this process is.
    deadline = time.monotonic() + wait
    with _outside(address) as connection:
        while not connection.scalar(select(func.pg_try_advisory_lock(LOCK_KEY))):
            if time.monotonic() >= deadline:
                raise MigrationBusy(wait)
            time.sleep(0.1)
        try:
            yield
        finally:
            connection.execute(select(func.pg_advisory_unlock(LOCK_KEY)))
