"""Engines and session factories.

``with session_factory.begin() as session`` appears only at entry points (a view, a job, a step of the
sync worker, a command). Functions in ``db`` take the session and never commit, roll back or open one.
"""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from db.json_values import read_json

SessionFactory = sessionmaker[Session]


def normalised_url(url: str) -> str:
    """The same address with the driver we ship: ``postgres://`` and ``postgresql://`` both mean psycopg 3."""
    parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def libpq_conninfo(url: str) -> str:
    """The same address as psycopg and Postgres' own programs take it, whatever its password contains."""
    parsed = make_url(normalised_url(url))
    parts: dict[str, Any] = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
        **parsed.query,
    }
    return make_conninfo(**{name: value for name, value in parts.items() if value is not None})


def make_engine(url: str, *, pool_size: int = 5, application_name: str = "fieldloop") -> Engine:
    """An engine that notices a restarted Postgres and never waits for it more than five seconds."""
    return create_engine(
        normalised_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        # An error that is logged must not carry the values of a document.
        hide_parameters=True,
        json_deserializer=read_json,
        connect_args={"connect_timeout": 5, "application_name": application_name},
    )


def make_session_factory(engine: Engine) -> SessionFactory:
    """Sessions whose objects stay readable after the transaction ends."""
    return sessionmaker(engine, expire_on_commit=False)
