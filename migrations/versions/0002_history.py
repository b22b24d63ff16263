"""Append-only tables, views for operators, and functions about the past."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TRIGGERS = (
    "annotation_events",
    "annotation_values",
    "dataset_members",
    "datasets",
    "erasures",
    "extraction_values",
    "extractions",
    "metrics",
    "model_aliases",
    "retrain_decisions",
)
VIEWS = (
    "annotation_history",
    "corrections",
    "corrections_by_field",
    "documents_overview",
    "field_values",
    "live_models",
    "model_leaderboard",
    "review_progress",
    "reviewer_agreement",
    "sync_health",
    "training_history",
)
# Callers before what they call.
FUNCTIONS = (
    "predictions_as_of(timestamptz, text)",
    "extracted_values_as_of(timestamptz, text)",
    "extractions_as_of(timestamptz, text)",
    "live_model_as_of(timestamptz, text)",
    "field_values_as_of(timestamptz, text)",
    "annotations_as_of(timestamptz, text)",
    "documents_as_of(timestamptz, text)",
    "as_of_clock(text)",
    "forbid_change()",
)


def upgrade() -> None:
    script = Path(__file__).parents[1] / "sql" / "0002_history.sql"
    # Past SQLAlchemy: the script has many statements, and percent signs that are no parameters.
    op.get_bind().connection.driver_connection.execute(script.read_text(encoding="utf-8"))


def downgrade() -> None:
    for table in TRIGGERS:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
