"""The reference is what the database says, and the examples of the how-to run."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from db.describe import describe
from db.session import libpq_conninfo
from tests import factories

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = DOCS / "howto" / "query-the-past.md"
EXAMPLES = re.findall(r"```sql\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)


def test_the_reference_is_current(committed_database):
    written = (DOCS / "reference" / "schema.md").read_text(encoding="utf-8")
    assert describe(committed_database.url) == written, (
        "run python -m db.describe > docs/reference/schema.md"
    )


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(committed_database, example):
    with committed_database.session_factory.begin() as session:
        event = factories.annotation_event(session)
        factories.annotation_value(session, event, "total", "1.00")
        factories.annotation(session, event)
    with psycopg.connect(libpq_conninfo(committed_database.url)) as connection:
        found = connection.execute(example)
        assert found.description
