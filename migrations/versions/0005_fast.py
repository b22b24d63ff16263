"""Views and functions about the past answer fast on a million events: other plans, covering indexes."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
STATES = "ix_annotation_events_task_id_label_studio_id_id"
STATES_INCLUDED = ["recorded_at", "occurred_at", "kind", "late"]
VALUES = "ix_annotation_values_event_id"
OPEN = "ix_annotations_open"


def upgrade() -> None:
    # Indexes over the whole history take as long as it is: about 10 s for a million events.
    op.execute("SET LOCAL statement_timeout = 0")
    _states(sa.text("id DESC"), [*STATES_INCLUDED, "was_cancelled"])
    op.create_index(
        "ix_annotation_events_id",
        "annotation_events",
        ["id"],
        postgresql_include=["actor", "extraction_id"],
    )
    op.drop_index(VALUES, "annotation_values")
    op.create_index(
        VALUES, "annotation_values", ["event_id"], postgresql_include=["field", "outcome"]
    )
    op.drop_index("ix_annotation_values_field", "annotation_values")
    _open(
        ["project_id", "task_id"],
        [
            *("id", "last_event_id", "was_cancelled", "created_by", "lead_time"),
            "source_updated_at",
        ],
    )
    _run("0005_fast.sql")


def downgrade() -> None:
    op.execute("SET LOCAL statement_timeout = 0")
    _run("0005_fast_down.sql")
    _open(["project_id"], None)
    op.create_index("ix_annotation_values_field", "annotation_values", ["field"])
    op.drop_index(VALUES, "annotation_values")
    op.create_index(VALUES, "annotation_values", ["event_id"])
    op.drop_index("ix_annotation_events_id", "annotation_events")
    _states("id", STATES_INCLUDED)


def _states(last: str | sa.TextClause, included: list[str]) -> None:
    op.drop_index(STATES, "annotation_events")
    op.create_index(
        STATES,
        "annotation_events",
        ["task_id", "label_studio_id", last],
        postgresql_include=included,
    )


def _open(columns: list[str], included: list[str] | None) -> None:
    op.drop_index(OPEN, "annotations")
    op.create_index(
        OPEN,
        "annotations",
        columns,
        postgresql_include=included,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _run(name: str) -> None:
    # Past SQLAlchemy: the script has many statements, and percent signs that are no parameters.
    script = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
