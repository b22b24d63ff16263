"""The role ``fieldloop_reader``: for dashboards and people who look, and never write.

Roles belong to the whole Postgres server, not to one database, so this is no migration: it runs after
every upgrade, changes only what is missing, and does without where it may not create roles.
"""

from __future__ import annotations

import logging

import psycopg
from psycopg import errors, sql

from db.session import libpq_conninfo

log = logging.getLogger(__name__)

READER = "fieldloop_reader"
# Two databases of one server may be set up at the same moment; roles are shared between them.
_LOCK_KEY = 0x72656164

# Everything in the schema is readable, page words and webhook payloads too: whoever may read the reviewed
# values gains nothing from the rest, and a view that breaks on one forbidden column surprises. Secrets are
# taken out of payloads before they are stored.
_GRANTS = (
    # The local stack lets nobody connect whom it does not know; elsewhere everybody may already.
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {role}",
)


def ensure_reader(url: str, password: str | None = None) -> str | None:
    """Create the role if need be and let it read the database at ``url``; it may log in if given a password.

    Returns None, or a sentence for the operator where the connecting user may not do this; also logged.
    """
    with psycopg.connect(
        libpq_conninfo(url), connect_timeout=5, application_name="fieldloop-migrate"
    ) as connection:
        try:
            with connection.transaction():
                _ensure(connection, password)
                connects = _may_connect(connection)
        except errors.InsufficientPrivilege:
            who = connection.info.user
            problem = (
                f"The role {READER} could not be set up: {who} may not create or change roles here. "
                f"Ask an administrator for: CREATE ROLE {READER} NOLOGIN; then run `fieldloop migrate` again."
            )
            log.warning("%s", problem)
            return problem
        if connects:
            return None
        # Who does not own the database may grant nothing, and Postgres only warns.
        database = connection.info.dbname
        problem = f"The role {READER} may not connect. Ask the owner for: GRANT CONNECT ON DATABASE {database} TO {READER}."
        log.warning("%s", problem)
        return problem


def _may_connect(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    found = connection.execute(
        "SELECT has_database_privilege(%s, current_database(), 'CONNECT')", [READER]
    ).fetchone()
    return found is not None and bool(found[0])


def _ensure(connection: psycopg.Connection[tuple[object, ...]], password: str | None) -> None:
    role = sql.Identifier(READER)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
    found = connection.execute(
        "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [READER]
    ).fetchone()
    if found is None:
        # The lock is per database: another database of the server may create the role right now.
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        except (errors.DuplicateObject, errors.UniqueViolation):
            log.info("The role %s was created by another process meanwhile.", READER)
    if password is not None:
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password))
        )
    database = sql.Identifier(connection.info.dbname)
    for grant in _GRANTS:
        connection.execute(sql.SQL(grant).format(role=role, database=database))
