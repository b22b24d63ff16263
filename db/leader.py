"""Locks that end with their connection: one leader for the mirror, one pass at a time per project.

A leader that is killed, stopped or cut off loses its connection, and with it the lock: the server ends a
session that says nothing for ``IDLE_SECONDS``, and notices a dead host by keep-alives in about as long.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from db.session import normalised_url

LEADER_KEY = 0x6D6972726F72  # "mirror"
IDLE_SECONDS = 6
BEAT_SECONDS = 1.5

log = logging.getLogger(__name__)


class Leadership:
    """The lock of the one process that mirrors, on a connection of its own."""

    def __init__(self, url: str) -> None:
        options = (
            f"-c idle_session_timeout={IDLE_SECONDS}s -c tcp_keepalives_idle=3 "
            "-c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
        )
        self._engine: Engine = create_engine(
            normalised_url(url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": 5,
                "application_name": "fieldloop-sync-leader",
                "options": options,
                "keepalives_idle": 3,
                "keepalives_interval": 1,
                "keepalives_count": 3,
            },
        )
        self._connection: Connection | None = None
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether the lock is ours, as far as the last heartbeat knows."""
        return self._connection is not None and not self._lost.is_set()

    def acquire(self) -> bool:
        """Try once; False while another process leads, or Postgres is away."""
        self.release()
        try:
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            log.warning("Postgres is away: %s", type(error).__name__)
            return False
        try:
            ours = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER_KEY})
        except SQLAlchemyError:
            ours = False
        if not ours:
            connection.close()
            return False
        self._connection = connection
        self._lost.clear()
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, name="sync-leader", daemon=True)
        self._thread.start()
        return True

    def release(self) -> None:
        """Let another process lead."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._connection is not None:
            try:
                self._connection.close()
            except SQLAlchemyError:
                log.debug("the leader's connection was gone already")
            self._connection = None

    def _beat(self) -> None:
        connection = self._connection
        while connection is not None and not self._stop.wait(BEAT_SECONDS):
            try:
                connection.execute(text("SELECT 1"))
            except SQLAlchemyError as error:
                log.warning("the leader's lock is lost: %s", type(error).__name__)
                self._lost.set()
                return


class Turn:
    """A pass over one project that no other process can make at the same time.

    The lock and every transaction of the pass are on one connection: if it breaks, the lock is gone, and so is
    the chance to write what was fetched under it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction."""
        with (
            Session(self._connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session


@contextmanager
def turn(engine: Engine, project_id: int) -> Iterator[Turn]:
    """Wait for the turn of this project and hold it."""
    key = {"project": project_id}
    with engine.connect() as connection:
        connection.execute(
            text("SELECT pg_advisory_lock(hashtext('fieldloop.turn'), :project)"), key
        )
        connection.commit()
        try:
            yield Turn(connection)
        finally:
            if not connection.invalidated:
                try:
                    connection.rollback()
                    connection.execute(
                        text("SELECT pg_advisory_unlock(hashtext('fieldloop.turn'), :project)"),
                        key,
                    )
                    connection.commit()
                except SQLAlchemyError:
                    # The lock ends with the connection.
                    connection.invalidate()
