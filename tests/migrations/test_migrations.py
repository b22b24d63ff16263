"""Migrations lead to the models and the SQL files, go back the way they came, and wait for one another."""

from __future__ import annotations

import threading

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

import db.models  # noqa: F401 - fills the metadata
from db.base import Base
from db.errors import MigrationBusy
from db.live_sql import live_sql
from db.migrate import (
    LOCK_KEY,
    alembic_config,
    current,
    downgrade,
    head,
    migration_connection,
    upgrade,
)
from db.session import libpq_conninfo, normalised_url
from tests.conftest import new_database
from tests.migrations.snapshot import snapshot

REVISIONS = [
    script.revision
    for script in reversed(
        list(ScriptDirectory.from_config(alembic_config()).walk_revisions("base", "heads"))
    )
]


def test_one_line_of_numbered_revisions():
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [head()]
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


def test_models_and_sql_files_build_what_migrations_build(postgres_url, empty_database):
    upgrade(empty_database)
    with new_database(postgres_url) as by_models:
        engine = create_engine(normalised_url(by_models), poolclass=NullPool)
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
        with psycopg.connect(by_models) as raw:
            raw.execute(live_sql())
        assert snapshot(by_models) == snapshot(empty_database)


def test_alembic_finds_nothing_to_add(empty_database):
    upgrade(empty_database)
    with migration_connection(empty_database) as connection:
        command.check(alembic_config(connection))


def test_each_revision_goes_down_to_what_was_before(empty_database):
    before = snapshot(empty_database)
    for position, revision in enumerate(REVISIONS):
        upgrade(empty_database, revision)
        after = snapshot(empty_database)
        assert after != before
        downgrade(empty_database, REVISIONS[position - 1] if position else "base")
        assert snapshot(empty_database) == before
        upgrade(empty_database, revision)
        assert snapshot(empty_database) == after
        before = after


def test_a_table_that_a_migration_wrote_anew_is_vacuumed(empty_database):
    upgrade(empty_database, "0006")
    with psycopg.connect(libpq_conninfo(empty_database)) as connection:
        asked = "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'annotation_values' AND vacuum_count > 0"
        assert connection.execute(asked).fetchone() == (0,)
        connection.commit()
        upgrade(empty_database)
        connection.execute("SELECT pg_stat_clear_snapshot()")
        assert connection.execute(asked).fetchone() == (1,)


def test_migrated_twice_and_from_two_sides_at_once(empty_database):
    failures = []

    def run():
        try:
            upgrade(empty_database)
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with migration_connection(empty_database) as connection:
        assert current(connection) == head()


def test_gives_up_on_a_migration_that_never_ends(empty_database):
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        with pytest.raises(MigrationBusy, match="pg_stat_activity"):
            upgrade(empty_database, wait=0.3)


def test_migrations_do_not_wait_for_ever(empty_database):
    with migration_connection(empty_database) as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "4s"
        assert connection.scalar(text("SHOW statement_timeout")) == "1min"


def test_everything_public_has_a_comment(empty_database):
    upgrade(empty_database)
    bare = {
        row[:2]
        for row in snapshot(empty_database)
        if (
            row[0] in ("column", "function", "trigger") or (row[0] == "relation" and row[2] in "rv")
        )
        and not row[3]
    }
    assert bare == set()
