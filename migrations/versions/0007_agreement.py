"""Agreement of reviewers within a second: each value has a hash, and an index that has all it takes to compare."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
VALUES = "ix_annotation_values_event_id"
VALUES_INCLUDED = ["field", "outcome"]


def upgrade() -> None:
    # The table of values is written anew with its hashes: about 15 s for four million.
    op.execute("SET LOCAL statement_timeout = 0")
    op.drop_index(VALUES, "annotation_values")
    op.add_column(
        "annotation_values",
        sa.Column(
            "value_hash",
            sa.BigInteger(),
            sa.Computed(
                # As Postgres writes it back, or Alembic would take it for another one.
                "CASE WHEN outcome::text <> 'removed'::text THEN hashtextextended(COALESCE(normalised, text, ''::text),"
                " 0::bigint) ELSE NULL::bigint END",
                persisted=True,
            ),
            comment="Hash of normalised, else of text: equal values, equal hash. Only for comparing; empty for a removed value.",
        ),
    )
    _values([*VALUES_INCLUDED, "value_hash"])
    _run("0007_agreement.sql")


def downgrade() -> None:
    op.execute("SET LOCAL statement_timeout = 0")
    _run("0007_agreement_down.sql")
    op.drop_index(VALUES, "annotation_values")
    op.drop_column("annotation_values", "value_hash")
    _values(VALUES_INCLUDED)


def _values(included: list[str]) -> None:
    op.create_index(VALUES, "annotation_values", ["event_id"], postgresql_include=included)


def _run(name: str) -> None:
    # Past SQLAlchemy: the script has many statements, and percent signs that are no parameters.
    script = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
