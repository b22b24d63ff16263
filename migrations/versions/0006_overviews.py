"""Overviews of a million events within a second: reviewer and model version stand in the annotations."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
OPEN = "ix_annotations_open"
OPEN_INCLUDED = [
    *("id", "last_event_id", "was_cancelled", "created_by", "lead_time"),
    "source_updated_at",
]
STATES = "ix_annotation_events_task_id_label_studio_id_occurred_at_id"


def upgrade() -> None:
    # Every annotation is written once, and an index over the whole history is made.
    op.execute("SET LOCAL statement_timeout = 0")
    op.add_column(
        "annotations",
        sa.Column(
            "last_reviewer",
            sa.Text(),
            comment="Reviewer of last_event_id, set by a trigger: so that figures over all annotations need no events.",
        ),
    )
    op.add_column(
        "annotations",
        sa.Column(
            "model_version_id",
            sa.BigInteger(),
            comment="Model version whose extraction is behind last_event_id, set by a trigger; empty: from nothing of ours.",
        ),
    )
    op.execute(
        "UPDATE annotations a SET last_reviewer = e.actor, model_version_id = x.model_version_id"
        " FROM annotation_events e LEFT JOIN extractions x ON x.id = e.extraction_id"
        " WHERE e.id = a.last_event_id"
    )
    _open([*OPEN_INCLUDED, "last_reviewer", "model_version_id"])
    op.create_index(
        STATES,
        "annotation_events",
        ["task_id", "label_studio_id", sa.text("occurred_at DESC"), sa.text("id DESC")],
        postgresql_include=["kind", "was_cancelled"],
    )
    _run("0006_overviews.sql")


def downgrade() -> None:
    op.execute("SET LOCAL statement_timeout = 0")
    _run("0006_overviews_down.sql")
    op.execute("DROP TRIGGER annotations_last_state ON annotations")
    op.execute("DROP FUNCTION set_last_state()")
    op.drop_index(STATES, "annotation_events")
    _open(OPEN_INCLUDED)
    op.drop_column("annotations", "model_version_id")
    op.drop_column("annotations", "last_reviewer")


def _open(included: list[str]) -> None:
    op.drop_index(OPEN, "annotations")
    op.create_index(
        OPEN,
        "annotations",
        ["project_id", "task_id"],
        postgresql_include=included,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _run(name: str) -> None:
    # Past SQLAlchemy: the script has many statements, and percent signs that are no parameters.
    script = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
