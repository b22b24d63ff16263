"""History cannot be changed: not by SQL, not by the ORM, not by the owner of the tables."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.live_sql import live_sql
from tests import factories

TABLES = sorted(
    line.split(" ON ")[1].strip()
    for line in live_sql().splitlines()
    if line.startswith("    BEFORE UPDATE OR DELETE OR TRUNCATE ON ")
)


def test_the_history_tables_are_all_guarded():
    assert {
        *("annotation_events", "annotation_values", "extractions", "extraction_values"),
        *("model_aliases", "metrics", "datasets", "dataset_members"),
    } <= set(TABLES)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_sql_is_refused(connection, table, change):
    column = connection.scalar(
        text(
            "SELECT attname FROM pg_attribute WHERE attrelid = cast(:t AS regclass) AND attnum > 0"
            " AND attidentity = '' LIMIT 1"
        ),
        {"t": table},
    )
    with pytest.raises(IntegrityError, match=r"is append-only") as caught:
        connection.execute(text(change.format(table, column, column)))
    assert caught.value.orig.sqlstate == "23001"


def test_the_orm_is_refused(session):
    event = factories.annotation_event(session)
    event.actor = "somebody.else@example.org"
    with pytest.raises(IntegrityError, match="annotation_events is append-only: UPDATE"):
        session.flush()


def test_only_a_transaction_that_says_so_may_delete(committed_database):
    with committed_database.session_factory.begin() as session:
        factories.annotation_event(session)
    with psycopg.connect(committed_database.url) as connection:
        connection.execute("SET LOCAL fieldloop.erase = 'on'")
        with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
            connection.execute("UPDATE annotation_events SET actor = 'x'")
        connection.execute("DELETE FROM annotation_events")
        connection.commit()
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("DELETE FROM annotation_events")
