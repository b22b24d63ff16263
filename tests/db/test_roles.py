"""The reading role: sees everything, changes nothing, and is optional."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from sqlalchemy.engine import make_url

from db.roles import READER, ensure_reader
from db.session import libpq_conninfo
from tests import factories


def test_reads_tables_views_and_functions_and_writes_nothing(committed_database):
    assert ensure_reader(committed_database.url) is None
    assert ensure_reader(committed_database.url) is None
    with committed_database.session_factory.begin() as session:
        factories.annotation_event(session)
    with psycopg.connect(committed_database.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE made_later (id int)")
        connection.execute(f"SET ROLE {READER}")
        relations = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
        ).fetchall()
        assert len(relations) > 30
        for (name,) in relations:
            connection.execute(f'SELECT * FROM "{name}" LIMIT 1')
        rows = connection.execute("SELECT count(*) FROM annotations_as_of(now())").fetchone()
        assert rows == (1,)
        for statement in (
            "DELETE FROM jobs",
            "CREATE TABLE mine (id int)",
            "UPDATE projects SET title = 'x'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_logs_in_with_a_password(committed_database):
    ensure_reader(committed_database.url, 'it\'s a "password"')
    url = make_url(committed_database.url).set(username=READER, password='it\'s a "password"')
    with psycopg.connect(libpq_conninfo(url.render_as_string(hide_password=False))) as connection:
        assert connection.execute("SELECT count(*) FROM review_progress").fetchone() == (0,)


def test_logs_in_where_the_database_is_closed_to_others(committed_database):
    """As the local stack makes it."""
    with psycopg.connect(committed_database.url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
    ensure_reader(committed_database.url, "a-password")
    url = make_url(committed_database.url).set(username=READER, password="a-password")
    with psycopg.connect(libpq_conninfo(url.render_as_string(hide_password=False))) as connection:
        assert connection.execute("SELECT count(*) FROM review_progress").fetchone() == (0,)


def test_a_user_who_may_not_let_others_connect_gets_a_sentence(committed_database):
    user = f"plain_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(committed_database.url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"CREATE ROLE {user} LOGIN CREATEROLE PASSWORD 'x'")
        connection.execute(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC, {READER}')
        connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {user}')
        for what in (
            "SCHEMA public",
            "ALL TABLES IN SCHEMA public",
            "ALL FUNCTIONS IN SCHEMA public",
        ):
            connection.execute(f"GRANT ALL ON {what} TO {user} WITH GRANT OPTION")
        try:
            url = make_url(committed_database.url).set(username=user, password="x")
            problem = ensure_reader(url.render_as_string(hide_password=False))
        finally:
            connection.execute(f"DROP OWNED BY {user}")
            connection.execute(f"DROP ROLE {user}")
    assert f"GRANT CONNECT ON DATABASE {name}" in problem


def test_a_user_who_may_not_create_roles_gets_a_sentence(committed_database, caplog):
    user = f"plain_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(committed_database.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
        try:
            url = make_url(committed_database.url).set(username=user, password="x")
            problem = ensure_reader(url.render_as_string(hide_password=False), "a-password")
        finally:
            connection.execute(f"DROP ROLE {user}")
    assert user in problem
    assert "CREATE ROLE fieldloop_reader" in problem
    assert problem in caplog.text
